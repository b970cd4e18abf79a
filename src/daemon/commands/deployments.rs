//! Commands on deployments.
use super::Commands;
use super::overrides::Edit;
use crate::clock;
use crate::control::{Author, ControlError};
use crate::dispatch::due::resumed_since;
use crate::model::deployment::Deployment;
use crate::model::id::DeploymentId;
use crate::model::write::Write;

impl Commands {
    /// Pauses or resumes. What is resumed begins anew: the slots that passed meanwhile do not fire, unless a policy asks for one.
    pub(super) async fn pause_deployment_of(
        &self,
        id: DeploymentId,
        paused: bool,
        by: Author,
    ) -> Result<Deployment, ControlError> {
        self.writer()?
            .edit(|| {
                let mut deployment = self.deployment(id)?;
                let was_paused = deployment.paused();
                let ends = deployment.overrides.get("paused").and_then(|current| current.until);
                if was_paused == paused && by.until.allows(ends) {
                    return Ok((Vec::new(), deployment));
                }
                let now = clock::now();
                let mut edit = Edit { owner: deployment.owner.as_ref(), overrides: &mut deployment.overrides, by: &by };
                edit.set("paused", paused, &mut deployment.declared.paused)?;
                if was_paused && !paused {
                    deployment.schedules.iter_mut().for_each(|schedule| schedule.effective_since = resumed_since(schedule, now));
                }
                deployment.updated = now;
                Ok((vec![Write::PutDeployment(Box::new(deployment.clone()))], deployment))
            })
            .await
    }

    /// Deletes a deployment that nobody owns. What a project declares is deleted by deleting it there.
    pub(super) async fn delete_deployment_of(&self, id: DeploymentId) -> Result<(), ControlError> {
        let deployment = self.deployment(id)?;
        if let Some(owner) = &deployment.owner {
            return Err(ControlError::Refused(format!(
                "deployment '{}' is declared in {} of project '{}': remove it there, and the next reconcile deletes it (to stop it now: reeve deployment pause '{}')",
                deployment.name, owner.file, owner.project, deployment.name
            )));
        }
        let edited = self.writer()?.edit(|| {
            let deployment = self.deployment(id)?;
            Ok((vec![Write::DeleteDeployment { id, name: deployment.name }], ()))
        });
        edited.await
    }

    pub(super) fn deployment(&self, id: DeploymentId) -> Result<Deployment, ControlError> {
        self.reader.deployment(id)?.ok_or_else(|| ControlError::NotFound("Deployment not found".to_owned()))
    }
}
