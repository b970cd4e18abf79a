//! Units larger than one batch, still all or nothing: a redo log in the store itself, above any backend.
//!
//! 1. The unit's rows are written, encoded, as *pieces* under [`PREFIX`]. Nobody reads them yet.
//! 2. One small commit, with the unit's conditions, writes its *head*. From here on the unit is true.
//! 3. The pieces are applied batch by batch. Each batch also moves the head's mark, so that no row is ever applied twice.
//! 4. The last batch removes the head; then the pieces go.
//!
//! A crash before 2 leaves pieces without a head: [`replay`], run at open, removes them. A crash after it leaves a head:
//! `replay` goes on from the mark. Between 2 and 4 a running process can read rows of both states, and whoever
//! writes a row of the unit then may be overwritten: the caller keeps other writers of these rows away until
//! [`commit_unit`] returns.

use uuid::Uuid;

use super::{Batch, CommitError, Key, MAX_BYTES, MAX_ROWS, Range, Store, StoreError, Value};

/// Keys that begin so belong to units under way; callers use no such key.
pub const PREFIX: &[u8] = b"\xffredo/";

/// Bytes of the encoded unit in one row, and in one commit.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_PER_COMMIT: usize = 16;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// Commits `unit`, of any number of rows, all or nothing. Within the limits of one batch it is one. Blocks, and must not be
/// abandoned half-way, which is why it is not async: from async code, run it on a blocking thread.
///
/// # Errors
/// [`CommitError::Conflict`] if a condition does not hold: nothing is applied. A store error as for any commit: the unit is
/// found whole or not at all after reopening.
pub fn commit_unit(store: &dyn Store, unit: Batch) -> Result<u64, CommitError> {
    if unit.rows() <= MAX_ROWS && unit.bytes() <= MAX_BYTES {
        return store.commit(unit).wait();
    }
    unit.check_rows()?;
    let id = Uuid::new_v4();
    let Batch {
        expect,
        put,
        delete,
    } = unit;
    let log = encode(put, delete);
    for (index, pieces) in log.chunks(PIECE_BYTES * PIECES_PER_COMMIT).enumerate() {
        let first = index * PIECES_PER_COMMIT;
        let batch = pieces
            .chunks(PIECE_BYTES)
            .enumerate()
            .fold(Batch::new(), |batch, (index, piece)| {
                batch.put(piece_key(id, first + index), piece)
            });
        store.commit(batch).wait()?;
    }
    let head = Head {
        length: log.len() as u64,
        done: 0,
    };
    let begin = Batch {
        expect,
        ..Batch::new()
    }
    .put(head_key(id), head.encode());
    if let Err(error) = store.commit(begin).wait() {
        if let CommitError::Conflict { .. } = error {
            remove_pieces(store, id)?;
        }
        return Err(error);
    }
    drop(log);
    let sequence = finish(store, id, head)?;
    remove_pieces(store, id)?;
    Ok(sequence)
}

/// Finishes the units that a crash left true but unfinished, and removes what is left of those that never became true.
/// For a store that nobody else uses yet.
///
/// # Errors
/// `Corrupt` if a unit's pieces are not what was written, else the store's own errors.
pub fn replay(store: &dyn Store) -> Result<(), StoreError> {
    while let Some(row) = store.scan(Range::prefix(PREFIX)).next() {
        let (key, _) = row?;
        let id = key
            .get(PREFIX.len()..PREFIX.len() + 16)
            .and_then(|id| Uuid::from_slice(id).ok());
        let id = id.ok_or_else(|| damaged("a key of no known form"))?;
        if let Some(head) = store.get(&head_key(id))? {
            let head = Head::decode(&head).ok_or_else(|| damaged("a head of a wrong length"))?;
            tracing::info!(unit = %id, bytes = head.length - head.done.min(head.length), "finishing a unit that was interrupted");
            finish(store, id, head).map_err(only_store_error)?;
        }
        remove_pieces(store, id).map_err(only_store_error)?;
    }
    Ok(())
}

