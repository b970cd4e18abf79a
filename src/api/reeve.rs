//! `/reeve`: what reeve has beyond Prefect's API.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, Path, Query};
use super::flow_runs::absent;
use super::log_stream;
use crate::clock;
use crate::control::{ReconcileReport, ReconcileRequest};
use crate::model::id::FlowRunId;
use crate::model::status::Status;
use axum::body::Body as StreamBody;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

/// A project's files may come with a request: a manifest may have 32 MiB.
pub(super) const MAX_SOURCES_BYTES: usize = 48 * 1024 * 1024;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/reeve/version", get(version))
        .route("/reeve/status", get(status))
        .route("/reeve/reconcile", post(reconcile).layer(DefaultBodyLimit::max(MAX_SOURCES_BYTES)))
        .route("/reeve/flow_runs/{id}/logs/stream", get(stream_logs))
        .route("/reeve/flow_runs/{id}/logs/follow", get(follow_logs))
}

async fn version(State(api): State<Api>) -> Json<&'static str> {
    Json(api.version)
}

async fn status(State(api): State<Api>) -> Json<Status> {
    Json(api.control.status())
}

/// 200 with the report also where the files are wrong or a guard refused: the report says so.
async fn reconcile(
    State(api): State<Api>,
    Caller(author): Caller,
    Body(request): Body<ReconcileRequest>,
) -> Result<Json<ReconcileReport>, ApiError> {
    Ok(Json(api.control.reconcile(request, author).await?))
}

#[derive(Debug, Deserialize)]
struct FromWhere {
    #[serde(default)]
    follow: bool,
    #[serde(default = "first_attempt")]
    attempt: u32,
    #[serde(default)]
    position: u64,
}

fn first_attempt() -> u32 {
    1
}

/// The run's log as lines of JSON. With `follow=true` it goes on until the run is over. `attempt` and `position` say where to begin: the
/// last line of each burst names the position after it.
async fn stream_logs(
    State(api): State<Api>,
    Path(id): Path<FlowRunId>,
    Query(query): Query<FromWhere>,
) -> Result<Response, ApiError> {
    streamed(api, id, query).await
}

/// The same, following.
async fn follow_logs(
    State(api): State<Api>,
    Path(id): Path<FlowRunId>,
    Query(query): Query<FromWhere>,
) -> Result<Response, ApiError> {
    streamed(api, id, FromWhere { follow: true, ..query }).await
}

/// A virtual run has no log yet: it is empty, and ends.
async fn streamed(api: Api, id: FlowRunId, query: FromWhere) -> Result<Response, ApiError> {
    api.read(move |api| Ok(api.reader.run_or_virtual(id, clock::now())?)).await?.ok_or_else(absent)?;
    let lines = log_stream::lines(api, id, (query.attempt, query.position), query.follow);
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], StreamBody::from_stream(lines)).into_response())
}
