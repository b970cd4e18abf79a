//! Parameters against the schema that the function's signature gives: those of a file when it is read, those of a run when it is made or,
//! as far as they were not known then, when it starts.
//!
//! In a file a value of the wrong type and a name that the function does not have are errors. A required parameter without a value is
//! only a warning there: whoever starts a run may give it. Values that hold placeholders are not known yet and pass.
use super::formats::FORMATS;
use super::node::{Node, Path};
use super::placeholders;
use super::report::{At, Place, Problem, described, shown};
use super::words;
use crate::model::JsonMap;
use crate::model::secret::looks_secret;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// A parameter schema, and the validator made of it, for all deployments of one function.
pub struct Signature {
    pub schema: Value,
    /// Where the function stands, where the schema was read from one.
    place: Option<Place>,
    validator: Option<Validator>,
}

/// One thing that is wrong with parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The parameter's name, then keys and indices below it.
    pub path: Vec<String>,
    pub fault: Fault,
}

/// What is wrong, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Wrong { found: String, expected: String },
    /// There is no such parameter; what was probably meant, or what there is.
    Unknown { help: String },
    /// It has no default, and no value.
    Missing,
}

impl Misfit {
    /// The sentence, with what there is or was expected. `function` names whose parameters they are.
    pub fn message(&self, function: &str) -> String {
        let name = shown(&self.path.join("."));
        match &self.fault {
            Fault::Wrong { found, expected } => format!("the parameter {name} is {found}; expected {expected}"),
            Fault::Unknown { .. } => format!("{} has no parameter {name}", shown(function)),
            Fault::Missing => format!("the parameter {name} of {} has no default and no value here", shown(function)),
        }
    }

    /// The same on one line with what to do.
    pub fn sentence(&self, function: &str) -> String {
        match &self.fault {
            Fault::Unknown { help } => format!("{} ({help})", self.message(function)),
            Fault::Wrong { .. } | Fault::Missing => self.message(function),
        }
    }
}

impl Signature {
    /// Takes the schema as it is stored; nulls in it (as Prefect 2.0 wrote them) count as absent.
    pub fn new(mut schema: Value) -> Self {
        if let Value::Object(map) = &mut schema {
            map.retain(|_, value| !value.is_null());
        }
        // Required and further ones are dealt with apart, since a run may supply the first.
        let mut lenient = schema.clone();
        if let Value::Object(map) = &mut lenient {
            map.remove("required");
            if map.get("additionalProperties").is_some_and(Value::is_boolean) {
                map.remove("additionalProperties");
            }
        }
        bound_integers(&mut lenient, 0);
        let options = jsonschema::options().should_validate_formats(true);
        let options = FORMATS.into_iter().fold(options, |options, (name, check, _)| options.with_format(name, check));
        Signature { validator: options.build(&lenient).ok(), schema, place: None }
    }

