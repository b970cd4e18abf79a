//! `reeve work-queue ls`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::{Cell, Column, OutputOption, Screen};
use super::super::wire::WorkQueue;
use serde_json::{Value, json};

/// List the work queues.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-queue ls\n  reeve work-queue ls --pool batch")]
pub struct Arguments {
    /// Only the queues of this work pool.
    #[arg(short, long, value_name = "POOL")]
    pub pool: Option<String>,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let mut queues = client.list("/work_queues/filter", json!({})).await?;
    if let Some(pool) = &arguments.pool {
        let pool = resolve::work_pool(client, pool).await?.view.name;
        queues.retain(|queue| queue["work_pool_name"].as_str() == Some(&pool));
    }
    if arguments.output.is_json() {
        screen.json(&Value::Array(queues));
        return Ok(Exit::Done);
    }
    if queues.is_empty() {
        screen.line(arguments.pool.as_ref().map_or("There are no work queues.".to_owned(), |pool| format!("Work pool '{pool}' has no work queues.")));
        return Ok(Exit::Done);
    }
    let mut rows: Vec<((String, u32, String), Vec<Cell>)> = Vec::new();
    for queue in &queues {
        let queue: WorkQueue = view(queue)?;
        let pool = queue.work_pool_name.unwrap_or_else(|| "-".to_owned());
        let priority = queue.priority.unwrap_or(1);
        let tags = queue.filter.and_then(|filter| filter.tags).unwrap_or_default().join(", ");
        let place = (pool.clone(), priority, queue.name.clone());
        let row = vec![
            queue.id.to_string().into(),
            if queue.is_paused { format!("{} (**)", queue.name) } else { queue.name }.into(),
            pool.into(),
            priority.to_string().into(),
            queue.concurrency_limit.map_or("None".to_owned(), |limit| limit.to_string()).into(),
            if tags.is_empty() { "-".to_owned() } else { tags }.into(),
        ];
        rows.push((place, row));
    }
    rows.sort();
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    let columns = [Column::always("ID"), Column::always("Name"), Column::may_go("Pool"), Column::may_go("Priority"), Column::may_go("Concurrency Limit"), Column::may_go("Tags")];
    screen.table("Work Queues", &columns, rows, Some("(**) denotes a paused queue"));
    Ok(Exit::Done)
}
