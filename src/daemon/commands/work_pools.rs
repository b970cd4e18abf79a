//! Commands on work pools and work queues.
use super::overrides::Edit;
use super::{Commands, Edited, check_name};
use crate::clock;
use crate::control::{Author, ControlError, WorkPoolPatch, WorkQueuePatch};
use crate::daemon::events;
use crate::executor::KINDS;
use crate::model::JsonMap;
use crate::model::event::Object;
use crate::model::id::{self, Kind, WorkPoolId, WorkQueueId};
use crate::model::overrides::{Overrides, Owner};
use crate::model::work_pool::{DEFAULT_AGENT_POOL, DEFAULT_QUEUE, WorkPool, WorkPoolSpec, WorkQueue, WorkQueueSpec};
use crate::model::write::Write;
use crate::store::ledger::LedgerError;
use crate::template::faults::{self, Fault};

/// A template that is none would check nothing, and make nothing of what runs are given.
fn check_template(template: &JsonMap) -> Result<(), ControlError> {
    match faults::of(template).first() {
        None => Ok(()),
        Some(Fault { path, message, help, .. }) => Err(ControlError::Invalid(format!("base_job_template{path}: {message}: {help}"))),
    }
}

impl Commands {
    pub(super) async fn create_work_pool_of(&self, name: String, spec: WorkPoolSpec, by: Author) -> Result<WorkPool, ControlError> {
        check_name("work pool", &name)?;
        // Prefect reserves this prefix for its own pools.
        if name.to_lowercase().starts_with("prefect") {
            return Err(ControlError::Refused("Work pools starting with 'Prefect' are reserved for internal use.".to_owned()));
        }
        spec.base_job_template.as_ref().map_or(Ok(()), check_template)?;
        let edited = self.edit_told(|| {
            if self.reader.work_pool(&name)?.is_some() {
                return Err(ControlError::Conflict("A work pool with this name already exists.".to_owned()));
            }
            let (pool, queue) = self.new_pool(&name, spec.clone())?;
            let event = Some(events::of_object("created", &pool_object(&pool), "created", &by));
            Ok(Edited { writes: vec![Write::PutWorkPool(pool.clone()), Write::PutWorkQueue(queue)], answer: pool, event })
        });
        edited.await
    }

    pub(super) async fn update_work_pool_with(
        &self,
        name: String,
        patch: WorkPoolPatch,
        by: Author,
    ) -> Result<WorkPool, ControlError> {
        let edited = self.edit_told(|| {
            let mut pool = self.pool(&name)?;
            let before = pool.clone();
            let mut edit = Edit { owner: pool.owner.as_ref(), overrides: &mut pool.overrides, by: &by };
            if let Some(paused) = patch.paused {
                edit.set("paused", paused, &mut pool.declared.paused)?;
            }
            if let Some(limit) = patch.concurrency_limit {
                edit.set("concurrency_limit", limit, &mut pool.declared.concurrency_limit)?;
            }
            if let Some(description) = patch.description.clone() {
                pool.declared.description = description;
            }
            if let Some(template) = patch.base_job_template.clone().filter(|template| pool.declared.base_job_template.as_ref() != Some(template)) {
                check_template(&template)?;
                pool.declared.base_job_template = Some(template);
            }
            if pool == before {
                return Ok(Edited::nothing(pool));
            }
            pool.updated = clock::now();
            let event = Some(events::of_change(&pool_object(&pool), (&before.effective(), &pool.effective()), &by));
            Ok(Edited { writes: vec![Write::PutWorkPool(pool.clone())], answer: pool, event })
        });
        edited.await
    }

    pub(super) async fn create_work_queue_of(
        &self,
        pool: Option<String>,
        name: String,
        spec: WorkQueueSpec,
        by: Author,
    ) -> Result<WorkQueue, ControlError> {
        check_name("work queue", &name)?;
        let pool_name = pool.clone().unwrap_or_else(|| DEFAULT_AGENT_POOL.to_owned());
        let edited = self.edit_told(|| {
            if self.reader.work_queue(&pool_name, &name)?.is_some() {
                return Err(ControlError::Conflict("A work queue with this name already exists.".to_owned()));
            }
            let mut writes = Vec::new();
            if self.reader.work_pool(&pool_name)?.is_none() {
                if pool.is_some() {
                    return Err(ControlError::NotFound(format!("Work pool \"{pool_name}\" not found.")));
                }
                let agent = WorkPoolSpec {
                    kind: KINDS[0].name.to_owned(),
                    description: None,
                    concurrency_limit: None,
                    paused: false,
                    base_job_template: None,
                    protect: false,
                };
                let (pool, default) = self.new_pool(&pool_name, agent)?;
                writes.push(Write::PutWorkPool(pool));
                if name != DEFAULT_QUEUE {
                    writes.push(Write::PutWorkQueue(default));
                }
            }
            let queue = self.new_queue(&pool_name, &name, spec.clone())?;
            writes.push(Write::PutWorkQueue(queue.clone()));
            let event = Some(events::of_object("created", &queue_object(&queue), "created", &by));
            Ok(Edited { writes, answer: queue, event })
        });
        edited.await
    }

