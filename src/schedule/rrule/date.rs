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

/// `YYYYMMDD[T]hh[mm[ss]][Z]` with all digits in place; stray signs before, between and behind are passed over, and a zone
/// name behind is read as nothing but a zone.
fn basic(text: &str) -> Option<Written> {
    let (digits, rest) = leading_digits(text.strip_prefix(['T', '/', '-', ';']).unwrap_or(text));
    let (date, joined) = match digits.len() {
        8 => (digits, ""),
        12 | 14 => digits.split_at(8),
        _ => return None,
    };
    let (time, suffix) = if joined.is_empty() { after_date(rest)? } else { (joined, rest) };
    let (shift, zoned) = zone_name(suffix, time)?;
    let part = |from: usize| time.get(from..from + 2).map_or(Some(0), |two| two.parse::<i8>().ok());
    let hour = match (part(0)?, shift) {
        (12, Shift::Morning) => 0,
        (hour, Shift::Afternoon) if hour < 12 => hour + 12,
        (hour, _) => hour,
    };
    let wall = DateTime::new(date[..4].parse().ok()?, date[4..6].parse().ok()?, date[6..].parse().ok()?, hour, part(2)?, part(4)?, 0);
    Some(Written { wall: wall.ok()?, zoned })
}

/// The time digits behind the date, and what follows them.
fn after_date(rest: &str) -> Option<(&str, &str)> {
    let time_at = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
    let (between, rest) = rest.split_at(time_at);
    let (time, suffix) = leading_digits(rest);
    let signs = between.chars().filter(|letter| matches!(letter, '-' | ';' | '/')).count();
    let letters = between.chars().filter(|letter| matches!(letter, 'T' | 'M')).count();
    let signed = signs + letters == between.len() && (1..=2).contains(&between.len()) && letters < 2;
    let separated = signed || matches!(between, "ST" | "ND" | "RD" | "TH");
    match time.len() {
        0 if between.len() == signs && signs < 2 => Some(("", suffix)),
        2 if between == "T" => Some((time, suffix)),
        4 | 6 if separated => Some((time, suffix)),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Shift {
    None,
    Morning,
    Afternoon,
}

/// What stands behind the time: nothing, `Z`, an offset, half of the day, or a name that means nothing here.
fn zone_name(suffix: &str, time: &str) -> Option<(Shift, bool)> {
    let half = |shift| {
        let hour: u8 = time.get(..2)?.parse().ok()?;
        (hour <= 12).then_some((shift, false))
    };
    let name = suffix.strip_suffix(['.', ';', '/']).unwrap_or(suffix);
    match name {
        "" => Some((Shift::None, false)),
        _ if time.len() < 4 => None,
        "Z" | "UTC" | "GMT" => Some((Shift::None, true)),
        "A" | "AM" => half(Shift::Morning),
        "P" | "PM" => half(Shift::Afternoon),
        _ if name.len() <= 2 && name.bytes().all(|byte| byte.is_ascii_uppercase()) => Some((Shift::None, false)),
        _ => {
            let hours = name.strip_prefix(['+', '-'])?;
            (matches!(hours.len(), 2 | 4) && hours.bytes().all(|byte| byte.is_ascii_digit())).then_some((Shift::None, true))
        }
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
