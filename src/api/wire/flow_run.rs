//! Flow runs as they are shown.
use super::WireTime;
use super::directory::Directory;
use super::state::StateResponse;
use crate::model::JsonMap;
use crate::model::id::{DeploymentId, FlowId, FlowRunId, StateId, WorkPoolId, WorkQueueId};
use crate::model::run::{FlowRun, Usage};
use crate::model::secret::masked_map;
use crate::model::state::StateType;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use uuid::Uuid;

/// Who made a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::api) struct CreatedBy {
    pub id: Option<Uuid>,
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    pub display_value: Option<String>,
}

/// The schedule, else the person or client that asked; `None` where nobody is known.
pub(in crate::api) fn created_by(run: &FlowRun) -> Option<CreatedBy> {
    if let Some(slot) = &run.slot {
        return Some(CreatedBy { id: Some(slot.schedule.0), kind: Some("SCHEDULE"), display_value: Some(slot.key.clone()) });
    }
    let who = run.requested_by.clone()?;
    Some(CreatedBy { id: None, kind: Some("USER"), display_value: Some(who) })
}

/// The client's key, else for a slot's run the one that Prefect's scheduler gives: `scheduled <deployment> <schedule> <instant>`.
pub(in crate::api) fn idempotency_key(run: &FlowRun) -> Option<Cow<'_, str>> {
    if let Some(key) = &run.idempotency_key {
        return Some(Cow::Borrowed(key));
    }
    let (slot, deployment) = (run.slot.as_ref()?, run.deployment_id?);
    let at = slot.at.to_string().replace('T', " ").replace('Z', "+00:00");
    Some(Cow::Owned(format!("scheduled {deployment} {} {at}", slot.schedule)))
}

#[derive(Debug, Serialize)]
pub(in crate::api) struct FlowRunResponse {
    id: FlowRunId,
    created: WireTime,
    updated: WireTime,
    name: String,
    flow_id: FlowId,
    state_id: StateId,
    deployment_id: Option<DeploymentId>,
    deployment_version: Option<String>,
    work_queue_id: Option<WorkQueueId>,
    work_queue_name: Option<String>,
    flow_version: Option<String>,
    parameters: JsonMap,
    idempotency_key: Option<String>,
    context: JsonMap,
    empirical_policy: Policy,
    tags: Vec<String>,
    labels: JsonMap,
    parent_task_run_id: Option<Uuid>,
    state_type: StateType,
    state_name: String,
    run_count: u32,
    expected_start_time: WireTime,
    next_scheduled_start_time: Option<WireTime>,
    start_time: Option<WireTime>,
    end_time: Option<WireTime>,
    /// Seconds.
    total_run_time: f64,
    estimated_run_time: f64,
    estimated_start_time_delta: f64,
    auto_scheduled: bool,
    infrastructure_document_id: Option<Uuid>,
    infrastructure_pid: Option<String>,
    created_by: Option<CreatedBy>,
    work_pool_id: Option<WorkPoolId>,
    work_pool_name: Option<String>,
    state: StateResponse,
    job_variables: JsonMap,
    reeve: Beyond,
}

/// `FlowRunPolicy` as answered.
#[derive(Debug, Serialize)]
struct Policy {
    max_retries: u32,
    retry_delay_seconds: f64,
    retries: u32,
    /// Whole seconds; `None` where a run has no such single number.
    retry_delay: Option<i64>,
    pause_keys: Vec<String>,
    resuming: bool,
    retry_type: Option<&'static str>,
}

/// What reeve knows of a run beyond Prefect's model.
#[derive(Debug, Serialize)]
struct Beyond {
    /// `flow/name`, also after the deployment is gone.
    deployment: Option<String>,
    /// The slot's schedule key and instant.
    schedule: Option<String>,
    slot: Option<WireTime>,
    retry_delay_seconds: Vec<f64>,
    /// Seconds that its attempts waited after they were due, until each was claimed; of one that waits: until now.
    queue_wait_seconds: f64,
    usage: Option<Usage>,
}

