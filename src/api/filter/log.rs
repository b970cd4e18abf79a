//! `LogFilter`.
use super::criteria::{AnyOf, AnyOrNull, Operator, TimeCriterion};
use super::text::TextQuery;
use crate::api::wire::log::LOGGER;
use crate::executor::log::LogLine;
use crate::model::id::FlowRunId;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct LogFilter {
    #[serde(default)]
    operator: Operator,
    level: Option<LevelCriterion>,
    timestamp: Option<TimeCriterion>,
    flow_run_id: Option<AnyOf<FlowRunId>>,
    task_run_id: Option<AnyOrNull<Uuid>>,
    text: Option<TextCriterion>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelCriterion {
    ge_: Option<i64>,
    le_: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextCriterion {
    #[serde(deserialize_with = "text_query")]
    query: TextQuery,
}

/// The longest text query, in characters (Prefect's bound).
const MAX_QUERY: usize = 200;

fn text_query<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TextQuery, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.chars().count() > MAX_QUERY {
        return Err(serde::de::Error::custom(format!("String should have at most {MAX_QUERY} characters")));
    }
    Ok(TextQuery::parse(&text))
}

impl LogFilter {
    /// The runs whose logs can match, where the filter names them.
    pub fn runs(&self) -> Option<&[FlowRunId]> {
        if self.operator == Operator::Or {
            return None;
        }
        self.flow_run_id.as_ref()?.any_.as_deref()
    }

    pub fn matches(&self, run: FlowRunId, line: &LogLine) -> bool {
        const NO_TASK: Option<&Uuid> = None;
        let level = i64::from(line.level());
        self.operator.over([
            self.level.as_ref().map(|wanted| {
                wanted.ge_.is_none_or(|least| level >= least) && wanted.le_.is_none_or(|most| level <= most)
            }),
            self.timestamp.as_ref().map(|time| time.holds(Some(line.timestamp))),
            self.flow_run_id.as_ref().map(|id| id.holds(Some(&run))),
            self.task_run_id.as_ref().map(|id| id.holds(NO_TASK)),
            self.text.as_ref().map(|text| text.query.matches(&format!("{} {LOGGER}", line.message))),
        ])
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::api) enum LogSort {
    #[default]
    TimestampAsc,
    TimestampDesc,
}
