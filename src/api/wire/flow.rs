//! Flows.
use super::WireTime;
use super::name::Name;
use crate::model::JsonMap;
use crate::model::deployment::Flow;
use crate::model::id::FlowId;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FlowCreate {
    pub name: Name,
    #[serde(default)]
    pub tags: Vec<String>,
    pub labels: Option<JsonMap>,
}

#[derive(Debug, Serialize)]
pub(in crate::api) struct FlowResponse {
    id: FlowId,
    created: WireTime,
    updated: WireTime,
    name: String,
    tags: Vec<String>,
    labels: JsonMap,
}

impl From<Flow> for FlowResponse {
    fn from(flow: Flow) -> Self {
        FlowResponse {
            id: flow.id,
            created: flow.created.into(),
            updated: flow.updated.into(),
            name: flow.name,
            tags: flow.tags,
            labels: flow.labels,
        }
    }
}
