//! `reeve concurrency-limit ...`: how many runs that bear a tag may go at once.
mod create;
mod delete;
mod inspect;
mod ls;
mod update;

use super::client::{Access, Client, Connection};
use super::error::CliError;
use super::exit::Exit;
use super::screen::Screen;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Create(create::Arguments),
    Ls(ls::Arguments),
    Inspect(inspect::Arguments),
    Update(update::Arguments),
    Delete(delete::Arguments),
}

/// Which limit is meant.
#[derive(Debug, clap::Args)]
pub struct Tag {
    /// The tag, or the limit's id.
    #[arg(value_name = "TAG")]
    pub tag: String,
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
            Command::Update(arguments) => update::run(&arguments, client, screen).await,
            Command::Delete(arguments) => delete::run(&arguments, client, screen).await,
        }
    }
}
