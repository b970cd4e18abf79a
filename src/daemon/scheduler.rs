//! Makes runs of the slots that are due.
//!
//! It sleeps until the next slot or the next change of a deployment, and costs nothing in between. A slot's run
//! and its schedule's cursor are one commit; a run that exists already is left as it is, so that a clock that is
//! set back, a restart or a second daemon makes nothing twice (G2). Only a record that a slot was missed gives way, where a clock
//! that ran ahead had made it before the slot came.
//!
//! One pass is a function of the ledger and an instant (`load`, `follow`, `fire`), so that a simulation can drive it.
use super::signals::told;
use super::alarm::Alarm;
use super::error::DaemonError;
use super::timers::{Timer, Timers};
use crate::clock;
use crate::dispatch::due::{CLOCK_TOLERANCE, Due, Progress, due, open_from};
use crate::dispatch::scheduled::run_of_slot;
use crate::model::deployment::Deployment;
use crate::model::id::{DeploymentId, ScheduleId};
use crate::model::run::{FlowRun, MissedSlots};
use crate::model::schedule::{Cursor, Schedule};
use crate::model::state::{Proposed, State, StateType, names};
use crate::model::transition::Context;
use crate::store::ledger::{Changed, Feed, Ledger, LedgerError, Unit};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A slot's run is made this long before its instant, so that only its start is left to do then. Until it is claimed
/// the dispatcher takes it back when its schedule is paused, removed or changed.
const AHEAD: SignedDuration = SignedDuration::from_secs(1);

/// Slots at an instant are open when the cursor stands this much before it.
const BEFORE: SignedDuration = SignedDuration::from_micros(1);

/// At most this many timers are taken in one pass; the rest follow at once in the next.
const TIMERS_PER_PASS: usize = 1_000;

/// The timers, for whoever wants to know what is next.
#[derive(Clone)]
pub struct Upcoming {
    timers: Arc<Mutex<Timers>>,
    /// The revision of the definitions that the timers stand for.
    revision: watch::Sender<u64>,
}

impl Default for Upcoming {
    fn default() -> Self {
        Upcoming { timers: Arc::default(), revision: watch::Sender::new(0) }
    }
}

impl Upcoming {
    /// Waits until the timers stand for `revision` or a later one.
    pub async fn reaches(&self, revision: u64) {
        drop(self.revision.subscribe().wait_for(|reached| *reached >= revision).await);
    }

    /// The next `count` timers.
    pub fn next(&self, count: usize) -> Vec<Timer> {
        self.lock().in_order().take(count).collect()
    }

    /// Each method of `Timers` leaves it whole, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that owns the timers.
pub struct Scheduler {
    ledger: Ledger,
    feed: Feed,
    timers: Upcoming,
    alarm: Alarm,
    /// The instant of the last pass: a clock that is far behind it has been set back.
    last_pass: Timestamp,
    /// Cursors that a clock which was ahead has left, to be set back.
    ahead: Vec<(ScheduleId, Cursor)>,
}

impl Scheduler {
    /// Reads every deployment's schedules and sets their timers.
    pub fn load(ledger: Ledger, timers: Upcoming, now: Timestamp) -> Result<Self, DaemonError> {
        let feed = ledger.feed();
        let mut scheduler = Scheduler { ledger, feed, timers, alarm: Alarm::new()?, last_pass: now, ahead: Vec::new() };
        scheduler.load_all(now)?;
        scheduler.note_revision()?;
        Ok(scheduler)
    }

    /// Fires slots until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), DaemonError> {
        loop {
            let earliest = self.wakes_at();
            tokio::select! {
                biased;
                () = told(&mut stop) => return Ok(()),
                changed = self.feed.next() => match changed {
                    Some(changed) => self.follow(&changed, clock::now())?,
                    None => return Ok(()),
                },
                rung = self.alarm.wait(earliest) => {
                    rung?;
                    self.fire(clock::now()).await?;
                }
            }
        }
    }

