//! `reeve work-queue delete`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::Name;
use super::super::words::count;
use crate::control::QueueDeletion;
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

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let queue = resolve::work_queue(client, &arguments.queue.name, arguments.queue.pool.as_deref()).await?.view;
    let deleted: QueueDeletion = view(&client.post(&format!("/reeve/work_queues/{}/delete", queue.id), json!({})).await?)?;
    screen.line(format!("Deleted work queue '{}' ({}){}.", queue.name, queue.id, fate(&deleted)));
    Ok(Exit::Done)
}

/// `: 3 waiting runs go to 'default'`.
fn fate(deleted: &QueueDeletion) -> String {
    let QueueDeletion { moved, queues } = deleted;
    let at_once = moved.saturating_sub(queues.values().sum());
    let mut parts: Vec<String> = queues.iter().map(|(queue, runs)| part(*runs, &format!("to '{queue}'"))).collect();
    if at_once > 0 {
        parts.push(part(at_once, "on without a queue"));
    }
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

fn part(runs: usize, to: &str) -> String {
    format!("{} {} {to}", count(runs, "waiting run"), if runs == 1 { "goes" } else { "go" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fate_of_what_waits_is_said() {
        let fate = |moved, queues: &[(&str, usize)]| {
            let queues = queues.iter().map(|(name, runs)| ((*name).to_owned(), *runs)).collect();
            super::fate(&QueueDeletion { moved, queues })
        };
        assert_eq!(fate(0, &[]), "");
        assert_eq!(fate(3, &[("default", 3)]), ": 3 waiting runs go to 'default'");
        assert_eq!(fate(4, &[("a", 1), ("b", 2)]), ": 1 waiting run goes to 'a', 2 waiting runs go to 'b', 1 waiting run goes on without a queue");
    }
}
