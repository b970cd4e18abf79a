//! `reeve work-queue delete`.
use super::super::client::Client;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;

/// Delete a work queue that no project declares.
///
/// What a project's file declares is refused with exit code 3: remove its lines from the file instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-queue delete tutorial_queue")]
pub struct Arguments {
    #[command(flatten)]
    pub queue: Name,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let queue = resolve::work_queue(client, &arguments.queue.name, arguments.queue.pool.as_deref()).await?.view;
    client.delete(&format!("/work_queues/{}", queue.id)).await?;
    screen.line(format!("Deleted work queue '{}' ({}).", queue.name, queue.id));
    Ok(Exit::Done)
}
