//! The one table that says whether a run may enter a state (Prefect 3's orchestration rules, as measured).
//!
//! Everybody proposes through here: the daemon's own dispatcher, an operator's cancel, a Prefect client. Nothing
//! else yields a new state. The rules, in the order in which they are asked:
//!
//! 1. `force` skips them all.
//! 2. The same `transition_id` twice is one transition: the second answer is a harmless reject.
//! 3. What is cancelling can only become Cancelled.
//! 4. Cancelling: what has not started is Cancelled at once; what is over stays over.
//! 5. Paused: only what is Running can pause, once per key.
//! 6. Pending: only from Scheduled, or from Pending under another name (the guard against a second claim).
//! 7. Running: not before its time; a pause that was never resumed fails.
//! 8. Failed with retries left becomes Scheduled/AwaitingRetry; so does Crashed of a process that reeve ran; unless
//!    `retry_on` does not name how it ended.
//! 9. Late: only what is Scheduled can become it, so that a run that was cancelled meanwhile is not brought back.
//! 10. What is over: a completed run stays completed if it has a result; a reschedule needs a deployment.
use super::retry;
use super::run::FlowRun;
use super::state::{Proposed, StateType, names};
use jiff::{SignedDuration, Timestamp};

/// What the decision may depend on besides the run and the proposal.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    pub now: Timestamp,
    /// Skip every rule (Prefect's `force`).
    pub force: bool,
}

/// The answer. `Accept` and `Reject` with a state carry the run as it is after the transition.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    Accept(Box<FlowRun>),
    /// Another state than the proposed one: entered (`Some`), or the current one stays (`None`).
    Reject { run: Option<Box<FlowRun>>, reason: String },
    /// Propose again after this long.
    Wait { delay: SignedDuration, reason: String },
    Abort { reason: String },
}

impl Decision {
    /// The run to store, where the transition changed it.
    pub fn changed(&self) -> Option<&FlowRun> {
        match self {
            Decision::Accept(run) | Decision::Reject { run: Some(run), .. } => Some(run),
            _ => None,
        }
    }
}

/// Decides whether `run` enters the `proposed` state.
pub fn transition(run: &FlowRun, proposed: Proposed, context: Context) -> Decision {
    if context.force {
        return accept(run, proposed, context.now);
    }
    let from = run.state.kind;
    if proposed.details.transition_id.is_some() && proposed.details.transition_id == run.state.details.transition_id {
        return stay("This run has already made this state transition.");
    }
    if from == StateType::Cancelling && !matches!(proposed.kind, StateType::Cancelled | StateType::Cancelling | StateType::Pending) {
        return stay("Cannot transition flows that are cancelling to a state other than Cancelled.");
    }
    match proposed.kind {
        StateType::Cancelling => to_cancelling(run, proposed, context),
        StateType::Paused => to_paused(run, proposed, context),
        StateType::Pending => to_pending(run, proposed, context),
        StateType::Running => to_running(run, proposed, context),
        StateType::Failed | StateType::Crashed => to_failure(run, proposed, context),
        StateType::Scheduled if proposed.effective_name() == names::LATE && from != StateType::Scheduled => {
            stay("Only scheduled flows may transition to Late.")
        }
        StateType::Scheduled if from.is_terminal() && run.deployment_id.is_none() => {
            abort("Cannot reschedule a run without an associated deployment.")
        }
        StateType::Scheduled => leave_terminal(run, proposed, context),
        StateType::Completed | StateType::Cancelled => accept(run, proposed, context.now),
    }
}

fn to_cancelling(run: &FlowRun, proposed: Proposed, context: Context) -> Decision {
    let from = run.state.kind;
    if from.is_terminal() {
        return already_over(from);
    }
    if from == StateType::Cancelling {
        return stay("This run is already cancelling.");
    }
    // A process was begun for it that only its worker can stop.
    let has_infrastructure = run.infrastructure.is_some() || run.infrastructure_pid.is_some();
    let waits = from == StateType::Scheduled && (!has_infrastructure || run.state.name == names::RESUMING);
    let suspended = from == StateType::Paused && run.state.name == names::SUSPENDED;
    if waits || suspended {
        let mut cancelled = Proposed::new(StateType::Cancelled);
        cancelled.message = proposed.message.or_else(|| Some("cancelled while it waited".to_owned()));
        return instead(run, cancelled, context.now, "The flow run has not started: it is cancelled at once.");
    }
    accept(run, proposed, context.now)
}

