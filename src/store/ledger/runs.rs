//! Flow runs: reading them, and changing the state of one.
use super::record::decode;
use super::{Ledger, LedgerError, Reader, key};
use crate::model::id::{DeploymentId, FlowRunId, ScheduleId};
use crate::model::run::FlowRun;
use crate::model::schedule::Cursor;
use crate::model::state::Proposed;
use crate::model::transition::{Context, Decision};
use crate::store::Range;
use std::ops::Bound;

/// How often a compare-and-set is tried before its caller hears of the conflict. Every failure means that another
/// writer of the same record succeeded.
pub(super) const MOST_TRIES: usize = 16;

/// What became of a proposal: the run as it is now, and the decision.
#[derive(Debug, Clone)]
pub struct ProposalOutcome {
    pub run: FlowRun,
    pub decision: Decision,
}

impl Reader {
    pub fn run(&self, id: FlowRunId) -> Result<Option<FlowRun>, LedgerError> {
        self.read(&key::run(id))
    }

    /// All runs, newest instant first, from just before `before` where given. Lazy: stop when you have enough.
    pub fn runs_newest_first(
        &self,
        before: Option<FlowRunId>,
    ) -> impl Iterator<Item = Result<FlowRun, LedgerError>> + '_ {
        let mut range = Range::prefix(&[key::RUN]).reverse();
        if let Some(before) = before {
            range.end = Bound::Excluded(key::run(before));
        }
        self.store.scan(range).map(|row| {
            let (row_key, value) = row?;
            decode(&row_key, &value)
        })
    }

    /// The ids of all runs that are not over, oldest instant first.
    pub fn active_run_ids(&self) -> Result<Vec<FlowRunId>, LedgerError> {
        let mut ids = Vec::new();
        for row in self.store.scan(Range::prefix(&[key::ACTIVE])) {
            if let Some(id) = key::id_in(&row?.0) {
                ids.push(FlowRunId(id));
            }
        }
        Ok(ids)
    }

    pub fn cursor(&self, schedule: ScheduleId) -> Result<Option<Cursor>, LedgerError> {
        self.read(&key::cursor(schedule))
    }

    /// The run that was made for `idempotency_key` of a deployment before.
    pub fn run_by_idempotency_key(
        &self,
        deployment: DeploymentId,
        idempotency_key: &str,
    ) -> Result<Option<FlowRun>, LedgerError> {
        match self.read(&key::idempotency(deployment, idempotency_key))? {
            Some(id) => self.run(id),
            None => Ok(None),
        }
    }
}

impl Ledger {
    /// Proposes a state for one run and makes the outcome durable. A run that changes meanwhile is read again.
    pub async fn propose(
        &self,
        id: FlowRunId,
        proposed: Proposed,
        context: Context,
    ) -> Result<ProposalOutcome, LedgerError> {
        self.propose_with(id, proposed, context, |_| {}).await
    }

    /// The same, with a change to the run's other fields in the same commit where the transition changes the run.
    pub async fn propose_with(
        &self,
        id: FlowRunId,
        proposed: Proposed,
        context: Context,
        amend: impl Fn(&mut FlowRun),
    ) -> Result<ProposalOutcome, LedgerError> {
        self.retry(|unit| unit.propose_with(id, proposed.clone(), context, &amend)).await
    }

    /// Changes a run's fields other than its state.
    pub async fn amend_run(&self, id: FlowRunId, amend: impl Fn(&mut FlowRun)) -> Result<FlowRun, LedgerError> {
        self.retry(|unit| unit.amend_run(id, &amend)).await
    }

    /// The same of many runs, together in few commits; a run that is gone is left out.
    pub async fn amend_runs(&self, ids: &[FlowRunId], amend: impl Fn(&mut FlowRun)) -> Result<(), LedgerError> {
        let mut left = ids;
        while !left.is_empty() {
            let together = self.retry(|unit| {
                let mut together = 0;
                while together < left.len() && unit.has_room() {
                    match unit.amend_run(left[together], &amend) {
                        Ok(_) | Err(LedgerError::NoSuchRun(_)) => together += 1,
                        Err(error) => return Err(error),
                    }
                }
                Ok(together)
            });
            left = &left[together.await?..];
        }
        Ok(())
    }

    pub(super) async fn retry<T>(&self, mut step: impl FnMut(&mut super::Unit) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let mut last = LedgerError::Conflict(String::new());
        for _ in 0..MOST_TRIES {
            let mut unit = self.unit();
            let answer = step(&mut unit)?;
            match unit.commit().await {
                Ok(()) => return Ok(answer),
                Err(error @ LedgerError::Conflict(_)) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}
