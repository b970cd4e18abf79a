//! Following one run: its log lines as they come, and how it ends.
use super::client::{Client, view};
use super::error::CliError;
use super::exit::Exit;
use super::screen::{Screen, Style};
use super::wire::{FlowRun, Log, State};
use crate::model::state::StateType;
use crate::telemetry;
use std::io::Write;
use std::time::{Duration, Instant};

/// How long a daemon that went away is waited for; its upgrade or a reboot takes less.
const PATIENCE: Duration = Duration::from_secs(600);

/// Between two looks for it, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// So often in a row a log that yields nothing is asked for again.
const MOST_FRUITLESS: u32 = 5;

const AGAIN: &str = "the run itself goes on: `reeve flow-run logs -f` follows it again";

/// Where a reader of a log has come to.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    attempt: u32,
    position: u64,
}

/// Follows `run` until it is over, from its first line on; prints to `screen` where there is one. A daemon that is restarted
/// meanwhile is waited for, and its log goes on where it stopped: no line is missing or comes twice.
/// `Exit::Done` only when it is Completed.
pub async fn to_the_end(client: &Client, run: &FlowRun, mut screen: Option<&mut Screen>) -> Result<Exit, CliError> {
    let (mut client, mut place) = (client.clone(), Place { attempt: 1, position: 0 });
    let mut fruitless = 0;
    let run = loop {
        let (before, begun) = (place, Instant::now());
        match follow(&client, run, &mut place, screen.as_deref_mut()).await {
            Ok(run) if is_over(&run) || screen.as_ref().is_some_and(|screen| screen.is_gone()) => break run,
            Err(error) if error.is_not_found() => {
                return Err(CliError::new(format!("flow run '{}' was deleted, and its log with it", run.name)));
            }
            Err(error) if !error.is_unreachable() => return Err(error.hint(AGAIN)),
            // The daemon is there, so it is the log that it cannot read.
            Err(_) if let Ok(json) = client.get(&format!("/flow_runs/{}", run.id)).await => {
                let run: FlowRun = view(&json)?;
                if place.position != before.position || place.attempt != before.attempt || begun.elapsed() > LONGEST_PAUSE {
                    fruitless = 0;
                }
                fruitless += 1;
                if is_over(&run) {
                    note(&format!("the log of flow run '{}' cannot be read to its end: the daemon's own log may say why", run.name));
                    break run;
                }
                if fruitless > MOST_FRUITLESS {
                    return Err(CliError::new(format!("the log of flow run '{}' cannot be read", run.name)).hint("the daemon's own log may say why").hint(AGAIN));
                }
                tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(fruitless)).await;
            }
            Ok(_) | Err(_) => client = daemon_again(&client, &run.name).await?,
        }
    };
    let Some(state) = run.state.as_ref().filter(|state| state.kind.is_terminal()) else { return Ok(Exit::Done) };
    if let Some(screen) = screen {
        screen.line(ending(&run, state, screen));
    }
    Ok(exit_of(state.kind))
}

/// One connection's worth. The run as it is after the daemon ended the stream: it is over, or the daemon is being stopped.
async fn follow(client: &Client, run: &FlowRun, place: &mut Place, mut screen: Option<&mut Screen>) -> Result<FlowRun, CliError> {
    let path = format!("/reeve/flow_runs/{}/logs/follow?attempt={}&position={}", run.id, place.attempt, place.position);
    let mut lines = client.stream(&path).await?;
    // A burst is printed when all of it is here, since only its last line says where to go on.
    let mut burst: Vec<Log> = Vec::new();
    while let Some(value) = lines.next().await? {
        let log: Log = view(&value)?;
        let (attempt, position) = (log.attempt, log.position);
        burst.push(log);
        let Some(position) = position else { continue };
        *place = Place { attempt, position };
        let Some(screen) = screen.as_deref_mut() else {
            burst.clear();
            continue;
        };
        burst.drain(..).for_each(|log| print(run, &log, screen));
        if screen.is_gone() {
            return Ok(run.clone());
        }
    }
    view(&client.get(&format!("/flow_runs/{}", run.id)).await?)
}

fn is_over(run: &FlowRun) -> bool {
    run.state.as_ref().is_some_and(|state| state.kind.is_terminal())
}

/// Waits until a daemon answers again, and says so on standard error.
async fn daemon_again(client: &Client, run: &str) -> Result<Client, CliError> {
    note(&format!("the daemon has gone: waiting for it to go on with the log of flow run '{run}', which itself goes on (Ctrl-C ends the wait)"));
    let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
    while waited < PATIENCE {
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
        if let Some(client) = client.find_again().await? {
            note("the daemon is back: the log goes on");
            return Ok(client);
        }
    }
    let message = format!("no daemon has answered for {} minutes", PATIENCE.as_secs() / 60);
    Err(CliError::new(message).hint("`reeve daemon` starts one").hint(AGAIN))
}

/// A closed standard error is nobody's loss.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
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
