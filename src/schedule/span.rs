//! Spans of time and the ends of a schedule as people write them, and the same back again: what is printed reads as what it was.
//!
//! A date (`2026-12-24`), a range of dates with both days in it (`2026-12-24/2027-01-01`), two readings of the schedule's clock
//! (`2026-12-24T12:00/2026-12-25T08:00`), two instants (the same with `Z` or an offset), and windows of the week: days
//! (`sat,sun`, `mon-fri`), times (`09:00-17:00`), or days and times; a window whose end is not later than its start goes on
//! into the next day (`22:00-06:00`).

use super::error::Error;
use super::limits::{Limits, Span};
use super::zone::nearest;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use std::fmt;
use std::str::FromStr;

const EVERY_DAY: u8 = 0b111_1111;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const FULL_DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// The last nanosecond of a day: where a whole day is the end, all of it is inside.
const LAST_OF_DAY: Time = Time::constant(23, 59, 59, 999_999_999);
const FORMS: &str = "a date (`2026-12-24`), a range (`2026-12-24/2027-01-01`) or a window of the week (`sat,sun`, `mon-fri 09:00-17:00`)";

impl FromStr for Span {
    type Err = Error;

    /// Reads any of the forms above.
    ///
    /// Errors: anything else, no such date, and what ends before it begins.
    fn from_str(text: &str) -> Result<Self, Error> {
        let trimmed = text.trim();
        match trimmed.bytes().take_while(u8::is_ascii_digit).count() {
            4.. => dated(trimmed),
            _ => weekly(trimmed),
        }
    }
}

/// One end of a dated span.
enum End {
    Day(Date),
    Wall(DateTime),
    Instant(Timestamp),
}

fn dated(text: &str) -> Result<Span, Error> {
    let Some((from, to)) = text.split_once('/') else {
        return match end(text)? {
            End::Day(day) => Ok(Span::Days { from: day, to: day }),
            End::Wall(_) | End::Instant(_) => Err(Error::new("one point in time is no span")
                .found(text)
                .expected("two of them")
                .suggestion(format!("write its end too: `{text}/...`"))),
        };
    };
    let (from, to) = (from.trim(), to.trim());
    let empty = |problem: &str| Err(Error::new(problem).found(text).suggestion(format!("did you mean `{to}/{from}`?")));
    match (end(from)?, end(to)?) {
        (End::Day(from), End::Day(to)) if from > to => empty("the range ends before it begins"),
        (End::Day(from), End::Day(to)) => Ok(Span::Days { from, to }),
        (End::Wall(from), End::Wall(to)) if from < to => Ok(Span::Walls { from, to }),
        (End::Instant(from), End::Instant(to)) if from < to => Ok(Span::Instants { from, to }),
        (End::Wall(from), End::Wall(to)) if from == to => Err(nothing_in(text)),
        (End::Instant(from), End::Instant(to)) if from == to => Err(nothing_in(text)),
        (End::Wall(_), End::Wall(_)) | (End::Instant(_), End::Instant(_)) => empty("the range ends before it begins"),
        _ => Err(Error::new("the two ends of the range are of different kinds")
            .found(text)
            .expected("two dates, or two date-times, both with an offset or both without")),
    }
}

fn nothing_in(text: &str) -> Error {
    Error::new("the range is empty").found(text).expected("an end that is later than the start")
}

/// A date, or a date-time with or without an offset.
fn end(text: &str) -> Result<End, Error> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let day = date_of(date)?;
    let Some(time) = time else { return Ok(End::Day(day)) };
    let refused = || Error::new("not a time").found(text).expected("a date-time like `2026-12-24T12:00`");
    // jiff reads a leap second as :59, and more forms than one would want to find in a file.
    if time.contains(":60") || !time.bytes().all(|byte| byte.is_ascii_digit() || b":.Zz+-".contains(&byte)) || !time.contains(':') {
        return Err(refused());
    }
    let written = format!("{date}T{time}");
    match time.contains(['Z', 'z', '+', '-']) {
        true => written.parse().map(End::Instant).map_err(|_| refused()),
        false => written.parse().map(End::Wall).map_err(|_| refused()),
    }
}

