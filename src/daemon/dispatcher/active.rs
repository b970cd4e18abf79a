//! Runs that hold slots here, and finding them again after a restart.
use super::Dispatcher;
use crate::daemon::error::DaemonError;
use crate::daemon::job::{self, GRACE};
use crate::dispatch::queue::Holder;
use crate::executor::{Adoption, Context, Handle};
use crate::model::deployment::{FullName, OnDelete};
use crate::model::id::FlowRunId;
use crate::model::retry::EndCause;
use crate::model::run::FlowRun;
use crate::model::state::{Proposed, StateType};
use crate::model::stored::{ObjectName, Pruned, Tombstone};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// A run that was claimed here and is not known to be over.
#[derive(Debug, Clone)]
pub(super) struct Active {
    /// What it holds, and whether somebody wants it to end.
    pub holder: Holder,
    pub claim: Claim,
    /// `None` while it is being started.
    pub handle: Option<Handle>,
}

/// What is stored with a run when it is claimed, before anything is started: enough to find out after a crash
/// whether it was. Lives in `FlowRun::infrastructure`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub executor: String,
    pub attempt: u32,
    pub run_directory: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

impl Claim {
    /// `None` for a run that somebody else runs.
    pub fn of(run: &FlowRun) -> Option<Claim> {
        serde_json::from_value(run.infrastructure.clone()?).ok()
    }

    pub fn holder(&self, run: &FlowRun) -> Holder {
        Holder {
            run: run.id,
            between_attempts: false,
            stopping: false,
            deployment: run.deployment_id,
            pool: self.pool.clone(),
            queue: self.queue.clone(),
            tags: run.tags.clone(),
        }
    }
}

impl Dispatcher {
    /// Takes up a run that a former daemon claimed: what it began goes on, what it never began waits again.
    pub(super) async fn resume(&mut self, run: FlowRun) -> Result<(), DaemonError> {
        let Some(claim) = Claim::of(&run) else { return Ok(()) };
        let Some(executor) = self.executors.get(claim.executor.as_str()).cloned() else { return Ok(()) };
        let handle = match executor.recover(run.id.0, claim.attempt, &claim.run_directory).await {
            Ok(Some(handle)) => handle,
            Ok(None) => return self.resume_unbegun(&run, &claim).await,
            // One directory that cannot be read keeps no other run from being taken up.
            Err(error) => return self.give_up(&run, &claim, &error).await,
        };
        let context = Context { run_directory: claim.run_directory.clone(), reports: self.report_sender.clone() };
        let adoption = executor.adopt(handle.clone(), context).await;
        match adoption {
            Adoption::Running => self.narrator.found_again(&run, &claim.run_directory),
            Adoption::Ended => {}
        }
        let holder = claim.holder(&run);
        self.active.insert(run.id, Active { holder, claim, handle: Some(handle) });
        if run.is_over() || run.state.kind == StateType::Cancelling {
            return self.stop_if_active(run.id).await;
        }
        match &run.deployment {
            Some(deployment) => self.look_at_tombstone(deployment).await,
            None => Ok(()),
        }
    }

    /// Cancels the runs in progress of a deployment that was pruned, where its file asked for that (`on_delete: cancel`).
    pub(super) async fn look_at_tombstone(&mut self, name: &FullName) -> Result<(), DaemonError> {
        let Some(tombstone) = self.ledger.tombstone(&ObjectName::Deployment(name.clone()))? else { return Ok(()) };
        let Pruned::Deployment(pruned) = &tombstone.object else { return Ok(()) };
        if pruned.declared.on_delete != OnDelete::Cancel || self.ledger.deployment(pruned.id)?.is_some() {
            return Ok(());
        }
        let of_it = self.active.values_mut().filter(|active| active.holder.deployment == Some(pruned.id) && !active.holder.stopping);
        let runs: Vec<FlowRunId> = of_it
            .map(|active| {
                active.holder.stopping = true;
                active.holder.run
            })
            .collect();
        for run in runs {
            let message = format!("{} (on_delete: cancel)", pruned_by(&tombstone.project));
            self.propose(run, Proposed::new(StateType::Cancelling).message(message)).await?;
        }
        Ok(())
    }

