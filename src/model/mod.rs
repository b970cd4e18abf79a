//! What is there: ids, flows, deployments, schedules, work pools and queues, flow runs and their states,
//! and the three views of a project: `Desired` (what the files say), `Stored` (what is remembered), `Status`.
//!
//! Plain values that compare with `==` and serialise with serde. No I/O, no clock, no randomness: ids and
//! instants come in as arguments. A record's format is versioned where it is written (`store::ledger`).
pub mod deployment;
pub mod desired;
pub mod event;
pub mod id;
pub mod measure;
pub mod name;
pub mod overrides;
pub mod policy;
pub mod position;
pub mod problem;
pub mod project;
pub mod pull_step;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod size;
pub mod state;
pub mod status;
pub mod stored;
pub mod tag_limit;
pub mod transition;
pub mod work_pool;
pub mod write;

/// A JSON object with its keys in the order they were written.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;
