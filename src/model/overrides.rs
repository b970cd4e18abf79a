//! What an operator changed on an object that a project owns.
//!
//! The effective value of an owned object is a function of (file, overrides): a deploy shows an override and
//! never clears it. On an object that nobody owns there are none: an edit is a plain edit.
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One field that somebody set by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Override {
    pub value: Value,
    /// Who asked: a user name, or a client's user agent.
    pub who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Overrides by field name (`paused`, `schedules/<key>/active`).
pub type Overrides = BTreeMap<String, Override>;

/// Who owns an object: the project that declares it, and the file (relative to its root) where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    pub project: String,
    pub file: String,
}
