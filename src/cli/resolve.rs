//! Which object a person means: an id, a full name, or a bare name where it is unique.
//!
//! A name that fits several objects lists them; one that fits none names the nearest. Nothing is guessed.
use super::client::{Client, segment, view};
use super::error::CliError;
use super::wire::{ConcurrencyLimit, Deployment, Flow, FlowRun, WorkPool, WorkQueue};
use super::words::{alternatives, nearest};
use crate::model::deployment::FullName;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An object with the JSON it came as.
pub struct Found<T> {
    pub view: T,
    pub json: Value,
    /// As people know it: `flow/deployment`, `pool/queue`, the name.
    pub full_name: String,
}

/// How many candidates an ambiguous name lists.
const CANDIDATES: usize = 10;

/// A deployment by `flow/name`, id, or bare name.
pub async fn deployment(client: &Client, wanted: &str) -> Result<Found<Deployment>, CliError> {
    if let Ok(id) = Uuid::parse_str(wanted) {
        let json = client.get(&format!("/deployments/{id}")).await;
        let json = json.map_err(|error| no_such_id(error, "deployment", wanted, "reeve deployment ls"))?;
        return named_deployment(client, json).await;
    }
    if let Some(name) = FullName::parse(wanted) {
        let path = format!("/deployments/name/{}/{}", segment(&name.flow), segment(&name.deployment));
        return match client.get(&path).await {
            Ok(json) => Ok(Found { view: view(&json)?, json, full_name: name.to_string() }),
            Err(error) if error.is_not_found() => Err(unknown_deployment(client, wanted).await?),
            Err(error) => Err(error),
        };
    }
    let filter = json!({"deployments": {"name": {"any_": [wanted]}}});
    let mut found = client.list("/deployments/filter", filter).await?;
    match found.len() {
        0 => Err(unknown_deployment(client, wanted).await?),
        1 => named_deployment(client, found.remove(0)).await,
        _ => {
            let names = deployment_names(client, &found).await?;
            Err(ambiguous("deployment", wanted, names.into_values().collect()).hint("give its full name or its id"))
        }
    }
}

/// The names of many deployments, `flow/name` by id.
pub async fn deployment_names(client: &Client, deployments: &[Value]) -> Result<BTreeMap<Uuid, String>, CliError> {
    let views: Vec<Deployment> = deployments.iter().map(view).collect::<Result<_, _>>()?;
    let flows = flow_names(client, views.iter().map(|deployment| deployment.flow_id)).await?;
    let name = |deployment: &Deployment| match flows.get(&deployment.flow_id) {
        Some(flow) => format!("{flow}/{}", deployment.name),
        None => deployment.name.clone(),
    };
    Ok(views.iter().map(|deployment| (deployment.id, name(deployment))).collect())
}

/// The names of flows by id.
pub async fn flow_names(
    client: &Client,
    ids: impl Iterator<Item = Uuid>,
) -> Result<BTreeMap<Uuid, String>, CliError> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let mut names = BTreeMap::new();
    for some in ids.chunks(100) {
        for flow in client.list("/flows/filter", json!({"flows": {"id": {"any_": some}}})).await? {
            let flow: Flow = view(&flow)?;
            names.insert(flow.id, flow.name);
        }
    }
    Ok(names)
}

/// The names of the deployments with these ids, as far as they still exist.
pub async fn deployment_names_by_id(
    client: &Client,
    ids: impl Iterator<Item = Uuid>,
) -> Result<BTreeMap<Uuid, String>, CliError> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let mut names = BTreeMap::new();
    for some in ids.chunks(100) {
        let found = client.list("/deployments/filter", json!({"deployments": {"id": {"any_": some}}})).await?;
        names.extend(deployment_names(client, &found).await?);
    }
    Ok(names)
}

/// A flow run by id or name.
pub async fn flow_run(client: &Client, wanted: &str) -> Result<Found<FlowRun>, CliError> {
    if let Ok(id) = Uuid::parse_str(wanted) {
        let json = client.get(&format!("/flow_runs/{id}")).await;
        let json = json.map_err(|error| no_such_id(error, "flow run", wanted, "reeve flow-run ls"))?;
        let view: FlowRun = view(&json)?;
        return Ok(Found { full_name: view.name.clone(), view, json });
    }
    let filter = json!({"flow_runs": {"name": {"any_": [wanted]}}, "sort": "EXPECTED_START_TIME_DESC"});
    let mut found = client.list("/flow_runs/filter", filter).await?;
    match found.len() {
        0 => Err(CliError::new(format!("there is no flow run '{wanted}'"))
            .hint("`reeve flow-run ls` lists the latest; a run is known by its name or its id")),
        1 => {
            let json = found.remove(0);
            Ok(Found { view: view(&json)?, json, full_name: wanted.to_owned() })
        }
        _ => {
            let views: Vec<FlowRun> = found.iter().map(view).collect::<Result<_, _>>()?;
            let lines = views.iter().map(|run| format!("{}  {}", run.id, run.state_name())).collect();
            Err(ambiguous("flow run", wanted, lines).hint("give its id"))
        }
    }
}

