//! `reeve reconcile`: makes the home equal to the files, or shows what that would change.
use super::apply;
use super::client::{Access, Client, Connection};
use super::daemon::{absolute, to_come};
use super::error::CliError;
use super::exit::Exit;
use super::screen::Screen;
use super::validate;
use crate::control::{ReconcileReport, ReconcileRequest, UnitOutcome, UnitReport};
use crate::daemon::{self, AtRevision};
use crate::model::problem::{Problem, Severity};
use crate::reconcile::explain::{self, Tense};
use crate::settings::Home;
use crate::source::working_tree;
use clap::ValueEnum;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Make this host equal to a project's files: create, update and prune what they declare, or no longer do.
///
/// With a daemon on this home it goes through the daemon; without one it opens the home itself; with --against it needs neither.
/// Exit codes: 0 done, or in sync; 1 the files are wrong, or an error; 2 (dry run) changes, all safe; 3 refused by a guard;
/// 4 (dry run) changes that delete something; 5 drift only. In a GitHub workflow the output is annotations and the step's summary.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("looking").multiple(true).args(["dry_run", "drift_only"])))]
#[command(after_help = "Examples:
  reeve reconcile --dry-run
  reeve reconcile
  reeve reconcile --project /srv/etl --allow-prune=7
  reeve reconcile --dry-run --against origin/main
  reeve reconcile --dry-run --against origin/main -o markdown --fail-on refused
  reeve reconcile --dry-run --api https://reeve.example.org/api
  reeve reconcile --dry-run --out plan.json && reeve apply plan.json
  reeve reconcile --drift-only")]
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
    #[arg(long, value_name = "N", value_parser = number_of_prunes, allow_negative_numbers = true)]
    pub allow_prune: Option<usize>,
    /// Show only what has drifted: what differs from what was declared although no file and no override says so. Changes nothing.
    #[arg(long, conflicts_with_all = ["against", "out", "allow_prune"])]
    pub drift_only: bool,
    /// Warnings about the files are errors.
    #[arg(long)]
    pub strict: bool,
    /// Compare with the same files at a git revision (a branch, a tag, a commit) instead of a home or a daemon.
    #[arg(long, value_name = "REVISION", requires = "dry_run")]
    pub against: Option<String>,
    /// What a dry run's exit code tells, separated by commas (`destructive,refused`); anything else that it finds ends with 0. Errors always end with 1.
    #[arg(long, value_name = "WHAT,...", value_delimiter = ',', requires = "looking",
        default_values_t = [Finding::Changes, Finding::Destructive, Finding::Refused, Finding::Drift])]
    pub fail_on: Vec<Finding>,
    /// Save the plan, for `reeve apply FILE` to carry out exactly that.
    #[arg(long, value_name = "FILE", requires = "dry_run", conflicts_with = "against")]
    pub out: Option<PathBuf>,
    /// Show everything: ids, every field of new objects, no cap on lists.
    #[arg(short, long)]
    pub verbose: bool,
    /// `text` for people, `json` for programs, `markdown` for a comment on a pull request, `github` for a workflow's annotations.
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    pub output: Option<Format>,
}

/// # Errors
/// What was expected.
pub(super) fn number_of_prunes(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected the number of objects that the plan prunes, such as 7".to_owned())
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Markdown,
    Github,
}

/// What a dry run may find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Finding {
    /// Changes that are all safe (exit code 2).
    Changes,
    /// Changes that delete or stop something (4).
    Destructive,
    /// A guard says no (3).
    Refused,
    /// What is stored has moved away from the files (5).
    Drift,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl Arguments {
    /// In a GitHub workflow, where nothing else is asked for, what GitHub shows best.
    fn format(&self) -> Format {
        let in_workflow = || std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
        self.output.unwrap_or_else(|| if in_workflow() { Format::Github } else { Format::Text })
    }
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let ended = attempt(arguments, connection, screen).await;
    ended.map_err(|Failure { error, problems }| {
        show_failure(arguments, &error, &problems, screen);
        error
    })
}

/// Why there is no report, with what is wrong in the files where that is why.
struct Failure {
    error: CliError,
    problems: Vec<Problem>,
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Failure { error, problems: Vec::new() }
    }
}

