//! The files of a run's directory: their names, and writing them so that whoever looks for one finds it whole or not at all.
//!
//! One file is the run's record and has, one after the other, the names
//! 1. `job-NONCE.json` (0600): the [`super::Job`], written by the daemon for one supervisor. Whoever takes it away owns the run: the
//!    supervisor renames it to `claimed.json`; a recovering daemon that removes it first knows that nothing was and nothing
//!    will be started. The nonce keeps a belated supervisor from taking the job of its successor.
//! 2. `started.json`: the run's process exists. The job, which holds secrets, is overwritten by [`Message::Started`] and blanks.
//! 3. `exit.json`: [`Message::Finished`] is the next line. Once it exists nobody writes to the directory any more.
//!
//! One file and not three, because making files is what a short run costs most of on a busy disk. Beside it stand `log`,
//! and later `log.tail.*` (see `log.rs`).
//!
//! Only the end is flushed to the disk: after a power cut the boot id tells that the run is lost anyway.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::{End, NotStarted, Outcome, STOPPED_BEFORE_START};
use super::Job;
use uuid::Uuid;

const JOB_PREFIX: &str = "job-";
const CLAIMED: &str = "claimed.json";
pub const STARTED: &str = "started.json";
pub const EXIT: &str = "exit.json";
const EXIT_TEMPORARY: &str = "exit.json.tmp";

/// Room for the outcome that is reserved at the start of a run, so that a full disk cannot swallow it.
const OUTCOME_RESERVE: u64 = 32 * 1024;

/// A file that claims to be larger than this was not written by us.
const READ_LIMIT: u64 = 16 * 1024 * 1024;

/// How often the parent of a run's directory is made before that is given up.
const PARENTS: u32 = 20;

/// That the run's process exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    pub version: u32,
    pub at: Timestamp,
    /// The run's process, leader of its own session and group.
    pub pid: u32,
    /// Of the machine's boot in which it was started: in another one, nothing of it is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
}

/// What a supervisor says of its run, one JSON object per line: into the record, and to the daemon through the report pipe.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    Started(Started),
    Finished(Box<Outcome>),
}

impl Message {
    /// The line, with its end.
    pub fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// What the record of a run says by now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    pub started: Option<Started>,
    pub outcome: Option<Outcome>,
}

/// Makes a run's directory, readable by its owner only. `true`: it is new, so there is nothing in it.
pub fn create(path: &Path) -> io::Result<bool> {
    let new = || fs::DirBuilder::new().mode(0o700).create(path);
    let mut made = new();
    // Whoever clears away empty days may take the new parent before there is anything in it: then it is made again.
    for _ in 0..PARENTS {
        match (&made, path.parent()) {
            (Err(error), Some(parent)) if is_absent(error) => {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
                made = new();
            }
            _ => break,
        }
    }
    match made {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads the record. Empty where the run has not begun.
pub fn read_record(directory: &Path) -> io::Result<Record> {
    // Renamed from the second name to the first meanwhile: so the first again.
    for name in [EXIT, STARTED, EXIT] {
        let path = directory.join(name);
        match read_bounded(&path) {
            Ok(bytes) => return parse_record(&bytes).map_err(|error| invalid(&path, &error.to_string())),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Record::default())
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let length = fs::metadata(path)?.len();
    if length > READ_LIMIT {
        return Err(invalid(path, &format!("it has {length} bytes")));
    }
    fs::read(path)
}

fn invalid(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()))
}

/// A line that has no end yet is still being written.
fn parse_record(bytes: &[u8]) -> serde_json::Result<Record> {
    let mut record = Record::default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    for line in bytes[..whole].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line)? {
            Message::Started(started) => record.started = Some(started),
            Message::Finished(outcome) => record.outcome = Some(*outcome),
        }
    }
    Ok(record)
}

/// Whether an attempt has been, is, or may yet be made in this directory.
pub fn is_occupied(directory: &Path) -> io::Result<bool> {
    let begun = [CLAIMED, STARTED, EXIT]
        .iter()
        .any(|name| directory.join(name).exists());
    Ok(begun || !jobs(directory)?.is_empty())
}

/// Writes the job (0600) for the supervisor that will be given the same nonce afterwards. Nobody else reads it, so it need not appear
/// whole: what a killed daemon has begun to write is void as any job is.
pub fn write_job(directory: &Path, nonce: &str, job: &Job) -> io::Result<()> {
    let path = directory.join(job_name(nonce));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let written = file.write_all(&serde_json::to_vec(job)?);
    if written.is_err() {
        let _holds_secrets = fs::remove_file(path);
    }
    written
}

