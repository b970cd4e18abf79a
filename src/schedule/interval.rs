//! Intervals: a fixed step from an anchor. Whole days step on the wall clock of their zone, so that 9:00 stays 9:00 across
//! clock changes, from the anchor itself (Prefect's hour depends on when it is asked; reeve's never does). Every other
//! interval steps in elapsed time: a run every 36 hours is every 36 hours, whatever the clocks do.

use super::error::Error;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;
/// Longer steps could not fire twice within the years that can be written.
const LONGEST: u64 = 9_999 * 366 * DAY;

/// A positive step in whole microseconds (the resolution of Prefect's intervals). Serialised as that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Every(u64);

impl Every {
    /// Errors: zero, or more than 9,999 years.
    pub fn from_microseconds(microseconds: u64) -> Result<Self, Error> {
        match microseconds {
            0 => Err(Error::new("an interval must be longer than nothing").expected("at least one microsecond")),
            1..=LONGEST => Ok(Self(microseconds)),
            _ => Err(Error::new("the interval is too long").expected("at most 9,999 years")),
        }
    }

    pub fn microseconds(self) -> u64 {
        self.0
    }

    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_micros(i64::try_from(self.0).unwrap_or(i64::MAX))
    }

    /// As Prefect's API writes it.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / SECOND as f64
    }

    /// The number of days, if it is a whole number of them.
    pub fn whole_days(self) -> Option<u64> {
        self.0.is_multiple_of(DAY).then_some(self.0 / DAY)
    }
}

impl TryFrom<u64> for Every {
    type Error = Error;

    fn try_from(microseconds: u64) -> Result<Self, Error> {
        Self::from_microseconds(microseconds)
    }
}

impl From<Every> for u64 {
    fn from(every: Every) -> u64 {
        every.0
    }
}

/// Reads an interval: seconds (`900`, `0.5`, `1e3`), an ISO 8601 duration (`PT15M`, `P1DT12H`, `P2W`), or a clock
/// (`HH:MM`, `HH:MM:SS`, with days in front: `2 12:00:00`, `1 day, 0:00:00`). Fractions are rounded to microseconds.
///
/// Errors: anything else; years and months (no fixed length); zero or negative.
pub fn parse_interval(text: &str) -> Result<Every, Error> {
    let trimmed = text.trim();
    let read = if trimmed.starts_with(['P', 'p']) {
        iso_8601(trimmed)?
    } else if trimmed.contains(':') {
        clock(trimmed)
    } else {
        seconds(trimmed)
    };
    let refused = || {
        Error::new("not an interval")
            .found(text)
            .expected("seconds (`900`), an ISO 8601 duration (`PT15M`) or `HH:MM:SS`")
    };
    if trimmed.starts_with('-') {
        return Err(refused().suggestion("an interval is positive"));
    }
    let microseconds = read.ok_or_else(refused)?;
    Every::from_microseconds(microseconds).map_err(|error| error.found(text))
}

/// A decimal number times a unit, exactly, rounded half up to microseconds.
pub(super) fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(15)];
    let part = match fraction.is_empty() {
        true => 0,
        false => {
            let scale = 10u128.pow(fraction.len() as u32);
            let value = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit);
            u64::try_from((value + scale / 2) / scale).ok()?
        }
    };
    whole.checked_mul(unit)?.checked_add(part)
}

fn seconds(text: &str) -> Option<u64> {
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().ok()?;
        let microseconds = (value * SECOND as f64).round();
        return (microseconds.is_finite() && (0.0..=LONGEST as f64 + 1.0).contains(&microseconds)).then_some(microseconds as u64);
    }
    scaled(text.strip_prefix('+').unwrap_or(text), SECOND)
}

