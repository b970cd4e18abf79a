//! The runs that are still to come: computed from the schedules, never stored.
//!
//! A virtual run is the run of a slot that has not been dealt with. It is a function of its deployment and schedule, so that two
//! reads give the same run to the last byte: what a stored run has from the moment of its making, a virtual one has from the last
//! change of its schedule. The first write to it makes it real, and it stays what it was.
use super::due::{self, Progress};
use super::scheduled::run_of_slot;
use crate::model::deployment::Deployment;
use crate::model::run::FlowRun;
use crate::model::schedule::Schedule;
use crate::schedule::Rule;
use jiff::{SignedDuration, Timestamp};

/// How far ahead virtual runs are listed: Prefect's scheduler makes at least 3 runs of a schedule and an hour of them, at most 100
/// runs and 100 days of them (its defaults).
pub const HORIZON: Horizon = Horizon {
    least_runs: 3,
    least_time: SignedDuration::from_hours(1),
    most_runs: 100,
    most_time: SignedDuration::from_hours(100 * 24),
};

/// Where a list of coming slots ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    pub least_runs: usize,
    pub least_time: SignedDuration,
    pub most_runs: usize,
    pub most_time: SignedDuration,
}

impl Horizon {
    /// How many of `slots`, ascending and none before `now`, lie within the horizon; `most` is the schedule's own bound
    /// (`max_scheduled_runs`). The slot that fulfils both minimums is the last one.
    pub fn reach(self, slots: &[Timestamp], now: Timestamp, most: Option<u32>) -> usize {
        let most = self.most_of(most);
        let (near, far) = (self.near(now), self.far(now));
        let enough = |(index, slot): (usize, &Timestamp)| index + 1 >= self.least_runs && *slot >= near;
        let first_enough = slots.iter().enumerate().position(enough).map_or(slots.len(), |index| index + 1);
        let in_time = slots.partition_point(|slot| *slot <= far);
        first_enough.min(in_time).min(most)
    }

    /// Whether `slots` hold all that the horizon reaches, if more slots follow them.
    pub fn is_covered_by(self, slots: &[Timestamp], now: Timestamp, most: Option<u32>) -> bool {
        let within = slots.len() >= self.least_runs && slots.last().is_some_and(|last| *last >= self.near(now));
        within || slots.len() >= self.most_of(most) || slots.last().is_some_and(|last| *last > self.far(now))
    }

    fn most_of(self, most: Option<u32>) -> usize {
        most.map_or(self.most_runs, |most| self.most_runs.min(usize::try_from(most).unwrap_or(usize::MAX)))
    }

    fn near(self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.least_time).unwrap_or(Timestamp::MAX)
    }

    fn far(self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.most_time).unwrap_or(Timestamp::MAX)
    }
}

/// The slots of a schedule from `now` on that are still open, ascending, lazily and without end.
pub fn open_slots(rule: &Rule, progress: Progress, now: Timestamp) -> Box<dyn Iterator<Item = Timestamp> + '_> {
    match due::next(rule, progress, now) {
        Some(first) => rule.instants(first),
        None => Box::new(std::iter::empty()),
    }
}

/// Whether `slot`, which is not before `now`, is a slot of the rule that is still open.
pub fn is_open(rule: &Rule, progress: Progress, slot: Timestamp, now: Timestamp) -> bool {
    slot >= now && due::next(rule, progress, now).is_some_and(|first| first <= slot) && rule.next(slot) == Some(slot)
}

/// The virtual run of a slot: `rule` is the schedule's own.
pub fn virtual_run(deployment: &Deployment, schedule: &Schedule, rule: &Rule, slot: Timestamp) -> FlowRun {
    run_of_slot(deployment, schedule, rule, slot, schedule.updated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{RuleSpec, Spec};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn rule(expression: &str) -> Rule {
        let rule = RuleSpec::Cron { expression: expression.to_owned(), day_or: true };
        Spec::new(rule, None).parse().unwrap()
    }

    /// Number of runs, and the last of them.
    fn shown(expression: &str, most: Option<u32>) -> (usize, Option<Timestamp>) {
        let (rule, now) = (rule(expression), at("2026-11-21T09:00:00Z"));
        let progress = Progress { effective_since: at("2026-01-01T00:00:00Z"), cursor: None };
        let slots: Vec<Timestamp> = open_slots(&rule, progress, now).take(300).collect();
        let reach = HORIZON.reach(&slots, now, most);
        // What the horizon reaches does not depend on how many slots are known, once they cover it.
        for known in 0..slots.len() {
            if HORIZON.is_covered_by(&slots[..known], now, most) {
                assert_eq!(HORIZON.reach(&slots[..known], now, most), reach, "{expression} {known}");
            }
        }
        (reach, reach.checked_sub(1).map(|last| slots[last]))
    }

    #[test]
    fn the_horizon_is_prefects() {
        for (expression, most, count, last) in [
            ("* * * * *", None, 61, "2026-11-21T10:00:00Z"),
            ("* * * * * *", None, 100, "2026-11-21T09:01:39Z"),
            ("*/20 * * * *", None, 4, "2026-11-21T10:00:00Z"),
            ("0 * * * *", None, 3, "2026-11-21T11:00:00Z"),
            ("0 9 * * *", None, 3, "2026-11-23T09:00:00Z"),
            ("0 9 1 * *", None, 3, "2027-02-01T09:00:00Z"),
            ("0 9 1 1,7 *", None, 1, "2027-01-01T09:00:00Z"),
            ("0 9 * * *", Some(2), 2, "2026-11-22T09:00:00Z"),
            ("* * * * *", Some(1_000), 61, "2026-11-21T10:00:00Z"),
        ] {
            assert_eq!(shown(expression, most), (count, Some(at(last))), "{expression} {most:?}");
        }
        assert_eq!(shown("0 9 1 7 *", None), (0, None), "more than 100 days ahead");
        assert_eq!(shown("0 9 * * *", Some(0)), (0, None));
    }

    #[test]
    fn a_slot_is_open_until_it_is_dealt_with() {
        let (rule, now) = (rule("0 * * * *"), at("2026-11-21T09:00:00Z"));
        let since = |since: &str, cursor: Option<&str>| Progress { effective_since: at(since), cursor: cursor.map(at) };
        for (progress, slot, open) in [
            (since("2026-01-01T00:00:00Z", None), "2026-11-21T09:00:00Z", true),
            (since("2026-01-01T00:00:00Z", None), "2026-11-21T08:00:00Z", false),
            (since("2026-01-01T00:00:00Z", None), "2026-11-21T10:30:00Z", false),
            (since("2026-01-01T00:00:00Z", None), "2056-11-21T10:00:00Z", true),
            (since("2026-01-01T00:00:00Z", Some("2026-11-21T09:00:00Z")), "2026-11-21T09:00:00Z", false),
            (since("2026-01-01T00:00:00Z", Some("2026-11-21T09:00:00Z")), "2026-11-21T10:00:00Z", true),
            (since("2026-11-21T09:30:00Z", None), "2026-11-21T09:00:00Z", false),
            // A cursor far ahead comes from a clock that was wrong.
            (since("2026-01-01T00:00:00Z", Some("2027-11-21T09:00:00Z")), "2026-11-21T10:00:00Z", true),
        ] {
            assert_eq!(is_open(&rule, progress, at(slot), now), open, "{slot} {progress:?}");
        }
    }
}
