//! `FlowRunFilter`, and where the runs that it can match are to be found.
use super::criteria::{AnyOf, AnyOrNotAny, AnyOrNull, NameCriterion, Operator, OptionalTimeCriterion, TagsCriterion, TimeCriterion};
use crate::api::wire::WireTime;
use crate::api::wire::flow_run::{created_by, idempotency_key};
use crate::model::id::{self, DeploymentId, FlowRunId};
use crate::model::name;
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::store::ledger::{OverRun, VirtualRun};
use jiff::Timestamp;
use serde::Deserialize;
use std::cmp::Reverse;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
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

impl StateCriterion {
    fn holds(&self, kind: StateType, name: &str) -> bool {
        self.operator.over([
            self.kind.as_ref().map(|wanted| wanted.holds(Some(&kind))),
            self.name.as_ref().map(|wanted| wanted.holds(Some(name))),
        ])
    }
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

/// Which virtual runs (slots to come, as runs in state Scheduled) can match.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::api) struct VirtualReach {
    /// None at all.
    pub nothing: bool,
    /// Only those of these deployments.
    pub deployments: Option<Vec<DeploymentId>>,
    /// Only these.
    pub ids: Option<Vec<FlowRunId>>,
    /// Only those with such a name, which their id tells.
    pub name: Option<NameCriterion>,
    /// Only those that start at or after, and at or before, these instants.
    pub after: Option<Timestamp>,
    pub before: Option<Timestamp>,
    /// All that are within the bounds above match: none need be looked at.
    pub exact: bool,
}

/// Which runs have to be looked at to find all that match.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::api) enum Candidates {
    /// Only these can match.
    Ids(Vec<FlowRunId>),
    /// Only runs that are not over can match.
    Active,
    /// Only runs that were to start at or after this instant can match.
    From(Timestamp),
    All,
}

impl FlowRunFilter {
    /// The runs of these deployments that wait to start, at or before `before` where given.
    pub fn scheduled(deployments: Vec<DeploymentId>, before: Option<WireTime>) -> Self {
        let kind = AnyOrNotAny { any_: Some(vec![StateType::Scheduled]), not_any_: None };
        FlowRunFilter {
            deployment_id: Some(AnyOrNull { operator: Operator::And, any_: Some(deployments), is_null_: None }),
            state: Some(StateCriterion { operator: Operator::And, kind: Some(kind), name: None }),
            next_scheduled_start_time: before.map(|before| TimeCriterion { before_: Some(before), after_: None }),
            ..FlowRunFilter::default()
        }
    }

