//! A rule in plain words, for plans, pages and previews. Never guesses: what it has no words for is shown in its technical
//! form, which is true.

use super::cron::{Cron, Days};
use super::interval::Interval;
use super::limits::{Limits, Period, Span};
use super::rrule::{Frequency, Recurrence, RecurrenceSet};
use super::rule::{Body, Rule};
use jiff::tz::TimeZone;

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
pub(super) const MONTHS: [&str; 12] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
];
/// More clock times than this are given as sets.
const MOST_TIMES: u32 = 6;
/// More excluded or included spans than this are counted.
const MOST_SPANS: usize = 3;

/// `timezone` is the schedule's own name for its zone.
pub(super) fn rule(rule: &Rule, timezone: &str) -> String {
    let words = match &rule.body {
        Body::Cron(cron) => format!("{}, {timezone}", cron_words(cron)),
        Body::Interval(interval) => interval_words(interval, &rule.zone, timezone),
        Body::Rrule(set) => format!("{}, {timezone}", set_words(set)),
    };
    words + &limits_words(&rule.limits)
}

/// `, only mon-fri, not in holidays, from 2026-12-01, until 2026-12-31`.
fn limits_words(limits: &Limits) -> String {
    let mut words = String::new();
    for (word, periods) in [("only", &limits.include), ("not", &limits.exclude)] {
        if !periods.is_empty() {
            words += &format!(", {word} {}", periods_words(periods));
        }
    }
    for (word, bound) in [("from", limits.starts_text()), ("until", limits.ends_text())] {
        words += &bound.map_or(String::new(), |bound| format!(", {word} {bound}"));
    }
    words
}

/// Calendars by their names, other spans as they are written; only the first few.
fn periods_words(periods: &[Period]) -> String {
    let mut named: Vec<String> = Vec::new();
    for period in periods {
        let words = match (period.calendar(), period.span) {
            (Some(calendar), _) => format!("in {calendar}"),
            (None, Span::Days { from, to }) if from == to => format!("on {from}"),
            (None, Span::Weekly { .. }) => period.span.to_string(),
            (None, span) => format!("in {span}"),
        };
        if !named.contains(&words) {
            named.push(words);
        }
    }
    let more = named.len().saturating_sub(MOST_SPANS);
    if more > 0 {
        named.truncate(MOST_SPANS);
        named.push(format!("{more} more"));
    }
    match named.pop() {
        Some(last) if !named.is_empty() => format!("{} or {last}", named.join(", ")),
        last => last.unwrap_or_default(),
    }
}

fn cron_words(cron: &Cron) -> String {
    let mut words = timed(clock(cron.hours, cron.minutes, cron.seconds), &days(&cron.days));
    if cron.months != 0b1_1111_1111_1110 {
        let named = (1..=12).filter(|month| cron.months >> month & 1 == 1).map(|month| MONTHS[month - 1].to_owned());
        words += &format!(" in {}", and(named.collect()));
    }
    if let Some(years) = &cron.years {
        words += &format!(" of {}", and(years.iter().map(i16::to_string).collect()));
    }
    words
}

/// How the clock part reads: fixed times, or something that recurs within the day.
enum Clock {
    At(String),
    Every(String),
}

/// "weekdays at 09:00", "every 15 minutes on weekdays".
fn timed(clock: Clock, days: &str) -> String {
    match (clock, days) {
        (Clock::At(times), "") => format!("every day at {times}"),
        (Clock::At(times), days) => format!("{days} at {times}"),
        (Clock::Every(often), "") => often,
        (Clock::Every(often), days) => format!("{often} on {days}"),
    }
}

fn clock(hours: u32, minutes: u64, seconds: u64) -> Clock {
    let (hours, seconds_word) = (u64::from(hours), seconds_words(seconds));
    let count = hours.count_ones() * minutes.count_ones() * seconds.count_ones();
    if count <= MOST_TIMES && hours.count_ones() < 24 {
        return Clock::At(and(times(hours, minutes, seconds)));
    }
    let (hour_step, minute_step) = (step(hours, 24), step(minutes, 60));
    let words = match (hour_step, minute_step) {
        (Some(1), Some(1)) if seconds_word.is_empty() => "every minute".to_owned(),
        (Some(1), Some(1)) => return Clock::Every(seconds_word),
        (Some(1), Some(step)) => format!("every {step} minutes"),
        (Some(step), _) if minutes == 1 => if step == 1 { "every hour".to_owned() } else { format!("every {step} hours") },
        (Some(step), _) if minutes.count_ones() == 1 => {
            let often = if step == 1 { "every hour".to_owned() } else { format!("every {step} hours") };
            format!("{often} at minute {}", minutes.trailing_zeros())
        }
        (_, Some(step)) => {
            let often = if step == 1 { "every minute".to_owned() } else { format!("every {step} minutes") };
            match run(hours) {
                Some((from, to)) => format!("{often} from {from:02}:00 to {to:02}:{:02}", 60 - step),
                None => format!("{often} of {}", hours_words(hours)),
            }
        }
        _ if minutes == 1 => format!("on the hour in {}", hours_words(hours)),
        _ => format!("at minutes {} of {}", ranges(minutes), hours_words(hours)),
    };
    Clock::Every(if seconds_word.is_empty() { words } else { format!("{words}, {seconds_word} of each") })
}