/// `[D [day[s]][,] ]H:MM[:SS[.f]]`.
fn clock(text: &str) -> Option<u64> {
    let (days, time) = match text.rsplit_once([' ', ',']) {
        None => (0, text),
        Some((days, time)) => {
            let days = days.trim_end_matches([' ', ',']);
            let days = days.strip_suffix("days").or_else(|| days.strip_suffix("day")).unwrap_or(days).trim_end();
            (scaled(days, DAY).filter(|_| !days.contains('.'))?, time)
        }
    };
    let mut parts = time.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    let small = |text: &str| text.len() == 2 && text.parse::<u8>().is_ok_and(|value| value < 60);
    let seconds_fit = seconds == "0" || small(seconds.split('.').next()?);
    if parts.next().is_some() || !small(minutes) || !seconds_fit || hours.contains('.') {
        return None;
    }
    scaled(hours, 3600 * SECOND)?.checked_add(scaled(minutes, 60 * SECOND)?)?.checked_add(scaled(seconds, SECOND)?)?.checked_add(days)
}

/// `P[nW][nD][T[nH][nM][nS]]`; the last number may have a fraction.
fn iso_8601(text: &str) -> Result<Option<u64>, Error> {
    let upper = text.to_ascii_uppercase().replace(',', ".");
    let (date, time) = match upper[1..].split_once('T') {
        Some((_, "")) => return Ok(None),
        Some((date, time)) => (date, time),
        None => (&upper[1..], ""),
    };
    if date.contains(['Y', 'M']) {
        return Err(Error::new("years and months have no fixed length")
            .found(text)
            .suggestion("use a cron expression or an rrule for calendar months"));
    }
    let (days, weeks) = (('D', DAY), ('W', 7 * DAY));
    let units = [('H', 3600 * SECOND), ('M', 60 * SECOND), ('S', SECOND)];
    let sum = designated(date, &[weeks, days]).zip(designated(time, &units)).and_then(|(date, time)| date.checked_add(time));
    Ok(sum.filter(|_| !(date.is_empty() && time.is_empty())))
}

/// Numbers followed by unit letters, each letter at most once and in this order.
fn designated(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0u64;
    for (letter, unit) in units {
        if let Some((number, rest)) = text.split_once(*letter) {
            total = total.checked_add(scaled(number, *unit)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(total)
}

/// The anchor of an interval that names none: the start of 2020 in its zone, so that one file means the same instants everywhere.
pub(super) fn default_anchor(zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_timestamp(Date::constant(2020, 1, 1).at(0, 0, 0, 0)).compatible().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// An interval rule, ready to be asked.
#[derive(Debug)]
pub(crate) struct Interval {
    pub every: Every,
    pub anchor: Timestamp,
}

impl Interval {
    /// Before the anchor as well as after it, as in Prefect.
    pub fn elapsed(&self, from: Timestamp) -> impl Iterator<Item = Timestamp> {
        let step = i128::from(self.every.0) * 1_000;
        let anchor = self.anchor.as_nanosecond();
        let steps = ceiling(from.as_nanosecond() - anchor, step);
        let mut next = anchor + steps * step;
        std::iter::from_fn(move || {
            let at = Timestamp::from_nanosecond(next).ok()?;
            next += step;
            Some(at)
        })
    }

    /// Whole days on the wall clock, `days` at a time.
    pub fn walls(&self, days: u64, zone: &TimeZone, from: DateTime) -> impl Iterator<Item = DateTime> + use<> {
        let anchor = zone.to_datetime(self.anchor);
        let days = i64::try_from(days).unwrap_or(i64::MAX);
        let since = from.duration_since(anchor).as_secs() / 86_400;
        let mut step = since.div_euclid(days);
        std::iter::from_fn(move || {
            let offset = step.checked_mul(days)?.checked_mul(86_400)?;
            step += 1;
            anchor.checked_add(SignedDuration::from_secs(offset)).ok()
        })
        .skip_while(move |wall| *wall < from)
    }
}

fn ceiling(value: i128, step: i128) -> i128 {
    -(-value).div_euclid(step)
}
