//! Keys of a deployment that say how its processes run: other words for job variables of the process executor, so that a pool's base
//! job template and a run's own job variables stand beside them.
use super::node::Node;
use super::report::{At, Problem, described, shown};
use super::words;
use crate::model::JsonMap;
use crate::model::size::{SMALLEST_LOG, SMALLEST_MEMORY, bytes};
use serde_json::Value;

/// The keys; each is the job variable of the same name.
pub const KEYS: [&str; 11] =
    ["user", "group", "nice", "umask", "memory_max", "cpu_max", "max_output", "python", "grace_seconds", "env_file", "env_inherit"];

/// Between SIGTERM and SIGKILL: a run that is told to stop holds its slots so long at most.
const LONGEST_GRACE: f64 = 86_400.0;

/// Adds what the keys say to the job variables.
pub fn read(node: &Node<'_>, job_variables: &mut JsonMap) {
    for key in KEYS {
        let Some(field) = node.field(key) else { continue };
        let Some(value) = value_of(key, &field) else { continue };
        match job_variables.get(key) {
            Some(other) if *other != value => {
                let message = format!("`{key}` is {}, and the job variable `{key}` {}; expected one of them", described(&value), described(other));
                node.report.push(Problem::error("two-job-variables", message, field.place(At::Key)));
            }
            _ => drop(job_variables.insert(key.to_owned(), value)),
        }
    }
}

/// The value, where it is right.
fn value_of(key: &str, field: &Node<'_>) -> Option<Value> {
    if let Some(problem) = misfit(key, field.value) {
        field.report.push(Problem::error(CODE, problem.message, field.place(At::Value)).maybe_help(problem.help));
        return None;
    }
    let text = field.value.as_str().map(str::trim);
    Some(match key {
        "env_inherit" => text.and_then(words::boolean).map_or_else(|| field.value.clone(), Value::Bool),
        "nice" | "cpu_max" | "grace_seconds" if field.value.is_string() => number(field.value).map_or_else(|| field.value.clone(), number_of),
        _ => field.value.clone(),
    })
}

/// The code of values that are wrong.
pub const CODE: &str = "wrong-value";

/// What is wrong with a value.
pub struct Misfit {
    pub message: String,
    pub help: Option<String>,
}

/// What is wrong with one of the `KEYS`, wherever it stands.
pub fn misfit(key: &str, value: &Value) -> Option<Misfit> {
    let number = number(value);
    let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
    let whole = number.filter(|number| number.fract() == 0.0);
    let size = text.map(str::to_owned).or_else(|| whole.map(|number| number.to_string()));
    let (right, expected, help) = match key {
        "user" | "group" => (text.is_some() || whole.is_some_and(|id| id >= 0.0), "a name or a number", None),
        "nice" => (whole.is_some_and(|nice| (-20.0..=19.0).contains(&nice)), "a whole number from -20 (first) to 19 (last)", None),
        // YAML reads 022 as eighteen or as twenty-two, as its version has it.
        "umask" => (is_mask(text), "octal digits in quotes, such as \"027\"", Some("YAML would read bare digits as another number")),
        "memory_max" | "max_output" => {
            let (least, said) = match key {
                "memory_max" => (SMALLEST_MEMORY, "bytes, or a size such as 512M or 2G; at least 1M"),
                _ => (SMALLEST_LOG, "bytes, or a size such as 512K or 64M; at least 128K"),
            };
            (size.as_deref().and_then(bytes).is_some_and(|bytes| bytes >= least), said, None)
        }
        "cpu_max" => (number.is_some_and(|cpu| cpu > 0.0 && cpu.is_finite()), "a number of processors, such as 0.5", None),
        "grace_seconds" => (number.is_some_and(|seconds| (0.0..=LONGEST_GRACE).contains(&seconds)), "seconds, from 0 to 86400 (a day)", None),
        "env_inherit" => (inherits(value), "`true`, `false`, or a list of names of variables", None),
        "env_file" => (text.is_some_and(is_below), "a path below the project's directory", None),
        _ => (text.is_some(), "a path", None),
    };
    let message = || format!("{} is {}; expected {expected}", shown(key), described(value));
    (!right).then(|| Misfit { message: message(), help: help.map(str::to_owned) })
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    }
}

fn inherits(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::String(word) => words::boolean(word).is_some(),
        Value::Array(names) => names.iter().all(|name| name.as_str().is_some_and(|name| !name.is_empty() && !name.contains('='))),
        _ => false,
    }
}

fn number_of(number: f64) -> Value {
    match number.fract() == 0.0 && number.abs() < 1e15 {
        true => Value::from(number as i64),
        false => Value::from(number),
    }
}

fn is_mask(text: Option<&str>) -> bool {
    text.is_some_and(|text| u32::from_str_radix(text, 8).is_ok_and(|mask| mask <= 0o777))
}

fn is_below(path: &str) -> bool {
    !path.starts_with('/') && path.split('/').all(|part| part != "..")
}
