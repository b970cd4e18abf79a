//! What a person should know about a rule's coming instants: dated remarks on clock changes, months without the day asked
//! for, rules that never fire. Remarks only; nothing here decides an instant.

use super::describe::MONTHS;
use super::rrule::Frequency;
use super::rule::{Body, Rule};
use super::zone::{self, Gap, Overlap, Resolution, Settled};
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Clock changes looked at; more lie only in windows of decades.
const MOST_CHANGES: usize = 64;
/// Times named one by one for one clock change; more are summed up.
const MOST_NAMED: usize = 2;

/// So far ahead a schedule's instants are looked at for what is odd about them: a year, so that both clock changes are seen.
pub const NOTES_AHEAD: SignedDuration = SignedDuration::from_hours(365 * 24);

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The day it is about, in the schedule's zone; `None` if it is about the rule.
    pub on: Option<Date>,
    /// Nothing fires any more: somebody should act.
    pub never: bool,
    /// A sentence without a full stop, complete in itself (it names its day).
    pub text: String,
}

impl Note {
    fn on(date: Date, text: String) -> Self {
        Self { on: Some(date), never: false, text }
    }

    fn always(text: impl Into<String>) -> Self {
        Self { on: None, never: false, text: text.into() }
    }
}

/// Remarks on the rule itself first, then by date.
pub(super) fn of(rule: &Rule, from: Timestamp, until: Timestamp) -> Vec<Note> {
    if rule.next(from).is_none() {
        return vec![Note { never: true, ..Note::always(never(rule, from)) }];
    }
    let mut notes = missing_days(rule);
    let changes = rule.zone.following(from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from)).take_while(|change| change.timestamp() <= until);
    for change in changes.take(MOST_CHANGES) {
        if let Ok(before) = change.timestamp().checked_sub(SignedDuration::from_nanos(1)) {
            clock_change(rule, change.timestamp(), rule.zone.to_offset(before), change.offset(), &mut notes);
        }
    }
    notes
}

/// Why a rule has no instants left: it has none itself, or its limits leave none.
fn never(rule: &Rule, from: Timestamp) -> String {
    let start = rule.zone.to_datetime(from).date();
    let ever = |at: Timestamp| rule.unlimited(at).next().is_some();
    if !ever(from) {
        let text = if ever(Timestamp::UNIX_EPOCH) { format!("does not fire again after {start}") } else { "never fires".to_owned() };
        return text;
    }
    let limits = &rule.limits;
    let ended = limits.ends.filter(|ends| *ends < rule.zone.to_datetime(from));
    match (ended, limits.ends_text()) {
        (Some(_), Some(ends)) => format!("does not fire again: it ended on {ends}"),
        (None, Some(ends)) => format!("never fires: its limits leave nothing up to its end on {ends}"),
        _ if limits.include.is_empty() => "never fires: all of its times are excluded".to_owned(),
        _ => "never fires: none of its times is included and not excluded".to_owned(),
    }
}

fn clock_change(rule: &Rule, at: Timestamp, before: Offset, after: Offset, notes: &mut Vec<Note>) {
    let (old, new) = (before.to_datetime(at), after.to_datetime(at));
    let (first, end) = (old.min(new), old.max(new));
    let Some(walls) = rule.walls(first) else {
        if old > new {
            repeated_elapsed(rule, at, first, end, notes);
        }
        return;
    };
    let mut named: Vec<(DateTime, Settled)> = Vec::new();
    let mut more = false;
    for wall in walls.take_while(|wall| *wall < end) {
        let Some(settled) = zone::settle(&rule.zone, wall) else { continue };
        if matches!(settled, Settled::Plain(_)) || coincides(rule, settled) || is_barred(rule, settled) {
            continue;
        }
        if named.len() == MOST_NAMED {
            more = true;
            break;
        }
        named.push((wall, settled));
    }
    if more {
        notes.push(summed_up(rule, old < new, first, end));
    } else {
        notes.extend(named.into_iter().map(|(wall, settled)| one(rule, wall, settled)));
    }
}

/// Whether a skipped time moves onto a time that fires anyway, as for an hourly rule: nothing to tell.
fn coincides(rule: &Rule, settled: Settled) -> bool {
    let Settled::Gap { earlier, later } = settled else { return false };
    let moved = match rule.resolution().gap {
        Gap::Later => later,
        Gap::Earlier => earlier,
        Gap::Skip => return false,
    };
    let wall = rule.zone.to_datetime(moved);
    rule.walls(wall).and_then(|mut walls| walls.next()) == Some(wall)
}

