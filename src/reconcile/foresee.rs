//! What a plan means for runs that are still to come: which slots appear, move and vanish when it is applied, and what
//! becomes of runs that are there already.
//!
//! The future is computed from the schedules, so this is too: the slots of a deployment before and after the step, of each
//! schedule those of the next day and at least the next three.
use super::plan::{Action, Fate, FieldChange, InProgress, Plan, RunChanges, RunMove, Step};
use crate::model::deployment::{Deployment, OnDelete};
use crate::model::id::{DeploymentId, Kind};
use crate::model::schedule::Schedule;
use crate::model::stored::{Pruned, Stored, Tombstone};
use crate::model::write::Write;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

const WINDOW: SignedDuration = SignedDuration::from_hours(24);
const LEAST: usize = 3;
/// Of each schedule so many slots are looked at.
const MOST: usize = 300;

impl Plan {
    /// Fills in the changes of runs of each deployment's step, while the steps still have their writes. Costs some microseconds for
    /// each slot, so it is for plans that somebody reads.
    pub fn foresee(&mut self, stored: &Stored, now: Timestamp) {
        let stored: HashMap<Uuid, &Deployment> = stored.deployments.values().map(|deployment| (deployment.id.0, deployment)).collect();
        for step in self.steps.iter_mut().filter(|step| step.kind == Kind::Deployment) {
            let after = step.writes.iter().find_map(|write| match write {
                Write::PutDeployment(deployment) => Some(&**deployment),
                _ => None,
            });
            if step.writes.is_empty() {
                continue;
            }
            let before = stored.get(&step.id).copied();
            let (before, after) = (to_come(before, now), to_come(after, now));
            let mut runs = RunChanges::default();
            for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
                let (none, of) = (Slots::default(), |slots: &BTreeMap<String, Slots>| slots.get(key).cloned());
                let (old, new) = (of(&before).unwrap_or(none.clone()), of(&after).unwrap_or(none));
                if old.slots != new.slots {
                    runs.differ(&old, &new);
                }
            }
            runs.vanish.sort_unstable();
            runs.appear.sort_unstable();
            runs.moves.sort_unstable();
            step.runs = (runs != RunChanges::default()).then_some(runs);
        }
    }

    /// Fills in what becomes of each deployment's runs that are there, while the steps still have their writes.
    pub fn count_runs(&mut self, mut runs: impl FnMut(DeploymentId) -> RunsOf) {
        for step in self.steps.iter_mut().filter(|step| step.kind == Kind::Deployment && !step.writes.is_empty()) {
            let Some(fate) = fate(step) else { continue };
            let RunsOf { waiting, running, to_pause } = runs(DeploymentId(step.id));
            let (waiting, told) = match fate {
                Fate::Pause => (to_pause, to_pause > 0),
                _ => (waiting, waiting + running > 0),
            };
            step.in_progress = told.then_some(InProgress { waiting, running, fate });
        }
    }
}

/// A deployment's runs that are not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunsOf {
    /// They were made and have not started, or wait for their next attempt.
    pub waiting: usize,
    pub running: usize,
    /// How many of `waiting` do not stay when their deployment is paused.
    pub to_pause: usize,
}

/// What a run takes from its deployment when it starts. All else it was given when it was made (`dispatch::scheduled`), or does not
/// concern it.
const AT_START: [&str; 9] =
    ["entrypoint", "command", "path", "root", "env", "job_variables", "working_dir", "timeout_seconds", "pull_steps"];
const WHEN_MADE: [&str; 8] =
    ["parameters", "tags", "work_pool", "work_queue", "retries", "retry_delay_seconds", "retry_jitter_factor", "retry_on"];

/// What a step means for its deployment's runs; `None`: nothing.
fn fate(step: &Step) -> Option<Fate> {
    let pruned = step.writes.iter().find_map(|write| match write {
        Write::PutTombstone(tombstone) => match &**tombstone {
            Tombstone { object: Pruned::Deployment(deployment), .. } => Some(deployment.declared.on_delete),
            _ => None,
        },
        _ => None,
    });
    let differs = |fields: &[&str]| {
        let whole = |change: &FieldChange| change.field.split('/').next().is_some_and(|whole| fields.contains(&whole));
        step.changes.iter().any(whole)
    };
    let pauses = |change: &FieldChange| change.field == "paused" && change.new == Some(true.into()) && change.shadowed_by.is_none();
    match (step.action, pruned) {
        (Action::Prune, Some(OnDelete::Cancel)) => Some(Fate::Cancel),
        (Action::Prune, _) => Some(Fate::Finish),
        (Action::Create | Action::Unchanged, _) => None,
        _ if step.changes.iter().any(pauses) => Some(Fate::Pause),
        _ if differs(&AT_START) => Some(Fate::Renew),
        _ if differs(&WHEN_MADE) => Some(Fate::Keep),
        _ => step.renamed_from.is_some().then_some(Fate::GoOn),
    }
}

impl RunChanges {
    /// Adds what is different of one schedule. Where as many slots come as go, each has taken the place of another.
    fn differ(&mut self, old: &Slots, new: &Slots) {
        let vanish: Vec<Timestamp> = old.slots.difference(&new.slots).copied().collect();
        let appear: Vec<Timestamp> = new.slots.difference(&old.slots).copied().collect();
        if vanish.len() == appear.len() && !old.more && !new.more {
            self.moves.extend(vanish.into_iter().zip(appear).map(|(from, to)| RunMove { from, to }));
        } else {
            self.vanish.extend(vanish);
            self.appear.extend(appear);
            self.more |= old.more || new.more;
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
