//! What stands against a plan, and the exact words that would allow it.
use super::wire;
use crate::model::id::Kind;
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
    /// The project would move here and prune, and where it was applied from it still lies.
    TwoCheckouts {
        project: String,
        root: String,
        /// Where it was applied from.
        other: String,
        prunes: usize,
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
        if let Refusal::Owned { file, position, .. } | Refusal::RenamesSeveral { file, position, .. } = self {
            match position {
                Some(position) => write!(f, "{position}: ")?,
                None => write!(f, "{file}: ")?,
            }
        }
        match self {
            Refusal::Owned { kind: Kind::ConcurrencyLimit, name, owner, owner_file, .. } => write!(
                f,
                "the concurrency limit of the tag `{name}` belongs to the project `{owner}`, which declares it in {owner_file}: \
                 a tag has one limit, so remove it here or there"
            ),
            Refusal::Owned { kind, name, owner, owner_file, .. } => write!(
                f,
                "the {} `{name}` belongs to the project `{owner}`, which declares it in {owner_file}: \
                 rename one of the two, or remove it there first; to take it over with its history, say `reeve adopt {name}`",
                kind.words()
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
            Refusal::PrunesEverything { prunes } => write!(
                f,
                "nothing is declared any more, and {} of the project would be pruned: \
                 if that is meant, say --allow-prune={prunes}",
                if *prunes == 1 { "the only object".to_owned() } else { format!("all {prunes} objects") }
            ),
            Refusal::TwoCheckouts { project, root, other, prunes } => write!(
                f,
                "the project `{project}` was applied from {other}, which still holds it, and {} would be pruned from {root}: \
                 if this is another project, give it another `name:`; if it moved here, say --allow-prune={prunes}",
                objects(*prunes)
            ),
            Refusal::Suspended { project, suspension } => {
                write!(f, "the project `{project}` is suspended {suspension}: to reconcile it again, say `reeve resume {project}`")
            }
            Refusal::PrunesMany { prunes, owned, limit } => write!(
                f,
                "{prunes} of the project's {} would be pruned, and at most {limit} are unasked: \
                 if that is meant, say --allow-prune={prunes}",
                objects(*owned)
            ),
            Refusal::AllowanceDiffers { prunes, allowed } => write!(
                f,
                "--allow-prune={allowed} was given, but {prunes} would be pruned: \
                 look at the plan again, and if it is right, say --allow-prune={prunes}"
            ),
        }
    }
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}
