//! What a reader should know although it is no change: runs that will wait, and for whom; what is odd about a schedule.
use super::plan::{Note, NoteLevel};
use super::planner::Planner;
use crate::model::deployment::{Deployment, DeploymentSpec, FullName};
use crate::model::desired::Declared;
use crate::model::id::Kind;
use crate::model::schedule::Schedule;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The notes on the pools that the project declares or uses: one each, however many deployments are concerned.
pub(super) fn of(planner: &Planner<'_>) -> Vec<Note> {
    let mut users: BTreeMap<&str, Users<'_>> = BTreeMap::new();
    for (name, declared) in &planner.desired.deployments {
        if let Some(pool) = declared.spec.work_pool.as_deref() {
            let users = users.entry(pool).or_insert(Users { first: (name, declared), count: 0 });
            users.count += 1;
        }
    }
    let missing = users.iter().filter(|(pool, _)| !planner.implied.has_pool(pool));
    let mut notes: Vec<Note> = missing.map(|(pool, users)| pool_missing(pool, users)).collect();
    notes.extend(queues_without_pool(planner));
    notes.extend(remote_pools(planner, &users));
    notes.extend(renames_suspected(planner));
    notes.extend(renames_done(planner));
    notes
}

struct Users<'a> {
    first: (&'a FullName, &'a Declared<DeploymentSpec>),
    count: usize,
}

fn pool_missing(pool: &str, users: &Users<'_>) -> Note {
    let (name, declared) = users.first;
    let who = match users.count {
        1 => format!("the deployment `{name}` uses"),
        2 => format!("the deployment `{name}` and 1 other use"),
        count => format!("the deployment `{name}` and {} others use", count - 1),
    };
    Note {
        level: NoteLevel::Warning,
        code: "pool-missing".to_owned(),
        kind: Kind::WorkPool,
        name: pool.to_owned(),
        message: format!(
            "{who} the work pool `{pool}`, which neither exists nor is declared: runs will wait until it does"
        ),
        help: Some(format!("declare it under `work_pools:`, or `reeve work-pool create --type process {pool}`")),
        file: Some(declared.file.clone()),
        pointer: Some(declared.pointer.clone()),
        position: None,
    }
}

fn queues_without_pool(planner: &Planner<'_>) -> Vec<Note> {
    let queues = planner.desired.work_queues.iter().filter(|((pool, _), _)| !planner.implied.has_pool(pool));
    let note = |((pool, queue), declared): (&(String, String), &Declared<_>)| Note {
        level: NoteLevel::Warning,
        code: "queue-without-pool".to_owned(),
        kind: Kind::WorkQueue,
        name: format!("{pool}/{queue}"),
        message: format!(
            "the work queue `{queue}` stands in the work pool `{pool}`, which neither exists nor is declared"
        ),
        help: Some(format!("declare it under `work_pools:`, or `reeve work-pool create --type process {pool}`")),
        file: Some(declared.file.clone()),
        pointer: Some(declared.pointer.clone()),
        position: None,
    };
    queues.map(note).collect()
}

/// Pools that this build does not execute itself: their runs wait for a worker.
fn remote_pools(planner: &Planner<'_>, users: &BTreeMap<&str, Users<'_>>) -> Vec<Note> {
    let desired = planner.desired;
    let used = users.keys().filter(|pool| !desired.work_pools.contains_key(**pool));
    let used =
        used.filter_map(|pool| planner.stored.work_pools.get(*pool)).map(|pool| (&pool.name, &pool.declared, None));
    let declared = desired.work_pools.iter().map(|(name, declared)| (name, &declared.spec, Some(declared)));
    let remote = declared.chain(used).filter(|(_, spec, _)| !planner.options.executor_kinds.contains(&spec.kind));
    let note = |(name, kind, declared): (&String, &str, Option<&Declared<_>>)| Note {
        level: NoteLevel::Info,
        code: "pool-needs-worker".to_owned(),
        kind: Kind::WorkPool,
        name: name.clone(),
        message: format!(
            "the work pool `{name}` is of type `{kind}`, which this reeve does not execute itself: a worker must serve it"
        ),
        help: None,
        file: declared.map(|declared| declared.file.clone()),
        pointer: declared.map(|declared| declared.pointer.clone()),
        position: None,
    };
    remote.map(|(name, spec, declared)| note((name, &spec.kind, declared))).collect()
}

/// A new deployment that runs what a pruned one ran, in the same pool, where neither has a second: its history would be split.
fn renames_suspected(planner: &Planner<'_>) -> Vec<Note> {
    if planner.pruned.is_empty() {
        return Vec::new();
    }
    let mut alike: BTreeMap<(String, Option<&str>), Alike<'_>> = BTreeMap::new();
    let face = |spec: &DeploymentSpec| Some((format!("{:?}", spec.entrypoint.as_ref()?), spec.work_pool.clone()));
    for old in &planner.pruned {
        if let Some((entrypoint, _)) = face(&old.declared) {
            alike.entry((entrypoint, old.declared.work_pool.as_deref())).or_default().pruned.push(old);
        }
    }
    for (name, declared) in planner.created() {
        let key = face(&declared.spec).map(|(entrypoint, _)| (entrypoint, declared.spec.work_pool.as_deref()));
        if let Some(found) = key.and_then(|key| alike.get_mut(&key)) {
            found.created.push((name, declared));
        }
    }
    alike.values().filter_map(Alike::note).collect()
}

