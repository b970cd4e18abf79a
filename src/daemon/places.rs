//! Where in their files the objects of a plan stand, for whoever reads it: in the project's own, and in those of another project
//! that owns what this one declares.
use super::reconciler::load;
use crate::manifest::{At, Locator};
use crate::model::deployment::FullName;
use crate::model::desired::{Declared, Desired};
use crate::model::id::Kind;
use crate::model::position::Position;
use crate::model::problem::{Problem, SourceLine};
use crate::reconcile::Plan;
use crate::source::{self, SourceSet};
use crate::store::ledger::Reader;
use std::collections::BTreeMap;
use std::path::Path;

/// The files of so many other projects are read for one plan.
const MOST_PROJECTS: usize = 8;

/// Fills in the positions of what a plan says.
pub(super) fn of_own(plan: &mut Plan, sources: &SourceSet) {
    let mut places = Places::of(sources);
    plan.locate(|file, pointer| places.find(file, pointer));
}

/// Takes away what the files' problems say already: a pool whose name is nearly another's is misspelt, and not to be made.
pub(super) fn without_said_twice(plan: &mut Plan, problems: &[Problem]) {
    let is_misspelt = |pool: &str| {
        let start = format!("the work pool `{pool}` ");
        problems.iter().any(|problem| problem.code == "unknown-work-pool" && problem.message.starts_with(&start))
    };
    plan.notes.retain(|note| note.code != "pool-missing" || !is_misspelt(&note.name));
}

/// Whether the files in `root` still declare a project of that name, and how many objects.
pub(super) fn still_declared(project: &str, root: &str) -> Option<usize> {
    let sources = source::read_directory(Path::new(root), &[]).ok()?;
    let desired = load(&sources, false).0.filter(|desired| desired.project == project)?;
    let objects = desired.deployments.len() + desired.work_pools.len() + desired.work_queues.len() + desired.tag_limits.len();
    (objects > 0).then_some(objects)
}

/// Fills in where other projects declare what they own and this plan is refused for.
pub(super) fn of_others(reader: &Reader, plan: &mut Plan) {
    let mut projects: BTreeMap<String, Option<Other>> = BTreeMap::new();
    for refusal in &mut plan.refusals {
        refusal.locate_owner(|owner, kind, name| {
            if !projects.contains_key(owner) && projects.len() < MOST_PROJECTS {
                projects.insert(owner.to_owned(), Other::of(reader, owner));
            }
            let other = projects.get(owner)?.as_ref()?;
            Some((other.root.clone(), other.find(kind, name)))
        });
    }
}

/// Another project, as its files are now.
struct Other {
    root: String,
    /// `None` where the files are gone or wrong.
    read: Option<(SourceSet, Desired)>,
}

impl Other {
    fn of(reader: &Reader, name: &str) -> Option<Other> {
        let root = reader.project(name).ok()??.root;
        let sources = source::read_directory(Path::new(&root), &[]).ok();
        let read = sources.and_then(|sources| {
            let desired = load(&sources, false).0.filter(|desired| desired.project == name)?;
            Some((sources, desired))
        });
        Some(Other { root, read })
    }

    fn find(&self, kind: Kind, name: &str) -> Option<Position> {
        let (sources, desired) = self.read.as_ref()?;
        let place = |file: &str, pointer: &str| Places::of(sources).find(file, pointer);
        fn of<T>(declared: Option<&Declared<T>>) -> Option<(&str, &str)> {
            declared.map(|declared| (declared.file.as_str(), declared.pointer.as_str()))
        }
        let (file, pointer) = match kind {
            Kind::ConcurrencyLimit => of(desired.tag_limits.get(name)),
            Kind::WorkPool => of(desired.work_pools.get(name)),
            Kind::WorkQueue => {
                let (pool, queue) = name.split_once('/')?;
                of(desired.work_queues.get(&(pool.to_owned(), queue.to_owned())))
            }
            Kind::Deployment | Kind::Flow | Kind::Schedule => of(desired.deployments.get(&FullName::parse(name)?)),
        }?;
        place(file, pointer)
    }
}

/// The files of one project, each looked through for positions at most once: a project may have thousands.
pub(super) struct Places<'a> {
    sources: &'a SourceSet,
    locators: BTreeMap<String, Option<Locator>>,
}

impl<'a> Places<'a> {
    pub(super) fn of(sources: &'a SourceSet) -> Self {
        Places { sources, locators: BTreeMap::new() }
    }

    pub(super) fn find(&mut self, file: &str, pointer: &str) -> Option<Position> {
        self.find_line(file, pointer, At::Key).map(|(position, _)| position)
    }

    /// The same with its line, which the key or the value is underlined in.
    pub(super) fn find_line(&mut self, file: &str, pointer: &str, at: At) -> Option<(Position, SourceLine)> {
        let sources = self.sources;
        let locator = || {
            let manifest = sources.manifests().iter().find(|manifest| manifest.path == file)?;
            Some(Locator::new(std::str::from_utf8(&manifest.content).ok()?))
        };
        let found = self.locators.entry(file.to_owned()).or_insert_with(locator).as_ref()?.find(pointer, at)?;
        let source = SourceLine { text: found.text, length: found.length.max(1) };
        Some((Position { file: file.to_owned(), line: found.line, column: found.column }, source))
    }
}
