//! Following one run: its log lines as they come, and how it ends.
use super::client::{Client, view};
use super::error::CliError;
use super::exit::Exit;
use super::screen::{Screen, Style};
use super::wire::{FlowRun, Log, State};
use crate::model::state::StateType;
use crate::telemetry;

/// Follows `run` until it is over, from its first line on; prints to `screen` where there is one.
/// `Exit::Done` only when it is Completed.
pub async fn to_the_end(client: &Client, run: &FlowRun, mut screen: Option<&mut Screen>) -> Result<Exit, CliError> {
    let mut lines = client.stream(&format!("/reeve/flow_runs/{}/logs/follow", run.id)).await?;
    let again = "the run itself goes on: `reeve flow-run logs -f` follows it again";
    while let Some(value) = lines.next().await.map_err(|error| error.hint(again))? {
        if let Some(screen) = screen.as_deref_mut() {
            if screen.is_gone() {
                return Ok(Exit::Done);
            }
            print(run, &view(&value)?, screen);
        }
    }
    let run: FlowRun = view(&client.get(&format!("/flow_runs/{}", run.id)).await?)?;
    let Some(state) = run.state.as_ref().filter(|state| state.kind.is_terminal()) else {
        return Err(CliError::new(format!("the daemon stopped telling about flow run '{}' before it ended", run.name))
            .hint(again));
    };
    if let Some(screen) = screen {
        screen.line(ending(&run, state, screen));
    }
    Ok(exit_of(state.kind))
}

/// One log line: `12:14:30.012 | INFO    | flow run 'brisk-otter' - text`.
pub fn print(run: &FlowRun, log: &Log, screen: &mut Screen) {
    let source = telemetry::source_of_run(&run.name);
    let zone = screen.zone.clone();
    let line = telemetry::line(log.timestamp, &zone, telemetry::level_word(log.level), &source, &log.message);
    let painted = match log.level {
        40.. => screen.paint(Style::Bad, &line),
        30.. => screen.paint(Style::Warning, &line),
        _ => line,
    };
    screen.raw(&format!("{painted}\n"));
}

pub fn exit_of(state: StateType) -> Exit {
    if state == StateType::Completed { Exit::Done } else { Exit::Error }
}

/// `Flow run 'brisk-otter' finished in state Completed.`
pub fn ending(run: &FlowRun, state: &State, screen: &Screen) -> String {
    let style = if state.kind == StateType::Completed { Style::Good } else { Style::Bad };
    let name = screen.paint(style, state.name());
    match state.message.as_deref().filter(|message| !message.is_empty()) {
        Some(message) => format!("Flow run '{}' finished in state {name}: {message}", run.name),
        None => format!("Flow run '{}' finished in state {name}.", run.name),
    }
}
