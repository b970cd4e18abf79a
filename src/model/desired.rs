//! What a project's files say, normalised: the input of a plan.
use super::deployment::{DeploymentSpec, FullName};
use super::problem::Problem;
use super::project::ProjectRules;
use super::tag_limit::TagLimitSpec;
use super::work_pool::{WorkPoolSpec, WorkQueueSpec};
use std::collections::BTreeMap;

/// An error-free reading of a project: never built from a partial read (G5, G6), unless the project asks for units that are applied
/// alone; then `failed` names what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Desired {
    /// `name:` of the manifest, else the base name of its root directory.
    pub project: String,
    /// The directory that relative paths are relative to. Absolute; only an attribute.
    pub root: String,
    pub work_pools: BTreeMap<String, Declared<WorkPoolSpec>>,
    /// By (pool, queue).
    pub work_queues: BTreeMap<(String, String), Declared<WorkQueueSpec>>,
    /// Concurrency limits by tag.
    pub tag_limits: BTreeMap<String, Declared<TagLimitSpec>>,
    pub deployments: BTreeMap<FullName, Declared<DeploymentSpec>>,
    /// Earlier names of declared deployments (`renamed_from`), by the name that each has now. None of them is declared.
    pub renames: BTreeMap<FullName, Vec<FullName>>,
    pub rules: ProjectRules,
    /// What could not be read and is left as it is; only where the rules allow the rest to be applied alone. While there is
    /// any, nothing is pruned: it may have moved there.
    pub failed: Vec<FailedUnit>,
    /// Entries without a name that say something even so: file and JSON pointer. While there is any, nothing is pruned: it may be what
    /// is missed.
    pub unnamed: Vec<(String, String)>,
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

/// A file, or a deployment in one, with the errors that keep it from being applied.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedUnit {
    /// The file, relative to the root.
    pub file: String,
    /// JSON pointer of the deployment in it; `None`: the whole file.
    pub pointer: Option<String>,
    /// The deployment's name, where it could be read.
    pub name: Option<String>,
    pub problems: Vec<Problem>,
}

impl Desired {
    /// Nothing is declared at all; a project that becomes empty is never pruned unasked. What failed may declare anything.
    pub fn is_empty(&self) -> bool {
        let pools = self.work_pools.is_empty() && self.work_queues.is_empty();
        self.failed.is_empty() && pools && self.tag_limits.is_empty() && self.deployments.is_empty()
    }
}
