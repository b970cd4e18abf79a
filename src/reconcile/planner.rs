//! The pass over all kinds that makes a plan: limits of tags, pools, queues, deployments, then the guard and the notes.
use super::implied::{Implied, Place};
use super::kept::Kept;
use super::others::Others;
use super::plan::{Action, Counts, Drift, FORMAT, FieldChange, Made, Moved, Note, NoteLevel, Plan, Shadow, Step};
use super::refusal::Refusal;
use super::renames::Renames;
use super::{Options, fields, guard, notes, renames};
use crate::model::deployment::{Deployment, DeploymentSpec, FullName};
use crate::model::desired::{Declared, Desired};
use crate::model::id::{self, Kind};
use crate::model::overrides::{Override, Overrides, Owner};
use crate::model::project::DriftRule;
use crate::model::stored::{ObjectName, Project, Pruned, Stored, TOMBSTONE_DAYS, Tombstone};
use crate::model::write::Write;
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A plan in the making.
pub(super) struct Planner<'a> {
    pub desired: &'a Desired,
    pub stored: &'a Stored,
    pub now: Timestamp,
    pub options: &'a Options,
    pub renames: Renames<'a>,
    pub others: Others<'a>,
    pub implied: Implied<'a>,
    /// Flows that this plan makes.
    pub new_flows: BTreeMap<&'a str, id::FlowId>,
    /// A deployment in which nothing is said, as JSON: what a new one is shown against.
    pub default_deployment: Value,
    pub notes: Vec<Note>,
    /// How many schedules were looked at for notes.
    pub schedules_looked_at: usize,
    /// The deployments that this plan prunes.
    pub pruned: Vec<&'a Deployment>,
    pub kept: Vec<Kept>,
    pub counts: Counts,
    steps: Vec<Step>,
    shadowed: Vec<Shadow>,
    pub refusals: Vec<Refusal>,
}

/// Whose an object is, as the project being planned sees it.
pub(super) enum Claim<'a> {
    Ours,
    Nobodys,
    /// Another project's, that is to be taken over.
    Taken,
    Others(&'a Owner),
}

/// What the difference of an object from its file is.
pub(super) enum Difference {
    /// The file has changed, or the object becomes the project's.
    Declared,
    Drifted(Drift),
    /// It has drifted, and nobody wants to know.
    Ignored,
    /// It was changed while nobody owned it, and becomes the project's as it stands: drift from then on, which is not to be corrected.
    Left,
}

/// What a step says besides what it writes.
pub(super) struct Deed {
    pub action: Action,
    pub kind: Kind,
    pub name: String,
    pub id: Uuid,
    pub renamed_from: Option<String>,
    pub drift: Option<Drift>,
    pub reason: Cow<'static, str>,
    pub changes: Vec<FieldChange>,
    pub makes: Vec<Made>,
    pub writes: Vec<Write>,
}

impl Deed {
    /// A step that says and writes nothing yet.
    pub fn new(action: Action, kind: Kind, name: String, id: Uuid, reason: impl Into<Cow<'static, str>>) -> Self {
        Deed {
            action,
            kind,
            name,
            id,
            renamed_from: None,
            drift: None,
            reason: reason.into(),
            changes: Vec::new(),
            makes: Vec::new(),
            writes: Vec::new(),
        }
    }
}

impl<'a> Planner<'a> {
    pub fn new(desired: &'a Desired, stored: &'a Stored, now: Timestamp, options: &'a Options) -> Self {
        let renames = Renames::of(desired, stored, now, options);
        let others = Others::of(desired, stored, &renames);
        let implied = Implied::of(desired, stored, &others);
        Planner {
            desired,
            stored,
            now,
            options,
            renames,
            others,
            implied,
            new_flows: BTreeMap::new(),
            default_deployment: fields::value(&DeploymentSpec::default()),
            schedules_looked_at: 0,
            pruned: Vec::new(),
            kept: Vec::new(),
            counts: Counts::default(),
            steps: Vec::new(),
            shadowed: Vec::new(),
            notes: Vec::new(),
            refusals: Vec::new(),
        }
    }

