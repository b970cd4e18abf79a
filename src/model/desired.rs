//! What a project's files say, normalised: the input of a plan.
use super::deployment::{DeploymentSpec, FullName};
use super::work_pool::{WorkPoolSpec, WorkQueueSpec};
use std::collections::BTreeMap;

/// A complete, error-free reading of a project: never built from a partial read (G5, G6).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Desired {
    /// `name:` of the manifest, else the base name of its root directory.
    pub project: String,
    /// The directory that relative paths are relative to. Absolute; only an attribute.
    pub root: String,
    pub work_pools: BTreeMap<String, Declared<WorkPoolSpec>>,
    /// By (pool, queue).
    pub work_queues: BTreeMap<(String, String), Declared<WorkQueueSpec>>,
    pub deployments: BTreeMap<FullName, Declared<DeploymentSpec>>,
    /// The files that were read, relative to the root, with a SHA-256 of their content in hex.
    pub files: BTreeMap<String, String>,
}

/// A declared object and where it stands. Line and column are found from `pointer` only when somebody is to
/// read them (`manifest::locate`): ten thousand positions that nobody reads would cost more than the parse.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared<T> {
    pub spec: T,
    /// Relative to the project's root.
    pub file: String,
    /// JSON pointer of the object in its file: `/deployments/3`.
    pub pointer: String,
}

impl Desired {
    /// Nothing is declared at all; a project that becomes empty is never pruned unasked.
    pub fn is_empty(&self) -> bool {
        self.work_pools.is_empty() && self.work_queues.is_empty() && self.deployments.is_empty()
    }
}
