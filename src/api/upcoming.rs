//! `/reeve/upcoming`: the next fires over all deployments, in the order of their slots, however far ahead.
//!
//! A merge of the schedules' series: beyond each schedule's first slot only those are computed that the answer holds.
use super::Api;
use super::error::ApiError;
use super::extract::Query;
use super::wire::WireTime;
use crate::clock;
use crate::dispatch::due::Progress;
use crate::dispatch::scheduled::start_of_slot;
use crate::dispatch::upcoming::is_open;
use crate::model::deployment::Deployment;
use crate::model::id::{DeploymentId, FlowRunId, ScheduleId, of_slot};
use crate::model::schedule::Schedule;
use crate::model::state::StateType;
use crate::schedule::Rule;
use crate::store::ledger::{LedgerError, Reader};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// The most fires that one answer holds: a minutely schedule's week.
const MOST: usize = 10_000;

/// How many it holds where nobody says.
const USUAL: usize = 20;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/reeve/upcoming", get(upcoming))
}

#[derive(Debug, Deserialize)]
struct Asked {
    limit: Option<usize>,
    /// From this instant on; now where none is given.
    from: Option<WireTime>,
    /// Up to and including this one.
    until: Option<WireTime>,
    deployment: Option<DeploymentId>,
}

/// An instant at which a schedule is due.
#[derive(Debug, Serialize)]
pub(super) struct Fire {
    /// The run's.
    id: FlowRunId,
    /// The slot.
    at: WireTime,
    /// When the run starts: later than its slot where the schedule is spread or jittered.
    start: WireTime,
    /// `flow/name`
    deployment: String,
    deployment_id: DeploymentId,
    /// The schedule's key.
    schedule: String,
    /// `weekdays at 09:00, Europe/Berlin`
    words: String,
    /// The run's state: `Scheduled` for one that is not stored.
    state: String,
    /// When the schedule was last changed.
    updated: WireTime,
}

async fn upcoming(State(api): State<Api>, Query(asked): Query<Asked>) -> Result<Json<Vec<Fire>>, ApiError> {
    let limit = asked.limit.unwrap_or(USUAL);
    if limit > MOST {
        return Err(ApiError::meaningless(format!("Invalid limit: must be less than or equal to {MOST}.")));
    }
    let now = clock::now();
    let of = asked.deployment.map(|id| vec![id]);
    let (from, until) = (asked.from.map_or(now, |from| from.0), asked.until.map_or(Timestamp::MAX, |until| until.0));
    Ok(Json(api.read(move |api| Ok(fires(&api.reader, of.as_deref(), (from, until), limit, now)?)).await?))
}

/// A schedule whose slots are being taken.
struct Series {
    deployment: Deployment,
    schedule: Schedule,
    rule: Rule,
    progress: Progress,
}

fn fires(
    reader: &Reader,
    of: Option<&[DeploymentId]>,
    (from, until): (Timestamp, Timestamp),
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Fire>, LedgerError> {
    let firsts = reader.first_slots(of, from, now)?;
    let mut next: BinaryHeap<Reverse<(Timestamp, DeploymentId, ScheduleId)>> =
        firsts.into_iter().map(|first| Reverse((first.slot, first.deployment, first.schedule))).collect();
    let mut all: HashMap<ScheduleId, Series> = HashMap::new();
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(Reverse((slot, deployment, schedule))) = next.pop()
        && slot <= until
    {
        if !all.contains_key(&schedule) {
            let Some(series) = Series::read(reader, deployment, schedule)? else { continue };
            all.insert(schedule, series);
        }
        let Some(series) = all.get(&schedule) else { continue };
        if let Some(fire) = series.fire(reader, slot, now)? {
            found.push(fire);
        }
        next.extend(series.rule.after(slot).map(|after| Reverse((after, deployment, schedule))));
    }
    found.sort_by(|one, other| (one.at, &one.deployment, &one.schedule).cmp(&(other.at, &other.deployment, &other.schedule)));
    Ok(found)
}

impl Series {
    fn read(reader: &Reader, deployment: DeploymentId, schedule: ScheduleId) -> Result<Option<Series>, LedgerError> {
        let Some(deployment) = reader.deployment(deployment)? else { return Ok(None) };
        let Some(schedule) = deployment.firing_schedules().find(|one| one.id == schedule).cloned() else { return Ok(None) };
        let Ok(rule) = schedule.declared.spec.parse() else { return Ok(None) };
        let progress = reader.progress(&schedule)?;
        Ok(Some(Series { deployment, schedule, rule, progress }))
    }

    /// `None` where the slot was dealt with before its time: it does not fire.
    fn fire(&self, reader: &Reader, slot: Timestamp, now: Timestamp) -> Result<Option<Fire>, LedgerError> {
        let (deployment, schedule) = (&self.deployment, &self.schedule);
        let id = of_slot(deployment.id, &schedule.key, slot);
        let stored = reader.run(id)?;
        let fires = match &stored {
            Some(run) => slot < now || !run.is_over(),
            None => slot < now || is_open(&self.rule, self.progress, slot, now),
        };
        let start = match &stored {
            Some(run) => run.scheduled_time().unwrap_or(run.expected_start_time),
            None => start_of_slot(&schedule.declared.policy, &self.rule, id, slot),
        };
        Ok(fires.then(|| Fire {
            id,
            at: slot.into(),
            start: start.into(),
            deployment: deployment.name.to_string(),
            deployment_id: deployment.id,
            schedule: schedule.key.clone(),
            words: schedule.declared.spec.describe(),
            state: stored.map_or_else(|| StateType::Scheduled.title().to_owned(), |run| run.state.name),
            updated: schedule.updated.into(),
        }))
    }
}
