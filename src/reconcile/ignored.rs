//! Fields that a project leaves to others (`ignore_fields`): of an object that is stored, the stored value of each stands.
//!
//! A specification is what the file says with those values put in, and is then compared as any other: nothing of them is
//! compared, shown or written. Pointers have the form in which a plan names fields: `/paused`, `/schedules/nightly/active`.
use super::{fields, schedules};
use crate::model::JsonMap;
use crate::model::deployment::{Deployment, DeploymentSpec};
use crate::model::schedule::{Schedule, ScheduleDeclaration};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is declared of a pool or a queue, with the stored values of the ignored fields.
pub(super) fn settled<T: Serialize + DeserializeOwned>(pointers: &[String], stored: &T, declared: &T) -> Option<T> {
    if pointers.is_empty() {
        return None;
    }
    let (from, mut to) = (fields::value(stored), fields::value(declared));
    for pointer in pointers {
        put(&parts(pointer), Some(&from), &mut to);
    }
    serde_json::from_value(to).ok()
}

/// The same of a deployment.
pub(super) fn settled_deployment(pointers: &[String], stored: &Deployment, declared: &DeploymentSpec) -> Option<DeploymentSpec> {
    if pointers.is_empty() {
        return None;
    }
    let bare = |spec: &DeploymentSpec| fields::value(&DeploymentSpec { schedules: Vec::new(), ..spec.clone() });
    let (from, mut to) = (bare(&stored.declared), bare(declared));
    let mut list = declared.schedules.clone();
    for pointer in pointers {
        match &parts(pointer).iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["schedules"] => list = stored.schedules.iter().map(|schedule| schedule.declared.clone()).collect(),
            ["schedules", key, field @ ..] => settle_schedule(&stored.schedules, &mut list, key, field),
            // A plan shows a command and a function under different names; there is one of the two.
            ["entrypoint" | "command", ..] => put(&["entrypoint".to_owned()], Some(&from), &mut to),
            _ => put(&parts(pointer), Some(&from), &mut to),
        }
    }
    let spec: DeploymentSpec = serde_json::from_value(to).ok()?;
    Some(DeploymentSpec { schedules: list, ..spec })
}

/// `key`: a record's key, or the slug of either side.
fn settle_schedule(stored: &[Schedule], list: &mut Vec<ScheduleDeclaration>, key: &str, field: &[&str]) {
    let goes_by = |slug: &Option<String>| slug.as_deref() == Some(key);
    let pairs = schedules::pair_up(stored, list);
    let old = stored.iter().position(|schedule| schedule.key == key || goes_by(&schedule.declared.slug));
    let new = list.iter().position(|declared| goes_by(&declared.slug));
    let new = old.and_then(|old| pairs.iter().position(|found| *found == Some(old))).or(new);
    let old = new.and_then(|new| pairs[new]).or(old);
    match (old, new, field.first()) {
        (Some(old), Some(new), None) => list[new] = stored[old].declared.clone(),
        (Some(old), None, None) => list.push(stored[old].declared.clone()),
        (None, Some(new), None) => drop(list.remove(new)),
        (Some(old), Some(new), Some(first)) => settle_field(&stored[old].declared, &mut list[new], first, &field[1..]),
        // A field of a schedule that comes or goes has nothing that could stand.
        _ => {}
    }
}

