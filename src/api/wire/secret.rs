//! Secrets in what is shown: a literal under a secret-looking name is masked, a reference to one is not.
use crate::model::JsonMap;
use crate::model::secret::{MASK, looks_secret};
use serde_json::Value;

/// Job variables as they may be shown. (Parameters are shown as they are: clients that run a flow read them here.)
pub(super) fn masked(variables: JsonMap) -> JsonMap {
    variables.into_iter().map(|(name, value)| masked_entry(name, value, false)).collect()
}

fn masked_entry(name: String, value: Value, within: bool) -> (String, Value) {
    let secret = within || looks_secret(&name);
    (name, masked_value(value, secret))
}

fn masked_value(value: Value, secret: bool) -> Value {
    match value {
        Value::String(text) if secret && !text.is_empty() && !is_reference(&text) => Value::String(MASK.to_owned()),
        Value::Array(items) => items.into_iter().map(|item| masked_value(item, secret)).collect(),
        Value::Object(map) => Value::Object(map.into_iter().map(|(name, value)| masked_entry(name, value, secret)).collect()),
        other => other,
    }
}

/// `{{ $API_TOKEN }}` says where a secret is, not what it is.
fn is_reference(text: &str) -> bool {
    let inner = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    inner.is_some_and(|inner| !inner.contains("{{") && !inner.contains("}}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn literals_under_secret_names_are_masked() {
        let sent = json!({"env": {"API_TOKEN": "hunter2", "MODE": "fast", "DB_PASSWORD": "{{ $DB }}", "AUTH": "{{ a }}x{{ b }}"}, "modes": ["x", 3]});
        let shown = json!({"env": {"API_TOKEN": MASK, "MODE": "fast", "DB_PASSWORD": "{{ $DB }}", "AUTH": MASK}, "modes": ["x", 3]});
        assert_eq!(Value::Object(masked(sent.as_object().unwrap().clone())), shown);
    }
}
