//! How many slots of what are taken, and what a run needs that is not free.
//!
//! Counted anew for each decision from the runs that are going: a slot is held by a run's life and by nothing else.
use super::place::{Place, matches};
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

    /// Whether a due run starts: its pool and queue first, then its tags in their order, last its deployment.
    pub fn verdict(&self, kinds: &[&str], run: &Waiting, place: Place<'_>) -> Verdict {
        let in_pool = place.pool.and_then(|pool| self.pool_reason(kinds, pool, place.queue.unwrap_or(DEFAULT_QUEUE), run));
        if let Some(reason) = in_pool.or_else(|| self.tag_reason(run)) {
            return Verdict::Wait(reason);
        }
        if let (Some(limit), Some(deployment)) = (&run.limit, run.deployment)
            && self.of_deployment(deployment) >= limit.limit
        {
            return match limit.collision_strategy {
                CollisionStrategy::Enqueue => Verdict::Wait(Reason::DeploymentFull { limit: limit.limit }),
                CollisionStrategy::CancelNew => Verdict::Cancel(Cancelled::DeploymentFull),
            };
        }
        Verdict::Start { pool: place.pool.map(str::to_owned), queue: place.queue.map(str::to_owned) }
    }

    fn tag_reason(&self, run: &Waiting) -> Option<Reason> {
        let taken = |tag: &str| self.tags.get(tag).copied().unwrap_or(0);
        let mut full = limited(self.capacity, &run.tags).filter(|(tag, limit)| taken(tag) >= *limit);
        full.next().map(|(tag, limit)| Reason::TagFull { tag: tag.to_owned(), limit })
    }

    fn pool_reason(&self, kinds: &[&str], pool_name: &str, queue_name: &str, run: &Waiting) -> Option<Reason> {
        let pool_of = || pool_name.to_owned();
        let queue_of = || queue_name.to_owned();
        let Some(pool) = self.capacity.pools.get(pool_name) else {
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
        if queue.filter.as_ref().is_some_and(|filter| !matches(filter, run, &pool.kind)) {
            return Some(Reason::QueueFilter { pool: pool_of(), queue: queue_of() });
        }
        let held = self.pools.get(pool_name).copied().unwrap_or(0);
        if let Some(limit) = pool.limit.filter(|limit| held >= *limit) {
            return Some(Reason::PoolFull { pool: pool_of(), limit });
        }
        let held = self.queues.get(&(pool_name, queue_name)).copied().unwrap_or(0);
        if let Some(limit) = queue.limit.filter(|limit| held >= *limit) {
            return Some(Reason::QueueFull { pool: pool_of(), queue: queue_of(), limit });
        }
        None
    }
}

/// The tags that have a limit, with it. A tag that a run bears twice needs one slot.
fn limited<'a>(capacity: &'a Capacity, tags: &[String]) -> impl Iterator<Item = (&'a str, u32)> {
    let first = tags.iter().enumerate().filter(|(index, tag)| !capacity.tags.is_empty() && !tags[..*index].contains(tag));
    first.filter_map(|(_, tag)| capacity.tags.get_key_value(tag.as_str()).map(|(tag, limit)| (tag.as_str(), *limit)))
}
