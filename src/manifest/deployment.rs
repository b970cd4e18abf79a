//! One deployment: a mapping of the file to a normalised `DeploymentSpec`.
//!
//! Keys of all three generations are read here. Every problem is reported; what is wrong is left at its default, so
//! that the rest of the deployment is still checked.
use super::calendars::Calendars;
use super::node::Node;
use super::placeholders::{self, Placeholders};
use super::report::{At, Problem, described, shown};
use super::source_code::{Flow, SourceCode};
use super::steps::Steps;
use super::{Files, entrypoint, presence, process, renames, retry, schedule, words, work_pool};
use crate::model::JsonMap;
use crate::model::secret::marked;
use crate::model::deployment::{CollisionStrategy, ConcurrencyLimit, DeploymentSpec, Entrypoint, EnvironmentValue, FullName, OnDelete};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The keys that are read.
pub const KEYS: &[&str] = &[
    "name", "version", "tags", "description", "flow_name", "entrypoint", "command", "parameters", "enforce_parameter_schema",
    "schedule", "schedules", "paused", "concurrency_limit", "work_pool", "job_variables", "env", "working_dir", "retries",
    "retry_delay_seconds", "retry_jitter_factor", "retry_on", "timeout_seconds", "build", "push", "pull", "triggers", "path",
    "missed", "on_resume", "overlap", "expire_after", "jitter", "spread", "starts", "ends", "exclude", "include", "dst",
    "protect", "on_delete", "renamed_from",
    "user", "group", "nice", "umask", "memory_max", "cpu_max", "max_output", "python", "grace_seconds", "env_file", "env_inherit",
];
/// Keys of Prefect 2.0's one-deployment files and other old names, which are read or explained.
pub const OLD_KEYS: &[&str] = &[
    "work_pool_name", "work_queue_name", "infra_overrides", "is_schedule_active", "is_paused", "infrastructure", "storage",
    "manifest_path", "timestamp", "parameter_openapi_schema",
];
/// Keys that decide whether, when or what runs: a slip in one of them is an error.
const DECISIVE: [&str; 18] = [
    "name", "flow_name", "entrypoint", "command", "parameters", "schedule", "schedules", "paused", "work_pool", "work_pool_name",
    "is_paused", "is_schedule_active", "starts", "ends", "exclude", "protect", "on_delete", "renamed_from",
];
/// Keys of `work_pool:`.
pub const WORK_POOL_KEYS: [&str; 3] = ["name", "work_queue_name", "job_variables"];
/// Ten years. No clock is asked to add more.
const LONGEST_TIMEOUT: f64 = 315_360_000.0;
const LIMIT_KEYS: [&str; 3] = ["limit", "collision_strategy", "grace_period_seconds"];
/// Keys whose placeholders are left for run time, or that are not templated at all.
const VERBATIM: [&str; 5] = ["build", "push", "pull", "triggers", "parameter_openapi_schema"];

/// What all deployments of a file share.
pub struct Shared<'a> {
    pub placeholders: &'a Placeholders<'a>,
    pub code: &'a SourceCode<'a>,
    pub files: &'a dyn Files,
    pub schedules: &'a schedule::Known,
    pub calendars: &'a Calendars,
    pub steps: &'a Steps,
    /// The whole file is this deployment, as Prefect 2.0 wrote it: its old keys are then no news.
    pub one_deployment: bool,
}

/// What a mapping declares.
pub struct Entry {
    pub name: FullName,
    pub spec: DeploymentSpec,
    pub claims: Vec<renames::Claim>,
}

/// Reads a deployment; `None` when it is skipped (unnamed), or has no name that could be used.
pub fn read(raw: &Node<'_>, shared: &Shared<'_>, also_known: &[&str]) -> Option<Entry> {
    raw.mapping("a deployment (a mapping with `name` and `entrypoint`)")?;
    raw.unknown_keys_or("a deployment", &[KEYS, OLD_KEYS, also_known], words::DEPLOYMENT_LATER, &DECISIVE);
    let steps = Steps::read(raw).over(shared.steps);
    let rendered = render(raw, shared, &steps);
    let rendered = rendered.as_ref().unwrap_or(raw.value);
    let node = raw.with(rendered);
    if is_unnamed(&node) {
        skip(&node);
        return None;
    }
    Some(Reader { node, shared, steps }.deployment()).flatten()
}

