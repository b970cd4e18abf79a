//! `reeve flow-run logs`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::{OutputOption, Screen};
use super::super::{follow, resolve};
use super::Name;
use serde_json::{Value, json};

/// Print a flow run's log, from its first line on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve flow-run logs brisk-otter
  reeve flow-run logs brisk-otter -f
  reeve flow-run logs brisk-otter --tail 20")]
pub struct Arguments {
    #[command(flatten)]
    pub run: Name,
    /// Go on with the lines to come until the run is over; the exit code is then 0 only when it is Completed.
    #[arg(short, long, conflicts_with_all = ["tail", "output"])]
    pub follow: bool,
    /// Only the last lines.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub tail: Option<u32>,
    #[command(flatten)]
    pub output: OutputOption,
}

/// Lines in one request.
const PAGE: usize = 200;

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let run = resolve::flow_run(client, &arguments.run.name).await?.view;
    if arguments.follow {
        if !client.is_daemon() && !run.is_over() {
            return Err(CliError::new("there is nothing to follow: no daemon runs on this home")
                .hint("`reeve flow-run logs` without -f prints what there is"));
        }
        return follow::to_the_end(client, &run, Some(screen)).await;
    }
    let logs = json!({"flow_run_id": {"any_": [run.id]}});
    if let Some(tail) = arguments.tail {
        let filter = json!({"logs": logs, "sort": "TIMESTAMP_DESC"});
        let mut lines = client.up_to("/logs/filter", &filter, tail as usize).await?;
        lines.reverse();
        return show(lines, arguments, &run, screen);
    }
    let filter = json!({"logs": logs, "sort": "TIMESTAMP_ASC"});
    if arguments.output.is_json() {
        return show(client.list("/logs/filter", filter).await?, arguments, &run, screen);
    }
    // Page by page, so that a log of any length is printed in little memory.
    let mut offset = 0;
    while !screen.is_gone() {
        let page = client.page("/logs/filter", &filter, offset, PAGE).await?;
        let last = page.len() < PAGE;
        offset += page.len();
        show(page, arguments, &run, screen)?;
        if last {
            break;
        }
    }
    Ok(Exit::Done)
}

fn show(
    lines: Vec<Value>,
    arguments: &Arguments,
    run: &super::super::wire::FlowRun,
    screen: &mut Screen,
) -> Result<Exit, CliError> {
    if arguments.output.is_json() {
        screen.json(&Value::Array(lines));
        return Ok(Exit::Done);
    }
    for line in &lines {
        follow::print(run, &view(line)?, screen);
    }
    Ok(Exit::Done)
}
