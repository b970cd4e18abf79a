//! Bounds what grows: directories of runs that ended, clones and work trees that no run uses, and tombstones.
//!
//! Run directories (logs, exit status) are kept for `KEEP_DAYS` days and as long as all of them together stay under
//! `MOST_BYTES`; the oldest day goes first. A run that is not over keeps its directory whatever its age. The runs'
//! records stay. Tombstones are kept for 7 days. It looks once an hour.
use super::signals::told;
use super::error::DaemonError;
use crate::clock;
use crate::executor::prepare;
use crate::model::id::FlowRunId;
use crate::model::stored::TOMBSTONE_DAYS;
use crate::model::write::Write;
use crate::settings::Home;
use crate::store::ledger::{Ledger, LedgerError};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;

/// Days that a finished run's directory is kept.
pub const KEEP_DAYS: i64 = 7;

/// Bytes that all run directories together may have.
pub const MOST_BYTES: u64 = 4 << 30;

const EVERY: Duration = Duration::from_secs(3600);

/// Cleans up once an hour until told to stop.
pub async fn run(ledger: Ledger, home: Home, mut stop: watch::Receiver<bool>) -> Result<(), DaemonError> {
    loop {
        clean(&ledger, &home).await?;
        tokio::select! {
            () = told(&mut stop) => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn clean(ledger: &Ledger, home: &Home) -> Result<(), DaemonError> {
    bury(ledger, clock::now()).await?;
    let active: HashSet<FlowRunId> = ledger.active_run_ids()?.into_iter().collect();
    let (runs, repositories) = (home.runs(), home.repositories());
    let outcome = tokio::task::spawn_blocking(move || {
        prepare::cache::sweep(&repositories);
        sweep(&runs, &active, clock::now(), MOST_BYTES)
    })
    .await;
    match outcome {
        Ok(Ok(0)) => {}
        Ok(Ok(removed)) => tracing::info!("removed the directories of {removed} old runs"),
        // What could not be removed now is tried again in an hour.
        Ok(Err(error)) => tracing::warn!("old run directories cannot be removed: {error}"),
        Err(panicked) => return Err(DaemonError::TaskEnded { task: "janitor", reason: panicked.to_string() }),
    }
    Ok(())
}

/// Removes the tombstones whose time is over.
async fn bury(ledger: &Ledger, now: Timestamp) -> Result<(), LedgerError> {
    let oldest = now.saturating_sub(SignedDuration::from_hours(24 * TOMBSTONE_DAYS)).unwrap_or(Timestamp::MIN);
    let over: Vec<Write> = ledger
        .tombstones()?
        .into_iter()
        .filter(|tombstone| tombstone.pruned < oldest)
        .map(|tombstone| Write::DeleteTombstone(tombstone.object.name()))
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    ledger.edit(|| Ok::<_, LedgerError>((over.clone(), ()))).await
}

/// Removes run directories that are too old, then the oldest ones until the rest is small enough. Returns how many.
fn sweep(runs: &Path, active: &HashSet<FlowRunId>, now: Timestamp, most_bytes: u64) -> io::Result<usize> {
    let oldest = now.saturating_sub(SignedDuration::from_hours(24 * KEEP_DAYS)).unwrap_or(Timestamp::MIN);
    let oldest_day = oldest.strftime("%Y-%m-%d").to_string();
    let mut kept = Vec::new();
    let mut removed = 0;
    for day in sorted_entries(runs)? {
        let day_name = name_of(&day);
        for run in sorted_entries(&day)? {
            if Home::run_of_attempt(&run).is_some_and(|id| active.contains(&id)) {
                continue;
            }
            if day_name < oldest_day {
                std::fs::remove_dir_all(&run)?;
                removed += 1;
            } else {
                kept.push((size_of(&run), run));
            }
        }
        // Fails, as it should, while anything is in it.
        drop(std::fs::remove_dir(&day));
    }
    let mut total: u64 = kept.iter().map(|(size, _)| size).sum();
    for (size, run) in kept {
        if total <= most_bytes {
            break;
        }
        std::fs::remove_dir_all(&run)?;
        total -= size;
        removed += 1;
    }
    Ok(removed)
}

fn sorted_entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    entries.retain(|path| path.is_dir());
    entries.sort_unstable();
    Ok(entries)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The bytes of an attempt's files, which lie flat in its directory.
fn size_of(attempt: &Path) -> u64 {
    let files = std::fs::read_dir(attempt).into_iter().flatten();
    files.filter_map(|file| file.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::of_requested_run;

    #[test]
    fn old_days_go_then_the_oldest_runs_until_it_fits_and_never_an_active_one() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let make = |age_hours: i64, number: u8| {
            let run = of_requested_run(now - SignedDuration::from_hours(age_hours), [number; 10]);
            let attempt = home.attempt(run, 1);
            std::fs::create_dir_all(&attempt).unwrap();
            std::fs::write(attempt.join("log"), [0; 100]).unwrap();
            (run, attempt)
        };
        let (_, ancient) = make(24 * 30, 1);
        let (active, kept_for_its_run) = make(24 * 31, 2);
        let (_, first) = make(30, 3);
        let (_, second) = make(2, 4);
        let (_, third) = make(1, 5);
        let removed = sweep(&home.runs(), &HashSet::from([active]), now, 250).unwrap();
        assert_eq!(removed, 2);
        assert!(!ancient.exists() && kept_for_its_run.exists() && !first.exists() && second.exists() && third.exists());
        assert_eq!(sweep(&home.runs(), &HashSet::from([active]), now, 250).unwrap(), 0);
    }
}
