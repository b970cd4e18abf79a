//! The directory of a home: whose it is, that only one process has it, and that it exists whole or not at all.
//!
//! ```text
//! HOME/lock      held (flock) as long as the store is open; names the holder
//! HOME/sled/     the database; made as sled.new, synced, then renamed
//! HOME/backup    an export, if one was made
//! ```
//! A directory with anything else and no database is somebody else's, and is not written.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::time::{Duration, Instant};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::super::{FORMAT_VERSION, Home, StoreError};
use super::engine::Engine;

/// `sled`'s log, in the database's directory.
pub(super) const LOG_FILE: &str = "db";

const LOCK: &str = "lock";
const DATABASE: &str = "sled";
const UNFINISHED: &str = "sled.new";
const BACKUP: &str = "backup";

/// How long a lock may outlive its holder before somebody else must have it.
const GHOST_LIFE: Duration = Duration::from_secs(2);

/// The exclusive right to a home, until dropped.
pub(super) struct Claim {
    path: PathBuf,
    _lock: File,
}

/// A private copy of a home's database, deleted when dropped.
pub(super) struct Scratch(PathBuf);

/// Takes the home at `path`, making the directory if it is absent.
pub(super) fn claim(path: &Path) -> Result<Claim, StoreError> {
    make_directory(path)?;
    inspect(path)?;
    let file = path.join(LOCK);
    let mut lock = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file)
        .map_err(at("open", &file))?;
    match lock_unless_held(&mut lock) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked {
                path: path.to_path_buf(),
                pid: holder(&mut lock),
            });
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::from_io("lock", &file, &error)),
    }
    lock.set_len(0)
        .and_then(|()| write!(lock, "{}", std::process::id()))
        .map_err(at("write", &file))?;
    Ok(Claim {
        path: path.to_path_buf(),
        _lock: lock,
    })
}

/// Takes the lock, unless a process holds it. One that was killed while it started a child may leave the lock to that
/// child until it executes its program, a moment later: that is waited for.
fn lock_unless_held(lock: &mut File) -> Result<(), TryLockError> {
    let give_up = Instant::now() + GHOST_LIFE;
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < give_up && holder(lock).is_some_and(is_gone) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

/// Whether there is no such process any more, or only its exit status.
fn is_gone(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')),
        Err(_) => true,
    }
}

/// Copies the database of the home at `path`. Neither makes nor writes anything there.
pub(super) fn copy(path: &Path) -> Result<Scratch, StoreError> {
    if !path.try_exists().map_err(at("read", path))? {
        return Err(StoreError::Missing {
            path: path.to_path_buf(),
        });
    }
    inspect(path)?;
    let database = path.join(DATABASE);
    if !database.is_dir() {
        return Err(StoreError::Missing {
            path: path.to_path_buf(),
        });
    }
    let file = path.join(LOCK);
    let mut lock = File::open(&file).map_err(at("open", &file))?;
    match lock.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked {
                path: path.to_path_buf(),
                pid: holder(&mut lock),
            });
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::from_io("lock", &file, &error)),
    }
    let scratch = Scratch::new()?;
    copy_directory(&database, &scratch.directory())?;
    Ok(scratch)
}

/// The error for damaged bytes, naming the backup to restore if there is one.
pub(super) fn corrupt(path: &Path, detail: &str) -> StoreError {
    let backup = Some(path.join(BACKUP)).filter(|backup| backup.is_file());
    StoreError::Corrupt {
        path: path.to_path_buf(),
        detail: detail.to_string(),
        backup,
    }
}

impl Claim {
    /// Where the database is.
    pub(super) fn directory(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Whether there is a database already.
    pub(super) fn has_store(&self) -> bool {
        self.directory().is_dir()
    }

    /// Makes the database: aside, synced whole, then renamed into place, so that a crash leaves all of it or nothing.
    pub(super) fn create(&self, id: Uuid) -> Result<(), StoreError> {
        let unfinished = self.path.join(UNFINISHED);
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(at("remove", &unfinished))?;
        }
        private_directory(&unfinished).map_err(at("make", &unfinished))?;
        let engine = Engine::open(&unfinished, &self.path)?;
        engine.set_home(Home {
            version: FORMAT_VERSION,
            id,
        })?;
        engine.close();
        sync_tree(&unfinished)?;
        fs::rename(&unfinished, self.directory()).map_err(at("rename", &unfinished))?;
        sync(&self.path)
    }

