//! What others may ask of the daemon: the commands that `daemon` implements and `api` calls.
//!
//! Reads go to the ledger's `Reader`; everything that changes something is here, so that each change has one
//! implementation, whoever asks: HTTP, the CLI beside a daemon, or the CLI that opens the store itself.
use crate::model::JsonMap;
use crate::model::deployment::{Deployment, Flow, FullName};
use crate::model::id::{DeploymentId, FlowId, FlowRunId, Kind, WorkQueueId};
use crate::model::name::typed;
use crate::model::overrides::Override;
use crate::model::problem::{Problem, Severity};
use crate::model::run::FlowRun;
use crate::model::state::Proposed;
use crate::model::status::Status;
use crate::model::stored::{ObjectName, Project, Pruned, Suspension};
use crate::model::tag_limit::TagLimit;
use crate::model::transition::Decision;
use crate::model::work_pool::{QueueFilter, WorkPool, WorkPoolSpec, WorkQueue, WorkQueueSpec};
use crate::reconcile::Plan;
use crate::source::Snapshot;
use crate::reconcile::origin::Origin;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use tokio::sync::watch;

/// A boxed future, so that the trait can be used as an object.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ControlError>> + Send + 'a>>;

/// The daemon, as its callers see it.
pub trait Control: Send + Sync + 'static {
    fn status(&self) -> Status;
    /// The same, told of every change.
    fn watch_status(&self) -> watch::Receiver<Status>;
    fn reconcile(&self, request: ReconcileRequest, by: Author) -> Answer<'_, ReconcileReport>;

    /// Stops reconciling a project, or (`None`) goes on with it. Its schedules are not concerned.
    fn suspend_project(&self, name: String, suspension: Option<Suspension>, by: Author) -> Answer<'_, Project>;

    /// Prunes all that a project owns whose files are gone, and forgets the project.
    fn delete_project(&self, request: ProjectDeletion, by: Author) -> Answer<'_, ReconcileReport>;

    /// Takes an operator's override away and returns it.
    fn clear_override(&self, which: OverrideRef, by: Author) -> Answer<'_, Override>;

    fn create_flow(&self, name: String, tags: Vec<String>, labels: JsonMap) -> Answer<'_, Made<Flow>>;
    fn create_run(&self, request: RunRequest) -> Answer<'_, Made<FlowRun>>;
    fn set_state(&self, run: FlowRunId, proposed: Proposed, force: bool) -> Answer<'_, (FlowRun, Decision)>;
    fn update_run(&self, run: FlowRunId, patch: RunPatch) -> Answer<'_, FlowRun>;
    fn delete_run(&self, run: FlowRunId) -> Answer<'_, ()>;

    /// Pauses or resumes: an override on what a project owns, a plain edit on what nobody owns.
    fn pause_deployment(&self, deployment: DeploymentId, paused: bool, by: Author) -> Answer<'_, Deployment>;
    /// Where each effective field comes from, by the project's files as they are now.
    fn explain_deployment(&self, deployment: DeploymentId) -> Answer<'_, Vec<Origin>>;
    /// Brings back what was pruned less than 7 days ago, with its id and history, as nobody's.
    fn restore_deployment(&self, name: FullName, by: Author) -> Answer<'_, Deployment>;
    /// The same for an object of any kind that has tombstones; a work pool comes back with its queues. Gives all that came back.
    fn restore(&self, name: ObjectName, by: Author) -> Answer<'_, Vec<Pruned>>;
    fn delete_deployment(&self, deployment: DeploymentId, by: Author) -> Answer<'_, ()>;

    fn create_work_pool(&self, name: String, spec: WorkPoolSpec, by: Author) -> Answer<'_, WorkPool>;
    fn update_work_pool(&self, name: String, patch: WorkPoolPatch, by: Author) -> Answer<'_, WorkPool>;
    /// Deletes a pool with its queues; `dry_run`: only tells what would happen.
    fn delete_work_pool(&self, name: String, dry_run: bool, by: Author) -> Answer<'_, PoolDeletion>;
    /// `pool`: `None` is the default agent pool, which is made where it is missing.
    fn create_work_queue(&self, pool: Option<String>, name: String, spec: WorkQueueSpec, by: Author) -> Answer<'_, WorkQueue>;
    fn update_work_queue(&self, queue: WorkQueueId, patch: WorkQueuePatch, by: Author) -> Answer<'_, WorkQueue>;
    fn delete_work_queue(&self, queue: WorkQueueId, by: Author) -> Answer<'_, QueueDeletion>;

    /// Gives a tag a concurrency limit, or changes the one that it has.
    fn set_tag_limit(&self, tag: String, limit: u32, by: Author) -> Answer<'_, Made<TagLimit>>;
    fn delete_tag_limit(&self, tag: String, by: Author) -> Answer<'_, ()>;
}

/// An override, by the object that it lies on and its field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideRef {
    pub kind: Kind,
    /// `flow/deployment`, `pool`, `pool/queue`, or a tag.
    pub name: String,
    /// `paused`, `schedules/KEY/active`.
    pub field: String,
}

