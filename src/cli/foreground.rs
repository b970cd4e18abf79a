//! One run in the foreground: started by the executor, its log printed as it is written, its states recorded where there is
//! a home. The run lives under its supervisor as any other; this process only waits for it.
use super::client::{Client, view};
use super::error::CliError;
use super::screen::{Screen, Style};
use super::wire::Orchestration;
use crate::daemon::{ending, job};
use crate::executor::follow::Follower;
use crate::executor::log::LogLine;
use crate::executor::mask::masked;
use crate::executor::process::ProcessExecutor;
use crate::executor::{Context, Executor, Handle, Report};
use crate::model::JsonMap;
use crate::model::deployment::Deployment;
use crate::model::id::{FlowRunId, of_state};
use crate::model::run::FlowRun;
use crate::model::state::{Proposed, State, StateDetails, StateType};
use crate::model::work_pool::WorkPool;
use crate::settings::Home;
use crate::telemetry;
use jiff::Timestamp;
use serde_json::json;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// A log line as it appears in the terminal.
pub fn said(screen: &Screen, source: &str, message: &str) -> String {
    telemetry::line(crate::clock::now(), &screen.zone, "INFO", source, message)
}

/// The run as `daemon::job` takes it.
pub fn run_of(id: FlowRunId, name: String, deployment: &Deployment, parameters: JsonMap, now: Timestamp) -> FlowRun {
    let state = State {
        id: of_state(id, 0),
        kind: StateType::Pending,
        name: StateType::Pending.title().to_owned(),
        timestamp: now,
        message: None,
        data: None,
        details: StateDetails::default(),
    };
    FlowRun {
        id,
        name,
        flow_id: deployment.flow_id,
        deployment_id: Some(deployment.id),
        deployment: Some(deployment.name.clone()),
        deployment_version: deployment.declared.version.clone(),
        parameters,
        tags: deployment.declared.tags.clone(),
        labels: JsonMap::new(),
        job_variables: JsonMap::new(),
        work_pool: None,
        work_queue: None,
        slot: None,
        missed: None,
        idempotency_key: None,
        requested_by: None,
        retries: 0,
        retry_delay_seconds: Vec::new(),
        retry_jitter_factor: 0.0,
        retry_on: Vec::new(),
        run_count: 0,
        expected_start_time: now,
        next_scheduled_start_time: None,
        start_time: None,
        end_time: None,
        total_run_time: 0.0,
        queue_wait_seconds: 0.0,
        infrastructure: None,
        infrastructure_pid: None,
        usage: None,
        state,
        past_states: Vec::new(),
        state_count: 1,
        created: now,
        updated: now,
    }
}

/// Runs it, and returns the state in which it ended. Its states are recorded through `record`, its log in `home`.
///
/// # Errors
/// It could not be started, or could not be recorded any more.
pub async fn to_the_end(
    run: &FlowRun,
    deployment: &Deployment,
    pool: Option<&WorkPool>,
    record: Option<&Client>,
    home: Option<&Home>,
    screen: &mut Screen,
) -> Result<Proposed, CliError> {
    let job = match job::of_run(run, deployment, pool, 1, home.map(Home::repositories).as_deref()) {
        Ok(job) => job,
        Err(reason) => {
            let end = Proposed::new(reason.state()).message(reason.to_string());
            propose(record, run, &end).await?;
            return Ok(end);
        }
    };
    let directory = RunDirectory::of(run, home)?;
    let executor = ProcessExecutor::new().map_err(|error| CliError::because("failed to set up the executor", &error))?;
    let (reports_sender, reports) = mpsc::channel(16);
    let context = Context { run_directory: directory.path.clone(), reports: reports_sender };
    let secrets = job.secrets.clone();
    let handle = match executor.start(job, context).await {
        Ok(handle) => handle,
        Err(error) => {
            let end = Proposed::new(StateType::Crashed).message(masked(&error.to_string(), &secrets));
            propose(record, run, &end).await?;
            return Ok(end);
        }
    };
    let mut follower = Follower::new(executor.watcher(), &directory.path, 0)
        .map_err(|error| CliError::because("failed to read the run's log", &error))?;
    propose(record, run, &Proposed::new(StateType::Running)).await?;
    let grace = job::grace_of(run, Some(deployment));
    let end = watch(run, &executor, &handle, grace, reports, &mut follower, screen).await?;
    propose(record, run, &end).await?;
    Ok(end)
}

