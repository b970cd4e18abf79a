//! `WorkPoolFilter`.
use super::criteria::{AnyOf, Operator};
use crate::model::id::WorkPoolId;
use crate::model::work_pool::WorkPool;
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct WorkPoolFilter {
    #[serde(default)]
    operator: Operator,
    id: Option<AnyOf<WorkPoolId>>,
    name: Option<AnyOf<String>>,
    #[serde(rename = "type")]
    kind: Option<AnyOf<String>>,
}

impl WorkPoolFilter {
    pub fn matches(&self, pool: &WorkPool) -> bool {
        self.operator.over([
            self.id.as_ref().map(|id| id.holds(Some(&pool.id))),
            self.name.as_ref().map(|name| name.holds(Some(pool.name.as_str()))),
            self.kind.as_ref().map(|kind| kind.holds(Some(pool.declared.kind.as_str()))),
        ])
    }
}
