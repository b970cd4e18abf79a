//! `/work_pools`, and the queues under them.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, OptionalBody, Path};
use super::filter::{WorkPoolFilter, WorkQueueFilter};
use super::page::Page;
use super::wire::directory::Directory;
use super::wire::work_pool::{WorkPoolCreate, WorkPoolResponse, WorkPoolUpdate};
use super::wire::work_queue::{WorkQueueCreate, WorkQueueResponse, WorkQueueUpdate};
use super::work_queues;
use crate::control::PoolDeletion;
use crate::model::work_pool::{WorkPool, WorkQueue};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/work_pools", post(create))
        .route("/work_pools/filter", post(filter))
        .route("/work_pools/count", post(count))
        .route("/work_pools/{name}", get(by_name).patch(update).delete(delete))
        .route("/reeve/work_pools/{name}/delete", post(delete_and_tell))
        .route("/work_pools/{name}/queues", post(create_queue))
        .route("/work_pools/{name}/queues/filter", post(filter_queues))
        .route("/work_pools/{name}/queues/{queue}", get(queue_by_name).patch(update_queue).delete(delete_queue))
}

/// The body of `filter` and `count`.
#[derive(Debug, Default, Deserialize)]
struct Pools {
    work_pools: Option<WorkPoolFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

/// The body of `queues/filter`.
#[derive(Debug, Default, Deserialize)]
struct Queues {
    work_queues: Option<WorkQueueFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

pub(super) fn absent(name: &str) -> ApiError {
    ApiError::not_found(format!("Work pool {name:?} not found."))
}

/// Prefect keeps these names for itself.
fn is_reserved(name: &str) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("prefect"))
}

async fn create(
    State(api): State<Api>,
    Caller(author): Caller,
    Body(body): Body<WorkPoolCreate>,
) -> Result<(StatusCode, Json<WorkPoolResponse>), ApiError> {
    let (name, spec) = body.into_spec();
    if is_reserved(&name) {
        let detail = "Work pools starting with 'Prefect' are reserved for internal use.";
        return Err(ApiError::detail(StatusCode::FORBIDDEN, detail));
    }
    let pool = api.control.create_work_pool(name, spec, author).await?;
    let shown = api.read(move |api| Ok(WorkPoolResponse::of(pool, &Directory::read(&api.reader, &*api.control)?)?));
    Ok((StatusCode::CREATED, Json(shown.await?)))
}

async fn by_name(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<WorkPoolResponse>, ApiError> {
    let pool = known(&api, &name)?;
    let shown = api.read(move |api| Ok(WorkPoolResponse::of(pool, &Directory::read(&api.reader, &*api.control)?)?));
    Ok(Json(shown.await?))
}

pub(super) fn known(api: &Api, name: &str) -> Result<WorkPool, ApiError> {
    api.reader.work_pool(name)?.ok_or_else(|| absent(name))
}

async fn filter(State(api): State<Api>, OptionalBody(body): OptionalBody<Pools>) -> Result<Json<Vec<WorkPoolResponse>>, ApiError> {
    let page = Page::new(body.limit, body.offset)?;
    let shown = api.read(move |api| {
        let directory = Directory::read(&api.reader, &*api.control)?;
        let mut pools = api.reader.work_pools()?;
        pools.retain(|pool| body.work_pools.as_ref().is_none_or(|filter| filter.matches(pool)));
        pools.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(page.cut(pools.into_iter().map(|pool| WorkPoolResponse::of(pool, &directory)))?)
    });
    Ok(Json(shown.await?))
}

async fn count(State(api): State<Api>, OptionalBody(body): OptionalBody<Pools>) -> Result<Json<usize>, ApiError> {
    let pools = api.reader.work_pools()?;
    let matches = |pool: &&WorkPool| body.work_pools.as_ref().is_none_or(|filter| filter.matches(pool));
    Ok(Json(pools.iter().filter(matches).count()))
}

async fn update(
    State(api): State<Api>,
    Path(name): Path<String>,
    Caller(author): Caller,
    Body(body): Body<WorkPoolUpdate>,
) -> Result<StatusCode, ApiError> {
    api.control.update_work_pool(name, body.into(), author).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(api): State<Api>, Path(name): Path<String>, Caller(author): Caller) -> Result<StatusCode, ApiError> {
    api.control.delete_work_pool(name, false, author).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize)]
struct Deletion {
    /// Only tell what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// The same as `delete`, with an answer.
async fn delete_and_tell(
    State(api): State<Api>,
    Path(name): Path<String>,
    Caller(author): Caller,
    OptionalBody(body): OptionalBody<Deletion>,
) -> Result<Json<PoolDeletion>, ApiError> {
    Ok(Json(api.control.delete_work_pool(name, body.dry_run, author).await?))
}

async fn create_queue(
    State(api): State<Api>,
    Path(pool): Path<String>,
    Caller(author): Caller,
    Body(body): Body<WorkQueueCreate>,
) -> Result<(StatusCode, Json<WorkQueueResponse>), ApiError> {
    known(&api, &pool)?;
    work_queues::create_in(&api, Some(pool), author, body).await
}

async fn filter_queues(
    State(api): State<Api>,
    Path(pool): Path<String>,
    OptionalBody(body): OptionalBody<Queues>,
) -> Result<Json<Vec<WorkQueueResponse>>, ApiError> {
    let page = Page::new(body.limit, body.offset)?;
    known(&api, &pool)?;
    let shown = api.read(move |api| {
        let mut queues = api.reader.work_queues()?;
        queues.retain(|queue| queue.pool == pool && body.work_queues.as_ref().is_none_or(|filter| filter.matches(queue)));
        queues.sort_by(|one, other| (one.effective().priority, &one.name).cmp(&(other.effective().priority, &other.name)));
        let directory = Directory::read(&api.reader, &*api.control)?;
        Ok(page.cut(queues.into_iter().map(|queue| WorkQueueResponse::of(queue, &directory, &api.reader)))?)
    });
    Ok(Json(shown.await?))
}

fn known_queue(api: &Api, pool: &str, name: &str) -> Result<WorkQueue, ApiError> {
    let absent = || ApiError::not_found(format!("Work pool queue '{pool}/{name}' not found."));
    api.reader.work_queue(pool, name)?.ok_or_else(absent)
}

async fn queue_by_name(
    State(api): State<Api>,
    Path((pool, name)): Path<(String, String)>,
) -> Result<Json<WorkQueueResponse>, ApiError> {
    let queue = known_queue(&api, &pool, &name)?;
    work_queues::shown(&api, queue).await.map(Json)
}

async fn update_queue(
    State(api): State<Api>,
    Path((pool, name)): Path<(String, String)>,
    Caller(author): Caller,
    Body(body): Body<WorkQueueUpdate>,
) -> Result<StatusCode, ApiError> {
    let queue = known_queue(&api, &pool, &name)?;
    api.control.update_work_queue(queue.id, body.into_patch(&api.reader)?, author).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_queue(
    State(api): State<Api>,
    Path((pool, name)): Path<(String, String)>,
    Caller(author): Caller,
) -> Result<StatusCode, ApiError> {
    let queue = known_queue(&api, &pool, &name)?;
    api.control.delete_work_queue(queue.id, author).await?;
    Ok(StatusCode::NO_CONTENT)
}
