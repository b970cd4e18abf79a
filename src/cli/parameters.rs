//! `-p key=value` and `--params JSON`: what a person types becomes a typed parameter of the flow.
//!
//! A value is JSON where that fits the parameter's schema, else the text itself; the API checks the result.
use super::error::CliError;
use super::words::{alternatives, nearest};
use crate::model::JsonMap;
use serde_json::Value;
use std::collections::BTreeSet;

/// The options of the commands that start a run.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ParameterOptions {
    /// A parameter of the flow; may be given several times. The value is JSON where it can be, else text: `-p count=3`,
    /// `-p name=Leo`, `-p 'tags=["a","b"]'`.
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE")]
    pub parameters: Vec<String>,
    /// All parameters as one JSON object; `-p` lies over it.
    #[arg(long, value_name = "JSON")]
    pub params: Option<String>,
}

/// The parameters as typed by `schema` (JSON schema of an object; `None` takes any name).
///
/// # Errors
/// `--params` is not a JSON object, a `-p` has no `=`, or a name is not one of the flow's.
pub fn read(options: &ParameterOptions, schema: Option<&Value>) -> Result<JsonMap, CliError> {
    let mut parameters = match &options.params {
        None => JsonMap::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(map)) => map,
            Ok(_) => return Err(CliError::new("`--params` is not a JSON object").hint(r#"write --params '{"name": "Leo"}'"#)),
            Err(error) => {
                return Err(CliError::because("`--params` is not JSON", &error).hint(r#"write --params '{"name": "Leo"}'"#));
            }
        },
    };
    for pair in &options.parameters {
        let (key, text) = key_and_value(pair, "-p")?;
        parameters.insert(key.to_owned(), typed(text, schema.and_then(|schema| property(schema, key))));
    }
    match schema {
        Some(schema) => refuse_unknown(&parameters, schema)?,
        None => {}
    }
    Ok(parameters)
}

/// `KEY=VALUE` pairs of a free-form map: JSON where it is, else text.
pub fn pairs(options: &[String], flag: &str) -> Result<JsonMap, CliError> {
    let pairs = options.iter().map(|pair| key_and_value(pair, flag));
    pairs.map(|pair| pair.map(|(key, text)| (key.to_owned(), typed(text, None)))).collect()
}

fn key_and_value<'a>(pair: &'a str, flag: &str) -> Result<(&'a str, &'a str), CliError> {
    match pair.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value)),
        _ => Err(CliError::new(format!("`{flag} {pair}` names no value")).hint(format!("write {flag} key=value"))),
    }
}

fn typed(text: &str, schema: Option<&Value>) -> Value {
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    let raw = || Value::String(text.to_owned());
    let Some(schema) = schema else { return parsed.unwrap_or_else(raw) };
    let mut types = BTreeSet::new();
    collect_types(schema, &mut types);
    match parsed {
        None => raw(),
        Some(value) if types.is_empty() || types.contains(type_of(&value)) => value,
        Some(Value::Number(number)) if number.is_i64() && types.contains("number") => Value::Number(number),
        Some(_) if types.contains("string") => raw(),
        Some(value) => value,
    }
}

/// The JSON types that `schema` admits; empty where that cannot be told, which admits all.
fn collect_types<'a>(schema: &'a Value, types: &mut BTreeSet<&'a str>) {
    match &schema["type"] {
        Value::String(name) => {
            types.insert(name);
        }
        Value::Array(names) => types.extend(names.iter().filter_map(Value::as_str)),
        _ => {}
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        for inner in schema[choice].as_array().into_iter().flatten() {
            collect_types(inner, types);
        }
    }
    for constant in schema["enum"].as_array().into_iter().flatten().chain(schema.get("const")) {
        types.insert(type_of(constant));
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The schema of one parameter (of a further one that of `**kwargs`), with a reference into `definitions` (or `$defs`) followed once.
fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let property = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"))?;
    let reference = property["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    match reference {
        Some(pointer) => schema.pointer(pointer).or(Some(property)),
        None => Some(property),
    }
}

fn refuse_unknown(parameters: &JsonMap, schema: &Value) -> Result<(), CliError> {
    let open = matches!(&schema["additionalProperties"], Value::Bool(true) | Value::Object(_));
    let Some(known) = schema["properties"].as_object().filter(|_| !open) else { return Ok(()) };
    let unknown: Vec<String> = parameters.keys().filter(|name| !known.contains_key(*name)).cloned().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let quoted: Vec<String> = unknown.iter().map(|name| format!("'{name}'")).collect();
    let error = CliError::new(format!("the flow has no parameter {}", alternatives(&quoted)));
    let known: Vec<&str> = known.keys().map(String::as_str).collect();
    let near: Vec<String> =
        unknown.iter().flat_map(|name| nearest(name, known.iter().copied())).map(|name| format!("'{name}'")).collect();
    let error = if near.is_empty() { error } else { error.hint(format!("did you mean {}?", alternatives(&near))) };
    Err(match known.is_empty() {
        true => error.hint("the flow takes no parameters"),
        false => error.hint(format!("the flow's parameters are: {}", known.join(", "))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "count": {"type": "integer"},
                "ratio": {"type": "number"},
                "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "level": {"$ref": "#/definitions/Level"},
                "any": {},
            },
            "definitions": {"Level": {"enum": ["1", "2"]}},
        })
    }

    fn one(pair: &str) -> Result<JsonMap, CliError> {
        read(&ParameterOptions { parameters: vec![pair.to_owned()], params: None }, Some(&schema()))
    }

    #[test]
    fn values_are_typed_by_the_schema() {
        for (pair, expected) in [
            ("name=Leo", json!({"name": "Leo"})),
            ("name=3", json!({"name": "3"})),
            ("name=", json!({"name": ""})),
            ("name=\"quoted\"", json!({"name": "quoted"})),
            ("count=3", json!({"count": 3})),
            ("count=many", json!({"count": "many"})),
            ("ratio=2", json!({"ratio": 2})),
            ("maybe=null", json!({"maybe": null})),
            ("maybe=5", json!({"maybe": "5"})),
            ("level=1", json!({"level": "1"})),
            ("any=a=b", json!({"any": "a=b"})),
            ("any=[1]", json!({"any": [1]})),
        ] {
            assert_eq!(one(pair).map(Value::Object).map_err(|error| error.to_string()), Ok(expected), "{pair}");
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let mut text = Vec::new();
        one("nmae=Leo").unwrap_err().report(&mut text, false);
        assert_eq!(
            String::from_utf8_lossy(&text),
            "error: the flow has no parameter 'nmae'\nhint: did you mean 'name'?\n\
             hint: the flow's parameters are: name, count, ratio, maybe, level, any\n"
        );
        assert!(read(&ParameterOptions { parameters: vec!["x=1".into()], params: None }, None).is_ok());
        assert!(one("name").is_err() && one("=x").is_err());
    }

    #[test]
    fn pairs_lie_over_the_object() {
        let options = ParameterOptions {
            parameters: vec!["name=Leo".into()],
            params: Some(r#"{"name": "Kiki", "count": 2}"#.into()),
        };
        assert_eq!(Value::Object(read(&options, Some(&schema())).unwrap()), json!({"name": "Leo", "count": 2}));
        let wrong = ParameterOptions { params: Some("[1]".into()), ..ParameterOptions::default() };
        assert!(read(&wrong, None).is_err());
    }
}
