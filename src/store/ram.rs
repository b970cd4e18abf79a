//! The backend in memory: for tests, `ram:`, and an absent home in a dry run. Same meaning as the durable ones, except
//! that it forgets everything when dropped.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

use super::changes::Feed;
use super::{
    Batch, Change, Changes, Commit, CommitError, FORMAT_VERSION, Home, Key, Order, Range,
    ReadStore, Scan, Store, StoreError, Value,
};

/// Rows that a scan takes per lock, so that a slow reader never holds up commits.
const SCAN_ROWS: usize = 256;

/// A store in memory.
pub struct RamStore {
    home: Home,
    rows: RwLock<BTreeMap<Key, Value>>,
    feed: Arc<Feed>,
}

/// Opens a new, empty store; the rest of the URL means nothing.
pub(super) fn open(_rest: &str, id: Uuid) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(RamStore::new(id)))
}

/// There is never anything to copy.
pub(super) fn open_copy(_rest: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Missing {
        path: "ram:".into(),
    })
}

impl RamStore {
    /// An empty store with the given home id.
    pub fn new(id: Uuid) -> RamStore {
        RamStore {
            home: Home {
                version: FORMAT_VERSION,
                id,
            },
            rows: RwLock::default(),
            feed: Feed::new(0),
        }
    }

    fn apply(&self, batch: Batch) -> Result<u64, CommitError> {
        batch.check()?;
        // Publishing happens under the lock too: the feed must have the order of the commits.
        let mut rows = self.write();
        for (key, expect) in &batch.expect {
            if !expect.holds(rows.get(key).map(Vec::as_slice)) {
                return Err(CommitError::Conflict { key: key.clone() });
            }
        }
        if batch.rows() == 0 {
            return Ok(self.feed.newest());
        }
        let change = Change {
            sequence: self.feed.newest() + 1,
            keys: batch.keys().cloned().collect(),
        };
        for key in &batch.delete {
            rows.remove(key);
        }
        rows.extend(batch.put);
        let sequence = change.sequence;
        self.feed.publish(vec![change]);
        Ok(sequence)
    }

    /// No code panics while it holds the lock half-way through a batch, so a poisoned lock is still good.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Key, Value>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Key, Value>> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next rows of `range`; moves the range behind them.
    fn page(&self, range: &mut Range) -> Vec<(Key, Value)> {
        if range.is_empty() {
            return Vec::new();
        }
        let rows = self.read();
        let found = rows
            .range((range.start.clone(), range.end.clone()))
            .map(|(key, value)| (key.clone(), value.clone()));
        match range.order {
            Order::Forward => {
                let page: Vec<_> = found.take(SCAN_ROWS).collect();
                if let Some((last, _)) = page.last() {
                    range.start = Bound::Excluded(last.clone());
                }
                page
            }
            Order::Reverse => {
                let page: Vec<_> = found.rev().take(SCAN_ROWS).collect();
                if let Some((last, _)) = page.last() {
                    range.end = Bound::Excluded(last.clone());
                }
                page
            }
        }
    }
}

impl ReadStore for RamStore {
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
        Ok(self.read().get(key).cloned())
    }

    fn scan(&self, mut range: Range) -> Scan<'_> {
        let mut page = Vec::new().into_iter();
        Box::new(std::iter::from_fn(move || {
            if page.as_slice().is_empty() {
                page = self.page(&mut range).into_iter();
            }
            page.next().map(Ok)
        }))
    }
}

impl Store for RamStore {
    fn commit(&self, batch: Batch) -> Commit {
        Commit::ready(self.apply(batch))
    }

}

impl Drop for RamStore {
    fn drop(&mut self) {
        self.feed.close();
    }
}
