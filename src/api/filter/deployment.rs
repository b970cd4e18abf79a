//! `DeploymentFilter`.
use super::criteria::{AnyOf, AnyOrNotAny, FlagCriterion, NameCriterion, Operator, TagsCriterion};
use super::like;
use crate::model::deployment::Deployment;
use crate::model::id::DeploymentId;
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct DeploymentFilter {
    #[serde(default)]
    operator: Operator,
    id: Option<AnyOrNotAny<DeploymentId>>,
    name: Option<NameCriterion>,
    flow_or_deployment_name: Option<EitherName>,
    paused: Option<FlagCriterion>,
    tags: Option<TagsCriterion>,
    work_queue_name: Option<AnyOf<String>>,
    concurrency_limit: Option<LimitCriterion>,
}

/// The flow's or the deployment's name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct EitherName {
    like_: Option<String>,
}

/// The concurrency limit. (Prefect's server accepts this and ignores it.)
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitCriterion {
    ge_: Option<i64>,
    le_: Option<i64>,
    is_null_: Option<bool>,
}

impl LimitCriterion {
    fn holds(&self, limit: Option<u32>) -> bool {
        let limit = limit.map(i64::from);
        self.ge_.is_none_or(|least| limit.is_some_and(|limit| limit >= least))
            && self.le_.is_none_or(|most| limit.is_some_and(|limit| limit <= most))
            && self.is_null_.is_none_or(|wanted| limit.is_none() == wanted)
    }
}

impl EitherName {
    fn holds(&self, deployment: &Deployment) -> bool {
        let name = &deployment.name;
        self.like_
            .as_deref()
            .filter(|like| !like.is_empty())
            .is_none_or(|like| like::contains(&name.deployment, like) || like::contains(&name.flow, like))
    }
}

impl DeploymentFilter {
    pub fn matches(&self, deployment: &Deployment) -> bool {
        let declared = &deployment.declared;
        let limit = declared.concurrency_limit.as_ref().map(|limit| limit.limit);
        self.operator.over([
            self.id.as_ref().map(|id| id.holds(Some(&deployment.id))),
            self.name.as_ref().map(|name| name.holds(&deployment.name.deployment)),
            self.flow_or_deployment_name.as_ref().map(|name| name.holds(deployment)),
            self.paused.as_ref().map(|paused| paused.holds(deployment.paused())),
            self.tags.as_ref().map(|tags| tags.holds(&declared.tags)),
            self.work_queue_name.as_ref().map(|queue| queue.holds(declared.work_queue.as_deref())),
            self.concurrency_limit.as_ref().map(|criterion| criterion.holds(limit)),
        ])
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::api) enum DeploymentSort {
    CreatedDesc,
    UpdatedDesc,
    #[default]
    NameAsc,
    NameDesc,
}
