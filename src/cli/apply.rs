//! `reeve apply`: carries out a plan that was saved and looked at, or refuses because it is stale.
use super::client::{Access, Client, Connection};
use super::error::CliError;
use super::exit::Exit;
use super::reconcile::{self, ask, show, show_as_json};
use super::screen::{OutputOption, Screen};
use crate::control::{ReconcileReport, ReconcileRequest, Stamp, UnitOutcome};
use crate::reconcile::Plan;
use crate::settings::Home;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The version of the saved form.
const FORMAT: u32 = 1;

/// Where a plan was carried out in part, so many units of each outcome are named.
const MOST_UNITS_NAMED: usize = 20;

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
    /// SHA-256 over all of the above: what is told and not carried out (runs, places, notes) counts, too.
    seal: String,
}

/// The seal that a saved plan should bear; its own does not count.
fn seal(saved: &Value) -> String {
    let mut saved = saved.clone();
    saved.as_object_mut().and_then(|fields| fields.shift_remove("seal"));
    Sha256::digest(saved.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the plan of a report; where the files are wrong there is none, and nothing is written.
pub(super) fn save(file: &Path, request: &ReconcileRequest, report: &ReconcileReport) -> Result<(), CliError> {
    let (Some(plan), Some(stamp)) = (&report.plan, &report.stamp) else { return Ok(()) };
    let request = ReconcileRequest { dry_run: false, ..request.clone() };
    let saved = SavedPlan { format: FORMAT, request, stamp: stamp.clone(), plan: plan.clone(), seal: String::new() };
    let failed = |error: &dyn std::fmt::Display| CliError::new(format!("failed to write the plan to {}: {error}", file.display()));
    let mut saved = serde_json::to_value(&saved).map_err(|error| failed(&error))?;
    saved["seal"] = seal(&saved).into();
    let text = serde_json::to_string_pretty(&saved).map_err(|error| failed(&error))?;
    std::fs::write(file, text + "\n").map_err(|error| failed(&error))
}

fn read(file: &Path) -> Result<SavedPlan, CliError> {
    let text = std::fs::read_to_string(file).map_err(|error| CliError::because(format!("failed to read {}", file.display()), &error))?;
    let not_saved = |error: serde_json::Error| {
        CliError::because(format!("{} is not a plan that reeve saved", file.display()), &error).hint("make one with: reeve reconcile --dry-run --out FILE")
    };
    let value: Value = serde_json::from_str(&text).map_err(not_saved)?;
    let saved = SavedPlan::deserialize(&value).map_err(not_saved)?;
    if saved.format == FORMAT && (saved.seal != seal(&value) || saved.stamp.digest != saved.plan.digest()) {
        let edited = CliError::new(format!("the plan in {} was edited since it was saved; nothing was changed", file.display()));
        return Err(edited.hint("change the project's files instead, and save a new plan: reeve reconcile --dry-run --out FILE").with_exit(Exit::Refused));
    }
    match saved.format {
        FORMAT => Ok(saved),
        other => Err(CliError::new(format!("{} has format {other}, and this reeve reads format {FORMAT}", file.display()))),
    }
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let ended = carry_out(arguments, connection, screen).await;
    if let Err(error) = &ended
        && arguments.output.is_json()
        && !screen.is_written()
    {
        reconcile::show_error_as_json(error, &[], screen);
    }
    ended
}

async fn carry_out(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let saved = read(&arguments.plan)?;
    if !connection.is_elsewhere() && Home::from_environment().is_ok_and(|home| !home.store().exists()) {
        // A plan that is refused makes no home.
        let looking = Client::connect(connection, Access::Read).await?;
        let request = ReconcileRequest { dry_run: true, ..request(&saved) };
        refuse_stale(arguments, &ask(&request, &looking).await?)?;
    }
    let client = Client::connect(connection, Access::Create).await?;
    call(arguments, saved, &client, screen).await
}

/// The same over a connection that is there already.
pub async fn call_with(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    call(arguments, read(&arguments.plan)?, client, screen).await
}

fn request(saved: &SavedPlan) -> ReconcileRequest {
    ReconcileRequest { expect: Some(saved.stamp.clone()), ..saved.request.clone() }
}

fn refuse_stale(arguments: &Arguments, report: &ReconcileReport) -> Result<(), CliError> {
    let Some(why) = &report.stale else { return Ok(()) };
    let names = |outcome: UnitOutcome| report.units.iter().filter(move |unit| unit.outcome == outcome).map(|unit| unit.unit.as_str());
    let named = |outcome: UnitOutcome| {
        let more = names(outcome).count().saturating_sub(MOST_UNITS_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names(outcome).take(MOST_UNITS_NAMED).collect::<Vec<_>>().join(", "))
    };
    let done = match names(UnitOutcome::Applied).next() {
        None => "nothing was changed".to_owned(),
        Some(_) => format!("applied: {}; not applied: {}", named(UnitOutcome::Applied), named(UnitOutcome::Blocked)),
    };
    let stale = CliError::new(format!("the plan in {} is stale: {why}; {done}", arguments.plan.display()));
    Err(stale.hint("look at a new plan: reeve reconcile --dry-run --out FILE").with_exit(Exit::Refused))
}

async fn call(arguments: &Arguments, saved: SavedPlan, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let report = ask(&request(&saved), client).await?;
    if arguments.output.is_json() {
        let exit = if report.stale.is_some() { Exit::Refused } else { exit(&report) };
        show_as_json(&report, exit, screen);
    }
    refuse_stale(arguments, &report)?;
    if !arguments.output.is_json() {
        show(&report, arguments.verbose, client, screen);
    }
    Ok(exit(&report))
}

fn exit(report: &ReconcileReport) -> Exit {
    let plan = report.plan.as_ref().filter(|_| !report.has_failed());
    plan.map_or(Exit::Error, |plan| Exit::of_plan(plan.exit_code(false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::Format;
    use crate::control::UnitReport;

    #[test]
    fn a_stale_plan_says_what_of_it_was_applied() {
        let arguments = Arguments { plan: "plan.json".into(), verbose: false, output: OutputOption { output: Format::Text } };
        let unit = |unit: &str, outcome| UnitReport { unit: unit.to_owned(), outcome, reason: None };
        let report = |units| ReconcileReport { stale: Some("it moved".to_owned()), units, ..ReconcileReport::default() };
        let said = |units| refuse_stale(&arguments, &report(units)).unwrap_err();
        let nothing = said(vec![unit("a.yaml", UnitOutcome::Pending)]);
        assert_eq!((nothing.to_string().as_str(), nothing.exit()), ("the plan in plan.json is stale: it moved; nothing was changed", Exit::Refused));
        let some = said(vec![unit("a.yaml", UnitOutcome::Applied), unit("b.yaml", UnitOutcome::Blocked), unit("c.yaml", UnitOutcome::Blocked)]);
        assert!(some.to_string().ends_with("it moved; applied: a.yaml; not applied: b.yaml, c.yaml"), "{some}");
        assert!(refuse_stale(&arguments, &ReconcileReport::default()).is_ok());
    }
}
