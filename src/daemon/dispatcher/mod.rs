//! Hands due runs to executors and writes down what becomes of them.
//!
//! One task. It sleeps until a run changes, an executor reports, or the next waiting run is due; then it decides
//! (`dispatch::queue`), makes the decisions durable, and only then acts on them:
//! * a run is Pending, with the number of its attempt, *before* its process is started, so that no crash starts it twice;
//! * a restarted daemon asks the executor what became of every run that was begun (`recover`, `adopt`);
//! * slots are held by the runs in `active`, and a run leaves it when its executor says that it is over, however it ended.
mod active;
mod in_flight;
mod reports;
mod starting;

use crate::daemon::signals::told;
use super::alarm::Alarm;
use super::error::DaemonError;
use super::narrator::Narrator;
use crate::clock;
use crate::dispatch::queue::{Cancelled, Capacity, Holder, Reason, Snapshot, Verdict, Waiting, decide, Heads, heads};
use crate::dispatch::due::still_runs;
use crate::dispatch::scheduled::{ends_with_pause, is_void, was_missed};
use crate::executor::{Executor, KINDS, Report};
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::run::FlowRun;
use crate::model::state::{Proposed, StateType, names};
use crate::model::status::RunCounts;
use crate::model::transition::Context;
use crate::settings::Home;
use crate::store::ledger::{Changed, Feed, Ledger, LedgerError};
use active::Active;
use jiff::{SignedDuration, Timestamp};
use in_flight::InFlight;
use reports::REPORTS_PER_COMMIT;
use starting::{Begun, Claimed};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Reports that executors may have under way; more wait where they are made.
const REPORTS: usize = 1_024;

/// A run is claimed, and its supervisor started, this long before it is due: the supervisor starts the run's process at the
/// instant itself, so that neither the disk nor the start of a process makes it late.
const AHEAD: SignedDuration = SignedDuration::from_millis(100);

/// So many late runs are marked in one commit.
const MARKED_TOGETHER: usize = 64;

/// How many starts may be under way at once: more only compete for the processors. New ones are decided when half of
/// them are free: a decision looks at every run that is due, and with thousands of them should not be made for each start.
const STARTS_AT_ONCE: usize = 64;

/// The task that owns the runs that are not over.
pub struct Dispatcher {
    ledger: Ledger,
    home: Home,
    feed: Feed,
    executors: BTreeMap<&'static str, Arc<dyn Executor>>,
    capacity: Capacity,
    waiting: BTreeMap<FlowRunId, Waiting>,
    /// Why a due run does not start. Emptied when a slot, a pool, a queue or a limit changes: then all are asked again.
    blocked: HashMap<FlowRunId, Reason>,
    /// Runs that something is in the way of shortly before they are due: they are asked again when they are.
    not_ahead: HashSet<FlowRunId>,
    active: HashMap<FlowRunId, Active>,
    /// When a run of a deployment was claimed last, of those of which others wait. A restarted daemon begins anew.
    served: HashMap<DeploymentId, Timestamp>,
    reports: mpsc::Receiver<Report>,
    report_sender: mpsc::Sender<Report>,
    /// Reports that are not yet being written down.
    backlog: VecDeque<Report>,
    noting: Option<InFlight<Vec<Report>>>,
    claiming: Option<InFlight<Vec<Claimed>>>,
    starts: JoinSet<Begun>,
    alarm: Alarm,
    /// The instant of the last pass: a clock that shows less has been set back.
    last_pass: Timestamp,
    counts: watch::Sender<RunCounts>,
    narrator: Narrator,
}