/// The deployment with its placeholders filled in, where it has any.
fn render(raw: &Node<'_>, shared: &Shared<'_>, steps: &Steps) -> Option<Value> {
    let map = raw.value.as_object()?;
    let templated = |key: &str, value: &Value| !VERBATIM.contains(&key) && KEYS.iter().chain(OLD_KEYS).any(|known| *known == key) && placeholders::any(value);
    if !map.iter().any(|(key, value)| templated(key, value)) {
        return None;
    }
    let mut rendered = map.clone();
    for (key, value) in map.iter().filter(|(key, value)| templated(key, value)) {
        let field = Node::new(value, raw.path.key(key), raw.report);
        let value = shared.placeholders.render_but_secrets(&field, steps);
        rendered.insert(key.clone(), value);
    }
    Some(Value::Object(rendered))
}

fn is_unnamed(node: &Node<'_>) -> bool {
    match node.field("name") {
        None => true,
        Some(name) => name.value.as_str().is_some_and(|name| name.trim().is_empty()),
    }
}

/// Whether an entry has no name and is no mere form to be filled in, as Prefect's templates hold them.
pub fn is_unfinished(node: &Node<'_>) -> bool {
    fn is_blank(value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => true,
            Value::Number(_) => false,
            Value::String(text) => text.trim().is_empty() || text.trim().starts_with("{{"),
            Value::Array(items) => items.iter().all(is_blank),
            Value::Object(map) => map.values().all(is_blank),
        }
    }
    is_unnamed(node) && !is_blank(node.value)
}

/// Prefect's `deploy --all` skips unnamed entries, which its own templates hold.
fn skip(node: &Node<'_>) {
    let place = if node.field_or_null("name").is_some() { node.path.key("name").place(At::Key) } else { node.place(At::Value) };
    let runs = |key: &&str| node.field(*key).is_some_and(|field| field.value.as_str().is_none_or(|text| !text.trim().is_empty()));
    let keys = node.value.as_object().into_iter().flat_map(|map| map.keys());
    if keys.into_iter().any(|key| words::is_slip(key, "name")) {
        // That key's own error says it.
        return;
    }
    if let Some(key) = ["entrypoint", "command"].into_iter().find(runs) {
        let message = format!("this deployment has {}, but no `name`", shown(key));
        return node.report.push(Problem::error("unnamed-deployment", message, place).help("give it a `name`, or take the entry out"));
    }
    let problem = Problem::warning("unnamed-deployment", "this deployment has no name and is skipped", place);
    node.report.push_strict(problem.help("give it a `name`"));
}

/// The work pool, its queue and job variables, in the old and the new keys.
#[derive(Default)]
struct Pool {
    name: Option<String>,
    queue: Option<String>,
    job_variables: JsonMap,
}

struct Reader<'a> {
    node: Node<'a>,
    shared: &'a Shared<'a>,
    steps: Steps,
}

