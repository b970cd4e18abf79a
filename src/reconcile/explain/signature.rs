//! The schema that stands for a function's parameters, as its author knows them: one line for each parameter, not the pieces of JSON schema.
use super::flow;
use crate::model::secret::looks_secret;
use crate::reconcile::plan::FieldChange;
use serde_json::{Map, Value};

const PROPERTIES: &str = "parameter_schema/properties/";
/// What tells a parameter that comes or goes from one of which something changed: each has it.
const TITLE: &str = "title";

/// The changes without those of the parameter schema, and for these a line for each parameter with its mark. Of a new object: one
/// line for all of them. Where a schema's pieces are no parameters they stay.
pub(super) fn split(changes: &[FieldChange], new_object: bool) -> (Vec<&FieldChange>, Vec<(&'static str, String)>) {
    let (pieces, mut others): (Vec<&FieldChange>, Vec<&FieldChange>) =
        changes.iter().partition(|change| change.field == "parameter_schema" || change.field.starts_with("parameter_schema/"));
    let parameters = parameters(&pieces);
    if parameters.is_empty() {
        // A function without parameters says nothing.
        others.extend(pieces.into_iter().filter(|_| !new_object));
        return (others, Vec::new());
    }
    if new_object {
        let words: Vec<String> = parameters.iter().map(|(name, pieces)| declaration(name, &built(pieces, |piece| piece.new.as_ref()))).collect();
        return (others, vec![("", format!("signature: ({})", words.join(", ")))]);
    }
    let lines = parameters.iter().filter_map(|(name, pieces)| line(name, pieces)).collect();
    (others, lines)
}

/// A piece of one parameter's schema: the key below it, and the values.
struct Piece<'a> {
    key: &'a str,
    old: Option<Value>,
    new: Option<Value>,
}

fn parameters<'a>(pieces: &[&'a FieldChange]) -> Vec<(String, Vec<Piece<'a>>)> {
    let mut found: Vec<(String, Vec<Piece<'a>>)> = Vec::new();
    let mut add = |name: String, piece: Piece<'a>| match found.iter_mut().find(|(known, _)| *known == name) {
        Some((_, pieces)) => pieces.push(piece),
        None => found.push((name, vec![piece])),
    };
    for change in pieces {
        if let Some((name, key)) = change.field.strip_prefix(PROPERTIES).and_then(|rest| rest.split_once('/')) {
            add(unescaped(name), Piece { key, old: change.old.clone(), new: change.new.clone() });
        } else if change.field == "parameter_schema" {
            // A deployment that had none, or has none any more.
            for (whole, is_new) in [(&change.old, false), (&change.new, true)] {
                let properties = whole.as_ref().and_then(|schema| schema.get("properties")?.as_object());
                for (name, schema) in properties.into_iter().flatten() {
                    for (key, value) in schema.as_object().into_iter().flatten() {
                        // Only the keys that a line is made of: they are known by name.
                        let Some(key) = KEYS.into_iter().find(|known| known == key) else { continue };
                        let value = Some(value.clone());
                        let (old, new) = if is_new { (None, value) } else { (value, None) };
                        add(name.clone(), Piece { key, old, new });
                    }
                }
            }
        }
    }
    found
}

const KEYS: [&str; 7] = [TITLE, "type", "default", "items", "anyOf", "enum", "$ref"];

fn line(name: &str, pieces: &[Piece<'_>]) -> Option<(&'static str, String)> {
    let title = pieces.iter().find(|piece| piece.key == TITLE);
    match title {
        Some(Piece { old: None, .. }) => return Some(("+ ", format!("parameter {}", declaration(name, &built(pieces, |piece| piece.new.as_ref()))))),
        Some(Piece { new: None, .. }) => return Some(("- ", format!("parameter {}", declaration(name, &built(pieces, |piece| piece.old.as_ref()))))),
        _ => {}
    }
    let shown = |piece: &Piece<'_>, value: &Option<Value>| match value {
        None => "none".to_owned(),
        Some(_) if piece.key == "default" && looks_secret(name) => "***".to_owned(),
        Some(value) if piece.key == "type" => word(value),
        Some(value) => flow::of(value),
    };
    // That another one came before it is no change of this one, unless there is nothing else to tell.
    let told = pieces.iter().filter(|piece| piece.key != "position");
    let told: Vec<String> = told.map(|piece| format!("{} {} -> {}", piece.key, shown(piece, &piece.old), shown(piece, &piece.new))).collect();
    (!told.is_empty()).then(|| ("~ ", format!("parameter {name}: {}", told.join(", "))))
}

