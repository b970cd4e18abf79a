//! A plain value as YAML that reads back as this value: for files that people go on editing.
use super::words;
use serde_json::Value;

/// The value in block style, each line indented by `indent` spaces; ends with a newline.
pub fn yaml(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    block(value, indent, &mut text);
    text
}

/// `text` as a YAML scalar that reads back as this text: plain where that is beyond doubt, else in double quotes, where
/// JSON's escapes are YAML's too.
pub fn scalar(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | ':');
    let word = words::boolean(&text.to_lowercase()).is_some() || ["null", "y", "n"].contains(&text.to_lowercase().as_str());
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(safe) && !text.ends_with(':') && !word;
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for character in Value::from(text).to_string().chars() {
        match character {
            // YAML takes these for line breaks or does not print them; JSON leaves them as they are.
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted
}

fn block(value: &Value, indent: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                text.push_str(&format!("{margin}{}:", scalar(key)));
                below(value, indent, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = String::new();
                block(item, indent + 2, &mut inner);
                // The first line of the item stands beside its dash.
                text.push_str(&format!("{margin}- {}", inner.get(indent + 2..).unwrap_or_default()));
            }
        }
        leaf => text.push_str(&format!("{margin}{}\n", inline(leaf))),
    }
}

/// What follows a key: on its line, or on the lines below it.
fn below(value: &Value, indent: usize, text: &mut String) {
    let is_short = |items: &[Value]| items.iter().all(|item| !item.is_object() && !item.is_array() && inline(item).len() <= 24) && items.len() <= 6;
    match value {
        Value::Array(items) if !items.is_empty() && is_short(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            text.push_str(&format!(" [{}]\n", items.join(", ")));
        }
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            block(value, indent + 2, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            block(value, indent + 2, text);
        }
        leaf => text.push_str(&format!(" {}\n", inline(leaf))),
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        super::super::yaml::parse("x.yaml", text).unwrap().0
    }

    #[test]
    fn scalars_read_back_as_they_are() {
        let texts = [
            "etl", "0 9 * * *", "true", "null", "1.5", "", " x", "a: b", "a #b", "ü", "say \"hi\"", "a\nb\t", "No", "y", "C:", "~", "-", "@daily",
            "2026-01-01", "0x1f", "1e3", ".inf", "<<", "=", "\u{2028}\u{85}\u{7f}\u{feff}", "{{ $X }}", "*a", "&a", "!t", "%", "|", ">",
        ];
        for text in texts {
            assert_eq!(read(&format!("key: {}", scalar(text)))["key"], text, "{}", scalar(text));
            // The reader takes every `<<` for a merge, and so no file can have it as a key.
            assert!(text == "<<" || read(&format!("{}: 1", scalar(text)))[text] == 1, "{}", scalar(text));
        }
    }

    #[test]
    fn values_read_back_as_they_are() {
        for value in [
            json!({"a": {"b": [1, 2.5, null, true, "x"], "c": {}, "d": []}, "e: f": "g"}),
            json!([[1, [2, [3]]], {"a": [{"b": 1, "c": [{"d": 2}]}]}, [], {}, ["long enough that it stands on a line of its own"]]),
            json!({"list": [[1, 2], [3]], "texts": ["0 9 * * *", "no", ""], "big": 18446744073709551615u64, "tiny": 1e-300, "minus": -3}),
        ] {
            let text = yaml(&value, 2);
            assert_eq!(read(&text), value, "{text}");
        }
    }
}
