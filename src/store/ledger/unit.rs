//! A unit: several changes of runs that become true together, or not at all.
use super::history::{Change, Summary};
use super::record::{decode, encode};
use super::runs::ProposalOutcome;
use super::{Ledger, LedgerError, key};
use crate::model::measure::Measured;
use crate::model::id::{FlowRunId, ScheduleId};
use crate::model::run::FlowRun;
use crate::model::schedule::Cursor;
use crate::model::state::Proposed;
use crate::model::transition::{Context, transition};
use crate::store::{Batch, Expect, MAX_ROWS, Store};
use jiff::SignedDuration;
use std::sync::Arc;

/// Collects changes; nothing is written before `commit`. A run may be named only once in a unit.
pub struct Unit {
    ledger: Ledger,
    store: Arc<dyn Store>,
    batch: Batch,
    measured: Vec<Measured>,
    over: Vec<Change>,
}

/// The rows that one change writes at most: a run, its rows among the active ones and those that are over, a cursor, an idempotency row.
const ROWS_PER_CHANGE: usize = 5;

impl Ledger {
    /// An empty unit.
    pub fn unit(&self) -> Unit {
        Unit { ledger: self.clone(), store: self.store.clone(), batch: Batch::default(), measured: Vec::new(), over: Vec::new() }
    }
}

impl Unit {
    /// Whether another change fits. A caller with more to do commits and begins another unit.
    pub fn has_room(&self) -> bool {
        self.batch.rows() + ROWS_PER_CHANGE <= MAX_ROWS
    }

    pub fn is_empty(&self) -> bool {
        self.batch.rows() == 0
    }

    /// Adds a new run. Fails on commit with `Conflict` when a run of this id exists (G2).
    pub fn create_run(&mut self, run: &FlowRun) -> Result<(), LedgerError> {
        self.batch.expect.push((key::run(run.id), Expect::Absent));
        self.batch.put.push((key::run(run.id), encode(run)?));
        self.measured.push(Measured::of(None, Some(run)));
        match Summary::of(run) {
            None => self.batch.put.push((key::active(run.id), encode(&())?)),
            summary => self.put_over(run.id, None, summary)?,
        }
        if let (Some(deployment), Some(idempotency_key), None) = (run.deployment_id, &run.idempotency_key, &run.slot) {
            let row_key = key::idempotency(deployment, idempotency_key);
            self.batch.expect.push((row_key.clone(), Expect::Absent));
            self.batch.put.push((row_key, encode(&run.id)?));
        }
        Ok(())
    }

    /// Puts a run in the place of the record that it did not run.
    pub fn make_again(&mut self, run: &FlowRun) -> Result<(), LedgerError> {
        let (bytes, record) = self.read_run(run.id)?;
        self.put_run(bytes, &record, run)
    }

    /// Adds a new run that enters a further state at once, as a record of what did not run.
    pub fn create_run_in(&mut self, run: &FlowRun, proposed: Proposed, context: Context) -> Result<(), LedgerError> {
        let decision = transition(run, proposed, context);
        self.create_run(decision.changed().unwrap_or(run))
    }

    /// Moves a schedule's cursor. The last one that is set in a unit counts.
    pub fn set_cursor(&mut self, schedule: ScheduleId, cursor: Cursor) -> Result<(), LedgerError> {
        let (row_key, value) = (key::cursor(schedule), encode(&cursor)?);
        match self.batch.put.iter_mut().find(|(earlier, _)| *earlier == row_key) {
            Some((_, earlier)) => *earlier = value,
            None => self.batch.put.push((row_key, value)),
        }
        Ok(())
    }

    /// Proposes a state for a run.
    pub fn propose(&mut self, id: FlowRunId, proposed: Proposed, context: Context) -> Result<ProposalOutcome, LedgerError> {
        self.propose_with(id, proposed, context, |_| {})
    }

