//! What must change: diff, plan, explanation.

/// Until the module's own lands.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Plan {
    pub format: u32,
}
