//! Opening a home: for the daemon, and for a CLI that finds no daemon on it.
//!
//! Without a daemon the CLI asks the same API in its own process, over the same commands: there is one
//! implementation of everything. What needs the daemon's tasks (a run that is to start) waits for the next daemon.
use super::commands::Commands;
use super::error::DaemonError;
use super::reconciler::{Pass, PassError, Reconciler};
use super::scheduler::Upcoming;
use crate::api::{self, Api};
use crate::clock;
use crate::model::problem::Problem;
use crate::model::status::{RunCounts, Status};
use crate::settings::Home;
use crate::source::SourceError;
use crate::store::ledger::{Ledger, Reader};
use crate::store::{self, ReadStore, StoreError};
use axum::Router;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use uuid::Uuid;

/// Opens the ledger of a home, and makes the home where there is none.
pub(super) fn open(home: &Home) -> Result<Ledger, DaemonError> {
    refuse_foreign(home)?;
    Ok(Ledger::new(store::open(&store_url(home), Uuid::new_v4())?))
}

/// The same, unless something is `wrong` with what is stored. Where there is no home yet, it is asked before one is made.
pub(super) fn open_unless(home: &Home, wrong: impl Fn(Option<&Reader>) -> Result<(), DaemonError>) -> Result<Ledger, DaemonError> {
    if !home.store().exists() {
        wrong(None)?;
    }
    let ledger = open(home)?;
    wrong(Some(&ledger.reader()))?;
    Ok(ledger)
}

/// The API over a home without a daemon. Holds the home's lock until it is dropped.
///
/// # Errors
/// The home is locked, unreadable, of a newer version, or not a home.
pub fn offline(home: &Home) -> Result<Router, DaemonError> {
    let ledger = open(home)?;
    Ok(router(home, Some(ledger.clone()), ledger.reader()))
}

/// The API over a private copy of a home: what it reads is true, and it cannot write. A home that does not exist is
/// read as an empty one, and not made.
///
/// # Errors
/// As `offline`.
pub fn offline_read_only(home: &Home) -> Result<Router, DaemonError> {
    let store: Arc<dyn ReadStore> = match store::open_copy(&store_url(home)) {
        Ok(store) => store,
        Err(StoreError::Missing { .. }) => store::open("ram:", Uuid::nil())?,
        Err(error) => return Err(error.into()),
    };
    Ok(router(home, None, Reader::new(store)))
}

/// What a git revision of a project makes of an empty home.
pub enum AtRevision {
    /// The API over that home, which cannot be written any more.
    Home(Router),
    /// The revision's own files are wrong.
    Wrong(Vec<Problem>),
}

/// A home in memory that is equal to a project at a git revision; an empty one where the project was not there yet. For comparing
/// what lies in the directory with that revision, without a home and without a daemon.
///
/// # Errors
/// There is no such revision, or its files cannot be read.
pub async fn at_revision(home: &Home, root: PathBuf, files: Vec<PathBuf>, revision: String) -> Result<AtRevision, PassError> {
    let store = store::open("ram:", Uuid::nil()).map_err(|error| PassError::Ledger(error.into()))?;
    let ledger = Ledger::new(store);
    let reader = ledger.reader();
    let base = Reconciler::new(Some(ledger), reader.clone(), starting(home));
    let pass = Pass { root, files, revision: Some(revision), ..Pass::default() };
    match base.pass(pass).await {
        Ok(outcome) if outcome.report.plan.is_none() => return Ok(AtRevision::Wrong(outcome.report.problems)),
        Ok(_) | Err(PassError::Source(SourceError::NoManifest { .. })) => {}
        Err(error) => return Err(error),
    }
    Ok(AtRevision::Home(router(home, None, reader)))
}

/// A directory that was never a home and holds something of somebody else's is not made one: it was named by mistake.
fn refuse_foreign(home: &Home) -> Result<(), StoreError> {
    if home.store().exists() {
        return Ok(());
    }
    let Ok(entries) = std::fs::read_dir(home.root()) else { return Ok(()) };
    let own = [home.runs(), home.daemon_file(), home.root().join("lost+found")];
    match entries.flatten().map(|entry| entry.path()).find(|path| !own.contains(path)) {
        None => Ok(()),
        Some(foreign) => Err(StoreError::Foreign {
            path: home.root().to_owned(),
            found: foreign.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        }),
    }
}

fn store_url(home: &Home) -> String {
    format!("sled:{}", home.store().display())
}

/// The status of what is no daemon.
fn starting(home: &Home) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: clock::now(),
        ready: false,
        address: String::new(),
        home: home.root().to_string_lossy().into_owned(),
        projects: Vec::new(),
        runs: RunCounts::default(),
        next: Vec::new(),
    }
}

fn router(home: &Home, writer: Option<Ledger>, reader: Reader) -> Router {
    let reconciler = Reconciler::new(writer.clone(), reader.clone(), starting(home));
    let control = Commands { ledger: writer, reader: reader.clone(), reconciler, upcoming: Upcoming::default(), counts: watch::channel(RunCounts::default()).1 };
    let api = Api::new(reader, Arc::new(control), home.clone());
    api::router(api, api::Guard::default())
}
