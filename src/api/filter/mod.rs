//! Prefect's filters: typed, complete, and pure: each is a predicate over one object.
//!
//! Meaning as in Prefect's server, SQL's included: a criterion that is absent holds for all, what is unknown (null) fulfils no
//! comparison, `not_any_` and `all_` of an empty list and an empty `like_` count as absent, an empty `any_` holds for none.
mod criteria;
mod deployment;
mod flow;
mod flow_run;
mod known;
mod like;
mod log;
mod task_run;
mod text;
mod work_pool;
mod work_queue;
mod worker;

pub(super) mod selection;
mod union;

pub(super) use deployment::{DeploymentFilter, DeploymentSort};
pub(super) use flow::{FlowFilter, FlowSort};
pub(super) use flow_run::{Candidates, FlowRunFilter, FlowRunSort, VirtualReach};
pub(super) use log::{LogFilter, LogSort};
pub(super) use task_run::TaskRunFilter;
pub(super) use work_pool::WorkPoolFilter;
pub(super) use work_queue::WorkQueueFilter;
pub(super) use worker::{WorkerFilter, WorkerStatus};
