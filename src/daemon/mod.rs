//! The life of the daemon: open the home, serve the projects, schedule, dispatch, answer, stop.
//!
//! `run` reads as the biography of the process. Every task is in one named set; one that ends unasked ends the
//! process with its name. Stopping goes in stages: not ready, no new work, flushed, HTTP last. Runs go on without the
//! daemon (G4) unless it is told to stop them.
mod alarm;
mod apply;
mod commands;
mod dispatcher;
pub mod ending;
mod env_file;
mod environment;
mod error;
mod events;
mod expiry;
mod handover;
mod host;
mod janitor;
pub mod job;
mod looks;
mod narrator;
mod noting;
mod offline;
pub mod parameters;
mod places;
mod reconciler;
mod removal;
pub mod scheduler;
mod server;
mod signals;
pub mod timers;
mod units;
pub mod variables;
mod watch;

pub use error::DaemonError;
pub use offline::{AtRevision, at_revision, offline, offline_read_only};
pub use reconciler::PassError;

use crate::api::{self, Api};
use crate::clock;
use crate::model::status::{Phase, ProjectStatus, RunCounts, Status};
use crate::settings::{DEFAULT_PORT, DaemonAddress, Home};
use crate::store::ledger::{Ledger, Reader};
use commands::Commands;
use dispatcher::Dispatcher;
use narrator::Narrator;
use reconciler::Reconciler;
use scheduler::{Scheduler, Upcoming};
use signals::{StopSignals, told};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch as state;
use tokio::task::{Id, JoinError, JoinSet};

/// How long stopping may take before the process ends anyway.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct DaemonSettings {
    pub home: Home,
    pub projects: Vec<ProjectSettings>,
    pub host: IpAddr,
    pub port: u16,
    /// Stop the runs when the daemon stops, instead of leaving them to their supervisors.
    pub stop_runs: bool,
    /// Whether the lines of runs appear on the terminal.
    pub show_logs: bool,
}

/// One project that a daemon serves.
#[derive(Debug, Clone)]
pub struct ProjectSettings {
    /// Absolute. It may be missing: then it is served when it appears.
    pub root: PathBuf,
    /// Manifests, where they are not to be found by their names.
    pub files: Vec<PathBuf>,
    /// Unknown keys, duplicate keys and skipped entries are errors.
    pub strict: bool,
}

impl DaemonSettings {
    /// The defaults: loopback, Prefect's port, the runs' lines on the terminal.
    pub fn new(home: Home) -> Self {
        DaemonSettings {
            home,
            projects: Vec::new(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: DEFAULT_PORT,
            stop_runs: false,
            show_logs: true,
        }
    }
}

/// Runs a daemon until it is told to stop.
pub async fn run(settings: DaemonSettings) -> Result<(), DaemonError> {
    let signals = StopSignals::listen()?;
    let listener = server::listen(settings.host, settings.port).await?;
    let ledger = offline::open_unless(&settings.home, |reader| mistyped(&settings, reader))?;
    let address = format!("http://{}", listener.local_addr()?);
    let narrator = Narrator::new(settings.show_logs)?;
    let (stop_sender, stop) = state::channel(false);
    let (counts_sender, counts) = state::channel(RunCounts::default());

    let reconciler = Reconciler::new(Some(ledger.clone()), ledger.reader(), first_status(&settings, &address));
    let upcoming = Upcoming::default();
    let control = Arc::new(Commands {
        ledger: Some(ledger.clone()),
        reader: ledger.reader(),
        reconciler: reconciler.clone(),
        upcoming: upcoming.clone(),
        counts: counts.clone(),
    });

    let mut tasks = Tasks::default();
    let (http_stop_sender, http_stop) = state::channel(false);
    let api = Api::new(ledger.reader(), control.clone(), settings.home.clone()).until(http_stop.clone());
    tasks.spawn("http", server::serve(listener, api::router(api, api::Guard::default()), http_stop));
    announce(&settings, &address)?;
    let scheduler = Scheduler::load(ledger.clone(), upcoming, clock::now())?;
    let dispatcher = Dispatcher::load(ledger.clone(), settings.home.clone(), counts_sender, narrator.clone()).await?;
    tasks.spawn("scheduler", scheduler.run(stop.clone()));
    tasks.spawn("dispatcher", dispatcher.run(stop.clone()));
    reconciler.update_status(|status| status.ready = true);
    tracing::info!(source = "reeve", "API at {address}/api, home {}", settings.home.root().display());
    if settings.projects.len() > 1 {
        let (reconciler, projects) = (reconciler.clone(), settings.projects.clone());
        tokio::task::spawn_blocking(move || reconciler.learn_names(&projects)).await.map_err(std::io::Error::other)?;
    }
    for project in settings.projects.clone() {
        let watch = watch::ProjectWatch::new(project, reconciler.clone(), narrator.clone());
        tasks.spawn("project", watch.run(stop.clone()));
    }
    tasks.spawn("welcome", welcome(reconciler.clone(), control.clone(), stop.clone()));
    tasks.spawn("expiry", expiry::run(ledger.clone(), stop.clone()));
    tasks.spawn("history", read_history(ledger.clone(), stop.clone()));
    tasks.spawn("janitor", janitor::run(ledger.clone(), settings.home.clone(), stop.clone()));

    let reason = tasks.until_stopped(signals).await?;
    tracing::info!(source = "reeve", "{reason}: stopping");
    reconciler.update_status(|status| status.ready = false);
    if settings.stop_runs {
        server::stop_runs(&ledger, counts.clone()).await?;
    }
    let running = counts.borrow().running;
    stop_sender.send_replace(true);
    http_stop_sender.send_replace(true);
    let finished = tokio::time::timeout(STOP_WITHIN, tasks.all()).await;
    drop(std::fs::remove_file(settings.home.daemon_file()));
    finished.unwrap_or(Ok(()))?;
    match running {
        0 => tracing::info!(source = "reeve", "stopped"),
        1 => tracing::info!(source = "reeve", "stopped; 1 run goes on and is found again at the next start"),
        count => tracing::info!(source = "reeve", "stopped; {count} runs go on and are found again at the next start"),
    }
    Ok(())
}

/// A daemon for one project that is not there, and never was: its name was mistyped. `reader`: `None` where there is no home yet.
fn mistyped(settings: &DaemonSettings, reader: Option<&Reader>) -> Result<(), DaemonError> {
    let [only] = settings.projects.as_slice() else { return Ok(()) };
    let Err(error) = std::fs::metadata(&only.root) else { return Ok(()) };
    let known = reader.map_or(Ok(Vec::new()), Reader::projects)?;
    if known.iter().any(|project| Path::new(&project.root) == only.root) {
        return Ok(());
    }
    Err(DaemonError::NoProject { directory: only.root.display().to_string(), reason: error.to_string() })
}

fn first_status(settings: &DaemonSettings, address: &str) -> Status {
    let projects = settings.projects.iter().map(|project| {
        let name = project.root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        ProjectStatus::starting(name, project.root.to_string_lossy().into_owned())
    });
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: clock::now(),
        ready: false,
        address: address.to_owned(),
        home: settings.home.root().to_string_lossy().into_owned(),
        projects: projects.collect(),
        runs: RunCounts::default(),
        next: Vec::new(),
    }
}