    pub fn plan(mut self) -> Plan {
        self.tag_limits();
        self.work_pools();
        self.work_queues();
        self.deployments();
        // The guard comes first: a long list of others must not hide it.
        let guard = guard::refusals(self.desired, self.stored, (&self.steps, self.counts.prune), self.options);
        self.refusals.splice(0..0, guard);
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(notes::of(&self));
        notes.extend(self.notes_on_kept());
        let mut steps = self.steps;
        steps.sort_by_key(rank);
        let moved = self.stored.project.as_ref().filter(|project| project.root != self.desired.root);
        let moved = moved.map(|project| Moved { from: project.root.clone(), to: self.desired.root.clone() });
        let mut plan = Plan {
            format: FORMAT,
            project: self.desired.project.clone(),
            root: self.desired.root.clone(),
            base_revision: self.stored.revision,
            made: self.now,
            moved,
            counts: self.counts,
            waiting: 0,
            steps,
            shadowed: self.shadowed,
            notes,
            refusals: self.refusals,
            project_write: None,
        };
        let project = self.stored.project.as_ref();
        if let Some(suspension) = project.and_then(|project| project.suspension(self.now)).filter(|_| !plan.is_empty()) {
            let suspension = suspension.to_string();
            plan.refusals.insert(0, Refusal::Suspended { project: plan.project.clone(), suspension });
        }
        if !plan.is_empty() {
            plan.project_write = Some(Project {
                name: self.desired.project.clone(),
                root: self.desired.root.clone(),
                generation: project.map_or(0, |project| project.generation) + 1,
                applied: self.now,
                source: self.options.source.clone(),
                suspended: project.and_then(|project| project.suspension(self.now)).cloned(),
            });
        }
        plan
    }

    /// The deployments that this plan creates.
    pub fn created(&self) -> impl Iterator<Item = (&'a FullName, &'a Declared<DeploymentSpec>)> {
        let (stored, renames) = (self.stored, &self.renames);
        let new = self.desired.deployments.iter().filter(move |(name, _)| !stored.deployments.contains_key(*name));
        new.filter(move |(name, _)| renames.origin_of(name).is_none() && !stored.tombstones.contains_key(&ObjectName::Deployment((*name).clone())))
    }

    /// The id of an object that this plan creates.
    pub fn new_id(&self, kind: Kind, name: &str) -> Uuid {
        id::of_new_object(self.stored.home, kind, name, self.stored.revision)
    }

    pub fn owner(&self, file: &str) -> Owner {
        Owner { project: self.desired.project.clone(), file: file.to_owned() }
    }

