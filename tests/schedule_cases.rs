//! Schedules against recorded instants and verdicts: the project's own teaching cases, and, where the shared folder is
//! present, all cases recorded from Prefect 3.8.8.

use reeve::schedule::evaluate_case_line;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Facts of Prefect's that are known to be wrong or to depend on when it is asked; reeve differs, and says so.
const LEFT_OUT: [&str; 4] = ["true-or", "oracle-fails", "after-2037", "start-dependent"];

fn shared(name: &str) -> Option<String> {
    let root = std::env::var_os("REEVE_SHARED").map(PathBuf::from).unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    match std::fs::read_to_string(root.join("cases").join(name)) {
        Ok(text) => Some(text),
        Err(error) => {
            eprintln!("skipped: {name} of the shared cases is not there ({error})");
            None
        }
    }
}

fn own(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schedule").join(name)).expect("the project's own cases")
}

fn answer(case: &Value) -> Value {
    let mut question = case.clone();
    if let Some(fields) = question.as_object_mut() {
        fields.remove("expected");
    }
    serde_json::from_str(&evaluate_case_line(&question.to_string())).expect("an answer is JSON")
}

/// Every line's mismatch, as text.
fn mismatches(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        let tags: Vec<&str> = case["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if LEFT_OUT.iter().any(|tag| tags.contains(tag)) {
            continue;
        }
        let answer = answer(&case);
        if answer["dates"] != case["expected"]["dates"] {
            wrong.push(format!("{line}\n   gave {answer}"));
        }
    }
    wrong
}

fn wrong_verdicts(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        let answer = answer(&case);
        if answer["error"].is_null() != case["valid"].as_bool().expect("a verdict") {
            wrong.push(format!("{line}\n   gave {answer}"));
        }
    }
    wrong
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn shared_instants() {
    if let Some(text) = shared("schedules.jsonl") {
        assert_none(&mismatches(&text));
    }
}

#[test]
fn shared_cron_verdicts() {
    if let Some(text) = shared("cron-valid.jsonl") {
        assert_none(&wrong_verdicts(&text));
    }
}

#[test]
fn shared_rrule_verdicts() {
    if let Some(text) = shared("rrule-valid.jsonl") {
        assert_none(&wrong_verdicts(&text));
    }
}
