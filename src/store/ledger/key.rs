//! The ledger's keys: which prefix holds what. Frozen with the home's format.
//!
//! A prefix is one byte. Under `RUN` and `ACTIVE` keys are ordered by time, because a run's id begins with its
//! instant: random keys were measured to cost `sled` fifteen times the memory. Names may hold any character but
//! NUL, which parts a pair of names.
use crate::model::deployment::FullName;
use crate::model::id::{DeploymentId, FlowId, FlowRunId, ScheduleId};
use crate::model::stored::ObjectName;
use crate::store::Key;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(super) const REVISION: &[u8] = b"v";
pub(super) const PROJECT: u8 = b'p';
pub(super) const FLOW: u8 = b'f';
pub(super) const FLOW_NAME: u8 = b'F';
pub(super) const DEPLOYMENT: u8 = b'd';
pub(super) const DEPLOYMENT_NAME: u8 = b'D';
pub(super) const WORK_POOL: u8 = b'w';
pub(super) const WORK_QUEUE: u8 = b'q';
/// A tag -> its concurrency limit.
pub(super) const TAG_LIMIT: u8 = b'l';
/// Of deployments; of all else `OTHER_TOMBSTONE`, before the key that the record had.
pub(super) const TOMBSTONE: u8 = b't';
pub(super) const OTHER_TOMBSTONE: u8 = b'T';
pub(super) const CURSOR: u8 = b'c';
pub(super) const RUN: u8 = b'r';
/// A row for every run that is not over, so that a start reads only those.
pub(super) const ACTIVE: u8 = b'a';
/// A number, big endian -> an event; they grow by one.
pub(super) const EVENT: u8 = b'e';
/// A small row for every run that is over, for lists (`ledger::history`).
pub(super) const OVER: u8 = b'o';
/// There is such a row for every run that is over: a home that an older reeve made lacks them.
pub(super) const OVER_COMPLETE: &[u8] = b"O";
/// A client's idempotency key -> run id, for runs that somebody asked for.
pub(super) const IDEMPOTENCY: u8 = b'i';

pub(super) fn project(name: &str) -> Key {
    named(PROJECT, name)
}

pub(super) fn flow(id: FlowId) -> Key {
    with_id(FLOW, id.0)
}

pub(super) fn flow_name(name: &str) -> Key {
    named(FLOW_NAME, name)
}

pub(super) fn deployment(id: DeploymentId) -> Key {
    with_id(DEPLOYMENT, id.0)
}

pub(super) fn deployment_name(name: &FullName) -> Key {
    pair(DEPLOYMENT_NAME, &name.flow, &name.deployment)
}

pub(super) fn work_pool(name: &str) -> Key {
    named(WORK_POOL, name)
}

pub(super) fn work_queue(pool: &str, queue: &str) -> Key {
    pair(WORK_QUEUE, pool, queue)
}

pub(super) fn tag_limit(tag: &str) -> Key {
    named(TAG_LIMIT, tag)
}

pub(super) fn tombstone(name: &ObjectName) -> Key {
    let of_record = match name {
        ObjectName::Deployment(name) => return pair(TOMBSTONE, &name.flow, &name.deployment),
        ObjectName::WorkPool(name) => work_pool(name),
        ObjectName::WorkQueue { pool, name } => work_queue(pool, name),
        ObjectName::TagLimit(tag) => tag_limit(tag),
    };
    [&[OTHER_TOMBSTONE], &of_record[..]].concat()
}

pub(super) fn cursor(id: ScheduleId) -> Key {
    with_id(CURSOR, id.0)
}

pub(super) fn run(id: FlowRunId) -> Key {
    with_id(RUN, id.0)
}

pub(super) fn active(id: FlowRunId) -> Key {
    with_id(ACTIVE, id.0)
}

pub(super) fn over(id: FlowRunId) -> Key {
    with_id(OVER, id.0)
}

pub(super) fn idempotency(deployment: DeploymentId, key: &str) -> Key {
    // Hashed: a client may send a key of any length.
    let mut bytes = with_id(IDEMPOTENCY, deployment.0);
    bytes.extend_from_slice(&Sha256::digest(key.as_bytes()));
    bytes
}

pub(super) fn event(number: u64) -> Key {
    let mut bytes = vec![EVENT];
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes
}

/// The number in an event's key.
pub(super) fn number_in(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

/// The id in a key that is a prefix and an id.
pub(super) fn id_in(key: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(key.get(1..17)?).ok()
}

fn with_id(prefix: u8, id: Uuid) -> Key {
    let mut key = Vec::with_capacity(17);
    key.push(prefix);
    key.extend_from_slice(id.as_bytes());
    key
}

fn named(prefix: u8, name: &str) -> Key {
    let mut key = Vec::with_capacity(1 + name.len());
    key.push(prefix);
    key.extend_from_slice(name.as_bytes());
    key
}

fn pair(prefix: u8, first: &str, second: &str) -> Key {
    let mut key = named(prefix, first);
    key.push(0);
    key.extend_from_slice(second.as_bytes());
    key
}
