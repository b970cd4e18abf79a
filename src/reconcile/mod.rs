//! What must change: `Desired` (the files) and `Stored` (the ledger) in, a `Plan` out, and its explanation.
//!
//! Pure: the same two sides and the same instant always give the same plan, ids included (G9). Both sides are
//! normalised and compared with `==`; nothing is serialised to be compared, and what is unchanged is not cloned.
//! It decides everything: applying a plan is performing `Plan::take_writes` in order, at its base revision. It
//! must never read a file, the store or the clock, and never touch what another project owns (G6).
//!
//! Decisions that are not obvious from the design:
//! * Moving an entry between files of a project is no change: nothing is written. The stamp of the file is renewed
//!   when the object is written for another reason.
//! * A project whose root moved is an update of each of its deployments (`root`: old -> new), because runs start
//!   there, and of the project.
//! * What nobody writes but everybody means (`implied`): each declared pool has a `default` queue; a queue that a
//!   deployment names is made in a pool that is there; `default-agent-pool` is made when it is used, and is nobody's.
//! * A renamed deployment is known by the name that it had, only while the new one is not there: then the rename is done.
//! * What is no longer declared and stays (`prune: false`, `protect`, files that could not be read) is no change: it is counted
//!   and noted. A protected deployment keeps its pool and its queue.
//! * Drift is told by a digest of what the file said when the record was written (`digest`). A record that drifted and whose
//!   file has changed since is an update: both are put right together.
//! * A schedule that begins to fire (new, changed rule, switched on, deployment resumed or restored) has no slots
//!   before the plan's instant: what did not fire while it was off is not made up for.
mod deployments;
mod diff;
mod digest;
pub mod entry;
pub mod explain;
mod fields;
mod foresee;
mod guard;
mod ignored;
mod implied;
mod kept;
mod notes;
pub mod origin;
mod others;
mod plan;
mod planner;
mod refusal;
mod renames;
mod schedules;
mod shape;
mod tag_limits;
mod units;
mod wire;
mod work_pools;
mod work_queues;

#[cfg(test)]
mod tests;

pub use foresee::RunsOf;
pub use plan::{
    Action, Counts, Drift, FORMAT, Fate, FieldChange, InProgress, Made, Moved, Note, NoteLevel, Plan, RunChanges, RunMove, Shadow, Step,
};
pub use guard::NotRead;
pub use refusal::Refusal;
pub use units::Unit;

use crate::model::desired::Desired;
use crate::model::stored::{SourceState, Stored};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What the caller decides about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many objects may be pruned although a guard would refuse it: exactly so many, no more and no fewer.
    pub allow_prune: Option<usize>,
    /// Whether unchanged objects get a step each; they are counted in any case.
    pub list_unchanged: bool,
    /// The pool types that this build executes itself; any other needs a remote worker.
    pub executor_kinds: Vec<String>,
    /// Objects of other projects that are taken over where this one declares them, by full name: `flow/deployment`, `pool`,
    /// `pool/queue`, `tag:TAG`.
    pub adopt: BTreeSet<String>,
    /// The directory that the project was applied from before, where that still holds a project file of the same name.
    pub also_in: Option<String>,
    /// The lock file of a checkout that is in progress where the files lie: nothing is pruned then.
    pub checkout: Option<String>,
    /// A file that was read, while somebody has it open for writing: nothing is pruned then.
    pub being_written: Option<String>,
    /// Files that declared objects when those were written, were not read this time, and of which it is not sure that they are gone.
    pub not_read: BTreeMap<String, NotRead>,
    /// The files that were asked for by name instead of those that are found.
    pub named: Vec<String>,
    /// The state of the files that `desired` was read from, remembered with the project.
    pub source: Option<SourceState>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            allow_prune: None,
            list_unchanged: false,
            executor_kinds: vec!["process".to_owned()],
            adopt: BTreeSet::new(),
            also_in: None,
            checkout: None,
            being_written: None,
            not_read: BTreeMap::new(),
            named: Vec::new(),
            source: None,
        }
    }
}

/// Decides what must be written so that what is stored says what is desired.
///
/// `stored` must hold all that the project owns, every object whose name `desired` uses, all work queues, the
/// deployments of others that refer to the project's pools (a pool that others use is kept), and what bears an
/// earlier name of a renamed deployment. An empty plan has no
/// writes at all (G1); a refused one has steps to show and no writes.
pub fn plan(desired: &Desired, stored: &Stored, now: Timestamp, options: &Options) -> Plan {
    planner::Planner::new(desired, stored, now, options).plan()
}
