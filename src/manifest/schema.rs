//! The JSON schema of a project file, for editors: generated from the types below.
//!
//! The types say what is accepted and documented; `node` and its neighbours read it. A test holds both lists of keys
//! together. Unknown keys are allowed, as Prefect allows them: YAML anchors need a home.
#![allow(dead_code)] // The types are never built: only their schema is used.
use super::shapes::{
    atomicity, boolean, calendars, command, count, delays, drift, dst, duration, environment, inherited, interval, missed, on_delete,
    on_resume, overlap, pointers, prune, retry_on, seconds, steps, tag_limits, text, texts,
};
use schemars::generate::SchemaSettings;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

/// The schema of `deployment.yaml` and `prefect.yaml`.
pub fn json_schema() -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Project>().to_value();
    require_only(&mut schema, &[]);
    for (name, definition) in schema["definitions"].as_object_mut().into_iter().flatten() {
        let required: &[&str] = match name.as_str() {
            "WorkPool" | "WorkQueue" | "InnerWorkQueue" => &["name"],
            "FullConcurrencyLimit" => &["limit"],
            _ => &[],
        };
        require_only(definition, required);
    }
    schema
}

/// Fields with a schema of their own count as required for the generator; nearly none is.
fn require_only(object: &mut Value, required: &[&str]) {
    if let Value::Object(map) = object {
        map.shift_remove("required");
        if !required.is_empty() {
            map.insert("required".to_owned(), json!(required));
        }
    }
}

/// A project: flows' deployments, and the work pools they run in.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub struct Project {
    /// The project's name, by which it is known wherever it is checked out; without one, its directory's.
    #[schemars(schema_with = "text")]
    name: Option<String>,
    /// The version of Prefect that wrote the file; not used.
    #[schemars(rename = "prefect-version", schema_with = "text")]
    prefect_version: Option<String>,
    /// For people; not used.
    #[schemars(schema_with = "text")]
    description: Option<String>,
    /// Inputs of a Prefect recipe; not used.
    required_inputs: Option<Map<String, Value>>,
    /// Steps that build an image; kept, not acted on yet.
    #[schemars(schema_with = "steps")]
    build: Option<Value>,
    /// Steps that upload code; kept, not acted on yet.
    #[schemars(schema_with = "steps")]
    push: Option<Value>,
    /// Steps that fetch the code where a run starts. `[]`: none.
    #[schemars(schema_with = "steps")]
    pull: Option<Value>,
    /// A home for YAML anchors; never read.
    definitions: Option<Value>,
    deployments: Option<Vec<Deployment>>,
    /// Work pools that the project declares.
    work_pools: Option<Vec<WorkPool>>,
    /// Work queues with a pool of their own choice.
    work_queues: Option<Vec<WorkQueue>>,
    /// Limits by tag: how many runs that bear a tag may go at once, whatever their pool, queue and deployment; 0 is none at all. A mapping
    /// of tags to numbers, or a list of `{tag, limit}`.
    #[schemars(schema_with = "tag_limits")]
    concurrency_limits: Option<Value>,
    /// Names for spans of time, for `exclude` and `include`: a list of dates and ranges, or the path of an iCalendar file.
    #[schemars(schema_with = "calendars")]
    calendars: Option<Value>,
    /// Globs of further files of the project, from its root: `teams/*/deployment.yaml`, `jobs/**/*.yaml`.
    #[schemars(schema_with = "texts")]
    include: Option<Value>,
    /// What becomes of objects that left the files: `true` (default) stops them, `false` only reports them; or a mapping that says
    /// how many may go unasked.
    #[schemars(schema_with = "prune")]
    prune: Option<Value>,
    /// What is done about differences that neither the files nor an operator has made: `correct` (default) makes them equal to the
    /// files again, `report` shows them, `ignore` leaves them.
    #[schemars(schema_with = "drift")]
    drift: Option<Value>,
    /// Fields of objects that are left to others, as JSON pointers: `/paused`, `/parameters/days`. They count for new objects only.
    #[schemars(schema_with = "pointers")]
    ignore_fields: Option<Value>,
    /// What is applied together and fails together: the `project` (default), each `file`, or each `deployment`. With the latter
    /// two, an error keeps what it stands in as it was, and nothing is pruned meanwhile.
    #[schemars(schema_with = "atomicity")]
    atomicity: Option<Value>,
}