fn seconds_words(seconds: u64) -> String {
    match (seconds, step(seconds, 60)) {
        (1, _) => String::new(),
        (_, Some(1)) => "every second".to_owned(),
        (_, Some(step)) => format!("every {step} seconds"),
        _ => format!("at seconds {}", ranges(seconds)),
    }
}

fn hours_words(hours: u64) -> String {
    match step(hours, 24) {
        Some(1) => "every hour".to_owned(),
        _ => format!("the hours {}", ranges(hours)),
    }
}

/// First and last of a set without holes.
fn run(bits: u64) -> Option<(u32, u32)> {
    let (low, count) = (bits.trailing_zeros(), bits.count_ones());
    (bits >> low == (1 << count) - 1).then_some((low, low + count - 1))
}

/// k, if the set is 0, k, 2k, … and k divides the whole.
fn step(bits: u64, whole: u32) -> Option<u32> {
    (1..=whole / 2)
        .filter(|step| whole.is_multiple_of(*step))
        .find(|step| (0..whole).step_by(*step as usize).fold(0u64, |set, at| set | 1 << at) == bits)
}

fn times(hours: u64, minutes: u64, seconds: u64) -> Vec<String> {
    let members = |bits: u64| (0..64u32).filter(move |at| bits >> at & 1 == 1);
    let mut times = Vec::new();
    for hour in members(hours) {
        for minute in members(minutes) {
            for second in members(seconds) {
                times.push(if seconds == 1 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") });
            }
        }
    }
    times
}

/// "" when every day counts.
fn days(days: &Days) -> String {
    let by_month = month_days(days);
    let by_week = weekdays(days);
    match (by_month.is_empty(), by_week.is_empty(), days.either) {
        (true, true, _) => String::new(),
        (false, true, _) => by_month,
        (true, false, _) => by_week,
        (false, false, true) => format!("{by_month} or {by_week}"),
        (false, false, false) => format!("{by_month} if also {by_week}"),
    }
}

fn month_days(days: &Days) -> String {
    if days.every_month_day() {
        return String::new();
    }
    let numbered = if days.last_day { days.month_days & !(1 << 31) } else { days.month_days };
    let mut parts = Vec::new();
    if numbered != 0 {
        let plural = if numbered.count_ones() == 1 { "day" } else { "days" };
        parts.push(format!("{plural} {}", ranges(numbered.into())));
    }
    if days.last_day {
        parts.push("the last day".to_owned());
    }
    format!("{} of the month", and(parts))
}

fn weekdays(days: &Days) -> String {
    if days.every_weekday() {
        return String::new();
    }
    if days.counts_weeks() {
        let mut parts = Vec::new();
        for (day, mask) in days.weekdays.iter().enumerate() {
            let name = WEEKDAYS[day];
            let last = mask & 0b10_0000 != 0;
            let weeks = if last { mask & 0b1111 } else { mask & 0b1_1111 };
            parts.extend((0..5).filter(|week| weeks >> week & 1 == 1).map(|week| format!("the {} {name}", ordinal(week + 1))));
            parts.extend(last.then(|| format!("the last {name}")));
        }
        return format!("{} of the month", and(parts));
    }
    named_weekdays(days.weekdays.iter().enumerate().filter(|(_, mask)| **mask != 0).map(|(day, _)| day))
}

/// Sunday is 0.
fn named_weekdays(chosen: impl Iterator<Item = usize>) -> String {
    match chosen.fold(0u8, |bits, day| bits | 1 << day) {
        0b011_1110 => "weekdays".to_owned(),
        0b100_0001 => "weekends".to_owned(),
        // Monday first, as weeks are read.
        bits => and((1..=7).filter(|day| bits >> (day % 7) & 1 == 1).map(|day| format!("{}s", WEEKDAYS[day % 7])).collect()),
    }
}

fn ordinal(number: i32) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// `1, 2 and 5 to 9`.
fn ranges(bits: u64) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for at in (0..64).filter(|at| bits >> at & 1 == 1) {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == at => *end = at,
            _ => runs.push((at, at)),
        }
    }
    let text = |(from, to): (u32, u32)| match to - from {
        0 => vec![from.to_string()],
        1 => vec![from.to_string(), to.to_string()],
        _ => vec![format!("{from} to {to}")],
    };
    and(runs.into_iter().flat_map(text).collect())
}

