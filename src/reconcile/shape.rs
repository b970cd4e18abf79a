//! A schedule as its author writes it, for showing: rule, zone, and every policy and limit that is not at its default, in the
//! manifest's own words. Nothing is compared by this form.
use super::fields;
use super::plan::FieldChange;
use crate::model::policy::{Missed, MissedRun, OnResume, Overlap, Policy};
use crate::model::schedule::ScheduleDeclaration;
use crate::schedule::{Limits, Period, RuleSpec, Spec};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const RULE_FIELDS: [&str; 6] = ["cron", "day_or", "interval", "anchor_date", "rrule", "timezone"];

/// The fields that are not at their defaults.
pub(super) fn of(declared: &ScheduleDeclaration) -> Value {
    let mut map = Map::new();
    rule(&declared.spec, &mut map);
    let mut set = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(field.to_owned(), value);
        }
    };
    set("slug", declared.slug.as_ref().map(|slug| json!(slug)));
    set("active", (!declared.active).then_some(json!(false)));
    set("parameters", (!declared.parameters.is_empty()).then(|| Value::Object(declared.parameters.clone())));
    set("max_scheduled_runs", declared.max_scheduled_runs.map(|most| json!(most)));
    let Policy { missed, on_resume, overlap, expire_after, jitter, spread } = &declared.policy;
    set("missed", written_missed(missed));
    set("on_resume", (*on_resume == OnResume::Latest).then_some(json!("latest")));
    set("overlap", written_overlap(*overlap));
    for (field, every) in [("expire_after", expire_after), ("jitter", jitter), ("spread", spread)] {
        set(field, every.map(|every| json!(every.to_string())));
    }
    let limits = &declared.spec.limits;
    set("starts", limits.starts_text().map(Value::from));
    set("ends", limits.ends_text().map(Value::from));
    set("exclude", written_periods(&limits.exclude));
    set("include", written_periods(&limits.include));
    set("dst", written_dst(&declared.spec));
    Value::Object(map)
}

fn rule(spec: &Spec, map: &mut Map<String, Value>) {
    let mut set = |field: &str, value: Value| map.insert(field.to_owned(), value);
    match &spec.rule {
        RuleSpec::Cron { expression, day_or } => {
            set("cron", json!(expression));
            if !day_or {
                set("day_or", json!(false));
            }
        }
        RuleSpec::Interval { every, anchor } => {
            set("interval", seconds(every.microseconds()));
            if let Some(anchor) = anchor {
                set("anchor_date", json!(anchor.to_string()));
            }
        }
        RuleSpec::Rrule { text } => {
            set("rrule", json!(text));
        }
    }
    if let Some(zone) = &spec.timezone {
        set("timezone", json!(zone));
    }
}

/// Gives `before` the rule of `after`: they mean the same, and a spelling is not shown as a change.
pub(super) fn restate_rule(before: &mut Value, after: &Value) {
    if let (Value::Object(before), Value::Object(after)) = (before, after) {
        for field in RULE_FIELDS {
            before.remove(field);
            if let Some(value) = after.get(field) {
                before.insert(field.to_owned(), value.clone());
            }
        }
    }
}

/// Whole microseconds as seconds: a whole number where it is one.
fn seconds(microseconds: u64) -> Value {
    match microseconds % 1_000_000 {
        0 => json!(microseconds / 1_000_000),
        _ => json!(microseconds as f64 / 1e6),
    }
}

fn written_missed(missed: &Missed) -> Option<Value> {
    let run = match missed.run {
        MissedRun::Skip => "skip",
        MissedRun::Latest => "latest",
        MissedRun::All => "all",
    };
    if missed.within.is_none() && missed.limit.is_none() {
        return (missed.run != MissedRun::default()).then(|| json!(run));
    }
    let mut map = Map::from_iter([("run".to_owned(), json!(run))]);
    map.extend(missed.within.map(|within| ("within".to_owned(), json!(within.to_string()))));
    map.extend(missed.limit.map(|limit| ("limit".to_owned(), json!(limit))));
    Some(Value::Object(map))
}

fn written_overlap(overlap: Overlap) -> Option<Value> {
    match overlap {
        Overlap::Allow => None,
        Overlap::Skip => Some(json!("skip")),
        Overlap::Queue { most } => Some(json!({ "queue": most })),
        Overlap::CancelRunning => Some(json!("cancel_running")),
    }
}

fn written_dst(spec: &Spec) -> Option<Value> {
    let (dst, default) = (spec.dst?, spec.rule.resolution());
    let mut map = Map::new();
    if dst.gap != default.gap {
        map.insert("gap".to_owned(), json!(dst.gap));
    }
    if dst.overlap != default.overlap {
        map.insert("overlap".to_owned(), json!(dst.overlap));
    }
    (!map.is_empty()).then_some(Value::Object(map))
}

/// Spans as they are written, calendars by their names.
fn written_periods(periods: &[Period]) -> Option<Value> {
    let mut written: Vec<String> = Vec::new();
    let mut calendars = BTreeSet::new();
    for period in periods {
        match period.calendar() {
            None => written.push(period.span.to_string()),
            Some(calendar) if calendars.insert(calendar) => written.push(calendar.to_owned()),
            Some(_) => {}
        }
    }
    (!written.is_empty()).then(|| json!(written))
}

/// What changed inside calendars that are named before and after: `exclude/holidays`, with the spans that are gone and those
/// that are new. Their names alone would show no change.
pub(super) fn calendar_changes(old: &Limits, new: &Limits) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for (field, old, new) in [("exclude", &old.exclude, &new.exclude), ("include", &old.include, &new.include)] {
        if old == new {
            continue;
        }
        let names = |periods: &'_ [Period]| periods.iter().filter_map(Period::calendar).map(str::to_owned).collect::<BTreeSet<_>>();
        for calendar in names(old).intersection(&names(new)) {
            let spans = |periods: &[Period]| {
                let of_it = periods.iter().filter(|period| period.calendar() == Some(calendar));
                of_it.map(written_event).collect::<BTreeSet<_>>()
            };
            let (before, after) = (spans(old), spans(new));
            let listed = |spans: Vec<&String>| (!spans.is_empty()).then(|| json!(spans));
            let (gone, fresh) = (listed(before.difference(&after).collect()), listed(after.difference(&before).collect()));
            if gone.is_some() || fresh.is_some() {
                let name = calendar.replace('~', "~0").replace('/', "~1");
                changes.push(fields::change(format!("{field}/{name}"), gone.as_ref(), fresh.as_ref()));
            }
        }
    }
    changes
}

/// `2026-12-24 (Christmas Eve)`.
fn written_event(period: &Period) -> String {
    match period.event() {
        Some(event) => format!("{} ({event})", period.span),
        None => period.span.to_string(),
    }
}