/// The deployments of one plan that run the same in the same pool.
#[derive(Default)]
struct Alike<'a> {
    pruned: Vec<&'a Deployment>,
    created: Vec<(&'a FullName, &'a Declared<DeploymentSpec>)>,
}

impl Alike<'_> {
    fn note(&self) -> Option<Note> {
        let ([old], [(name, declared)]) = (&self.pruned[..], &self.created[..]) else { return None };
        let what = old.declared.entrypoint.as_ref().map(ToString::to_string).unwrap_or_default();
        Some(Note {
            level: NoteLevel::Warning,
            code: "rename-suspected".to_owned(),
            kind: Kind::Deployment,
            name: name.to_string(),
            message: format!("`{name}` is new and runs `{what}`, as `{}` does, which is pruned: its history would be split", old.name),
            help: Some(format!("if it is the same deployment under a new name, add `renamed_from: {}` to it", old.name)),
            file: Some(declared.file.clone()),
            pointer: Some(declared.pointer.clone()),
            position: None,
        })
    }
}

/// A pruned deployment that another, which is there as well, names as its earlier self.
fn renames_done(planner: &Planner<'_>) -> Vec<Note> {
    if planner.pruned.is_empty() || planner.desired.renames.is_empty() {
        return Vec::new();
    }
    let pruned: BTreeMap<&FullName, &Deployment> = planner.pruned.iter().map(|old| (&old.name, *old)).collect();
    let named = planner.desired.renames.iter().flat_map(|(name, earlier)| earlier.iter().map(move |earlier| (name, earlier)));
    let both = named.filter(|(name, earlier)| planner.stored.deployments.contains_key(*name) && pruned.contains_key(earlier));
    let note = |(name, earlier): (&FullName, &FullName)| {
        let declared = planner.desired.deployments.get(name)?;
        Some(Note {
            level: NoteLevel::Info,
            code: "rename-done".to_owned(),
            kind: Kind::Deployment,
            name: name.to_string(),
            message: format!("`{name}` is renamed from `{earlier}`, but has been there beside it: each keeps its own history, and `{earlier}` is pruned"),
            help: None,
            file: Some(declared.file.clone()),
            pointer: Some(declared.pointer.clone()),
            position: None,
        })
    };
    both.filter_map(note).collect()
}

/// A new deployment whose earlier name nothing bears. Where the project is new as a whole, its renames were done elsewhere.
pub(super) fn renamed_from_nothing(planner: &Planner<'_>, name: &FullName, declared: &Declared<DeploymentSpec>) -> Option<Note> {
    let (stored, earlier) = (planner.stored, planner.desired.renames.get(name)?);
    stored.project.as_ref()?;
    if earlier.iter().any(|earlier| stored.deployments.contains_key(earlier)) {
        return None;
    }
    let alike = |old: &&Deployment| {
        let bears = earlier.iter().any(|earlier| earlier.deployment == old.name.deployment);
        bears && planner.is_ours(old.owner.as_ref()) && !planner.desired.deployments.contains_key(&old.name)
    };
    let alike = stored.deployments.values().find(alike);
    let names: Vec<String> = earlier.iter().map(|earlier| format!("`{earlier}`")).collect();
    Some(Note {
        level: NoteLevel::Warning,
        code: "renamed-from-nothing".to_owned(),
        kind: Kind::Deployment,
        name: name.to_string(),
        message: format!("`{name}` is new: no deployment is called {}, as its `renamed_from` says, and nothing goes on", names.join(" or ")),
        help: Some(match alike {
            Some(old) => format!("there is `{0}`: if that is meant, write `renamed_from: {0}`", old.name),
            None => "if a deployment was renamed, give its earlier full name: `renamed_from: flow/name`; else remove it".to_owned(),
        }),
        file: Some(declared.file.clone()),
        pointer: Some(declared.pointer.clone()),
        position: None,
    })
}

/// A rename that waits, because the earlier name may still be declared in what could not be read.
pub(super) fn rename_blocked(name: &FullName, earlier: &FullName, declared: &Declared<DeploymentSpec>) -> Note {
    Note {
        level: NoteLevel::Warning,
        code: "rename-blocked".to_owned(),
        kind: Kind::Deployment,
        name: name.to_string(),
        message: format!("`{earlier}` goes on under its old name, and `{name}` is not made, until the errors in the files are put right"),
        help: None,
        file: Some(declared.file.clone()),
        pointer: Some(declared.pointer.clone()),
        position: None,
    }
}

/// So many new schedules are looked at for notes in one plan: asking a rule costs more than all else that a plan does
/// with it, and nobody reads ten thousand remarks.
pub(super) const MOST_SCHEDULES: usize = 200;

/// What is odd about a schedule that is new or has another rule, in the year to come: that it never fires, that clocks change.
pub(super) fn of_schedule(
    (index, schedule): (usize, &Schedule),
    name: &FullName,
    declared: &Declared<DeploymentSpec>,
    now: Timestamp,
) -> Vec<Note> {
    // A rule that cannot be read has none: the manifest refuses it, and a client's record may still hold it.
    let note = |note: crate::schedule::Note| Note {
        level: if note.never { NoteLevel::Warning } else { NoteLevel::Info },
        code: if note.never { "schedule-never-fires" } else { "schedule" }.to_owned(),
        kind: Kind::Schedule,
        name: format!("{name}#{}", schedule.key),
        message: note.text,
        help: None,
        file: Some(declared.file.clone()),
        pointer: Some(format!("{}/schedules/{index}", declared.pointer)),
        position: None,
    };
    schedule.declared.spec.notes_ahead(now).into_iter().map(note).collect()
}
