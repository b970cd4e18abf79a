//! Digests of what is declared: they tell whether a file has changed since it was applied, or the record has drifted from it.
//!
//! Asked only of objects that differ or are written. A digest that an older version made in another way is no match, so that
//! the difference counts as a change of the file.
use super::fields;
use crate::model::schedule::ScheduleDeclaration;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The first 16 hex digits of a SHA-256 over a specification's fields, whatever the order of keys, and its schedules.
pub(super) fn of(fields: &Value, schedules: &[ScheduleDeclaration]) -> String {
    let mut hash = Sha256::new();
    feed(&mut hash, fields);
    for schedule in schedules {
        feed(&mut hash, &fields::value(schedule));
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every value with its type and its length in front, so that no two trees feed the same bytes.
fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update([0]),
        Value::Bool(value) => hash.update([1, u8::from(*value)]),
        Value::Number(number) => text(hash, 2, &number.to_string()),
        Value::String(value) => text(hash, 3, value),
        Value::Array(items) => {
            length(hash, 4, items.len());
            items.iter().for_each(|item| feed(hash, item));
        }
        Value::Object(map) => {
            length(hash, 5, map.len());
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            for (key, value) in entries {
                text(hash, 3, key);
                feed(hash, value);
            }
        }
    }
}

fn text(hash: &mut Sha256, kind: u8, text: &str) {
    length(hash, kind, text.len());
    hash.update(text.as_bytes());
}

fn length(hash: &mut Sha256, kind: u8, length: usize) {
    hash.update([kind]);
    hash.update((length as u64).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_means_nothing_and_all_else_does() {
        let base = of(&json!({"a": 1, "b": {"c": [1, 2], "d": "x"}}), &[]);
        assert_eq!(base.len(), 16);
        assert_eq!(of(&json!({"b": {"d": "x", "c": [1, 2]}, "a": 1}), &[]), base);
        for other in [
            json!({"a": 1, "b": {"c": [2, 1], "d": "x"}}),
            json!({"a": 1, "b": {"c": [1, 2], "d": null}}),
            json!({"a": "1", "b": {"c": [1, 2], "d": "x"}}),
            json!({"a": 1, "b": {"c": [1], "d": "x"}}),
            json!({"a": 1, "b": {"c": [[1], 2], "d": "x"}}),
        ] {
            assert_ne!(of(&other, &[]), base, "{other}");
        }
    }
}
