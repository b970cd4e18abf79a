//! Commands on tombstones: what was pruned comes back.
use super::deployments::object;
use super::{Commands, Edited};
use crate::clock;
use crate::control::{Author, ControlError};
use crate::daemon::events;
use crate::daemon::removal::nobodys;
use crate::dispatch::due::resumed_since;
use crate::model::deployment::{Deployment, FullName};
use crate::model::event::Object;
use crate::model::stored::{ObjectName, Pruned, Tombstone};
use crate::model::tag_limit::TagLimit;
use crate::model::work_pool::{DEFAULT_QUEUE, WorkPool, WorkQueue, WorkQueueSpec};
use crate::model::write::Write;
use jiff::Timestamp;

impl Commands {
    /// Brings a pruned deployment back with its id, history and schedules. It is nobody's then: the next reconcile of its project
    /// would otherwise prune it again at once.
    pub(super) async fn restore_deployment_named(&self, name: FullName, by: Author) -> Result<Deployment, ControlError> {
        let edited = self.edit_told(|| {
            let now = clock::now();
            let tombstone = self.kept(&ObjectName::Deployment(name.clone()), now)?;
            if let Some(there) = self.reader.deployment_by_name(&name)? {
                return Err(taken(&there, tombstone.is_some()));
            }
            let Some(Tombstone { object: Pruned::Deployment(pruned), project, .. }) = tombstone else {
                return Err(ControlError::NotFound(format!("nothing called '{name}' was pruned in the last 7 days")));
            };
            let deployment = begun_anew(*pruned, now);
            // It is nobody's now; that it was brought back is told of the project that pruned it.
            let restored = Object { project: Some(&project), ..object(&deployment) };
            let event = Some(events::of_object("restored", &restored, "restored", &by));
            let writes = vec![Write::PutDeployment(Box::new(deployment.clone())), Write::DeleteTombstone(ObjectName::Deployment(name.clone()))];
            Ok(Edited { writes, answer: deployment, event })
        });
        edited.await
    }

    /// Brings a pruned object back, as nobody's; a work pool with its queues. What operators had laid over it is its own then.
    pub(super) async fn restore_named(&self, name: ObjectName, by: Author) -> Result<Vec<Pruned>, ControlError> {
        if let ObjectName::Deployment(name) = name {
            return Ok(vec![Pruned::Deployment(Box::new(self.restore_deployment_named(name, by).await?))]);
        }
        let edited = self.edit_told(|| {
            let now = clock::now();
            let words = name.kind().words();
            if self.is_there(&name)? {
                return Err(ControlError::Conflict(format!("the {words} '{name}' is there: there is nothing to restore")));
            }
            let absent = || ControlError::NotFound(format!("no {words} called '{name}' was pruned in the last 7 days"));
            let tombstone = self.kept(&name, now)?.ok_or_else(absent)?;
            let mut back = vec![tombstone.object];
            match &name {
                ObjectName::WorkPool(pool) => back.extend(self.pruned_queues(pool, now)?),
                ObjectName::WorkQueue { pool, .. } => self.refuse_without_pool(pool, now)?,
                _ => {}
            }
            let (id, project) = (back[0].id(), tombstone.project);
            let mut writes: Vec<Write> = back.iter().map(|object| Write::DeleteTombstone(object.name())).collect();
            let back: Vec<Pruned> = back.into_iter().map(|object| as_nobodys(object, now)).collect();
            writes.extend(back.iter().map(put));
            if let ObjectName::WorkPool(pool) = &name
                && !back.iter().any(|object| object.name() == ObjectName::queue(pool, DEFAULT_QUEUE))
                && self.reader.work_queue(pool, DEFAULT_QUEUE)?.is_none()
            {
                writes.push(Write::PutWorkQueue(self.new_queue(pool, DEFAULT_QUEUE, WorkQueueSpec::default())?));
            }
            let object = Object { kind: name.kind(), id, name: name.to_string(), project: Some(&project) };
            let event = Some(events::of_object("restored", &object, "restored", &by));
            Ok(Edited { writes, answer: back, event })
        });
        edited.await
    }

