//! When a person wants something to happen: `--start-in` and `--start-at`. Pure: `now` is an argument.
use super::error::CliError;
use super::words::relative;
use crate::schedule::{Every, parse_duration};
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, Timestamp, ToSpan, Zoned};

/// `10 minutes`, `1h 30m`, `2 days`, `PT45M` from now; days and longer run on the wall clock.
pub fn start_in(text: &str, now: &Zoned) -> Result<Timestamp, CliError> {
    after("--start-in", text, now)
}

/// The same after any instant, for any option.
pub fn after(option: &str, text: &str, now: &Zoned) -> Result<Timestamp, CliError> {
    let wrong = |why: String| {
        CliError::new(format!("`{option} {text}` is not a duration: {why}"))
            .hint("write it like `10 minutes`, `1h 30m`, `2 days` or `PT45M`")
    };
    let span: Span = text.trim().parse().map_err(|error: jiff::Error| wrong(error.to_string()))?;
    if span.is_negative() {
        return Err(wrong("it points into the past".to_owned()));
    }
    now.checked_add(span).map(|at| at.timestamp()).map_err(|error| wrong(error.to_string()))
}

/// As [`instant`], and not in the past.
pub fn start_at(text: &str, now: &Zoned) -> Result<Timestamp, CliError> {
    let at = instant("--start-at", text, now)?;
    if at < now.timestamp() {
        let text = text.trim();
        return Err(CliError::new(format!("`--start-at {text}` is over: that was {}", relative(at, now.timestamp())))
            .hint("leave --start-at out to start now"));
    }
    Ok(at)
}

/// `2026-11-21T09:00:00+01:00`, `2026-11-21 09:00`, `tomorrow 09:00`, `friday 6pm`, `18:30`; what names no zone is
/// on the clock of `now`. A time alone is the next one, `now` is now. A wall-clock time that a clock change skips counts as later.
/// `flag` is what the text was given for.
pub fn instant(flag: &str, text: &str, now: &Zoned) -> Result<Timestamp, CliError> {
    let wrong = |why: &str| {
        CliError::new(format!("`{flag} {text}` is not a time: {why}"))
            .hint("write it like `2026-11-21 09:00`, `2026-11-21T09:00:00+01:00`, `tomorrow 09:00`, `friday 6pm` or `18:30`")
    };
    let text = text.trim();
    if text == "now" {
        return Ok(now.timestamp());
    }
    if let Ok(instant) = text.parse::<Timestamp>().or_else(|_| text.parse::<Zoned>().map(|zoned| zoned.timestamp())) {
        return Ok(instant);
    }
    let wall = wall_clock(text, now).ok_or_else(|| wrong("it is none of the forms below"))?;
    wall.to_zoned(now.time_zone().clone()).map(|zoned| zoned.timestamp()).map_err(|error| wrong(&error.to_string()))
}

/// An interval as people write it: the manifest's forms (`3600`, `PT1H`, `01:00:00`) and `15 minutes`, `1h 30m`, `1 day`;
/// a day is 24 hours here.
pub fn every(text: &str) -> Result<Every, CliError> {
    parse_duration(text).map_err(|error| {
        // What it found and what it expected stand in front and in the hint.
        let why = Some(error.problem.as_str()).filter(|problem| *problem != "not a duration");
        let why = why.into_iter().chain(error.suggestion.as_deref()).collect::<Vec<_>>().join("; ");
        let why = if why.is_empty() { why } else { format!(": {why}") };
        CliError::new(format!("`{}` is not an interval{why}", text.trim())).hint("write it like `15 minutes`, `1 day`, `PT1H` or `3600`")
    })
}

fn wall_clock(text: &str, now: &Zoned) -> Option<DateTime> {
    if let Ok(datetime) = text.parse::<DateTime>() {
        return Some(datetime);
    }
    if let Some(time) = time_of_day(text) {
        let today = now.date().to_datetime(time);
        return Some(if today < now.datetime() { now.date().tomorrow().ok()?.to_datetime(time) } else { today });
    }
    let lower = text.to_lowercase();
    let (day, rest) = lower.split_once(char::is_whitespace).unwrap_or((&lower, ""));
    let rest = rest.trim().trim_start_matches("at ");
    let date = day_named(day, now).or_else(|| day.parse::<Date>().ok())?;
    let time = if rest.is_empty() { Time::midnight() } else { time_of_day(rest)? };
    Some(date.to_datetime(time))
}