    pub(super) async fn update_work_queue_with(
        &self,
        id: WorkQueueId,
        patch: WorkQueuePatch,
        by: Author,
    ) -> Result<WorkQueue, ControlError> {
        if let Some(name) = &patch.name {
            check_name("work queue", name)?;
        }
        let before = self.queue(id)?;
        let edited = self.edit_told(|| {
            let mut queue = self.queue(id)?;
            let before = queue.clone();
            let mut writes = Vec::new();
            let mut edit = Edit { owner: queue.owner.as_ref(), overrides: &mut queue.overrides, by: &by };
            if let Some(paused) = patch.paused {
                edit.set("paused", paused, &mut queue.declared.paused)?;
            }
            if let Some(limit) = patch.concurrency_limit {
                edit.set("concurrency_limit", limit, &mut queue.declared.concurrency_limit)?;
            }
            if let Some(priority) = patch.priority {
                edit.set("priority", priority, &mut queue.declared.priority)?;
            }
            if let Some(description) = patch.description.clone() {
                queue.declared.description = description;
            }
            if let Some(filter) = patch.filter.clone() {
                queue.declared.filter = filter;
            }
            if let Some(name) = patch.name.clone().filter(|name| *name != queue.name) {
                writes.push(self.rename_queue(&mut queue, name)?);
            }
            if queue == before {
                return Ok(Edited::nothing(queue));
            }
            queue.updated = clock::now();
            writes.push(Write::PutWorkQueue(queue.clone()));
            let event = Some(events::of_change(&queue_object(&queue), (&before.effective(), &queue.effective()), &by));
            Ok(Edited { writes, answer: queue, event })
        });
        let queue = edited.await?;
        if queue.name != before.name {
            self.move_waiting(&before, Some(&queue.name)).await?;
        }
        Ok(queue)
    }

    fn new_pool(&self, name: &str, spec: WorkPoolSpec) -> Result<(WorkPool, WorkQueue), LedgerError> {
        let now = clock::now();
        let pool = WorkPool {
            id: WorkPoolId(id::of_new_object(self.reader.home(), Kind::WorkPool, name, self.reader.revision()?)),
            name: name.to_owned(),
            declared: spec,
            owner: None,
            overrides: Overrides::new(),
            declared_digest: None,
            created: now,
            updated: now,
        };
        Ok((pool, self.new_queue(name, DEFAULT_QUEUE, WorkQueueSpec::default())?))
    }

    pub(super) fn new_queue(&self, pool: &str, name: &str, spec: WorkQueueSpec) -> Result<WorkQueue, LedgerError> {
        let now = clock::now();
        let full_name = format!("{pool}/{name}");
        Ok(WorkQueue {
            id: WorkQueueId(id::of_new_object(self.reader.home(), Kind::WorkQueue, &full_name, self.reader.revision()?)),
            pool: pool.to_owned(),
            name: name.to_owned(),
            declared: spec,
            owner: None,
            overrides: Overrides::new(),
            declared_digest: None,
            created: now,
            updated: now,
        })
    }

    pub(super) fn pool(&self, name: &str) -> Result<WorkPool, ControlError> {
        self.reader.work_pool(name)?.ok_or_else(|| ControlError::NotFound(format!("Work pool \"{name}\" not found.")))
    }

    pub(super) fn queue(&self, id: WorkQueueId) -> Result<WorkQueue, ControlError> {
        self.reader.work_queue_by_id(id)?.ok_or_else(|| ControlError::NotFound("work queue not found".to_owned()))
    }
}

/// A work pool, as its events name it.
pub(in crate::daemon) fn pool_object(pool: &WorkPool) -> Object<'_> {
    let project = pool.owner.as_ref().map(|owner| owner.project.as_str());
    Object { kind: Kind::WorkPool, id: pool.id.0, name: pool.name.clone(), project }
}

/// A work queue, as its events name it.
pub(in crate::daemon) fn queue_object(queue: &WorkQueue) -> Object<'_> {
    let project = queue.owner.as_ref().map(|owner| owner.project.as_str());
    Object { kind: Kind::WorkQueue, id: queue.id.0, name: queue.full_name(), project }
}

pub(super) fn refuse_owned(what: &str, name: &str, owner: &Option<Owner>) -> Result<(), ControlError> {
    match owner {
        None => Ok(()),
        Some(owner) => Err(ControlError::Refused(format!(
            "{what} '{name}' is declared in {} of project '{}': change it there, and the next reconcile carries it out",
            owner.file, owner.project
        ))),
    }
}
