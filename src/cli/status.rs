//! `reeve status`.
use super::client::{Access, Client, Connection, view};
use super::error::CliError;
use super::exit::Exit;
use super::screen::{OutputOption, Screen, Style};
use super::words::{count, elapsed, fire, relative};
use crate::model::problem::Problem;
use crate::model::status::{Phase, ProjectStatus, Status};

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
        let generation = if project.generation > 0 { format!(", generation {}", project.generation) } else { String::new() };
        screen.line(format!("project {} ({}): {phase}, {}{generation}", project.name, project.root, count(project.deployments, "deployment")));
        if let Phase::Rejected { problems, .. } = &project.phase {
            list(problems, screen);
        }
        list(&project.warnings, screen);
    }
}

fn phase(project: &ProjectStatus, screen: &Screen) -> (Style, String) {
    let ago = |at| relative(at, screen.now);
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
        Phase::Refused { reason, since } => (Style::Warning, format!("held back for {}: {reason}", elapsed(*since, screen.now))),
        Phase::Suspended(suspension) => (Style::Warning, format!("suspended {suspension}; schedules go on")),
        Phase::Failing { error, retry_at } => (Style::Bad, format!("failing: {error}; next try {}", ago(*retry_at))),
    }
}

fn list(problems: &[Problem], screen: &mut Screen) {
    for problem in problems {
        screen.line(format!("  {problem}"));
    }
}
