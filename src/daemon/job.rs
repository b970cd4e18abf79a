//! From a run and its deployment to a job with nothing left to decide. The only place that lets a secret out of the
//! daemon's environment, and only into the job.
//!
//! Job variables go through the base job template of the run's pool. The environment of a run is the daemon's own (as far as `env_inherit` lets it), then the
//! file that `env_file` names, then `env` of the job variables (a deployment's, then the run's own), then the deployment's `env`, then what reeve sets: `REEVE_FLOW_RUN_ID`, `REEVE_FLOW_RUN_NAME`, `REEVE_DEPLOYMENT`,
//! `REEVE_PARAMETERS` (JSON) and `REEVE_PARAMETER_<NAME>` for each parameter (`handover.rs`).
use super::handover::{self, text_of};
use super::{env_file, environment, parameters as checked, variables};
use crate::executor::log::MINIMUM_LOG_BYTES;
use crate::executor::mask;
use crate::executor::prepare::{self, Preparation};
use crate::executor::{Interpreter, Job, Program};
use crate::model::JsonMap;
use crate::model::deployment::{Deployment, DeploymentSpec, Entrypoint, EnvironmentValue};
use crate::model::pull_step::{self, Function};
use crate::model::run::FlowRun;
use crate::model::secret::{looks_secret, marked};
use crate::model::size::bytes;
use crate::model::state::StateType;
use crate::model::work_pool::WorkPool;
use crate::template::job::JobTemplate;
use crate::template::{self, Reference, Resolution};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// All log files of one attempt together.
pub const MAX_LOG_BYTES: u64 = 64 << 20;

/// Between SIGTERM and SIGKILL, where nothing else is said.
pub const GRACE: Duration = Duration::from_secs(10);

/// The least length at which a value is masked in logs: shorter ones would mask ordinary words.
const SHORTEST_SECRET: usize = 8;

/// Why there is no job. Sentences.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// What the run was given does not fit what it runs: it fails, as a function does that is called wrongly.
    #[error("{0}")]
    Parameters(String),
    /// It cannot be started as it is declared, or not here: it crashes.
    #[error("{0}")]
    Infrastructure(String),
}

impl Refused {
    /// The state of a run to which it happens.
    pub fn state(&self) -> StateType {
        match self {
            Refused::Parameters(_) => StateType::Failed,
            Refused::Infrastructure(_) => StateType::Crashed,
        }
    }

    fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Refused::Parameters(why) => Refused::Parameters(change(why)),
            Refused::Infrastructure(why) => Refused::Infrastructure(change(why)),
        }
    }
}

impl From<String> for Refused {
    fn from(sentence: String) -> Self {
        Refused::Infrastructure(sentence)
    }
}

/// The same in what is said of a run that cannot be started.
const SHORTEST_IN_MESSAGE: usize = 4;

/// The job of a run's attempt, with the daemon's environment. `repositories`: where clones are kept, unless the run is another user's.
pub fn of_run(run: &FlowRun, deployment: &Deployment, pool: Option<&WorkPool>, attempt: u32, repositories: Option<&Path>) -> Result<Job, Refused> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    build(run, deployment, pool, attempt, repositories, environment)
}

/// How long a run has between SIGTERM and SIGKILL: the job variable `grace_seconds` of the run, else of its deployment.
pub fn grace_of(run: &FlowRun, deployment: Option<&Deployment>) -> Duration {
    let mut job_variables = deployment.map(|deployment| deployment.declared.job_variables.clone()).unwrap_or_default();
    job_variables.extend(run.job_variables.clone());
    grace(&job_variables)
}

fn grace(job_variables: &JsonMap) -> Duration {
    let seconds = job_variables.get("grace_seconds").and_then(|seconds| seconds.as_f64().or_else(|| seconds.as_str()?.trim().parse().ok()));
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(GRACE)
}