impl Dispatcher {
    /// Reads the pools and every run that is not over, and finds again what a former daemon started.
    pub async fn load(ledger: Ledger, home: Home, counts: watch::Sender<RunCounts>, narrator: Narrator) -> Result<Self, DaemonError> {
        let (report_sender, reports) = mpsc::channel(REPORTS);
        let mut executors: BTreeMap<&'static str, Arc<dyn Executor>> = BTreeMap::new();
        for kind in KINDS {
            executors.insert(kind.name, (kind.make)()?);
        }
        let mut dispatcher = Dispatcher {
            feed: ledger.feed(),
            capacity: capacity_of(&ledger)?,
            ledger,
            home,
            executors,
            waiting: BTreeMap::new(),
            blocked: HashMap::new(),
            not_ahead: HashSet::new(),
            active: HashMap::new(),
            served: HashMap::new(),
            reports,
            report_sender,
            backlog: VecDeque::new(),
            noting: None,
            claiming: None,
            starts: JoinSet::new(),
            alarm: Alarm::new()?,
            last_pass: clock::now(),
            counts,
            narrator,
        };
        dispatcher.ledger.count_active()?;
        for id in dispatcher.ledger.active_run_ids()? {
            dispatcher.settle_missed(id).await?;
            dispatcher.look_at(id).await?;
        }
        Ok(dispatcher)
    }

    /// A run that was made a moment before its slot, by a daemon that then ended, is what its slot is: missed.
    async fn settle_missed(&mut self, id: FlowRunId) -> Result<(), DaemonError> {
        let now = clock::now();
        let Some(run) = self.ledger.run(id)?.filter(|run| was_missed(run, now)) else { return Ok(()) };
        let Some(deployment) = run.deployment_id.map(|id| self.ledger.deployment(id)).transpose()?.flatten() else { return Ok(()) };
        let Some(slot) = &run.slot else { return Ok(()) };
        let schedule = deployment.schedules.iter().find(|schedule| schedule.id == slot.schedule);
        let runs = schedule.is_none_or(|schedule| {
            let rule = schedule.declared.spec.parse();
            rule.is_ok_and(|rule| still_runs(&rule, &schedule.declared.policy.missed, slot.at, now))
        });
        match runs {
            true => Ok(()),
            false => self.cancel_waiting(id, (Some(names::MISSED), format!("slot {} passed while nothing ran", slot.at))).await,
        }
    }

