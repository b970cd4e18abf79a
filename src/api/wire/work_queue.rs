//! Work queues.
use super::directory::Directory;
use super::name::Name;
use super::work_pool::{Beyond, status};
use super::{WireTime, present};
use crate::control::{ControlError, WorkQueuePatch};
use crate::model::deployment::FullName;
use crate::model::id::{DeploymentId, WorkPoolId, WorkQueueId};
use crate::model::work_pool::{QueueFilter, WorkQueue, WorkQueueSpec};
use crate::store::ledger::{LedgerError, Reader};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct WorkQueueCreate {
    pub name: Name,
    description: Option<String>,
    #[serde(default)]
    is_paused: bool,
    concurrency_limit: Option<u32>,
    priority: Option<NonZeroU32>,
    filter: Option<WireFilter>,
}

/// Which runs a queue serves. Deployments are named by id here, by name in the model: a deployment that is made again keeps its queue.
#[derive(Debug, Default, Serialize, Deserialize)]
struct WireFilter {
    tags: Option<Vec<String>>,
    deployment_ids: Option<Vec<DeploymentId>>,
    /// reeve's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pool_types: Option<Vec<String>>,
}

impl WireFilter {
    fn into_model(self, reader: &Reader) -> Result<QueueFilter, ControlError> {
        let mut deployments = Vec::new();
        for id in self.deployment_ids.unwrap_or_default() {
            match reader.deployment(id)? {
                Some(deployment) => deployments.push(deployment.name.to_string()),
                None => return Err(ControlError::Invalid(format!("the queue's filter names the deployment {id}, which does not exist"))),
            }
        }
        Ok(QueueFilter { tags: self.tags.unwrap_or_default(), deployments, pool_types: self.pool_types.unwrap_or_default() })
    }

    fn of(filter: QueueFilter, reader: &Reader) -> Result<Self, LedgerError> {
        let mut ids = Vec::new();
        for name in filter.deployments.iter().filter_map(|name| FullName::parse(name)) {
            ids.extend(reader.deployment_by_name(&name)?.map(|deployment| deployment.id));
        }
        let deployment_ids = Some(ids).filter(|ids| !ids.is_empty());
        let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        Ok(WireFilter { tags: some(filter.tags), deployment_ids, pool_types: some(filter.pool_types) })
    }
}

impl WorkQueueCreate {
    pub fn into_spec(self, reader: &Reader) -> Result<(String, WorkQueueSpec), ControlError> {
        let spec = WorkQueueSpec {
            description: self.description,
            priority: self.priority.map_or(1, NonZeroU32::get),
            concurrency_limit: self.concurrency_limit,
            paused: self.is_paused,
            filter: self.filter.map(|filter| filter.into_model(reader)).transpose()?,
            protect: false,
        };
        Ok((self.name.0, spec))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct WorkQueueUpdate {
    name: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    is_paused: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    concurrency_limit: Option<Option<u32>>,
    priority: Option<NonZeroU32>,
    #[serde(rename = "last_polled")]
    _last_polled: Option<WireTime>,
    #[serde(default, deserialize_with = "present")]
    filter: Option<Option<WireFilter>>,
}

impl WorkQueueUpdate {
    pub fn into_patch(self, reader: &Reader) -> Result<WorkQueuePatch, ControlError> {
        let filter = match self.filter {
            None => None,
            Some(None) => Some(None),
            Some(Some(filter)) => Some(Some(filter.into_model(reader)?)),
        };
        Ok(WorkQueuePatch {
            name: self.name.map(|name| name.0),
            paused: self.is_paused,
            concurrency_limit: self.concurrency_limit,
            priority: self.priority.map(NonZeroU32::get),
            description: self.description,
            filter,
        })
    }
}

#[derive(Debug, Serialize)]
pub(in crate::api) struct WorkQueueResponse {
    id: WorkQueueId,
    created: WireTime,
    updated: WireTime,
    name: String,
    description: String,
    is_paused: bool,
    concurrency_limit: Option<u32>,
    priority: u32,
    work_pool_id: Option<WorkPoolId>,
    filter: Option<WireFilter>,
    last_polled: Option<WireTime>,
    work_pool_name: String,
    status: &'static str,
    active_slots: Option<usize>,
    reeve: Beyond,
}

impl WorkQueueResponse {
    pub fn of(queue: WorkQueue, directory: &Directory, reader: &Reader) -> Result<Self, LedgerError> {
        let spec = queue.effective();
        let active_slots = match spec.concurrency_limit {
            Some(_) => Some(directory.slots_of_queue(&queue)?),
            None => None,
        };
        let paused = spec.paused || directory.is_paused(&queue.pool);
        Ok(WorkQueueResponse {
            id: queue.id,
            created: queue.created.into(),
            updated: queue.updated.into(),
            description: spec.description.unwrap_or_default(),
            is_paused: spec.paused,
            concurrency_limit: spec.concurrency_limit,
            priority: spec.priority,
            work_pool_id: directory.pool_id(&queue.pool),
            filter: spec.filter.map(|filter| WireFilter::of(filter, reader)).transpose()?,
            last_polled: None,
            status: status(paused, directory.serves(Some(&queue.pool))),
            active_slots,
            name: queue.name,
            work_pool_name: queue.pool,
            reeve: Beyond::of(queue.owner, queue.overrides),
        })
    }
}
