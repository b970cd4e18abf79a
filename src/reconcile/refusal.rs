//! What stands against a plan, and the exact words that would allow it.
use super::wire;
use crate::model::id::Kind;
use crate::model::name::typed;
use crate::model::position::Position;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a plan is not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refusal {
    /// A declared object, or the one that it was under an earlier name, belongs to another project.
    Owned {
        #[schemars(with = "wire::Kind")]
        kind: Kind,
        name: String,
        /// The project that owns it, and the file in which that project declares it.
        owner: String,
        owner_file: String,
        /// That project's root directory, and line and column in the file (relative to it), where they are known: in plans that are
        /// read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner_root: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<wire::Position>")]
        owner_position: Option<Position>,
        /// Where this project declares it.
        file: String,
        pointer: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<wire::Position>")]
        position: Option<Position>,
    },
    /// A deployment is new, and several of its earlier names are there: it cannot go on with the history of each.
    RenamesSeveral {
        name: String,
        earlier: Vec<String>,
        file: String,
        pointer: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<wire::Position>")]
        position: Option<Position>,
    },
    /// Something would be pruned while git may still be writing the files. No allowance lifts it.
    CheckoutInProgress {
        /// The lock file that says so.
        lock: String,
        prunes: usize,
    },
    /// Something would be pruned while somebody has a file open for writing that was read. No allowance lifts it.
    BeingWritten {
        /// Relative to the root.
        file: String,
        prunes: usize,
    },
    /// The project would move here and prune, and where it was applied from it still lies.
    TwoCheckouts {
        project: String,
        root: String,
        /// Where it was applied from.
        other: String,
        prunes: usize,
    },
    /// What would be pruned was declared in files that are there and were not read.
    FilesNotRead {
        /// Relative to the root; the first few.
        files: Vec<String>,
        /// How many other files there are.
        more: usize,
        /// The files that were asked for with `-f`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        named: Vec<String>,
        /// How many of the objects that would be pruned these files declared.
        from_there: usize,
        prunes: usize,
    },
    /// What would be pruned was declared in files that a glob of `include:` matched, and that glob matches nothing at all any more.
    IncludesNothing { pattern: String, from_there: usize, prunes: usize },
    /// Nothing is declared any more, and all that the project owns would be pruned.
    PrunesEverything { prunes: usize },
    /// More would be pruned than a guard lets through unasked.
    PrunesMany { prunes: usize, owned: usize, limit: usize },
    /// A number of prunes was allowed, and the plan has another.
    AllowanceDiffers { prunes: usize, allowed: usize },
    /// Somebody has suspended the project.
    Suspended { project: String, suspension: String },
}

impl Refusal {
    /// The file, the pointer and the position of what it is about, where that stands in a file.
    pub(super) fn place(&mut self) -> Option<(&str, &str, &mut Option<Position>)> {
        match self {
            Refusal::Owned { file, pointer, position, .. } | Refusal::RenamesSeveral { file, pointer, position, .. } => {
                Some((file, pointer, position))
            }
            _ => None,
        }
    }

    /// Fills in where the other project declares what is refused. `find` gives the root of the project that owns an object, and the
    /// object's place in a file of that project.
    pub fn locate_owner(&mut self, find: impl FnOnce(&str, Kind, &str) -> Option<(String, Option<Position>)>) {
        if let Refusal::Owned { kind, name, owner, owner_root, owner_position, owner_file, .. } = self
            && let Some((root, position)) = find(owner, *kind, name)
        {
            if let Some(position) = &position {
                // The entry may have moved to another file of its project since that was applied.
                owner_file.clone_from(&position.file);
            }
            (*owner_root, *owner_position) = (Some(root), position);
        }
    }

