//! Who does the work: one file per kind of executor, and the run supervisor.
//!
//! An executor starts one flow run on one kind of infrastructure, tells what became of it, and can
//! find it again after the daemon was killed. It decides nothing about runs (retries, limits, states)
//! and never sees a store: it is handed a complete [`Job`] and answers with [`Report`]s.
//!
//! How a process run lives (`process.rs` has it started, by `spawner.rs` where there is one; `supervisor/` is the process above it):
//! ```text
//! daemon ──spawner──> supervisor (own session, subreaper) ──spawn──> the run (own session)
//!   ^ pidfd, report pipe      |  renames: job > started > exit.json; writes: log*
//!   └────────── exit.json <───┘
//! ```
//! The daemon may die at any moment: everything it needs to find the run again is in its [`Handle`] and
//! in the run's directory (`directory.rs` names the files and the order in which they appear).
mod cgroup;
pub mod confinement;
pub mod directory;
pub mod follow;
mod handed;
pub mod identity;
mod line;
pub mod log;
mod log_writer;
mod loss;
pub mod mask;
mod memory;
pub mod outcome;
pub mod prepare;
pub mod process;
mod program;
mod result;
pub mod spawner;
pub mod supervisor;
mod tree;
mod variables;
pub mod watch;

use self::confinement::Confinement;
use self::prepare::Preparation;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

pub use log_writer::write_failure;
pub use outcome::{End, Outcome};

/// The environment variable that marks every process of a run with the run's id: the last resort for
/// finding processes that outlived their supervisor.
pub const RUN_ID_VARIABLE: &str = "REEVE_FLOW_RUN_ID";

/// A future that an executor returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What to run: complete, rendered, nothing left to decide.
///
/// It is written to the run's directory (mode 0600), and overwritten by the supervisor as soon as it has been read, because it
/// holds the values of secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    pub run_id: Uuid,
    /// Counted from 1. Every attempt has its own run directory.
    pub attempt: u32,
    /// The run's two-word name, for people who read the log.
    pub name: String,
    /// `flow/name`, where the run belongs to a deployment.
    pub deployment: Option<String>,
    pub program: Program,
    /// The run's process starts here. Where code has to be pulled first, the program itself starts where the steps lead.
    pub working_directory: PathBuf,
    /// Steps that fetch the code before the program starts; part of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preparation: Option<Preparation>,
    /// As whom it runs, and what it may use.
    #[serde(default, skip_serializing_if = "Confinement::is_none")]
    pub confinement: Confinement,
    /// The complete environment of the child; only the marker, the runner's variables, and of another user `USER`, `LOGNAME` and `HOME`
    /// (where they are missing) are added.
    pub environment: BTreeMap<String, String>,
    /// The run's process does not start before this instant, which is less than a second away: what a start costs is
    /// spent before it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Counted from the start of the process, on the monotonic clock.
    pub timeout: Option<Duration>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Values that appear as `***` in the log and in messages. The caller decides what is secret (DESIGN:
    /// values of 8 and more characters); empty ones are ignored.
    pub secrets: Vec<String>,
    /// Bound of all log files of this attempt together; at least [`log::MINIMUM_LOG_BYTES`].
    pub max_log_bytes: u64,
}

/// A Python interpreter, and who chose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpreter {
    /// The job variable `python`: a path, or a name to look up in the child's `PATH`.
    Configured(PathBuf),
    /// That of the `.venv` of the project, where the run starts elsewhere in it.
    OfProject(PathBuf),
}

/// What is executed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// Runs under `sh -c`.
    Shell(String),
    /// A program, looked up in the child's own `PATH`, and its arguments.
    Arguments(Vec<String>),
    /// A plain function of a Python file.
    Python {
        /// `None`: `.venv/bin/python` of the working directory, else `python3` on the child's `PATH`.
        interpreter: Option<Interpreter>,
        /// Absolute, or relative to the working directory.
        file: PathBuf,
        /// A name in the file; may be dotted (`Class.method`).
        function: String,
        parameters: serde_json::Map<String, serde_json::Value>,
    },
    /// A plain function of a module that the interpreter can import from the working directory, or from its own packages.
    Module {
        /// As in `Python`.
        interpreter: Option<Interpreter>,
        /// `package.module`
        module: String,
        function: String,
        parameters: serde_json::Map<String, serde_json::Value>,
    },
}

impl Program {
    /// Of a Python function.
    pub fn parameters(&self) -> Option<&serde_json::Map<String, serde_json::Value>> {
        match self {
            Program::Python { parameters, .. } | Program::Module { parameters, .. } => Some(parameters),
            Program::Shell(_) | Program::Arguments(_) => None,
        }
    }
}

/// Where a run's files go and where its reports are sent.
#[derive(Clone)]
pub struct Context {
    /// One directory per attempt, absolute; made by `start` where it does not exist.
    pub run_directory: PathBuf,
    /// Bounded by its maker; a slow reader delays reports and nothing else.
    pub reports: mpsc::Sender<Report>,
}

