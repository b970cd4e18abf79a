//! `reeve concurrency-limit delete`.
use super::super::client::{Client, segment};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::Tag;

/// Delete the concurrency limit of a tag: what waits for it may go.
///
/// What a project's file declares is refused with exit code 3: remove its line from the file instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve concurrency-limit delete database")]
pub struct Arguments {
    #[command(flatten)]
    pub tag: Tag,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let tag = resolve::concurrency_limit(client, &arguments.tag.tag).await?.view.tag;
    client.delete(&format!("/concurrency_limits/tag/{}", segment(&tag))).await?;
    screen.line(format!("Deleted concurrency limit of tag '{tag}'."));
    Ok(Exit::Done)
}
