//! `/flow_runs`.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, OptionalBody, Path};
use super::filter::FlowRunSort;
use super::filter::selection::Selection;
use super::page::Page;
use super::wire::directory::Directory;
use super::wire::flow_run::FlowRunResponse;
use super::wire::flow_run_request::{FlowRunCreate, FlowRunUpdate};
use super::wire::state::{OrchestrationResult, SetState};
use crate::clock;
use crate::control::{ControlError, Made, RunPatch};
use crate::model::JsonMap;
use crate::model::id::FlowRunId;
use crate::model::run::FlowRun;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Serialize;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/flow_runs", post(create))
        .route("/flow_runs/filter", post(filter))
        .route("/flow_runs/count", post(count))
        .route("/flow_runs/paginate", post(paginate))
        .route("/flow_runs/{id}", get(by_id).patch(update).delete(delete))
        .route("/flow_runs/{id}/set_state", post(set_state))
        .route("/flow_runs/{id}/labels", patch(set_labels))
        .route("/flow_runs/{id}/logs/download", get(super::logs::download))
}

pub(super) fn absent() -> ApiError {
    ApiError::not_found("Flow run not found")
}

async fn create(
    State(api): State<Api>,
    Caller(author): Caller,
    Body(body): Body<FlowRunCreate>,
) -> Result<(StatusCode, Json<FlowRunResponse>), ApiError> {
    let made = api.control.create_run(body.request(author.who)).await?;
    created(&api, made).await
}

/// The answer for a run that was asked for: 201, or 200 where its idempotency key had made it before.
pub(super) async fn created(api: &Api, made: Made<FlowRun>) -> Result<(StatusCode, Json<FlowRunResponse>), ApiError> {
    let status = if matches!(made, Made::New(_)) { StatusCode::CREATED } else { StatusCode::OK };
    let run = made.into_inner();
    let mut shown = api.read(move |api| shown(api, vec![run])).await?;
    shown.pop().map(|run| (status, Json(run))).ok_or_else(absent)
}

pub(super) fn shown(api: &Api, runs: Vec<FlowRun>) -> Result<Vec<FlowRunResponse>, ApiError> {
    let directory = Directory::read(&api.reader, &*api.control)?;
    let now = clock::now();
    Ok(runs.into_iter().map(|run| FlowRunResponse::of(run, &directory, now)).collect())
}

async fn by_id(State(api): State<Api>, Path(id): Path<FlowRunId>) -> Result<Json<FlowRunResponse>, ApiError> {
    let mut found = api.read(move |api| shown(api, api.reader.run_or_virtual(id, clock::now())?.into_iter().collect())).await?;
    found.pop().map(Json).ok_or_else(absent)
}

async fn filter(
    State(api): State<Api>,
    OptionalBody(selection): OptionalBody<Selection<FlowRunSort>>,
) -> Result<Json<Vec<FlowRunResponse>>, ApiError> {
    let page = Page::new(selection.limit, selection.offset)?;
    Ok(Json(api.read(move |api| shown(api, selection.find_runs(&api.reader, page, clock::now())?)).await?))
}

async fn count(
    State(api): State<Api>,
    OptionalBody(selection): OptionalBody<Selection<FlowRunSort>>,
) -> Result<Json<usize>, ApiError> {
    Ok(Json(api.read(move |api| Ok(selection.count_runs(&api.reader, clock::now())?)).await?))
}

/// A page by its number, from 1 on, and how many there are.
#[derive(Debug, Serialize)]
struct Paginated {
    results: Vec<FlowRunResponse>,
    count: usize,
    limit: usize,
    pages: usize,
    page: usize,
}

async fn paginate(
    State(api): State<Api>,
    OptionalBody(selection): OptionalBody<Selection<FlowRunSort>>,
) -> Result<Json<Paginated>, ApiError> {
    let (page, number) = Page::numbered(selection.limit, selection.page)?;
    let paginated = api.read(move |api| {
        let now = clock::now();
        let count = selection.count_runs(&api.reader, now)?;
        let results = shown(api, selection.find_runs(&api.reader, page, now)?)?;
        Ok(Paginated { results, count, limit: page.limit, pages: count.div_ceil(page.limit.max(1)), page: number })
    });
    Ok(Json(paginated.await?))
}

async fn set_state(
    State(api): State<Api>,
    Path(id): Path<FlowRunId>,
    Body(body): Body<SetState>,
) -> Result<(StatusCode, Json<OrchestrationResult>), ApiError> {
    let answer = api.control.set_state(id, body.state.into(), body.force.unwrap_or(false)).await;
    let (run, decision) = answer.map_err(|error| match error {
        // This route has a 404 shape of its own.
        ControlError::NotFound(_) => {
            ApiError::exception_message(StatusCode::NOT_FOUND, format!("Flow run with id {id} not found"))
        }
        other => other.into(),
    })?;
    let status = if decision.changed().is_some() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(OrchestrationResult::of(run, decision))))
}

async fn update(
    State(api): State<Api>,
    Path(id): Path<FlowRunId>,
    Body(body): Body<FlowRunUpdate>,
) -> Result<StatusCode, ApiError> {
    api.control.update_run(id, body.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The labels are laid over those that the run has.
async fn set_labels(
    State(api): State<Api>,
    Path(id): Path<FlowRunId>,
    Body(labels): Body<JsonMap>,
) -> Result<StatusCode, ApiError> {
    api.control.update_run(id, RunPatch { labels: Some(labels), ..RunPatch::default() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(api): State<Api>, Path(id): Path<FlowRunId>) -> Result<StatusCode, ApiError> {
    api.control.delete_run(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
