//! Which waiting runs may start now, in which order, and why the others wait.
//!
//! In a pool, queues are a waterfall: all of priority 1 before any of priority 2. Within a priority deployments take turns (`turns`):
//! the one with the fewest runs going is next, then the one that has stood in line longest; of one deployment's runs the one
//! that was due first goes first. A run starts when its pool and queue exist, are not paused and have a slot free, each of its tags
//! that has a limit has a slot free, its deployment's limit has room, and this host can execute the pool's kind.
//!
//! A run takes all the slots that it needs or none: while it waits for one, what else it needs is not kept free for it. Slots are
//! counted from the runs that are going each time (`slots`), so that none can leak.
//!
//! Before that, a run that waited longer than its schedule allows expires, and one that meets an earlier run of its deployment
//! fares as its schedule's overlap policy says (`overlap`).
//!
//! A run that names no queue belongs to the first queue of its pool, by priority and name, whose filter matches
//! it, else to the pool's `default`. A run without a pool belongs to a matching filtered queue of the default
//! agent pool, else to none: it starts at once. A queue with a filter serves only what matches (`place`).
mod heads;
mod line;
mod place;
mod slots;
mod turns;

pub use heads::{Heads, heads};
pub use line::{Line, line};

use super::due::LATE_AFTER;
use super::overlap::{Consequence, Going, Skipped};
use super::wait;
use crate::model::deployment::{ConcurrencyLimit, Deployment};
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::policy::{Overlap, Policy};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::model::tag_limit::TagLimit;
use crate::model::work_pool::{QueueFilter, WorkPool, WorkQueue};
use jiff::Timestamp;
use line::Granted;
use place::Places;
use slots::Slots;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use turns::Turns;

/// A pool as the decision needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    pub kind: String,
    pub paused: bool,
    pub limit: Option<u32>,
    pub queues: BTreeMap<String, Queue>,
}

/// A queue as the decision needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    pub paused: bool,
    pub priority: u32,
    pub limit: Option<u32>,
    pub filter: Option<QueueFilter>,
}

/// All that limits how many runs go at once, but for the deployments' own limits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Capacity {
    pub pools: BTreeMap<String, Pool>,
    /// The limits of tags.
    pub tags: BTreeMap<String, u32>,
}

impl Capacity {
    /// What is in force, overrides included.
    pub fn of(pools: &[WorkPool], queues: &[WorkQueue], limits: &[TagLimit]) -> Self {
        let mut capacity = Capacity::default();
        for pool in pools {
            let spec = pool.effective();
            let view = Pool { kind: spec.kind, paused: spec.paused, limit: spec.concurrency_limit, queues: BTreeMap::new() };
            capacity.pools.insert(pool.name.clone(), view);
        }
        for queue in queues {
            let spec = queue.effective();
            let view = Queue { paused: spec.paused, priority: spec.priority, limit: spec.concurrency_limit, filter: spec.filter };
            if let Some(pool) = capacity.pools.get_mut(&queue.pool) {
                pool.queues.insert(queue.name.clone(), view);
            }
        }
        capacity.tags = limits.iter().map(|limit| (limit.tag.clone(), limit.effective().concurrency_limit)).collect();
        capacity
    }
}

/// The policies of the schedule that made a run.
pub fn policy_of<'a>(run: &FlowRun, deployment: &'a Deployment) -> Option<&'a Policy> {
    let slot = run.slot.as_ref()?;
    deployment.schedules.iter().find(|schedule| schedule.id == slot.schedule).map(|schedule| &schedule.declared.policy)
}

/// A run that is due, or will be.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    pub run: FlowRunId,
    pub due: Timestamp,
    /// When it is too late to start it.
    pub expires: Option<Timestamp>,
    /// When it is to be marked as late.
    pub late_at: Option<Timestamp>,
    pub overlap: Overlap,
    /// It has never been running.
    pub first_attempt: bool,
    pub deployment: Option<DeploymentId>,
    /// `flow/deployment`, for filters.
    pub deployment_name: Option<String>,
    pub limit: Option<ConcurrencyLimit>,
    pub pool: Option<String>,
    pub queue: Option<String>,
    pub tags: Vec<String>,
}

impl Waiting {
    /// A scheduled run of `deployment`, as it waits at `now`.
    pub fn of(run: &FlowRun, deployment: &Deployment, now: Timestamp) -> Waiting {
        let policy = policy_of(run, deployment);
        let due = wait::due(run, now);
        let expire_after = policy.and_then(|policy| policy.expire_after).filter(|_| run.run_count == 0);
        let is_marked = run.state.name != StateType::Scheduled.title();
        Waiting {
            run: run.id,
            due,
            expires: expire_after.and_then(|after| due.checked_add(after.duration()).ok()),
            overlap: policy.map_or(Overlap::Allow, |policy| policy.overlap),
            late_at: (!is_marked).then(|| due.saturating_add(LATE_AFTER).unwrap_or(Timestamp::MAX)),
            first_attempt: run.run_count == 0,
            deployment: run.deployment_id,
            deployment_name: run.deployment.as_ref().map(ToString::to_string),
            limit: deployment.declared.concurrency_limit.clone(),
            pool: run.work_pool.clone(),
            queue: run.work_queue.clone(),
            tags: run.tags.clone(),
        }
    }
}

