//! The future as a reader sees it: virtual runs, computed from the stored schedules, and the first write that makes one real.
//!
//! What is kept in memory is, for each schedule, its next few slots: about 150 bytes. It is read when somebody first asks, and kept
//! up to date by the change feed: afterwards a question costs what it asks for, and a schedule is parsed again only when its
//! slots have passed. A slot that has a stored run, or that was dealt with, has no virtual one (G2).
use super::feed::Changed;
use super::{Feed, Ledger, LedgerError, ProposalOutcome, Reader};
use crate::dispatch::due::{CLOCK_TOLERANCE, Progress};
use crate::dispatch::scheduled::start_of_slot;
use crate::dispatch::upcoming::{HORIZON, is_open, virtual_run};
use crate::model::deployment::Deployment;
use crate::model::id::{self, DeploymentId, FlowRunId, ScheduleId, of_slot, schedule_part, time_of_run};
use crate::model::run::FlowRun;
use crate::model::schedule::Schedule;
use crate::model::state::{Proposed, StateType, names};
use crate::model::transition::{Context, transition};
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A schedule's known slots reach this much further than the horizon, so that not every slot that passes makes them be computed again.
const SPARE_SLOTS: usize = 2;

/// A virtual run, as far as it can be told without reading its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VirtualRun {
    pub id: FlowRunId,
    pub slot: Timestamp,
    /// When it is to start: its slot, or later by the schedule's spread and jitter.
    pub start: Timestamp,
    pub deployment: DeploymentId,
    pub schedule: ScheduleId,
}

/// The next slots of every schedule that fires. Shared by all clones of a `Reader`.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// `None`: nothing was read yet.
    feed: Option<Feed>,
    revision: u64,
    deployments: BTreeMap<DeploymentId, Box<[Coming]>>,
    /// Which deployment the part of an id that a schedule's slots share belongs to.
    parts: HashMap<[u8; 10], DeploymentId>,
    /// Deployments with a schedule whose slots are not whole milliseconds: those share no part.
    finer: BTreeSet<DeploymentId>,
}

/// What is known of all deployments, or of just those that were asked for.
enum View<'a> {
    Shared(MutexGuard<'a, State>),
    Own(State),
}

impl Deref for View<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        match self {
            View::Shared(state) => state,
            View::Own(state) => state,
        }
    }
}

/// The next slots of one schedule.
struct Coming {
    schedule: ScheduleId,
    part: [u8; 10],
    most: Option<u32>,
    /// All slots from here on are among `slots`, as far as those go.
    from: Timestamp,
    slots: Box<[Timestamp]>,
    /// When their runs start; empty where that is the slot itself.
    starts: Box<[Timestamp]>,
    /// Their ids, where they are not whole milliseconds.
    ids: Box<[FlowRunId]>,
    /// Nothing comes after the last of them.
    ends: bool,
}

impl Reader {
    /// The virtual runs at `now` within the horizon, of these deployments or of all, in no particular order.
    pub fn virtual_runs(&self, of: Option<&[DeploymentId]>, now: Timestamp) -> Result<Vec<VirtualRun>, LedgerError> {
        let real = self.real_ahead(now)?;
        let state = self.known_at(of, now)?;
        let mut found = Vec::new();
        for (id, coming) in state.those(of) {
            coming.iter().try_for_each(|coming| self.add_virtual(id, coming, now, &mut found))?;
        }
        drop(state);
        if !real.is_empty() {
            found.retain(|run| !real.contains(&run.id));
        }
        Ok(found)
    }

