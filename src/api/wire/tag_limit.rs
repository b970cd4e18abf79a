//! Concurrency limits by tag, as Prefect's `ConcurrencyLimit`.
use super::WireTime;
use super::work_pool::Beyond;
use crate::model::id::{FlowRunId, TagLimitId};
use crate::model::tag_limit::TagLimit;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct TagLimitCreate {
    pub tag: String,
    pub concurrency_limit: u32,
}

#[derive(Debug, Serialize)]
pub(in crate::api) struct TagLimitResponse {
    id: TagLimitId,
    created: WireTime,
    updated: WireTime,
    tag: String,
    concurrency_limit: u32,
    /// The runs that hold a slot.
    active_slots: Vec<FlowRunId>,
    reeve: Beyond,
}

impl TagLimitResponse {
    pub fn of(limit: TagLimit, active_slots: Vec<FlowRunId>) -> Self {
        TagLimitResponse {
            id: limit.id,
            created: limit.created.into(),
            updated: limit.updated.into(),
            concurrency_limit: limit.effective().concurrency_limit,
            active_slots,
            tag: limit.tag,
            reeve: Beyond::of(limit.owner, limit.overrides),
        }
    }
}