/// Something that was asked for: new, or there already.
#[derive(Debug, Clone)]
pub enum Made<T> {
    New(T),
    Existing(T),
}

impl<T> Made<T> {
    pub fn into_inner(self) -> T {
        match self {
            Made::New(value) | Made::Existing(value) => value,
        }
    }
}

/// Who asks, and how long it holds, for overrides, run records, events and the daemon's log.
#[derive(Debug, Clone)]
pub struct Author {
    pub who: String,
    /// By which door they came.
    pub door: Door,
    pub why: Option<String>,
    pub until: Until,
}

/// Where a wish came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// One of reeve's own commands, with or without a daemon.
    Command,
    /// The HTTP API; who asks is known by their client only.
    Api,
}

impl fmt::Display for Author {
    /// `by alice until 2026-11-21T09:00:00Z: database move`, `by prefect/3.8.8 through the API`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {}", self.who)?;
        if self.door == Door::Api {
            write!(f, " through the API")?;
        }
        if let Some(until) = self.until.at() {
            write!(f, " until {until}")?;
        }
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

/// When an override ends by itself; only on what a project owns there can be one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Until {
    /// Nothing was said, as by Prefect's clients: one that says the same value keeps its end, a new one has none.
    #[default]
    Unsaid,
    Never,
    At(Timestamp),
}

impl Until {
    /// The end of what is made.
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Until::At(at) => Some(at),
            Until::Unsaid | Until::Never => None,
        }
    }

    /// Whether an override with this end is as it is asked for.
    pub fn allows(self, end: Option<Timestamp>) -> bool {
        self == Until::Unsaid || self.at() == end
    }
}

/// A wish to make the home equal to a project's files.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconcileRequest {
    /// The project's root directory, absolute.
    pub root: PathBuf,
    /// The manifests, where they are not to be found by name in `root`; absolute or relative to it.
    pub files: Vec<PathBuf>,
    pub dry_run: bool,
    /// How many objects may go: must equal the plan's count.
    pub allow_prune: Option<usize>,
    /// Warnings about the manifest are errors.
    pub strict: bool,
    /// Names of deployments (`flow/deployment`) and work pools that the project takes over even from another one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adopt: Vec<String>,
    /// The files as another host has read them, instead of those that lie in `root`: only to look what they would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Snapshot>,
    /// Only what has drifted from what was declared, and nothing is written.
    pub drift_only: bool,
    /// Only the first of many new objects need their fields in the report: whoever asks shows no more
    /// (`reconcile::explain::abridge`).
    pub abridged: bool,
    /// The plan that was looked at: no other is carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Stamp>,
}

/// A wish to remove a project.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectDeletion {
    #[serde(skip)]
    pub name: String,
    #[serde(default)]
    pub dry_run: bool,
    /// How many objects go: must equal the plan's count.
    #[serde(default)]
    pub allow_prune: Option<usize>,
}

impl ProjectDeletion {
    /// What removes a project of which so many objects are pruned, to be typed in a shell.
    pub fn words(project: &str, prunes: usize) -> String {
        let project = typed(project);
        match prunes {
            0 => format!("reeve project delete {project}"),
            _ => format!("reeve project delete {project} --allow-prune={prunes}"),
        }
    }
}

/// What a plan was made of, and what it says: equal stamps are the same plan of the same files against the same state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The revision of the definitions.
    pub base_revision: u64,
    /// SHA-256 over the names and contents of all files that were read.
    pub sources: String,
    /// SHA-256 over the plan's steps and refusals.
    pub digest: String,
}

/// What a reconcile found and did: what `-o json` prints, as `schemas/plan.schema.json` describes it (`reconcile::wire`).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReconcileReport {
    /// The version of this form, which is the plan's: 1.
    #[serde(default = "format")]
    pub format: u32,
    /// Why this is no success, as a sentence: the files are wrong, or are not to be had. `None`: the plan's counts and refusals tell
    /// how it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code of the command, where there is an error: 1, or 3 where a guard refused before anything was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// `None` when the files are wrong: `problems` says why, and nothing was planned.
    pub plan: Option<Plan>,
    pub problems: Vec<Problem>,
    /// Of the plan, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// Why the plan is not the one that was expected, and so was not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
    /// What became of each unit that is applied alone; empty where the files could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitReport>,
    /// Whether the plan was carried out (it was not a dry run, and no guard refused it).
    pub applied: bool,
}

/// What is applied together: the whole project, a file, or a deployment, as the project's `atomicity` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitReport {
    /// The project's name, the file relative to the root, or the deployment's full name.
    pub unit: String,
    pub outcome: UnitOutcome,
    /// Of what failed or is blocked: why, with its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitOutcome {
    /// It would be written: this was a dry run.
    Pending,
    Applied,
    Unchanged,
    /// It cannot be read, and stays as it was.
    Failed,
    /// It is right, and not written because of something else.
    Blocked,
}

