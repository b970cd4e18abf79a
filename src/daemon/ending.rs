//! The state in which a run ends, from how its process ended. One table.
use crate::executor::outcome::{NotStarted, StoppedBy};
use crate::executor::{End, Outcome};
use crate::model::retry::EndCause;
use crate::model::run::Usage;
use crate::model::state::{Proposed, StateType, names};

/// The state to propose for `outcome`. `cancelling`: somebody asked for the end, and why, as far as they said.
///
/// An exit code is the program's own word: Failed. A signal that nobody asked for, a program that cannot be started and
/// a supervisor that is gone are the infrastructure's: Crashed, as Prefect's workers report them.
pub fn state_of(outcome: &Outcome, cancelling: Option<&str>) -> Proposed {
    let message = message_of(outcome, cancelling.unwrap_or_default());
    let proposed = match &outcome.end {
        _ if cancelling.is_some() => Proposed::new(StateType::Cancelled),
        End::Exited { code: 0 } => Proposed::new(StateType::Completed),
        End::Exited { .. } => Proposed::new(StateType::Failed),
        End::TimedOut { .. } => Proposed::new(StateType::Failed).named(names::TIMED_OUT),
        End::Stopped { .. } | End::Signaled { .. } | End::NotStarted { .. } | End::SupervisorFailed | End::Lost => {
            Proposed::new(StateType::Crashed)
        }
    };
    let mut proposed = Proposed { cause: Some(cause_of(&outcome.end)), ..proposed.message(message) };
    if proposed.kind == StateType::Completed {
        proposed.data = outcome.value.clone();
    }
    proposed
}

/// How it ended, in the words of `retry_on`.
fn cause_of(end: &End) -> EndCause {
    match *end {
        End::Exited { code } => EndCause::Exited(code),
        End::Signaled { signal, .. } => EndCause::Signaled(signal),
        End::TimedOut { .. } => EndCause::TimedOut,
        // Stopped without a cancel: somebody told the supervisor to end, as a host does that goes down.
        End::NotStarted { .. } | End::SupervisorFailed | End::Lost | End::Stopped { .. } => EndCause::Lost,
    }
}

/// What the attempt and all its descendants used, and how its main process ended.
pub fn usage_of(outcome: &Outcome) -> Usage {
    let (exit_code, signal) = match &outcome.end {
        End::Exited { code } => (Some(*code), None),
        End::Signaled { signal, .. } => (None, Some(*signal)),
        End::TimedOut { how, .. } | End::Stopped { how, .. } => (how.code, how.signal),
        End::NotStarted { .. } | End::SupervisorFailed | End::Lost => (None, None),
    };
    Usage {
        exit_code,
        signal,
        user_cpu_seconds: outcome.resources.user_seconds,
        system_cpu_seconds: outcome.resources.system_seconds,
        peak_memory_bytes: outcome.resources.peak_rss_bytes,
    }
}

fn message_of(outcome: &Outcome, why: &str) -> String {
    let mut message = match (&outcome.end, &outcome.exception) {
        (End::Exited { code }, Some(exception)) if *code != 0 && !outcome.message.contains(exception.as_str()) => {
            format!("{exception} ({})", outcome.message)
        }
        (End::Stopped { by: StoppedBy::Request, how }, _) if !why.is_empty() => format!("{why}; {}", how.sentence()),
        (End::NotStarted { why: NotStarted::Stopped }, _) if !why.is_empty() => format!("{why}; {}", outcome.message),
        _ => outcome.message.clone(),
    };
    for note in &outcome.notes {
        message.push_str("; ");
        message.push_str(note);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::outcome::Ended;
    use std::time::Duration;

    fn outcome(end: End) -> Outcome {
        Outcome {
            version: 1,
            run_id: uuid::Uuid::nil(),
            attempt: 1,
            message: end.sentence().unwrap_or_default(),
            end,
            started_at: None,
            ended_at: jiff::Timestamp::UNIX_EPOCH,
            took_seconds: None,
            resources: Default::default(),
            leftover: Default::default(),
            exception: None,
            value: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn every_end_has_its_state() {
        let how = Ended { grace: Duration::from_secs(10), code: None, signal: Some(15), killed: 0 };
        let table = [
            (End::Exited { code: 0 }, "Completed", "Cancelled"),
            (End::Exited { code: 3 }, "Failed", "Cancelled"),
            (End::Signaled { signal: 9, core_dumped: false }, "Crashed", "Cancelled"),
            (End::TimedOut { after: Duration::from_secs(2), how: how.clone() }, "TimedOut", "Cancelled"),
            (End::Stopped { by: StoppedBy::Request, how }, "Crashed", "Cancelled"),
            (End::NotStarted { why: NotStarted::NotFound }, "Crashed", "Cancelled"),
            (End::SupervisorFailed, "Crashed", "Cancelled"),
            (End::Lost, "Crashed", "Cancelled"),
        ];
        for (end, unasked, asked) in table {
            assert_eq!(state_of(&outcome(end.clone()), None).effective_name(), unasked, "{end:?}");
            assert_eq!(state_of(&outcome(end.clone()), Some("")).effective_name(), asked, "{end:?}");
        }
    }

    #[test]
    fn the_reason_stands_in_the_message() {
        let mut raised = outcome(End::Exited { code: 1 });
        raised.exception = Some("ValueError: no such host".to_owned());
        raised.notes.push("the log is incomplete".to_owned());
        let proposed = state_of(&raised, None);
        assert_eq!(proposed.message.as_deref(), Some("ValueError: no such host (exited with code 1); the log is incomplete"));
        let how = Ended { grace: Duration::from_secs(10), code: None, signal: Some(15), killed: 0 };
        let stopped = outcome(End::Stopped { by: StoppedBy::Request, how });
        for (why, expected) in [("its deployment was pruned", "its deployment was pruned; ended on SIGTERM"), ("", "stopped on request; ended on SIGTERM")] {
            assert_eq!(state_of(&stopped, Some(why)).message.as_deref(), Some(expected));
        }
    }
}
