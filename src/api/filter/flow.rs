//! `FlowFilter`.
use super::criteria::{AllTagsCriterion, AnyOrNotAny, NameCriterion, Operator};
use crate::model::deployment::Flow;
use crate::model::id::FlowId;
use serde::Deserialize;
use std::collections::HashSet;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FlowFilter {
    #[serde(default)]
    operator: Operator,
    id: Option<AnyOrNotAny<FlowId>>,
    deployment: Option<HasDeployment>,
    name: Option<NameCriterion>,
    tags: Option<AllTagsCriterion>,
}

/// Whether a flow has deployments.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct HasDeployment {
    // One criterion alone means the same under both operators.
    #[serde(default, rename = "operator")]
    _operator: Operator,
    is_null_: Option<bool>,
}

impl FlowFilter {
    /// Whether `matches` looks at the flows that have deployments.
    pub fn asks_for_deployments(&self) -> bool {
        self.deployment.as_ref().is_some_and(|deployment| deployment.is_null_.is_some())
    }

    /// `deployed`: the flows that have a deployment; may be empty where `asks_for_deployments` says no.
    pub fn matches(&self, flow: &Flow, deployed: &HashSet<FlowId>) -> bool {
        let has_none = |wanted: &HasDeployment| wanted.is_null_.is_none_or(|wanted| wanted != deployed.contains(&flow.id));
        self.operator.over([
            self.id.as_ref().map(|id| id.holds(Some(&flow.id))),
            self.deployment.as_ref().map(has_none),
            self.name.as_ref().map(|name| name.holds(&flow.name)),
            self.tags.as_ref().map(|tags| tags.holds(&flow.tags)),
        ])
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::api) enum FlowSort {
    CreatedDesc,
    UpdatedDesc,
    #[default]
    NameAsc,
    NameDesc,
}
