//! Which slots of a schedule are due, and what becomes of those that were missed.
//!
//! A slot is *late* up to `LATE_AFTER` after its instant: it runs, however many others do. An older slot is *missed*: the daemon was
//! down, or the machine asleep. Which of the missed ones run is the schedule's policy (`latest`: the newest, and only when no late
//! one does); the others are recorded, the newest `MOST_RECORDED` one by one and the rest as one count, so that an outage costs
//! no more than that, however long it was. A cursor more than `CLOCK_TOLERANCE` ahead of the clock comes from a clock that was
//! wrong: it is set aside, slots begin at the clock's present instant, and their own records prevent doubles.
use crate::model::policy::{MOST_MISSED_RUNS, Missed, MissedRun, OnResume, Policy};
use crate::model::run::MissedSlots;
use crate::model::schedule::Schedule;
use crate::schedule::Rule;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;

/// How old a slot may be and still count as late instead of missed (Prefect marks a run Late after 15 s).
pub const LATE_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// How far a cursor may be ahead of the clock.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// At most this many slots that are not missed are made runs at once; the rest of them follow in the next pass.
pub const MOST_AT_ONCE: usize = 100;

/// At most this many missed slots are recorded one by one.
pub const MOST_RECORDED: usize = 100;

/// The count of the rest ends here: counting the seconds of a year would hold up everything else.
pub const MOST_COUNTED: usize = 10_000;

/// What to do about a schedule at an instant. Everything in `missed_before` is older than everything in `missed`, and that older
/// than the `runs`: dealt with in this order, the newest slot that is done is all that need be remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// The slots that become runs, ascending.
    pub runs: Vec<Timestamp>,
    /// The newest of the slots that were missed and do not run, ascending.
    pub missed: Vec<Timestamp>,
    /// The rest of those.
    pub missed_before: Option<MissedSlots>,
    /// When to look again; `None`: it never fires any more.
    pub next: Option<Timestamp>,
}

impl Due {
    /// The oldest slot that something is to be done about.
    pub fn first(&self) -> Option<Timestamp> {
        let oldest = self.missed_before.as_ref().map(|rest| rest.from);
        oldest.or_else(|| self.missed.first().copied()).or_else(|| self.runs.first().copied())
    }
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// No slot before this instant exists.
    pub effective_since: Timestamp,
    /// The newest slot that was dealt with.
    pub cursor: Option<Timestamp>,
}

impl Progress {
    /// Whether the cursor was brought where it is by a clock that was ahead.
    pub fn is_ahead(self, now: Timestamp) -> bool {
        let limit = now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
        self.cursor.is_some_and(|cursor| cursor > limit)
    }

    /// The instant from which on slots are still open, inclusive. All slots up to the cursor were dealt with; so where it is ahead,
    /// everything before `now` was too, and what was dealt with too early has its record.
    fn open_from(self, now: Timestamp) -> Timestamp {
        match self.cursor {
            _ if self.is_ahead(now) => self.effective_since.max(now),
            Some(cursor) => self.effective_since.max(just_after(cursor)),
            None => self.effective_since,
        }
    }
}

/// The slots of `rule` that are due at `now`, and the next one after them.
pub fn due(rule: &Rule, progress: Progress, policy: &Policy, now: Timestamp) -> Due {
    let open = progress.open_from(now);
    let late_from = open.max(now.saturating_sub(LATE_AFTER).unwrap_or(Timestamp::MIN));
    let mut late = Vec::new();
    let mut next = None;
    for instant in rule.instants(late_from) {
        if instant > now || late.len() == MOST_AT_ONCE {
            next = Some(instant);
            break;
        }
        late.push(instant);
    }
    let mut due = Due { next, ..Due::default() };
    if open < late_from {
        look_back(rule, (open, late_from), &missed_of(rule, progress, policy), late.is_empty(), now, &mut due);
    }
    due.runs.append(&mut late);
    due
}

/// The policy for missed slots; where a schedule has just been resumed at a slot that it is to make up for, that runs.
fn missed_of(rule: &Rule, progress: Progress, policy: &Policy) -> Missed {
    let since = progress.effective_since;
    let resumed = policy.on_resume == OnResume::Latest && progress.cursor.is_none_or(|cursor| cursor < since);
    match resumed && rule.next(since) == Some(since) {
        true => Missed::default(),
        false => policy.missed.clone(),
    }
}

