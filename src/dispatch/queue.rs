//! Which waiting runs may start now, in which order, and why the others wait.
//!
//! In a pool, queues are a waterfall: all of priority 1 before any of priority 2. Within a priority the run that
//! was due first goes first; its id decides a tie. A run starts when its pool and queue exist, are not paused and
//! have a slot free, its deployment's limit has room, and this host can execute the pool's kind.
//!
//! Before that, a run that waited longer than its schedule allows expires, and one that meets an earlier run of its deployment
//! fares as its schedule's overlap policy says (`overlap`).
//!
//! A run that names no queue belongs to the first queue of its pool, by priority and name, whose filter matches
//! it, else to the pool's `default`. A run without a pool belongs to a matching filtered queue of the default
//! agent pool, else to none: it starts at once. A queue with a filter serves only what matches.
use super::due::LATE_AFTER;
use super::overlap::{Consequence, Going, Skipped};
use crate::model::deployment::{CollisionStrategy, ConcurrencyLimit, Deployment};
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::policy::{Overlap, Policy};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::model::work_pool::{DEFAULT_AGENT_POOL, DEFAULT_QUEUE, QueueFilter, WorkPool, WorkQueue};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

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

/// The pools and queues as decisions need them.
pub fn pools(pools: &[WorkPool], queues: &[WorkQueue]) -> BTreeMap<String, Pool> {
    let mut views = BTreeMap::new();
    for pool in pools {
        let spec = pool.effective();
        let view = Pool { kind: spec.kind, paused: spec.paused, limit: spec.concurrency_limit, queues: BTreeMap::new() };
        views.insert(pool.name.clone(), view);
    }
    for queue in queues {
        let spec = queue.effective();
        let view = Queue { paused: spec.paused, priority: spec.priority, limit: spec.concurrency_limit, filter: spec.filter };
        if let Some(pool) = views.get_mut(&queue.pool) {
            pool.queues.insert(queue.name.clone(), view);
        }
    }
    views
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
    /// A scheduled run of `deployment`.
    pub fn of(run: &FlowRun, deployment: &Deployment) -> Waiting {
        let policy = policy_of(run, deployment);
        let due = run.scheduled_time().unwrap_or(run.expected_start_time);
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
    pub pool: Option<String>,
    pub queue: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    NotDue,
    NoSuchPool(String),
    NoSuchQueue { pool: String, queue: String },
    PoolPaused(String),
    QueuePaused { pool: String, queue: String },
    QueueFilter { pool: String, queue: String },
    PoolFull { pool: String, limit: u32 },
    QueueFull { pool: String, queue: String, limit: u32 },
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
            Reason::PoolFull { pool, limit } => write!(f, "all {limit} slots of work pool '{pool}' are taken"),
            Reason::QueueFull { pool, queue, limit } => write!(f, "all {limit} slots of work queue '{pool}/{queue}' are taken"),
            Reason::DeploymentFull { limit } => write!(f, "its deployment's limit of {limit} is reached"),
            Reason::StillGoing(run) => write!(f, "run {run} of its deployment is still going"),
            Reason::NoExecutor { pool, kind } => write!(f, "work pool '{pool}' is of type '{kind}', which only a worker of that type can run"),
        }
    }
}

/// Everything that a decision depends on.
pub struct Snapshot<'a> {
    pub pools: &'a BTreeMap<String, Pool>,
    pub holders: &'a mut dyn Iterator<Item = &'a Holder>,
    /// The kinds of pool that this host executes itself.
    pub kinds: &'a [&'a str],
    pub now: Timestamp,
    /// Runs that are due by then may start.
    pub horizon: Timestamp,
}

