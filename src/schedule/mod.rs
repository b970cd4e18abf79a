//! When is a schedule due: rule and instant in, next instants out. Time zones and clock changes live here and nowhere else.
//! Pure: no I/O, no clock, no randomness; zone rules come from the binary's own copy of the IANA data.
//!
//! A [`Spec`] is what was declared; [`Spec::parse`] gives a [`Rule`], which answers [`Rule::next`]. Three forms:
//!
//! - **cron**: 5 to 7 fields in Prefect's meaning. The text becomes numeric sets (`cron/parse`), the `cron` crate iterates
//!   them on a UTC clock (`cron/walls`).
//! - **interval**: whole days step on the wall clock, all else in elapsed time, from the anchor.
//! - **rrule**: RFC 5545 with Prefect's reading: digits are the schedule zone's wall clock whatever `Z` or `TZID` say, a
//!   missing DTSTART is 2020-01-01T00:00.
//!
//! Cron, rrule and whole days yield wall-clock times; `zone` alone turns them into instants.
//!
//! # Decided
//! - **Gap** (02:30 on the night when clocks go from 02:00 to 03:00): cron and day intervals fire later by the gap (03:30),
//!   rrules earlier (01:30). **Overlap**: once, at the first. An hourly cron therefore pauses two hours in autumn.
//! - Starting within the hour after a gap still finds the moved time: `next` from any point is the tail of the one series.
//! - **2100** is no leap year, and rules go on past it; only a year field ends (croniter's 1970 to 2099). Instants end with 9998.
//! - **29 February** fires in leap years only. **:60** is refused: no clock here has leap seconds.
//! - Sub-second starts round up.
//! - **Limits** (`limits`): starts, ends, excluded and included spans, all on the schedule's clock. A skipped time that moves is
//!   judged by where it lands.
//! - A rule that never fires ends: cron after the 41 years in which every date recurs, rrules after one cycle of the calendar,
//!   or 200,000 fruitless candidates where steps are a day or shorter.
//!
//! # Where reeve differs from Prefect, on purpose
//! - `0 0 1,30 * *` fires on 1 March too (croniter loses it); a day of month beside `L5` or `5#2` is a true OR.
//! - `R`, `H` and forms like `R/5` are refused: Prefect's check lets some through, and their instants are random.
//! - Whole-day intervals keep their hour whenever they are asked; rrules keep their hour after 2037.
//! - Dates with damaged digits (`2a261008T040000`), which dateutil reads as some date or other, are refused, and so are
//!   `INTERVAL=0` (Prefect hangs on it) and a lone `BYMONTHDAY=0`. `BYDAY=MO,2TU` is an OR, as RFC 5545 has it.
//! - An rrule whose UNTIL is UTC but which has no DTSTART works (Prefect accepts it and then fails).

mod calendar;
mod cron;
mod describe;
mod duration;
mod error;
mod eval;
mod interval;
mod limits;
mod notes;
mod rrule;
mod rule;
mod span;
mod spec;
#[cfg(test)]
mod tests;
mod zone;

pub use calendar::{Calendar, Remark, read_calendar};
pub use duration::parse_duration;
pub use error::Error;
pub use eval::evaluate_case_line;
pub use interval::{Every, parse_interval};
pub use limits::{Barred, Limits, Period, Span};
pub use notes::{NOTES_AHEAD, Note};
pub use rule::Rule;
pub use spec::{RuleSpec, Spec};
pub use zone::{Gap, Overlap, Resolution};
