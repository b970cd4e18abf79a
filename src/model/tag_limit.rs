//! Concurrency limits by tag: how many runs that bear a tag may go at once, whatever their pool, queue and deployment.
use super::id::TagLimitId;
use super::name::LONGEST_NAME;
use super::overrides::{Overrides, Owner};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is declared of a tag's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagLimitSpec {
    /// How many runs with the tag may be pending or running at once; 0 is none at all.
    pub concurrency_limit: u32,
}

/// The limit of a tag as it is remembered. A tag has at most one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagLimit {
    pub id: TagLimitId,
    pub tag: String,
    pub declared: TagLimitSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
    /// Digest of what its owner declared last: tells drift from a change of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_digest: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl TagLimit {
    /// The same limit without an owner: what operators had laid over it is its own now.
    pub fn nobodys(mut self) -> Self {
        self.declared = self.effective();
        self.owner = None;
        self.declared_digest = None;
        self.overrides.clear();
        self
    }

    /// What holds now: the declaration with the overrides laid over it.
    pub fn effective(&self) -> TagLimitSpec {
        let limit = self.overrides.get("concurrency_limit").and_then(|by| u32::try_from(by.value.as_u64()?).ok());
        TagLimitSpec { concurrency_limit: limit.unwrap_or(self.declared.concurrency_limit) }
    }
}

/// Why a tag cannot have a limit, as the end of a sentence that begins with it; `None`: it can. Tags are free text, unlike names;
/// but a limit's tag is a key of the store and stands in an address.
pub fn problem_of_tag(tag: &str) -> Option<String> {
    if tag.trim().is_empty() {
        return Some("must not be empty".to_owned());
    }
    if tag.len() > LONGEST_NAME {
        return Some(format!("is {} bytes long, at most {LONGEST_NAME} are possible", tag.len()));
    }
    let wrong = tag.chars().find(|c| c.is_control())?;
    Some(format!("must not contain {wrong:?}"))
}
