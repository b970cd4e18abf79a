//! From the decision that a run starts to its executor's word that it did.
use super::Dispatcher;
use super::active::{Active, Claim};
use super::in_flight::InFlight;
use crate::clock;
use crate::daemon::error::DaemonError;
use crate::daemon::job::{self, Refused};
use crate::executor::mask::masked;
use crate::executor::{Context as ExecutorContext, Handle, write_failure};
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::retry::EndCause;
use crate::model::run::FlowRun;
use crate::model::state::{Proposed, StateType};
use crate::model::transition::{Context, Decision};
use crate::store::ledger::LedgerError;
use jiff::Timestamp;
use std::collections::HashSet;
use tokio::task::JoinError;

/// What came of a start: the handle, or why nothing runs.
pub(super) type Begun = (FlowRunId, Result<Handle, Refused>);

/// A run with its claim.
pub(super) type Claimed = (FlowRun, Claim);

/// A run that may start, with the pool and queue that it starts from.
pub(super) type Starting = (FlowRunId, Option<String>, Option<String>);

impl Dispatcher {
    /// Begins to claim runs in one commit; `claimed` starts them. From now on they hold their slots.
    pub(super) fn begin(&mut self, starting: Vec<Starting>, now: Timestamp) -> Result<(), DaemonError> {
        let mut unit = self.ledger.unit();
        let mut claims = Vec::new();
        for (id, pool, queue) in starting {
            let waited = self.waiting.remove(&id);
            self.served.extend(waited.and_then(|run| Some((run.deployment?, now))));
            let context = Context { now, force: false };
            let directories = &self.home;
            let claim = |run: &FlowRun| Claim {
                executor: crate::executor::process::KIND.to_owned(),
                attempt: run.run_count + 1,
                run_directory: directories.attempt(run.id, run.run_count + 1),
                pool: pool.clone(),
                queue: queue.clone(),
            };
            let amend = |run: &mut FlowRun| {
                run.infrastructure = serde_json::to_value(claim(run)).ok();
                run.work_queue = queue.clone().or(run.work_queue.take());
            };
            match unit.propose_with(id, Proposed::new(StateType::Pending), context, amend) {
                Ok(outcome) if matches!(outcome.decision, Decision::Accept(_)) => {
                    let claim = claim(&outcome.run);
                    let holder = claim.holder(&outcome.run);
                    self.active.insert(id, Active { holder, claim: claim.clone(), handle: None });
                    claims.push((outcome.run, claim));
                }
                // It is gone, or in a state that cannot be claimed: whoever put it there runs it.
                Ok(_) | Err(LedgerError::NoSuchRun(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Who has no run that waits is not in line.
        let in_line: HashSet<DeploymentId> = self.waiting.values().filter_map(|run| run.deployment).collect();
        self.served.retain(|deployment, _| in_line.contains(deployment));
        self.claiming = Some(InFlight::new(unit, claims));
        Ok(())
    }

    /// Starts the runs whose claims are on disk.
    pub(super) async fn claimed(&mut self, (outcome, claims): (Result<(), LedgerError>, Vec<Claimed>)) -> Result<(), DaemonError> {
        match outcome {
            Ok(()) => {
                for (run, claim) in claims {
                    self.start(run, claim)?;
                }
            }
            // One of them changed meanwhile: look at each again and decide anew.
            Err(LedgerError::Conflict(_)) => {
                for (run, _) in claims {
                    self.active.remove(&run.id);
                    self.look_at(run.id).await?;
                }
                self.ask_all_again();
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn start(&mut self, run: FlowRun, claim: Claim) -> Result<(), DaemonError> {
        let deployment = match run.deployment_id {
            Some(id) => self.ledger.deployment(id)?,
            None => None,
        };
        let job = match deployment {
            Some(deployment) => {
                let pool = claim.pool.as_deref().map(|pool| self.ledger.work_pool(pool)).transpose()?.flatten();
                job::of_run(&run, &deployment, pool.as_ref(), claim.attempt, Some(&self.home.repositories()))
            }
            None => Err(Refused::Infrastructure("its deployment was deleted".to_owned())),
        };
        let context = ExecutorContext { run_directory: claim.run_directory.clone(), reports: self.report_sender.clone() };
        let executor = self.executors.get(claim.executor.as_str()).cloned();
        let narrator = self.narrator.clone();
        self.starts.spawn(async move {
            let directory = context.run_directory.clone();
            let started = match (job, executor) {
                (Ok(job), Some(executor)) => {
                    let secrets = job.secrets.clone();
                    executor.start(job, context).await.map_err(|error| Refused::Infrastructure(masked(&error.to_string(), &secrets)))
                }
                (Err(reason), _) => {
                    let (directory, said) = (directory.clone(), reason.to_string());
                    let written = tokio::task::spawn_blocking(move || write_failure(&directory, &said, clock::now())).await;
                    if let Ok(Err(error)) = written {
                        tracing::warn!(run = %run.id, "the reason why it did not start is not in its log: {error}");
                    }
                    Err(reason)
                }
                (_, None) => Err(Refused::Infrastructure("no executor of that kind is here".to_owned())),
            };
            if started.is_ok() {
                narrator.started(&run, &directory);
            }
            (run.id, started)
        });
        Ok(())
    }

    /// Notes the outcome of a start, and of all others that are there already.
    pub(super) async fn note_begun(&mut self, begun: Result<Begun, JoinError>) -> Result<(), DaemonError> {
        let mut next = Some(begun);
        while let Some(begun) = next {
            let (id, started) = begun.map_err(|error| DaemonError::TaskEnded { task: "start of a run", reason: error.to_string() })?;
            match started {
                Ok(handle) => {
                    if let Some(active) = self.active.get_mut(&id) {
                        active.handle = Some(handle);
                        if active.holder.stopping {
                            self.stop_if_active(id).await?;
                        }
                    }
                }
                Err(reason) => self.note_failed_start(id, reason).await?,
            }
            next = self.starts.try_join_next();
        }
        Ok(())
    }

    async fn note_failed_start(&mut self, id: FlowRunId, reason: Refused) -> Result<(), DaemonError> {
        let attempt = self.active.remove(&id).map(|active| active.claim.attempt);
        self.ask_all_again();
        let stopped = self.ledger.run(id)?.is_some_and(|run| run.state.kind == StateType::Cancelling);
        let kind = if stopped { StateType::Cancelled } else { reason.state() };
        let proposed = Proposed { cause: Some(EndCause::Lost), attempt, ..Proposed::new(kind).message(reason.to_string()) };
        self.propose(id, proposed).await?;
        if let Some(run) = self.ledger.run(id)? {
            self.narrator.ended(&run);
        }
        Ok(())
    }
}