/// One deployment: what runs, with what, where and when.
#[derive(JsonSchema)]
pub struct Deployment {
    /// The name, unique with its flow's. An entry without one is skipped.
    #[schemars(schema_with = "text")]
    name: Option<String>,
    /// A free text, such as a release number.
    #[schemars(schema_with = "text")]
    version: Option<String>,
    /// One tag or a list of tags.
    #[schemars(schema_with = "texts")]
    tags: Option<Value>,
    /// Without one, the function's docstring.
    #[schemars(schema_with = "text")]
    description: Option<String>,
    /// The flow's name where its decorator does not say it.
    #[schemars(schema_with = "text")]
    flow_name: Option<String>,
    /// `path/file.py:function` or `package.module:function`.
    #[schemars(schema_with = "text")]
    entrypoint: Option<String>,
    /// Any program, in place of an entrypoint: a text runs under `sh -c`, a list runs as it stands.
    #[schemars(schema_with = "command")]
    command: Option<Value>,
    parameters: Option<Map<String, Value>>,
    /// Whether parameters are checked against the function's signature. Default true.
    #[schemars(schema_with = "boolean")]
    enforce_parameter_schema: Option<Value>,
    /// One schedule; null or `{}` is none. See `schedules`.
    schedule: Option<Schedule>,
    schedules: Option<Vec<Schedule>>,
    /// Whether its schedules are held back. Default false.
    #[schemars(schema_with = "boolean")]
    paused: Option<Value>,
    /// How many of its runs may go at once.
    concurrency_limit: Option<ConcurrencyLimit>,
    /// Where it runs; without one, on this host.
    work_pool: Option<WorkPoolReference>,
    /// Job variables, over those of `work_pool`.
    job_variables: Option<Map<String, Value>>,
    /// Environment variables of its runs; null unsets one, `{secret: "{{ $NAME }}"}` is read when a run starts and never shown.
    #[schemars(schema_with = "environment")]
    env: Option<Value>,
    /// Where its runs start, relative to the project's root. Default: the root.
    #[schemars(schema_with = "text")]
    working_dir: Option<String>,
    /// How often a failed run is tried again. Default 0.
    #[schemars(schema_with = "count")]
    retries: Option<Value>,
    /// Seconds before each further attempt; of a list, the last counts for all that follow. `exponential` doubles from 10 s to 1 h.
    #[schemars(schema_with = "delays")]
    retry_delay_seconds: Option<Value>,
    /// Up to so large a share of each delay is added to it, from 0 to 1. Default 0.
    #[schemars(schema_with = "seconds")]
    retry_jitter_factor: Option<Value>,
    /// Which ends are tried again: exit codes (`75`, `1-5`), signals (`SIGKILL`), `timeout`, `crashed`. Default: every one.
    #[schemars(schema_with = "retry_on")]
    retry_on: Option<Value>,
    /// As whom it runs, a name or a number; needs a daemon that runs as root. As of each key down to `env_inherit`, a job variable of
    /// the same name says it, too.
    #[schemars(schema_with = "text")]
    user: Option<String>,
    /// Its group. Default: the groups of the user.
    #[schemars(schema_with = "text")]
    group: Option<String>,
    /// How much it gives way to others, from -20 (first; needs root) to 19 (last).
    #[schemars(schema_with = "text")]
    nice: Option<Value>,
    /// The mode bits that its new files do not get, as octal digits in quotes: `"027"`.
    #[schemars(schema_with = "text")]
    umask: Option<String>,
    /// Bytes, or `512M`, `2G`: of the whole run where a control group can hold it, else of each of its processes.
    #[schemars(schema_with = "text")]
    memory_max: Option<Value>,
    /// Processors: `0.5` is half of one. Held where a control group can hold it; the log says so where none can.
    #[schemars(schema_with = "text")]
    cpu_max: Option<Value>,
    /// How much log is kept of an attempt, in bytes or as `16M`: beyond it the beginning and the end. Default 64M.
    #[schemars(schema_with = "text")]
    max_output: Option<Value>,
    /// The Python interpreter. Default: the `.venv` of the working directory or the project, else `python3` from PATH.
    #[schemars(schema_with = "text")]
    python: Option<String>,
    /// Seconds between SIGTERM and SIGKILL when it is stopped. Default 10, at most 86400 (a day).
    #[schemars(schema_with = "seconds")]
    grace_seconds: Option<Value>,
    /// A file of `NAME=VALUE` lines below the project's root, read when a run starts; `env` stands over it.
    #[schemars(schema_with = "text")]
    env_file: Option<String>,
    /// Whether its runs get the daemon's environment (default), or no more of it than PATH, HOME, USER, LOGNAME, SHELL, LANG, TZ and
    /// TMPDIR (`false`), or those and a list of names (`AWS_*` is all that begin so).
    #[schemars(schema_with = "inherited")]
    env_inherit: Option<Value>,
    /// A run that takes longer is stopped. At most 315360000 (ten years).
    #[schemars(schema_with = "seconds")]
    timeout_seconds: Option<Value>,
    /// As at the top of the file, for this deployment alone.
    #[schemars(schema_with = "steps")]
    build: Option<Value>,
    /// As at the top of the file, for this deployment alone.
    #[schemars(schema_with = "steps")]
    push: Option<Value>,
    /// As at the top of the file, for this deployment alone.
    #[schemars(schema_with = "steps")]
    pull: Option<Value>,
    /// Automations that start it; kept, not acted on yet.
    triggers: Option<Vec<Map<String, Value>>>,
    /// Where the code lies at run time, if not in the project's root.
    #[schemars(schema_with = "text")]
    path: Option<String>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "missed")]
    missed: Option<Value>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "on_resume")]
    on_resume: Option<Value>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "overlap")]
    overlap: Option<Value>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "duration")]
    expire_after: Option<Value>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "duration")]
    jitter: Option<Value>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "duration")]
    spread: Option<Value>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "text")]
    starts: Option<String>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "text")]
    ends: Option<String>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "texts")]
    exclude: Option<Value>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "texts")]
    include: Option<Value>,
    /// As in a schedule, for those that do not say it themselves.
    #[schemars(schema_with = "dst")]
    dst: Option<Value>,
    /// It stays, and goes on, even when it is no longer in the file. Default false.
    #[schemars(schema_with = "boolean")]
    protect: Option<Value>,
    /// What becomes of its runs in progress when it has left the file: they `finish` (default), or are told to `cancel`.
    #[schemars(schema_with = "on_delete")]
    on_delete: Option<Value>,
    /// An earlier name, or a list of them, so that its id, runs, schedules and overrides stay: `name` in the same flow, or
    /// `flow/name`.
    #[schemars(schema_with = "texts")]
    renamed_from: Option<Value>,
}

