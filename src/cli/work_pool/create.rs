//! `reeve work-pool create`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::{OutputOption, Screen};
use super::super::words;
use super::super::wire::WorkPool;
use serde_json::json;

/// Create a work pool. It gets a work queue `default`.
///
/// A pool that belongs to a project is better declared in its deployment.yaml, under `work_pools:`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve work-pool create --type process tutorial-process-pool
  reeve work-pool create --type process --concurrency-limit 4 batch")]
pub struct Arguments {
    /// The new pool's name.
    #[arg(value_name = "NAME", value_parser = words::new_name)]
    pub name: String,
    /// The kind of infrastructure: `process` runs on this host; other types need a worker of that type.
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "process")]
    pub kind: String,
    /// How many of its runs may go on at once.
    #[arg(long, value_name = "N")]
    pub concurrency_limit: Option<u32>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Create it paused.
    #[arg(long)]
    pub paused: bool,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let body = json!({
        "name": arguments.name,
        "type": arguments.kind,
        "description": arguments.description,
        "is_paused": arguments.paused,
        "concurrency_limit": arguments.concurrency_limit,
    });
    let json = client.post("/work_pools/", body).await?;
    if arguments.output.is_json() {
        screen.json(&json);
    } else {
        let pool: WorkPool = view(&json)?;
        screen.line(format!("Created work pool '{}'.", pool.name));
        screen.line(format!("└── UUID: {}", pool.id));
        screen.line(format!("└── Type: {}", pool.kind));
    }
    Ok(Exit::Done)
}
