//! Deleting and renaming a work queue, and what becomes of the runs that wait in it.
//!
//! Nothing is left that points to nothing: a queue that a deployment names is not deleted, nor a pool's `default` queue. Runs that wait in
//! the queue go where they would go without it: to another queue of the pool that serves them, else to its `default`. Runs that
//! are going end as they would have. Those of a queue that is renamed go with it. Where the daemon is killed halfway, saying it again does the rest.
use super::work_pools::{queue_object, refuse_owned};
use super::{Commands, Edited};
use crate::clock;
use crate::control::{Author, ControlError, QueueDeletion};
use crate::daemon::events;
use crate::dispatch::queue::{self, Capacity, Waiting};
use crate::model::deployment::DeploymentSpec;
use crate::model::id::{FlowRunId, WorkQueueId};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::model::work_pool::{DEFAULT_QUEUE, WorkQueue};
use crate::model::write::Write;

/// So many deployments are named in a refusal.
const MOST_NAMED: usize = 5;

impl Commands {
    /// Deletes a queue, and tells where the runs that waited in it wait now.
    pub(super) async fn delete_work_queue_of(&self, id: WorkQueueId, by: Author) -> Result<QueueDeletion, ControlError> {
        let queue = self.queue(id)?;
        self.refuse_used(&queue)?;
        let fate = self.fate_of(&queue)?;
        self.move_waiting(&queue, None).await?;
        let edited = self.edit_told(|| {
            let queue = self.queue(id)?;
            self.refuse_used(&queue)?;
            let event = Some(events::of_object("deleted", &queue_object(&queue), "deleted", &by));
            Ok(Edited { writes: vec![Write::DeleteWorkQueue { pool: queue.pool.clone(), name: queue.name.clone() }], answer: (), event })
        });
        edited.await?;
        // Those that came meanwhile.
        self.move_waiting(&queue, None).await?;
        Ok(fate)
    }

    /// Where the runs that wait in a queue, by name or by its filter, would wait without it.
    fn fate_of(&self, removed: &WorkQueue) -> Result<QueueDeletion, ControlError> {
        let (pools, mut queues) = (self.reader.work_pools()?, self.reader.work_queues()?);
        let before = Capacity::of(&pools, &queues, &[]);
        queues.retain(|queue| queue.id != removed.id);
        let after = Capacity::of(&pools, &queues, &[]);
        let mut fate = QueueDeletion::default();
        for id in self.reader.active_run_ids()? {
            let Some(run) = self.reader.run(id)?.filter(|run| run.state.kind == StateType::Scheduled) else { continue };
            let Some(deployment) = run.deployment_id.map(|id| self.reader.deployment(id)).transpose()?.flatten() else { continue };
            let mut waiting = Waiting::of(&run, &deployment, clock::now());
            if queue::standing(&before, &waiting) != (Some(removed.pool.as_str()), Some(removed.name.as_str())) {
                continue;
            }
            waiting.queue = None;
            fate.moved += 1;
            if let (_, Some(queue)) = queue::standing(&after, &waiting) {
                *fate.queues.entry(queue.to_owned()).or_default() += 1;
            }
        }
        Ok(fate)
    }

    /// Gives a queue another name, and the write that takes its old one away.
    pub(super) fn rename_queue(&self, queue: &mut WorkQueue, name: String) -> Result<Write, ControlError> {
        self.refuse_used(queue)?;
        if self.reader.work_queue(&queue.pool, &name)?.is_some() {
            return Err(ControlError::Conflict("A work queue with this name already exists.".to_owned()));
        }
        let write = Write::DeleteWorkQueue { pool: queue.pool.clone(), name: queue.name.clone() };
        queue.name = name;
        Ok(write)
    }

    fn refuse_used(&self, queue: &WorkQueue) -> Result<(), ControlError> {
        refuse_owned("work queue", &queue.full_name(), &queue.owner)?;
        if queue.name == DEFAULT_QUEUE {
            let words = format!("'{}' is its pool's default queue, which every work pool has: it goes with the pool", queue.full_name());
            return Err(ControlError::Refused(words));
        }
        let named_by = self.deployments_where(|declared| declared.work_pool.as_ref() == Some(&queue.pool) && declared.work_queue.as_ref() == Some(&queue.name))?;
        match named(&named_by) {
            None => Ok(()),
            Some(names) => Err(ControlError::Refused(format!(
                "work queue '{}' is named by {names}, whose runs would wait for ever: give {} another work_queue_name first",
                queue.full_name(),
                if named_by.len() == 1 { "it" } else { "them" }
            ))),
        }
    }

    /// The names of the deployments that declare such things, in order.
    pub(super) fn deployments_where(&self, holds: impl Fn(&DeploymentSpec) -> bool) -> Result<Vec<String>, ControlError> {
        let mut names = Vec::new();
        for deployment in self.reader.deployments() {
            let deployment = deployment?;
            if holds(&deployment.declared) {
                names.push(deployment.name.to_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Lets the runs that wait in a queue name another, or none.
    pub(super) async fn move_waiting(&self, queue: &WorkQueue, to: Option<&str>) -> Result<usize, ControlError> {
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
                run.work_queue = to.map(str::to_owned);
            }
        };
        self.writer()?.amend_runs(&waiting, amend).await?;
        Ok(waiting.len())
    }
}

/// The first few of these names, for a refusal; `None` where there are none.
pub(super) fn named(names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let quoted: Vec<String> = names.iter().take(MOST_NAMED).map(|name| format!("'{name}'")).collect();
    (!names.is_empty()).then(|| format!("{}{more}", quoted.join(", ")))
}
