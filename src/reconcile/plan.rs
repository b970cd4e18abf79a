//! A plan as a plain value: what would be done, why, with which ids. It travels as JSON from the daemon to the
//! command line, without its writes: what arrives there can be shown and not applied.
use super::refusal::Refusal;
use super::wire;
use crate::model::id::Kind;
use crate::model::overrides::Override;
use crate::model::position::Position;
use crate::model::stored::Project;
use crate::model::write::Write;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use uuid::Uuid;

/// The version of the plan's JSON. Fields may be added under the same number; a reader ignores what it does not know.
pub const FORMAT: u32 = 1;

/// What a reconcile of one project would do, or did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The version of this format: 1.
    pub format: u32,
    /// The project's name.
    pub project: String,
    /// The project's root directory.
    pub root: String,
    /// The revision of the definitions that the plan was made against; it is applied to no other.
    pub base_revision: u64,
    /// The instant that the plan was made for: what it creates is effective since then.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub made: Timestamp,
    /// The project's root directory is another than when it was last applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// How many objects each action concerns.
    pub counts: Counts,
    /// Of a plan that shows only what has drifted: how many other objects would change.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: usize,
    /// In the order in which they are applied: removals first, then limits, pools, queues and deployments.
    pub steps: Vec<Step>,
    /// Operators' overrides that stand over declared fields, changed or not. A deploy never clears them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadowed: Vec<Shadow>,
    /// What a reader should know before and after applying.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Why nothing of this is applied; empty when nothing stands against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "wire::refusals")]
    #[schemars(with = "Vec<wire::Refusal>")]
    pub refusals: Vec<Refusal>,
    /// The project's own record, written with the steps.
    #[serde(skip)]
    pub(super) project_write: Option<Project>,
}

/// One object and what happens to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    pub action: Action,
    #[schemars(with = "wire::Kind")]
    pub kind: Kind,
    /// `flow/deployment`, `pool`, `pool/queue`, or the tag of a concurrency limit.
    pub name: String,
    /// The object's id; of a created object the id that it will have.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// The name that it had until now, where it keeps its id and history under another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// The stored record differs although its file says what it said when it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Why, as a phrase.
    #[schemars(with = "String")]
    pub reason: Cow<'static, str>,
    /// Field by field. Of a created object: the fields that are not at their defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// What is made along with it: its flow, a pool's `default` queue, its new schedules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub makes: Vec<Made>,
    /// The file that declares it, or that declared what is pruned; relative to the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// JSON pointer of the object in its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Line and column in the file, when somebody is to read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<wire::Position>")]
    pub position: Option<Position>,
    /// Which of a deployment's runs to come appear, move and vanish, in plans that are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<RunChanges>,
    /// The runs of the deployment that have begun or wait for a free place, where the step means something for them; in plans that
    /// are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<InProgress>,
    #[serde(skip)]
    pub writes: Vec<Write>,
}

/// Runs to come: of each schedule those of the next 24 hours, and at least the next 3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunChanges {
    /// The slots that there will be and are not yet.
    #[schemars(with = "Vec<String>")]
    pub appear: Vec<Timestamp>,
    /// The slots that will be no more.
    #[schemars(with = "Vec<String>")]
    pub vanish: Vec<Timestamp>,
    /// The slots of schedules that go on with another rule, where each has one that takes its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<RunMove>,
    /// There are more than were looked at.
    #[serde(default)]
    pub more: bool,
}

/// A slot that is at another instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RunMove {
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
}

/// Runs that are there when their deployment changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InProgress {
    /// Runs that were made and have not started, or wait for their next attempt; where the deployment is paused, those that a
    /// schedule made.
    pub waiting: usize,
    /// Runs that have started.
    pub running: usize,
    pub fate: Fate,
}

/// What becomes of runs in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The deployment is pruned: what runs goes on to its end, what waits never starts.
    Finish,
    /// The deployment is pruned: what runs is cancelled, what waits never starts.
    Cancel,
    /// The deployment goes on under another name, and so do all its runs.
    GoOn,
    /// What a run starts has changed: what waits starts with the new definition, what runs goes on with the old one. A later attempt
    /// of it, too, starts with the new one.
    Renew,
    /// Only what a run is given when it is made has changed (parameters, tags, pool, queue, retries): what is there keeps it.
    Keep,
    /// The deployment is paused: what waits for the first time, and was made by a schedule, is cancelled; what runs goes on to its end.
    Pause,
}

/// What is done about an object whose record has drifted from its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// It is made equal to the file again.
    Correct,
    /// The project's `drift: report` leaves it as it is: the step is only shown, and nothing of it is pending.
    Report,
}

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is there and differs.
    Update,
    /// It belonged to nobody, or was asked for by name of another project, and becomes the project's.
    Adopt,
    /// It keeps its id and history under another name.
    Rename,
    /// It was pruned less than 7 days ago and comes back with its id and history.
    Restore,
    /// It is no longer declared and stops.
    Prune,
    /// It is as declared.
    Unchanged,
}