async fn attempt(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, Failure> {
    let access = if arguments.dry_run || arguments.drift_only { Access::Read } else { Access::Create };
    let mut request = request(arguments)?;
    if request.dry_run && arguments.against.is_none() && arguments.out.is_none() && connection.is_elsewhere() {
        // That daemon may be on another host, and sees none of these files.
        request.sources = Some(validate::snapshot(&request.root, &request.files)?);
    }
    let client = match &arguments.against {
        Some(revision) => match at_revision(&request, revision).await? {
            AtRevision::Home(router) => Client::in_process(router),
            AtRevision::Wrong(problems) => {
                let error = CliError::new(format!("the project's files at {revision} are wrong themselves, so nothing can be compared with them"));
                return Err(Failure { error, problems });
            }
        },
        None => Client::connect(connection, access).await?,
    };
    Ok(call(arguments, &request, &client, screen).await?)
}

/// What could not be done, in the form that was asked for: whoever reads only that must not take silence for success.
fn show_failure(arguments: &Arguments, error: &CliError, problems: &[Problem], screen: &mut Screen) {
    if screen.is_written() {
        return;
    }
    let comment = || explain::markdown_of_error(&error.sentence(), problems, arguments.against.as_deref());
    match arguments.format() {
        Format::Json => show_error_as_json(error, problems, screen),
        Format::Markdown => screen.write(&comment()),
        Format::Github => {
            validate::show_problems(problems, screen);
            // Where the files lie below the repository does not matter: problems of another revision have no line here.
            screen.write(&explain::annotation_of_error(&error.sentence()));
            // That the summary cannot be written, too, is less than what failed before it.
            let _ = summarise(&comment());
        }
        Format::Text => validate::show_problems(problems, screen),
    }
}

/// The report of something that came to nothing.
pub(super) fn show_error_as_json(error: &CliError, problems: &[Problem], screen: &mut Screen) {
    let (sentence, exit_code) = (Some(error.sentence()), Some(error.exit().code()));
    let report = ReconcileReport { error: sentence, exit_code, problems: problems.to_vec(), ..ReconcileReport::default() };
    screen.json(&serde_json::to_value(&report).unwrap_or_default());
}

async fn at_revision(request: &ReconcileRequest, revision: &str) -> Result<AtRevision, CliError> {
    let home = Home::from_environment().map_err(CliError::new)?;
    let there = daemon::at_revision(&home, request.root.clone(), request.files.clone(), revision.to_owned());
    there.await.map_err(|error| CliError::new(error.to_string()))
}

/// Has the daemon, or the home, make the pass.
pub(super) async fn ask(request: &ReconcileRequest, client: &Client) -> Result<ReconcileReport, CliError> {
    let body = serde_json::to_value(request).map_err(|error| CliError::because("failed to write the request", &error))?;
    client.post_as("/reeve/reconcile", body).await
}

/// The report as `--output json` shows it, with the code that the command ends with.
pub(super) fn show_as_json(report: &ReconcileReport, exit: Exit, screen: &mut Screen) {
    // Nothing in it has keys that JSON could not have.
    let mut json = serde_json::to_value(report).unwrap_or_default();
    json["exit_code"] = exit.code().into();
    screen.json(&json);
}

/// The same over a connection that is there already.
pub async fn call(
    arguments: &Arguments,
    request: &ReconcileRequest,
    client: &Client,
    screen: &mut Screen,
) -> Result<Exit, CliError> {
    let report = ask(request, client).await?;
    if let Some(file) = &arguments.out {
        apply::save(file, request, &report)?;
    }
    match arguments.format() {
        Format::Json => show_as_json(&report, exit(&report, arguments), screen),
        Format::Markdown => screen.write(&explain::markdown(report.plan.as_ref(), &report.problems, arguments.against.as_deref())),
        Format::Github => {
            show_after(&report, arguments, client, screen);
            annotate(&report, arguments, &request.root, screen)?;
        }
        Format::Text => {
            show_after(&report, arguments, client, screen);
            let root = report.plan.as_ref().map(|plan| Path::new(&plan.root)).filter(|_| report.applied && client.is_daemon());
            if let Some(root) = root
                && is_unwatched(client, root).await
            {
                screen.line("The daemon does not watch this project: start it with --project to have it follow the files.");
            }
        }
    }
    let code = exit(&report, arguments);
    // The command ends here: to free ten thousand objects one by one would take a twentieth of its time.
    std::mem::forget(report);
    Ok(code)
}

/// Annotations on the output, where the workflow's runner looks for them, and the plan in the step's summary.
fn annotate(report: &ReconcileReport, arguments: &Arguments, root: &Path, screen: &mut Screen) -> Result<(), CliError> {
    let workspace = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let below_of = |top: PathBuf| root.strip_prefix(&top).or_else(|_| real.strip_prefix(&top)).ok().map(Path::to_path_buf);
    let below = workspace.and_then(below_of).or_else(|| working_tree(root).and_then(below_of)).unwrap_or_default();
    let prefix = if below.as_os_str().is_empty() { String::new() } else { format!("{}/", below.display()) };
    screen.write(&explain::annotations(report.plan.as_ref(), &report.problems, &prefix));
    summarise(&explain::markdown(report.plan.as_ref(), &report.problems, arguments.against.as_deref()))
}

/// Adds text to the summary of the workflow's step.
fn summarise(text: &str) -> Result<(), CliError> {
    let Some(summary) = std::env::var_os("GITHUB_STEP_SUMMARY") else { return Ok(()) };
    let file = File::options().append(true).create(true).open(&summary);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| CliError::because(format!("failed to write the step's summary {}", Path::new(&summary).display()), &error))
}

