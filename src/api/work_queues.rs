//! `/work_queues`: queues by id, and those of the default pool by name.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, OptionalBody, Path};
use super::filter::WorkQueueFilter;
use super::page::Page;
use super::wire::directory::Directory;
use super::wire::work_queue::{WorkQueueCreate, WorkQueueResponse, WorkQueueUpdate};
use crate::control::{Author, QueueDeletion};
use crate::model::id::WorkQueueId;
use crate::model::work_pool::{DEFAULT_AGENT_POOL, WorkQueue};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/work_queues", post(create))
        .route("/work_queues/filter", post(filter))
        .route("/work_queues/name/{name}", get(by_name))
        .route("/work_queues/{id}", get(by_id).patch(update).delete(delete))
        .route("/reeve/work_queues/{id}/delete", post(delete_and_tell))
}

#[derive(Debug, Default, Deserialize)]
struct Queues {
    work_queues: Option<WorkQueueFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

fn absent() -> ApiError {
    ApiError::not_found("work queue not found")
}

pub(super) async fn shown(api: &Api, queue: WorkQueue) -> Result<WorkQueueResponse, ApiError> {
    api.read(move |api| Ok(WorkQueueResponse::of(queue, &Directory::read(&api.reader, &*api.control)?, &api.reader)?)).await
}

/// `pool`: `None` is the default agent pool.
pub(super) async fn create_in(
    api: &Api,
    pool: Option<String>,
    author: Author,
    body: WorkQueueCreate,
) -> Result<(StatusCode, Json<WorkQueueResponse>), ApiError> {
    let (name, spec) = body.into_spec(&api.reader)?;
    let queue = api.control.create_work_queue(pool, name, spec, author).await?;
    Ok((StatusCode::CREATED, Json(shown(api, queue).await?)))
}

async fn create(
    State(api): State<Api>,
    Caller(author): Caller,
    Body(body): Body<WorkQueueCreate>,
) -> Result<(StatusCode, Json<WorkQueueResponse>), ApiError> {
    create_in(&api, None, author, body).await
}

async fn by_id(State(api): State<Api>, Path(id): Path<WorkQueueId>) -> Result<Json<WorkQueueResponse>, ApiError> {
    let queue = api.reader.work_queue_by_id(id)?.ok_or_else(absent)?;
    shown(&api, queue).await.map(Json)
}

/// A queue's name is unique only in its pool: the default agent pool's comes first, else the first pool's by name.
async fn by_name(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<WorkQueueResponse>, ApiError> {
    let named = api.reader.work_queues()?.into_iter().filter(|queue| queue.name == name);
    let queue = named.min_by_key(|queue| (queue.pool != DEFAULT_AGENT_POOL, queue.pool.clone())).ok_or_else(absent)?;
    shown(&api, queue).await.map(Json)
}

async fn filter(State(api): State<Api>, OptionalBody(body): OptionalBody<Queues>) -> Result<Json<Vec<WorkQueueResponse>>, ApiError> {
    let page = Page::new(body.limit, body.offset)?;
    let shown = api.read(move |api| {
        let mut queues = api.reader.work_queues()?;
        queues.retain(|queue| body.work_queues.as_ref().is_none_or(|filter| filter.matches(queue)));
        queues.sort_by(|one, other| (&one.name, &one.pool).cmp(&(&other.name, &other.pool)));
        let directory = Directory::read(&api.reader, &*api.control)?;
        Ok(page.cut(queues.into_iter().map(|queue| WorkQueueResponse::of(queue, &directory, &api.reader)))?)
    });
    Ok(Json(shown.await?))
}

async fn update(
    State(api): State<Api>,
    Path(id): Path<WorkQueueId>,
    Caller(author): Caller,
    Body(body): Body<WorkQueueUpdate>,
) -> Result<StatusCode, ApiError> {
    api.control.update_work_queue(id, body.into_patch(&api.reader)?, author).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(api): State<Api>, Path(id): Path<WorkQueueId>, Caller(author): Caller) -> Result<StatusCode, ApiError> {
    api.control.delete_work_queue(id, author).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The same as `delete`, with an answer.
async fn delete_and_tell(
    State(api): State<Api>,
    Path(id): Path<WorkQueueId>,
    Caller(author): Caller,
) -> Result<Json<QueueDeletion>, ApiError> {
    Ok(Json(api.control.delete_work_queue(id, author).await?))
}
