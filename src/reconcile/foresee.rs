//! What a plan means for runs that are still to come: which slots appear and which vanish when it is applied.
//!
//! The future is computed from the schedules, so this is too: the slots of a deployment before and after the step, of each
//! schedule those of the next day and at least the next three.
use super::plan::{Plan, RunChanges};
use crate::model::deployment::Deployment;
use crate::model::id::Kind;
use crate::model::schedule::Schedule;
use crate::model::stored::Stored;
use crate::model::write::Write;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const WINDOW: SignedDuration = SignedDuration::from_hours(24);
const LEAST: usize = 3;
/// Of each schedule so many slots are looked at.
const MOST: usize = 300;

impl Plan {
    /// Fills in the changes of runs of each deployment's step, while the steps still have their writes. Costs some microseconds for
    /// each slot, so it is for plans that somebody reads.
    pub fn foresee(&mut self, stored: &Stored, now: Timestamp) {
        for step in self.steps.iter_mut().filter(|step| step.kind == Kind::Deployment) {
            let after = step.writes.iter().find_map(|write| match write {
                Write::PutDeployment(deployment) => Some(&**deployment),
                _ => None,
            });
            if step.writes.is_empty() {
                continue;
            }
            let before = stored.deployments.values().find(|deployment| deployment.id.0 == step.id);
            let (before, after) = (to_come(before, now), to_come(after, now));
            let mut runs = RunChanges::default();
            for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
                let (none, of) = (Slots::default(), |slots: &BTreeMap<String, Slots>| slots.get(key).cloned());
                let (old, new) = (of(&before).unwrap_or(none.clone()), of(&after).unwrap_or(none));
                if old.slots != new.slots {
                    runs.vanish.extend(old.slots.difference(&new.slots));
                    runs.appear.extend(new.slots.difference(&old.slots));
                    runs.more |= old.more || new.more;
                }
            }
            runs.vanish.sort_unstable();
            runs.appear.sort_unstable();
            step.runs = (!runs.appear.is_empty() || !runs.vanish.is_empty()).then_some(runs);
        }
    }
}

/// The slots of one schedule that are to come.
#[derive(Default, Clone)]
struct Slots {
    slots: BTreeSet<Timestamp>,
    /// There are more in the window.
    more: bool,
}

/// By the schedules' keys.
fn to_come(deployment: Option<&Deployment>, now: Timestamp) -> BTreeMap<String, Slots> {
    let until = now.saturating_add(WINDOW).unwrap_or(Timestamp::MAX);
    let slots_of = |schedule: &Schedule| {
        let rule = schedule.declared.spec.parse().ok()?;
        let slots = rule.instants(schedule.effective_since.max(now)).enumerate();
        let mut slots = slots.take_while(|(index, slot)| *index < LEAST || *slot <= until).map(|(_, slot)| slot);
        let found = slots.by_ref().take(MOST).collect();
        Some((schedule.key.clone(), Slots { slots: found, more: slots.next().is_some() }))
    };
    deployment.into_iter().flat_map(Deployment::firing_schedules).filter_map(slots_of).collect()
}
