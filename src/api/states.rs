//! `/flow_run_states`: a run's history.
use super::Api;
use super::error::ApiError;
use super::extract::{Path, Query};
use super::wire::state::StateResponse;
use crate::clock;
use crate::model::id::{FlowRunId, StateId};
use crate::model::run::FlowRun;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/flow_run_states", get(of_run)).route("/flow_run_states/{id}", get(by_id))
}

#[derive(Deserialize)]
struct OfRun {
    flow_run_id: FlowRunId,
}

/// All that the run remembers, oldest first; of a run that is not there, none.
async fn of_run(State(api): State<Api>, Query(query): Query<OfRun>) -> Result<Json<Vec<StateResponse>>, ApiError> {
    let run = api.read(move |api| Ok(api.reader.run_or_virtual(query.flow_run_id, clock::now())?));
    Ok(Json(run.await?.map(history).unwrap_or_default()))
}

fn history(run: FlowRun) -> Vec<StateResponse> {
    let states = run.past_states.into_iter().chain([run.state]);
    states.map(|state| StateResponse::of(run.id, state)).collect()
}

/// No index leads from a state to its run: this looks through the runs, newest first, until it is found.
async fn by_id(State(api): State<Api>, Path(id): Path<StateId>) -> Result<Json<StateResponse>, ApiError> {
    let found = api.read(move |api| {
        for run in api.reader.runs_newest_first(None) {
            let run = run?;
            let known = std::iter::once(&run.state).chain(&run.past_states).find(|state| state.id == id);
            if let Some(state) = known {
                return Ok(Some(StateResponse::of(run.id, state.clone())));
            }
        }
        Ok(None)
    });
    found.await?.map(Json).ok_or_else(|| ApiError::not_found("Flow run state not found"))
}
