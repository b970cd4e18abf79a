//! `reeve work-pool inspect`.
use super::super::client::{Client, segment, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::{OutputOption, Screen};
use super::super::wire::WorkQueue;
use super::{Name, limit};
use serde_json::json;

/// Show one work pool and its work queues.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-pool inspect tutorial-process-pool\n  reeve work-pool inspect batch -o json")]
pub struct Arguments {
    #[command(flatten)]
    pub pool: Name,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let found = resolve::work_pool(client, &arguments.pool.name).await?;
    if arguments.output.is_json() {
        screen.json(&found.json);
        return Ok(Exit::Done);
    }
    let pool = found.view;
    let mut queues = Vec::new();
    for queue in client.list(&format!("/work_pools/{}/queues/filter", segment(&pool.name)), json!({})).await? {
        let queue: WorkQueue = view(&queue)?;
        let paused = if queue.is_paused { " (**)" } else { "" };
        let priority = queue.priority.unwrap_or(1);
        queues.push((priority, format!("{}{paused}  priority {priority}, limit {}", queue.name, limit(queue.concurrency_limit))));
    }
    queues.sort();
    let mut fields = vec![("Name", pool.name), ("ID", pool.id.to_string()), ("Type", pool.kind)];
    fields.extend(pool.description.filter(|text| !text.is_empty()).map(|text| ("Description", text)));
    fields.push(("Concurrency limit", limit(pool.concurrency_limit)));
    fields.push(("Paused", if pool.is_paused { "yes".to_owned() } else { "no".to_owned() }));
    fields.extend(pool.status.map(|status| ("Status", status)));
    fields.push(("Work queues", queues.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")));
    screen.fields(&fields);
    Ok(Exit::Done)
}
