//! `reeve deployment execute`: one run, here and now, in this terminal. No daemon is needed.
//!
//! What runs is what stands in the project's file now. Where there is a home, the run is recorded in it through the API, as
//! any other; its dispatcher does not touch it, since the run is never Scheduled.
use super::super::client::{Access, Client, Connection, segment, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::follow::exit_of;
use super::super::parameters::{self, ParameterOptions};
use super::super::resolve::{self, Found};
use super::super::screen::{Screen, Style};
use super::super::wire::{self, FlowRun};
use super::super::words::{alternatives, nearest};
use super::super::{foreground, validate};
use super::Name;
use crate::daemon::parameters as run_parameters;
use crate::model::JsonMap;
use crate::model::deployment::{Deployment, DeploymentSpec, Entrypoint, FullName};
use crate::model::id::{DeploymentId, FlowId, FlowRunId, WorkPoolId};
use crate::model::state::{Proposed, StateType};
use crate::model::work_pool::{WorkPool, WorkPoolSpec};
use crate::settings::Home;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Run a deployment here and now, with its log in this terminal. No daemon is needed.
///
/// The deployment is looked up in the home, else in the project file of the working directory. The exit code is 0 only when the
/// run is Completed. Ctrl-C stops the run, with all its processes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve deployment execute hello_world/my-first-deployment
  reeve deployment execute daily -p day=2026-11-20")]
pub struct Arguments {
    #[command(flatten)]
    pub deployment: Name,
    #[command(flatten)]
    pub parameters: ParameterOptions,
}

/// What is to run.
struct Subject {
    name: FullName,
    spec: DeploymentSpec,
    root: PathBuf,
    /// What its work pool makes of job variables, where the files say so.
    template: Option<JsonMap>,
    /// A file says so, else a client made it.
    is_declared: bool,
    /// Where the home knows it.
    known: Option<wire::Deployment>,
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    if connection.api.is_some() {
        let client = Client::connect(connection, Access::Change).await?;
        return with_client(arguments, Some(&client), None, screen).await;
    }
    let home = Home::from_environment().map_err(CliError::new)?;
    if !home.store().exists() {
        return with_client(arguments, None, None, screen).await;
    }
    let client = Client::connect(connection, Access::Change).await?;
    with_client(arguments, Some(&client), Some(&home), screen).await
}

/// The same over a connection that is there already, or without one. `home` is where the run's log is kept; without one
/// it is only shown.
pub async fn with_client(
    arguments: &Arguments,
    client: Option<&Client>,
    home: Option<&Home>,
    screen: &mut Screen,
) -> Result<Exit, CliError> {
    let subject = find(&arguments.deployment.name, client).await?;
    let mut given = subject.spec.parameters.clone();
    given.extend(parameters::read(&arguments.parameters, subject.spec.parameter_schema.as_ref())?);
    check(&subject, &given)?;
    let recorded = match client {
        Some(client) => Some(record(client, &subject, &given).await?),
        None => None,
    };
    let (id, name) = match &recorded {
        Some(run) => (FlowRunId(run.id), run.name.clone()),
        None => unrecorded(screen.now),
    };
    let deployment = model_of(&subject, screen.now);
    let run = foreground::run_of(id, name, &deployment, given, screen.now);
    screen.line(foreground::said(screen, "reeve", &format!("Created flow run '{}' for deployment '{}'", run.name, subject.name)));
    let pool = pool_of(&subject, client, screen.now).await?;
    let end = foreground::to_the_end(&run, &deployment, pool.as_ref(), client, home, screen).await?;
    screen.line(ending(&run.name, &end, screen));
    Ok(exit_of(end.kind))
}

/// What the API checks where it creates a run; here there may be no API, and what runs is the file's deployment.
fn check(subject: &Subject, given: &JsonMap) -> Result<(), CliError> {
    if !subject.spec.enforce_parameter_schema {
        return Ok(());
    }
    let misfits = run_parameters::misfits(&subject.spec, subject.is_declared, given);
    match misfits.is_empty() {
        true => Ok(()),
        false => {
            let sentences = run_parameters::sentences(&subject.spec, &misfits).join("\n  ");
            Err(CliError::new(format!("the parameters of '{}' do not fit:\n  {sentences}", subject.name)))
        }
    }
}

fn ending(name: &str, end: &Proposed, screen: &Screen) -> String {
    let state = end.effective_name();
    let message = end.message.as_deref().filter(|message| !message.is_empty());
    let text = format!("Finished in state {state}({})", message.map(|message| format!("{message:?}")).unwrap_or_default());
    let line = foreground::said(screen, &crate::telemetry::source_of_run(name), &text);
    let style = if end.kind == StateType::Completed { Style::Good } else { Style::Bad };
    screen.paint(style, &line)
}

async fn find(wanted: &str, client: Option<&Client>) -> Result<Subject, CliError> {
    let missing = match client {
        None => None,
        Some(client) => match resolve::deployment(client, wanted).await {
            Ok(found) => return of_home(found),
            Err(error) => Some(error),
        },
    };
    // Where neither has it, the home's answer says more: it knows the names.
    of_working_directory(wanted).map_err(|error| missing.unwrap_or(error))
}

/// A deployment of the home: as its project's file says now, else, where no project owns it, as a client made it.
fn of_home(found: Found<wire::Deployment>) -> Result<Subject, CliError> {
    let name = FullName::parse(&found.full_name)
        .ok_or_else(|| CliError::new(format!("the deployment '{}' has no flow", found.full_name)))?;
    let extra = found.view.reeve.as_ref();
    match (extra.and_then(|extra| extra.root.as_ref()), extra.and_then(|extra| extra.file.as_ref())) {
        (Some(root), Some(file)) => {
            let root = PathBuf::from(root);
            let (_, spec, template) = declared(&root, &[PathBuf::from(file)], &found.full_name)?;
            Ok(Subject { name, spec, root, template, is_declared: true, known: Some(found.view) })
        }
        _ => {
            let here = std::env::current_dir().map_err(|error| CliError::because("failed to find the working directory", &error))?;
            let spec = as_made(&found.json, &name)?;
            Ok(Subject { name, spec, root: here, template: None, is_declared: false, known: Some(found.view) })
        }
    }
}

fn of_working_directory(wanted: &str) -> Result<Subject, CliError> {
    let root = super::super::daemon::absolute(Path::new("."))?;
    let (name, spec, template) = declared(&root, &[], wanted)?;
    Ok(Subject { name, spec, root, template, is_declared: true, known: None })
}

/// The deployment `wanted` in the files of a project, with the base job template of its work pool where they declare that, too.
fn declared(root: &Path, files: &[PathBuf], wanted: &str) -> Result<(FullName, DeploymentSpec, Option<JsonMap>), CliError> {
    let loaded = validate::load(root, files, false)?;
    let Some(mut desired) = loaded.desired else {
        let first = loaded.problems.first().map(|problem| format!(": {problem}")).unwrap_or_default();
        return Err(CliError::new(format!("the files of the project in {} are wrong{first}", root.display()))
            .hint("`reeve validate` shows every problem"));
    };
    let fits = |name: &&FullName| name.to_string() == wanted || name.deployment == wanted;
    let names: Vec<FullName> = desired.deployments.keys().filter(fits).cloned().collect();
    match names.as_slice() {
        [name] => {
            let spec = desired.deployments.remove(name).map(|declared| declared.spec).unwrap_or_default();
            let pool = spec.work_pool.as_ref().and_then(|pool| desired.work_pools.remove(pool));
            Ok((name.clone(), spec, pool.and_then(|pool| pool.spec.base_job_template)))
        }
        [] => {
            let known: Vec<String> = desired.deployments.keys().map(FullName::to_string).collect();
            let near: Vec<String> = nearest(wanted, known.iter().map(String::as_str)).iter().map(|name| format!("'{name}'")).collect();
            let error = CliError::new(format!("there is no deployment '{wanted}' in the project in {}", root.display()));
            Err(match near.is_empty() {
                true => error.hint(format!("it declares: {}", known.join(", "))),
                false => error.hint(format!("did you mean {}?", alternatives(&near))),
            })
        }
        several => {
            let several: Vec<String> = several.iter().map(FullName::to_string).collect();
            Err(CliError::new(format!("'{wanted}' fits {}", several.join(" and "))).hint("give the full name"))
        }
    }
}

/// What a client made is complete in the API's object.
fn as_made(json: &Value, name: &FullName) -> Result<DeploymentSpec, CliError> {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let entrypoint = text("entrypoint").and_then(|entrypoint| {
        let (path, function) = entrypoint.rsplit_once(':')?;
        Some(Entrypoint::Python { path: path.to_owned(), function: function.to_owned() })
    });
    let Some(entrypoint) = entrypoint else {
        return Err(CliError::new(format!("the deployment '{name}' has no entrypoint that can run here")));
    };
    Ok(DeploymentSpec {
        entrypoint: Some(entrypoint),
        path: text("path"),
        parameters: json["parameters"].as_object().cloned().unwrap_or_default(),
        parameter_schema: Some(json["parameter_openapi_schema"].clone()).filter(Value::is_object),
        job_variables: json["job_variables"].as_object().cloned().unwrap_or_default(),
        ..DeploymentSpec::default()
    })
}

/// The deployment as `daemon::job` takes it.
fn model_of(subject: &Subject, now: Timestamp) -> Deployment {
    let ids = subject.known.as_ref().map(|known| (known.id, known.flow_id)).unwrap_or_default();
    Deployment {
        id: DeploymentId(ids.0),
        flow_id: FlowId(ids.1),
        name: subject.name.clone(),
        declared: subject.spec.clone(),
        schedules: Vec::new(),
        owner: None,
        root: Some(subject.root.to_string_lossy().into_owned()),
        overrides: Default::default(),
        declared_digest: None,
        created: now,
        updated: now,
    }
}

/// The work pool as `daemon::job` takes it: as the files have it, else as the home knows it.
async fn pool_of(subject: &Subject, client: Option<&Client>, now: Timestamp) -> Result<Option<WorkPool>, CliError> {
    let Some(name) = &subject.spec.work_pool else { return Ok(None) };
    let template = match (&subject.template, client) {
        (Some(template), _) => Some(template.clone()),
        (None, None) => None,
        (None, Some(client)) => match client.get(&format!("/work_pools/{}", segment(name))).await {
            Ok(pool) => pool["base_job_template"].as_object().cloned(),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        },
    };
    let declared = WorkPoolSpec {
        kind: crate::executor::process::KIND.to_owned(), description: None, concurrency_limit: None, paused: false, base_job_template: template, protect: false,
    };
    Ok(Some(WorkPool {
        id: WorkPoolId(Uuid::nil()), name: name.clone(), declared, owner: None, overrides: Default::default(), declared_digest: None, created: now, updated: now,
    }))
}

/// Records a run that is Pending, so that no dispatcher takes it.
async fn record(client: &Client, subject: &Subject, parameters: &JsonMap) -> Result<FlowRun, CliError> {
    let flow_id = match &subject.known {
        Some(known) => known.flow_id,
        None => {
            let flow: wire::Flow = view(&client.post("/flows/", json!({"name": subject.name.flow})).await?)?;
            flow.id
        }
    };
    let mut body = json!({"flow_id": flow_id, "parameters": parameters, "tags": subject.spec.tags, "state": {"type": "PENDING"}});
    if let Some(known) = &subject.known {
        body["deployment_id"] = json!(known.id);
    }
    view(&client.post("/flow_runs/", body).await?)
}

fn unrecorded(now: Timestamp) -> (FlowRunId, String) {
    let mut randomness = [0; 10];
    randomness.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
    let id = crate::model::id::of_requested_run(now, randomness);
    (id, crate::model::name::of_run(id))
}
