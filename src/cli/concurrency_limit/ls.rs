//! `reeve concurrency-limit ls`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::{Column, OutputOption, Screen};
use super::super::wire::ConcurrencyLimit;
use serde_json::{Value, json};

/// List the concurrency limits of tags, and how many of their slots are taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve concurrency-limit ls")]
pub struct Arguments {
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let limits = client.list("/concurrency_limits/filter", json!({})).await?;
    if arguments.output.is_json() {
        screen.json(&Value::Array(limits));
        return Ok(Exit::Done);
    }
    if limits.is_empty() {
        screen.line("There are no concurrency limits.");
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    for limit in &limits {
        let limit: ConcurrencyLimit = view(limit)?;
        let place = limit.declared_in().unwrap_or_else(|| "-".to_owned());
        let cells = [limit.tag, limit.concurrency_limit.to_string(), limit.active_slots.len().to_string(), limit.id.to_string(), place];
        rows.push(cells.map(Into::into).to_vec());
    }
    let columns =
        [Column::always("Tag"), Column::always("Concurrency Limit"), Column::always("Slots Taken"), Column::may_go("ID"), Column::may_go("Declared In")];
    screen.table("Concurrency Limits", &columns, rows, None);
    Ok(Exit::Done)
}
