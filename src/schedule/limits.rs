//! What bounds a rule: when it starts and ends, and spans of time that its instants must avoid or keep to.
//!
//! All clock readings are in the schedule's zone. An instant fires when it is not before `starts`, not after `ends`, in no
//! excluded span and, where spans are included, in one of those. Where a clock change shows a reading twice, `starts` is the
//! first of the two, `ends` the last, and a window of the clock is there both times; a bound that is skipped is the change itself.
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
    /// The calendar that it comes from, with the event's own name where it has one: `holidays`, `holidays: Christmas Eve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Period {
    /// The calendar that it comes from.
    pub fn calendar(&self) -> Option<&str> {
        let name = self.name.as_deref()?;
        Some(name.split_once(": ").map_or(name, |(calendar, _)| calendar))
    }

    /// What it is called within its calendar.
    pub fn event(&self) -> Option<&str> {
        self.name.as_deref()?.split_once(": ").map(|(_, event)| event)
    }
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

    /// The same limits in one order, each once: the order in which they are declared means nothing.
    pub fn normal(&self) -> Limits {
        let sorted = |periods: &[Period]| {
            let mut sorted = periods.to_vec();
            sorted.sort_by(|a, b| (a.calendar(), a.span, &a.name).cmp(&(b.calendar(), b.span, &b.name)));
            sorted.dedup();
            sorted
        };
        Limits { exclude: sorted(&self.exclude), include: sorted(&self.include), ..*self }
    }

    /// The same without the names, which decide no instant.
    pub(super) fn nameless(&self) -> Limits {
        let bare = |periods: &[Period]| periods.iter().map(|period| Period { name: None, ..period.clone() }).collect();
        Limits { exclude: bare(&self.exclude), include: bare(&self.include), ..*self }.normal()
    }

    /// What keeps an instant from firing; `None`: nothing.
    pub fn bar(&self, instant: Timestamp, zone: &TimeZone) -> Option<Barred<'_>> {
        if let Some(starts) = self.starts.filter(|starts| instant < earliest(zone, *starts)) {
            return Some(Barred::BeforeStart(starts));
        }
        if let Some(ends) = self.ends.filter(|ends| instant > latest(zone, *ends)) {
            return Some(Barred::AfterEnd(ends));
        }
        let wall = zone.to_datetime(instant);
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
            Barred::NotIncluded => {
                let begins = self.include.iter().filter_map(|period| period.span.begins_after(instant, wall, zone)).min();
                // A change may turn the clock back into a window that this day has seen.
                let turns = zone.following(instant).next().map(|change| change.timestamp());
                begins.map(|begins| turns.map_or(begins, |turns| turns.min(begins)))?
            }
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
        match zone::settle(zone, end) {
            Some(zone::Settled::Overlap { first, last }) if first <= instant => last,
            _ => earliest(zone, end),
        }
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
        Some(zone::Settled::Gap { earlier, .. }) => zone.following(earlier).next().map_or(earlier, |change| change.timestamp()),
        Some(zone::Settled::Overlap { first, .. }) => first,
        None => Timestamp::MAX,
    }
}