/// The wish as the daemon takes it: absolute paths, since it has a working directory of its own.
pub fn request(arguments: &Arguments) -> Result<ReconcileRequest, CliError> {
    let (root, files) = sources(&arguments.project, &arguments.files)?;
    Ok(ReconcileRequest {
        root,
        files,
        dry_run: arguments.dry_run || arguments.drift_only,
        drift_only: arguments.drift_only,
        allow_prune: arguments.allow_prune,
        strict: arguments.strict,
        abridged: arguments.format() == Format::Text && !arguments.verbose && arguments.out.is_none(),
        ..ReconcileRequest::default()
    })
}

/// A project's root and files, as the daemon takes them.
pub(super) fn sources(project: &Path, files: &[PathBuf]) -> Result<(PathBuf, Vec<PathBuf>), CliError> {
    let root = root(project)?;
    let files = files.iter().map(|file| within(&root, project, file)).collect::<Result<_, _>>()?;
    Ok((root, files))
}

/// The directory, also where it is gone: the daemon knows whether a project was applied from it, and says what that means.
fn root(project: &Path) -> Result<PathBuf, CliError> {
    if project.exists() { absolute(project) } else { to_come(project) }
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

/// The report for people, after the command that was typed: files that were named are to be named again.
fn show_after(report: &ReconcileReport, arguments: &Arguments, client: &Client, screen: &mut Screen) {
    show_with(report, arguments.verbose, !arguments.files.is_empty(), client, screen);
}

/// The report for people.
pub(super) fn show(report: &ReconcileReport, verbose: bool, client: &Client, screen: &mut Screen) {
    show_with(report, verbose, false, client, screen);
}

fn show_with(report: &ReconcileReport, verbose: bool, says_options: bool, client: &Client, screen: &mut Screen) {
    validate::show_problems(&report.problems, screen);
    let Some(plan) = &report.plan else {
        let errors = report.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let errors = super::words::count(errors, "error");
        screen.line(format!("{errors}: nothing was changed; what was last good stays in force."));
        return;
    };
    let tense = if report.applied { Tense::Done } else { Tense::Planned };
    let style = explain::Style { colour: screen.colour, width: screen.width.map(usize::from), verbose, tense, in_log: false, says_options };
    screen.write(&explain::text(plan, style));
    show_units(&report.units, screen);
    if report.applied && !plan.is_empty() && !client.is_daemon() {
        screen.line("No daemon runs on this home: schedules fire once `reeve daemon` runs.");
    }
}

/// What each unit came to, where there is more than one; what is unchanged is counted.
fn show_units(units: &[UnitReport], screen: &mut Screen) {
    if units.len() < 2 {
        return;
    }
    let (unchanged, told): (Vec<_>, Vec<_>) = units.iter().partition(|unit| unit.outcome == UnitOutcome::Unchanged);
    for UnitReport { unit, outcome, reason } in told {
        let reason = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        screen.line(format!("{:<9} {unit}{reason}", outcome.word()));
    }
    if !unchanged.is_empty() {
        screen.line(format!("{} unchanged", super::words::count(unchanged.len(), "unit")));
    }
}

fn exit(report: &ReconcileReport, arguments: &Arguments) -> Exit {
    let is_dry = arguments.dry_run || arguments.drift_only;
    let Some(plan) = report.plan.as_ref().filter(|_| !report.has_failed()) else { return Exit::Error };
    let exit = Exit::of_plan(plan.exit_code(is_dry));
    let finding = match exit {
        Exit::Changes => Finding::Changes,
        Exit::Destructive => Finding::Destructive,
        Exit::Refused => Finding::Refused,
        Exit::Drift => Finding::Drift,
        Exit::Done | Exit::Error => return exit,
    };
    if !is_dry || arguments.fail_on.contains(&finding) { exit } else { Exit::Done }
}
