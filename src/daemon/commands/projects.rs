//! Commands on projects.
use super::{Commands, Edited};
use crate::control::{Author, ControlError, ProjectDeletion, ReconcileReport, Until};
use crate::daemon::events;
use crate::daemon::removal;
use crate::model::event::ProjectState;
use crate::model::status::{ConditionKind, ProjectStatus, reasons};
use crate::model::stored::{Project, Suspension};
use crate::model::write::Write;

impl Commands {
    /// Suspends a project or, without a suspension, resumes it; what changed meanwhile is then reconciled at once.
    pub(super) async fn suspend_project_until(
        &self,
        name: String,
        suspension: Option<Suspension>,
        by: Author,
    ) -> Result<Project, ControlError> {
        // A suspension says itself why, and until when.
        let (why, until) = suspension.as_ref().map_or((by.why, by.until), |by| (by.why.clone(), by.until.map_or(Until::Never, Until::At)));
        let by = Author { why, until, ..by };
        let state = if suspension.is_some() { ProjectState::Suspended } else { ProjectState::Resumed };
        let edited = self.edit_told(|| {
            let mut project = self.reader.project(&name)?.ok_or_else(|| self.no_project(&name))?;
            if project.suspended == suspension {
                return Ok(Edited::nothing(project));
            }
            project.suspended.clone_from(&suspension);
            let event = Some(events::of_project(state.word(), &name, state.word(), &by));
            Ok(Edited { writes: vec![Write::PutProject(project.clone())], answer: project, event })
        });
        let project = edited.await?;
        self.reconciler.look_again();
        Ok(project)
    }

    /// Removes a project whose files are gone, with all that it owns.
    pub(super) async fn delete_project_of(&self, request: ProjectDeletion, by: Author) -> Result<ReconcileReport, ControlError> {
        let project = self.reader.project(&request.name)?.ok_or_else(|| self.no_project(&request.name))?;
        let status = self.reconciler.status();
        let served = status.projects.iter().find(|served| served.root == project.root || served.name == project.name);
        if let Some(served) = served.filter(|served| !are_files_gone(served)) {
            return Err(ControlError::Refused(format!(
                "project '{}' is served by this daemon from {}, where its files are: remove the entries there, and the next reconcile prunes \
                 what they declared; or stop serving it first, by starting the daemon without that project",
                project.name, served.root
            )));
        }
        let writer = if request.dry_run { None } else { Some(self.writer()?) };
        let report = removal::remove(writer, &self.reader, &project, request.allow_prune).await?;
        if let (Some(writer), true, Some(plan)) = (writer, report.applied, &report.plan) {
            let event = events::of_project("deleted", &project.name, &format!("deleted, with {} of its objects,", plan.counts.prune), &by);
            events::tell(&event);
            // The project is gone: that it could not be recorded is no reason to say otherwise.
            if let Err(error) = writer.record(std::slice::from_ref(&event)).await {
                tracing::warn!("the deletion of project '{}' is not among its events: {error}", project.name);
            }
        }
        Ok(report)
    }

    fn no_project(&self, name: &str) -> ControlError {
        let known = self.reader.projects().unwrap_or_default();
        let known: Vec<String> = known.into_iter().map(|project| format!("'{}'", project.name)).collect();
        let known = if known.is_empty() { "none was applied yet".to_owned() } else { format!("there are {}", known.join(", ")) };
        ControlError::NotFound(format!("no project is called '{name}' here: {known}"))
    }
}

fn are_files_gone(served: &ProjectStatus) -> bool {
    served.condition(ConditionKind::PruneBlocked).is_some_and(|condition| condition.reason == reasons::FILES_GONE)
}
