//! The one place that reads the clock. Everything else gets its instants as arguments.
use jiff::Timestamp;

/// The current instant, to the microsecond: what the API and the records show.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}
