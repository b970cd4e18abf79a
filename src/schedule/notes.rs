//! stub
use super::rule::Rule;
use jiff::Timestamp;
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note { pub at: Option<Timestamp>, pub text: String }
pub(super) fn of(_rule: &Rule, _from: Timestamp, _until: Timestamp) -> Vec<Note> { Vec::new() }