    /// Removes snapshots that a crash left half-written: `sled` would take such a file for its newest snapshot.
    pub(super) fn clear_torn_snapshots(&self) -> Result<(), StoreError> {
        let directory = self.directory();
        for entry in fs::read_dir(&directory).map_err(at("read", &directory))? {
            let file = entry.map_err(at("read", &directory))?.path();
            if file
                .extension()
                .is_some_and(|extension| extension == "generating")
            {
                fs::remove_file(&file).map_err(at("remove", &file))?;
            }
        }
        Ok(())
    }

    /// Makes everything in the home durable: opening writes and renames files, and nobody syncs the directory.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        sync_tree(&self.directory())?;
        sync(&self.path)
    }
}

impl Scratch {
    fn new() -> Result<Scratch, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!(
            "reeve-copy-{}-{number}-{}",
            std::process::id(),
            Uuid::new_v4()
        ));
        // Fails if it exists: in a shared temporary directory somebody else may have made it.
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(at("make", &path))?;
        Ok(Scratch(path))
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.0.join(DATABASE)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "the private copy of the home is not removed");
        }
    }
}

/// Refuses what is not a home: a file, or a directory of something else.
fn inspect(path: &Path) -> Result<(), StoreError> {
    if path.is_file() {
        return Err(StoreError::Foreign {
            path: path.to_path_buf(),
            found: "a file".into(),
        });
    }
    let mut other = None;
    for entry in fs::read_dir(path).map_err(at("read", path))? {
        let entry = entry.map_err(at("read", path))?;
        match entry.file_name().to_str() {
            Some(DATABASE) => {
                let log = entry.path().join(LOG_FILE);
                let found = "a directory \"sled\" without a database".to_string();
                return if log.try_exists().map_err(at("read", &log))? {
                    Ok(())
                } else {
                    Err(StoreError::Foreign {
                        path: path.to_path_buf(),
                        found,
                    })
                };
            }
            Some(LOCK | UNFINISHED | BACKUP) => {}
            _ => other = Some(entry.file_name()),
        }
    }
    match other {
        None => Ok(()),
        Some(name) => Err(StoreError::Foreign {
            path: path.to_path_buf(),
            found: format!("{name:?}"),
        }),
    }
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind()
        .and_then(|()| lock.take(20).read_to_string(&mut text))
        .ok()?;
    text.trim().parse().ok()
}

/// Makes a directory and what is missing above it, private to this user, each durable in its parent.
fn make_directory(path: &Path) -> Result<(), StoreError> {
    if path.try_exists().map_err(at("read", path))? {
        return Ok(());
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    make_directory(parent)?;
    match private_directory(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StoreError::from_io("make", path, &error));
        }
        _ => {}
    }
    sync(parent)
}

fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Syncs a directory's files, the directories in it, and the directory.
fn sync_tree(directory: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(directory).map_err(at("read", directory))? {
        let path = entry.map_err(at("read", directory))?.path();
        if path.is_dir() {
            sync_tree(&path)?
        } else {
            sync(&path)?
        }
    }
    sync(directory)
}

fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(at("sync", path))
}

fn copy_directory(from: &Path, to: &Path) -> Result<(), StoreError> {
    private_directory(to).map_err(at("make", to))?;
    for entry in fs::read_dir(from).map_err(at("read", from))? {
        let path = entry.map_err(at("read", from))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_directory(&path, &target)?;
        } else if path
            .extension()
            .is_none_or(|extension| extension != "generating")
        {
            fs::copy(&path, &target).map_err(at("copy", &path))?;
        }
    }
    Ok(())
}

fn at<'a>(doing: &'a str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |error| StoreError::from_io(doing, path, &error)
}
