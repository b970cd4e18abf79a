//! The pools and queues as decisions need them.
use crate::dispatch::queue::{Pool, Queue};
use crate::store::ledger::{LedgerError, Reader};
use std::collections::BTreeMap;

pub(super) fn read(reader: &Reader) -> Result<BTreeMap<String, Pool>, LedgerError> {
    let mut pools = BTreeMap::new();
    for pool in reader.work_pools()? {
        let spec = pool.effective();
        let view = Pool { kind: spec.kind, paused: spec.paused, limit: spec.concurrency_limit, queues: BTreeMap::new() };
        pools.insert(pool.name, view);
    }
    for queue in reader.work_queues()? {
        let spec = queue.effective();
        let view = Queue { paused: spec.paused, priority: spec.priority, limit: spec.concurrency_limit, filter: spec.filter };
        if let Some(pool) = pools.get_mut(&queue.pool) {
            pool.queues.insert(queue.name, view);
        }
    }
    Ok(pools)
}
