//! `reeve work-queue create`.
use super::super::client::{Client, segment, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::{OutputOption, Screen};
use super::super::words;
use super::super::wire::WorkQueue;
use serde_json::json;

/// Create a work queue, with a filter for the runs that it serves.
///
/// With tags it serves the runs that carry all of them; with deployments only theirs; with types only runs in such a pool; with
/// neither, the runs that name it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve work-queue create --tag tutorial tutorial_queue
  reeve work-queue create --pool batch --priority 1 --concurrency-limit 2 urgent")]
pub struct Arguments {
    /// The new queue's name.
    #[arg(value_name = "NAME", value_parser = words::new_name)]
    pub name: String,
    /// Serve runs with this tag; may be given several times, and then all are needed.
    #[arg(short, long = "tag", value_name = "TAG", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub tags: Vec<String>,
    /// Serve runs of this deployment; may be given several times.
    #[arg(short, long = "deployment", value_name = "DEPLOYMENT")]
    pub deployments: Vec<String>,
    /// Serve runs that stand in a work pool of this type; may be given several times.
    #[arg(long = "pool-type", value_name = "TYPE")]
    pub pool_types: Vec<String>,
    /// The work pool it is in; without one it is in `default-agent-pool`, which is made where it is missing.
    #[arg(short, long, value_name = "POOL")]
    pub pool: Option<String>,
    /// 1 is served first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub priority: Option<u32>,
    /// How many of its runs may go on at once.
    #[arg(short = 'l', long, value_name = "N")]
    pub concurrency_limit: Option<u32>,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let mut deployments = Vec::new();
    for deployment in &arguments.deployments {
        deployments.push(resolve::deployment(client, deployment).await?.view.id);
    }
    let mut body = json!({"name": arguments.name, "concurrency_limit": arguments.concurrency_limit});
    if let Some(priority) = arguments.priority {
        body["priority"] = json!(priority);
    }
    if !arguments.tags.is_empty() || !deployments.is_empty() || !arguments.pool_types.is_empty() {
        body["filter"] = json!({"tags": arguments.tags, "deployment_ids": deployments});
    }
    if !arguments.pool_types.is_empty() {
        body["filter"]["pool_types"] = json!(arguments.pool_types);
    }
    let json = match &arguments.pool {
        None => client.post("/work_queues/", body).await?,
        Some(pool) => {
            let pool = resolve::work_pool(client, pool).await?.view.name;
            client.post(&format!("/work_pools/{}/queues", segment(&pool)), body).await?
        }
    };
    if arguments.output.is_json() {
        screen.json(&json);
        return Ok(Exit::Done);
    }
    let queue: WorkQueue = view(&json)?;
    screen.line(format!("Created work queue '{}'.", queue.name));
    screen.line(format!("└── UUID: {}", queue.id));
    if let Some(pool) = queue.work_pool_name {
        screen.line(format!("└── Work pool: {pool}"));
    }
    if !arguments.tags.is_empty() {
        screen.line(format!("└── Tags: {}", arguments.tags.join(", ")));
    }
    Ok(Exit::Done)
}
