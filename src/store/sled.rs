//! The durable backend: `sled` 0.34 behind the conditions that make it keep its word. Nobody else touches `sled`.
//!
//! What `sled` does not do by itself, and what is done here about it (measured, versions named in `Cargo.toml`):
//! - Its `flush` issues no `fsync` on Linux. After each one the log file is synced through a descriptor of ours, and only then are
//!   commits acknowledged ([`engine`]).
//! - It never syncs its configuration file or its directory. A home is built aside, synced whole, and renamed into place ([`home`]).
//! - A row page over a quarter of a log segment leaves the log for an unsynced file of its own. Values are
//!   cut so that no page gets there ([`rows`]).
//! - A crash while it opens can leave a half-written snapshot that it then takes for the newest. It is removed first ([`home`]).
//! - It panics on some damage, in the caller and in its own threads. Every call is fenced; the first failure
//!   refuses all that follows ([`engine`]).
//! - It shows a batch before that is durable. Readers go through a view that shows what was before, until the sync has ended ([`view`]).
//! - Large batches cost many times their size in memory. Commits wait in one bounded queue and one thread writes them in
//!   groups of at most [`MAX_ROWS`](super::MAX_ROWS) rows, one sync for each group ([`writer`]).

mod engine;
mod home;
mod rows;
mod view;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

use self::engine::Engine;
use self::home::{Claim, Scratch};
use self::view::View;
use self::writer::Job;
use super::changes::Feed;
use super::{
    Batch, Changes, Commit, CommitError, Home, Key, Range, ReadStore, Scan, Store,
    StoreError, Value,
};

/// Commits that may wait at once; further tickets wait for their place in the queue.
const QUEUE: usize = 1024;

/// A store on disk. Holds its home exclusively until dropped.
pub struct SledStore {
    home: Home,
    feed: Arc<Feed>,
    places: Arc<Semaphore>,
    queue: Option<mpsc::UnboundedSender<Job>>,
    writer: Option<JoinHandle<()>>,
    // Dropped in this order: the engine's files, then the right to them, then a copy's directory.
    engine: Arc<Engine>,
    view: Arc<View>,
    _claim: Option<Claim>,
    _scratch: Option<Scratch>,
}

/// Opens the home in the directory `path`, made if absent.
pub(super) fn open(path: &str, id_if_new: Uuid) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(SledStore::open(Path::new(path), id_if_new)?))
}

/// Opens a private copy of the home in the directory `path`.
pub(super) fn open_copy(path: &str) -> Result<Arc<dyn Store>, StoreError> {
    let scratch = home::copy(Path::new(path))?;
    let engine = Engine::open_scratch(&scratch.directory(), Path::new(path))?;
    Ok(Arc::new(SledStore::start(engine, None, Some(scratch))?))
}

impl SledStore {
    /// Opens the home in the directory `path`. Absent or empty, it becomes a home with the id `id_if_new`.
    ///
    /// # Errors
    /// `Locked`, `Newer`, `Foreign`, `Unreadable`, `Corrupt`, `Full`, `Disk`.
    pub fn open(path: &Path, id_if_new: Uuid) -> Result<SledStore, StoreError> {
        let claim = home::claim(path)?;
        if !claim.has_store() {
            claim.create(id_if_new)?;
        }
        claim.clear_torn_snapshots()?;
        let engine = Engine::open(&claim.directory(), path)?;
        claim.sync()?;
        SledStore::start(engine, Some(claim), None)
    }

    fn start(
        engine: Engine,
        claim: Option<Claim>,
        scratch: Option<Scratch>,
    ) -> Result<SledStore, StoreError> {
        let home = engine.home()?;
        let feed = Feed::new(engine.sequence()?);
        let engine = Arc::new(engine);
        let (queue, jobs) = mpsc::unbounded_channel();
        let view = Arc::new(View::new(Arc::clone(&engine)));
        let writer = writer::spawn(Arc::clone(&engine), Arc::clone(&view), Arc::clone(&feed), jobs)?;
        let places = Arc::new(Semaphore::new(QUEUE));
        Ok(SledStore {
            home,
            feed,
            places,
            queue: Some(queue),
            writer: Some(writer),
            engine,
            view,
            _claim: claim,
            _scratch: scratch,
        })
    }

    /// Where the home is.
    pub fn path(&self) -> PathBuf {
        self.engine.path().to_path_buf()
    }
}

impl ReadStore for SledStore {
    fn changes(&self, from_sequence: u64) -> Changes {
        self.feed.subscribe(from_sequence)
    }

    fn home(&self) -> Home {
        self.home
    }

    fn sequence(&self) -> u64 {
        self.feed.newest()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.view.get(key)
    }

    fn scan(&self, range: Range) -> Scan<'_> {
        self.view.scan(range)
    }
}

impl Store for SledStore {
    fn commit(&self, batch: Batch) -> Commit {
        if let Err(error) = batch.check() {
            return Commit::ready(Err(error.into()));
        }
        let Some(queue) = &self.queue else {
            return Commit::ready(Err(StoreError::Closed.into()));
        };
        let (reply, decided) = oneshot::channel();
        let decided = async move {
            decided
                .await
                .unwrap_or(Err(CommitError::Store(StoreError::Closed)))
        };
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            // A send fails only if the writer is gone, and then the dropped reply says so.
            let _ = queue.send(Job {
                batch,
                reply,
                _place: place,
            });
            return Commit::pending(decided);
        }
        let (places, queue) = (Arc::clone(&self.places), queue.downgrade());
        Commit::pending(async move {
            let (Ok(place), Some(queue)) = (places.acquire_owned().await, queue.upgrade()) else {
                return Err(StoreError::Closed.into());
            };
            let _ = queue.send(Job {
                batch,
                reply,
                _place: place,
            });
            drop(queue);
            decided.await
        })
    }

}

impl Drop for SledStore {
    /// What is queued is still committed; what waits for a place is refused.
    fn drop(&mut self) {
        self.places.close();
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        self.feed.close();
        self.engine.close();
    }
}

/// A row as `sled` holds it.
type PhysicalRow = (Key, Value);