/// Prints the log until the run has ended and all of its log is printed.
async fn watch(
    run: &FlowRun,
    executor: &ProcessExecutor,
    handle: &Handle,
    grace: Duration,
    mut reports: mpsc::Receiver<Report>,
    follower: &mut Follower,
    screen: &mut Screen,
) -> Result<Proposed, CliError> {
    let (mut end, mut log_is_open, mut interrupts) = (None, true, 0);
    let mut asked = AskedToStop::listen()?;
    while end.is_none() || log_is_open {
        tokio::select! {
            page = follower.next(), if log_is_open => match page {
                Ok(Some(page)) => page.lines.iter().for_each(|line| print(run, line, screen)),
                Ok(None) => log_is_open = false,
                Err(error) => {
                    screen.line(said(screen, "reeve", &format!("the log cannot be read: {error}")));
                    log_is_open = false;
                }
            },
            report = reports.recv(), if end.is_none() => match report {
                Some(Report::Started { .. }) => {}
                Some(Report::Finished { outcome, .. }) => end = Some(ending::state_of(&outcome, (interrupts > 0).then_some(""))),
                Some(Report::Lost { evidence, .. }) => end = Some(Proposed::new(StateType::Crashed).message(evidence)),
                None => end = Some(Proposed::new(StateType::Crashed).message("nobody can tell how the run ended")),
            },
            () = asked.again() => {
                let grace = if interrupts == 0 { grace } else { Duration::ZERO };
                interrupts += 1;
                screen.line(said(screen, "reeve", "Stopping the run; Ctrl-C again kills it"));
                executor.stop(handle, grace).await.map_err(|error| CliError::because("failed to stop the run", &error))?;
            }
        }
    }
    Ok(end.unwrap_or_else(|| Proposed::new(StateType::Crashed)))
}

/// Ctrl-C, `kill`, or the end of the terminal. One listener each for all of the run: what comes while a line is printed
/// must not be lost.
struct AskedToStop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl AskedToStop {
    fn listen() -> Result<Self, CliError> {
        let listener = |kind| signal(kind).map_err(|error| CliError::because("failed to wait for Ctrl-C", &error));
        Ok(AskedToStop {
            interrupt: listener(SignalKind::interrupt())?,
            terminate: listener(SignalKind::terminate())?,
            hang_up: listener(SignalKind::hangup())?,
        })
    }

    async fn again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

fn print(run: &FlowRun, line: &LogLine, screen: &mut Screen) {
    let level = line.level();
    let text = telemetry::line(line.timestamp, &screen.zone, telemetry::level_word(level.into()), &telemetry::source_of_run(&run.name), &line.message);
    let painted = match level {
        40.. => screen.paint(Style::Bad, &text),
        30.. => screen.paint(Style::Warning, &text),
        _ => text,
    };
    screen.raw(&format!("{painted}\n"));
}

async fn propose(record: Option<&Client>, run: &FlowRun, state: &Proposed) -> Result<(), CliError> {
    let Some(client) = record else { return Ok(()) };
    let body = json!({
        "state": {"type": state.kind, "name": state.name, "message": state.message, "data": state.data},
        // An attempt in the foreground is the only one: its end stands, whatever retries the deployment has.
        "force": state.kind.is_terminal(),
    });
    let answer: Orchestration = view(&client.post(&format!("/flow_runs/{}/set_state", run.id), body).await?)?;
    match answer.status.as_str() {
        "ACCEPT" => Ok(()),
        _ => Err(CliError::new(format!("flow run '{}' may not become {}: {}", run.name, state.effective_name(), answer.reason()))),
    }
}

/// Where the run's files are: in the home, where its log can be read later; else in a directory that goes with this process.
struct RunDirectory {
    path: PathBuf,
    temporary: Option<PathBuf>,
}

impl RunDirectory {
    fn of(run: &FlowRun, home: Option<&Home>) -> Result<Self, CliError> {
        if let Some(home) = home {
            return Ok(RunDirectory { path: home.attempt(run.id, 1), temporary: None });
        }
        let directory = std::env::temp_dir().join(format!("reeve-{}", run.id));
        // Others on this host must not read what the run prints.
        DirBuilder::new().mode(0o700).create(&directory)
            .map_err(|error| CliError::because(format!("failed to make {}", directory.display()), &error))?;
        Ok(RunDirectory { path: directory.join("1"), temporary: Some(directory) })
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        if let Some(directory) = &self.temporary {
            // What cannot be removed is left to the system's own cleaning.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}
