//! `FlowRunFilter`, and where the runs that it can match are to be found.
use super::criteria::{AnyOf, AnyOrNotAny, AnyOrNull, NameCriterion, Operator, OptionalTimeCriterion, TagsCriterion, TimeCriterion};
use crate::api::wire::flow_run::{created_by, idempotency_key};
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use jiff::Timestamp;
use serde::Deserialize;
use std::cmp::Reverse;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FlowRunFilter {
    #[serde(default)]
    operator: Operator,
    id: Option<AnyOrNotAny<FlowRunId>>,
    name: Option<NameCriterion>,
    tags: Option<TagsCriterion>,
    deployment_id: Option<AnyOrNull<DeploymentId>>,
    work_queue_name: Option<AnyOrNull<String>>,
    state: Option<StateCriterion>,
    flow_version: Option<AnyOf<String>>,
    start_time: Option<OptionalTimeCriterion>,
    end_time: Option<OptionalTimeCriterion>,
    expected_start_time: Option<TimeCriterion>,
    next_scheduled_start_time: Option<TimeCriterion>,
    parent_flow_run_id: Option<ParentFlowRun>,
    parent_task_run_id: Option<AnyOrNull<Uuid>>,
    idempotency_key: Option<AnyOrNotAny<String>>,
    created_by: Option<CreatedByCriterion>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateCriterion {
    #[serde(default)]
    operator: Operator,
    #[serde(rename = "type")]
    kind: Option<AnyOrNotAny<StateType>>,
    name: Option<AnyOrNotAny<String>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParentFlowRun {
    // One criterion alone means the same under both operators.
    #[serde(default, rename = "operator")]
    _operator: Operator,
    any_: Option<Vec<FlowRunId>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreatedByCriterion {
    #[serde(default)]
    operator: Operator,
    id_: Option<Vec<Uuid>>,
    type_: Option<Vec<String>>,
    is_null_: Option<bool>,
}

impl CreatedByCriterion {
    fn holds(&self, run: &FlowRun) -> bool {
        let by = created_by(run);
        let (id, kind) = by.as_ref().map_or((None, None), |by| (by.id, by.kind));
        self.operator.over([
            self.id_.as_ref().map(|ids| id.is_some_and(|id| ids.contains(&id))),
            self.type_.as_ref().map(|kinds| kind.is_some_and(|kind| kinds.iter().any(|wanted| wanted == kind))),
            self.is_null_.map(|wanted| by.is_none() == wanted),
        ])
    }
}

/// Which runs have to be looked at to find all that match.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::api) enum Candidates {
    /// Only these can match.
    Ids(Vec<FlowRunId>),
    /// Only runs that are not over can match.
    Active,
    All,
}

impl FlowRunFilter {
    pub fn matches(&self, run: &FlowRun) -> bool {
        // No run has a parent or a flow version: those are recorded once clients' own runs are.
        const UNKNOWN: Option<&Uuid> = None;
        self.operator.over([
            self.id.as_ref().map(|id| id.holds(Some(&run.id))),
            self.name.as_ref().map(|name| name.holds(&run.name)),
            self.tags.as_ref().map(|tags| tags.holds(&run.tags)),
            self.deployment_id.as_ref().map(|id| id.holds(run.deployment_id.as_ref())),
            self.work_queue_name.as_ref().map(|queue| queue.holds(run.work_queue.as_deref())),
            self.state.as_ref().map(|state| {
                state.operator.over([
                    state.kind.as_ref().map(|kind| kind.holds(Some(&run.state.kind))),
                    state.name.as_ref().map(|name| name.holds(Some(run.state.name.as_str()))),
                ])
            }),
            self.flow_version.as_ref().map(|version| version.holds(None::<&str>)),
            self.start_time.as_ref().map(|time| time.holds(run.start_time)),
            self.end_time.as_ref().map(|time| time.holds(run.end_time)),
            self.expected_start_time.as_ref().map(|time| time.holds(Some(run.expected_start_time))),
            self.next_scheduled_start_time.as_ref().map(|time| time.holds(run.next_scheduled_start_time)),
            self.parent_flow_run_id.as_ref().map(|parent| parent.any_.is_none()),
            self.parent_task_run_id.as_ref().map(|parent| parent.holds(UNKNOWN)),
            self.idempotency_key.as_ref().map(|key| key.holds(idempotency_key(run).as_deref())),
            self.created_by.as_ref().map(|by| by.holds(run)),
        ])
    }

    /// Where to look: by id, among the runs that are not over, or everywhere.
    pub fn candidates(&self) -> Candidates {
        if self.operator == Operator::Or {
            return Candidates::All;
        }
        if let Some(ids) = self.id.as_ref().and_then(|id| id.any_.as_ref()) {
            let mut ids = ids.clone();
            ids.sort_unstable_by_key(|id| Reverse(*id));
            ids.dedup();
            return Candidates::Ids(ids);
        }
        let kinds = self.state.as_ref().filter(|state| state.operator == Operator::And || state.name.is_none());
        match kinds.and_then(|state| state.kind.as_ref()?.any_.as_ref()) {
            Some(kinds) if kinds.iter().all(|kind| !kind.is_terminal()) => Candidates::Active,
            _ => Candidates::All,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::api) enum FlowRunSort {
    #[default]
    IdDesc,
    StartTimeAsc,
    StartTimeDesc,
    ExpectedStartTimeAsc,
    ExpectedStartTimeDesc,
    NameAsc,
    NameDesc,
    NextScheduledStartTimeAsc,
    EndTimeDesc,
}

/// Where a run stands under a sort. What is unknown comes first ascending and last descending, as in SQLite; equals: newest first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::api) struct Rank(Place, Reverse<FlowRunId>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Same,
    Earliest(Option<Timestamp>),
    Latest(Reverse<Option<Timestamp>>),
    First(String),
    Last(Reverse<String>),
}

impl FlowRunSort {
    pub fn rank(self, run: &FlowRun) -> Rank {
        let started = || Some(run.start_time.unwrap_or(run.expected_start_time));
        let place = match self {
            FlowRunSort::IdDesc => Place::Same,
            FlowRunSort::StartTimeAsc => Place::Earliest(started()),
            FlowRunSort::StartTimeDesc => Place::Latest(Reverse(started())),
            FlowRunSort::ExpectedStartTimeAsc => Place::Earliest(Some(run.expected_start_time)),
            FlowRunSort::ExpectedStartTimeDesc => Place::Latest(Reverse(Some(run.expected_start_time))),
            FlowRunSort::NameAsc => Place::First(run.name.clone()),
            FlowRunSort::NameDesc => Place::Last(Reverse(run.name.clone())),
            FlowRunSort::NextScheduledStartTimeAsc => Place::Earliest(run.next_scheduled_start_time),
            FlowRunSort::EndTimeDesc => Place::Latest(Reverse(run.end_time)),
        };
        Rank(place, Reverse(run.id))
    }
}
