//! `reeve work-queue delete`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;
use crate::model::work_pool::DEFAULT_AGENT_POOL;
use serde::Deserialize;
use serde_json::json;

/// Delete a work queue that no project declares.
///
/// Runs that wait in it go to another queue of its pool that serves them, else to the pool's `default`; runs that go on end as they
/// would have. Refused with exit code 3: what a project's file declares (remove its lines there instead), what a deployment names, and
/// a pool's `default` queue.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-queue delete tutorial_queue")]
pub struct Arguments {
    #[command(flatten)]
    pub queue: Name,
}

/// What the API answers.
#[derive(Deserialize)]
struct Deleted {
    moved: usize,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let queue = resolve::work_queue(client, &arguments.queue.name, arguments.queue.pool.as_deref()).await?.view;
    let deleted: Deleted = view(&client.post(&format!("/reeve/work_queues/{}/delete", queue.id), json!({})).await?)?;
    screen.line(format!("Deleted work queue '{}' ({}).", queue.name, queue.id));
    if deleted.moved > 0 {
        let runs = if deleted.moved == 1 { "1 run that waited in it goes".to_owned() } else { format!("{} runs that waited in it go", deleted.moved) };
        let pool = queue.work_pool_name.unwrap_or_default();
        screen.line(format!("{runs} to another queue of '{pool}' that serves them, else {}.", where_else(&pool)));
    }
    Ok(Exit::Done)
}

/// Where runs go that no other queue draws.
fn where_else(pool: &str) -> &'static str {
    match pool {
        DEFAULT_AGENT_POOL => "to its 'default', or, of deployments without a work pool, to none: these start at once",
        _ => "to its 'default'",
    }
}
