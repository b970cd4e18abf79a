//! What responses name besides their own object: pools and queues with their ids, slots in use, next fires.
use crate::clock;
use crate::control::Control;
use crate::executor;
use crate::model::id::{DeploymentId, WorkPoolId, WorkQueueId};
use crate::model::work_pool::{DEFAULT_QUEUE, WorkPool, WorkQueue};
use crate::store::ledger::{LedgerError, Reader};
use jiff::Timestamp;
use std::cell::OnceCell;
use std::collections::HashMap;

/// Read once for an answer. Holds pools and queues, of which there are few; the slots are counted only when asked for.
pub(in crate::api) struct Directory {
    reader: Reader,
    pools: HashMap<String, WorkPool>,
    queues: HashMap<(String, String), WorkQueueId>,
    serving: bool,
    slots: OnceCell<Slots>,
}

/// How many runs hold slots.
#[derive(Debug, Clone, Default)]
struct Slots {
    pools: HashMap<String, usize>,
    queues: HashMap<(String, String), usize>,
    deployments: HashMap<DeploymentId, usize>,
}

impl Directory {
    pub fn read(reader: &Reader, control: &dyn Control) -> Result<Self, LedgerError> {
        let status = control.status();
        let queues = reader.work_queues()?.into_iter().map(|queue| ((queue.pool, queue.name), queue.id));
        Ok(Directory {
            reader: reader.clone(),
            pools: reader.work_pools()?.into_iter().map(|pool| (pool.name.clone(), pool)).collect(),
            queues: queues.collect(),
            serving: status.ready,
            slots: OnceCell::new(),
        })
    }

    pub fn pool_id(&self, pool: &str) -> Option<WorkPoolId> {
        self.pools.get(pool).map(|pool| pool.id)
    }

    /// `queue`: `None` is the pool's default.
    pub fn queue_id(&self, pool: &str, queue: Option<&str>) -> Option<WorkQueueId> {
        self.queues.get(&(pool.to_owned(), queue.unwrap_or(DEFAULT_QUEUE).to_owned())).copied()
    }

    /// When one of the deployment's schedules is next due.
    pub fn next_fire(&self, deployment: DeploymentId) -> Result<Option<Timestamp>, LedgerError> {
        let now = clock::now();
        let firsts = self.reader.first_slots(Some(&[deployment]), now, now)?;
        Ok(firsts.into_iter().map(|first| first.slot).min())
    }

    /// Whether this daemon runs what is sent to the pool (`None`: its own executor, outside any pool), pauses aside.
    pub fn serves(&self, pool: Option<&str>) -> bool {
        let served = |pool: &WorkPool| executor::KINDS.iter().any(|kind| kind.name == pool.declared.kind);
        self.serving && pool.is_none_or(|pool| self.pools.get(pool).is_some_and(served))
    }

    pub fn is_paused(&self, pool: &str) -> bool {
        self.pools.get(pool).is_some_and(|pool| pool.effective().paused)
    }

    pub fn slots_of_pool(&self, pool: &str) -> Result<usize, LedgerError> {
        Ok(self.slots()?.pools.get(pool).copied().unwrap_or(0))
    }

    pub fn slots_of_queue(&self, queue: &WorkQueue) -> Result<usize, LedgerError> {
        Ok(self.slots()?.queues.get(&(queue.pool.clone(), queue.name.clone())).copied().unwrap_or(0))
    }

    pub fn slots_of_deployment(&self, deployment: DeploymentId) -> Result<usize, LedgerError> {
        Ok(self.slots()?.deployments.get(&deployment).copied().unwrap_or(0))
    }

    fn slots(&self) -> Result<&Slots, LedgerError> {
        if let Some(slots) = self.slots.get() {
            return Ok(slots);
        }
        let mut slots = Slots::default();
        for id in self.reader.active_run_ids()? {
            let Some(run) = self.reader.run(id)?.filter(|run| run.state.kind.holds_slots()) else { continue };
            if let Some(deployment) = run.deployment_id {
                *slots.deployments.entry(deployment).or_default() += 1;
            }
            if let Some(pool) = run.pool().map(str::to_owned) {
                let queue = run.work_queue.unwrap_or_else(|| DEFAULT_QUEUE.to_owned());
                *slots.pools.entry(pool.clone()).or_default() += 1;
                *slots.queues.entry((pool, queue)).or_default() += 1;
            }
        }
        Ok(self.slots.get_or_init(|| slots))
    }
}
