//! The writes that a plan's steps are made of. The ledger performs them; nothing is decided there.
use super::deployment::{Deployment, Flow, FullName};
use super::event::Event;
use super::id::DeploymentId;
use super::stored::{ObjectName, Project, Tombstone};
use super::tag_limit::TagLimit;
use super::work_pool::{WorkPool, WorkQueue};

/// One write of a definition. A plan's step is a list of these; applying decides nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    PutProject(Project),
    DeleteProject(String),
    PutFlow(Flow),
    PutDeployment(Box<Deployment>),
    DeleteDeployment { id: DeploymentId, name: FullName },
    PutTombstone(Box<Tombstone>),
    DeleteTombstone(ObjectName),
    PutWorkPool(WorkPool),
    DeleteWorkPool(String),
    PutWorkQueue(WorkQueue),
    DeleteWorkQueue { pool: String, name: String },
    PutTagLimit(TagLimit),
    /// By its tag.
    DeleteTagLimit(String),
    /// Tells of the other writes of its commit.
    AddEvent(Box<Event>),
}