/// The same with a given environment.
///
/// # Errors
/// A sentence: what cannot be resolved, and what to do. None of the run's secrets stands in it, whoever made it.
pub fn build(
    run: &FlowRun,
    deployment: &Deployment,
    pool: Option<&WorkPool>,
    attempt: u32,
    repositories: Option<&Path>,
    daemon_environment: BTreeMap<String, String>,
) -> Result<Job, Refused> {
    let mut secrets = Vec::new();
    let built = assemble(run, deployment, (pool, attempt, repositories), &daemon_environment, &mut secrets);
    built.map_err(|why| {
        secrets.extend(daemon_environment.into_iter().filter(|(name, _)| looks_secret(name)).map(|(_, value)| value));
        why.map(|why| mask::masked(&why, &at_least(SHORTEST_IN_MESSAGE, &secrets)))
    })
}

fn at_least(length: usize, secrets: &[String]) -> Vec<String> {
    let mut long: Vec<String> = secrets.iter().filter(|secret| secret.chars().count() >= length).cloned().collect();
    long.sort_unstable();
    long.dedup();
    long
}

/// What [`build`] does; `secrets` are those that came to be known, also where it fails.
fn assemble(
    run: &FlowRun,
    deployment: &Deployment,
    (pool, attempt, repositories): (Option<&WorkPool>, u32, Option<&Path>),
    daemon_environment: &BTreeMap<String, String>,
    secrets: &mut Vec<String>,
) -> Result<Job, Refused> {
    let spec = &deployment.declared;
    let entrypoint = spec.entrypoint.as_ref().ok_or_else(|| "the deployment has no entrypoint".to_owned())?;
    let template = pool.and_then(|pool| Some(JobTemplate::new(&pool.name, pool.declared.base_job_template.as_ref()?)));
    let mut job_variables = spec.job_variables.clone();
    job_variables.extend(run.job_variables.clone());
    if let Some(template) = &template {
        job_variables = template.filled(job_variables);
    }
    let names = secret_names(spec, &job_variables);
    let mut renderer = Renderer { run, environment: daemon_environment, names: &names, secrets, parameters: JsonMap::new() };
    let parameters = renderer.map("parameters", &run.parameters)?;
    checked::check_at_start(run, spec, deployment.owner.is_some(), &parameters, renderer.secrets).map_err(Refused::Parameters)?;
    renderer.parameters = parameters.clone();
    let mut job_variables = renderer.map("job_variables", &job_variables)?;
    renderer.take_marks(&mut job_variables, true)?;
    if let Some(template) = template {
        job_variables = template.configured(job_variables)?;
        // Those that stand in the template's own `job_configuration`.
        renderer.take_marks(&mut job_variables, false)?;
    }
    let confinement = variables::confinement(&job_variables)?;
    let mut environment = environment::inherited(daemon_environment, &job_variables)?;
    if confinement.user.is_some() {
        // They say who the daemon is.
        ["HOME", "USER", "LOGNAME"].iter().for_each(|name| drop(environment.remove(*name)));
    }
    overlay(&mut environment, file_env(deployment, &job_variables)?);
    overlay(&mut environment, variables_env(&job_variables)?);
    overlay(&mut environment, env_of(renderer.environment(&spec.env)?)?);
    add_run_variables(&mut environment, run);
    let fresh = starts_fresh(deployment, &job_variables);
    let own = spec.working_dir.as_deref().map(|directory| renderer.text("`working_dir`", directory)).transpose()?;
    let working_directory = if fresh { PathBuf::from("/") } else { working_directory(deployment, own.as_deref(), &job_variables)? };
    let interpreter = environment::interpreter(&job_variables, deployment.root.as_deref().map(Path::new), &working_directory);
    let program = program(entrypoint, deployment, &job_variables, (parameters, interpreter.clone()), &mut renderer)?;
    handover::check_program(&program, entrypoint, &renderer.parameters).map_err(Refused::Parameters)?;
    handover::add_parameters(&mut environment, &program, &renderer.parameters);
    environment::refuse_secret_arguments(&program, &at_least(SHORTEST_SECRET, renderer.secrets))?;
    let mut renderer = Renderer { environment: &environment, ..renderer };
    let preparation = preparation(deployment, fresh, interpreter, &mut renderer)?;
    let secrets = at_least(SHORTEST_SECRET, renderer.secrets);
    environment::refuse_secret_steps(preparation.as_ref().map_or(&[], |preparation| &preparation.steps), &environment, &secrets)?;
    let preparation = preparation.map(|preparation| Preparation {
        // Another user cannot read what is in the daemon's home.
        cache: repositories.filter(|_| confinement.user.is_none()).and_then(|path| std::path::absolute(path).ok()),
        ..preparation
    });
    renderer.secrets.extend(environment.iter().filter(|(name, _)| looks_secret(name)).map(|(_, value)| value.clone()));
    let secrets = at_least(SHORTEST_SECRET, renderer.secrets);
    Ok(Job {
        run_id: run.id.0,
        attempt,
        name: run.name.clone(),
        deployment: Some(deployment.name.to_string()),
        program,
        working_directory,
        preparation,
        confinement,
        environment,
        not_before: run.scheduled_time(),
        timeout: spec.timeout_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        grace: grace(&job_variables),
        secrets,
        max_log_bytes: max_output(&job_variables)?.max(MINIMUM_LOG_BYTES),
    })
}