/// A run that is going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub run: FlowRunId,
    /// It waits for its next attempt, and holds no slot meanwhile.
    pub between_attempts: bool,
    /// It has been told to end.
    pub stopping: bool,
    pub deployment: Option<DeploymentId>,
    /// The pool that its slots are of: for a run without one that a queue of the default agent pool served, that pool.
    pub pool: Option<String>,
    pub queue: Option<String>,
    pub tags: Vec<String>,
}

impl Holder {
    /// A run as it is stored.
    pub fn of(run: &FlowRun) -> Holder {
        Holder {
            run: run.id,
            between_attempts: run.state.kind == StateType::Scheduled,
            stopping: run.state.kind == StateType::Cancelling,
            deployment: run.deployment_id,
            pool: run.pool().map(str::to_owned),
            queue: run.work_queue.clone(),
            tags: run.tags.clone(),
        }
    }
}

/// What becomes of a waiting run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It starts, from this pool and queue.
    Start { pool: Option<String>, queue: Option<String> },
    Wait(Reason),
    /// It waits, for runs that are to be cancelled for it.
    Supersede { stop: Vec<FlowRunId>, reason: Reason },
    Cancel(Cancelled),
}

/// Why a waiting run will never start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// Its deployment's limit is full and cancels what is new.
    DeploymentFull,
    Skipped(Skipped),
    Expired,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reason {
    NotDue,
    NoSuchPool(String),
    NoSuchQueue { pool: String, queue: String },
    PoolPaused(String),
    QueuePaused { pool: String, queue: String },
    QueueFilter { pool: String, queue: String },
    PoolFull { pool: String, limit: u32 },
    QueueFull { pool: String, queue: String, limit: u32 },
    /// A tag of the run has a limit, and no slot is free.
    TagFull { tag: String, limit: u32 },
    DeploymentFull { limit: u32 },
    /// Its schedule's runs do not overlap, and this one is still going.
    StillGoing(FlowRunId),
    /// Only a worker of that kind can run it.
    NoExecutor { pool: String, kind: String },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotDue => write!(f, "it is not due yet"),
            Reason::NoSuchPool(pool) => write!(f, "its work pool '{pool}' does not exist"),
            Reason::NoSuchQueue { pool, queue } => write!(f, "work pool '{pool}' has no queue '{queue}'"),
            Reason::PoolPaused(pool) => write!(f, "its work pool '{pool}' is paused"),
            Reason::QueuePaused { pool, queue } => write!(f, "its work queue '{pool}/{queue}' is paused"),
            Reason::QueueFilter { pool, queue } => write!(f, "the filter of work queue '{pool}/{queue}' does not match it"),
            Reason::PoolFull { pool, limit } => full(f, format_args!("work pool '{pool}'"), *limit),
            Reason::QueueFull { pool, queue, limit } => full(f, format_args!("work queue '{pool}/{queue}'"), *limit),
            Reason::TagFull { tag, limit } => full(f, format_args!("the tag '{tag}'"), *limit),
            Reason::DeploymentFull { limit } => write!(f, "its deployment's limit of {limit} is reached"),
            Reason::StillGoing(run) => write!(f, "run {run} of its deployment is still going"),
            Reason::NoExecutor { pool, kind } => write!(f, "work pool '{pool}' is of type '{kind}', which only a worker of that type can run"),
        }
    }
}

impl Reason {
    /// Whether it stays as it is until somebody changes something: no run that ends lifts it, and no time that passes.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Reason::NotDue | Reason::StillGoing(_) => false,
            Reason::NoSuchPool(_) | Reason::NoSuchQueue { .. } | Reason::PoolPaused(_) | Reason::QueuePaused { .. } => true,
            Reason::QueueFilter { .. } | Reason::NoExecutor { .. } => true,
            Reason::PoolFull { limit, .. } | Reason::QueueFull { limit, .. } | Reason::TagFull { limit, .. } | Reason::DeploymentFull { limit } => {
                *limit == 0
            }
        }
    }
}

fn full(f: &mut fmt::Formatter<'_>, what: fmt::Arguments<'_>, limit: u32) -> fmt::Result {
    match limit {
        0 => write!(f, "the concurrency limit of {what} is 0"),
        1 => write!(f, "the only slot of {what} is taken"),
        _ => write!(f, "all {limit} slots of {what} are taken"),
    }
}

