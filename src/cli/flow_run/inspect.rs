//! `reeve flow-run inspect`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve::{self, deployment_names_by_id, flow_names};
use super::super::screen::{OutputOption, Screen, one_line};
use super::super::wire::{FlowRun, State};
use super::super::words::{bytes, local, relative, took};
use super::{Name, attempts};
use crate::executor::outcome::signal_text;
use crate::model::run::Usage;
use crate::model::state::{StateType, names};
use jiff::Timestamp;

/// Show one flow run: its state and why, its times, what it used, its parameters.
///
/// `Late by` is from when it was expected to start until it did. `Queue wait` is how long its attempts waited after they were due, until
/// each was claimed: for a slot, a paused pool or queue, or a daemon. CPU time is of all attempts and their child processes; peak memory
/// is the largest single process's. A run that was tried more than once has a line for each attempt: when, how long, how it ended.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve flow-run inspect brisk-otter\n  reeve flow-run inspect brisk-otter -o json | jq .state")]
pub struct Arguments {
    #[command(flatten)]
    pub run: Name,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let found = resolve::flow_run(client, &arguments.run.name).await?;
    if arguments.output.is_json() {
        screen.json(&found.json);
        return Ok(Exit::Done);
    }
    let run = found.view;
    let time = |at: Timestamp| format!("{} ({})", local(at, &screen.zone), relative(at, screen.now));
    let deployment = deployment_names_by_id(client, run.deployment_id.into_iter()).await?.into_values().next();
    let flow = flow_names(client, std::iter::once(run.flow_id)).await?.into_values().next();
    let message = run.state.as_ref().and_then(|state| state.message.clone()).filter(|message| !message.is_empty());
    let mut fields = vec![("Name", run.name.clone()), ("ID", run.id.to_string())];
    let mut add = |label, value: Option<String>| fields.extend(value.map(|value| (label, value)));
    add("Deployment", deployment.clone());
    add("Flow", flow.filter(|_| deployment.is_none()));
    let state = run.state_name();
    add("State", Some(super::style(&run).map_or(state.to_owned(), |style| screen.paint(style, state))));
    add("Message", message);
    add("Expected", run.expected_start_time.map(time));
    add("Started", run.start_time.map(time));
    add("Ended", run.end_time.map(time));
    add("Late by", run.start_time.map(|_| took(run.estimated_start_time_delta)));
    add("Queue wait", queue_wait(&run));
    add("Took", run.end_time.and(run.start_time).map(|_| took(run.total_run_time)));
    add("Attempt", Some(run.run_count.to_string()).filter(|_| run.run_count > 1));
    let between = run.state.as_ref().filter(|state| state.name() == names::AWAITING_RETRY);
    add("Next attempt", between.and_then(|state| state.state_details.scheduled_time).map(time));
    add("Returned", returned(&run));
    let usage = run.reeve.as_ref().and_then(|reeve| reeve.usage);
    add("Exit code", usage.and_then(|usage| Some(usage.exit_code?.to_string())));
    add("Signal", usage.and_then(|usage| usage.signal.map(signal_text)));
    add("CPU time", usage.map(cpu_time));
    add("Peak memory", usage.map(|usage| bytes(usage.peak_memory_bytes)));
    add("Parameters", Some(one_line(&run.parameters)));
    add("Job variables", run.job_variables.as_ref().filter(|map| !map.is_empty()).map(one_line));
    add("Tags", Some(run.tags.join(", ")).filter(|tags| !tags.is_empty()));
    add("Work pool", run.work_pool_name.clone());
    add("Work queue", run.work_queue_name.clone());
    add("URL", client.pages().map(|pages| format!("{pages}/api/flow_runs/{}", run.id)));
    screen.fields(&fields);
    if run.run_count > 1 || between.is_some() {
        let history: Vec<State> = view(&client.get(&format!("/flow_run_states/?flow_run_id={}", run.id)).await?)?;
        screen.line("Attempts:");
        attempts::lines(&run, &history, &screen.zone).iter().for_each(|line| screen.line(format!("  {line}")));
    }
    Ok(Exit::Done)
}

/// What a function returned, on one line.
fn returned(run: &FlowRun) -> Option<String> {
    let state = run.state.as_ref().filter(|state| state.kind == StateType::Completed)?;
    state.data.as_ref().filter(|data| !data.is_null()).map(ToString::to_string)
}

/// Of a run that was claimed, or that waits past its time.
fn queue_wait(run: &FlowRun) -> Option<String> {
    let seconds = run.reeve.as_ref()?.queue_wait_seconds;
    let waits = run.state.as_ref().is_some_and(|state| state.kind == StateType::Scheduled);
    match waits {
        true => (seconds > 0.0).then(|| format!("{} so far", took(seconds))),
        false => run.start_time.map(|_| took(seconds)),
    }
}

fn cpu_time(usage: Usage) -> String {
    let Usage { user_cpu_seconds: user, system_cpu_seconds: system, .. } = usage;
    format!("{} ({} user, {} system)", took(user + system), took(user), took(system))
}
