//! Two values of one object, field by field. Only for objects that are known to differ: the comparison itself is `==`.
use super::plan::FieldChange;
use crate::model::secret::{looks_secret, masked};
use crate::model::JsonMap;
use crate::model::deployment::{DeploymentSpec, Entrypoint};
use crate::model::overrides::{Override, Overrides};
use serde::Serialize;
use serde_json::{Value, json};

/// The JSON of a specification. What cannot be JSON (no specification is) is `null`.
pub(super) fn value<T: Serialize>(spec: &T) -> Value {
    serde_json::to_value(spec).unwrap_or(Value::Null)
}

/// The JSON of a deployment as its author writes it: `entrypoint` or `command`, and without its schedules.
pub(super) fn of_deployment(spec: &DeploymentSpec) -> Value {
    let Value::Object(fields) = value(spec) else { return Value::Null };
    let mut map = JsonMap::new();
    match &spec.entrypoint {
        None => None,
        Some(code @ (Entrypoint::Python { .. } | Entrypoint::Module { .. })) => {
            map.insert("entrypoint".to_owned(), json!(code.to_string()))
        }
        Some(Entrypoint::Shell { command }) => map.insert("command".to_owned(), json!(command)),
        Some(Entrypoint::Program { arguments }) => map.insert("command".to_owned(), json!(arguments)),
    };
    map.extend(fields.into_iter().filter(|(field, _)| field != "entrypoint" && field != "schedules"));
    Value::Object(map)
}

/// Whether two deployments are the same, schedules apart. Names every field, so that a new one cannot be forgotten.
pub(super) fn same_deployment(a: &DeploymentSpec, b: &DeploymentSpec) -> bool {
    let DeploymentSpec {
        version,
        description,
        tags,
        entrypoint,
        path,
        parameters,
        parameter_schema,
        enforce_parameter_schema,
        work_pool,
        work_queue,
        job_variables,
        pull_steps,
        schedules: _,
        paused,
        concurrency_limit,
        env,
        working_dir,
        retries,
        retry_delay_seconds,
        retry_jitter_factor,
        retry_on,
        timeout_seconds,
        protect,
        on_delete,
        triggers,
    } = a;
    *version == b.version
        && *description == b.description
        && *tags == b.tags
        && *entrypoint == b.entrypoint
        && *path == b.path
        && same_map(parameters, &b.parameters)
        && same_option(parameter_schema.as_ref(), b.parameter_schema.as_ref())
        && *enforce_parameter_schema == b.enforce_parameter_schema
        && *work_pool == b.work_pool
        && *work_queue == b.work_queue
        && same_map(job_variables, &b.job_variables)
        && *pull_steps == b.pull_steps
        && *paused == b.paused
        && *concurrency_limit == b.concurrency_limit
        && *env == b.env
        && *working_dir == b.working_dir
        && *retries == b.retries
        && *retry_delay_seconds == b.retry_delay_seconds
        && *retry_jitter_factor == b.retry_jitter_factor
        && *retry_on == b.retry_on
        && *timeout_seconds == b.timeout_seconds
        && *protect == b.protect
        && *on_delete == b.on_delete
        && *triggers == b.triggers
}

/// Whether two JSON objects are the same; the order of keys means nothing. Asks by hash only where the order differs,
/// which it seldom does: what was stored was written in the file's order.
pub(super) fn same_map(a: &JsonMap, b: &JsonMap) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let in_order = a.iter().zip(b).all(|((a_key, a), (b_key, b))| a_key == b_key && same_value(a, b));
    in_order || a == b
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => same_map(a, b),
        (a, b) => a == b,
    }
}

