//! What bounds a rule: when it starts and ends, and spans of time that its instants must avoid or keep to.
//!
//! All clock readings are in the schedule's zone. An instant fires when it is not before `starts`, not after `ends`, in no
//! excluded span and, where spans are included, in one of those.
use super::zone;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// So many candidates in a row that a limit keeps from firing end the series: no list of limits lets one through after that.
const MOST_FRUITLESS: usize = 20_000;

/// The bounds of a rule. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// No instant before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<DateTime>,
    /// No instant after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Period>,
    /// Empty: no such limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Period>,
}

/// A span, and what people call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    #[serde(flatten)]
    pub span: Span,
    /// The calendar that it comes from, with the event's own name where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "span", rename_all = "snake_case")]
pub enum Span {
    /// Whole days, both of them included.
    Days { from: Date, to: Date },
    /// From one reading of the clock until before another.
    Walls { from: DateTime, to: DateTime },
    /// From one instant until before another.
    Instants { from: Timestamp, to: Timestamp },
    /// On days of the week (bit 0 is Monday), from one time until before another, which is on the next day where it is not later.
    Weekly { days: u8, from: Time, to: Time },
}

/// Why an instant does not fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred<'a> {
    BeforeStart(DateTime),
    AfterEnd(DateTime),
    Excluded(&'a Period),
    NotIncluded,
}

impl Limits {
    pub fn is_none(&self) -> bool {
        *self == Limits::default()
    }

    /// What keeps an instant from firing; `None`: nothing.
    pub fn bar(&self, instant: Timestamp, zone: &TimeZone) -> Option<Barred<'_>> {
        let wall = zone.to_datetime(instant);
        if let Some(starts) = self.starts.filter(|starts| wall < *starts) {
            return Some(Barred::BeforeStart(starts));
        }
        if let Some(ends) = self.ends.filter(|ends| wall > *ends) {
            return Some(Barred::AfterEnd(ends));
        }
        if let Some(period) = self.exclude.iter().find(|period| period.span.holds(instant, wall)) {
            return Some(Barred::Excluded(period));
        }
        let included = self.include.is_empty() || self.include.iter().any(|period| period.span.holds(instant, wall));
        (!included).then_some(Barred::NotIncluded)
    }

    /// The earliest instant after a barred one that may fire: nothing in between does. `None`: none ever will.
    fn reopens(&self, instant: Timestamp, barred: Barred<'_>, zone: &TimeZone) -> Option<Timestamp> {
        let wall = zone.to_datetime(instant);
        let next = match barred {
            Barred::AfterEnd(_) => return None,
            Barred::BeforeStart(starts) => earliest(zone, starts),
            Barred::Excluded(period) => period.span.end(instant, wall, zone),
            Barred::NotIncluded => self.include.iter().filter_map(|period| period.span.begins_after(instant, wall, zone)).min()?,
        };
        // Always forward, whatever a clock change makes of the reading.
        Some(next.max(instant.checked_add(SignedDuration::from_nanos(1)).ok()?))
    }
}

impl Span {
    fn holds(&self, instant: Timestamp, wall: DateTime) -> bool {
        match *self {
            Span::Days { from, to } => (from..=to).contains(&wall.date()),
            Span::Walls { from, to } => (from..to).contains(&wall),
            Span::Instants { from, to } => (from..to).contains(&instant),
            Span::Weekly { days, from, to } => {
                let (on, time) = (day_of_week(wall.date()), wall.time());
                let today = |time_fits: bool| time_fits && days & on != 0;
                if from < to {
                    return today(time >= from && time < to);
                }
                let yesterday = wall.date().yesterday().map_or(0, day_of_week);
                today(time >= from) || (time < to && days & yesterday != 0)
            }
        }
    }

    /// The instant at which a span is over that holds this one.
    fn end(&self, instant: Timestamp, wall: DateTime, zone: &TimeZone) -> Timestamp {
        let end = match *self {
            Span::Instants { to, .. } => return to,
            Span::Walls { to, .. } => to,
            Span::Days { to, .. } => to.tomorrow().map_or(DateTime::MAX, |day| day.at(0, 0, 0, 0)),
            Span::Weekly { from, to, .. } => {
                let same_day = from < to || wall.time() < to;
                let day = if same_day { Ok(wall.date()) } else { wall.date().tomorrow() };
                day.map_or(DateTime::MAX, |day| day.to_datetime(to))
            }
        };
        if end <= wall { instant } else { earliest(zone, end) }
    }

    /// The instant at which a span begins next that does not hold this one.
    fn begins_after(&self, instant: Timestamp, wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
        let begin = match *self {
            Span::Instants { from, .. } => return Some(from).filter(|from| *from > instant),
            Span::Walls { from, .. } => Some(from),
            Span::Days { from, .. } => Some(from.at(0, 0, 0, 0)),
            Span::Weekly { days, from, .. } => {
                let mut day = Some(wall.date());
                let week = std::iter::from_fn(|| {
                    let this = day?;
                    day = this.tomorrow().ok();
                    Some(this)
                });
                let found = week.take(8).find(|day| days & day_of_week(*day) != 0 && day.to_datetime(from) > wall);
                found.map(|day| day.to_datetime(from))
            }
        };
        begin.filter(|begin| *begin > wall).map(|begin| earliest(zone, begin))
    }
}

/// The first instant at which the zone's clock can show this reading or a later one.
fn earliest(zone: &TimeZone, wall: DateTime) -> Timestamp {
    match zone::settle(zone, wall) {
        Some(zone::Settled::Plain(at)) => at,
        Some(zone::Settled::Gap { earlier, .. }) => earlier,
        Some(zone::Settled::Overlap { first, .. }) => first,
        None => Timestamp::MAX,
    }
}

fn day_of_week(date: Date) -> u8 {
    1 << date.weekday().to_monday_zero_offset()
}

/// Instants of a rule within its limits. `instants` begins a series anew at an instant.
pub(super) struct Limited<'a, F, I> {
    limits: &'a Limits,
    zone: &'a TimeZone,
    instants: F,
    series: I,
}

impl<'a, F: Fn(Timestamp) -> I, I: Iterator<Item = Timestamp>> Limited<'a, F, I> {
    pub fn new(limits: &'a Limits, zone: &'a TimeZone, from: Timestamp, instants: F) -> Self {
        let from = limits.starts.map_or(from, |starts| from.max(earliest(zone, starts)));
        Limited { limits, zone, series: instants(from), instants }
    }
}

impl<F: Fn(Timestamp) -> I, I: Iterator<Item = Timestamp>> Iterator for Limited<'_, F, I> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        for _ in 0..MOST_FRUITLESS {
            let instant = self.series.next()?;
            let Some(barred) = self.limits.bar(instant, self.zone) else { return Some(instant) };
            let reopens = self.limits.reopens(instant, barred, self.zone)?;
            self.series = (self.instants)(reopens);
        }
        None
    }
}
