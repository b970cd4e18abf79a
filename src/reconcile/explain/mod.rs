//! A plan for its readers: text for people, JSON for machines, Markdown and annotations for a pull request. Only what stands in the plan is shown, so that a plan
//! that came from the daemon reads as one that was made here.
mod flow;
mod github;
mod markdown;
mod paint;
mod refusals;
mod signature;
mod text;

pub use github::{annotation_of_error, annotations};
pub use markdown::{markdown, markdown_of_error};
pub use text::{abridge, summary, text};

use super::plan::Plan;
use serde_json::Value;

/// How text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether escape codes for colour are written.
    pub colour: bool,
    /// Columns of the terminal; longer lines are clipped. `None` clips nothing.
    pub width: Option<usize>,
    /// Everything: unchanged objects that are listed, ids, all fields of new objects, and no cap on the lists.
    pub verbose: bool,
    /// Whether the plan is still to be applied or was.
    pub tense: Tense,
    /// It is read in a log and not below a command: what to type is a whole command.
    pub in_log: bool,
    /// What allows a refused plan is named as an option of the command that was typed, since that is no plain `reeve reconcile --project`.
    pub says_options: bool,
}

/// Whether a plan is spoken of before or after it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tense {
    /// `2 to create`.
    #[default]
    Planned,
    /// `2 created`.
    Done,
}

/// The JSON schema of a report with its plan: `schemas/plan.schema.json`.
pub fn json_schema() -> Value {
    // Serialised and not converted: in the order that readers of schemas expect.
    serde_json::to_value(super::wire::schema()).unwrap_or(Value::Null)
}

/// The plan as JSON, as `schemas/plan.schema.json` describes it.
pub fn json(plan: &Plan) -> Value {
    // Every part of a plan has a JSON form: text keys, and numbers that came from JSON or YAML.
    serde_json::to_value(plan).unwrap_or(Value::Null)
}