/// When runs start: exactly one of `cron`, `interval` and `rrule`.
#[derive(JsonSchema)]
pub struct Schedule {
    /// A cron expression of 5 to 7 fields, or a name such as `@daily`.
    #[schemars(schema_with = "text")]
    cron: Option<String>,
    /// Seconds, an ISO 8601 duration (`PT15M`) or `HH:MM:SS`.
    #[schemars(schema_with = "interval")]
    interval: Option<Value>,
    /// An RFC 5545 recurrence rule.
    #[schemars(schema_with = "text")]
    rrule: Option<String>,
    /// An IANA name such as `Europe/Berlin`. Default UTC.
    #[schemars(schema_with = "text")]
    timezone: Option<String>,
    /// For cron: a day matches when day of month or day of week does (true, the default), or when both do.
    #[schemars(schema_with = "boolean")]
    day_or: Option<Value>,
    /// For an interval: an instant at which it fires. Default 2020-01-01T00:00 in its zone.
    #[schemars(schema_with = "text")]
    anchor_date: Option<String>,
    /// Default true.
    #[schemars(schema_with = "boolean")]
    active: Option<Value>,
    /// Laid over the deployment's parameters.
    parameters: Option<Map<String, Value>>,
    /// A name that stays when the rule changes; unique in the deployment.
    #[schemars(schema_with = "text")]
    slug: Option<String>,
    /// The slug that this schedule had before; not acted on yet.
    #[schemars(schema_with = "text")]
    replaces: Option<String>,
    /// At most so many runs are planned ahead.
    #[schemars(schema_with = "count")]
    max_scheduled_runs: Option<Value>,
    /// Another scheduler's word: `1` is read as `overlap: queue`.
    #[schemars(schema_with = "count")]
    max_active_runs: Option<Value>,
    /// Another scheduler's word: `true` is read as `missed: all`, `false` as `missed: latest`.
    #[schemars(schema_with = "boolean")]
    catchup: Option<Value>,
    /// The rule, when `active` and the like stand around it.
    schedule: Option<Map<String, Value>>,
    /// What happens to slots that passed while the daemon was down or the machine asleep: none runs, the newest (`latest`,
    /// the default), or all, each of them with bounds: `{run: all, within: 6h, limit: 50}`.
    #[schemars(schema_with = "missed")]
    missed: Option<Value>,
    /// What happens to slots that passed while the schedule was paused: none runs (`skip`, the default), or the newest.
    #[schemars(schema_with = "on_resume")]
    on_resume: Option<Value>,
    /// What happens to a slot while an earlier run is still going: it runs beside it (`allow`, the default), not at all
    /// (`skip`), after it (`queue`, at most 100 wait, or `{queue: N}`), or in its place (`cancel_running`).
    #[schemars(schema_with = "overlap")]
    overlap: Option<Value>,
    /// A run that could not start within this time after it was due is cancelled. Default `never`.
    #[schemars(schema_with = "duration")]
    expire_after: Option<Value>,
    /// Each run starts up to this much later, differently for each slot, and never past the next one. Default 0.
    #[schemars(schema_with = "duration")]
    jitter: Option<Value>,
    /// All runs start later by one time up to this, different for each schedule, and never past the next slot. Default 0.
    #[schemars(schema_with = "duration")]
    spread: Option<Value>,
    /// Nothing fires before this date or date-time of its zone. Default: no bound.
    #[schemars(schema_with = "text")]
    starts: Option<String>,
    /// Nothing fires after this date (which is still inside) or date-time of its zone. Default: no bound.
    #[schemars(schema_with = "text")]
    ends: Option<String>,
    /// Nothing fires in these: calendars by name, dates (`2026-12-24`), ranges (`2026-12-24/2027-01-01`), windows of the week
    /// (`sat,sun`, `mon-fri 09:00-17:00`). Default: none.
    #[schemars(schema_with = "texts")]
    exclude: Option<Value>,
    /// It fires in these only; written as `exclude`. Default: at all times.
    #[schemars(schema_with = "texts")]
    include: Option<Value>,
    /// What becomes of times that a clock change skips or repeats.
    #[schemars(schema_with = "dst")]
    dst: Option<Value>,
}

