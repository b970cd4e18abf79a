//! What a project's file says about the project itself: pruning, drift, and what is applied together.
use serde::{Deserialize, Serialize};

/// The rules of a project. Each has a default, and none of them needs to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectRules {
    pub prune: PruneRule,
    pub drift: DriftRule,
    /// JSON pointers below an object (`/paused`, `/parameters/days`) of fields that are left to others: what is stored stands,
    /// whatever the file says. They count for a new object only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_fields: Vec<String>,
    pub atomicity: Atomicity,
}

/// What becomes of objects that left the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneRule {
    /// `false`: they are only reported.
    pub enabled: bool,
    /// So many prunes are never too many, unless the files declare nothing at all.
    pub at_most: usize,
    /// The share of what the project owns, in percent, that may be pruned unasked.
    pub percent: usize,
}

impl Default for PruneRule {
    fn default() -> Self {
        PruneRule { enabled: true, at_most: 5, percent: 20 }
    }
}

/// What is done about a difference that neither the file nor an override has made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftRule {
    /// It is made equal to the file again.
    #[default]
    Correct,
    /// It is shown and stays.
    Report,
    /// It stays.
    Ignore,
}

/// What is applied together, and fails together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Atomicity {
    /// All files of the project: an error anywhere applies nothing.
    #[default]
    Project,
    /// Each file: an error keeps its file as it was, and nothing is pruned.
    File,
    /// Each deployment: an error in one keeps that one as it was, and nothing is pruned.
    Deployment,
}
