//! `reeve validate`: reads a project's files and says what is wrong with them. Needs no home and no daemon.
use super::error::CliError;
use super::exit::Exit;
use super::screen::{OutputOption, Screen, Style};
use super::words::count;
use crate::manifest::{self, Input, Loaded, OnMissing};
use crate::model::problem::{Problem, Severity};
use crate::source;
use serde_json::json;
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
    let valid = loaded.desired.is_some();
    if arguments.output.is_json() {
        screen.json(&json!({"valid": valid, "problems": loaded.problems}));
    } else {
        show_problems(&loaded.problems, screen);
        match &loaded.desired {
            Some(desired) => {
                let files = desired.files.keys().cloned().collect::<Vec<_>>().join(", ");
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

/// Reads a project as a daemon with this process's environment would.
///
/// # Errors
/// The files are not to be had. What is wrong in them are problems, not errors.
pub fn load(root: &Path, files: &[PathBuf], strict: bool) -> Result<Loaded, CliError> {
    let sources = source::read_directory(root, files).map_err(|error| CliError::because("failed to read the project", &error))?;
    Ok(manifest::load(&Input {
        root: &sources.root().to_string_lossy(),
        manifests: sources.manifests(),
        files: &sources,
        environment: &|name| std::env::var(name).ok(),
        strict,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Error,
    }))
}

/// Every problem with its line and a caret.
pub fn show_problems(problems: &[Problem], screen: &mut Screen) {
    let text = manifest::render_problems(problems, screen.colour);
    screen.write(&text);
}
