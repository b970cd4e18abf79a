//! What is counted of runs while a process lives: how they ended, how late they began, how long they took, what waits where.
use super::run::FlowRun;
use super::state::{StateType, names};
use std::collections::BTreeMap;

/// Seconds from a run's time to its start, and the like.
const LATENESS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 600.0];
/// Seconds that an attempt waited.
const QUEUE_WAIT: [f64; 12] = [0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0];
/// Seconds that a run took.
const DURATION: [f64; 12] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0];

/// Counts of values by upper bounds, both as Prometheus has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// In seconds, growing.
    pub bounds: &'static [f64],
    /// How many values were at most each bound and above the one before; the last: above all of them.
    pub counts: Vec<u64>,
    pub sum: f64,
}

impl Histogram {
    pub fn new(bounds: &'static [f64]) -> Self {
        Histogram { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    pub fn add(&mut self, value: f64) {
        let place = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        self.counts[place] += 1;
        self.sum += value;
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What waits and what runs somewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Active {
    /// Scheduled, or waiting for its next attempt.
    pub waiting: Count,
    /// It holds a slot. (One that is paused does neither.)
    pub running: Count,
}

/// How many there are. Changes are told in any order, so that one may leave before it was told to have entered: below zero for a moment.
pub type Count = i64;

/// The work pool and the work queue of a run.
pub type Place = (Option<String>, Option<String>);

/// Everything that is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// Runs that came to an end since the process began, by the name of their state.
    pub ended: BTreeMap<&'static str, u64>,
    /// From when a run was to start until it first did.
    pub lateness: Histogram,
    /// From when an attempt was due until it was claimed ([`FlowRun::queue_wait`]): one value for each attempt.
    pub queue_wait: Histogram,
    /// Seconds spent running, over all attempts, of runs that ended.
    pub duration: Histogram,
    pub active: BTreeMap<Place, Active>,
    /// Runs that are not over, by the name of their state.
    pub by_state: BTreeMap<&'static str, Count>,
}

impl Default for Totals {
    fn default() -> Self {
        Totals {
            ended: BTreeMap::new(),
            lateness: Histogram::new(&LATENESS),
            queue_wait: Histogram::new(&QUEUE_WAIT),
            duration: Histogram::new(&DURATION),
            active: BTreeMap::new(),
            by_state: BTreeMap::new(),
        }
    }
}

/// Where a run that is not over counts.
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    place: Place,
    kind: StateType,
    state: &'static str,
}

impl Standing {
    fn of(run: &FlowRun) -> Option<Standing> {
        let place = (run.pool().map(str::to_owned), run.work_queue.clone());
        (!run.is_over()).then(|| Standing { place, kind: run.state.kind, state: known_name(run.state.kind, &run.state.name) })
    }
}

/// What one change of a run adds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    left: Option<Standing>,
    entered: Option<Standing>,
    ended: Option<&'static str>,
    lateness: Option<f64>,
    queue_wait: Option<f64>,
    duration: Option<f64>,
}

impl Measured {
    /// A run that was `before` and is `after`; `None`: it was or is not there.
    pub fn of(before: Option<&FlowRun>, after: Option<&FlowRun>) -> Measured {
        let was_over = before.is_some_and(FlowRun::is_over);
        let ended = after.filter(|run| run.is_over() && !was_over);
        let first_start = after.filter(|run| run.start_time.is_some() && before.is_some_and(|before| before.start_time.is_none()));
        let waited = before.filter(|before| before.state.kind == StateType::Scheduled);
        let claimed = after.filter(|run| waited.is_some() && matches!(run.state.kind, StateType::Pending | StateType::Running));
        let (left, entered) = (before.and_then(Standing::of), after.and_then(Standing::of));
        let moved = left != entered;
        Measured {
            left: left.filter(|_| moved),
            entered: entered.filter(|_| moved),
            ended: ended.map(|run| known_name(run.state.kind, &run.state.name)),
            lateness: first_start.and_then(|run| Some(run.start_time?.duration_since(run.expected_start_time).as_secs_f64().max(0.0))),
            queue_wait: claimed.map(|run| (run.queue_wait_seconds - waited.map_or(0.0, |waited| waited.queue_wait_seconds)).max(0.0)),
            duration: ended.filter(|run| run.start_time.is_some()).map(|run| run.total_run_time),
        }
    }
}

impl Totals {
    pub fn add(&mut self, measured: Measured) {
        let Measured { left, entered, ended, lateness, queue_wait, duration } = measured;
        if let Some(left) = left {
            self.count(left, |count| *count -= 1);
        }
        if let Some(entered) = entered {
            self.count(entered, |count| *count += 1);
        }
        if let Some(name) = ended {
            *self.ended.entry(name).or_default() += 1;
        }
        lateness.into_iter().for_each(|seconds| self.lateness.add(seconds));
        queue_wait.into_iter().for_each(|seconds| self.queue_wait.add(seconds));
        duration.into_iter().for_each(|seconds| self.duration.add(seconds));
    }

