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
    let mut bytes = Vec::with_capacity(1024);
    feed(&mut bytes, fields);
    for schedule in schedules {
        // Only parameters have keys in an order of their own; without any, the text is the same each time.
        match schedule.parameters.is_empty() {
            true => drop(serde_json::to_writer(&mut bytes, schedule)),
            false => feed(&mut bytes, &fields::value(schedule)),
        }
        bytes.push(b'\n');
    }
    Sha256::digest(&bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every value with its type and its length in front, so that no two trees feed the same bytes.
fn feed(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => bytes.push(b'0'),
        Value::Bool(value) => bytes.push(if *value { b't' } else { b'f' }),
        Value::Number(number) => text(bytes, b'n', &number.to_string()),
        Value::String(value) => text(bytes, b's', value),
        Value::Array(items) => {
            length(bytes, b'a', items.len());
            items.iter().for_each(|item| feed(bytes, item));
        }
        Value::Object(map) => {
            length(bytes, b'o', map.len());
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            for (key, value) in entries {
                text(bytes, b's', key);
                feed(bytes, value);
            }
        }
    }
}

fn text(bytes: &mut Vec<u8>, kind: u8, text: &str) {
    length(bytes, kind, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn length(bytes: &mut Vec<u8>, kind: u8, length: usize) {
    bytes.push(kind);
    bytes.extend_from_slice(&(length as u32).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{RuleSpec, Spec};
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
        let with = |parameters: Value| {
            let spec = Spec::new(RuleSpec::Cron { expression: "@daily".to_owned(), day_or: true }, None);
            let Value::Object(parameters) = parameters else { unreachable!() };
            of(&json!({}), &[ScheduleDeclaration { parameters, ..ScheduleDeclaration::new(spec) }])
        };
        assert_eq!(with(json!({"a": 1, "b": 2})), with(json!({"b": 2, "a": 1})));
        assert_ne!(with(json!({"a": 1})), with(json!({})));
    }
}
