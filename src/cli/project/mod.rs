//! `reeve project ...`.
mod init;
mod starter;

use super::error::CliError;
use super::exit::Exit;
use super::screen::Screen;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Init(init::Arguments),
}

pub fn run(command: Command, screen: &mut Screen) -> Result<Exit, CliError> {
    match command {
        Command::Init(arguments) => init::run(arguments, screen),
    }
}