    /// Why a run whose deployment is gone is not started, or not again.
    pub(super) fn gone(&self, run: &FlowRun) -> Result<String, DaemonError> {
        let name = run.deployment.clone().map(ObjectName::Deployment);
        let tombstone = name.map(|name| self.ledger.tombstone(&name)).transpose()?.flatten();
        let is_its_own = |tombstone: &Tombstone| matches!(&tombstone.object, Pruned::Deployment(pruned) if Some(pruned.id) == run.deployment_id);
        let tombstone = tombstone.filter(is_its_own);
        let what = tombstone.map_or_else(|| "its deployment was deleted".to_owned(), |tombstone| pruned_by(&tombstone.project));
        let when = if run.run_count == 0 { "it could start" } else { "its next attempt, for which nothing is left to say what to run" };
        Ok(format!("{what} before {when}"))
    }

    async fn resume_unbegun(&mut self, run: &FlowRun, claim: &Claim) -> Result<(), DaemonError> {
        let proposed = match run.state.kind {
            StateType::Pending => Proposed::new(StateType::Scheduled)
                .scheduled_time(run.scheduled_time().unwrap_or(run.expected_start_time))
                .message("the daemon ended before it could start the run"),
            StateType::Cancelling => Proposed::new(StateType::Cancelled).message("cancelled before it was started"),
            _ => Proposed::new(StateType::Crashed).message(format!(
                "the run's directory {} was removed while no daemon was watching, and no process of the run is left: nobody can tell how it ended",
                claim.run_directory.display()
            )),
        };
        self.propose_end(run, proposed).await
    }

    /// A run of which nothing can be found out, and no process is left.
    async fn give_up(&mut self, run: &FlowRun, claim: &Claim, error: &io::Error) -> Result<(), DaemonError> {
        let evidence = format!("the run's directory {} cannot be read ({error}), and no process of the run is left", claim.run_directory.display());
        tracing::error!(source = format!("flow run '{}'", run.name), "{evidence}: it is given up");
        let proposed = match run.state.kind {
            StateType::Cancelling => Proposed::new(StateType::Cancelled).message(evidence),
            _ => Proposed::new(StateType::Crashed).message(format!("{evidence}: nobody can tell how it ended")),
        };
        self.propose_end(run, proposed).await
    }

    /// What crashes so is lost; it waits again where its retries say so.
    async fn propose_end(&mut self, run: &FlowRun, proposed: Proposed) -> Result<(), DaemonError> {
        let lost = proposed.kind == StateType::Crashed;
        let proposed = Proposed { cause: lost.then_some(EndCause::Lost), ..proposed };
        self.propose(run.id, proposed).await?;
        match self.ledger.run(run.id)? {
            Some(run) if run.state.kind == StateType::Scheduled => self.wait_for(run).await,
            _ => Ok(()),
        }
    }

    /// Ends a run's processes, if it has any here. Harmless when repeated.
    pub(super) async fn stop_if_active(&mut self, id: FlowRunId) -> Result<(), DaemonError> {
        let Some(active) = self.active.get_mut(&id) else { return Ok(()) };
        active.holder.stopping = true;
        let Some(executor) = self.executors.get(active.claim.executor.as_str()) else { return Ok(()) };
        let Some(handle) = &active.handle else {
            // It is being started. What cannot be taken back any more is stopped by `note_begun`.
            if let Err(error) = executor.withdraw(id.0, active.claim.attempt, &active.claim.run_directory).await {
                tracing::debug!(run = %id, %error, "the run's start is not taken back");
            }
            return Ok(());
        };
        let run = self.ledger.run(id)?;
        let deployment = match run.as_ref().and_then(|run| run.deployment_id) {
            Some(deployment) => self.ledger.deployment(deployment)?,
            None => None,
        };
        let grace = run.map_or(GRACE, |run| job::grace_of(&run, deployment.as_ref()));
        if let Err(error) = executor.stop(handle, grace).await {
            tracing::error!(run = %id, "{error}");
        }
        Ok(())
    }
}

fn pruned_by(project: &str) -> String {
    format!("its deployment was pruned by the project '{project}'")
}
