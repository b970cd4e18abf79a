//! Deleting a work queue, and what becomes of the runs that wait in it.
//!
//! Nothing is left that points to nothing: a queue that a deployment names is not deleted, nor a pool's `default` queue. Runs that wait in
//! the queue go where they would go without it: to another queue of the pool that serves them, else to its `default`. Runs that
//! are going end as they would have. Where the daemon is killed halfway, saying it again does the rest.
use super::Commands;
use super::work_pools::refuse_owned;
use crate::control::ControlError;
use crate::model::id::{FlowRunId, WorkQueueId};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::model::work_pool::{DEFAULT_QUEUE, WorkQueue};
use crate::model::write::Write;
use crate::store::ledger::LedgerError;

/// So many deployments are named in a refusal.
const MOST_NAMED: usize = 5;

impl Commands {
    /// Deletes a queue and gives how many waiting runs were moved.
    pub(super) async fn delete_work_queue_of(&self, id: WorkQueueId) -> Result<usize, ControlError> {
        let queue = self.queue(id)?;
        self.refuse_used(&queue)?;
        let moved = self.move_waiting(&queue).await?;
        let edited = self.writer()?.edit(|| {
            let queue = self.queue(id)?;
            self.refuse_used(&queue)?;
            Ok::<_, ControlError>((vec![Write::DeleteWorkQueue { pool: queue.pool, name: queue.name }], ()))
        });
        edited.await?;
        // Those that came meanwhile.
        Ok(moved + self.move_waiting(&queue).await?)
    }

    fn refuse_used(&self, queue: &WorkQueue) -> Result<(), ControlError> {
        refuse_owned("work queue", &queue.full_name(), &queue.owner)?;
        if queue.name == DEFAULT_QUEUE {
            let words = format!("'{}' is its pool's default queue, which every work pool has: it goes with the pool", queue.full_name());
            return Err(ControlError::Refused(words));
        }
        let mut named_by = Vec::new();
        for deployment in self.reader.deployments() {
            let deployment = deployment?;
            let declared = &deployment.declared;
            if declared.work_pool.as_ref() == Some(&queue.pool) && declared.work_queue.as_ref() == Some(&queue.name) {
                named_by.push(deployment.name.to_string());
            }
        }
        if named_by.is_empty() {
            return Ok(());
        }
        named_by.sort();
        let more = named_by.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names: Vec<String> = named_by.iter().take(MOST_NAMED).map(|name| format!("'{name}'")).collect();
        Err(ControlError::Refused(format!(
            "work queue '{}' is named by {}{more}, whose runs would wait for ever: give them another work_queue_name first",
            queue.full_name(),
            names.join(", ")
        )))
    }

    /// Lets the runs that wait in a queue name none.
    async fn move_waiting(&self, queue: &WorkQueue) -> Result<usize, ControlError> {
        let waits = |run: &FlowRun| {
            let is_there = run.work_queue.as_ref() == Some(&queue.name) && run.pool() == Some(&queue.pool);
            is_there && run.state.kind == StateType::Scheduled
        };
        let mut waiting: Vec<FlowRunId> = Vec::new();
        for id in self.reader.active_run_ids()? {
            waiting.extend(self.reader.run(id)?.filter(&waits).map(|run| run.id));
        }
        let amend = |run: &mut FlowRun| {
            if waits(run) {
                run.work_queue = None;
            }
        };
        let ledger = self.writer()?;
        let mut left = waiting.as_slice();
        while !left.is_empty() {
            let mut unit = ledger.unit();
            let mut together = 0;
            while together < left.len() && unit.has_room() {
                match unit.amend_run(left[together], amend) {
                    Ok(_) | Err(LedgerError::NoSuchRun(_)) => together += 1,
                    Err(error) => return Err(error.into()),
                }
            }
            match unit.commit().await {
                Ok(()) => {}
                // Somebody changed one of them meanwhile: each on its own.
                Err(LedgerError::Conflict(_)) => {
                    for id in &left[..together] {
                        match ledger.amend_run(*id, amend).await {
                            Ok(_) | Err(LedgerError::NoSuchRun(_)) => {}
                            Err(error) => return Err(error.into()),
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
            left = &left[together..];
        }
        Ok(waiting.len())
    }
}