fn date_of(text: &str) -> Result<Date, Error> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape != "0000-00-00" {
        return Err(Error::new("not a date").found(text).expected("year, month and day like `2026-12-24`"));
    }
    text.parse().map_err(|_| Error::new("there is no such date").found(text))
}

/// `[days][ times]`.
fn weekly(text: &str) -> Result<Span, Error> {
    let refused = || Error::new("not a span of time").found(text).expected(FORMS);
    let plain = text.to_ascii_lowercase().replace(", ", ",").replace(" - ", "-");
    let parts: Vec<&str> = plain.split_whitespace().collect();
    let (days, times) = match parts[..] {
        [times] if times.starts_with(|c: char| c.is_ascii_digit()) => (None, Some(times)),
        [days] if days.starts_with(char::is_alphabetic) => (Some(days), None),
        [days, times] if times.starts_with(|c: char| c.is_ascii_digit()) => (Some(days), Some(times)),
        _ => return Err(refused()),
    };
    let days = days.map_or(Ok(EVERY_DAY), days_of_week)?;
    let Some(times) = times else {
        return Ok(Span::Weekly { days, from: Time::midnight(), to: Time::midnight() });
    };
    let (from, to) = times.split_once('-').ok_or_else(refused)?;
    let time = |text: &str| time_of_day(text).ok_or_else(|| {
        Error::new("not a window of the day").found(times).expected("two times like `09:00-17:00`")
    });
    let whole_day = to == "24:00";
    let (from, to) = (time(from)?, if whole_day { Time::midnight() } else { time(to)? });
    if from == to && !(whole_day && from == Time::midnight()) {
        return Err(nothing_in(times).suggestion("leave the times out for whole days"));
    }
    Ok(Span::Weekly { days, from, to })
}

/// `mon`, `mon-fri`, `fri-mon`, `mon,wed-fri`; whole names too. Bit 0 is Monday.
fn days_of_week(text: &str) -> Result<u8, Error> {
    let mut bits = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day_of_week(first)?, day_of_week(last)?);
        for step in 0..7 {
            let day = (first + step) % 7;
            bits |= 1 << day;
            if day == last {
                break;
            }
        }
    }
    Ok(bits)
}

