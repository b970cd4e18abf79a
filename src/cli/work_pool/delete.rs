//! `reeve work-pool delete`.
use super::super::client::{Client, segment, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::super::words::count;
use super::Name;
use crate::control::PoolDeletion;
use serde_json::json;

/// Delete a work pool that no project declares, with its work queues.
///
/// Runs that wait in it, since their deployment named it when they were made, go where their deployment runs now; runs that go on end as
/// they would have. Refused with exit code 3: what a project's file declares (remove its lines there instead), and what a deployment names.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-pool delete tutorial-process-pool --dry-run\n  reeve work-pool delete tutorial-process-pool")]
pub struct Arguments {
    #[command(flatten)]
    pub pool: Name,
    /// Show what would go, and change nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let pool = resolve::work_pool(client, &arguments.pool.name).await?.view.name;
    let path = format!("/reeve/work_pools/{}/delete", segment(&pool));
    let PoolDeletion { queues, moved } = view(&client.post(&path, json!({"dry_run": arguments.dry_run})).await?)?;
    let (deleted, go) = if arguments.dry_run { ("Would delete", "would go") } else { ("Deleted", "go") };
    screen.line(format!("{deleted} work pool '{pool}' with its {} ({}).", count(queues.len(), "work queue"), queues.join(", ")));
    match moved {
        0 => {}
        1 => screen.line(format!("1 run that waits in it {} where its deployment runs now.", if arguments.dry_run { go } else { "goes" })),
        many => screen.line(format!("{many} runs that wait in it {go} where their deployments run now.")),
    }
    Ok(Exit::Done)
}
