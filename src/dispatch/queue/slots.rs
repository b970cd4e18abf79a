//! How many slots of what are taken, and what a run needs that is not free.
//!
//! Counted anew for each decision from the runs that are going: a slot is held by a run's life and by nothing else.
use super::place::{Place, matches};
use super::line::Granted;
use super::{Cancelled, Capacity, Reason, Verdict, Waiting};
use crate::model::deployment::CollisionStrategy;
use crate::model::id::DeploymentId;
use crate::model::work_pool::DEFAULT_QUEUE;
use std::collections::HashMap;

/// What is taken of what there is.
pub(super) struct Slots<'a> {
    capacity: &'a Capacity,
    pools: HashMap<&'a str, u32>,
    queues: HashMap<(&'a str, &'a str), u32>,
    /// Only of tags that have a limit.
    tags: HashMap<&'a str, u32>,
    deployments: HashMap<DeploymentId, u32>,
}

impl<'a> Slots<'a> {
    /// All free.
    pub fn of(capacity: &'a Capacity) -> Self {
        Slots { capacity, pools: HashMap::new(), queues: HashMap::new(), tags: HashMap::new(), deployments: HashMap::new() }
    }

    /// A run takes its slots.
    pub fn take(&mut self, deployment: Option<DeploymentId>, pool: Option<&'a str>, queue: Option<&'a str>, tags: &[String]) {
        if let Some(deployment) = deployment {
            *self.deployments.entry(deployment).or_default() += 1;
        }
        if let Some(pool) = pool {
            *self.pools.entry(pool).or_default() += 1;
            *self.queues.entry((pool, queue.unwrap_or(DEFAULT_QUEUE))).or_default() += 1;
        }
        for (tag, _) in limited(self.capacity, tags) {
            *self.tags.entry(tag).or_default() += 1;
        }
    }

    /// How many runs of a deployment are going.
    pub fn of_deployment(&self, deployment: DeploymentId) -> u32 {
        self.deployments.get(&deployment).copied().unwrap_or(0)
    }

    /// Whether a due run starts, with all that it lacks and that is not `granted` in its way.
    pub fn verdict(&self, kinds: &[&str], run: &Waiting, place: Place<'_>, granted: &Granted) -> Verdict {
        match self.obstacles(kinds, run, place).find(|reason| !granted.holds(run, reason)) {
            None => Verdict::Start { pool: place.pool.map(str::to_owned), queue: place.queue.map(str::to_owned) },
            Some(Reason::DeploymentFull { .. }) if cancels_new(run) => Verdict::Cancel(Cancelled::DeploymentFull),
            Some(reason) => Verdict::Wait(reason),
        }
    }

    /// All that stands in a due run's way, each by itself: in its pool and queue first, then its tags in their order, last its
    /// deployment's limit.
    pub fn obstacles(&self, kinds: &[&str], run: &Waiting, place: Place<'_>) -> impl Iterator<Item = Reason> {
        let queue = place.queue.unwrap_or(DEFAULT_QUEUE);
        let in_pool = place.pool.map(|pool| self.in_pool(kinds, pool, queue, run)).into_iter().flatten().flatten();
        in_pool.chain(self.full_tags(run)).chain(self.full_deployment(run))
    }

    fn full_tags(&self, run: &Waiting) -> impl Iterator<Item = Reason> {
        let taken = |tag: &str| self.tags.get(tag).copied().unwrap_or(0);
        let full = limited(self.capacity, &run.tags).filter(move |(tag, limit)| taken(tag) >= *limit);
        full.map(|(tag, limit)| Reason::TagFull { tag: tag.to_owned(), limit })
    }

    fn full_deployment(&self, run: &Waiting) -> Option<Reason> {
        let limit = run.limit.as_ref()?.limit;
        (self.of_deployment(run.deployment?) >= limit).then_some(Reason::DeploymentFull { limit })
    }

    fn in_pool(&self, kinds: &[&str], pool_name: &str, queue_name: &str, run: &Waiting) -> [Option<Reason>; 6] {
        let pool_of = || pool_name.to_owned();
        let queue_of = || queue_name.to_owned();
        let Some(pool) = self.capacity.pools.get(pool_name) else {
            return [Some(Reason::NoSuchPool(pool_of())), None, None, None, None, None];
        };
        let held = self.pools.get(pool_name).copied().unwrap_or(0);
        let foreign = (!kinds.contains(&pool.kind.as_str())).then(|| Reason::NoExecutor { pool: pool_of(), kind: pool.kind.clone() });
        let paused = pool.paused.then(|| Reason::PoolPaused(pool_of()));
        let full = pool.limit.filter(|limit| held >= *limit).map(|limit| Reason::PoolFull { pool: pool_of(), limit });
        let Some(queue) = pool.queues.get(queue_name) else {
            return [Some(Reason::NoSuchQueue { pool: pool_of(), queue: queue_of() }), foreign, paused, full, None, None];
        };
        let held = self.queues.get(&(pool_name, queue_name)).copied().unwrap_or(0);
        let queue_paused = queue.paused.then(|| Reason::QueuePaused { pool: pool_of(), queue: queue_of() });
        let keeps_out = queue.filter.as_ref().is_some_and(|filter| !matches(filter, run, &pool.kind));
        let filtered = keeps_out.then(|| Reason::QueueFilter { pool: pool_of(), queue: queue_of() });
        let queue_full = queue.limit.filter(|limit| held >= *limit);
        let queue_full = queue_full.map(|limit| Reason::QueueFull { pool: pool_of(), queue: queue_of(), limit });
        [foreign, paused, queue_paused, filtered, full, queue_full]
    }
}

fn cancels_new(run: &Waiting) -> bool {
    run.limit.as_ref().is_some_and(|limit| limit.collision_strategy == CollisionStrategy::CancelNew)
}

/// The tags that have a limit, with it. A tag that a run bears twice needs one slot.
fn limited<'a>(capacity: &'a Capacity, tags: &[String]) -> impl Iterator<Item = (&'a str, u32)> {
    let first = tags.iter().enumerate().filter(|(index, tag)| !capacity.tags.is_empty() && !tags[..*index].contains(tag));
    first.filter_map(|(_, tag)| capacity.tags.get_key_value(tag.as_str()).map(|(tag, limit)| (tag.as_str(), *limit)))
}