/// Whether the rule's limits let nothing fire there that a change could move or repeat. A time that is left out is judged by
/// where it would have landed.
fn is_barred(rule: &Rule, settled: Settled) -> bool {
    let barred = |at: Timestamp| rule.bar(at).is_some();
    match (settled, rule.resolution()) {
        (Settled::Plain(at), _) => barred(at),
        (Settled::Gap { earlier, .. }, Resolution { gap: Gap::Earlier, .. }) => barred(earlier),
        (Settled::Gap { later, .. }, _) => barred(later),
        (Settled::Overlap { first, .. }, Resolution { overlap: Overlap::First, .. }) => barred(first),
        (Settled::Overlap { last, .. }, Resolution { overlap: Overlap::Last, .. }) => barred(last),
        (Settled::Overlap { first, last }, _) => barred(first) || barred(last),
    }
}

fn one(rule: &Rule, wall: DateTime, settled: Settled) -> Note {
    let (date, time) = (wall.date(), clock(wall));
    let shows = |at: Timestamp| clock(rule.zone.to_datetime(at));
    let text = match (settled, rule.resolution().gap, rule.resolution().overlap) {
        (Settled::Gap { later, .. }, Gap::Later, _) => format!("{time} does not exist on {date}; fires at {}", shows(later)),
        (Settled::Gap { earlier, .. }, Gap::Earlier, _) => format!("{time} does not exist on {date}; fires at {}", shows(earlier)),
        (Settled::Gap { .. }, Gap::Skip, _) => format!("{time} does not exist on {date}; does not fire"),
        (Settled::Overlap { .. }, _, Overlap::First) => format!("{time} happens twice on {date}; fires at the first"),
        (Settled::Overlap { .. }, _, Overlap::Last) => format!("{time} happens twice on {date}; fires at the last"),
        (Settled::Overlap { first, last }, _, Overlap::Both) => {
            format!("{time} happens twice on {date}; fires twice {} apart", apart(last.duration_since(first)))
        }
        (Settled::Plain(_), ..) => format!("{time} on {date}"),
    };
    Note::on(date, text)
}

fn summed_up(rule: &Rule, gap: bool, first: DateTime, end: DateTime) -> Note {
    let (date, from, to) = (first.date(), clock(first), clock(end));
    let length = apart(end.duration_since(first));
    let text = match (gap, rule.resolution().gap, rule.resolution().overlap) {
        (true, Gap::Later, _) => format!("{from} to {to} does not exist on {date}; what is due then fires {length} later"),
        (true, Gap::Earlier, _) => format!("{from} to {to} does not exist on {date}; what is due then fires {length} earlier"),
        (true, Gap::Skip, _) => format!("{from} to {to} does not exist on {date}; what is due then does not fire"),
        (false, _, Overlap::First) => format!("{from} to {to} happens twice on {date}; fires the first time only, then pauses {length}"),
        (false, _, Overlap::Last) => format!("{from} to {to} happens twice on {date}; pauses {length}, then fires the second time"),
        (false, _, Overlap::Both) => format!("{from} to {to} happens twice on {date}; fires both times"),
    };
    Note::on(date, text)
}

/// Elapsed intervals go on through an overlap: the same reading of the clock may fire twice.
fn repeated_elapsed(rule: &Rule, at: Timestamp, first: DateTime, end: DateTime, notes: &mut Vec<Note>) {
    let length = end.duration_since(first);
    let Ok(start) = at.checked_sub(length) else { return };
    let twice = rule.instants(start).take_while(|due| *due < at).take(1_000).find(|due| {
        due.checked_add(length).is_ok_and(|again| rule.next(again) == Some(again))
    });
    if let Some(due) = twice {
        let (date, time) = (first.date(), clock(rule.zone.to_datetime(due)));
        notes.push(Note::on(date, format!("{time} happens twice on {date}; fires twice {} apart", apart(length))));
    }
}

/// Days of month that some of the rule's months do not have.
fn missing_days(rule: &Rule) -> Vec<Note> {
    let mut notes = Vec::new();
    match &rule.body {
        Body::Cron(cron) if !cron.days.either && !cron.days.last_day => {
            let days: Vec<u32> = (1..=31).filter(|day| cron.days.month_days >> day & 1 == 1).collect();
            let months: Vec<usize> = (1..=12).filter(|month| cron.months >> month & 1 == 1).collect();
            notes.extend(short_months(days.first().copied(), &months));
        }
        Body::Cron(_) | Body::Interval(_) => {}
        Body::Rrule(set) => {
            for recurrence in &set.rules {
                notes.extend(recurrence.impossible.iter().map(|text| Note::always(format!("{text} matches nothing"))));
                let days: Option<Vec<u32>> = recurrence.month_days.iter().map(|day| u32::try_from(*day).ok()).collect();
                if let Some(days) = days.filter(|_| recurrence.frequency <= Frequency::Daily) {
                    let months: Vec<usize> = match &recurrence.months[..] {
                        [] => (1..=12).collect(),
                        months => months.iter().filter_map(|month| usize::try_from(*month).ok()).filter(|month| (1..=12).contains(month)).collect(),
                    };
                    notes.extend(short_months(days.first().copied(), &months));
                }
            }
        }
    }
    notes
}

