//! Where the API is: at `--api`, with the daemon of this home, or in the home itself.
//!
//! The daemon's address file is only a hint, since a killed daemon leaves it behind: what counts is who answers,
//! and who holds the store's lock.
use super::super::error::CliError;
use super::transport::{Asker, Transport};
use crate::daemon;
use crate::settings::{DaemonAddress, Home};
use std::time::Duration;

/// A daemon that is stopped or hangs takes connections and never answers.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a command is about to do with the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only look: a home that does not exist is not made and counts as empty.
    Read,
    /// Change something that is there: a home that does not exist is not made either, since nothing is in it.
    Change,
    /// Make something: the home is made where it is missing.
    Create,
}

/// Where to look for the API.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Connection {
    /// Talk to the daemon at this address instead of the one that runs on this home; $REEVE_API_KEY is sent as its token.
    #[arg(
        long = "api",
        value_name = "URL",
        env = "REEVE_API_URL",
        hide_env_values = true,
        global = true,
        help_heading = "Options of every command"
    )]
    pub api: Option<String>,
}

impl Connection {
    /// An address was given: whoever answers there may be on another host.
    pub fn is_elsewhere(&self) -> bool {
        self.api.as_deref().is_some_and(|api| !api.is_empty())
    }
}

pub async fn find(connection: &Connection, access: Access) -> Result<Transport, CliError> {
    if let Some(api) = connection.api.as_deref().filter(|api| !api.is_empty()) {
        return Transport::http_with(api, token());
    }
    let home = Home::from_environment().map_err(CliError::new)?;
    let recorded = recorded_daemon(&home);
    if let Some(daemon) = &recorded {
        let transport = Transport::http(&daemon.api)?;
        if answers(&transport).await {
            return Ok(transport);
        }
    }
    let router = match access {
        Access::Change if home.store().exists() => daemon::offline(&home),
        Access::Read | Access::Change => daemon::offline_read_only(&home),
        Access::Create => daemon::offline(&home),
    };
    router.map(Transport::InProcess).map_err(|error| cannot_open(&home, recorded, &error))
}

/// Whoever answers now, at `--api` or as the daemon of this home.
pub async fn answering(connection: &Connection) -> Result<Option<Transport>, CliError> {
    let transport = match connection.api.as_deref().filter(|api| !api.is_empty()) {
        Some(api) => Transport::http_with(api, token())?,
        None => match recorded_daemon(&Home::from_environment().map_err(CliError::new)?) {
            Some(daemon) => Transport::http(&daemon.api)?,
            None => return Ok(None),
        },
    };
    Ok(answers(&transport).await.then_some(transport))
}

async fn answers(transport: &Transport) -> bool {
    let answer = tokio::time::timeout(PROBE_TIMEOUT, transport.send("GET", "/health", None, &Asker::default())).await;
    answer.is_ok_and(|answer| answer.is_ok())
}

/// What an API elsewhere may ask for. It is sent nowhere else: the daemon of this home needs none.
fn token() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|token| !token.is_empty());
    set("REEVE_API_KEY").or_else(|| set("PREFECT_API_KEY"))
}

/// What a daemon left in the home; a file that cannot be read says nothing.
fn recorded_daemon(home: &Home) -> Option<DaemonAddress> {
    let text = std::fs::read(home.daemon_file()).ok()?;
    serde_json::from_slice(&text).ok()
}

fn cannot_open(home: &Home, recorded: Option<DaemonAddress>, error: &(dyn std::error::Error + 'static)) -> CliError {
    let message = format!("failed to open the home {}", home.root().display());
    let error = CliError::because(message, error);
    match recorded {
        Some(daemon) => error.hint(format!(
            "a daemon was started here (process {}, {}), but does not answer: if it still starts or hangs, wait or stop it",
            daemon.pid, daemon.api
        )),
        None => error,
    }
}
