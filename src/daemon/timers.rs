//! When each schedule is next due: one timer a schedule, ordered by instant.
//!
//! Only the instant is kept, never the parsed rule: a rule is parsed again when its slot is due. With 100,000
//! schedules this is what the daemon holds of them, so it is two sorted sets and no hash table: sets grow node by node, a table by
//! doubling, and what a schedule may cost is bounded (`benches/schedule.rs` measures it).
use crate::model::id::{DeploymentId, ScheduleId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The set of timers.
#[derive(Debug, Default)]
pub struct Timers {
    order: BTreeSet<Timer>,
    instants: BTreeMap<(DeploymentId, ScheduleId), Timestamp>,
}

/// A timer that is due or to come. Ordered by instant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    pub at: Timestamp,
    pub deployment: DeploymentId,
    pub schedule: ScheduleId,
}

impl Timers {
    /// Sets the timers of a deployment to exactly these, replacing whatever it had.
    pub fn set_deployment(&mut self, deployment: DeploymentId, timers: Vec<(ScheduleId, Timestamp)>) {
        let (first, last) = (ScheduleId(Uuid::nil()), ScheduleId(Uuid::max()));
        let had: Vec<ScheduleId> = self.instants.range((deployment, first)..=(deployment, last)).map(|((_, schedule), _)| *schedule).collect();
        for schedule in had {
            self.set(deployment, schedule, None);
        }
        for (schedule, at) in timers {
            self.set(deployment, schedule, Some(at));
        }
    }

    /// Moves a timer, wherever it stands by now; `None`: it never fires any more. Nothing happens when it is not among them.
    pub fn move_to(&mut self, timer: Timer, at: Option<Timestamp>) {
        if self.instants.contains_key(&(timer.deployment, timer.schedule)) {
            self.set(timer.deployment, timer.schedule, at);
        }
    }

    /// The instant of the first one.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.order.first().map(|timer| timer.at)
    }

    /// Those that are due at `now`, in order, at most `most`.
    pub fn due(&self, now: Timestamp, most: usize) -> Vec<Timer> {
        self.in_order().take_while(|timer| timer.at <= now).take(most).collect()
    }

    /// All of them, in order.
    pub fn in_order(&self) -> impl Iterator<Item = Timer> + '_ {
        self.order.iter().copied()
    }

    fn set(&mut self, deployment: DeploymentId, schedule: ScheduleId, at: Option<Timestamp>) {
        let stood = match at {
            Some(at) => self.instants.insert((deployment, schedule), at),
            None => self.instants.remove(&(deployment, schedule)),
        };
        if let Some(at) = stood {
            self.order.remove(&Timer { at, deployment, schedule });
        }
        if let Some(at) = at {
            self.order.insert(Timer { at, deployment, schedule });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(number: u128) -> ScheduleId {
        ScheduleId(Uuid::from_u128(number))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn timers_come_in_order_and_follow_their_deployment() {
        let mut timers = Timers::default();
        let (first, second) = (DeploymentId(Uuid::from_u128(1)), DeploymentId(Uuid::from_u128(2)));
        timers.set_deployment(first, vec![(schedule(1), at(30)), (schedule(2), at(10))]);
        timers.set_deployment(second, vec![(schedule(3), at(20))]);
        let due = timers.due(at(20), 10);
        assert_eq!(due.iter().map(|timer| timer.schedule).collect::<Vec<_>>(), [schedule(2), schedule(3)]);
        timers.move_to(due[0], Some(at(40)));
        timers.move_to(due[1], None);
        timers.move_to(due[1], Some(at(1)));
        timers.move_to(Timer { at: at(1), deployment: first, schedule: schedule(9) }, Some(at(1)));
        assert_eq!((timers.earliest(), timers.in_order().count()), (Some(at(30)), 2));
        timers.set_deployment(first, vec![(schedule(2), at(5))]);
        assert_eq!((timers.earliest(), timers.in_order().count()), (Some(at(5)), 1));
        timers.set_deployment(first, vec![]);
        assert!(timers.earliest().is_none());
    }
}
