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
    share_one_heap();
    reeve::cli::run(std::env::args_os()).into()
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