    /// `name` is asked for only of what is another project's.
    pub fn claim<'b>(&self, owner: Option<&'b Owner>, name: impl FnOnce() -> String) -> Claim<'b> {
        match owner {
            None => Claim::Nobodys,
            Some(owner) if owner.project == self.desired.project => Claim::Ours,
            Some(_) if !self.options.adopt.is_empty() && self.options.adopt.contains(&name()) => Claim::Taken,
            Some(owner) => Claim::Others(owner),
        }
    }

    pub fn is_ours(&self, owner: Option<&Owner>) -> bool {
        owner.is_some_and(|owner| owner.project == self.desired.project)
    }

    /// A step about an object that stands (or stood) in `file`, at `pointer`.
    pub fn step(&mut self, deed: Deed, file: Option<&str>, pointer: Option<&str>) {
        self.counts.add(deed.action, deed.drift);
        self.steps.push(Step {
            action: deed.action,
            kind: deed.kind,
            name: deed.name,
            id: deed.id,
            renamed_from: deed.renamed_from,
            drift: deed.drift,
            reason: deed.reason,
            changes: deed.changes,
            makes: deed.makes,
            file: file.map(str::to_owned),
            pointer: pointer.map(str::to_owned),
            position: None,
            runs: None,
            in_progress: None,
            writes: deed.writes,
        });
    }

    /// What the project pruned under the name, as long as it can be restored.
    pub fn pruned(&self, name: &ObjectName) -> Option<&'a Pruned> {
        renames::pruned(self.desired, self.stored, self.now, name)
    }

    /// The write that keeps what is pruned.
    pub fn tombstone(&self, object: Pruned) -> Write {
        Write::PutTombstone(Box::new(Tombstone { object, pruned: self.now, project: self.desired.project.clone() }))
    }

    /// An object of ours goes, by `writes`, and is kept for 7 days so that it can come back with its id and overrides.
    pub fn prune<'o>(&mut self, object: Pruned, mut writes: Vec<Write>, overrides: impl Iterator<Item = (Cow<'o, str>, &'o Override)>) {
        let (name, file) = (object.name(), object.owner().map(|owner| owner.file.clone()));
        let deed = Deed::new(Action::Prune, name.kind(), name.to_string(), object.id(), reason_to_prune(overrides));
        writes.push(self.tombstone(object));
        self.step(Deed { writes, ..deed }, file.as_deref(), None);
    }

    /// Counts an object that is as declared; nothing of it is cloned unless it is to be listed.
    pub fn unchanged<T>(&mut self, kind: Kind, name: impl Fn() -> String, id: Uuid, declared: &Declared<T>) {
        self.stays_as_it_is(kind, name, id, Place { file: &declared.file, pointer: &declared.pointer }, "as declared");
    }

    /// The same of an object that is declared or implied at `place`.
    pub fn stays_as_it_is(&mut self, kind: Kind, name: impl Fn() -> String, id: Uuid, place: Place<'_>, reason: &'static str) {
        if !self.options.list_unchanged {
            self.counts.add(Action::Unchanged, None);
            return;
        }
        self.step(Deed::new(Action::Unchanged, kind, name(), id, reason), Some(place.file), Some(place.pointer));
    }

    /// What the difference of an object of ours, or of nobody's, from its file is. `written`: the digest of what was declared when it was
    /// written; `declared`: of what is declared now.
    pub fn difference(&self, action: Action, owner: Option<&Owner>, written: Option<&str>, declared: &str) -> Difference {
        match (action, self.desired.rules.drift) {
            _ if written != Some(declared) => Difference::Declared,
            (Action::Adopt, DriftRule::Report | DriftRule::Ignore) if owner.is_none() => Difference::Left,
            (Action::Adopt, _) | (Action::Update, DriftRule::Correct) => Difference::Drifted(Drift::Correct),
            (Action::Update, DriftRule::Report) => Difference::Drifted(Drift::Report),
            (Action::Update, DriftRule::Ignore) => Difference::Ignored,
            _ => Difference::Declared,
        }
    }

    /// Records the overrides that stand over an object's declared fields.
    pub fn shadows(
        &mut self,
        kind: Kind,
        name: &str,
        prefix: &str,
        overrides: &Overrides,
        (file, pointer): (&str, &str),
        declared: impl Fn() -> Value,
    ) {
        if overrides.is_empty() {
            return;
        }
        let declared = declared();
        for (field, by) in overrides {
            self.shadowed.push(Shadow {
                kind,
                name: name.to_owned(),
                field: format!("{prefix}{field}"),
                declared: declared.pointer(&format!("/{field}")).map(|value| fields::shown(field, value)),
                file: Some(file.to_owned()),
                pointer: Some(format!("{pointer}/{field}")),
                position: None,
                by: fields::shown_override(field, by),
            });
        }
    }

    pub fn refuse_owned<T>(&mut self, kind: Kind, name: String, owner: &Owner, declared: &Declared<T>) {
        self.refusals.push(Refusal::Owned {
            kind,
            name,
            owner: owner.project.clone(),
            owner_file: owner.file.clone(),
            owner_root: None,
            owner_position: None,
            file: declared.file.clone(),
            pointer: declared.pointer.clone(),
            position: None,
        });
    }

    pub fn refuse_several(&mut self, name: &FullName, earlier: &[&FullName], declared: &Declared<DeploymentSpec>) {
        self.refusals.push(Refusal::RenamesSeveral {
            name: name.to_string(),
            earlier: earlier.iter().map(ToString::to_string).collect(),
            file: declared.file.clone(),
            pointer: declared.pointer.clone(),
            position: None,
        });
    }

    /// Notes that something is no longer declared and stays, because something else needs it.
    pub fn note_kept(&mut self, kind: Kind, name: String, owner: Option<&Owner>, why: &str) {
        self.counts.kept += 1;
        self.notes.push(Note {
            level: NoteLevel::Info,
            code: format!("{}-kept", kind.words().rsplit(' ').next().unwrap_or_default()),
            kind,
            message: format!("the {} `{name}` is no longer declared, but stays: {why}", kind.words()),
            name,
            help: None,
            file: owner.map(|owner| owner.file.clone()),
            pointer: None,
            position: None,
        });
    }
}