/// The schema of a parameter from its pieces.
fn built(pieces: &[Piece<'_>], side: impl for<'b> Fn(&'b Piece<'_>) -> Option<&'b Value>) -> Map<String, Value> {
    let mut schema = Map::new();
    for piece in pieces {
        let Some(value) = side(piece) else { continue };
        match piece.key.split_once('/') {
            None => _ = schema.insert(piece.key.to_owned(), value.clone()),
            Some((key, below)) => {
                if let Value::Object(inner) = schema.entry(unescaped(key)).or_insert_with(|| Value::Object(Map::new())) {
                    inner.insert(below.to_owned(), value.clone());
                }
            }
        }
    }
    schema
}

/// `m: str = "q"`, as Python has it.
fn declaration(name: &str, schema: &Map<String, Value>) -> String {
    let kind = kind(schema).map(|kind| format!(": {kind}")).unwrap_or_default();
    let default = match schema.get("default") {
        None => String::new(),
        Some(_) if looks_secret(name) => " = ***".to_owned(),
        Some(Value::Null) => " = None".to_owned(),
        Some(Value::Bool(value)) => format!(" = {}", if *value { "True" } else { "False" }),
        Some(value) => format!(" = {}", flow::of(value)),
    };
    format!("{name}{kind}{default}")
}

/// The type as Python writes it, where the schema says one.
fn kind(schema: &Map<String, Value>) -> Option<String> {
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let kinds: Option<Vec<String>> = choices.iter().map(|choice| kind(choice.as_object()?)).collect();
        return kinds.map(|kinds| kinds.join(" | "));
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().map(str::to_owned);
    }
    let word = word(schema.get("type")?);
    let items = schema.get("items").and_then(Value::as_object).and_then(kind);
    Some(items.filter(|_| word == "list").map_or(word, |items| format!("list[{items}]")))
}

fn word(kind: &Value) -> String {
    match kind.as_str() {
        Some("string") => "str".to_owned(),
        Some("integer") => "int".to_owned(),
        Some("number") => "float".to_owned(),
        Some("boolean") => "bool".to_owned(),
        Some("array") => "list".to_owned(),
        Some("object") => "dict".to_owned(),
        Some("null") => "None".to_owned(),
        Some(other) => other.to_owned(),
        None => kind.to_string(),
    }
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::fields;
    use serde_json::json;

    fn lines(old: Value, new: Value) -> Vec<String> {
        let of = |properties: Value| json!({"parameter_schema": {"type": "object", "properties": properties, "required": []}});
        let changes = fields::changes(&of(old), &of(new));
        let (others, lines) = split(&changes, false);
        assert!(others.is_empty(), "{others:?}");
        lines.into_iter().map(|(mark, words)| format!("{mark}{words}")).collect()
    }

    #[test]
    fn a_parameter_that_comes_goes_or_changes_is_one_line() {
        let n = json!({"title": "n", "position": 0, "type": "integer"});
        let m = json!({"title": "m", "position": 1, "type": "string", "default": "q"});
        assert_eq!(lines(json!({"n": n}), json!({"n": n, "m": m})), ["+ parameter m: str = \"q\""]);
        assert_eq!(lines(json!({"n": n, "m": m}), json!({"n": n})), ["- parameter m: str = \"q\""]);
        let changed = json!({"title": "m", "position": 0, "type": "number", "default": 1.5});
        assert_eq!(lines(json!({"m": m}), json!({"m": changed})), ["~ parameter m: type str -> float, default \"q\" -> 1.5"]);
        let moved = json!({"title": "n", "position": 1, "type": "integer"});
        assert_eq!(lines(json!({"n": n}), json!({"k": {"title": "k", "type": "array", "items": {"type": "string"}}, "n": moved})), ["+ parameter k: list[str]"]);
        let secret = json!({"title": "api_key", "anyOf": [{"type": "string"}, {"type": "null"}], "default": "hunter2"});
        assert_eq!(lines(json!({}), json!({"api_key": secret})), ["+ parameter api_key: str | None = ***"]);
    }

    #[test]
    fn a_new_function_is_shown_by_its_signature() {
        let schema = json!({"type": "object", "properties": {"n": {"title": "n", "type": "integer"}, "day": {"title": "day", "default": null}}});
        let changes = fields::set(&json!({"parameter_schema": null}), &json!({"parameter_schema": schema}));
        assert_eq!(split(&changes, true).1, [("", "signature: (n: int, day = None)".to_owned())]);
    }
}
