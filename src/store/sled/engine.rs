//! The fence around `sled`: every call goes through here, errors and panics become [`StoreError`]s, and the first
//! failure refuses all later calls. Knows bytes only, nothing of the rows' meaning beyond the two of its own.

use std::fs::File;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use super::super::{FORMAT_VERSION, Home, StoreError};
use super::{PhysicalRow, home, rows};

/// Page cache. `sled` takes a gibibyte unasked.
const CACHE_BYTES: u64 = 16 << 20;
/// How often `sled`'s own thread reclaims log segments. It gives no notification to wait on; twice its default.
const RECLAIM_EVERY_MS: u64 = 1000;

/// How long closing waits for `sled`'s threads to let go of the file.
const RELEASE_WITHIN: Duration = Duration::from_secs(10);

/// An open `sled` database with its log file.
pub(super) struct Engine {
    /// The home, for messages; a copy names its original.
    path: PathBuf,
    /// Absent once closed.
    database: RwLock<Option<::sled::Db>>,
    /// Our own descriptor of the log: syncing it syncs what `sled` wrote. Absent for a throw-away copy.
    log: Option<File>,
    failed: OnceLock<StoreError>,
}

impl Engine {
    /// Opens the database in `directory`, part of the home `path`.
    pub(super) fn open(directory: &Path, path: &Path) -> Result<Engine, StoreError> {
        let database = open_database(directory, path, false)?;
        let file = directory.join(home::LOG_FILE);
        let log = File::open(&file).map_err(|error| StoreError::from_io("open", &file, &error))?;
        Ok(Engine::new(path, database, Some(log)))
    }

    /// Opens a throw-away copy: nothing is synced.
    pub(super) fn open_scratch(directory: &Path, original: &Path) -> Result<Engine, StoreError> {
        Ok(Engine::new(
            original,
            open_database(directory, original, true)?,
            None,
        ))
    }

    fn new(path: &Path, database: ::sled::Db, log: Option<File>) -> Engine {
        let database = RwLock::new(Some(database));
        Engine {
            path: path.to_path_buf(),
            database,
            log,
            failed: OnceLock::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The `format` row.
    pub(super) fn home(&self) -> Result<Home, StoreError> {
        let Some(bytes) = self.get(rows::FORMAT)? else {
            return Err(StoreError::Foreign {
                path: self.path.clone(),
                found: "a sled database without a format row".into(),
            });
        };
        let damaged = |detail: String| home::corrupt(&self.path, &detail);
        let head: FormatHead = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("its format row: {error}")))?;
        if head.version > FORMAT_VERSION {
            return Err(StoreError::Newer {
                path: self.path.clone(),
                found: head.version,
                known: FORMAT_VERSION,
            });
        }
        serde_json::from_slice(&bytes).map_err(|error| damaged(format!("its format row: {error}")))
    }

