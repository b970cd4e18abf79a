//! `reeve concurrency-limit create`.
use super::super::client::{Client, segment, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::{OutputOption, Screen};
use super::super::wire::ConcurrencyLimit;
use serde_json::json;

/// Limit how many flow runs with a tag may go at once, whatever their work pool, queue and deployment.
///
/// A run that bears several tags with limits needs a slot of each. A limit that belongs to a project is better declared in its
/// deployment.yaml, under `concurrency_limits:`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve concurrency-limit create database 4
  reeve concurrency-limit create legacy-system 0")]
pub struct Arguments {
    /// The tag.
    #[arg(value_name = "TAG")]
    pub tag: String,
    /// How many runs that bear it may go at once; 0 is none at all.
    #[arg(value_name = "N")]
    pub limit: u32,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    match client.get(&format!("/concurrency_limits/tag/{}", segment(&arguments.tag))).await {
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
        Ok(json) => {
            let found: ConcurrencyLimit = view(&json)?;
            let error = CliError::new(format!("the tag '{}' has a concurrency limit already: {}", found.tag, found.concurrency_limit));
            return Err(error.hint(format!("`reeve concurrency-limit update {} {}` changes it", found.tag, arguments.limit)));
        }
    }
    let json = client.post("/concurrency_limits/", json!({"tag": arguments.tag, "concurrency_limit": arguments.limit})).await?;
    if arguments.output.is_json() {
        screen.json(&json);
        return Ok(Exit::Done);
    }
    let limit: ConcurrencyLimit = view(&json)?;
    screen.line(format!("Created concurrency limit of tag '{}': {} at once.", limit.tag, limit.concurrency_limit));
    screen.line(format!("└── UUID: {}", limit.id));
    Ok(Exit::Done)
}
