//! Flows and deployments.
use super::JsonMap;
use super::id::{DeploymentId, FlowId};
use super::overrides::{Overrides, Owner};
use super::retry::RetryCause;
use super::schedule::{Schedule, ScheduleDeclaration};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A flow: the name under which deployments of the same code stand together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    pub id: FlowId,
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub labels: JsonMap,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// `flow/deployment`: unique in a home. Neither part contains `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FullName {
    pub flow: String,
    pub deployment: String,
}

impl FullName {
    pub fn new(flow: impl Into<String>, deployment: impl Into<String>) -> Self {
        FullName { flow: flow.into(), deployment: deployment.into() }
    }

    /// Reads `flow/deployment`; `None` when there is not exactly one `/` with something on both sides.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((flow, deployment)) if !flow.is_empty() && !deployment.is_empty() && !deployment.contains('/') => {
                Some(FullName::new(flow, deployment))
            }
            _ => None,
        }
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.flow, self.deployment)
    }
}

/// What a run starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entrypoint {
    /// A function in a Python file; `path` is relative to the project's root, `function` may be dotted.
    Python { path: String, function: String },
    /// A function in an importable module (`package.module:function`).
    Module { module: String, function: String },
    /// One string that runs under `sh -c`.
    Shell { command: String },
    /// A program and its arguments, run as they stand.
    Program { arguments: Vec<String> },
}

impl fmt::Display for Entrypoint {
    /// As users write it: `file.py:function`, or the command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entrypoint::Python { path, function } => write!(f, "{path}:{function}"),
            Entrypoint::Module { module, function } => write!(f, "{module}:{function}"),
            Entrypoint::Shell { command } => f.write_str(command),
            Entrypoint::Program { arguments } => f.write_str(&arguments.join(" ")),
        }
    }
}

/// What happens to a run that finds its deployment's concurrency limit full (Prefect's two words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CollisionStrategy {
    #[serde(rename = "ENQUEUE")]
    Enqueue,
    #[serde(rename = "CANCEL_NEW")]
    CancelNew,
}

/// At most `limit` runs of a deployment are pending or running at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConcurrencyLimit {
    pub limit: u32,
    pub collision_strategy: CollisionStrategy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period_seconds: Option<u32>,
}

/// The value of a variable of `env`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EnvironmentValue {
    Plain(String),
    /// Marked secret, whatever the variable is called: never rendered when the file is read, never shown.
    Secret { secret: String },
}

impl EnvironmentValue {
    pub fn text(&self) -> &str {
        match self {
            EnvironmentValue::Plain(text) | EnvironmentValue::Secret { secret: text } => text,
        }
    }

    pub fn is_secret(&self) -> bool {
        matches!(self, EnvironmentValue::Secret { .. })
    }
}

impl From<&str> for EnvironmentValue {
    fn from(text: &str) -> Self {
        EnvironmentValue::Plain(text.to_owned())
    }
}

/// What becomes of runs in progress when their deployment is pruned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// They go on to their end.
    #[default]
    Finish,
    Cancel,
}

impl OnDelete {
    fn is_finish(&self) -> bool {
        *self == OnDelete::Finish
    }
}

pub(super) fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}

/// Everything that a file (or a client) declares of a deployment, normalised: defaults filled in, templates
/// rendered, order kept where it means something. Two specs that are equal mean the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeploymentSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// `None` only for what a client made without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Entrypoint>,
    /// Prefect's `path`: where the code lies at run time, where that is not the project's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub parameters: JsonMap,
    /// JSON schema of the parameters, read from the function's signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter_schema: Option<Value>,
    pub enforce_parameter_schema: bool,
    /// `None`: the daemon's own process executor, outside any pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_pool: Option<String>,
    /// `None`: see `dispatch::queue`: the first filtered queue that matches, else the pool's `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_queue: Option<String>,
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub job_variables: JsonMap,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_steps: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScheduleDeclaration>,
    #[serde(default)]
    pub paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<ConcurrencyLimit>,
    /// Environment variables of the run, over the daemon's own; `None` unsets one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Option<EnvironmentValue>>,
    /// Relative to the project's root; `None` is the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(default)]
    pub retries: u32,
    /// Seconds before each further attempt; the last one counts for all that follow; empty is no delay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_delay_seconds: Vec<f64>,
    /// Up to so large a share of each delay is added to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry_jitter_factor: f64,
    /// The ends that are worth another attempt; empty: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_on: Vec<RetryCause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// It stays, and goes on, even when it is no longer declared.
    #[serde(default, skip_serializing_if = "is_false")]
    pub protect: bool,
    #[serde(default, skip_serializing_if = "OnDelete::is_finish")]
    pub on_delete: OnDelete,
    /// `triggers:` as written: kept, not acted on yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Value>,
}

impl Default for DeploymentSpec {
    fn default() -> Self {
        DeploymentSpec {
            version: None,
            description: None,
            tags: Vec::new(),
            entrypoint: None,
            path: None,
            parameters: JsonMap::new(),
            parameter_schema: None,
            enforce_parameter_schema: true,
            work_pool: None,
            work_queue: None,
            job_variables: JsonMap::new(),
            pull_steps: None,
            schedules: Vec::new(),
            paused: false,
            concurrency_limit: None,
            env: BTreeMap::new(),
            working_dir: None,
            retries: 0,
            retry_delay_seconds: Vec::new(),
            retry_jitter_factor: 0.0,
            retry_on: Vec::new(),
            timeout_seconds: None,
            protect: false,
            on_delete: OnDelete::Finish,
            triggers: Vec::new(),
        }
    }
}

/// A deployment as it is remembered. `declared.schedules` is empty here: the schedules are records of their own
/// in `schedules`, each with its id, key and effective instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: DeploymentId,
    pub flow_id: FlowId,
    pub name: FullName,
    pub declared: DeploymentSpec,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Schedule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The project's root directory when it was last applied; an attribute, not part of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
    /// Digest of what its owner declared last: tells drift from a change of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_digest: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Deployment {
    /// Whether its schedules are held back: what the file says, unless an operator said otherwise.
    pub fn paused(&self) -> bool {
        match self.overrides.get("paused").and_then(|o| o.value.as_bool()) {
            Some(paused) => paused,
            None => self.declared.paused,
        }
    }

    /// The schedules that fire: active ones of a deployment that is not paused.
    pub fn firing_schedules(&self) -> impl Iterator<Item = &Schedule> {
        let paused = self.paused();
        self.schedules.iter().filter(move |schedule| !paused && schedule.active())
    }
}