/// A number, or a number with what happens to runs beyond it.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum ConcurrencyLimit {
    Number(u32),
    Placeholder(String),
    Full(FullConcurrencyLimit),
}

#[derive(JsonSchema)]
pub struct FullConcurrencyLimit {
    #[schemars(schema_with = "count")]
    limit: Value,
    /// `ENQUEUE` (default): further runs wait. `CANCEL_NEW`: they are cancelled.
    collision_strategy: Option<CollisionStrategy>,
    /// 60 to 86400.
    #[schemars(schema_with = "count")]
    grace_period_seconds: Option<Value>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CollisionStrategy {
    Enqueue,
    CancelNew,
}

/// The work pool of a deployment.
#[derive(JsonSchema)]
pub struct WorkPoolReference {
    #[schemars(schema_with = "text")]
    name: Option<String>,
    /// Default: the pool's queue `default`, or one whose filter matches.
    #[schemars(schema_with = "text")]
    work_queue_name: Option<String>,
    job_variables: Option<Map<String, Value>>,
}

/// A work pool: one kind of infrastructure.
#[derive(JsonSchema)]
pub struct WorkPool {
    #[schemars(schema_with = "text")]
    name: String,
    /// `process` (default), or a kind that a worker elsewhere serves.
    #[schemars(rename = "type", schema_with = "text")]
    kind: Option<String>,
    #[schemars(schema_with = "text")]
    description: Option<String>,
    /// How many of its runs may go at once; 0 is none at all.
    #[schemars(schema_with = "count")]
    concurrency_limit: Option<Value>,
    #[schemars(schema_with = "boolean")]
    paused: Option<Value>,
    /// `job_configuration` and `variables`, as Prefect has them.
    base_job_template: Option<Map<String, Value>>,
    queues: Option<Vec<InnerWorkQueue>>,
    /// The same as `queues`.
    work_queues: Option<Vec<InnerWorkQueue>>,
    /// It stays even when it is no longer in the file. Default false.
    #[schemars(schema_with = "boolean")]
    protect: Option<Value>,
}

/// A work queue of the pool that it stands in.
#[derive(JsonSchema)]
pub struct InnerWorkQueue {
    #[schemars(schema_with = "text")]
    name: String,
    #[schemars(schema_with = "text")]
    description: Option<String>,
    /// 1 (default) is served first.
    #[schemars(schema_with = "count")]
    priority: Option<Value>,
    #[schemars(schema_with = "count")]
    concurrency_limit: Option<Value>,
    #[schemars(schema_with = "boolean")]
    paused: Option<Value>,
    /// Serves the runs that carry all of these.
    #[schemars(schema_with = "texts")]
    tags: Option<Value>,
    filter: Option<QueueFilter>,
    /// It stays even when it is no longer in the file. Default false.
    #[schemars(schema_with = "boolean")]
    protect: Option<Value>,
}

/// A work queue.
#[derive(JsonSchema)]
pub struct WorkQueue {
    /// The pool that it belongs to. Default `default-agent-pool`.
    #[schemars(schema_with = "text")]
    pool: Option<String>,
    #[schemars(flatten)]
    queue: InnerWorkQueue,
}

/// Which runs a queue serves.
#[derive(JsonSchema)]
pub struct QueueFilter {
    #[schemars(schema_with = "texts")]
    tags: Option<Value>,
    /// Full names (`flow/deployment`), or names that are unique in the project.
    #[schemars(schema_with = "texts")]
    deployments: Option<Value>,
    /// Types of work pools: `process`. A run without a pool stands in `default-agent-pool`.
    #[schemars(schema_with = "texts")]
    pool_types: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::super::{deployment, project, schedule, work_pool};
    use super::*;
    use std::collections::BTreeSet;

    fn properties<'a>(schema: &'a Value, name: Option<&str>) -> BTreeSet<&'a str> {
        let object = name.map_or(schema, |name| &schema["definitions"][name]);
        object["properties"].as_object().expect(name.unwrap_or("root")).keys().map(String::as_str).collect()
    }

    #[test]
    fn the_schema_and_the_readers_know_the_same_keys() {
        let schema = json_schema();
        let keys = |keys: &[&'static str]| keys.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(properties(&schema, None), keys(project::KEYS));
        assert_eq!(properties(&schema, Some("Deployment")), keys(deployment::KEYS));
        assert_eq!(properties(&schema, Some("WorkPoolReference")), keys(&deployment::WORK_POOL_KEYS));
        assert_eq!(properties(&schema, Some("Schedule")), keys(&schedule::KEYS));
        assert_eq!(properties(&schema, Some("WorkPool")), keys(&work_pool::POOL_KEYS));
        assert_eq!(properties(&schema, Some("InnerWorkQueue")), keys(&work_pool::INNER_QUEUE_KEYS));
        assert_eq!(properties(&schema, Some("WorkQueue")), keys(&work_pool::QUEUE_KEYS));
    }
}
