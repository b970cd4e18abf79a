//! From job variables to what a run is started with: the pool's base job template, its defaults and its schema.
//!
//! As Prefect's workers do it: `variables` is a JSON schema whose defaults fill what nobody set and which the result must fit;
//! `job_configuration` is a template over it. A variable that the template does not name is kept as it is, so that what this
//! executor knows beyond Prefect's works in a pool with Prefect's own template, too.
use crate::executor::confinement::Confinement;
use crate::model::JsonMap;
use crate::model::size::bytes;
use crate::template::{self, Reference, Resolution};
use serde_json::Value;
use std::collections::BTreeSet;

/// The configuration that a pool's template makes of variables.
///
/// # Errors
/// A sentence: which variable does not fit the schema, and why.
pub fn configured(template: Option<&JsonMap>, mut variables: JsonMap) -> Result<JsonMap, String> {
    let Some(template) = template else { return Ok(variables) };
    let schema = template.get("variables");
    let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if let (Some(default), false) = (property.get("default"), variables.contains_key(name)) {
            variables.insert(name.clone(), default.clone());
        }
    }
    if let Some((variable, why)) = schema.and_then(|schema| misfit(schema, &variables)) {
        return Err(format!("the job variable {variable} does not fit the base job template of the work pool: {why}"));
    }
    let Some(configuration @ Value::Object(_)) = template.get("job_configuration") else { return Ok(variables) };
    let (rendered, named) = rendered(configuration.clone(), &variables);
    let Value::Object(mut result) = rendered else { return Ok(variables) };
    for (name, value) in variables {
        if !named.contains(&name) {
            result.entry(name).or_insert(value);
        }
    }
    Ok(result)
}

/// The first variable that does not fit the JSON schema, and why.
fn misfit(schema: &Value, variables: &JsonMap) -> Option<(String, String)> {
    // A schema that a client made up and that is none checks nothing.
    let validator = jsonschema::validator_for(schema).ok()?;
    let value = Value::Object(variables.clone());
    let error = validator.iter_errors(&value).next()?;
    let path = error.instance_path().to_string();
    let field = if path.is_empty() { "variables" } else { path.trim_start_matches('/') };
    Some((field.to_owned(), error.to_string()))
}

/// The configuration with the variables put in, and the names that it uses. What is nothing but a variable that nobody set is left
/// out; inside a text such a variable is nothing.
fn rendered(mut configuration: Value, variables: &JsonMap) -> (Value, BTreeSet<String>) {
    let mut named = BTreeSet::new();
    let unset = template::render(&configuration, &mut |reference| match reference {
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
    let rendered = template::render(&configuration, &mut |reference| match reference {
        Reference::Value(name) => Resolution::Value(variables.get(*name).cloned().unwrap_or_else(|| "".into())),
        _ => Resolution::Keep,
    });
    (rendered.value, named)
}

/// As whom a run runs and what it may use.
///
/// # Errors
/// A sentence: which variable is wrong, and what was expected.
pub fn confinement(variables: &JsonMap) -> Result<Confinement, String> {
    let text = |name: &str| match variables.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(format!("the job variable {name} is {other}; expected a name or a number")),
    };
    let nice = text("nice")?.map(|nice| nice.parse::<i32>().ok().filter(|nice| (-20..=19).contains(nice)).ok_or(nice)).transpose();
    let mask = text("umask")?.map(|mask| u32::from_str_radix(&mask, 8).ok().filter(|mask| *mask <= 0o777).ok_or(mask)).transpose();
    let memory = text("memory_max")?.map(|size| bytes(&size).ok_or(size)).transpose();
    let cpu = text("cpu_max")?.map(|cpu| cpu.parse::<f64>().ok().filter(|cpu| *cpu > 0.0 && cpu.is_finite()).ok_or(cpu)).transpose();
    let wrong = |name: &'static str, expected: &'static str| move |found: String| format!("the job variable {name} is {found}; expected {expected}");
    Ok(Confinement {
        user: text("user")?,
        group: text("group")?,
        nice: nice.map_err(wrong("nice", "a whole number from -20 to 19"))?,
        umask: mask.map_err(wrong("umask", "octal digits such as \"027\""))?,
        memory_max: memory.map_err(wrong("memory_max", "bytes, or a size such as 512M or 2G"))?,
        cpu_max: cpu.map_err(wrong("cpu_max", "a number of processors, such as 0.5"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let made = configured(Some(&prefects()), variables.clone()).unwrap();
        assert_eq!(Value::Object(made), json!({"env": {"A": "1"}, "working_dir": "/srv", "name": "run-x", "labels": {"b": "c"}, "nice": 5}));
        assert_eq!(configured(None, variables.clone()).unwrap(), variables);
    }

    #[test]
    fn what_does_not_fit_the_schema_is_named() {
        let error = configured(Some(&prefects()), map(json!({"working_dir": 7}))).unwrap_err();
        assert!(error.starts_with("the job variable working_dir does not fit the base job template of the work pool: 7 is not"), "{error}");
        assert!(configured(Some(&prefects()), map(json!({"env": {"A": 1}}))).unwrap_err().contains("job variable env/A"));
    }

    #[test]
    fn a_confinement_is_read_or_refused_with_what_was_expected() {
        let read = confinement(&map(json!({"user": 1000, "group": "staff", "nice": "10", "umask": "027", "memory_max": "512M", "cpu_max": 0.5}))).unwrap();
        let expected = Confinement {
            user: Some("1000".into()), group: Some("staff".into()), nice: Some(10), umask: Some(0o27), memory_max: Some(512 << 20), cpu_max: Some(0.5),
        };
        assert_eq!(read, expected);
        for (variables, expected) in [
            (json!({"nice": 20}), "-20 to 19"),
            (json!({"umask": "9"}), "octal"),
            (json!({"memory_max": "much"}), "512M"),
            (json!({"memory_max": "-1"}), "512M"),
            (json!({"cpu_max": 0}), "processors"),
            (json!({"user": ["root"]}), "a name or a number"),
        ] {
            let error = confinement(&map(variables.clone())).unwrap_err();
            assert!(error.contains(expected), "{variables}: {error}");
        }
        assert!(confinement(&JsonMap::new()).unwrap().is_none());
    }
}
