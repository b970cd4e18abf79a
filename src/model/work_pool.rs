//! Work pools (typed infrastructure) and the work queues in them.
use super::JsonMap;
use super::deployment::is_false;
use super::id::{WorkPoolId, WorkQueueId};
use super::overrides::{Overrides, Owner};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The queue that every pool has from the start (Prefect: made with the pool, priority 1).
pub const DEFAULT_QUEUE: &str = "default";

/// The pool that holds work queues made without one (Prefect's name for it).
pub const DEFAULT_AGENT_POOL: &str = "default-agent-pool";

/// What is declared of a work pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkPoolSpec {
    /// The executor's kind: `process`, or a kind that only a remote worker serves.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many of its runs may be pending or running at once; `None` is no limit, 0 is none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<u32>,
    #[serde(default)]
    pub paused: bool,
    /// `None`: the kind's own template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_job_template: Option<JsonMap>,
    /// It stays even when it is no longer declared.
    #[serde(default, skip_serializing_if = "is_false")]
    pub protect: bool,
}

/// A work pool as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkPool {
    pub id: WorkPoolId,
    pub name: String,
    pub declared: WorkPoolSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
    /// Digest of what its owner declared last: tells drift from a change of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_digest: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// What is declared of a work queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkQueueSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// 1 is served first.
    pub priority: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<u32>,
    #[serde(default)]
    pub paused: bool,
    /// `None` serves every run that names the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<QueueFilter>,
    /// It stays even when it is no longer declared.
    #[serde(default, skip_serializing_if = "is_false")]
    pub protect: bool,
}

impl Default for WorkQueueSpec {
    fn default() -> Self {
        WorkQueueSpec { description: None, priority: 1, concurrency_limit: None, paused: false, filter: None, protect: false }
    }
}

/// Which runs a queue serves: those that carry all of `tags`, and, where `deployments` is not empty, belong to one of them, and,
/// where `pool_types` is not empty, stand in a pool of one of these types.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFilter {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Full names, `flow/deployment`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<String>,
    /// Types of work pools: `process`. A run without a pool stands in the default agent pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pool_types: Vec<String>,
}

/// A work queue as it is remembered. Its name is unique in its pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkQueue {
    pub id: WorkQueueId,
    pub pool: String,
    pub name: String,
    pub declared: WorkQueueSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
    /// Digest of what its owner declared last: tells drift from a change of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_digest: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl WorkPool {
    /// The same pool without an owner: what operators had laid over it is its own now.
    pub fn nobodys(mut self) -> Self {
        self.declared = self.effective();
        self.owner = None;
        self.overrides.clear();
        self
    }

    /// What holds now: the declaration with the overrides laid over it.
    pub fn effective(&self) -> WorkPoolSpec {
        let mut spec = self.declared.clone();
        if let Some(paused) = self.overrides.get("paused").and_then(|o| o.value.as_bool()) {
            spec.paused = paused;
        }
        if let Some(limit) = self.overrides.get("concurrency_limit") {
            spec.concurrency_limit = limit.value.as_u64().map(|limit| limit as u32);
        }
        spec
    }
}

impl WorkQueue {
    /// The same queue without an owner: what operators had laid over it is its own now.
    pub fn nobodys(mut self) -> Self {
        self.declared = self.effective();
        self.owner = None;
        self.overrides.clear();
        self
    }

    /// `pool/queue`, the name that is unique in a home.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.pool, self.name)
    }

    /// What holds now: the declaration with the overrides laid over it.
    pub fn effective(&self) -> WorkQueueSpec {
        let mut spec = self.declared.clone();
        if let Some(paused) = self.overrides.get("paused").and_then(|o| o.value.as_bool()) {
            spec.paused = paused;
        }
        if let Some(limit) = self.overrides.get("concurrency_limit") {
            spec.concurrency_limit = limit.value.as_u64().map(|limit| limit as u32);
        }
        if let Some(priority) = self.overrides.get("priority").and_then(|o| o.value.as_u64()) {
            spec.priority = priority as u32;
        }
        spec
    }
}
