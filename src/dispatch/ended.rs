//! Overrides that end by themselves: from that instant on they count nowhere, whether or not anybody has taken them away.
//!
//! This is the one place that decides it. The ledger asks it of every record that it reads, so that lists, plans, runs to come and
//! reasons see the same; a daemon only writes what is so already.
use super::due::resumed_since;
use crate::model::deployment::Deployment;
use crate::model::overrides::{Override, Overrides};
use crate::model::stored::{Pruned, Tombstone};
use crate::model::tag_limit::TagLimit;
use crate::model::work_pool::{WorkPool, WorkQueue};
use jiff::Timestamp;

/// An override that has ended, with its field as overrides of the whole record name it: `schedules/KEY/active`.
pub type Ended = (String, Override);

/// A record that operators may lay something over.
pub trait Overridden {
    /// When the first of its overrides ends; `None`: all of them stay until they are cleared.
    fn first_end(&self) -> Option<Timestamp>;

    /// Takes away what has ended at `now`, and gives it. What fires again because of it does so since the end, as if it had been
    /// taken away then.
    fn end_overrides(&mut self, now: Timestamp) -> Vec<Ended>;
}

fn first_end(overrides: &Overrides) -> Option<Timestamp> {
    overrides.values().filter_map(|by| by.until).min()
}

fn take(overrides: &mut Overrides, now: Timestamp) -> Vec<Ended> {
    if first_end(overrides).is_none_or(|end| end > now) {
        return Vec::new();
    }
    let ended: Vec<String> = overrides.iter().filter(|(_, by)| by.until.is_some_and(|until| until <= now)).map(|(field, _)| field.clone()).collect();
    ended.iter().filter_map(|field| overrides.remove_entry(field)).collect()
}

macro_rules! plainly_overridden {
    ($($record:ty),*) => { $(
        impl Overridden for $record {
            fn first_end(&self) -> Option<Timestamp> {
                first_end(&self.overrides)
            }

            fn end_overrides(&mut self, now: Timestamp) -> Vec<Ended> {
                take(&mut self.overrides, now)
            }
        }
    )* };
}
plainly_overridden!(WorkPool, WorkQueue, TagLimit);

impl Overridden for Deployment {
    fn first_end(&self) -> Option<Timestamp> {
        let schedules = self.schedules.iter().filter_map(|schedule| first_end(&schedule.overrides));
        first_end(&self.overrides).into_iter().chain(schedules).min()
    }

    fn end_overrides(&mut self, now: Timestamp) -> Vec<Ended> {
        let was_paused = self.paused();
        let mut ended = take(&mut self.overrides, now);
        let paused = self.paused();
        let of_deployment = last_end(&ended);
        for schedule in &mut self.schedules {
            let fired = !was_paused && schedule.active();
            let own = take(&mut schedule.overrides, now);
            if !fired && !paused && schedule.active()
                && let Some(end) = of_deployment.max(last_end(&own))
            {
                schedule.effective_since = resumed_since(schedule, end).max(schedule.effective_since);
            }
            ended.extend(own.into_iter().map(|(field, by)| (format!("schedules/{}/{field}", schedule.key), by)));
        }
        ended
    }
}

impl Overridden for Tombstone {
    fn first_end(&self) -> Option<Timestamp> {
        match &self.object {
            Pruned::Deployment(deployment) => deployment.first_end(),
            Pruned::WorkPool(pool) => pool.first_end(),
            Pruned::WorkQueue(queue) => queue.first_end(),
            Pruned::TagLimit(limit) => limit.first_end(),
        }
    }

    fn end_overrides(&mut self, now: Timestamp) -> Vec<Ended> {
        match &mut self.object {
            Pruned::Deployment(deployment) => deployment.end_overrides(now),
            Pruned::WorkPool(pool) => pool.end_overrides(now),
            Pruned::WorkQueue(queue) => queue.end_overrides(now),
            Pruned::TagLimit(limit) => limit.end_overrides(now),
        }
    }
}

