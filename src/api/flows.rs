//! `/flows`.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, OptionalBody, Path};
use super::filter::FlowSort;
use super::filter::selection::Selection;
use super::page::Page;
use super::wire::flow::{FlowCreate, FlowResponse};
use crate::control::Made;
use crate::clock;
use crate::model::deployment::Flow;
use crate::model::id::FlowId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use std::cmp::Reverse;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/flows", post(create))
        .route("/flows/filter", post(filter))
        .route("/flows/count", post(count))
        .route("/flows/name/{name}", get(by_name))
        .route("/flows/{id}", get(by_id))
}

async fn create(State(api): State<Api>, Body(flow): Body<FlowCreate>) -> Result<(StatusCode, Json<FlowResponse>), ApiError> {
    let made = api.control.create_flow(flow.name.0, flow.tags, flow.labels.unwrap_or_default()).await?;
    let status = if matches!(made, Made::New(_)) { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(made.into_inner().into())))
}

async fn by_id(State(api): State<Api>, Path(id): Path<FlowId>) -> Result<Json<FlowResponse>, ApiError> {
    found(api.reader.flow(id)?)
}

async fn by_name(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<FlowResponse>, ApiError> {
    found(api.reader.flow_by_name(&name)?)
}

fn found(flow: Option<Flow>) -> Result<Json<FlowResponse>, ApiError> {
    flow.map(|flow| Json(flow.into())).ok_or_else(|| ApiError::not_found("Flow not found"))
}

async fn filter(
    State(api): State<Api>,
    OptionalBody(selection): OptionalBody<Selection<FlowSort>>,
) -> Result<Json<Vec<FlowResponse>>, ApiError> {
    let page = Page::new(selection.limit, selection.offset)?;
    let mut flows = api.read(move |api| sorted(&selection, api)).await?;
    flows.drain(..page.offset.min(flows.len()));
    flows.truncate(page.limit);
    Ok(Json(flows.into_iter().map(FlowResponse::from).collect()))
}

fn sorted(selection: &Selection<FlowSort>, api: &Api) -> Result<Vec<Flow>, ApiError> {
    let mut flows = selection.find_flows(&api.reader, clock::now())?;
    match selection.sort.unwrap_or_default() {
        FlowSort::CreatedDesc => flows.sort_by_key(|flow| Reverse((flow.created, flow.id))),
        FlowSort::UpdatedDesc => flows.sort_by_key(|flow| Reverse((flow.updated, flow.id))),
        FlowSort::NameAsc => flows.sort_by(|one, other| one.name.cmp(&other.name)),
        FlowSort::NameDesc => flows.sort_by(|one, other| other.name.cmp(&one.name)),
    }
    Ok(flows)
}

async fn count(
    State(api): State<Api>,
    OptionalBody(selection): OptionalBody<Selection<FlowSort>>,
) -> Result<Json<usize>, ApiError> {
    Ok(Json(api.read(move |api| Ok(selection.find_flows(&api.reader, clock::now())?.len())).await?))
}
