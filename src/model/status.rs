//! What the daemon is doing about each project, in one value that feeds health, the terminal and `reeve status`.
use super::position::Position;
use super::problem::{Problem, Severity};
use super::stored::{SourceState, Suspension};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of one project in a daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectStatus {
    pub name: String,
    pub root: String,
    #[serde(flatten)]
    pub phase: Phase,
    /// When the last reconcile that ended well did so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_sync_since: Option<Timestamp>,
    /// How often its definitions have changed.
    #[serde(default)]
    pub generation: u64,
    /// The generation that the files were last found, or made, equal to.
    #[serde(default)]
    pub observed_generation: u64,
    pub deployments: usize,
    /// The files that were looked at last, whatever came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceState>,
    /// The files that what is in force was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_source: Option<SourceState>,
    /// One of each kind, once a pass has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// It stays when it is over, so that whoever comes late sees what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
    /// How often a pass ended how, since the daemon began; by the words in `PASS_OUTCOMES`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passes: BTreeMap<String, u64>,
}

/// How a pass can end: nothing was to do; something was written; the files are wrong; a guard refused; a failure that is not the
/// files'; the project is suspended.
pub const PASS_OUTCOMES: [&str; 6] = ["unchanged", "applied", "rejected", "refused", "failed", "suspended"];

/// One question about a project that is answered with yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub kind: ConditionKind,
    pub status: bool,
    /// Why, as a stable word for machines: one of [`reasons`], or the code of a plan's refusal.
    pub reason: String,
    /// Why, for people; empty where all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when the answer is what it is; the reason may have changed meanwhile.
    pub since: Timestamp,
}

/// The questions. Their words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConditionKind {
    /// What is stored is what the files say.
    Synced,
    /// Somebody has stopped the reconciling.
    Suspended,
    /// Something is no longer declared, and a guard keeps it.
    PruneBlocked,
    /// What is stored differs from the files although nobody asked for it.
    Drifted,
    /// The files are wrong, or cannot be read, or the store cannot be written.
    Failing,
}

/// The reasons of conditions.
pub mod reasons {
    pub const IN_SYNC: &str = "InSync";
    pub const FILES_WRONG: &str = "FilesWrong";
    /// There are no files where the project was applied from.
    pub const FILES_GONE: &str = "FilesGone";
    pub const REFUSED: &str = "Refused";
    pub const SUSPENDED: &str = "Suspended";
    pub const FAILING: &str = "Failing";
    pub const NONE: &str = "None";
}

/// What went wrong last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// When it was met last.
    pub at: Timestamp,
    /// Since when it is over; `None`: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Timestamp>,
}

/// What a pass found, for the status.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Neither `Starting` nor `Reconciling`: the pass is over.
    pub phase: Phase,
    /// What the phase would be if the project were not suspended.
    pub beneath: Option<Phase>,
    /// What is known of the time before this daemon.
    pub began: Began,
    /// The files that it read; `None` where it could not, or did not ask.
    pub source: Option<SourceState>,
    pub applied_source: Option<SourceState>,
    pub generation: u64,
    /// What is stored is what the files say now.
    pub in_sync: bool,
    /// Why something that is no longer declared stays.
    pub prune_blocked: Option<Cause>,
    pub drifted: Option<Cause>,
}

/// Since when it has been as a first pass finds it, where that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Began {
    /// In sync, or not.
    pub synced: Option<Timestamp>,
    /// Failing, or not.
    pub failing: Option<Timestamp>,
}

/// Why a condition is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub reason: String,
    pub message: String,
}

impl Cause {
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Cause { reason: reason.into(), message: message.into() }
    }

    /// What a phase says against being in sync; `None` where it says nothing.
    fn of(phase: &Phase) -> Option<Cause> {
        match phase {
            Phase::Starting | Phase::Reconciling | Phase::Idle => None,
            Phase::Rejected { problems, .. } => {
                let first = problems.iter().find(|problem| problem.severity == Severity::Error);
                let message = first.map(|problem| match &problem.position {
                    Some(position) => format!("{position}: {}", problem.message),
                    None => problem.message.clone(),
                });
                Some(Cause::new(reasons::FILES_WRONG, message.unwrap_or_default()))
            }
            Phase::Refused { reason, .. } => Some(Cause::new(reasons::REFUSED, reason)),
            Phase::Suspended(suspension) => Some(Cause::new(reasons::SUSPENDED, suspension.to_string())),
            Phase::Failing { error, .. } => Some(Cause::new(reasons::FAILING, error)),
        }
    }
}

