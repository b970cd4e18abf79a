//! The JSON of a reconcile's report where it is not that of the types, for its schema: tests hold that reports are valid under it.
#![allow(dead_code, reason = "shapes for the schema, never made")]
use super::plan::Plan;
use super::refusal;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
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

/// The JSON schema of a report.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Report)
}

/// Why nothing of a plan is applied.
#[derive(Serialize, JsonSchema)]
pub struct Refusal<'a> {
    #[serde(flatten)]
    refusal: &'a refusal::Refusal,
    /// The same as a sentence.
    message: String,
    /// What to type to have it allowed: an option of the same command (`--allow-prune=7`), or another command.
    #[serde(skip_serializing_if = "Option::is_none")]
    say: Option<String>,
}

/// Refusals with their sentences: who reads the JSON shows them to people, too.
pub fn refusals<S: Serializer>(refusals: &[refusal::Refusal], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(refusals.iter().map(|refusal| Refusal { refusal, message: refusal.to_string(), say: refusal.say() }))
}

/// What a reconcile found and did. The exit code is `exit_code` if that is there (a command always gives it), 3 if `stale` is, else it follows from the plan: 3 if
/// `refusals` is not empty, else as `counts` says.
#[derive(Serialize, JsonSchema)]
pub struct Report {
    /// The version of this format: 1.
    pub format: u32,
    /// Why this is no success, as a sentence: the files are wrong, or are not to be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the command ends with: from the API only with `error`: 1, or 3 where a guard refused before anything was planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// `null` when the files are wrong, or are not to be had: nothing was planned.
    pub plan: Option<Plan>,
    /// What is wrong or remarkable in the files.
    pub problems: Vec<Problem>,
    /// Of the plan of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// Why the plan is not the one that `reeve apply` was to carry out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
    /// What became of each unit that is applied alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<Unit>,
    /// Whether the plan was carried out: it was no dry run, and nothing stood against it.
    pub applied: bool,
}

/// One problem in the files.
#[derive(Serialize, JsonSchema)]
pub struct Problem {
    pub severity: Severity,
    /// A stable word for machines.
    pub code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line that it stands in, and how many characters of it are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceLine>,
}

/// Whether a problem stops the files from being used.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// A line of a file.
#[derive(Serialize, JsonSchema)]
pub struct SourceLine {
    pub text: String,
    pub length: u32,
}

/// What a plan was made of: equal stamps are the same plan of the same files against the same state.
#[derive(Serialize, JsonSchema)]
pub struct Stamp {
    pub base_revision: u64,
    /// SHA-256 over the names and contents of all files that were read.
    pub sources: String,
    /// SHA-256 over the plan's steps and refusals.
    pub digest: String,
}

/// What is applied together: the whole project, a file or a deployment.
#[derive(Serialize, JsonSchema)]
pub struct Unit {
    pub unit: String,
    pub outcome: Outcome,
    /// Of what failed or is blocked: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a unit.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Pending,
    Applied,
    Unchanged,
    Failed,
    Blocked,
}