/// Whether a slot that was missed still runs, for which a run had been made already. `latest`: only where none followed it.
pub fn still_runs(rule: &Rule, missed: &Missed, slot: Timestamp, now: Timestamp) -> bool {
    let oldest = missed.within.and_then(|within| now.checked_sub(within.duration()).ok());
    let newest = || rule.after(slot).is_none_or(|next| next > now);
    oldest.is_none_or(|oldest| slot >= oldest)
        && match missed.run {
            MissedRun::Skip => false,
            MissedRun::Latest => newest(),
            MissedRun::All => true,
        }
}

/// Since when a schedule's slots exist that fires again, after a pause, from `now` on: the past is not made up for, unless its policy
/// asks for the newest slot of it.
pub fn resumed_since(schedule: &Schedule, now: Timestamp) -> Timestamp {
    match (schedule.declared.policy.on_resume, schedule.declared.spec.parse()) {
        (OnResume::Latest, Ok(rule)) => newest_between(&rule, schedule.effective_since, now, 1).pop().unwrap_or(now),
        _ => now,
    }
}

/// Sorts the slots in `[from, until)`, all of them missed, into those that run and those that are recorded.
fn look_back(rule: &Rule, (from, until): (Timestamp, Timestamp), policy: &Missed, none_late: bool, now: Timestamp, due: &mut Due) {
    let most = match policy.run {
        MissedRun::Skip => 0,
        MissedRun::Latest => usize::from(none_late),
        MissedRun::All => usize::try_from(policy.limit.unwrap_or(MOST_MISSED_RUNS)).unwrap_or(usize::MAX),
    };
    let newest = newest_between(rule, from, until, most.saturating_add(MOST_RECORDED + 1));
    let age_allows = |slot: &Timestamp| {
        let oldest = policy.within.and_then(|within| now.checked_sub(within.duration()).ok());
        oldest.is_none_or(|oldest| *slot >= oldest)
    };
    let old = newest.iter().take_while(|slot| !age_allows(slot)).count();
    let first_run = old.max(newest.len().saturating_sub(most));
    let first_recorded = first_run.saturating_sub(MOST_RECORDED);
    due.runs.extend(&newest[first_run..]);
    due.missed.extend(&newest[first_recorded..first_run]);
    if let Some(to) = first_recorded.checked_sub(1).and_then(|last| newest.get(last)) {
        let mut rest = rule.instants(from).take_while(|slot| slot <= to);
        let first = rest.next().unwrap_or(*to);
        let others = rest.take(MOST_COUNTED).count();
        let more = others == MOST_COUNTED;
        due.missed_before = Some(MissedSlots { from: first, to: *to, count: 1 + others as u64 - u64::from(more), more });
    }
}

/// The oldest slot that is still open, be it passed or to come: when there is something to do.
pub fn open_from(rule: &Rule, progress: Progress, now: Timestamp) -> Option<Timestamp> {
    rule.next(progress.open_from(now))
}

/// The next slot at or after `now` that is still open: for a schedule that is only looked at.
pub fn next(rule: &Rule, progress: Progress, now: Timestamp) -> Option<Timestamp> {
    rule.next(progress.open_from(now).max(now))
}

/// The last `most` instants of `rule` in `[from, until)`, ascending. Looks back over spans that double, so that a second's schedule
/// after a year's outage costs no more than a yearly one.
fn newest_between(rule: &Rule, from: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
    let mut span = SignedDuration::from_secs(60);
    loop {
        let start = until.saturating_sub(span).unwrap_or(Timestamp::MIN).max(from);
        let mut newest = VecDeque::new();
        for instant in rule.instants(start).take_while(|instant| *instant < until) {
            if newest.len() == most {
                newest.pop_front();
            }
            newest.push_back(instant);
        }
        if newest.len() >= most || start == from {
            return newest.into();
        }
        span = span.checked_mul(2).unwrap_or(SignedDuration::MAX);
    }
}

