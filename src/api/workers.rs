//! `/work_pools/{name}/workers`: who serves a pool. The daemon itself does, where it has an executor of the pool's type.
use super::Api;
use super::error::ApiError;
use super::extract::{OptionalBody, Path};
use super::filter::{WorkerFilter, WorkerStatus};
use super::page::Page;
use super::wire::WireTime;
use super::work_pools::known;
use crate::clock;
use crate::executor;
use crate::model::id::WorkPoolId;
use crate::model::work_pool::WorkPool;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use uuid::Uuid;

/// The name of the daemon's own worker in every pool.
const BUILT_IN: &str = "reeve daemon";

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/work_pools/{name}/workers/filter", post(filter))
}

#[derive(Debug, Default, Deserialize)]
struct Workers {
    workers: Option<WorkerFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

#[derive(Debug, Serialize)]
struct WorkerResponse {
    id: Uuid,
    created: WireTime,
    updated: WireTime,
    name: &'static str,
    work_pool_id: WorkPoolId,
    last_heartbeat_time: WireTime,
    /// The daemon needs none: that it answers says that it is there.
    heartbeat_interval_seconds: Option<u32>,
    status: WorkerStatus,
}

async fn filter(
    State(api): State<Api>,
    Path(pool): Path<String>,
    OptionalBody(body): OptionalBody<Workers>,
) -> Result<Json<Vec<WorkerResponse>>, ApiError> {
    let page = Page::new(body.limit, body.offset)?;
    let pool = known(&api, &pool)?;
    let passes = |worker: &WorkerResponse| {
        body.workers.as_ref().is_none_or(|filter| filter.matches(worker.last_heartbeat_time.0, worker.status))
    };
    let workers = built_in(&api, &pool).into_iter().filter(passes).map(Ok::<_, Infallible>);
    let Ok(workers) = page.cut(workers);
    Ok(Json(workers))
}

/// The daemon's own worker, where one runs and serves the pool's type.
fn built_in(api: &Api, pool: &WorkPool) -> Option<WorkerResponse> {
    let status = api.control.status();
    let serves = status.ready && executor::KINDS.iter().any(|kind| kind.name == pool.declared.kind);
    serves.then(|| WorkerResponse {
        // One per pool: the pool's id, marked, is an id for it.
        id: Uuid::from_u128(pool.id.0.as_u128() ^ 0xffff),
        created: status.started.into(),
        updated: status.started.into(),
        name: BUILT_IN,
        work_pool_id: pool.id,
        last_heartbeat_time: clock::now().into(),
        heartbeat_interval_seconds: None,
        status: WorkerStatus::Online,
    })
}
