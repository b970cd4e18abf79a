//! stub
use super::rule::Rule;
pub(super) fn rule(_rule: &Rule, _zone: &str) -> String { String::new() }
