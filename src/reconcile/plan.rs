//! A plan as a plain value: what would be done, why, with which ids. It travels as JSON from the daemon to the
//! command line, without its writes: what arrives there can be shown and not applied.
use crate::model::id::Kind;
use crate::model::overrides::Override;
use crate::model::position::Position;
use crate::model::stored::Project;
use crate::model::write::Write;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;
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
    /// In the order in which they are applied: removals first, then pools, queues and deployments.
    pub steps: Vec<Step>,
    /// Operators' overrides that stand over declared fields, changed or not. A deploy never clears them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadowed: Vec<Shadow>,
    /// What a reader should know before and after applying.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Why nothing of this is applied; empty when nothing stands against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// The project's own record, written with the steps.
    #[serde(skip)]
    pub(super) project_write: Option<Project>,
}

/// One object and what happens to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    pub action: Action,
    #[schemars(with = "shape::Kind")]
    pub kind: Kind,
    /// `flow/deployment`, `pool`, or `pool/queue`.
    pub name: String,
    /// The object's id; of a created object the id that it will have.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
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
    #[schemars(with = "Option<shape::Position>")]
    pub position: Option<Position>,
    /// Which of a deployment's runs to come appear and vanish, in plans that are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<RunChanges>,
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
    /// There are more than were looked at.
    #[serde(default)]
    pub more: bool,
}

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is there and differs.
    Update,
    /// It belonged to nobody and becomes the project's.
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
    #[schemars(with = "Option<shape::Override>")]
    pub shadowed_by: Option<Override>,
}

/// An object that is made along with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    #[schemars(with = "shape::Kind")]
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
    #[schemars(with = "shape::Kind")]
    pub kind: Kind,
    pub name: String,
    pub field: String,
    /// What the file says.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub declared: Option<Value>,
    #[schemars(with = "shape::Override")]
    pub by: Override,
}

/// Something worth knowing that is no change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    pub level: NoteLevel,
    /// A stable word for machines: `pool-missing`.
    pub code: String,
    #[schemars(with = "shape::Kind")]
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
    #[schemars(with = "Option<shape::Position>")]
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

/// Why a plan is not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refusal {
    /// A declared object belongs to another project.
    Owned {
        #[schemars(with = "shape::Kind")]
        kind: Kind,
        name: String,
        /// The project that owns it, and the file in which that project declares it.
        owner: String,
        owner_file: String,
        /// Where this project declares it.
        file: String,
        pointer: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<shape::Position>")]
        position: Option<Position>,
    },
    /// Nothing is declared any more, and all that the project owns would be pruned.
    PrunesEverything { prunes: usize },
    /// More would be pruned than a guard lets through unasked.
    PrunesMany { prunes: usize, owned: usize, limit: usize },
    /// A number of prunes was allowed, and the plan has another.
    AllowanceDiffers { prunes: usize, allowed: usize },
    /// Somebody has suspended the project.
    Suspended { project: String, suspension: String },
}

/// How many objects each action concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    pub create: usize,
    pub update: usize,
    pub adopt: usize,
    pub rename: usize,
    pub restore: usize,
    pub prune: usize,
    pub unchanged: usize,
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

    /// Applying it stops or deletes something.
    pub fn is_destructive(&self) -> bool {
        self.counts.prune > 0
    }

    /// The exit code by the design's table. After an apply: 0 done, 3 refused. Of a dry run: 0 in sync,
    /// 2 changes pending and all safe, 3 refused, 4 changes pending and some destructive.
    pub fn exit_code(&self, dry_run: bool) -> u8 {
        if self.is_refused() {
            3
        } else if !dry_run || self.is_empty() {
            0
        } else if self.is_destructive() {
            4
        } else {
            2
        }
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
    /// the steps counts, so that a plan that is made again of the same files against the same revision has the same.
    pub fn digest(&self) -> String {
        let (mut steps, mut refusals) = (self.steps.clone(), self.refusals.clone());
        steps.iter_mut().for_each(|step| (step.position, step.runs) = (None, None));
        for refusal in &mut refusals {
            if let Refusal::Owned { position, .. } = refusal {
                *position = None;
            }
        }
        let parts = json!([self.format, self.project, self.root, self.base_revision, self.moved, self.counts, steps, refusals]);
        Sha256::digest(parts.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Fills in the positions, from file and JSON pointer. Only for a plan that somebody is to read.
    pub fn locate(&mut self, mut find: impl FnMut(&str, &str) -> Option<Position>) {
        for step in &mut self.steps {
            if let (Some(file), Some(pointer)) = (&step.file, &step.pointer) {
                step.position = find(file, pointer);
            }
        }
        for note in &mut self.notes {
            if let (Some(file), Some(pointer)) = (&note.file, &note.pointer) {
                note.position = find(file, pointer);
            }
        }
        for refusal in &mut self.refusals {
            if let Refusal::Owned { file, pointer, position, .. } = refusal {
                *position = find(file, pointer);
            }
        }
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
        self.create + self.update + self.adopt + self.rename + self.restore + self.prune
    }

    /// How many objects the plan speaks of.
    pub fn total(&self) -> usize {
        self.changes() + self.unchanged
    }

    pub(super) fn add(&mut self, action: Action) {
        let count = match action {
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

impl fmt::Display for Refusal {
    /// What stands against the plan, and the exact words that would allow it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Owned { kind, name, owner, owner_file, file, position, .. } => {
                let kind = kind.words();
                match position {
                    Some(position) => write!(f, "{position}: ")?,
                    None => write!(f, "{file}: ")?,
                }
                write!(
                    f,
                    "the {kind} `{name}` belongs to the project `{owner}`, which declares it in {owner_file}: \
                     rename one of the two, or remove it there first"
                )
            }
            Refusal::PrunesEverything { prunes } => write!(
                f,
                "nothing is declared any more, and all {prunes} objects of the project would be pruned: \
                 if that is meant, say --allow-prune={prunes}"
            ),
            Refusal::Suspended { project, suspension } => {
                write!(f, "the project `{project}` is suspended {suspension}: to reconcile it again, say `reeve resume {project}`")
            }
            Refusal::PrunesMany { prunes, owned, limit } => write!(
                f,
                "{prunes} of the project's {owned} objects would be pruned, and at most {limit} are unasked: \
                 if that is meant, say --allow-prune={prunes}"
            ),
            Refusal::AllowanceDiffers { prunes, allowed } => write!(
                f,
                "--allow-prune={allowed} was given, but {prunes} would be pruned: \
                 look at the plan again, and if it is right, say --allow-prune={prunes}"
            ),
        }
    }
}

/// A field that is there is `Some`, even when it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The JSON of the model's types, for the schema only: a test holds that plans are valid under it.
#[allow(dead_code, reason = "shapes for the schema, never made")]
mod shape {
    use schemars::JsonSchema;
    use serde::Serialize;
    use serde_json::Value;

    /// The kinds of object.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum Kind {
        WorkPool,
        WorkQueue,
        Deployment,
        Flow,
        Schedule,
    }

    /// Line and column count from 1.
    #[derive(Serialize, JsonSchema)]
    pub struct Position {
        pub file: String,
        pub line: u32,
        pub column: u32,
    }

    /// One field that an operator set by hand.
    #[derive(Serialize, JsonSchema)]
    pub struct Override {
        pub value: Value,
        /// A user name, or a client's user agent.
        pub who: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub why: Option<String>,
        #[schemars(extend("format" = "date-time"))]
        pub since: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(extend("format" = "date-time"))]
        pub until: Option<String>,
    }
}
