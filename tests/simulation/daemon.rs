//! A daemon in virtual time: the real scheduler, ledger and decisions, each told the instant. Only the order in which the dispatcher
//! looks at things is written out here, as `daemon::dispatcher` does it, because processes are stood in for.
use super::world::{Clock, Disk, Processes};
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use reeve::daemon::DaemonError;
use reeve::daemon::scheduler::{Scheduler, Upcoming};
use reeve::dispatch::queue::{Cancelled, Holder, Snapshot, Verdict, Waiting, decide};
use reeve::dispatch::scheduled::is_void;
use reeve::model::id::FlowRunId;
use reeve::model::policy::Overlap;
use reeve::model::run::FlowRun;
use reeve::model::state::{Proposed, StateType, names};
use reeve::model::transition::{Context, Decision};
use reeve::store::ledger::{Feed, Ledger, LedgerError};
use reeve::store::ram::RamStore;
use reeve::store::redo;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A run is claimed this long before it is due, as the dispatcher does it.
const CLAIM_AHEAD: SignedDuration = SignedDuration::from_millis(100);

/// More passes than this at one instant are a daemon that spins.
const MOST_PASSES: usize = 5_000;

/// Why a daemon goes on no more: it was killed, which its disk knows, or it failed.
pub struct Ended(pub String);

impl From<LedgerError> for Ended {
    fn from(error: LedgerError) -> Self {
        Ended(error.to_string())
    }
}

impl From<DaemonError> for Ended {
    fn from(error: DaemonError) -> Self {
        Ended(error.to_string())
    }
}

pub struct Daemon {
    pub disk: Arc<Disk>,
    pub ledger: Ledger,
    feed: Feed,
    scheduler: Scheduler,
    /// When the dispatcher has to look again.
    next_look: Option<Timestamp>,
}

impl Daemon {
    /// Opens what is on the disk, as a daemon that starts does.
    pub fn start(content: &Arc<RamStore>, now: Timestamp) -> Result<Self, Ended> {
        redo::replay(&**content).map_err(|error| Ended(error.to_string()))?;
        let disk = Disk::new(content.clone());
        let ledger = Ledger::new(disk.clone());
        let feed = ledger.feed();
        let scheduler = Scheduler::load(ledger.clone(), Upcoming::default(), now)?;
        Ok(Daemon { disk, ledger, feed, scheduler, next_look: None })
    }

