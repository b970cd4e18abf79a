//! The binary.
use std::process::ExitCode;

use reeve::executor::supervisor;

fn main() -> ExitCode {
    // Before anything else is set up: a supervisor starts once per run and must stay small.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|argument| argument == supervisor::ARGUMENT)
        && let Some(run_directory) = arguments.next()
    {
        return ExitCode::from(supervisor::main(&run_directory));
    }
    ExitCode::SUCCESS
}