/// The variables of the daemon that this deployment or its pool's defaults mark as secret, whatever they are called.
fn secret_names(spec: &DeploymentSpec, job_variables: &JsonMap) -> BTreeSet<String> {
    let own = spec.env.values().flatten().filter(|value| value.is_secret()).map(EnvironmentValue::text);
    let of_variables = job_variables.get("env").and_then(Value::as_object).into_iter().flatten();
    let texts = own.chain(of_variables.filter_map(|(_, value)| marked(value)?.as_str()));
    texts.flat_map(template::variables).collect()
}

fn program(
    entrypoint: &Entrypoint,
    deployment: &Deployment,
    job_variables: &JsonMap,
    (parameters, interpreter): (JsonMap, Option<Interpreter>),
    renderer: &mut Renderer<'_, '_>,
) -> Result<Program, Refused> {
    // Prefect's process pool: a `command` among the job variables replaces what would be run.
    if let Some(command) = job_variables.get("command").and_then(Value::as_str) {
        return Ok(Program::Shell(command.to_owned()));
    }
    Ok(match entrypoint {
        Entrypoint::Python { path, function } => Program::Python {
            interpreter,
            file: match has_pull_steps(deployment) {
                // Wherever they lead; Prefect, too, passes over `path` then.
                true => PathBuf::from(path),
                false => root(deployment)?.join(deployment.declared.path.as_deref().unwrap_or_default()).join(path),
            },
            function: function.clone(),
            parameters,
        },
        Entrypoint::Module { module, function } => Program::Module {
            interpreter,
            module: module.clone(),
            function: function.clone(),
            parameters,
        },
        Entrypoint::Shell { command } => Program::Shell(renderer.text("the command", command)?),
        Entrypoint::Program { arguments } => {
            let rendered: Result<Vec<String>, Refused> = arguments.iter().map(|argument| renderer.text("the command", argument)).collect();
            Program::Arguments(rendered?)
        }
    })
}

fn has_pull_steps(deployment: &Deployment) -> bool {
    deployment.declared.pull_steps.as_ref().is_some_and(|steps| !steps.is_empty())
}

/// Whether a run begins in an empty directory of its own: a clone must not be put into the project's, and there may be none.
fn starts_fresh(deployment: &Deployment, job_variables: &JsonMap) -> bool {
    let clones = |step| pull_step::parts(step).is_some_and(|(name, _)| Function::of(name) == Some(Function::GitClone));
    let steps = deployment.declared.pull_steps.as_deref().unwrap_or_default();
    let placed = relative_directory(deployment.declared.working_dir.as_deref(), job_variables).is_some();
    !steps.is_empty() && !placed && (deployment.root.is_none() || steps.iter().any(clones))
}

/// The pull steps with all in them that is known before the run. They see the run's environment, and not only the daemon's.
fn preparation(
    deployment: &Deployment,
    fresh: bool,
    interpreter: Option<Interpreter>,
    renderer: &mut Renderer<'_, '_>,
) -> Result<Option<Preparation>, Refused> {
    let Some(steps) = deployment.declared.pull_steps.as_ref().filter(|steps| !steps.is_empty()) else { return Ok(None) };
    let Value::Array(mut steps) = renderer.value("`pull`", &Value::Array(steps.clone()))? else { return Ok(None) };
    for inputs in steps.iter_mut().filter_map(Value::as_object_mut).flat_map(|step| step.values_mut()).filter_map(Value::as_object_mut) {
        renderer.take_marks(inputs, true)?;
    }
    renderer.secrets.extend(prepare::secrets(&steps));
    let base = deployment.root.as_ref().map(PathBuf::from);
    Ok(Some(Preparation { steps, fresh, base, cache: None, interpreter }))
}

