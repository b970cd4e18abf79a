//! What is stored as the entries of a project file that declare exactly that: for taking over what nobody declares yet.
//!
//! Only what is not at its default is written, in the manifest's own words. What only the source code says (the schema of the
//! parameters) is not, and what may be secret is masked.
use super::{fields, shape};
use crate::manifest::{scalar, yaml};
use crate::model::JsonMap;
use crate::model::deployment::{
    CollisionStrategy, ConcurrencyLimit, Deployment, DeploymentSpec, Entrypoint, FullName, OnDelete,
};
use crate::model::schedule::ScheduleDeclaration;
use crate::model::secret::MASK;
use crate::model::work_pool::{DEFAULT_QUEUE, WorkPool, WorkPoolSpec, WorkQueue, WorkQueueSpec};
use crate::schedule::Period;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A project file that declares some objects.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Entries {
    /// The file's lists, to be added to those that are there.
    pub yaml: String,
    /// What must be completed by hand: masked values, calendars that came from files.
    pub remarks: Vec<String>,
}

/// Collects the entries of a file.
#[derive(Debug, Default)]
pub struct Writer {
    work_pools: Vec<Value>,
    deployments: Vec<Value>,
    calendars: BTreeMap<String, Vec<String>>,
    remarks: Vec<String>,
}

impl Writer {
    /// Adds a deployment with its schedules, as it is declared: overrides stay what they are.
    pub fn deployment(&mut self, deployment: &Deployment) {
        let schedules = deployment.schedules.iter().map(|schedule| schedule.declared.clone()).collect();
        let spec = DeploymentSpec { schedules, ..deployment.declared.clone() };
        self.spec(&deployment.name, &spec);
    }

    /// Adds a deployment by its specification.
    pub fn spec(&mut self, name: &FullName, spec: &DeploymentSpec) {
        for schedule in &spec.schedules {
            self.calendars(schedule, name);
        }
        let entry = self.masked(&name.to_string(), deployment(name, spec));
        self.deployments.push(entry);
    }

    /// Adds a work pool with its queues. The queue `default` is everybody's and is written only where it is not plain.
    pub fn work_pool<'q>(&mut self, pool: &WorkPool, queues: impl IntoIterator<Item = &'q WorkQueue>) {
        let mut entry = work_pool(&pool.name, &pool.declared);
        let told = |queue: &&WorkQueue| queue.name != DEFAULT_QUEUE || queue.declared != WorkQueueSpec::default();
        let queues: Vec<Value> = queues.into_iter().filter(told).map(|queue| Value::Object(work_queue(&queue.name, &queue.declared))).collect();
        if !queues.is_empty() {
            entry.insert("queues".to_owned(), Value::Array(queues));
        }
        let entry = self.masked(&pool.name, entry);
        self.work_pools.push(entry);
    }

    /// The file.
    pub fn finish(self) -> Entries {
        let mut file = Map::new();
        let calendars: Map<String, Value> = self.calendars.into_iter().map(|(name, spans)| (name, json!(spans))).collect();
        if !calendars.is_empty() {
            file.insert("calendars".to_owned(), Value::Object(calendars));
        }
        let mut text = if file.is_empty() { String::new() } else { yaml(&Value::Object(file), 0) };
        for (key, list) in [("work_pools", self.work_pools), ("deployments", self.deployments)] {
            if !list.is_empty() {
                text.push_str(&format!("{}:\n{}", scalar(key), yaml(&Value::Array(list), 2)));
            }
        }
        Entries { yaml: text, remarks: self.remarks }
    }

    /// Calendars are named by schedules, and must be declared in the file that names them.
    fn calendars(&mut self, schedule: &ScheduleDeclaration, deployment: &FullName) {
        let limits = &schedule.spec.limits;
        for period in limits.exclude.iter().chain(&limits.include) {
            let Some(calendar) = period.calendar() else { continue };
            let (spans, span) = (self.calendars.entry(calendar.to_owned()).or_default(), period.span.to_string());
            if !spans.contains(&span) {
                spans.push(span);
            }
            self.remarks.extend(event_remark(period, calendar, deployment));
        }
        self.remarks.dedup();
    }

    fn masked(&mut self, name: &str, entry: Map<String, Value>) -> Value {
        let shown: Map<String, Value> = entry.iter().map(|(key, value)| (key.clone(), fields::shown(key, value))).collect();
        let hidden: Vec<String> = fields::changes(&Value::Object(entry), &Value::Object(shown.clone())).into_iter().map(|change| change.field).collect();
        if !hidden.is_empty() {
            self.remarks.push(format!("`{MASK}` stands for values of {name} that may be secret ({}): put them in yourself", hidden.join(", ")));
        }
        Value::Object(shown)
    }
}

fn event_remark(period: &Period, calendar: &str, deployment: &FullName) -> Option<String> {
    period.event()?;
    Some(format!("the calendar `{calendar}` of {deployment} came from a file with names of events: declare that file instead, where you have it"))
}