/// The verdict on each waiting run, the starting ones in the order in which they are to start.
pub fn decide(snapshot: Snapshot<'_>, waiting: &[&Waiting]) -> Vec<(FlowRunId, Verdict)> {
    let (mut taken, mut going) = (Taken::default(), Going::default());
    for holder in snapshot.holders {
        taken.add(holder);
        going.add(holder);
    }
    let Snapshot { pools, kinds, now, horizon, .. } = snapshot;
    let expired = |run: &Waiting| run.first_attempt && run.expires.is_some_and(|expires| expires < now);
    let is_due = |run: &Waiting| run.due <= horizon;
    going.look_ahead(waiting.iter().copied().filter(|run| is_due(run) && !expired(run)));
    let mut placed: Vec<(&Waiting, Place)> =
        waiting.iter().map(|run| (*run, place(pools, run))).collect();
    placed.sort_by(|(a, first), (b, second)| {
        (first.priority, a.due, a.run).cmp(&(second.priority, b.due, b.run))
    });
    let mut verdicts = Vec::with_capacity(placed.len());
    for (run, place) in placed {
        let verdict = if !is_due(run) {
            Verdict::Wait(Reason::NotDue)
        } else if expired(run) {
            Verdict::Cancel(Cancelled::Expired)
        } else {
            match going.consequence(run) {
                Consequence::Skip(why) => Verdict::Cancel(Cancelled::Skipped(why)),
                Consequence::Wait { of, stop } if stop.is_empty() => Verdict::Wait(Reason::StillGoing(of)),
                Consequence::Wait { of, stop } => Verdict::Supersede { stop, reason: Reason::StillGoing(of) },
                Consequence::None => verdict(pools, kinds, &taken, run, &place),
            }
        };
        // A run may start a little ahead of its time; whether it may not is only known when it is due: what is in its way may end.
        let ahead = run.due > now && matches!(verdict, Verdict::Cancel(_) | Verdict::Supersede { .. });
        let verdict = if ahead { Verdict::Wait(Reason::NotDue) } else { verdict };
        if let Verdict::Start { pool, queue } = &verdict {
            let holder = Holder {
                run: run.run,
                between_attempts: false,
                stopping: false,
                deployment: run.deployment,
                pool: pool.clone(),
                queue: queue.clone(),
            };
            taken.add(&holder);
            going.add(&holder);
        }
        verdicts.push((run.run, verdict));
    }
    verdicts
}

/// Where a run stands in the order.
struct Place {
    priority: u32,
    pool: Option<String>,
    queue: Option<String>,
}

fn place(pools: &BTreeMap<String, Pool>, run: &Waiting) -> Place {
    let name = run.pool.as_deref().unwrap_or(DEFAULT_AGENT_POOL);
    let Some(pool) = pools.get(name) else {
        return Place { priority: 1, pool: run.pool.clone(), queue: run.queue.clone() };
    };
    let mut matching: Vec<(&String, &Queue)> = pool
        .queues
        .iter()
        .filter(|(_, queue)| queue.filter.as_ref().is_some_and(|filter| matches(filter, run)))
        .collect();
    matching.sort_by_key(|(queue_name, queue)| (queue.priority, *queue_name));
    let queue = match (&run.queue, matching.first()) {
        (Some(named), _) => named.clone(),
        (None, Some((first, _))) => (*first).clone(),
        (None, None) if run.pool.is_none() => return Place { priority: 1, pool: None, queue: None },
        (None, None) => DEFAULT_QUEUE.to_owned(),
    };
    let priority = pool.queues.get(&queue).map_or(1, |queue| queue.priority);
    Place { priority, pool: Some(name.to_owned()), queue: Some(queue) }
}

/// Whether a queue's filter lets a run through: all of its tags, and, where it names deployments, one of them.
pub fn matches(filter: &QueueFilter, run: &Waiting) -> bool {
    let named = || run.deployment_name.as_ref().is_some_and(|name| filter.deployments.contains(name));
    filter.tags.iter().all(|tag| run.tags.contains(tag)) && (filter.deployments.is_empty() || named())
}

