//! Overrides: what operators laid over declared fields, listed and taken away.
use super::Commands;
use crate::clock;
use crate::control::{ControlError, OverrideRef};
use crate::dispatch::due::resumed_since;
use crate::model::deployment::{Deployment, FullName};
use crate::model::id::Kind;
use crate::model::overrides::{Override, Overrides};
use crate::model::write::Write;

impl Commands {
    /// Takes an override away, so that the field is again what the file says. What fires again because of it begins anew.
    pub(super) async fn clear_override_of(&self, which: OverrideRef) -> Result<Override, ControlError> {
        let edited = self.writer()?.edit::<_, ControlError>(|| {
            let now = clock::now();
            match which.kind {
                Kind::WorkPool => {
                    let mut pool = self.reader.work_pool(&which.name)?.ok_or_else(|| absent(&which))?;
                    let taken = take(&mut pool.overrides, &which)?;
                    pool.updated = now;
                    Ok((vec![Write::PutWorkPool(pool)], taken))
                }
                Kind::WorkQueue => {
                    let (pool, queue) = which.name.split_once('/').ok_or_else(|| absent(&which))?;
                    let mut queue = self.reader.work_queue(pool, queue)?.ok_or_else(|| absent(&which))?;
                    let taken = take(&mut queue.overrides, &which)?;
                    queue.updated = now;
                    Ok((vec![Write::PutWorkQueue(queue)], taken))
                }
                _ => {
                    let name = FullName::parse(&which.name).ok_or_else(|| absent(&which))?;
                    let mut deployment = self.reader.deployment_by_name(&name)?.ok_or_else(|| absent(&which))?;
                    let taken = take_from_deployment(&mut deployment, &which)?;
                    deployment.updated = now;
                    Ok((vec![Write::PutDeployment(Box::new(deployment))], taken))
                }
            }
        });
        edited.await
    }
}

fn take(overrides: &mut Overrides, which: &OverrideRef) -> Result<Override, ControlError> {
    overrides.remove(&which.field).ok_or_else(|| absent(which))
}

/// The deployment's own, or one of a schedule: `schedules/KEY/active`.
fn take_from_deployment(deployment: &mut Deployment, which: &OverrideRef) -> Result<Override, ControlError> {
    let now = clock::now();
    let firing: Vec<_> = deployment.firing_schedules().map(|schedule| schedule.id).collect();
    let taken = match which.field.strip_prefix("schedules/").and_then(|rest| rest.rsplit_once('/')) {
        None => take(&mut deployment.overrides, which)?,
        Some((key, field)) => {
            let schedule = deployment.schedules.iter_mut().find(|schedule| schedule.key == key).ok_or_else(|| absent(which))?;
            schedule.overrides.remove(field).ok_or_else(|| absent(which))?
        }
    };
    let resumed: Vec<_> = deployment.firing_schedules().map(|schedule| schedule.id).filter(|id| !firing.contains(id)).collect();
    for schedule in deployment.schedules.iter_mut().filter(|schedule| resumed.contains(&schedule.id)) {
        schedule.effective_since = resumed_since(schedule, now);
    }
    Ok(taken)
}

fn absent(which: &OverrideRef) -> ControlError {
    ControlError::NotFound(format!("there is no override of {} on the {} '{}'", which.field, which.kind.words(), which.name))
}