fn same_option(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_value(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// The fields that differ, in the order of `new`, then those that are gone. Objects are entered, lists are not.
pub(super) fn changes(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    walk("", Some(old), Some(new), &mut changes);
    changes
}

/// The fields of a new object that are not at their defaults.
pub(super) fn set(default: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = changes(default, new);
    changes.retain(|change| change.new.is_some());
    changes.iter_mut().for_each(|change| change.old = None);
    changes
}

/// Names the override that stands over each change, if any. `prefix` is what the changes' fields have before the
/// override's: `schedules/nightly/`.
pub(super) fn shade(changes: &mut [FieldChange], prefix: &str, overrides: &Overrides) {
    for change in changes {
        let Some(field) = change.field.strip_prefix(prefix) else { continue };
        let whole = field.split('/').next().unwrap_or(field);
        if let Some(by) = overrides.get(field).or_else(|| overrides.get(whole)) {
            change.shadowed_by = Some(shown_override(&change.field, by));
        }
    }
}

/// The fields in which people name things as they like, so that a name may say that its value is secret. Elsewhere it
/// cannot: a schedule with the slug `key-rotation` is none, nor is the property `password` of a parameter schema.
const FREE_NAMES: [&str; 6] = ["parameters", "job_variables", "env", "base_job_template", "pull_steps", "triggers"];

/// The value of a field as it may be shown.
pub(super) fn shown(field: &str, value: &Value) -> Value {
    if field.starts_with("parameter_schema") {
        return value.clone();
    }
    let mut names = field.split('/').skip_while(|name| !FREE_NAMES.contains(name));
    masked(names.any(looks_secret), value)
}

/// An override as it may be shown.
pub(super) fn shown_override(field: &str, by: &Override) -> Override {
    Override { value: shown(field, &by.value), ..by.clone() }
}

pub(super) fn change(field: String, old: Option<&Value>, new: Option<&Value>) -> FieldChange {
    FieldChange {
        old: old.map(|value| shown(&field, value)),
        new: new.map(|value| shown(&field, value)),
        in_words: None,
        shadowed_by: None,
        field,
    }
}

fn walk(field: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    let empty = JsonMap::new();
    let (old_map, new_map) = match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => (old, new),
        (Some(Value::Object(old)), None) if !old.is_empty() => (old, &empty),
        (None, Some(Value::Object(new))) if !new.is_empty() => (&empty, new),
        (old, new) if old == new => return,
        (old, new) => return changes.push(change(field.to_owned(), old, new)),
    };
    for (key, value) in new_map {
        walk(&below(field, key), old_map.get(key), Some(value), changes);
    }
    for (key, value) in old_map.iter().filter(|(key, _)| !new_map.contains_key(*key)) {
        walk(&below(field, key), Some(value), None, changes);
    }
}

/// The pointer of a key below a field, escaped as RFC 6901 has it.
fn below(field: &str, key: &str) -> String {
    let key = key.replace('~', "~0").replace('/', "~1");
    if field.is_empty() { key } else { format!("{field}/{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(old: Value, new: Value) -> Vec<String> {
        let text = |value: &Option<Value>| value.as_ref().map_or("absent".to_owned(), Value::to_string);
        changes(&old, &new).iter().map(|c| format!("{}: {} -> {}", c.field, text(&c.old), text(&c.new))).collect()
    }

    #[test]
    fn objects_are_entered_and_lists_are_not() {
        let old = json!({"a": 1, "m": {"x": 1, "y": null}, "l": [1, 2], "gone": {"k": true}});
        let new = json!({"l": [2, 1], "m": {"y": 0, "x": 1, "p/q~": {}}, "a": 1});
        assert_eq!(
            lines(old, new),
            ["l: [1,2] -> [2,1]", "m/y: null -> 0", "m/p~1q~0: absent -> {}", "gone/k: true -> absent"]
        );
    }

    #[test]
    fn the_order_of_keys_means_nothing() {
        assert!(lines(json!({"a": {"x": 1, "y": 2}, "b": 1}), json!({"b": 1, "a": {"y": 2, "x": 1}})).is_empty());
    }

    #[test]
    fn secrets_are_seen_to_change_and_not_shown() {
        let old = json!({"env": {"DB_PASSWORD": "one"}, "parameter_schema": {"properties": {"password": {"type": "string"}}}});
        let new =
            json!({"env": {"DB_PASSWORD": "two"}, "parameter_schema": {"properties": {"password": {"type": "null"}}}});
        assert_eq!(
            lines(old, new),
            [
                "env/DB_PASSWORD: \"***\" -> \"***\"",
                "parameter_schema/properties/password/type: \"string\" -> \"null\""
            ]
        );
    }

    #[test]
    fn only_names_that_people_choose_tell_of_secrets() {
        for (field, masked) in [
            ("schedules/key-rotation/cron", false),
            ("schedules/key-rotation/parameters/api_key", true),
            ("parameters/api_key", true),
            ("parameters/nested/tokens/0", true),
            ("description", false),
            ("env/PATH", false),
        ] {
            assert_eq!(shown(field, &json!("x")) != json!("x"), masked, "{field}");
        }
        let schedule = json!({"slug": "key", "cron": "@daily", "parameters": {"password": "x", "n": "y"}});
        let shown = shown("schedules/key", &schedule);
        assert_eq!(shown, json!({"slug": "key", "cron": "@daily", "parameters": {"password": "***", "n": "y"}}));
    }

    #[test]
    fn a_command_is_shown_as_it_is_written() {
        let shell = DeploymentSpec {
            entrypoint: Some(Entrypoint::Shell { command: "echo hi".to_owned() }),
            ..Default::default()
        };
        let program = DeploymentSpec {
            entrypoint: Some(Entrypoint::Program { arguments: vec!["echo".to_owned(), "hi".to_owned()] }),
            ..Default::default()
        };
        assert_eq!(
            lines(of_deployment(&shell), of_deployment(&program)),
            ["command: \"echo hi\" -> [\"echo\",\"hi\"]"]
        );
    }
}
