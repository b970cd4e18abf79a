//! `reeve work-queue ls`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve::{self, deployment_names_by_id};
use super::super::screen::{Cell, Column, OutputOption, Screen};
use super::super::wire::{QueueFilter, WorkQueue};
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
    let mut queues = queues.iter().map(view).collect::<Result<Vec<WorkQueue>, CliError>>()?;
    queues.sort_by_cached_key(|queue| (queue.work_pool_name.clone(), queue.priority, queue.name.clone()));
    let filters: Vec<QueueFilter> = queues.iter().map(|queue| queue.filter.clone().unwrap_or_default()).collect();
    let names = deployment_names_by_id(client, filters.iter().flat_map(|filter| filter.deployment_ids.iter().flatten().copied())).await?;
    let mut columns =
        vec![Column::always("ID"), Column::always("Name"), Column::may_go("Pool"), Column::may_go("Priority"), Column::may_go("Concurrency Limit"), Column::may_go("Tags")];
    let mut rows: Vec<Vec<Cell>> = queues.into_iter().zip(&filters).map(|(queue, filter)| row(queue, filter)).collect();
    // Few queues ask for more than tags.
    let deployments = filters.iter().map(|filter| filter.deployment_ids.iter().flatten().map(|id| names.get(id).cloned().unwrap_or_else(|| id.to_string())).collect());
    add_column(&mut columns, &mut rows, "Deployments", deployments.collect());
    add_column(&mut columns, &mut rows, "Pool Types", filters.iter().map(|filter| filter.pool_types.clone().unwrap_or_default()).collect());
    screen.table("Work Queues", &columns, rows, Some("(**) denotes a paused queue"));
    Ok(Exit::Done)
}

fn row(queue: WorkQueue, filter: &QueueFilter) -> Vec<Cell> {
    vec![
        queue.id.to_string().into(),
        if queue.is_paused { format!("{} (**)", queue.name) } else { queue.name }.into(),
        queue.work_pool_name.unwrap_or_else(|| "-".to_owned()).into(),
        queue.priority.unwrap_or(1).to_string().into(),
        queue.concurrency_limit.map_or("None".to_owned(), |limit| limit.to_string()).into(),
        listed(filter.tags.as_deref().unwrap_or_default()).into(),
    ]
}

/// A column that is there where a queue has something in it.
fn add_column(columns: &mut Vec<Column>, rows: &mut [Vec<Cell>], title: &'static str, cells: Vec<Vec<String>>) {
    if cells.iter().any(|cell| !cell.is_empty()) {
        columns.push(Column::always(title));
        rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(listed(&cell).into()));
    }
}

fn listed(words: &[String]) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}
