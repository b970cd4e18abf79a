//! `reeve status`.
use super::client::{Access, Client, Connection, view};
use super::error::CliError;
use super::exit::Exit;
use super::screen::{OutputOption, Screen, Style};
use super::words::{count, elapsed, fire, relative};
use crate::model::problem::Problem;
use crate::model::status::{Condition, ConditionKind, Phase, ProjectStatus, Status};
use crate::model::stored::SourceState;

/// Show what the daemon of this home does: its projects, whether they are in sync, and what is due next.
///
/// The exit code is 0 when a daemon runs and its projects are in order, 3 when a guard holds one back, 1 otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve status\n  reeve status -o json | jq '.projects[].phase'")]
pub struct Arguments {
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let client = Client::connect(connection, Access::Read).await?;
    call(arguments, &client, screen).await
}

/// The same over a connection that is there already.
pub async fn call(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let json = client.get("/reeve/status").await?;
    let status: Status = view(&json)?;
    if arguments.output.is_json() {
        screen.json(&json);
    } else if client.is_daemon() {
        daemon(&status, screen);
    } else {
        screen.line(format!("No daemon runs on the home {}: nothing that is due will start.", status.home));
        projects(&status.projects, screen);
    }
    Ok(if client.is_daemon() { verdict(&status) } else { Exit::Error })
}

fn verdict(status: &Status) -> Exit {
    let worst = status.projects.iter().map(|project| match project.phase {
        Phase::Rejected { .. } | Phase::Failing { .. } => 2,
        Phase::Refused { .. } => 1,
        Phase::Starting | Phase::Idle | Phase::Reconciling | Phase::Suspended(_) => 0,
    });
    match worst.max() {
        Some(2) => Exit::Error,
        Some(1) => Exit::Refused,
        _ => Exit::Done,
    }
}

fn daemon(status: &Status, screen: &mut Screen) {
    let state = if status.ready { screen.paint(Style::Good, "ready") } else { screen.paint(Style::Warning, "not ready") };
    let started = relative(status.started, screen.now);
    screen.line(format!("reeve {} at {}: {state}, started {started}", status.version, status.address));
    screen.line(format!("home {}", status.home));
    projects(&status.projects, screen);
    screen.line(format!("runs: {} running, {} waiting", status.runs.running, status.runs.waiting));
    if !status.next.is_empty() {
        screen.line("next:");
    }
    for next in &status.next {
        let at = fire(next.at, screen.now, &screen.zone);
        screen.line(format!("  {at:<41}  {}  {}", next.deployment, next.schedule));
    }
}

fn projects(projects: &[ProjectStatus], screen: &mut Screen) {
    for project in projects {
        let (style, phase) = phase(project, screen);
        let phase = screen.paint(style, &phase);
        let about = [count(project.deployments, "deployment")].into_iter().chain(generation(project)).chain(source(project));
        let about = about.collect::<Vec<_>>().join(", ");
        screen.line(format!("project {} ({}): {phase}, {about}", project.name, project.root));
        stands_against(project, screen);
        conditions(project, screen);
        if let Phase::Rejected { problems, .. } = &project.phase {
            list(problems, screen);
        }
        list(&project.warnings, screen);
    }
}

/// `generation 4`, and which of them the files were last equal to, where that is another.
fn generation(project: &ProjectStatus) -> Option<String> {
    let (generation, observed) = (project.generation, project.observed_generation);
    let behind = if observed == generation { String::new() } else { format!(" (last in sync at {observed})") };
    (generation > 0).then(|| format!("generation {generation}{behind}"))
}

fn source(project: &ProjectStatus) -> Option<String> {
    let looked_at = project.source.as_ref().or(project.applied_source.as_ref())?;
    let applied = project.applied_source.as_ref().filter(|applied| *applied != looked_at);
    let applied = applied.map(|applied| format!(" (in force: {})", short(applied))).unwrap_or_default();
    Some(format!("source {}{applied}", short(looked_at)))
}

/// `1a2b3c4d5e6f at commit 0123456789ab`: enough of each to know it again.
pub(super) fn short(source: &SourceState) -> String {
    let digits = |text: &str| text.chars().take(12).collect::<String>();
    let commit = source.commit.as_deref().map(|commit| format!(" at commit {}", digits(commit))).unwrap_or_default();
    format!("{}{commit}", digits(&source.content))
}

/// Those that are not good, and the last error where it is over.
pub(super) fn conditions(project: &ProjectStatus, screen: &mut Screen) {
    for condition in project.conditions.iter().filter(|condition| !condition.is_good()) {
        let Condition { kind, status, reason, message, since } = condition;
        let answer = if *status { "yes" } else { "no" };
        // What the phase says already, and each of the problems below it, is not said again.
        let told = matches!(kind, ConditionKind::Drifted) && !message.is_empty();
        let message = if told { format!(": {message}") } else { String::new() };
        let reason = if *reason == format!("{kind:?}") { String::new() } else { format!(" ({reason})") };
        screen.line(format!("  {kind:?}: {answer} for {}{reason}{message}", elapsed(*since, screen.now)));
    }
    let is_failing = project.condition(ConditionKind::Failing).is_some_and(|condition| condition.status);
    if let Some(error) = project.last_error.as_ref().filter(|_| !is_failing) {
        let place = error.position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default();
        let line = format!("  last error {}, over now: {place}{}", relative(error.at, screen.now), error.message);
        screen.line(screen.paint(Style::Dim, &line));
    }
}

/// Why it is held back or fails, as sentences of their own.
pub(super) fn stands_against(project: &ProjectStatus, screen: &mut Screen) {
    match &project.phase {
        Phase::Refused { reason, .. } => screen.line(format!("  refused: {reason}")),
        Phase::Failing { error, .. } => screen.line(format!("  error: {error}")),
        _ => {}
    }
}

/// In a few words; what [`stands_against`] it is said apart.
pub(super) fn phase(project: &ProjectStatus, screen: &Screen) -> (Style, String) {
    let ago = |at| relative(at, screen.now);
    // A pass that finds the same again does not begin it anew.
    let unsynced = project.condition(ConditionKind::Synced).filter(|condition| !condition.status);
    let elapsed = |since, now| elapsed(unsynced.map_or(since, |condition| condition.since), now);
    match &project.phase {
        Phase::Starting => (Style::Dim, "starting".to_owned()),
        Phase::Reconciling => (Style::Dim, "reconciling".to_owned()),
        Phase::Idle => match project.in_sync_since {
            Some(since) => (Style::Good, format!("in sync (last reconciled {})", ago(since))),
            None => (Style::Good, "idle".to_owned()),
        },
        Phase::Rejected { since, .. } => {
            (Style::Bad, format!("its files are wrong for {}; what was last good stays in force", elapsed(*since, screen.now)))
        }
        Phase::Refused { since, .. } => (Style::Warning, format!("held back for {}", elapsed(*since, screen.now))),
        Phase::Suspended(suspension) => (Style::Warning, format!("suspended {suspension}; schedules go on")),
        Phase::Failing { retry_at, .. } => (Style::Bad, format!("failing, next try {}", ago(*retry_at))),
    }
}

fn list(problems: &[Problem], screen: &mut Screen) {
    for problem in problems {
        screen.line(format!("  {problem}"));
    }
}