fn just_after(instant: Timestamp) -> Timestamp {
    instant.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{RuleSpec, Spec};

    fn rule(expression: &str) -> Rule {
        let rule = RuleSpec::Cron { expression: expression.to_owned(), day_or: true };
        Spec::new(rule, None).parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn since(text: &str, cursor: Option<&str>) -> Progress {
        Progress { effective_since: at(text), cursor: cursor.map(at) }
    }

    /// Under the default policy.
    fn now_due(rule: &Rule, progress: Progress, now: &str) -> Due {
        due(rule, progress, &Policy::default(), at(now))
    }

    fn missed(run: MissedRun, within: Option<&str>, limit: Option<u32>) -> Policy {
        let missed = Missed { run, within: within.map(|text| crate::schedule::parse_interval(text).unwrap()), limit };
        Policy { missed, ..Policy::default() }
    }

    #[test]
    fn a_slot_is_due_at_its_instant_and_once() {
        let rule = rule("*/5 * * * *");
        let start = since("2026-11-21T09:00:00Z", None);
        assert_eq!(now_due(&rule, start, "2026-11-21T09:04:59Z").runs, [at("2026-11-21T09:00:00Z")]);
        let at_nine = since("2026-11-21T09:00:00Z", Some("2026-11-21T09:00:00Z"));
        let before = now_due(&rule, at_nine, "2026-11-21T09:04:59.999999Z");
        assert_eq!(before, Due { next: Some(at("2026-11-21T09:05:00Z")), ..Due::default() });
        let then = now_due(&rule, at_nine, "2026-11-21T09:05:00Z");
        assert_eq!((then.runs, then.next), (vec![at("2026-11-21T09:05:00Z")], Some(at("2026-11-21T09:10:00Z"))));
    }

    #[test]
    fn no_slot_exists_before_the_schedule_is_effective() {
        let found = now_due(&rule("0 9 * * *"), since("2026-11-21T09:00:01Z", None), "2026-11-21T09:00:02Z");
        assert_eq!(found, Due { next: Some(at("2026-11-22T09:00:00Z")), ..Due::default() });
    }

    #[test]
    fn after_an_outage_the_policy_says_what_runs_and_the_rest_is_recorded() {
        let rule = rule("0 * * * *");
        let progress = since("2020-01-01T00:00:00Z", Some("2026-11-21T05:00:00Z"));
        let hours = |hours: &[u32]| hours.iter().map(|hour| at(&format!("2026-11-21T{hour:02}:00:00Z"))).collect::<Vec<_>>();
        let table = [
            (missed(MissedRun::Latest, None, None), "2026-11-21T09:30:00Z", vec![9], vec![6, 7, 8]),
            // One that is only late runs in its own right, and no missed one beside it.
            (missed(MissedRun::Latest, None, None), "2026-11-21T09:00:10Z", vec![9], vec![6, 7, 8]),
            (missed(MissedRun::Latest, Some("PT20M"), None), "2026-11-21T09:30:00Z", vec![], vec![6, 7, 8, 9]),
            (missed(MissedRun::Skip, None, None), "2026-11-21T09:30:00Z", vec![], vec![6, 7, 8, 9]),
            (missed(MissedRun::All, None, None), "2026-11-21T09:30:00Z", vec![6, 7, 8, 9], vec![]),
            (missed(MissedRun::All, Some("PT2H"), None), "2026-11-21T09:30:00Z", vec![8, 9], vec![6, 7]),
            (missed(MissedRun::All, Some("PT2H"), Some(1)), "2026-11-21T09:30:00Z", vec![9], vec![6, 7, 8]),
            (missed(MissedRun::All, None, Some(2)), "2026-11-21T09:00:10Z", vec![7, 8, 9], vec![6]),
        ];
        for (policy, now, runs, recorded) in table {
            let found = due(&rule, progress, &policy, at(now));
            assert_eq!((found.runs, found.missed), (hours(&runs), hours(&recorded)), "{policy:?} at {now}");
            assert_eq!((found.missed_before, found.next), (None, Some(at("2026-11-21T10:00:00Z"))));
        }
    }

    #[test]
    fn a_long_outage_is_recorded_within_bounds() {
        let rule = rule("0 * * * *");
        let progress = since("2020-01-01T00:00:00Z", Some("2026-11-11T09:00:00Z"));
        let found = now_due(&rule, progress, "2026-11-21T09:30:00Z");
        assert_eq!((found.runs, found.missed.len()), (vec![at("2026-11-21T09:00:00Z")], MOST_RECORDED));
        let rest = found.missed_before.unwrap();
        assert_eq!((rest.from, rest.to, rest.count, rest.more), (at("2026-11-11T10:00:00Z"), at("2026-11-17T04:00:00Z"), 139, false));
        assert_eq!(found.missed[0], at("2026-11-17T05:00:00Z"));
        // Of a schedule of every second the last 15 s are late, not missed.
        let seconds = now_due(&super::tests::rule("* * * * * *"), since("2025-01-01T00:00:00Z", None), "2026-11-21T09:30:00Z");
        assert_eq!((seconds.runs.len(), seconds.missed.len()), (16, MOST_RECORDED));
        let rest = seconds.missed_before.unwrap();
        assert_eq!((rest.from, rest.count, rest.more), (at("2025-01-01T00:00:00Z"), MOST_COUNTED as u64, true));
    }

    #[test]
    fn a_yearly_slot_long_ago_is_found() {
        let rule = rule("0 0 29 2 *");
        let found = now_due(&rule, since("2020-01-01T00:00:00Z", None), "2027-11-21T00:00:00Z");
        assert_eq!((found.runs, found.missed), (vec![at("2024-02-29T00:00:00Z")], vec![at("2020-02-29T00:00:00Z")]));
    }

    #[test]
    fn what_is_resumed_makes_up_for_nothing_unless_it_is_asked_to() {
        let table = [(OnResume::Skip, MissedRun::All, vec![]), (OnResume::Latest, MissedRun::Skip, vec![at("2026-11-21T09:00:00Z")])];
        for (on_resume, run, wanted) in table {
            let schedule = schedule_of(Policy { on_resume, ..missed(run, None, None) });
            let resumed = at("2026-11-21T09:30:00Z");
            let progress = Progress { effective_since: resumed_since(&schedule, resumed), cursor: Some(at("2026-11-21T05:00:00Z")) };
            let found = due(&rule("0 * * * *"), progress, &schedule.declared.policy, resumed);
            assert_eq!((found.runs, found.missed), (wanted, vec![]), "{on_resume:?}");
        }
        // Nothing passed during the pause: what ran before it does not run again.
        let schedule = schedule_of(Policy { on_resume: OnResume::Latest, ..Policy::default() });
        let resumed = at("2026-11-21T09:30:00Z");
        let progress = Progress { effective_since: resumed_since(&schedule, resumed), cursor: Some(at("2026-11-21T09:00:00Z")) };
        assert_eq!(due(&rule("0 * * * *"), progress, &schedule.declared.policy, resumed).first(), None);
    }

    fn schedule_of(policy: Policy) -> Schedule {
        let spec = Spec::new(RuleSpec::Cron { expression: "0 * * * *".to_owned(), day_or: true }, None);
        let created = at("2026-11-20T00:00:00Z");
        Schedule {
            id: crate::model::id::ScheduleId(uuid::Uuid::nil()),
            key: "k".to_owned(),
            declared: crate::model::schedule::ScheduleDeclaration { policy, ..crate::model::schedule::ScheduleDeclaration::new(spec) },
            effective_since: created,
            overrides: Default::default(),
            created,
            updated: created,
        }
    }

    #[test]
    fn a_cursor_far_ahead_of_the_clock_is_set_aside() {
        let rule = rule("0 * * * *");
        let far = since("2026-11-21T08:30:00Z", Some("2027-01-01T00:00:00Z"));
        assert_eq!(now_due(&rule, far, "2026-11-21T09:00:00Z").runs, [at("2026-11-21T09:00:00Z")]);
        let near = since("2026-11-21T08:30:00Z", Some("2026-11-21T09:00:30Z"));
        assert_eq!(now_due(&rule, near, "2026-11-21T09:00:00Z").runs, []);
    }

    #[test]
    fn many_late_slots_come_in_bounded_passes() {
        let every = crate::schedule::parse_interval("0.1").unwrap();
        let every_tenth = Spec::new(RuleSpec::Interval { every, anchor: Some(at("2026-01-01T00:00:00Z")) }, None);
        let rule = every_tenth.parse().unwrap();
        let found = now_due(&rule, since("2026-11-21T08:59:50Z", None), "2026-11-21T09:00:00Z");
        assert_eq!((found.runs.len(), found.missed.len()), (MOST_AT_ONCE, 0));
        assert!(found.next.is_some_and(|next| next <= at("2026-11-21T09:00:00Z")));
    }

    #[test]
    fn a_run_that_was_made_for_a_missed_slot_fares_as_the_slot() {
        let (rule, slot) = (rule("0 * * * *"), at("2026-11-21T09:00:00Z"));
        let policy = |run, within| missed(run, within, None).missed;
        for (policy, now, runs) in [
            (policy(MissedRun::Skip, None), "2026-11-21T09:30:00Z", false),
            (policy(MissedRun::Latest, None), "2026-11-21T09:30:00Z", true),
            (policy(MissedRun::Latest, None), "2026-11-21T10:00:00Z", false),
            (policy(MissedRun::All, None), "2026-11-21T10:00:00Z", true),
            (policy(MissedRun::All, Some("PT20M")), "2026-11-21T09:30:00Z", false),
        ] {
            assert_eq!(still_runs(&rule, &policy, slot, at(now)), runs, "{policy:?} at {now}");
        }
    }
}