    /// Marks runs that wait past their time as Late, as Prefect does: it shows, and tells a later daemon that this one was there.
    async fn mark_late(&mut self, now: Timestamp) -> Result<(), DaemonError> {
        let mut late: Vec<(FlowRunId, Proposed)> = Vec::new();
        for run in self.waiting.values_mut().filter(|run| run.late_at.is_some_and(|at| at <= now)) {
            run.late_at = None;
            let proposed = Proposed::new(StateType::Scheduled).named(names::LATE).scheduled_time(run.due);
            let waits = self.blocked.get(&run.run).map(|reason| format!("it waits: {reason}"));
            late.push((run.run, waits.into_iter().fold(proposed, Proposed::message)));
        }
        for together in late.chunks(MARKED_TOGETHER) {
            let mut unit = self.ledger.unit();
            for (run, proposed) in together {
                match unit.propose(*run, proposed.clone(), self.context()) {
                    Ok(_) | Err(LedgerError::NoSuchRun(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match unit.commit().await {
                Ok(()) => {}
                // Somebody changed one of them meanwhile: each on its own.
                Err(LedgerError::Conflict(_)) => {
                    for (run, proposed) in together {
                        self.propose(*run, proposed.clone()).await?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Dispatches until told to stop. Runs go on without it.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), DaemonError> {
        loop {
            self.begin_noting()?;
            self.pass().await?;
            self.count();
            // Without room the alarm is not heard, and looking at every waiting run would be for nothing.
            let due = if self.has_room() { self.next_look() } else { None };
            tokio::select! {
                biased;
                () = told(&mut stop) => return self.finish().await,
                settled = InFlight::settled(&mut self.claiming) => self.claimed(settled).await?,
                settled = InFlight::settled(&mut self.noting) => self.noted(settled).await?,
                Some(report) = self.reports.recv(), if self.backlog.len() < REPORTS_PER_COMMIT => self.take_reports(report),
                Some(begun) = self.starts.join_next() => self.note_begun(begun).await?,
                changed = self.feed.next() => match changed {
                    Some(changed) => self.follow(changed).await?,
                    None => return Ok(()),
                },
                rung = self.alarm.wait(due), if self.has_room() => rung?,
            }
        }
    }

    /// Takes a report, and what else has been reported.
    fn take_reports(&mut self, first: Report) {
        self.backlog.push_back(first);
        while self.backlog.len() < REPORTS_PER_COMMIT
            && let Ok(report) = self.reports.try_recv()
        {
            self.backlog.push_back(report);
        }
    }

    /// What was begun is finished: starts that are under way, and the reports that are here.
    async fn finish(&mut self) -> Result<(), DaemonError> {
        if self.claiming.is_some() {
            let settled = InFlight::settled(&mut self.claiming).await;
            self.claimed(settled).await?;
        }
        while let Some(begun) = self.starts.join_next().await {
            self.note_begun(begun).await?;
        }
        while let Ok(report) = self.reports.try_recv() {
            self.backlog.push_back(report);
        }
        loop {
            self.begin_noting()?;
            if self.noting.is_none() {
                return Ok(());
            }
            let settled = InFlight::settled(&mut self.noting).await;
            self.noted(settled).await?;
        }
    }

    /// Looks again at what waits for a time that the clock, which was set back, may not show for long.
    async fn note_set_back(&mut self, now: Timestamp) -> Result<(), DaemonError> {
        if now < std::mem::replace(&mut self.last_pass, now) {
            self.served.clear();
            let to_come: Vec<FlowRunId> = self.waiting.values().filter(|run| run.due > now).map(|run| run.run).collect();
            for run in to_come {
                self.look_at(run).await?;
            }
        }
        Ok(())
    }

    /// Decides who starts now and begins it.
    async fn pass(&mut self) -> Result<(), DaemonError> {
        let now = clock::now();
        self.note_set_back(now).await?;
        if !self.has_room() || self.next_look().is_none_or(|at| at > now) {
            return Ok(());
        }
        self.mark_late(now).await?;
        self.not_ahead.retain(|run| self.waiting.get(run).is_some_and(|run| run.due > now));
        let room = STARTS_AT_ONCE - self.starts.len();
        let mut starting = Vec::new();
        let (verdicts, followers) = self.decide(now);
        let mut waits: HashMap<FlowRunId, Reason> = HashMap::new();
        for (run, verdict) in verdicts {
            if let Verdict::Wait(reason) = &verdict
                && !followers.is_empty()
            {
                waits.insert(run, reason.clone());
            }
            match verdict {
                Verdict::Start { pool, queue } if starting.len() < room => starting.push((run, pool, queue)),
                Verdict::Start { .. } => {}
                Verdict::Wait(Reason::NotDue) => drop(self.not_ahead.insert(run)),
                Verdict::Wait(reason) => self.block(run, reason),
                Verdict::Supersede { stop, reason } => {
                    self.block(run, reason);
                    self.supersede(stop, run).await?;
                }
                Verdict::Cancel(why) => self.cancel_waiting(run, cancelled(why)).await?,
            }
        }
        // What comes after a run that has to wait for a slot has to wait for it, too. The others are asked when those before them started.
        for (run, last) in followers {
            match waits.get(&last) {
                None => {}
                Some(Reason::NotDue) => drop(self.not_ahead.insert(run)),
                Some(reason) => self.block(run, reason.clone()),
            }
        }
        if starting.is_empty() { Ok(()) } else { self.begin(starting, now) }
    }

    /// The verdicts on the runs that are asked, and who follows which of them.
    fn decide(&self, now: Timestamp) -> (Vec<(FlowRunId, Verdict)>, Vec<(FlowRunId, FlowRunId)>) {
        let horizon = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        let due: Vec<&Waiting> = self.waiting.values().filter(|run| run.due <= horizon).collect();
        let kinds: Vec<&str> = self.executors.keys().copied().collect();
        let resting: Vec<Holder> = self.waiting.values().filter(|run| !run.first_attempt).map(resting).collect();
        let mut holders = self.active.values().map(|active| &active.holder).chain(&resting);
        let Heads { asked, followers } = heads(&due, STARTS_AT_ONCE, now);
        (decide(Snapshot { capacity: &self.capacity, holders: &mut holders, served: &self.served, kinds: &kinds, now, horizon }, &asked), followers)
    }

    /// Cancels runs to make way for another.
    async fn supersede(&mut self, runs: Vec<FlowRunId>, by: FlowRunId) -> Result<(), DaemonError> {
        for run in runs {
            let reason = format!("run {by} of the same deployment was due (overlap: cancel_running)");
            match self.active.get_mut(&run) {
                Some(active) => {
                    active.holder.stopping = true;
                    self.propose(run, Proposed::new(StateType::Cancelling).message(reason)).await?;
                }
                None => {
                    self.leave_waiting(run);
                    self.propose(run, Proposed::new(StateType::Cancelled).message(reason)).await?;
                }
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.claiming.is_none() && self.starts.len() <= STARTS_AT_ONCE / 2
    }

    /// When to decide next: when the first waiting run that could start is due (a little before), or when one expires. A run that
    /// waits for something else than its time is woken by what it waits for, and must not keep the alarm ringing.
    fn next_look(&self) -> Option<Timestamp> {
        let look_at = |run: &Waiting| {
            let due = match (self.blocked.contains_key(&run.run), self.not_ahead.contains(&run.run)) {
                (true, _) => None,
                (false, true) => Some(run.due),
                (false, false) => Some(run.due.saturating_sub(AHEAD).unwrap_or(Timestamp::MIN)),
            };
            due.into_iter().chain(run.expires.map(just_after)).chain(run.late_at).min()
        };
        self.waiting.values().filter_map(look_at).min()
    }

    async fn follow(&mut self, changed: Vec<Changed>) -> Result<(), DaemonError> {
        for change in changed {
            match change {
                Changed::Run(id) => self.look_at(id).await?,
                Changed::WorkPools | Changed::TagLimits => {
                    self.capacity = capacity_of(&self.ledger)?;
                    self.ask_all_again();
                }
                Changed::Deployment(id) => self.look_at_deployment(id).await?,
                Changed::Everything => {
                    self.capacity = capacity_of(&self.ledger)?;
                    self.waiting.clear();
                    for id in self.ledger.active_run_ids()? {
                        self.look_at(id).await?;
                    }
                    self.ask_all_again();
                }
                Changed::Tombstone(name) => self.look_at_tombstone(&name).await?,
                Changed::Project(_) => {}
            }
        }
        Ok(())
    }

    async fn look_at_deployment(&mut self, id: DeploymentId) -> Result<(), DaemonError> {
        let of_it: Vec<FlowRunId> =
            self.waiting.values().filter(|run| run.deployment == Some(id)).map(|run| run.run).collect();
        for run in of_it {
            self.look_at(run).await?;
        }
        Ok(())
    }

    /// Looks at a run as it is now, and puts it where it belongs.
    async fn look_at(&mut self, id: FlowRunId) -> Result<(), DaemonError> {
        let Some(run) = self.ledger.run(id)? else {
            self.leave_waiting(id);
            return self.stop_if_active(id).await;
        };
        match run.state.kind {
            StateType::Scheduled => self.wait_for(run).await,
            kind if kind.is_terminal() || kind == StateType::Cancelling => {
                self.leave_waiting(id);
                match self.active.contains_key(&id) || run.is_over() {
                    true => self.stop_if_active(id).await,
                    false => self.resume(run).await,
                }
            }
            _ => {
                self.waiting.remove(&id);
                match self.active.get_mut(&id) {
                    // Somebody gave it other tags: it holds other slots.
                    Some(active) if active.holder.tags != run.tags => {
                        active.holder.tags = run.tags;
                        self.ask_all_again();
                        Ok(())
                    }
                    Some(_) => Ok(()),
                    None => self.resume(run).await,
                }
            }
        }
    }

    /// A run waits no more. One that was between its attempts kept others from starting.
    fn leave_waiting(&mut self, id: FlowRunId) {
        if self.waiting.remove(&id).is_some_and(|run| !run.first_attempt) {
            self.ask_all_again();
        }
    }

    async fn wait_for(&mut self, run: FlowRun) -> Result<(), DaemonError> {
        if self.active.contains_key(&run.id) {
            // Its attempt is still being cleared away; its last report brings it here again.
            return Ok(());
        }
        let Some(deployment_id) = run.deployment_id else {
            // A run without a deployment is started by whoever made it.
            return Ok(());
        };
        let deployment = self.ledger.deployment(deployment_id)?;
        if is_void(&run, deployment.as_ref(), clock::now()) {
            return self.forget(run.id).await;
        }
        let Some(deployment) = deployment else {
            let gone = self.gone(&run)?;
            return self.cancel_waiting(run.id, (None, gone)).await;
        };
        if deployment.paused() && ends_with_pause(&run) {
            return self.cancel_waiting(run.id, (None, "its deployment was paused before it could start".to_owned())).await;
        }
        self.blocked.remove(&run.id);
        let waiting = Waiting::of(&run, &deployment, clock::now());
        self.waiting.insert(run.id, waiting);
        Ok(())
    }

    /// Takes back a run that was made of a slot to come, which is no more.
    async fn forget(&mut self, id: FlowRunId) -> Result<(), DaemonError> {
        self.waiting.remove(&id);
        let mut unit = self.ledger.unit();
        match unit.take_back_run(id) {
            Ok(()) => {}
            Err(LedgerError::NoSuchRun(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        match unit.commit().await {
            // Somebody touched it, and so made it stand.
            Ok(()) | Err(LedgerError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn cancel_waiting(&mut self, id: FlowRunId, (name, message): (Option<&'static str>, String)) -> Result<(), DaemonError> {
        self.waiting.remove(&id);
        let proposed = Proposed::new(StateType::Cancelled).message(message);
        self.propose(id, name.into_iter().fold(proposed, Proposed::named)).await
    }

    /// Proposes a state; a run that is gone or that refuses is left as it is.
    async fn propose(&mut self, id: FlowRunId, proposed: Proposed) -> Result<(), DaemonError> {
        match self.ledger.propose(id, proposed, self.context()).await {
            Ok(_) | Err(LedgerError::NoSuchRun(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn context(&self) -> Context {
        Context { now: clock::now(), force: false }
    }

    /// Something became free, or other: whatever waits for it is asked again.
    fn ask_all_again(&mut self) {
        self.blocked.clear();
        self.not_ahead.clear();
    }

    fn block(&mut self, id: FlowRunId, reason: Reason) {
        if self.blocked.get(&id) != Some(&reason) {
            tracing::debug!(run = %id, "the run waits: {reason}");
        }
        self.blocked.insert(id, reason);
    }

    fn count(&self) {
        let counts = RunCounts { waiting: self.waiting.len(), running: self.active.len() };
        self.counts.send_if_modified(|current| {
            let changed = *current != counts;
            *current = counts;
            changed
        });
    }
}

/// What limits how many runs go at once, as it is now.
fn capacity_of(ledger: &Ledger) -> Result<Capacity, LedgerError> {
    Ok(Capacity::of(&ledger.work_pools()?, &ledger.work_queues()?, &ledger.tag_limits()?))
}

/// A run between two attempts.
fn resting(run: &Waiting) -> Holder {
    let (pool, queue, tags) = (None, None, Vec::new());
    Holder { run: run.run, between_attempts: true, stopping: false, deployment: run.deployment, pool, queue, tags }
}

/// The name and the message of the state of a run that will never start.
fn cancelled(why: Cancelled) -> (Option<&'static str>, String) {
    match why {
        Cancelled::DeploymentFull => (None, "Deployment concurrency limit reached.".to_owned()),
        Cancelled::Skipped(why) => (Some(names::SKIPPED), why.to_string()),
        Cancelled::Expired => (Some(names::EXPIRED), "it could not start within the time that its schedule allows (expire_after)".to_owned()),
    }
}

fn just_after(instant: Timestamp) -> Timestamp {
    instant.saturating_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX)
}