/// Applies what the mark says is left, then removes the head. Gives the last commit's sequence.
fn finish(store: &dyn Store, id: Uuid, mut head: Head) -> Result<u64, CommitError> {
    let mut log = Log {
        store,
        id,
        length: head.length,
        position: head.done,
        bytes: Vec::new(),
        taken: 0,
    };
    loop {
        let mut batch = Batch::new().expect_equals(head_key(id), head.encode());
        let mut bytes = 0;
        // One row is the head's, and one row more must still fit into the bytes.
        while batch.rows() < MAX_ROWS - 1 && bytes < MAX_BYTES / 4 {
            let Some((key, value)) = log.next()? else {
                break;
            };
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            batch = match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            };
        }
        head.done = log.position;
        if head.done >= head.length {
            return store.commit(batch.delete(head_key(id))).wait();
        }
        store
            .commit(batch.put(head_key(id), head.encode()))
            .wait()?;
    }
}

fn remove_pieces(store: &dyn Store, id: Uuid) -> Result<(), CommitError> {
    loop {
        let rows = store.scan(Range::prefix(unit_prefix(id))).take(MAX_ROWS);
        let keys = rows
            .map(|row| row.map(|(key, _)| key))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Ok(());
        }
        store
            .commit(Batch {
                delete: keys,
                ..Batch::new()
            })
            .wait()?;
    }
}

/// What makes a unit true: how long its log is and how much of it is applied, in bytes.
#[derive(Clone, Copy)]
struct Head {
    length: u64,
    done: u64,
}

impl Head {
    fn encode(self) -> Value {
        [self.length.to_be_bytes(), self.done.to_be_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Head> {
        let (length, done) = bytes.split_first_chunk()?;
        Some(Head {
            length: u64::from_be_bytes(*length),
            done: u64::from_be_bytes(done.try_into().ok()?),
        })
    }
}

/// The encoded unit, read piece by piece from `position` on.
struct Log<'a> {
    store: &'a dyn Store,
    id: Uuid,
    length: u64,
    position: u64,
    /// Bytes read but not yet decoded, from `taken` on.
    bytes: Vec<u8>,
    taken: usize,
}

impl Log<'_> {
    /// The next row to write, or to remove if it has no value; `None` at the end.
    fn next(&mut self) -> Result<Option<(Key, Option<Value>)>, StoreError> {
        if self.position >= self.length {
            return Ok(None);
        }
        let kind = self.take(1)?[0];
        let key = self.take_sized()?;
        let value = match kind {
            PUT => Some(self.take_sized()?),
            DELETE => None,
            _ => return Err(damaged("a row of an unknown kind")),
        };
        Ok(Some((key, value)))
    }

    fn take_sized(&mut self) -> Result<Vec<u8>, StoreError> {
        let size = self
            .take(4)?
            .try_into()
            .map_err(|_| damaged("a size of a wrong length"))?;
        self.take(u32::from_be_bytes(size) as usize)
    }

    fn take(&mut self, size: usize) -> Result<Vec<u8>, StoreError> {
        if self.length - self.position < size as u64 {
            return Err(damaged("a row that ends after the log"));
        }
        while self.bytes.len() - self.taken < size {
            let read = self.position + (self.bytes.len() - self.taken) as u64;
            let (index, offset) = (read / PIECE_BYTES as u64, read % PIECE_BYTES as u64);
            let piece = self.store.get(&piece_key(self.id, index as usize))?;
            let rest = piece
                .as_deref()
                .and_then(|piece| piece.get(offset as usize..))
                .filter(|rest| !rest.is_empty());
            let rest = rest.ok_or_else(|| damaged("a piece is missing"))?;
            self.bytes.drain(..self.taken);
            self.taken = 0;
            self.bytes.extend(rest);
        }
        let taken = self.bytes[self.taken..self.taken + size].to_vec();
        self.taken += size;
        self.position += size as u64;
        Ok(taken)
    }
}

