//! Overrides: what operators lay over declared fields, and how it is taken away.
use super::{Commands, deployments, tag_limits, work_pools};
use crate::clock;
use crate::control::{Author, ControlError, OverrideRef};
use crate::daemon::events;
use crate::dispatch::due::resumed_since;
use crate::model::deployment::{Deployment, FullName};
use crate::model::event::{Event, Object};
use crate::model::id::Kind;
use crate::model::overrides::{Override, Overrides, Owner};
use crate::model::write::Write;
use crate::store::ledger::{Ledger, LedgerError};
use serde_json::Value;

impl Commands {
    /// Takes an override away, so that the field is again what the file says. What fires again because of it begins anew.
    pub(super) async fn clear_override_of(&self, which: OverrideRef, by: Author) -> Result<Override, ControlError> {
        clear(self.writer()?, &which, &by).await?.ok_or_else(|| absent(&which))
    }
}

/// An operator's edit: an override on what a project owns, a plain edit on what nobody owns.
pub(super) struct Edit<'a> {
    pub owner: Option<&'a Owner>,
    pub overrides: &'a mut Overrides,
    pub by: &'a Author,
}

impl Edit<'_> {
    /// Sets a field. What the file says already needs no override, and takes away the one that stands there.
    ///
    /// # Errors
    /// It is to end by itself, and cannot: at an instant that is over, or because there is no override to end.
    pub fn set<T: PartialEq + Clone + Into<Value>>(&mut self, field: &str, value: T, declared: &mut T) -> Result<(), ControlError> {
        let Some(owner) = self.owner else {
            self.endless("belongs to nobody, so that this is a plain edit and no override, and nothing ends a plain edit by itself")?;
            *declared = value;
            return Ok(());
        };
        if *declared == value {
            self.endless(&format!("has the {field} that {} gives it already, so that there is no override to end", owner.file))?;
            self.overrides.remove(field);
            return Ok(());
        }
        let now = clock::now();
        if let Some(over) = self.by.until.at().filter(|until| *until <= now) {
            return Err(ControlError::Invalid(format!("an override cannot end at {over}, which is over: name a time to come")));
        }
        let value = value.into();
        if self.overrides.get(field).is_none_or(|current| current.value != value || !self.by.until.allows(current.until)) {
            let Author { who, why, until, .. } = self.by.clone();
            self.overrides.insert(field.to_owned(), Override { value, who, why, since: now, until: until.at() });
        }
        Ok(())
    }

    /// Refuses an end where there is nothing that could end.
    fn endless(&self, why: &str) -> Result<(), ControlError> {
        match self.by.until.at() {
            None => Ok(()),
            Some(_) => Err(ControlError::Invalid(format!("it {why}: leave --until out, and undo it by hand when it is to end"))),
        }
    }
}

/// Takes away the override that `which` names, if there is one; what fires again because of it begins anew.
async fn clear(ledger: &Ledger, which: &OverrideRef, by: &Author) -> Result<Option<Override>, LedgerError> {
    let edited = ledger.edit::<_, LedgerError>(|| {
        let now = clock::now();
        let found = match which.kind {
            Kind::ConcurrencyLimit => ledger.tag_limit(&which.name)?.and_then(|mut limit| {
                let taken = limit.overrides.remove(&which.field)?;
                limit.updated = now;
                let event = cleared(&tag_limits::object(&limit), &which.field, &taken, by);
                Some((Write::PutTagLimit(limit), taken, event))
            }),
            Kind::WorkPool => ledger.work_pool(&which.name)?.and_then(|mut pool| {
                let taken = pool.overrides.remove(&which.field)?;
                pool.updated = now;
                let event = cleared(&work_pools::pool_object(&pool), &which.field, &taken, by);
                Some((Write::PutWorkPool(pool), taken, event))
            }),
            Kind::WorkQueue => {
                let queue = which.name.split_once('/').map(|(pool, queue)| ledger.work_queue(pool, queue)).transpose()?;
                queue.flatten().and_then(|mut queue| {
                    let taken = queue.overrides.remove(&which.field)?;
                    queue.updated = now;
                    let event = cleared(&work_pools::queue_object(&queue), &which.field, &taken, by);
                    Some((Write::PutWorkQueue(queue), taken, event))
                })
            }
            Kind::Deployment | Kind::Flow | Kind::Schedule => {
                let named = FullName::parse(&which.name).map(|name| ledger.deployment_by_name(&name)).transpose()?;
                named.flatten().and_then(|mut deployment| {
                    let taken = resuming(&mut deployment, |deployment| take_from_deployment(deployment, &which.field))?;
                    deployment.updated = now;
                    let event = cleared(&deployments::object(&deployment), &which.field, &taken, by);
                    Some((Write::PutDeployment(Box::new(deployment)), taken, event))
                })
            }
        };
        let Some((write, taken, event)) = found else { return Ok((Vec::new(), None)) };
        let mut writes = vec![write];
        events::add(&mut writes, &event);
        Ok((writes, Some((taken, event))))
    });
    let Some((taken, event)) = edited.await? else { return Ok(None) };
    events::tell(&event);
    Ok(Some(taken))
}

/// What tells of an override that was taken away.
fn cleared(object: &Object<'_>, field: &str, taken: &Override, by: &Author) -> Event {
    let message = format!("{field} = {}, set by {}, was cleared", taken.value, taken.who);
    events::of_object("override-cleared", object, &message, by).with("field", field)
}

/// The deployment's own, or one of a schedule: `schedules/KEY/active`.
fn take_from_deployment(deployment: &mut Deployment, field: &str) -> Option<Override> {
    match field.strip_prefix("schedules/").and_then(|rest| rest.rsplit_once('/')) {
        None => deployment.overrides.remove(field),
        Some((key, field)) => {
            let schedule = deployment.schedules.iter_mut().find(|schedule| schedule.key == key)?;
            schedule.overrides.remove(field)
        }
    }
}

/// Changes a deployment; the schedules that fire again because of it are effective anew.
fn resuming<T>(deployment: &mut Deployment, change: impl FnOnce(&mut Deployment) -> T) -> T {
    let now = clock::now();
    let firing: Vec<_> = deployment.firing_schedules().map(|schedule| schedule.id).collect();
    let answer = change(deployment);
    let resumed: Vec<_> = deployment.firing_schedules().map(|schedule| schedule.id).filter(|id| !firing.contains(id)).collect();
    for schedule in deployment.schedules.iter_mut().filter(|schedule| resumed.contains(&schedule.id)) {
        schedule.effective_since = resumed_since(schedule, now);
    }
    answer
}

fn absent(which: &OverrideRef) -> ControlError {
    ControlError::NotFound(format!("there is no override of {} on the {} '{}'", which.field, which.kind.words(), which.name))
}
