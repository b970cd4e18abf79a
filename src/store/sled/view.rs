//! What readers see: durable rows only. `sled` shows a batch as soon as it is applied, and a kill before the sync takes it back; so
//! while a group of batches is on its way to the disk, the rows that it replaces are shown as they were before it.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::super::{Key, Order, Range, Scan, StoreError, Value};
use super::engine::Engine;
use super::rows;

/// Rows as they were; `None`: there was none.
pub(super) type Before = BTreeMap<Key, Option<Value>>;

/// The rows of an engine that are durable.
pub(super) struct View {
    engine: Arc<Engine>,
    /// Held for reading while the engine is read: a group is never applied in the midst of that.
    before: RwLock<Before>,
}

impl View {
    pub(super) fn new(engine: Arc<Engine>) -> View {
        View { engine, before: RwLock::default() }
    }

    /// From now on these rows are shown as they were. To be called before the engine applies what replaces them.
    pub(super) fn hide(&self, before: Before) {
        *self.write() = before;
    }

    /// Shows the rows as they are. To be called once they are durable; `publish` tells of them, and nobody sees them before.
    pub(super) fn show(&self, publish: impl FnOnce()) {
        let mut before = self.write();
        let hidden = std::mem::take(&mut *before);
        publish();
        drop(before);
        drop(hidden);
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        match self.read().get(key) {
            Some(value) => Ok(value.clone()),
            None => rows::get(&self.engine, key),
        }
    }

    pub(super) fn scan(&self, range: Range) -> Scan<'_> {
        if range.is_empty() {
            return Box::new(std::iter::empty());
        }
        let mut cursor = Cursor { view: self, found: self.engine.range(rows::physical_range(range.clone())), range, ahead: None, exhausted: false, last: None };
        let mut ended = false;
        Box::new(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let next = cursor.next().transpose();
            ended = !matches!(next, Some(Ok(_)));
            next
        }))
    }

    // A map is replaced or emptied as a whole: a poisoned lock is still good.
    fn read(&self) -> RwLockReadGuard<'_, Before> {
        self.before.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Before> {
        self.before.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A scan: the engine's rows and those that are hidden, merged in order.
struct Cursor<'a> {
    view: &'a View,
    range: Range,
    found: Result<::sled::Iter, StoreError>,
    /// A row of the engine whose turn has not come.
    ahead: Option<(Key, Value)>,
    exhausted: bool,
    last: Option<Key>,
}

impl Cursor<'_> {
    fn next(&mut self) -> Result<Option<(Key, Value)>, StoreError> {
        let view = self.view;
        loop {
            let before = view.read();
            if self.ahead.is_none() && !self.exhausted {
                match view.engine.step(&mut self.found, self.range.order == Order::Reverse)? {
                    Some((key, value)) => self.ahead = rows::logical(&view.engine, &key, &value)?,
                    None => self.exhausted = true,
                }
                if self.ahead.is_none() && !self.exhausted {
                    continue;
                }
            }
            let hidden = self.next_hidden(&before).map(|(key, value)| (key.clone(), value.clone()));
            let row = match (self.ahead.take(), hidden) {
                (Some(ahead), Some(hidden)) if self.comes_first(&ahead.0, &hidden.0) => {
                    // The hidden one has its turn later.
                    Some(ahead)
                }
                (ahead, Some(hidden)) => {
                    self.ahead = ahead.filter(|(key, _)| *key != hidden.0);
                    Some(hidden)
                }
                (ahead, None) => ahead,
            };
            let Some((key, value)) = row else { return Ok(None) };
            let is_new = matches!(before.get(&key), Some(None));
            self.last = Some(key.clone());
            if !is_new {
                return Ok(Some((key, value)));
            }
        }
    }

    /// The next row that is to be shown as it was.
    fn next_hidden<'b>(&self, before: &'b Before) -> Option<(&'b Key, &'b Value)> {
        let there = |(key, value): (&'b Key, &'b Option<Value>)| Some((key, value.as_ref()?));
        let (start, end) = (self.range.start.as_ref(), self.range.end.as_ref());
        let last = self.last.as_ref().map(Bound::Excluded);
        let found = match self.range.order {
            Order::Reverse => before.range::<Key, _>((Bound::Unbounded, last.unwrap_or(end))).rev().find_map(there),
            Order::Forward => before.range::<Key, _>((last.unwrap_or(start), Bound::Unbounded)).find_map(there),
        };
        found.filter(|(key, _)| (start, end).contains(key))
    }

    fn comes_first(&self, one: &Key, other: &Key) -> bool {
        match self.range.order {
            Order::Reverse => one > other,
            Order::Forward => one < other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Batch, ReadStore, Store};
    use super::super::SledStore;
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    type Rows = BTreeMap<Key, Value>;

    /// Short ones, and such as are cut into pieces.
    fn value() -> impl Strategy<Value = Value> {
        (any::<u8>(), prop_oneof![Just(1_usize), Just(9_000)]).prop_map(|(byte, length)| vec![byte; length])
    }

    fn key() -> impl Strategy<Value = Key> {
        (0_u8..12).prop_map(|key| vec![key])
    }

    fn bound() -> impl Strategy<Value = Bound<Key>> {
        prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
    }

    fn shown(store: &SledStore, rows: &Rows, range: &Range) {
        for key in (0_u8..12).map(|key| vec![key]) {
            assert_eq!(store.get(&key).unwrap(), rows.get(&key).cloned(), "{key:?}");
        }
        for order in [Order::Forward, Order::Reverse] {
            let scanned: Vec<(Key, Value)> = store.scan(Range { order, ..range.clone() }).map(Result::unwrap).collect();
            let bounds = (range.start.clone(), range.end.clone());
            let contained = |key: &Key| !range.is_empty() && RangeBounds::<Key>::contains(&bounds, key);
            let mut expected: Vec<(Key, Value)> = rows.iter().filter(|(key, _)| contained(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
            if order == Order::Reverse {
                expected.reverse();
            }
            assert_eq!(scanned, expected, "{range:?} {order:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_group_on_its_way_to_the_disk_is_not_seen(
            rows in proptest::collection::btree_map(key(), value(), 0..10),
            changes in proptest::collection::btree_map(key(), proptest::option::of(value()), 0..10),
            (start, end) in (bound(), bound()),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let store = SledStore::open(&directory.path().join("home"), Uuid::nil()).unwrap();
            let range = Range { start, end, order: Order::Forward };
            let commit = |puts: Vec<(Key, Value)>, delete: Vec<Key>| store.commit(Batch { put: puts, delete, ..Batch::new() }).wait().unwrap();
            commit(rows.clone().into_iter().collect(), Vec::new());
            shown(&store, &rows, &range);

            let mut after = rows.clone();
            for (key, value) in &changes {
                match value {
                    Some(value) => drop(after.insert(key.clone(), value.clone())),
                    None => drop(after.remove(key)),
                }
            }
            let put = changes.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
            let delete = changes.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.clone());
            commit(put.collect(), delete.collect());
            shown(&store, &after, &range);

            // As it is between the moment when the engine has applied them and the end of the sync.
            store.view.hide(changes.keys().map(|key| (key.clone(), rows.get(key).cloned())).collect());
            shown(&store, &rows, &range);
            store.view.show(|| {});
            shown(&store, &after, &range);
        }
    }
}