    /// Writes the `format` row of a new home.
    pub(super) fn set_home(&self, home: Home) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(&home)
            .map_err(|error| home::corrupt(&self.path, &error.to_string()))?;
        let mut batch = ::sled::Batch::default();
        batch.insert(rows::FORMAT, bytes);
        self.commit(batch)
    }

    /// The sequence of the last commit; 0 if there was none.
    pub(super) fn sequence(&self) -> Result<u64, StoreError> {
        let Some(bytes) = self.get(rows::SEQUENCE)? else {
            return Ok(0);
        };
        let bytes = bytes
            .try_into()
            .map_err(|_| home::corrupt(&self.path, "its sequence row has a wrong length"))?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// A physical row.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .fenced("read", |database| database.get(key))?
            .map(|value| value.to_vec()))
    }

    /// The physical rows between two bounds; [`Engine::step`] reads them.
    pub(super) fn range(
        &self,
        bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    ) -> Result<::sled::Iter, StoreError> {
        self.fenced("read", |database| Ok(database.range(bounds)))
    }

    /// The next row of a range, from its end if `reverse`.
    pub(super) fn step(
        &self,
        range: &mut Result<::sled::Iter, StoreError>,
        reverse: bool,
    ) -> Result<Option<PhysicalRow>, StoreError> {
        let range = range.as_mut().map_err(|error| error.clone())?;
        let row = self.fenced("read", |_| {
            if reverse {
                range.next_back()
            } else {
                range.next()
            }
            .transpose()
        })?;
        Ok(row.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    /// Applies a batch atomically and makes it durable: one flush, one sync.
    pub(super) fn commit(&self, batch: ::sled::Batch) -> Result<(), StoreError> {
        self.fenced("write to", |database| {
            database.apply_batch(batch)?;
            database.flush()?;
            // After a failed sync the kernel may drop dirty pages and report success the next time: never retried.
            self.log
                .as_ref()
                .map_or(Ok(()), File::sync_data)
                .map_err(::sled::Error::Io)
        })
    }

    /// Closes the database. Later calls are refused.
    pub(super) fn close(&self) {
        let database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Dropping flushes, and may panic on a failed disk; everything acknowledged is synced already.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(database)));
        self.wait_for_release();
    }

    /// `sled`'s own threads may hold its locked file for a moment longer, and opening it again in this process would fail.
    /// Its lock is free when ours on the same file is granted.
    fn wait_for_release(&self) {
        let Some(Ok(log)) = self.log.as_ref().map(File::try_clone) else {
            return;
        };
        let (released, wait) = std::sync::mpsc::channel();
        // On a thread of its own, as a dying disk may hold up those threads for ever.
        let waiting = std::thread::Builder::new()
            .name("store-close".into())
            .spawn(move || {
                let _ = released.send(log.lock().and_then(|()| log.unlock()));
            });
        if waiting.is_ok() {
            let _ = wait.recv_timeout(RELEASE_WITHIN);
        }
    }

    /// Runs one call into `sled`. A failure of any kind is final: later calls get [`StoreError::Poisoned`].
    fn fenced<T>(
        &self,
        doing: &str,
        call: impl FnOnce(&::sled::Db) -> ::sled::Result<T>,
    ) -> Result<T, StoreError> {
        if let Some(failed) = self.failed.get() {
            // Without its advice: that was given once.
            let cause = failed
                .to_string()
                .split(';')
                .next()
                .unwrap_or_default()
                .to_string();
            return Err(StoreError::Poisoned { cause });
        }
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(StoreError::Closed);
        };
        let failure = match catch_unwind(AssertUnwindSafe(|| call(database))) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => classify(doing, &self.path, &error),
            Err(panic) => home::corrupt(&self.path, &panic_text(&*panic)),
        };
        // The first failure names the cause for everybody; a second one at the same time is a consequence.
        Err(self.failed.get_or_init(|| failure).clone())
    }
}

/// The part of the `format` row that every version of reeve writes.
#[derive(serde::Deserialize)]
struct FormatHead {
    version: u32,
}

fn open_database(directory: &Path, path: &Path, scratch: bool) -> Result<::sled::Db, StoreError> {
    let config = ::sled::Config::new()
        .path(directory)
        .cache_capacity(CACHE_BYTES)
        .use_compression(false)
        .temporary(scratch)
        .flush_every_ms(Some(RECLAIM_EVERY_MS));
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => Err(classify("open", path, &error)),
        Err(panic) => Err(home::corrupt(path, &panic_text(&*panic))),
    }
}

fn classify(doing: &str, path: &Path, error: &::sled::Error) -> StoreError {
    match error {
        // It gives no kind of its own. Nobody who goes through this store can hold it: the home is claimed.
        ::sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock") => {
            StoreError::Locked {
                path: path.to_path_buf(),
                pid: None,
            }
        }
        ::sled::Error::Io(error) => StoreError::from_io(&format!("{doing} the home"), path, error),
        other => home::corrupt(path, &other.to_string()),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!(
        "the storage engine stopped: {}",
        text.unwrap_or("no reason given")
    )
}
