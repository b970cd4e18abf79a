//! `WorkQueueFilter`.
use super::criteria::{AnyOf, Operator};
use super::like;
use crate::model::id::WorkQueueId;
use crate::model::work_pool::WorkQueue;
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct WorkQueueFilter {
    #[serde(default)]
    operator: Operator,
    id: Option<AnyOf<WorkQueueId>>,
    name: Option<QueueName>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueName {
    any_: Option<Vec<String>>,
    /// Beginnings of names, in any case.
    startswith_: Option<Vec<String>>,
}

impl QueueName {
    fn holds(&self, name: &str) -> bool {
        let beginnings = self.startswith_.as_ref().filter(|list| !list.is_empty());
        self.any_.as_ref().is_none_or(|list| list.iter().any(|wanted| wanted == name))
            && beginnings.is_none_or(|list| list.iter().any(|beginning| like::begins(name, beginning)))
    }
}

impl WorkQueueFilter {
    pub fn matches(&self, queue: &WorkQueue) -> bool {
        self.operator.over([
            self.id.as_ref().map(|id| id.holds(Some(&queue.id))),
            self.name.as_ref().map(|name| name.holds(&queue.name)),
        ])
    }
}