fn to_paused(run: &FlowRun, proposed: Proposed, context: Context) -> Decision {
    let from = run.state.kind;
    if from.is_terminal() {
        return already_over(from);
    }
    if from != StateType::Running {
        return stay("Cannot pause flows that are not currently running.");
    }
    let key = &proposed.details.pause_key;
    let fired = run.past_states.iter().any(|past| past.kind == StateType::Paused && past.details.pause_key == *key);
    if key.is_some() && fired {
        return stay("This pause has already fired.");
    }
    if proposed.details.pause_reschedule && run.deployment_id.is_none() {
        return abort("Cannot suspend flows without a deployment.");
    }
    accept(run, proposed, context.now)
}

fn to_pending(run: &FlowRun, mut proposed: Proposed, context: Context) -> Decision {
    let from = run.state.kind;
    let renamed = proposed.effective_name() != run.state.name && proposed.effective_name() != StateType::Pending.title();
    match from {
        StateType::Scheduled => {}
        StateType::Pending if renamed => {}
        _ => {
            return abort(&format!("This run is in a {from} state and cannot transition to a PENDING state."));
        }
    }
    if proposed.details.scheduled_time.is_none() {
        proposed.details.scheduled_time = run.state.details.scheduled_time;
    }
    accept(run, proposed, context.now)
}

fn to_running(run: &FlowRun, mut proposed: Proposed, context: Context) -> Decision {
    let state = &run.state;
    if state.kind == StateType::Paused && state.details.pause_timeout.is_some_and(|timeout| timeout < context.now) {
        let failed = Proposed::new(StateType::Failed).message("The flow was paused and never resumed.");
        return instead(run, failed, context.now, "The flow was paused and never resumed.");
    }
    // A clock that was set back since cannot tell when a delay is over: who proposes this has waited by their own.
    let unknown = state.name == names::AWAITING_RETRY && state.timestamp > context.now;
    if matches!(state.kind, StateType::Scheduled | StateType::Pending)
        && !unknown
        && let Some(due) = state.details.scheduled_time
        && due > context.now
    {
        let delay = due.duration_since(context.now);
        return Decision::Wait { delay, reason: "Scheduled time is in the future".to_owned() };
    }
    if run.run_count > 0 && proposed.name.is_none() && state.name == names::AWAITING_RETRY {
        proposed.name = Some(names::RETRYING.to_owned());
    }
    leave_terminal(run, proposed, context)
}

fn to_failure(run: &FlowRun, proposed: Proposed, context: Context) -> Decision {
    let from = run.state.kind;
    if proposed.kind == StateType::Crashed && from.is_terminal() {
        return already_over(from);
    }
    let attempted = matches!(from, StateType::Running | StateType::Pending);
    let retried = proposed.kind == StateType::Failed || run.slot.is_some() || run.infrastructure.is_some();
    let retried = retried && retry::is_worth_retrying(&run.retry_on, proposed.cause);
    let made = run.run_count.max(proposed.attempt.unwrap_or(0));
    if attempted && retried && made <= run.retries && run.retries > 0 && made > 0 {
        let delay = retry::delay(&run.retry_delay_seconds, run.retry_jitter_factor, run.id, made);
        // Counted from when the new state begins (`FlowRun::enter`).
        let begins = context.now.max(run.state.timestamp);
        let mut retry = Proposed::new(StateType::Scheduled)
            .named(names::AWAITING_RETRY)
            .scheduled_time(begins.saturating_add(delay).unwrap_or(Timestamp::MAX));
        retry.message = proposed.message;
        retry.attempt = proposed.attempt;
        return instead(run, retry, context.now, "Retrying");
    }
    accept(run, proposed, context.now)
}

fn leave_terminal(run: &FlowRun, proposed: Proposed, context: Context) -> Decision {
    if run.state.kind == StateType::Completed && run.state.data.is_some() {
        return stay("Run is already COMPLETED.");
    }
    accept(run, proposed, context.now)
}

fn accept(run: &FlowRun, proposed: Proposed, now: Timestamp) -> Decision {
    Decision::Accept(entered(run, proposed, now))
}

fn instead(run: &FlowRun, proposed: Proposed, now: Timestamp, reason: &str) -> Decision {
    Decision::Reject { run: Some(entered(run, proposed, now)), reason: reason.to_owned() }
}

fn entered(run: &FlowRun, proposed: Proposed, now: Timestamp) -> Box<FlowRun> {
    let mut run = Box::new(run.clone());
    run.enter(proposed, now);
    run
}

