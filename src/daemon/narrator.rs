//! What the daemon says on its terminal: what reconciles did, what each run prints and how it ends.
//!
//! It only reads. A run's log is followed from its files, so that a slow terminal slows no run; with more runs at once
//! than `MOST_FOLLOWED`, the others' lines stand only in their logs, and that is said. Of a run that prints without measure only the
//! first lines of every window of time are shown (see [`Allowance`]); the rest is not even read.
use super::reconciler::Outcome;
use crate::clock;
use crate::executor::follow::Follower;
use crate::executor::log::{LogLine, Stream};
use crate::executor::watch::DirectoryWatcher;
use crate::model::id::FlowRunId;
use crate::model::problem::{Problem, Severity};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::model::stored::Suspension;
use crate::reconcile::Refusal;
use crate::reconcile::explain::{self, Style, Tense};
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How many runs' logs are followed at once.
const MOST_FOLLOWED: usize = 64;

/// Of one run's lines, this many are shown in a window of time.
const MOST_LINES: usize = 1000;

/// The same in bytes: long lines are few lines.
const MOST_BYTES: usize = 256 * 1024;

/// How long a window is: at first, and at most, since it doubles for a run that used its last one up.
const FIRST_WINDOW: Duration = Duration::from_secs(5);
const LONGEST_WINDOW: Duration = Duration::from_secs(60);

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
        let (watcher, directory, id) = (logs.watcher.clone(), directory.to_owned(), run.id);
        tokio::spawn(async move {
            if let Err(error) = show(&watcher, &directory, &source, (id, since)).await {
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
        if let Some(line) = held_back(outcome) {
            tracing::warn!(source, "{line}");
            return;
        }
        match &outcome.report.plan {
            None => {
                say_problems(&source, problems, "; nothing changed, the last good state stays in force");
            }
            Some(plan) => {
                say_problems(&source, problems, "; it stays as it was, the rest is applied, and nothing is pruned");
                if let Some(refusal) = &outcome.refusal {
                    let more = more(plan.refusals.len(), "reeve reconcile --dry-run");
                    tracing::warn!(source, "refused: {refusal}{more}");
                    return;
                }
                let style = Style { tense: Tense::Done, width: Some(160), in_log: true, ..Style::default() };
                for line in explain::text(plan, style).lines().filter(|line| !line.trim().is_empty()) {
                    tracing::info!(source, "{line}");
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

/// What is said in one line, because nobody has to act on what a plan would do: it waits for somebody, or for git.
pub(super) fn held_back(outcome: &Outcome) -> Option<String> {
    let report = &outcome.report;
    let would = report.plan.as_ref().map(|plan| explain::summary(plan, Tense::Planned));
    let wrong = report.problems.iter().find(|problem| problem.severity == Severity::Error).filter(|_| report.has_failed());
    let wrong = wrong.map(|problem| match &problem.position {
        Some(position) => format!("; its files are wrong: {position}: {}", problem.message),
        None => format!("; its files are wrong: {}", problem.message),
    });
    if let Some(suspension) = outcome.stored.as_ref().and_then(|stored| stored.suspension(clock::now())) {
        let would = would.map(|would| format!(" ({would})")).unwrap_or_default();
        return Some(format!("suspended {suspension}; nothing is applied{would}{}", wrong.unwrap_or_default()));
    }
    let refusals = &report.plan.as_ref()?.refusals;
    let waits = !refusals.is_empty() && refusals.iter().all(Refusal::passes);
    waits.then(|| format!("{}{}", refusals[0], wrong.unwrap_or_default()))
}

fn source_of(run: &FlowRun) -> String {
    format!("flow run '{}'", run.name)
}

/// Said only where there is more than one.
fn attempt(number: u32) -> String {
    if number > 1 { format!(" (attempt {number})") } else { String::new() }
}

async fn show(watcher: &Arc<DirectoryWatcher>, directory: &Path, source: &str, (run, since): (FlowRunId, Timestamp)) -> std::io::Result<()> {
    let mut follower = Follower::new(watcher, directory, 0)?;
    let mut allowance = Allowance::new(Instant::now());
    while let Some(page) = follower.next().await? {
        let mut lines = page.lines.iter().filter(|line| line.timestamp >= since);
        let all_shown = lines.all(|line| {
            let allowed = allowance.take(line.message.len(), Instant::now());
            if allowed {
                say(source, line);
            }
            allowed
        });
        if all_shown {
            continue;
        }
        tracing::info!(source, "... and many more lines: see all of them with `reeve flow-run logs -f {run}`");
        tokio::time::sleep_until(allowance.window_end()).await;
        // What it printed meanwhile would be the next flood.
        follower.skip().await?;
    }
    Ok(())
}

fn say(source: &str, line: &LogLine) {
    match (line.stream, line.level()) {
        // What the supervisor says stands in the run's state too.
        (Stream::Reeve, _) | (_, ..20) => tracing::debug!(source, "{}", line.message),
        (_, 20..30) => tracing::info!(source, "{}", line.message),
        (_, 30..40) => tracing::warn!(source, "{}", line.message),
        (_, 40..) => tracing::error!(source, "{}", line.message),
    }
}

/// How much of a run's output may still be shown.
struct Allowance {
    began: Instant,
    window: Duration,
    lines: usize,
    bytes: usize,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Allowance { began: now, window: FIRST_WINDOW, lines: 0, bytes: 0 }
    }

    fn window_end(&self) -> Instant {
        self.began + self.window
    }

    /// Whether a line may be shown, which is counted then.
    fn take(&mut self, bytes: usize, now: Instant) -> bool {
        if now >= self.window_end() {
            let used_up = self.is_used_up();
            let window = if used_up { (self.window * 2).min(LONGEST_WINDOW) } else { FIRST_WINDOW };
            *self = Allowance { window, ..Allowance::new(now) };
        }
        if self.is_used_up() {
            return false;
        }
        self.lines += 1;
        self.bytes += bytes;
        true
    }

    fn is_used_up(&self) -> bool {
        self.lines >= MOST_LINES || self.bytes >= MOST_BYTES
    }
}

/// One line for all errors, and one for all warnings: the first of each; where the others are to be read stands there, too.
fn say_problems(source: &str, problems: &[Problem], so: &str) {
    let line = |severity, so| {
        let mut alike = problems.iter().filter(|problem| problem.severity == severity);
        alike.next().map(|first| one_line(first, so, alike.count() + 1))
    };
    if let Some(line) = line(Severity::Error, so) {
        tracing::error!(source, "{line}");
    }
    if let Some(line) = line(Severity::Warning, "") {
        tracing::warn!(source, "{line}");
    }
}

/// `deployment.yaml:3:5: error: `x` is not YAML (and 3 more: reeve status, or reeve validate)`.
fn one_line(problem: &Problem, so: &str, count: usize) -> String {
    let place = problem.position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default();
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = problem.help.as_deref().map(|help| format!(" ({})", plain(help))).unwrap_or_default();
    format!("{place}{severity}: {}{help}{so}{}", plain(&problem.message), more(count, "reeve status, or reeve validate"))
}

/// That there are others of these, and what tells of them.
fn more(count: usize, told_by: &str) -> String {
    if count > 1 { format!(" (and {} more: {told_by})", count - 1) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `lines` lines of so many bytes may be shown at an instant.
    fn shown(allowance: &mut Allowance, lines: usize, bytes: usize, now: Instant) -> usize {
        (0..lines).filter(|_| allowance.take(bytes, now)).count()
    }

    #[test]
    fn a_flood_is_shown_in_part_and_less_and_less_of_it() {
        let begin = Instant::now();
        let mut allowance = Allowance::new(begin);
        assert_eq!(shown(&mut allowance, MOST_LINES * 3, 1, begin), MOST_LINES);
        assert_eq!(shown(&mut allowance, 5, 1, begin + FIRST_WINDOW / 2), 0);
        let second = begin + FIRST_WINDOW;
        assert_eq!(shown(&mut allowance, 100, MOST_BYTES / 2, second), 2);
        assert_eq!(shown(&mut allowance, 5, 1, second + FIRST_WINDOW), 0, "the window is twice as long");
        let third = second + FIRST_WINDOW * 2;
        assert_eq!(shown(&mut allowance, 5, 1, third), 5);
        let fourth = third + FIRST_WINDOW * 4;
        assert_eq!(shown(&mut allowance, MOST_LINES, 1, fourth), MOST_LINES);
        assert_eq!(allowance.window_end(), fourth + FIRST_WINDOW, "the third was not used up");
        for _ in 0..20 {
            let next = allowance.window_end();
            shown(&mut allowance, MOST_LINES, 1, next);
        }
        assert_eq!(allowance.window_end().duration_since(allowance.began), LONGEST_WINDOW);
    }
}