/// Removals come first, dependents before what they depend on: in a store that commits step by step, an entry under
/// a new name must not fire beside the old one. Then what others refer to comes before what refers to it.
fn rank(step: &Step) -> u8 {
    match (step.action, step.kind) {
        (Action::Prune, Kind::Deployment | Kind::Flow | Kind::Schedule) => 0,
        (Action::Prune, Kind::WorkQueue) => 1,
        (Action::Prune, Kind::WorkPool | Kind::ConcurrencyLimit) => 2,
        (_, Kind::WorkPool | Kind::ConcurrencyLimit) => 3,
        (_, Kind::WorkQueue) => 4,
        (_, Kind::Deployment | Kind::Flow | Kind::Schedule) => 5,
    }
}

/// Of what is pruned so many overrides are named.
const MOST_OVERRIDES: usize = 5;

/// Begins the reason of a step that takes overrides along.
pub(super) const WITH_OVERRIDES: &str = "with its override";

/// What goes along with an object that is no longer declared, where nobody would think of it, and how it comes back.
fn reason_to_prune<'o>(overrides: impl Iterator<Item = (Cow<'o, str>, &'o Override)>) -> Cow<'static, str> {
    let mut told: Vec<String> =
        overrides.map(|(field, by)| format!("{field} = {}, set by {}", fields::shown_override(&field, by).value, by.who)).collect();
    if told.is_empty() {
        return format!("no longer declared; declared again within {TOMBSTONE_DAYS} days it comes back").into();
    }
    let many = if told.len() == 1 { "" } else { "s" };
    if let more @ 1.. = told.len().saturating_sub(MOST_OVERRIDES) {
        told.truncate(MOST_OVERRIDES);
        told.push(format!("{more} more"));
    }
    format!("{WITH_OVERRIDES}{many} {}; kept {TOMBSTONE_DAYS} days for `reeve restore`", told.join("; ")).into()
}

/// The overrides of a record, as [`Planner::prune`] takes them.
pub(super) fn each(overrides: &Overrides) -> impl Iterator<Item = (Cow<'_, str>, &Override)> {
    overrides.iter().map(|(field, by)| (Cow::Borrowed(&**field), by))
}

/// Why an object that was pruned is there again.
pub(super) fn restored(file: &str) -> Cow<'static, str> {
    format!("was pruned, and is declared again in {file}").into()
}

/// Why an object becomes the project's.
pub(super) fn taken(former: Option<&Owner>, file: &str) -> Cow<'static, str> {
    match former {
        None => format!("belongs to nobody; {file} declares it").into(),
        Some(owner) => format!("taken over from the project `{}`, which declared it in {}", owner.project, owner.file).into(),
    }
}

/// Why an object is written, or shown, that its file does not ask for.
pub(super) fn drifted(file: &str) -> Cow<'static, str> {
    format!("differs from what {file} said when it was applied, and no override says so").into()
}

/// `3 fields differ from deployment.yaml`.
pub(super) fn differ(changes: &[FieldChange], file: &str) -> Cow<'static, str> {
    match changes {
        [change] => format!("`{}` differs from {file}", change.field).into(),
        changes => format!("{} fields differ from {file}", changes.len()).into(),
    }
}
