//! The JSON of the model's types, for the plan's schema only: a test holds that plans are valid under it.
#![allow(dead_code, reason = "shapes for the schema, never made")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The kinds of object.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    ConcurrencyLimit,
    WorkPool,
    WorkQueue,
    Deployment,
    Flow,
    Schedule,
}

/// Line and column count from 1.
#[derive(Serialize, JsonSchema)]
pub struct Position {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// One field that an operator set by hand.
#[derive(Serialize, JsonSchema)]
pub struct Override {
    pub value: Value,
    /// A user name, or a client's user agent.
    pub who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
}
