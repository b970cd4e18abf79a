//! What nobody writes but everybody means: the `default` queue of a declared pool, a queue that only a deployment
//! names, and the pool that stands for "no pool" (as Prefect makes them).
//!
//! What is implied is never adopted from anybody, and never claimed against another project: if it is there, it is there.
use super::others::Others;
use crate::model::desired::Desired;
use crate::model::stored::Stored;
use crate::model::work_pool::{DEFAULT_AGENT_POOL, DEFAULT_QUEUE, WorkPoolSpec};
use std::collections::{BTreeMap, BTreeSet};

/// The pools and queues that a project's files imply.
pub(super) struct Implied<'a> {
    /// Something stands in `default-agent-pool`, which is not declared: the file and pointer of the first such thing.
    pub agent_pool: Option<Place<'a>>,
    /// Queues by (pool, queue), with who needs them.
    pub queues: BTreeMap<(&'a str, &'a str), Need<'a>>,
    /// The pools that are there once the plan is applied.
    pools: BTreeSet<&'a str>,
}

/// Where in the files something stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub file: &'a str,
    pub pointer: &'a str,
}

/// Why a queue is implied.
#[derive(Clone, Copy)]
pub(super) enum Need<'a> {
    /// Every pool has a `default` queue.
    OfPool(Place<'a>),
    /// A deployment names it.
    OfDeployment(Place<'a>),
}

impl<'a> Need<'a> {
    pub fn place(self) -> Place<'a> {
        match self {
            Need::OfPool(place) | Need::OfDeployment(place) => place,
        }
    }
}

impl<'a> Implied<'a> {
    pub fn of(desired: &'a Desired, stored: &'a Stored, others: &Others<'a>) -> Self {
        let agent_pool = agent_pool(desired);
        let mut implied = Implied { agent_pool, queues: BTreeMap::new(), pools: BTreeSet::new() };
        implied.pools.extend(desired.work_pools.keys().map(String::as_str));
        implied.pools.extend(agent_pool.map(|_| DEFAULT_AGENT_POOL));
        let stay = stored.work_pools.keys().filter(|pool| !others.is_pool_pruned(pool, implied.is_agent_pool(pool)));
        let stay: Vec<&str> = stay.map(String::as_str).collect();
        implied.pools.extend(stay);
        for (pool, declared) in &desired.work_pools {
            let place = Place { file: &declared.file, pointer: &declared.pointer };
            implied.queues.insert((pool, DEFAULT_QUEUE), Need::OfPool(place));
        }
        if let Some(place) = agent_pool {
            implied.queues.insert((DEFAULT_AGENT_POOL, DEFAULT_QUEUE), Need::OfPool(place));
        }
        for declared in desired.deployments.values() {
            if let (Some(pool), Some(queue)) = (&declared.spec.work_pool, &declared.spec.work_queue)
                && implied.has_pool(pool)
            {
                let place = Place { file: &declared.file, pointer: &declared.pointer };
                implied.queues.entry((pool, queue)).or_insert(Need::OfDeployment(place));
            }
        }
        implied
    }

    /// Whether the pool is there once the plan is applied.
    pub fn has_pool(&self, pool: &str) -> bool {
        self.pools.contains(pool)
    }

    /// Whether this is the pool for things without one, in use and not declared.
    pub fn is_agent_pool(&self, pool: &str) -> bool {
        pool == DEFAULT_AGENT_POOL && self.agent_pool.is_some()
    }
}

/// What the pool for things without one is when nobody declares it.
pub(super) fn agent_pool_spec() -> WorkPoolSpec {
    WorkPoolSpec {
        kind: "process".to_owned(),
        description: None,
        concurrency_limit: None,
        paused: false,
        base_job_template: None,
        protect: false,
    }
}

fn agent_pool(desired: &Desired) -> Option<Place<'_>> {
    if desired.work_pools.contains_key(DEFAULT_AGENT_POOL) {
        return None;
    }
    let queues = desired.work_queues.iter().filter(|((pool, _), _)| pool == DEFAULT_AGENT_POOL);
    let queues = queues.map(|(_, declared)| Place { file: &declared.file, pointer: &declared.pointer });
    let deployments = desired.deployments.values();
    let deployments = deployments.filter(|declared| declared.spec.work_pool.as_deref() == Some(DEFAULT_AGENT_POOL));
    let deployments = deployments.map(|declared| Place { file: &declared.file, pointer: &declared.pointer });
    queues.chain(deployments).next()
}
