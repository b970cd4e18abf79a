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
use crate::model::write::Write;
use jiff::Timestamp;

impl Commands {
    /// Brings a pruned deployment back with its id, history and schedules. It is nobody's then: the next reconcile of its project
    /// would otherwise prune it again at once.
    pub(super) async fn restore_deployment_named(&self, name: FullName, by: Author) -> Result<Deployment, ControlError> {
        let edited = self.edit_told(|| {
            let now = clock::now();
            let tombstone = self.reader.tombstone(&name)?.filter(|tombstone| now < tombstone.until());
            if let Some(there) = self.reader.deployment_by_name(&name)? {
                return Err(taken(&there, tombstone.is_some()));
            }
            let tombstone = tombstone.ok_or_else(|| ControlError::NotFound(format!("nothing called '{name}' was pruned in the last 7 days")))?;
            let deployment = begun_anew(tombstone.deployment, now);
            // It is nobody's now; that it was brought back is told of the project that pruned it.
            let restored = Object { project: Some(&tombstone.project), ..object(&deployment) };
            let event = Some(events::of_object("restored", &restored, "restored", &by));
            let writes = vec![Write::PutDeployment(Box::new(deployment.clone())), Write::DeleteTombstone(name.clone())];
            Ok(Edited { writes, answer: deployment, event })
        });
        edited.await
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
