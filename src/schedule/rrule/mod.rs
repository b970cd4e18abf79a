//! Recurrence sets (RFC 5545, 3.8.5): RRULEs and RDATEs less EXRULEs and EXDATEs, as wall-clock times. Written from the RFC;
//! Prefect's reading (dateutil's) where the RFC leaves room: every date's digits are the schedule zone's wall clock, a missing
//! DTSTART is 2020-01-01T00:00, DTSTART itself fires only if the rule says so. Knows no zones and no instants.

mod date;
mod easter;
mod evaluate;
mod parse;
mod print;

use jiff::civil::{Date, DateTime};
use std::sync::OnceLock;

/// The start of a rule that names none.
pub(crate) const DEFAULT_START: DateTime = Date::constant(2020, 1, 1).at(0, 0, 0, 0);
/// Excluded times in a row after which a set is taken never to fire again.
const MOST_EXCLUDED: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Frequency {
    Yearly,
    Monthly,
    Weekly,
    Daily,
    Hourly,
    Minutely,
    Secondly,
}

/// One RRULE or EXRULE with its DTSTART. Empty lists and `None` mean "not restricted".
#[derive(Debug)]
pub(crate) struct Recurrence {
    pub frequency: Frequency,
    pub interval: i64,
    pub start: DateTime,
    pub count: Option<u64>,
    pub until: Option<DateTime>,
    /// 0 = Monday.
    pub week_start: i8,
    pub months: Vec<i32>,
    pub week_numbers: Vec<i32>,
    pub year_days: Vec<i32>,
    pub month_days: Vec<i32>,
    /// (0 = Monday, 0 = every or which one).
    pub weekdays: Vec<(i8, i32)>,
    /// Days after (before, if negative) Easter Sunday; dateutil's extension.
    pub easter: Vec<i32>,
    pub hours: Option<u32>,
    pub minutes: Option<u64>,
    pub seconds: Option<u64>,
    pub positions: Vec<i32>,
    /// What the user restricted in vain: values no clock or calendar has, like BYHOUR=263.
    pub impossible: Vec<String>,
    /// The last time that COUNT allows, found when first needed.
    end_of_count: OnceLock<Option<DateTime>>,
}

/// A parsed rrule text.
#[derive(Debug)]
pub(crate) struct RecurrenceSet {
    pub start: DateTime,
    pub rules: Vec<Recurrence>,
    pub exceptions: Vec<Recurrence>,
    /// Ascending, no doubles.
    pub dates: Vec<DateTime>,
    /// Ascending, no doubles.
    pub except_dates: Vec<DateTime>,
}

impl RecurrenceSet {
    /// The set's wall-clock times at or after `from`, ascending, without doubles.
    pub fn walls(&self, from: DateTime) -> impl Iterator<Item = DateTime> + '_ {
        let dates = self.dates[self.dates.partition_point(|date| *date < from)..].iter().copied();
        let mut included = union(self.rules.iter().map(move |rule| rule.walls(from)), dates);
        let mut excluded = union(self.exceptions.iter().map(move |rule| rule.walls(from)), std::iter::empty()).peekable();
        std::iter::from_fn(move || {
            for _ in 0..MOST_EXCLUDED {
                let next = included.next()?;
                while excluded.next_if(|wall| *wall < next).is_some() {}
                if excluded.peek() != Some(&next) && self.except_dates.binary_search(&next).is_err() {
                    return Some(next);
                }
            }
            None
        })
    }
}

/// Merges ascending sequences into one without doubles.
fn union<'a>(
    rules: impl Iterator<Item = evaluate::Walls<'a>>,
    dates: impl Iterator<Item = DateTime> + 'a,
) -> impl Iterator<Item = DateTime> + 'a {
    let mut heads: Vec<_> = rules.map(Iterator::peekable).collect();
    let mut dates = dates.peekable();
    std::iter::from_fn(move || {
        let next = heads.iter_mut().filter_map(|head| head.peek().copied()).chain(dates.peek().copied()).min()?;
        for head in &mut heads {
            head.next_if_eq(&next);
        }
        dates.next_if_eq(&next);
        Some(next)
    })
}