fn and(mut parts: Vec<String>) -> String {
    match parts.pop() {
        Some(last) if parts.is_empty() => last,
        Some(last) => format!("{} and {last}", parts.join(", ")),
        None => String::new(),
    }
}

fn interval_words(interval: &Interval, zone: &TimeZone, timezone: &str) -> String {
    let Some(days) = interval.every.whole_days() else {
        return format!("every {}", span(interval.every.microseconds()));
    };
    let anchor = zone.to_datetime(interval.anchor);
    let time = if anchor.subsec_nanosecond() == 0 && anchor.second() == 0 { anchor.strftime("%H:%M") } else { anchor.strftime("%H:%M:%S%.f") };
    match days {
        1 => format!("every day at {time}, {timezone}"),
        _ => format!("every {days} days at {time}, counted from {}, {timezone}", anchor.strftime("%A %Y-%m-%d")),
    }
}

/// `15 minutes`, `1 day 12 hours`, `0.5 seconds`.
fn span(microseconds: u64) -> String {
    let (mut rest, mut parts) = (microseconds, Vec::new());
    for (name, unit) in [("day", 86_400_000_000), ("hour", 3_600_000_000), ("minute", 60_000_000)] {
        let count = rest / unit;
        rest %= unit;
        match count {
            0 => {}
            1 if parts.is_empty() && rest == 0 => return name.to_owned(),
            1 => parts.push(format!("1 {name}")),
            _ => parts.push(format!("{count} {name}s")),
        }
    }
    match rest {
        0 => {}
        1_000_000 if parts.is_empty() => return "second".to_owned(),
        1_000_000 => parts.push("1 second".to_owned()),
        _ => parts.push(format!("{} seconds", rest as f64 / 1e6)),
    }
    parts.join(" ")
}

fn set_words(set: &RecurrenceSet) -> String {
    let plain = match (&set.rules[..], set.exceptions.is_empty() && set.dates.is_empty()) {
        ([rule], true) => recurrence(rule),
        _ => None,
    };
    let Some(words) = plain else { return set.canonical() };
    match set.except_dates.len() {
        0 => words,
        1 => format!("{words}, except once"),
        count => format!("{words}, except {count} times"),
    }
}

/// `None` where plain words would not be exact.
fn recurrence(rule: &Recurrence) -> Option<String> {
    let unusual = !rule.positions.is_empty()
        || !rule.week_numbers.is_empty()
        || !rule.year_days.is_empty()
        || !rule.easter.is_empty()
        || !rule.impossible.is_empty()
        || rule.frequency >= Frequency::Hourly && (rule.hours.is_some() || rule.interval > 1 && rule.month_days.len() + rule.weekdays.len() > 0);
    if unusual {
        return None;
    }
    let (frequency, every) = (rule.frequency, rule.interval);
    let words = if frequency >= Frequency::Hourly {
        stepped(rule)?
    } else {
        let Clock::At(times) = clock(rule.hours?, rule.minutes?, rule.seconds?) else { return None };
        let often = match (frequency, every) {
            (Frequency::Daily, 1) => None,
            (Frequency::Daily, _) => Some(format!("every {every} days")),
            (Frequency::Weekly, 1) => None,
            (Frequency::Weekly, _) => Some(format!("every {every} weeks")),
            (Frequency::Monthly, 1) => None,
            (Frequency::Monthly, _) => Some(format!("every {every} months")),
            (_, 1) => None,
            _ => Some(format!("every {every} years")),
        };
        let days = recurrence_days(rule)?;
        match (often, days.is_empty()) {
            (None, true) => format!("every day at {times}"),
            (None, false) => format!("{days} at {times}"),
            (Some(often), true) => format!("{often} at {times}"),
            (Some(often), false) => format!("{often} on {days} at {times}"),
        }
    };
    let mut words = words;
    if !rule.months.is_empty() {
        let named: Option<Vec<String>> = rule.months.iter().map(|month| MONTHS.get(*month as usize - 1).map(|name| (*name).to_owned())).collect();
        words += &format!(" in {}", and(named?));
    }
    if every > 1 || rule.count.is_some() {
        words += &format!(", counted from {}", rule.start.strftime("%Y-%m-%d"));
    }
    if let Some(count) = rule.count {
        words += &format!(", {count} times");
    }
    if let Some(until) = rule.until {
        words += &format!(", until {}", until.strftime("%Y-%m-%d %H:%M:%S"));
    }
    Some(words)
}

