//! Schedules against recorded instants and verdicts: the project's own teaching cases, and, where the shared folder is
//! present, all cases recorded from Prefect 3.8.8.

use reeve::schedule::evaluate_case_line;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Facts of Prefect's that are known to be wrong or to depend on when it is asked; reeve differs, and says so.
const LEFT_OUT: [&str; 4] = ["true-or", "oracle-fails", "after-2037", "start-dependent"];

/// Accepted by Prefect because its date parser makes something of any text. Digits are damaged, so reeve asks.
const DAMAGED_DATES: [&str; 2] = ["DTSTART:2a261008T040000", "UNTIL=20250121T06h005"];

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
        if case["expected"].is_null() {
            continue;
        }
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
        if case["valid"].is_null() {
            continue;
        }
        let answer = answer(&case);
        if DAMAGED_DATES.iter().any(|date| case["expr"].as_str().is_some_and(|text| text.contains(date))) {
            continue;
        }
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

#[test]
fn own_instants() {
    for name in ["cron.jsonl", "interval.jsonl", "rrule.jsonl", "decided.jsonl"] {
        assert_none(&mismatches(&own(name)));
    }
}

#[test]
fn own_verdicts() {
    for name in ["verdicts.jsonl", "decided.jsonl"] {
        assert_none(&wrong_verdicts(&own(name)));
    }
}

#[test]
fn a_line_that_is_no_case_is_answered_not_fatal() {
    for line in ["", "{}", "[1]", r#"{"kind":"moon","expr":"x"}"#, r#"{"id":1,"kind":"cron","expr":"* * * * *","n":1}"#] {
        let answer: Value = serde_json::from_str(&evaluate_case_line(line)).expect("an answer is JSON");
        assert!(answer["error"].as_str().is_some_and(|error| error.starts_with("invalid: ")), "{line} gave {answer}");
    }
}