    /// What was pruned under the name, as long as it can be restored.
    fn kept(&self, name: &ObjectName, now: Timestamp) -> Result<Option<Tombstone>, ControlError> {
        Ok(self.reader.tombstone(name)?.filter(|tombstone| now < tombstone.until()))
    }

    fn is_there(&self, name: &ObjectName) -> Result<bool, ControlError> {
        Ok(match name {
            ObjectName::Deployment(name) => self.reader.deployment_by_name(name)?.is_some(),
            ObjectName::WorkPool(name) => self.reader.work_pool(name)?.is_some(),
            ObjectName::WorkQueue { pool, name } => self.reader.work_queue(pool, name)?.is_some(),
            ObjectName::TagLimit(tag) => self.reader.tag_limit(tag)?.is_some(),
        })
    }

    /// The queues of a pool that were pruned and are not there.
    fn pruned_queues(&self, pool: &str, now: Timestamp) -> Result<Vec<Pruned>, ControlError> {
        let mut queues = Vec::new();
        for tombstone in self.reader.tombstones()?.into_iter().filter(|tombstone| now < tombstone.until()) {
            let name = tombstone.object.name();
            let is_of_it = matches!(&name, ObjectName::WorkQueue { pool: of, .. } if of == pool);
            if is_of_it && !self.is_there(&name)? {
                queues.push(tombstone.object);
            }
        }
        Ok(queues)
    }

    fn refuse_without_pool(&self, pool: &str, now: Timestamp) -> Result<(), ControlError> {
        if self.reader.work_pool(pool)?.is_some() {
            return Ok(());
        }
        let todo = match self.kept(&ObjectName::WorkPool(pool.to_owned()), now)? {
            Some(_) => format!("to have it back with all its queues say: reeve restore --work-pool '{pool}'"),
            None => format!("make one first: reeve work-pool create '{pool}' --type process"),
        };
        Err(ControlError::Conflict(format!("its work pool '{pool}' is gone: {todo}")))
    }
}

/// The same object without an owner.
fn as_nobodys(object: Pruned, now: Timestamp) -> Pruned {
    match object {
        Pruned::Deployment(deployment) => Pruned::Deployment(Box::new(begun_anew(*deployment, now))),
        Pruned::WorkPool(pool) => Pruned::WorkPool(Box::new(WorkPool { updated: now, ..pool.nobodys() })),
        Pruned::WorkQueue(queue) => Pruned::WorkQueue(Box::new(WorkQueue { updated: now, ..queue.nobodys() })),
        Pruned::TagLimit(limit) => Pruned::TagLimit(Box::new(TagLimit { updated: now, ..limit.nobodys() })),
    }
}

fn put(object: &Pruned) -> Write {
    match object {
        Pruned::Deployment(deployment) => Write::PutDeployment(deployment.clone()),
        Pruned::WorkPool(pool) => Write::PutWorkPool((**pool).clone()),
        Pruned::WorkQueue(queue) => Write::PutWorkQueue((**queue).clone()),
        Pruned::TagLimit(limit) => Write::PutTagLimit((**limit).clone()),
    }
}

fn taken(there: &Deployment, is_pruned: bool) -> ControlError {
    let name = &there.name;
    let whose = match &there.owner {
        Some(owner) => format!("declared in {} of project '{}'", owner.file, owner.project),
        None => "which belongs to no project".to_owned(),
    };
    let todo = match (is_pruned, &there.owner) {
        (false, _) => "there is nothing to restore".to_owned(),
        (true, Some(_)) => "to have the one back that was pruned, remove or rename that one there first".to_owned(),
        (true, None) => format!("to have the one back that was pruned, delete that one first: reeve deployment delete '{name}'"),
    };
    ControlError::Conflict(format!("'{name}' is there, the deployment {} {whose}: {todo}", there.id))
}

/// As nobody's; its schedules begin anew.
fn begun_anew(pruned: Deployment, now: Timestamp) -> Deployment {
    let mut deployment = Deployment { updated: now, ..nobodys(pruned) };
    for schedule in &mut deployment.schedules {
        schedule.effective_since = resumed_since(schedule, now);
    }
    deployment
}
