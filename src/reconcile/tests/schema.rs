//! The JSON schema of a plan is what its types say, and fits real plans.
use super::desired::{Declare, cron, pool, project};
use super::home::{Home, over};
use crate::reconcile::{Plan, explain};
use serde_json::{Value, json};
use std::path::PathBuf;

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/plan.schema.json")
}

#[test]
fn the_schema_in_the_repository_is_the_types() {
    let mut text = serde_json::to_string_pretty(&explain::json_schema()).unwrap();
    text.push('\n');
    if std::env::var_os("REEVE_UPDATE").is_some() {
        std::fs::create_dir_all(file().parent().unwrap()).unwrap();
        std::fs::write(file(), &text).unwrap();
    }
    let stored = std::fs::read_to_string(file()).unwrap_or_default();
    assert!(stored == text, "schemas/plan.schema.json differs from the types: REEVE_UPDATE=1 writes it");
}

/// A plan with something in every part.
fn rich() -> Plan {
    let mut home = Home::new();
    let desired = project("shop").with_pool("p", pool("process")).with("a/b", |d| {
        d.work_pool = Some("gpu".into());
        d.env.insert("GONE".into(), None);
        d.schedules = vec![cron("@daily")];
    });
    home.apply(&project("other").with("x/y", |_| {}));
    home.apply(&desired);
    home.deployment("a/b").overrides.insert("paused".into(), over(json!(true)));
    let mut next = desired.with("x/y", |_| {}).with("n/n", |_| {});
    next.root = "/moved".into();
    next.work_pools.clear();
    next.deployments.values_mut().for_each(|declared| declared.spec.paused = true);
    home.options.allow_prune = Some(9);
    let mut plan = home.plan(&next);
    plan.locate(|file, _| Some(crate::model::position::Position { file: file.to_owned(), line: 3, column: 5 }));
    plan
}

#[test]
fn plans_are_valid_under_the_schema_and_travel_as_json() {
    let schema: Value = serde_json::to_value(schemars::schema_for!(Plan)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let plan = rich();
    assert!(plan.moved.is_some() && plan.refusals.len() == 2 && !plan.shadowed.is_empty() && !plan.notes.is_empty());
    let json = explain::json(&plan);
    let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut back: Plan = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(explain::json(&back), json);
    assert_eq!(back.exit_code(true), 3);
    assert_eq!(back.take_writes(), [], "writes do not travel");
    let style = explain::Style::default();
    assert_eq!(explain::text(&back, style), explain::text(&plan, style));
}

#[test]
fn null_and_absent_are_told_apart() {
    let mut home = Home::new();
    let desired = project("shop").with("a/b", |d| {
        d.env.insert("GONE".into(), None);
    });
    let plan = home.apply(&desired);
    let json = explain::json(&plan);
    let change = json.pointer("/steps/0/changes/1").unwrap();
    assert_eq!(*change, json!({"field": "env/GONE", "new": null}));
    let back: Plan = serde_json::from_value(json).unwrap();
    assert_eq!(back.steps[0].changes[1].new, Some(Value::Null));
}
