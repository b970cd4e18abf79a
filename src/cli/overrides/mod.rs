//! `reeve override ...`: what operators laid over what the files declare.
mod clear;
mod ls;

use super::client::{Access, Client, Connection};
use super::error::CliError;
use super::exit::Exit;
use super::screen::Screen;
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Ls(ls::Arguments),
    Clear(clear::Arguments),
}

/// An override as the API shows it.
#[derive(Debug, Deserialize)]
struct OverrideView {
    kind: String,
    name: String,
    field: String,
    value: serde_json::Value,
    who: String,
    why: Option<String>,
    since: Timestamp,
    until: Option<Timestamp>,
    file: Option<String>,
}

impl Command {
    pub async fn run(self, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
        let access = if matches!(self, Command::Ls(_)) { Access::Read } else { Access::Change };
        let client = Client::connect(connection, access).await?;
        match self {
            Command::Ls(arguments) => ls::run(&arguments, &client, screen).await,
            Command::Clear(arguments) => clear::run(&arguments, &client, screen).await,
        }
    }
}
