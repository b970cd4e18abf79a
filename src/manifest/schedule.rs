//! The schedules of a deployment: `schedule:` and `schedules:` in all the shapes that Prefect's files have.
//!
//! Rules and zones are read by `crate::schedule`; here their errors get a place. A schedule that cannot be read is
//! reported and left out, so that the rest of the file is still checked.
use super::node::Node;
use super::calendars::Calendars;
use super::report::{At, Problem, described, shown};
use super::{limits, policy, words};
use crate::model::JsonMap;
use crate::model::schedule::ScheduleDeclaration;
use crate::schedule::{self, Every, RuleSpec, Spec};
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

const RULES: [&str; 3] = ["cron", "interval", "rrule"];
/// Every key of an entry of `schedules:`.
pub const KEYS: [&str; 25] = [
    "cron", "interval", "rrule", "timezone", "day_or", "anchor_date", "active", "parameters", "slug", "replaces",
    "max_scheduled_runs", "max_active_runs", "catchup", "schedule", "missed", "on_resume", "overlap", "expire_after", "jitter",
    "spread", "starts", "ends", "exclude", "include", "dst",
];

/// Keys that decide whether, when or with what it fires: a slip in one of them is an error.
const DECISIVE: [&str; 13] = [
    "cron", "interval", "rrule", "timezone", "day_or", "anchor_date", "active", "parameters", "schedule", "starts", "ends", "exclude", "include",
];

/// Rules that were read before and are good: ten thousand deployments share a few schedules.
#[derive(Default)]
pub struct Known {
    crons: RefCell<HashSet<(String, bool, Option<String>)>>,
}

/// What all schedules of a deployment share.
struct Shared<'a> {
    known: &'a Known,
    calendars: &'a Calendars,
    /// What the deployment says, under what each schedule says.
    policy: policy::Given,
    limits: limits::Given,
}

/// The schedules of a deployment, from its mapping.
pub fn read(deployment: &Node<'_>, known: &Known, calendars: &Calendars) -> Vec<ScheduleDeclaration> {
    let (policy, limits) = (policy::Given::read(deployment), limits::Given::read(deployment, calendars));
    let shared = Shared { known, calendars, policy, limits };
    let mut schedules = Vec::new();
    let one = deployment.field("schedule").filter(|node| !is_none(node.value));
    let many = deployment.field("schedules");
    if let (Some(one), Some(_)) = (&one, &many) {
        deployment.report.push(
            Problem::error("both-schedule-keys", "both `schedule` and `schedules` are given; expected one of them", one.place(At::Key))
                .related("the other stands at", deployment.path.key("schedules").place(At::Key))
                .help("move the schedule into the `schedules:` list"),
        );
    }
    if let Some(field) = deployment.field("schedule").filter(|node| matches!(node.value, Value::Array(items) if items.is_empty())) {
        deployment.report.push(field.warning("odd-schedule", "`schedule` is an empty list; it means no schedule").help("write `schedules: []`"));
    }
    if let Some(one) = one {
        match one.value {
            Value::Array(_) => list(&one, &shared, &mut schedules),
            Value::String(_) => schedules.extend(text_for_cron(&one, &shared)),
            _ => schedules.extend(entry(&one, &shared)),
        }
    }
    if let Some(many) = many {
        match many.value {
            Value::Object(_) if !is_none(many.value) => {
                let message = "`schedules` is a mapping; expected a list";
                deployment.report.push(many.warning("odd-schedule", message).help("read as a list of one: put `- ` before its first key"));
                schedules.extend(entry(&many, &shared));
            }
            _ => list(&many, &shared, &mut schedules),
        }
    }
    unique_slugs(deployment, &schedules);
    twins(deployment, &schedules);
    without_schedules(deployment);
    schedules.into_iter().map(|read| read.declaration).collect()
}

/// A schedule and which entry of which key it came from.
struct Read {
    declaration: ScheduleDeclaration,
    slug_place: Option<super::report::Place>,
}