    /// Proposes a state and, where the transition changes the run, amends its other fields in the same commit.
    pub fn propose_with(
        &mut self,
        id: FlowRunId,
        proposed: Proposed,
        context: Context,
        amend: impl Fn(&mut FlowRun),
    ) -> Result<ProposalOutcome, LedgerError> {
        let (bytes, run) = self.read_run(id)?;
        let decision = transition(&run, proposed, context);
        let Some(changed) = decision.changed() else {
            return Ok(ProposalOutcome { run, decision });
        };
        let mut changed = changed.clone();
        amend(&mut changed);
        self.put_run(bytes, &run, &changed)?;
        Ok(ProposalOutcome { run: changed, decision })
    }

    /// Changes a run's fields other than its state.
    pub fn amend_run(&mut self, id: FlowRunId, amend: impl Fn(&mut FlowRun)) -> Result<FlowRun, LedgerError> {
        let (bytes, run) = self.read_run(id)?;
        let mut changed = run.clone();
        amend(&mut changed);
        if changed != run {
            self.put_run(bytes, &run, &changed)?;
        }
        Ok(changed)
    }

    /// Deletes a run. Its slot stays dealt with: the cursor outlives the run.
    pub fn delete_run(&mut self, id: FlowRunId) -> Result<FlowRun, LedgerError> {
        let (bytes, run) = self.read_run(id)?;
        self.batch.expect.push((key::run(id), Expect::Equals(bytes)));
        self.batch.delete.push(key::run(id));
        self.batch.delete.push(key::active(id));
        self.put_over(id, Summary::of(&run), None)?;
        self.measured.push(Measured::of(Some(&run), None));
        if let (Some(deployment), Some(idempotency_key), None) = (run.deployment_id, &run.idempotency_key, &run.slot) {
            self.batch.delete.push(key::idempotency(deployment, idempotency_key));
        }
        Ok(run)
    }

    /// Deletes a run that was made ahead of its slot, as if it had never been made: a cursor that stands at the slot goes back before
    /// it, so that a schedule that is resumed in time makes it again.
    pub fn take_back_run(&mut self, id: FlowRunId) -> Result<(), LedgerError> {
        let run = self.delete_run(id)?;
        if let Some(slot) = &run.slot
            && self.ledger.cursor(slot.schedule)?.is_some_and(|cursor| cursor.slot == slot.at)
        {
            let before = slot.at.saturating_sub(SignedDuration::from_micros(1)).unwrap_or(slot.at);
            self.set_cursor(slot.schedule, Cursor { slot: before })?;
        }
        Ok(())
    }

    /// Makes the unit durable. An empty unit writes nothing.
    ///
    /// # Errors
    /// `Conflict` when a record that the unit read has changed since: nothing of it was written.
    pub async fn commit(self) -> Result<(), LedgerError> {
        if self.is_empty() {
            return Ok(());
        }
        let sequence = self.store.commit(self.batch).await?;
        self.ledger.counted.add(self.measured);
        self.ledger.history.note(sequence, self.over);
        Ok(())
    }

    fn read_run(&self, id: FlowRunId) -> Result<(Vec<u8>, FlowRun), LedgerError> {
        let row_key = key::run(id);
        let bytes = self.ledger.reader.store.get(&row_key)?.ok_or(LedgerError::NoSuchRun(id))?;
        let run = decode(&row_key, &bytes)?;
        Ok((bytes, run))
    }

    fn put_run(&mut self, read: Vec<u8>, before: &FlowRun, after: &FlowRun) -> Result<(), LedgerError> {
        self.batch.expect.push((key::run(after.id), Expect::Equals(read)));
        self.batch.put.push((key::run(after.id), encode(after)?));
        self.measured.push(Measured::of(Some(before), Some(after)));
        match (before.is_over(), after.is_over()) {
            (false, true) => self.batch.delete.push(key::active(after.id)),
            (true, false) => self.batch.put.push((key::active(after.id), encode(&())?)),
            _ => {}
        }
        self.put_over(after.id, Summary::of(before), Summary::of(after))
    }

    /// The small row of a run that is over; `None`: it is not, or is gone.
    fn put_over(&mut self, id: FlowRunId, before: Option<Summary>, after: Option<Summary>) -> Result<(), LedgerError> {
        match &after {
            _ if before == after => return Ok(()),
            Some(summary) => self.batch.put.push((key::over(id), encode(summary)?)),
            None => self.batch.delete.push(key::over(id)),
        }
        self.over.push((id, after));
        Ok(())
    }
}
