//! One rule -> wall-clock times, ascending from any point. Never walks from DTSTART: periods are numbered, and the one that
//! holds the point asked for is computed. Only COUNT needs the beginning, once.
//!
//! Work is bounded: a rule whose BY parts never meet ends after one full cycle of the calendar (400 years), or, for steps of
//! a day or less, after `MOST_STEPS` fruitless candidates.

use super::easter::easter;
use super::{Frequency, Recurrence};
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Instants end with this year.
const LAST_YEAR: i64 = 9_998;
/// More than the seconds of a day, so that every time of day that a step can reach is met before giving up.
const MOST_STEPS: usize = 200_000;
const DAY: i64 = 86_400;

/// The clock times of a period, as a product of ascending sets; never expanded.
#[derive(Debug, Clone, Copy)]
struct Times {
    hours: u32,
    minutes: u64,
    seconds: u64,
}

impl Times {
    fn len(&self) -> usize {
        (self.hours.count_ones() * self.minutes.count_ones() * self.seconds.count_ones()) as usize
    }

    fn at(&self, index: usize) -> (i8, i8, i8) {
        let (seconds, minutes) = (self.seconds.count_ones() as usize, self.minutes.count_ones() as usize);
        (nth(self.hours.into(), index / (seconds * minutes)), nth(self.minutes, index / seconds % minutes), nth(self.seconds, index % seconds))
    }
}

/// The n-th set bit's number.
fn nth(mut bits: u64, n: usize) -> i8 {
    for _ in 0..n {
        bits &= bits - 1;
    }
    bits.trailing_zeros() as i8
}

/// The times of one rule from a point on.
pub(super) struct Walls<'a> {
    rule: &'a Recurrence,
    from: DateTime,
    end: Option<DateTime>,
    /// The next period to open; `None` when there is none.
    period: Option<i64>,
    days: Vec<Date>,
    times: Times,
    /// With BYSETPOS the chosen times of the period, else empty.
    chosen: Vec<DateTime>,
    index: usize,
    size: usize,
}

