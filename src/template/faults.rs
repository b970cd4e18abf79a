//! What is wrong with a base job template itself, whoever wrote it: its parts, the schema of its variables, placeholders cut short.
//!
//! A template that is none would check nothing and make nothing of what a run is given, without a word.
use super::{is_name, placeholders};
use crate::model::JsonMap;
use crate::model::secret::looks_secret;
use serde_json::Value;
use std::ops::Range;

/// The types that JSON schemas know.
const TYPES: &str = "`string`, `integer`, `number`, `boolean`, `object`, `array`, `null`, or a list of these";
/// The parts of a template.
pub const PARTS: [&str; 2] = ["job_configuration", "variables"];

/// One thing that is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer (RFC 6901) of it in the template.
    pub path: String,
    /// Which bytes of the text there; `None`: all of it.
    pub part: Option<Range<usize>>,
    /// What was found and expected.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

/// Everything that is wrong with a template.
pub fn of(template: &JsonMap) -> Vec<Fault> {
    let mut faults = Vec::new();
    match template.get("variables") {
        None | Some(Value::Null) => {}
        Some(schema @ Value::Object(_)) => of_schema(schema, &mut faults),
        Some(other) => faults.push(no_mapping("variables", other, "write a JSON schema: `variables: {type: object, properties: {size: {type: string}}}`")),
    }
    match template.get("job_configuration") {
        None | Some(Value::Null) => {}
        Some(configuration @ Value::Object(_)) => {
            let known = |name: &str| template.get("variables").and_then(|schema| schema.get("properties")?.get(name)).is_some();
            of_texts(configuration, "/job_configuration", &known, &mut faults);
        }
        Some(other) => faults.push(no_mapping("job_configuration", other, "write what a run is started with: `job_configuration: {command: \"{{ command }}\"}`")),
    }
    faults
}