fn encode(put: Vec<(Key, Value)>, delete: Vec<Key>) -> Vec<u8> {
    let mut log = Vec::new();
    for (key, value) in put {
        log.push(PUT);
        append(&mut log, &key);
        append(&mut log, &value);
    }
    for key in delete {
        log.push(DELETE);
        append(&mut log, &key);
    }
    log
}

/// Keys and values are bounded far below what four bytes count.
fn append(log: &mut Vec<u8>, bytes: &[u8]) {
    log.extend((bytes.len() as u32).to_be_bytes());
    log.extend(bytes);
}

fn unit_prefix(id: Uuid) -> Key {
    [PREFIX, id.as_bytes()].concat()
}

fn head_key(id: Uuid) -> Key {
    [PREFIX, id.as_bytes(), b"head"].concat()
}

fn piece_key(id: Uuid, index: usize) -> Key {
    [
        PREFIX,
        id.as_bytes(),
        b"piece",
        (index as u64).to_be_bytes().as_slice(),
    ]
    .concat()
}

fn damaged(detail: &str) -> StoreError {
    StoreError::Corrupt {
        path: "(large unit)".into(),
        detail: format!("in a large unit: {detail}"),
        backup: None,
    }
}

/// In a store that nobody else writes, a head cannot change under us.
fn only_store_error(error: CommitError) -> StoreError {
    match error {
        CommitError::Store(error) => error,
        CommitError::Conflict { .. } => damaged("its head was changed by somebody else"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::store::ram::RamStore;
    use crate::store::{Changes, Commit, Home, ReadStore, Scan};

    /// A store that dies at its n-th commit, before or after applying it.
    struct Dying {
        rows: Arc<RamStore>,
        left: AtomicUsize,
        last_is_applied: bool,
    }

    impl ReadStore for Dying {
        fn changes(&self, from_sequence: u64) -> Changes {
            self.rows.changes(from_sequence)
        }

        fn home(&self) -> Home {
            self.rows.home()
        }
        fn sequence(&self) -> u64 {
            self.rows.sequence()
        }
        fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
            self.rows.get(key)
        }
        fn scan(&self, range: Range) -> Scan<'_> {
            self.rows.scan(range)
        }
    }

    impl Store for Dying {
        fn commit(&self, batch: Batch) -> Commit {
            let left = self.left.load(Ordering::Relaxed);
            if left == 0 {
                return Commit::ready(Err(StoreError::Closed.into()));
            }
            self.left.store(left - 1, Ordering::Relaxed);
            if left > 1 {
                return self.rows.commit(batch);
            }
            if self.last_is_applied {
                let _ = self.rows.commit(batch).wait();
            }
            Commit::ready(Err(StoreError::Closed.into()))
        }    }

    fn ram() -> Arc<RamStore> {
        Arc::new(RamStore::new(Uuid::nil()))
    }

    fn rows(store: &RamStore) -> Vec<(Key, Value)> {
        store.scan(Range::all()).map(Result::unwrap).collect()
    }

    /// The store before the unit: rows it replaces, removes and leaves alone.
    fn before() -> Arc<RamStore> {
        let store = ram();
        for start in [0_u32, 400] {
            let batch = (start..start + 400).fold(Batch::new(), |batch, row| {
                batch.put(format!("row/{row:05}"), "old")
            });
            store.commit(batch).wait().unwrap();
        }
        store
    }

    /// 1,300 rows of very different sizes, and 300 deletions.
    fn unit() -> Batch {
        let unit = Batch::new().expect_equals("row/00007", "old");
        let unit = (300..1600_u32).fold(unit, |unit, row| {
            let size = if row % 400 == 0 {
                200_000
            } else {
                row as usize % 700
            };
            unit.put(format!("row/{row:05}"), vec![row as u8; size])
        });
        (0..300_u32).fold(unit, |unit, row| unit.delete(format!("row/{row:05}")))
    }

    #[test]
    fn a_unit_is_whole_or_absent_whichever_commit_was_the_last() {
        let old = rows(&before());
        let done = before();
        commit_unit(&*done, unit()).unwrap();
        let new = rows(&done);
        assert!(
            new.iter().all(|(key, _)| !key.starts_with(PREFIX)),
            "nothing of the log is left"
        );
        assert_eq!(new.len(), 800 - 300 + 800);

        let mut outcomes = Vec::new();
        for commits in 1.. {
            let mut finished = false;
            for last_is_applied in [false, true] {
                let rows_of = before();
                let dying = Dying {
                    rows: Arc::clone(&rows_of),
                    left: AtomicUsize::new(commits),
                    last_is_applied,
                };
                finished = commit_unit(&dying, unit()).is_ok();
                crash_during_replay(&rows_of, commits);
                replay(&*rows_of).unwrap();
                let found = rows(&rows_of);
                assert!(found == old || found == new, "torn after {commits} commits");
                outcomes.push(found == new);
            }
            if finished {
                break;
            }
        }
        assert!(
            outcomes.len() > 10,
            "the unit takes many commits: {}",
            outcomes.len()
        );
        assert!(
            !outcomes[0] && outcomes.is_sorted(),
            "once true, it stays true: {outcomes:?}"
        );
    }

    /// The replay itself dies again and again, each time a little later.
    fn crash_during_replay(store: &Arc<RamStore>, seed: usize) {
        for commits in 1..4 {
            let last_is_applied = (seed + commits).is_multiple_of(2);
            let _ = replay(&Dying {
                rows: Arc::clone(store),
                left: AtomicUsize::new(commits),
                last_is_applied,
            });
        }
    }

    #[test]
    fn a_unit_whose_condition_fails_leaves_nothing() {
        let store = before();
        store
            .commit(Batch::new().put("row/00007", "newer"))
            .wait()
            .unwrap();
        let old = rows(&store);
        assert_eq!(
            commit_unit(&*store, unit()),
            Err(CommitError::Conflict {
                key: b"row/00007".to_vec()
            })
        );
        assert_eq!(rows(&store), old);
    }

    #[test]
    fn a_replay_does_not_repeat_what_was_applied() {
        let store = before();
        let dying = Dying {
            rows: Arc::clone(&store),
            left: AtomicUsize::new(4),
            last_is_applied: true,
        };
        commit_unit(&dying, unit()).unwrap_err();
        assert_eq!(
            store.get(b"row/00300").unwrap().map(|value| value.len()),
            Some(300),
            "the first rows are applied"
        );
        store
            .commit(Batch::new().put("row/00300", "later"))
            .wait()
            .unwrap();
        replay(&*store).unwrap();
        assert_eq!(store.get(b"row/00300").unwrap(), Some(b"later".to_vec()));
        assert_eq!(
            store.get(b"row/01599").unwrap().map(|value| value.len()),
            Some(1599 % 700),
            "the last ones too"
        );
    }

    #[test]
    fn a_bad_row_is_refused_before_anything_is_written() {
        let store = ram();
        let twice = (0..600).fold(Batch::new(), |unit, _| unit.put("row", "value"));
        assert!(matches!(
            commit_unit(&*store, twice),
            Err(CommitError::Store(StoreError::WrittenTwice { .. }))
        ));
        let long = (0..600_u32).fold(Batch::new(), |unit, row| {
            unit.put(vec![b'k'; 1 + row as usize], "value")
        });
        assert!(matches!(
            commit_unit(&*store, long),
            Err(CommitError::Store(StoreError::TooLarge { .. }))
        ));
        assert!(rows(&store).is_empty());
    }
}
