//! Schedules as records of a deployment.
//!
//! A schedule's key is fixed when it is created and names its slots for ever: an edit of its rule, zone or
//! parameters keeps id, key and overrides; `effective_since` moves, and no slot before it exists.
use super::JsonMap;
use super::id::ScheduleId;
use super::overrides::Overrides;
use super::policy::Policy;
use crate::schedule::Spec;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is declared of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleDeclaration {
    #[serde(flatten)]
    pub spec: Spec,
    pub active: bool,
    /// The name that its author gave it; unique in its deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Laid over the deployment's parameters.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub parameters: JsonMap,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_scheduled_runs: Option<u32>,
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    pub policy: Policy,
}

impl ScheduleDeclaration {
    /// An active schedule of a rule, with everything else at its default.
    pub fn new(spec: Spec) -> Self {
        ScheduleDeclaration {
            spec,
            active: true,
            slug: None,
            parameters: JsonMap::new(),
            max_scheduled_runs: None,
            policy: Policy::default(),
        }
    }

    /// The key of a new schedule: its slug, else the first 16 hex digits of a SHA-256 over the frozen normal
    /// form of rule, zone and anchor, and the parameters. Unique in its deployment: the caller adds a counter
    /// where it collides.
    pub fn natural_key(&self) -> String {
        if let Some(slug) = &self.slug {
            return slug.clone();
        }
        let mut hash = Sha256::new();
        hash.update(self.spec.normal_form().as_bytes());
        if !self.parameters.is_empty() {
            hash.update([0]);
            hash.update(canonical(&self.parameters).as_bytes());
        }
        hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A schedule as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    pub id: ScheduleId,
    pub key: String,
    #[serde(flatten)]
    pub declared: ScheduleDeclaration,
    /// No slot before this instant exists.
    pub effective_since: Timestamp,
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Schedule {
    /// Whether it fires, its deployment permitting: what was declared, unless an operator said otherwise.
    pub fn active(&self) -> bool {
        match self.overrides.get("active").and_then(|o| o.value.as_bool()) {
            Some(active) => active,
            None => self.declared.active,
        }
    }
}

/// How far a schedule's slots have been dealt with: the newest slot that was made a run, skipped or missed.
/// Committed together with that slot, and kept when the run is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub slot: Timestamp,
}

/// JSON text with sorted keys, so that equal values give equal text.
fn canonical(map: &JsonMap) -> String {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    let parts: Vec<String> =
        entries.into_iter().map(|(key, value)| format!("{key:?}:{}", canonical_value(value))).collect();
    format!("{{{}}}", parts.join(","))
}

fn canonical_value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(map) => canonical(map),
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical_value).collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}
