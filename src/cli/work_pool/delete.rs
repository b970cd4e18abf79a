//! `reeve work-pool delete`.
use super::super::client::{Client, segment};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;

/// Delete a work pool that no project declares, with its work queues.
///
/// What a project's file declares is refused with exit code 3: remove its lines from the file instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-pool delete tutorial-process-pool")]
pub struct Arguments {
    #[command(flatten)]
    pub pool: Name,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let pool = resolve::work_pool(client, &arguments.pool.name).await?.view.name;
    client.delete(&format!("/work_pools/{}", segment(&pool))).await?;
    screen.line(format!("Deleted work pool '{pool}'."));
    Ok(Exit::Done)
}
