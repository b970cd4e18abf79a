//! What the daemon says on its terminal: what reconciles did, what each run prints and how it ends.
//!
//! It only reads. A run's log is followed from its files, so that a slow terminal slows no run; with more runs at once
//! than `MOST_FOLLOWED`, the others' lines stand only in their logs, and that is said.
use super::reconciler::Outcome;
use crate::clock;
use crate::executor::follow::Follower;
use crate::executor::log::Stream;
use crate::executor::watch::DirectoryWatcher;
use crate::manifest::render_problems;
use crate::model::problem::{Problem, Severity};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::model::stored::Suspension;
use crate::reconcile::explain::{self, Style, Tense};
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many runs' logs are followed at once.
const MOST_FOLLOWED: usize = 64;

/// Says things through `tracing`, where the terminal's form is decided.
#[derive(Clone, Default)]
pub struct Narrator {
    logs: Option<Arc<Logs>>,
}

struct Logs {
    watcher: Arc<DirectoryWatcher>,
    room: Arc<Semaphore>,
}

impl Narrator {
    /// `show_logs`: whether the lines of runs appear.
    pub fn new(show_logs: bool) -> std::io::Result<Self> {
        if !show_logs {
            return Ok(Narrator::default());
        }
        let logs = Logs { watcher: DirectoryWatcher::new()?, room: Arc::new(Semaphore::new(MOST_FOLLOWED)) };
        Ok(Narrator { logs: Some(Arc::new(logs)) })
    }

    /// Says that a run's attempt has begun, and shows its lines until it ends. Its directory must exist.
    pub fn started(&self, run: &FlowRun, directory: &Path) {
        if let Some(deployment) = &run.deployment {
            tracing::info!(source = source_of(run), "Starting '{deployment}'{}", attempt(run.run_count + 1));
        }
        self.follow(run, directory, Timestamp::MIN);
    }

    /// Says that a run was found again that a former daemon had started, and shows what it prints from now on.
    pub fn found_again(&self, run: &FlowRun, directory: &Path) {
        tracing::info!(source = source_of(run), "Found again: it went on while no daemon ran");
        self.follow(run, directory, clock::now());
    }

    fn follow(&self, run: &FlowRun, directory: &Path, since: Timestamp) {
        let Some(logs) = &self.logs else { return };
        let source = source_of(run);
        let Ok(permit) = logs.room.clone().try_acquire_owned() else {
            tracing::info!(source, "{MOST_FOLLOWED} other runs are shown here: see its lines with `reeve flow-run logs -f {}`", run.id);
            return;
        };
        let (watcher, directory) = (logs.watcher.clone(), directory.to_owned());
        tokio::spawn(async move {
            if let Err(error) = show(&watcher, &directory, &source, since).await {
                tracing::debug!(source, "the log cannot be shown: {error}");
            }
            drop(permit);
        });
    }

    /// Says how a run's attempt ended.
    pub fn ended(&self, run: &FlowRun) {
        let source = source_of(run);
        let message = run.state.message.as_deref().unwrap_or_default();
        let name = &run.state.name;
        match run.state.kind {
            StateType::Completed => tracing::info!(source, "Finished in state {name}"),
            StateType::Cancelled | StateType::Scheduled => tracing::warn!(source, "Finished in state {name}: {message}"),
            _ => tracing::error!(source, "Finished in state {name}: {message}"),
        }
    }

    /// Says what a reconcile found and did.
    pub fn reconciled(&self, root: &Path, outcome: &Outcome) {
        let source = match &outcome.project {
            Some(name) => format!("project '{name}'"),
            None => format!("project at {}", root.display()),
        };
        let problems = &outcome.report.problems;
        match &outcome.report.plan {
            None => {
                tracing::error!(source, "the files are wrong, so nothing changed: the last good state stays in force");
                say_problems(problems);
            }
            Some(plan) => {
                if outcome.report.has_failed() {
                    tracing::error!(source, "some of it is wrong, and stays as it was; the rest is applied, and nothing is pruned");
                }
                say_problems(problems);
                let style = Style { tense: Tense::Done, width: Some(160), ..Style::default() };
                for line in explain::text(plan, style).lines().filter(|line| !line.trim().is_empty()) {
                    match plan.is_refused() {
                        true => tracing::error!(source, "{line}"),
                        false => tracing::info!(source, "{line}"),
                    }
                }
            }
        }
    }

    /// Says that a project is reconciled again, because its suspension had an end.
    pub fn suspension_ended(&self, project: &str, suspension: &Suspension) {
        tracing::info!(source = format!("project '{project}'"), "No longer suspended {suspension}: it is reconciled again");
    }

    /// Says that a pass could not be made.
    pub fn failed(&self, root: &Path, error: &str) {
        tracing::error!(source = format!("project at {}", root.display()), "{error}; the last good state stays in force");
    }
}

fn source_of(run: &FlowRun) -> String {
    format!("flow run '{}'", run.name)
}

/// Said only where there is more than one.
fn attempt(number: u32) -> String {
    if number > 1 { format!(" (attempt {number})") } else { String::new() }
}

async fn show(watcher: &Arc<DirectoryWatcher>, directory: &Path, source: &str, since: Timestamp) -> std::io::Result<()> {
    let mut follower = Follower::new(watcher, directory, 0)?;
    while let Some(page) = follower.next().await? {
        for line in page.lines.into_iter().filter(|line| line.timestamp >= since) {
            match (line.stream, line.level()) {
                // What the supervisor says stands in the run's state too.
                (Stream::Reeve, _) | (_, ..20) => tracing::debug!(source, "{}", line.message),
                (_, 20..30) => tracing::info!(source, "{}", line.message),
                (_, 30..40) => tracing::warn!(source, "{}", line.message),
                (_, 40..) => tracing::error!(source, "{}", line.message),
            }
        }
    }
    Ok(())
}

fn say_problems(problems: &[Problem]) {
    for problem in problems {
        let text = render_problems(std::slice::from_ref(problem), false);
        for line in text.lines() {
            match problem.severity {
                Severity::Error => tracing::error!(source = "manifest", "{line}"),
                Severity::Warning => tracing::warn!(source = "manifest", "{line}"),
            }
        }
    }
}
