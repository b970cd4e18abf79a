//! `reeve concurrency-limit update`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::pause::PauseOptions;
use super::super::resolve;
use super::super::screen::Screen;
use super::super::wire::ConcurrencyLimit;
use super::Tag;
use serde_json::json;

/// Change how many flow runs with a tag may go at once. Runs that go on are not stopped.
///
/// On a limit that a project's file declares it is an override, which plans show and deploys never clear.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve concurrency-limit update database 8
  reeve concurrency-limit update database 0 --why migration --until 18:30")]
pub struct Arguments {
    #[command(flatten)]
    pub tag: Tag,
    /// How many runs that bear it may go at once; 0 is none at all.
    #[arg(value_name = "N")]
    pub limit: u32,
    #[command(flatten)]
    pub options: PauseOptions,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let tag = resolve::concurrency_limit(client, &arguments.tag.tag).await?.view.tag;
    let (client, until) = arguments.options.on(client, screen)?;
    let json = client.post("/concurrency_limits/", json!({"tag": tag, "concurrency_limit": arguments.limit})).await?;
    let limit: ConcurrencyLimit = view(&json)?;
    screen.line(format!("The concurrency limit of tag '{tag}' is {}{until}.", limit.concurrency_limit));
    if limit.is_overridden() {
        screen.line(format!("It is declared otherwise: `reeve override clear {tag}` goes back to that."));
    }
    Ok(Exit::Done)
}
