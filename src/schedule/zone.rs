//! Time zones: names to rules, and wall-clock times to instants. The only place where a gap or an overlap of a clock change
//! is decided. Uses jiff's bundled data alone, so that a host's old zone files cannot move a run.
//!
//! A wall-clock time that a change skips (a gap) or repeats (an overlap) is settled by a `Resolution`. Instants come out
//! strictly increasing and without doubles even where the settled times interleave with the real ones (Lord Howe moves
//! by half an hour: `*/20 2 * * *` gives 02:30, 02:40, 02:50 on that day).

use super::error::Error;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::LazyLock;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
/// No clock change on record is longer than a day (Samoa skipped one in 2011).
const LONGEST_CHANGE: SignedDuration = SignedDuration::from_hours(26);

/// The rules of an IANA zone, `None` for UTC. Names are exact, as in Prefect: `europe/berlin` is refused with its right spelling.
pub fn lookup(name: Option<&str>) -> Result<TimeZone, Error> {
    let Some(name) = name.filter(|name| *name != "UTC") else { return Ok(TimeZone::UTC) };
    let error = || {
        Error::new("unknown time zone").found(name).expected("an IANA name like `Europe/Berlin`, or `UTC`")
    };
    match DATABASE.get(name) {
        Ok(zone) if zone.iana_name() == Some(name) => Ok(zone),
        Ok(zone) => Err(match zone.iana_name() {
            Some(right) => error().suggestion(format!("zone names are case-sensitive: write `{right}`")),
            None => error(),
        }),
        Err(_) => {
            let names: Vec<String> = DATABASE.available().map(|name| name.to_string()).collect();
            Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error().suggestion(format!("did you mean `{near}`?")),
                None => error(),
            })
        }
    }
}

/// The known word closest to what was written, if it is close enough to be meant.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    if written.len() > 64 {
        return None;
    }
    known
        .map(|word| {
            let lowered = word.to_ascii_lowercase();
            let tail = lowered.rsplit('/').next() == Some(written.as_str());
            (if tail { 0 } else { distance(&written, &lowered) }, word)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= written.len().div_ceil(4).max(1))
        .map(|(_, word)| word)
}

/// Edits between two words (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let cost = (diagonal + usize::from(a != b)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row[right.len()]
}

/// What becomes of a wall-clock time that a clock change skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// As late after the change as it would have been: 02:30 fires at 03:30.
    Later,
    /// As long before the change: 02:30 fires at 01:30.
    Earlier,
    /// It does not fire.
    Skip,
}

/// What becomes of a wall-clock time that happens twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    First,
    Last,
    Both,
}

/// How wall-clock times without exactly one instant are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    pub gap: Gap,
    pub overlap: Overlap,
}

impl Resolution {
    /// Cron and whole-day intervals: later out of a gap, once in an overlap (Prefect on Python 3.13 and newer).
    pub const CRON: Self = Self { gap: Gap::Later, overlap: Overlap::First };
    /// Rrules: earlier out of a gap, once in an overlap (dateutil's reading, which Prefect follows).
    pub const RRULE: Self = Self { gap: Gap::Earlier, overlap: Overlap::First };
}

/// A wall-clock time in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    Plain(Timestamp),
    Gap { earlier: Timestamp, later: Timestamp },
    Overlap { first: Timestamp, last: Timestamp },
}

/// `None` only beyond the range of `Timestamp` (year 9999).
pub(super) fn settle(zone: &TimeZone, wall: DateTime) -> Option<Settled> {
    let at = |offset: Offset| offset.to_timestamp(wall).ok();
    Some(match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => Settled::Plain(at(offset)?),
        AmbiguousOffset::Gap { before, after } => Settled::Gap { earlier: at(after)?, later: at(before)? },
        AmbiguousOffset::Fold { before, after } => Settled::Overlap { first: at(before)?, last: at(after)? },
    })
}

/// The wall-clock time from which on times can settle at or after `from`: `from` itself, earlier by the length of a gap
/// that has just passed, or the start of an overlap whose times are still to come again.
pub(super) fn first_wall(zone: &TimeZone, from: Timestamp) -> DateTime {
    let now = zone.to_offset(from);
    let wall = now.to_datetime(from);
    if let Some(Settled::Overlap { first, .. }) = settle(zone, wall)
        && from <= first
        && let Some(change) = zone.following(from).next()
    {
        return change.offset().to_datetime(change.timestamp()).min(wall);
    }
    let Ok(yesterday) = from.checked_sub(LONGEST_CHANGE) else { return now.to_datetime(from) };
    let before = zone.to_offset(yesterday);
    let gained = SignedDuration::from_secs(i64::from(now.seconds()) - i64::from(before.seconds()));
    let recent = gained.is_positive() && from.checked_sub(gained).is_ok_and(|start| zone.to_offset(start) != now);
    if recent { before.to_datetime(from) } else { now.to_datetime(from) }
}

/// Turns ascending wall-clock times into strictly increasing instants at or after a start.
pub(super) struct Instants<W> {
    walls: W,
    zone: TimeZone,
    resolution: Resolution,
    from: Timestamp,
    /// Settled and not yet given; more than one only around a clock change.
    pending: BTreeSet<Timestamp>,
    /// Whatever wall-clock time comes next settles after this.
    floor: Option<Timestamp>,
    done: bool,
}

