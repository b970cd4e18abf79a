//! `/reeve/projects`: the projects of this home, and suspending them.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, Path};
use super::wire::WireTime;
use crate::clock;
use crate::model::status::ProjectStatus;
use crate::model::stored::{Project, Suspension};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/reeve/projects", get(list))
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
    /// The suspension that is in force.
    suspended: Option<Suspension>,
    /// What this daemon is doing about it; `None` where it does not serve it.
    status: Option<ProjectStatus>,
}

impl ProjectView {
    fn of(project: Project, statuses: &[ProjectStatus]) -> Self {
        let suspended = project.suspension(clock::now()).cloned();
        let status = statuses.iter().find(|status| status.root == project.root).cloned();
        let Project { name, root, generation, applied, .. } = project;
        ProjectView { name, root, generation, applied: applied.into(), suspended, status }
    }
}

async fn list(State(api): State<Api>) -> Result<Json<Vec<ProjectView>>, ApiError> {
    let statuses = api.control.status().projects;
    let projects = api.read(|api| Ok(api.reader.projects()?)).await?;
    Ok(Json(projects.into_iter().map(|project| ProjectView::of(project, &statuses)).collect()))
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
    let suspension = Suspension { who: author.who, why: body.why, since: clock::now(), until };
    answer(&api, name, Some(suspension)).await
}

async fn resume(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<ProjectView>, ApiError> {
    answer(&api, name, None).await
}

async fn answer(api: &Api, name: String, suspension: Option<Suspension>) -> Result<Json<ProjectView>, ApiError> {
    let project = api.control.suspend_project(name, suspension).await?;
    Ok(Json(ProjectView::of(project, &api.control.status().projects)))
}
