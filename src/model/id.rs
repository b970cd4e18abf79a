//! Ids, and the rules by which they are derived. Nothing here is random: what is random comes in as an argument.
//!
//! * An object that a plan creates gets its id from (home, kind, name, base revision), so that a dry run names
//!   the id that apply will use (G9), and a name that was deleted and made again does not get its old id back.
//! * A scheduled run's id is a function of (deployment, schedule key, slot), so that a slot has one id however
//!   often and wherever it is computed (G2). Its first 48 bits are the slot in Unix milliseconds, so that ids,
//!   and the store's keys made of them, are ordered by time.
//! * All derived ids are UUIDs of version 8 (RFC 9562, section 5.8); a run made by hand is version 7 (5.7).
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

id_types! {
    /// One data directory (`$REEVE_HOME`), chosen when it is made.
    HomeId
    FlowId
    DeploymentId
    ScheduleId
    WorkPoolId
    WorkQueueId
    TagLimitId
    FlowRunId
    StateId
}

/// The kinds of object that a plan creates; part of what their ids are derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    ConcurrencyLimit,
    WorkPool,
    WorkQueue,
    Deployment,
    Flow,
    Schedule,
}

impl Kind {
    /// The word that users know it by: `work pool`, `deployment`.
    pub fn words(self) -> &'static str {
        match self {
            Kind::ConcurrencyLimit => "concurrency limit",
            Kind::WorkPool => "work pool",
            Kind::WorkQueue => "work queue",
            Kind::Deployment => "deployment",
            Kind::Flow => "flow",
            Kind::Schedule => "schedule",
        }
    }
}

/// The id of an object that is created at `base_revision`. Version 8, from a SHA-256.
pub fn of_new_object(home: HomeId, kind: Kind, name: &str, base_revision: u64) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(home.0.as_bytes());
    hash.update(kind.words().as_bytes());
    hash.update([0]);
    hash.update(name.as_bytes());
    hash.update([0]);
    hash.update(base_revision.to_be_bytes());
    version_8(first_16(hash))
}

/// The id of the run of one slot. Two schedules of one deployment that meet at one instant make two runs
/// only when their keys differ.
pub fn of_slot(deployment: DeploymentId, schedule_key: &str, slot: Timestamp) -> FlowRunId {
    let mut hash = Sha256::new();
    hash.update(deployment.0.as_bytes());
    hash.update(schedule_key.as_bytes());
    // What the first 48 bits do not hold: nothing, where slots are whole milliseconds.
    if let below @ 1.. = slot.as_nanosecond().rem_euclid(1_000_000) {
        hash.update(below.to_be_bytes());
    }
    FlowRunId(version_8(with_time(slot, first_16(hash))))
}

/// The part of a scheduled run's id that all slots of a schedule share (where they are whole milliseconds).
pub fn schedule_part(run: FlowRunId) -> [u8; 10] {
    let mut part = [0; 10];
    part.copy_from_slice(&run.0.as_bytes()[6..]);
    part
}

/// The id of the run of a slot of whole milliseconds, of the schedule whose slots share `part`: `of_slot` without the hash.
pub fn of_slot_of_part(part: [u8; 10], slot: Timestamp) -> FlowRunId {
    let mut bytes = [0; 16];
    bytes[6..].copy_from_slice(&part);
    FlowRunId(Uuid::from_bytes(with_time(slot, bytes)))
}

/// Whether an id can be that of a slot's run.
pub fn is_of_slot(run: FlowRunId) -> bool {
    run.0.get_version_num() == 8
}

