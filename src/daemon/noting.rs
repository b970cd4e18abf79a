//! What the daemon knows of each project it serves: what a pass found becomes its status, and an event where that is news.
use super::events;
use super::reconciler::{Outcome, PassError, RETRY_AFTER, Reconciler};
use crate::clock;
use crate::model::event::ProjectState;
use crate::model::position::Position;
use crate::model::status::{Began, Cause, Observed, Phase, ProjectStatus, reasons};
use crate::model::stored::Suspension;
use crate::reconcile::{Drift, Plan, Refusal};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

impl Reconciler {
    /// Shows a project as being worked on.
    pub fn note_reconciling(&self, root: &Path) {
        self.update_project(root, |project| project.phase = Phase::Reconciling);
    }

    /// Puts what a pass found into the status.
    pub fn note(&self, root: &Path, outcome: &Outcome) {
        let now = clock::now();
        let failed = outcome.report.has_failed();
        let in_sync = outcome.report.plan.as_ref().is_some_and(|plan| plan.is_empty() || outcome.report.applied) && outcome.refusal.is_none() && !failed;
        let began = self.began(root, in_sync, failed);
        self.update_project(root, |project| {
            if let Some(name) = &outcome.project {
                project.name.clone_from(name);
            }
            project.warnings = outcome.report.problems.clone();
            let (plan, before) = (outcome.report.plan.as_ref(), outcome.stored.as_ref());
            let changed = outcome.report.applied && plan.is_some_and(|plan| !plan.is_empty());
            let otherwise = match &outcome.refusal {
                _ if outcome.report.has_failed() => Phase::Rejected { problems: outcome.report.problems.clone(), since: now },
                Some(reason) => Phase::Refused { reason: reason.clone(), since: now },
                None => Phase::Idle,
            };
            let (phase, beneath) = match before.and_then(|stored| stored.suspension(now)) {
                Some(suspension) => (Phase::Suspended(suspension.clone()), Some(otherwise)),
                None => (otherwise, None),
            };
            if matches!(phase, Phase::Rejected { .. }) {
                project.warnings.clear();
            }
            if phase == Phase::Idle || (plan.is_none() && before.is_some()) {
                project.deployments = outcome.deployments;
            }
            let found = Observed {
                phase,
                beneath,
                began,
                source: outcome.source.clone(),
                applied_source: if changed { outcome.source.clone() } else { before.and_then(|stored| stored.source.clone()) },
                // Of files that are wrong it is not known whose they are: what was known stands.
                generation: match (plan, before) {
                    (None, None) => project.generation,
                    (_, before) => before.map_or(0, |stored| stored.generation) + u64::from(changed),
                },
                in_sync,
                prune_blocked: plan.and_then(prune_blocked),
                drifted: plan.and_then(drifted),
            };
            project.observe(found, now);
            project.count_pass(changed);
        });
    }

    /// Puts a failure that is not the files' into the status.
    pub fn note_failure(&self, root: &Path, error: &PassError) {
        let now = clock::now();
        let retry_at = now.saturating_add(RETRY_AFTER).unwrap_or(Timestamp::MAX);
        let began = self.began(root, false, !matches!(error, PassError::Gone { .. }));
        self.update_project(root, |project| {
            let (phase, prune_blocked) = match error {
                PassError::Gone { left, .. } => {
                    (Phase::Refused { reason: error.to_string(), since: now }, Some(Cause::new(reasons::FILES_GONE, left)))
                }
                error => (Phase::Failing { error: error.to_string(), retry_at }, None),
            };
            let (generation, applied_source) = (project.generation, project.applied_source.take());
            let found =
                Observed { phase, beneath: None, began, source: None, applied_source, generation, in_sync: false, prune_blocked, drifted: None };
            project.observe(found, now);
            project.count_pass(false);
        });
    }

    /// Since when it has been so, as far as the events of the time before this daemon tell: only of the first pass it is not known here.
    fn began(&self, root: &Path, in_sync: bool, failing: bool) -> Began {
        let is_first = self.status.borrow().projects.iter().any(|project| Path::new(&project.root) == root && project.conditions.is_empty());
        match self.applied_from(root).filter(|_| is_first) {
            Some(name) => events::since(&self.reader, &name, in_sync, failing),
            None => Began::default(),
        }
    }

    /// The name of the project that was applied from a directory.
    fn applied_from(&self, root: &Path) -> Option<String> {
        let projects = self.reader.projects().unwrap_or_default();
        projects.into_iter().find(|project| Path::new(&project.root) == root).map(|project| project.name)
    }

