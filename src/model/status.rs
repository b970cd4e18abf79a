//! What the daemon is doing about each project, in one value that feeds health, the terminal and `reeve status`.
use super::problem::Problem;
use super::stored::Suspension;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The state of one project in a daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectStatus {
    pub name: String,
    pub root: String,
    #[serde(flatten)]
    pub phase: Phase,
    /// When the last reconcile that ended well did so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_sync_since: Option<Timestamp>,
    /// How often its definitions have changed.
    #[serde(default)]
    pub generation: u64,
    pub deployments: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
}

/// Where the reconciler stands with a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    Starting,
    Idle,
    Reconciling,
    /// The files are wrong; the last good generation stays in force.
    Rejected { problems: Vec<Problem>, since: Timestamp },
    /// A guard refused the plan; the last good generation stays in force.
    Refused { reason: String, since: Timestamp },
    /// Somebody has suspended it: the last good generation stays in force, whatever the files say.
    Suspended(Suspension),
    /// Something outside the files failed; tried again at `retry_at`.
    Failing { error: String, retry_at: Timestamp },
}

/// The daemon as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub started: Timestamp,
    pub ready: bool,
    pub address: String,
    pub home: String,
    pub projects: Vec<ProjectStatus>,
    pub runs: RunCounts,
    /// The earliest instants at which something is due, with the deployment's full name.
    pub next: Vec<NextFire>,
}

/// Runs that are not over, by what they wait for or do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounts {
    pub waiting: usize,
    pub running: usize,
}

/// A slot that is about to be due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextFire {
    pub at: Timestamp,
    pub deployment: String,
    pub schedule: String,
}
