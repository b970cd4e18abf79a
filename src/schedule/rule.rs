//! A parsed rule, and the one question it answers: when? Cheap to make and drop; costly forms are built when first asked for.

use super::cron::Cron;
use super::interval::Interval;
use super::limits::{Barred, Limited, Limits};
use super::notes::{self, Note};
use super::rrule::RecurrenceSet;
use super::zone::{self, Instants, Resolution};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A rule that can be asked for instants. Made by `Spec::parse`.
#[derive(Debug)]
pub struct Rule {
    pub(super) body: Body,
    pub(super) zone: TimeZone,
    pub(super) resolution: Resolution,
    pub(super) limits: Limits,
}

#[derive(Debug)]
pub(super) enum Body {
    Cron(Cron),
    Interval(Interval),
    Rrule(RecurrenceSet),
}

impl Rule {
    /// The first instant at or after this one; `None` when the rule never fires again.
    pub fn next(&self, at_or_after: Timestamp) -> Option<Timestamp> {
        self.instants(at_or_after).next()
    }

    /// The first instant later than this one.
    pub fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        self.next(instant.checked_add(SignedDuration::from_nanos(1)).ok()?)
    }

    /// All instants at or after `from`, within the limits: strictly increasing, lazy, the same whichever point one starts from. The work
    /// for each step is bounded; a rule that never fires again ends.
    pub fn instants(&self, from: Timestamp) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        match self.limits.is_none() {
            true => self.unlimited(from),
            false => Box::new(Limited::new(&self.limits, &self.zone, from, |from| self.unlimited(from))),
        }
    }

    /// The same without regard to the limits.
    pub fn unlimited(&self, from: Timestamp) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        match (&self.body, self.walls(zone::first_wall(&self.zone, from))) {
            (Body::Interval(interval), None) => Box::new(interval.elapsed(from)),
            (_, walls) => Box::new(Instants::new(walls.into_iter().flatten(), self.zone.clone(), self.resolution, from)),
        }
    }

    /// What keeps an instant of the rule from firing; `None`: nothing.
    pub fn bar(&self, instant: Timestamp) -> Option<Barred<'_>> {
        self.limits.bar(instant, &self.zone)
    }

    /// The wall-clock times at or after `from` that the rule names; `None` for an interval of elapsed time, which names none.
    pub(super) fn walls(&self, from: DateTime) -> Option<Box<dyn Iterator<Item = DateTime> + '_>> {
        Some(match &self.body {
            Body::Cron(cron) => Box::new(cron.walls(from)),
            Body::Rrule(set) => Box::new(set.walls(from)),
            Body::Interval(interval) => Box::new(interval.walls(interval.every.whole_days()?, &self.zone, from)),
        })
    }

    /// How gaps and overlaps are settled.
    pub(super) fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// What a person should know about the instants from `from` up to `until`: clock changes that move or repeat one, months
    /// that are skipped, a rule that never fires.
    pub fn notes(&self, from: Timestamp, until: Timestamp) -> Vec<Note> {
        notes::of(self, from, until)
    }

    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The rule's canonical text, without its zone.
    pub(super) fn normal_form(&self) -> String {
        match &self.body {
            Body::Cron(cron) if cron.both_days() => format!("cron {} day_or=false", cron.canonical()),
            Body::Cron(cron) => format!("cron {}", cron.canonical()),
            Body::Interval(interval) => format!("interval {}us from {}", interval.every.microseconds(), interval.anchor),
            Body::Rrule(set) => format!("rrule {}", set.canonical()),
        }
    }
}