    /// Records among the events how a project stands, where that is news. That it cannot be recorded keeps nothing from going on.
    pub async fn record_state(&self, root: &Path) {
        let standing = self.status.borrow().projects.iter().find(|project| Path::new(&project.root) == root).and_then(standing);
        if let (Some(writer), Some((state, message, place)), Some(name)) = (&self.writer, standing, self.applied_from(root))
            && let Err(error) = events::record_state(writer, &name, state, &message, place.as_ref()).await
        {
            tracing::warn!(source = format!("project '{name}'"), "that it is {} is not among its events: {error}", state.word());
        }
    }

    /// Tells of drift that a pass found and leaves as it is, where that is news. `known`: what was told before.
    pub async fn record_drift(&self, plan: &Plan, known: &mut Option<BTreeMap<Uuid, String>>) {
        if plan.counts.drift_left == 0 && known.as_ref().is_some_and(BTreeMap::is_empty) {
            return;
        }
        let events = events::new_drift(&self.reader, plan, known);
        if let (Some(writer), false) = (&self.writer, events.is_empty())
            && let Err(error) = writer.record(&events).await
        {
            tracing::warn!(source = format!("project '{}'", plan.project), "that it has drifted is not among its events: {error}");
        }
    }

    /// Records that a suspension has come to its end.
    pub async fn record_resumed(&self, project: &str, suspension: &Suspension) {
        let message = format!("no longer suspended {suspension}");
        if let Some(writer) = &self.writer
            && let Err(error) = events::record_state(writer, project, ProjectState::Resumed, &message, None).await
        {
            tracing::warn!(source = format!("project '{project}'"), "that its suspension has ended is not among its events: {error}");
        }
    }

    fn update_project(&self, root: &Path, change: impl FnOnce(&mut ProjectStatus)) {
        self.status.send_modify(|status| {
            if let Some(project) = status.projects.iter_mut().find(|project| Path::new(&project.root) == root) {
                change(project);
            }
        });
    }
}

/// What a project's status is as an event; `None`: others tell of it.
fn standing(project: &ProjectStatus) -> Option<(ProjectState, String, Option<Position>)> {
    match &project.phase {
        Phase::Starting | Phase::Reconciling | Phase::Suspended(_) => None,
        Phase::Idle => Some((ProjectState::InSync, "in sync again".to_owned(), None)),
        Phase::Rejected { .. } => project.last_error.as_ref().map(|error| (ProjectState::Rejected, error.message.clone(), error.position.clone())),
        Phase::Refused { reason, .. } => Some((ProjectState::Refused, reason.clone(), None)),
        Phase::Failing { error, .. } => Some((ProjectState::Failing, error.clone(), None)),
    }
}

/// The guard that keeps what is no longer declared.
fn prune_blocked(plan: &Plan) -> Option<Cause> {
    plan.refusals.iter().find_map(|refusal| {
        let code = match refusal {
            Refusal::PrunesEverything { .. } => "prunes-everything",
            Refusal::PrunesMany { .. } => "prunes-many",
            Refusal::AllowanceDiffers { .. } => "allowance-differs",
            Refusal::TwoCheckouts { .. } => "two-checkouts",
            Refusal::BeingWritten { .. } => "being-written",
            Refusal::FilesNotRead { .. } => "files-not-read",
            Refusal::IncludesNothing { .. } => "includes-nothing",
            Refusal::CheckoutInProgress { .. } => "checkout-in-progress",
            Refusal::Owned { .. } | Refusal::RenamesSeveral { .. } | Refusal::Suspended { .. } => return None,
        };
        Some(Cause::new(code, refusal.in_full(&plan.root)))
    })
}

/// What differs although its file has not changed.
fn drifted(plan: &Plan) -> Option<Cause> {
    let names: Vec<&str> = plan.steps.iter().filter(|step| step.drift == Some(Drift::Report)).map(|step| step.name.as_str()).take(5).collect();
    let more = plan.counts.drift_left.checked_sub(names.len()).filter(|more| *more > 0).map(|more| format!(" and {more} more")).unwrap_or_default();
    let differ = if plan.counts.drift_left == 1 { "differs" } else { "differ" };
    (plan.counts.drift_left > 0).then(|| Cause::new("drift-reported", format!("{}{more} {differ} from what was declared, and no override says so", names.join(", "))))
}