/// One field. A value that is absent was not there (or is no longer), which is not the same as `null`.
/// Values of secret-looking names are masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// JSON pointer below the object without the leading slash: `schedules/nightly/cron`.
    pub field: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub old: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub new: Option<Value>,
    /// What a schedule means, in words: the new one, or the one that is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_words: Option<String>,
    /// The operator's override that stands over this field, so that the change has no effect until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<wire::Override>")]
    pub shadowed_by: Option<Override>,
}

/// An object that is made along with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    #[schemars(with = "wire::Kind")]
    pub kind: Kind,
    /// Of a schedule: `flow/deployment#key`.
    pub name: String,
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
}

/// Where a project was and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    pub from: String,
    pub to: String,
}

/// An override that stands over a declared field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shadow {
    #[schemars(with = "wire::Kind")]
    pub kind: Kind,
    pub name: String,
    pub field: String,
    /// What the file says, or the default.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub declared: Option<Value>,
    /// Where the field stands in the file, or would stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Where the field stands, if it does, when somebody is to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<wire::Position>")]
    pub position: Option<Position>,
    #[schemars(with = "wire::Override")]
    pub by: Override,
}

/// Something worth knowing that is no change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    pub level: NoteLevel,
    /// A stable word for machines: `pool-missing`.
    pub code: String,
    #[schemars(with = "wire::Kind")]
    pub kind: Kind,
    pub name: String,
    /// A sentence for people; of a schedule, without its name.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<wire::Position>")]
    pub position: Option<Position>,
}

/// Whether a note wants somebody to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoteLevel {
    /// Something will not work as it stands.
    Warning,
    /// Something that may surprise.
    Info,
}

/// How many objects each action concerns. The exit code of a dry run follows from them, the first that fits: 3 if there are `refusals`;
/// 4 if `prune` is not 0, or a step's `in_progress` has the fate `pause`; 2 if `moved` is there, or one of `create`, `update`, `adopt`, `rename`, `restore` is not 0;
/// 5 if `drift` is not 0; else 0, in sync. After an apply it is 3 or 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Counts {
    pub create: usize,
    /// Their files have changed.
    pub update: usize,
    pub adopt: usize,
    pub rename: usize,
    pub restore: usize,
    pub prune: usize,
    pub unchanged: usize,
    /// They differ although their files have not changed: updates that are counted here and not in `update`.
    pub drift: usize,
    /// How many of `drift` are left as they are.
    pub drift_left: usize,
    /// They are no longer declared, and stay; the notes say why.
    pub kept: usize,
}

impl Plan {
    /// Nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.moved.is_none() && self.counts.changes() == 0
    }

    /// Something stands against applying it.
    pub fn is_refused(&self) -> bool {
        !self.refusals.is_empty()
    }

    /// It is refused because this file, which is there, was not read.
    pub(super) fn was_not_read(&self, file: &str) -> bool {
        self.refusals.iter().any(|refusal| matches!(refusal, Refusal::FilesNotRead { files, .. } if files.iter().any(|unread| unread == file)))
    }

    /// What is stored is what the files say: nothing would be written, and no drift is left.
    pub fn is_in_sync(&self) -> bool {
        self.is_empty() && self.counts.drift == 0
    }

    /// Applying it stops or deletes something: objects are pruned, or runs are cancelled.
    pub fn is_destructive(&self) -> bool {
        self.counts.prune > 0 || self.steps.iter().any(|step| step.in_progress.is_some_and(|runs| runs.fate == Fate::Pause))
    }

    /// The exit code by the design's table. After an apply: 0 done, 3 refused. Of a dry run: 0 in sync,
    /// 2 changes pending and all safe, 3 refused, 4 changes pending and some destructive, 5 nothing but drift.
    pub fn exit_code(&self, dry_run: bool) -> u8 {
        if self.is_refused() {
            3
        } else if !dry_run {
            0
        } else if self.is_destructive() {
            4
        } else if self.moved.is_some() || self.counts.declared_changes() > 0 {
            2
        } else if self.counts.drift > 0 {
            5
        } else {
            0
        }
    }

    /// Leaves only what has drifted, to be looked at: nothing of it can be applied. An object that would be adopted and has drifted
    /// counts as drift here, and all that has not as
    /// unchanged.
    pub fn only_drift(&mut self) {
        self.steps.retain(|step| step.drift.is_some());
        self.steps.iter_mut().for_each(|step| step.writes.clear());
        let left = self.steps.iter().filter(|step| step.drift == Some(Drift::Report)).count();
        let unchanged = self.counts.total().saturating_sub(self.steps.len());
        let drifted = self.counts.changes() + self.counts.drift_left;
        let of_others = drifted.saturating_sub(self.steps.len());
        self.waiting = if of_others == 0 { usize::from(self.moved.is_some() && self.steps.is_empty()) } else { of_others };
        self.counts = Counts { drift: self.steps.len(), drift_left: left, unchanged, ..Counts::default() };
        let drifted = |kind, name: &str| self.steps.iter().any(|step| step.kind == kind && step.name == name);
        self.shadowed.retain(|shadow| drifted(shadow.kind, &shadow.name));
        (self.moved, self.project_write) = (None, None);
        self.notes.clear();
        self.refusals.clear();
    }

    /// What to write, in order, all of it in one commit at `base_revision`. Nothing for an empty or a refused plan,
    /// nor for one that came as JSON: writes do not travel. What can be shown of the plan stays.
    pub fn take_writes(&mut self) -> Vec<Write> {
        if self.is_refused() {
            return Vec::new();
        }
        let mut writes: Vec<Write> = self.project_write.take().map(Write::PutProject).into_iter().collect();
        for step in &mut self.steps {
            writes.append(&mut step.writes);
        }
        writes
    }

    /// SHA-256, in hex, over what the plan does: steps with their ids, and refusals. Neither the instant of planning nor what is told beside
    /// the steps counts, so that a plan that is made again of the same files against the same revision has the same. Ids derive from the
    /// home's own, which a home that is still to be made has not got: against revision 0 they do not count.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut refusals = self.refusals.clone();
        refusals.iter_mut().for_each(Refusal::forget_places);
        // Each part ends where the next begins: JSON says so itself. Writing to a hash cannot fail, nor has a plan keys that JSON could not have.
        let _never = serde_json::to_writer(&mut hash, &(self.format, &self.project, &self.root, self.base_revision, &self.moved, self.counts, refusals));
        for step in &self.steps {
            let _never = serde_json::to_writer(&mut hash, &step.deed(self.base_revision > 0));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Fills in the positions, from file and JSON pointer. Only for a plan that somebody is to read.
    pub fn locate(&mut self, mut find: impl FnMut(&str, &str) -> Option<Position>) {
        for step in &mut self.steps {
            if let (Some(file), Some(pointer)) = (&step.file, &step.pointer) {
                step.position = find(file, pointer);
            }
        }
        for shadow in &mut self.shadowed {
            if let (Some(file), Some(pointer)) = (&shadow.file, &shadow.pointer) {
                let one = pointer.replacen("/schedules/0/", "/schedule/", 1);
                shadow.position = find(file, pointer).or_else(|| find(file, &one));
            }
        }
        for note in &mut self.notes {
            if let (Some(file), Some(pointer)) = (&note.file, &note.pointer) {
                note.position = nearest(pointer).find_map(|pointer| find(file, &pointer));
            }
        }
        for refusal in &mut self.refusals {
            if let Some((file, pointer, position)) = refusal.place() {
                *position = find(file, pointer);
            }
        }
    }
}

