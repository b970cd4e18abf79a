//! `/reeve/deployments/{id}/why`: why a deployment ran, did not run or will run at an instant; `/reeve/flow_runs/{id}/why`: what
//! a run waits for, and who holds it.
use super::Api;
use super::error::ApiError;
use super::extract::{Path, Query};
use super::flow_runs::absent;
use super::wire::WireTime;
use crate::clock;
use crate::dispatch::queue::Capacity;
use crate::dispatch::why::{self, Answer, Facts, RunAnswer, RunFacts, Standing};
use crate::executor::KINDS;
use crate::model::deployment::Deployment;
use crate::model::id::{DeploymentId, FlowRunId, first_run_at, of_slot};
use crate::model::run::FlowRun;
use crate::model::schedule::Schedule;
use crate::store::ledger::{LedgerError, Reader};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// How many later runs are looked through for a record that counts a missed slot.
const MOST_LOOKED_THROUGH: usize = 10_000;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/reeve/deployments/{id}/why", get(asked)).route("/reeve/flow_runs/{id}/why", get(of_run))
}

#[derive(Debug, Deserialize)]
struct Asked {
    /// The deployment's next slot where none is given.
    at: Option<WireTime>,
}

async fn asked(State(api): State<Api>, Path(id): Path<DeploymentId>, Query(asked): Query<Asked>) -> Result<Json<Answer>, ApiError> {
    let now = clock::now();
    let serving = api.control.status().ready;
    let answer = api.read(move |api| {
        let Some(deployment) = api.reader.deployment(id)? else { return Ok(None) };
        let at = asked.at.map_or_else(|| why::next_slot(&deployment, now), |at| at.0);
        Ok(Some(answer(&api.reader, &deployment, at, now, serving)?))
    });
    answer.await?.map(Json).ok_or_else(|| ApiError::not_found("Deployment not found"))
}

fn answer(reader: &Reader, deployment: &Deployment, at: Timestamp, now: Timestamp, serving: bool) -> Result<Answer, LedgerError> {
    let standing = |schedule| standing(reader, deployment, schedule, at, now);
    let schedules = deployment.schedules.iter().map(standing).collect::<Result<_, _>>()?;
    let mut active = Vec::new();
    for id in reader.active_run_ids()? {
        active.extend(reader.run(id)?.filter(|run| run.state.kind.holds_slots()));
    }
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let capacity = Capacity::of(&reader.work_pools()?, &reader.work_queues()?, &reader.tag_limits()?);
    let facts = Facts { now, at, deployment, schedules, capacity: &capacity, active: &active, kinds: &kinds, serving };
    Ok(why::why(&facts))
}

async fn of_run(State(api): State<Api>, Path(id): Path<FlowRunId>) -> Result<Json<RunAnswer>, ApiError> {
    let now = clock::now();
    let serving = api.control.status().ready;
    let answer = api.read(move |api| {
        let Some(run) = api.reader.run_or_virtual(id, now)? else { return Ok(None) };
        Ok(Some(answer_of_run(&api.reader, &run, now, serving)?))
    });
    answer.await?.map(Json).ok_or_else(absent)
}

fn answer_of_run(reader: &Reader, run: &FlowRun, now: Timestamp, serving: bool) -> Result<RunAnswer, LedgerError> {
    let mut active = Vec::new();
    for id in reader.active_run_ids()?.into_iter().filter(|id| *id != run.id) {
        active.extend(reader.run(id)?);
    }
    let mut deployments = BTreeMap::new();
    for id in active.iter().chain([run]).filter_map(|run| run.deployment_id) {
        if let Entry::Vacant(vacant) = deployments.entry(id)
            && let Some(deployment) = reader.deployment(id)?
        {
            vacant.insert(deployment);
        }
    }
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let capacity = Capacity::of(&reader.work_pools()?, &reader.work_queues()?, &reader.tag_limits()?);
    let facts = RunFacts { now, run, deployments: &deployments, capacity: &capacity, active: &active, kinds: &kinds, serving };
    Ok(why::why_run(&facts))
}

fn standing<'a>(
    reader: &Reader,
    deployment: &Deployment,
    schedule: &'a Schedule,
    at: Timestamp,
    now: Timestamp,
) -> Result<Standing<'a>, LedgerError> {
    let cursor = reader.progress(schedule)?.cursor;
    let mut record = reader.run(of_slot(deployment.id, &schedule.key, at))?;
    if record.is_none() && at < now && cursor.is_some_and(|cursor| cursor >= at) {
        record = counted(reader, schedule, at)?;
    }
    Ok(Standing { schedule, cursor, record })
}

/// The record that counts the slot among other missed ones; its own slot is the newest of them.
fn counted(reader: &Reader, schedule: &Schedule, at: Timestamp) -> Result<Option<FlowRun>, LedgerError> {
    let oldest = first_run_at(at);
    for run in reader.runs_newest_first(None).take(MOST_LOOKED_THROUGH) {
        let run = run?;
        if run.id < oldest {
            break;
        }
        let of_schedule = run.slot.as_ref().is_some_and(|slot| slot.schedule == schedule.id);
        if of_schedule && run.missed.as_ref().is_some_and(|missed| missed.from <= at && at <= missed.to) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}
