//! Virtual runs beside the real daemon: one that was made real ahead of its time starts at its time, and what was cancelled,
//! deleted or touched before it is left as it is.
mod common;

use common::{Host, daemon::id, until};
use serde_json::{Value, json};

fn waiting(daemon: &common::Daemon, deployment: &str) -> Vec<Value> {
    let of = daemon.deployment(deployment)["id"].clone();
    let filter = json!({"deployment_id": {"any_": [of]}, "state": {"type": {"any_": ["SCHEDULED"]}}});
    let body = json!({"flow_runs": filter, "sort": "EXPECTED_START_TIME_ASC"});
    daemon.post("/flow_runs/filter", body).as_array().unwrap().clone()
}

#[test]
fn slots_that_were_touched_before_their_time_run_once_or_not_at_all() {
    let host = Host::new("
deployments:
  - {name: often, command: 'echo ran', schedules: [{interval: 2}]}
  - {name: daily, command: 'true', schedules: [{interval: 86400}]}
  - {name: plain, command: 'true'}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let runs = waiting(&daemon, "often");
    // Prefect's horizon; the first slot may have begun to run.
    assert!((99..=100).contains(&runs.len()), "{} runs", runs.len());
    let [renamed, cancelled, deleted, later] = [&runs[3], &runs[4], &runs[5], &runs[6]];
    let path = |run: &Value| format!("/flow_runs/{}", id(run));
    assert_eq!(daemon.request("PATCH", &path(renamed), Some(&json!({"name": "mine"}))).status, 204);
    daemon.post(&format!("{}/set_state", path(cancelled)), json!({"state": {"type": "CANCELLING"}}));
    assert_eq!(daemon.request("DELETE", &path(deleted), None).status, 204);

    // Paused: what somebody touched stands, what nobody touched is no more.
    let daily = waiting(&daemon, "daily");
    assert_eq!(daemon.request("PATCH", &path(&daily[0]), Some(&json!({"name": "kept"}))).status, 204);
    daemon.post(&format!("/deployments/{}/pause_deployment", daily[0]["deployment_id"].as_str().unwrap()), json!({}));
    assert_eq!(daemon.outcome("plain")["state_type"], "COMPLETED");
    let left = waiting(&daemon, "daily");
    assert_eq!(left.iter().map(|run| &run["name"]).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(daemon.request("GET", &path(&daily[1]), None).status, 404);

    until("a later slot has run", || (daemon.look(later)["state_type"] == "COMPLETED").then_some(()));
    let ran = daemon.look(renamed);
    assert_eq!((&ran["state_type"], &ran["name"], &ran["run_count"]), (&json!("COMPLETED"), &json!("mine"), &json!(1)), "{ran:#}");
    let instant = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(instant(&ran["start_time"]) >= instant(&ran["expected_start_time"]), "{ran:#}");
    for (run, name) in [(cancelled, "Cancelled"), (deleted, "Skipped")] {
        let run = daemon.look(run);
        assert_eq!((&run["state_name"], &run["run_count"], &run["start_time"]), (&json!(name), &json!(0), &Value::Null), "{run:#}");
    }
    // Each slot is listed once, whatever became of it.
    let all = daemon.runs_of("often");
    let mut slots: Vec<&str> = all.iter().map(|run| run["reeve"]["slot"].as_str().unwrap()).collect();
    let count = slots.len();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), count);
}

#[test]
fn what_is_upcoming_is_told_with_and_without_a_daemon() {
    let host = Host::new("
deployments:
  - {name: nightly, command: 'true', schedules: [{cron: '30 2 * * *', timezone: Europe/Berlin, slug: main}]}
");
    let arguments = ["upcoming", "--at", "2040-03-24T00:00:00Z", "--count", "2", "-o", "json"];
    let beside = {
        let daemon = host.daemon();
        daemon.reconciled();
        let told = host.cli(&arguments);
        let why = host.cli(&["why", "nightly"]);
        assert!(why.code == 0 && why.out.contains("will run"), "{}", why.out);
        let (status, _) = daemon.interrupt();
        assert!(status.success());
        told
    };
    let without = host.cli(&arguments);
    assert_eq!((beside.code, &beside.out), (0, &without.out));
    let fires: Value = serde_json::from_str(&without.out).unwrap();
    // The second night has no 02:30.
    assert_eq!(fires[0]["at"], "2040-03-24T01:30:00.000000Z");
    assert_eq!(fires[1]["at"], "2040-03-25T01:30:00.000000Z");
    let why = host.cli(&["why", "nightly", "--at", "2040-03-25T01:30:00Z"]);
    assert!(why.code == 0 && why.out.contains("no daemon is ready"), "{}", why.out);
    let calendar = host.cli(&["upcoming", "--at", "2040-03-24T00:00:00Z", "--within", "2 days", "--ical"]).out;
    assert_eq!(calendar.matches("BEGIN:VEVENT").count(), 2);
    assert!(calendar.contains(&format!("UID:{}\r\n", fires[0]["id"].as_str().unwrap())));
}