/// `least` is the smallest day asked for: months without it have none of the others.
fn short_months(least: Option<u32>, months: &[usize]) -> Option<Note> {
    let least = least.filter(|day| (29..=31).contains(day))?;
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let without: Vec<usize> = months.iter().copied().filter(|month| lengths.get(month - 1).is_some_and(|length| *length < least)).collect();
    let text = match (&without[..], least) {
        ([], _) => return None,
        ([2], 29) if months == [2] => "29 February exists in leap years only".to_owned(),
        ([2], 29) => "day of month 29 skips February except in leap years".to_owned(),
        ([month], _) => format!("day of month {least} skips {}", MONTHS[month - 1]),
        (months, _) => {
            let names: Vec<&str> = months.iter().map(|month| MONTHS[month - 1]).collect();
            format!("day of month {least} skips {} months ({})", months.len(), names.join(", "))
        }
    };
    Some(Note::always(text))
}

fn clock(wall: DateTime) -> String {
    let format = if wall.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
    wall.strftime(format).to_string()
}

fn apart(length: SignedDuration) -> String {
    match length.as_mins() {
        60 => "an hour".to_owned(),
        30 => "half an hour".to_owned(),
        minutes if minutes % 60 == 0 => format!("{} hours", minutes / 60),
        minutes => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use crate::schedule::{Gap, Limits, Overlap, Period, Resolution, RuleSpec, Spec};
    use jiff::Timestamp;

    /// The year's notes of a rule in Berlin.
    fn notes(expression: &str, dst: Option<Resolution>, limits: Limits) -> Vec<String> {
        let rule = RuleSpec::Cron { expression: expression.to_owned(), day_or: true };
        let spec = Spec { dst, limits, ..Spec::new(rule, Some("Europe/Berlin".to_owned())) };
        let from: Timestamp = "2026-11-21T00:00:00Z".parse().expect("an instant");
        spec.notes_ahead(from).into_iter().map(|note| note.text).collect()
    }

    fn spans(spans: &[&str]) -> Vec<Period> {
        spans.iter().map(|span| Period { span: span.parse().expect("a span"), name: None }).collect()
    }

    #[test]
    fn remarks_keep_to_dst_and_limits() {
        let dst = |gap, overlap| Some(Resolution { gap, overlap });
        let none = Limits::default;
        let (spring, autumn) = ("02:30 does not exist on 2027-03-28; fires at 03:30", "02:30 happens twice on 2027-10-31; fires at the first");
        for (expression, dst, limits, expected) in [
            ("30 2 * * *", None, none(), &[spring, autumn][..]),
            ("30 2 * * *", dst(Gap::Skip, Overlap::Both), none(), &["02:30 does not exist on 2027-03-28; does not fire", "02:30 happens twice on 2027-10-31; fires twice an hour apart"]),
            ("30 2 * * *", dst(Gap::Earlier, Overlap::Last), none(), &["02:30 does not exist on 2027-03-28; fires at 01:30", "02:30 happens twice on 2027-10-31; fires at the last"]),
            ("30 2 * * *", None, Limits { exclude: spans(&["2027-03-28"]), ..none() }, &[autumn]),
            ("30 2 * * *", None, Limits { exclude: spans(&["sat,sun"]), ..none() }, &[]),
            ("30 2 * * *", None, Limits { include: spans(&["mon-sat"]), ..none() }, &[]),
            ("30 2 * * *", None, Limits { ends: Limits::parse_ends("2027-06-30").ok(), ..none() }, &[spring]),
            ("30 2 * * *", None, Limits { starts: Limits::parse_starts("2027-06-30").ok(), ..none() }, &[autumn]),
            ("30 2 * * *", None, Limits { ends: Limits::parse_ends("2026-06-30").ok(), ..none() }, &["does not fire again: it ended on 2026-06-30"]),
            ("0 0 1 1 *", None, Limits { ends: Limits::parse_ends("2026-12-31").ok(), ..none() }, &["never fires: its limits leave nothing up to its end on 2026-12-31"]),
            // It is left with the moved time alone.
            ("30 2 * * *", None, Limits { exclude: spans(&["02:00-03:00"]), ..none() }, &[spring]),
            ("30 4 * * *", None, Limits { exclude: spans(&["04:00-05:00"]), ..none() }, &["never fires: all of its times are excluded"]),
            ("30 4 * * *", None, Limits { include: spans(&["05:00-06:00"]), ..none() }, &["never fires: none of its times is included and not excluded"]),
            ("0 0 31 2 *", None, Limits { exclude: spans(&["sat"]), ..none() }, &["never fires"]),
        ] {
            let found = notes(expression, dst, limits.clone());
            assert_eq!(found, expected, "{expression} {limits:?}");
        }
    }
}