    /// When there is something to do next.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        if !self.ahead.is_empty() {
            return Some(Timestamp::MIN);
        }
        self.timers.lock().earliest().map(|at| at.saturating_sub(AHEAD).unwrap_or(Timestamp::MIN))
    }

    fn load_all(&mut self, now: Timestamp) -> Result<(), DaemonError> {
        let ledger = self.ledger.clone();
        for deployment in ledger.deployments() {
            self.set_timers(&deployment?, now)?;
        }
        Ok(())
    }

    /// Sets the timers of what has changed.
    pub fn follow(&mut self, changed: &[Changed], now: Timestamp) -> Result<(), DaemonError> {
        for change in changed {
            match change {
                Changed::Deployment(id) => match self.ledger.deployment(*id)? {
                    Some(deployment) => self.set_timers(&deployment, now)?,
                    None => self.timers.lock().set_deployment(*id, Vec::new()),
                },
                Changed::Everything => {
                    *self.timers.lock() = Timers::default();
                    self.load_all(now)?;
                }
                _ => {}
            }
        }
        match changed.iter().any(|change| !matches!(change, Changed::Run(_))) {
            true => self.note_revision(),
            false => Ok(()),
        }
    }

    fn note_revision(&self) -> Result<(), DaemonError> {
        let revision = self.ledger.revision()?;
        self.timers.revision.send_if_modified(|reached| std::mem::replace(reached, revision) != revision);
        Ok(())
    }

    /// A timer stands at the first slot that is still open, which may lie in the past: then it rings at once.
    fn set_timers(&mut self, deployment: &Deployment, now: Timestamp) -> Result<(), LedgerError> {
        let mut timers = Vec::new();
        for schedule in deployment.firing_schedules() {
            let progress = self.progress(schedule)?;
            if progress.is_ahead(now) {
                self.ahead.push((schedule.id, Cursor { slot: now.saturating_sub(BEFORE).unwrap_or(now) }));
            }
            match schedule.declared.spec.parse() {
                Ok(rule) => {
                    let at = open_from(&rule, progress, now);
                    timers.extend(at.map(|at| (schedule.id, at)));
                }
                // It was checked when it was applied; a rule that an older reeve took is left out and said.
                Err(error) => tracing::error!(deployment = %deployment.name, schedule = %schedule.key, "schedule is skipped: {error}"),
            }
        }
        self.timers.lock().set_deployment(deployment.id, timers);
        Ok(())
    }

    fn progress(&self, schedule: &Schedule) -> Result<Progress, LedgerError> {
        let cursor = self.ledger.cursor(schedule.id)?.map(|cursor| cursor.slot);
        Ok(Progress { effective_since: schedule.effective_since, cursor })
    }

    /// Makes runs of everything that is due `AHEAD` of `now`. After the clock was set back the timers stand where the wrong clock had
    /// brought them, so they are set anew.
    pub async fn fire(&mut self, now: Timestamp) -> Result<(), DaemonError> {
        if self.last_pass.saturating_sub(CLOCK_TOLERANCE).is_ok_and(|earlier| now < earlier) {
            tracing::warn!("the clock was set back from {} to {now}", self.last_pass);
            self.load_all(now)?;
        }
        self.last_pass = now;
        self.set_cursors_back().await?;
        let horizon = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        let timers = self.timers.lock().due(horizon, TIMERS_PER_PASS);
        let mut unit = self.ledger.unit();
        let mut moves = Vec::new();
        for timer in timers {
            let next = self.slots_of(timer, now, horizon, &mut unit, &mut moves).await?;
            moves.push((timer, next));
        }
        self.commit(unit, &mut moves).await
    }

    async fn set_cursors_back(&mut self) -> Result<(), DaemonError> {
        let mut unit = self.ledger.unit();
        for (schedule, cursor) in std::mem::take(&mut self.ahead) {
            if !unit.has_room() {
                std::mem::replace(&mut unit, self.ledger.unit()).commit().await?;
            }
            unit.set_cursor(schedule, cursor)?;
        }
        Ok(unit.commit().await?)
    }

    /// Adds the runs of one schedule's due slots to the unit, and returns when to look at it again.
    async fn slots_of(
        &self,
        timer: Timer,
        now: Timestamp,
        horizon: Timestamp,
        unit: &mut Unit,
        moves: &mut Vec<(Timer, Option<Timestamp>)>,
    ) -> Result<Option<Timestamp>, DaemonError> {
        let Some((deployment, schedule)) = self.schedule(timer.deployment, timer.schedule)? else { return Ok(None) };
        let Ok(rule) = schedule.declared.spec.parse() else { return Ok(None) };
        let open = due(&rule, self.progress(&schedule)?, &schedule.declared.policy, horizon);
        for slot in slots(&open) {
            if !unit.has_room() {
                let full = std::mem::replace(unit, self.ledger.unit());
                self.commit(full, moves).await?;
            }
            let run = run_of_slot(&deployment, &schedule, &rule, slot.at(), now);
            self.add(run, &slot, now, unit)?;
            unit.set_cursor(schedule.id, Cursor { slot: slot.at() })?;
        }
        tell_of_missed(&deployment, &open);
        Ok(open.next)
    }

    /// Adds a slot's run, or the record that it was missed, where there is none yet.
    fn add(&self, run: FlowRun, slot: &Slot<'_>, now: Timestamp, unit: &mut Unit) -> Result<(), DaemonError> {
        let context = Context { now, force: true };
        let missed = |message: String| Proposed::new(StateType::Cancelled).named(names::MISSED).message(message);
        match (self.ledger.run(run.id)?, slot) {
            (None, Slot::Runs(_)) => unit.create_run(&run)?,
            (None, Slot::Missed(at)) => unit.create_run_in(&run, missed(format!("slot {at} passed while nothing ran")), context)?,
            (None, Slot::MissedBefore(slots)) => {
                let record = FlowRun { missed: Some((*slots).clone()), ..run };
                unit.create_run_in(&record, missed(slots.to_string()), context)?;
            }
            // The clock was ahead when it was recorded as missed.
            (Some(there), Slot::Runs(_)) if there.state.name == names::MISSED && there.state.timestamp > now => {
                // What the record stands for besides its own slot was missed all the same.
                let missed = there.missed.map(|missed| MissedSlots { count: missed.count.saturating_sub(1), ..missed }).filter(|missed| missed.count > 0);
                let others = missed.as_ref().map(|missed| format!("; {missed}")).unwrap_or_default();
                let message = Some(format!("recorded as missed by a clock that was ahead{others}"));
                unit.make_again(&FlowRun { state: State { message, ..run.state.clone() }, missed, ..run })?;
            }
            (Some(_), _) => {}
        }
        Ok(())
    }

    /// Commits, then moves the timers: a timer that moved before its slot is durable would lose the slot.
    async fn commit(&self, unit: Unit, moves: &mut Vec<(Timer, Option<Timestamp>)>) -> Result<(), DaemonError> {
        match unit.commit().await {
            Ok(()) => {
                let mut timers = self.timers.lock();
                for (timer, at) in moves.drain(..) {
                    timers.move_to(timer, at);
                }
                Ok(())
            }
            // Somebody made one of these runs meanwhile. The timers stay where they are and ring again at once.
            Err(LedgerError::Conflict(_)) => {
                moves.clear();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn schedule(&self, deployment: DeploymentId, schedule: ScheduleId) -> Result<Option<(Deployment, Schedule)>, LedgerError> {
        let Some(deployment) = self.ledger.deployment(deployment)? else { return Ok(None) };
        let found = deployment.firing_schedules().find(|candidate| candidate.id == schedule).cloned();
        Ok(found.map(|schedule| (deployment, schedule)))
    }
}

/// A slot, and what becomes of it.
enum Slot<'a> {
    Runs(Timestamp),
    Missed(Timestamp),
    MissedBefore(&'a MissedSlots),
}

impl Slot<'_> {
    fn at(&self) -> Timestamp {
        match self {
            Slot::Runs(at) | Slot::Missed(at) => *at,
            Slot::MissedBefore(missed) => missed.to,
        }
    }
}

/// Oldest first, so that a cursor may stand after each of them.
fn slots(open: &Due) -> impl Iterator<Item = Slot<'_>> {
    let before = open.missed_before.iter().map(Slot::MissedBefore);
    let missed = open.missed.iter().copied().map(Slot::Missed);
    before.chain(missed).chain(open.runs.iter().copied().map(Slot::Runs))
}

fn tell_of_missed(deployment: &Deployment, open: &Due) {
    let before = open.missed_before.as_ref().map_or(0, |missed| missed.count);
    let missed = before + open.missed.len() as u64;
    if missed > 0 {
        let more = if open.missed_before.as_ref().is_some_and(|missed| missed.more) { "more than " } else { "" };
        tracing::info!(deployment = %deployment.name, "{more}{missed} slots passed while nothing ran, and are recorded as Missed");
    }
}
