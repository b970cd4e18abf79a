//! What a caller hands to a store: batches of writes with their conditions, and ranges to read.
//! Plain values; never touches a backend.

use std::collections::HashSet;
use std::ops::Bound;

use super::{Key, StoreError, Value};

/// Most writes in one batch. Measured: batches of 10,000 rows cost `sled` 11 times their payload in memory.
pub const MAX_ROWS: usize = 500;
/// Most bytes of keys and values in one batch.
pub const MAX_BYTES: usize = 2 << 20;
/// Longest key. Bounds the size of an index page, so that no page leaves the log (see `sled::rows`).
pub const MAX_KEY_BYTES: usize = 320;
/// Longest value.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// What a row must be for a batch to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no such row.
    Absent,
    /// The row holds exactly this value.
    Equals(Value),
}

impl Expect {
    /// Whether a row's present state is the expected one.
    pub fn holds(&self, present: Option<&[u8]>) -> bool {
        match (self, present) {
            (Expect::Absent, None) => true,
            (Expect::Equals(wanted), Some(value)) => wanted == value,
            _ => false,
        }
    }
}

/// Writes that happen together or not at all, if every expectation holds. A key may be written at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Compare-and-set conditions, checked in commit order against all commits before this one.
    pub expect: Vec<(Key, Expect)>,
    /// Rows to write, whether or not they exist.
    pub put: Vec<(Key, Value)>,
    /// Rows to remove, whether or not they exist.
    pub delete: Vec<Key>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Adds the condition that `key` has no row.
    pub fn expect_absent(mut self, key: impl Into<Key>) -> Batch {
        self.expect.push((key.into(), Expect::Absent));
        self
    }

    /// Adds the condition that `key` holds `value`.
    pub fn expect_equals(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Batch {
        self.expect.push((key.into(), Expect::Equals(value.into())));
        self
    }

    /// Adds the condition that `key` is as it was read: `None` for no row.
    pub fn expect_unchanged(self, key: impl Into<Key>, read: Option<Value>) -> Batch {
        match read {
            None => self.expect_absent(key),
            Some(value) => self.expect_equals(key, value),
        }
    }

    /// Adds a row to write.
    pub fn put(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Batch {
        self.put.push((key.into(), value.into()));
        self
    }

    /// Adds a row to remove.
    pub fn delete(mut self, key: impl Into<Key>) -> Batch {
        self.delete.push(key.into());
        self
    }

    /// Rows this batch writes or removes.
    pub fn rows(&self) -> usize {
        self.put.len() + self.delete.len()
    }

    /// Bytes of keys and values that this batch writes or removes.
    pub fn bytes(&self) -> usize {
        let put: usize = self
            .put
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        put + self.delete.iter().map(Vec::len).sum::<usize>()
    }

    /// The keys this batch writes or removes.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.put.iter().map(|(key, _)| key).chain(&self.delete)
    }

    /// Checks the limits that every backend has; a backend calls this first.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] naming the limit, [`StoreError::WrittenTwice`] for a key written twice.
    pub fn check(&self) -> Result<(), StoreError> {
        too_large("rows in one batch", self.rows(), MAX_ROWS)?;
        too_large("bytes in one batch", self.bytes(), MAX_BYTES)?;
        self.check_rows()
    }

    /// Checks each row by itself, whatever their number: what a unit larger than one batch must keep, too.
    pub(super) fn check_rows(&self) -> Result<(), StoreError> {
        too_large("conditions in one batch", self.expect.len(), MAX_ROWS)?;
        let mut seen = HashSet::with_capacity(self.rows());
        for key in self.keys() {
            too_large("bytes in a key", key.len(), MAX_KEY_BYTES)?;
            if !seen.insert(key) {
                return Err(StoreError::WrittenTwice { key: key.clone() });
            }
        }
        for (_, value) in &self.put {
            too_large("bytes in a value", value.len(), MAX_VALUE_BYTES)?;
        }
        Ok(())
    }
}

fn too_large(what: &'static str, found: usize, limit: usize) -> Result<(), StoreError> {
    if found > limit {
        Err(StoreError::TooLarge { what, found, limit })
    } else {
        Ok(())
    }
}

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    #[default]
    Forward,
    /// Largest key first.
    Reverse,
}

/// The keys a scan visits, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where the range begins (the smaller end, whatever the order).
    pub start: Bound<Key>,
    /// Where the range ends (the larger end).
    pub end: Bound<Key>,
    /// Which end comes first.
    pub order: Order,
}

impl Range {
    /// Every row.
    pub fn all() -> Range {
        Range {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            order: Order::Forward,
        }
    }

    /// Every row whose key begins with `prefix`.
    pub fn prefix(prefix: impl Into<Key>) -> Range {
        let prefix = prefix.into();
        let end = after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Range {
            start: Bound::Included(prefix),
            end,
            order: Order::Forward,
        }
    }

    /// Every row from `start` on (included) and before `end` (excluded).
    pub fn between(start: impl Into<Key>, end: impl Into<Key>) -> Range {
        Range {
            start: Bound::Included(start.into()),
            end: Bound::Excluded(end.into()),
            order: Order::Forward,
        }
    }

    /// Within this range, only what comes after `key` in key order: the next page of a listing.
    pub fn after(mut self, key: impl Into<Key>) -> Range {
        self.start = Bound::Excluded(key.into());
        self
    }

    /// The same rows, largest key first.
    pub fn reverse(mut self) -> Range {
        self.order = Order::Reverse;
        self
    }

    /// Whether the bounds exclude every key (they may be crossed).
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        }
    }
}

/// The smallest key that is larger than every key with this prefix; none if the prefix is empty or all `0xff`.
fn after_prefix(prefix: &[u8]) -> Option<Key> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
