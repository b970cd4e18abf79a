//! What is remembered of a project's definitions: the other input of a plan.
use super::deployment::{Deployment, Flow, FullName};
use super::id::{HomeId, Kind};
use super::overrides::Owner;
use super::tag_limit::TagLimit;
use super::work_pool::{WorkPool, WorkQueue};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use uuid::Uuid;

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
    /// What was pruned, in this home by any project, and is still kept.
    pub tombstones: BTreeMap<ObjectName, Tombstone>,
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

/// What was pruned, kept for 7 days so that it can be restored with its id, overrides and history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Flat, so that a record from when only deployments had tombstones reads the same.
    #[serde(flatten)]
    pub object: Pruned,
    pub pruned: Timestamp,
    pub project: String,
}

/// An object as it was when it was pruned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pruned {
    Deployment(Box<Deployment>),
    WorkPool(Box<WorkPool>),
    WorkQueue(Box<WorkQueue>),
    TagLimit(Box<TagLimit>),
}

/// What a pruned object is found by: its kind, and the name that is unique among those.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectName {
    /// By its tag.
    TagLimit(String),
    WorkPool(String),
    WorkQueue { pool: String, name: String },
    Deployment(FullName),
}

impl ObjectName {
    pub fn queue(pool: &str, name: &str) -> Self {
        ObjectName::WorkQueue { pool: pool.to_owned(), name: name.to_owned() }
    }

    /// `name` as [`fmt::Display`] writes it; `None`: it names nothing of that kind, or the kind has no tombstones.
    pub fn parse(kind: Kind, name: &str) -> Option<Self> {
        match kind {
            Kind::ConcurrencyLimit => Some(ObjectName::TagLimit(name.to_owned())),
            Kind::WorkPool => Some(ObjectName::WorkPool(name.to_owned())),
            Kind::WorkQueue => name.split_once('/').map(|(pool, name)| ObjectName::queue(pool, name)),
            Kind::Deployment => FullName::parse(name).map(ObjectName::Deployment),
            Kind::Flow | Kind::Schedule => None,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            ObjectName::TagLimit(_) => Kind::ConcurrencyLimit,
            ObjectName::WorkPool(_) => Kind::WorkPool,
            ObjectName::WorkQueue { .. } => Kind::WorkQueue,
            ObjectName::Deployment(_) => Kind::Deployment,
        }
    }
}

impl fmt::Display for ObjectName {
    /// `flow/deployment`, `pool`, `pool/queue`, or a tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectName::TagLimit(name) | ObjectName::WorkPool(name) => f.write_str(name),
            ObjectName::WorkQueue { pool, name } => write!(f, "{pool}/{name}"),
            ObjectName::Deployment(name) => name.fmt(f),
        }
    }
}

impl Pruned {
    pub fn name(&self) -> ObjectName {
        match self {
            Pruned::Deployment(deployment) => ObjectName::Deployment(deployment.name.clone()),
            Pruned::WorkPool(pool) => ObjectName::WorkPool(pool.name.clone()),
            Pruned::WorkQueue(queue) => ObjectName::queue(&queue.pool, &queue.name),
            Pruned::TagLimit(limit) => ObjectName::TagLimit(limit.tag.clone()),
        }
    }

    pub fn id(&self) -> Uuid {
        match self {
            Pruned::Deployment(deployment) => deployment.id.0,
            Pruned::WorkPool(pool) => pool.id.0,
            Pruned::WorkQueue(queue) => queue.id.0,
            Pruned::TagLimit(limit) => limit.id.0,
        }
    }

    pub fn owner(&self) -> Option<&Owner> {
        match self {
            Pruned::Deployment(deployment) => deployment.owner.as_ref(),
            Pruned::WorkPool(pool) => pool.owner.as_ref(),
            Pruned::WorkQueue(queue) => queue.owner.as_ref(),
            Pruned::TagLimit(limit) => limit.owner.as_ref(),
        }
    }
}

impl Tombstone {
    /// From when on it cannot be restored any more.
    pub fn until(&self) -> Timestamp {
        self.pruned.saturating_add(SignedDuration::from_hours(24 * TOMBSTONE_DAYS)).unwrap_or(Timestamp::MAX)
    }
}

/// How long a tombstone is kept.
pub const TOMBSTONE_DAYS: i64 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::deployment::DeploymentSpec;
    use serde_json::json;

    #[test]
    fn a_tombstone_from_when_only_deployments_had_them_reads_and_is_written_the_same() {
        let of = |id: u128| Uuid::from_u128(id).to_string();
        let deployment = json!({"id": of(1), "flow_id": of(2), "name": {"flow": "a", "deployment": "b"}, "declared": DeploymentSpec::default(),
            "schedules": [], "created": "2026-11-20T09:00:00Z", "updated": "2026-11-20T09:00:00Z"});
        let old = json!({"deployment": deployment, "pruned": "2026-11-21T09:00:00Z", "project": "etl"});
        let read: Tombstone = serde_json::from_value(old.clone()).unwrap();
        assert_eq!((read.object.name(), &*read.project), (ObjectName::Deployment(FullName::new("a", "b")), "etl"));
        let written = serde_json::to_value(&read).unwrap();
        assert!(written["deployment"]["id"] == old["deployment"]["id"] && written["pruned"] == old["pruned"] && written["project"] == "etl");
    }
}