/// A wish for a flow run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    pub deployment: Option<DeploymentId>,
    /// Required where there is no deployment.
    pub flow: Option<FlowId>,
    pub name: Option<String>,
    /// Laid over the deployment's.
    pub parameters: JsonMap,
    pub job_variables: JsonMap,
    pub tags: Vec<String>,
    pub labels: JsonMap,
    pub work_queue: Option<String>,
    pub idempotency_key: Option<String>,
    /// `None`: Scheduled now, for a deployment; Pending for a bare run.
    pub state: Option<Proposed>,
    /// Overrides the deployment's `enforce_parameter_schema`.
    pub enforce_parameter_schema: Option<bool>,
    pub requested_by: Option<String>,
    pub scheduled_time: Option<Timestamp>,
}

/// What a client may change of a run besides its state.
#[derive(Debug, Clone, Default)]
pub struct RunPatch {
    pub name: Option<String>,
    pub tags: Option<Vec<String>>,
    pub parameters: Option<JsonMap>,
    pub job_variables: Option<JsonMap>,
    pub infrastructure_pid: Option<String>,
    pub labels: Option<JsonMap>,
}

/// What goes, or would go, with a work pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolDeletion {
    /// The names of its queues, which go with it.
    pub queues: Vec<String>,
    /// How many runs that wait in it go where their deployment runs now.
    pub moved: usize,
}

/// What became of the runs that waited in a deleted work queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueDeletion {
    /// How many there were.
    pub moved: usize,
    /// How many wait in which queue of the pool now. Those that start at once, since they need no queue, are in none.
    #[serde(default)]
    pub queues: BTreeMap<String, usize>,
}

/// What may be changed of a work pool. The outer `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct WorkPoolPatch {
    pub paused: Option<bool>,
    pub concurrency_limit: Option<Option<u32>>,
    pub description: Option<Option<String>>,
    pub base_job_template: Option<JsonMap>,
}

/// What may be changed of a work queue.
#[derive(Debug, Clone, Default)]
pub struct WorkQueuePatch {
    pub name: Option<String>,
    pub paused: Option<bool>,
    pub concurrency_limit: Option<Option<u32>>,
    pub priority: Option<u32>,
    pub description: Option<Option<String>>,
    pub filter: Option<Option<QueueFilter>>,
}

/// Why a command was not carried out. The API's table gives each its HTTP code, the CLI's its exit code.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ControlError {
    /// The thing asked for is not there; the text is Prefect's `detail` for it.
    #[error("{0}")]
    NotFound(String),
    /// It exists already, or the parameters do not fit the schema.
    #[error("{0}")]
    Conflict(String),
    /// The request means nothing.
    #[error("{0}")]
    Invalid(String),
    /// A guard says no: the object is a project's, or too much would go.
    #[error("{0}")]
    Refused(String),
    /// Not now: no daemon runs, or it is stopping.
    #[error("{0}")]
    Unavailable(String),
    /// The store, the disk, a bug.
    #[error("{0}")]
    Internal(String),
}

impl UnitOutcome {
    pub fn word(self) -> &'static str {
        match self {
            UnitOutcome::Pending => "pending",
            UnitOutcome::Applied => "applied",
            UnitOutcome::Unchanged => "unchanged",
            UnitOutcome::Failed => "failed",
            UnitOutcome::Blocked => "blocked",
        }
    }
}

fn format() -> u32 {
    crate::reconcile::FORMAT
}

impl Default for ReconcileReport {
    fn default() -> Self {
        ReconcileReport {
            format: format(),
            error: None,
            exit_code: None,
            plan: None,
            problems: Vec::new(),
            stamp: None,
            stale: None,
            units: Vec::new(),
            applied: false,
        }
    }
}

impl ReconcileReport {
    /// A report that is over: with the sentence that says what failed, if something did.
    pub fn ended(mut self) -> Self {
        let errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let errors = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
        self.error = match &self.plan {
            None => Some(format!("{errors} in the files: nothing was changed, and what was last good stays in force")),
            Some(_) if self.has_failed() => {
                Some(format!("{errors} in the files: what they concern stays as it was, and nothing is pruned until they are put right"))
            }
            Some(_) => None,
        };
        self.exit_code = self.error.is_some().then_some(1);
        self
    }

    /// Something in the files is wrong: nothing was applied, or what it concerns was not.
    pub fn has_failed(&self) -> bool {
        self.plan.is_none() || self.units.iter().any(|unit| unit.outcome == UnitOutcome::Failed)
    }
}

impl From<crate::store::ledger::LedgerError> for ControlError {
    fn from(error: crate::store::ledger::LedgerError) -> Self {
        use crate::store::ledger::LedgerError;
        match error {
            LedgerError::NoSuchRun(_) => ControlError::NotFound("Flow run not found".to_owned()),
            LedgerError::Conflict(_) | LedgerError::Stale { .. } => {
                ControlError::Unavailable(format!("{error}: try again"))
            }
            other => ControlError::Internal(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProjectDeletion;

    #[test]
    fn the_words_that_delete_a_project_can_be_typed_as_they_stand() {
        assert_eq!(ProjectDeletion::words("etl", 3), "reeve project delete etl --allow-prune=3");
        assert_eq!(ProjectDeletion::words("my etl's", 0), r"reeve project delete 'my etl'\''s'");
    }
}
