//! `retry_delay_seconds` and `retry_on` of a deployment.
use super::node::Node;
use super::report::described;
use crate::model::retry::{RetryCause, doubling};
use serde_json::Value;

/// Where exponential delays begin and end when nothing else is said, in seconds.
const FIRST: f64 = 10.0;
const MOST: f64 = 3600.0;
/// The longest delay, in seconds: a year. What is longer is no delay but an attempt that never comes.
const LONGEST: f64 = 31_536_000.0;
/// The keys of exponential delays.
pub const KEYS: [&str; 3] = ["exponential", "cap", "jitter"];

/// Delays before each further attempt, of which the last counts for all that follow; and the share of each by which it may be longer.
pub fn delays(node: &Node<'_>) -> (Vec<f64>, f64) {
    let mut jitter = 0.0;
    let mut delays: Vec<f64> = match node.value {
        Value::Array(items) => items.iter().enumerate().filter_map(|(index, item)| wait(&node.item(index, item))).collect(),
        Value::String(text) if text.trim() == "exponential" => doubling(FIRST, MOST),
        Value::String(text) if text.trim().parse::<f64>().is_err() => {
            node.expected("seconds, a list of seconds, or `exponential`");
            Vec::new()
        }
        Value::Object(_) => {
            let (delays, share) = exponential(node);
            jitter = share;
            delays
        }
        Value::Bool(_) => {
            node.expected("seconds, a list of seconds, or `exponential`");
            Vec::new()
        }
        _ => wait(node).into_iter().collect(),
    };
    // Repetitions at the end say nothing, but that an exponential one has its cap.
    while node.value.is_array()
        && let [.., before, last] = delays.as_slice()
        && before == last
    {
        delays.pop();
    }
    (if delays == [0.0] { Vec::new() } else { delays }, jitter)
}

/// `{exponential: 10, cap: 600, jitter: 0.2}`.
fn exponential(node: &Node<'_>) -> (Vec<f64>, f64) {
    node.unknown_keys("`retry_delay_seconds`", &[&KEYS], &[]);
    let seconds = |key: &str, default: f64| node.field(key).map_or(Some(default), |field| positive(&field));
    let jitter = node.field("jitter").and_then(|field| share(&field)).unwrap_or(0.0);
    match (seconds("exponential", FIRST), seconds("cap", MOST)) {
        (Some(first), Some(most)) => (doubling(first, most), jitter),
        _ => (Vec::new(), jitter),
    }
}

/// Seconds up to the longest delay.
fn wait(node: &Node<'_>) -> Option<f64> {
    let seconds = node.seconds()?;
    if seconds <= LONGEST {
        return Some(seconds);
    }
    let message = format!("{} is {}; expected seconds, from 0 to {LONGEST} (a year)", node.name(), described(node.value));
    node.report.push(node.error("out-of-range", message));
    None
}

fn positive(node: &Node<'_>) -> Option<f64> {
    let seconds = wait(node)?;
    if seconds > 0.0 {
        return Some(seconds);
    }
    node.report.push(node.error("out-of-range", format!("{} is {}; expected more than 0 seconds", node.name(), described(node.value))));
    None
}

/// A share of each delay by which it may be longer, Prefect's `retry_jitter_factor`.
pub fn share(node: &Node<'_>) -> Option<f64> {
    let share = node.seconds()?;
    if share <= 1.0 {
        return Some(share);
    }
    let message = format!("{} is {}; expected a share from 0 to 1", node.name(), described(node.value));
    node.report.push(node.error("out-of-range", message).help("`0.2` makes each delay up to a fifth longer"));
    None
}

/// Which ends are worth another attempt; an empty list is all of them.
pub fn on(node: &Node<'_>) -> Vec<RetryCause> {
    if node.value.as_array().is_some_and(Vec::is_empty) {
        let problem = node.error("no-retry-cause", "`retry_on` is an empty list; expected exit codes, signals, `timeout` or `crashed`");
        node.report.push(problem.help("take `retry_on` out to try again after every failure, or write `retries: 0` to never do so"));
    }
    let items: Vec<(Node<'_>, &Value)> = match node.value {
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (node.item(index, item), item)).collect(),
        single => vec![(node.with(single), single)],
    };
    let read = |(item, value): (Node<'_>, &Value)| {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => {
                item.expected("an exit code, a signal, `timeout` or `crashed`");
                return None;
            }
        };
        text.parse().map_err(|error: String| item.report.push(item.error("unknown-retry-cause", error))).ok()
    };
    items.into_iter().filter_map(read).collect()
}
