//! `reeve project ...`: beginning a project, and the projects of this home.
mod delete;
pub mod init;
mod inspect;
mod ls;
mod starter;

use super::client::{Access, Client, Connection};
use super::error::CliError;
use super::exit::Exit;
use super::screen::Screen;
use super::words::count;
use crate::model::status::ProjectStatus;
use crate::model::stored::{SourceState, Suspension};
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Init(init::Arguments),
    Ls(ls::Arguments),
    Inspect(inspect::Arguments),
    Delete(delete::Arguments),
}

/// A project as the API shows it.
#[derive(Debug, Deserialize)]
struct Project {
    name: String,
    root: String,
    generation: u64,
    applied: Timestamp,
    source: Option<SourceState>,
    objects: Owned,
    suspended: Option<Suspension>,
    status: Option<ProjectStatus>,
}

#[derive(Debug, Deserialize)]
struct Owned {
    #[serde(default)]
    concurrency_limits: usize,
    work_pools: usize,
    work_queues: usize,
    deployments: usize,
}

impl Owned {
    fn total(&self) -> usize {
        self.concurrency_limits + self.work_pools + self.work_queues + self.deployments
    }

    /// `1 concurrency limit, 1 work pool, 2 work queues, 3 deployments`.
    fn words(&self) -> String {
        let parts = [
            (self.concurrency_limits, "concurrency limit"),
            (self.work_pools, "work pool"),
            (self.work_queues, "work queue"),
            (self.deployments, "deployment"),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(number, noun)).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }
}

impl Command {
    pub async fn run(self, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
        match self {
            Command::Init(arguments) => init::run(arguments, screen),
            Command::Ls(arguments) => ls::run(&arguments, &Client::connect(connection, Access::Read).await?, screen).await,
            Command::Inspect(arguments) => inspect::run(&arguments, &Client::connect(connection, Access::Read).await?, screen).await,
            Command::Delete(arguments) => {
                let access = if arguments.dry_run { Access::Read } else { Access::Change };
                delete::run(&arguments, &Client::connect(connection, access).await?, screen).await
            }
        }
    }
}
