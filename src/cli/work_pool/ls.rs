//! `reeve work-pool ls`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::{Cell, Column, OutputOption, Screen};
use super::super::wire::WorkPool;
use super::limit;
use serde_json::{Value, json};

/// List the work pools.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-pool ls")]
pub struct Arguments {
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let pools = client.list("/work_pools/filter", json!({})).await?;
    if arguments.output.is_json() {
        screen.json(&Value::Array(pools));
        return Ok(Exit::Done);
    }
    if pools.is_empty() {
        screen.line("There are no work pools.");
        return Ok(Exit::Done);
    }
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for pool in &pools {
        let pool: WorkPool = view(pool)?;
        let name = if pool.is_paused { format!("{} (**)", pool.name) } else { pool.name };
        rows.push(vec![name.into(), pool.kind.into(), pool.id.to_string().into(), limit(pool.concurrency_limit).into()]);
    }
    rows.sort();
    let caption = Some("(**) denotes a paused pool");
    screen.table("Work Pools", &[Column::always("Name"), Column::always("Type"), Column::always("ID"), Column::may_go("Concurrency Limit")], rows, caption);
    Ok(Exit::Done)
}