    /// The run with this id, if it is that of a slot that is open at `now`: however far ahead. Does not look for a stored one.
    pub fn virtual_run(&self, id: FlowRunId, now: Timestamp) -> Result<Option<FlowRun>, LedgerError> {
        let Some(from) = time_of_run(id).filter(|_| id::is_of_slot(id)) else { return Ok(None) };
        let until = from.saturating_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX);
        if until <= now {
            return Ok(None);
        }
        let candidates: Vec<DeploymentId> = {
            let state = self.known(now)?;
            state.parts.get(&schedule_part(id)).into_iter().chain(&state.finer).copied().collect()
        };
        for candidate in candidates {
            let Some(deployment) = self.deployment(candidate)? else { continue };
            for schedule in deployment.firing_schedules() {
                let Ok(rule) = schedule.declared.spec.parse() else { continue };
                let is_it = |slot: &Timestamp| of_slot(deployment.id, &schedule.key, *slot) == id;
                let Some(slot) = rule.instants(from).take_while(|slot| *slot < until).find(is_it) else { continue };
                let open = is_open(&rule, self.progress(schedule)?, slot, now);
                return Ok(open.then(|| virtual_run(&deployment, schedule, &rule, slot)));
            }
        }
        Ok(None)
    }

    /// The run with this id: the stored one, else the virtual one.
    pub fn run_or_virtual(&self, id: FlowRunId, now: Timestamp) -> Result<Option<FlowRun>, LedgerError> {
        match self.run(id)? {
            Some(run) => Ok(Some(run)),
            None => self.virtual_run(id, now),
        }
    }

    /// Of every schedule that fires, its first slot at or after `from`, dealt with or not.
    pub fn first_slots(&self, of: Option<&[DeploymentId]>, from: Timestamp, now: Timestamp) -> Result<Vec<VirtualRun>, LedgerError> {
        let state = self.known_at(of, now)?;
        let mut found = Vec::new();
        for (id, coming) in state.those(of) {
            for one in coming {
                let at = one.slots.partition_point(|slot| *slot < from);
                match one.slots.get(at) {
                    Some(_) if from >= one.from => found.push(one.virtual_run(id, at)),
                    None if one.ends && from >= one.from => {}
                    _ => found.extend(self.first_slot(id, one.schedule, from)?),
                }
            }
        }
        Ok(found)
    }

    fn first_slot(&self, deployment: DeploymentId, schedule: ScheduleId, from: Timestamp) -> Result<Option<VirtualRun>, LedgerError> {
        let Some(deployment) = self.deployment(deployment)? else { return Ok(None) };
        let Some(schedule) = deployment.firing_schedules().find(|candidate| candidate.id == schedule) else { return Ok(None) };
        let Ok(rule) = schedule.declared.spec.parse() else { return Ok(None) };
        let slot = rule.next(from.max(schedule.effective_since));
        Ok(slot.map(|slot| {
            let id = of_slot(deployment.id, &schedule.key, slot);
            let start = start_of_slot(&schedule.declared.policy, &rule, id, slot);
            VirtualRun { id, slot, start, deployment: deployment.id, schedule: schedule.id }
        }))
    }

    /// Where a schedule stands.
    pub fn progress(&self, schedule: &Schedule) -> Result<Progress, LedgerError> {
        let cursor = self.cursor(schedule.id)?.map(|cursor| cursor.slot);
        Ok(Progress { effective_since: schedule.effective_since, cursor })
    }

    /// The runs that were made of slots from `now` on: few, since the scheduler makes a run a moment before its slot.
    fn real_ahead(&self, now: Timestamp) -> Result<HashSet<FlowRunId>, LedgerError> {
        let first = id::first_run_at(now);
        let mut real = HashSet::new();
        for run in self.runs_newest_first(None) {
            let run = run?;
            if run.id < first {
                break;
            }
            real.insert(run.id);
        }
        Ok(real)
    }

    fn add_virtual(&self, deployment: DeploymentId, coming: &Coming, now: Timestamp, found: &mut Vec<VirtualRun>) -> Result<(), LedgerError> {
        let first = coming.slots.partition_point(|slot| *slot < now);
        let reach = HORIZON.reach(&coming.slots[first..], now, coming.most);
        // A cursor further ahead than this comes from a clock that was wrong, and counts for nothing.
        let tolerated = now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
        let soon = coming.slots.get(first).is_some_and(|slot| *slot <= tolerated);
        let cursor = if soon { self.cursor(coming.schedule)?.map(|cursor| cursor.slot) } else { None };
        let dealt_with = cursor.filter(|cursor| *cursor <= tolerated);
        let open = (first..first + reach).filter(|index| dealt_with.is_none_or(|cursor| coming.slots[*index] > cursor));
        found.extend(open.map(|index| coming.virtual_run(deployment, index)));
        Ok(())
    }

    /// The known slots, with those of these deployments (or of all) reaching to the horizon of `now`.
    fn known_at(&self, of: Option<&[DeploymentId]>, now: Timestamp) -> Result<View<'_>, LedgerError> {
        if let Some(ids) = of
            && self.lock().feed.is_none()
        {
            // Nobody has asked for all yet, and a question about a few is no reason to read them.
            let mut own = State::default();
            for id in ids {
                own.set(*id, self.deployment(*id)?.as_ref(), now);
            }
            return Ok(View::Own(own));
        }
        let mut state = self.known(now)?;
        let stale = |coming: &[Coming]| coming.iter().any(|coming| !coming.reaches_from(now));
        let again: Vec<DeploymentId> = state.those(of).filter(|(_, known)| stale(known)).map(|(id, _)| id).collect();
        for id in again {
            let deployment = self.deployment(id)?;
            state.set(id, deployment.as_ref(), now);
        }
        Ok(View::Shared(state))
    }

    /// Every method of `State` leaves it whole, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.future.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The known slots, of the deployments as they are stored now; what is read anew, from `now` on.
    fn known(&self, now: Timestamp) -> Result<MutexGuard<'_, State>, LedgerError> {
        let mut state = self.lock();
        let Some(changed) = state.changed() else {
            // The feed begins before the reading: a change in between is seen twice, never missed.
            let feed = self.feed();
            self.read_all(&mut state, now)?;
            state.feed = Some(feed);
            return Ok(state);
        };
        // A feed that fell behind tells nothing; but where the revision is the same, only runs were written.
        if changed.contains(&Changed::Everything) && state.revision != self.revision()? {
            self.read_all(&mut state, now)?;
            return Ok(state);
        }
        let deployments = changed.into_iter().filter_map(|change| match change {
            Changed::Deployment(id) => Some(id),
            _ => None,
        });
        for id in deployments.collect::<BTreeSet<_>>() {
            state.set(id, self.deployment(id)?.as_ref(), now);
        }
        Ok(state)
    }

    fn read_all(&self, state: &mut State, now: Timestamp) -> Result<(), LedgerError> {
        let revision = self.revision()?;
        *state = State { feed: state.feed.take(), revision, ..State::default() };
        for deployment in self.deployments() {
            let deployment = deployment?;
            state.set(deployment.id, Some(&deployment), now);
        }
        Ok(())
    }
}

