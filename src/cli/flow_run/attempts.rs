//! The attempts of a run, read from the history of its states.
use super::super::wire::{FlowRun, State};
use super::super::words::{local, took};
use crate::model::state::{StateType, names};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// One attempt.
#[derive(Debug, Clone, PartialEq)]
struct Attempt {
    /// `None`: its process never began, or has not yet.
    started: Option<Timestamp>,
    claimed: Timestamp,
    /// When it ended, and how. `None`: it has not.
    end: Option<(Timestamp, String)>,
}

/// A line for each attempt that the history tells of: its number, when it began, how long it took, how it ended.
pub fn lines(run: &FlowRun, history: &[State], zone: &TimeZone) -> Vec<String> {
    let attempts = attempts(history);
    // The oldest may be forgotten; the last one's number is known. One that was claimed only is not counted yet.
    let claimed = attempts.last().is_some_and(|last| last.started.is_none() && last.end.is_none());
    let newest = run.run_count as usize + usize::from(claimed);
    let first = (newest + 1).saturating_sub(attempts.len()).max(1);
    attempts.iter().enumerate().map(|(index, attempt)| line(first + index, attempt, run.state_name(), zone)).collect()
}

fn line(number: usize, attempt: &Attempt, state: &str, zone: &TimeZone) -> String {
    let Attempt { started, claimed, end } = attempt;
    let at = local(started.unwrap_or(*claimed), zone);
    match (started, end) {
        (Some(started), Some((ended, how))) => {
            format!("{number}  {at}  {:>8}  {how}", took(ended.duration_since(*started).as_secs_f64()))
        }
        (None, Some((_, how))) => format!("{number}  {at}  {:>8}  {how}", "-"),
        (_, None) => format!("{number}  {at}  {:>8}  {state}", "-"),
    }
}

fn attempts(history: &[State]) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut open = false;
    for state in history {
        let Some(at) = state.timestamp else { continue };
        match state.kind {
            StateType::Pending | StateType::Running if !open => {
                let started = (state.kind == StateType::Running).then_some(at);
                attempts.push(Attempt { started, claimed: at, end: None });
                open = true;
            }
            StateType::Running => {
                if let Some(attempt) = attempts.last_mut() {
                    attempt.started = attempt.started.or(Some(at));
                }
            }
            StateType::Pending | StateType::Paused | StateType::Cancelling => {}
            // What was claimed and never begun waits again: it was no attempt.
            StateType::Scheduled if open && state.name() != names::AWAITING_RETRY => {
                attempts.pop_if(|attempt| attempt.started.is_none());
                open = false;
            }
            _ if open => {
                let said = state.message.clone().filter(|message| !message.is_empty());
                // AwaitingRetry says that more comes, not how this one ended: its message does.
                let how = match (state.kind, said) {
                    (StateType::Scheduled, Some(said)) => said,
                    (_, Some(said)) => format!("{}: {said}", state.name()),
                    (_, None) => state.name().to_owned(),
                };
                if let Some(attempt) = attempts.last_mut() {
                    attempt.end = Some((at, how));
                }
                open = false;
            }
            _ => {}
        }
    }
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attempts_are_read_from_the_history() {
        let state = |kind: &str, name: &str, second: u8, message: &str| {
            json!({"type": kind, "name": name, "timestamp": format!("2026-11-21T09:00:{second:02}Z"), "message": message})
        };
        let history = json!([
            state("SCHEDULED", "Scheduled", 0, ""),
            state("SCHEDULED", "Late", 1, ""),
            state("PENDING", "Pending", 2, ""),
            state("SCHEDULED", "Scheduled", 3, "the daemon ended before it could start the run"),
            state("PENDING", "Pending", 4, ""),
            state("RUNNING", "Running", 5, ""),
            state("SCHEDULED", "AwaitingRetry", 7, "exited with code 1"),
            state("PENDING", "Pending", 10, ""),
            state("SCHEDULED", "AwaitingRetry", 11, "its supervisor was killed"),
            state("PENDING", "Pending", 20, ""),
            state("RUNNING", "Retrying", 21, ""),
            state("FAILED", "TimedOut", 24, "timed out after 3 s"),
        ]);
        let history: Vec<State> = serde_json::from_value(history).unwrap();
        let run = |count: u32, state: &State| -> FlowRun {
            let nil = uuid::Uuid::nil();
            let run = json!({"id": nil, "name": "n", "flow_id": nil, "run_count": count, "state": {"type": state.kind, "name": state.name}});
            serde_json::from_value(run).unwrap()
        };
        let lines = |count, until: usize| lines(&run(count, &history[until - 1]), &history[..until], &TimeZone::UTC);
        let first = "1  2026-11-21 09:00:05 UTC     2.00s  exited with code 1";
        let second = "2  2026-11-21 09:00:10 UTC         -  its supervisor was killed";
        assert_eq!(lines(3, 12), [first, second, "3  2026-11-21 09:00:21 UTC     3.00s  TimedOut: timed out after 3 s"]);
        assert_eq!(lines(2, 9), [first, second]);
        assert_eq!(lines(2, 10), [first, second, "3  2026-11-21 09:00:20 UTC         -  Pending"]);
        assert_eq!(lines(0, 3), ["1  2026-11-21 09:00:02 UTC         -  Pending"]);
        assert!(lines(0, 4).is_empty());
    }
}
