//! Deleting a work pool with its queues, and what becomes of the runs that wait in it.
//!
//! Nothing is left that points to nothing: a pool that a deployment names is not deleted. Runs that wait in it all the same, since their
//! deployment named it when they were made, go where their deployment runs now. Runs that are going end as they would have.
use super::{Commands, Edited};
use super::queue_removal::named;
use super::work_pools::{pool_object, refuse_owned};
use crate::control::{Author, ControlError, PoolDeletion};
use crate::daemon::events;
use crate::model::deployment::DeploymentSpec;
use crate::model::id::FlowRunId;
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::model::work_pool::{DEFAULT_AGENT_POOL, WorkPool, WorkQueue};
use crate::model::write::Write;

impl Commands {
    /// Deletes a pool; `dry_run`: only tells what would happen.
    pub(super) async fn delete_work_pool_of(&self, name: String, dry_run: bool, by: Author) -> Result<PoolDeletion, ControlError> {
        let pool = self.pool(&name)?;
        self.refuse_used_pool(&pool)?;
        let queues = self.queues_of(&name)?.into_iter().map(|queue| queue.name).collect();
        if dry_run {
            return Ok(PoolDeletion { queues, moved: self.waiting_in(&name)?.len() });
        }
        let moved = self.send_home(&name).await?;
        let edited = self.edit_told(|| {
            let pool = self.pool(&name)?;
            self.refuse_used_pool(&pool)?;
            let queues = self.queues_of(&name)?;
            let mut writes = vec![Write::DeleteWorkPool(name.clone())];
            writes.extend(queues.into_iter().map(|queue| Write::DeleteWorkQueue { pool: queue.pool, name: queue.name }));
            let event = Some(events::of_object("deleted", &pool_object(&pool), "deleted", &by));
            Ok(Edited { writes, answer: (), event })
        });
        edited.await?;
        // Those that came meanwhile.
        Ok(PoolDeletion { queues, moved: moved + self.send_home(&name).await? })
    }

    fn queues_of(&self, pool: &str) -> Result<Vec<WorkQueue>, ControlError> {
        let mut queues = self.reader.work_queues()?;
        queues.retain(|queue| queue.pool == pool);
        Ok(queues)
    }

    fn refuse_used_pool(&self, pool: &WorkPool) -> Result<(), ControlError> {
        refuse_owned("work pool", &pool.name, &pool.owner)?;
        for queue in self.queues_of(&pool.name)? {
            refuse_owned("work queue", &queue.full_name(), &queue.owner)?;
        }
        let named_by = self.deployments_where(|declared| pool_of(declared) == Some(&pool.name))?;
        match named(&named_by) {
            None => Ok(()),
            Some(names) => Err(ControlError::Refused(format!(
                "work pool '{}' is named by {names}, whose runs would wait for ever: give {} another work pool first",
                pool.name,
                if named_by.len() == 1 { "it" } else { "them" }
            ))),
        }
    }

    fn waiting_in(&self, pool: &str) -> Result<Vec<FlowRun>, ControlError> {
        let mut waiting = Vec::new();
        for id in self.reader.active_run_ids()? {
            waiting.extend(self.reader.run(id)?.filter(|run| waits_in(run, pool)));
        }
        Ok(waiting)
    }

    /// Lets the runs that wait in a pool wait where their deployment runs now: in another pool, or in none.
    async fn send_home(&self, pool: &str) -> Result<usize, ControlError> {
        let mut by_deployment = std::collections::BTreeMap::new();
        for run in self.waiting_in(pool)? {
            by_deployment.entry(run.deployment_id).or_insert_with(Vec::<FlowRunId>::new).push(run.id);
        }
        let mut moved = 0;
        for (deployment, runs) in by_deployment {
            let deployment = deployment.map(|id| self.reader.deployment(id)).transpose()?.flatten();
            let declared = deployment.as_ref().map(|deployment| &deployment.declared);
            let home = declared.map(|declared| (declared.work_pool.clone(), declared.work_queue.clone())).unwrap_or_default();
            let amend = |run: &mut FlowRun| {
                if waits_in(run, pool) {
                    (run.work_pool, run.work_queue) = home.clone();
                }
            };
            self.writer()?.amend_runs(&runs, amend).await?;
            moved += runs.len();
        }
        Ok(moved)
    }
}

fn waits_in(run: &FlowRun, pool: &str) -> bool {
    run.pool() == Some(pool) && run.state.kind == StateType::Scheduled
}

/// The pool whose slots its runs take, as [`FlowRun::pool`].
fn pool_of(declared: &DeploymentSpec) -> Option<&str> {
    declared.work_pool.as_deref().or(declared.work_queue.as_ref().map(|_| DEFAULT_AGENT_POOL))
}
