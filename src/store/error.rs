//! What can go wrong with a store, in sentences for the person who must act. Each cause is its own variant, so that
//! a caller can tell them apart; every message ends with what to do.

use std::path::{Path, PathBuf};

use super::Key;

/// A store that could not be opened, read or written. Cheap to clone: one failure answers every waiting commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The URL names no known backend.
    #[error(
        "open the store {url:?}: its scheme is unknown (known: {known}); write sled:PATH or a plain path"
    )]
    UnknownScheme { url: String, known: String },
    /// There is nothing to copy.
    #[error("read the home {}: there is none yet; the first `reeve reconcile` or `reeve daemon` makes it", path.display())]
    Missing { path: PathBuf },
    /// Another process holds the home.
    #[error("open the home {}: {} has it open; ask that daemon (--api URL), stop it, or use another REEVE_HOME", path.display(), holder(*pid))]
    Locked { path: PathBuf, pid: Option<u32> },
    /// A newer program wrote it.
    #[error("open the home {}: it has format {found} and this reeve knows formats up to {known}; its rows are untouched; use the newer reeve that wrote it", path.display())]
    Newer {
        path: PathBuf,
        found: u32,
        known: u32,
    },
    /// A directory or file of something else.
    #[error("open the home {}: it holds {found}, which reeve did not put there; name an empty or absent directory", path.display())]
    Foreign { path: PathBuf, found: String },
    /// Permissions, or a path that is no directory.
    #[error("{doing} {}: {reason}; check that this user may read and write it", path.display())]
    Unreadable {
        doing: String,
        path: PathBuf,
        reason: String,
    },
    /// The bytes on disk are damaged.
    #[error("read the home {}: it is damaged ({detail}); {}", path.display(), restore(path, backup.as_deref()))]
    Corrupt {
        path: PathBuf,
        detail: String,
        backup: Option<PathBuf>,
    },
    /// No space, a quota, or a file size limit.
    #[error("write to the home {}: {reason}; nothing that was acknowledged is lost; free space there, then start reeve again", path.display())]
    Full { path: PathBuf, reason: String },
    /// Any other failure of the disk.
    #[error("{doing} {}: {reason}; check the disk and its mount", path.display())]
    Disk {
        doing: String,
        path: PathBuf,
        reason: String,
    },
    /// An earlier write failed, so that memory and disk may differ.
    #[error(
        "use the store: an earlier write failed, so nothing more is accepted (it was: failed to {cause})"
    )]
    Poisoned { cause: String },
    /// The store is shutting down.
    #[error("use the store: it is closed")]
    Closed,
    /// A batch, key or value beyond a limit.
    #[error("commit: {found} {what}, but at most {limit} are possible; split it")]
    TooLarge {
        what: &'static str,
        found: usize,
        limit: usize,
    },
    /// One batch writes the same row twice.
    #[error("commit: the key {} is written twice in one batch", key.escape_ascii())]
    WrittenTwice { key: Key },
}

/// Why a batch was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// An expectation did not hold. Nothing of the batch was applied: read again and decide anew.
    #[error("commit: the row {} was changed by another commit; read it again", key.escape_ascii())]
    Conflict { key: Key },
    /// The store itself failed. The batch may or may not be found after reopening.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_string(),
        |pid| format!("process {pid}"),
    )
}

fn restore(home: &Path, backup: Option<&Path>) -> String {
    match backup {
        Some(file) => format!("move it aside and restore the backup {}", file.display()),
        None => format!(
            "there is no backup in it ({}/backup); restore one of yours, or move the home aside: manifests are reconciled again, only history is lost",
            home.display()
        ),
    }
}

impl StoreError {
    /// Sorts a failure of the operating system into the variants above.
    pub(super) fn from_io(doing: &str, path: &Path, error: &std::io::Error) -> StoreError {
        use std::io::ErrorKind::{
            FileTooLarge, IsADirectory, NotADirectory, PermissionDenied, QuotaExceeded,
            ReadOnlyFilesystem, StorageFull,
        };
        let (doing, path, reason) = (doing.to_string(), path.to_path_buf(), error.to_string());
        let full = |reason: &str| StoreError::Full {
            path: path.clone(),
            reason: reason.to_string(),
        };
        match error.kind() {
            // The backend may have turned the error's own text into something for programmers.
            StorageFull => full("no space is left on the disk"),
            QuotaExceeded => full("the disk quota of this user is used up"),
            FileTooLarge => full("a file would be larger than this process or file system allows"),
            PermissionDenied | NotADirectory | IsADirectory | ReadOnlyFilesystem => {
                StoreError::Unreadable {
                    doing,
                    path,
                    reason,
                }
            }
            _ => StoreError::Disk {
                doing,
                path,
                reason,
            },
        }
    }
}