/// Tells the CLI where the daemon is.
fn announce(settings: &DaemonSettings, address: &str) -> Result<(), DaemonError> {
    let file = settings.home.daemon_file();
    let address = DaemonAddress {
        api: format!("{address}/api"),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let temporary = file.with_extension("json.tmp");
    std::fs::write(&temporary, serde_json::to_vec_pretty(&address).map_err(std::io::Error::other)?)?;
    std::fs::rename(&temporary, &file)?;
    Ok(())
}

/// Reads what lists ask of the runs that are over. It may take seconds: nothing waits for it.
async fn read_history(ledger: Ledger, stop: state::Receiver<bool>) -> Result<(), DaemonError> {
    let read = async {
        ledger.complete_history().await?;
        let (reading, stopped) = (ledger.clone(), stop.clone());
        let read = tokio::task::spawn_blocking(move || reading.read_history(|| !*stopped.borrow()));
        Ok::<_, DaemonError>(read.await.map_err(std::io::Error::other)??)
    };
    let mut stopping = stop.clone();
    tokio::select! {
        read = read => read?,
        () = told(&mut stopping) => return Ok(()),
    }
    told(&mut stopping).await;
    Ok(())
}

/// Once every project had its first pass, says what is next.
async fn welcome(
    reconciler: Arc<Reconciler>,
    control: Arc<Commands>,
    mut stop: state::Receiver<bool>,
) -> Result<(), DaemonError> {
    use crate::control::Control;
    let mut status = reconciler.watch_status();
    let settled = status.wait_for(|status| {
        status.projects.iter().all(|project| !matches!(project.phase, Phase::Starting | Phase::Reconciling))
    });
    tokio::select! {
        _ = settled => {}
        () = told(&mut stop) => return Ok(()),
    }
    // The scheduler hears of new deployments through the feed, a moment after they were committed.
    control.scheduler_has_caught_up().await;
    let now = clock::now();
    let next = control.status().next;
    if next.is_empty() {
        tracing::info!(source = "reeve", "nothing is scheduled");
    }
    for fire in next {
        let seconds = fire.at.duration_since(now).as_secs().max(0);
        let local = fire.at.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %T %Z");
        tracing::info!(source = "next", "{} at {local}, in {} ({})", fire.deployment, in_words(seconds), fire.schedule);
    }
    told(&mut stop).await;
    Ok(())
}

fn in_words(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Every task of the daemon, with its name.
#[derive(Default)]
struct Tasks {
    set: JoinSet<Result<(), DaemonError>>,
    names: Vec<(Id, &'static str)>,
}

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = Result<(), DaemonError>> + Send + 'static) {
        let handle = self.set.spawn(task);
        self.names.push((handle.id(), name));
    }

    /// Waits for a signal, and says which; an error when a task ends before.
    async fn until_stopped(&mut self, signals: StopSignals) -> Result<&'static str, DaemonError> {
        tokio::select! {
            reason = signals.asked_to_stop() => Ok(reason),
            Some(ended) = self.set.join_next_with_id() => Err(self.end_of(ended)),
        }
    }

    /// Waits for all of them to end.
    async fn all(&mut self) -> Result<(), DaemonError> {
        while let Some(ended) = self.set.join_next_with_id().await {
            match ended {
                Ok((_, Ok(()))) => {}
                other => return Err(self.end_of(other)),
            }
        }
        Ok(())
    }

    fn end_of(&self, ended: Result<(Id, Result<(), DaemonError>), JoinError>) -> DaemonError {
        let (id, reason) = match ended {
            Ok((id, Ok(()))) => (id, "it finished unasked".to_owned()),
            Ok((id, Err(error))) => (id, error.to_string()),
            Err(error) => (error.id(), error.to_string()),
        };
        let task = self.names.iter().find(|(known, _)| *known == id).map_or("unknown", |(_, name)| name);
        DaemonError::TaskEnded { task, reason }
    }
}
