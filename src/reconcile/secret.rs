//! Which values never stand in a plan: those whose name says that they are secret (G10).
use crate::model::JsonMap;
use serde_json::Value;

/// What stands in place of a secret.
pub(super) const MASK: &str = "********";

/// The value as it may be shown: text under a secret-looking name is masked, however deep it lies. A placeholder
/// such as `{{ prefect.blocks.secret.key }}` says where a secret is and not what it is, so that it is shown.
pub(super) fn masked(secret: bool, value: &Value) -> Value {
    match value {
        Value::String(text) if secret && !text.is_empty() && !is_placeholder(text) => Value::String(MASK.to_owned()),
        Value::Array(items) => items.iter().map(|item| masked(secret, item)).collect(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), masked(secret || is_secret(key), value)));
            Value::Object(entries.collect::<JsonMap>())
        }
        other => other.clone(),
    }
}

/// Whether a word of this name says that its value is a secret: `DB_PASSWORD`, `apiKey`, not `monkey`.
pub(super) fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 10] =
        ["token", "password", "passwd", "passphrase", "pwd", "secret", "key", "credential", "apikey", "auth"];
    words(name).iter().any(|word| WORDS.iter().any(|secret| word.strip_suffix('s').unwrap_or(word) == *secret))
}

/// The lower-case words of `snake_case`, `kebab-case` and `camelCase`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        after_lower = letter.is_lowercase();
    }
    words
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
    fn secret_looking_names() {
        for name in ["DB_PASSWORD", "apiKey", "api-key", "TOKENS", "GITHUB_TOKEN", "secret", "aws_secret_access_key"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["monkey", "OLDPWDIR", "author", "region", "keyboard", ""] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn only_text_under_a_secret_name_is_masked() {
        let value =
            json!({"token": "hunter2", "n": {"a": ["x"]}, "keys": ["y", 3], "password": "{{ $DB }}", "pwd": ""});
        let shown = json!({"token": MASK, "n": {"a": ["x"]}, "keys": [MASK, 3], "password": "{{ $DB }}", "pwd": ""});
        assert_eq!(masked(false, &value), shown);
        assert_eq!(masked(true, &json!("{{ a }}x{{ b }}")), json!(MASK));
    }
}