impl Reader<'_> {
    fn deployment(&self) -> Option<Entry> {
        let node = &self.node;
        node.keep_small("this deployment");
        self.old_keys();
        let pool = self.pool();
        let entrypoint = entrypoint::read(node);
        let flow = entrypoint.as_ref().and_then(|entrypoint| self.flow(entrypoint, &pool));
        let name = node.field("name").and_then(|name| work_pool::name(&name));
        let flow_name = self.flow_name(entrypoint.as_ref(), flow.as_deref(), name.as_deref());
        let (retry_delay_seconds, jitter) = node.field("retry_delay_seconds").map(|delays| retry::delays(&delays)).unwrap_or_default();
        let retry_jitter_factor = node.field("retry_jitter_factor").and_then(|share| retry::share(&share)).unwrap_or(jitter);
        let mut spec = DeploymentSpec {
            version: node.field("version").and_then(|version| version.text()),
            description: self.text("description").or_else(|| flow.as_ref().and_then(|flow| flow.description.clone())),
            tags: node.field("tags").map(|tags| tags.texts()).unwrap_or_default(),
            path: self.text("path").map(|path| entrypoint::normal(&path)).filter(|path| !path.is_empty()),
            parameters: self.mapping("parameters", "a mapping of parameters"),
            enforce_parameter_schema: self.boolean("enforce_parameter_schema").unwrap_or(true),
            work_pool: pool.name,
            work_queue: pool.queue,
            job_variables: pool.job_variables,
            pull_steps: self.pull_steps(),
            schedules: schedule::read(node, self.shared.schedules, self.shared.calendars),
            paused: self.paused(),
            concurrency_limit: node.field("concurrency_limit").and_then(|limit| concurrency_limit(&limit)),
            env: node.field("env").map(|env| environment(&env)).unwrap_or_default(),
            working_dir: self.text("working_dir").map(|path| entrypoint::normal(&path)).filter(|path| !path.is_empty()),
            retries: node.field("retries").and_then(|retries| retries.integer(0, 10_000)).unwrap_or(0),
            retry_delay_seconds,
            retry_jitter_factor,
            retry_on: node.field("retry_on").map(|causes| retry::on(&causes)).unwrap_or_default(),
            timeout_seconds: node.field("timeout_seconds").and_then(|timeout| timeout_seconds(&timeout)),
            triggers: self.triggers(),
            protect: self.boolean("protect").unwrap_or(false),
            on_delete: node.field("on_delete").and_then(|word| on_delete(&word)).unwrap_or_default(),
            parameter_schema: None,
            entrypoint,
        };
        self.parameters(&mut spec, flow.as_deref());
        self.secret_variables(&mut spec);
        presence::check(node, self.shared.files, spec.job_variables.contains_key("image"));
        self.idle_retry_keys();
        let name = FullName::new(flow_name?, name?);
        let is_command = matches!(spec.entrypoint, Some(Entrypoint::Shell { .. } | Entrypoint::Program { .. }));
        let claims = renames::read(node, &name, is_command && self.text("flow_name").is_none());
        spec.entrypoint.is_some().then_some(Entry { name, spec, claims })
    }

    fn text(&self, key: &str) -> Option<String> {
        self.node.field(key)?.text().filter(|text| !text.is_empty())
    }

    fn boolean(&self, key: &str) -> Option<bool> {
        self.node.field(key)?.boolean()
    }

    fn mapping(&self, key: &str, expected: &str) -> JsonMap {
        self.node.field(key).and_then(|field| field.mapping(expected).cloned()).unwrap_or_default()
    }

    /// Keys of Prefect 2.0 that mean nothing here; said once each, where they hold something.
    fn old_keys(&self) {
        const INSTEAD: [(&str, &str); 2] = [
            ("infrastructure", "infrastructure blocks are Prefect 2.0's; here the work pool and `job_variables` say how a run starts"),
            ("storage", "storage blocks are Prefect 2.0's; here code is read from the project's directory, or fetched by `pull` steps"),
        ];
        for (key, instead) in INSTEAD {
            if let Some(field) = self.node.field(key) {
                let problem = Problem::warning("ignored-key", format!("`{key}` is ignored"), field.place(At::Key));
                self.node.report.push(problem.help(instead));
            }
        }
    }

    fn pool(&self) -> Pool {
        let node = &self.node;
        let mut pool = Pool::default();
        if let Some(field) = node.field("work_pool") {
            if field.value.is_string() {
                let message = "`work_pool` is a text; expected a mapping";
                node.report.push(field.warning("odd-work-pool", message).help("read as the pool's name: write `work_pool: {name: ...}`"));
                pool.name = work_pool::name(&field);
            } else if field.mapping("a mapping with `name`").is_some() {
                field.unknown_keys("`work_pool`", &[&WORK_POOL_KEYS], &[]);
                pool.name = field.field("name").and_then(|name| work_pool::name(&name));
                pool.queue = field.field("work_queue_name").and_then(|name| work_pool::name(&name));
            }
        }
        let infra_overrides = node.field("infra_overrides");
        let inner = node.field("work_pool");
        let inner = inner.as_ref().filter(|pool| pool.value.is_object()).and_then(|pool| pool.field("job_variables"));
        for variables in [infra_overrides, inner, node.field("job_variables")].into_iter().flatten() {
            for (key, value) in variables.mapping("a mapping of job variables").into_iter().flatten() {
                pool.job_variables.insert(key.clone(), value.clone());
            }
        }
        process::read(node, &mut pool.job_variables);
        self.old_name("work_pool_name", &mut pool.name, "name");
        self.old_name("work_queue_name", &mut pool.queue, "work_queue_name");
        pool
    }

    /// Prefect 2.0's keys beside `work_pool:`.
    fn old_name(&self, key: &str, name: &mut Option<String>, inner: &str) {
        let Some(field) = self.node.field(key) else { return };
        let Some(old) = work_pool::name(&field) else { return };
        match name {
            Some(name) if *name != old => {
                let pool = self.node.path.key("work_pool");
                let message = format!("`{key}` says {}, and `work_pool.{inner}` says {}; expected one of them", shown(&old), shown(name));
                let problem = Problem::error("two-work-pools", message, field.place(At::Key));
                self.node.report.push(problem.related("the other stands at", pool.key(inner).place(At::Key)));
            }
            _ => *name = Some(old),
        }
    }

    /// `paused`, else what the old keys meant (Prefect 3 ignores those).
    fn paused(&self) -> bool {
        let mut paused = self.boolean("paused");
        for (key, sense) in [("is_paused", true), ("is_schedule_active", false)] {
            let Some(value) = self.boolean(key) else { continue };
            let old = value == sense;
            if self.shared.one_deployment && paused.is_none() {
                paused = Some(old);
                continue;
            }
            let place = self.node.path.key(key).place(At::Key);
            let problem = Problem::warning("old-key", format!("`{key}` is an old key; expected `paused`"), place);
            let help = match paused {
                Some(_) => "`paused` is given too, and counts".to_owned(),
                None => format!("read as `paused: {old}`"),
            };
            self.node.report.push(problem.help(help));
            paused = paused.or(Some(old));
        }
        paused.unwrap_or(false)
    }

    /// What says how to retry says nothing where nothing is retried.
    fn idle_retry_keys(&self) {
        let asks = |retries: Node<'_>| retries.value != 0 && retries.value != "0";
        if self.node.field("retries").is_some_and(asks) {
            return;
        }
        for key in ["retry_delay_seconds", "retry_jitter_factor", "retry_on"] {
            let Some(field) = self.node.field(key).filter(|field| *field.value != Value::from(0)) else { continue };
            let problem = Problem::warning("no-effect", format!("`{key}` has no effect without `retries`"), field.place(At::Key));
            self.node.report.push(problem.help("write `retries: 1`, or how many further attempts a run that failed may have"));
        }
    }

    fn pull_steps(&self) -> Option<Vec<Value>> {
        let steps = self.steps.pull.as_ref()?;
        Some(steps.iter().map(|step| self.shared.placeholders.render_pull_step(step)).collect())
    }

    fn triggers(&self) -> Vec<Value> {
        let Some(field) = self.node.field("triggers") else { return Vec::new() };
        let triggers = match field.value {
            Value::Object(_) => vec![field.value.clone()],
            _ => field.list("a list of triggers").map(<[Value]>::to_vec).unwrap_or_default(),
        };
        if !triggers.is_empty() {
            self.node.report.push(Problem::warning("not-acted-on", "`triggers` are kept, not acted on yet", field.place(At::Key)));
        }
        triggers
    }

    /// What the project marks as secret elsewhere and this deployment uses, is marked in its own `env`, too: so its runs know.
    fn secret_variables(&self, spec: &mut DeploymentSpec) {
        let secrets = self.node.report.secrets();
        if !secrets.are_marked() {
            return;
        }
        let mut found = BTreeSet::new();
        let parameters = spec.schedules.iter().map(|schedule| &schedule.parameters).chain([&spec.parameters]);
        // Marks in `env` of the job variables are known by themselves.
        let variables = spec.job_variables.iter().filter(|(name, _)| *name != "env").map(|(_, value)| value);
        let of_env = spec.job_variables.get("env").and_then(Value::as_object).into_iter().flatten().map(|(_, value)| value);
        let values = parameters.flat_map(|map| map.values()).chain(variables).chain(of_env.filter(|value| marked(value).is_none()));
        values.chain(spec.pull_steps.iter().flatten()).for_each(|value| secrets.unlike_in(value, &mut found));
        found.extend(spec.working_dir.iter().flat_map(|directory| secrets.unlike(directory)));
        for name in found {
            let secret = format!("{{{{ ${name} }}}}");
            spec.env.entry(name).or_insert(Some(EnvironmentValue::Secret { secret }));
        }
    }

    fn flow(&self, entrypoint: &Entrypoint, pool: &Pool) -> Option<Rc<Flow>> {
        let field = self.node.field("entrypoint")?;
        let elsewhere = self.steps.fetch_code()
            || self.node.field("path").is_some_and(|path| path.value.as_str().is_some_and(|path| !entrypoint::normal(path).is_empty()))
            || self.node.field("storage").is_some()
            || pool.job_variables.contains_key("image");
        self.shared.code.flow(&field, entrypoint, elsewhere)
    }

    /// The decorator's name, else `flow_name`, else the function's name with dashes, else (of a command) the deployment's.
    fn flow_name(&self, entrypoint: Option<&Entrypoint>, flow: Option<&Flow>, deployment: Option<&str>) -> Option<String> {
        let written = self.node.field("flow_name").filter(|field| field.value != "");
        let written_name = written.as_ref().and_then(|field| work_pool::name(field));
        if let Some(decorated) = flow.and_then(|flow| flow.name.clone()) {
            if let (Some(field), Some(name)) = (&written, &written_name)
                && *name != decorated
            {
                let message = format!("`flow_name` is {}, but the flow's decorator names it {}, which counts", shown(name), shown(&decorated));
                self.node.report.push(field.warning("other-flow-name", message));
            }
            return self.good_flow_name(decorated);
        }
        if written_name.is_some() || written.is_some() {
            return written_name;
        }
        match entrypoint? {
            Entrypoint::Python { function, .. } | Entrypoint::Module { function, .. } => {
                Some(function.rsplit('.').next().unwrap_or(function).replace('_', "-"))
            }
            Entrypoint::Shell { .. } | Entrypoint::Program { .. } => deployment.map(str::to_owned),
        }
    }

    fn good_flow_name(&self, name: String) -> Option<String> {
        let value = Value::String(name);
        let field = self.node.field("entrypoint")?;
        work_pool::name(&field.with(&value))
    }

    /// Checks and completes the parameters against the function's signature, where that is known.
    fn parameters(&self, spec: &mut DeploymentSpec, flow: Option<&Flow>) {
        let old = self.node.field("parameter_openapi_schema").filter(|_| flow.is_none_or(|flow| flow.signature.is_none()));
        let old = old.filter(|schema| schema.value.is_object()).map(|schema| super::parameters::Signature::new(schema.value.clone()));
        let Some(signature) = flow.and_then(|flow| flow.signature.as_ref()).or(old.as_ref()) else { return };
        signature.settle_booleans(&mut spec.parameters);
        for schedule in &mut spec.schedules {
            signature.settle_booleans(&mut schedule.parameters);
        }
        spec.parameter_schema = Some(signature.schema.clone());
        if !spec.enforce_parameter_schema {
            return;
        }
        let function = spec.entrypoint.as_ref().map(|entrypoint| entrypoint.to_string()).unwrap_or_default();
        let function = function.rsplit(':').next().unwrap_or(&function);
        if let Some(field) = self.node.field("parameters") {
            signature.check(&field, &spec.parameters, function);
        }
        let schedules = self.node.field("schedules");
        for (index, item) in schedules.iter().flat_map(|list| list.value.as_array()).flatten().enumerate() {
            let Some(item) = schedules.as_ref().map(|list| list.item(index, item)) else { continue };
            let Some(field) = item.field("parameters") else { continue };
            if let Some(mut parameters) = field.value.as_object().cloned() {
                signature.settle_booleans(&mut parameters);
                signature.check(&field, &parameters, function);
            }
        }
        signature.check_required(&self.node, &always_given(spec), function);
    }
}

