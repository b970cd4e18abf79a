//! A daemon in virtual time: the real scheduler, ledger and decisions, each told the instant. Only the order in which the dispatcher
//! looks at things is written out here, as `daemon::dispatcher` does it, because processes are stood in for.
use super::world::{Clock, Disk, Processes};
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use reeve::daemon::DaemonError;
use reeve::daemon::scheduler::{Scheduler, Upcoming};
use reeve::dispatch::queue::{Cancelled, Capacity, Holder, Snapshot, Verdict, Waiting, decide};
use reeve::dispatch::scheduled::is_void;
use reeve::model::id::FlowRunId;
use reeve::model::run::FlowRun;
use reeve::model::state::{Proposed, StateType, names};
use reeve::model::transition::{Context, Decision};
use reeve::store::ledger::{Changed, Feed, Ledger, LedgerError};
use reeve::store::ram::RamStore;
use reeve::store::redo;
use std::collections::{BTreeMap, HashMap};
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
    waiting: BTreeMap<FlowRunId, Waiting>,
    /// Runs that were claimed and are not known to be over.
    going: BTreeMap<FlowRunId, Holder>,
    /// When the dispatcher has to look again.
    next_look: Option<Timestamp>,
}

impl Daemon {
    /// Opens what is on the disk, as a daemon that starts does.
    pub async fn start(content: &Arc<RamStore>, now: Timestamp) -> Result<Self, Ended> {
        redo::replay(&**content).map_err(|error| Ended(error.to_string()))?;
        let disk = Disk::new(content.clone());
        let ledger = Ledger::new(disk.clone());
        let feed = ledger.feed();
        let scheduler = Scheduler::load(ledger.clone(), Upcoming::default(), now)?;
        let mut daemon = Daemon { disk, ledger, feed, scheduler, waiting: BTreeMap::new(), going: BTreeMap::new(), next_look: Some(now) };
        for id in daemon.ledger.active_run_ids()? {
            daemon.look_at(id, now).await?;
        }
        Ok(daemon)
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
            let mut changed = self.follow(clock.now).await?;
            if self.scheduler.wakes_at().is_some_and(|at| at <= clock.now) {
                self.scheduler.fire(clock.now).await?;
                changed |= self.follow(clock.now).await?;
            }
            changed |= self.note_ends(clock.now, processes).await?;
            if changed || self.next_look.is_some_and(|at| at <= clock.now) {
                self.decide(clock, processes, lasts).await?;
            } else if self.scheduler.wakes_at().is_none_or(|at| at > clock.now) {
                return Ok(());
            }
        }
        Err(Ended(format!("it spins at {}: scheduler {:?}, dispatcher {:?}", clock.now, self.scheduler.wakes_at(), self.next_look)))
    }

    /// Scheduler and dispatcher hear of what was committed. Whether anything was.
    async fn follow(&mut self, now: Timestamp) -> Result<bool, Ended> {
        let mut any = false;
        while let Some(Some(changed)) = self.feed.next().now_or_never() {
            any = true;
            self.scheduler.follow(&changed, now)?;
            for change in changed {
                let concerned: Vec<FlowRunId> = match change {
                    Changed::Run(id) => vec![id],
                    Changed::Deployment(id) => self.waiting.values().filter(|run| run.deployment == Some(id)).map(|run| run.run).collect(),
                    Changed::Everything => self.ledger.active_run_ids()?,
                    _ => Vec::new(),
                };
                for id in concerned {
                    self.look_at(id, now).await?;
                }
            }
        }
        Ok(any)
    }

    /// Looks at a run as it is now, and puts it where it belongs.
    async fn look_at(&mut self, id: FlowRunId, now: Timestamp) -> Result<(), Ended> {
        self.waiting.remove(&id);
        self.going.remove(&id);
        let Some(run) = self.ledger.run(id)? else { return Ok(()) };
        match run.state.kind {
            StateType::Scheduled => {
                if let Some(waiting) = self.wait_for(run, now).await? {
                    self.waiting.insert(id, waiting);
                }
            }
            kind if kind.is_terminal() => {}
            _ => drop(self.going.insert(id, Holder::of(&run))),
        }
        Ok(())
    }

    /// Decides who starts now, makes it durable, and only then acts.
    async fn decide(&mut self, clock: Clock, processes: &mut Processes, lasts: &dyn Fn(FlowRunId) -> i64) -> Result<(), Ended> {
        let now = clock.now;
        let horizon = now + CLAIM_AHEAD;
        let due: Vec<&Waiting> = self.waiting.values().filter(|run| run.due <= horizon).collect();
        let ledger = &self.ledger;
        let capacity = Capacity::of(&ledger.work_pools()?, &ledger.work_queues()?, &ledger.tag_limits()?);
        let (kinds, served) = (&["process"], HashMap::new());
        let snapshot = Snapshot { capacity: &capacity, holders: &mut self.going.values(), served: &served, kinds, now, horizon };
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
        let unblocked = self.waiting.values().filter(|run| !blocked.contains(&run.run) && !starting.contains(&run.run));
        let claims = unblocked.map(|run| run.due - CLAIM_AHEAD);
        let expires = self.waiting.values().filter_map(|run| run.expires).map(|at| at + SignedDuration::from_micros(1));
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
        Ok(deployment.map(|deployment| Waiting::of(&run, &deployment, now)))
    }

    /// Writes down what became of the processes of runs that were claimed. A process that was never started, because the daemon was
    /// killed before it, is found out, and its run Crashed. Whether there was anything to write down.
    async fn note_ends(&mut self, now: Timestamp, processes: &mut Processes) -> Result<bool, Ended> {
        let mut any = false;
        for holder in self.going.values() {
            if holder.stopping {
                processes.stop(holder.run);
            }
            let process = processes.started.get_mut(&holder.run);
            let end = match (&process, holder.stopping) {
                (Some(process), _) if !process.over => continue,
                (_, true) => StateType::Cancelled,
                (Some(_), false) => StateType::Completed,
                (None, false) => StateType::Crashed,
            };
            self.propose(holder.run, Proposed::new(end), now).await?;
            if let Some(process) = process {
                process.noted = true;
            }
            any = true;
        }
        if any {
            self.follow(now).await?;
        }
        Ok(any)
    }

    /// Pending on disk first, then the process.
    async fn claim(&self, starting: &[FlowRunId], clock: Clock, processes: &mut Processes, lasts: &dyn Fn(FlowRunId) -> i64) -> Result<(), Ended> {
        let mut unit = self.ledger.unit();
        let mut claimed = Vec::new();
        for id in starting {
            let context = Context { now: clock.now, force: false };
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
        let context = Context { now, force: false };
        self.ledger.propose(id, proposed, context).await?;
        Ok(())
    }
}
