//! `/deployments`, and where a deployment's fields come from.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, OptionalBody, Path};
use super::filter::{DeploymentSort, FlowRunFilter, FlowRunSort};
use super::filter::selection::Selection;
use super::flow_runs::{self, created};
use super::page::Page;
use super::wire::WireTime;
use super::wire::deployment::DeploymentResponse;
use super::wire::directory::Directory;
use super::wire::flow_run::FlowRunResponse;
use super::wire::flow_run_request::DeploymentFlowRunCreate;
use super::wire::schedule::ScheduleResponse;
use crate::clock;
use crate::model::deployment::{Deployment, FullName};
use crate::model::id::DeploymentId;
use crate::reconcile::origin::Origin;
use crate::store::ledger::LedgerError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use std::cmp::Reverse;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/deployments/filter", post(filter))
        .route("/deployments/count", post(count))
        .route("/deployments/get_scheduled_flow_runs", post(scheduled_flow_runs))
        .route("/deployments/name/{flow}/{name}", get(by_name))
        .route("/deployments/{id}", get(by_id).delete(delete))
        .route("/deployments/{id}/create_flow_run", post(create_flow_run))
        .route("/deployments/{id}/pause_deployment", post(pause))
        .route("/deployments/{id}/resume_deployment", post(resume))
        .route("/deployments/{id}/schedules", get(schedules))
        .route("/reeve/deployments/{id}/explain", get(explain))
}

fn absent() -> ApiError {
    ApiError::not_found("Deployment not found")
}

async fn by_id(State(api): State<Api>, Path(id): Path<DeploymentId>) -> Result<Json<DeploymentResponse>, ApiError> {
    shown(&api, move |api| api.reader.deployment(id)).await
}

async fn by_name(State(api): State<Api>, Path((flow, name)): Path<(String, String)>) -> Result<Json<DeploymentResponse>, ApiError> {
    shown(&api, move |api| api.reader.deployment_by_name(&FullName::new(flow, name))).await
}

async fn shown(
    api: &Api,
    find: impl FnOnce(&Api) -> Result<Option<Deployment>, LedgerError> + Send + 'static,
) -> Result<Json<DeploymentResponse>, ApiError> {
    let response = api.read(move |api| {
        let Some(deployment) = find(api)? else { return Ok(None) };
        Ok(Some(DeploymentResponse::of(deployment, &Directory::read(&api.reader, &*api.control)?)?))
    });
    response.await?.map(Json).ok_or_else(absent)
}

async fn filter(
    State(api): State<Api>,
    OptionalBody(selection): OptionalBody<Selection<DeploymentSort>>,
) -> Result<Json<Vec<DeploymentResponse>>, ApiError> {
    let page = Page::new(selection.limit, selection.offset)?;
    let answer = api.read(move |api| {
        let mut places: Vec<Result<_, LedgerError>> = Vec::new();
        let sort = selection.sort.unwrap_or_default();
        selection.each_deployment(&api.reader, clock::now(), |deployment| places.push(Ok((rank(sort, deployment), deployment.id))))?;
        let directory = Directory::read(&api.reader, &*api.control)?;
        let mut found = Vec::new();
        for id in page.sorted(places.into_iter(), |_, _| false)? {
            if let Some(deployment) = api.reader.deployment(id)? {
                found.push(DeploymentResponse::of(deployment, &directory)?);
            }
        }
        Ok(found)
    });
    Ok(Json(answer.await?))
}

/// Where a deployment stands under a sort; equals stand by flow, then id.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Newest(Reverse<Timestamp>, DeploymentId),
    First(String, String),
    Last(Reverse<(String, String)>),
}

fn rank(sort: DeploymentSort, deployment: &Deployment) -> Rank {
    let names = || (deployment.name.deployment.clone(), deployment.name.flow.clone());
    match sort {
        DeploymentSort::CreatedDesc => Rank::Newest(Reverse(deployment.created), deployment.id),
        DeploymentSort::UpdatedDesc => Rank::Newest(Reverse(deployment.updated), deployment.id),
        DeploymentSort::NameAsc => {
            let (name, flow) = names();
            Rank::First(name, flow)
        }
        DeploymentSort::NameDesc => Rank::Last(Reverse(names())),
    }
}

async fn count(
    State(api): State<Api>,
    OptionalBody(selection): OptionalBody<Selection<DeploymentSort>>,
) -> Result<Json<usize>, ApiError> {
    let answer = api.read(move |api| {
        let mut count = 0;
        selection.each_deployment(&api.reader, clock::now(), |_| count += 1)?;
        Ok(count)
    });
    Ok(Json(answer.await?))
}

async fn delete(State(api): State<Api>, Path(id): Path<DeploymentId>, Caller(author): Caller) -> Result<StatusCode, ApiError> {
    api.control.delete_deployment(id, author).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn create_flow_run(
    State(api): State<Api>,
    Path(id): Path<DeploymentId>,
    Caller(author): Caller,
    OptionalBody(body): OptionalBody<DeploymentFlowRunCreate>,
) -> Result<(StatusCode, Json<FlowRunResponse>), ApiError> {
    let made = api.control.create_run(body.request(id, author.who)).await?;
    created(&api, made).await
}

/// What is asked of the runs that wait.
#[derive(Debug, Deserialize)]
struct Scheduled {
    deployment_ids: Vec<DeploymentId>,
    scheduled_before: Option<WireTime>,
    limit: Option<i64>,
}

/// The runs of these deployments that wait to start, stored and virtual, in the order in which they are to start. Prefect's runners
/// (`serve`) poll it.
async fn scheduled_flow_runs(
    State(api): State<Api>,
    Body(asked): Body<Scheduled>,
) -> Result<Json<Vec<FlowRunResponse>>, ApiError> {
    let page = Page::new(asked.limit, None)?;
    let selection = Selection {
        flow_runs: Some(FlowRunFilter::scheduled(asked.deployment_ids, asked.scheduled_before)),
        sort: Some(FlowRunSort::NextScheduledStartTimeAsc),
        ..Selection::default()
    };
    Ok(Json(api.read(move |api| flow_runs::shown(api, selection.find_runs(&api.reader, page, clock::now())?)).await?))
}

async fn pause(State(api): State<Api>, Path(id): Path<DeploymentId>, Caller(author): Caller) -> Result<(), ApiError> {
    api.control.pause_deployment(id, true, author).await?;
    Ok(())
}

async fn resume(State(api): State<Api>, Path(id): Path<DeploymentId>, Caller(author): Caller) -> Result<(), ApiError> {
    api.control.pause_deployment(id, false, author).await?;
    Ok(())
}

/// Every effective field with its source.
async fn explain(State(api): State<Api>, Path(id): Path<DeploymentId>) -> Result<Json<Vec<Origin>>, ApiError> {
    Ok(Json(api.control.explain_deployment(id).await?))
}

async fn schedules(State(api): State<Api>, Path(id): Path<DeploymentId>) -> Result<Json<Vec<ScheduleResponse>>, ApiError> {
    let mut deployment = api.reader.deployment(id)?.ok_or_else(absent)?;
    Ok(Json(ScheduleResponse::all_of(&mut deployment)))
}
