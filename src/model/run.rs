//! Flow runs.
use super::JsonMap;
use super::deployment::{FullName, is_zero};
use super::id::{DeploymentId, FlowId, FlowRunId, ScheduleId, of_state};
use super::retry::RetryCause;
use super::work_pool::DEFAULT_AGENT_POOL;
use super::state::{Proposed, State, StateType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One execution of a flow, wanted, going on or over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowRun {
    pub id: FlowRunId,
    /// Two words, a function of the id where nobody gave one.
    pub name: String,
    pub flow_id: FlowId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    /// The deployment's name when the run was made: it survives the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<FullName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_version: Option<String>,
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub parameters: JsonMap,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub labels: JsonMap,
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub job_variables: JsonMap,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_pool: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_queue: Option<String>,
    /// Where it comes from, when a schedule made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// On a record that stands for many missed slots: which. Its own slot is the newest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<MissedSlots>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Who asked for it, where no schedule did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    #[serde(default)]
    pub retries: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_delay_seconds: Vec<f64>,
    /// Up to so large a share of each delay is added to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry_jitter_factor: f64,
    /// The ends that are worth another attempt; empty: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_on: Vec<RetryCause>,
    /// How many attempts were made: it grows with each Running, and with what was meant to become Running and did not.
    #[serde(default)]
    pub run_count: u32,
    /// When it was first to start.
    pub expected_start_time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_scheduled_start_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// Seconds spent Running, over all attempts that are over.
    #[serde(default)]
    pub total_run_time: f64,
    /// Seconds that its attempts waited after they were due, until each was claimed: for a slot, a paused pool or queue, or a daemon.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub queue_wait_seconds: f64,
    /// What the executor needs to find it again; JSON of `executor::Handle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure_pid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    pub state: State,
    /// Earlier states, oldest first, at most `MAX_PAST_STATES`: the first one is always kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past_states: Vec<State>,
    /// How many states it has had: the next state's number.
    pub state_count: u32,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// How many earlier states a run keeps: 20 attempts with three states each.
pub const MAX_PAST_STATES: usize = 60;

/// The slot that a scheduled run stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    pub schedule: ScheduleId,
    pub key: String,
    pub at: Timestamp,
}

/// Slots that were missed and of which one record stands for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedSlots {
    pub from: Timestamp,
    pub to: Timestamp,
    pub count: u64,
    /// There are more between `from` and `to`: they were not counted to the end.
    #[serde(default)]
    pub more: bool,
}

impl fmt::Display for MissedSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissedSlots { from, to, count, more } = self;
        let more = if *more { "more than " } else { "" };
        write!(f, "{more}{count} slots from {from} to {to} passed while nothing ran")
    }
}

/// What a run used over all its attempts and processes, and how the last of its attempts ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub user_cpu_seconds: f64,
    pub system_cpu_seconds: f64,
    /// Of the largest single process.
    pub peak_memory_bytes: u64,
    /// What its main process exited with; absent where a signal ended it, or nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The number of the signal that ended its main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

impl Usage {
    /// With the next attempt's: times add up, of the peaks the higher counts, and how it ended is how the last one did.
    pub fn and(self, next: Usage) -> Usage {
        Usage {
            user_cpu_seconds: self.user_cpu_seconds + next.user_cpu_seconds,
            system_cpu_seconds: self.system_cpu_seconds + next.system_cpu_seconds,
            peak_memory_bytes: self.peak_memory_bytes.max(next.peak_memory_bytes),
            ..next
        }
    }
}

impl FlowRun {
    /// The pool whose slots it takes. One without a pool that a queue serves stands in the default agent pool.
    pub fn pool(&self) -> Option<&str> {
        self.work_pool.as_deref().or(self.work_queue.as_ref().map(|_| DEFAULT_AGENT_POOL))
    }

    pub fn is_over(&self) -> bool {
        self.state.kind.is_terminal()
    }

    /// The instant before which it must not start.
    pub fn scheduled_time(&self) -> Option<Timestamp> {
        self.state.details.scheduled_time
    }

    /// When it was put where it waits now; of a run in state Scheduled. Named Late or other meanwhile, it waits all the same.
    pub fn waits_since(&self) -> Timestamp {
        let before = self.past_states.iter().rev().take_while(|state| state.kind == StateType::Scheduled).last();
        before.unwrap_or(&self.state).timestamp
    }

    /// Seconds that it has waited after it was due until `now`, over all attempts. An attempt waits from its scheduled time, or from when
    /// it was put there where that is later, until it is claimed (Pending). One that never was claimed has not waited in a queue.
    pub fn queue_wait(&self, now: Timestamp) -> f64 {
        if self.state.kind != StateType::Scheduled {
            return self.queue_wait_seconds;
        }
        let since = self.waits_since();
        let due = self.scheduled_time().map_or(since, |at| at.max(since));
        self.queue_wait_seconds + seconds_between(due, now)
    }

    /// Seconds spent Running before the attempt that is going on, or being cancelled; `None`: none is.
    pub fn run_time_before(&self) -> Option<f64> {
        match (self.state.kind, self.past_states.last()) {
            (StateType::Running, _) => Some(self.total_run_time),
            (StateType::Cancelling, Some(left)) if left.kind == StateType::Running => {
                Some((self.total_run_time - seconds_between(left.timestamp, self.state.timestamp)).max(0.0))
            }
            _ => None,
        }
    }

