//! What is remembered: four verbs on bytes, and the ledger above them.
//!
//! A [`Store`] maps keys to values in key order. It knows nothing of runs or deployments: invariants
//! live once, in the ledger, and every backend only keeps these promises:
//!
//! - **Durable.** A [`Commit`] resolves only after its rows survive `kill -9` and power loss.
//! - **Atomic.** A batch is applied whole or not at all, also across a crash.
//! - **Ordered.** Commits take effect one after another. A batch's `expect` is compared with the state left by
//!   all commits before it; a failed comparison rejects that batch and no other.
//! - **Refusing.** After a failed write (a full disk, a dying one) nothing more is accepted or answered: what is in memory might
//!   not be on disk. Opening the store again finds every acknowledged commit.
//!
//! What is *not* promised: a read may see a row shortly before it is durable (between apply and sync), and a scan is
//! not a snapshot: a row committed while the scan runs may or may not be in it.
//!
//! Two namespaces never meet: a caller owns every key except those that begin with [`redo::PREFIX`].
//!
//! Adding a backend: one file that implements [`ReadStore`] and [`Store`], one line in [`BACKENDS`], and the
//! conformance suite (`tests/store_conformance`) run on it.

mod batch;
mod changes;
mod commit;
mod error;
pub mod ledger;
pub mod ram;
pub mod redo;
pub mod sled;

use std::sync::Arc;

use uuid::Uuid;

pub use batch::{Batch, Expect, MAX_BYTES, MAX_KEY_BYTES, MAX_ROWS, MAX_VALUE_BYTES, Order, Range};
pub use changes::{Change, Changes, Lagged};
pub use commit::Commit;
pub use error::{CommitError, StoreError};

/// A row's name: bytes compared lexicographically, at most [`MAX_KEY_BYTES`].
pub type Key = Vec<u8>;
/// A row's content: at most [`MAX_VALUE_BYTES`].
pub type Value = Vec<u8>;
/// Rows in key order, each read when it is asked for.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<(Key, Value), StoreError>> + Send + 'a>;

/// The version of the home's layout that this program writes. A home of a newer version is refused untouched.
pub const FORMAT_VERSION: u32 = 1;

/// Which home this is: written once, at creation, and never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Home {
    /// Layout version, see [`FORMAT_VERSION`].
    pub version: u32,
    /// Identity of the home, chosen by who created it. Ids of new objects derive from it.
    pub id: Uuid,
}

/// The reading half. A dry run is handed only this, so that it cannot write.
pub trait ReadStore: Send + Sync + 'static {
    /// Which home this is.
    fn home(&self) -> Home;

    /// Sequence of the last durable commit; 0 in a new store. Grows for ever, across restarts too.
    fn sequence(&self) -> u64;

    /// The value under `key` now, if there is one.
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError>;

    /// The rows of `range` in its order. Not a snapshot. An error ends the scan.
    fn scan(&self, range: Range) -> Scan<'_>;

    /// The keys of committed batches from sequence `from_sequence` on, oldest first, as they become durable.
    /// Kept in memory and bounded: a reader that asks for what is gone (or for a future this store has not
    /// reached) is told so once ([`Lagged`]), and goes on with the newest; it must read again what it follows.
    fn changes(&self, from_sequence: u64) -> Changes;
}

/// The whole store. Everything that changes it is a [`Batch`].
pub trait Store: ReadStore {
    /// Queues `batch` at once, in call order, and gives the ticket to wait for it. Dropping the ticket does not take
    /// the batch back.
    fn commit(&self, batch: Batch) -> Commit;
}

/// A store, or why there is none.
type Opened = Result<Arc<dyn Store>, StoreError>;

/// One kind of store: the URL scheme that selects it and how it is opened.
struct Backend {
    scheme: &'static str,
    /// Opens, and creates what is absent as a home with the given id.
    open: fn(&str, Uuid) -> Opened,
    /// Opens a private copy that leaves the original unwritten.
    open_copy: fn(&str) -> Opened,
}

/// The URL-scheme table. The first one also serves a bare path.
const BACKENDS: &[Backend] = &[
    Backend {
        scheme: "sled",
        open: sled::open,
        open_copy: sled::open_copy,
    },
    Backend {
        scheme: "ram",
        open: ram::open,
        open_copy: ram::open_copy,
    },
];

/// Opens the store at `url` (`sled:PATH`, `ram:`, or a bare path for the default backend) for reading and
/// writing. What is absent is created as a home with the id `id_if_new`. Large units that a crash interrupted are
/// finished before this returns.
///
/// # Errors
/// Every [`StoreError`] but `TooLarge`, `Poisoned` and `Closed`; the home is unchanged then.
pub fn open(url: &str, id_if_new: Uuid) -> Opened {
    let (backend, rest) = backend(url)?;
    let store = (backend.open)(rest, id_if_new)?;
    redo::replay(&*store)?;
    Ok(store)
}

/// Opens a private copy of the store at `url`, deleted when dropped, for a dry run without a daemon. The original is
/// neither made nor written; it must not be in use by another process.
///
/// # Errors
/// [`StoreError::Missing`] where there is no home, else as [`open`].
pub fn open_copy(url: &str) -> Result<Arc<dyn ReadStore>, StoreError> {
    let (backend, rest) = backend(url)?;
    let store = (backend.open_copy)(rest)?;
    redo::replay(&*store)?;
    Ok(store)
}

fn backend(url: &str) -> Result<(&'static Backend, &str), StoreError> {
    // A scheme is two or more letters before a colon, so that odd paths ("./a:b") stay paths.
    let scheme = url
        .split_once(':')
        .filter(|(name, _)| name.len() > 1 && name.bytes().all(|b| b.is_ascii_lowercase()));
    match scheme {
        None => Ok((&BACKENDS[0], url)),
        Some((name, rest)) => match BACKENDS.iter().find(|backend| backend.scheme == name) {
            Some(backend) => Ok((backend, rest)),
            None => Err(StoreError::UnknownScheme {
                url: url.to_string(),
                known: BACKENDS
                    .iter()
                    .map(|backend| backend.scheme)
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        },
    }
}
