//! What the plan's JSON says is what was done (G9), whatever was renamed, protected, kept or has drifted; and there and back
//! is where one was.
use super::desired::full;
use super::home::Home;
use super::properties::{a_project, config, declared};
use crate::model::deployment::{Deployment, FullName};
use crate::model::desired::{Desired, FailedUnit};
use crate::model::id::Kind;
use crate::model::project::DriftRule;
use crate::model::stored::Stored;
use crate::reconcile::{explain, fields};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Gives some of the deployments that only `a` declares a successor among those that only `b` declares, in order.
fn rename_some(a: &Desired, b: &mut Desired, chosen: &[bool]) {
    let gone = a.deployments.keys().filter(|name| !b.deployments.contains_key(*name));
    let new = b.deployments.keys().filter(|name| !a.deployments.contains_key(*name));
    let pairs = gone.zip(new).zip(chosen).filter(|(_, chosen)| **chosen);
    b.renames = pairs.map(|((gone, new), _)| (new.clone(), vec![gone.clone()])).collect();
}

fn rules() -> impl Strategy<Value = (bool, DriftRule, Vec<String>, bool)> {
    let ignored = vec(select(vec!["/paused", "/retries", "/concurrency_limit", "/schedules/n/active", "/work_pool"]), 0..2);
    let drift = select(vec![DriftRule::Correct, DriftRule::Report, DriftRule::Ignore]);
    (any::<bool>(), drift, ignored, prop::bool::weighted(0.2))
        .prop_map(|(prune, drift, ignored, failed)| (prune, drift, ignored.into_iter().map(str::to_owned).collect(), failed))
}

/// Changes records behind the project's back.
fn let_drift(home: &mut Home, which: &[bool]) {
    for (deployment, drifts) in home.stored.deployments.values_mut().zip(which) {
        deployment.declared.retries += 5 * u32::from(*drifts);
    }
    for (pool, drifts) in home.stored.work_pools.values_mut().zip(which) {
        pool.declared.paused ^= *drifts;
    }
}

/// All that is stored, by kind and name, each with its id and as JSON.
fn objects(stored: &Stored) -> BTreeMap<(String, String), (String, Value)> {
    let mut all = BTreeMap::new();
    let mut add = |kind: Kind, name: String, id: uuid::Uuid, value: Value| {
        all.insert((json!(kind).as_str().unwrap().to_owned(), name), (id.to_string(), value));
    };
    stored.deployments.values().for_each(|d| add(Kind::Deployment, d.name.to_string(), d.id.0, json!(d)));
    stored.tag_limits.values().for_each(|l| add(Kind::ConcurrencyLimit, l.tag.clone(), l.id.0, json!(l)));
    stored.work_pools.values().for_each(|p| add(Kind::WorkPool, p.name.clone(), p.id.0, json!(p)));
    stored.work_queues.values().for_each(|q| add(Kind::WorkQueue, q.full_name(), q.id.0, json!(q)));
    all
}

fn text<'a>(step: &'a Value, field: &str) -> &'a str {
    step[field].as_str().unwrap_or_default()
}

/// The fields of a deployment that differ, schedules and root apart, as a plan says them.
fn differ(before: &Deployment, after: &Deployment) -> BTreeSet<String> {
    let changes = fields::changes(&fields::of_deployment(&before.declared), &fields::of_deployment(&after.declared));
    changes.into_iter().map(|change| change.field).collect()
}

/// Follows a plan's JSON over what was stored; what is left must be what is stored afterwards.
fn follow(plan: &Value, before: &Stored, after: &Stored) -> Result<(), TestCaseError> {
    let (mut expected, found) = (objects(before), objects(after));
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for step in plan["steps"].as_array().unwrap() {
        let key = (text(step, "kind").to_owned(), text(step, "name").to_owned());
        let action = if step["drift"].is_null() || text(step, "action") == "adopt" { text(step, "action") } else { "drift" };
        *counts.entry(action).or_default() += 1;
        let now = found.get(&key).cloned();
        match text(step, "action") {
            "prune" => {
                let gone = expected.remove(&key);
                prop_assert_eq!(gone.map(|(id, _)| id), Some(text(step, "id").to_owned()));
                // A pool's own queue goes with it.
                let queue = ("work-queue".to_owned(), format!("{}/default", key.1));
                if text(step, "kind") == "work-pool" && !found.contains_key(&queue) {
                    expected.remove(&queue);
                }
                continue;
            }
            "create" => prop_assert!(!expected.contains_key(&key)),
            "unchanged" => prop_assert_eq!(expected.get(&key), now.as_ref()),
            _ if text(step, "drift") == "report" => {
                prop_assert_eq!(expected.get(&key), now.as_ref());
                prop_assert!(!step["changes"].as_array().unwrap().is_empty());
            }
            "restore" => prop_assert!(!expected.contains_key(&key)),
            _ => {
                let earlier = (key.0.clone(), step["renamed_from"].as_str().unwrap_or(&key.1).to_owned());
                let was = expected.remove(&earlier);
                prop_assert_eq!(was.map(|(id, _)| id), Some(text(step, "id").to_owned()), "{}", step);
                if key.0 == "deployment" {
                    let (old, new) = (&before.deployments[&full(&earlier.1)], &after.deployments[&full(&key.1)]);
                    let said = step["changes"].as_array().cloned().unwrap_or_default();
                    let said = said.iter().map(|change| text(change, "field").to_owned()).filter(|field| !field.starts_with("schedules/") && field != "root");
                    prop_assert_eq!(said.collect::<BTreeSet<_>>(), differ(old, new));
                }
            }
        }
        prop_assert_eq!(now.as_ref().map(|(id, _)| id.as_str()), Some(text(step, "id")), "{}", step);
        expected.extend(now.map(|now| (key, now)));
        for made in step["makes"].as_array().into_iter().flatten().filter(|made| text(made, "kind") == "work-queue") {
            let key = (text(made, "kind").to_owned(), text(made, "name").to_owned());
            prop_assert_eq!(found.get(&key).map(|(id, _)| id.as_str()), Some(text(made, "id")));
            expected.insert(key.clone(), found[&key].clone());
        }
    }
    for action in ["create", "update", "adopt", "rename", "restore", "prune", "unchanged", "drift"] {
        prop_assert_eq!(plan["counts"][action].as_u64().unwrap(), counts.get(action).copied().unwrap_or(0), "{}", action);
    }
    prop_assert_eq!(expected, found, "what the plan does not speak of is as it was");
    Ok(())
}

