//! What is remembered of a project's definitions: the other input of a plan.
use super::deployment::{Deployment, Flow, FullName};
use super::id::HomeId;
use super::tag_limit::TagLimit;
use super::work_pool::{WorkPool, WorkQueue};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A snapshot of the definitions at one revision: all that the project owns, and whatever else bears a name that
/// the project declares or refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub home: HomeId,
    /// Grows by one with every change of a definition; a plan is applied only to the revision it was made for.
    pub revision: u64,
    pub project: Option<Project>,
    pub flows: BTreeMap<String, Flow>,
    pub work_pools: BTreeMap<String, WorkPool>,
    /// By (pool, queue).
    pub work_queues: BTreeMap<(String, String), WorkQueue>,
    /// By tag.
    pub tag_limits: BTreeMap<String, TagLimit>,
    pub deployments: BTreeMap<FullName, Deployment>,
    /// Names that were pruned less than 7 days ago, with what they were.
    pub tombstones: BTreeMap<FullName, Tombstone>,
}

impl Stored {
    /// A home in which nothing was ever applied.
    pub fn empty(home: HomeId) -> Self {
        Stored {
            home,
            revision: 0,
            project: None,
            flows: BTreeMap::new(),
            work_pools: BTreeMap::new(),
            work_queues: BTreeMap::new(),
            tag_limits: BTreeMap::new(),
            deployments: BTreeMap::new(),
            tombstones: BTreeMap::new(),
        }
    }
}

/// A project that was applied to this home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub name: String,
    pub root: String,
    /// How often its definitions changed.
    pub generation: u64,
    pub applied: Timestamp,
    /// What was read when it was applied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
}

/// Which state of the files something was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// SHA-256 in hex over the names and contents of all files that were read.
    pub content: String,
    /// The commit that is checked out where the files lie, in full; `None` outside a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Project {
    /// The suspension that is in force.
    pub fn suspension(&self, now: Timestamp) -> Option<&Suspension> {
        self.suspended.as_ref().filter(|suspension| suspension.until.is_none_or(|until| now < until))
    }
}

/// That a project is not reconciled: its files may change, and nothing here does. Its schedules go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    pub who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl fmt::Display for Suspension {
    /// `by alice since 2026-11-21T09:00:00Z until ...: database move`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {} since {:.0}", self.who, self.since)?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

/// What a pruned deployment was, kept for 7 days so that it can be restored with its id and history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    pub deployment: Deployment,
    pub pruned: Timestamp,
    pub project: String,
}

impl Tombstone {
    /// From when on it cannot be restored any more.
    pub fn until(&self) -> Timestamp {
        self.pruned.saturating_add(SignedDuration::from_hours(24 * TOMBSTONE_DAYS)).unwrap_or(Timestamp::MAX)
    }
}

/// How long a tombstone is kept.
pub const TOMBSTONE_DAYS: i64 = 7;
