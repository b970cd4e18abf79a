//! When a run that waits is due, by a clock that may have been set since it began to wait.
//!
//! A slot, and an instant that somebody asked for, are instants: they stand, whatever is done to the clock. "Now" and "in ten
//! seconds" (a retry's delay) are not, although they are written down as instants: a clock that is set back by an hour must not
//! make an hour of them. That it was set back shows where a run waits since an instant that has not come yet.
use crate::model::run::FlowRun;
use crate::model::state::names;
use jiff::{SignedDuration, Timestamp};

/// What was to begin within so much was to begin now: clients read clocks of their own, and a run is claimed a moment before its time.
const NOW: SignedDuration = SignedDuration::from_secs(1);

/// When a run in state Scheduled may start, as far as its time goes.
pub fn due(run: &FlowRun, now: Timestamp) -> Timestamp {
    let at = run.scheduled_time().unwrap_or(run.expected_start_time);
    match left(run, now) {
        Some(left) => now.saturating_add(left).unwrap_or(Timestamp::MAX).min(at),
        None => at,
    }
}

/// How long a run still waits that was put where it is by a clock that was ahead; `None`: its time is an instant, and stands.
pub fn left(run: &FlowRun, now: Timestamp) -> Option<SignedDuration> {
    let at = run.scheduled_time().unwrap_or(run.expected_start_time);
    let since = run.waits_since();
    let delay = at.duration_since(since).max(SignedDuration::ZERO);
    let is_slot = run.slot.is_some() && at == run.expected_start_time;
    let is_span = !is_slot && (delay <= NOW || run.state.name == names::AWAITING_RETRY);
    (is_span && since > now).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A run that is in this state since 21:00, to start at `at`; of the slot at 21:00 where it is one of a slot.
    fn run(state: &str, at: &str, of_slot: bool) -> FlowRun {
        let (nil, since) = (uuid::Uuid::nil(), "2026-11-21T21:00:00Z");
        let slot = of_slot.then(|| json!({"schedule": nil, "key": "k", "at": since}));
        let state = json!({"id": nil, "type": "SCHEDULED", "name": state, "timestamp": since, "details": {"scheduled_time": format!("2026-11-21T{at}Z")}});
        let run = json!({"id": nil, "name": "n", "flow_id": nil, "slot": slot, "expected_start_time": since, "state": state,
            "state_count": 1, "created": since, "updated": since});
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn what_was_to_begin_now_or_after_a_while_does_so_by_a_clock_that_was_set_back_too() {
        for (state, at, of_slot, now, due_at, why) in [
            ("Scheduled", "21:00:00", false, "21:00:02", "21:00:00", "now, and it has come"),
            ("Scheduled", "21:00:00", false, "20:00:00", "20:00:00", "now, and the clock was set back"),
            ("Scheduled", "20:59:00", false, "20:00:00", "20:00:00", "at once, though late"),
            ("Scheduled", "21:00:00.1", false, "20:00:00", "20:00:00.1", "claimed a moment ahead, and given back"),
            ("Late", "21:00:00", false, "20:00:00", "20:00:00", "late by then"),
            ("Scheduled", "21:05:00", false, "20:00:00", "21:05:00", "asked for an instant"),
            ("Scheduled", "21:00:00", true, "20:00:00", "21:00:00", "a slot stays where it is"),
            ("AwaitingRetry", "21:00:10", false, "21:00:05", "21:00:10", "between attempts"),
            ("AwaitingRetry", "21:00:10", false, "20:00:00", "20:00:10", "between attempts, and the clock was set back"),
            ("AwaitingRetry", "21:00:10", false, "20:59:55", "21:00:05", "by a little only"),
            ("AwaitingRetry", "21:00:10", true, "20:00:00", "20:00:10", "the second attempt of a slot"),
            ("AwaitingRetry", "21:00:10", false, "22:00:00", "21:00:10", "set forward: it is over"),
        ] {
            let at_of = |time: &str| format!("2026-11-21T{time}Z").parse::<Timestamp>().unwrap();
            assert_eq!(due(&run(state, at, of_slot), at_of(now)), at_of(due_at), "{why}");
        }
    }
}
