//! Work pools.
use super::directory::Directory;
use super::name::Name;
use super::{WireTime, present};
use crate::api::collections;
use crate::control::WorkPoolPatch;
use crate::model::JsonMap;
use crate::model::id::{WorkPoolId, WorkQueueId};
use crate::model::overrides::{Overrides, Owner};
use crate::model::work_pool::{WorkPool, WorkPoolSpec};
use crate::store::ledger::LedgerError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct WorkPoolCreate {
    pub name: Name,
    description: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    base_job_template: Option<JsonMap>,
    #[serde(default)]
    is_paused: bool,
    concurrency_limit: Option<u32>,
    #[serde(rename = "storage_configuration")]
    _storage_configuration: Option<Storage>,
}

impl WorkPoolCreate {
    pub fn into_spec(self) -> (String, WorkPoolSpec) {
        let spec = WorkPoolSpec {
            kind: self.kind.unwrap_or_else(|| "prefect-agent".to_owned()),
            description: self.description,
            concurrency_limit: self.concurrency_limit,
            paused: self.is_paused,
            base_job_template: self.base_job_template.filter(|template| !template.is_empty()),
            protect: false,
        };
        (self.name.0, spec)
    }
}

/// Where Prefect's bundles go: checked, not kept, since no bundle is ever run from here.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Storage {
    bundle_upload_step: Option<JsonMap>,
    bundle_execution_step: Option<JsonMap>,
    default_result_storage_block_id: Option<Uuid>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct WorkPoolUpdate {
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    is_paused: Option<bool>,
    base_job_template: Option<JsonMap>,
    #[serde(default, deserialize_with = "present")]
    concurrency_limit: Option<Option<u32>>,
    #[serde(rename = "storage_configuration")]
    _storage_configuration: Option<Storage>,
}

impl From<WorkPoolUpdate> for WorkPoolPatch {
    fn from(update: WorkPoolUpdate) -> Self {
        WorkPoolPatch {
            paused: update.is_paused,
            concurrency_limit: update.concurrency_limit,
            description: update.description,
            base_job_template: update.base_job_template,
        }
    }
}

#[derive(Debug, Serialize)]
pub(in crate::api) struct WorkPoolResponse {
    id: WorkPoolId,
    created: WireTime,
    updated: WireTime,
    name: String,
    description: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    base_job_template: JsonMap,
    is_paused: bool,
    concurrency_limit: Option<u32>,
    status: &'static str,
    default_queue_id: Option<WorkQueueId>,
    storage_configuration: Storage,
    active_slots: Option<usize>,
    reeve: Beyond,
}

/// Which project declares it, and what was changed by hand.
#[derive(Debug, Serialize)]
pub(super) struct Beyond {
    owner: Option<Owner>,
    overrides: Overrides,
}

impl Beyond {
    pub fn of(owner: Option<Owner>, overrides: Overrides) -> Self {
        Beyond { owner, overrides }
    }
}

/// Prefect's three words.
pub(super) fn status(paused: bool, served: bool) -> &'static str {
    match (paused, served) {
        (true, _) => "PAUSED",
        (false, true) => "READY",
        (false, false) => "NOT_READY",
    }
}

impl WorkPoolResponse {
    pub fn of(pool: WorkPool, directory: &Directory) -> Result<Self, LedgerError> {
        let spec = pool.effective();
        let active_slots = match spec.concurrency_limit {
            Some(_) => Some(directory.slots_of_pool(&pool.name)?),
            None => None,
        };
        Ok(WorkPoolResponse {
            id: pool.id,
            created: pool.created.into(),
            updated: pool.updated.into(),
            description: spec.description,
            base_job_template: spec.base_job_template.unwrap_or_else(|| collections::base_job_template(&spec.kind)),
            kind: spec.kind,
            is_paused: spec.paused,
            concurrency_limit: spec.concurrency_limit,
            status: status(spec.paused, directory.serves(Some(&pool.name))),
            default_queue_id: directory.queue_id(&pool.name, None),
            storage_configuration: Storage::default(),
            active_slots,
            name: pool.name,
            reeve: Beyond::of(pool.owner, pool.overrides),
        })
    }
}
