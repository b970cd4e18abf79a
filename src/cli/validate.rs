//! `reeve validate`: reads a project's files and says what is wrong with them. Needs no home and no daemon.
use super::error::CliError;
use super::exit::Exit;
use super::screen::{OutputOption, Screen, Style};
use super::words::count;
use crate::manifest::{self, Input, Loaded, OnMissing};
use crate::model::desired::Desired;
use crate::model::problem::{Problem, Severity};
use crate::schedule::Note;
use crate::source::{self, Snapshot, SourceSet};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Check a project's files: all problems at once, each with its place. Nothing is imported, run or stored.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve validate
  reeve validate -f deployments/production.yaml --strict
  reeve validate -o json | jq '.problems[].message'")]
pub struct Arguments {
    /// The project's file, where it is not deployment.yaml or prefect.yaml in its root; may be given several times.
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The project's root directory.
    #[arg(long = "project", value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Warnings are errors.
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub output: OutputOption,
}

pub fn run(arguments: &Arguments, screen: &mut Screen) -> Result<Exit, CliError> {
    let loaded = load(&arguments.project, &arguments.files, arguments.strict)?;
    let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let warnings = loaded.problems.len() - errors;
    let valid = errors == 0;
    let desired = loaded.desired.as_ref().filter(|_| valid);
    let remarked = desired.map(|desired| remarked(desired, screen.now)).unwrap_or_default();
    if arguments.output.is_json() {
        screen.json(&json!({"valid": valid, "problems": loaded.problems, "notes": remarked.iter().flat_map(Remarked::json).collect::<Vec<_>>()}));
    } else {
        show_problems(&loaded.problems, screen);
        show_remarked(&remarked, screen);
        match desired {
            Some(desired) => {
                let files = files(desired);
                let verdict = screen.paint(Style::Good, "valid");
                let pools = count(desired.work_pools.len(), "work pool");
                let deployments = count(desired.deployments.len(), "deployment");
                let warnings = if warnings > 0 { format!(", {}", count(warnings, "warning")) } else { String::new() };
                screen.line(format!("{files}: {verdict}: {deployments}, {pools}{warnings}"));
            }
            None => screen.line(format!("{}, {}", count(errors, "error"), count(warnings, "warning"))),
        }
    }
    Ok(if valid { Exit::Done } else { Exit::Error })
}

/// The files by name, the first of many.
fn files(desired: &Desired) -> String {
    const MOST: usize = 10;
    let mut names: Vec<String> = desired.files.keys().take(MOST).cloned().collect();
    let more = desired.files.len() - names.len();
    names.extend((more > 0).then(|| count(more, "more file")));
    names.join(", ")
}

/// Reads a project as a daemon with this process's environment would.
///
/// # Errors
/// The files are not to be had. What is wrong in them are problems, not errors.
pub fn load(root: &Path, files: &[PathBuf], strict: bool) -> Result<Loaded, CliError> {
    Ok(read(&sources(root, files)?, strict))
}

/// The project's files and all that they lead to, to be sent to another host.
///
/// # Errors
/// As of `load`; a file that is no text.
pub fn snapshot(root: &Path, files: &[PathBuf]) -> Result<Snapshot, CliError> {
    let sources = sources(root, files)?;
    // What they lead to is known when they are read; what is wrong in them is found again where they are sent.
    drop(read(&sources, false));
    sources.snapshot().map_err(|error| CliError::because("failed to read the project", &error))
}

fn sources(root: &Path, files: &[PathBuf]) -> Result<SourceSet, CliError> {
    source::read_directory(root, files).map_err(|error| CliError::because("failed to read the project", &error))
}

fn read(sources: &SourceSet, strict: bool) -> Loaded {
    manifest::load(&Input {
        root: &sources.root().to_string_lossy(),
        manifests: sources.manifests(),
        files: sources,
        environment: &|name| std::env::var(name).ok(),
        strict,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Error,
    })
}

/// A schedule about which there is something to know in the year to come.
struct Remarked {
    deployment: String,
    slug: Option<String>,
    description: String,
    notes: Vec<Note>,
}

impl Remarked {
    fn json(&self) -> impl Iterator<Item = Value> {
        self.notes.iter().map(|note| {
            json!({"deployment": self.deployment, "slug": self.slug, "schedule": self.description,
                "on": note.on.map(|date| date.to_string()), "never_fires": note.never, "text": note.text})
        })
    }
}

/// So many schedules are looked at: asking a rule costs more than reading it.
const MOST_SCHEDULES: usize = 1_000;
/// So many schedules with notes are shown as text.
const MOST_SHOWN: usize = 20;

fn remarked(desired: &Desired, now: Timestamp) -> Vec<Remarked> {
    let schedules = desired.deployments.iter().flat_map(|(name, declared)| declared.spec.schedules.iter().map(move |schedule| (name, schedule)));
    let remarked = schedules.take(MOST_SCHEDULES).map(|(name, schedule)| Remarked {
        deployment: name.to_string(),
        slug: schedule.slug.clone(),
        description: schedule.spec.describe(),
        notes: schedule.spec.notes_ahead(now),
    });
    remarked.filter(|remarked| !remarked.notes.is_empty()).collect()
}

fn show_remarked(remarked: &[Remarked], screen: &mut Screen) {
    for Remarked { deployment, description, notes, .. } in remarked.iter().take(MOST_SHOWN) {
        screen.line(format!("{deployment}: {description}"));
        for note in notes {
            let word = if note.never { screen.paint(Style::Warning, "warning") } else { "note".to_owned() };
            screen.line(format!("  {word}: {}", note.text));
        }
    }
    if let Some(more) = remarked.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        screen.line(format!("... and notes on {} (-o json lists them)", count(more, "more schedule")));
    }
}

/// Every problem with its line and a caret.
pub fn show_problems(problems: &[Problem], screen: &mut Screen) {
    let text = manifest::render_problems(problems, screen.colour);
    screen.write(&text);
}