impl<W: Iterator<Item = DateTime>> Instants<W> {
    /// `walls` must begin no later than `first_wall(zone, from)`.
    pub fn new(walls: W, zone: TimeZone, resolution: Resolution, from: Timestamp) -> Self {
        Self { walls, zone, resolution, from, pending: BTreeSet::new(), floor: None, done: false }
    }

    /// Settles one time: its instants into `pending`, and the floor for all that follow.
    fn add(&mut self, wall: DateTime) {
        let Some(settled) = settle(&self.zone, wall) else {
            self.done = true;
            return;
        };
        let (instants, floor) = match settled {
            Settled::Plain(at) => ([Some(at), None], self.before_a_gap(at)),
            Settled::Gap { earlier, later } => match self.resolution.gap {
                Gap::Later => ([Some(later), None], earlier),
                Gap::Earlier => ([Some(earlier), None], earlier),
                Gap::Skip => ([None, None], earlier),
            },
            Settled::Overlap { first, last } => match self.resolution.overlap {
                Overlap::First => ([Some(first), None], first),
                Overlap::Last => ([Some(last), None], first),
                Overlap::Both => ([Some(first), Some(last)], first),
            },
        };
        self.pending.extend(instants.into_iter().flatten().filter(|at| *at >= self.from));
        self.floor = Some(floor);
    }

    /// With `Gap::Earlier`, times of a coming gap settle up to its length before it, among real times of that hour.
    fn before_a_gap(&self, at: Timestamp) -> Timestamp {
        if self.resolution.gap != Gap::Earlier {
            return at;
        }
        let now = self.zone.to_offset(at);
        let Ok(tomorrow) = at.checked_add(LONGEST_CHANGE) else { return at };
        let gained = SignedDuration::from_secs(i64::from(self.zone.to_offset(tomorrow).seconds()) - i64::from(now.seconds()));
        let near = gained.is_positive() && at.checked_add(gained).is_ok_and(|end| self.zone.to_offset(end) != now);
        if near { at.checked_sub(gained).unwrap_or(at) } else { at }
    }
}

impl<W: Iterator<Item = DateTime>> Iterator for Instants<W> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        loop {
            if let Some(first) = self.pending.first() {
                if self.done || self.floor.is_some_and(|floor| *first <= floor) {
                    let next = self.pending.pop_first()?;
                    // A real time may settle on the instant that a skipped one was moved to: give it once.
                    self.from = next.checked_add(SignedDuration::from_nanos(1)).unwrap_or(next);
                    return Some(next);
                }
            } else if self.done {
                return None;
            }
            match self.walls.next() {
                Some(wall) => self.add(wall),
                None => self.done = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hours around a change in Berlin, every half hour of the clock, as UTC under each resolution.
    fn fires(start: &str, walls: &[&str], gap: Gap, overlap: Overlap) -> Vec<String> {
        let zone = lookup(Some("Europe/Berlin")).expect("a zone");
        let walls: Vec<DateTime> = walls.iter().map(|wall| wall.parse().expect("a wall time")).collect();
        let from = start.parse().expect("an instant");
        Instants::new(walls.into_iter(), zone, Resolution { gap, overlap }, from).map(|at| at.strftime("%H:%M").to_string()).collect()
    }

    #[test]
    fn gaps() {
        let walls = ["2027-03-28T01:00", "2027-03-28T01:30", "2027-03-28T02:30", "2027-03-28T02:45", "2027-03-28T03:30", "2027-03-28T04:00"];
        let fires = |gap| fires("2027-03-27T00:00:00Z", &walls, gap, Overlap::First);
        assert_eq!(fires(Gap::Later), ["00:00", "00:30", "01:30", "01:45", "02:00"]);
        assert_eq!(fires(Gap::Earlier), ["00:00", "00:30", "00:45", "01:30", "02:00"]);
        assert_eq!(fires(Gap::Skip), ["00:00", "00:30", "01:30", "02:00"]);
    }

    #[test]
    fn overlaps() {
        let walls = ["2027-10-31T01:30", "2027-10-31T02:00", "2027-10-31T02:30", "2027-10-31T03:00"];
        let fires = |start, overlap| fires(start, &walls, Gap::Later, overlap);
        assert_eq!(fires("2027-10-30T00:00:00Z", Overlap::First), ["23:30", "00:00", "00:30", "02:00"]);
        assert_eq!(fires("2027-10-30T00:00:00Z", Overlap::Last), ["23:30", "01:00", "01:30", "02:00"]);
        assert_eq!(fires("2027-10-30T00:00:00Z", Overlap::Both), ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]);
        assert_eq!(fires("2027-10-31T01:10:00Z", Overlap::First), ["02:00"]);
        assert_eq!(fires("2027-10-31T01:10:00Z", Overlap::Both), ["01:30", "02:00"]);
    }

    #[test]
    fn names_are_exact_and_the_nearest_is_offered() {
        assert!(lookup(None).is_ok() && lookup(Some("UTC")).is_ok() && lookup(Some("America/St_Johns")).is_ok());
        for (written, meant) in [("europe/berlin", "`Europe/Berlin`"), ("Europe/Berln", "`Europe/Berlin`"), ("Tokyo", "`Asia/Tokyo`")] {
            let suggestion = lookup(Some(written)).expect_err(written).suggestion;
            assert!(suggestion.as_deref().is_some_and(|text| text.contains(meant)), "{written}: {suggestion:?}");
        }
        assert_eq!(lookup(Some("nowhere at all")).expect_err("no zone").suggestion, None);
    }
}
