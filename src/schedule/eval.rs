//! The pure heart of the hidden `reeve schedule eval`: one JSON case in, one JSON answer out, for judging against recorded
//! instants. Shell and standard input belong to the command.

use super::interval::parse_interval;
use super::spec::{RuleSpec, Spec};
use super::zone;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

/// More instants than this are not answered on one line.
const MOST: usize = 100_000;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Cron,
    Interval,
    Rrule,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    id: Value,
    kind: Kind,
    expr: Value,
    timezone: Option<String>,
    day_or: Option<bool>,
    anchor: Option<String>,
    start: Option<String>,
    n: Option<usize>,
}

/// Answers one case: `{"id":…,"dates":[…]}`, or `{"id":…,"error":"invalid: …"}`. `n` absent or 0 only validates.
pub fn evaluate_case_line(line: &str) -> String {
    let case: Case = match serde_json::from_str(line) {
        Ok(case) => case,
        Err(error) => return json!({"id": null, "error": format!("invalid: the case is not readable: {error}")}).to_string(),
    };
    let id = case.id.clone();
    match dates(&case) {
        Ok(dates) => json!({"id": id, "dates": dates}),
        Err(error) => json!({"id": id, "error": format!("invalid: {error}")}),
    }
    .to_string()
}

fn dates(case: &Case) -> Result<Vec<String>, String> {
    let rule = spec(case)?.parse().map_err(|error| error.to_string())?;
    let count = case.n.unwrap_or(0).min(MOST);
    if count == 0 {
        return Ok(Vec::new());
    }
    let start = case.start.as_deref().ok_or("`start` is missing")?;
    let start: Timestamp = start.parse().map_err(|error| format!("`start`: {error}"))?;
    Ok(rule.instants(start).take(count).map(written).collect())
}

/// As the recorded cases write it: whole seconds, or six digits behind them.
fn written(at: Timestamp) -> String {
    if at.subsec_nanosecond() == 0 { at.to_string() } else { format!("{at:.6}") }
}

fn spec(case: &Case) -> Result<Spec, String> {
    let text = match &case.expr {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rule = match case.kind {
        Kind::Cron => RuleSpec::Cron { expression: text, day_or: case.day_or.unwrap_or(true) },
        Kind::Rrule => RuleSpec::Rrule { text },
        Kind::Interval => RuleSpec::Interval {
            every: parse_interval(&text).map_err(|error| error.to_string())?,
            anchor: case.anchor.as_deref().map(|text| anchor(text, case.timezone.as_deref())).transpose()?,
        },
    };
    Ok(Spec::new(rule, case.timezone.clone()))
}

/// An anchor without an offset is on the clock of the schedule's zone (Prefect on Python 3.13 and newer).
fn anchor(text: &str, timezone: Option<&str>) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let wall: DateTime = text.parse().map_err(|error| format!("`anchor`: {error}"))?;
    let zone = zone::lookup(timezone).map_err(|error| error.to_string())?;
    zone.to_ambiguous_timestamp(wall).compatible().map_err(|error| format!("`anchor`: {error}"))
}
