//! `reeve project delete`.
use super::super::client::{Client, segment, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::reconcile::number_of_prunes;
use super::super::screen::{OutputOption, Screen};
use crate::control::{ProjectDeletion, ReconcileReport};
use crate::reconcile::{Plan, Refusal};
use crate::reconcile::explain::{self, Tense};
use serde_json::json;
use clap::builder::NonEmptyStringValueParser;

/// Prune all that a project owns, and forget the project: for one whose files are gone.
///
/// Its deployments stop at once, and can be restored for 7 days. Refused (exit code 3) while a daemon serves its files, and unless
/// --allow-prune says exactly how many objects go. What is in use by others, or protected, stays and belongs to no project then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve project delete etl --dry-run\n  reeve project delete etl --allow-prune=12")]
pub struct Arguments {
    /// The project's name, as `reeve project ls` shows it.
    #[arg(value_name = "PROJECT", value_parser = NonEmptyStringValueParser::new())]
    pub project: String,
    /// Let this many objects go; must be exactly the number in the plan.
    #[arg(long, value_name = "N", value_parser = number_of_prunes, allow_negative_numbers = true)]
    pub allow_prune: Option<usize>,
    /// Show what would go, and change nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let body = json!({"dry_run": arguments.dry_run, "allow_prune": arguments.allow_prune});
    let json = client.post(&format!("/reeve/projects/{}/delete", segment(&arguments.project)), body).await?;
    let report: ReconcileReport = view(&json)?;
    let Some(plan) = &report.plan else { return Err(CliError::new("the API answered without a plan")) };
    if arguments.output.is_json() {
        screen.json(&json);
    } else {
        show(plan, &report, screen);
    }
    Ok(Exit::of_plan(plan.exit_code(arguments.dry_run)))
}

fn show(plan: &Plan, report: &ReconcileReport, screen: &mut Screen) {
    if !plan.is_empty() || plan.is_refused() {
        let tense = if report.applied { Tense::Done } else { Tense::Planned };
        let style = explain::Style { colour: screen.colour, width: screen.width.map(usize::from), verbose: false, tense, in_log: false, says_options: true };
        screen.write(&explain::text(plan, style));
    }
    if report.applied {
        let restorable = if plan.counts.prune > 0 { " What was pruned can be restored for 7 days: `reeve restore`." } else { "" };
        screen.line(format!("Deleted project '{}'.{restorable}", plan.project));
    } else if !plan.refusals.iter().any(|refusal| matches!(refusal, Refusal::Suspended { .. })) {
        screen.line(format!("To delete the project with all this, say `{}`.", ProjectDeletion::words(&plan.project, plan.counts.prune)));
    }
}
