//! What left the files and stays all the same: because the project says so, the object does, or the files were not all read.
use super::plan::{Note, NoteLevel};
use super::planner::Planner;
use crate::model::desired::Desired;
use crate::model::id::Kind;
use crate::model::overrides::Owner;
use crate::model::stored::Stored;
use std::collections::BTreeSet;

/// So many objects are named one by one, of each reason; the rest is counted.
const MOST_NAMED: usize = 20;

/// Why something that is no longer declared stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Something could not be read, and may still declare it.
    Unread,
    /// The project says `prune: false`.
    NotPruned,
    /// The object, or the pool that it stands in, says `protect: true`.
    Protected,
}

/// An object that stays.
pub(super) struct Kept {
    kind: Kind,
    name: String,
    file: Option<String>,
    why: Why,
}

/// Why an object of the project stays when it is no longer declared; `None`: it goes.
pub(super) fn why(desired: &Desired, protect: bool) -> Option<Why> {
    if !desired.failed.is_empty() || !desired.unnamed.is_empty() {
        Some(Why::Unread)
    } else if !desired.rules.prune.enabled {
        Some(Why::NotPruned)
    } else {
        protect.then_some(Why::Protected)
    }
}

/// Whether the queues in a pool stay with it: the pool is the project's, protected, and no longer declared.
pub(super) fn protects_queues(desired: &Desired, stored: &Stored, pool: &str) -> bool {
    let ours = |owner: &Option<Owner>| owner.as_ref().is_some_and(|owner| owner.project == desired.project);
    let stands = stored.work_pools.get(pool).is_some_and(|pool| pool.declared.protect && ours(&pool.owner));
    stands && !desired.work_pools.contains_key(pool)
}

impl Planner<'_> {
    /// Counts an object that is no longer declared and stays.
    pub(super) fn keep(&mut self, kind: Kind, name: String, owner: Option<&Owner>, why: Why) {
        self.counts.kept += 1;
        self.kept.push(Kept { kind, name, file: owner.map(|owner| owner.file.clone()), why });
    }

    /// The notes on all that stays.
    pub(super) fn notes_on_kept(&self) -> Vec<Note> {
        let of = |why| self.kept.iter().filter(move |kept| kept.why == why);
        let mut notes = Vec::new();
        if of(Why::Unread).next().is_some() {
            notes.push(self.blocked(of(Why::Unread).count()));
        }
        for (why, code) in [(Why::NotPruned, "not-pruned"), (Why::Protected, "protected")] {
            notes.extend(of(why).take(MOST_NAMED).map(|kept| self.stays(kept, code)));
            if let more @ 1.. = of(why).count().saturating_sub(MOST_NAMED) {
                let (are, stay) = if more == 1 { ("object is", "stays") } else { ("objects are", "stay") };
                notes.push(Note {
                    message: format!("{more} more {are} no longer declared, but {stay}"),
                    help: None,
                    ..self.of_project(code)
                });
            }
        }
        notes
    }

    fn stays(&self, kept: &Kept, code: &str) -> Note {
        let words = kept.kind.words();
        let (reason, help) = match kept.why {
            Why::Protected => (
                "it is protected",
                "to remove it, set `protect: false`, apply that, and then remove the entry".to_owned(),
            ),
            _ => ("the project says `prune: false`", "to remove what left the files, take `prune: false` away".to_owned()),
        };
        Note {
            kind: kept.kind,
            name: kept.name.clone(),
            message: format!("the {words} `{}` is no longer declared, but stays and goes on: {reason}", kept.name),
            help: Some(help),
            file: kept.file.clone(),
            ..self.of_project(code)
        }
    }

    fn blocked(&self, count: usize) -> Note {
        let files: BTreeSet<String> = self.desired.failed.iter().map(|unit| format!("`{}`", unit.file)).collect();
        let files: Vec<String> = files.into_iter().collect();
        let (are, stay) = if count == 1 { ("1 object is", "it stays") } else { (&*format!("{count} objects are"), "they stay") };
        if let (true, Some((file, pointer))) = (files.is_empty(), self.desired.unnamed.first()) {
            return Note {
                level: NoteLevel::Warning,
                message: format!("nothing is pruned while an entry of `{file}` has no name: {are} declared nowhere else, and {stay} until it has"),
                help: Some("give the entry a `name`, or take it out".to_owned()),
                file: Some(file.clone()),
                pointer: Some(pointer.clone()),
                ..self.of_project("prune-blocked")
            };
        }
        Note {
            level: NoteLevel::Warning,
            message: format!("nothing is pruned while there are errors in {}: {are} declared nowhere else, and {stay} meanwhile", files.join(", ")),
            help: Some("put the errors right".to_owned()),
            file: self.desired.failed.first().map(|unit| unit.file.clone()),
            pointer: self.desired.failed.first().and_then(|unit| unit.pointer.clone()),
            ..self.of_project("prune-blocked")
        }
    }

    /// A note on the project as a whole.
    fn of_project(&self, code: &str) -> Note {
        Note {
            level: NoteLevel::Info,
            code: code.to_owned(),
            kind: Kind::Deployment,
            name: self.desired.project.clone(),
            message: String::new(),
            help: None,
            file: None,
            pointer: None,
            position: None,
        }
    }
}
