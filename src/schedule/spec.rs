//! A schedule's rule as it was declared: comparable and serialisable, not yet parsed. Its normal form is what schedule
//! keys are made of, so its text is frozen: a change of one character there would rename every unslugged schedule.

use super::cron::Cron;
use super::error::Error;
use super::interval::{self, Every, Interval};
use super::rrule::RecurrenceSet;
use super::limits::Limits;
use super::notes::{NOTES_AHEAD, Note};
use super::rule::{Body, Rule};
use super::zone::Resolution;
use super::{describe, zone};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A rule and the zone whose clock it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    #[serde(flatten)]
    pub rule: RuleSpec,
    /// IANA name; `None` is UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `None`: as its kind of rule does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<Resolution>,
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
}

/// The three forms, as Prefect has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuleSpec {
    Cron {
        expression: String,
        /// A day of month beside a day of week: OR (true, cron's way) or AND.
        #[serde(default = "day_or")]
        day_or: bool,
    },
    Interval {
        /// Whole microseconds.
        every: Every,
        /// `None`: 2020-01-01T00:00 in the schedule's zone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        anchor: Option<Timestamp>,
    },
    Rrule {
        text: String,
    },
}

impl RuleSpec {
    /// How this kind of rule settles gaps and overlaps where nothing else is asked for.
    pub fn resolution(&self) -> Resolution {
        match self {
            RuleSpec::Rrule { .. } => Resolution::RRULE,
            RuleSpec::Cron { .. } | RuleSpec::Interval { .. } => Resolution::CRON,
        }
    }
}

fn day_or() -> bool {
    true
}

impl Spec {
    /// A rule without limits, that settles clock changes as its kind does.
    pub fn new(rule: RuleSpec, timezone: Option<String>) -> Self {
        Spec { rule, timezone, dst: None, limits: Limits::default() }
    }

    /// Reads the rule. Errors name what was found, what was expected, and where.
    pub fn parse(&self) -> Result<Rule, Error> {
        let zone = zone::lookup(self.timezone.as_deref())?;
        let body = match &self.rule {
            RuleSpec::Cron { expression, day_or } => Body::Cron(Cron::parse(expression, *day_or)?),
            RuleSpec::Interval { every, anchor } => {
                Body::Interval(Interval { every: *every, anchor: anchor.unwrap_or_else(|| interval::default_anchor(&zone)) })
            }
            RuleSpec::Rrule { text } => Body::Rrule(RecurrenceSet::parse(text)?),
        };
        let resolution = self.dst.unwrap_or_else(|| self.rule.resolution());
        Ok(Rule { body, zone, resolution, limits: self.limits.clone() })
    }

    /// One line that is equal for rules that mean the same: `@daily` and `0 0 * * *`, `MON` and `1`, `PT15M` and `900`.
    /// A rule that cannot be parsed is its own text, marked `unread`.
    pub fn normal_form(&self) -> String {
        let timezone = self.timezone.as_deref().unwrap_or("UTC");
        match (self.parse(), &self.rule) {
            (Ok(rule), _) => format!("{} in {timezone}{}", rule.normal_form(), self.bounds_form()),
            (Err(_), RuleSpec::Cron { expression, day_or }) => format!("unread cron {expression} day_or={day_or} in {timezone}"),
            (Err(_), RuleSpec::Interval { every, anchor }) => format!("unread interval {}us {anchor:?} in {timezone}", every.microseconds()),
            (Err(_), RuleSpec::Rrule { text }) => format!("unread rrule {text} in {timezone}"),
        }
    }

    /// The part of the normal form that a rule has only where something other than its default was asked for.
    fn bounds_form(&self) -> String {
        let mut form = String::new();
        if let Some(Resolution { gap, overlap }) = self.dst.filter(|dst| self.rule.resolution() != *dst) {
            form.push_str(&format!(" gap={gap:?} overlap={overlap:?}"));
        }
        if !self.limits.is_none() {
            form.push_str(&format!(" limits={}", serde_json::json!(self.limits.nameless())));
        }
        form
    }

    /// What a person should know about the year from `now` on; nothing for a rule that cannot be read.
    pub fn notes_ahead(&self, now: Timestamp) -> Vec<Note> {
        let until = now.saturating_add(NOTES_AHEAD).unwrap_or(Timestamp::MAX);
        self.parse().map(|rule| rule.notes(now, until)).unwrap_or_default()
    }

    /// Plain words: `weekdays at 09:00, Europe/Berlin`. Where words would mislead, a truthful technical form.
    pub fn describe(&self) -> String {
        match self.parse() {
            Ok(rule) => describe::rule(&rule, self.timezone.as_deref().unwrap_or("UTC")),
            Err(error) => format!("unreadable schedule ({error})"),
        }
    }
}