fn root(deployment: &Deployment) -> Result<PathBuf, String> {
    deployment.root.as_ref().map(PathBuf::from).ok_or_else(|| {
        "it is not known where the deployment's code lies: no project owns it".to_owned()
    })
}

/// `working_dir`, of the deployment or else of the job variables.
fn relative_directory<'a>(own: Option<&'a str>, job_variables: &'a JsonMap) -> Option<&'a str> {
    own.or_else(|| job_variables.get("working_dir").and_then(Value::as_str))
}

fn working_directory(deployment: &Deployment, own: Option<&str>, job_variables: &JsonMap) -> Result<PathBuf, String> {
    match relative_directory(own, job_variables) {
        Some(directory) if Path::new(directory).is_absolute() => Ok(PathBuf::from(directory)),
        Some(directory) => Ok(root(deployment)?.join(directory)),
        None => root(deployment),
    }
}

fn variables_env(job_variables: &JsonMap) -> Result<BTreeMap<String, Option<String>>, String> {
    match job_variables.get("env") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(env)) => env_of(env.clone()),
        Some(other) => Err(format!("the job variable env must be a mapping of names to values, found {other}")),
    }
}

fn max_output(job_variables: &JsonMap) -> Result<u64, String> {
    match job_variables.get("max_output") {
        None | Some(Value::Null) => Ok(MAX_LOG_BYTES),
        Some(size) => bytes(&text_of(size)).ok_or_else(|| format!("the job variable max_output is {size}; expected bytes, or a size such as 16M")),
    }
}

/// The variables of the file that `env_file` names, read when the run starts.
fn file_env(deployment: &Deployment, job_variables: &JsonMap) -> Result<BTreeMap<String, Option<String>>, String> {
    const MOST_BYTES: u64 = 1 << 20;
    let Some(file) = job_variables.get("env_file").and_then(Value::as_str) else { return Ok(BTreeMap::new()) };
    let path = root(deployment)?.join(file);
    let failed = |why: &dyn std::fmt::Display| format!("the env_file {} cannot be read: {why}", path.display());
    let metadata = std::fs::metadata(&path).map_err(|error| failed(&error))?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(failed(&"expected a regular file of at most 1 MiB"));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let variables = env_file::read(&text)
        .map_err(|env_file::Wrong { line, column, message }| format!("{}:{line}:{column}: {message}", path.display()))?;
    let map = variables.into_iter().map(|(name, value)| (name, value.into())).collect();
    env_of(map).map_err(|error| format!("{}: {error}", path.display()))
}

fn env_of(map: JsonMap) -> Result<BTreeMap<String, Option<String>>, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in map {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!("{name:?} cannot be the name of an environment variable"));
        }
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(format!("the environment variable {name} holds a NUL character"));
        }
        variables.insert(name, text);
    }
    Ok(variables)
}

fn overlay(environment: &mut BTreeMap<String, String>, variables: BTreeMap<String, Option<String>>) {
    for (name, value) in variables {
        match value {
            Some(value) => drop(environment.insert(name, value)),
            None => drop(environment.remove(&name)),
        }
    }
}

fn add_run_variables(environment: &mut BTreeMap<String, String>, run: &FlowRun) {
    environment.insert("REEVE_FLOW_RUN_NAME".to_owned(), run.name.clone());
    if let Some(deployment) = &run.deployment {
        environment.insert("REEVE_DEPLOYMENT".to_owned(), deployment.to_string());
    }
}

/// Resolves what was kept for run time.
struct Renderer<'a, 's> {
    run: &'a FlowRun,
    environment: &'a BTreeMap<String, String>,
    /// Of variables that are secret though their names do not say so.
    names: &'a BTreeSet<String>,
    /// The values that came up.
    secrets: &'s mut Vec<String>,
    parameters: JsonMap,
}