impl Condition {
    /// Nobody needs to act because of it.
    pub fn is_good(&self) -> bool {
        self.status == (self.kind == ConditionKind::Synced)
    }
}

impl ProjectStatus {
    /// A project of which nothing is known yet.
    pub fn starting(name: String, root: String) -> Self {
        ProjectStatus {
            name,
            root,
            phase: Phase::Starting,
            in_sync_since: None,
            generation: 0,
            observed_generation: 0,
            deployments: 0,
            source: None,
            applied_source: None,
            conditions: Vec::new(),
            last_error: None,
            warnings: Vec::new(),
            passes: BTreeMap::new(),
        }
    }

    /// Counts the pass that led to the present phase. `changed`: it has written something.
    pub fn count_pass(&mut self, changed: bool) {
        let outcome = match &self.phase {
            Phase::Idle if changed => "applied",
            Phase::Idle => "unchanged",
            Phase::Rejected { .. } => "rejected",
            Phase::Refused { .. } => "refused",
            Phase::Failing { .. } => "failed",
            Phase::Suspended(_) => "suspended",
            Phase::Starting | Phase::Reconciling => return,
        };
        *self.passes.entry(outcome.to_owned()).or_default() += 1;
    }

    /// Puts the end of a pass into the status: phase, conditions, sources, and the error if there was one.
    pub fn observe(&mut self, found: Observed, now: Timestamp) {
        let against = Cause::of(&found.phase);
        let cause = found.beneath.as_ref().unwrap_or(&found.phase);
        let failed = matches!(cause, Phase::Rejected { .. } | Phase::Failing { .. });
        let failing = Cause::of(cause).filter(|_| failed);
        let suspended_since = match &found.phase {
            Phase::Suspended(suspension) => Some(suspension.since),
            _ => None,
        };
        self.last_error = last_error(cause, now).or(self.last_error.take().map(|error| LastError { over: error.over.or(Some(now)), ..error }));
        self.generation = found.generation;
        if found.in_sync {
            self.observed_generation = found.generation;
            self.in_sync_since = Some(now);
        }
        if found.source.is_some() {
            self.source = found.source;
        }
        self.applied_source = found.applied_source;
        self.set_condition(ConditionKind::Synced, found.in_sync, against.clone().filter(|_| !found.in_sync), found.began.synced.unwrap_or(now));
        let suspension = against.filter(|_| suspended_since.is_some());
        self.set_condition(ConditionKind::Suspended, suspended_since.is_some(), suspension, suspended_since.unwrap_or(now));
        self.set_condition(ConditionKind::PruneBlocked, found.prune_blocked.is_some(), found.prune_blocked, now);
        self.set_condition(ConditionKind::Drifted, found.drifted.is_some(), found.drifted, now);
        self.set_condition(ConditionKind::Failing, failed, failing, found.began.failing.unwrap_or(now));
        let since = |kind| self.condition(kind).map_or(now, |condition| condition.since);
        // A pass that finds the same again does not begin it anew.
        self.phase = match found.phase {
            Phase::Rejected { problems, .. } => Phase::Rejected { problems, since: since(ConditionKind::Failing) },
            Phase::Refused { reason, .. } => Phase::Refused { reason, since: since(ConditionKind::Synced) },
            phase => phase,
        };
    }

