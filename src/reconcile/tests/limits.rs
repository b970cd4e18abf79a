//! Concurrency limits of tags in plans: every way to write one, and every step.
use super::desired::{Declare, project};
use super::every_field::load;
use super::home::{Home, deeds, over};
use crate::model::project::DriftRule;
use crate::reconcile::{Drift, Refusal};
use serde_json::json;

/// What is declared, in short.
fn declared(yaml: &str) -> Vec<(String, u32)> {
    load(yaml).tag_limits.into_iter().map(|(tag, declared)| (tag, declared.spec.concurrency_limit)).collect()
}

#[test]
fn what_was_applied_is_in_sync_however_it_is_written() {
    let written = [
        "concurrency_limits: {db: 3, 'a/b c': 0}",
        "concurrency_limits: [{tag: db, limit: 3}, {tag: a/b c, limit: 0}]",
        "concurrency_limits: [{limit: '3', tag: db}, {tag: 'a/b c', limit: '0'}]",
    ];
    for text in written {
        assert_eq!(declared(text), [("a/b c".to_owned(), 0), ("db".to_owned(), 3)], "{text}");
        let mut home = Home::new();
        home.apply(&load(text));
        for same in written {
            assert!(home.plan(&load(same)).is_in_sync(), "{text}, then {same}");
        }
    }
    for nothing in ["concurrency_limits: null", "concurrency_limits: {}", "concurrency_limits: []", "deployments: []"] {
        assert_eq!(declared(nothing), [], "{nothing}");
    }
}

#[test]
fn limits_are_made_changed_adopted_and_pruned() {
    let mut home = Home::new();
    let first = home.apply(&project("shop").with_limit("db", 3).with("a/b", |_| {}));
    assert_eq!(deeds(&first), ["create concurrency limit db", "create deployment a/b"]);
    let second = home.apply(&project("shop").with_limit("db", 4).with("a/b", |_| {}));
    assert_eq!(deeds(&second), ["update concurrency limit db"]);
    assert_eq!((&second.steps[0].changes[0].old, &second.steps[0].changes[0].new), (&Some(json!(3)), &Some(json!(4))));
    let id = home.stored.tag_limits["db"].id;
    home.stored.tag_limits.get_mut("db").unwrap().owner = None;
    let third = home.apply(&project("shop").with_limit("db", 4).with("a/b", |_| {}));
    assert_eq!(deeds(&third), ["adopt concurrency limit db"]);
    assert_eq!(home.stored.tag_limits["db"].id, id);
    let mut kept = project("shop").with("a/b", |_| {});
    kept.rules.prune.enabled = false;
    let plan = home.apply(&kept);
    assert!(plan.is_in_sync() && plan.counts.kept == 1, "{:?}", plan.counts);
    let last = home.apply(&project("shop").with("a/b", |_| {}));
    assert_eq!(deeds(&last), ["prune concurrency limit db"]);
    assert!(home.stored.tag_limits.is_empty());
}

#[test]
fn two_projects_cannot_claim_one_tag() {
    let mut home = Home::new();
    home.apply(&project("shop").with_limit("db", 3));
    let before = home.stored.clone();
    let plan = home.apply(&project("other").with_limit("db", 5));
    assert!(matches!(&plan.refusals[..], [Refusal::Owned { name, owner, .. }] if name == "db" && owner == "shop"), "{:?}", plan.refusals);
    assert!(plan.refusals[0].to_string().contains("a tag has one limit"), "{}", plan.refusals[0]);
    assert_eq!(home.stored, before);
}

#[test]
fn an_override_stands_and_drift_is_told() {
    let mut home = Home::new();
    let desired = project("shop").with_limit("db", 3);
    home.apply(&desired);
    let limit = home.stored.tag_limits.get_mut("db").unwrap();
    limit.overrides.insert("concurrency_limit".into(), over(json!(9)));
    assert_eq!(limit.effective().concurrency_limit, 9);
    let plan = home.plan(&desired);
    assert!(plan.is_in_sync() && plan.shadowed[0].declared == Some(json!(3)), "{:?}", plan.shadowed);
    let changed = home.plan(&project("shop").with_limit("db", 5));
    assert!(changed.steps[0].changes[0].shadowed_by.is_some());
    home.stored.tag_limits.get_mut("db").unwrap().declared.concurrency_limit = 1;
    let mut report = desired.clone();
    report.rules.drift = DriftRule::Report;
    assert_eq!(home.plan(&report).steps[0].drift, Some(Drift::Report));
    home.apply(&desired);
    assert_eq!(home.stored.tag_limits["db"].declared.concurrency_limit, 3);
    let mut ignoring = project("shop").with_limit("db", 7);
    ignoring.rules.ignore_fields = vec!["/concurrency_limit".to_owned()];
    assert!(home.plan(&ignoring).is_in_sync());
}
