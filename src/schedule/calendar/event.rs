//! One event of a calendar file, and the periods that it stands for.

use super::line::Line;
use super::{EARLIEST, MOST_OCCURRENCES, Remark, YEARS};
use crate::schedule::interval::parse_interval;
use crate::schedule::limits::{Period, Span};
use crate::schedule::rrule::RecurrenceSet;
use crate::schedule::zone;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Longer names are cut, in characters.
const LONGEST_NAME: usize = 80;
const DAY_SECONDS: i64 = 86_400;

/// The lines of an event that matter here.
pub struct Event<'a> {
    begin: &'a Line<'a>,
    lines: Vec<&'a Line<'a>>,
}

/// Whose clock the digits of an event are read on.
#[derive(Clone)]
enum Clock {
    /// Whole days of any zone.
    Days,
    /// The clock of the zone that asks.
    Floating,
    Of(TimeZone),
}

/// How long each occurrence is.
enum Length {
    /// As the clock counts: a day is a day, whatever its hours.
    Nominal(SignedDuration),
    Exact(SignedDuration),
}

impl<'a> Event<'a> {
    pub fn new(begin: &'a Line<'a>) -> Self {
        Event { begin, lines: Vec::new() }
    }

    pub fn add(&mut self, line: &'a Line<'a>) {
        const READ: [&str; 10] =
            ["DTSTART", "DTEND", "DURATION", "SUMMARY", "STATUS", "RRULE", "RDATE", "EXDATE", "UID", "RECURRENCE-ID"];
        if READ.contains(&line.name.as_str()) {
            self.lines.push(line);
        }
    }

    pub fn line(&self) -> &'a Line<'a> {
        self.begin
    }

