//! stand-in
use super::super::client::{Client, Connection};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::Screen;
/// x
#[derive(Debug, clap::Args)]
pub struct Arguments {}
pub async fn run(_: &Arguments, _: &Connection, _: &mut Screen) -> Result<Exit, CliError> { Ok(Exit::Done) }
pub async fn with_client(_: &Arguments, _: Option<&Client>, _: &mut Screen) -> Result<Exit, CliError> { Ok(Exit::Done) }
