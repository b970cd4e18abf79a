//! When each schedule is next due: one entry a schedule, ordered by instant.
//!
//! Only the instant is kept, never the parsed rule: a rule is parsed again when its slot is due. With 100,000
//! schedules this is what the daemon holds of them.
use crate::model::id::{DeploymentId, ScheduleId};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// The set of timers.
#[derive(Debug, Default)]
pub struct Timers {
    order: BTreeSet<(Timestamp, ScheduleId)>,
    schedules: HashMap<ScheduleId, (Timestamp, DeploymentId)>,
    of_deployment: HashMap<DeploymentId, Box<[ScheduleId]>>,
}

/// A timer that is due or to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    pub at: Timestamp,
    pub schedule: ScheduleId,
    pub deployment: DeploymentId,
}

impl Timers {
    /// Sets the timers of a deployment to exactly these, replacing whatever it had.
    pub fn set_deployment(&mut self, deployment: DeploymentId, timers: Vec<(ScheduleId, Timestamp)>) {
        for schedule in self.of_deployment.remove(&deployment).unwrap_or_default() {
            self.remove(schedule);
        }
        if timers.is_empty() {
            return;
        }
        for (schedule, at) in &timers {
            self.order.insert((*at, *schedule));
            self.schedules.insert(*schedule, (*at, deployment));
        }
        self.of_deployment.insert(deployment, timers.into_iter().map(|(schedule, _)| schedule).collect());
    }

    /// Moves one schedule's timer; `None`: it never fires any more. Nothing happens when it is not among them.
    pub fn move_to(&mut self, schedule: ScheduleId, at: Option<Timestamp>) {
        let Some((_, deployment)) = self.remove(schedule) else { return };
        if let Some(at) = at {
            self.order.insert((at, schedule));
            self.schedules.insert(schedule, (at, deployment));
        }
    }

    /// The instant of the first one.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Those that are due at `now`, in order, at most `most`.
    pub fn due(&self, now: Timestamp, most: usize) -> Vec<Timer> {
        self.in_order().take_while(|timer| timer.at <= now).take(most).collect()
    }

    /// All of them, in order.
    pub fn in_order(&self) -> impl Iterator<Item = Timer> + '_ {
        self.order.iter().filter_map(|(at, schedule)| {
            let (_, deployment) = self.schedules.get(schedule)?;
            Some(Timer { at: *at, schedule: *schedule, deployment: *deployment })
        })
    }

    fn remove(&mut self, schedule: ScheduleId) -> Option<(Timestamp, DeploymentId)> {
        let (at, deployment) = self.schedules.remove(&schedule)?;
        self.order.remove(&(at, schedule));
        Some((at, deployment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

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
        let due: Vec<_> = timers.due(at(20), 10).into_iter().map(|timer| timer.schedule).collect();
        assert_eq!(due, [schedule(2), schedule(3)]);
        timers.move_to(schedule(2), Some(at(40)));
        timers.move_to(schedule(3), None);
        timers.move_to(schedule(9), Some(at(1)));
        assert_eq!((timers.earliest(), timers.in_order().count()), (Some(at(30)), 2));
        timers.set_deployment(first, vec![]);
        assert!(timers.earliest().is_none());
    }
}
