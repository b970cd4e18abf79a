//! One date of an rrule text -> wall-clock digits, and whether they claimed a zone. Reads RFC 5545's forms, ISO 8601's, and
//! the slips that Prefect lets through and that have one reading (`20260712-T120000`, `20251029060000Z`).

use jiff::civil::{Date, DateTime};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub wall: DateTime,
    /// `Z` or an offset was written. It does not change the digits; RFC 5545 only wants DTSTART and UNTIL to agree on it.
    pub zoned: bool,
}

/// Reads upper-case text. `None`: not a date that exists.
pub(super) fn read(text: &str) -> Option<Written> {
    if !text.is_ascii() || text.len() > 40 {
        return None;
    }
    basic(text).or_else(|| extended(text))
}

/// `YYYYMMDD[T]hhmm[ss][Z]`, with stray separators between date and time and one zone letter behind.
fn basic(text: &str) -> Option<Written> {
    let (digits, rest) = leading_digits(text);
    let (date, joined) = match digits.len() {
        8 => (digits, ""),
        12 | 14 => digits.split_at(8),
        _ => return None,
    };
    let (time, suffix) = if joined.is_empty() { after_date(rest)? } else { (joined, rest) };
    let (shift, zoned) = zone_letter(suffix, time)?;
    let part = |from: usize| time.get(from..from + 2).map_or(Some(0), |two| two.parse::<i8>().ok());
    let hour = match (part(0)?, shift) {
        (12, Shift::Morning) => 0,
        (hour, Shift::Afternoon) if hour < 12 => hour + 12,
        (hour, _) => hour,
    };
    let wall = DateTime::new(date[..4].parse().ok()?, date[4..6].parse().ok()?, date[6..].parse().ok()?, hour, part(2)?, second(part(4)?)?, 0);
    Some(Written { wall: wall.ok()?, zoned })
}

/// A leap second is refused rather than moved.
fn second(value: i8) -> Option<i8> {
    (value < 60).then_some(value)
}

/// The time digits behind the date, and what follows them.
fn after_date(rest: &str) -> Option<(&str, &str)> {
    if rest.is_empty() {
        return Some(("", ""));
    }
    let separators = rest.len() - rest.trim_start_matches(['T', '-', ';', '/', '.']).len();
    let (time, suffix) = leading_digits(&rest[separators..]);
    let fits = matches!((separators, time.len()), (1..=2, 2 | 4 | 6));
    fits.then_some((time, suffix))
}

#[derive(Clone, Copy)]
enum Shift {
    None,
    Morning,
    Afternoon,
}

/// `Z`, or a single letter as a careless hand leaves it: `A` and `P` halve the day, others mean nothing.
fn zone_letter(suffix: &str, time: &str) -> Option<(Shift, bool)> {
    let half = |shift| {
        let hour: u8 = time.get(..2)?.parse().ok()?;
        (hour <= 12).then_some((shift, false))
    };
    match suffix.trim_end_matches(['.', ';']) {
        "" => Some((Shift::None, false)),
        _ if time.is_empty() => None,
        "Z" => Some((Shift::None, true)),
        "A" => half(Shift::Morning),
        "P" => half(Shift::Afternoon),
        "T" => None,
        letter if letter.len() == 1 && letter.as_bytes()[0].is_ascii_uppercase() => Some((Shift::None, false)),
        _ => None,
    }
}

/// ISO 8601 with dashes and colons, an offset or `Z` behind.
fn extended(text: &str) -> Option<Written> {
    let date_end = text.char_indices().nth(10).map_or(text.len(), |(at, _)| at);
    if !text[..date_end].contains('-') {
        return None;
    }
    if date_end == text.len() {
        return Some(Written { wall: text.parse::<Date>().ok()?.at(0, 0, 0, 0), zoned: false });
    }
    let zone_at = text[date_end..].find(['Z', '+', '-']).map(|at| at + date_end);
    let wall: DateTime = text[..zone_at.unwrap_or(text.len())].parse().ok()?;
    if text.contains(":60") {
        return None;
    }
    Some(Written { wall: wall.with().subsec_nanosecond(0).build().ok()?, zoned: zone_at.is_some() })
}

fn leading_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()))
}
