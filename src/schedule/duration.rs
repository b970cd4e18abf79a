//! Lengths of time as people write them in policies: `90s`, `30m`, `2h`, `1d`, `1w`, `1h 30m`, `15 minutes`, and all that an
//! interval may be. A day is 24 hours here, a week seven of them; months and years have no fixed length and are refused.

use super::error::Error;
use super::interval::{Every, parse_interval, scaled};
use std::fmt;

const SECOND: u64 = 1_000_000;
const UNITS: [(&str, u64, &[&str]); 5] = [
    ("w", 7 * 86_400 * SECOND, &["week", "weeks"]),
    ("d", 86_400 * SECOND, &["day", "days"]),
    ("h", 3_600 * SECOND, &["hr", "hrs", "hour", "hours"]),
    ("m", 60 * SECOND, &["min", "mins", "minute", "minutes"]),
    ("s", SECOND, &["sec", "secs", "second", "seconds"]),
];
const CALENDAR_UNITS: [&str; 9] = ["mo", "mon", "month", "months", "y", "yr", "yrs", "year", "years"];

/// Reads a duration: what `parse_interval` reads, and numbers with units, the longer unit first.
///
/// Errors: anything else; months and years; zero or negative.
pub fn parse_duration(text: &str) -> Result<Every, Error> {
    let trimmed = text.trim();
    let refused = || {
        Error::new("not a duration").found(text).expected("a number and a unit (`90s`, `30m`, `2h`, `1d`, `1w`), seconds (`900`) or ISO 8601 (`PT15M`)")
    };
    if trimmed.starts_with('-') {
        return Err(refused().suggestion("a duration is positive"));
    }
    if let Ok(every) = parse_interval(trimmed) {
        return Ok(every);
    }
    match with_units(trimmed) {
        Some(Ok(microseconds)) => Every::from_microseconds(microseconds).map_err(|error| error.found(text)),
        Some(Err(())) => Err(Error::new("years and months have no fixed length")
            .found(text)
            .suggestion("use a cron expression or an rrule for calendar months")),
        // What it refused as an interval (0, P1M) it says best itself.
        None => match parse_interval(trimmed) {
            Err(error) if error.problem != "not an interval" => Err(error),
            _ => Err(refused()),
        },
    }
}

/// The sum, `Err` for a unit without a fixed length, `None` for no such text.
fn with_units(text: &str) -> Option<Result<u64, ()>> {
    let lower = text.to_ascii_lowercase();
    let mut rest = lower.as_str();
    let (mut total, mut last) = (0u64, None);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (word, tail) = after.split_at(letters);
        if CALENDAR_UNITS.contains(&word) {
            return Some(Err(()));
        }
        let unit = UNITS.iter().position(|(short, _, long)| *short == word || long.contains(&word))?;
        if last.is_some_and(|last| unit <= last) {
            return None;
        }
        last = Some(unit);
        total = total.checked_add(scaled(number, UNITS[unit].1)?)?;
        rest = tail.trim_start_matches([' ', ',']);
    }
    last.map(|_| Ok(total))
}

impl fmt::Display for Every {
    /// The longest unit that goes into it: `90m`, `1d`, `0.5s`. Reads back as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.microseconds();
        match UNITS.iter().find(|(_, unit, _)| microseconds.is_multiple_of(*unit)) {
            Some((name, unit, _)) => write!(f, "{}{name}", microseconds / unit),
            None => {
                let fraction = format!("{:06}", microseconds % SECOND);
                write!(f, "{}.{}s", microseconds / SECOND, fraction.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_and_printed() {
        for (text, printed) in [
            ("90s", "90s"),
            ("30m", "30m"),
            ("2h", "2h"),
            ("1d", "1d"),
            ("1w", "1w"),
            ("7 days", "1w"),
            ("1h30m", "90m"),
            ("1h 30m", "90m"),
            ("1 hour, 30 minutes", "90m"),
            ("15 Minutes", "15m"),
            ("1.5h", "90m"),
            ("900", "15m"),
            ("PT15M", "15m"),
            ("01:00:00", "1h"),
            ("0.25s", "0.25s"),
            ("1 day, 0:00:00", "1d"),
        ] {
            assert_eq!(parse_duration(text).map(|every| every.to_string()).map_err(|error| error.to_string()).as_deref(), Ok(printed), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_explained() {
        let forms = "expected a number and a unit (`90s`, `30m`, `2h`, `1d`, `1w`), seconds (`900`) or ISO 8601 (`PT15M`)";
        for (text, message) in [
            ("", format!("not a duration: found ``, {forms}")),
            ("soon", format!("not a duration: found `soon`, {forms}")),
            ("5 parsecs", format!("not a duration: found `5 parsecs`, {forms}")),
            ("30m 1h", format!("not a duration: found `30m 1h`, {forms}")),
            ("-5", format!("not a duration: found `-5`, {forms}; a duration is positive")),
            ("0", "an interval must be longer than nothing: found `0`, expected at least one microsecond".to_owned()),
            ("0s", "an interval must be longer than nothing: found `0s`, expected at least one microsecond".to_owned()),
            ("1 month", "years and months have no fixed length: found `1 month`; use a cron expression or an rrule for calendar months".to_owned()),
            ("P1Y", "years and months have no fixed length: found `P1Y`; use a cron expression or an rrule for calendar months".to_owned()),
        ] {
            assert_eq!(parse_duration(text).map_err(|error| error.to_string()), Err(message), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_printed_reads_as_the_same(number in 1u64..10_000, unit in prop_oneof![Just(1u64), Just(1_000), Just(SECOND), Just(60 * SECOND), Just(86_400 * SECOND)]) {
            let every = Every::from_microseconds(number * unit).expect("not zero");
            prop_assert_eq!(parse_duration(&every.to_string()), Ok(every));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-zA-Z:. ,PTé-]{0,20}") {
            let _ = parse_duration(&text);
        }
    }
}
