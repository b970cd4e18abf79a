//! Sets -> wall-clock times, iterated by the `cron` crate on a UTC clock. The crate is given numbers only, never user
//! text and never a zone (it counts weekdays from 1, always ANDs the two day fields, and knows neither `L` nor `#`).
//!
//! The crate ends with the year 2100 and knows no `L`. So each year is asked of a stand-in from 2000 to 2027 with the same
//! length and the same weekdays (fourteen kinds exist), and days that the crate cannot judge are checked here.

use super::{Cron, EVERY_DAY, EVERY_HOUR, EVERY_MONTH, EVERY_SIXTIETH, print};
use chrono::{DateTime as UtcDateTime, Datelike, NaiveDate, Timelike, Utc};
use jiff::civil::{Date, DateTime};

/// No calendar date recurs later than this: 29 February on a given weekday is at most 40 years away (across 2100).
const LONGEST_PAUSE: i16 = 41;
/// The last year in which instants are given; `Timestamp` ends within 9999.
const LAST_YEAR: i16 = 9998;

impl Cron {
    /// The matching wall-clock times at or after `from`, ascending, without end unless the rule has one.
    pub fn walls(&self, from: DateTime) -> impl Iterator<Item = DateTime> + '_ {
        let parts = self.parts();
        let mut from = ceil_to_second(from);
        let mut heads: Vec<Option<DateTime>> = vec![None; parts.len()];
        let mut last = None;
        std::iter::from_fn(move || {
            // Only heads that were given are searched for again, and only when asked: a search may be the long one that finds nothing.
            let start = from?;
            for (head, part) in heads.iter_mut().zip(parts).filter(|(head, _)| **head == last) {
                *head = self.next_in(part, start);
            }
            let next = heads.iter().flatten().min().copied()?;
            last = Some(next);
            from = next.checked_add(jiff::SignedDuration::from_secs(1)).ok();
            Some(next)
        })
    }

    /// One crate schedule, or two whose union is meant: by day of month, and by day of week.
    fn parts(&self) -> &[::cron::Schedule] {
        self.compiled.get_or_init(|| {
            let days = &self.days;
            let mut month_days = days.month_days;
            if days.last_day {
                month_days |= 0b1111 << 28;
            }
            let weekdays = (0..7).filter(|day| days.weekdays[*day] != 0).fold(0u64, |bits, day| bits | 2 << day);
            let parts = if days.either {
                vec![self.expression(month_days, 0xfe), self.expression(EVERY_DAY, weekdays)]
            } else {
                vec![self.expression(month_days, weekdays)]
            };
            // The text is ours, so the crate cannot refuse it; were it to, the rule would have no instants.
            parts.iter().filter_map(|text| text.parse().ok()).collect()
        })
    }

    /// In the crate's order: seconds first, weekdays from 1 = Sunday.
    fn expression(&self, month_days: u32, weekdays: u64) -> String {
        format!(
            "{} {} {} {} {} {} *",
            set(self.seconds, EVERY_SIXTIETH),
            set(self.minutes, EVERY_SIXTIETH),
            set(self.hours.into(), EVERY_HOUR.into()),
            set(month_days.into(), EVERY_DAY.into()),
            set(self.months.into(), EVERY_MONTH.into()),
            set(weekdays, 0xfe),
        )
    }

    fn next_in(&self, part: &::cron::Schedule, from: DateTime) -> Option<DateTime> {
        let last = match &self.years {
            Some(years) => *years.last()?,
            None => from.year().saturating_add(LONGEST_PAUSE).min(LAST_YEAR),
        };
        (from.year()..=last).filter(|year| self.years.as_ref().is_none_or(|years| years.binary_search(year).is_ok())).find_map(
            |year| {
                let start = if year == from.year() { from } else { Date::new(year, 1, 1).ok()?.at(0, 0, 0, 0) };
                self.next_in_year(part, start)
            },
        )
    }

    /// The first match at or after `from` within its year.
    fn next_in_year(&self, part: &::cron::Schedule, from: DateTime) -> Option<DateTime> {
        let year = from.year();
        let stand_in = stand_in(from.date());
        let mut after = NaiveDate::from_ymd_opt(stand_in.into(), from.month() as u32, from.day() as u32)?
            .and_hms_opt(from.hour() as u32, from.minute() as u32, from.second() as u32)?
            .and_utc()
            - chrono::TimeDelta::seconds(1);
        let exact = self.days.last_day || self.days.counts_weeks();
        loop {
            let found: UtcDateTime<Utc> = part.after(&after).next()?;
            if found.year() != i32::from(stand_in) {
                return None;
            }
            let date = Date::new(year, found.month() as i8, found.day() as i8).ok()?;
            if !exact || self.days.accepts(date) {
                return Some(date.at(found.hour() as i8, found.minute() as i8, found.second() as i8, 0));
            }
            after = found.date_naive().and_hms_opt(23, 59, 59)?.and_utc();
        }
    }
}

/// The year of 2000 to 2027 that has the length and the weekdays of this date's year.
fn stand_in(date: Date) -> i16 {
    let first = date.first_of_year().weekday();
    let leap = date.in_leap_year();
    (2000..2028)
        .find(|year| Date::new(*year, 1, 1).is_ok_and(|day| day.in_leap_year() == leap && day.weekday() == first))
        .unwrap_or(2000)
}

fn ceil_to_second(from: DateTime) -> Option<DateTime> {
    if from.subsec_nanosecond() == 0 {
        return Some(from);
    }
    from.with().subsec_nanosecond(0).build().ok()?.checked_add(jiff::SignedDuration::from_secs(1)).ok()
}

fn set(bits: u64, every: u64) -> String {
    if bits == every { "*".to_owned() } else { print::list((0..64).filter(|at| bits >> at & 1 == 1)) }
}