    /// What is not part of what the plan does: places, which are looked up only when somebody is to read them.
    pub(super) fn forget_places(&mut self) {
        if let Some((_, _, position)) = self.place() {
            *position = None;
        }
        if let Refusal::Owned { owner_root, owner_position, owner_file, .. } = self {
            (*owner_root, *owner_position) = (None, None);
            owner_file.clear();
        }
    }

    /// Where the other project declares it: `/srv/ops/deployment.yaml:12:5`, as far as it is known.
    pub fn other_place(&self) -> String {
        let Refusal::Owned { owner_root, owner_position, owner_file, .. } = self else { return String::new() };
        let file = owner_position.as_ref().map_or_else(|| owner_file.clone(), ToString::to_string);
        match owner_root {
            Some(root) => format!("{}/{file}", root.trim_end_matches('/')),
            None => file,
        }
    }

    /// Line and column of what it is about, where they are known.
    pub fn position(&self) -> Option<&Position> {
        match self {
            Refusal::Owned { position, .. } | Refusal::RenamesSeveral { position, .. } => position.as_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, None)
    }
}

/// A refusal with a whole command to type.
struct InFull<'a>(&'a Refusal, &'a str);

impl fmt::Display for InFull<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.tell(f, Some(self.1))
    }
}

impl Refusal {
    /// The sentence for whoever reads it elsewhere than below a reconcile of the project in `root`.
    pub fn in_full(&self, root: &str) -> String {
        InFull(self, root).to_string()
    }

    /// It ends by itself, and wants no word from anybody.
    pub fn passes(&self) -> bool {
        matches!(self, Refusal::CheckoutInProgress { .. } | Refusal::BeingWritten { .. })
    }

    /// What to type to have it allowed: an option of the same command, or another command; `None`: nothing that can be typed does.
    pub fn say(&self) -> Option<String> {
        match self {
            Refusal::Owned { kind: Kind::ConcurrencyLimit, .. } | Refusal::RenamesSeveral { .. } => None,
            Refusal::CheckoutInProgress { .. } | Refusal::BeingWritten { .. } => None,
            Refusal::Owned { kind, name, .. } => Some(adoption(*kind, name)),
            Refusal::Suspended { project, .. } => Some(format!("reeve resume {}", typed(project))),
            Refusal::PrunesEverything { prunes }
            | Refusal::PrunesMany { prunes, .. }
            | Refusal::FilesNotRead { prunes, .. }
            | Refusal::IncludesNothing { prunes, .. }
            | Refusal::TwoCheckouts { prunes, .. }
            | Refusal::AllowanceDiffers { prunes, .. } => Some(format!("--allow-prune={prunes}")),
        }
    }

