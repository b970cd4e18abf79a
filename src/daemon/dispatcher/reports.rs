//! What executors report, written down: one commit for all reports that are there.
use super::Dispatcher;
use super::active::Claim;
use super::in_flight::InFlight;
use crate::clock;
use crate::daemon::ending;
use crate::daemon::error::DaemonError;
use crate::executor::{Outcome, Report};
use crate::model::id::FlowRunId;
use crate::model::retry::EndCause;
use crate::model::run::FlowRun;
use crate::model::state::{Proposed, StateType};
use crate::model::transition::Context;
use crate::store::ledger::{LedgerError, Unit};
use jiff::Timestamp;
use std::collections::VecDeque;

/// At most this many reports are written in one commit, and as many more wait here for the next.
pub(super) const REPORTS_PER_COMMIT: usize = 64;

impl Dispatcher {
    /// Begins to write down what has been reported, unless that is being done. What comes meanwhile goes into the next
    /// commit; so do further reports on the same run.
    pub(super) fn begin_noting(&mut self) -> Result<(), DaemonError> {
        if self.noting.is_some() || self.backlog.is_empty() {
            return Ok(());
        }
        let mut unit = self.ledger.unit();
        let mut noted: Vec<Report> = Vec::new();
        let mut later = VecDeque::new();
        while let Some(report) = self.backlog.pop_front() {
            let again = noted.iter().chain(&later).any(|earlier| run_of(earlier) == run_of(&report));
            if again || !unit.has_room() {
                later.push_back(report);
                continue;
            }
            self.note(&mut unit, &report)?;
            noted.push(report);
        }
        self.backlog = later;
        self.noting = Some(InFlight::new(unit, noted));
        Ok(())
    }

    /// Goes on with what waited for the commit.
    pub(super) async fn noted(&mut self, (outcome, noted): (Result<(), LedgerError>, Vec<Report>)) -> Result<(), DaemonError> {
        match outcome {
            Ok(()) => {}
            // Somebody changed one of these runs: each report again on its own, as often as it takes.
            Err(LedgerError::Conflict(_)) => {
                for report in &noted {
                    self.note_alone(report).await?;
                }
            }
            Err(error) => return Err(error.into()),
        }
        for report in noted {
            if !matches!(report, Report::Started { .. }) {
                self.release(run_of(&report)).await?;
            }
        }
        Ok(())
    }

    async fn note_alone(&mut self, report: &Report) -> Result<(), DaemonError> {
        loop {
            let mut unit = self.ledger.unit();
            self.note(&mut unit, report)?;
            match unit.commit().await {
                Ok(()) => return Ok(()),
                // Every conflict is another writer's success, so this ends.
                Err(LedgerError::Conflict(_)) => continue,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn note(&self, unit: &mut Unit, report: &Report) -> Result<(), DaemonError> {
        let id = run_of(report);
        let Some(run) = self.ledger.run(id)? else { return Ok(()) };
        match report {
            Report::Started { at, pid, .. } => self.note_started(unit, &run, *at, *pid),
            Report::Finished { outcome, .. } => self.note_finished(unit, &run, outcome),
            Report::Lost { evidence, .. } => {
                let cancelling = run.state.kind == StateType::Cancelling;
                let kind = if cancelling { StateType::Cancelled } else { StateType::Crashed };
                let proposed = Proposed { cause: Some(EndCause::Lost), ..Proposed::new(kind).message(evidence.clone()) };
                self.note_end(unit, &run, proposed, clock::now(), |_| {})
            }
        }
    }

    fn note_started(&self, unit: &mut Unit, run: &FlowRun, at: Timestamp, pid: u32) -> Result<(), DaemonError> {
        let amend = |run: &mut FlowRun| run.infrastructure_pid = Some(pid.to_string());
        if run.state.kind != StateType::Pending {
            return Ok(());
        }
        // Its state begins when its process did, by the report; a clock that was set must not put that before the claim or
        // before it was due.
        let now = at.max(run.state.timestamp).max(run.scheduled_time().unwrap_or(at));
        unit.propose_with(run.id, Proposed::new(StateType::Running), context(now), amend)?;
        Ok(())
    }

    fn note_finished(&self, unit: &mut Unit, run: &FlowRun, outcome: &Outcome) -> Result<(), DaemonError> {
        let cancelling = (run.state.kind == StateType::Cancelling).then(|| run.state.message.as_deref().unwrap_or_default());
        let proposed = ending::state_of(outcome, cancelling);
        let usage = ending::usage_of(outcome);
        // The state begins when the process ended, which may be before this daemon was there to hear of it.
        let ended = outcome.ended_at.min(clock::now());
        // Measured, where it can be: between the states a clock may have been set.
        let total_run_time = run.run_time_before().zip(outcome.took_seconds).map(|(before, took)| before + took);
        self.note_end(unit, run, proposed, ended, move |run| {
            run.usage = Some(run.usage.unwrap_or_default().and(usage));
            run.total_run_time = total_run_time.unwrap_or(run.total_run_time);
        })
    }

    fn note_end(
        &self,
        unit: &mut Unit,
        run: &FlowRun,
        proposed: Proposed,
        ended: Timestamp,
        amend: impl Fn(&mut FlowRun),
    ) -> Result<(), DaemonError> {
        let amend = |run: &mut FlowRun| {
            run.infrastructure = None;
            run.infrastructure_pid = None;
            amend(run);
        };
        // A repeated report, after an adoption, finds nothing left to say.
        if run.infrastructure.is_none() {
            return Ok(());
        }
        let proposed = Proposed { attempt: Claim::of(run).map(|claim| claim.attempt), ..proposed };
        match run.is_over() {
            true => drop(unit.amend_run(run.id, amend)?),
            false => drop(unit.propose_with(run.id, proposed, context(ended), amend)?),
        }
        Ok(())
    }

    /// A run's processes are gone: its slots are free, and it may wait for its next attempt.
    async fn release(&mut self, id: FlowRunId) -> Result<(), DaemonError> {
        self.active.remove(&id);
        self.ask_all_again();
        let Some(run) = self.ledger.run(id)? else { return Ok(()) };
        self.narrator.ended(&run);
        if run.state.kind == StateType::Scheduled {
            self.wait_for(run).await?;
        }
        Ok(())
    }
}

fn run_of(report: &Report) -> FlowRunId {
    match report {
        Report::Started { run_id, .. } | Report::Finished { run_id, .. } | Report::Lost { run_id, .. } => FlowRunId(*run_id),
    }
}

fn context(now: Timestamp) -> Context {
    Context { now, force: false }
}
