//! The one place that reads the clock. Everything else gets its instants as arguments, or asks here.
//!
//! Durations that must hold whatever is done to the clock (timeouts, graces, pauses) are measured with `Instant` or `since_boot`, which nobody can set.
#[cfg(debug_assertions)]
pub mod moved;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime};

/// The current instant, to the microsecond: what the API and the records show.
pub fn now() -> Timestamp {
    let now = exact();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// The current instant as exactly as the host knows it: for lines of logs, and for waiting.
pub fn exact() -> Timestamp {
    let now = Timestamp::now();
    #[cfg(debug_assertions)]
    let now = moved::shown_at(now);
    now
}

/// What the kernel's clock shows when this one shows `at`: for its timers.
pub fn of_timers(at: Timestamp) -> Timestamp {
    #[cfg(debug_assertions)]
    let at = moved::kernel_at(at);
    at
}

/// How long this machine has been up, its sleep included: for durations, which nobody can change by setting a clock.
pub fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// The clock that the times of files are of.
pub fn of_files() -> SystemTime {
    SystemTime::now()
}
