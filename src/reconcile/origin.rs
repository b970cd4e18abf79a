//! Where each effective field of a deployment comes from: a line of a file, an operator's override, a default, the source code, a client.
//!
//! Places are not stored. They are looked up in the files as they are now, and only where those still say what was applied.
use super::{fields, schedules, shape};
use crate::model::JsonMap;
use crate::model::deployment::{Deployment, DeploymentSpec};
use crate::model::overrides::{Override, Overrides};
use crate::model::position::Position;
use crate::model::schedule::{Schedule, ScheduleDeclaration};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// A field with its effective value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// JSON pointer below the deployment without the leading slash: `parameters/days`, `schedules/nightly/cron`.
    pub field: String,
    pub value: Value,
    pub source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// A file says it. `line` and `column` count from 1; `None` where the file says something else by now, or is gone.
    File {
        file: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        column: Option<u32>,
        changed_since: bool,
        /// The file was read, and does not declare the deployment any more: it is kept.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left_out: bool,
    },
    /// An operator said it; `under` is what holds again when that is cleared.
    Override {
        who: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        under: Box<Under>,
    },
    Default,
    /// The flow's docstring or signature says it.
    Code { entrypoint: String },
    /// Nobody declares the deployment: whoever made or changed it by the API or a command said it.
    Client,
}

/// What stands under an override.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Under {
    pub value: Value,
    pub source: Source,
}

impl Source {
    /// Says that what stood in a file does not stand there any more, because the deployment was removed from it.
    pub fn leave_out(&mut self) {
        match self {
            Source::File { left_out, line: None, .. } => *left_out = true,
            Source::Override { under, .. } => under.source.leave_out(),
            _ => {}
        }
    }
}

impl fmt::Display for Source {
    /// `deployment.yaml:12`, `override by alice since ...: load test`, `default`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File { file, line: Some(line), .. } => write!(f, "{file}:{line}"),
            Source::File { file, left_out: true, .. } => write!(f, "{file} (no longer there)"),
            Source::File { file, .. } => write!(f, "{file} (changed since)"),
            Source::Override { who, why, since, until, .. } => {
                write!(f, "override by {who} since {since:.0}")?;
                if let Some(until) = until {
                    write!(f, " until {until}")?;
                }
                match why {
                    Some(why) => write!(f, ": {why}"),
                    None => Ok(()),
                }
            }
            Source::Default => f.write_str("default"),
            Source::Code { entrypoint } => write!(f, "source code of {entrypoint}"),
            Source::Client => f.write_str("client"),
        }
    }
}

/// The deployment as its file declares it now, and how to find a place in that file.
pub struct Now<'a> {
    pub spec: &'a DeploymentSpec,
    /// Of the deployment in its file.
    pub pointer: &'a str,
    /// The place of a JSON pointer in that file; `None`: nothing stands there.
    pub find: &'a dyn Fn(&str) -> Option<Position>,
}

/// Every field of a deployment, then those of its schedules. `now`: `None` where its file is gone, is wrong, or declares it no longer.
pub fn of(deployment: &Deployment, now: Option<&Now<'_>>) -> Vec<Origin> {
    let explained = Explained { deployment, now };
    let applied = Rows::of(&deployment.declared);
    let current = now.map(|now| Rows::of(now.spec));
    let mut origins = Vec::new();
    for (field, value) in &applied.0 {
        let default = default_of(field);
        let current = current.as_ref().map(|rows| rows.get(field));
        let source = explained.source(field, value, current, *value == default, &keys_of(field));
        origins.push(laid_over(field.clone(), value.clone(), source, &deployment.overrides, field));
    }
    for schedule in &deployment.schedules {
        origins.extend(explained.schedule(schedule));
    }
    origins
}

/// Fields with their values, defaults filled in. Maps that people fill key by key are entered.
struct Rows(Vec<(String, Value)>);

const ENTERED: [&str; 3] = ["parameters", "job_variables", "env"];

