//! `reeve reconcile`: makes the home equal to the files, or shows what that would change.
use super::client::{Access, Client, Connection, view};
use super::daemon::absolute;
use super::error::CliError;
use super::exit::Exit;
use super::screen::{OutputOption, Screen};
use super::validate;
use crate::control::{ReconcileReport, ReconcileRequest};
use crate::model::problem::Severity;
use crate::reconcile::explain::{self, Tense};
use std::path::{Path, PathBuf};

/// Make this host equal to a project's files: create, update and prune what they declare, or no longer do.
///
/// With a daemon on this home it goes through the daemon; without one it opens the home itself. Exit codes: 0 done, or in
/// sync; 1 the files are wrong, or an error; 2 (dry run) changes, all safe; 3 refused by a guard; 4 (dry run) changes that
/// delete something; 5 drift only.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve reconcile --dry-run
  reeve reconcile
  reeve reconcile --project /srv/etl --allow-prune=7
  reeve reconcile --dry-run -o json > plan.json")]
pub struct Arguments {
    /// Show what would change, and change nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// The project's file, where it is not deployment.yaml or prefect.yaml in its root; may be given several times.
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The project's root directory.
    #[arg(long = "project", value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Let this many objects go, where a guard would refuse it; must be exactly the number in the plan.
    #[arg(long, value_name = "N")]
    pub allow_prune: Option<usize>,
    /// Warnings about the files are errors.
    #[arg(long)]
    pub strict: bool,
    /// Show everything: ids, every field of new objects, no cap on lists.
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let access = if arguments.dry_run { Access::Read } else { Access::Create };
    let request = request(arguments)?;
    let client = Client::connect(connection, access).await?;
    call(arguments, &request, &client, screen).await
}

/// The same over a connection that is there already.
pub async fn call(
    arguments: &Arguments,
    request: &ReconcileRequest,
    client: &Client,
    screen: &mut Screen,
) -> Result<Exit, CliError> {
    let body = serde_json::to_value(request).map_err(|error| CliError::because("failed to write the request", &error))?;
    let json = client.post("/reeve/reconcile", body).await?;
    let report: ReconcileReport = view(&json)?;
    if arguments.output.is_json() {
        screen.json(&json);
    } else {
        show(&report, arguments, client, screen);
        if report.applied && client.is_daemon() && is_unwatched(client, &request.root).await {
            screen.line("The daemon does not watch this project: start it with --project to have it follow the files.");
        }
    }
    Ok(exit(&report, arguments.dry_run))
}

/// The wish as the daemon takes it: absolute paths, since it has a working directory of its own.
pub fn request(arguments: &Arguments) -> Result<ReconcileRequest, CliError> {
    let root = absolute(&arguments.project)?;
    let files = arguments.files.iter().map(|file| within(&root, &arguments.project, file)).collect::<Result<_, _>>()?;
    Ok(ReconcileRequest {
        root,
        files,
        dry_run: arguments.dry_run,
        allow_prune: arguments.allow_prune,
        strict: arguments.strict,
    })
}

/// A file that was named: below the root as it stands, where it is there; else from the working directory.
fn within(root: &Path, project: &Path, file: &Path) -> Result<PathBuf, CliError> {
    if root.join(file).exists() || project != Path::new(".") {
        return Ok(file.to_owned());
    }
    std::path::absolute(file).map_err(|error| CliError::because(format!("failed to find {}", file.display()), &error))
}

/// Whether the daemon says that it serves other projects, and not this one.
async fn is_unwatched(client: &Client, root: &Path) -> bool {
    let Ok(status) = client.get("/reeve/status").await else { return false };
    let projects = status["projects"].as_array();
    projects.is_some_and(|projects| projects.iter().all(|project| project["root"].as_str().map(Path::new) != Some(root)))
}

fn show(report: &ReconcileReport, arguments: &Arguments, client: &Client, screen: &mut Screen) {
    validate::show_problems(&report.problems, screen);
    let Some(plan) = &report.plan else {
        let errors = report.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let errors = super::words::count(errors, "error");
        screen.line(format!("{errors}: nothing was changed; what was last good stays in force."));
        return;
    };
    let tense = if report.applied { Tense::Done } else { Tense::Planned };
    let style = explain::Style { colour: screen.colour, width: screen.width.map(usize::from), verbose: arguments.verbose, tense };
    screen.write(&explain::text(plan, style));
    if report.applied && !plan.is_empty() && !client.is_daemon() {
        screen.line("No daemon runs on this home: schedules fire once `reeve daemon` runs.");
    }
}

fn exit(report: &ReconcileReport, dry_run: bool) -> Exit {
    match &report.plan {
        None => Exit::Error,
        Some(plan) => Exit::of_plan(plan.exit_code(dry_run)),
    }
}
