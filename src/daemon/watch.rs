//! Keeps one project equal to its files: waits for a change, then makes a pass.
//!
//! Directories are watched, never files: an editor that saves by renaming, a symbolic link that is swapped and a file
//! that is made again are all seen in the directory, and none of them in the file. Where no events come at all (network
//! file systems, some bind mounts) a look at the files' metadata every 10 seconds finds the change.
//! A wake-up carries no data; many of them make one pass.
use super::ProjectSettings;
use super::signals::told;
use super::error::DaemonError;
use super::narrator::Narrator;
use super::reconciler::{Outcome, Pass, PassError, RETRY_AFTER, Reconciler};
use crate::clock;
use crate::manifest::UNREADABLE;
use crate::model::stored::Suspension;
use jiff::Timestamp;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Events that follow one another this quickly are one change: an editor's save is several.
const QUIET: Duration = Duration::from_millis(60);

/// However the events follow one another, a pass begins this long after the first.
const LONGEST_WAIT: Duration = Duration::from_millis(600);

/// How often the files are looked at where no events come.
const RESCAN: Duration = Duration::from_secs(10);

/// How often a pass is made although no file has changed: what is stored may have drifted from them.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// At most this many directories are watched for one project; beyond them the rescan sees changes.
const MOST_DIRECTORIES: usize = 512;

/// One project that is served.
pub struct ProjectWatch {
    root: PathBuf,
    files: Vec<PathBuf>,
    strict: bool,
    reconciler: Arc<Reconciler>,
    narrator: Narrator,
    wake: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    consulted: Vec<PathBuf>,
    seen: Stamps,
    said: Option<String>,
    /// The suspension that the last pass met.
    suspended: Option<Suspension>,
    /// Told when a pass, of any project, has written something.
    written: watch::Receiver<()>,
}

/// What tells one content of a file from another without reading it; links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    /// Seconds and nanoseconds of the last change of content or metadata, by the file system's clock.
    changed: (i64, i64),
    length: u64,
    inode: u64,
}

/// Each path with its stamp; `None`: nothing is there.
type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

/// A file that changed this shortly before it was read may change again within the same tick of the file system's
/// clock, unseen: it is looked at once more.
const CLOCK_TICK: Duration = Duration::from_millis(20);

