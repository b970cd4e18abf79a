//! The binary.
use std::process::ExitCode;

use reeve::executor::supervisor;

fn main() -> ExitCode {
    // Before anything else is set up: a supervisor starts once per run and must stay small.
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|argument| argument == supervisor::ARGUMENT)
    {
        return ExitCode::from(supervisor::main(arguments));
    }
    reeve::cli::run(std::env::args_os()).into()
}