impl Rows {
    fn of(spec: &DeploymentSpec) -> Self {
        let Value::Object(said) = fields::of_deployment(spec) else { return Rows(Vec::new()) };
        let mut rows: Vec<(String, Value)> = Vec::new();
        for field in FIELDS {
            match said.get(field) {
                Some(Value::Object(map)) if ENTERED.contains(&field) => {
                    rows.extend(map.iter().map(|(key, value)| (format!("{field}/{}", escaped(key)), value.clone())));
                }
                Some(value) => rows.push((field.to_owned(), value.clone())),
                // What is started is one of the two.
                None if field == "entrypoint" || field == "command" => {}
                None => rows.push((field.to_owned(), default_of(field))),
            }
        }
        Rows(rows)
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }
}

const FIELDS: [&str; 25] = [
    "entrypoint", "command", "version", "description", "tags", "path", "working_dir", "parameters", "parameter_schema",
    "enforce_parameter_schema", "work_pool", "work_queue", "job_variables", "pull_steps", "paused", "concurrency_limit", "env", "retries",
    "retry_delay_seconds", "retry_jitter_factor", "retry_on", "timeout_seconds", "protect", "on_delete", "triggers",
];

fn default_of(field: &str) -> Value {
    match field {
        "tags" | "retry_delay_seconds" | "retry_on" | "triggers" => json!([]),
        "parameters" | "job_variables" | "env" => json!({}),
        "enforce_parameter_schema" => json!(true),
        "paused" | "protect" => json!(false),
        "retries" => json!(0),
        "retry_jitter_factor" => json!(0.0),
        "on_delete" => json!("finish"),
        _ => Value::Null,
    }
}

/// The manifest's keys that may say a field, the one that counts first; from the top of the file where they begin with `/`.
fn keys_of(field: &str) -> Vec<String> {
    let (whole, key) = field.split_once('/').map_or((field, None), |(whole, key)| (whole, Some(key)));
    let keys: &[&str] = match whole {
        "work_pool" => &["work_pool/name", "work_pool_name", "work_pool"],
        "work_queue" => &["work_pool/work_queue_name", "work_queue_name"],
        "job_variables" => &["job_variables", "work_pool/job_variables", "infra_overrides"],
        "paused" => &["paused", "is_paused", "is_schedule_active"],
        "pull_steps" => &["pull", "/pull"],
        "parameter_schema" => &["parameter_openapi_schema"],
        whole => &[whole],
    };
    let mut keys: Vec<String> = keys.iter().map(|name| key.map_or_else(|| (*name).to_owned(), |key| format!("{name}/{key}"))).collect();
    // Some job variables have a key of their own: `nice`.
    keys.extend(key.filter(|_| whole == "job_variables").map(str::to_owned));
    keys
}

struct Explained<'a> {
    deployment: &'a Deployment,
    now: Option<&'a Now<'a>>,
}

impl Explained<'_> {
    /// The source of a value without its override. `current`: what the file says of the field now.
    fn source(&self, field: &str, value: &Value, current: Option<Option<&Value>>, is_default: bool, keys: &[String]) -> Source {
        let Some(owner) = &self.deployment.owner else {
            return if is_default { Source::Default } else { Source::Client };
        };
        let changed = Source::File { file: owner.file.clone(), line: None, column: None, changed_since: true, left_out: false };
        let is_same = current == Some(Some(value));
        let place = self.now.filter(|_| is_same).and_then(|now| {
            let pointer = |key: &String| if key.starts_with('/') { key.clone() } else { format!("{}/{key}", now.pointer) };
            keys.iter().find_map(|key| (now.find)(&pointer(key)))
        });
        match place {
            Some(place) => at(place),
            None if is_default && (is_same || self.now.is_none()) => Source::Default,
            None if self.is_code(field, is_same) => {
                let entrypoint = self.deployment.declared.entrypoint.as_ref().map(ToString::to_string);
                Source::Code { entrypoint: entrypoint.unwrap_or_default() }
            }
            // It stands in another way than the keys tell: the deployment's own place is near enough.
            None if is_same => self.now.and_then(|now| (now.find)(now.pointer)).map_or(changed, at),
            None => changed,
        }
    }

    fn is_code(&self, field: &str, is_same: bool) -> bool {
        field == "parameter_schema" || (field == "description" && is_same)
    }

    fn schedule(&self, schedule: &Schedule) -> Vec<Origin> {
        let found = self.now.and_then(|now| {
            let mut pairs = schedules::going_on(&self.deployment.schedules, &now.spec.schedules);
            let (_, _, declared) = pairs.find(|(_, old, _)| old.id == schedule.id)?;
            let index = now.spec.schedules.iter().position(|candidate| std::ptr::eq(candidate, declared))?;
            Some((index, schedule_rows(declared)))
        });
        let mut origins = Vec::new();
        for (key, value) in schedule_rows(&schedule.declared) {
            let field = format!("schedules/{}/{key}", schedule.key);
            let is_default = schedule_defaults().iter().any(|(name, default)| *name == key && *default == value);
            let current = found.as_ref().map(|(_, rows)| rows.get(&key));
            let keys = found.as_ref().map(|(index, _)| schedule_keys(*index, &key)).unwrap_or_default();
            let source = self.source(&field, &value, current, is_default, &keys);
            origins.push(laid_over(field, value, source, &schedule.overrides, &key));
        }
        origins
    }
}