fn is_none(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn list(node: &Node<'_>, shared: &Shared<'_>, schedules: &mut Vec<Read>) {
    let Some(items) = node.list("a list of schedules") else { return };
    for (index, item) in items.iter().enumerate() {
        let item = node.item(index, item);
        match item.value {
            Value::String(_) => schedules.extend(text_for_cron(&item, shared)),
            _ if is_none(item.value) => item.report.push(item.error("no-rule", "this schedule has no rule; expected one of `cron`, `interval`, `rrule`")),
            _ => schedules.extend(entry(&item, shared)),
        }
    }
}

/// `schedule: "0 9 * * *"`: Prefect drops the whole file for it, and what is meant is plain.
fn text_for_cron(node: &Node<'_>, shared: &Shared<'_>) -> Option<Read> {
    let text = node.value.as_str()?;
    let message = format!("{} is a text; expected a mapping", node.name());
    node.report.push(node.warning("odd-schedule", message).help(format!("read as `cron: {:?}`", text)));
    let spec = checked(node, node, RuleSpec::Cron { expression: spaced(text), day_or: true }, None)?;
    let spec = limits::Given::default().over(&shared.limits, node, spec);
    let policy = policy::Given::default().over(&shared.policy);
    Some(Read { declaration: ScheduleDeclaration { policy, ..ScheduleDeclaration::new(spec) }, slug_place: None })
}

/// One schedule: flat (`cron:` beside `active:`), or with the rule nested under `schedule:`.
fn entry(node: &Node<'_>, shared: &Shared<'_>) -> Option<Read> {
    node.mapping("a schedule (a mapping with `cron`, `interval` or `rrule`)")?;
    let nested = node.field("schedule");
    node.unknown_keys_or("a schedule", &[&KEYS], &[], &DECISIVE);
    let rule_node = nested.as_ref().unwrap_or(node);
    if let Some(nested) = &nested {
        nested.mapping("a mapping with `cron`, `interval` or `rrule`")?;
        nested.unknown_keys_or("a schedule", &[&KEYS[..6]], &[], &DECISIVE);
        if let Some(beside) = KEYS[..6].iter().find_map(|key| node.field(key)) {
            let message = format!("{} stands beside a nested `schedule`; expected it inside", beside.name());
            node.report.push(Problem::error("misplaced-key", message, beside.place(At::Key)));
        }
    }
    unused(node);
    let spec = rule(rule_node, shared.known);
    let around = Around::read(node);
    let policy = policy::Given::read_schedule(node);
    let limits = limits::Given::read(node, shared.calendars);
    let slug_place = node.field("slug").map(|slug| slug.place(At::Value));
    let spec = limits.over(&shared.limits, node, spec?);
    policy.check_delays(&shared.policy, &spec, node);
    let declaration = ScheduleDeclaration { policy: policy.over(&shared.policy), ..ScheduleDeclaration::new(spec) };
    Some(Read { declaration: around.over(declaration), slug_place })
}

/// What stands around a rule.
struct Around {
    active: bool,
    slug: Option<String>,
    parameters: JsonMap,
    max_scheduled_runs: Option<u32>,
}

impl Around {
    fn read(node: &Node<'_>) -> Self {
        Around {
            active: node.field("active").and_then(|active| active.boolean()).unwrap_or(true),
            slug: node.field("slug").and_then(|slug| slug.text()).filter(|slug| !slug.is_empty()),
            parameters: node.field("parameters").and_then(|parameters| parameters.mapping("a mapping of parameters").cloned()).unwrap_or_default(),
            max_scheduled_runs: node.field("max_scheduled_runs").and_then(|runs| runs.integer(1, u32::MAX)),
        }
    }

    fn over(self, declaration: ScheduleDeclaration) -> ScheduleDeclaration {
        let Around { active, slug, parameters, max_scheduled_runs } = self;
        ScheduleDeclaration { active, slug, parameters, max_scheduled_runs, ..declaration }
    }
}

fn unused(node: &Node<'_>) {
    if let Some(field) = node.field("replaces") {
        node.report.push(Problem::warning("not-acted-on", "`replaces` is not acted on yet", field.place(At::Key)));
    }
}

/// Policies and limits are those of schedules: without one they do nothing.
fn without_schedules(deployment: &Node<'_>) {
    let given = |key: &str| deployment.field(key).is_some_and(|field| !is_none(field.value));
    if given("schedule") || given("schedules") {
        return;
    }
    for key in policy::KEYS.iter().chain(&limits::KEYS) {
        if let Some(field) = deployment.field(key) {
            let message = format!("`{key}` has no effect: this deployment has no schedule");
            deployment.report.push(Problem::warning("no-effect", message, field.place(At::Key)));
        }
    }
}

/// Exactly one of `cron`, `interval`, `rrule`, with what belongs to it.
fn rule(node: &Node<'_>, known: &Known) -> Option<Spec> {
    let given: Vec<_> = RULES.iter().filter_map(|key| node.field(key)).collect();
    let [rule] = given.as_slice() else {
        match given.as_slice() {
            [first, second, ..] => node.report.push(
                Problem::error("two-rules", format!("a schedule has both {} and {}; expected one rule", first.name(), second.name()), second.place(At::Key))
                    .related("the other stands at", first.place(At::Key))
                    .help("make two schedules of it"),
            ),
            _ => {
                let keys = node.value.as_object().into_iter().flat_map(|map| map.keys());
                let misspelt = keys.filter_map(|key| words::closest(key, RULES)).next();
                if misspelt.is_none() {
                    node.report.push(node.error("no-rule", "this schedule has no rule; expected one of `cron`, `interval`, `rrule`"));
                } else {
                    node.report.push(node.error("no-rule", "this schedule has no rule").maybe_help(misspelt.map(|meant| format!("did you mean `{meant}`?"))));
                }
            }
        }
        return None;
    };
    for (key, owner) in [("day_or", "cron"), ("anchor_date", "interval")] {
        if let Some(field) = node.field(key)
            && node.field(owner).is_none()
        {
            let message = format!("`{key}` belongs to `{owner}`, and this schedule has none");
            node.report.push(Problem::error("misplaced-key", message, field.place(At::Key)));
        }
    }
    let timezone = node.field("timezone").and_then(|zone| zone.text()).filter(|zone| !zone.is_empty());
    match rule.path_key() {
        "cron" => cron(node, rule, timezone, known),
        "interval" => interval(node, rule, timezone),
        _ => rrule(node, rule, timezone),
    }
}

fn cron(node: &Node<'_>, rule: &Node<'_>, timezone: Option<String>, known: &Known) -> Option<Spec> {
    let Some(text) = rule.value.as_str() else {
        rule.expected("a cron expression such as \"0 9 * * 1-5\"");
        return None;
    };
    let day_or = node.field("day_or").and_then(|day_or| day_or.boolean()).unwrap_or(true);
    let expression = spaced(text);
    let normal = (expression, day_or, timezone);
    if known.crons.borrow().contains(&normal) {
        let (expression, day_or, timezone) = normal;
        return Some(Spec::new(RuleSpec::Cron { expression, day_or }, plain_zone(timezone)));
    }
    let spec = checked(node, rule, RuleSpec::Cron { expression: normal.0.clone(), day_or }, normal.2.clone())?;
    known.crons.borrow_mut().insert(normal);
    Some(spec)
}

fn interval(node: &Node<'_>, rule: &Node<'_>, timezone: Option<String>) -> Option<Spec> {
    let text = match rule.value {
        Value::Number(number) => number.to_string(),
        Value::String(text) if !text.contains("{{") => text.clone(),
        _ => {
            rule.expected("seconds, an ISO 8601 duration (`PT15M`) or `HH:MM:SS`");
            return None;
        }
    };
    let every: Every = match schedule::parse_interval(&text) {
        Ok(every) => every,
        Err(error) => {
            rule.report.push(refused(rule, "bad-interval", &error));
            return None;
        }
    };
    let spec = checked(node, rule, RuleSpec::Interval { every, anchor: None }, timezone)?;
    match node.field("anchor_date") {
        None => Some(spec),
        Some(field) => {
            let anchor = anchor(&field, &spec)?;
            Some(Spec::new(RuleSpec::Interval { every, anchor: Some(anchor) }, spec.timezone))
        }
    }
}

/// An ISO 8601 instant; without an offset it is the clock of the schedule's zone, as Prefect reads it on Python 3.13.
fn anchor(field: &Node<'_>, spec: &Spec) -> Option<Timestamp> {
    let text = field.text()?;
    let trimmed = text.trim();
    let on_the_wall = || {
        let wall: DateTime = trimmed.parse().ok()?;
        spec.parse().ok()?.time_zone().to_ambiguous_timestamp(wall).compatible().ok()
    };
    // No clock here has leap seconds; jiff reads :60 as the second before.
    let instant = match trimmed.contains(":60") {
        true => None,
        false => trimmed.parse::<Timestamp>().ok().or_else(on_the_wall),
    };
    if instant.is_none() {
        let message = format!("{} is {}; expected a date and time such as `2025-01-01T09:00:00`", field.name(), described(field.value));
        field.report.push(field.error("bad-date", message));
    }
    instant
}

fn rrule(node: &Node<'_>, rule: &Node<'_>, timezone: Option<String>) -> Option<Spec> {
    let Some(text) = rule.value.as_str() else {
        rule.expected("an RFC 5545 recurrence rule such as \"FREQ=WEEKLY;BYDAY=MO\"");
        return None;
    };
    // Prefect 2.10 also took a JSON object as text.
    let json = serde_json::from_str::<BTreeMap<String, Value>>(text).ok();
    let inner = |key: &str| json.as_ref().and_then(|json| json.get(key)).and_then(Value::as_str).map(str::to_owned);
    let timezone = timezone.or_else(|| inner("timezone"));
    let text = inner("rrule").unwrap_or_else(|| text.trim().to_owned());
    checked(node, rule, RuleSpec::Rrule { text }, timezone)
}

/// Reads the rule to see whether it can be, and says where it cannot.
fn checked(node: &Node<'_>, rule: &Node<'_>, form: RuleSpec, timezone: Option<String>) -> Option<Spec> {
    let zone_is_good = match &timezone {
        None => true,
        Some(zone) => {
            // A rule that is always good tells a bad zone from a bad rule.
            let probe = Spec::new(RuleSpec::Cron { expression: "0 0 * * *".to_owned(), day_or: true }, Some(zone.clone()));
            match probe.parse() {
                Ok(_) => true,
                Err(error) => {
                    let place = node.field("timezone");
                    let place = place.as_ref().unwrap_or(rule);
                    place.report.push(refused(place, "bad-timezone", &error));
                    false
                }
            }
        }
    };
    let code = match form {
        RuleSpec::Cron { .. } => "bad-cron",
        RuleSpec::Interval { .. } => "bad-interval",
        RuleSpec::Rrule { .. } => "bad-rrule",
    };
    let spec = Spec::new(form, if zone_is_good { plain_zone(timezone) } else { None });
    match spec.parse() {
        Ok(_) => zone_is_good.then_some(spec),
        Err(error) => {
            rule.report.push(refused(rule, code, &error));
            None
        }
    }
}

/// The problem for what `crate::schedule` refused, at the offending part of the text where that is known.
pub fn refused(node: &Node<'_>, code: &'static str, error: &schedule::Error) -> Problem {
    let written = node.value.as_str().unwrap_or("");
    if written.contains("{{") {
        return node.unexpected("a value");
    }
    let part = error.offset.and_then(|offset| {
        // The offset counts in the text with single spaces; find the part itself in what was written.
        let found = error.found.as_deref().filter(|found| !found.is_empty())?;
        let (lower, found) = (written.to_ascii_lowercase(), found.to_ascii_lowercase());
        let from = lower.get(..offset).map_or(0, |_| offset);
        let at = lower.get(from..)?.find(&found).map(|at| at + from).or_else(|| lower.find(&found))?;
        Some(At::Part { start: written.get(..at)?.chars().count() as u32, length: found.chars().count() as u32 })
    });
    let mut message = error.problem.clone();
    if let Some(found) = &error.found {
        // A count (`4 fields`) is no quotation.
        let quoted = written.is_empty() || written.to_ascii_lowercase().contains(&found.to_ascii_lowercase());
        let found = if quoted { shown(found) } else { found.clone() };
        message.push_str(&format!(": found {found}"));
    }
    if let Some(expected) = &error.expected {
        message.push_str(&format!("{} expected {expected}", if error.found.is_some() { "," } else { ":" }));
    }
    Problem::error(code, message, node.place(part.unwrap_or(At::Value))).maybe_help(error.suggestion.clone())
}

/// One space between fields.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `UTC` is what no zone means.
fn plain_zone(timezone: Option<String>) -> Option<String> {
    timezone.filter(|zone| zone != "UTC")
}

/// Two schedules that are alike are two all the same, as in Prefect: each has its run at each slot. Hardly ever meant.
fn twins(deployment: &Node<'_>, schedules: &[Read]) {
    let nameless = || schedules.iter().map(|read| &read.declaration).filter(|declared| declared.slug.is_none() && declared.active);
    let twin = nameless().enumerate().find(|(index, declared)| nameless().take(*index).any(|earlier| earlier == *declared));
    if let Some((_, twin)) = twin {
        let message = format!("two schedules of this deployment are alike ({}): each makes a run at each slot", twin.spec.describe());
        deployment.report.push(deployment.warning("twin-schedules", message).help("remove one, or give each a `slug` if two runs are meant"));
    }
}

fn unique_slugs(deployment: &Node<'_>, schedules: &[Read]) {
    for (index, read) in schedules.iter().enumerate() {
        let Some(slug) = &read.declaration.slug else { continue };
        let first = schedules[..index].iter().find(|earlier| earlier.declaration.slug.as_ref() == Some(slug));
        if let (Some(first), Some(place)) = (first.and_then(|first| first.slug_place.clone()), &read.slug_place) {
            deployment.report.push(
                Problem::error("duplicate-slug", format!("two schedules of this deployment have the slug {}", shown(slug)), place.clone())
                    .related("the other stands at", first),
            );
        }
    }
}
