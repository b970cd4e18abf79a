//! The binary.
use std::process::ExitCode;

use reeve::executor::{prepare, supervisor};

fn main() -> ExitCode {
    // Before anything else is set up: these start once per run and must stay small.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(argument) if argument == supervisor::ARGUMENT => ExitCode::from(supervisor::main(arguments)),
        Some(argument) if argument == prepare::ARGUMENT => ExitCode::from(prepare::main()),
        _ => {
            share_one_heap();
            reeve::cli::run(std::env::args_os()).into()
        }
    }
}

/// glibc gives every thread a heap of its own, which grows by a page a call and keeps what it has freed: a sixth of the time of a large
/// first apply (`cargo bench --bench figures plan`). The threads here seldom allocate at the same time.
fn share_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no other thread exists yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