fn verdict(
    pools: &BTreeMap<String, Pool>,
    kinds: &[&str],
    taken: &Taken,
    run: &Waiting,
    place: &Place,
) -> Verdict {
    if let (Some(pool_name), queue_name) = (&place.pool, place.queue.as_deref().unwrap_or(DEFAULT_QUEUE)) {
        if let Some(reason) = pool_reason(pools, kinds, taken, pool_name, queue_name, run) {
            return Verdict::Wait(reason);
        }
    }
    if let (Some(limit), Some(deployment)) = (&run.limit, run.deployment)
        && taken.deployments.get(&deployment).is_some_and(|held| *held >= limit.limit)
    {
        return match limit.collision_strategy {
            CollisionStrategy::Enqueue => Verdict::Wait(Reason::DeploymentFull { limit: limit.limit }),
            CollisionStrategy::CancelNew => Verdict::Cancel(Cancelled::DeploymentFull),
        };
    }
    Verdict::Start { pool: place.pool.clone(), queue: place.queue.clone() }
}

fn pool_reason(
    pools: &BTreeMap<String, Pool>,
    kinds: &[&str],
    taken: &Taken,
    pool_name: &str,
    queue_name: &str,
    run: &Waiting,
) -> Option<Reason> {
    let pool_of = || pool_name.to_owned();
    let queue_of = || queue_name.to_owned();
    let Some(pool) = pools.get(pool_name) else {
        return Some(Reason::NoSuchPool(pool_of()));
    };
    let Some(queue) = pool.queues.get(queue_name) else {
        return Some(Reason::NoSuchQueue { pool: pool_of(), queue: queue_of() });
    };
    if !kinds.contains(&pool.kind.as_str()) {
        return Some(Reason::NoExecutor { pool: pool_of(), kind: pool.kind.clone() });
    }
    if pool.paused {
        return Some(Reason::PoolPaused(pool_of()));
    }
    if queue.paused {
        return Some(Reason::QueuePaused { pool: pool_of(), queue: queue_of() });
    }
    if queue.filter.as_ref().is_some_and(|filter| !matches(filter, run)) {
        return Some(Reason::QueueFilter { pool: pool_of(), queue: queue_of() });
    }
    let held = taken.pools.get(pool_name).copied().unwrap_or(0);
    if let Some(limit) = pool.limit.filter(|limit| held >= *limit) {
        return Some(Reason::PoolFull { pool: pool_of(), limit });
    }
    let held = taken.queues.get(&(pool_of(), queue_of())).copied().unwrap_or(0);
    if let Some(limit) = queue.limit.filter(|limit| held >= *limit) {
        return Some(Reason::QueueFull { pool: pool_of(), queue: queue_of(), limit });
    }
    None
}

/// How many runs hold a slot of what.
#[derive(Default)]
struct Taken {
    pools: HashMap<String, u32>,
    queues: HashMap<(String, String), u32>,
    deployments: HashMap<DeploymentId, u32>,
}

