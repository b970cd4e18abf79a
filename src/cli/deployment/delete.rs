//! `reeve deployment delete`.
use super::super::client::Client;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;

/// Delete a deployment that no project declares. Its runs are kept.
///
/// What a project's file declares is refused with exit code 3: remove its lines from the file, and the next reconcile
/// removes the deployment.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve deployment delete hello_world/my-first-deployment")]
pub struct Arguments {
    #[command(flatten)]
    pub deployment: Name,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let found = resolve::deployment(client, &arguments.deployment.name).await?;
    client.delete(&format!("/deployments/{}", found.view.id)).await?;
    screen.line(format!("Deleted deployment '{}'.", found.full_name));
    Ok(Exit::Done)
}
