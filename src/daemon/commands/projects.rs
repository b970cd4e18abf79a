//! Commands on projects.
use super::Commands;
use crate::control::ControlError;
use crate::model::stored::{Project, Suspension};
use crate::model::write::Write;

impl Commands {
    /// Suspends a project or, without a suspension, resumes it; what changed meanwhile is then reconciled at once.
    pub(super) async fn suspend_project_until(&self, name: String, suspension: Option<Suspension>) -> Result<Project, ControlError> {
        let edited = self.writer()?.edit::<_, ControlError>(|| {
            let mut project = self.reader.project(&name)?.ok_or_else(|| self.no_project(&name))?;
            if project.suspended == suspension {
                return Ok((Vec::new(), project));
            }
            project.suspended.clone_from(&suspension);
            Ok((vec![Write::PutProject(project.clone())], project))
        });
        let project = edited.await?;
        self.reconciler.look_again();
        Ok(project)
    }

    fn no_project(&self, name: &str) -> ControlError {
        let known = self.reader.projects().unwrap_or_default();
        let known: Vec<String> = known.into_iter().map(|project| format!("'{}'", project.name)).collect();
        let known = if known.is_empty() { "none was applied yet".to_owned() } else { format!("there are {}", known.join(", ")) };
        ControlError::NotFound(format!("no project is called '{name}' here: {known}"))
    }
}