    pub fn matches(&self, run: &FlowRun) -> bool {
        // No run has a parent or a flow version: those are recorded once clients' own runs are.
        const UNKNOWN: Option<&Uuid> = None;
        self.operator.over([
            self.id.as_ref().map(|id| id.holds(Some(&run.id))),
            self.name.as_ref().map(|name| name.holds(&run.name)),
            self.tags.as_ref().map(|tags| tags.holds(&run.tags)),
            self.deployment_id.as_ref().map(|id| id.holds(run.deployment_id.as_ref())),
            self.work_queue_name.as_ref().map(|queue| queue.holds(run.work_queue.as_deref())),
            self.state.as_ref().map(|state| state.holds(run.state.kind, &run.state.name)),
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

    /// Whether a run that is over matches; `None` where only its record tells.
    pub fn matches_over(&self, run: &OverRun<'_>) -> Option<bool> {
        let none = None::<&Uuid>;
        self.operator.over_known([
            self.id.as_ref().map(|id| Some(id.holds(Some(&run.id())))),
            self.name.as_ref().map(|name| Some(name.holds(&run.name()?))),
            self.tags.as_ref().map(|tags| Some(tags.holds(run.tags()))),
            self.deployment_id.as_ref().map(|id| Some(id.holds(run.deployment().as_ref()))),
            self.work_queue_name.as_ref().map(|queue| Some(queue.holds(run.work_queue()))),
            self.state.as_ref().map(|state| Some(state.holds(run.kind(), run.state_name()))),
            self.flow_version.as_ref().map(|version| Some(version.holds(None::<&str>))),
            self.start_time.as_ref().map(|time| Some(time.holds(run.start_time()))),
            self.end_time.as_ref().map(|time| Some(time.holds(run.end_time()))),
            self.expected_start_time.as_ref().map(|time| Some(time.holds(Some(run.expected_start_time())))),
            self.next_scheduled_start_time.as_ref().map(|time| Some(time.holds(None))),
            self.parent_flow_run_id.as_ref().map(|parent| Some(parent.any_.is_none())),
            self.parent_task_run_id.as_ref().map(|parent| Some(parent.holds(none))),
            self.idempotency_key.as_ref().map(|_| None),
            self.created_by.as_ref().map(|_| None),
        ])
    }

    /// Which virtual runs to look at. What is the same for all of them (their state, that they have not started) is told at once.
    pub fn virtual_reach(&self) -> VirtualReach {
        let fixed = [
            self.state.as_ref().map(|state| state.holds(StateType::Scheduled, StateType::Scheduled.title())),
            self.flow_version.as_ref().map(|version| version.holds(None::<&str>)),
            self.start_time.as_ref().map(|time| time.holds(None)),
            self.end_time.as_ref().map(|time| time.holds(None)),
            self.parent_flow_run_id.as_ref().map(|parent| parent.any_.is_none()),
            self.parent_task_run_id.as_ref().map(|parent| parent.holds(None::<&Uuid>)),
        ];
        // What would have to be looked at in each run.
        let open = self.tags.is_some()
            || self.work_queue_name.is_some()
            || self.idempotency_key.is_some()
            || self.created_by.is_some();
        let bounded = self.id.is_some()
            || self.name.is_some()
            || self.deployment_id.is_some()
            || self.expected_start_time.is_some()
            || self.next_scheduled_start_time.is_some();
        if !open && !bounded {
            return VirtualReach { nothing: !self.operator.over(fixed), exact: true, ..VirtualReach::default() };
        }
        if self.operator == Operator::Or {
            return VirtualReach::default();
        }
        let times = [&self.expected_start_time, &self.next_scheduled_start_time];
        let deployment = self.deployment_id.as_ref();
        let only_any = |id: &AnyOrNull<DeploymentId>| id.is_null_.is_none();
        VirtualReach {
            nothing: !self.operator.over(fixed),
            deployments: deployment.filter(|id| only_any(id)).and_then(|id| id.any_.clone()),
            ids: self.id.as_ref().and_then(|id| id.any_.clone()),
            name: self.name.clone(),
            after: times.iter().filter_map(|time| Some(time.as_ref()?.after_?.0)).max(),
            before: times.iter().filter_map(|time| Some(time.as_ref()?.before_?.0)).min(),
            exact: !open && self.id.is_none() && deployment.is_none_or(only_any),
        }
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
            _ => match self.expected_start_time.as_ref().and_then(|time| time.after_) {
                Some(after) => Candidates::From(after.0),
                None => Candidates::All,
            },
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

    /// The same of a run that is over; `None` where only its record tells.
    pub fn rank_of_over(self, run: &OverRun<'_>) -> Option<Rank> {
        let expected = run.expected_start_time();
        let started = Some(run.start_time().unwrap_or(expected));
        let place = match self {
            FlowRunSort::IdDesc => Place::Same,
            FlowRunSort::StartTimeAsc => Place::Earliest(started),
            FlowRunSort::StartTimeDesc => Place::Latest(Reverse(started)),
            FlowRunSort::ExpectedStartTimeAsc => Place::Earliest(Some(expected)),
            FlowRunSort::ExpectedStartTimeDesc => Place::Latest(Reverse(Some(expected))),
            FlowRunSort::NameAsc => Place::First(run.name()?),
            FlowRunSort::NameDesc => Place::Last(Reverse(run.name()?)),
            FlowRunSort::NextScheduledStartTimeAsc => Place::Earliest(None),
            FlowRunSort::EndTimeDesc => Place::Latest(Reverse(run.end_time())),
        };
        Some(Rank(place, Reverse(run.id())))
    }

    /// The best place that a run of this id or an older one can have; `None` where ids tell nothing of it.
    pub fn best_from(self, id: FlowRunId) -> Option<Rank> {
        let latest = id::latest_expected_start(id)?;
        (self == FlowRunSort::ExpectedStartTimeDesc).then_some(Rank(Place::Latest(Reverse(Some(latest))), Reverse(id)))
    }

    /// The same of a virtual run: it starts when it is expected to, and has not ended.
    pub fn rank_of_virtual(self, run: &VirtualRun) -> Rank {
        let start = Some(run.start);
        let place = match self {
            FlowRunSort::IdDesc => Place::Same,
            FlowRunSort::StartTimeAsc | FlowRunSort::ExpectedStartTimeAsc | FlowRunSort::NextScheduledStartTimeAsc => {
                Place::Earliest(start)
            }
            FlowRunSort::StartTimeDesc | FlowRunSort::ExpectedStartTimeDesc => Place::Latest(Reverse(start)),
            FlowRunSort::NameAsc => Place::First(name::of_run(run.id)),
            FlowRunSort::NameDesc => Place::Last(Reverse(name::of_run(run.id))),
            FlowRunSort::EndTimeDesc => Place::Latest(Reverse(None)),
        };
        Rank(place, Reverse(run.id))
    }
}