impl Recurrence {
    /// The rule's times at or after `from`.
    pub(super) fn walls(&self, from: DateTime) -> Walls<'_> {
        let end = match (self.until, self.count) {
            (until, None) => until,
            (until, Some(_)) => match self.end_of_count() {
                Some(last) => Some(until.map_or(last, |until| until.min(last))),
                None => Some(DateTime::MIN),
            },
        };
        self.walls_until(from, end)
    }

    fn walls_until(&self, from: DateTime, end: Option<DateTime>) -> Walls<'_> {
        let from = from.max(self.start);
        let times = Times { hours: self.hours.unwrap_or(0), minutes: self.minutes.unwrap_or(0), seconds: self.seconds.unwrap_or(0) };
        let never = [self.hours.map(u64::from), self.minutes, self.seconds].contains(&Some(0));
        let period = if never || end.is_some_and(|end| end < from) { None } else { self.period_of(from) };
        Walls { rule: self, from, end, period, days: Vec::new(), times, chosen: Vec::new(), index: 0, size: 0 }
    }

    /// The COUNT-th time, or the last there is; `None` if there is none.
    fn end_of_count(&self) -> Option<DateTime> {
        *self.end_of_count.get_or_init(|| {
            let count = self.count.unwrap_or(0);
            if self.is_plain_step() && count > 0 {
                let seconds = i64::try_from(count - 1).ok().and_then(|steps| steps.checked_mul(self.interval * self.unit()));
                let end = seconds.and_then(|seconds| self.start.checked_add(SignedDuration::from_secs(seconds)).ok());
                return Some(end.unwrap_or(DateTime::MAX));
            }
            self.walls_until(self.start, self.until).take(usize::try_from(count).unwrap_or(usize::MAX)).last()
        })
    }

    /// Whether the times are simply DTSTART plus multiples of a fixed step.
    pub(super) fn is_plain_step(&self) -> bool {
        let days = self.months.is_empty()
            && self.week_numbers.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.weekdays.is_empty()
            && self.easter.is_empty()
            && self.positions.is_empty();
        let own = |set: Option<u64>, value: i8, stepped: bool| if stepped { set.is_none() } else { set == Some(1 << value) };
        days && self.frequency >= Frequency::Daily
            && own(self.hours.map(u64::from), self.start.hour(), self.frequency >= Frequency::Hourly)
            && own(self.minutes, self.start.minute(), self.frequency >= Frequency::Minutely)
            && own(self.seconds, self.start.second(), self.frequency >= Frequency::Secondly)
    }

    /// Seconds of one unit of FREQ; 0 for units without a fixed length that are not stepped by time.
    fn unit(&self) -> i64 {
        match self.frequency {
            Frequency::Yearly | Frequency::Monthly | Frequency::Weekly => 0,
            Frequency::Daily => DAY,
            Frequency::Hourly => 3_600,
            Frequency::Minutely => 60,
            Frequency::Secondly => 1,
        }
    }

    /// The number of the period that holds this time, counting DTSTART's as 0; of the first to begin after it where periods
    /// are stepped by time.
    fn period_of(&self, wall: DateTime) -> Option<i64> {
        let units = match self.frequency {
            Frequency::Yearly => i64::from(wall.year()) - i64::from(self.start.year()),
            Frequency::Monthly => months(wall.date()) - months(self.start.date()),
            Frequency::Weekly => (days(self.week_of(wall.date()))? - days(self.week_of(self.start.date()))?) / 7,
            _ => {
                let unit = self.unit();
                (seconds(wall)?.div_euclid(unit) * unit - self.base()?) / unit
            }
        };
        // The period that contains the time may be one that INTERVAL leaves out; then the next counts.
        Some(units.div_euclid(self.interval) + i64::from(units.rem_euclid(self.interval) != 0))
    }

    /// Periods without a time in a row after which there will be none: one cycle of the calendar (400 years; more for Easter,
    /// whose cycle is longer). Where a period is one day or less, BYSETPOS meets the same number of times in each.
    fn patience(&self) -> i64 {
        match self.frequency {
            Frequency::Yearly => 1_000,
            Frequency::Monthly => 4_800,
            Frequency::Weekly => 20_871,
            _ => 2,
        }
    }

    /// DTSTART cut to the unit of FREQ, in seconds of the wall clock.
    fn base(&self) -> Option<i64> {
        let unit = self.unit();
        Some(seconds(self.start)?.div_euclid(unit) * unit)
    }

    fn week_of(&self, date: Date) -> Date {
        let back = (date.weekday().to_monday_zero_offset() - self.week_start).rem_euclid(7);
        date.checked_sub(SignedDuration::from_secs(i64::from(back) * DAY)).unwrap_or(date)
    }

    /// The days that a period of years, months or weeks may fire on. `None`: past the end of the calendar.
    fn days_of_period(&self, period: i64) -> Option<Vec<Date>> {
        let steps = period.checked_mul(self.interval)?;
        let (first, length) = match self.frequency {
            Frequency::Yearly => {
                let first = Date::new(year(i64::from(self.start.year()).checked_add(steps)?)?, 1, 1).ok()?;
                (first, i64::from(first.days_in_year()))
            }
            Frequency::Monthly => {
                let month = months(self.start.date()).checked_add(steps)?;
                let first = Date::new(year(month.div_euclid(12))?, month.rem_euclid(12) as i8 + 1, 1).ok()?;
                (first, i64::from(first.days_in_month()))
            }
            _ => {
                let monday = days(self.week_of(self.start.date()))?.checked_add(steps.checked_mul(7)?)?;
                // The first week begins with DTSTART itself, which BYSETPOS can tell.
                let first = if period == 0 { days(self.start.date())? } else { monday };
                (date(first)?, monday + 7 - first)
            }
        };
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        Some(days.take(length as usize).filter(|day| self.accepts(*day)).collect())
    }

    /// Whether the BY parts that speak of days hold for this one.
    fn accepts(&self, date: Date) -> bool {
        let holds = |numbers: &[i32], value: i32, length: i32| {
            numbers.is_empty() || numbers.iter().any(|number| *number == value || *number < 0 && number + length + 1 == value)
        };
        (self.months.is_empty() || self.months.contains(&date.month().into()))
            && holds(&self.month_days, date.day().into(), date.days_in_month().into())
            && holds(&self.year_days, date.day_of_year().into(), date.days_in_year().into())
            && (self.weekdays.is_empty() || self.weekdays.iter().any(|day| self.is_weekday(date, *day)))
            && (self.week_numbers.is_empty() || {
                let (week, weeks) = self.week_number(date);
                holds(&self.week_numbers, week, weeks)
            })
            && (self.easter.is_empty()
                || easter(date.year()).is_some_and(|sunday| {
                    self.easter.contains(&(i32::from(date.day_of_year()) - i32::from(sunday.day_of_year())))
                }))
    }

    /// A counted weekday counts within the month for FREQ=MONTHLY or beside BYMONTH, else within the year (RFC 5545, 3.3.10).
    fn is_weekday(&self, date: Date, (weekday, which): (i8, i32)) -> bool {
        if date.weekday().to_monday_zero_offset() != weekday {
            return false;
        }
        let (day, length) = if self.frequency == Frequency::Monthly || !self.months.is_empty() {
            (i32::from(date.day()), i32::from(date.days_in_month()))
        } else {
            (i32::from(date.day_of_year()), i32::from(date.days_in_year()))
        };
        match which {
            0 => true,
            1.. => (day - 1) / 7 + 1 == which,
            _ => -((length - day) / 7 + 1) == which,
        }
    }

    /// The week's number and how many weeks its year has; week 1 is the first with four days in the year.
    fn week_number(&self, date: Date) -> (i32, i32) {
        let first = |year: i16| {
            let january = Date::new(year, 1, 4).unwrap_or(date);
            days(self.week_of(january)).unwrap_or(0)
        };
        let today = days(date).unwrap_or(0);
        let year = match date.year() {
            year if today < first(year) => year - 1,
            year if today >= first(year + 1) => year + 1,
            year => year,
        };
        (((today - first(year)) / 7 + 1) as i32, ((first(year + 1) - first(year)) / 7) as i32)
    }

    /// The first period at or after this one, of those stepped by time, whose day and clock are accepted.
    fn next_stepped(&self, period: i64) -> Option<(i64, DateTime)> {
        let (base, step) = (self.base()?, self.interval.checked_mul(self.unit())?);
        let mut period = period;
        for _ in 0..MOST_STEPS {
            let at = base.checked_add(period.checked_mul(step)?)?;
            let wall = wall(at)?;
            let later = match self.skip_to(wall, at) {
                None => return Some((period, wall)),
                Some(later) => later?,
            };
            period = (later - base).div_euclid(step) + i64::from((later - base).rem_euclid(step) != 0);
        }
        None
    }

    /// `None` if the period that begins here is accepted, else the next moment that could be (`Some(None)`: there is none).
    fn skip_to(&self, wall: DateTime, at: i64) -> Option<Option<i64>> {
        let midnight = at.div_euclid(DAY) * DAY;
        if !self.months.is_empty() && !self.months.contains(&wall.month().into()) {
            let next = wall.date().last_of_month().tomorrow().ok();
            return Some(next.and_then(|date| days(date).map(|day| day * DAY)));
        }
        if !self.accepts(wall.date()) {
            return Some(Some(midnight + DAY));
        }
        let clocks = [
            (Frequency::Hourly, self.hours.map(u64::from), wall.hour(), 3_600, DAY),
            (Frequency::Minutely, self.minutes, wall.minute(), 60, 3_600),
            (Frequency::Secondly, self.seconds, wall.second(), 1, 60),
        ];
        for (least, set, value, unit, whole) in clocks {
            let Some(set) = set.filter(|_| self.frequency >= least) else { continue };
            if set >> value & 1 == 0 {
                let start = at.div_euclid(whole) * whole;
                let above = set >> value;
                let next = if above == 0 { whole } else { (i64::from(value) + i64::from(above.trailing_zeros())) * unit };
                return Some(Some(start + next));
            }
        }
        None
    }
}