/// What an executor tells. For every run started or adopted exactly one `Finished` or `Lost` comes, last.
/// A report may be repeated after an adoption: the receiver must be idempotent.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "most reports that carry weight are the large ones, and few exist at a time"
)]
pub enum Report {
    /// The run's process exists.
    Started {
        run_id: Uuid,
        at: Timestamp,
        pid: u32,
    },
    /// The run is over, and none of its processes is left. (Its supervisor may still be writing `exit.json`.)
    Finished { run_id: Uuid, outcome: Outcome },
    /// Nobody can tell how the run ended; what is known is a sentence. None of its processes is left.
    Lost { run_id: Uuid, evidence: String },
}

/// What the dispatcher stores with a run so that a restarted daemon can adopt it.
///
/// A pid alone may have been given to somebody else. Boot id, pid and start time together never are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    pub version: u32,
    pub run_id: Uuid,
    pub attempt: u32,
    /// `/proc/sys/kernel/random/boot_id` when the supervisor was started.
    pub boot_id: String,
    pub supervisor_pid: u32,
    /// Clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub supervisor_start: u64,
    pub run_directory: PathBuf,
    /// The run's cgroup, where the host lets us make one.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
}

/// The version written into [`Handle`], `exit.json` and the other files of a run's directory.
pub const FORMAT_VERSION: u32 = 1;

/// What [`Executor::adopt`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// The run is alive; its end will be reported.
    Running,
    /// The run had ended; how is already on its way as a report.
    Ended,
}

/// The run was not started, and nothing of it is running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("failed to prepare the run directory {path}: {source}", path = .path.display())]
    Directory {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the run directory {path} already holds an attempt; every attempt needs a directory of its own", path = .path.display())]
    Occupied { path: PathBuf },
    #[error("failed to start the run supervisor: {0}")]
    Spawn(std::io::Error),
}

/// The request to stop could not be delivered.
#[derive(Debug, thiserror::Error)]
#[error("failed to ask the supervisor (pid {pid}) of run {run_id} to stop it: {source}")]
pub struct StopError {
    pub run_id: Uuid,
    pub pid: u32,
    pub source: std::io::Error,
}

/// One kind of infrastructure that can execute a flow run.
///
/// Leases, heartbeats and states belong to the dispatcher. All methods must be called within a tokio runtime.
pub trait Executor: Send + Sync {
    /// The work pool type that it serves, as Prefect spells it (`process`).
    fn kind(&self) -> &'static str;

    /// The JSON schema of its job variables: `variables` of Prefect's base job template.
    fn schema(&self) -> serde_json::Value;

    /// Starts a run. When this returns, the run survives the daemon. Errors of the run itself (a command that
    /// does not exist) are not errors here; they come as its [`Outcome`].
    fn start(&self, job: Job, context: Context) -> BoxFuture<'_, Result<Handle, StartError>>;

    /// Finds the run again that a former daemon started and reports on it as if it had been started here.
    fn adopt(&self, handle: Handle, context: Context) -> BoxFuture<'_, Adoption>;

    /// For a daemon that was killed between asking for a run and storing its handle: the handle of what was
    /// started for this directory, or `None`, and then nothing was started and nothing will be: the
    /// directory's job is void after this call.
    ///
    /// # Errors
    /// The directory cannot be read, so that nobody can tell; but no process of the run is left.
    fn recover<'a>(
        &'a self,
        run_id: Uuid,
        attempt: u32,
        run_directory: &'a std::path::Path,
    ) -> BoxFuture<'a, std::io::Result<Option<Handle>>>;

    /// Takes back what [`Executor::start`] was asked for and has not returned from. `true`: nothing was started for this
    /// directory, and nothing will be; its outcome says so. `false`: what is started is to be stopped by its handle.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    fn withdraw<'a>(&'a self, run_id: Uuid, attempt: u32, run_directory: &'a std::path::Path) -> BoxFuture<'a, std::io::Result<bool>>;

    /// Asks for the end of a run: SIGTERM, `grace`, SIGKILL to all that is left. Returns when the request is
    /// delivered, not when the run has ended (that is reported). Harmless when repeated (the
    /// shorter grace counts) and when the run has ended.
    fn stop<'a>(
        &'a self,
        handle: &'a Handle,
        grace: Duration,
    ) -> BoxFuture<'a, Result<(), StopError>>;
}

/// A kind of executor in the list.
pub struct Kind {
    /// The work pool type.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Makes one; fails where the host lacks what it needs.
    pub make: fn() -> std::io::Result<Arc<dyn Executor>>,
}

/// Every kind there is. A new one is a file and a line here.
pub const KINDS: &[Kind] = &[Kind {
    name: process::KIND,
    description: "runs as a process on this host, under a supervisor that outlives the daemon",
    make: process::ProcessExecutor::make,
}];
