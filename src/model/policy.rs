//! What is to become of slots that cannot simply run: missed ones, ones that meet a run still going, ones that come too late.
//!
//! Each policy has one default, and a schedule's policies are complete: what a manifest says for a whole deployment is already
//! laid under what it says for one schedule.
use crate::schedule::Every;
use serde::{Deserialize, Serialize};

/// The policies of a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    #[serde(default, skip_serializing_if = "is_default")]
    pub missed: Missed,
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_resume: OnResume,
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// A run that could not start within this time after it was due is Cancelled, named `Expired`. `None`: it waits for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after: Option<Every>,
    /// Each slot's run starts up to this much later, differently for each slot; never past the next slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Every>,
    /// All runs start later by one and the same time up to this, different for each schedule; never past the next slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Every>,
}

impl Policy {
    pub fn is_default(&self) -> bool {
        is_default(self)
    }
}

/// What happens to slots that passed while the daemon was down or the machine asleep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    #[serde(default, skip_serializing_if = "is_default")]
    pub run: MissedRun,
    /// Only slots that are not older than this run. `None`: however old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Every>,
    /// At most this many of the newest run, where all do. `None`: [`MOST_MISSED_RUNS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// So many missed slots of one schedule run after an outage where all do and no limit is given, and more cannot be asked for.
pub const MOST_MISSED_RUNS: u32 = 1_000;

/// Which of the missed slots run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedRun {
    Skip,
    #[default]
    Latest,
    All,
}

/// What happens to the slots that passed while a schedule was paused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnResume {
    /// None of them runs.
    #[default]
    Skip,
    /// The newest of them runs.
    Latest,
}

/// What happens to a slot that comes while an earlier run of the same deployment is still going.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "then")]
pub enum Overlap {
    /// It runs beside it.
    #[default]
    Allow,
    /// It does not run: Cancelled, named `Skipped`.
    Skip,
    /// It waits until the other has ended; at most so many of the deployment's runs wait, further ones are skipped.
    Queue { most: u32 },
    /// The other is cancelled, and it runs once that has stopped.
    CancelRunning,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
