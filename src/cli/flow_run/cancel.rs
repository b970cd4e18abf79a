//! `reeve flow-run cancel`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::super::wire::Orchestration;
use super::Name;
use crate::model::state::StateType;
use serde_json::json;

/// Cancel a flow run. What waits is cancelled at once; what runs is stopped with all its processes.
///
/// Cancelling twice is harmless.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve flow-run cancel brisk-otter")]
pub struct Arguments {
    #[command(flatten)]
    pub run: Name,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let run = resolve::flow_run(client, &arguments.run.name).await?.view;
    let name = &run.name;
    if let Some(already) = run.state.as_ref().and_then(|state| already(state.kind)) {
        screen.line(format!("Flow run '{name}' is {already} already."));
        return Ok(Exit::Done);
    }
    let body = json!({"state": {"type": "CANCELLING"}, "force": false});
    let answer: Orchestration = view(&client.post(&format!("/flow_runs/{}/set_state", run.id), body).await?)?;
    match answer.state.as_ref().map(|state| state.kind) {
        _ if answer.status == "ABORT" => {
            // Somebody else may have cancelled it since it was looked at, which is as good.
            let run = resolve::flow_run(client, &run.id.to_string()).await?.view;
            let already = run.state.as_ref().and_then(|state| already(state.kind));
            let already = already.ok_or_else(|| CliError::new(format!("failed to cancel flow run '{name}': {}", answer.reason())))?;
            screen.line(format!("Flow run '{name}' is {already} already."));
            Ok(Exit::Done)
        }
        Some(StateType::Cancelled) => {
            screen.line(format!("Cancelled flow run '{name}'."));
            Ok(Exit::Done)
        }
        Some(StateType::Cancelling) if client.is_daemon() => {
            screen.line(format!("Flow run '{name}' is being cancelled: its processes are told to stop."));
            Ok(Exit::Done)
        }
        // Only a daemon stops processes.
        Some(StateType::Cancelling) => {
            screen.line(format!("Flow run '{name}' is to be cancelled: it will be stopped when a daemon runs: reeve daemon"));
            Ok(Exit::Done)
        }
        _ => Err(CliError::new(format!("failed to cancel flow run '{name}': {}", answer.reason()))),
    }
}

/// What has been asked for already of a run in such a state.
fn already(kind: StateType) -> Option<&'static str> {
    match kind {
        StateType::Cancelled => Some("cancelled"),
        StateType::Cancelling => Some("being cancelled"),
        _ => None,
    }
}