impl Step {
    /// What it does, without what is only told about it.
    fn deed(&self, with_ids: bool) -> impl Serialize {
        // Every field is named, so that a new one is either told or done.
        let Step { action, kind, name, id, renamed_from, drift, reason, changes, makes, file, pointer, position: _, runs: _, in_progress: _, writes: _ } = self;
        let id_of = |id: &Uuid| if with_ids { *id } else { Uuid::nil() };
        let makes: Vec<_> = makes.iter().map(|made| (made.kind, &made.name, id_of(&made.id))).collect();
        (action, kind, name, id_of(id), renamed_from, drift, reason, changes, makes, file, pointer)
    }
}

impl Note {
    /// The message as it may stand alone: with the schedule that it is about.
    pub fn sentence(&self) -> Cow<'_, str> {
        match self.kind {
            Kind::Schedule => format!("the schedule `{}`: {}", self.name, self.message).into(),
            _ => self.message.as_str().into(),
        }
    }
}

impl Counts {
    /// How many objects are written or removed.
    pub fn changes(&self) -> usize {
        self.declared_changes() + self.drift - self.drift_left.min(self.drift) + self.prune
    }

    /// How many objects are written because of what their files say.
    fn declared_changes(&self) -> usize {
        self.create + self.update + self.adopt + self.rename + self.restore
    }

    /// How many objects the plan speaks of.
    pub fn total(&self) -> usize {
        self.declared_changes() + self.drift + self.prune + self.unchanged + self.kept
    }

    pub(super) fn add(&mut self, action: Action, drift: Option<Drift>) {
        self.drift_left += usize::from(drift == Some(Drift::Report));
        let count = match action {
            Action::Update if drift.is_some() => &mut self.drift,
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::Adopt => &mut self.adopt,
            Action::Rename => &mut self.rename,
            Action::Restore => &mut self.restore,
            Action::Prune => &mut self.prune,
            Action::Unchanged => &mut self.unchanged,
        };
        *count += 1;
    }
}

impl Action {
    /// The verb that users know it by.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Adopt => "adopt",
            Action::Rename => "rename",
            Action::Restore => "restore",
            Action::Prune => "prune",
            Action::Unchanged => "unchanged",
        }
    }
}

/// A pointer, and if it is one of a deployment's schedules, what else may stand in the file: the one `schedule`, the deployment.
fn nearest(pointer: &str) -> impl Iterator<Item = String> {
    let schedule = pointer.rsplit_once("/schedules/").filter(|(_, rest)| !rest.contains('/'));
    let others = schedule.into_iter().flat_map(|(deployment, _)| [format!("{deployment}/schedule"), deployment.to_owned()]);
    std::iter::once(pointer.to_owned()).chain(others)
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A field that is there is `Some`, even when it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
