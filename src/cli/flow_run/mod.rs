//! `reeve flow-run ...`: what ran, runs and will run.
mod attempts;
mod cancel;
mod delete;
mod inspect;
mod logs;
mod ls;
mod why;

use super::client::{Access, Client, Connection};
use super::error::CliError;
use super::exit::Exit;
use super::screen::{Screen, Style};
use super::wire::FlowRun;
use crate::model::state::StateType;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Ls(ls::Arguments),
    Inspect(inspect::Arguments),
    Logs(logs::Arguments),
    Why(why::Arguments),
    Cancel(cancel::Arguments),
    Delete(delete::Arguments),
}

/// Which run is meant.
#[derive(Debug, clap::Args)]
pub struct Name {
    /// The run's name (`brisk-otter`) or its id.
    #[arg(value_name = "RUN")]
    pub name: String,
}

impl Command {
    pub async fn run(self, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
        let access = match &self {
            Command::Ls(_) | Command::Inspect(_) | Command::Logs(_) | Command::Why(_) => Access::Read,
            Command::Cancel(_) | Command::Delete(_) => Access::Change,
        };
        let client = Client::connect(connection, access).await?;
        self.call(&client, screen).await
    }

    /// The same over a connection that is there already.
    pub async fn call(self, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
        match self {
            Command::Ls(arguments) => ls::run(&arguments, client, screen).await,
            Command::Inspect(arguments) => inspect::run(&arguments, client, screen).await,
            Command::Why(arguments) => why::run(&arguments, client, screen).await,
            Command::Logs(arguments) => logs::run(&arguments, client, screen).await,
            Command::Cancel(arguments) => cancel::run(&arguments, client, screen).await,
            Command::Delete(arguments) => delete::run(&arguments, client, screen).await,
        }
    }
}

/// The colour of the run's state, where it says good or bad.
fn style(run: &FlowRun) -> Option<Style> {
    match run.state.as_ref().map(|state| state.kind)? {
        StateType::Completed => Some(Style::Good),
        StateType::Failed | StateType::Crashed => Some(Style::Bad),
        StateType::Cancelled | StateType::Cancelling | StateType::Paused => Some(Style::Warning),
        StateType::Scheduled | StateType::Pending | StateType::Running => None,
    }
}