/// The last instant at which it can show this reading or an earlier one.
fn latest(zone: &TimeZone, wall: DateTime) -> Timestamp {
    match zone::settle(zone, wall) {
        Some(zone::Settled::Overlap { last, .. }) => last,
        Some(zone::Settled::Gap { .. }) => earliest(zone, wall).saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN),
        _ => earliest(zone, wall),
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

#[cfg(test)]
mod tests {
    use super::super::{RuleSpec, Spec, parse_interval};
    use super::*;
    use crate::schedule::{Gap, Overlap, Resolution};
    use proptest::prelude::*;

    fn cron(expression: &str) -> RuleSpec {
        RuleSpec::Cron { expression: expression.to_owned(), day_or: true }
    }

    fn every(text: &str) -> RuleSpec {
        RuleSpec::Interval { every: parse_interval(text).expect("an interval"), anchor: None }
    }

    /// `starts=`, `ends=`, `not=` and `only=`, joined by blanks and `|` between spans.
    fn limits(text: &str) -> Limits {
        let mut limits = Limits::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').expect("key=value");
            let periods = || value.split('|').map(|span| Period { span: span.parse().expect("a span"), name: None }).collect();
            match key {
                "starts" => limits.starts = Limits::parse_starts(value).ok(),
                "ends" => limits.ends = Limits::parse_ends(value).ok(),
                "not" => limits.exclude = periods(),
                "only" => limits.include = periods(),
                other => panic!("{other}"),
            }
        }
        limits
    }

    fn spec(rule: RuleSpec, bounds: &str) -> Spec {
        Spec { limits: limits(bounds), ..Spec::new(rule, Some("Europe/Berlin".to_owned())) }
    }

    /// The first four instants on the clock of Berlin.
    fn fires(spec: &Spec, from: &str) -> Vec<String> {
        let rule = spec.parse().expect("a rule");
        let from = from.parse().expect("an instant");
        rule.instants(from).take(4).map(|at| rule.time_zone().to_datetime(at).strftime("%m-%d %H:%M").to_string()).collect()
    }

    #[test]
    fn instants_keep_to_their_limits() {
        let daily = "0 9 * * *";
        for (expression, bounds, expected) in [
            (daily, "", &["12-21 09:00", "12-22 09:00", "12-23 09:00", "12-24 09:00"][..]),
            (daily, "starts=2026-12-23", &["12-23 09:00", "12-24 09:00", "12-25 09:00", "12-26 09:00"]),
            (daily, "starts=2026-12-23T09:01", &["12-24 09:00", "12-25 09:00", "12-26 09:00", "12-27 09:00"]),
            (daily, "ends=2026-12-22", &["12-21 09:00", "12-22 09:00"]),
            (daily, "ends=2026-12-22T09:00", &["12-21 09:00", "12-22 09:00"]),
            (daily, "ends=2026-12-22T08:59", &["12-21 09:00"]),
            (daily, "ends=2026-12-20", &[]),
            (daily, "not=2026-12-22|2026-12-24/2026-12-26", &["12-21 09:00", "12-23 09:00", "12-27 09:00", "12-28 09:00"]),
            (daily, "not=sat,sun", &["12-21 09:00", "12-22 09:00", "12-23 09:00", "12-24 09:00"]),
            (daily, "only=sat,sun", &["12-26 09:00", "12-27 09:00", "01-02 09:00", "01-03 09:00"]),
            (daily, "only=sat,sun;not=2026-12-27", &["12-26 09:00", "01-02 09:00", "01-03 09:00", "01-09 09:00"]),
            (daily, "only=10:00-11:00", &[]),
            (daily, "not=08:00-10:00", &[]),
            (daily, "only=2026-12-25", &["12-25 09:00"]),
            (daily, "not=2026-12-21T08:00Z/2026-12-23T08:00Z", &["12-23 09:00", "12-24 09:00", "12-25 09:00", "12-26 09:00"]),
            // Past midnight: Friday's window ends on Saturday.
            ("0 */2 * * *", "only=fri 22:00-04:00", &["12-25 22:00", "12-26 00:00", "12-26 02:00", "01-01 22:00"]),
            ("0 */6 * * *", "not=18:00-06:00", &["12-21 06:00", "12-21 12:00", "12-22 06:00", "12-22 12:00"]),
            ("0 0 * * *", "not=2026-12-21T12:00/2026-12-24T00:00", &["12-21 00:00", "12-24 00:00", "12-25 00:00", "12-26 00:00"]),
        ] {
            assert_eq!(fires(&spec(cron(expression), bounds), "2026-12-20T23:00:00Z"), expected, "{expression} {bounds}");
        }
    }

    #[test]
    fn a_long_exclusion_is_one_step() {
        // Sixty million candidates lie in it.
        let seconds = spec(cron("* * * * * *"), "not=2027-01-01/2028-12-31");
        assert_eq!(fires(&seconds, "2027-01-01T00:00:00Z")[0], "01-01 00:00");
        let rule = seconds.parse().expect("a rule");
        assert_eq!(rule.next("2027-01-01T00:00:00Z".parse().expect("an instant")).map(|at| at.to_string()).as_deref(), Some("2028-12-31T23:00:00Z"));
    }

    #[test]
    fn limits_on_days_when_clocks_change() {
        // 28 March 2027: 02:00 to 03:00 is skipped. 31 October 2027: 02:00 to 03:00 happens twice.
        let dst = |gap, overlap| Some(Resolution { gap, overlap });
        for (rule, bounds, resolution, from, expected) in [
            // What is moved out of the gap counts where it lands.
            (cron("30 2 * * *"), "not=02:00-03:00", None, "2027-03-27T23:00:00Z", &["03-28 03:30"][..]),
            (cron("30 2 * * *"), "not=03:00-04:00", None, "2027-03-27T00:00:00Z", &["03-27 02:30", "03-29 02:30"]),
            (every("PT30M"), "only=02:15-02:45", None, "2027-10-30T23:00:00Z", &["10-31 02:30", "10-31 02:30", "11-01 02:30"]),
            (every("PT30M"), "ends=2027-10-31T02:30", None, "2027-10-31T00:00:00Z", &["10-31 02:00", "10-31 02:30", "10-31 02:00", "10-31 02:30"]),
            (every("PT30M"), "starts=2027-10-31T02:30", None, "2027-10-30T22:00:00Z", &["10-31 02:30", "10-31 02:00", "10-31 02:30", "10-31 03:00"]),
            (every("PT30M"), "starts=2027-03-28T02:30", None, "2027-03-27T22:00:00Z", &["03-28 03:00", "03-28 03:30"]),
            (every("PT30M"), "ends=2027-03-28T02:30", None, "2027-03-28T00:30:00Z", &["03-28 01:30"]),
            (cron("*/30 * * * *"), "only=02:00-02:20", dst(Gap::Later, Overlap::Both), "2027-10-30T23:00:00Z", &["10-31 02:00", "10-31 02:00", "11-01 02:00"]),
            (cron("*/30 * * * *"), "only=02:00-02:20", dst(Gap::Later, Overlap::Last), "2027-10-30T23:00:00Z", &["10-31 02:00", "11-01 02:00"]),
        ] {
            let spec = Spec { dst: resolution, ..spec(rule, bounds) };
            let found = fires(&spec, from);
            assert_eq!(&found[..expected.len().min(found.len())], expected, "{bounds} {found:?}");
        }
    }

    #[test]
    fn what_keeps_an_instant_from_firing_is_told() {
        let zone = zone::lookup(Some("Europe/Berlin")).expect("a zone");
        let limits = limits("starts=2026-12-01;ends=2026-12-31;not=2026-12-24/2026-12-26;only=mon-fri");
        for (instant, expected) in [
            ("2026-11-30T22:59:00Z", Some(Barred::BeforeStart(limits.starts.expect("a start")))),
            ("2026-11-30T23:00:00Z", None),
            ("2026-12-25T09:00:00Z", Some(Barred::Excluded(&limits.exclude[0]))),
            ("2026-12-27T09:00:00Z", Some(Barred::NotIncluded)),
            ("2026-12-31T22:59:59Z", None),
            ("2026-12-31T23:00:00Z", Some(Barred::AfterEnd(limits.ends.expect("an end")))),
        ] {
            assert_eq!(limits.bar(instant.parse().expect("an instant"), &zone), expected, "{instant}");
        }
    }

    #[test]
    fn the_order_and_the_names_of_spans_mean_nothing() {
        let mut named = spec(cron("0 9 * * *"), "not=2026-12-25|sat|2026-12-25");
        let plain = spec(cron("0 9 * * *"), "not=sat|2026-12-25");
        named.limits.exclude[0].name = Some("holidays".to_owned());
        assert_eq!(named.normal_form(), plain.normal_form());
        assert_ne!(named.limits.normal(), plain.limits.normal());
        assert_ne!(plain.normal_form(), spec(cron("0 9 * * *"), "not=sun|2026-12-25").normal_form());
    }

    const SPANS: [&str; 9] = [
        "mon-fri", "sat,sun", "09:00-17:00", "22:00-03:00", "sun 02:00-02:40", "2027-03-20/2027-04-05", "2027-10-31",
        "2027-03-28T01:30/2027-03-28T03:10", "2027-10-31T00:20:00Z/2027-10-31T01:10:00Z",
    ];

    fn any_limits() -> impl Strategy<Value = Limits> {
        let spans = || proptest::collection::vec(proptest::sample::select(&SPANS[..]), 0..3);
        let bound = |days: [&'static str; 3]| proptest::option::of(proptest::sample::select(days.to_vec()));
        (bound(["2027-03-27", "2027-03-28T02:30", "2027-10-31T02:30"]), bound(["2027-10-31", "2027-10-31T02:30", "2028-01-01"]), spans(), spans()).prop_map(
            |(starts, ends, exclude, include)| {
                let periods = |spans: Vec<&str>| spans.iter().map(|span| Period { span: span.parse().expect("a span"), name: None }).collect();
                Limits {
                    starts: starts.and_then(|text| Limits::parse_starts(text).ok()),
                    ends: ends.and_then(|text| Limits::parse_ends(text).ok()),
                    exclude: periods(exclude),
                    include: periods(include),
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn limited_instants_are_those_that_nothing_bars(
            limits in any_limits(),
            rule in prop_oneof![Just(cron("*/20 * * * *")), Just(every("PT50M")), Just(cron("30 2 * * *")), Just(every("P1D"))],
            (gap, overlap) in (prop_oneof![Just(Gap::Later), Just(Gap::Earlier), Just(Gap::Skip)], prop_oneof![Just(Overlap::First), Just(Overlap::Last), Just(Overlap::Both)]),
            change in proptest::sample::select(&["2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z"][..]),
            hours in 0i64..72,
        ) {
            let spec = Spec { dst: Some(Resolution { gap, overlap }), limits, ..Spec::new(rule, Some("Europe/Berlin".to_owned())) };
            let rule = spec.parse().expect("a rule");
            let change: Timestamp = change.parse().expect("an instant");
            let from = change - SignedDuration::from_hours(hours);
            let end = from + SignedDuration::from_hours(96);
            let open: Vec<Timestamp> = rule.unlimited(from).take_while(|at| *at < end).filter(|at| rule.bar(*at).is_none()).collect();
            let found: Vec<Timestamp> = rule.instants(from).take_while(|at| *at < end).collect();
            prop_assert_eq!(&found, &open);
            for (index, at) in open.iter().enumerate().step_by(37) {
                let tail: Vec<Timestamp> = rule.instants(*at).take_while(|at| *at < end).collect();
                prop_assert_eq!(&tail[..], &open[index..]);
            }
        }
    }
}