fn last_end(ended: &[Ended]) -> Option<Timestamp> {
    ended.iter().filter_map(|(_, by)| by.until).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::deployment::{DeploymentSpec, FullName};
    use crate::model::id::{DeploymentId, FlowId, ScheduleId};
    use crate::model::policy::OnResume;
    use crate::model::schedule::{Schedule, ScheduleDeclaration};
    use crate::schedule::{RuleSpec, Spec};
    use serde_json::json;
    use uuid::Uuid;

    fn at(hour: u32) -> Timestamp {
        format!("2026-11-21T{hour:02}:30:00Z").parse().unwrap()
    }

    fn until(value: bool, end: Option<u32>) -> Override {
        Override { value: json!(value), who: "alice".to_owned(), why: None, since: at(0), until: end.map(at) }
    }

    fn hourly() -> Deployment {
        let spec = Spec::new(RuleSpec::Cron { expression: "@hourly".to_owned(), day_or: true }, None);
        let schedule = Schedule {
            id: ScheduleId(Uuid::nil()),
            key: "k".to_owned(),
            declared: ScheduleDeclaration::new(spec),
            effective_since: at(0),
            overrides: Overrides::new(),
            created: at(0),
            updated: at(0),
        };
        Deployment {
            id: DeploymentId(Uuid::nil()),
            flow_id: FlowId(Uuid::nil()),
            name: FullName::new("a", "b"),
            declared: DeploymentSpec::default(),
            schedules: vec![schedule],
            owner: None,
            root: None,
            overrides: Overrides::new(),
            declared_digest: None,
            created: at(0),
            updated: at(0),
        }
    }

    #[test]
    fn an_override_counts_up_to_its_end_and_not_from_then_on() {
        // The ends of a pause and of a switched off schedule, now, whether it fires, and since when.
        for (paused, inactive, now, fires, since) in [
            (Some(5), None, 4, false, at(0)),
            (Some(5), None, 5, true, at(5)),
            (Some(5), None, 9, true, at(5)),
            (Some(5), Some(Some(7)), 6, false, at(0)),
            (Some(5), Some(Some(7)), 8, true, at(7)),
            (Some(7), Some(Some(5)), 8, true, at(7)),
            (Some(5), Some(None), 8, false, at(0)),
        ] {
            let mut deployment = hourly();
            deployment.overrides.extend(paused.map(|end| ("paused".to_owned(), until(true, Some(end)))));
            deployment.schedules[0].overrides.extend(inactive.map(|end| ("active".to_owned(), until(false, end))));
            deployment.end_overrides(at(now));
            let found = (deployment.firing_schedules().count() == 1, deployment.schedules[0].effective_since);
            assert_eq!(found, (fires, since), "{paused:?} {inactive:?} at {now}");
        }
    }

    #[test]
    fn what_fired_all_the_time_goes_on_and_what_catches_up_does_so_from_the_end() {
        let mut deployment = hourly();
        deployment.overrides.insert("paused".to_owned(), until(false, Some(5)));
        deployment.declared.paused = true;
        assert_eq!(deployment.end_overrides(at(6))[0].0, "paused");
        assert_eq!((deployment.firing_schedules().count(), deployment.schedules[0].effective_since), (0, at(0)));
        let mut latest = hourly();
        latest.schedules[0].declared.policy.on_resume = OnResume::Latest;
        latest.schedules[0].overrides.insert("active".to_owned(), until(false, Some(5)));
        assert_eq!(latest.first_end(), Some(at(5)));
        assert_eq!(latest.end_overrides(at(6))[0].0, "schedules/k/active");
        assert_eq!(latest.schedules[0].effective_since, "2026-11-21T05:00:00Z".parse().unwrap());
        assert_eq!(latest.first_end(), None);
    }
}