/// The id of a run that somebody asked for, from 10 bytes of randomness. `now`: when it is to start, where that is later (see
/// [`latest_expected_start`]).
pub fn of_requested_run(now: Timestamp, randomness: [u8; 10]) -> FlowRunId {
    let mut bytes = [0; 16];
    bytes[6..].copy_from_slice(&randomness);
    let mut bytes = with_time(now, bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    FlowRunId(Uuid::from_bytes(bytes))
}

/// The id of a run's `sequence`-th state.
pub fn of_state(run: FlowRunId, sequence: u32) -> StateId {
    let mut hash = Sha256::new();
    hash.update(run.0.as_bytes());
    hash.update(sequence.to_be_bytes());
    StateId(version_8(first_16(hash)))
}

/// The instant that a run's id carries, to the millisecond.
pub fn time_of_run(run: FlowRunId) -> Option<Timestamp> {
    let mut milliseconds = [0; 8];
    milliseconds[2..].copy_from_slice(&run.0.as_bytes()[..6]);
    Timestamp::from_millisecond(i64::from_be_bytes(milliseconds)).ok()
}

/// How much later than its slot a spread or jittered run is taken to start at most, where runs are looked for by time.
const MOST_SPREAD: SignedDuration = SignedDuration::from_hours(24);

/// A run of this id, or of an older one, was expected to start at this instant or before: a scheduled run's id carries its slot, that of
/// one that somebody asked for when it is to start, or when it was made where that is later. So whoever looks for the latest need not
/// read all.
pub fn latest_expected_start(run: FlowRunId) -> Option<Timestamp> {
    Some(time_of_run(run)?.saturating_add(MOST_SPREAD).unwrap_or(Timestamp::MAX))
}

/// The smallest run id at `instant`: where a scan of runs by time begins.
pub fn first_run_at(instant: Timestamp) -> FlowRunId {
    FlowRunId(Uuid::from_bytes(with_time(instant, [0; 16])))
}

fn first_16(hash: Sha256) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes
}

fn with_time(instant: Timestamp, mut bytes: [u8; 16]) -> [u8; 16] {
    // 48 bits hold every instant from 1970 to the year 10889; what lies before counts as 1970.
    let milliseconds = instant.as_millisecond().max(0).to_be_bytes();
    bytes[..6].copy_from_slice(&milliseconds[2..]);
    bytes
}

fn version_8(bytes: [u8; 16]) -> Uuid {
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> HomeId {
        HomeId(Uuid::from_u128(7))
    }

    #[test]
    fn the_derived_ids_never_change() {
        // Frozen: a home made by an older reeve must find its runs under the same ids.
        let deployment = DeploymentId(of_new_object(home(), Kind::Deployment, "etl/daily", 3));
        assert_eq!(deployment.to_string(), "75b1f1ec-e6d8-87ec-95f2-b1295fe12003");
        let slot: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        assert_eq!(of_slot(deployment, "main", slot).to_string(), "01a1fd55-7a80-8767-8eb9-52ef9e35a4e1");
    }

    #[test]
    fn a_slot_id_carries_its_slot_and_orders_by_time() {
        let deployment = DeploymentId(Uuid::from_u128(1));
        let early: Timestamp = "2026-11-21T09:00:00.250Z".parse().unwrap();
        let late: Timestamp = "2026-11-21T09:00:00.251Z".parse().unwrap();
        assert_eq!(time_of_run(of_slot(deployment, "k", early)), Some(early));
        assert!(of_slot(deployment, "k", early) < of_slot(deployment, "k", late));
        assert!(first_run_at(early) <= of_slot(deployment, "k", early));
        assert_eq!(of_slot_of_part(schedule_part(of_slot(deployment, "k", early)), late), of_slot(deployment, "k", late));
        assert_ne!(of_slot(deployment, "k", early), of_slot(deployment, "l", early));
        assert_eq!(of_slot(deployment, "k", early).0.get_version_num(), 8);
        assert_eq!(of_requested_run(early, [255; 10]).0.get_version_num(), 7);
    }

    #[test]
    fn ids_differ_by_home_kind_name_and_revision() {
        let base = of_new_object(home(), Kind::WorkPool, "a", 1);
        assert_ne!(base, of_new_object(HomeId(Uuid::from_u128(8)), Kind::WorkPool, "a", 1));
        assert_ne!(base, of_new_object(home(), Kind::WorkQueue, "a", 1));
        assert_ne!(base, of_new_object(home(), Kind::WorkPool, "b", 1));
        assert_ne!(base, of_new_object(home(), Kind::WorkPool, "a", 2));
    }
}