fn stay(reason: &str) -> Decision {
    Decision::Reject { run: None, reason: reason.to_owned() }
}

fn abort(reason: &str) -> Decision {
    Decision::Abort { reason: reason.to_owned() }
}

fn already_over(state: StateType) -> Decision {
    abort(&format!("Run is already in terminal state {state}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::{State, StateDetails};
    use serde_json::json;

    fn run_in(kind: StateType) -> FlowRun {
        let at: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let state = State {
            id: crate::model::id::of_state(crate::model::id::FlowRunId(uuid::Uuid::nil()), 0),
            kind,
            name: kind.title().to_owned(),
            timestamp: at,
            message: None,
            data: None,
            details: StateDetails::default(),
        };
        let nil = uuid::Uuid::nil();
        let run = json!({"id": nil, "name": "some-run", "flow_id": nil, "deployment_id": nil, "expected_start_time": at,
            "state": state, "state_count": 1, "created": at, "updated": at});
        serde_json::from_value(run).unwrap()
    }

    /// An attempt whose process never began, or whose supervisor was killed before it could say so, is one of those that are allowed.
    #[test]
    fn an_attempt_that_never_came_to_running_counts() {
        let context = Context { now: "2026-11-21T09:00:15Z".parse().unwrap(), force: false };
        let mut run = run_in(StateType::Pending);
        (run.retries, run.infrastructure) = (2, Some(json!({})));
        for (attempt, expected) in [(1, names::AWAITING_RETRY), (2, names::AWAITING_RETRY), (3, "Crashed")] {
            let crashed = Proposed { attempt: Some(attempt), ..Proposed::new(StateType::Crashed) };
            let decision = transition(&run, crashed, context);
            let next = decision.changed().unwrap();
            assert_eq!((next.state.name.as_str(), next.run_count), (expected, attempt));
            run.run_count = next.run_count;
        }
    }

    /// The delay of a retry is counted from the state that it stands in, and who has waited it by a clock of their own may go on.
    #[test]
    fn a_retry_has_its_delay_by_a_clock_that_was_set_back_too() {
        let an_hour_earlier = Context { now: "2026-11-21T08:00:00Z".parse().unwrap(), force: false };
        let mut run = run_in(StateType::Running);
        (run.run_count, run.retries, run.retry_delay_seconds) = (1, 1, vec![10.0]);
        let waiting = transition(&run, Proposed::new(StateType::Failed), an_hour_earlier).changed().unwrap().clone();
        let delay = waiting.scheduled_time().unwrap().duration_since(waiting.waits_since());
        assert_eq!((waiting.state.name.as_str(), delay), (names::AWAITING_RETRY, SignedDuration::from_secs(10)));
        let again = transition(&waiting, Proposed::new(StateType::Running), an_hour_earlier);
        assert!(matches!(again, Decision::Accept(_)), "{again:?}");
        let too_early = Context { now: waiting.waits_since(), ..an_hour_earlier };
        let again = transition(&waiting, Proposed::new(StateType::Running), too_early);
        assert!(matches!(again, Decision::Wait { .. }), "{again:?}");
    }

    /// Whoever asks for its end may have seen it running: between its attempts there is nobody who would end it.
    #[test]
    fn a_run_between_attempts_is_cancelled_at_once() {
        let context = Context { now: "2026-11-21T09:00:15Z".parse().unwrap(), force: false };
        for (infrastructure, expected) in [(None, StateType::Cancelled), (Some(json!({})), StateType::Cancelling)] {
            let run = FlowRun { infrastructure, run_count: 1, ..run_in(StateType::Scheduled) };
            let decision = transition(&run, Proposed::new(StateType::Cancelling), context);
            assert_eq!(decision.changed().unwrap().state.kind, expected);
        }
    }

    #[test]
    fn only_what_is_scheduled_becomes_late() {
        use StateType::*;
        let context = Context { now: "2026-11-21T09:00:15Z".parse().unwrap(), force: false };
        for from in [Scheduled, Pending, Running, Completed, Failed, Cancelled, Crashed, Paused, Cancelling] {
            let decision = transition(&run_in(from), Proposed::new(Scheduled).named(names::LATE), context);
            assert_eq!(decision.changed().is_some(), from == Scheduled, "{from}: {decision:?}");
        }
        let again = transition(&run_in(Cancelled), Proposed::new(Scheduled), context);
        assert!(again.changed().is_some(), "a plain reschedule of a cancelled run is still allowed");
    }
}