impl ProjectWatch {
    /// Watches the project's root from now on; nothing is read before `run`.
    pub fn new(settings: ProjectSettings, reconciler: Arc<Reconciler>, narrator: Narrator) -> Self {
        let ProjectSettings { root, files, strict } = settings;
        let wake = Arc::new(Notify::new());
        let woken = wake.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| is_change(&event.kind)) {
                woken.notify_one();
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!("file events are not to be had ({error}): changes are found within {} s", RESCAN.as_secs());
        }
        let written = reconciler.watch_written();
        let mut project = ProjectWatch {
            consulted: Vec::new(),
            seen: BTreeMap::new(),
            root,
            files,
            strict,
            reconciler,
            narrator,
            wake,
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
            said: None,
            suspended: None,
            written,
        };
        project.follow(Vec::new());
        project
    }

    /// Makes a pass at once, and after every change, until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), DaemonError> {
        let mut again = self.reconciler.asked_again();
        loop {
            let retry_at = self.pass().await;
            tokio::select! {
                () = told(&mut stop) => return Ok(()),
                Ok(()) = again.changed() => {}
                () = self.change(retry_at) => {}
            }
        }
    }

    /// Waits until something may have changed: an event and the quiet after it, a rescan that finds a difference, what another project
    /// gave up while this one is held back, `retry_at`, or a long while.
    async fn change(&mut self, retry_at: Option<Timestamp>) {
        let look_again = Instant::now() + LOOK_AGAIN;
        let mut rescan = Instant::now() + RESCAN;
        loop {
            tokio::select! {
                () = self.wake.notified() => {
                    let deadline = Instant::now() + LONGEST_WAIT;
                    while tokio::time::timeout(QUIET, self.wake.notified()).await.is_ok() {
                        if Instant::now() >= deadline {
                            break;
                        }
                    }
                    // Runs may write into the project's directories all the time: only its own files count.
                    if self.stamps() != self.seen {
                        return;
                    }
                }
                // A pass that writes nothing tells nobody: projects that hold each other back do not go round in a circle.
                Ok(()) = self.written.changed() => {
                    if self.reconciler.is_held_back(&self.root) {
                        return;
                    }
                }
                () = sleep_until(retry_at) => return,
                () = tokio::time::sleep_until(rescan) => {
                    rescan = Instant::now() + RESCAN;
                    if Instant::now() >= look_again || self.stamps() != self.seen {
                        return;
                    }
                }
            }
        }
    }

    async fn pass(&mut self) -> Option<Timestamp> {
        self.reconciler.note_reconciling(&self.root);
        self.written.mark_unchanged();
        let pass = Pass { root: self.root.clone(), files: self.files.clone(), strict: self.strict, ..Pass::default() };
        let (begun, before) = (SystemTime::now(), self.stamps());
        match self.reconciler.pass(pass).await {
            Ok(outcome) => {
                self.reconciler.note(&self.root, &outcome);
                let now = clock::now();
                let suspended = outcome.stored.as_ref().and_then(|stored| stored.suspension(now)).cloned();
                let suspended_before = std::mem::replace(&mut self.suspended, suspended);
                if let (Some(ended), None, Some(stored)) = (suspended_before, &self.suspended, &outcome.stored)
                    && ended.until.is_some_and(|until| until <= now)
                {
                    self.narrator.suspension_ended(&stored.name, &ended);
                }
                self.say(&outcome);
                let unreadable = outcome.report.problems.iter().any(|problem| problem.code == UNREADABLE);
                let until = match self.suspended.as_ref().and_then(|suspension| suspension.until) {
                    // What kept a file from being read may end without a change that shows.
                    None if unreadable => now.checked_add(RETRY_AFTER).ok(),
                    until => until,
                };
                self.follow(outcome.consulted);
                self.remember(begun, &before);
                until
            }
            Err(error) => {
                self.say_failure(&error);
                self.remember(begun, &before);
                Some(self.reconciler.note_failure(&self.root, &error))
            }
        }
    }

    /// Remembers the files as they are, unless one of them may have changed while the pass read it: then nothing is
    /// remembered, and the next look finds a difference. A file that was removed, or replaced by an older one, has no
    /// time that tells; that it is not what it was `before` the pass does.
    fn remember(&mut self, begun: SystemTime, before: &Stamps) {
        let since_epoch = begun.checked_sub(CLOCK_TICK).and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let settled = since_epoch.map_or((0, 0), |at| (at.as_secs() as i64, i64::from(at.subsec_nanos())));
        self.seen = self.stamps();
        if may_have_changed(&self.seen, before, settled) {
            self.seen.clear();
        }
    }

    /// Once per content: a file that stays wrong is not said again every time it is looked at.
    fn say(&mut self, outcome: &Outcome) {
        let quiet = outcome.report.plan.as_ref().is_some_and(|plan| plan.is_in_sync());
        let said = match (&outcome.report.plan, quiet) {
            (None, _) => format!("{:?}", outcome.report.problems),
            (Some(_), true) if outcome.report.has_failed() => format!("in sync but for {:?}", outcome.report.problems),
            (Some(_), true) => "in sync".to_owned(),
            (Some(plan), false) => format!("{} {:?}", plan.base_revision, outcome.refusal),
        };
        if self.said.as_ref() != Some(&said) {
            self.narrator.reconciled(&self.root, outcome);
            self.said = Some(said);
        }
    }

    fn say_failure(&mut self, error: &PassError) {
        let text = error.to_string();
        if self.said.as_ref() != Some(&text) {
            self.narrator.failed(&self.root, &text);
            self.said = Some(text);
        }
    }

    /// Watches the directories of everything that the last pass depended on, and the root.
    fn follow(&mut self, consulted: Vec<PathBuf>) {
        let mut wanted: BTreeSet<PathBuf> = BTreeSet::from([self.root.clone()]);
        wanted.extend(self.root.parent().map(Path::to_path_buf));
        for path in consulted.iter().chain(&self.files) {
            let path = self.root.join(path);
            // A directory in which further files are looked for.
            wanted.insert(path.clone());
            wanted.extend(path.parent().map(Path::to_path_buf));
            // Behind a symbolic link the content lies elsewhere, and may change there.
            wanted.extend(path.canonicalize().ok().and_then(|real| real.parent().map(Path::to_path_buf)));
        }
        wanted.retain(|directory| directory.is_dir());
        if let Some(watcher) = &mut self.watcher {
            for gone in self.watched.difference(&wanted) {
                drop(watcher.unwatch(gone));
            }
            // All again, not only the new ones: a directory that was removed and made again is another one.
            let mut watched = BTreeSet::new();
            for directory in wanted.into_iter().take(MOST_DIRECTORIES) {
                if watcher.watch(&directory, RecursiveMode::NonRecursive).is_ok() {
                    watched.insert(directory);
                }
            }
            self.watched = watched;
        }
        self.consulted = consulted;
    }

    fn stamps(&self) -> Stamps {
        use std::os::unix::fs::MetadataExt;
        let stamp = |path: &PathBuf| {
            let stamp_of = |metadata: std::fs::Metadata| Stamp {
                changed: (metadata.ctime(), metadata.ctime_nsec()),
                length: metadata.len(),
                inode: metadata.ino(),
            };
            (path.clone(), std::fs::metadata(path).ok().map(stamp_of))
        };
        // Without a successful read yet there is nothing to compare but the directory itself.
        std::iter::once(&self.root).filter(|_| self.consulted.is_empty()).chain(&self.consulted).map(stamp).collect()
    }
}

