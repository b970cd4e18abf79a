//! `reeve work-queue pause` and `resume`.
use super::super::client::Client;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::pause::PauseOptions;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;
use serde_json::json;

/// Hand out no more of a work queue's runs. What runs goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-queue pause tutorial_queue")]
pub struct PauseArguments {
    #[command(flatten)]
    pub queue: Name,
    #[command(flatten)]
    pub options: PauseOptions,
}

/// Hand out a paused work queue's runs again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-queue resume tutorial_queue")]
pub struct ResumeArguments {
    #[command(flatten)]
    pub queue: Name,
}

pub async fn pause(arguments: &PauseArguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let (client, until) = arguments.options.on(client, screen)?;
    let name = set(&client, &arguments.queue, true).await?;
    screen.line(format!("Paused work queue '{name}'{until}."));
    Ok(Exit::Done)
}

pub async fn resume(arguments: &ResumeArguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let name = set(client, &arguments.queue, false).await?;
    screen.line(format!("Resumed work queue '{name}'."));
    Ok(Exit::Done)
}

async fn set(client: &Client, queue: &Name, paused: bool) -> Result<String, CliError> {
    let queue = resolve::work_queue(client, &queue.name, queue.pool.as_deref()).await?.view;
    client.patch(&format!("/work_queues/{}", queue.id), json!({"is_paused": paused})).await?;
    Ok(queue.name)
}