impl FlowRunResponse {
    /// `now`: for the estimates.
    pub fn of(run: FlowRun, directory: &Directory, now: Timestamp) -> Self {
        let created_by = created_by(&run);
        let idempotency_key = idempotency_key(&run).map(Cow::into_owned);
        let (estimated_run_time, estimated_start_time_delta) = estimates(&run, now);
        let queue_wait_seconds = run.queue_wait(now);
        let pool = run.work_pool.as_deref();
        FlowRunResponse {
            id: run.id,
            created: run.created.into(),
            updated: run.updated.into(),
            flow_id: run.flow_id,
            state_id: run.state.id,
            deployment_id: run.deployment_id,
            deployment_version: run.deployment_version,
            work_queue_id: pool.and_then(|pool| directory.queue_id(pool, run.work_queue.as_deref())),
            flow_version: None,
            parameters: run.parameters,
            idempotency_key,
            context: JsonMap::new(),
            empirical_policy: policy(run.retries, &run.retry_delay_seconds),
            tags: run.tags,
            labels: labels(run.labels, run.flow_id, run.deployment_id),
            parent_task_run_id: None,
            state_type: run.state.kind,
            state_name: run.state.name.clone(),
            run_count: run.run_count,
            expected_start_time: run.expected_start_time.into(),
            next_scheduled_start_time: run.next_scheduled_start_time.map(WireTime),
            start_time: run.start_time.map(WireTime),
            end_time: run.end_time.map(WireTime),
            total_run_time: run.total_run_time,
            estimated_run_time,
            estimated_start_time_delta,
            auto_scheduled: run.slot.is_some(),
            infrastructure_document_id: None,
            infrastructure_pid: run.infrastructure_pid,
            created_by,
            work_pool_id: pool.and_then(|pool| directory.pool_id(pool)),
            work_queue_name: run.work_queue,
            work_pool_name: run.work_pool,
            state: StateResponse::of(run.id, run.state),
            job_variables: masked_map(&run.job_variables),
            reeve: Beyond {
                deployment: run.deployment.map(|name| name.to_string()),
                schedule: run.slot.as_ref().map(|slot| slot.key.clone()),
                slot: run.slot.as_ref().map(|slot| slot.at.into()),
                retry_delay_seconds: run.retry_delay_seconds,
                queue_wait_seconds,
                usage: run.usage,
            },
            name: run.name,
        }
    }
}

/// Seconds of running until `now`, and seconds between when it was to start and when it did (or `now`, where it has not).
fn estimates(run: &FlowRun, now: Timestamp) -> (f64, f64) {
    let since = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64().max(0.0);
    let going = if run.state.kind == StateType::Running { since(run.state.timestamp, now) } else { 0.0 };
    let delta = match run.start_time {
        Some(start) => since(run.expected_start_time, start),
        None if run.is_over() => 0.0,
        None => since(run.expected_start_time, now),
    };
    (run.total_run_time + going, delta)
}

fn policy(retries: u32, delays: &[f64]) -> Policy {
    let whole = delays.first().copied().filter(|seconds| seconds.fract() == 0.0 && (0.0..=1e15).contains(seconds));
    Policy {
        max_retries: 0,
        retry_delay_seconds: 0.0,
        retries,
        retry_delay: whole.map(|seconds| seconds as i64),
        pause_keys: Vec::new(),
        resuming: false,
        retry_type: None,
    }
}

/// Prefect's labels: the ids of flow and deployment, with the run's own.
fn labels(mut labels: JsonMap, flow: FlowId, deployment: Option<DeploymentId>) -> JsonMap {
    let mut add = |key: &str, id: Uuid| {
        labels.entry(key).or_insert_with(|| Value::String(id.to_string()));
    };
    add("prefect.flow.id", flow.0);
    if let Some(deployment) = deployment {
        add("prefect.deployment.id", deployment.0);
    }
    labels
}