/// A policy, a limit and a rule each stand as a whole.
fn settle_field(stored: &ScheduleDeclaration, declared: &mut ScheduleDeclaration, field: &str, below: &[&str]) {
    let (from, to) = (&stored.policy, &mut declared.policy);
    let (from_limits, limits) = (&stored.spec.limits, &mut declared.spec.limits);
    match field {
        "cron" | "day_or" | "interval" | "anchor_date" | "rrule" => declared.spec.rule = stored.spec.rule.clone(),
        "timezone" => declared.spec.timezone.clone_from(&stored.spec.timezone),
        "dst" => declared.spec.dst = stored.spec.dst,
        "starts" => limits.starts = from_limits.starts,
        "ends" => limits.ends = from_limits.ends,
        "exclude" => limits.exclude.clone_from(&from_limits.exclude),
        "include" => limits.include.clone_from(&from_limits.include),
        "slug" => declared.slug.clone_from(&stored.slug),
        "active" => declared.active = stored.active,
        "max_scheduled_runs" => declared.max_scheduled_runs = stored.max_scheduled_runs,
        "missed" => to.missed = from.missed.clone(),
        "on_resume" => to.on_resume = from.on_resume,
        "overlap" => to.overlap = from.overlap,
        "expire_after" => to.expire_after = from.expire_after,
        "jitter" => to.jitter = from.jitter,
        "spread" => to.spread = from.spread,
        "parameters" => {
            let mut map = Value::Object(std::mem::take(&mut declared.parameters));
            let below: Vec<String> = below.iter().map(|part| (*part).to_owned()).collect();
            put(&below, Some(&Value::Object(stored.parameters.clone())), &mut map);
            if let Value::Object(map) = map {
                declared.parameters = map;
            }
        }
        _ => {}
    }
}

/// Puts what stands at a path in `from` to the same path in `to`, its absence included.
fn put(path: &[String], from: Option<&Value>, to: &mut Value) {
    let Some((first, rest)) = path.split_first() else {
        if let Some(from) = from {
            to.clone_from(from);
        }
        return;
    };
    let found = from.and_then(|from| match from {
        Value::Array(items) => items.get(first.parse::<usize>().ok()?),
        from => from.get(first),
    });
    match to {
        Value::Object(map) if found.is_none() && rest.is_empty() => drop(map.shift_remove(first)),
        Value::Object(map) if found.is_some() => put(rest, found, map.entry(first.clone()).or_insert_with(|| empty(rest))),
        Value::Object(map) => map.get_mut(first).into_iter().for_each(|to| put(rest, None, to)),
        Value::Array(items) => {
            let item = first.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            item.into_iter().for_each(|item| put(rest, found, item));
        }
        _ => {}
    }
}

/// What a path leads through where nothing is yet.
fn empty(rest: &[String]) -> Value {
    if rest.is_empty() { Value::Null } else { Value::Object(JsonMap::new()) }
}

/// The names in a JSON pointer (RFC 6901, section 4); the leading slash may be missing.
fn parts(pointer: &str) -> Vec<String> {
    let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
    pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_stored_value_stands_whatever_it_is() {
        for (pointer, stored, declared, settled) in [
            ("/a", json!({"a": 1}), json!({"a": 2, "b": 3}), json!({"a": 1, "b": 3})),
            ("a", json!({}), json!({"a": 2, "b": 3}), json!({"b": 3})),
            ("/a", json!({"a": null}), json!({"b": 3}), json!({"b": 3, "a": null})),
            ("/m/x", json!({"m": {"x": 1, "y": 1}}), json!({"m": {"x": 2, "y": 2}}), json!({"m": {"x": 1, "y": 2}})),
            ("/m/x", json!({"m": {"x": 1}}), json!({}), json!({"m": {"x": 1}})),
            ("/m/x", json!({}), json!({"m": {"x": 2, "y": 2}}), json!({"m": {"y": 2}})),
            ("/m/x~1y", json!({"m": {"x/y": 1}}), json!({"m": {"x/y": 2}}), json!({"m": {"x/y": 1}})),
            ("/l/1", json!({"l": [1, 2]}), json!({"l": [3, 4]}), json!({"l": [3, 2]})),
            ("/l/1", json!({"l": [1]}), json!({"l": [3, 4]}), json!({"l": [3, 4]})),
            ("/m/x", json!({"m": 7}), json!({"m": "text"}), json!({"m": "text"})),
            ("/nothing", json!({}), json!({"b": 1}), json!({"b": 1})),
        ] {
            let mut to = declared.clone();
            put(&parts(pointer), Some(&stored), &mut to);
            assert_eq!(to, settled, "{pointer} of {stored} in {declared}");
        }
    }
}
