//! How rows lie in `sled`'s one tree, and why long values are cut.
//!
//! The first byte of a physical key says whose row it is: 0 the store's own, 1 a caller's, 2 a piece of a long value.
//!
//! `sled` keeps up to 16 rows (20 for moments) in a page, and a page over 131,052 bytes is not written to the log but to a
//! file in `blobs/`, which nobody syncs: after a power cut the rows of that page, old ones included, would be gone.
//! With keys of at most 320 and pieces of at most 4096 bytes a page stays under 90,000 bytes, and an index page (256
//! keys, 320 for moments) under 110,000. The power-cut test holds this.

use std::ops::Bound;

use super::super::{Key, Range, StoreError, Value};
use super::engine::Engine;
use super::{PhysicalRow, home};

/// Row: which home this is.
pub(super) const FORMAT: &[u8] = b"\x00format";
/// Row: sequence of the last commit, 8 bytes, big endian.
pub(super) const SEQUENCE: &[u8] = b"\x00sequence";

/// Most bytes of a value in one physical row.
pub(super) const PIECE_BYTES: usize = 4096;

const ROW: u8 = 1;
const PIECE: u8 = 2;
/// A physical value that holds the whole value after this byte.
const WHOLE: u8 = 0;
/// A physical value that names the pieces: sequence and place of the write that made them, and their number.
const CUT: u8 = 1;

/// Attempts to read a cut value whose pieces are replaced meanwhile. Each lost race needs a commit in between.
const READ_ATTEMPTS: usize = 100;

/// Which pieces make up a value. Never used twice: sequences only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pieces {
    sequence: u64,
    place: u32,
    count: u32,
}

impl Pieces {
    fn key(self, index: u32) -> Key {
        let mut key = Vec::with_capacity(17);
        key.push(PIECE);
        key.extend(self.sequence.to_be_bytes());
        key.extend(self.place.to_be_bytes());
        key.extend(index.to_be_bytes());
        key
    }

    fn keys(self) -> impl Iterator<Item = Key> {
        (0..self.count).map(move |index| self.key(index))
    }

    fn encode(self) -> Value {
        let mut value = Vec::with_capacity(17);
        value.push(CUT);
        value.extend(self.sequence.to_be_bytes());
        value.extend(self.place.to_be_bytes());
        value.extend(self.count.to_be_bytes());
        value
    }

    fn decode(bytes: &[u8]) -> Option<Pieces> {
        let (sequence, rest) = bytes.split_first_chunk()?;
        let (place, rest) = rest.split_first_chunk()?;
        let count = rest.try_into().ok()?;
        Some(Pieces {
            sequence: u64::from_be_bytes(*sequence),
            place: u32::from_be_bytes(*place),
            count: u32::from_be_bytes(count),
        })
    }
}

/// The key under which a caller's row lies.
pub(super) fn physical_key(key: &[u8]) -> Key {
    let mut physical = Vec::with_capacity(key.len() + 1);
    physical.push(ROW);
    physical.extend(key);
    physical
}

/// The physical bounds of a range of a caller's keys.
pub(super) fn physical_range(range: Range) -> (Bound<Key>, Bound<Key>) {
    let start = match range.start {
        Bound::Unbounded => Bound::Included(vec![ROW]),
        bound => bound.map(|key| physical_key(&key)),
    };
    let end = match range.end {
        Bound::Unbounded => Bound::Excluded(vec![ROW + 1]),
        bound => bound.map(|key| physical_key(&key)),
    };
    (start, end)
}

/// The value under a caller's key.
pub(super) fn get(engine: &Engine, key: &[u8]) -> Result<Option<Value>, StoreError> {
    let physical = physical_key(key);
    for _ in 0..READ_ATTEMPTS {
        let Some(value) = engine.get(&physical)? else {
            return Ok(None);
        };
        if let Some(value) = join(engine, &value)? {
            return Ok(Some(value));
        }
    }
    Err(home::corrupt(
        engine.path(),
        &format!("the pieces of the row {} are not found", key.escape_ascii()),
    ))
}

/// A caller's row from a physical one; `None` if it was deleted meanwhile.
pub(super) fn logical(
    engine: &Engine,
    key: &[u8],
    value: &[u8],
) -> Result<Option<PhysicalRow>, StoreError> {
    let key = &key[1.min(key.len())..];
    let value = match join(engine, value)? {
        Some(value) => Some(value),
        None => get(engine, key)?,
    };
    Ok(value.map(|value| (key.to_vec(), value)))
}

/// The value that a physical value stands for; `None` if a piece is gone, as happens when the row was replaced meanwhile.
fn join(engine: &Engine, physical: &[u8]) -> Result<Option<Value>, StoreError> {
    match physical.split_first() {
        Some((&WHOLE, value)) => Ok(Some(value.to_vec())),
        Some((&CUT, rest)) => {
            let Some(pieces) = Pieces::decode(rest) else {
                return Err(undecodable(engine));
            };
            let mut value = Vec::new();
            for key in pieces.keys() {
                let Some(piece) = engine.get(&key)? else {
                    return Ok(None);
                };
                value.extend(piece);
            }
            Ok(Some(value))
        }
        _ => Err(undecodable(engine)),
    }
}

/// Adds a caller's new value to a batch, with the removal of the old one's pieces, and gives the old one. `sequence` and `place` are
/// unique to it. Only for the one who writes: nobody else may replace the row meanwhile.
pub(super) fn write(
    engine: &Engine,
    batch: &mut ::sled::Batch,
    key: &[u8],
    value: Option<&[u8]>,
    (sequence, place): (u64, u32),
) -> Result<Option<Value>, StoreError> {
    let physical = physical_key(key);
    let before = engine.get(&physical)?;
    let old = match &before {
        Some(value) => join(engine, value)?,
        None => None,
    };
    if let Some((&CUT, old)) = before.as_deref().and_then(<[u8]>::split_first) {
        let Some(pieces) = Pieces::decode(old) else {
            return Err(undecodable(engine));
        };
        pieces.keys().for_each(|key| batch.remove(key));
    }
    match value {
        None => batch.remove(physical),
        Some(value) if value.len() <= PIECE_BYTES => {
            let mut whole = Vec::with_capacity(value.len() + 1);
            whole.push(WHOLE);
            whole.extend(value);
            batch.insert(physical, whole);
        }
        Some(value) => {
            let cut = value.chunks(PIECE_BYTES);
            // At most 256 pieces, by the limit of a value.
            let pieces = Pieces {
                sequence,
                place,
                count: u32::try_from(cut.len()).unwrap_or(u32::MAX),
            };
            for (key, piece) in pieces.keys().zip(cut) {
                batch.insert(key, piece);
            }
            batch.insert(physical, pieces.encode());
        }
    }
    Ok(old)
}

fn undecodable(engine: &Engine) -> StoreError {
    home::corrupt(engine.path(), "a row of an unknown kind")
}
