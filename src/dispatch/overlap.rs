//! What becomes of a slot's run that meets an earlier run of its deployment still going.
//!
//! It concerns the first attempt of runs that a schedule made; whoever asks for a run by hand gets it. A run is going from its
//! claim to its end, between its attempts too. Pools and limits come after: they decide when, not whether.
use super::queue::Waiting;
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::policy::Overlap;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;

/// What follows for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing: it may go on to its pool and limits.
    None,
    Skip(Skipped),
    /// It waits for these to end; `stop`: they are to be cancelled for it.
    Wait { of: FlowRunId, stop: Vec<FlowRunId> },
}

/// Why a slot's run was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// An earlier run is still going.
    StillGoing(FlowRunId),
    /// So many wait already.
    QueueFull { most: u32 },
    /// A newer slot is due, and wants everything else to end.
    Superseded,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Skipped::StillGoing(run) => write!(f, "run {run} of the same deployment was still going (overlap: skip)"),
            Skipped::QueueFull { most } => write!(f, "{most} runs of the same deployment were waiting already (overlap: queue)"),
            Skipped::Superseded => write!(f, "a newer slot was due before it could start (overlap: cancel_running)"),
        }
    }
}

/// The runs of each deployment that are going, and those that wait for them.
#[derive(Default)]
pub(super) struct Going {
    runs: HashMap<DeploymentId, Vec<(FlowRunId, bool)>>,
    queued: HashMap<DeploymentId, u32>,
    /// The newest due run of each deployment whose slots supersede each other.
    newest: HashMap<DeploymentId, (Timestamp, FlowRunId)>,
}

impl Going {
    pub fn add(&mut self, deployment: Option<DeploymentId>, run: FlowRunId, stopping: bool) {
        if let Some(deployment) = deployment {
            self.runs.entry(deployment).or_default().push((run, stopping));
        }
    }

    /// Notes which of the due runs is the newest of its deployment.
    pub fn look_ahead<'a>(&mut self, due: impl Iterator<Item = &'a Waiting>) {
        for run in due.filter(|run| run.overlap == Overlap::CancelRunning && run.first_attempt) {
            if let Some(deployment) = run.deployment {
                let newest = self.newest.entry(deployment).or_insert((run.due, run.run));
                *newest = (*newest).max((run.due, run.run));
            }
        }
    }

    /// Decides about a due run. Runs are asked in the order in which they are to start.
    pub fn consequence(&mut self, run: &Waiting) -> Consequence {
        let Some(deployment) = run.deployment.filter(|_| run.first_attempt) else { return Consequence::None };
        let going = self.runs.get(&deployment).map_or(&[][..], Vec::as_slice);
        match (run.overlap, going.first()) {
            (Overlap::Allow, _) => Consequence::None,
            (Overlap::CancelRunning, _) if self.newest.get(&deployment).is_some_and(|newest| newest.1 != run.run) => {
                Consequence::Skip(Skipped::Superseded)
            }
            (_, None) => Consequence::None,
            (Overlap::Skip, Some((earlier, _))) => Consequence::Skip(Skipped::StillGoing(*earlier)),
            (Overlap::Queue { most }, Some((earlier, _))) => {
                let queued = self.queued.entry(deployment).or_default();
                if *queued >= most {
                    return Consequence::Skip(Skipped::QueueFull { most });
                }
                *queued += 1;
                Consequence::Wait { of: *earlier, stop: Vec::new() }
            }
            (Overlap::CancelRunning, Some((earlier, _))) => {
                let stop = going.iter().filter(|(_, stopping)| !stopping).map(|(run, _)| *run).collect();
                Consequence::Wait { of: *earlier, stop }
            }
        }
    }
}
