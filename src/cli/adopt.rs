//! `reeve adopt`: a project takes over what nobody, or another project, declares.
use super::client::{Access, Client, Connection, view};
use super::error::CliError;
use super::exit::Exit;
use super::reconcile::{self, ask, show};
use super::resolve;
use super::screen::Screen;
use super::words::alternatives;
use crate::control::ReconcileRequest;
use crate::model::id::Kind;
use crate::reconcile::{Action, Plan, Refusal};
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use uuid::Uuid;

/// Take deployments over into a project that declares them, with their ids, runs and schedules; also from another project.
///
/// Where the project's files do not declare them yet, the entries to add are printed, and the exit code is 1: added and reconciled
/// they change nothing but whose the deployments are. It is a reconcile: whatever else the files say is done too.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve adopt etl/daily
  reeve adopt etl/daily etl/weekly --project /srv/etl --dry-run
  reeve adopt --work-pool local")]
pub struct Arguments {
    /// `flow/name`, the id, or the bare name where only one deployment bears it.
    #[arg(value_name = "DEPLOYMENT", required_unless_present = "work_pools")]
    pub names: Vec<String>,
    /// A work pool to take over with its queues; may be given several times.
    #[arg(long = "work-pool", value_name = "POOL")]
    pub work_pools: Vec<String>,
    /// The project's file, where it is not deployment.yaml or prefect.yaml in its root; may be given several times.
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The project's root directory.
    #[arg(long = "project", value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Show what would change, and change nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// What is to be taken over.
struct Wanted {
    kind: Kind,
    name: String,
    /// Of a deployment.
    id: Option<Uuid>,
    /// The project that owns it.
    owner: Option<String>,
}

/// The entries of a file, as the API writes them.
#[derive(Deserialize)]
struct Entries {
    yaml: String,
    remarks: Vec<String>,
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let access = if arguments.dry_run { Access::Read } else { Access::Change };
    let client = Client::connect(connection, access).await?;
    let wanted = wanted(arguments, &client).await?;
    let (root, files) = reconcile::sources(&arguments.project, &arguments.files)?;
    let adopt = wanted.iter().map(|wanted| wanted.name.clone()).collect();
    let request = ReconcileRequest { root, files, dry_run: true, adopt, ..ReconcileRequest::default() };
    let report = ask(&request, &client).await?;
    let Some(plan) = &report.plan else {
        show(&report, false, &client, screen);
        return Ok(Exit::Error);
    };
    let missing: Vec<&Wanted> = wanted.iter().filter(|wanted| !is_declared(wanted, plan)).collect();
    if !missing.is_empty() {
        return Err(undeclared(&missing, plan, &client, screen).await?);
    }
    let left = left_behind(&wanted, plan, &request, &client).await?;
    let report = if arguments.dry_run { report } else { ask(&ReconcileRequest { dry_run: false, ..request }, &client).await? };
    show(&report, false, &client, screen);
    left.into_iter().for_each(|line| screen.line(line));
    Ok(report.plan.map_or(Exit::Error, |plan| Exit::of_plan(plan.exit_code(arguments.dry_run))))
}

async fn wanted(arguments: &Arguments, client: &Client) -> Result<Vec<Wanted>, CliError> {
    let mut all = Vec::new();
    for pool in &arguments.work_pools {
        let found = resolve::work_pool(client, pool).await?;
        all.push(Wanted { kind: Kind::WorkPool, name: found.view.name, id: None, owner: None });
    }
    for name in &arguments.names {
        let found = resolve::deployment(client, name).await?;
        let owner = found.view.reeve.and_then(|extra| extra.project);
        all.push(Wanted { kind: Kind::Deployment, name: found.full_name, id: Some(found.view.id), owner });
    }
    Ok(all)
}

/// Whether the files declare it: the plan does something with it but prune it, refuses it, or leaves what is the project's as it is.
fn is_declared(wanted: &Wanted, plan: &Plan) -> bool {
    let step = plan.steps.iter().find(|step| step.kind == wanted.kind && step.name == wanted.name);
    let refused = plan.refusals.iter().any(|refusal| matches!(refusal, Refusal::Owned { kind, name, .. } if *kind == wanted.kind && *name == wanted.name));
    match step {
        Some(step) => step.action != Action::Prune,
        None => refused || wanted.owner.as_ref() == Some(&plan.project),
    }
}

/// Where other projects declare what is taken from them: as long as they do, they are held back.
async fn left_behind(wanted: &[Wanted], plan: &Plan, request: &ReconcileRequest, client: &Client) -> Result<Vec<String>, CliError> {
    let is_taken = |wanted: &Wanted| wanted.kind == Kind::WorkPool || wanted.owner.as_ref().is_some_and(|owner| *owner != plan.project);
    if !wanted.iter().any(is_taken) {
        return Ok(Vec::new());
    }
    // Without the wish to take it over, the plan says whose it is, and where that project declares it.
    let report = ask(&ReconcileRequest { adopt: Vec::new(), dry_run: true, ..request.clone() }, client).await?;
    let refusals = report.plan.map(|plan| plan.refusals).unwrap_or_default();
    let lines = refusals.iter().filter_map(|refusal| match refusal {
        Refusal::Owned { kind, name, owner, owner_position: Some(_), .. } if wanted.iter().any(|wanted| wanted.kind == *kind && wanted.name == *name) => {
            let place = refusal.other_place();
            Some(format!("Remove {} '{name}' at {place} too: until then project '{owner}' is held back.", kind.words()))
        }
        _ => None,
    });
    Ok(lines.collect())
}

/// Prints the entries to add, and gives the error that says what to do with them.
async fn undeclared(missing: &[&Wanted], plan: &Plan, client: &Client, screen: &mut Screen) -> Result<CliError, CliError> {
    let deployments: Vec<Uuid> = missing.iter().filter_map(|wanted| wanted.id).collect();
    let work_pools: Vec<&String> = missing.iter().filter(|wanted| wanted.kind == Kind::WorkPool).map(|wanted| &wanted.name).collect();
    let entries: Entries = view(&client.post("/reeve/entries", json!({"deployments": deployments, "work_pools": work_pools})).await?)?;
    screen.raw(&entries.yaml);
    let names: Vec<String> = missing.iter().map(|wanted| format!("'{}'", wanted.name)).collect();
    let mut error = CliError::new(format!("the files of project '{}' in {} do not declare {}", plan.project, plan.root, alternatives(&names)))
        .hint("add what is printed to the lists of its file, then say the same again: only whose they are will change");
    for remark in entries.remarks {
        error = error.hint(remark);
    }
    Ok(error)
}