impl State {
    /// What changed since it was last asked; `None` where nothing was read yet.
    fn changed(&mut self) -> Option<Vec<Changed>> {
        let feed = self.feed.as_mut()?;
        let mut all = Vec::new();
        while let Some(Some(changed)) = feed.next().now_or_never() {
            all.extend(changed.into_iter().filter(|change| !matches!(change, Changed::Run(_))));
        }
        Some(all)
    }

    /// What is known of these deployments, each once, or of all.
    fn those(&self, of: Option<&[DeploymentId]>) -> Box<dyn Iterator<Item = (DeploymentId, &[Coming])> + '_> {
        match of {
            None => Box::new(self.deployments.iter().map(|(id, coming)| (*id, &**coming))),
            Some(ids) => {
                let ids: BTreeSet<DeploymentId> = ids.iter().copied().collect();
                Box::new(ids.into_iter().filter_map(|id| Some((id, &**self.deployments.get(&id)?))))
            }
        }
    }

    /// Sets what is known of a deployment; `None`: it is gone.
    fn set(&mut self, id: DeploymentId, deployment: Option<&Deployment>, now: Timestamp) {
        for coming in self.deployments.remove(&id).unwrap_or_default() {
            self.parts.remove(&coming.part);
        }
        self.finer.remove(&id);
        let Some(deployment) = deployment else { return };
        let coming: Box<[Coming]> = deployment.firing_schedules().filter_map(|schedule| Coming::of(deployment, schedule, now)).collect();
        for one in &coming {
            self.parts.insert(one.part, id);
            if !one.ids.is_empty() {
                self.finer.insert(id);
            }
        }
        if !coming.is_empty() {
            self.deployments.insert(id, coming);
        }
    }
}

impl Coming {
    /// `None` for a rule that cannot be read (an older reeve took it).
    fn of(deployment: &Deployment, schedule: &Schedule, now: Timestamp) -> Option<Coming> {
        let rule = schedule.declared.spec.parse().ok()?;
        let most = schedule.declared.max_scheduled_runs;
        let mut slots: Vec<Timestamp> = Vec::new();
        let mut spare = 0;
        let mut ends = true;
        for slot in rule.instants(now.max(schedule.effective_since)) {
            spare += usize::from(HORIZON.is_covered_by(&slots, now, most));
            if spare > SPARE_SLOTS {
                ends = false;
                break;
            }
            slots.push(slot);
        }
        let finer = slots.iter().any(|slot| slot.as_nanosecond().rem_euclid(1_000_000) != 0);
        let id_of = |slot: &Timestamp| of_slot(deployment.id, &schedule.key, *slot);
        let whole = Timestamp::UNIX_EPOCH;
        let policy = &schedule.declared.policy;
        let shifted = policy.jitter.is_some() || policy.spread.is_some();
        let start_of = |slot: &Timestamp| start_of_slot(policy, &rule, id_of(slot), *slot);
        Some(Coming {
            schedule: schedule.id,
            part: schedule_part(id_of(&whole)),
            most,
            from: now,
            starts: if shifted { slots.iter().map(start_of).collect() } else { Box::default() },
            ids: if finer { slots.iter().map(id_of).collect() } else { Box::default() },
            slots: slots.into(),
            ends,
        })
    }