/// Sleeps until an instant of the wall clock, whatever is done to that clock meanwhile; for ever without one.
async fn sleep_until(at: Option<Timestamp>) {
    let Some(at) = at else { return std::future::pending().await };
    while let Ok(left) = Duration::try_from(at.duration_since(clock::now())) {
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(RESCAN)).await;
    }
}

/// Whether a pass may have read something else than what is there `now`, after it: a file that changed since `settled`
/// (seconds and nanoseconds), or one that is not what it was `before`, whatever its times say.
fn may_have_changed(now: &Stamps, before: &Stamps, settled: (i64, i64)) -> bool {
    now.iter().any(|(path, stamp)| match (stamp, before.get(path)) {
        (Some(stamp), _) if stamp.changed >= settled => true,
        (stamp, Some(earlier)) => stamp != earlier,
        (stamp, None) => stamp.is_none(),
    })
}

/// Reading a file raises events too, and the pass reads: only what writes, makes, moves or removes counts.
fn is_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_while_it_is_read_is_looked_at_again() {
        let stamp = |seconds: i64, inode: u64| Some(Stamp { changed: (seconds, 0), length: 1, inode });
        let stamps = |stamp: Option<Stamp>| Stamps::from([(PathBuf::from("file"), stamp)]);
        let settled = (100, 0);
        for (before, now, again, why) in [
            (Some(stamp(50, 1)), stamp(50, 1), false, "nothing happened"),
            (None, stamp(50, 1), false, "read for the first time, and old"),
            (None, stamp(100, 1), true, "read for the first time, and just written"),
            (Some(stamp(50, 1)), stamp(101, 1), true, "written meanwhile"),
            (Some(stamp(50, 1)), None, true, "removed meanwhile"),
            (Some(stamp(50, 1)), stamp(40, 2), true, "replaced by an older file meanwhile"),
            (None, None, true, "read for the first time, and gone"),
            (Some(None), None, false, "gone before and after"),
        ] {
            let before = before.map(stamps).unwrap_or_default();
            assert_eq!(may_have_changed(&stamps(now), &before, settled), again, "{why}");
        }
    }
}