/// The fields that are not at their defaults. Names every field, so that a new one cannot be forgotten.
fn deployment(name: &FullName, spec: &DeploymentSpec) -> Map<String, Value> {
    let DeploymentSpec {
        version,
        description,
        tags,
        entrypoint,
        path,
        parameters,
        parameter_schema: _,
        enforce_parameter_schema,
        work_pool,
        work_queue,
        job_variables,
        pull_steps,
        schedules,
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
    } = spec;
    let mut map = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    };
    set("name", Some(json!(name.deployment)));
    set("flow_name", (implied_flow(name, entrypoint.as_ref()) != Some(name.flow.clone())).then(|| json!(name.flow)));
    set("version", version.as_ref().map(|version| json!(version)));
    set("description", description.as_ref().map(|description| json!(description)));
    set("tags", (!tags.is_empty()).then(|| json!(tags)));
    match entrypoint {
        None => {}
        Some(code @ (Entrypoint::Python { .. } | Entrypoint::Module { .. })) => set("entrypoint", Some(json!(code.to_string()))),
        Some(Entrypoint::Shell { command }) => set("command", Some(json!(command))),
        Some(Entrypoint::Program { arguments }) => set("command", Some(json!(arguments))),
    }
    set("path", path.as_ref().map(|path| json!(path)));
    set("working_dir", working_dir.as_ref().map(|directory| json!(directory)));
    set("parameters", object(parameters));
    set("enforce_parameter_schema", (!enforce_parameter_schema).then_some(json!(false)));
    set("schedules", (!schedules.is_empty()).then(|| schedules.iter().map(shape::of).collect()));
    set("paused", paused.then_some(json!(true)));
    set("work_pool", pool_of(work_pool.as_deref(), work_queue.as_deref()));
    set("job_variables", object(job_variables));
    set("pull", pull_steps.as_ref().map(|steps| json!(steps)));
    set("concurrency_limit", concurrency_limit.as_ref().map(limit));
    set("env", (!env.is_empty()).then(|| json!(env)));
    set("retries", (*retries > 0).then_some(json!(retries)));
    set("retry_delay_seconds", match &retry_delay_seconds[..] {
        [] => None,
        [one] => Some(seconds(*one)),
        many => Some(many.iter().copied().map(seconds).collect()),
    });
    set("retry_jitter_factor", (*retry_jitter_factor > 0.0).then(|| json!(retry_jitter_factor)));
    set("retry_on", (!retry_on.is_empty()).then(|| json!(retry_on)));
    set("timeout_seconds", timeout_seconds.map(seconds));
    set("protect", protect.then_some(json!(true)));
    set("on_delete", (*on_delete == OnDelete::Cancel).then_some(json!("cancel")));
    set("triggers", (!triggers.is_empty()).then(|| json!(triggers)));
    map
}

/// The flow's name where none is written: the function's, or the deployment's own.
fn implied_flow(name: &FullName, entrypoint: Option<&Entrypoint>) -> Option<String> {
    match entrypoint? {
        Entrypoint::Python { function, .. } | Entrypoint::Module { function, .. } => {
            Some(function.rsplit('.').next().unwrap_or(function).replace('_', "-"))
        }
        Entrypoint::Shell { .. } | Entrypoint::Program { .. } => Some(name.deployment.clone()),
    }
}

fn object(map: &JsonMap) -> Option<Value> {
    (!map.is_empty()).then(|| Value::Object(map.clone()))
}

fn pool_of(pool: Option<&str>, queue: Option<&str>) -> Option<Value> {
    let named = [("name", pool), ("work_queue_name", queue)];
    let map: Map<String, Value> = named.into_iter().filter_map(|(key, name)| Some((key.to_owned(), json!(name?)))).collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

fn limit(limit: &ConcurrencyLimit) -> Value {
    match limit {
        ConcurrencyLimit { limit, collision_strategy: CollisionStrategy::Enqueue, grace_period_seconds: None } => json!(limit),
        limit => json!(limit),
    }
}

/// A whole number where it is one.
fn seconds(seconds: f64) -> Value {
    if seconds.fract() == 0.0 && seconds.abs() < 1e15 { json!(seconds as i64) } else { json!(seconds) }
}

fn work_pool(name: &str, spec: &WorkPoolSpec) -> Map<String, Value> {
    let WorkPoolSpec { kind, description, concurrency_limit, paused, base_job_template, protect } = spec;
    let mut map = Map::from_iter([("name".to_owned(), json!(name)), ("type".to_owned(), json!(kind))]);
    map.extend(description.as_ref().map(|description| ("description".to_owned(), json!(description))));
    map.extend(concurrency_limit.map(|limit| ("concurrency_limit".to_owned(), json!(limit))));
    map.extend(paused.then(|| ("paused".to_owned(), json!(true))));
    map.extend(base_job_template.as_ref().map(|template| ("base_job_template".to_owned(), json!(template))));
    map.extend(protect.then(|| ("protect".to_owned(), json!(true))));
    map
}

fn work_queue(name: &str, spec: &WorkQueueSpec) -> Map<String, Value> {
    let WorkQueueSpec { description, priority, concurrency_limit, paused, filter, protect } = spec;
    let mut map = Map::from_iter([("name".to_owned(), json!(name))]);
    map.extend(description.as_ref().map(|description| ("description".to_owned(), json!(description))));
    map.extend((*priority != 1).then(|| ("priority".to_owned(), json!(priority))));
    map.extend(concurrency_limit.map(|limit| ("concurrency_limit".to_owned(), json!(limit))));
    map.extend(paused.then(|| ("paused".to_owned(), json!(true))));
    map.extend(filter.as_ref().map(|filter| ("filter".to_owned(), json!(filter))));
    map.extend(protect.then(|| ("protect".to_owned(), json!(true))));
    map
}
