//! The API's objects, as far as commands show them. What is absent or unknown is passed over, so that another
//! version's answers can still be read; `--output json` prints the objects as they came and never these.
use crate::model::JsonMap;
use crate::model::overrides::{Overrides, Owner};
use crate::model::run::Usage;
use crate::model::state::StateType;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Clone, Deserialize)]
pub struct Flow {
    pub id: Uuid,
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Deployment {
    pub id: Uuid,
    pub name: String,
    pub flow_id: Uuid,
    pub description: Option<String>,
    pub version: Option<String>,
    pub entrypoint: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub parameters: JsonMap,
    pub parameter_openapi_schema: Option<Value>,
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    #[serde(default)]
    pub paused: bool,
    pub work_pool_name: Option<String>,
    pub work_queue_name: Option<String>,
    /// What only reeve's API tells.
    pub reeve: Option<DeploymentExtra>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct DeploymentExtra {
    /// The project that declares it, and where.
    pub project: Option<String>,
    pub file: Option<String>,
    pub root: Option<String>,
    /// When it is due next, as far as the daemon knows.
    pub next: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Schedule {
    pub schedule: Rule,
    pub active: bool,
    pub slug: Option<String>,
    /// What only reeve's API tells.
    pub reeve: Option<ScheduleExtra>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ScheduleExtra {
    /// The schedule in plain words.
    pub words: Option<String>,
}

/// One of cron, interval and rrule.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    pub cron: Option<String>,
    pub interval: Option<f64>,
    pub rrule: Option<String>,
    pub timezone: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct FlowRun {
    pub id: Uuid,
    pub name: String,
    pub flow_id: Uuid,
    pub deployment_id: Option<Uuid>,
    #[serde(default)]
    pub parameters: JsonMap,
    pub job_variables: Option<JsonMap>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub state: Option<State>,
    #[serde(default)]
    pub run_count: u32,
    pub expected_start_time: Option<Timestamp>,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    #[serde(default)]
    pub total_run_time: f64,
    /// Seconds from when it was to start until it did, or until now.
    #[serde(default)]
    pub estimated_start_time_delta: f64,
    pub work_pool_name: Option<String>,
    pub work_queue_name: Option<String>,
    /// What only reeve's API tells.
    pub reeve: Option<FlowRunExtra>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct FlowRunExtra {
    /// Seconds that its attempts waited after they were due.
    #[serde(default)]
    pub queue_wait_seconds: f64,
    pub usage: Option<Usage>,
}

impl FlowRun {
    /// The instant that says when it was or will be: its start, else when it is to start.
    pub fn when(&self) -> Option<Timestamp> {
        self.start_time.or(self.state.as_ref().and_then(|state| state.state_details.scheduled_time)).or(self.expected_start_time)
    }

    pub fn state_name(&self) -> &str {
        self.state.as_ref().map_or("-", State::name)
    }

    pub fn is_over(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.kind.is_terminal())
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct State {
    #[serde(rename = "type")]
    pub kind: StateType,
    pub name: Option<String>,
    pub message: Option<String>,
    pub timestamp: Option<Timestamp>,
    /// What a function returned.
    pub data: Option<Value>,
    #[serde(default)]
    pub state_details: StateDetails,
}

impl State {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.title())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct StateDetails {
    pub scheduled_time: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct WorkPool {
    pub id: Uuid,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub description: Option<String>,
    #[serde(default)]
    pub is_paused: bool,
    pub concurrency_limit: Option<u32>,
    pub status: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct WorkQueue {
    pub id: Uuid,
    pub name: String,
    pub work_pool_name: Option<String>,
    pub description: Option<String>,
    #[serde(default)]
    pub is_paused: bool,
    pub concurrency_limit: Option<u32>,
    pub priority: Option<u32>,
    pub filter: Option<QueueFilter>,
    pub status: Option<String>,
}

impl WorkQueue {
    /// `pool/queue`: unique in a home.
    pub fn full_name(&self) -> String {
        match &self.work_pool_name {
            Some(pool) => format!("{pool}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct QueueFilter {
    pub tags: Option<Vec<String>>,
    pub deployment_ids: Option<Vec<Uuid>>,
    pub pool_types: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ConcurrencyLimit {
    pub id: Uuid,
    pub tag: String,
    pub concurrency_limit: u32,
    /// The runs that hold a slot.
    #[serde(default)]
    pub active_slots: Vec<Uuid>,
    /// What only reeve's API tells.
    #[serde(default)]
    reeve: LimitExtra,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct LimitExtra {
    owner: Option<Owner>,
    #[serde(default)]
    overrides: Overrides,
}

impl ConcurrencyLimit {
    /// `deployment.yaml of project 'etl'`; `None` where no project declares it.
    pub fn declared_in(&self) -> Option<String> {
        self.reeve.owner.as_ref().map(|owner| format!("{} of project '{}'", owner.file, owner.project))
    }

    /// Whether somebody has laid another number over the declared one.
    pub fn is_overridden(&self) -> bool {
        !self.reeve.overrides.is_empty()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    pub level: i64,
    pub message: String,
    pub timestamp: Timestamp,
    /// Of a line that is streamed: where a reader who has seen it goes on, said in the last of a burst.
    #[serde(default)]
    pub attempt: u32,
    #[serde(default)]
    pub position: Option<u64>,
}

/// What `set_state` answers.
#[derive(Debug, Clone, Deserialize)]
pub struct Orchestration {
    pub state: Option<State>,
    pub status: String,
    #[serde(default)]
    pub details: Value,
}

impl Orchestration {
    pub fn reason(&self) -> &str {
        self.details["reason"].as_str().unwrap_or("no reason was given")
    }
}

/// An instant at which a schedule is due.
#[derive(Debug, Clone, Deserialize)]
pub struct Fire {
    /// The run's.
    pub id: Uuid,
    pub at: Timestamp,
    pub start: Timestamp,
    pub deployment: String,
    pub words: String,
    /// When its schedule was last changed.
    pub updated: Timestamp,
}

/// The answer to `why`.
#[derive(Debug, Clone, Deserialize)]
pub struct Why {
    pub deployment: String,
    pub at: Timestamp,
    pub summary: String,
    pub schedules: Vec<Chain>,
}

/// The answer to `flow-run why`.
#[derive(Debug, Clone, Deserialize)]
pub struct RunWhy {
    pub name: String,
    pub summary: String,
    #[serde(default)]
    pub obstacles: Vec<Obstacle>,
    #[serde(default)]
    pub more_obstacles: usize,
    pub in_line: Option<String>,
}

/// One thing that stands in a run's way.
#[derive(Debug, Clone, Deserialize)]
pub struct Obstacle {
    pub text: String,
    pub remedy: Option<String>,
    pub holders: Vec<HeldBy>,
    pub more_holders: usize,
}

/// A run that holds what another waits for.
#[derive(Debug, Clone, Deserialize)]
pub struct HeldBy {
    pub run: Uuid,
    pub name: String,
    pub deployment: Option<String>,
    pub since: Timestamp,
}

/// One schedule's part of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Chain {
    pub schedule: String,
    pub words: String,
    pub links: Vec<Link>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Link {
    pub about: String,
    /// `ok`, `note` or `stops`.
    pub mark: String,
    pub text: String,
}
