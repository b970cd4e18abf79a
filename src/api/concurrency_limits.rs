//! `/concurrency_limits`: limits by tag (Prefect's first kind). Their slots are held by flow runs, and computed from those that are going.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, OptionalBody, Path};
use super::page::Page;
use super::wire::tag_limit::{TagLimitCreate, TagLimitResponse};
use crate::control::Made;
use crate::model::id::{FlowRunId, TagLimitId};
use crate::model::tag_limit::TagLimit;
use crate::store::ledger::{LedgerError, Reader};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/concurrency_limits", post(create))
        .route("/concurrency_limits/filter", post(filter))
        .route("/concurrency_limits/{id}", get(by_id).delete(delete_by_id))
        .route("/concurrency_limits/tag/{tag}", get(by_tag).delete(delete_by_tag))
        .route("/concurrency_limits/tag/{tag}/reset", post(reset))
}

fn absent() -> ApiError {
    ApiError::not_found("Concurrency limit not found")
}

/// The runs that hold slots, by each tag that they bear. A run between two attempts holds none.
pub(super) fn holders(reader: &Reader) -> Result<BTreeMap<String, Vec<FlowRunId>>, LedgerError> {
    let mut holders: BTreeMap<String, Vec<FlowRunId>> = BTreeMap::new();
    for id in reader.active_run_ids()? {
        let Some(run) = reader.run(id)?.filter(|run| run.state.kind.holds_slots()) else { continue };
        for tag in run.tags {
            let of_tag = holders.entry(tag).or_default();
            if of_tag.last() != Some(&id) {
                of_tag.push(id);
            }
        }
    }
    Ok(holders)
}

async fn shown(api: &Api, limits: Vec<TagLimit>) -> Result<Vec<TagLimitResponse>, ApiError> {
    let shown = api.read(move |api| {
        let mut holders = if limits.is_empty() { BTreeMap::new() } else { holders(&api.reader)? };
        Ok(limits.into_iter().map(|limit| { let held = holders.remove(&limit.tag).unwrap_or_default(); TagLimitResponse::of(limit, held) }).collect())
    });
    shown.await
}

async fn shown_one(api: &Api, limit: TagLimit) -> Result<Json<TagLimitResponse>, ApiError> {
    shown(api, vec![limit]).await?.pop().map(Json).ok_or_else(absent)
}

/// As Prefect does: a limit that is there gets the new number.
async fn create(
    State(api): State<Api>,
    Caller(author): Caller,
    Body(body): Body<TagLimitCreate>,
) -> Result<(StatusCode, Json<TagLimitResponse>), ApiError> {
    let made = api.control.set_tag_limit(body.tag, body.concurrency_limit, author).await?;
    let status = if matches!(made, Made::New(_)) { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, shown_one(&api, made.into_inner()).await?))
}

#[derive(Debug, Default, Deserialize)]
struct Limits {
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn filter(State(api): State<Api>, OptionalBody(body): OptionalBody<Limits>) -> Result<Json<Vec<TagLimitResponse>>, ApiError> {
    let page = Page::new(body.limit, body.offset)?;
    let all = page.cut(api.reader.tag_limits()?.into_iter().map(Ok::<_, LedgerError>))?;
    shown(&api, all).await.map(Json)
}

fn known(api: &Api, tag: &str) -> Result<TagLimit, ApiError> {
    api.reader.tag_limit(tag)?.ok_or_else(absent)
}

fn known_by_id(api: &Api, id: TagLimitId) -> Result<TagLimit, ApiError> {
    api.reader.tag_limits()?.into_iter().find(|limit| limit.id == id).ok_or_else(absent)
}

async fn by_id(State(api): State<Api>, Path(id): Path<TagLimitId>) -> Result<Json<TagLimitResponse>, ApiError> {
    shown_one(&api, known_by_id(&api, id)?).await
}

async fn by_tag(State(api): State<Api>, Path(tag): Path<String>) -> Result<Json<TagLimitResponse>, ApiError> {
    shown_one(&api, known(&api, &tag)?).await
}

async fn delete_by_id(State(api): State<Api>, Path(id): Path<TagLimitId>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let tag = known_by_id(&api, id)?.tag;
    delete_by_tag(State(api), Path(tag), caller).await
}

async fn delete_by_tag(State(api): State<Api>, Path(tag): Path<String>, Caller(author): Caller) -> Result<Json<Value>, ApiError> {
    api.control.delete_tag_limit(tag, author).await?;
    Ok(Json(Value::Null))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    slot_override: Option<Vec<Uuid>>,
}

/// Slots are those of the runs that are going, and so are right already: nothing is done, and none can be given away by hand.
async fn reset(State(api): State<Api>, Path(tag): Path<String>, OptionalBody(body): OptionalBody<Reset>) -> Result<Json<Value>, ApiError> {
    known(&api, &tag)?;
    match body.slot_override {
        Some(runs) if !runs.is_empty() => {
            Err(ApiError::meaningless("slot_override: the slots of a tag are held by the flow runs that are going, and by nothing else".to_owned()))
        }
        _ => Ok(Json(Value::Null)),
    }
}
