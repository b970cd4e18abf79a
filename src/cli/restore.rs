//! `reeve restore`: what was pruned comes back.
use super::client::{Access, Client, Connection, segment, view};
use super::error::CliError;
use super::exit::Exit;
use super::screen::{Column, OutputOption, Screen};
use super::words::{alternatives, fire, nearest, relative};
use super::wire::Deployment;
use crate::model::deployment::FullName;
use crate::model::id::Kind;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

/// Bring back what left the files less than 7 days ago, with its id, runs and schedules; without a name, list that.
///
/// A deployment fires from now on: what passed meanwhile is not made up for. A work pool comes back with its queues. What was set by hand stays so, as
/// the object's own. It belongs to no project then, so that no reconcile touches it; declared
/// again in a file, it is that project's.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve restore\n  reeve restore etl/daily\n  reeve restore --work-pool local")]
pub struct Arguments {
    /// `flow/name`, the id, or the bare name where only one that was pruned bears it.
    #[arg(value_name = "DEPLOYMENT")]
    pub name: Option<String>,
    /// A work pool, with the queues that were pruned from it.
    #[arg(long, value_name = "POOL", conflicts_with = "name")]
    pub work_pool: Option<String>,
    /// A work queue, where its pool is there.
    #[arg(long, value_name = "POOL/QUEUE", conflicts_with_all = ["name", "work_pool"])]
    pub work_queue: Option<String>,
    /// The concurrency limit of a tag.
    #[arg(long, value_name = "TAG", conflicts_with_all = ["name", "work_pool", "work_queue"])]
    pub concurrency_limit: Option<String>,
    #[command(flatten)]
    pub output: OutputOption,
}

impl Arguments {
    /// The object that is meant, where it is no deployment.
    fn other(&self) -> Option<(Kind, &str)> {
        let others = [(Kind::WorkPool, &self.work_pool), (Kind::WorkQueue, &self.work_queue), (Kind::ConcurrencyLimit, &self.concurrency_limit)];
        others.into_iter().find_map(|(kind, name)| Some((kind, name.as_deref()?)))
    }
}

/// What was pruned, as the API shows it.
#[derive(Debug, Deserialize)]
struct Tombstone {
    kind: Kind,
    id: String,
    name: String,
    project: String,
    pruned: Timestamp,
    until: Timestamp,
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let access = if arguments.name.is_some() || arguments.other().is_some() { Access::Change } else { Access::Read };
    let client = Client::connect(connection, access).await?;
    if let Some((kind, name)) = arguments.other() {
        restore_other(arguments, kind, name, &client, screen).await?;
        return Ok(Exit::Done);
    }
    let json = client.get("/reeve/tombstones").await?;
    let tombstones: Vec<Tombstone> = view(&json)?;
    match &arguments.name {
        Some(name) => restore(arguments, &resolved(name, &tombstones)?, &tombstones, &client, screen).await?,
        None if arguments.output.is_json() => screen.json(&json),
        None => list(tombstones, screen),
    }
    Ok(Exit::Done)
}

fn list(tombstones: Vec<Tombstone>, screen: &mut Screen) {
    if tombstones.is_empty() {
        return screen.line("Nothing was pruned in the last 7 days.");
    }
    let row = |tombstone: Tombstone| {
        let pruned = relative(tombstone.pruned, screen.now);
        let until = fire(tombstone.until, screen.now, &screen.zone);
        [tombstone.kind.words().to_owned(), tombstone.name, tombstone.project, pruned, until].map(Into::into).to_vec()
    };
    let rows = tombstones.into_iter().map(row).collect();
    let columns = [Column::always("Kind"), Column::always("Name"), Column::always("Project"), Column::always("Pruned"), Column::may_go("Can Be Restored Until")];
    screen.table("Pruned", &columns, rows, None);
}

/// The full name that is meant. One that nothing pruned bears goes to the API as it is: it knows what stands there instead.
fn resolved(wanted: &str, tombstones: &[Tombstone]) -> Result<FullName, CliError> {
    let is_it = |tombstone: &&Tombstone| {
        tombstone.name == wanted || tombstone.id == wanted || tombstone.name.split_once('/').is_some_and(|(_, bare)| bare == wanted)
    };
    let deployments = || tombstones.iter().filter(|tombstone| tombstone.kind == Kind::Deployment);
    let found: Vec<&Tombstone> = deployments().filter(is_it).collect();
    match (&found[..], FullName::parse(wanted)) {
        ([one], _) => FullName::parse(&one.name).ok_or_else(|| CliError::new(format!("`{}` is not a full name", one.name))),
        ([], Some(name)) => Ok(name),
        ([], None) => {
            let error = CliError::new(format!("nothing called '{wanted}' was pruned in the last 7 days"));
            let near = nearest(wanted, deployments().map(|tombstone| tombstone.name.as_str()));
            Err(error.hint(if near.is_empty() { "`reeve restore` lists what was".to_owned() } else { format!("did you mean {}?", alternatives(&near)) }))
        }
        (several, _) => {
            let names: Vec<String> = several.iter().map(|tombstone| tombstone.name.clone()).collect();
            Err(CliError::new(format!("'{wanted}' is not the name of one deployment: it fits {}", names.join(", "))).hint("give its full name"))
        }
    }
}

async fn restore(
    arguments: &Arguments,
    name: &FullName,
    tombstones: &[Tombstone],
    client: &Client,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let path = format!("/reeve/tombstones/{}/{}/restore", segment(&name.flow), segment(&name.deployment));
    let json = client.post(&path, json!(null)).await?;
    if arguments.output.is_json() {
        screen.json(&json);
        return Ok(());
    }
    let deployment: Deployment = view(&json)?;
    screen.line(format!("Restored deployment '{name}' with its id {}, its runs and its schedules.", deployment.id));
    screen.line("It belongs to no project now: declare it again to have it kept equal to git.");
    if deployment.paused {
        screen.line(format!("It is paused, as it was: `reeve deployment resume '{name}'` lets its schedules fire."));
    }
    if let Some(pool) = &deployment.work_pool_name
        && client.get(&format!("/work_pools/{}", segment(pool))).await.is_err_and(|error| error.is_not_found())
    {
        let todo = match tombstones.iter().any(|tombstone| tombstone.kind == Kind::WorkPool && tombstone.name == *pool) {
            true => format!("reeve restore --work-pool '{pool}'"),
            false => format!("reeve work-pool create '{pool}' --type process"),
        };
        screen.line(format!("Its work pool '{pool}' is gone: its runs wait until there is one (`{todo}`)."));
    }
    Ok(())
}

/// What came back, as the API shows it.
#[derive(Debug, Deserialize)]
struct Restored {
    kind: Kind,
    id: String,
    name: String,
    paused: bool,
}

async fn restore_other(arguments: &Arguments, kind: Kind, name: &str, client: &Client, screen: &mut Screen) -> Result<(), CliError> {
    let json = client.post("/reeve/tombstones/restore", json!({"kind": kind, "name": name})).await?;
    if arguments.output.is_json() {
        screen.json(&json);
        return Ok(());
    }
    for Restored { kind, id, name, paused } in view::<Vec<Restored>>(&json)? {
        let paused = if paused { "; it is paused, as it was" } else { "" };
        screen.line(format!("Restored {} '{name}' with its id {id}{paused}.", kind.words()));
    }
    screen.line("It belongs to no project now: declare it again to have it kept equal to git.");
    Ok(())
}