    /// The same, with the line of its `def`.
    pub fn at(self, place: Place) -> Self {
        Signature { place: Some(place), ..self }
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

    /// Everything that is wrong with these parameters; values that hold placeholders pass.
    pub fn misfits(&self, parameters: &JsonMap) -> Vec<Misfit> {
        let mut misfits = self.unknown(parameters);
        misfits.extend(self.wrong(parameters));
        misfits.extend(self.missing(parameters));
        misfits
    }

    fn unknown(&self, parameters: &JsonMap) -> Vec<Misfit> {
        let Some(properties) = self.properties().filter(|_| !self.is_open()) else { return Vec::new() };
        let unknown = parameters.keys().filter(|name| !properties.contains_key(*name)).map(|name| {
            let near = words::closest(name, properties.keys().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            let help = near.unwrap_or_else(|| match properties.len() {
                0 => "it takes none".to_owned(),
                _ => format!("it takes {}", properties.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            });
            Misfit { path: vec![name.clone()], fault: Fault::Unknown { help } }
        });
        unknown.collect()
    }

    fn wrong(&self, parameters: &JsonMap) -> Vec<Misfit> {
        let (Some(properties), Some(validator)) = (self.properties(), &self.validator) else { return Vec::new() };
        let known = parameters.iter().filter(|(name, value)| (properties.contains_key(*name) || self.is_open()) && !placeholders::any(value));
        let known: JsonMap = known.map(|(name, value)| (name.clone(), value.clone())).collect();
        if known.is_empty() {
            return Vec::new();
        }
        let instance = Value::Object(known);
        validator.iter_errors(&instance).filter_map(|error| self.misfit(&error)).collect()
    }

    fn missing(&self, given: &JsonMap) -> Vec<Misfit> {
        let missing = self.required().filter(|name| !given.contains_key(*name));
        missing.map(|name| Misfit { path: vec![name.to_owned()], fault: Fault::Missing }).collect()
    }

    fn misfit(&self, error: &ValidationError<'_>) -> Option<Misfit> {
        let inside: Vec<Misfit> = inside_union(error).into_iter().filter_map(|inner| self.misfit(inner)).collect();
        if let Some(misfit) = either(inside) {
            return Some(misfit);
        }
        let pointer = error.instance_path().to_string();
        let path: Vec<String> = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        let property = self.properties()?.get(path.first()?).or_else(|| self.schema.get("additionalProperties"));
        let choices = self.schema.pointer(error.schema_path().as_str()).filter(|choices| choices.is_array());
        let choices = choices.or_else(|| property.and_then(|property| property.get("anyOf").or_else(|| property.get("oneOf"))));
        let found = match (error.kind(), error.instance().as_array()) {
            (ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MaxItems { .. }, Some(items)) => format!("a list of {}", items.len()),
            (ValidationErrorKind::Required { property }, _) => format!("a mapping without `{}`", plain(property)),
            (ValidationErrorKind::AdditionalProperties { unexpected }, _) => {
                format!("a mapping with the unknown key {}", unexpected.first().map_or_else(String::new, |key| shown(key)))
            }
            _ if path.iter().any(|name| looks_secret(name)) && error.instance().is_string() => "a text".to_owned(),
            _ => described(error.instance()),
        };
        let fault = Fault::Wrong { found, expected: self.expected(error.kind(), choices) };
        Some(Misfit { path, fault })
    }

    /// Checks the parameters of the mapping at `node`; `function` names whose they are.
    pub fn check(&self, node: &Node<'_>, parameters: &JsonMap, function: &str) {
        for misfit in self.unknown(parameters).into_iter().chain(self.wrong(parameters)) {
            let (code, place, help) = match &misfit.fault {
                Fault::Unknown { help } => ("unknown-parameter", node.path.key(misfit.path.first().map_or("", String::as_str)).place(At::Key), Some(help.clone())),
                Fault::Wrong { .. } | Fault::Missing => ("wrong-parameter", place_below(&node.path, &misfit.path), None),
            };
            node.report.push(self.beside(Problem::error(code, misfit.message(function), place).maybe_help(help)));
        }
    }

    /// Warns of parameters that neither the file nor the signature gives a value.
    pub fn check_required(&self, node: &Node<'_>, given: &JsonMap, function: &str) {
        for misfit in self.missing(given) {
            let place = match node.field("parameters") {
                Some(parameters) => parameters.place(At::Key),
                None => node.place(At::Value),
            };
            let problem = Problem::warning("missing-parameter", misfit.message(function), place);
            node.report.push(self.beside(problem.help("each run must be given one; scheduled runs will fail")));
        }
    }

    /// Names the function's own line.
    fn beside(&self, problem: Problem) -> Problem {
        match &self.place {
            Some(place) => problem.related("its signature stands at", place.clone()),
            None => problem,
        }
    }

    /// What was expected, in words; `choices` are the members of a union.
    fn expected(&self, kind: &ValidationErrorKind, choices: Option<&Value>) -> String {
        match kind {
            ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => type_in_words(&kind.to_string()).to_owned(),
            ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
                or_list(kinds.iter().map(|kind| type_in_words(&kind.to_string()).to_owned()).collect())
            }
            ValidationErrorKind::Enum { options } => one_of(options),
            ValidationErrorKind::Constant { expected_value } => format!("`{}`", plain(expected_value)),
            ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
                let members = choices.and_then(Value::as_array).into_iter().flatten();
                let words: Option<Vec<String>> = members.map(|member| self.in_words(member)).collect();
                words.filter(|words| !words.is_empty()).map_or_else(|| "one of the types in the function's signature".to_owned(), or_list)
            }
            ValidationErrorKind::Format { format } => {
                let known = FORMATS.into_iter().find(|(name, ..)| name == format);
                known.map_or_else(|| format!("a text of the form `{format}`"), |(.., words)| words.to_owned())
            }
            ValidationErrorKind::MinItems { limit } => format!("a list of at least {limit}"),
            ValidationErrorKind::MaxItems { limit } => format!("a list of at most {limit}"),
            ValidationErrorKind::UniqueItems => "a list in which nothing comes twice".to_owned(),
            ValidationErrorKind::Required { property } => format!("a mapping with `{}`", plain(property)),
            ValidationErrorKind::AdditionalProperties { .. } => "no other keys than the fields of its class".to_owned(),
            ValidationErrorKind::Maximum { limit } if limit.as_u64() == Some(u64::MAX) => WIDE_INTEGER.to_owned(),
            ValidationErrorKind::Minimum { limit } if limit.as_i64() == Some(i64::MIN) => WIDE_INTEGER.to_owned(),
            other => format!("what the function's signature says ({})", other.keyword()),
        }
    }

    /// A type of a union; `None` where it has no words.
    fn in_words(&self, member: &Value) -> Option<String> {
        let reference = member.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        let member = reference.and_then(|pointer| self.schema.pointer(pointer)).unwrap_or(member);
        if let Some(format) = member.get("format")
            && let Some((.., words)) = FORMATS.into_iter().find(|(name, ..)| format == name)
        {
            return Some(words.to_owned());
        }
        match (member.get("enum"), member.get("const"), member.get("type")) {
            (Some(options), ..) => Some(one_of(options)),
            (_, Some(constant), _) => Some(format!("`{}`", plain(constant))),
            (_, _, Some(Value::String(kind))) => Some(type_in_words(kind).to_owned()),
            _ => None,
        }
    }
}

/// What is expected in place of a whole number of more than 64 bits: JSON has been read, and its last digits are lost.
const WIDE_INTEGER: &str = "a whole number of at most 64 bits (a larger one loses its last digits on the way: give it as a text, to a parameter annotated `str`)";

/// Levels of a schema that are looked into; those of signatures have fewer.
const MAX_DEPTH: usize = 64;

/// Gives each integer of a schema the bounds within which no digit is lost.
fn bound_integers(schema: &mut Value, depth: usize) {
    let inner: Vec<&mut Value> = match schema {
        Value::Object(map) => {
            if map.get("type").is_some_and(|kind| kind == "integer") && !map.contains_key("enum") {
                map.entry("maximum").or_insert_with(|| u64::MAX.into());
                map.entry("minimum").or_insert_with(|| i64::MIN.into());
            }
            map.iter_mut().filter(|(key, _)| !matches!(key.as_str(), "default" | "enum" | "const" | "examples")).map(|(_, value)| value).collect()
        }
        Value::Array(items) => items.iter_mut().collect(),
        _ => return,
    };
    if depth < MAX_DEPTH {
        inner.into_iter().for_each(|value| bound_integers(value, depth + 1));
    }
}

/// Of a union, what is wrong inside the value, by each member that takes such a value but not what is in it: only that tells anything.
fn inside_union<'e>(error: &'e ValidationError<'_>) -> Vec<&'e ValidationError<'static>> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) = error.kind() else { return Vec::new() };
    let own = error.instance_path().as_str().len();
    let nearly = context.iter().filter(|errors| errors.iter().all(|inner| inner.instance_path().as_str().len() > own));
    nearly.filter_map(|errors| errors.first()).collect()
}

/// One sentence of what several members of a union find wrong at one place.
fn either(misfits: Vec<Misfit>) -> Option<Misfit> {
    let mut misfits = misfits.into_iter();
    let mut first = misfits.next()?;
    for other in misfits {
        match (&mut first.fault, other.fault) {
            (Fault::Wrong { expected, .. }, Fault::Wrong { expected: also, .. }) if first.path == other.path => {
                if *expected != also {
                    expected.push_str(&format!(" or {also}"));
                }
            }
            _ => return None,
        }
    }
    Some(first)
}

fn place_below(path: &Path<'_>, steps: &[String]) -> Place {
    match steps.split_first() {
        None => path.place(At::Value),
        // A list index stands in a pointer as its digits, as a key does.
        Some((step, rest)) => place_below(&path.key(step), rest),
    }
}

fn one_of(options: &Value) -> String {
    or_list(options.as_array().into_iter().flatten().map(|option| format!("`{}`", plain(option))).collect())
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
