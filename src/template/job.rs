//! A work pool's base job template: what it makes of job variables, and what is wrong with them or with itself.
//!
//! As Prefect's workers do it: `variables` is a JSON schema whose defaults fill what nobody set and which the result must fit;
//! `job_configuration` is a template over it. A variable that the template does not name is kept as it is, so that what reeve's
//! executor knows beyond Prefect's works in a pool with Prefect's own template, too.
use super::{Reference, Resolution, Unresolved, render};
use crate::model::JsonMap;
use crate::model::secret::{looks_secret, marked, masked};
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The job variables that the process executor reads, whatever a pool's template says.
pub const OF_PROCESSES: [&str; 17] = [
    "name", "env", "labels", "command", "stream_output", "working_dir", "python", "grace_seconds", "max_output", "env_file", "env_inherit",
    "user", "group", "nice", "umask", "memory_max", "cpu_max",
];

/// The template of one pool, ready for many deployments.
pub struct JobTemplate<'a> {
    pool: &'a str,
    template: &'a JsonMap,
    /// `None`: the schema is none, and checks nothing.
    validator: Option<Validator>,
}

/// One job variable that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The variable's name, then keys and indices below it; empty where the fault is none of a single variable.
    pub path: Vec<String>,
    /// It is required, and there is none.
    pub missing: Option<String>,
    /// What was found and expected.
    pub why: String,
    /// The whole sentence.
    pub message: String,
}

impl<'a> JobTemplate<'a> {
    pub fn new(pool: &'a str, template: &'a JsonMap) -> Self {
        // A schema that a client made up and that is none checks nothing.
        let validator = template.get("variables").and_then(|schema| jsonschema::validator_for(schema).ok());
        JobTemplate { pool, template, validator }
    }

