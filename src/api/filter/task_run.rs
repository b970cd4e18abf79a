//! `TaskRunFilter`: checked in full, and matched by nothing, since no task runs are recorded.
use super::criteria::{AllTagsCriterion, AnyOf, NameCriterion, Operator, OptionalTimeCriterion, TimeCriterion};
use crate::model::id::FlowRunId;
use crate::model::state::StateType;
use serde::Deserialize;
use uuid::Uuid;

/// The fields are read to refuse what is wrong with them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct TaskRunFilter {
    #[serde(default, rename = "operator")]
    _operator: Operator,
    #[serde(rename = "id")]
    _id: Option<AnyOf<Uuid>>,
    #[serde(rename = "name")]
    _name: Option<NameCriterion>,
    #[serde(rename = "tags")]
    _tags: Option<AllTagsCriterion>,
    #[serde(rename = "state")]
    _state: Option<StateCriterion>,
    #[serde(rename = "start_time")]
    _start_time: Option<OptionalTimeCriterion>,
    #[serde(rename = "end_time")]
    _end_time: Option<OptionalTimeCriterion>,
    #[serde(rename = "expected_start_time")]
    _expected_start_time: Option<TimeCriterion>,
    #[serde(rename = "subflow_runs")]
    _subflow_runs: Option<Exists>,
    #[serde(rename = "flow_run_id")]
    _flow_run_id: Option<super::criteria::AnyOrNull<FlowRunId>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateCriterion {
    #[serde(default, rename = "operator")]
    _operator: Operator,
    #[serde(rename = "type")]
    _kind: Option<AnyOf<StateType>>,
    #[serde(rename = "name")]
    _name: Option<AnyOf<String>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exists {
    #[serde(rename = "exists_")]
    _exists: Option<bool>,
}