/// A work pool by name or id.
pub async fn work_pool(client: &Client, wanted: &str) -> Result<Found<WorkPool>, CliError> {
    let error = match client.get(&format!("/work_pools/{}", segment(wanted))).await {
        Ok(json) => return Ok(Found { view: view(&json)?, json, full_name: wanted.to_owned() }),
        Err(error) if error.is_not_found() => CliError::new(format!("there is no work pool '{wanted}'")),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for json in client.list("/work_pools/filter", json!({})).await? {
        let view: WorkPool = view(&json)?;
        if Uuid::parse_str(wanted).is_ok_and(|id| id == view.id) {
            return Ok(Found { full_name: view.name.clone(), view, json });
        }
        names.push(view.name);
    }
    Err(with_nearest(error, wanted, &names, "work pool", "reeve work-pool ls"))
}

/// The concurrency limit of a tag, by the tag or its id.
pub async fn concurrency_limit(client: &Client, wanted: &str) -> Result<Found<ConcurrencyLimit>, CliError> {
    let id = Uuid::parse_str(wanted).ok();
    let mut tags = Vec::new();
    for json in client.list("/concurrency_limits/filter", json!({})).await? {
        let view: ConcurrencyLimit = view(&json)?;
        if view.tag == wanted || id == Some(view.id) {
            return Ok(Found { full_name: view.tag.clone(), view, json });
        }
        tags.push(view.tag);
    }
    let error = CliError::new(format!("the tag '{wanted}' has no concurrency limit"));
    Err(with_nearest(error, wanted, &tags, "concurrency limit", "reeve concurrency-limit ls"))
}

/// A work queue by id, `pool/queue`, or bare name; `pool` narrows the search.
pub async fn work_queue(client: &Client, wanted: &str, pool: Option<&str>) -> Result<Found<WorkQueue>, CliError> {
    if let Ok(id) = Uuid::parse_str(wanted) {
        let json = client.get(&format!("/work_queues/{id}")).await;
        let json = json.map_err(|error| no_such_id(error, "work queue", wanted, "reeve work-queue ls"))?;
        let view: WorkQueue = view(&json)?;
        return Ok(Found { full_name: view.full_name(), view, json });
    }
    let (pool, name) = match (pool, wanted.split_once('/')) {
        (None, Some((pool, name))) => (Some(pool), name),
        (pool, _) => (pool, wanted),
    };
    let mut known = Vec::new();
    let mut found = Vec::new();
    for json in client.list("/work_queues/filter", json!({})).await? {
        let view: WorkQueue = view(&json)?;
        known.push(view.full_name());
        if view.name == name && (pool.is_none() || pool == view.work_pool_name.as_deref()) {
            found.push(Found { full_name: view.full_name(), view, json });
        }
    }
    match found.len() {
        0 => {
            let error = CliError::new(format!("there is no work queue '{wanted}'"));
            Err(with_nearest(error, wanted, &known, "work queue", "reeve work-queue ls"))
        }
        1 => Ok(found.remove(0)),
        _ => Err(ambiguous("work queue", wanted, found.into_iter().map(|queue| queue.full_name).collect())
            .hint("give its full name or its id, or name its pool with --pool")),
    }
}

async fn named_deployment(client: &Client, json: Value) -> Result<Found<Deployment>, CliError> {
    let view: Deployment = view(&json)?;
    let flow = flow_names(client, std::iter::once(view.flow_id)).await?.remove(&view.flow_id);
    let full_name = flow.map_or_else(|| view.name.clone(), |flow| format!("{flow}/{}", view.name));
    Ok(Found { view, json, full_name })
}

async fn unknown_deployment(client: &Client, wanted: &str) -> Result<CliError, CliError> {
    let all = client.list("/deployments/filter", json!({})).await?;
    let names: Vec<String> = deployment_names(client, &all).await?.into_values().collect();
    let error = CliError::new(format!("there is no deployment '{wanted}'"));
    Ok(with_nearest(error, wanted, &names, "deployment", "reeve deployment ls"))
}

fn with_nearest(error: CliError, wanted: &str, known: &[String], kind: &str, list: &str) -> CliError {
    let near: Vec<String> = nearest(wanted, known.iter().map(String::as_str)).iter().map(|n| format!("'{n}'")).collect();
    match (near.is_empty(), known.is_empty()) {
        (false, _) => error.hint(format!("did you mean {}?", alternatives(&near))),
        (true, true) => error.hint(format!("there is no {kind} at all yet")),
        (true, false) => error.hint(format!("`{list}` lists them")),
    }
}

fn no_such_id(error: CliError, kind: &str, wanted: &str, list: &str) -> CliError {
    match error.is_not_found() {
        true => CliError::new(format!("there is no {kind} with the id {wanted}")).hint(format!("`{list}` lists them")),
        false => error,
    }
}

fn ambiguous(kind: &str, wanted: &str, mut candidates: Vec<String>) -> CliError {
    candidates.sort();
    let number = candidates.len();
    let mut listed: String = candidates.iter().take(CANDIDATES).map(|name| format!("\n  {name}")).collect();
    if number > CANDIDATES {
        listed += &format!("\n  and {} more", number - CANDIDATES);
    }
    CliError::new(format!("'{wanted}' is not the name of one {kind}: it fits {number}{listed}"))
}