fn no_mapping(part: &str, found: &Value, help: &'static str) -> Fault {
    Fault { path: format!("/{part}"), part: None, message: format!("`{part}` is {}; expected a mapping", kind(found)), help }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// What keeps a schema from being one: first against the schema of schemas, then what only shows when it is made ready.
fn of_schema(schema: &Value, faults: &mut Vec<Fault>) {
    const HELP: &str = "`variables` is a JSON schema; one that is wrong checks nothing";
    let fault = |pointer: String, said: &dyn Fn(bool) -> String| {
        let steps: Vec<&str> = pointer.split('/').skip(1).collect();
        let message = match (steps.as_slice(), schema.pointer(&pointer)) {
            ([.., before, "type"], Some(found)) if *before != "properties" => wrong_type(found),
            (["type"], Some(found)) => wrong_type(found),
            ([.., "pattern"], Some(Value::String(pattern))) => format!("`pattern` is `{}`; expected a regular expression", pattern.escape_debug()),
            _ => format!("the variables are no JSON schema: {}", said(steps.iter().any(|step| looks_secret(step)))),
        };
        Fault { path: format!("/variables{pointer}"), part: None, message, help: HELP }
    };
    let Ok(meta) = jsonschema::meta::validator_for(schema) else {
        let path = if schema.get("$schema").is_some() { "/variables/$schema" } else { "/variables" };
        let message = "the variables are no JSON schema that is known here".to_owned();
        return faults.push(Fault { path: path.to_owned(), part: None, message, help: "leave `$schema` out" });
    };
    let before = faults.len();
    for error in meta.iter_errors(schema) {
        let said = |secret: bool| if secret { error.masked().to_string() } else { error.to_string() };
        let fault = fault(error.instance_path().to_string(), &said);
        if !faults.iter().any(|other| other.path == fault.path) {
            faults.push(fault);
        }
    }
    if let (true, Err(error)) = (before == faults.len(), jsonschema::validator_for(schema)) {
        let paths = [error.instance_path().to_string(), error.schema_path().to_string()];
        let pointer = paths.into_iter().find(|path| !path.is_empty() && schema.pointer(path).is_some());
        faults.push(fault(pointer.unwrap_or_default(), &|secret| if secret { error.masked().to_string() } else { error.to_string() }));
    }
}

fn wrong_type(found: &Value) -> String {
    let found = found.as_str().map_or_else(|| kind(found).to_owned(), |text| format!("`{}`", text.escape_debug()));
    format!("`type` is {found}; expected {TYPES}")
}

/// Placeholders that lack a brace, in all texts below `value`. Its depth was bounded by whoever parsed it.
fn of_texts(value: &Value, path: &str, known: &dyn Fn(&str) -> bool, faults: &mut Vec<Fault>) {
    match value {
        Value::String(text) => faults.extend(cut_short(text, known).into_iter().map(|(part, name)| Fault {
            path: path.to_owned(),
            message: format!("`{}` lacks a brace; expected `{{{{ {name} }}}}`", text[part.clone()].escape_debug()),
            part: Some(part),
            help: "write two braces on both sides: what is no placeholder is handed to the run as it stands",
        })),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| of_texts(item, &format!("{path}/{index}"), known, faults)),
        Value::Object(fields) => {
            for (key, field) in fields {
                of_texts(field, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), known, faults);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `{{ name }` and `{{ name` at the end of a text; and `{ name }}` of a variable that is known: others may be a shell's or JSON's.
fn cut_short(text: &str, known: &dyn Fn(&str) -> bool) -> Vec<(Range<usize>, String)> {
    let whole: Vec<Range<usize>> = placeholders(text).into_iter().map(|placeholder| placeholder.range).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find('{').map(|offset| at + offset) {
        if let Some(range) = whole.iter().find(|range| range.contains(&start)) {
            at = range.end;
            continue;
        }
        let opened = text[start..].len() - text[start..].trim_start_matches('{').len();
        let inside = &text[start + opened..];
        at = start + opened;
        let (name, rest) = name_and_rest(inside);
        let closed = rest.len() - rest.trim_start_matches('}').len();
        let end = text.len() - rest.len() + closed;
        let lacks = match opened {
            1 => closed == 2 && known(name),
            2 => closed == 1 || rest.is_empty(),
            _ => false,
        };
        if !name.is_empty() && lacks && !whole.iter().any(|range| range.contains(&at)) {
            found.push((start..end, name.to_owned()));
        }
    }
    found
}

fn name_and_rest(inside: &str) -> (&str, &str) {
    let inside = inside.trim_start();
    let (name, rest) = inside.split_at(inside.find(|c| !is_name(c)).unwrap_or(inside.len()));
    (name, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(template: Value) -> Vec<String> {
        of(template.as_object().unwrap()).into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn what_is_wrong_with_a_template_is_found_at_its_place() {
        for (template, found) in [
            (json!({}), vec![]),
            (json!({"variables": null, "job_configuration": null}), vec![]),
            (json!({"variables": [1], "job_configuration": 5}), vec!["/variables", "/job_configuration"]),
            (json!({"variables": {"properties": {"size": {"type": "nosuchtype"}}}}), vec!["/variables/properties/size/type"]),
            (json!({"variables": {"properties": {"p": {"type": "string", "pattern": "("}}}}), vec!["/variables/properties/p/pattern"]),
            (json!({"variables": {"properties": {"type": 5}}}), vec!["/variables/properties/type"]),
            (json!({"variables": {"properties": 5, "required": "a"}}), vec!["/variables/properties", "/variables/required"]),
            (json!({"variables": {"$schema": "urn:nothing"}}), vec!["/variables/$schema"]),
            (json!({"variables": {"properties": {"a": {"$ref": "#/definitions/gone"}}}}), vec!["/variables"]),
            (json!({"variables": {"properties": {"a": {"$ref": "#/definitions/b"}}, "definitions": {"b": {"type": "string"}}}}), vec![]),
            (json!({"job_configuration": {"env": {"A": ["x {{ size }"]}}}), vec!["/job_configuration/env/A/0"]),
        ] {
            let mut paths = paths(template.clone());
            paths.sort_by_key(|path| found.iter().position(|known| known == path));
            assert_eq!(paths, found, "{template}");
        }
    }

    #[test]
    fn only_placeholders_that_lack_a_brace_are_cut_short() {
        let of = |text: &str| cut_short(text, &|name| name == "size").into_iter().map(|(part, _)| text[part].to_owned()).collect::<Vec<_>>();
        for (text, found) in [
            ("{{ size }", vec!["{{ size }"]),
            ("a {{ size", vec!["{{ size"]),
            ("a { size }}", vec!["{ size }}"]),
            ("{{ size } {{ size }} {{x}", vec!["{{ size }", "{{x}"]),
            ("{{ size }}", vec![]),
            ("{{{ size }}}", vec![]),
            ("{\"a\": {\"b\": 1}} ${HOME} { other }} {{ a | b }} {{}} {", vec![]),
            ("awk '{ print }'", vec![]),
        ] {
            assert_eq!(of(text), found, "{text}");
        }
    }

    #[test]
    fn a_secret_in_a_schema_is_not_said() {
        let template = json!({"variables": {"properties": {"API_TOKEN": "77777777"}}});
        let faults = of(template.as_object().unwrap());
        assert!(faults.len() == 1 && !faults[0].message.contains("77777777"), "{faults:?}");
    }
}
