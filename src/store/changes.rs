//! The change feed: which keys each commit touched, in order, for readers that keep something up to date.
//! Bounded in memory; never blocks a commit, and never lets a reader believe it saw what it missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Key;

/// Most commits kept for readers.
const KEPT_CHANGES: usize = 4096;
/// Most keys kept for readers, over all kept commits.
const KEPT_KEYS: usize = 65_536;

/// One durable commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the order of all commits.
    pub sequence: u64,
    /// The keys it wrote or removed.
    pub keys: Vec<Key>,
}

/// A reader asked for commits that are no longer (or not yet) in memory. It must read again what it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "follow changes from {wanted}: only those after {newest} can follow; read everything again"
)]
pub struct Lagged {
    /// The sequence that was wanted next.
    pub wanted: u64,
    /// The last durable commit; the feed goes on right after it.
    pub newest: u64,
}

/// The writing end, one per store.
pub(super) struct Feed {
    ring: Mutex<Ring>,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy)]
struct Progress {
    newest: u64,
    closed: bool,
}

#[derive(Default)]
struct Ring {
    changes: VecDeque<Arc<Change>>,
    keys: usize,
}

impl Feed {
    pub(super) fn new(newest: u64) -> Arc<Feed> {
        let progress = watch::Sender::new(Progress {
            newest,
            closed: false,
        });
        Arc::new(Feed {
            ring: Mutex::new(Ring::default()),
            progress,
        })
    }

    /// Sequence of the last published commit.
    pub(super) fn newest(&self) -> u64 {
        self.progress.borrow().newest
    }

    /// Tells all readers of commits that are now durable, in order.
    pub(super) fn publish(&self, changes: Vec<Change>) {
        let Some(newest) = changes.last().map(|change| change.sequence) else {
            return;
        };
        let mut ring = self.ring();
        for change in changes {
            ring.keys += change.keys.len();
            ring.changes.push_back(Arc::new(change));
        }
        while ring.changes.len() > KEPT_CHANGES || (ring.keys > KEPT_KEYS && ring.changes.len() > 1)
        {
            let Some(gone) = ring.changes.pop_front() else {
                break;
            };
            ring.keys -= gone.keys.len();
        }
        drop(ring);
        self.progress
            .send_modify(|progress| progress.newest = newest);
    }

    /// Ends the feed for all readers.
    pub(super) fn close(&self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }

    pub(super) fn subscribe(self: &Arc<Feed>, from_sequence: u64) -> Changes {
        Changes {
            progress: self.progress.subscribe(),
            feed: Arc::clone(self),
            next: from_sequence,
        }
    }

    /// The ring holds plain data that is valid after each statement, so a poisoned lock is still good.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, sequence: u64) -> Option<Arc<Change>> {
        let ring = self.ring();
        let first = ring.changes.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        ring.changes.get(index).cloned()
    }
}

/// A reader's place in the feed.
pub struct Changes {
    feed: Arc<Feed>,
    progress: watch::Receiver<Progress>,
    next: u64,
}

impl Changes {
    /// The next durable commit, waiting for it if need be; `None` once the store is closed and all is read.
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`Lagged`], once, if commits were missed; the call after it goes on with the newest.
    pub async fn next(&mut self) -> Option<Result<Arc<Change>, Lagged>> {
        loop {
            let Progress { newest, closed } = *self.progress.borrow_and_update();
            if self.next <= newest
                && let Some(change) = self.feed.find(self.next)
            {
                self.next += 1;
                return Some(Ok(change));
            }
            if self.next != newest + 1 {
                let wanted = std::mem::replace(&mut self.next, newest + 1);
                return Some(Err(Lagged { wanted, newest }));
            }
            if closed || self.progress.changed().await.is_err() {
                return None;
            }
        }
    }
}
