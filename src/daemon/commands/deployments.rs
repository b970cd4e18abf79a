//! Commands on deployments.
use super::overrides::Edit;
use super::{Commands, Edited};
use crate::clock;
use crate::control::{Author, ControlError};
use crate::daemon::events;
use crate::dispatch::due::resumed_since;
use crate::model::deployment::Deployment;
use crate::model::event::Object;
use crate::model::id::{DeploymentId, Kind};
use crate::model::name::typed;
use crate::model::overrides::Owner;
use crate::model::write::Write;

impl Commands {
    /// Pauses or resumes. What is resumed begins anew: the slots that passed meanwhile do not fire, unless a policy asks for one.
    pub(super) async fn pause_deployment_of(
        &self,
        id: DeploymentId,
        paused: bool,
        by: Author,
    ) -> Result<Deployment, ControlError> {
        self.edit_told(|| {
                let mut deployment = self.deployment(id)?;
                let was_paused = deployment.paused();
                let ends = deployment.overrides.get("paused").and_then(|current| current.until);
                if was_paused == paused && by.until.allows(ends) {
                    return Ok(Edited::nothing(deployment));
                }
                let now = clock::now();
                let mut edit = Edit { owner: deployment.owner.as_ref(), overrides: &mut deployment.overrides, by: &by };
                edit.set("paused", paused, &mut deployment.declared.paused)?;
                if was_paused && !paused {
                    deployment.schedules.iter_mut().for_each(|schedule| schedule.effective_since = resumed_since(schedule, now));
                }
                deployment.updated = now;
                let (what, message) = match (was_paused, paused) {
                    (true, true) => ("paused", "paused still"),
                    (false, true) => ("paused", "paused"),
                    (_, false) => ("resumed", "resumed"),
                };
                let event = Some(events::of_object(what, &object(&deployment), message, &by));
                Ok(Edited { writes: vec![Write::PutDeployment(Box::new(deployment.clone()))], answer: deployment, event })
            })
            .await
    }

    /// Deletes a deployment that nobody owns. What a project declares is deleted by deleting it there.
    pub(super) async fn delete_deployment_of(&self, id: DeploymentId, by: Author) -> Result<(), ControlError> {
        let deployment = self.deployment(id)?;
        if let Some(owner) = &deployment.owner {
            if self.is_declared_no_more(&deployment).await {
                return Err(ControlError::Refused(kept(&deployment, owner)));
            }
            return Err(ControlError::Refused(format!(
                "deployment '{}' is declared in {} of project '{}': remove it there, and the next reconcile deletes it (to stop it now: reeve deployment pause '{}')",
                deployment.name, owner.file, owner.project, deployment.name
            )));
        }
        let edited = self.edit_told(|| {
            let deployment = self.deployment(id)?;
            let event = Some(events::of_object("deleted", &object(&deployment), "deleted", &by));
            Ok(Edited { writes: vec![Write::DeleteDeployment { id, name: deployment.name }], answer: (), event })
        });
        edited.await
    }

    pub(super) fn deployment(&self, id: DeploymentId) -> Result<Deployment, ControlError> {
        self.reader.deployment(id)?.ok_or_else(|| ControlError::NotFound("Deployment not found".to_owned()))
    }
}

/// Why a deployment that its project's files declare no longer is not deleted, and what deletes it.
fn kept(deployment: &Deployment, owner: &Owner) -> String {
    let Owner { project, file } = owner;
    let (name, root) = (&deployment.name, typed(deployment.root.as_deref().unwrap_or(".")));
    match deployment.declared.protect {
        true => format!(
            "deployment '{name}' is no longer in {file} of project '{project}', and is kept by its `protect: true`: declare it there once more \
             with `protect: false`, say `reeve reconcile --project {root}`, then remove it (to stop it now: reeve deployment pause '{name}')"
        ),
        false => format!(
            "deployment '{name}' is no longer in {file} of project '{project}', and goes with the next reconcile that may prune: where the file \
             says `prune: false`, take that away, then say `reeve reconcile --project {root}` (to stop it now: reeve deployment pause '{name}')"
        ),
    }
}

/// A deployment, as its events name it.
pub(in crate::daemon) fn object(deployment: &Deployment) -> Object<'_> {
    let project = deployment.owner.as_ref().map(|owner| owner.project.as_str());
    Object { kind: Kind::Deployment, id: deployment.id.0, name: deployment.name.to_string(), project }
}
