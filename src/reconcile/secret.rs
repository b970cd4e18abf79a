//! Which values never stand in a plan: those whose name says that they are secret (G10).
use crate::model::JsonMap;
use crate::model::secret::{MASK, looks_secret};
use serde_json::Value;

/// The value as it may be shown: text under a secret-looking name is masked, however deep it lies. A placeholder
/// such as `{{ prefect.blocks.secret.key }}` says where a secret is and not what it is, so that it is shown.
pub(super) fn masked(secret: bool, value: &Value) -> Value {
    match value {
        Value::String(text) if secret && !text.is_empty() && !is_placeholder(text) => Value::String(MASK.to_owned()),
        Value::Array(items) => items.iter().map(|item| masked(secret, item)).collect(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), masked(secret || looks_secret(key), value)));
            Value::Object(entries.collect::<JsonMap>())
        }
        other => other.clone(),
    }
}

fn is_placeholder(text: &str) -> bool {
    let inner = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    inner.is_some_and(|inner| !inner.contains("{{") && !inner.contains("}}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_text_under_a_secret_name_is_masked() {
        let value =
            json!({"token": "hunter2", "n": {"a": ["x"]}, "keys": ["y", 3], "password": "{{ $DB }}", "passwd": ""});
        let shown = json!({"token": MASK, "n": {"a": ["x"]}, "keys": [MASK, 3], "password": "{{ $DB }}", "passwd": ""});
        assert_eq!(masked(false, &value), shown);
        assert_eq!(masked(true, &json!("{{ a }}x{{ b }}")), json!(MASK));
    }
}
