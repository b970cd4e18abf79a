//! Keeps one project equal to its files: waits for a change, then makes a pass.
//!
//! Directories are watched, never files: an editor that saves by renaming, a symbolic link that is swapped and a file
//! that is made again are all seen in the directory, and none of them in the file. Where no events come at all (network
//! file systems, some bind mounts) a look at the files' metadata and contents every 10 seconds finds the change. Where reading them
//! takes more than 200 ms of a processor's time it is done less often, so that it never takes more than 2 % of one.
//! A wake-up carries no data; many of them make one pass.
use super::ProjectSettings;
use super::signals::told;
use super::error::DaemonError;
use super::looks::{self, Seen, Stamps};
use super::narrator::{self, Narrator};
use super::reconciler::{Outcome, Pass, PassError, RETRY_AFTER, Reconciler};
use crate::clock;
use crate::manifest::UNREADABLE;
use crate::model::stored::Suspension;
use crate::reconcile::Refusal;
use crate::source::Fingerprint;
use jiff::Timestamp;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

/// Events that follow one another this quickly are one change: an editor's save is several.
const QUIET: Duration = Duration::from_millis(60);

/// However the events follow one another, a pass begins this long after the first.
const LONGEST_WAIT: Duration = Duration::from_millis(600);

/// How often the files are looked at, and read, where no events come.
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
    consulted: Arc<Vec<PathBuf>>,
    /// `None`: they may have changed while the pass read them, so that the next look finds a difference.
    seen: Option<Arc<Seen>>,
    said: Option<String>,
    /// The content that is to be pruned by, and when it will have settled.
    settling: Option<(String, Instant)>,
    /// What of each object's drift was last reported; `None` before the first pass that had a plan.
    drifted: Option<BTreeMap<Uuid, String>>,
    /// The suspension that the last pass met.
    suspended: Option<Suspension>,
    /// Told when a pass, of any project, has written something.
    written: watch::Receiver<()>,
}

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
            consulted: Arc::default(),
            seen: None,
            root,
            files,
            strict,
            reconciler,
            narrator,
            wake,
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
            said: None,
            settling: None,
            drifted: None,
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
            let next = self.pass().await;
            tokio::select! {
                () = told(&mut stop) => return Ok(()),
                Ok(()) = again.changed() => {}
                () = self.change(next) => {}
            }
        }
    }

    /// Waits until something may have changed: an event and the quiet after it, a rescan that finds a difference, what another project
    /// gave up while this one is held back, when a pass is to be made `again`, or a long while.
    async fn change(&mut self, again: Option<Again>) {
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
                    if self.look(Seen::differs).await.unwrap_or(true) {
                        return;
                    }
                }
                // A pass that writes nothing tells nobody: projects that hold each other back do not go round in a circle.
                Ok(()) = self.written.changed() => {
                    if self.reconciler.is_held_back(&self.root) {
                        return;
                    }
                }
                () = sleep_until(again) => return,
                () = tokio::time::sleep_until(rescan) => {
                    let found = self.look(Seen::look_closely).await;
                    if Instant::now() >= look_again || found.is_none_or(|found| found.differs) {
                        return;
                    }
                    rescan = Instant::now() + found.map_or(RESCAN, |found| found.pause(RESCAN));
                }
            }
        }
    }

    async fn pass(&mut self) -> Option<Again> {
        self.reconciler.note_reconciling(&self.root);
        self.written.mark_unchanged();
        let settled = self.settling.as_ref().filter(|(_, at)| *at <= Instant::now()).map(|(content, _)| content.clone());
        let (root, files) = (self.root.clone(), self.files.clone());
        let pass = Pass { root, files, strict: self.strict, settle: true, settled, ..Pass::default() };
        let (begun, before) = (clock::of_files(), self.stamps().await);
        match self.reconciler.pass(pass).await {
            Ok(outcome) if outcome.unsettled.is_some() => {
                let at = self.settle(&outcome);
                self.follow(outcome.consulted);
                self.remember(begun, &before, outcome.fingerprint).await;
                at
            }
            Ok(outcome) => {
                self.settling = None;
                self.reconciler.note(&self.root, &outcome);
                let now = clock::now();
                let suspended = outcome.stored.as_ref().and_then(|stored| stored.suspension(now)).cloned();
                let suspended_before = std::mem::replace(&mut self.suspended, suspended);
                if let (Some(ended), None, Some(stored)) = (suspended_before, &self.suspended, &outcome.stored)
                    && ended.until.is_some_and(|until| until <= now)
                {
                    self.narrator.suspension_ended(&stored.name, &ended);
                    self.reconciler.record_resumed(&stored.name, &ended).await;
                }
                self.say(&outcome).await;
                if let Some(plan) = &outcome.report.plan {
                    self.reconciler.record_drift(plan, &mut self.drifted).await;
                }
                let unreadable = outcome.report.problems.iter().any(|problem| problem.code == UNREADABLE);
                let until = match self.suspended.as_ref().and_then(|suspension| suspension.until) {
                    // What kept a file from being read may end without a change that shows.
                    None if unreadable => Some(Again::After(Instant::now() + RETRY_AFTER)),
                    until => until.map(Again::At),
                };
                let is_written = outcome.report.plan.as_ref().is_some_and(|plan| plan.refusals.iter().any(is_written));
                self.follow(outcome.consulted);
                self.remember(begun, &before, outcome.fingerprint).await;
                if is_written {
                    // That a file is closed is an event, and shows in none of its times.
                    self.seen = None;
                }
                until
            }
            Err(error) => {
                self.reconciler.note_failure(&self.root, &error);
                self.say_failure(&error).await;
                self.remember(begun, &before, None).await;
                Some(Again::After(Instant::now() + RETRY_AFTER))
            }
        }
    }

    /// When the next pass is due, because this one found that the files have only just changed. What the same content is put off by
    /// is not put off again: something else may be written into these directories all the time.
    fn settle(&mut self, outcome: &Outcome) -> Option<Again> {
        let content = outcome.source.as_ref().map(|source| source.content.clone()).unwrap_or_default();
        let earlier = self.settling.take().filter(|(known, _)| *known == content).map(|(_, at)| at);
        let at = earlier.or(outcome.unsettled.map(|left| Instant::now() + left))?;
        self.settling = Some((content, at));
        Some(Again::After(at))
    }

    /// Remembers the files as they are, unless one of them may have changed while the pass read it.
    async fn remember(&mut self, begun: SystemTime, before: &Stamps, fingerprint: Option<Fingerprint>) {
        let stamps = self.stamps().await;
        self.seen = (!looks::may_have_changed(&stamps, before, begun)).then(|| Arc::new(Seen { stamps, fingerprint }));
    }

    /// Looks at the files as the last pass has seen them; `None` where nothing is known of them.
    async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Seen) -> T + Send + 'static) -> Option<T> {
        let seen = self.seen.clone()?;
        tokio::task::spawn_blocking(move || look(&seen)).await.ok()
    }

    async fn stamps(&self) -> Stamps {
        let (root, consulted) = (self.root.clone(), self.consulted.clone());
        let stamps = tokio::task::spawn_blocking(move || match consulted.is_empty() {
            // Without a successful read yet there is nothing to compare but the directory itself.
            true => looks::stamps([&root]),
            false => looks::stamps(consulted.iter()),
        });
        stamps.await.unwrap_or_default()
    }

    /// Once per content: a file that stays wrong is not said again every time it is looked at.
    async fn say(&mut self, outcome: &Outcome) {
        let quiet = outcome.report.plan.as_ref().is_some_and(|plan| plan.is_in_sync());
        let held_back = narrator::held_back(outcome);
        let said = match (&outcome.report.plan, quiet) {
            _ if held_back.is_some() => held_back.unwrap_or_default(),
            (None, _) => format!("{:?}", outcome.report.problems),
            (Some(_), true) if outcome.report.has_failed() => format!("in sync but for {:?}", outcome.report.problems),
            (Some(_), true) => "in sync".to_owned(),
            (Some(plan), false) => format!("{} {:?}", plan.base_revision, outcome.refusal),
        };
        if self.said.as_ref() != Some(&said) {
            self.narrator.reconciled(&self.root, outcome);
            self.said = Some(said);
            self.reconciler.record_state(&self.root).await;
        }
    }

    async fn say_failure(&mut self, error: &PassError) {
        let text = error.to_string();
        if self.said.as_ref() != Some(&text) {
            self.narrator.failed(&self.root, &text);
            self.said = Some(text);
            self.reconciler.record_state(&self.root).await;
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
        self.consulted = Arc::new(consulted);
    }
}

