//! A schedule's rule as it was declared, before anything is parsed: comparable and serialisable.
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A schedule's rule with its time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub rule: RuleSpec,
    /// IANA name; `None` is UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// The three forms of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuleSpec {
    Cron { expression: String, day_or: bool },
    /// `every` is in whole microseconds.
    Interval { every: i64, anchor: Option<Timestamp> },
    Rrule { text: String },
}