impl Walls<'_> {
    /// Opens the next period that has times. `None`: there is none.
    fn open(&mut self) -> Option<()> {
        let rule = self.rule;
        let period = self.period.take()?;
        if rule.frequency >= Frequency::Daily {
            let (period, wall) = rule.next_stepped(period)?;
            self.days.clear();
            self.days.push(wall.date());
            if rule.frequency >= Frequency::Hourly {
                self.times.hours = 1 << wall.hour();
            }
            if rule.frequency >= Frequency::Minutely {
                self.times.minutes = 1 << wall.minute();
            }
            if rule.frequency >= Frequency::Secondly {
                self.times.seconds = 1 << wall.second();
            }
            self.period = period.checked_add(1);
        } else {
            let found = (period..period.checked_add(rule.patience())?).find_map(|period| match rule.days_of_period(period) {
                Some(days) if days.is_empty() => None,
                days => Some((period, days)),
            });
            let (period, days) = found?;
            self.days = days?;
            self.period = Some(period + 1);
        }
        self.index = 0;
        self.size = self.days.len() * self.times.len();
        if !rule.positions.is_empty() {
            self.choose();
        }
        Some(())
    }

    /// Keeps of the period the times that BYSETPOS names.
    fn choose(&mut self) {
        let size = self.size as i64;
        let mut indices: Vec<i64> = self
            .rule
            .positions
            .iter()
            .map(|position| if *position > 0 { i64::from(*position) - 1 } else { size + i64::from(*position) })
            .filter(|index| (0..size).contains(index))
            .collect();
        indices.sort_unstable();
        indices.dedup();
        self.chosen = indices.into_iter().map(|index| self.combine(index as usize)).collect();
        self.size = self.chosen.len();
    }

    fn combine(&self, index: usize) -> DateTime {
        let (hour, minute, second) = self.times.at(index % self.times.len());
        self.days[index / self.times.len()].at(hour, minute, second, 0)
    }

    fn get(&self, index: usize) -> DateTime {
        if self.rule.positions.is_empty() { self.combine(index) } else { self.chosen[index] }
    }

    /// The first index of the open period that is not before `from`.
    fn first_index(&self) -> usize {
        let (mut low, mut high) = (0, self.size);
        while low < high {
            let middle = (low + high) / 2;
            if self.get(middle) < self.from { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl Iterator for Walls<'_> {
    type Item = DateTime;

    fn next(&mut self) -> Option<DateTime> {
        // A period may be open and hold nothing: BYSETPOS beyond its size, or only times before the start.
        for _ in 0..=self.rule.patience() {
            if self.index < self.size {
                let next = self.get(self.index);
                self.index += 1;
                if self.end.is_some_and(|end| next > end) {
                    self.period = None;
                    self.size = 0;
                    return None;
                }
                return Some(next);
            }
            self.open()?;
            self.index = self.first_index();
        }
        None
    }
}

fn months(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

fn year(value: i64) -> Option<i16> {
    i16::try_from(value).ok().filter(|_| value <= LAST_YEAR)
}

/// Days since 1970-01-01 of the wall clock's calendar.
fn days(date: Date) -> Option<i64> {
    seconds(date.at(0, 0, 0, 0)).map(|seconds| seconds.div_euclid(DAY))
}

fn date(days: i64) -> Option<Date> {
    Some(wall(days.checked_mul(DAY)?)?.date())
}

/// Seconds since 1970-01-01T00:00:00 of the wall clock, which has no zone here.
fn seconds(wall: DateTime) -> Option<i64> {
    Offset::UTC.to_timestamp(wall).ok().map(|at| at.as_second())
}

fn wall(seconds: i64) -> Option<DateTime> {
    let wall = Offset::UTC.to_datetime(Timestamp::from_second(seconds).ok()?);
    (i64::from(wall.year()) <= LAST_YEAR).then_some(wall)
}
