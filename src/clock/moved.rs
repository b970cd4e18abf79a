//! A clock that a test has set; no release build has it.
//!
//! Whoever sets a machine's clock sets it for everybody on it, so no test may. Instead `REEVE_TEST_CLOCK` names a file that holds
//! how far the clock of a debug build is ahead of the kernel's, in nanoseconds (negative: behind). Daemon, spawner and supervisors
//! inherit the variable, and read the file each time they read the clock: so it is set for all of them at one moment. A test must
//! put the file in place by renaming another: a reading sees the clock before or after that, never half of it.
//!
//! Only the wall clock moves. `Instant` does not, and the times of files do not, as neither does when a machine's clock is set.
use jiff::{SignedDuration, Timestamp};
use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

/// The environment variable that names the file.
pub const VARIABLE: &str = "REEVE_TEST_CLOCK";

/// So often a waiting alarm looks whether the clock was set: the kernel, which would tell it, does not know.
pub const LOOKS: Duration = Duration::from_millis(20);

static FILE: OnceLock<Option<OsString>> = OnceLock::new();

/// The file, where a test may set this process's clock.
pub fn file() -> Option<&'static OsString> {
    FILE.get_or_init(|| std::env::var_os(VARIABLE)).as_ref()
}

/// How far the clock is ahead of the kernel's. A file that is not there, or says something else, moves nothing.
pub fn offset() -> SignedDuration {
    let said = file().and_then(|file| std::fs::read_to_string(file).ok());
    said.and_then(|text| text.trim().parse().ok()).map_or(SignedDuration::ZERO, SignedDuration::from_nanos)
}

/// What the clock shows when the kernel's shows `now`.
pub fn shown_at(now: Timestamp) -> Timestamp {
    now.saturating_add(offset()).unwrap_or(now)
}

/// What the kernel's clock shows when this one shows `at`.
pub fn kernel_at(at: Timestamp) -> Timestamp {
    at.saturating_sub(offset()).unwrap_or(at)
}