fn day_of_week(word: &str) -> Result<usize, Error> {
    let found = (0..7).find(|day| word.len() >= 3 && FULL_DAYS[*day].starts_with(word));
    found.ok_or_else(|| {
        let error = Error::new("not a day of the week").found(word).expected("one of mon, tue, wed, thu, fri, sat, sun");
        match nearest(word, DAYS.into_iter().chain(FULL_DAYS)) {
            Some(near) => error.suggestion(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// `9:00`, `09:00`, `09:00:30`.
fn time_of_day(text: &str) -> Option<Time> {
    let numbers: Vec<i8> = text
        .split(':')
        .map(|part| part.parse().ok().filter(|_| part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit())))
        .collect::<Option<_>>()?;
    match numbers[..] {
        [hour, minute] => Time::new(hour, minute, 0, 0).ok(),
        [hour, minute, second] => Time::new(hour, minute, second, 0).ok(),
        _ => None,
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::Days { from, to } if from == to => write!(f, "{from}"),
            Span::Days { from, to } => write!(f, "{from}/{to}"),
            Span::Walls { from, to } => write!(f, "{}/{}", wall(*from), wall(*to)),
            Span::Instants { from, to } => write!(f, "{from}/{to}"),
            Span::Weekly { days, from, to } => {
                let whole = *from == Time::midnight() && *to == Time::midnight();
                if *days & EVERY_DAY != EVERY_DAY || whole {
                    f.write_str(&named_days(*days))?;
                    f.write_str(if whole { "" } else { " " })?;
                }
                match whole {
                    true => Ok(()),
                    false if *to == Time::midnight() => write!(f, "{}-24:00", clock(*from)),
                    false => write!(f, "{}-{}", clock(*from), clock(*to)),
                }
            }
        }
    }
}

/// Runs of three and more as ranges.
fn named_days(bits: u8) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut day = 0;
    while day < 7 {
        let run = (day..7).take_while(|at| bits >> at & 1 == 1).count();
        match run {
            0 => {}
            1 | 2 => parts.extend(DAYS[day..day + run].iter().map(|name| (*name).to_owned())),
            _ => parts.push(format!("{}-{}", DAYS[day], DAYS[day + run - 1])),
        }
        day += run.max(1);
    }
    parts.join(",")
}

fn clock(time: Time) -> String {
    time.strftime(if time.second() == 0 { "%H:%M" } else { "%H:%M:%S" }).to_string()
}

fn wall(at: DateTime) -> String {
    match at.second() == 0 && at.subsec_nanosecond() == 0 {
        true => at.strftime("%Y-%m-%dT%H:%M").to_string(),
        false => at.to_string(),
    }
}

impl Limits {
    /// `starts`, from a date (its midnight) or a date-time of the schedule's clock.
    ///
    /// Errors: anything else; a date-time with an offset, which would be another clock's.
    pub fn parse_starts(text: &str) -> Result<DateTime, Error> {
        bound(text, Time::midnight())
    }

    /// `ends`, from a date (the whole day is inside) or a date-time of the schedule's clock (which may itself fire).
    ///
    /// Errors: as for `parse_starts`.
    pub fn parse_ends(text: &str) -> Result<DateTime, Error> {
        bound(text, LAST_OF_DAY)
    }

    /// `starts` as it is written; reads back as the same.
    pub fn starts_text(&self) -> Option<String> {
        self.starts.map(|at| if at.time() == Time::midnight() { at.date().to_string() } else { wall(at) })
    }

    /// `ends` as it is written; reads back as the same.
    pub fn ends_text(&self) -> Option<String> {
        self.ends.map(|at| if at.time() == LAST_OF_DAY { at.date().to_string() } else { wall(at) })
    }
}

fn bound(text: &str, time: Time) -> Result<DateTime, Error> {
    match end(text.trim())? {
        End::Day(day) => Ok(day.to_datetime(time)),
        End::Wall(wall) => Ok(wall),
        End::Instant(_) => Err(Error::new("the schedule's own clock counts here")
            .found(text)
            .expected("a date, or a date-time without an offset")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<Span>().map(|span| span.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn spans_are_read_and_printed() {
        for (text, printed) in [
            ("2026-12-24", "2026-12-24"),
            (" 2026-12-24 / 2027-01-01 ", "2026-12-24/2027-01-01"),
            ("2026-12-24/2026-12-24", "2026-12-24"),
            ("2026-12-24T12:00/2026-12-25T08:00", "2026-12-24T12:00/2026-12-25T08:00"),
            ("2026-12-24 12:00:30/2026-12-25 08:00", "2026-12-24T12:00:30/2026-12-25T08:00"),
            ("2026-12-24T12:00Z/2026-12-25T08:00+01:00", "2026-12-24T12:00:00Z/2026-12-25T07:00:00Z"),
            ("mon-fri 09:00-17:00", "mon-fri 09:00-17:00"),
            ("Sat, Sun", "sat,sun"),
            ("Monday-Wednesday,sun", "mon-wed,sun"),
            ("fri-mon", "mon,fri-sun"),
            ("mon-sun", "mon-sun"),
            ("9:00 - 17:00", "09:00-17:00"),
            ("22:00-06:00", "22:00-06:00"),
            ("fri 22:00-24:00", "fri 22:00-24:00"),
            ("fri 22:00-00:00", "fri 22:00-24:00"),
            ("sat 00:00-24:00", "sat"),
            ("09:00:30-09:01", "09:00:30-09:01"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(printed), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_explained() {
        for (text, message) in [
            ("", "not a span of time: found ``, expected a date (`2026-12-24`), a range (`2026-12-24/2027-01-01`) or a window of the week (`sat,sun`, `mon-fri 09:00-17:00`)"),
            ("24.12.2026", "not a span of time"),
            ("2026-12-32", "there is no such date: found `2026-12-32`"),
            ("2027-02-29", "there is no such date: found `2027-02-29`"),
            ("20261224", "not a date: found `20261224`, expected year, month and day like `2026-12-24`"),
            ("2026-12-24/2026-12-01", "the range ends before it begins: found `2026-12-24/2026-12-01`; did you mean `2026-12-01/2026-12-24`?"),
            ("2026-12-24T12:00", "one point in time is no span: found `2026-12-24T12:00`, expected two of them; write its end too: `2026-12-24T12:00/...`"),
            ("2026-12-24T12:00/2026-12-24T12:00", "the range is empty"),
            ("2026-12-24/2026-12-25T12:00", "the two ends of the range are of different kinds"),
            ("2026-12-24T12:00:60/2026-12-25T12:00", "not a time: found `2026-12-24T12:00:60`, expected a date-time like `2026-12-24T12:00`"),
            ("mon-fry", "not a day of the week: found `fry`, expected one of mon, tue, wed, thu, fri, sat, sun; did you mean `fri`?"),
            ("weekends", "not a day of the week"),
            ("mon 9-17", "not a window of the day: found `9-17`, expected two times like `09:00-17:00`"),
            ("09:00", "not a span of time"),
            ("09:00-25:00", "not a window of the day"),
            ("09:00-09:00", "the range is empty: found `09:00-09:00`, expected an end that is later than the start; leave the times out for whole days"),
        ] {
            let error = read(text).expect_err(text);
            // The messages that others share are given by how they begin.
            assert!(error == message || !message.contains(": found") && error.starts_with(message), "{text}\n{error}");
        }
    }

    #[test]
    fn starts_and_ends_hold_whole_days() {
        for (text, starts, ends) in [
            ("2026-12-24", "2026-12-24T00:00:00", "2026-12-24T23:59:59.999999999"),
            ("2026-12-24T18:00", "2026-12-24T18:00:00", "2026-12-24T18:00:00"),
        ] {
            let limits = Limits {
                starts: Some(Limits::parse_starts(text).expect("a start")),
                ends: Some(Limits::parse_ends(text).expect("an end")),
                ..Limits::default()
            };
            assert_eq!((limits.starts.map(|at| at.to_string()).as_deref(), limits.ends.map(|at| at.to_string()).as_deref()), (Some(starts), Some(ends)));
            assert_eq!((limits.starts_text().as_deref(), limits.ends_text().as_deref()), (Some(text), Some(text)));
        }
        assert!(Limits::parse_starts("2026-12-24T18:00Z").is_err() && Limits::parse_ends("soon").is_err());
    }

    fn any_span() -> impl Strategy<Value = Span> {
        let date = || (1970i16..2200, 1i8..=12, 1i8..=28).prop_map(|(year, month, day)| Date::new(year, month, day).expect("a date"));
        let time = || (0i8..24, 0i8..60, prop_oneof![Just(0i8), 0i8..60]).prop_map(|(h, m, s)| Time::new(h, m, s, 0).expect("a time"));
        let wall = move || (date(), time()).prop_map(|(date, time)| date.to_datetime(time));
        prop_oneof![
            (date(), date()).prop_map(|(a, b)| Span::Days { from: a.min(b), to: a.max(b) }),
            (wall(), wall()).prop_filter("not empty", |(a, b)| a != b).prop_map(|(a, b)| Span::Walls { from: a.min(b), to: a.max(b) }),
            (0i64..4_000_000_000, 1i64..4_000_000_000).prop_map(|(from, length)| Span::Instants {
                from: Timestamp::from_second(from).expect("in range"),
                to: Timestamp::from_second(from + length).expect("in range"),
            }),
            (1u8..128, time(), time()).prop_filter("not empty", |(_, a, b)| a != b).prop_map(|(days, from, to)| Span::Weekly { days, from, to }),
            (1u8..128).prop_map(|days| Span::Weekly { days, from: Time::midnight(), to: Time::midnight() }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_printed_reads_as_the_same(span in any_span()) {
            prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-zA-Z:/, T+Z.é-]{0,40}") {
            if let Ok(span) = text.parse::<Span>() {
                prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
            }
            let _ = (Limits::parse_starts(&text), Limits::parse_ends(&text));
        }
    }
}