    fn properties(&self) -> Option<&'a JsonMap> {
        self.template.get("variables")?.get("properties")?.as_object()
    }

    /// Whether the template knows a variable of this name.
    pub fn declares(&self, variable: &str) -> bool {
        self.properties().is_some_and(|properties| properties.contains_key(variable))
    }

    /// Those of the variables that nobody reads: the template neither declares nor names them, and `also` does not hold them. A schema that
    /// forbids others says so itself ([`JobTemplate::misfits`]).
    pub fn unread<'v>(&self, variables: &'v JsonMap, also: &[&str]) -> Vec<&'v str> {
        let forbids = self.template.get("variables").and_then(|schema| schema.get("additionalProperties")).is_some_and(|others| others == false);
        if forbids {
            return Vec::new();
        }
        let names = variables.keys().map(String::as_str);
        let mut unread: Vec<&str> = names.filter(|name| !self.declares(name) && !also.contains(name)).collect();
        if let (false, Some(configuration)) = (unread.is_empty(), self.template.get("job_configuration")) {
            render(configuration, &mut |reference| {
                if let Reference::Value(name) = reference {
                    unread.retain(|unread| unread != name);
                }
                Resolution::Keep
            });
        }
        unread
    }

    /// The names of all variables that the template declares.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.properties().into_iter().flat_map(|properties| properties.keys().map(String::as_str))
    }

    /// The variables with the defaults of those that nobody set.
    pub fn filled(&self, mut variables: JsonMap) -> JsonMap {
        for (name, property) in self.properties().into_iter().flatten() {
            if let (Some(default), false) = (property.get("default"), variables.contains_key(name)) {
                variables.insert(name.clone(), default.clone());
            }
        }
        variables
    }

    /// What does not fit of variables in which placeholders may stand: their values pass, since only the start of a run knows them.
    /// Defaults that do not fit are the template's own fault ([`JobTemplate::unfit_defaults`]).
    pub fn misfits(&self, variables: &JsonMap) -> Vec<Misfit> {
        if self.validator.is_none() {
            return Vec::new();
        }
        let value = Value::Object(self.filled(variables.clone()));
        let given = |misfit: &Misfit| misfit.path.first().is_none_or(|name| variables.contains_key(name));
        let known = |misfit: &Misfit| !at(&value, &misfit.path).is_some_and(|found| !misfit.path.is_empty() && has_placeholder(found));
        self.wrong(&value).into_iter().filter(|misfit| given(misfit) && known(misfit)).collect()
    }

    /// What is wrong with variables, of which none that may be secret is said. `{secret: VALUE}` in `env` counts as that value.
    fn wrong(&self, value: &Value) -> Vec<Misfit> {
        let Some(validator) = &self.validator else { return Vec::new() };
        let plain = unmarked(value.clone());
        let is_marked = |path: &[String]| at(value, path).is_some_and(|found| marked(found).is_some() || masked(false, found) != *found);
        let misfit = |error: jsonschema::ValidationError<'_>| {
            let pointer = error.instance_path().to_string();
            let path: Vec<String> = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
            let why = match path.iter().any(|name| looks_secret(name)) || is_marked(&path) {
                true => error.masked().to_string(),
                false => error.to_string(),
            };
            let pool = self.pool;
            let (missing, message) = match (error.kind(), path.is_empty()) {
                (ValidationErrorKind::Required { property }, true) => {
                    let name = property.as_str().map_or_else(|| property.to_string(), str::to_owned);
                    let message = format!("the work pool '{pool}' needs the job variable `{name}`, which nobody gives");
                    (Some(name), message)
                }
                (_, true) => (None, format!("the job variables do not fit the base job template of the work pool '{pool}': {why}")),
                (_, false) => {
                    let name = path.join("/");
                    (None, format!("the job variable {name} does not fit the base job template of the work pool '{pool}': {why}"))
                }
            };
            Misfit { path, missing, why, message }
        };
        validator.iter_errors(&plain).map(misfit).collect()
    }

    /// The defaults that do not fit what their own variable asks for.
    pub fn unfit_defaults(&self) -> Vec<Misfit> {
        let Some(Value::Object(schema)) = self.template.get("variables") else { return Vec::new() };
        let defaults: JsonMap = self.filled(JsonMap::new());
        let mut lenient = schema.clone();
        // What is required is given by whoever runs.
        lenient.remove("required");
        let Ok(validator) = jsonschema::validator_for(&Value::Object(lenient)) else { return Vec::new() };
        let own = JobTemplate { pool: self.pool, template: self.template, validator: Some(validator) };
        own.wrong(&Value::Object(defaults)).into_iter().filter(|misfit| !misfit.path.is_empty()).collect()
    }

    /// The placeholders of the configuration that name no variable; their paths begin at the template.
    pub fn undeclared(&self) -> Vec<Unresolved> {
        let Some(configuration) = self.template.get("job_configuration") else { return Vec::new() };
        let rendered = render(&json!({ "job_configuration": configuration }), &mut |reference| match reference {
            Reference::Value(name) if !self.declares(name) => Resolution::Missing,
            _ => Resolution::Keep,
        });
        rendered.unresolved.into_iter().filter(|place| !place.name.is_empty()).collect()
    }

    /// The command that the template makes of variables, where it makes one: it runs in place of the deployment's.
    pub fn command(&self, variables: &JsonMap) -> Option<String> {
        let command = self.template.get("job_configuration")?.get("command")?;
        let (rendered, _) = rendered(json!({ "command": command }), &self.filled(variables.clone()));
        rendered.get("command")?.as_str().map(str::to_owned)
    }

    /// The configuration that the template makes of variables that hold no placeholders any more.
    ///
    /// # Errors
    /// A sentence: which variable does not fit the schema, and why.
    pub fn configured(&self, variables: JsonMap) -> Result<JsonMap, String> {
        let variables = self.filled(variables);
        let value = Value::Object(variables);
        if let Some(misfit) = self.wrong(&value).into_iter().next() {
            return Err(misfit.message);
        }
        let Value::Object(variables) = value else { return Ok(JsonMap::new()) };
        let Some(configuration @ Value::Object(_)) = self.template.get("job_configuration") else { return Ok(variables) };
        let (rendered, named) = rendered(configuration.clone(), &variables);
        let Value::Object(mut result) = rendered else { return Ok(variables) };
        for (name, value) in variables {
            if !named.contains(&name) {
                result.entry(name).or_insert(value);
            }
        }
        Ok(result)
    }
}

/// The variables with the marks of secrets in `env` taken away, since a schema asks for their values.
fn unmarked(mut variables: Value) -> Value {
    for value in variables.get_mut("env").and_then(Value::as_object_mut).into_iter().flat_map(|env| env.values_mut()) {
        if let Some(inner) = marked(value) {
            *value = inner.clone();
        }
    }
    variables
}

fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

fn has_placeholder(value: &Value) -> bool {
    !render(value, &mut |_| Resolution::Missing).unresolved.is_empty()
}