    /// Whether the slots reach from `now` to its horizon.
    fn reaches_from(&self, now: Timestamp) -> bool {
        let rest = &self.slots[self.slots.partition_point(|slot| *slot < now)..];
        now >= self.from && (self.ends || HORIZON.is_covered_by(rest, now, self.most))
    }

    fn virtual_run(&self, deployment: DeploymentId, index: usize) -> VirtualRun {
        let slot = self.slots[index];
        VirtualRun {
            id: self.ids.get(index).copied().unwrap_or_else(|| id::of_slot_of_part(self.part, slot)),
            slot,
            start: self.starts.get(index).copied().unwrap_or(slot),
            deployment,
            schedule: self.schedule,
        }
    }
}

impl Ledger {
    /// As `propose`; a virtual run is made real in the same commit, where the transition changes it.
    pub async fn propose_or_make_real(&self, id: FlowRunId, proposed: Proposed, context: Context) -> Result<ProposalOutcome, LedgerError> {
        self.retry(|unit| match unit.propose(id, proposed.clone(), context) {
            Err(LedgerError::NoSuchRun(_)) => {
                let run = self.virtual_run(id, context.now)?.ok_or(LedgerError::NoSuchRun(id))?;
                let decision = transition(&run, proposed.clone(), context);
                let Some(changed) = decision.changed().cloned() else { return Ok(ProposalOutcome { run, decision }) };
                unit.create_run(&changed)?;
                Ok(ProposalOutcome { run: changed, decision })
            }
            answer => answer,
        })
        .await
    }

    /// As `amend_run`; a virtual run that is changed is made real in the same commit.
    pub async fn amend_or_make_real(&self, id: FlowRunId, now: Timestamp, amend: impl Fn(&mut FlowRun)) -> Result<FlowRun, LedgerError> {
        self.retry(|unit| match unit.amend_run(id, &amend) {
            Err(LedgerError::NoSuchRun(_)) => {
                let run = self.virtual_run(id, now)?.ok_or(LedgerError::NoSuchRun(id))?;
                let mut changed = run.clone();
                amend(&mut changed);
                if changed != run {
                    // Which marks it as one that somebody touched (`scheduled::stands_by_itself`).
                    changed.updated = now;
                    unit.create_run(&changed)?;
                }
                Ok(changed)
            }
            answer => answer,
        })
        .await
    }

    /// Deletes a run. What remains of one whose slot is still to come, virtual or real, is the record that the slot is dealt with: a
    /// run in state Cancelled, named `Skipped`; without it the slot would run.
    pub async fn delete_or_skip(&self, id: FlowRunId, context: Context) -> Result<(), LedgerError> {
        let skipped = Proposed::new(StateType::Cancelled).named(names::SKIPPED).message("deleted before its time: the slot does not run");
        let stored = self.run(id)?;
        let must_stay = match &stored {
            Some(run) => self.would_come_again(run, context.now)?,
            None => true,
        };
        match stored {
            Some(run) if must_stay && run.is_over() => Ok(()),
            _ if must_stay => {
                let context = Context { force: true, ..context };
                self.propose_or_make_real(id, skipped, context).await.map(drop)
            }
            _ => self.retry(|unit| unit.delete_run(id).map(drop)).await,
        }
    }

    /// Whether the slot of a stored run is one that would be virtual, or fire, if the run were not there.
    fn would_come_again(&self, run: &FlowRun, now: Timestamp) -> Result<bool, LedgerError> {
        let (Some(slot), Some(deployment)) = (&run.slot, run.deployment_id) else { return Ok(false) };
        let Some(deployment) = self.deployment(deployment)? else { return Ok(false) };
        let Some(schedule) = deployment.schedules.iter().find(|schedule| schedule.id == slot.schedule) else { return Ok(false) };
        let Progress { effective_since, cursor } = self.progress(schedule)?;
        let tolerated = now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
        Ok(slot.at >= effective_since && cursor.is_none_or(|cursor| cursor < slot.at || cursor > tolerated))
    }
}
