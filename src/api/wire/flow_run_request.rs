//! Flow runs as clients ask for them and change them.
use super::state::StateCreate;
use crate::control::{RunPatch, RunRequest};
use crate::model::JsonMap;
use crate::model::id::{DeploymentId, FlowId};
use crate::model::state::{Proposed, StateType};
use serde::Deserialize;
use uuid::Uuid;

/// `FlowRunPolicy`, checked; what a run retries is its deployment's, so that it is not read further.
#[derive(Debug, Deserialize)]
struct PolicyCreate {
    #[serde(rename = "max_retries")]
    _max_retries: Option<i64>,
    #[serde(rename = "retry_delay_seconds")]
    _retry_delay_seconds: Option<f64>,
    #[serde(rename = "retries")]
    _retries: Option<i64>,
    #[serde(rename = "retry_delay")]
    _retry_delay: Option<i64>,
    #[serde(rename = "pause_keys")]
    _pause_keys: Option<Vec<String>>,
    #[serde(rename = "resuming")]
    _resuming: Option<bool>,
    #[serde(rename = "retry_type")]
    _retry_type: Option<RetryType>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RetryType {
    InProcess,
    Reschedule,
}

/// `POST /flow_runs/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FlowRunCreate {
    state: Option<StateCreate>,
    name: Option<String>,
    flow_id: FlowId,
    #[serde(rename = "flow_version")]
    _flow_version: Option<String>,
    #[serde(default)]
    parameters: JsonMap,
    #[serde(rename = "context")]
    _context: Option<JsonMap>,
    #[serde(rename = "parent_task_run_id")]
    _parent_task_run_id: Option<Uuid>,
    #[serde(rename = "infrastructure_document_id")]
    _infrastructure_document_id: Option<Uuid>,
    #[serde(rename = "empirical_policy")]
    _empirical_policy: Option<PolicyCreate>,
    #[serde(default)]
    tags: Vec<String>,
    labels: Option<JsonMap>,
    idempotency_key: Option<String>,
    #[serde(rename = "work_pool_name")]
    _work_pool_name: Option<String>,
    work_queue_name: Option<String>,
    job_variables: Option<JsonMap>,
    deployment_id: Option<DeploymentId>,
}

/// `POST /deployments/{id}/create_flow_run`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct DeploymentFlowRunCreate {
    state: Option<StateCreate>,
    name: Option<String>,
    #[serde(default)]
    parameters: JsonMap,
    enforce_parameter_schema: Option<bool>,
    #[serde(rename = "context")]
    _context: Option<JsonMap>,
    #[serde(rename = "infrastructure_document_id")]
    _infrastructure_document_id: Option<Uuid>,
    #[serde(rename = "empirical_policy")]
    _empirical_policy: Option<PolicyCreate>,
    #[serde(default)]
    tags: Vec<String>,
    idempotency_key: Option<String>,
    labels: Option<JsonMap>,
    #[serde(rename = "parent_task_run_id")]
    _parent_task_run_id: Option<Uuid>,
    work_queue_name: Option<String>,
    job_variables: Option<JsonMap>,
}

impl FlowRunCreate {
    pub fn request(self, who: String) -> RunRequest {
        let state = self.state.map_or_else(|| Proposed::new(StateType::Pending), Proposed::from);
        RunRequest {
            deployment: self.deployment_id,
            flow: Some(self.flow_id),
            name: named(self.name),
            parameters: self.parameters,
            job_variables: self.job_variables.unwrap_or_default(),
            tags: self.tags,
            labels: self.labels.unwrap_or_default(),
            work_queue: self.work_queue_name,
            idempotency_key: self.idempotency_key,
            scheduled_time: state.details.scheduled_time,
            state: Some(state),
            enforce_parameter_schema: None,
            requested_by: Some(who),
        }
    }
}

impl DeploymentFlowRunCreate {
    pub fn request(self, deployment: DeploymentId, who: String) -> RunRequest {
        let state = self.state.map(Proposed::from);
        RunRequest {
            deployment: Some(deployment),
            flow: None,
            name: named(self.name),
            parameters: self.parameters,
            job_variables: self.job_variables.unwrap_or_default(),
            tags: self.tags,
            labels: self.labels.unwrap_or_default(),
            work_queue: self.work_queue_name,
            idempotency_key: self.idempotency_key,
            scheduled_time: state.as_ref().and_then(|state| state.details.scheduled_time),
            state,
            enforce_parameter_schema: self.enforce_parameter_schema,
            requested_by: Some(who),
        }
    }
}

fn named(name: Option<String>) -> Option<String> {
    name.filter(|name| !name.is_empty())
}

/// `PATCH /flow_runs/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FlowRunUpdate {
    name: Option<String>,
    #[serde(rename = "flow_version")]
    _flow_version: Option<String>,
    parameters: Option<JsonMap>,
    #[serde(rename = "empirical_policy")]
    _empirical_policy: Option<PolicyCreate>,
    tags: Option<Vec<String>>,
    infrastructure_pid: Option<String>,
    job_variables: Option<JsonMap>,
}

impl From<FlowRunUpdate> for RunPatch {
    fn from(update: FlowRunUpdate) -> Self {
        RunPatch {
            name: named(update.name),
            tags: update.tags,
            parameters: update.parameters,
            job_variables: update.job_variables,
            infrastructure_pid: update.infrastructure_pid,
            labels: None,
        }
    }
}
