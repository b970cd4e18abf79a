//! Texts that a parameter's type is written as: instants, dates, durations, UUIDs. Read as leniently as Pydantic reads them, since a check
//! must never refuse what the program would take.
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};

type Check = fn(&str) -> bool;

/// Each format of a JSON schema that is checked, with what to expect in words.
pub const FORMATS: [(&str, Check, &str); 6] = [
    ("date-time", is_date_time, "a date and time such as `2026-11-20T10:00:00Z`"),
    ("date", is_date, "a date such as `2026-11-20`"),
    ("time", is_time, "a time such as `10:00:00`"),
    ("duration", is_duration, "a duration such as `PT1H30M` or `1:30:00`"),
    ("uuid", is_uuid, "a UUID"),
    ("decimal", is_decimal, "a text such as `1.50`"),
];

/// Digits, as Pydantic reads a Unix time; no exponent.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
}

/// `dd:dd` at the beginning: hours alone, and digits without colons, are read by some and not by all.
fn begins_as_clock(text: &str) -> bool {
    matches!(text.as_bytes(), [a, b, b':', c, d, ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()))
}

fn civil(text: &str) -> Option<DateTime> {
    let text = text.replacen('_', "T", 1);
    let (date, rest) = text.split_at_checked(10)?;
    let date: Date = date.parse().ok()?;
    if rest.is_empty() {
        return Some(date.into());
    }
    let is_plain = begins_as_clock(rest.get(1..)?) && !rest.contains('[');
    let read = || text.parse::<DateTime>().or_else(|_| text.replacen([' ', 't'], "T", 1).parse::<DateTime>());
    // A time zone makes an instant of it, which may stand on another day; the clock's own time is what counts here.
    let zoned = || text.parse::<Timestamp>().is_ok().then(|| clock_of(rest.get(1..)?)).flatten().map(|time| date.to_datetime(time));
    is_plain.then(|| read().ok().or_else(zoned)).flatten()
}

/// Without its time zone.
fn clock_of(text: &str) -> Option<Time> {
    let clock = text.split(['Z', 'z', '+', '-']).next().unwrap_or(text).trim();
    begins_as_clock(clock).then(|| clock.parse().ok()).flatten()
}

fn is_date_time(text: &str) -> bool {
    is_number(text.trim()) || civil(text.trim()).is_some()
}

/// Also an instant at midnight: Pydantic loses no time of day.
fn is_date(text: &str) -> bool {
    const SECONDS_OF_A_DAY: f64 = 86_400.0;
    let text = text.trim();
    match is_number(text) {
        true => text.parse::<f64>().is_ok_and(|seconds| seconds % SECONDS_OF_A_DAY == 0.0),
        false => civil(text).is_some_and(|when| when.time() == Time::midnight()),
    }
}

fn is_time(text: &str) -> bool {
    clock_of(text.trim()).is_some()
}

/// ISO 8601, seconds, or as Python's `str` writes a `timedelta`: `1 day, 2:03:04`.
fn is_duration(text: &str) -> bool {
    let text = text.trim();
    let plain = text.strip_prefix(['-', '+']).unwrap_or(text);
    if plain.starts_with('P') {
        return plain.parse::<SignedDuration>().is_ok() || plain.parse::<jiff::Span>().is_ok();
    }
    if is_number(plain) {
        return !plain.starts_with(['-', '+']);
    }
    let digits = plain.len() - plain.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (days, rest) = plain.split_at(digits);
    let unit = rest.trim_start();
    let unit = ["days", "day", "d"].into_iter().find_map(|word| unit.strip_prefix(word)).map(|rest| rest.trim_start_matches([',', ' ']));
    match (days, unit, rest.strip_prefix([' ', ','])) {
        ("", ..) => false,
        (_, Some(clock), _) => clock.is_empty() || is_clock(clock),
        (_, None, Some(clock)) => is_clock(clock.trim_start()),
        (_, None, None) => is_clock(plain),
    }
}

/// `H:MM:SS`, with a fraction or without.
fn is_clock(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let two = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], [hours, minutes, seconds]
        if !hours.is_empty() && hours.bytes().all(|byte| byte.is_ascii_digit()) && two(minutes)
            && two(seconds.split_once('.').map_or(seconds, |(whole, _)| whole)) && is_number(seconds))
}

/// As `decimal.Decimal` reads it, but finite.
fn is_decimal(text: &str) -> bool {
    let text = text.trim();
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let unsigned = number.strip_prefix(['-', '+']).unwrap_or(number);
    is_number(unsigned.strip_prefix('.').unwrap_or(number)) && exponent.parse::<i64>().is_ok()
}

fn is_uuid(text: &str) -> bool {
    uuid::Uuid::parse_str(text.trim()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_reads_is_taken_and_the_rest_is_not() {
        for (format, good, bad) in [
            (
                "date-time",
                vec!["2026-11-20T10:00:00Z", "2026-11-20 10:00", "2026-11-20", "2026-11-20T10:00:00.5+01:00", "2026-11-20_10:00:00", "1763632800", "2026-11-20T23:00:00.123456789-0100"],
                vec!["yesterday", "2026-13-20", "2026-11-20T25:00", "", "1e3", "2026-11-20T10", "20261120T100000", "2026-11-20T10:00Z[Europe/Berlin]"],
            ),
            ("date", vec!["2026-11-20", "2026-11-20T00:00:00", "2026-11-20T00:00:00+05:00", "0", "86400"], vec!["2026-02-30", "20.11.2026", "today", "5", "2026-11-20T01:00:00", "2026-11-20T01:00:00+01:00"]),
            ("time", vec!["10:00", "10:00:00.25", "10:00:00Z", "10:00+02:00"], vec!["25:00", "noon", "5", "10"]),
            ("duration", vec!["PT1H", "P3DT2H", "-PT5M", "P1W", "1:30:00", "90", "1 day, 2:03:04", "2 days", "3 01:00:00", "-1 day, 23:00:00", "5d", "1:30:00.5"], vec!["long", "PT", "1 fortnight x", "", "5 minutes", "1:30", "-", "1:2:3:4", "5 days x"]),
            ("decimal", vec!["1", "-1.50", ".5", "+3.", "1e3", "1E-30"], vec!["abc", "", "1,5", "NaN", "1e", "1.2.3", "."]),
            ("uuid", vec!["67e55044-10b1-426f-9247-bb680e5fe0c8", "67e5504410b1426f9247bb680e5fe0c8"], vec!["67e55044", "x"]),
        ] {
            let (_, check, _) = FORMATS.into_iter().find(|(name, ..)| *name == format).unwrap();
            good.into_iter().for_each(|text| assert!(check(text), "{format}: {text:?} is one"));
            bad.into_iter().for_each(|text| assert!(!check(text), "{format}: {text:?} is none"));
        }
    }
}
