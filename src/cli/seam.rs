//! Where the commands meet modules that are merged after this one. One function per call; each is a line once they are there.
use super::error::CliError;
use super::exit::Exit;
use super::screen::Screen;
use crate::model::desired::Desired;
use crate::model::problem::Problem;
use crate::reconcile::Plan;
use crate::settings::Home;
use serde_json::Value;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What `reeve daemon` was asked for.
#[derive(Debug, Clone)]
pub struct DaemonSettings {
    pub home: Home,
    /// The projects' root directories, absolute.
    pub roots: Vec<PathBuf>,
    /// The manifests of the one project, where they are not found by name.
    pub files: Vec<PathBuf>,
    pub host: IpAddr,
    pub port: u16,
    pub stop_runs: bool,
}

/// What a reading of a project gave.
pub struct Loaded {
    pub desired: Option<Desired>,
    pub problems: Vec<Problem>,
}

#[derive(Debug, thiserror::Error)]
#[error("this build has no {0} yet")]
pub struct NotYet(&'static str);

/// `crate::daemon::run`.
pub fn run_daemon(_: DaemonSettings) -> Result<Exit, CliError> {
    Err(CliError::new("this build has no daemon yet"))
}

/// `crate::daemon::offline`.
pub fn offline(_: &Home) -> Result<axum::Router, NotYet> {
    Err(NotYet("daemon"))
}

/// `crate::daemon::offline_read_only`.
pub fn offline_read_only(_: &Home) -> Result<axum::Router, NotYet> {
    Err(NotYet("daemon"))
}

/// `crate::source::read_directory` and `crate::manifest::load`.
pub fn load_project(_: &Path, _: &[PathBuf], _: bool) -> Result<Loaded, CliError> {
    Err(CliError::new("this build reads no manifests yet"))
}

/// `crate::manifest::render_problems`.
pub fn render_problems(problems: &[Problem], _: bool) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// `crate::manifest::json_schema`.
pub fn manifest_schema() -> Value {
    serde_json::json!({})
}

/// `crate::reconcile::explain`.
pub fn explain(_: &Plan, _: bool, _: bool, _: &Screen) -> String {
    String::new()
}

/// `Plan::exit_code`.
pub fn exit_of_plan(_: &Plan, _: bool) -> Exit {
    Exit::Done
}