    pub fn condition(&self, kind: ConditionKind) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Answers one question. `since` moves only when the answer does: then to `begun`.
    pub fn set_condition(&mut self, kind: ConditionKind, status: bool, cause: Option<Cause>, begun: Timestamp) {
        let since = self.condition(kind).filter(|before| before.status == status).map_or(begun, |before| before.since);
        let well = if kind == ConditionKind::Synced { reasons::IN_SYNC } else { reasons::NONE };
        let Cause { reason, message } = cause.unwrap_or_else(|| Cause::new(well, ""));
        let condition = Condition { kind, status, reason, message, since };
        match self.conditions.iter_mut().find(|condition| condition.kind == kind) {
            Some(before) => *before = condition,
            None => self.conditions.push(condition),
        }
    }
}

fn last_error(phase: &Phase, at: Timestamp) -> Option<LastError> {
    match phase {
        Phase::Rejected { problems, .. } => {
            let first = problems.iter().find(|problem| problem.severity == Severity::Error);
            let message = first.map_or_else(|| "the files are wrong".to_owned(), |problem| problem.message.clone());
            Some(LastError { message, position: first.and_then(|problem| problem.position.clone()), at, over: None })
        }
        Phase::Failing { error, .. } => Some(LastError { message: error.clone(), position: None, at, over: None }),
        Phase::Starting | Phase::Reconciling | Phase::Idle | Phase::Refused { .. } | Phase::Suspended(_) => None,
    }
}

/// Where the reconciler stands with a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    Starting,
    Idle,
    Reconciling,
    /// The files are wrong; the last good generation stays in force.
    Rejected { problems: Vec<Problem>, since: Timestamp },
    /// A guard refused the plan; the last good generation stays in force.
    Refused { reason: String, since: Timestamp },
    /// Somebody has suspended it: the last good generation stays in force, whatever the files say.
    Suspended(Suspension),
    /// Something outside the files failed; tried again at `retry_at`.
    Failing { error: String, retry_at: Timestamp },
}

/// The daemon as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub started: Timestamp,
    pub ready: bool,
    pub address: String,
    pub home: String,
    pub projects: Vec<ProjectStatus>,
    pub runs: RunCounts,
    /// The earliest instants at which something is due, with the deployment's full name.
    pub next: Vec<NextFire>,
}

/// Runs that are not over, by what they wait for or do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounts {
    pub waiting: usize,
    pub running: usize,
}