/// The parameters that every scheduled run is given.
fn always_given(spec: &DeploymentSpec) -> JsonMap {
    let mut given = spec.parameters.clone();
    if let Some((first, rest)) = spec.schedules.split_first() {
        for (key, value) in &first.parameters {
            if rest.iter().all(|schedule| schedule.parameters.contains_key(key)) {
                given.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    given
}

/// A number, or `{limit, collision_strategy, grace_period_seconds}`.
fn concurrency_limit(node: &Node<'_>) -> Option<ConcurrencyLimit> {
    if !node.value.is_object() {
        let limit = node.integer(1, u32::MAX)?;
        return Some(ConcurrencyLimit { limit, collision_strategy: CollisionStrategy::Enqueue, grace_period_seconds: None });
    }
    node.unknown_keys("`concurrency_limit`", &[&LIMIT_KEYS], &[]);
    let strategy = node.field("collision_strategy");
    let collision_strategy = match strategy.as_ref().map(|strategy| strategy.value.as_str()) {
        None | Some(Some("ENQUEUE")) => CollisionStrategy::Enqueue,
        Some(Some("CANCEL_NEW")) => CollisionStrategy::CancelNew,
        Some(_) => {
            if let Some(strategy) = &strategy {
                let near = strategy.value.as_str().and_then(|word| words::closest(&word.to_uppercase(), ["ENQUEUE", "CANCEL_NEW"]));
                let exact = strategy.value.as_str().map(str::to_uppercase).filter(|word| word == "ENQUEUE" || word == "CANCEL_NEW");
                let meant = near.map(str::to_owned).or(exact).map(|meant| format!("did you mean `{meant}`?"));
                strategy.report.push(strategy.unexpected("`ENQUEUE` or `CANCEL_NEW`").maybe_help(meant));
            }
            return None;
        }
    };
    let grace_period_seconds = node.field("grace_period_seconds").and_then(|grace| grace.integer(60, 86_400));
    let Some(limit) = node.field("limit") else {
        node.report.push(node.error("missing-limit", "`concurrency_limit` has no `limit`; expected how many runs may go at once"));
        return None;
    };
    Some(ConcurrencyLimit { limit: limit.integer(1, u32::MAX)?, collision_strategy, grace_period_seconds })
}

/// What becomes of its runs when it is pruned.
fn on_delete(node: &Node<'_>) -> Option<OnDelete> {
    let also = [("wait", "finish"), ("keep", "finish"), ("stop", "cancel"), ("kill", "cancel")];
    node.word("`finish` or `cancel`", &[("finish", OnDelete::Finish), ("cancel", OnDelete::Cancel)], &also)
}

/// Variables of the run; null unsets one. Numbers and booleans become the text that they are; `{secret: VALUE}` marks a secret.
fn environment(node: &Node<'_>) -> BTreeMap<String, Option<EnvironmentValue>> {
    let mut environment = BTreeMap::new();
    for (name, value) in node.mapping("a mapping of environment variables").into_iter().flatten() {
        let field = Node::new(value, node.path.key(name), node.report);
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("{} is no name of an environment variable", shown(name));
            node.report.push(Problem::error("bad-name", message, field.place(At::Key)).help("names must not be empty or hold `=`"));
            continue;
        }
        let text = match value {
            Value::Null => None,
            Value::Object(_) => match secret(&field) {
                Some(secret) => Some(EnvironmentValue::Secret { secret }),
                None => continue,
            },
            _ => match variable(&field) {
                Some(text) if !node.report.secrets().unlike(&text).is_empty() => Some(EnvironmentValue::Secret { secret: text }),
                Some(text) => Some(EnvironmentValue::Plain(text)),
                None => continue,
            },
        };
        environment.insert(name.clone(), text);
    }
    environment
}

fn variable(field: &Node<'_>) -> Option<String> {
    match field.value {
        Value::Bool(value) => Some(value.to_string()),
        _ => field.text(),
    }
}

/// `{secret: VALUE}`.
fn secret(field: &Node<'_>) -> Option<String> {
    let inner = field.field("secret");
    if inner.is_none() || field.value.as_object().is_none_or(|map| map.len() != 1) {
        field.expected("a text, or `{secret: \"{{ $NAME }}\"}`");
        return None;
    }
    variable(&inner?)
}

fn timeout_seconds(node: &Node<'_>) -> Option<f64> {
    let seconds = node.seconds()?;
    if seconds > 0.0 && seconds <= LONGEST_TIMEOUT {
        return Some(seconds);
    }
    let message = format!("{} is {}; expected more than 0 and at most {LONGEST_TIMEOUT} seconds", node.name(), described(node.value));
    node.report.push(node.error("out-of-range", message).help("leave it out for no limit"));
    None
}