    fn tell(&self, f: &mut fmt::Formatter<'_>, root: Option<&str>) -> fmt::Result {
        let say = match (self.say(), root) {
            (Some(option), Some(root)) if option.starts_with("--") => format!("`reeve reconcile --project {} {option}`", typed(root)),
            (Some(command), Some(root)) if command.starts_with("reeve adopt ") => format!("`{command} --project {}`", typed(root)),
            (Some(option), None) if option.starts_with("--") => option,
            (command, _) => command.map(|command| format!("`{command}`")).unwrap_or_default(),
        };
        if let Refusal::Owned { file, position, .. } | Refusal::RenamesSeveral { file, position, .. } = self {
            match position {
                Some(position) => write!(f, "{position}: ")?,
                None => write!(f, "{file}: ")?,
            }
        }
        match self {
            Refusal::Owned { kind: Kind::ConcurrencyLimit, name, owner, .. } => write!(
                f,
                "the concurrency limit of the tag `{name}` belongs to the project `{owner}`, which declares it in {}: \
                 a tag has one limit, so remove it here or there",
                self.other_place()
            ),
            Refusal::Owned { kind, name, owner, .. } => write!(
                f,
                "the {} `{name}` belongs to the project `{owner}`, which declares it in {}: \
                 rename one of the two, or remove it there first; to take it over with its history, say {say}",
                kind.words(),
                self.other_place(),
            ),
            Refusal::RenamesSeveral { name, earlier, .. } => write!(
                f,
                "the deployment `{name}` is renamed from {}, and all of them are there: leave in `renamed_from` only \
                 the one whose history goes on",
                earlier.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
            ),
            Refusal::CheckoutInProgress { lock, prunes } => write!(
                f,
                "a checkout is in progress (`{lock}` is there): {} would be pruned; wait for it to end, or, if no git runs there, \
                 remove that file",
                objects(*prunes)
            ),
            Refusal::BeingWritten { file, prunes } => write!(
                f,
                "`{file}` is being written: {} would be pruned; wait until whoever has it open has closed it",
                objects(*prunes)
            ),
            Refusal::FilesNotRead { files, more, named, from_there, .. } => write!(
                f,
                "{} {} there and {} not read, and {} from there would be pruned: {}; if they are to go, say {say}",
                listed(files, *more),
                if files.len() + more == 1 { "is" } else { "are" },
                if files.len() + more == 1 { "was" } else { "were" },
                objects(*from_there),
                reading(files, *more, named, root),
            ),
            Refusal::IncludesNothing { pattern, from_there, .. } => write!(
                f,
                "`{pattern}` matches no file any more, and {} came from there: if the files are away for a moment, bring them back; \
                 if they are gone for good, say {say}",
                objects(*from_there)
            ),
            Refusal::PrunesEverything { prunes } => write!(
                f,
                "nothing is declared any more, and {} of the project would be pruned: \
                 if that is meant, say {say}",
                if *prunes == 1 { "the only object".to_owned() } else { format!("all {prunes} objects") }
            ),
            Refusal::TwoCheckouts { project, root, other, prunes } => write!(
                f,
                "the project `{project}` was applied from {other}, which still holds it, and {} would be pruned from {root}: \
                 if this is another project, give it another `name:`; if it moved here, say {say}",
                objects(*prunes)
            ),
            Refusal::Suspended { project, suspension } => {
                write!(f, "the project `{project}` is suspended {suspension}: to reconcile it again, say {say}")
            }
            Refusal::PrunesMany { prunes, owned, limit } => write!(
                f,
                "{prunes} of the project's {} would be pruned, and at most {limit} are unasked: \
                 if that is meant, say {say}",
                objects(*owned)
            ),
            Refusal::AllowanceDiffers { prunes, allowed } => write!(
                f,
                "--allow-prune={allowed} was given, but {prunes} would be pruned: \
                 look at the plan again, and if it is right, say {say}"
            ),
        }
    }
}

/// What takes an object of another project over, to be typed in a shell. A queue goes with its pool.
fn adoption(kind: Kind, name: &str) -> String {
    match (kind, name.split_once('/')) {
        (Kind::WorkPool, _) => format!("reeve adopt --work-pool {}", typed(name)),
        (Kind::WorkQueue, Some((pool, _))) => format!("reeve adopt --work-pool {}", typed(pool)),
        _ => format!("reeve adopt {}", typed(name)),
    }
}

/// `a.yaml`, `b.yaml` and 3 more files.
fn listed(files: &[String], more: usize) -> String {
    let files = files.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", ");
    match more {
        0 => files,
        1 => format!("{files} and 1 more file"),
        more => format!("{files} and {more} more files"),
    }
}

/// How to have files read that were not.
fn reading(files: &[String], more: usize, named: &[String], root: Option<&str>) -> String {
    if named.is_empty() {
        return "name them under `include:` to have them read".to_owned();
    }
    if more > 0 {
        return "give each of them with `-f`, too".to_owned();
    }
    let project = root.map(|root| format!(" --project {}", typed(root))).unwrap_or_default();
    let files: String = named.iter().chain(files).map(|file| format!(" -f {}", typed(file))).collect();
    format!("to have them read, too, say `reeve reconcile{project}{files}`")
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}
