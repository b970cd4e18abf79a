//! States, and the answer to a proposed one.
use super::WireTime;
use crate::model::id::{FlowRunId, StateId};
use crate::model::run::FlowRun;
use crate::model::state::{Proposed, State, StateDetails, StateType};
use crate::model::transition::Decision;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct StateCreate {
    #[serde(rename = "type")]
    kind: StateType,
    name: Option<String>,
    message: Option<String>,
    data: Option<Value>,
    #[serde(default)]
    state_details: DetailsCreate,
}

/// `state_details` as sent. Keys that are not Prefect's are ignored, as its server does.
#[derive(Debug, Clone, Default, Deserialize)]
struct DetailsCreate {
    scheduled_time: Option<WireTime>,
    pause_timeout: Option<WireTime>,
    pause_key: Option<String>,
    #[serde(default)]
    pause_reschedule: bool,
    transition_id: Option<Uuid>,
    flow_run_id: Option<Uuid>,
    task_run_id: Option<Uuid>,
    child_flow_run_id: Option<Uuid>,
    cache_key: Option<String>,
    cache_expiration: Option<WireTime>,
    deferred: Option<bool>,
    #[serde(default)]
    untrackable_result: bool,
    run_input_keyset: Option<BTreeMap<String, String>>,
    refresh_cache: Option<bool>,
    retriable: Option<bool>,
    task_parameters_id: Option<Uuid>,
    traceparent: Option<String>,
    deployment_concurrency_lease_id: Option<Uuid>,
}

impl From<StateCreate> for Proposed {
    fn from(state: StateCreate) -> Self {
        let mut proposed = Proposed::new(state.kind);
        proposed.name = state.name.filter(|name| !name.is_empty());
        proposed.message = state.message;
        proposed.data = state.data;
        proposed.details = state.state_details.into();
        proposed
    }
}

impl From<DetailsCreate> for StateDetails {
    fn from(sent: DetailsCreate) -> Self {
        let deferred = sent.deferred.filter(|deferred| *deferred);
        let untrackable = Some(sent.untrackable_result).filter(|untrackable| *untrackable);
        let kept = [
            ("task_run_id", json!(sent.task_run_id)),
            ("child_flow_run_id", json!(sent.child_flow_run_id)),
            ("cache_key", json!(sent.cache_key)),
            ("cache_expiration", json!(sent.cache_expiration)),
            ("deferred", json!(deferred)),
            ("untrackable_result", json!(untrackable)),
            ("run_input_keyset", json!(sent.run_input_keyset)),
            ("refresh_cache", json!(sent.refresh_cache)),
            ("retriable", json!(sent.retriable)),
            ("task_parameters_id", json!(sent.task_parameters_id)),
            ("traceparent", json!(sent.traceparent)),
            ("deployment_concurrency_lease_id", json!(sent.deployment_concurrency_lease_id)),
        ];
        // The run's id is shown from the run itself.
        let _ = sent.flow_run_id;
        StateDetails {
            scheduled_time: sent.scheduled_time.map(|at| at.0),
            pause_timeout: sent.pause_timeout.map(|at| at.0),
            pause_key: sent.pause_key,
            pause_reschedule: sent.pause_reschedule,
            transition_id: sent.transition_id,
            other: kept.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.to_owned(), value)).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(in crate::api) struct StateResponse {
    id: StateId,
    #[serde(rename = "type")]
    kind: StateType,
    name: String,
    timestamp: WireTime,
    message: Option<String>,
    data: Option<Value>,
    state_details: Map<String, Value>,
}

impl StateResponse {
    pub fn of(run: FlowRunId, state: State) -> Self {
        StateResponse {
            id: state.id,
            kind: state.kind,
            name: state.name,
            timestamp: state.timestamp.into(),
            message: state.message,
            data: state.data,
            state_details: details(run, state.details),
        }
    }
}

/// Every key of Prefect's model, in its order, with its default where nothing is known.
fn details(run: FlowRunId, mut details: StateDetails) -> Map<String, Value> {
    let mut other = |key: &str, default: Value| details.other.remove(key).unwrap_or(default);
    let rest = [
        ("task_run_id", Value::Null),
        ("child_flow_run_id", Value::Null),
        ("cache_key", Value::Null),
        ("cache_expiration", Value::Null),
        ("deferred", json!(false)),
        ("untrackable_result", json!(false)),
        ("run_input_keyset", Value::Null),
        ("refresh_cache", Value::Null),
        ("retriable", Value::Null),
        ("task_parameters_id", Value::Null),
        ("traceparent", Value::Null),
        ("deployment_concurrency_lease_id", Value::Null),
    ]
    .map(|(key, default)| (key.to_owned(), other(key, default)));
    let mut map = Map::new();
    map.insert("flow_run_id".to_owned(), json!(run));
    map.insert("scheduled_time".to_owned(), json!(details.scheduled_time.map(WireTime)));
    map.insert("pause_timeout".to_owned(), json!(details.pause_timeout.map(WireTime)));
    map.insert("pause_reschedule".to_owned(), json!(details.pause_reschedule));
    map.insert("pause_key".to_owned(), json!(details.pause_key));
    map.insert("transition_id".to_owned(), json!(details.transition_id));
    map.extend(rest);
    map
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::api) struct SetState {
    pub state: StateCreate,
    pub force: Option<bool>,
}

/// The answer to a proposal.
#[derive(Debug, Serialize)]
pub(in crate::api) struct OrchestrationResult {
    state: Option<StateResponse>,
    status: &'static str,
    details: Details,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type")]
enum Details {
    #[serde(rename = "accept_details")]
    Accept,
    #[serde(rename = "wait_details")]
    Wait { delay_seconds: i64, reason: Option<String> },
    #[serde(rename = "reject_details")]
    Reject { reason: Option<String> },
    #[serde(rename = "abort_details")]
    Abort { reason: Option<String> },
}

impl OrchestrationResult {
    /// `run` as it is after `decision`.
    pub fn of(run: FlowRun, decision: Decision) -> Self {
        let (status, details) = match decision {
            Decision::Accept(_) => ("ACCEPT", Details::Accept),
            Decision::Wait { delay, reason } => {
                // Rounded up: a client that waits the whole seconds must not be early.
                let up = i64::from(delay.subsec_nanos() > 0);
                let delay_seconds = delay.as_secs().saturating_add(up).max(0);
                ("WAIT", Details::Wait { delay_seconds, reason: Some(reason) })
            }
            Decision::Reject { reason, .. } => ("REJECT", Details::Reject { reason: Some(reason) }),
            Decision::Abort { reason } => ("ABORT", Details::Abort { reason: Some(reason) }),
        };
        OrchestrationResult { state: Some(StateResponse::of(run.id, run.state)), status, details }
    }
}
