//! The ledger: everything that reeve remembers, with every invariant in one place, over any `Store`.
//!
//! `Reader` reads; a dry run gets one over a handle that has no commit (G9). `Ledger` adds the writes. Nothing else commits.
//!
//! **Invariants** that hold after every commit, whatever is killed when:
//! * a slot's run, its row among the active runs and its schedule's cursor are one commit (G2);
//! * a run's state changes only through `model::transition`, compared with the row that was read: a writer
//!   that was overtaken gets `Conflict` and looks again, it never overwrites;
//! * definitions change only together with the revision, so that a plan made for another revision is refused;
//! * an override that has ended is read no more, whether or not it was taken away (`dispatch::ended`);
//! * a name points to a record that exists, and the record bears that name;
//! * what is over has no row among the active runs, and one among those that are over, which tells the same as the run.
mod definitions;
mod events;
mod feed;
mod future;
mod history;
mod key;
mod record;
mod runs;
mod totals;
mod unit;

pub use feed::{Changed, Feed};
pub use future::VirtualRun;
pub use history::{OverRun, OverRuns};
pub use runs::ProposalOutcome;
pub use unit::Unit;

use crate::model::id::HomeId;
use crate::store::{CommitError, ReadStore, Store, StoreError};
use std::ops::Deref;
use std::sync::Arc;

/// What can be read.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn ReadStore>,
    home: HomeId,
    future: future::Known,
    counted: totals::Counted,
    /// Whether overrides that have ended are read, too.
    with_ended: bool,
    history: history::History,
}

/// What can be read and written.
#[derive(Clone)]
pub struct Ledger {
    reader: Reader,
    store: Arc<dyn Store>,
    /// Held while definitions are written: a large unit is many commits, and no other writer of its rows may come
    /// between them. (Runs are written beside it: their rows are never part of such a unit.)
    definitions: Arc<tokio::sync::Mutex<()>>,
}

/// Why the ledger cannot do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else wrote first: read again, decide again.
    #[error("the record changed meanwhile ({0})")]
    Conflict(String),
    /// The definitions are at another revision than the plan was made for.
    #[error("the definitions changed since the plan was made: revision {found}, expected {expected}")]
    Stale { expected: u64, found: u64 },
    #[error("the record {key} cannot be read: {reason}; restore the home from a backup, or remove that record")]
    Unreadable { key: String, reason: String },
    #[error("the record {key} has format version {version}, which this reeve does not know: use the newer reeve that wrote it")]
    NewerRecord { key: String, version: u8 },
    #[error("a record cannot be written: {0}")]
    Unwritable(String),
    #[error("there is no flow run {0}")]
    NoSuchRun(crate::model::id::FlowRunId),
}

impl From<CommitError> for LedgerError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { key } => LedgerError::Conflict(record::printable(&key)),
            CommitError::Store(error) => LedgerError::Store(error),
        }
    }
}

impl Reader {
    pub fn new(store: Arc<dyn ReadStore>) -> Self {
        let home = HomeId(store.home().id);
        Reader {
            store,
            home,
            future: future::Known::default(),
            counted: totals::Counted::default(),
            history: history::History::default(),
            with_ended: false,
        }
    }

    pub fn home(&self) -> HomeId {
        self.home
    }

    /// A reader of the records as they were written, overrides that have ended included: for whoever takes those away.
    pub fn with_ended(&self) -> Reader {
        Reader { with_ended: true, ..self.clone() }
    }
}

impl Ledger {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Ledger { reader: Reader::new(store.clone()), store, definitions: Arc::default() }
    }

    /// A handle that cannot write.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }
}

impl Deref for Ledger {
    type Target = Reader;
    fn deref(&self) -> &Reader {
        &self.reader
    }
}