    fn count(&mut self, standing: Standing, change: impl Fn(&mut Count)) {
        change(self.by_state.entry(standing.state).or_default());
        let active = self.active.entry(standing.place).or_default();
        match standing.kind {
            StateType::Scheduled => change(&mut active.waiting),
            kind if kind.holds_slots() => change(&mut active.running),
            _ => {}
        }
    }
}

/// The state's name where it is one of reeve's own, else its type's: clients may name states as they like, and what is counted by
/// name must have few of them.
fn known_name(kind: StateType, name: &str) -> &'static str {
    let own = [names::MISSED, names::SKIPPED, names::EXPIRED, names::TIMED_OUT, names::LATE, names::AWAITING_RETRY];
    own.into_iter().find(|own| *own == name).unwrap_or_else(|| kind.title())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(kind: &str, name: &str, run_count: u32) -> FlowRun {
        let nil = uuid::Uuid::nil();
        let state = json!({"id": nil, "type": kind, "name": name, "timestamp": "2026-11-21T09:00:02Z", "state_details": {}, "details": {}});
        let started = (run_count > 0).then_some("2026-11-21T09:00:02Z");
        let run = json!({"id": nil, "name": "n", "flow_id": nil, "work_pool": "local", "run_count": run_count, "total_run_time": 4.0,
            "expected_start_time": "2026-11-21T09:00:00Z", "start_time": started, "queue_wait_seconds": if kind == "SCHEDULED" { 0.0 } else { 1.5 }, "state": state, "state_count": 1,
            "created": "2026-11-21T09:00:00Z", "updated": "2026-11-21T09:00:00Z"});
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn a_run_is_counted_where_it_is_and_once_when_it_ends() {
        let mut totals = Totals::default();
        let life = [run("SCHEDULED", "Scheduled", 0), run("PENDING", "Pending", 0), run("RUNNING", "Running", 1), run("COMPLETED", "Completed", 1)];
        let local = (Some("local".to_owned()), None);
        let mut before: Option<&FlowRun> = None;
        for (after, expected) in life.iter().zip([(1, 0), (0, 1), (0, 1), (0, 0)]) {
            totals.add(Measured::of(before, Some(after)));
            let active = totals.active[&local];
            assert_eq!((active.waiting, active.running), expected, "{}", after.state.name);
            let by_state: Vec<&str> = totals.by_state.iter().filter(|(_, count)| **count > 0).map(|(name, _)| *name).collect();
            assert_eq!(by_state, if after.is_over() { vec![] } else { vec![after.state.name.as_str()] });
            before = Some(after);
        }
        let changed_again = Measured::of(before, Some(&run("COMPLETED", "Fine", 1)));
        assert_eq!(changed_again, Measured::default());
        assert_eq!(totals.ended, BTreeMap::from([("Completed", 1)]));
        assert_eq!((totals.lateness.count(), totals.lateness.sum, totals.duration.sum), (1, 2.0, 4.0));
        assert_eq!((totals.queue_wait.count(), totals.queue_wait.sum), (1, 1.5));
        totals.add(Measured::of(Some(&life[0]), Some(&run("CANCELLED", "Missed", 0))));
        totals.add(Measured::of(Some(&life[2]), Some(&run("FAILED", "my own name", 1))));
        assert_eq!(totals.ended, BTreeMap::from([("Completed", 1), ("Missed", 1), ("Failed", 1)]));
    }

    #[test]
    fn what_is_told_in_another_order_counts_the_same() {
        let life = [run("SCHEDULED", "Scheduled", 0), run("PENDING", "Pending", 0), run("RUNNING", "Running", 1), run("COMPLETED", "Completed", 1)];
        let steps = || std::iter::once(Measured::of(None, Some(&life[0]))).chain(life.windows(2).map(|pair| Measured::of(Some(&pair[0]), Some(&pair[1]))));
        let mut totals = Totals::default();
        steps().collect::<Vec<_>>().into_iter().rev().for_each(|step| totals.add(step));
        assert!(totals.by_state.values().all(|count| *count == 0), "{:?}", totals.by_state);
        assert!(totals.active.values().all(|active| *active == Active::default()), "{:?}", totals.active);
    }

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        [0.5, 1.0, 1.5, 3.0].into_iter().for_each(|value| histogram.add(value));
        assert_eq!((histogram.counts.as_slice(), histogram.count(), histogram.sum), ([2, 1, 1].as_slice(), 4, 6.0));
    }
}
