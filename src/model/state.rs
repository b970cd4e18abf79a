//! The states of a flow run: Prefect's nine types, each with a free name.
use super::id::StateId;
use super::retry::EndCause;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use uuid::Uuid;

/// Prefect's state types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StateType {
    Scheduled,
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
    Crashed,
    Paused,
    Cancelling,
}

impl StateType {
    pub const ALL: [StateType; 9] = [
        StateType::Scheduled,
        StateType::Pending,
        StateType::Running,
        StateType::Completed,
        StateType::Failed,
        StateType::Cancelled,
        StateType::Crashed,
        StateType::Paused,
        StateType::Cancelling,
    ];

    /// Whether a run in it is over.
    pub fn is_terminal(self) -> bool {
        matches!(self, StateType::Completed | StateType::Failed | StateType::Cancelled | StateType::Crashed)
    }

    /// Whether a run in it holds slots of its pool, queue and deployment.
    pub fn holds_slots(self) -> bool {
        matches!(self, StateType::Pending | StateType::Running | StateType::Cancelling)
    }

    /// The type in title case, which is a state's name where none is given.
    pub fn title(self) -> &'static str {
        match self {
            StateType::Scheduled => "Scheduled",
            StateType::Pending => "Pending",
            StateType::Running => "Running",
            StateType::Completed => "Completed",
            StateType::Failed => "Failed",
            StateType::Cancelled => "Cancelled",
            StateType::Crashed => "Crashed",
            StateType::Paused => "Paused",
            StateType::Cancelling => "Cancelling",
        }
    }
}

impl fmt::Display for StateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title().to_uppercase())
    }
}

/// Names of states that mean something to reeve beyond their type.
pub mod names {
    pub const AWAITING_RETRY: &str = "AwaitingRetry";
    pub const AWAITING_CONCURRENCY_SLOT: &str = "AwaitingConcurrencySlot";
    pub const LATE: &str = "Late";
    pub const RESUMING: &str = "Resuming";
    pub const SUSPENDED: &str = "Suspended";
    pub const RETRYING: &str = "Retrying";
    /// Cancelled: its slot passed while nothing ran, and its policy is not to make up for it.
    pub const MISSED: &str = "Missed";
    /// Cancelled: its slot met another run still going.
    pub const SKIPPED: &str = "Skipped";
    /// Cancelled: it could not start in time.
    pub const EXPIRED: &str = "Expired";
    pub const TIMED_OUT: &str = "TimedOut";

    /// All of these. Clients may name states as they like beside them.
    pub const ALL: [&str; 10] =
        [AWAITING_RETRY, AWAITING_CONCURRENCY_SLOT, LATE, RESUMING, SUSPENDED, RETRYING, MISSED, SKIPPED, EXPIRED, TIMED_OUT];
}

/// What a client proposes.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposed {
    pub kind: StateType,
    pub name: Option<String>,
    pub message: Option<String>,
    pub data: Option<Value>,
    pub details: StateDetails,
    /// How the attempt ended, where whoever proposes this ran it.
    pub cause: Option<EndCause>,
    /// The attempt that ends with it, where whoever proposes this made it. It counts, even if it never came to Running.
    pub attempt: Option<u32>,
}

impl Proposed {
    pub fn new(kind: StateType) -> Self {
        Proposed { kind, name: None, message: None, data: None, details: StateDetails::default(), cause: None, attempt: None }
    }

    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    pub fn scheduled_time(mut self, at: Timestamp) -> Self {
        self.details.scheduled_time = Some(at);
        self
    }

    /// The name that the state will have.
    pub fn effective_name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.title())
    }
}

/// One state of a run's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub id: StateId,
    #[serde(rename = "type")]
    pub kind: StateType,
    pub name: String,
    pub timestamp: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    #[serde(default, skip_serializing_if = "StateDetails::is_empty")]
    pub details: StateDetails,
}

/// Prefect's `state_details`, as far as they carry meaning here; what else a client sends is kept in `other`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StateDetails {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_timeout: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_key: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pause_reschedule: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition_id: Option<Uuid>,
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl StateDetails {
    pub fn is_empty(&self) -> bool {
        *self == StateDetails::default()
    }
}