    pub fn uid(&self) -> Option<&'a str> {
        self.first("UID").map(|line| line.value.trim())
    }

    /// The occurrence of another entry that this one replaces.
    pub fn stands_for(&self) -> Option<&'a Line<'a>> {
        self.first("RECURRENCE-ID")
    }

    fn first(&self, name: &str) -> Option<&'a Line<'a>> {
        self.all(name).next()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a Line<'a>> {
        self.lines.iter().copied().filter(move |line| line.name == name)
    }

    /// The spans that it stands for; `moved` are occurrences that other entries stand for.
    ///
    /// Errors: the first thing in it that cannot be read.
    pub fn periods(&self, moved: &[&Line<'_>], remarks: &mut Vec<Remark>) -> Result<Vec<Period>, Remark> {
        if self.first("STATUS").is_some_and(|status| status.is("STATUS", "CANCELLED")) {
            return Ok(Vec::new());
        }
        let start = self.first("DTSTART").ok_or_else(|| Remark::error(self.begin, "the event has no DTSTART"))?;
        let (clock, begin) = moment(start, &start.value)?;
        let length = self.length(&clock, begin)?;
        let name = self.first("SUMMARY").map(|summary| plain(&summary.value)).filter(|name| !name.is_empty());
        let walls = match self.stands_for().is_none() && self.recurs() {
            true => self.occurrences(&clock, begin, moved, remarks)?,
            false => vec![begin],
        };
        let spans: Vec<Span> = walls.into_iter().filter_map(|wall| span(&clock, wall, &length)).collect();
        if spans.is_empty() && !self.recurs() {
            remarks.push(Remark::warning(start, "the event has no length and stands for no time; expected a DTEND or a DURATION"));
        }
        Ok(spans.into_iter().map(|span| Period { span, name: name.clone() }).collect())
    }

    fn recurs(&self) -> bool {
        self.first("RRULE").is_some() || self.first("RDATE").is_some()
    }

    fn length(&self, clock: &Clock, begin: DateTime) -> Result<Length, Remark> {
        if let Some(line) = self.first("DTEND") {
            let end = on(clock, line, &line.value)?;
            let length = end.duration_since(begin);
            if length.is_negative() {
                return Err(Remark::error(line, "the event ends before it begins"));
            }
            // Some writers give a day its own date as its end.
            let day = matches!(clock, Clock::Days) && length.is_zero();
            return Ok(Length::Nominal(if day { SignedDuration::from_secs(DAY_SECONDS) } else { length }));
        }
        if let Some(line) = self.first("DURATION") {
            let every = parse_interval(line.value.trim().trim_start_matches('+')).map_err(|error| Remark::error(line, error.to_string()))?;
            let length = SignedDuration::from_micros(i64::try_from(every.microseconds()).unwrap_or(i64::MAX));
            return Ok(if every.whole_days().is_some() { Length::Nominal(length) } else { Length::Exact(length) });
        }
        Ok(Length::Nominal(SignedDuration::from_secs(if matches!(clock, Clock::Days) { DAY_SECONDS } else { 0 })))
    }

    /// The clock readings at which it begins, ascending, those from 2026 on.
    fn occurrences(&self, clock: &Clock, begin: DateTime, moved: &[&Line<'_>], remarks: &mut Vec<Remark>) -> Result<Vec<DateTime>, Remark> {
        let mut found = BTreeSet::from([begin]);
        for line in self.all("RDATE") {
            // A period (`start/end`) counts from its start, as long as the event itself.
            let starts = line.value.split(',').map(|value| on(clock, line, value.split('/').next().unwrap_or(value)));
            found.extend(starts.collect::<Result<Vec<_>, _>>()?);
        }
        let earliest = begin.max(EARLIEST.saturating_sub(SignedDuration::from_hours(24 * 366)));
        let last = DateTime::new(begin.max(EARLIEST).year() + YEARS, 12, 31, 23, 59, 59, 0).unwrap_or(DateTime::MAX);
        for line in self.all("RRULE") {
            let text = format!("DTSTART:{} RRULE:{}", digits(begin), until_on(clock, line)?);
            let set = RecurrenceSet::parse(&text).map_err(|error| Remark::error(line, error.to_string()))?;
            let mut walls = set.walls(earliest).take_while(|wall| *wall <= last);
            found.extend(walls.by_ref().take(MOST_OCCURRENCES));
            if let (Some(cut), Some(until)) = (walls.next(), found.last()) {
                let message = format!("the event recurs more than {MOST_OCCURRENCES} times; it is read up to {}, and not from {} on", until.date(), cut.date());
                remarks.push(Remark::warning(line, message));
            }
        }
        found.retain(|wall| *wall >= earliest);
        for line in self.all("EXDATE").chain(moved.iter().copied()) {
            for value in line.value.split(',') {
                found.remove(&on(clock, line, value)?);
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// The span of an occurrence; `None` where it has no length or lies beyond all calendars.
fn span(clock: &Clock, begin: DateTime, length: &Length) -> Option<Span> {
    let (Length::Nominal(duration) | Length::Exact(duration)) = length;
    let end = begin.checked_add(*duration).ok()?;
    match clock {
        Clock::Days => Some(Span::Days { from: begin.date(), to: end.date().yesterday().ok()?.max(begin.date()) }),
        Clock::Floating => (begin < end).then_some(Span::Walls { from: begin, to: end }),
        Clock::Of(zone) => {
            let from = instant(zone, begin)?;
            let to = match length {
                Length::Nominal(_) => instant(zone, end)?,
                Length::Exact(duration) => from.checked_add(*duration).ok()?,
            };
            (from < to).then_some(Span::Instants { from, to })
        }
    }
}

fn instant(zone: &TimeZone, wall: DateTime) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(wall).compatible().ok()
}

/// A date or date-time of a line, and whose clock it is on.
fn moment(line: &Line<'_>, value: &str) -> Result<(Clock, DateTime), Remark> {
    let value = value.trim();
    let refused = || Remark::error(line, format!("`{value}` is no date; expected `20261224`, `20261224T090000` or `20261224T090000Z`"));
    let (digits, utc) = match value.strip_suffix('Z') {
        Some(digits) => (digits, true),
        None => (value, false),
    };
    let (date, time) = match digits.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (digits, None),
    };
    let number = |text: &str, range: std::ops::Range<usize>| text.get(range)?.parse::<i16>().ok();
    let plain = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let small = |number: Option<i16>| number.and_then(|number| i8::try_from(number).ok());
    let date = Some(date).filter(|date| plain(date, 8)).and_then(|date| {
        Date::new(number(date, 0..4)?, small(number(date, 4..6))?, small(number(date, 6..8))?).ok()
    });
    let date = date.ok_or_else(refused)?;
    let Some(time) = time else {
        return if utc { Err(refused()) } else { Ok((Clock::Days, date.at(0, 0, 0, 0))) };
    };
    let time = Some(time).filter(|time| plain(time, 6)).and_then(|time| {
        Time::new(small(number(time, 0..2))?, small(number(time, 2..4))?, small(number(time, 4..6))?, 0).ok()
    });
    let wall = date.to_datetime(time.ok_or_else(refused)?);
    match line.parameter("TZID") {
        _ if utc => Ok((Clock::Of(TimeZone::UTC), wall)),
        Some(name) => Ok((Clock::Of(named_zone(line, name)?), wall)),
        None => Ok((Clock::Floating, wall)),
    }
}

/// An IANA name; some writers put a path of their own before it.
fn named_zone(line: &Line<'_>, name: &str) -> Result<TimeZone, Remark> {
    let mut tail = name.trim_start_matches('/');
    loop {
        match (zone::lookup(Some(tail)), tail.split_once('/')) {
            (Ok(zone), _) => return Ok(zone),
            (Err(_), Some((_, rest))) => tail = rest,
            (Err(_), None) => break,
        }
    }
    zone::lookup(Some(name)).map_err(|error| Remark::error(line, error.to_string()))
}

/// A date or date-time of a line, as the event's own clock shows it.
fn on(clock: &Clock, line: &Line<'_>, value: &str) -> Result<DateTime, Remark> {
    let (theirs, wall) = moment(line, value)?;
    Ok(match (clock, theirs) {
        (Clock::Of(own), Clock::Of(theirs)) => instant(&theirs, wall).map_or(wall, |at| own.to_datetime(at)),
        (Clock::Days, _) => wall.date().at(0, 0, 0, 0),
        _ => wall,
    })
}

/// The rule with its UNTIL on the event's own clock: the RFC writes it in UTC, and a date alone means that whole day.
fn until_on(clock: &Clock, line: &Line<'_>) -> Result<String, Remark> {
    let parts = line.value.trim().split(';').map(|part| match part.split_once('=') {
        Some((name, until)) if name.eq_ignore_ascii_case("UNTIL") => {
            let bare = Line { number: line.number, first: line.first, name: String::new(), parameters: Vec::new(), value: String::new() };
            let (theirs, _) = moment(&bare, until)?;
            let wall = on(clock, &bare, until)?;
            let whole_day = matches!(theirs, Clock::Days) && !matches!(clock, Clock::Days);
            let wall = if whole_day { wall.date().at(23, 59, 59, 0) } else { wall };
            Ok(format!("UNTIL={}", digits(wall)))
        }
        _ => Ok(part.to_owned()),
    });
    Ok(parts.collect::<Result<Vec<_>, _>>()?.join(";"))
}

fn digits(wall: DateTime) -> String {
    wall.strftime("%Y%m%dT%H%M%S").to_string()
}

/// A TEXT value as it reads: escapes undone, one line, not too long.
fn plain(value: &str) -> String {
    let mut text = String::new();
    let mut letters = value.trim().chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '\\' => match letters.next() {
                Some('n' | 'N') | None => ' ',
                Some(escaped) => escaped,
            },
            letter => letter,
        };
        text.push(if letter.is_control() { ' ' } else { letter });
        if text.chars().count() == LONGEST_NAME {
            break;
        }
    }
    text.trim().to_owned()
}