/// Removes a job that was not taken: `true` when there was one, and then nobody will ever run it.
pub fn void_jobs(directory: &Path) -> io::Result<bool> {
    let mut removed = false;
    for path in jobs(directory)? {
        match fs::remove_file(path) {
            Ok(()) => removed = true,
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// The same for a run whose end is asked for: what became of it is left for whoever looks for its end.
pub fn withdraw(directory: &Path, run_id: Uuid, attempt: u32, at: Timestamp) -> io::Result<bool> {
    let withdrawn = void_jobs(directory)?;
    if withdrawn {
        let end = End::NotStarted { why: NotStarted::Stopped };
        write_outcome(directory, &Outcome::unknown(run_id, attempt, end, STOPPED_BEFORE_START.to_owned(), at))?;
    }
    Ok(withdrawn)
}

fn job_name(nonce: &str) -> String {
    format!("{JOB_PREFIX}{nonce}.json")
}

fn jobs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_job = |name: &str| name.starts_with(JOB_PREFIX) && name.ends_with(".json");
        if entry.file_name().to_str().is_some_and(is_job) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The record of a run whose job has been taken, for the one supervisor that has it.
pub struct ClaimedRecord {
    directory: PathBuf,
    name: &'static str,
    file: File,
    /// Of the first line: the job's, until it is overwritten.
    length: u64,
}

impl ClaimedRecord {
    /// Takes the job. `Ok(None)`: it was void, or somebody else's already.
    pub fn take(directory: &Path, nonce: &str) -> io::Result<Option<(ClaimedRecord, Job)>> {
        let claimed = directory.join(CLAIMED);
        match fs::rename(directory.join(job_name(nonce)), &claimed) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let file = OpenOptions::new().read(true).write(true).open(claimed)?;
        let mut bytes = Vec::new();
        (&file).take(READ_LIMIT).read_to_end(&mut bytes)?;
        let job = serde_json::from_slice(&bytes)?;
        let length = bytes.len() as u64;
        let _unsupported_or_full =
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, length, OUTCOME_RESERVE);
        Ok(Some((ClaimedRecord { directory: directory.to_path_buf(), name: CLAIMED, file, length }, job)))
    }

    /// Overwrites the job and makes it `started.json`.
    pub fn started(&mut self, started: &Started) -> io::Result<()> {
        self.overwrite(serde_json::to_vec(&Message::Started(started.clone()))?)?;
        self.rename(STARTED)
    }

    /// Nothing was started: the secrets go all the same.
    pub fn not_started(&mut self) -> io::Result<()> {
        self.overwrite(Vec::new())
    }

    /// The whole first line anew. Never shortens the file: that would give the reserved space away.
    fn overwrite(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX).max(line.len() + 1);
        line.resize(length - 1, b' ');
        line.push(b'\n');
        self.file.write_all_at(&line, 0)?;
        self.length = line.len() as u64;
        Ok(())
    }

    /// Adds the outcome durably: after this returns, `exit.json` survives a power cut.
    pub fn finish(mut self, outcome: &Outcome) -> io::Result<()> {
        let line = Message::Finished(Box::new(outcome.clone())).line()?;
        self.file.write_all_at(&line, self.length)?;
        // What was reserved and is not needed goes back: it would cost ten times what the record does.
        let _only_its_room = self.file.set_len(self.length + line.len() as u64);
        self.file.sync_all()?;
        self.rename(EXIT)?;
        File::open(&self.directory)?.sync_all()
    }

    fn rename(&mut self, name: &'static str) -> io::Result<()> {
        fs::rename(self.directory.join(self.name), self.directory.join(name))?;
        self.name = name;
        Ok(())
    }
}

/// Leaves the outcome of a run durably whose supervisor is gone or failed, beside what that may have left.
pub fn write_outcome(directory: &Path, outcome: &Outcome) -> io::Result<()> {
    let started = read_record(directory).ok().and_then(|record| record.started);
    let mut bytes = Vec::new();
    for message in started.map(Message::Started).into_iter().chain([Message::Finished(Box::new(outcome.clone()))]) {
        bytes.extend(message.line()?);
    }
    let temporary = directory.join(EXIT_TEMPORARY);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(temporary, directory.join(EXIT))?;
    for left in [CLAIMED, STARTED] {
        let _may_not_be_there = fs::remove_file(directory.join(left));
    }
    File::open(directory)?.sync_all()
}

/// The file or its directory is not there.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const RUNS: usize = 2_000;

    /// The day is empty at first, and is cleared away once for each run: before the run's directory is in it, or never.
    #[test]
    fn a_directory_is_made_although_its_empty_parent_is_cleared_away_meanwhile() {
        let home = tempfile::tempdir().unwrap();
        let (day, run) = (home.path().join("day"), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut cleared = usize::MAX;
                loop {
                    match run.load(Ordering::SeqCst) {
                        RUNS => return,
                        now if now != cleared && fs::remove_dir(&day).is_ok() => cleared = now,
                        _ => std::thread::yield_now(),
                    }
                }
            });
            let made: Vec<_> = (1..=RUNS)
                .map(|next| {
                    let made = create(&day.join("run"));
                    let _not_made = fs::remove_dir_all(&day);
                    run.store(next, Ordering::SeqCst);
                    made.map_err(|error| error.kind())
                })
                .collect();
            assert!(made.iter().all(|made| *made == Ok(true)), "{:?}", made.iter().find(|made| **made != Ok(true)));
        });
    }
}