fn day_named(word: &str, now: &Zoned) -> Option<Date> {
    const WEEK: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    match word {
        "today" => Some(now.date()),
        "tomorrow" => now.date().tomorrow().ok(),
        _ => {
            let (_, weekday) = WEEK.into_iter().find(|(name, _)| word.len() >= 3 && name.starts_with(word))?;
            // The coming one: on a Friday, `friday` is a week ahead, as people mean it.
            now.date().nth_weekday(1, weekday).ok().or_else(|| now.date().checked_add(7.days()).ok())
        }
    }
}

/// `09:00`, `09:00:30`, `9am`, `9:30 pm`.
fn time_of_day(text: &str) -> Option<Time> {
    let lower = text.to_lowercase();
    for (suffix, afternoon) in [("am", 0), ("pm", 12)] {
        if let Some(clock) = lower.strip_suffix(suffix) {
            let (hour, minute) = clock.trim().split_once(':').unwrap_or((clock.trim(), "0"));
            let hour: i8 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
            return Time::new(hour % 12 + afternoon, minute.parse().ok()?, 0, 0).ok();
        }
    }
    let mut parts = lower.split(':');
    let mut number = || parts.next().and_then(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (number()?, number()?, number());
    if lower.split(':').count() > 3 || (lower.split(':').count() == 3 && second.is_none()) {
        return None;
    }
    Time::new(hour, minute, second.unwrap_or(0), 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        // A Saturday.
        "2026-11-21T09:30:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    #[test]
    fn start_at_reads_what_people_write() {
        for (text, expected) in [
            ("2026-11-22T09:00:00+00:00", "2026-11-22T09:00:00Z"),
            ("2026-11-22 09:00", "2026-11-22T08:00:00Z"),
            ("2026-11-22T09:00", "2026-11-22T08:00:00Z"),
            ("2026-11-22", "2026-11-21T23:00:00Z"),
            ("tomorrow 09:00", "2026-11-22T08:00:00Z"),
            ("Tomorrow at 9am", "2026-11-22T08:00:00Z"),
            ("today 18:15", "2026-11-21T17:15:00Z"),
            ("monday 12:00", "2026-11-23T11:00:00Z"),
            ("sat 12:00", "2026-11-28T11:00:00Z"),
            ("18:30", "2026-11-21T17:30:00Z"),
            ("09:00", "2026-11-22T08:00:00Z"),
            ("9:45 pm", "2026-11-21T20:45:00Z"),
            ("12am", "2026-11-21T23:00:00Z"),
            // Skipped by the clock change: an hour later.
            ("2027-03-28 02:30", "2027-03-28T01:30:00Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(start_at(text, &now()).map_err(|error| error.to_string()), Ok(expected), "{text}");
        }
        for text in ["", "soon", "25:00", "13pm", "2026-13-01", "09:00:00:00", "tomorrow morning"] {
            assert!(start_at(text, &now()).is_err(), "{text}");
        }
        assert!(start_at("today 09:00", &now()).unwrap_err().to_string().contains("that was 30 minutes ago"));
    }

    #[test]
    fn intervals_are_read_in_every_form() {
        for (text, seconds) in [("3600", 3600.0), ("PT1H", 3600.0), ("15 minutes", 900.0), ("1 day", 86_400.0), ("1h 30m", 5400.0)] {
            assert_eq!(every(text).map(|every| every.seconds()).map_err(|error| error.to_string()), Ok(seconds), "{text}");
        }
        for text in ["", "often", "-5 minutes", "0 9 * * *", "1 month"] {
            assert!(every(text).is_err(), "{text}");
        }
    }

    #[test]
    fn start_in_reads_durations() {
        for (text, expected) in [
            ("10 minutes", "2026-11-21T08:40:00Z"),
            ("1h 30m", "2026-11-21T10:00:00Z"),
            ("PT45M", "2026-11-21T09:15:00Z"),
            ("2 days", "2026-11-23T08:30:00Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(start_in(text, &now()).map_err(|error| error.to_string()), Ok(expected), "{text}");
        }
        for text in ["10", "ten minutes", "-5 minutes", ""] {
            assert!(start_in(text, &now()).is_err(), "{text}");
        }
    }
}
