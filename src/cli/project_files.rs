//! Reading a project's files in this process, with this process's environment: for the commands that need no daemon.
use super::error::CliError;
use crate::manifest::{self, Input, Loaded, OnMissing};
use crate::source::{self, SourceError};
use std::path::{Path, PathBuf};

/// Reads the project in `root`; `files` are its manifests, where they are not to be found by name.
///
/// # Errors
/// There is no complete set of files to read. What is wrong in the files is among the problems.
pub fn load(root: &Path, files: &[PathBuf], strict: bool) -> Result<Loaded, CliError> {
    let sources = source::read_directory(root, files).map_err(|error| unreadable(&error))?;
    let root = sources.root().to_string_lossy().into_owned();
    Ok(manifest::load(&Input {
        root: &root,
        manifests: sources.manifests(),
        files: &sources,
        environment: &|name| std::env::var(name).ok(),
        strict,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Error,
    }))
}

/// Whether there is no project in `root` at all.
pub fn is_absent(root: &Path) -> bool {
    matches!(source::discover(root, &[]), Err(SourceError::NoManifest { .. }))
}

fn unreadable(error: &SourceError) -> CliError {
    let message = format!("failed to read the project: {error}");
    match error {
        SourceError::NoManifest { .. } => CliError::new(message).hint("name a file with -f, or a directory with --project"),
        _ => CliError::new(message),
    }
}