impl Taken {
    fn add(&mut self, holder: &Holder) {
        if holder.between_attempts {
            return;
        }
        if let Some(deployment) = holder.deployment {
            *self.deployments.entry(deployment).or_default() += 1;
        }
        let Some(pool) = &holder.pool else { return };
        *self.pools.entry(pool.clone()).or_default() += 1;
        if let Some(queue) = &holder.queue {
            *self.queues.entry((pool.clone(), queue.clone())).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn run(number: u128, due: i64) -> Waiting {
        Waiting {
            run: FlowRunId(Uuid::from_u128(number)),
            due: at(due),
            expires: None,
            late_at: None,
            overlap: Overlap::Allow,
            first_attempt: true,
            deployment: Some(DeploymentId(Uuid::from_u128(1_000 + number))),
            deployment_name: Some(format!("flow/d{number}")),
            limit: None,
            pool: Some("pool".to_owned()),
            queue: None,
            tags: Vec::new(),
        }
    }

    fn queue(priority: u32) -> Queue {
        Queue { paused: false, priority, limit: None, filter: None }
    }

    fn pool(queues: &[(&str, Queue)]) -> BTreeMap<String, Pool> {
        let queues = queues.iter().map(|(name, queue)| (name.to_string(), queue.clone())).collect();
        BTreeMap::from([("pool".to_owned(), Pool { kind: "process".to_owned(), paused: false, limit: None, queues })])
    }

    fn decided(pools: &BTreeMap<String, Pool>, holders: &[Holder], waiting: &[Waiting]) -> Vec<(u128, Verdict)> {
        let snapshot = Snapshot { pools, holders: &mut holders.iter(), kinds: &["process"], now: at(100), horizon: at(100) };
        let waiting: Vec<&Waiting> = waiting.iter().collect();
        decide(snapshot, &waiting).into_iter().map(|(run, verdict)| (run.0.as_u128(), verdict)).collect()
    }

    fn started(verdicts: &[(u128, Verdict)]) -> Vec<u128> {
        verdicts.iter().filter(|(_, v)| matches!(v, Verdict::Start { .. })).map(|(run, _)| *run).collect()
    }

    fn holder(waiting: &Waiting, queue: &str) -> Holder {
        Holder {
            run: waiting.run,
            between_attempts: false,
            stopping: false,
            deployment: waiting.deployment,
            pool: waiting.pool.clone(),
            queue: Some(queue.to_owned()),
        }
    }

    #[test]
    fn priority_then_due_then_id() {
        let pools = pool(&[("default", queue(2)), ("urgent", queue(1))]);
        let mut urgent = run(3, 90);
        urgent.queue = Some("urgent".to_owned());
        let verdicts = decided(&pools, &[], &[run(2, 50), run(1, 50), run(4, 40), urgent]);
        assert_eq!(started(&verdicts), [3, 4, 1, 2]);
    }

    #[test]
    fn limits_of_pool_and_queue_hold_for_the_runs_of_one_decision_too() {
        let mut pools = pool(&[("default", queue(1))]);
        pools.get_mut("pool").unwrap().limit = Some(2);
        let waiting = [run(1, 1), run(2, 2), run(3, 3)];
        let verdicts = decided(&pools, &[holder(&run(9, 0), "default")], &waiting);
        assert_eq!(started(&verdicts), [1]);
        assert_eq!(verdicts[1].1, Verdict::Wait(Reason::PoolFull { pool: "pool".to_owned(), limit: 2 }));
        pools.get_mut("pool").unwrap().limit = None;
        pools.get_mut("pool").unwrap().queues.get_mut("default").unwrap().limit = Some(1);
        assert_eq!(started(&decided(&pools, &[], &waiting)), [1]);
        pools.get_mut("pool").unwrap().queues.get_mut("default").unwrap().limit = Some(0);
        assert_eq!(started(&decided(&pools, &[], &waiting)), Vec::<u128>::new());
    }

    #[test]
    fn a_full_deployment_enqueues_or_cancels() {
        let pools = pool(&[("default", queue(1))]);
        let mut first = run(1, 1);
        let limit = |collision_strategy| Some(ConcurrencyLimit { limit: 1, collision_strategy, grace_period_seconds: None });
        first.limit = limit(CollisionStrategy::Enqueue);
        let mut second = first.clone();
        second.run = FlowRunId(Uuid::from_u128(2));
        let verdicts = decided(&pools, &[], &[first.clone(), second.clone()]);
        assert_eq!(verdicts[1].1, Verdict::Wait(Reason::DeploymentFull { limit: 1 }));
        second.limit = limit(CollisionStrategy::CancelNew);
        assert_eq!(decided(&pools, &[], &[first, second])[1].1, Verdict::Cancel(Cancelled::DeploymentFull));
    }

    #[test]
    fn what_cannot_be_served_says_why() {
        let mut pools = pool(&[("default", queue(1))]);
        let reason = |pools: &BTreeMap<String, Pool>, run: Waiting| decided(pools, &[], &[run]).remove(0).1;
        let mut lost = run(1, 1);
        lost.pool = Some("gone".to_owned());
        assert_eq!(reason(&pools, lost), Verdict::Wait(Reason::NoSuchPool("gone".to_owned())));
        let mut nowhere = run(1, 1);
        nowhere.queue = Some("gone".to_owned());
        let wanted = Reason::NoSuchQueue { pool: "pool".to_owned(), queue: "gone".to_owned() };
        assert_eq!(reason(&pools, nowhere), Verdict::Wait(wanted));
        assert_eq!(reason(&pools, run(1, 101)), Verdict::Wait(Reason::NotDue));
        pools.get_mut("pool").unwrap().paused = true;
        assert_eq!(reason(&pools, run(1, 1)), Verdict::Wait(Reason::PoolPaused("pool".to_owned())));
        pools.get_mut("pool").unwrap().kind = "kubernetes".to_owned();
        assert!(matches!(reason(&pools, run(1, 1)), Verdict::Wait(Reason::NoExecutor { .. })));
    }

    #[test]
    fn filters_choose_the_queue_and_keep_others_out() {
        let mut tagged = queue(1);
        tagged.filter = Some(QueueFilter { tags: vec!["tutorial".to_owned()], deployments: Vec::new() });
        let mut pools = pool(&[("default", queue(2)), ("tutorial_queue", tagged)]);
        let mut leo = run(1, 1);
        leo.tags = vec!["tutorial".to_owned(), "dev".to_owned()];
        let to = |verdict: Verdict| match verdict {
            Verdict::Start { queue, .. } => queue,
            _ => None,
        };
        assert_eq!(to(decided(&pools, &[], &[leo.clone()]).remove(0).1).as_deref(), Some("tutorial_queue"));
        assert_eq!(to(decided(&pools, &[], &[run(2, 1)]).remove(0).1).as_deref(), Some("default"));
        let mut stranger = run(3, 1);
        stranger.queue = Some("tutorial_queue".to_owned());
        assert!(matches!(decided(&pools, &[], &[stranger]).remove(0).1, Verdict::Wait(Reason::QueueFilter { .. })));
        // Without a pool: a matching queue of the default agent pool, else none at all.
        let agent = pools.remove("pool").unwrap();
        pools.insert(DEFAULT_AGENT_POOL.to_owned(), agent);
        leo.pool = None;
        assert_eq!(to(decided(&pools, &[], &[leo]).remove(0).1).as_deref(), Some("tutorial_queue"));
        let mut plain = run(4, 1);
        plain.pool = None;
        assert_eq!(decided(&pools, &[], &[plain]).remove(0).1, Verdict::Start { pool: None, queue: None });
    }

    /// A run of one deployment with others, under a policy.
    fn of_one(number: u128, due: i64, overlap: Overlap) -> Waiting {
        Waiting { overlap, deployment: Some(DeploymentId(Uuid::from_u128(7))), ..run(number, due) }
    }

    fn said(verdicts: Vec<(u128, Verdict)>) -> Vec<(u128, String)> {
        let word = |verdict| match verdict {
            Verdict::Start { .. } => "start".to_owned(),
            Verdict::Wait(_) => "wait".to_owned(),
            Verdict::Supersede { stop, .. } => format!("stop {:?}", stop.iter().map(|run| run.0.as_u128()).collect::<Vec<_>>()),
            Verdict::Cancel(Cancelled::Skipped(why)) => format!("{why:?}").split(['(', ' ']).next().unwrap().to_owned(),
            Verdict::Cancel(why) => format!("{why:?}"),
        };
        verdicts.into_iter().map(|(run, verdict)| (run, word(verdict))).collect()
    }

    #[test]
    fn a_slot_that_meets_a_run_still_going_fares_as_its_policy_says() {
        let pools = pool(&[("default", queue(1))]);
        let going = of_one(9, 0, Overlap::Allow);
        let holders = [holder(&going, "default")];
        let three = |overlap| [of_one(1, 1, overlap), of_one(2, 2, overlap), of_one(3, 3, overlap)];
        let table = [
            (Overlap::Allow, ["start", "start", "start"]),
            (Overlap::Skip, ["StillGoing", "StillGoing", "StillGoing"]),
            (Overlap::Queue { most: 2 }, ["wait", "wait", "QueueFull"]),
            (Overlap::Queue { most: 0 }, ["QueueFull", "QueueFull", "QueueFull"]),
            (Overlap::CancelRunning, ["Superseded", "Superseded", "stop [9]"]),
        ];
        for (overlap, wanted) in table {
            let words = said(decided(&pools, &holders, &three(overlap)));
            assert_eq!(words.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>(), wanted, "{overlap:?}");
        }
        // Nothing going: the first starts, and the others meet it.
        for (overlap, wanted) in [(Overlap::Skip, ["start", "StillGoing"]), (Overlap::Queue { most: 1 }, ["start", "wait"])] {
            let words = said(decided(&pools, &[], &three(overlap)[..2]));
            assert_eq!(words.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>(), wanted, "{overlap:?}");
        }
        // What is being stopped is waited for; a retry and another deployment are not concerned.
        let stopping = [Holder { stopping: true, ..holder(&going, "default") }];
        assert_eq!(said(decided(&pools, &stopping, &[of_one(1, 1, Overlap::CancelRunning)])), [(1, "wait".to_owned())]);
        let retry = Waiting { first_attempt: false, ..of_one(1, 1, Overlap::Skip) };
        assert_eq!(said(decided(&pools, &holders, &[retry])), [(1, "start".to_owned())]);
        let other = Waiting { overlap: Overlap::Skip, ..run(1, 1) };
        assert_eq!(said(decided(&pools, &holders, &[other])), [(1, "start".to_owned())]);
    }

    #[test]
    fn a_run_between_attempts_is_going_but_holds_no_slot() {
        let mut pools = pool(&[("default", queue(1))]);
        pools.get_mut("pool").unwrap().limit = Some(1);
        let resting = [Holder { between_attempts: true, ..holder(&of_one(9, 0, Overlap::Allow), "default") }];
        assert_eq!(said(decided(&pools, &resting, &[of_one(1, 1, Overlap::Skip)])), [(1, "StillGoing".to_owned())]);
        assert_eq!(said(decided(&pools, &resting, &[of_one(1, 1, Overlap::Allow)])), [(1, "start".to_owned())]);
    }

    #[test]
    fn what_waited_too_long_expires_whatever_it_waits_for() {
        let pools = pool(&[]);
        let expires = |at_second| Waiting { expires: Some(at(at_second)), ..run(1, 1) };
        assert_eq!(said(decided(&pools, &[], &[expires(99)])), [(1, "Expired".to_owned())]);
        assert_eq!(said(decided(&pools, &[], &[expires(100)])), [(1, "wait".to_owned())]);
        assert_eq!(said(decided(&pools, &[], &[Waiting { first_attempt: false, ..expires(99) }])), [(1, "wait".to_owned())]);
    }

    #[test]
    fn nothing_is_cancelled_ahead_of_its_time() {
        let pools = pool(&[("default", queue(1))]);
        let going = of_one(9, 0, Overlap::Allow);
        let holders = [holder(&going, "default")];
        let limit = Some(ConcurrencyLimit { limit: 1, collision_strategy: CollisionStrategy::CancelNew, grace_period_seconds: None });
        let full = Waiting { limit, ..of_one(1, 101, Overlap::Allow) };
        for waiting in [of_one(1, 101, Overlap::Skip), of_one(1, 101, Overlap::CancelRunning), full] {
            let decided = |now| {
                let snapshot = Snapshot { pools: &pools, holders: &mut holders.iter(), kinds: &["process"], now: at(now), horizon: at(101) };
                decide(snapshot, &[&waiting]).remove(0).1
            };
            assert_eq!(decided(100), Verdict::Wait(Reason::NotDue));
            assert!(matches!(decided(101), Verdict::Cancel(_) | Verdict::Supersede { .. }));
        }
    }
}
