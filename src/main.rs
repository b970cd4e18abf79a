//! The binary.
use std::process::ExitCode;

use reeve::executor::{prepare, supervisor};

fn main() -> ExitCode {
    // Before anything else is set up: these start once per run and must stay small.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(argument) if argument == supervisor::ARGUMENT => ExitCode::from(supervisor::main(arguments)),
        Some(argument) if argument == prepare::ARGUMENT => ExitCode::from(prepare::main()),
        _ => reeve::cli::run(std::env::args_os()).into(),
    }
}
