//! Calendar files (iCalendar, RFC 5545): the VEVENTs of a text as named periods. Alarms, tasks and zone definitions are passed over;
//! zones are IANA names. Nothing here reads a file, and no text makes it slow: events, occurrences and remarks are bounded.
//!
//! # Decided
//! - An event of whole days stands for those days of whichever zone asks, a floating time for that reading of its clock, all
//!   other times for instants.
//! - A recurring event is expanded by reeve's own rrules: its occurrences from 2026 on, [`YEARS`] of them, at most
//!   [`MOST_OCCURRENCES`]. Where the latter cuts one off, a remark says so.
//! - Cancelled events and cancelled or moved single occurrences (RECURRENCE-ID) are left out.
//! - Whether an event blocks time (TRANSP) says nothing here: public holidays are seldom marked as busy.

mod event;
mod line;

use super::limits::Period;
use event::Event;
use jiff::civil::{Date, DateTime};
use line::{Line, lines};
use std::collections::BTreeMap;

/// Larger files are not read, in bytes.
pub const MAXIMUM_BYTES: usize = 4 * 1024 * 1024;
/// So many occurrences of one event are read.
pub const MOST_OCCURRENCES: usize = 1_000;
/// So many years of a recurring event are read: each schedule that names the calendar keeps them all.
pub const YEARS: i16 = 20;
/// No schedule of reeve asks for a time before it.
const EARLIEST: DateTime = Date::constant(2026, 1, 1).at(0, 0, 0, 0);
/// So many periods one calendar may have.
pub const MOST_PERIODS: usize = 10_000;
/// So many remarks are made; what is wrong a hundred times is wrong in one way.
const MOST_REMARKS: usize = 20;

/// What a calendar file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Named after their events, in the order of the file.
    pub periods: Vec<Period>,
    /// What could not be read, or was left out.
    pub remarks: Vec<Remark>,
}

/// Something about one line of a calendar file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// From 1.
    pub line: usize,
    /// The line as it stands.
    pub text: String,
    /// A sentence without a full stop.
    pub message: String,
    /// What the file says is not known without it; otherwise it was read and something was left out.
    pub is_error: bool,
}

impl Remark {
    fn error(line: &Line<'_>, message: impl Into<String>) -> Self {
        Remark { line: line.number, text: line.first.to_owned(), message: message.into(), is_error: true }
    }

    fn warning(line: &Line<'_>, message: impl Into<String>) -> Self {
        Remark { is_error: false, ..Remark::error(line, message) }
    }
}

/// Reads a calendar file. What is wrong with one event leaves the others as they are.
pub fn read_calendar(text: &str) -> Calendar {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = |message: String| Calendar {
        remarks: vec![Remark { line: 1, text: text.lines().next().unwrap_or_default().chars().take(200).collect(), message, is_error: true }],
        ..Calendar::default()
    };
    if text.len() > MAXIMUM_BYTES {
        return whole(format!("the calendar has {} bytes; expected at most {MAXIMUM_BYTES}", text.len()));
    }
    let lines = lines(text);
    if !lines.first().is_some_and(|line| line.is("BEGIN", "VCALENDAR")) {
        return whole("this is no calendar; expected `BEGIN:VCALENDAR` in its first line".to_owned());
    }
    let mut calendar = Calendar::default();
    let events = events(&lines, &mut calendar);
    let moved = moved(&events);
    for event in &events {
        let except = event.uid().and_then(|uid| moved.get(uid)).map_or(&[][..], Vec::as_slice);
        match event.periods(except, &mut calendar.remarks) {
            Ok(periods) => calendar.periods.extend(periods),
            Err(remark) => calendar.remarks.push(remark),
        }
        if calendar.periods.len() > MOST_PERIODS {
            calendar.periods.clear();
            calendar.remarks.push(Remark::error(event.line(), format!("the calendar has more than {MOST_PERIODS} spans of time up to here")));
        }
        if calendar.remarks.len() >= MOST_REMARKS {
            break;
        }
    }
    calendar.remarks.truncate(MOST_REMARKS);
    calendar
}

/// The lines of each event, those of components inside it left out.
fn events<'a>(lines: &'a [Line<'a>], calendar: &mut Calendar) -> Vec<Event<'a>> {
    let mut events = Vec::new();
    let mut open: Option<Event<'a>> = None;
    let mut inside = 0usize;
    for line in lines {
        match &mut open {
            None if line.is("BEGIN", "VEVENT") => open = Some(Event::new(line)),
            None => {}
            Some(_) if inside == 0 && line.is("END", "VEVENT") => events.extend(open.take()),
            Some(_) if line.name == "BEGIN" => inside += 1,
            Some(_) if line.name == "END" => inside = inside.saturating_sub(1),
            Some(event) if inside == 0 => event.add(line),
            Some(_) => {}
        }
    }
    if let Some(event) = open {
        calendar.remarks.push(Remark::error(event.line(), "the event has no end; expected a line `END:VEVENT`"));
    }
    events
}

/// By event, the occurrences that another entry of the file stands for.
fn moved<'a>(events: &[Event<'a>]) -> BTreeMap<&'a str, Vec<&'a Line<'a>>> {
    let mut moved: BTreeMap<&str, Vec<&Line<'_>>> = BTreeMap::new();
    for event in events {
        if let (Some(uid), Some(line)) = (event.uid(), event.stands_for()) {
            moved.entry(uid).or_default().push(line);
        }
    }
    moved
}

#[cfg(test)]
mod tests;