impl Renderer<'_, '_> {
    fn map(&mut self, what: &str, map: &JsonMap) -> Result<JsonMap, Refused> {
        match self.value(what, &Value::Object(map.clone()))? {
            Value::Object(map) => Ok(map),
            other => Err(format!("{what} became {other}").into()),
        }
    }

    fn environment(&mut self, declared: &BTreeMap<String, Option<EnvironmentValue>>) -> Result<JsonMap, Refused> {
        let mut variables = JsonMap::new();
        for (name, value) in declared {
            let rendered = match value {
                None => Value::Null,
                Some(value) => self.value(&format!("the variable {name} of env"), &Value::String(value.text().to_owned()))?,
            };
            if value.as_ref().is_some_and(EnvironmentValue::is_secret) {
                self.secrets.push(text_of(&rendered));
            }
            variables.insert(name.clone(), rendered);
        }
        Ok(variables)
    }

    /// Puts the values in place of `{secret: VALUE}` in `env` of job variables or of a step's inputs, and keeps them in mind.
    fn take_marks(&mut self, map: &mut JsonMap, are_rendered: bool) -> Result<(), Refused> {
        for (name, value) in map.get_mut("env").and_then(Value::as_object_mut).into_iter().flatten() {
            if !value.is_object() {
                continue;
            }
            let wrong = || format!("the variable {name} of env is a mapping; expected a text, or {{\"secret\": \"{{{{ $NAME }}}}\"}}");
            let inner = marked(value).ok_or_else(wrong)?.clone();
            let inner = if are_rendered { inner } else { self.value(&format!("the variable {name} of env"), &inner)? };
            let text = text_of(&inner);
            self.secrets.push(text.clone());
            *value = Value::String(text);
        }
        Ok(())
    }

    fn text(&mut self, what: &str, text: &str) -> Result<String, Refused> {
        Ok(text_of(&self.value(what, &Value::String(text.to_owned()))?))
    }

    fn value(&mut self, what: &str, value: &Value) -> Result<Value, Refused> {
        let (run, environment) = (self.run, self.environment);
        let is_secret = |name: &str| looks_secret(name) || self.names.contains(name);
        let parameter_value = Value::Object(self.parameters.clone());
        let mut secrets = Vec::new();
        let rendered = template::render(value, &mut |reference| match reference {
            // Without `$` the file's reader filled it in, but for a secret's name.
            Reference::Value(name) if !is_secret(name) || !environment.contains_key(*name) => Resolution::Keep,
            Reference::Environment(name) | Reference::Value(name) => match environment.get(*name) {
                Some(value) => {
                    if is_secret(name) {
                        secrets.push(value.clone());
                    }
                    Resolution::Value(Value::String(value.clone()))
                }
                None => Resolution::Missing,
            },
            Reference::Parameter(path) => found(template::lookup(&parameter_value, path).cloned()),
            Reference::Context(path) => found(context(run, path)),
            _ => Resolution::Keep,
        });
        self.secrets.append(&mut secrets);
        let Some(missing) = rendered.unresolved.first() else { return Ok(rendered.value) };
        let sentence = |todo: &str| format!("{what} uses {{{{ {} }}}}, which is not there: {todo}", missing.name);
        Err(match Reference::of(&missing.name) {
            Reference::Parameter(_) => Refused::Parameters(sentence("give that parameter a value")),
            Reference::Context(_) => Refused::Infrastructure(sentence("a run has ctx.flow_run.id, ctx.flow_run.name, ctx.flow.id and ctx.flow.name")),
            _ => Refused::Infrastructure(sentence("set that variable for the daemon")),
        })
    }
}

fn found(value: Option<Value>) -> Resolution {
    value.map_or(Resolution::Missing, Resolution::Value)
}

/// Prefect's `ctx`: facts of the flow run.
fn context(run: &FlowRun, path: &str) -> Option<Value> {
    Some(match path {
        "flow_run.id" => Value::String(run.id.to_string()),
        "flow_run.name" => Value::String(run.name.clone()),
        "flow.id" => Value::String(run.flow_id.to_string()),
        "flow.name" => Value::String(run.deployment.as_ref()?.flow.clone()),
        _ => return None,
    })
}
