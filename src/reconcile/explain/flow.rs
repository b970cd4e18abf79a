//! Values as an author would write them on one line: YAML's flow style (YAML 1.2.2, 7.4), where that is shorter than JSON.
use serde_json::Value;

/// A value beside its name: text in quotes, as it is easily taken for something else.
pub(super) fn of(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{}: {}", plain(key), inside(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            format!("[{}]", items.iter().map(of).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The same, with text as it is.
pub(super) fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| of(value), str::to_owned)
}

fn inside(value: &Value) -> String {
    value.as_str().map_or_else(|| of(value), plain)
}

/// Text without quotes where nobody can take it for a number, a truth value, null or syntax.
fn plain(text: &str) -> String {
    let word = |letter: char| letter.is_ascii_alphanumeric() || "_-./@".contains(letter);
    let is_word = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && text.chars().all(word);
    let means_else = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].iter().any(|other| text.eq_ignore_ascii_case(other));
    if is_word && !means_else { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_reads_as_yaml_and_means_the_same() {
        for (value, text) in [
            (json!({"queue": 100}), "{queue: 100}"),
            (json!({"run": "all", "within": "6h", "limit": null}), "{run: all, within: \"6h\", limit: null}"),
            (json!({"a b": {"on": "no"}, "c": [1, "x"]}), "{\"a b\": {\"on\": \"no\"}, c: [1,\"x\"]}"),
            (json!([{"a": "b: c"}]), "[{a: \"b: c\"}]"),
            (json!("text"), "\"text\""),
            (json!({}), "{}"),
        ] {
            assert_eq!(of(&value), text);
            assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), value);
        }
        assert_eq!(bare(&json!("text")), "text");
    }
}
