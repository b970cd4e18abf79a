//! `reeve work-queue ...`: the order and the limits in which a pool's runs are handed out.
mod create;
mod delete;
mod inspect;
mod ls;
mod pause;

use super::client::{Access, Client, Connection};
use super::error::CliError;
use super::exit::Exit;
use super::screen::Screen;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Create(create::Arguments),
    Ls(ls::Arguments),
    Inspect(inspect::Arguments),
    Pause(pause::PauseArguments),
    Resume(pause::ResumeArguments),
    Delete(delete::Arguments),
}

/// Which work queue is meant.
#[derive(Debug, clap::Args)]
pub struct Name {
    /// The id, `pool/queue`, or the bare name where only one queue bears it.
    #[arg(value_name = "QUEUE")]
    pub name: String,
    /// The work pool it is in.
    #[arg(short, long, value_name = "POOL")]
    pub pool: Option<String>,
}

impl Command {
    pub async fn run(self, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
        let access = match &self {
            Command::Ls(_) | Command::Inspect(_) => Access::Read,
            Command::Create(_) => Access::Create,
            _ => Access::Change,
        };
        let client = Client::connect(connection, access).await?;
        self.call(&client, screen).await
    }

    /// The same over a connection that is there already.
    pub async fn call(self, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
        match self {
            Command::Create(arguments) => create::run(&arguments, client, screen).await,
            Command::Ls(arguments) => ls::run(&arguments, client, screen).await,
            Command::Inspect(arguments) => inspect::run(&arguments, client, screen).await,
            Command::Pause(arguments) => pause::pause(&arguments, client, screen).await,
            Command::Resume(arguments) => pause::resume(&arguments, client, screen).await,
            Command::Delete(arguments) => delete::run(&arguments, client, screen).await,
        }
    }
}