/// Steps of hours, minutes and seconds.
fn stepped(rule: &Recurrence) -> Option<String> {
    let unit = match rule.frequency {
        Frequency::Hourly => "hour",
        Frequency::Minutely => "minute",
        _ => "second",
    };
    let implied = rule.frequency < Frequency::Minutely && rule.minutes == Some(1 << rule.start.minute()) || rule.minutes.is_none();
    let seconds_implied = rule.frequency < Frequency::Secondly && rule.seconds == Some(1 << rule.start.second()) || rule.seconds.is_none();
    if !implied || !seconds_implied {
        return None;
    }
    let often = if rule.interval == 1 { format!("every {unit}") } else { format!("every {} {unit}s", rule.interval) };
    let at = if rule.frequency == Frequency::Hourly && rule.start.minute() != 0 { format!(" at minute {}", rule.start.minute()) } else { String::new() };
    let days = recurrence_days(rule)?;
    Some(if days.is_empty() { format!("{often}{at}") } else { format!("{often}{at} on {days}") })
}

fn recurrence_days(rule: &Recurrence) -> Option<String> {
    let month_days = match &rule.month_days[..] {
        [] => String::new(),
        days if days.iter().all(|day| *day > 0) => {
            let plural = if days.len() == 1 { "day" } else { "days" };
            format!("{plural} {}{}", and(days.iter().map(i32::to_string).collect()), of_month(rule))
        }
        [-1] => format!("the last day{}", of_month(rule)),
        _ => return None,
    };
    let plain = rule.weekdays.iter().all(|(_, nth)| *nth == 0);
    let weekdays = if plain {
        named_weekdays(rule.weekdays.iter().map(|(day, _)| (*day as usize + 1) % 7))
    } else if rule.frequency == Frequency::Monthly && rule.weekdays.iter().all(|(_, nth)| *nth >= -1 && *nth != 0) {
        let named = rule.weekdays.iter().map(|(day, nth)| {
            let name = WEEKDAYS[(*day as usize + 1) % 7];
            if *nth == -1 { format!("the last {name}") } else { format!("the {} {name}", ordinal(*nth)) }
        });
        format!("{} of the month", and(named.collect()))
    } else {
        return None;
    };
    match (month_days.is_empty(), weekdays.is_empty()) {
        (false, false) => Some(format!("{month_days} if also {weekdays}")),
        _ => Some(month_days + &weekdays),
    }
}

fn of_month(rule: &Recurrence) -> &'static str {
    if rule.months.is_empty() || rule.frequency > Frequency::Yearly { " of the month" } else { "" }
}

#[cfg(test)]
mod tests {
    use crate::schedule::{Limits, Period, RuleSpec, Spec};

    #[test]
    fn limits_are_said_after_the_rule() {
        let period = |text: &str| {
            let (span, name) = text.split_once(' ').map_or((text, None), |(span, name)| (span, Some(name.to_owned())));
            Period { span: span.parse().expect("a span"), name }
        };
        for (exclude, include, starts, ends, expected) in [
            (&["2026-12-24 holidays: Christmas Eve", "2026-12-25 holidays"][..], &[][..], None, Some("2026-12-31"), ", not in holidays, until 2026-12-31"),
            (&["2026-12-24"], &[], None, None, ", not on 2026-12-24"),
            (&["sat,sun", "2026-12-24 holidays", "2026-12-29/2026-12-31"], &[], None, None, ", not sat,sun, in holidays or in 2026-12-29/2026-12-31"),
            (&["2026-12-01", "2026-12-02", "2026-12-03", "2026-12-04", "2026-12-05"], &[], None, None, ", not on 2026-12-01, on 2026-12-02, on 2026-12-03 or 2 more"),
            (&[], &["09:00-17:00"], Some("2026-12-01T08:00"), None, ", only 09:00-17:00, from 2026-12-01T08:00"),
            (&[], &[], None, None, ""),
        ] {
            let spec = Spec {
                limits: Limits {
                    starts: starts.and_then(|text| Limits::parse_starts(text).ok()),
                    ends: ends.and_then(|text| Limits::parse_ends(text).ok()),
                    exclude: exclude.iter().map(|text| period(text)).collect(),
                    include: include.iter().map(|text| period(text)).collect(),
                },
                ..Spec::new(RuleSpec::Cron { expression: "0 9 * * *".to_owned(), day_or: true }, None)
            };
            assert_eq!(spec.describe(), format!("every day at 09:00, UTC{expected}"));
        }
    }
}