/// When a pass is made again without any change.
#[derive(Debug, Clone, Copy)]
enum Again {
    /// At an instant of the wall clock, whatever is done to that clock meanwhile.
    At(Timestamp),
    /// After a while, which does not grow when that clock is set back.
    After(Instant),
}

/// Sleeps until then; for ever without one.
async fn sleep_until(again: Option<Again>) {
    let at = match again {
        Some(Again::At(at)) => at,
        Some(Again::After(at)) => return tokio::time::sleep_until(at).await,
        None => return std::future::pending().await,
    };
    while let Ok(left) = Duration::try_from(at.duration_since(clock::now())) {
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(RESCAN)).await;
    }
}

fn is_written(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::BeingWritten { .. })
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
    use crate::model::status::{ProjectStatus, RunCounts, Status};
    use crate::store::{self, ledger::Ledger};
    use std::fs;

    const FIRST: &str = "deployments: [{name: one, command: 'true', description: first}]\n";

    /// A project that nobody tells of any event, once its files are known.
    async fn watched(root: &Path) -> ProjectWatch {
        let ledger = Ledger::new(store::open("ram:", uuid::Uuid::nil()).unwrap());
        let status = Status {
            version: String::new(),
            started: clock::now(),
            ready: true,
            address: String::new(),
            home: String::new(),
            projects: vec![ProjectStatus::starting("one".to_owned(), root.display().to_string())],
            runs: RunCounts::default(),
            next: Vec::new(),
        };
        let reconciler = Reconciler::new(Some(ledger.clone()), ledger.reader(), status);
        let settings = ProjectSettings { root: root.to_owned(), files: Vec::new(), strict: false };
        let mut project = ProjectWatch::new(settings, reconciler, Narrator::default());
        project.watcher = None;
        while project.seen.is_none() {
            project.pass().await;
        }
        project
    }

    async fn waits(project: &mut ProjectWatch) -> Duration {
        let begun = Instant::now();
        project.change(None).await;
        begun.elapsed()
    }

    const BOTH: &str = "deployments: [{name: one, command: 'true'}, {name: two, command: 'true'}]\n";

    /// Sets when the project's file and directory were last modified.
    fn modified(root: &Path, at: SystemTime) {
        for path in [root.join("deployment.yaml"), root.to_owned()] {
            fs::File::open(path).unwrap().set_modified(at).unwrap();
        }
    }

    fn deployments(project: &ProjectWatch) -> usize {
        project.reconciler.reader.deployments().count()
    }

    #[tokio::test]
    async fn what_has_only_just_been_written_prunes_when_it_has_stood_for_a_second() {
        loop {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("deployment.yaml"), BOTH).unwrap();
            let mut project = watched(directory.path()).await;
            let begun = Instant::now();
            fs::write(directory.path().join("deployment.yaml"), FIRST).unwrap();
            let again = project.pass().await;
            if begun.elapsed() >= Duration::from_secs(1) {
                // This host was too slow to look at a file within a second: once more.
                continue;
            }
            assert_eq!(deployments(&project), 2, "nothing is pruned yet");
            assert!(matches!(again, Some(Again::After(at)) if at <= Instant::now() + Duration::from_secs(1)), "{again:?}");
            // Whatever goes on in the directory meanwhile, the same content is put off once.
            project.settling.as_mut().unwrap().1 = Instant::now();
            modified(directory.path(), SystemTime::now());
            assert!(project.pass().await.is_none());
            assert_eq!(deployments(&project), 1);
            return;
        }
    }

    #[tokio::test]
    async fn what_was_written_a_while_ago_or_is_dated_in_the_future_prunes_at_once() {
        for at in [SystemTime::now() - Duration::from_secs(2), SystemTime::now() + Duration::from_secs(3_600)] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("deployment.yaml"), BOTH).unwrap();
            let mut project = watched(directory.path()).await;
            fs::write(directory.path().join("deployment.yaml"), FIRST).unwrap();
            modified(directory.path(), at);
            assert!(project.pass().await.is_none());
            assert_eq!(deployments(&project), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_events_a_change_is_found_within_12_seconds_whatever_the_files_times_say() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("deployment.yaml");
        fs::write(&file, FIRST).unwrap();
        let mut project = watched(directory.path()).await;
        assert!(waits(&mut project).await >= LOOK_AGAIN, "nothing has changed");

        fs::write(&file, FIRST.replace("first", "other")).unwrap();
        assert!(waits(&mut project).await <= Duration::from_secs(12), "the time of the last change tells");

        // The same length, inode and times: here the time of the last change cannot be set back, so what is known of it is set forward.
        let fingerprint = project.seen.as_ref().unwrap().fingerprint.clone();
        project.seen = Some(Arc::new(Seen { stamps: project.stamps().await, fingerprint }));
        assert!(!project.look(Seen::differs).await.unwrap());
        assert!(waits(&mut project).await <= Duration::from_secs(12), "only the content tells");
    }
}
