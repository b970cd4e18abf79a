//! `reeve flow-run delete`.
use super::super::client::Client;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;

/// Delete a flow run with its log.
///
/// Deleting a run that is still to come skips it: its schedule does not make it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve flow-run delete brisk-otter")]
pub struct Arguments {
    #[command(flatten)]
    pub run: Name,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let run = resolve::flow_run(client, &arguments.run.name).await?.view;
    client.delete(&format!("/flow_runs/{}", run.id)).await?;
    if resolve::flow_run(client, &run.id.to_string()).await.is_ok() {
        let stays = "it stays in lists, cancelled, so that its schedule does not make it again";
        screen.line(format!("Flow run '{}' ({}) is skipped: {stays}.", run.name, run.id));
    } else {
        screen.line(format!("Deleted flow run '{}' ({}).", run.name, run.id));
    }
    Ok(Exit::Done)
}
