//! Projects whose files are gone. Nothing of theirs is pruned unasked; removing one is a plan like any other: that of files that
//! declare nothing.
use super::apply::{self, Applied};
use super::places;
use super::reconciler::{PassError, runs_in_progress};
use crate::clock;
use crate::control::{ControlError, ProjectDeletion, ReconcileReport};
use crate::model::deployment::Deployment;
use crate::model::desired::Desired;
use crate::model::overrides::Owner;
use crate::model::stored::{Project, Stored};
use crate::model::write::Write;
use crate::model::id::Kind;
use crate::reconcile::{self, Action, Note, NoteLevel, Options, Plan, Refusal};
use crate::source::SourceError;
use crate::store::ledger::{Ledger, LedgerError, Reader};
use std::path::Path;

/// How often a plan is made again because the definitions moved while it was made.
const MOST_REPLANS: usize = 8;

/// Of larger projects it is not told which runs vanish.
const MOST_FORESEEN: usize = 5_000;

/// Prunes all that a project owns and forgets the project, in one commit. `writer`: `None` is a dry run.
pub async fn remove(
    writer: Option<&Ledger>,
    reader: &Reader,
    project: &Project,
    allow_prune: Option<usize>,
) -> Result<ReconcileReport, ControlError> {
    for _ in 0..MOST_REPLANS {
        let (mut plan, stored) = plan_of_nothing(reader, project, allow_prune)?;
        if plan.steps.len() <= MOST_FORESEEN {
            plan.foresee(&stored, plan.made);
            let runs = runs_in_progress(reader)?;
            plan.count_runs(|deployment| runs.get(&deployment).copied().unwrap_or_default());
        }
        told_as_removal(&mut plan, project);
        let mut report = ReconcileReport::default();
        let applied = match writer.filter(|_| !plan.is_refused()) {
            None => None,
            Some(writer) => Some(apply::apply(writer, plan.base_revision, &writes(&mut plan, &stored, project)).await?),
        };
        if applied != Some(Applied::Moved) {
            report.applied = applied.is_some();
            report.plan = Some(plan);
            return Ok(report);
        }
    }
    Err(LedgerError::Conflict("definitions".to_owned()).into())
}

/// It is a project that is deleted, and no entry that was taken out of a file: whether its files still declare it is another matter.
fn told_as_removal(plan: &mut Plan, project: &Project) {
    for step in plan.steps.iter_mut().filter(|step| step.action == Action::Prune) {
        (step.file, step.reason) = (None, "its project is deleted".into());
    }
    for refusal in &mut plan.refusals {
        if let Refusal::PrunesEverything { prunes } = *refusal {
            *refusal = Refusal::PrunesMany { prunes, owned: prunes, limit: 0 };
        }
    }
    let Some(objects) = places::still_declared(&project.name, &project.root) else { return };
    let objects = if objects == 1 { "1 object".to_owned() } else { format!("{objects} objects") };
    plan.notes.push(Note {
        level: NoteLevel::Warning,
        code: "still-declared".to_owned(),
        kind: Kind::Deployment,
        name: project.name.clone(),
        message: format!(
            "the files of the project in {} still declare {objects}: the next reconcile there would bring them back",
            project.root
        ),
        help: Some("remove the entries there and reconcile, or delete the files first".to_owned()),
        file: None,
        pointer: None,
        position: None,
    });
}

fn plan_of_nothing(reader: &Reader, project: &Project, allow_prune: Option<usize>) -> Result<(Plan, Stored), LedgerError> {
    let desired = Desired { project: project.name.clone(), root: project.root.clone(), ..Desired::default() };
    let stored = reader.stored(&desired)?;
    let options = Options { allow_prune, ..Options::default() };
    Ok((reconcile::plan(&desired, &stored, clock::now(), &options), stored))
}

/// What the plan prunes, and the project itself. What stays (others use it, or it is protected) is nobody's from now on.
fn writes(plan: &mut Plan, stored: &Stored, project: &Project) -> Vec<Write> {
    let mut writes = plan.take_writes();
    writes.retain(|write| !matches!(write, Write::PutProject(_)));
    let ours = |owner: &Option<Owner>| owner.as_ref().is_some_and(|owner| owner.project == project.name);
    let mut left = Vec::new();
    for pool in stored.work_pools.values().filter(|pool| ours(&pool.owner)) {
        if !writes.contains(&Write::DeleteWorkPool(pool.name.clone())) {
            left.push(Write::PutWorkPool(pool.clone().nobodys()));
        }
    }
    for limit in stored.tag_limits.values().filter(|limit| ours(&limit.owner)) {
        if !writes.contains(&Write::DeleteTagLimit(limit.tag.clone())) {
            left.push(Write::PutTagLimit(limit.clone().nobodys()));
        }
    }
    for queue in stored.work_queues.values().filter(|queue| ours(&queue.owner)) {
        if !writes.contains(&Write::DeleteWorkQueue { pool: queue.pool.clone(), name: queue.name.clone() }) {
            left.push(Write::PutWorkQueue(queue.clone().nobodys()));
        }
    }
    for deployment in stored.deployments.values().filter(|deployment| ours(&deployment.owner)) {
        if !writes.contains(&Write::DeleteDeployment { id: deployment.id, name: deployment.name.clone() }) {
            left.push(Write::PutDeployment(Box::new(nobodys(deployment.clone()))));
        }
    }
    writes.extend(left);
    writes.push(Write::DeleteProject(project.name.clone()));
    writes
}

/// The same deployment without an owner: what operators had laid over it is its own now.
pub fn nobodys(mut deployment: Deployment) -> Deployment {
    deployment.declared.paused = deployment.paused();
    deployment.owner = None;
    deployment.overrides.clear();
    for schedule in &mut deployment.schedules {
        schedule.declared.active = schedule.active();
        schedule.overrides.clear();
    }
    deployment
}

/// Why a directory could not be read; where a project was applied from it and its files are gone, with what that means and what to do.
pub fn unreadable(reader: &Reader, root: &Path, error: SourceError) -> PassError {
    let is_gone = matches!(error, SourceError::NoManifest { .. } | SourceError::NoDirectory { .. });
    match is_gone.then(|| left_behind(reader, root)).transpose() {
        Ok(Some(Some(left))) => PassError::Gone { error, left },
        Ok(_) => PassError::Source(error),
        Err(error) => PassError::Ledger(error),
    }
}

/// What is still here of the projects that were applied from a directory; `None` where there is none.
fn left_behind(reader: &Reader, root: &Path) -> Result<Option<String>, LedgerError> {
    let mut texts = Vec::new();
    for project in reader.projects()?.into_iter().filter(|project| Path::new(&project.root) == root) {
        let prunes = plan_of_nothing(reader, &project, None)?.0.counts.prune;
        let name = &project.name;
        let stay = match prunes {
            0 => "owns nothing".to_owned(),
            1 => "its one object stays".to_owned(),
            many => format!("its {many} objects stay"),
        };
        texts.push(format!(
            "nothing is pruned: project '{name}' was applied from here, and {stay}; if it is gone for good, say `{}`",
            ProjectDeletion::words(name, prunes)
        ));
    }
    Ok((!texts.is_empty()).then(|| texts.join("; ")))
}