    /// Enters `state` at `now`, or when it entered the one before, where a clock that was set back since shows less: a history is in order,
    /// and nothing ends before it began. Keeps the books as Prefect's server does: `run_count` grows with each Running,
    /// `start_time` is the first of them, `end_time` stands only while the run is over. `transition` decides
    /// whether a state may be entered; nothing else may call this.
    pub(super) fn enter(&mut self, proposed: Proposed, now: Timestamp) {
        let now = now.max(self.state.timestamp);
        let left = self.state.kind;
        if left == StateType::Running {
            self.total_run_time += seconds_between(self.state.timestamp, now);
        }
        if matches!(proposed.kind, StateType::Pending | StateType::Running) {
            self.queue_wait_seconds = self.queue_wait(now);
        }
        let state = State {
            id: of_state(self.id, self.state_count),
            kind: proposed.kind,
            name: proposed.effective_name().to_owned(),
            timestamp: now,
            message: proposed.message,
            data: proposed.data,
            details: proposed.details,
        };
        self.state_count += 1;
        self.past_states.push(std::mem::replace(&mut self.state, state));
        if self.past_states.len() > MAX_PAST_STATES {
            self.past_states.remove(1);
        }
        self.next_scheduled_start_time =
            if self.state.kind == StateType::Scheduled { self.state.details.scheduled_time } else { None };
        // Before anything else counts it: the next attempt must not be made under the number of one that never came to Running.
        self.run_count = self.run_count.max(proposed.attempt.unwrap_or(0));
        if self.state.kind == StateType::Running {
            self.run_count += 1;
            self.start_time.get_or_insert(now);
        }
        self.end_time = self.state.kind.is_terminal().then_some(now);
        self.updated = now;
    }
}

/// Never less than none.
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// States as (type, name, minute entered, scheduled minute); the last is the present one.
    fn run(states: &[(&str, &str, u8, u8)]) -> FlowRun {
        let nil = uuid::Uuid::nil();
        let at = |minute: u8| format!("2026-11-21T09:{minute:02}:00Z");
        let mut states: Vec<_> = states
            .iter()
            .map(|(kind, name, entered, due)| json!({"id": nil, "type": kind, "name": name, "timestamp": at(*entered), "details": {"scheduled_time": at(*due)}}))
            .collect();
        let state = states.pop().unwrap();
        let run = json!({"id": nil, "name": "n", "flow_id": nil, "expected_start_time": at(0), "state": state, "past_states": states, "state_count": 1,
            "created": at(0), "updated": at(0)});
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn an_attempt_waits_from_when_it_was_due_or_put_there_until_it_is_claimed() {
        let now = "2026-11-21T09:10:00Z".parse().unwrap();
        let scheduled = ("SCHEDULED", "Scheduled", 2, 5);
        let table: [(&[(&str, &str, u8, u8)], f64); 6] = [
            (&[scheduled], 300.0),
            // Marked late, it waits all the same.
            (&[scheduled, ("SCHEDULED", "Late", 6, 5)], 300.0),
            // Asked for with a time that had passed.
            (&[("SCHEDULED", "Scheduled", 8, 1)], 120.0),
            (&[("SCHEDULED", "Scheduled", 2, 30)], 0.0),
            (&[scheduled, ("RUNNING", "Running", 6, 5), ("SCHEDULED", "AwaitingRetry", 7, 9)], 60.0),
            (&[scheduled, ("RUNNING", "Running", 6, 5)], 0.0),
        ];
        for (states, expected) in table {
            assert_eq!(run(states).queue_wait(now), expected, "{states:?}");
        }
        let mut claimed = run(&[scheduled]);
        claimed.enter(Proposed::new(StateType::Pending), now);
        claimed.enter(Proposed::new(StateType::Running), "2026-11-21T09:30:00Z".parse().unwrap());
        assert_eq!(claimed.queue_wait_seconds, 300.0);
        let mut cancelled = run(&[scheduled]);
        cancelled.enter(Proposed::new(StateType::Cancelled), now);
        assert_eq!(cancelled.queue_wait_seconds, 0.0);
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_a_history_in_order() {
        let mut run = run(&[("SCHEDULED", "Scheduled", 30, 30)]);
        for (kind, second) in [(StateType::Pending, 1), (StateType::Running, 2), (StateType::Completed, 3)] {
            run.enter(Proposed::new(kind), format!("2026-11-21T09:10:0{second}Z").parse().unwrap());
        }
        let entered: Vec<Timestamp> = run.past_states.iter().chain([&run.state]).map(|state| state.timestamp).collect();
        assert!(entered.is_sorted() && run.start_time <= run.end_time, "{run:?}");
        assert_eq!((run.total_run_time, run.queue_wait_seconds), (0.0, 0.0));
    }

    #[test]
    fn usage_adds_up_over_attempts() {
        let one = Usage { user_cpu_seconds: 1.0, system_cpu_seconds: 0.5, peak_memory_bytes: 9, exit_code: Some(1), signal: None };
        let other = Usage { user_cpu_seconds: 2.0, system_cpu_seconds: 0.5, peak_memory_bytes: 4, exit_code: None, signal: Some(9) };
        let both = Usage { user_cpu_seconds: 3.0, system_cpu_seconds: 1.0, peak_memory_bytes: 9, exit_code: None, signal: Some(9) };
        assert_eq!(one.and(other), both);
    }
}
