//! `reeve concurrency-limit inspect`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::{OutputOption, Screen};
use super::super::wire::FlowRun;
use super::Tag;
use serde_json::json;

/// So many holders are listed.
const MOST_HOLDERS: usize = 50;

/// Show the concurrency limit of a tag, and the flow runs that hold its slots.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve concurrency-limit inspect database\n  reeve concurrency-limit inspect database -o json")]
pub struct Arguments {
    #[command(flatten)]
    pub tag: Tag,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let found = resolve::concurrency_limit(client, &arguments.tag.tag).await?;
    if arguments.output.is_json() {
        screen.json(&found.json);
        return Ok(Exit::Done);
    }
    let limit = found.view;
    let held = limit.active_slots.len();
    let mut fields = vec![("Tag", limit.tag.clone()), ("ID", limit.id.to_string())];
    fields.push(("Concurrency limit", limit.concurrency_limit.to_string()));
    fields.push(("Slots taken", held.to_string()));
    fields.extend(limit.declared_in().map(|place| ("Declared in", place)));
    if held > 0 {
        let some: Vec<_> = limit.active_slots.iter().take(MOST_HOLDERS).collect();
        let runs = client.list("/flow_runs/filter", json!({"flow_runs": {"id": {"any_": some}}})).await?;
        let mut lines = Vec::new();
        for run in &runs {
            let run: FlowRun = view(run)?;
            lines.push(format!("{}  {}  {}", run.id, run.name, run.state_name()));
        }
        if held > MOST_HOLDERS {
            lines.push(format!("and {} more", held - MOST_HOLDERS));
        }
        fields.push(("Held by", lines.join("\n")));
    }
    screen.fields(&fields);
    Ok(Exit::Done)
}
