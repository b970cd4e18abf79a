//! `/reeve/projects`: the projects of this home, suspending them, and deleting one whose files are gone.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, OptionalBody, Path, Query};
use super::page::Page;
use super::wire::WireTime;
use crate::clock;
use crate::control::{Author, ProjectDeletion, ReconcileReport};
use crate::model::event::Event;
use crate::model::overrides::Owner;
use crate::model::status::ProjectStatus;
use crate::model::stored::{Project, SourceState, Suspension};
use crate::model::work_pool::DEFAULT_QUEUE;
use crate::store::ledger::{LedgerError, Reader};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/reeve/projects", get(list))
        .route("/reeve/projects/{name}", get(by_name))
        .route("/reeve/projects/{name}/events", get(events))
        .route("/reeve/projects/{name}/delete", post(delete))
        .route("/reeve/projects/{name}/suspend", post(suspend))
        .route("/reeve/projects/{name}/resume", post(resume))
}

/// A project that was applied to this home.
#[derive(Debug, Serialize)]
struct ProjectView {
    name: String,
    root: String,
    generation: u64,
    applied: WireTime,
    /// What was read when it was applied last.
    source: Option<SourceState>,
    objects: Owned,
    /// The suspension that is in force.
    suspended: Option<Suspension>,
    /// What this daemon is doing about it; `None` where it does not serve it.
    status: Option<ProjectStatus>,
}

/// How many objects a project owns, as guards count them: a pool's `default` queue goes with its pool.
#[derive(Debug, Clone, Default, Serialize)]
struct Owned {
    concurrency_limits: usize,
    work_pools: usize,
    work_queues: usize,
    deployments: usize,
}

impl Owned {
    /// Of every project by its name.
    fn by_project(reader: &Reader) -> Result<BTreeMap<String, Owned>, LedgerError> {
        let mut all: BTreeMap<String, Owned> = BTreeMap::new();
        let mut count = |owner: Option<Owner>, of: fn(&mut Owned) -> &mut usize| {
            if let Some(owner) = owner {
                *of(all.entry(owner.project).or_default()) += 1;
            }
        };
        reader.tag_limits()?.into_iter().for_each(|limit| count(limit.owner, |owned| &mut owned.concurrency_limits));
        reader.work_pools()?.into_iter().for_each(|pool| count(pool.owner, |owned| &mut owned.work_pools));
        reader.work_queues()?.into_iter().filter(|queue| queue.name != DEFAULT_QUEUE).for_each(|queue| count(queue.owner, |owned| &mut owned.work_queues));
        for deployment in reader.deployments() {
            count(deployment?.owner, |owned| &mut owned.deployments);
        }
        Ok(all)
    }
}

impl ProjectView {
    fn of(project: Project, statuses: &[ProjectStatus], owned: &BTreeMap<String, Owned>) -> Self {
        let suspended = project.suspension(clock::now()).cloned();
        let status = statuses.iter().find(|status| status.root == project.root).cloned();
        let objects = owned.get(&project.name).cloned().unwrap_or_default();
        let Project { name, root, generation, applied, source, .. } = project;
        ProjectView { name, root, generation, applied: applied.into(), source, objects, suspended, status }
    }
}

async fn list(State(api): State<Api>) -> Result<Json<Vec<ProjectView>>, ApiError> {
    let shown = api.read(|api| {
        let (statuses, owned) = (api.control.status().projects, Owned::by_project(&api.reader)?);
        Ok(api.reader.projects()?.into_iter().map(|project| ProjectView::of(project, &statuses, &owned)).collect())
    });
    Ok(Json(shown.await?))
}

async fn by_name(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<ProjectView>, ApiError> {
    let project = api.reader.project(&name)?.ok_or_else(|| ApiError::not_found(format!("Project \"{name}\" not found.")))?;
    shown(&api, project).await
}

/// Which of a project's events are asked for.
#[derive(Debug, Deserialize)]
struct Events {
    /// At most 200, as of every list.
    limit: Option<i64>,
    offset: Option<i64>,
}

/// What was done to a project and its objects, by reeve on its own or by somebody, newest first, in Prefect's shape of an event. A
/// project that was deleted has its last ones.
async fn events(State(api): State<Api>, Path(name): Path<String>, Query(asked): Query<Events>) -> Result<Json<Vec<Event>>, ApiError> {
    let page = Page::new(asked.limit, asked.offset)?;
    let found = api.read(move |api| {
        let events = page.cut(api.reader.events_of(&name))?;
        match events.is_empty() && page.offset == 0 && api.reader.project(&name)?.is_none() {
            true => Err(ApiError::not_found(format!("Project \"{name}\" not found."))),
            false => Ok(events),
        }
    });
    Ok(Json(found.await?))
}

async fn shown(api: &Api, project: Project) -> Result<Json<ProjectView>, ApiError> {
    let shown = api.read(|api| Ok(ProjectView::of(project, &api.control.status().projects, &Owned::by_project(&api.reader)?)));
    Ok(Json(shown.await?))
}

async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    Caller(author): Caller,
    OptionalBody(body): OptionalBody<ProjectDeletion>,
) -> Result<Json<ReconcileReport>, ApiError> {
    Ok(Json(api.control.delete_project(ProjectDeletion { name, ..body }, author).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuspendRequest {
    why: Option<String>,
    until: Option<WireTime>,
}

async fn suspend(
    State(api): State<Api>,
    Path(name): Path<String>,
    Caller(author): Caller,
    Body(body): Body<SuspendRequest>,
) -> Result<Json<ProjectView>, ApiError> {
    let until = body.until.map(|WireTime(until)| until);
    let suspension = Suspension { who: author.who.clone(), why: body.why, since: clock::now(), until };
    answer(&api, name, Some(suspension), author).await
}

async fn resume(State(api): State<Api>, Path(name): Path<String>, Caller(author): Caller) -> Result<Json<ProjectView>, ApiError> {
    answer(&api, name, None, author).await
}

async fn answer(api: &Api, name: String, suspension: Option<Suspension>, by: Author) -> Result<Json<ProjectView>, ApiError> {
    let project = api.control.suspend_project(name, suspension, by).await?;
    shown(api, project).await
}
