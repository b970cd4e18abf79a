//! `WorkerFilter`.
use super::criteria::{AnyOrNotAny, Operator, TimeCriterion};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::api) enum WorkerStatus {
    Online,
    Offline,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct WorkerFilter {
    #[serde(default)]
    operator: Operator,
    last_heartbeat_time: Option<TimeCriterion>,
    status: Option<AnyOrNotAny<WorkerStatus>>,
}

impl WorkerFilter {
    pub fn matches(&self, last_heartbeat: Timestamp, status: WorkerStatus) -> bool {
        self.operator.over([
            self.last_heartbeat_time.as_ref().map(|time| time.holds(Some(last_heartbeat))),
            self.status.as_ref().map(|criterion| criterion.holds(Some(&status))),
        ])
    }
}
