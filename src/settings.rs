//! Settings: a flag over an environment variable over a default; and the layout of a home directory.
use crate::model::id::{self, FlowRunId};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The port that Prefect's server uses too.
pub const DEFAULT_PORT: u16 = 4200;

/// A home: everything that reeve keeps on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The home at `root`; nothing is made or read.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Home { root: root.into() }
    }

    /// `$REEVE_HOME`, else `$XDG_STATE_HOME/reeve`, else `~/.local/state/reeve` (XDG Base Directory Specification:
    /// state that should persist between restarts).
    ///
    /// # Errors
    /// None of the three can be told.
    pub fn from_environment() -> Result<Self, String> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(home) = variable("REEVE_HOME") {
            return Ok(Home::at(home));
        }
        if let Some(state) = variable("XDG_STATE_HOME").filter(|path| path.is_absolute()) {
            return Ok(Home::at(state.join("reeve")));
        }
        match variable("HOME") {
            Some(home) => Ok(Home::at(home.join(".local/state/reeve"))),
            None => Err("neither REEVE_HOME nor HOME is set: say where reeve may keep its state, e.g. REEVE_HOME=/var/lib/reeve".to_owned()),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The store's directory.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Where runs keep their job, log and exit status.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Where the clones and work trees of pull steps are kept.
    pub fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }

    /// The directory of one attempt of a run: by day, so that a directory stays small and old ones go together. One for each
    /// attempt and none above them, because making a directory is what a start costs most.
    pub fn attempt(&self, run: FlowRunId, attempt: u32) -> PathBuf {
        let day = id::time_of_run(run).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_else(|| "unknown".to_owned());
        self.runs().join(day).join(format!("{run}.{attempt}"))
    }

    /// The run that a directory made by `attempt` belongs to, from the directory's name.
    pub fn run_of_attempt(directory: &Path) -> Option<FlowRunId> {
        directory.file_name()?.to_str()?.split_once('.')?.0.parse().ok()
    }

    /// Where a running daemon says how to reach it (`DaemonAddress`).
    pub fn daemon_file(&self) -> PathBuf {
        self.root.join("daemon.json")
    }
}

/// What a daemon leaves in its home for the CLI. It is only a hint: the store's lock says whether one runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonAddress {
    pub api: String,
    pub pid: u32,
    pub version: String,
}