/// The pool and the queue that a waiting run stands in; neither where it starts at once.
pub fn standing<'a>(capacity: &'a Capacity, run: &'a Waiting) -> (Option<&'a str>, Option<&'a str>) {
    let place = Places::of(capacity).place(run);
    (place.pool, place.queue)
}

/// Everything that a decision depends on.
pub struct Snapshot<'a> {
    pub capacity: &'a Capacity,
    pub holders: &'a mut dyn Iterator<Item = &'a Holder>,
    /// When a run of a deployment was started last: who was served goes to the end of the line.
    pub served: &'a HashMap<DeploymentId, Timestamp>,
    /// The kinds of pool that this host executes itself.
    pub kinds: &'a [&'a str],
    pub now: Timestamp,
    /// Runs that are due by then may start.
    pub horizon: Timestamp,
}

/// The verdict on each waiting run, the starting ones in the order in which they are to start.
pub fn decide(snapshot: Snapshot<'_>, waiting: &[&Waiting]) -> Vec<(FlowRunId, Verdict)> {
    let (terms, holders) = snapshot.split();
    settle(terms, holders, waiting, &Granted::default()).verdicts
}

/// All of a snapshot but who holds slots.
#[derive(Clone, Copy)]
struct Terms<'a> {
    capacity: &'a Capacity,
    served: &'a HashMap<DeploymentId, Timestamp>,
    kinds: &'a [&'a str],
    now: Timestamp,
    horizon: Timestamp,
}

impl<'a> Snapshot<'a> {
    fn split(self) -> (Terms<'a>, &'a mut dyn Iterator<Item = &'a Holder>) {
        let Snapshot { capacity, holders, served, kinds, now, horizon } = self;
        (Terms { capacity, served, kinds, now, horizon }, holders)
    }
}

/// A decision, and what it was made of.
struct Settled<'a> {
    verdicts: Vec<(FlowRunId, Verdict)>,
    /// What is taken after what starts has started.
    slots: Slots<'a>,
    places: Places<'a>,
}

/// Decides as if nobody had to wait for what is granted.
fn settle<'a, 'h: 'a>(terms: Terms<'a>, holders: impl Iterator<Item = &'h Holder>, waiting: &[&'a Waiting], granted: &Granted) -> Settled<'a> {
    let Terms { capacity, served, kinds, now, horizon } = terms;
    let (mut slots, mut going) = (Slots::of(capacity), Going::default());
    for holder in holders {
        if !holder.between_attempts {
            slots.take(holder.deployment, holder.pool.as_deref(), holder.queue.as_deref(), &holder.tags);
        }
        going.add(holder.deployment, holder.run, holder.stopping);
    }
    let expired = |run: &Waiting| run.first_attempt && run.expires.is_some_and(|expires| expires < now);
    let is_due = |run: &Waiting| run.due <= horizon;
    going.look_ahead(waiting.iter().copied().filter(|run| is_due(run) && !expired(run)));
    let places = Places::of(capacity);
    let mut verdicts = Vec::with_capacity(waiting.len());
    let mut turns = Turns::of(waiting.iter().map(|run| (*run, places.place(run))), served);
    while let Some((run, place)) = turns.next(|deployment| slots.of_deployment(deployment)) {
        let verdict = if !is_due(run) {
            Verdict::Wait(Reason::NotDue)
        } else if expired(run) {
            Verdict::Cancel(Cancelled::Expired)
        } else {
            match going.consequence(run) {
                Consequence::Skip(why) => Verdict::Cancel(Cancelled::Skipped(why)),
                Consequence::Wait { of, .. } if granted.holds(run, &Reason::StillGoing(of)) => slots.verdict(kinds, run, place, granted),
                Consequence::Wait { of, stop } if stop.is_empty() => Verdict::Wait(Reason::StillGoing(of)),
                Consequence::Wait { of, stop } => Verdict::Supersede { stop, reason: Reason::StillGoing(of) },
                Consequence::None => slots.verdict(kinds, run, place, granted),
            }
        };
        // A run may start a little ahead of its time; whether it may not is only known when it is due: what is in its way may end.
        let ahead = run.due > now && matches!(verdict, Verdict::Cancel(_) | Verdict::Supersede { .. });
        let verdict = if ahead { Verdict::Wait(Reason::NotDue) } else { verdict };
        if let Verdict::Start { .. } = &verdict {
            slots.take(run.deployment, place.pool, place.queue, &run.tags);
            going.add(run.deployment, run.run, false);
        }
        verdicts.push((run.run, verdict));
    }
    Settled { verdicts, slots, places }
}

#[cfg(test)]
mod tests;
