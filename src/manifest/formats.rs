//! Texts that a parameter's type is written as: instants, dates, durations, UUIDs. Read as leniently as Pydantic reads them, since a check
//! must never refuse what the program would take.
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};

type Check = fn(&str) -> bool;

/// Each format of a JSON schema that is checked, with what to expect in words.
pub const FORMATS: [(&str, Check, &str); 5] = [
    ("date-time", is_date_time, "a date and time such as `2026-11-20T10:00:00Z`"),
    ("date", is_date, "a date such as `2026-11-20`"),
    ("time", is_time, "a time such as `10:00:00`"),
    ("duration", is_duration, "a duration such as `PT1H30M` or `1:30:00`"),
    ("uuid", is_uuid, "a UUID"),
];

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_date_time(text: &str) -> bool {
    let text = text.trim().replacen('_', "T", 1);
    is_number(&text) || text.parse::<Timestamp>().is_ok() || text.parse::<DateTime>().is_ok()
}

fn is_date(text: &str) -> bool {
    is_number(text) || is_date_time(text) || text.trim().parse::<Date>().is_ok()
}

fn is_time(text: &str) -> bool {
    let text = text.trim();
    let clock = text.split(['Z', 'z', '+', '-']).next().unwrap_or(text);
    is_number(text) || clock.trim().parse::<Time>().is_ok()
}

/// ISO 8601, or as Python's `str` writes a `timedelta`: `1 day, 2:03:04`.
fn is_duration(text: &str) -> bool {
    let text = text.trim();
    let plain = text.trim_start_matches(['-', '+']);
    if plain.starts_with('P') {
        return plain.parse::<SignedDuration>().is_ok() || plain.parse::<jiff::Span>().is_ok();
    }
    let (days, clock) = match plain.split_once(' ') {
        Some((days, rest)) => (days, rest.trim_start_matches(|c: char| c.is_ascii_lowercase()).trim_start_matches([',', ' '])),
        None => ("0", plain),
    };
    let numbers = clock.split(':');
    !plain.is_empty() && days.parse::<u32>().is_ok() && (clock.is_empty() || (clock.split(':').count() <= 3 && numbers.into_iter().all(is_number)))
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
                vec!["2026-11-20T10:00:00Z", "2026-11-20 10:00", "2026-11-20", "2026-11-20T10:00:00.5+01:00", "2026-11-20_10:00:00", "1763632800"],
                vec!["yesterday", "2026-13-20", "2026-11-20T25:00", ""],
            ),
            ("date", vec!["2026-11-20", "2026-11-20T00:00:00", "0"], vec!["2026-02-30", "20.11.2026", "today"]),
            ("time", vec!["10:00", "10:00:00.25", "10:00:00Z", "10:00+02:00"], vec!["25:00", "noon"]),
            ("duration", vec!["PT1H", "P3DT2H", "-PT5M", "P1W", "1:30:00", "90", "1 day, 2:03:04", "2 days", "3 01:00:00"], vec!["long", "PT", "1 fortnight x", ""]),
            ("uuid", vec!["67e55044-10b1-426f-9247-bb680e5fe0c8", "67e5504410b1426f9247bb680e5fe0c8"], vec!["67e55044", "x"]),
        ] {
            let (_, check, _) = FORMATS.into_iter().find(|(name, ..)| *name == format).unwrap();
            good.into_iter().for_each(|text| assert!(check(text), "{format}: {text:?} is one"));
            bad.into_iter().for_each(|text| assert!(!check(text), "{format}: {text:?} is none"));
        }
    }
}