/// A slot that is about to be due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextFire {
    pub at: Timestamp,
    pub deployment: String,
    pub schedule: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConditionKind::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn found(phase: Phase) -> Observed {
        let in_sync = phase == Phase::Idle;
        Observed { phase, beneath: None, began: Began::default(), source: None, applied_source: None, generation: 3, in_sync, prune_blocked: None, drifted: None }
    }

    fn rejected(line: u32) -> Phase {
        let position = Some(Position { file: "deployment.yaml".to_owned(), line, column: 3 });
        let message = "unknown key `cronn`".to_owned();
        let problem = Problem { severity: Severity::Error, code: "unknown-key".to_owned(), message, position, help: None, source: None };
        Phase::Rejected { problems: vec![problem], since: at(0) }
    }

    fn answers(project: &ProjectStatus) -> Vec<(ConditionKind, bool, &str)> {
        project.conditions.iter().map(|condition| (condition.kind, condition.status, condition.reason.as_str())).collect()
    }

    #[test]
    fn every_phase_has_its_conditions() {
        let suspension = Suspension { who: "alice".to_owned(), why: None, since: at(0), until: None };
        let refused = Phase::Refused { reason: "too many".to_owned(), since: at(0) };
        let failing = Phase::Failing { error: "no space".to_owned(), retry_at: at(9) };
        let mut project = ProjectStatus::starting("etl".to_owned(), "/etl".to_owned());
        for (phase, synced, suspended, failing) in [
            (Phase::Idle, (true, "InSync"), (false, "None"), (false, "None")),
            (rejected(1), (false, "FilesWrong"), (false, "None"), (true, "FilesWrong")),
            (refused, (false, "Refused"), (false, "None"), (false, "None")),
            (Phase::Suspended(suspension), (false, "Suspended"), (true, "Suspended"), (false, "None")),
            (failing, (false, "Failing"), (false, "None"), (true, "Failing")),
        ] {
            project.observe(found(phase), at(1));
            let rest = [(PruneBlocked, false, "None"), (Drifted, false, "None")];
            let expected = [(Synced, synced.0, synced.1), (Suspended, suspended.0, suspended.1), rest[0], rest[1], (Failing, failing.0, failing.1)];
            assert_eq!(answers(&project), expected);
        }
        assert_eq!(project.conditions.iter().filter(|condition| !condition.is_good()).count(), 2);
    }

    #[test]
    fn since_moves_only_when_the_answer_does() {
        let mut project = ProjectStatus::starting("etl".to_owned(), "/etl".to_owned());
        let since = |project: &ProjectStatus| project.condition(Synced).unwrap().since;
        project.observe(found(Phase::Idle), at(1));
        project.observe(found(Phase::Idle), at(2));
        assert_eq!((since(&project), project.in_sync_since), (at(1), Some(at(2))));
        project.observe(found(rejected(4)), at(3));
        project.observe(found(Phase::Failing { error: "no space".to_owned(), retry_at: at(9) }), at(4));
        assert_eq!(since(&project), at(3));
        assert_eq!(project.condition(Synced).unwrap().message, "no space");
        let blocked = Observed { prune_blocked: Some(Cause::new("prunes-many", "7 of 9")), ..found(Phase::Idle) };
        project.observe(blocked, at(5));
        assert_eq!((since(&project), project.condition(PruneBlocked).unwrap().since), (at(5), at(5)));
    }

    #[test]
    fn the_last_error_stays_with_its_place_and_the_last_good_generation_too() {
        let mut project = ProjectStatus::starting("etl".to_owned(), "/etl".to_owned());
        let source = |content: &str| Some(SourceState { content: content.to_owned(), commit: None });
        project.observe(Observed { source: source("a"), applied_source: source("a"), ..found(Phase::Idle) }, at(1));
        project.observe(Observed { source: source("b"), applied_source: source("a"), generation: 4, ..found(rejected(7)) }, at(2));
        assert_eq!((project.generation, project.observed_generation), (4, 3));
        assert_eq!((&project.source, &project.applied_source), (&source("b"), &source("a")));
        project.observe(found(Phase::Idle), at(3));
        let error = project.last_error.as_ref().unwrap();
        assert_eq!((error.at, error.position.as_ref().unwrap().line), (at(2), 7));
        assert_eq!(error.over, Some(at(3)), "it is over");
        // A pass that did not ask for the files' state leaves what is known of it.
        assert_eq!(project.source, source("b"));
    }

    #[test]
    fn what_a_daemon_finds_as_its_predecessor_left_it_goes_on_since_then() {
        let mut project = ProjectStatus::starting("etl".to_owned(), "/etl".to_owned());
        let began = Began { synced: Some(at(1)), failing: Some(at(2)) };
        project.observe(Observed { began, ..found(rejected(4)) }, at(9));
        let sinces = |project: &ProjectStatus| (project.condition(Synced).unwrap().since, project.condition(Failing).unwrap().since);
        assert_eq!(sinces(&project), (at(1), at(2)));
        assert!(matches!(project.phase, Phase::Rejected { since, .. } if since == at(2)), "{:?}", project.phase);
        project.observe(found(rejected(5)), at(10));
        assert_eq!(sinces(&project), (at(1), at(2)), "another content is no new beginning");
    }

    #[test]
    fn a_suspended_project_whose_files_are_wrong_says_both() {
        let mut project = ProjectStatus::starting("etl".to_owned(), "/etl".to_owned());
        let suspension = Suspension { who: "alice".to_owned(), why: None, since: at(3), until: None };
        let both = Observed { beneath: Some(rejected(7)), ..found(Phase::Suspended(suspension)) };
        project.observe(both, at(5));
        assert_eq!(answers(&project)[1], (Suspended, true, "Suspended"));
        assert_eq!(answers(&project)[4], (Failing, true, "FilesWrong"));
        assert_eq!(project.condition(Suspended).unwrap().since, at(3));
        assert_eq!(project.last_error.as_ref().unwrap().position.as_ref().unwrap().line, 7);
    }
}