/// The exit code by the schema's words alone.
fn exit_code_of(plan: &Value) -> u8 {
    let count = |field: &str| plan["counts"][field].as_u64().unwrap();
    let changes: u64 = ["create", "update", "adopt", "rename", "restore"].map(count).iter().sum();
    match () {
        _ if plan["refusals"].as_array().is_some_and(|refusals| !refusals.is_empty()) => 3,
        _ if count("prune") > 0 => 4,
        _ if !plan["moved"].is_null() || changes > 0 => 2,
        _ if count("drift") > 0 => 5,
        _ => 0,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_the_json_says_is_what_was_done(
        mut a in a_project(),
        mut b in a_project(),
        bits in vec(any::<bool>(), 15),
        (prune, drift, ignored, failed) in rules(),
    ) {
        for (declared, protect) in a.deployments.values_mut().zip(&bits) {
            declared.spec.protect = *protect;
        }
        for (declared, protect) in a.work_queues.values_mut().zip(&bits[3..]) {
            declared.spec.protect = *protect;
        }
        rename_some(&a, &mut b, &bits[5..]);
        b.rules.prune.enabled = prune;
        b.rules.drift = drift;
        b.rules.ignore_fields = ignored;
        b.failed.extend(failed.then(|| FailedUnit { file: "bad.yaml".into(), pointer: None, name: None, problems: Vec::new() }));
        let mut home = Home::new();
        home.apply_all(&a);
        for desired in [&b, &a, &b] {
            let_drift(&mut home, &bits[10..]);
            let before = home.stored.clone();
            let plan = home.apply_all(desired);
            prop_assert!(!plan.is_refused(), "{:?}", plan.refusals);
            let said = explain::json(&plan);
            follow(&said, &before, &home.stored)?;
            prop_assert_eq!(plan.exit_code(true), exit_code_of(&said));
            if plan.is_empty() {
                prop_assert_eq!(&home.stored, &before);
            }
            if desired.failed.is_empty() && desired.rules.prune.enabled {
                continue;
            }
            prop_assert_eq!(plan.counts.prune, 0);
            prop_assert!(before.deployments.values().all(|old| home.stored.deployments.values().any(|new| new.id == old.id)));
        }
        let left = home.plan(&b).counts;
        prop_assert_eq!(left.changes(), 0, "a second pass finds nothing to write: {:?}", left);
    }

    #[test]
    fn there_and_back_under_other_names_is_where_one_was(a in a_project(), chosen in vec((any::<bool>(), any::<bool>()), 5)) {
        let mut home = Home::new();
        home.apply_all(&a);
        let (before, ids) = (declared(&home), home.ids());
        let (mut b, mut back) = (a.clone(), a.clone());
        for (name, (renamed, removed)) in a.deployments.keys().zip(chosen) {
            let new = FullName::new("renamed", name.to_string().replace('/', "-"));
            let Some(spec) = b.deployments.remove(name).filter(|_| !removed) else { continue };
            if renamed {
                b.deployments.insert(new.clone(), spec);
                b.renames.insert(new.clone(), vec![name.clone()]);
                back.renames.insert(name.clone(), vec![new]);
            } else {
                b.deployments.insert(name.clone(), spec);
            }
        }
        home.apply_all(&b);
        prop_assert!(home.plan(&b).is_in_sync());
        home.apply_all(&back);
        prop_assert!(home.plan(&back).is_in_sync());
        prop_assert_eq!(declared(&home), before);
        // The flow of the other names is new, and stays.
        let lasting = |ids: BTreeSet<(Kind, String, uuid::Uuid)>| ids.into_iter().filter(|(kind, ..)| *kind != Kind::Flow).collect::<Vec<_>>();
        prop_assert_eq!(lasting(home.ids()), lasting(ids));
    }
}
