//! How numbers, instants and durations read in tables and messages. Pure: `now` and the zone are arguments.
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// `1 deployment`, `2 deployments`, `0 deployments`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// `in 5 minutes`, `2 hours ago`, `now` (less than a second away), in the largest unit that is full.
pub fn relative(instant: Timestamp, now: Timestamp) -> String {
    let ahead = instant.duration_since(now);
    match (largest_unit(ahead.abs()), ahead.is_negative()) {
        (None, _) => "now".to_owned(),
        (Some(amount), true) => format!("{amount} ago"),
        (Some(amount), false) => format!("in {amount}"),
    }
}

/// `5 minutes`, `less than a second`: how long ago `instant` was.
pub fn elapsed(instant: Timestamp, now: Timestamp) -> String {
    largest_unit(now.duration_since(instant)).unwrap_or_else(|| "less than a second".to_owned())
}

/// `5 minutes`, `3 days`; `None` under a second.
fn largest_unit(span: SignedDuration) -> Option<String> {
    const UNITS: [(i64, &str); 6] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let seconds = span.as_secs();
    let (unit, noun) = UNITS.into_iter().find(|(unit, _)| seconds >= *unit)?;
    Some(count(usize::try_from(seconds / unit).unwrap_or(usize::MAX), noun))
}

/// How long something took: `0.42s`, `12.3s`, `3m 05s`, `2h 04m`.
pub fn took(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let whole = seconds as u64;
    match whole {
        0..10 => format!("{seconds:.2}s"),
        10..60 => format!("{seconds:.1}s"),
        60..3_600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3_600, whole % 3_600 / 60),
    }
}

/// `512 B`, `11.4 MiB`: how large something is, in the largest unit that is full.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} B"),
    }
}

/// `2024-07-03 19:20:02 +04`: an instant on the reader's clock.
pub fn local(instant: Timestamp, zone: &TimeZone) -> String {
    instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// `2024-07-03 19:20:02 +04 (in 5 minutes)`: a fire, wherever one is named.
pub fn fire(instant: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    format!("{} ({})", local(instant, zone), relative(instant, now))
}

/// `hour`, `90 seconds`, `day`: what follows "every", in the largest unit that divides it.
pub fn interval(seconds: f64) -> String {
    const UNITS: [(f64, &str); 5] =
        [(604_800.0, "week"), (86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second")];
    for (unit, noun) in UNITS {
        if seconds == unit {
            return noun.to_owned();
        }
        if seconds > unit && seconds % unit == 0.0 {
            return count((seconds / unit) as usize, noun);
        }
    }
    format!("{seconds} seconds")
}

/// `a`, `a or b`, `a, b or c`.
pub fn alternatives(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The name of something new, as the API takes it: something, and none of the signs that have a meaning in addresses.
pub fn new_name(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains(['/', '%', '&', '>', '<']) {
        true => Err("a name has at least one character, and none of / % & > <".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// At most three of `known` that look most like `wanted`, best first; none that differs in half of its letters.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (likeness(&wanted, &name.to_lowercase()), name))
        .filter(|(score, name)| *score >= 0.6 || name.to_lowercase().contains(&wanted))
        .collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    scored.dedup_by(|one, other| one.1 == other.1);
    // Beside a name that is nearly right, one that is only somewhat like it helps nobody.
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    scored.retain(|(score, _)| *score > best - 0.2);
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// 1 for equal, 0 for nothing in common. A bare name is compared with the last part of a full one too.
fn likeness(wanted: &str, name: &str) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(wanted, name);
    match name.rsplit_once('/') {
        Some((_, last)) if !wanted.contains('/') => whole.max(strsim::normalized_damerau_levenshtein(wanted, last)),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_are_read_in_one_unit() {
        let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        for (at, expected) in [
            ("2026-11-21T09:00:00.9Z", "now"),
            ("2026-11-21T09:00:01Z", "in 1 second"),
            ("2026-11-21T09:05:59Z", "in 5 minutes"),
            ("2026-11-21T07:00:00Z", "2 hours ago"),
            ("2026-11-19T09:00:00Z", "2 days ago"),
            ("2027-01-21T09:00:00Z", "in 2 months"),
            ("2024-11-21T09:00:00Z", "2 years ago"),
        ] {
            assert_eq!(relative(at.parse().unwrap(), now), expected, "{at}");
        }
    }

    #[test]
    fn durations_and_counts() {
        assert_eq!([took(0.4), took(12.34), took(185.0), took(7_440.0)], ["0.40s", "12.3s", "3m 05s", "2h 04m"]);
        assert_eq!([interval(60.0), interval(90.0), interval(86_400.0), interval(0.5)], [
            "minute",
            "90 seconds",
            "day",
            "0.5 seconds"
        ]);
        assert_eq!([bytes(512), bytes(12_000_000), bytes(3 << 30)], ["512 B", "11.4 MiB", "3.0 GiB"]);
        assert_eq!([count(0, "run"), count(1, "run"), count(2, "run")], ["0 runs", "1 run", "2 runs"]);
    }

    #[test]
    fn a_new_name_is_one_that_the_api_takes() {
        assert_eq!(new_name("my queue").as_deref(), Ok("my queue"));
        for wrong in ["", "a/b", "50%", "a&b", "<a>"] {
            assert_eq!(new_name(wrong).unwrap_err(), "a name has at least one character, and none of / % & > <", "{wrong:?}");
        }
    }

    #[test]
    fn the_nearest_names_come_first() {
        let known = ["etl/daily", "etl/weekly", "report/daily", "backup/home"];
        assert_eq!(nearest("etl/dialy", known), ["etl/daily"]);
        assert_eq!(nearest("home", known), ["backup/home"]);
        assert_eq!(nearest("weekyl", known), ["etl/weekly"]);
        assert!(nearest("zzz", known).is_empty());
    }
}
