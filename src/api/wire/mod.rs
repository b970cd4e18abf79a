//! The shapes on the wire, field for field Prefect's, and their conversion from and to the domain types.
//!
//! Boundary shapes only: nothing outside `api` may use them. What reeve knows beyond Prefect stands under the one key `reeve`.
pub(super) mod deployment;
pub(super) mod directory;
pub(super) mod flow;
pub(super) mod flow_run;
pub(super) mod flow_run_request;
pub(super) mod log;
pub(super) mod name;
pub(super) mod schedule;
pub(super) mod state;
mod time;
pub(super) mod tag_limit;
pub(super) mod work_pool;
pub(super) mod work_queue;

pub(super) use time::WireTime;

use serde::{Deserialize, Deserializer};

/// For `Option<Option<T>>`: a key that is there with `null` is `Some(None)`, one that is absent is `None`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
