//! Where a waiting run stands: its pool, its queue, and that queue's priority.
use super::{Capacity, Queue, Waiting};
use crate::model::work_pool::{DEFAULT_AGENT_POOL, DEFAULT_QUEUE, QueueFilter};
use std::collections::HashMap;

/// The pools, with the queues that draw runs by a filter, in the order in which they do.
pub(super) struct Places<'a> {
    capacity: &'a Capacity,
    drawing: HashMap<&'a str, Vec<(&'a str, &'a Queue, &'a QueueFilter)>>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub priority: u32,
    pub pool: Option<&'a str>,
    pub queue: Option<&'a str>,
}

impl<'a> Places<'a> {
    pub fn of(capacity: &'a Capacity) -> Self {
        let mut drawing = HashMap::new();
        for (name, pool) in &capacity.pools {
            let filtered = pool.queues.iter().filter_map(|(name, queue)| Some((name.as_str(), queue, queue.filter.as_ref()?)));
            let mut filtered: Vec<_> = filtered.collect();
            filtered.sort_by_key(|(name, queue, _)| (queue.priority, *name));
            if !filtered.is_empty() {
                drawing.insert(name.as_str(), filtered);
            }
        }
        Places { capacity, drawing }
    }

    pub fn place(&self, run: &'a Waiting) -> Place<'a> {
        let name = run.pool.as_deref().unwrap_or(DEFAULT_AGENT_POOL);
        let Some(pool) = self.capacity.pools.get(name) else {
            return Place { priority: 1, pool: run.pool.as_deref(), queue: run.queue.as_deref() };
        };
        let draws = |(_, _, filter): &&(&str, &Queue, &QueueFilter)| matches(filter, run, &pool.kind);
        let drawn = || self.drawing.get(name)?.iter().find(draws).map(|(name, _, _)| *name);
        let queue = match run.queue.as_deref().or_else(drawn) {
            Some(queue) => queue,
            None if run.pool.is_none() => return Place { priority: 1, pool: None, queue: None },
            None => DEFAULT_QUEUE,
        };
        let priority = pool.queues.get(queue).map_or(1, |queue| queue.priority);
        Place { priority, pool: Some(name), queue: Some(queue) }
    }
}

/// Whether a queue's filter lets a run through: all of its tags, and, where it names deployments or types of pool, one of them.
pub(super) fn matches(filter: &QueueFilter, run: &Waiting, pool_type: &str) -> bool {
    let named = || run.deployment_name.as_ref().is_some_and(|name| filter.deployments.contains(name));
    filter.tags.iter().all(|tag| run.tags.contains(tag))
        && (filter.deployments.is_empty() || named())
        && (filter.pool_types.is_empty() || filter.pool_types.iter().any(|kind| kind == pool_type))
}
