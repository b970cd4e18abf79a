//! `reeve deployment pause` and `resume`.
use super::super::client::Client;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::pause::PauseOptions;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;
use serde_json::json;

/// Hold back a deployment's schedules. Runs that go on go on, and it can still be run by hand.
///
/// Where a project's file declares the deployment, this lies over the file until `resume`; a reconcile does not undo it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve deployment pause etl/daily --why 'source is down'
  reeve deployment pause etl/daily --why 'source is down' --until 'tomorrow 06:00'")]
pub struct PauseArguments {
    #[command(flatten)]
    pub deployment: Name,
    #[command(flatten)]
    pub options: PauseOptions,
}

/// Let a paused deployment's schedules fire again, from now on: what passed meanwhile is not made up for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve deployment resume etl/daily")]
pub struct ResumeArguments {
    #[command(flatten)]
    pub deployment: Name,
}

pub async fn pause(arguments: &PauseArguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let found = resolve::deployment(client, &arguments.deployment.name).await?;
    let (client, until) = arguments.options.on(client, screen)?;
    client.post(&format!("/deployments/{}/pause_deployment", found.view.id), json!({})).await?;
    screen.line(format!("Paused deployment '{}'{until}.", found.full_name));
    Ok(Exit::Done)
}

pub async fn resume(arguments: &ResumeArguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let found = resolve::deployment(client, &arguments.deployment.name).await?;
    client.post(&format!("/deployments/{}/resume_deployment", found.view.id), json!({})).await?;
    screen.line(format!("Resumed deployment '{}'.", found.full_name));
    if !client.is_daemon() && !found.view.schedules.is_empty() {
        screen.line("No daemon runs on this home: its schedules fire once `reeve daemon` runs.");
    }
    Ok(Exit::Done)
}