/// The configuration with the variables put in, and the names that it uses. What is nothing but a variable that nobody set is left
/// out; inside a text such a variable is nothing.
fn rendered(mut configuration: Value, variables: &JsonMap) -> (Value, BTreeSet<String>) {
    let mut named = BTreeSet::new();
    let unset = render(&configuration, &mut |reference| match reference {
        Reference::Value(name) => {
            named.insert((*name).to_owned());
            if variables.contains_key(*name) { Resolution::Keep } else { Resolution::Missing }
        }
        _ => Resolution::Keep,
    });
    for place in unset.unresolved.iter().filter(|place| place.whole) {
        if let Some((parent, key)) = place.path.rsplit_once('/')
            && let Some(Value::Object(map)) = configuration.pointer_mut(parent)
        {
            map.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
    }
    let rendered = render(&configuration, &mut |reference| match reference {
        Reference::Value(name) => Resolution::Value(variables.get(*name).cloned().unwrap_or_else(|| "".into())),
        _ => Resolution::Keep,
    });
    (rendered.value, named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> JsonMap {
        value.as_object().cloned().unwrap_or_default()
    }

    /// The process template that Prefect's server hands out, shortened.
    fn prefects() -> JsonMap {
        map(json!({
            "job_configuration": {"command": "{{ command }}", "env": "{{ env }}", "working_dir": "{{ working_dir }}", "name": "run-{{ name }}{{ gone }}", "labels": {"a": "{{ label }}", "b": "c"}},
            "variables": {"type": "object", "properties": {
                "name": {"type": "string", "default": "x"},
                "env": {"type": "object", "additionalProperties": {"type": "string"}},
                "command": {"type": "string"},
                "working_dir": {"type": "string", "default": "/srv"},
            }},
        }))
    }

    #[test]
    fn a_template_fills_defaults_renders_and_drops_what_is_not_set() {
        let variables = map(json!({"env": {"A": "1"}, "nice": 5}));
        let made = JobTemplate::new("p", &prefects()).configured(variables).unwrap();
        assert_eq!(Value::Object(made), json!({"env": {"A": "1"}, "working_dir": "/srv", "name": "run-x", "labels": {"b": "c"}, "nice": 5}));
    }

    #[test]
    fn what_does_not_fit_the_schema_is_named() {
        let template = prefects();
        let template = JobTemplate::new("p", &template);
        let error = template.configured(map(json!({"working_dir": 7}))).unwrap_err();
        assert!(error.starts_with("the job variable working_dir does not fit the base job template of the work pool 'p': 7 is not"), "{error}");
        assert!(template.configured(map(json!({"env": {"A": 1}}))).unwrap_err().contains("job variable env/A"));
        for (name, value) in [("API_TOKEN", json!(77777777)), ("Q", json!({"secret": 77777777}))] {
            let secret = template.configured(map(json!({"env": {name: value}}))).unwrap_err();
            assert!(secret.contains(&format!("env/{name}")) && !secret.contains("77777777"), "{secret}");
        }
        let whole = template.configured(map(json!({"env": [{"secret": "77777777"}]}))).unwrap_err();
        assert!(whole.contains("variable env does") && !whole.contains("77777777"), "{whole}");
        assert_eq!(template.misfits(&map(json!({"env": {"Q": {"secret": "{{ $PLAIN }}"}, "R": {"secret": "text"}}}))), []);
    }

    #[test]
    fn before_the_start_placeholders_pass_and_what_is_required_is_named() {
        let template = map(json!({
            "job_configuration": {"command": "run {{ region }} {{ gone }}"},
            "variables": {"type": "object", "required": ["region"], "properties": {
                "region": {"type": "string", "enum": ["eu", "us"]},
                "size": {"type": "integer", "maximum": 8, "default": "big"},
            }},
        }));
        let template = JobTemplate::new("p", &template);
        let found = |variables: Value| -> Vec<String> { template.misfits(&map(variables)).into_iter().map(|misfit| misfit.message).collect() };
        assert_eq!(found(json!({})), ["the work pool 'p' needs the job variable `region`, which nobody gives"]);
        assert_eq!(found(json!({"region": "{{ $REGION }}", "size": "{{ $SIZE }}"})), [""; 0]);
        assert_eq!(found(json!({"region": "mars", "size": 9})).len(), 2);
        assert_eq!(template.unfit_defaults().into_iter().map(|misfit| misfit.path).collect::<Vec<_>>(), [["size"]]);
        assert_eq!(template.undeclared().into_iter().map(|place| place.name).collect::<Vec<_>>(), ["gone"]);
        let given = map(json!({"region": "eu", "gone": 1, "sise": 2, "nice": 3}));
        assert_eq!(template.unread(&given, &OF_PROCESSES), ["sise"]);
        assert_eq!(template.command(&map(json!({"region": "eu"}))).as_deref(), Some("run eu "));
    }
}
