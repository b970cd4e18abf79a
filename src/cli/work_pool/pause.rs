//! `reeve work-pool pause` and `resume`.
use super::super::client::{Client, segment};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::pause::PauseOptions;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;
use serde_json::json;

/// Hand out no more of a work pool's runs. What runs goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-pool pause tutorial-process-pool")]
pub struct PauseArguments {
    #[command(flatten)]
    pub pool: Name,
    #[command(flatten)]
    pub options: PauseOptions,
}

/// Hand out a paused work pool's runs again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-pool resume tutorial-process-pool")]
pub struct ResumeArguments {
    #[command(flatten)]
    pub pool: Name,
}

pub async fn pause(arguments: &PauseArguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let (client, until) = arguments.options.on(client, screen)?;
    let name = set(&client, &arguments.pool.name, true).await?;
    screen.line(format!("Paused work pool '{name}'{until}."));
    Ok(Exit::Done)
}

pub async fn resume(arguments: &ResumeArguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let name = set(client, &arguments.pool.name, false).await?;
    screen.line(format!("Resumed work pool '{name}'."));
    Ok(Exit::Done)
}

async fn set(client: &Client, name: &str, paused: bool) -> Result<String, CliError> {
    let pool = resolve::work_pool(client, name).await?.view.name;
    client.patch(&format!("/work_pools/{}", segment(&pool)), json!({"is_paused": paused})).await?;
    Ok(pool)
}