/// In the manifest's words, with the defaults that everybody asks about.
fn schedule_rows(declared: &ScheduleDeclaration) -> JsonMap {
    let Value::Object(mut rows) = shape::of(declared) else { return JsonMap::new() };
    for (key, default) in schedule_defaults() {
        rows.entry(key.to_owned()).or_insert(default);
    }
    rows
}

fn schedule_defaults() -> [(&'static str, Value); 6] {
    [
        ("timezone", json!("UTC")),
        ("active", json!(true)),
        ("missed", json!("latest")),
        ("on_resume", json!("skip")),
        ("overlap", json!("allow")),
        ("expire_after", Value::Null),
    ]
}

/// Where a field of a schedule may stand: in its entry (flat, or the rule nested), in the only one, or for the whole deployment.
fn schedule_keys(index: usize, key: &str) -> Vec<String> {
    let names: &[&str] = match key {
        "missed" => &["missed", "catchup"],
        "overlap" => &["overlap", "max_active_runs"],
        _ => &[key],
    };
    let entries = [format!("schedules/{index}"), format!("schedules/{index}/schedule"), format!("schedule/{index}"), "schedule".to_owned(), "schedules".to_owned()];
    let mut keys: Vec<String> = entries.iter().flat_map(|entry| names.iter().map(move |name| format!("{entry}/{name}"))).collect();
    const OF_THE_DEPLOYMENT: [&str; 11] =
        ["missed", "on_resume", "overlap", "expire_after", "jitter", "spread", "starts", "ends", "exclude", "include", "dst"];
    if OF_THE_DEPLOYMENT.contains(&key) {
        keys.push(key.to_owned());
    }
    // A text that stands for a whole schedule.
    if key == "cron" {
        keys.extend([format!("schedules/{index}"), "schedule".to_owned()]);
    }
    keys
}

fn laid_over(field: String, value: Value, source: Source, overrides: &Overrides, name: &str) -> Origin {
    let declared = fields::shown(&field, &value);
    match overrides.get(name) {
        None => Origin { field, value: declared, source },
        Some(Override { value, who, why, since, until }) => {
            let under = Box::new(Under { value: declared, source });
            let source = Source::Override { who: who.clone(), why: why.clone(), since: *since, until: *until, under };
            Origin { value: fields::shown(&field, value), field, source }
        }
    }
}

fn at(place: Position) -> Source {
    Source::File { file: place.file, line: Some(place.line), column: Some(place.column), changed_since: false, left_out: false }
}

/// A key as RFC 6901 writes it in a pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_row() {
        // Names every field: one that is new in the model does not compile here until it is explained.
        #[rustfmt::skip]
        let DeploymentSpec {
            version: _, description: _, tags: _, entrypoint: _, path: _, parameters: _, parameter_schema: _, enforce_parameter_schema: _,
            work_pool: _, work_queue: _, job_variables: _, pull_steps: _, schedules: _, paused: _, concurrency_limit: _, env: _,
            working_dir: _, retries: _, retry_delay_seconds: _, retry_jitter_factor: _, retry_on: _, timeout_seconds: _, protect: _, on_delete: _, triggers: _,
        } = DeploymentSpec::default();
        // `command` is the other half of the entrypoint, and schedules have rows of their own.
        let rows = Rows::of(&DeploymentSpec::default());
        assert_eq!((rows.0.len(), FIELDS.len()), (23, 25));
        assert!(rows.0.iter().all(|(field, value)| *value == default_of(field)), "{:?}", rows.0);
    }
}
