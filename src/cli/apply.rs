//! `reeve apply`: carries out a plan that was saved and looked at, or refuses because it is stale.
use super::client::{Access, Client, Connection, view};
use super::error::CliError;
use super::exit::Exit;
use super::reconcile::show;
use super::screen::{OutputOption, Screen};
use crate::control::{ReconcileReport, ReconcileRequest, Stamp};
use crate::reconcile::Plan;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the saved form.
const FORMAT: u32 = 1;

/// Carry out a plan that `reeve reconcile --dry-run --out` saved: exactly that, or nothing.
///
/// It is refused (exit code 3) when the files or what is stored have changed since it was made: look at a new plan then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve reconcile --dry-run --out plan.json
  reeve apply plan.json")]
pub struct Arguments {
    /// The saved plan.
    #[arg(value_name = "FILE")]
    pub plan: PathBuf,
    /// Show everything: ids, every field of new objects, no cap on lists.
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub output: OutputOption,
}

/// A plan in a file: what was asked for, what came out, and by what it is known again.
#[derive(Debug, Serialize, Deserialize)]
struct SavedPlan {
    format: u32,
    request: ReconcileRequest,
    stamp: Stamp,
    plan: Plan,
}

/// Writes the plan of a report; where the files are wrong there is none, and nothing is written.
pub(super) fn save(file: &Path, request: &ReconcileRequest, report: &ReconcileReport) -> Result<(), CliError> {
    let (Some(plan), Some(stamp)) = (&report.plan, &report.stamp) else { return Ok(()) };
    let request = ReconcileRequest { dry_run: false, ..request.clone() };
    let saved = SavedPlan { format: FORMAT, request, stamp: stamp.clone(), plan: plan.clone() };
    let failed = |error: &dyn std::fmt::Display| CliError::new(format!("failed to write the plan to {}: {error}", file.display()));
    let text = serde_json::to_string_pretty(&saved).map_err(|error| failed(&error))?;
    std::fs::write(file, text + "\n").map_err(|error| failed(&error))
}

fn read(file: &Path) -> Result<SavedPlan, CliError> {
    let text = std::fs::read_to_string(file).map_err(|error| CliError::because(format!("failed to read {}", file.display()), &error))?;
    let saved: SavedPlan = serde_json::from_str(&text).map_err(|error| {
        CliError::because(format!("{} is not a plan that reeve saved", file.display()), &error).hint("make one with: reeve reconcile --dry-run --out FILE")
    })?;
    let edited = || saved.plan.digest() != saved.stamp.digest;
    match saved.format {
        FORMAT if edited() => Err(CliError::new(format!("the plan in {} is not as it was saved: somebody has changed it; nothing was changed", file.display()))
            .hint("look at a new plan: reeve reconcile --dry-run --out FILE")
            .with_exit(Exit::Refused)),
        FORMAT => Ok(saved),
        other => Err(CliError::new(format!("{} has format {other}, and this reeve reads format {FORMAT}", file.display()))),
    }
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let saved = read(&arguments.plan)?;
    let client = Client::connect(connection, Access::Create).await?;
    call(arguments, saved, &client, screen).await
}

/// The same over a connection that is there already.
pub async fn call_with(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    call(arguments, read(&arguments.plan)?, client, screen).await
}

async fn call(arguments: &Arguments, saved: SavedPlan, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let request = ReconcileRequest { expect: Some(saved.stamp), ..saved.request };
    let body = serde_json::to_value(&request).map_err(|error| CliError::because("failed to write the request", &error))?;
    let json = client.post("/reeve/reconcile", body).await?;
    let report: ReconcileReport = view(&json)?;
    if arguments.output.is_json() {
        screen.json(&json);
    }
    if let Some(why) = &report.stale {
        let stale = CliError::new(format!("the plan in {} is stale: {why}; nothing was changed", arguments.plan.display()));
        return Err(stale.hint("look at a new plan: reeve reconcile --dry-run --out FILE").with_exit(Exit::Refused));
    }
    if !arguments.output.is_json() {
        show(&report, arguments.verbose, client, screen);
    }
    if report.has_failed() {
        return Ok(Exit::Error);
    }
    Ok(report.plan.map_or(Exit::Error, |plan| Exit::of_plan(plan.exit_code(false))))
}
