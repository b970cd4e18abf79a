//! Follows a run's log from any position while it grows, with no gap and no repeat, until the run has ended.
//!
//! It waits for notices of the file system and never polls. It needs only the run's directory, so it goes on
//! across restarts of the daemon.
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::{EXIT, is_absent};
use super::log::{LogPage, end_of, read_from};
use super::watch::{DirectoryWatcher, Subscription};

/// Lines per page.
const PAGE_LINES: usize = 1000;

/// A reader of one run's log that waits for more.
pub struct Follower {
    run_directory: PathBuf,
    position: u64,
    /// `None` where the directory is gone, and with it the log.
    changes: Option<Subscription>,
}

impl Follower {
    /// Begins at a position: 0, or [`LogPage::next`] of an earlier page. The directory must exist.
    ///
    /// # Errors
    /// Those of [`DirectoryWatcher::watch`].
    pub fn new(
        watcher: &Arc<DirectoryWatcher>,
        run_directory: &Path,
        position: u64,
    ) -> io::Result<Follower> {
        let changes = watcher.watch(run_directory)?;
        Ok(Follower {
            run_directory: run_directory.to_path_buf(),
            position,
            changes: Some(changes),
        })
    }

    /// Where the next page begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes on after what is written now, where that is further: who shows only a part of a flood need not read all of it.
    ///
    /// # Errors
    /// Those of [`end_of`].
    pub async fn skip(&mut self) -> io::Result<()> {
        let directory = self.run_directory.clone();
        let end = tokio::task::spawn_blocking(move || end_of(&directory)).await.map_err(io::Error::other)??;
        self.position = self.position.max(end);
        Ok(())
    }

    /// Waits for the next lines. `None`: the run has ended and all of its log has been given (or the directory was removed).
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of [`read_from`].
    pub async fn next(&mut self) -> io::Result<Option<LogPage>> {
        loop {
            // In this order: what was written before the end is seen by the read after it.
            let ended = self.changes.is_none() || has_ended(&self.run_directory)?;
            let (directory, position) = (self.run_directory.clone(), self.position);
            let page =
                tokio::task::spawn_blocking(move || read_from(&directory, position, PAGE_LINES))
                    .await
                    .map_err(io::Error::other)??;
            if !page.lines.is_empty() {
                self.position = page.next;
                return Ok(Some(page));
            }
            if ended {
                return Ok(None);
            }
            if let Some(changes) = &mut self.changes
                && !changes.changed().await
            {
                self.changes = None;
            }
        }
    }
}

fn has_ended(run_directory: &Path) -> io::Result<bool> {
    match std::fs::metadata(run_directory.join(EXIT)) {
        Ok(_) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
