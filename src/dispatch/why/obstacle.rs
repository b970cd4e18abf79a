//! One thing that stands in a run's way: what it is, who holds it, and what lifts it.
use super::run::RunFacts;
use crate::dispatch::queue::Reason;
use crate::model::deployment::Deployment;
use crate::model::id::FlowRunId;
use crate::model::name::typed;
use crate::model::run::FlowRun;
use crate::model::work_pool::DEFAULT_QUEUE;
use jiff::Timestamp;
use serde::Serialize;

/// How many holders of one obstacle are named.
const MOST_HOLDERS: usize = 20;

/// What would keep the run from starting if nothing else did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// `pool_full`, `tag_full`, `pool_paused`...
    pub kind: &'static str,
    /// Without a full stop.
    pub text: String,
    /// Whether it stays until somebody changes something.
    pub needs_a_person: bool,
    /// What that person can do, as a command where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The runs that hold it, the oldest first. At most 20.
    pub holders: Vec<HeldBy>,
    /// How many more there are.
    pub more_holders: usize,
}

/// A run that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldBy {
    pub run: FlowRunId,
    pub name: String,
    pub deployment: Option<String>,
    pub since: Timestamp,
}

pub(super) fn no_daemon() -> Obstacle {
    let remedy = Some("reeve daemon".to_owned());
    let text = "no daemon is ready on this home, and nothing that is due starts".to_owned();
    Obstacle { kind: "no_daemon", text, needs_a_person: true, remedy, holders: Vec::new(), more_holders: 0 }
}

/// `text`: its time, or its next attempt, and when that is.
pub(super) fn time(text: String) -> Obstacle {
    Obstacle { kind: "not_due", text, needs_a_person: false, remedy: None, holders: Vec::new(), more_holders: 0 }
}

pub(super) fn of(facts: &RunFacts<'_>, deployment: &Deployment, reason: &Reason) -> Obstacle {
    let needs_a_person = reason.needs_a_person();
    let remedy = needs_a_person.then(|| remedy(reason)).flatten();
    let mut holders = held_by(facts, deployment, reason);
    let more_holders = holders.len().saturating_sub(MOST_HOLDERS);
    holders.truncate(MOST_HOLDERS);
    Obstacle { kind: kind(reason), text: reason.to_string(), needs_a_person, remedy, holders, more_holders }
}

fn kind(reason: &Reason) -> &'static str {
    match reason {
        Reason::NotDue => "not_due",
        Reason::NoSuchPool(_) => "no_such_pool",
        Reason::NoSuchQueue { .. } => "no_such_queue",
        Reason::PoolPaused(_) => "pool_paused",
        Reason::QueuePaused { .. } => "queue_paused",
        Reason::QueueFilter { .. } => "queue_filter",
        Reason::PoolFull { .. } => "pool_full",
        Reason::QueueFull { .. } => "queue_full",
        Reason::TagFull { .. } => "tag_full",
        Reason::DeploymentFull { .. } => "deployment_full",
        Reason::StillGoing(_) => "still_going",
        Reason::NoExecutor { .. } => "no_worker",
    }
}

/// What somebody can do about what only a person can lift.
fn remedy(reason: &Reason) -> Option<String> {
    Some(match reason {
        Reason::NoSuchPool(pool) => format!("declare it under work_pools:, or: reeve work-pool create --type process {}", typed(pool)),
        Reason::NoSuchQueue { pool, queue } => format!("reeve work-queue create --pool {} {}", typed(pool), typed(queue)),
        Reason::PoolPaused(pool) => format!("reeve work-pool resume {}", typed(pool)),
        Reason::QueuePaused { pool, queue } => format!("reeve work-queue resume {}", typed(&format!("{pool}/{queue}"))),
        Reason::QueueFilter { .. } => "give the queue another filter, or the deployment another queue".to_owned(),
        Reason::NoExecutor { pool, kind } => format!("let a worker of type '{kind}' serve the pool '{pool}'"),
        Reason::PoolFull { .. } => "give the work pool a higher concurrency_limit, or none".to_owned(),
        Reason::QueueFull { .. } => "give the work queue a higher concurrency_limit, or none".to_owned(),
        Reason::TagFull { tag, .. } => format!("reeve concurrency-limit update {} N", typed(tag)),
        Reason::DeploymentFull { .. } => "give the deployment a higher concurrency_limit, or none".to_owned(),
        Reason::NotDue | Reason::StillGoing(_) => return None,
    })
}

/// The runs that hold the slots of what is full.
fn held_by(facts: &RunFacts<'_>, deployment: &Deployment, reason: &Reason) -> Vec<HeldBy> {
    let takes = |run: &FlowRun| run.state.kind.holds_slots();
    let holds = |run: &&FlowRun| match reason {
        Reason::PoolFull { pool, .. } => takes(run) && run.pool() == Some(pool),
        Reason::QueueFull { pool, queue, .. } => {
            takes(run) && run.pool() == Some(pool) && run.work_queue.as_deref().unwrap_or(DEFAULT_QUEUE) == queue
        }
        Reason::TagFull { tag, .. } => takes(run) && run.tags.contains(tag),
        Reason::DeploymentFull { .. } => takes(run) && run.deployment_id == Some(deployment.id),
        // It may be between two attempts, and take no slot.
        Reason::StillGoing(going) => run.id == *going,
        _ => false,
    };
    let view = |run: &FlowRun| HeldBy {
        run: run.id,
        name: run.name.clone(),
        deployment: run.deployment.as_ref().map(ToString::to_string),
        since: run.start_time.unwrap_or(run.state.timestamp),
    };
    let mut found: Vec<HeldBy> = facts.active.iter().filter(|run| run.id != facts.run.id).filter(holds).map(view).collect();
    found.sort_by_key(|held| (held.since, held.run));
    found
}
