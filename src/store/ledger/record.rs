//! How a record stands in the store: one byte of format version, then JSON.
//!
//! A field that is added later gets a serde default; a change that older rows cannot be read with gets a new
//! version and an arm here. A row of a newer version is refused by name, never guessed at.
use super::LedgerError;
use serde::Serialize;
use serde::de::DeserializeOwned;

const VERSION: u8 = 1;

pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, LedgerError> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(VERSION);
    serde_json::to_writer(&mut bytes, record).map_err(|error| LedgerError::Unwritable(error.to_string()))?;
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, LedgerError> {
    match bytes.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json)
            .map_err(|error| LedgerError::Unreadable { key: printable(key), reason: error.to_string() }),
        Some((version, _)) => Err(LedgerError::NewerRecord { key: printable(key), version: *version }),
        None => Err(LedgerError::Unreadable { key: printable(key), reason: "the row is empty".to_owned() }),
    }
}

/// A key as text for a message: printable characters as they are, others as `\xNN`.
pub(super) fn printable(key: &[u8]) -> String {
    key.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect()
}
