//! Where a deployment's fields come from, by its files as they are now.
use super::Commands;
use crate::control::ControlError;
use crate::daemon::reconciler::load;
use crate::manifest::{At, Locator};
use crate::model::deployment::Deployment;
use crate::model::id::DeploymentId;
use crate::model::position::Position;
use crate::reconcile::origin::{self, Now, Origin};
use crate::source;
use std::path::{Path, PathBuf};

impl Commands {
    /// Every effective field with its source. Reads the project's files.
    pub(super) async fn explain_deployment_of(&self, id: DeploymentId) -> Result<Vec<Origin>, ControlError> {
        let deployment = self.deployment(id)?;
        let explained = tokio::task::spawn_blocking(move || {
            explain(&deployment).unwrap_or_else(|| {
                let mut origins = origin::of(&deployment, None);
                if is_left_out(&deployment) {
                    origins.iter_mut().for_each(|origin| origin.source.leave_out());
                }
                origins
            })
        });
        explained.await.map_err(|ended| ControlError::Internal(ended.to_string()))
    }

    pub(super) async fn is_declared_no_more(&self, deployment: &Deployment) -> bool {
        let deployment = deployment.clone();
        tokio::task::spawn_blocking(move || is_left_out(&deployment)).await.unwrap_or(false)
    }
}

/// Whether the project's files can be read, and do not declare the deployment any more.
fn is_left_out(deployment: &Deployment) -> bool {
    let (Some(owner), Some(root)) = (&deployment.owner, deployment.root.as_deref()) else { return false };
    let declares = |named: &[PathBuf]| {
        let sources = source::read_directory(Path::new(root), named).ok()?;
        let desired = load(&sources, false).0.filter(|desired| desired.project == owner.project && desired.failed.is_empty())?;
        Some(desired.deployments.contains_key(&deployment.name))
    };
    let found = [declares(&[]), declares(&[PathBuf::from(&owner.file)])];
    found.contains(&Some(false)) && !found.contains(&Some(true))
}

/// `None` where the files are gone, are wrong, or do not declare it any more.
fn explain(deployment: &Deployment) -> Option<Vec<Origin>> {
    let (owner, root) = (deployment.owner.as_ref()?, Path::new(deployment.root.as_deref()?));
    let declaring = |named: &[PathBuf]| {
        let sources = source::read_directory(root, named).ok()?;
        let desired = load(&sources, false).0.filter(|desired| desired.deployments.contains_key(&deployment.name))?;
        Some((sources, desired))
    };
    // The entry may have moved to another file of the project since; a file that is not found by its name was named with -f.
    let (sources, desired) = declaring(&[]).or_else(|| declaring(&[PathBuf::from(&owner.file)]))?;
    let declared = desired.deployments.get(&deployment.name)?;
    let text = sources.manifests().iter().find(|file| file.path == declared.file)?;
    let locator = Locator::new(std::str::from_utf8(&text.content).ok()?);
    let find = |pointer: &str| {
        let found = locator.find(pointer, At::Key)?;
        Some(Position { file: declared.file.clone(), line: found.line, column: found.column })
    };
    Some(origin::of(deployment, Some(&Now { spec: &declared.spec, pointer: &declared.pointer, find: &find })))
}
