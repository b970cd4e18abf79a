//! Which slots of a schedule are due.
//!
//! A slot is *late* up to `LATE_AFTER` after its instant: it runs, however many others do. An older slot is
//! *missed*: the daemon was down, or the machine asleep. Of the missed ones only the latest runs, and only when
//! no late one does (the policy `latest`); the others are counted. A cursor more than `CLOCK_TOLERANCE` ahead of
//! the clock comes from a clock that was wrong: it is set aside, and the slots' own records prevent doubles.
use crate::schedule::Rule;
use jiff::{SignedDuration, Timestamp};

/// How old a slot may be and still count as late instead of missed (Prefect marks a run Late after 15 s).
pub const LATE_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// How far a cursor may be ahead of the clock.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// At most this many slots of one schedule are made runs at once; the rest of them follow in the next pass.
pub const MOST_AT_ONCE: usize = 100;

/// What to do about a schedule at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// The slots that become runs, ascending.
    pub slots: Vec<Timestamp>,
    /// Whether the only slot was missed, and stands for others before it.
    pub missed: bool,
    /// When to look again; `None`: it never fires any more.
    pub next: Option<Timestamp>,
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
    /// The instant from which on slots are still open, inclusive.
    fn open_from(self, now: Timestamp) -> Timestamp {
        let limit = now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
        match self.cursor {
            Some(cursor) if cursor <= limit => self.effective_since.max(just_after(cursor)),
            _ => self.effective_since,
        }
    }
}

/// The slots of `rule` that are due at `now`, and the next one after them.
pub fn due(rule: &Rule, progress: Progress, now: Timestamp) -> Due {
    let open = progress.open_from(now);
    let late = open.max(now.saturating_sub(LATE_AFTER).unwrap_or(Timestamp::MIN));
    let mut slots = Vec::new();
    let mut next = None;
    for instant in rule.instants(late) {
        if instant > now || slots.len() == MOST_AT_ONCE {
            next = Some(instant);
            break;
        }
        slots.push(instant);
    }
    let mut missed = false;
    if slots.is_empty()
        && open < late
        && let Some(latest) = latest_between(rule, open, late)
    {
        missed = true;
        slots.push(latest);
    }
    Due { slots, missed, next }
}

/// The next slot at or after `now` that is still open: for a schedule that is only looked at.
pub fn next(rule: &Rule, progress: Progress, now: Timestamp) -> Option<Timestamp> {
    rule.next(progress.open_from(now).max(now))
}

/// The last instant of `rule` in `[from, until)`. Looks back over spans that double, so that a second's schedule
/// after a year's outage costs no more than a yearly one.
fn latest_between(rule: &Rule, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
    let mut span = SignedDuration::from_secs(60);
    loop {
        let start = until.saturating_sub(span).unwrap_or(Timestamp::MIN).max(from);
        let last = rule.instants(start).take_while(|instant| *instant < until).last();
        if last.is_some() || start == from {
            return last;
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

    #[test]
    fn a_slot_is_due_at_its_instant_and_once() {
        let rule = rule("*/5 * * * *");
        let start = since("2026-11-21T09:00:00Z", None);
        assert_eq!(due(&rule, start, at("2026-11-21T09:04:59Z")).slots, [at("2026-11-21T09:00:00Z")]);
        let at_nine = since("2026-11-21T09:00:00Z", Some("2026-11-21T09:00:00Z"));
        let before = due(&rule, at_nine, at("2026-11-21T09:04:59.999999Z"));
        assert_eq!((before.slots, before.next), (vec![], Some(at("2026-11-21T09:05:00Z"))));
        let then = due(&rule, at_nine, at("2026-11-21T09:05:00Z"));
        assert_eq!((then.slots, then.next), (vec![at("2026-11-21T09:05:00Z")], Some(at("2026-11-21T09:10:00Z"))));
    }

    #[test]
    fn no_slot_exists_before_the_schedule_is_effective() {
        let rule = rule("0 9 * * *");
        let progress = since("2026-11-21T09:00:01Z", None);
        let found = due(&rule, progress, at("2026-11-21T09:00:02Z"));
        assert_eq!((found.slots, found.next), (vec![], Some(at("2026-11-22T09:00:00Z"))));
    }

    #[test]
    fn after_an_outage_only_the_latest_missed_slot_runs() {
        let rule = rule("* * * * * *");
        let progress = since("2020-01-01T00:00:00Z", Some("2025-11-21T09:00:00Z"));
        let hourly = super::tests::rule("0 * * * *");
        let found = due(&hourly, progress, at("2026-11-21T09:30:00Z"));
        assert_eq!((found.slots, found.missed), (vec![at("2026-11-21T09:00:00Z")], true));
        // A schedule of every second is late, not missed: the last 15 s run.
        assert_eq!(due(&rule, progress, at("2026-11-21T09:30:00Z")).slots.len(), 16);
    }

    #[test]
    fn a_yearly_slot_long_ago_is_found() {
        let rule = rule("0 0 29 2 *");
        let found = due(&rule, since("2020-01-01T00:00:00Z", None), at("2027-11-21T00:00:00Z"));
        assert_eq!((found.slots, found.missed), (vec![at("2024-02-29T00:00:00Z")], true));
    }

    #[test]
    fn a_cursor_far_ahead_of_the_clock_is_set_aside() {
        let rule = rule("0 * * * *");
        let now = at("2026-11-21T09:00:00Z");
        let far = since("2026-11-21T08:30:00Z", Some("2027-01-01T00:00:00Z"));
        assert_eq!(due(&rule, far, now).slots, [now]);
        let near = since("2026-11-21T08:30:00Z", Some("2026-11-21T09:00:30Z"));
        assert_eq!(due(&rule, near, now).slots, []);
    }

    #[test]
    fn many_late_slots_come_in_bounded_passes() {
        let every = crate::schedule::parse_interval("0.1").unwrap();
        let every_tenth = Spec::new(RuleSpec::Interval { every, anchor: Some(at("2026-01-01T00:00:00Z")) }, None);
        let rule = every_tenth.parse().unwrap();
        let found = due(&rule, since("2026-01-01T00:00:00Z", None), at("2026-11-21T09:00:00Z"));
        assert_eq!(found.slots.len(), MOST_AT_ONCE);
        assert!(found.next.is_some_and(|next| next <= at("2026-11-21T09:00:00Z")));
    }
}
