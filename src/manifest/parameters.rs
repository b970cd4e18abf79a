//! Parameters in a file against the schema that the function's signature gives.
//!
//! A value of the wrong type and a name that the function does not have are errors. A required parameter without a
//! value is only a warning: whoever starts a run may give it. Values that hold placeholders are not known yet and
//! pass.
use super::node::{Node, Path};
use super::placeholders;
use super::report::{At, Problem, described, shown};
use super::words;
use crate::model::JsonMap;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// A parameter schema, and the validator made of it, for all deployments of one function.
pub struct Signature {
    pub schema: Value,
    validator: Option<Validator>,
}

impl Signature {
    /// Takes the schema as it is stored; nulls in it (as Prefect 2.0 wrote them) count as absent.
    pub fn new(mut schema: Value) -> Self {
        if let Value::Object(map) = &mut schema {
            map.retain(|_, value| !value.is_null());
        }
        // Required ones are dealt with apart, since a run may supply them.
        let mut lenient = schema.clone();
        if let Value::Object(map) = &mut lenient {
            map.remove("required");
            map.remove("additionalProperties");
        }
        Signature { validator: jsonschema::validator_for(&lenient).ok(), schema }
    }

    fn properties(&self) -> Option<&JsonMap> {
        self.schema.get("properties")?.as_object()
    }

    /// Whether any further name is taken (`**kwargs`).
    fn is_open(&self) -> bool {
        self.schema.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false))
    }

    fn required(&self) -> impl Iterator<Item = &str> {
        self.schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// YAML 1.1's `yes` and `off` are booleans where the function asks for one.
    pub fn settle_booleans(&self, parameters: &mut JsonMap) {
        let Some(properties) = self.properties() else { return };
        for (name, value) in parameters {
            let boolean = properties.get(name).and_then(|property| property.get("type")).is_some_and(|kind| kind == "boolean");
            if let (true, Some(settled)) = (boolean, value.as_str().and_then(words::boolean)) {
                *value = Value::Bool(settled);
            }
        }
    }

    /// Checks the parameters of the mapping at `node`; `function` names whose they are.
    pub fn check(&self, node: &Node<'_>, parameters: &JsonMap, function: &str) {
        let Some(properties) = self.properties() else { return };
        if !self.is_open() {
            for name in parameters.keys().filter(|name| !properties.contains_key(*name)) {
                let message = format!("{} has no parameter {}", shown(function), shown(name));
                let near = words::closest(name, properties.keys().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
                let help = near.unwrap_or_else(|| match properties.len() {
                    0 => "it takes none".to_owned(),
                    _ => format!("it takes {}", properties.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
                });
                node.report.push(Problem::error("unknown-parameter", message, node.path.key(name).place(At::Key)).help(help));
            }
        }
        let Some(validator) = &self.validator else { return };
        let known: JsonMap = parameters
            .iter()
            .filter(|(name, value)| properties.contains_key(*name) && !placeholders::any(value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if known.is_empty() {
            return;
        }
        let instance = Value::Object(known);
        for error in validator.iter_errors(&instance) {
            report(node, &error, properties);
        }
    }

    /// Warns of parameters that neither the file nor the signature gives a value.
    pub fn check_required(&self, node: &Node<'_>, given: &JsonMap, function: &str) {
        for name in self.required().filter(|name| !given.contains_key(*name)) {
            let message = format!("the parameter {} of {} has no default and no value here", shown(name), shown(function));
            let place = match node.field("parameters") {
                Some(parameters) => parameters.place(At::Key),
                None => node.place(At::Value),
            };
            node.report.push(Problem::warning("missing-parameter", message, place).help("each run must be given one; scheduled runs will fail"));
        }
    }
}

/// One problem at the value that the validator refused.
fn report(node: &Node<'_>, error: &ValidationError<'_>, properties: &JsonMap) {
    let pointer = error.instance_path().to_string();
    let steps: Vec<String> = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let Some(name) = steps.first() else { return };
    let expected = expected(error.kind(), properties.get(name));
    let message = format!("the parameter {} is {}; expected {expected}", shown(&steps.join(".")), described(error.instance()));
    node.report.push(Problem::error("wrong-parameter", message, place_below(&node.path, &steps)));
}

fn place_below(path: &Path<'_>, steps: &[String]) -> super::report::Place {
    match steps.split_first() {
        None => path.place(At::Value),
        // A list index stands in a pointer as its digits, as a key does.
        Some((step, rest)) => place_below(&path.key(step), rest),
    }
}

fn expected(kind: &ValidationErrorKind, property: Option<&Value>) -> String {
    match kind {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => type_in_words(&kind.to_string()).to_owned(),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            or_list(kinds.iter().map(|kind| type_in_words(&kind.to_string()).to_owned()).collect())
        }
        ValidationErrorKind::Enum { options } => {
            or_list(options.as_array().into_iter().flatten().map(|option| format!("`{}`", plain(option))).collect())
        }
        ValidationErrorKind::Constant { expected_value } => format!("`{}`", plain(expected_value)),
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            let options = property.and_then(|property| property.get("anyOf").or_else(|| property.get("oneOf"))).and_then(Value::as_array);
            let kinds: Vec<String> = options
                .into_iter()
                .flatten()
                .filter_map(|option| option.get("type").and_then(Value::as_str))
                .map(|kind| type_in_words(kind).to_owned())
                .collect();
            if kinds.is_empty() { "one of the types in the function's signature".to_owned() } else { or_list(kinds) }
        }
        other => format!("what the function's signature says ({})", other.keyword()),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn type_in_words(kind: &str) -> &str {
    match kind {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a mapping",
        "null" => "null",
        other => other,
    }
}

fn or_list(items: Vec<String>) -> String {
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
