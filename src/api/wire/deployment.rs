//! Deployments.
use super::WireTime;
use super::directory::Directory;
use super::schedule::ScheduleResponse;
use crate::model::JsonMap;
use crate::model::deployment::{CollisionStrategy, ConcurrencyLimit, Deployment, Entrypoint};
use crate::model::id::{DeploymentId, FlowId, WorkQueueId};
use crate::model::overrides::Overrides;
use crate::model::secret::masked_map;
use crate::store::ledger::LedgerError;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Serialize)]
pub(in crate::api) struct DeploymentResponse {
    id: DeploymentId,
    created: WireTime,
    updated: WireTime,
    name: String,
    version: Option<String>,
    description: Option<String>,
    flow_id: FlowId,
    paused: bool,
    schedules: Vec<ScheduleResponse>,
    /// Always null: see `global_concurrency_limit`.
    concurrency_limit: Option<u32>,
    global_concurrency_limit: Option<GlobalLimit>,
    concurrency_options: Option<ConcurrencyOptions>,
    job_variables: JsonMap,
    parameters: JsonMap,
    tags: Vec<String>,
    labels: JsonMap,
    work_queue_name: Option<String>,
    work_queue_id: Option<WorkQueueId>,
    last_polled: Option<WireTime>,
    parameter_openapi_schema: Option<Value>,
    path: Option<String>,
    pull_steps: Option<Vec<Value>>,
    entrypoint: Option<String>,
    storage_document_id: Option<Uuid>,
    infrastructure_document_id: Option<Uuid>,
    created_by: Option<Value>,
    updated_by: Option<Value>,
    work_pool_name: Option<String>,
    status: &'static str,
    enforce_parameter_schema: bool,
    reeve: Beyond,
}

#[derive(Debug, Serialize)]
struct GlobalLimit {
    id: Uuid,
    created: WireTime,
    updated: WireTime,
    active: bool,
    name: String,
    limit: u32,
    active_slots: usize,
    slot_decay_per_second: f64,
}

#[derive(Debug, Serialize)]
struct ConcurrencyOptions {
    collision_strategy: CollisionStrategy,
    grace_period_seconds: Option<u32>,
}

/// What reeve knows of a deployment beyond Prefect's model. Of the environment only names: values may be secret.
#[derive(Debug, Serialize)]
struct Beyond {
    full_name: String,
    flow_name: String,
    project: Option<String>,
    /// Relative to `root`.
    file: Option<String>,
    root: Option<String>,
    /// The words of the command, where the entrypoint is one.
    command: Option<Vec<String>>,
    env: Vec<String>,
    working_dir: Option<String>,
    retries: u32,
    retry_delay_seconds: Vec<f64>,
    timeout_seconds: Option<f64>,
    next: Option<WireTime>,
    overrides: Overrides,
}

impl DeploymentResponse {
    pub fn of(mut deployment: Deployment, directory: &Directory) -> Result<Self, LedgerError> {
        let limit = global_limit(&deployment, directory)?;
        let paused = deployment.paused();
        let schedules = ScheduleResponse::all_of(&mut deployment);
        let reeve = beyond(&mut deployment, directory)?;
        let declared = deployment.declared;
        let pool = declared.work_pool.as_deref();
        let held = pool.is_some_and(|pool| directory.is_paused(pool));
        Ok(DeploymentResponse {
            id: deployment.id,
            created: deployment.created.into(),
            updated: deployment.updated.into(),
            name: deployment.name.deployment,
            version: declared.version,
            description: declared.description,
            flow_id: deployment.flow_id,
            paused,
            schedules,
            concurrency_limit: None,
            global_concurrency_limit: limit,
            concurrency_options: declared.concurrency_limit.map(|limit| ConcurrencyOptions {
                collision_strategy: limit.collision_strategy,
                grace_period_seconds: limit.grace_period_seconds,
            }),
            labels: JsonMap::from_iter([("prefect.flow.id".to_owned(), Value::String(deployment.flow_id.to_string()))]),
            work_queue_id: pool.and_then(|pool| directory.queue_id(pool, declared.work_queue.as_deref())),
            work_queue_name: declared.work_queue.or_else(|| pool.map(|_| crate::model::work_pool::DEFAULT_QUEUE.to_owned())),
            status: if directory.serves(pool) && !held { "READY" } else { "NOT_READY" },
            work_pool_name: declared.work_pool,
            job_variables: masked_map(&declared.job_variables),
            parameters: declared.parameters,
            tags: declared.tags,
            last_polled: None,
            parameter_openapi_schema: declared.parameter_schema,
            path: declared.path,
            pull_steps: declared.pull_steps,
            entrypoint: declared.entrypoint.map(|entrypoint| entrypoint.to_string()),
            storage_document_id: None,
            infrastructure_document_id: None,
            created_by: None,
            updated_by: None,
            enforce_parameter_schema: declared.enforce_parameter_schema,
            reeve,
        })
    }
}

fn global_limit(deployment: &Deployment, directory: &Directory) -> Result<Option<GlobalLimit>, LedgerError> {
    let Some(ConcurrencyLimit { limit, .. }) = deployment.declared.concurrency_limit else { return Ok(None) };
    Ok(Some(GlobalLimit {
        // One limit belongs to one deployment: the deployment's id, marked, is an id for it.
        id: Uuid::from_u128(deployment.id.0.as_u128() ^ 0xffff),
        created: deployment.created.into(),
        updated: deployment.updated.into(),
        active: true,
        name: format!("deployment:{}", deployment.id),
        limit,
        active_slots: directory.slots_of_deployment(deployment.id)?,
        slot_decay_per_second: 0.0,
    }))
}

fn beyond(deployment: &mut Deployment, directory: &Directory) -> Result<Beyond, LedgerError> {
    let declared = &mut deployment.declared;
    let full_name = deployment.name.to_string();
    Ok(Beyond {
        next: directory.next_fire(deployment.id)?.map(WireTime),
        full_name,
        flow_name: deployment.name.flow.clone(),
        project: deployment.owner.as_ref().map(|owner| owner.project.clone()),
        file: deployment.owner.as_ref().map(|owner| owner.file.clone()),
        root: deployment.root.take(),
        command: match &declared.entrypoint {
            Some(Entrypoint::Shell { command }) => Some(vec!["sh".to_owned(), "-c".to_owned(), command.clone()]),
            Some(Entrypoint::Program { arguments }) => Some(arguments.clone()),
            Some(Entrypoint::Python { .. } | Entrypoint::Module { .. }) | None => None,
        },
        env: declared.env.keys().cloned().collect(),
        working_dir: declared.working_dir.take(),
        retries: declared.retries,
        retry_delay_seconds: std::mem::take(&mut declared.retry_delay_seconds),
        timeout_seconds: declared.timeout_seconds,
        overrides: std::mem::take(&mut deployment.overrides),
    })
}