    /// When it wakes by itself; `None`: when something changes.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        self.scheduler.wakes_at().into_iter().chain(self.next_look).min()
    }

    pub fn next_slot(&self) -> Option<Timestamp> {
        self.scheduler.wakes_at()
    }

    /// Everything that is to be done at this instant. An error of a disk that is dead is the kill itself.
    pub async fn pass(&mut self, clock: Clock, processes: &mut Processes, lasts: &dyn Fn(FlowRunId) -> i64) -> Result<(), Ended> {
        for _ in 0..MOST_PASSES {
            let before = self.ledger_sequence();
            self.follow(clock.now)?;
            if self.scheduler.wakes_at().is_some_and(|at| at <= clock.now) {
                self.scheduler.fire(clock.now).await?;
            }
            self.follow(clock.now)?;
            self.dispatch(clock, processes, lasts).await?;
            let awake = self.wakes_at().is_some_and(|at| at <= clock.now);
            if !awake && before == self.ledger_sequence() {
                return Ok(());
            }
        }
        Err(Ended(format!("it spins at {}: scheduler {:?}, dispatcher {:?}", clock.now, self.scheduler.wakes_at(), self.next_look)))
    }

    fn ledger_sequence(&self) -> u64 {
        use reeve::store::ReadStore;
        self.disk.sequence()
    }

    /// The scheduler hears of what was committed.
    pub fn follow(&mut self, now: Timestamp) -> Result<(), Ended> {
        while let Some(Some(changed)) = self.feed.next().now_or_never() {
            self.scheduler.follow(&changed, now)?;
        }
        Ok(())
    }

    /// Looks at every run that is not over, decides, makes it durable, and only then acts.
    async fn dispatch(&mut self, clock: Clock, processes: &mut Processes, lasts: &dyn Fn(FlowRunId) -> i64) -> Result<(), Ended> {
        let now = clock.now;
        let (mut waiting, mut holders) = (BTreeMap::new(), Vec::new());
        for id in self.ledger.active_run_ids()? {
            let Some(run) = self.ledger.run(id)? else { continue };
            match run.state.kind {
                StateType::Scheduled => {
                    if let Some(run) = self.wait_for(run, now).await? {
                        waiting.insert(id, run);
                    }
                }
                _ => holders.extend(self.go_on(&run, now, processes).await?),
            }
        }
        let horizon = now + CLAIM_AHEAD;
        let due: Vec<&Waiting> = waiting.values().filter(|run| run.due <= horizon).collect();
        let pools = BTreeMap::new();
        let snapshot = Snapshot { pools: &pools, holders: &mut holders.iter(), kinds: &["process"], now, horizon };
        let mut blocked = Vec::new();
        let mut starting = Vec::new();
        for (run, verdict) in decide(snapshot, &due) {
            match verdict {
                Verdict::Start { .. } => starting.push(run),
                Verdict::Wait(_) => blocked.push(run),
                Verdict::Supersede { stop, .. } => {
                    blocked.push(run);
                    for earlier in stop {
                        self.propose(earlier, Proposed::new(StateType::Cancelling), now).await?;
                    }
                }
                Verdict::Cancel(why) => {
                    let name = match why {
                        Cancelled::Skipped(_) => names::SKIPPED,
                        Cancelled::Expired => names::EXPIRED,
                        Cancelled::DeploymentFull => "Cancelled",
                    };
                    self.propose(run, Proposed::new(StateType::Cancelled).named(name), now).await?;
                }
            }
        }
        self.claim(&starting, clock, processes, lasts).await?;
        let unblocked = waiting.values().filter(|run| !blocked.contains(&run.run) && !starting.contains(&run.run));
        let claims = unblocked.map(|run| run.due - CLAIM_AHEAD);
        let expires = waiting.values().filter_map(|run| run.expires).map(|at| at + SignedDuration::from_micros(1));
        self.next_look = claims.chain(expires).filter(|at| *at > now).min();
        Ok(())
    }

    async fn wait_for(&self, run: FlowRun, now: Timestamp) -> Result<Option<Waiting>, Ended> {
        let Some(id) = run.deployment_id else { return Ok(None) };
        let deployment = self.ledger.deployment(id)?;
        if is_void(&run, deployment.as_ref(), now) {
            let mut unit = self.ledger.unit();
            unit.take_back_run(run.id)?;
            unit.commit().await?;
            return Ok(None);
        }
        let gone = match &deployment {
            None => Some("its deployment was deleted before it could start"),
            Some(deployment) if run.slot.is_some() && run.run_count == 0 && deployment.paused() => Some("its deployment was paused before it could start"),
            Some(_) => None,
        };
        if let Some(reason) = gone {
            self.propose(run.id, Proposed::new(StateType::Cancelled).message(reason), now).await?;
            return Ok(None);
        }
        let schedules = deployment.map(|deployment| deployment.schedules).unwrap_or_default();
        let policy = run.slot.as_ref().and_then(|slot| schedules.iter().find(|schedule| schedule.id == slot.schedule)).map(|schedule| &schedule.declared.policy);
        let due = run.scheduled_time().unwrap_or(run.expected_start_time);
        Ok(Some(Waiting {
            run: run.id,
            due,
            expires: policy.and_then(|policy| policy.expire_after).map(|after| due + after.duration()),
            overlap: policy.map_or(Overlap::Allow, |policy| policy.overlap),
            first_attempt: true,
            deployment: run.deployment_id,
            deployment_name: run.deployment.as_ref().map(ToString::to_string),
            limit: None,
            pool: None,
            queue: None,
            tags: Vec::new(),
        }))
    }

    /// A run that was claimed: what became of its process. One that was never started, because the daemon was killed before it,
    /// is found out and Crashed.
    async fn go_on(&self, run: &FlowRun, now: Timestamp, processes: &mut Processes) -> Result<Option<Holder>, Ended> {
        let cancelling = run.state.kind == StateType::Cancelling;
        if cancelling {
            processes.stop(run.id);
        }
        match processes.started.get_mut(&run.id) {
            Some(process) if !process.over => {
                let holder = Holder { run: run.id, between_attempts: false, stopping: cancelling, deployment: run.deployment_id, pool: None, queue: None };
                return Ok(Some(holder));
            }
            Some(_) => {
                let end = if cancelling { StateType::Cancelled } else { StateType::Completed };
                self.propose(run.id, Proposed::new(end), now).await?;
                if let Some(process) = processes.started.get_mut(&run.id) {
                    process.noted = true;
                }
            }
            None => self.propose(run.id, Proposed::new(if cancelling { StateType::Cancelled } else { StateType::Crashed }), now).await?,
        }
        Ok(None)
    }

    /// Pending on disk first, then the process.
    async fn claim(&self, starting: &[FlowRunId], clock: Clock, processes: &mut Processes, lasts: &dyn Fn(FlowRunId) -> i64) -> Result<(), Ended> {
        let mut unit = self.ledger.unit();
        let mut claimed = Vec::new();
        for id in starting {
            let context = Context { now: clock.now, force: false, has_infrastructure: false };
            if let Decision::Accept(_) = unit.propose(*id, Proposed::new(StateType::Pending), context)?.decision {
                claimed.push(*id);
            }
        }
        unit.commit().await?;
        for id in claimed {
            processes.start(id, clock, lasts(id));
        }
        Ok(())
    }

    async fn propose(&self, id: FlowRunId, proposed: Proposed, now: Timestamp) -> Result<(), Ended> {
        let context = Context { now, force: false, has_infrastructure: true };
        self.ledger.propose(id, proposed, context).await?;
        Ok(())
    }
}
