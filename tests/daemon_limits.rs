//! Limits and order beside a daemon: of deployments, pools, queues and tags; what is paused; the fate of what waits in what is deleted.
mod common;

use common::daemon::{id, message, state};
use common::{Host, until};
use serde_json::{Value, json};

const HOLD: &str = "echo begun; until [ -e release ]; do sleep 0.02; done";

fn host() -> Host {
    Host::new(&format!(
        "
concurrency_limits: {{database: 1}}
deployments:
  - {{name: hold, command: '{HOLD}', tags: [database]}}
  - {{name: next, command: 'true', tags: [database, other]}}
  - {{name: free, command: 'true', tags: [other]}}
"
    ))
}

#[test]
fn runs_with_a_tag_wait_for_its_slots_whatever_their_deployment() {
    let host = host();
    let daemon = host.daemon();
    daemon.reconciled();
    let hold = daemon.run("hold");
    daemon.logged(&hold, "begun");
    let next = daemon.run("next");
    daemon.counts(1, 1);
    assert_eq!(daemon.outcome("free")["state_type"], "COMPLETED", "other tags are not concerned");
    host.cli(&["flow-run", "why", id(&next)]).exits(0).says(&["the only slot of the tag 'database' is taken", hold["name"].as_str().unwrap()]);
    let shown = daemon.get("/concurrency_limits/tag/database");
    assert_eq!((&shown["concurrency_limit"], &shown["active_slots"]), (&json!(1), &json!([id(&hold)])));
    let metrics = daemon.text("/metrics");
    assert!(metrics.contains("reeve_tag_slots{tag=\"database\"} 1\n") && metrics.contains("reeve_tag_slots_taken{tag=\"database\"} 1\n"), "{metrics}");
    // More room, by an override that a deploy does not clear: what waits is asked again.
    host.cli(&["concurrency-limit", "update", "database", "2", "--why", "load"]).exits(0).says(&["is 2", "reeve override clear database"]);
    assert_eq!(daemon.end_of(&next)["state_type"], "COMPLETED");
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["override", "ls"]).exits(0).says(&["database", "concurrency_limit", "load"]);
    host.cli(&["override", "clear", "database"]).exits(0);
    assert_eq!(daemon.get("/concurrency_limits/tag/database")["concurrency_limit"], 1);
    host.cli(&["concurrency-limit", "delete", "database"]).exits(3).says(&["declared in deployment.yaml"]);
    // However the holder ends, its slot is free.
    let waits = daemon.run("next");
    daemon.counts(1, 1);
    host.cli(&["flow-run", "cancel", id(&hold)]).exits(0);
    assert_eq!(daemon.end_of(&waits)["state_type"], "COMPLETED");
    assert_eq!(daemon.get("/concurrency_limits/tag/database")["active_slots"], json!([]));
}

#[test]
fn a_daemon_that_was_killed_counts_the_slots_of_the_runs_that_went_on() {
    let host = host();
    let daemon = host.daemon();
    daemon.reconciled();
    let hold = daemon.run("hold");
    daemon.logged(&hold, "begun");
    let next = daemon.run("next");
    daemon.counts(1, 1);
    daemon.kill();
    let daemon = host.daemon();
    daemon.reconciled();
    daemon.counts(1, 1);
    assert_eq!(daemon.look(&next)["state_type"], "SCHEDULED");
    host.write("release", "");
    assert_eq!(daemon.end_of(&hold)["state_type"], "COMPLETED");
    assert_eq!(daemon.end_of(&next)["state_type"], "COMPLETED");
}

#[test]
fn limits_that_nobody_declares_are_made_listed_changed_and_deleted() {
    let host = Host::new("deployments: [{name: plain, command: 'true', tags: [gpu]}]");
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["concurrency-limit", "ls"]).exits(0).says(&["There are no concurrency limits."]);
    host.cli(&["concurrency-limit", "create", "gpu", "0"]).exits(0).says(&["gpu", "0 at once"]);
    host.cli(&["concurrency-limit", "create", "gpu", "3"]).exits(1).says(&["already", "update gpu 3"]);
    let run = daemon.run("plain");
    daemon.counts(0, 1);
    host.cli(&["flow-run", "why", id(&run)]).exits(0).says(&["the concurrency limit of the tag 'gpu' is 0"]);
    let listed = host.cli(&["concurrency-limit", "ls", "-o", "json"]).exits(0).json();
    let by_id = listed[0]["id"].as_str().unwrap().to_owned();
    host.cli(&["concurrency-limit", "inspect", &by_id]).exits(0).says(&["gpu"]);
    // As Prefect's clients do: the number of a limit that is there is set by creating it again.
    daemon.post("/concurrency_limits/", json!({"tag": "gpu", "concurrency_limit": 1}));
    assert_eq!(daemon.end_of(&run)["state_type"], "COMPLETED");
    host.cli(&["concurrency-limit", "delete", &by_id]).exits(0);
    host.cli(&["concurrency-limit", "inspect", "gpu"]).exits(1).says(&["has no concurrency limit"]);
    assert_eq!(daemon.request("GET", "/concurrency_limits/tag/gpu", None).status, 404);
}

/// What the first tutorial types, and what it says of each.
#[test]
fn a_queue_of_the_first_tutorial_draws_holds_and_gives_up_its_runs() {
    let host = Host::new("
work_pools: [{name: pool, queues: [{name: side}]}]
deployments:
  - {name: leo, command: 'true', tags: [tutorial, test]}
  - {name: pooled, command: 'true', tags: [tutorial], work_pool: {name: pool}}
  - {name: named, command: 'true', work_pool: {name: pool, work_queue_name: side}}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let made = host.cli(&["work-queue", "create", "--tag", "tutorial", "tutorial_queue", "-o", "json"]).exits(0).json();
    let queue = made["id"].as_str().unwrap();
    host.cli(&["work-queue", "ls"]).exits(0).says(&[queue, "tutorial_queue", "None", "(**) denotes a paused queue"]);
    let leo = daemon.outcome("leo");
    assert_eq!((&leo["state_type"], &leo["work_queue_name"]), (&json!("COMPLETED"), &json!("tutorial_queue")));
    // Paused by its id, resumed by its name; what waited goes.
    host.cli(&["work-queue", "pause", queue]).exits(0);
    let held = daemon.run("leo");
    daemon.counts(0, 1);
    host.cli(&["work-queue", "resume", "tutorial_queue"]).exits(0);
    assert_eq!(daemon.end_of(&held)["state_type"], "COMPLETED");
    // Renamed while a run waits that names it: the run goes with it.
    host.cli(&["work-queue", "pause", queue]).exits(0);
    let named = daemon.run_with("leo", json!({"work_queue_name": "tutorial_queue"}));
    daemon.counts(0, 1);
    let rename = |name: &str| daemon.request("PATCH", &format!("/work_queues/{queue}"), Some(&json!({"name": name}))).status;
    assert_eq!((rename("default"), rename("other_queue")), (409, 204));
    host.cli(&["work-queue", "resume", "other_queue"]).exits(0);
    assert_eq!(daemon.end_of(&named)["work_queue_name"], "other_queue");
    assert_eq!(rename("tutorial_queue"), 204);
    // Deleted while runs wait that name it: they go where they would go without it.
    host.cli(&["work-queue", "pause", queue]).exits(0);
    let waiting = daemon.run_with("leo", json!({"work_queue_name": "tutorial_queue"}));
    let drawn = daemon.run("leo");
    daemon.counts(0, 2);
    host.cli(&["work-queue", "delete", queue]).exits(0).says(&["Deleted work queue 'tutorial_queue'", ": 2 waiting runs go on without a queue."]);
    for run in [&waiting, &drawn] {
        let ended = daemon.end_of(run);
        assert_eq!((&ended["state_type"], &ended["work_queue_name"]), (&json!("COMPLETED"), &Value::Null));
    }
    host.cli(&["work-queue", "delete", "pool/default"]).exits(3);
    host.cli(&["work-queue", "delete", "side"]).exits(3).says(&["declared in deployment.yaml"]);
    host.cli(&["work-queue", "delete", "default-agent-pool/default"]).exits(3).says(&["every work pool has"]);
}

#[test]
fn a_queue_that_a_deployment_names_is_not_deleted_under_it() {
    let host = Host::new("deployments: [{name: a, command: 'true'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["work-pool", "create", "by-hand"]).exits(0);
    host.cli(&["work-queue", "create", "fast", "--pool", "by-hand"]).exits(0);
    host.write("deployment.yaml", "deployments: [{name: a, command: 'true', work_pool: {name: by-hand, work_queue_name: fast}}]");
    until("the deployment names the queue", || (daemon.deployment("a")["work_queue_name"] == "fast").then_some(()));
    host.cli(&["work-queue", "delete", "by-hand/fast"]).exits(3).says(&["is named by 'a/a'", "another work_queue_name"]);
    assert_eq!(daemon.outcome("a")["state_type"], "COMPLETED");
}

#[test]
fn what_waits_in_a_deleted_pool_goes_where_its_deployment_runs_now() {
    let host = Host::new("deployments: [{name: a, command: 'true'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["work-pool", "create", "old"]).exits(0);
    host.cli(&["work-pool", "pause", "old"]).exits(0);
    host.write("deployment.yaml", "deployments: [{name: a, command: 'true', work_pool: {name: old}}]");
    until("the deployment names the pool", || (daemon.deployment("a")["work_pool_name"] == "old").then_some(()));
    let waiting = daemon.run("a");
    host.cli(&["work-pool", "delete", "old"]).exits(3).says(&["is named by 'a/a'", "another work pool"]);
    host.write("deployment.yaml", "deployments: [{name: a, command: 'true'}]");
    until("the deployment names no pool", || (daemon.deployment("a")["work_pool_name"] == Value::Null).then_some(()));
    host.cli(&["work-pool", "delete", "old", "--dry-run"]).exits(0).says(&["Would delete work pool 'old'", "1 run that waits in it would go"]);
    daemon.counts(0, 1);
    host.cli(&["work-pool", "delete", "old"]).exits(0).says(&["Deleted work pool 'old' with its 1 work queue (default)", "1 run that waits in it goes where its deployment runs now"]);
    let ended = daemon.end_of(&waiting);
    assert_eq!((&ended["state_type"], &ended["work_pool_name"]), (&json!("COMPLETED"), &Value::Null));
}

#[test]
fn a_deployments_limit_makes_runs_wait_or_cancels_them() {
    let host = Host::new(&format!("
deployments:
  - {{name: queued, command: '{HOLD}', concurrency_limit: 1}}
  - {{name: refused, command: '{HOLD}', concurrency_limit: {{limit: 1, collision_strategy: CANCEL_NEW}}}}
"));
    let daemon = host.daemon();
    daemon.reconciled();
    let (first, held) = (daemon.run("queued"), daemon.run("refused"));
    daemon.logged(&first, "begun");
    daemon.logged(&held, "begun");
    let second = daemon.run("queued");
    let cancelled = daemon.end_of(&daemon.run("refused"));
    assert_eq!(state(&cancelled), ("CANCELLED", "Cancelled"), "{cancelled:#}");
    assert!(message(&cancelled).contains("concurrency limit"), "{}", message(&cancelled));
    daemon.counts(2, 1);
    assert_eq!(daemon.look(&second)["state_type"], "SCHEDULED");
    host.write("release", "");
    let ends = [first, held, second].map(|run| daemon.end_of(&run));
    assert!(ends.iter().all(|run| run["state_type"] == "COMPLETED"), "{ends:#?}");
    assert!(ends[2]["start_time"].as_str() >= ends[0]["end_time"].as_str(), "the second began before the first had ended");
}

#[test]
fn a_pool_starts_no_more_than_its_limit_and_its_urgent_queue_first() {
    let host = Host::new(&format!("
work_pools:
  - name: narrow
    type: process
    concurrency_limit: 1
    work_queues: [{{name: urgent, priority: 1}}, {{name: bulk, priority: 10}}]
deployments:
  - {{name: hold, command: '{HOLD}', work_pool: {{name: narrow, work_queue_name: bulk}}}}
  - {{name: bulk, command: 'echo bulk >> order', work_pool: {{name: narrow, work_queue_name: bulk}}}}
  - {{name: urgent, command: 'echo urgent >> order', work_pool: {{name: narrow, work_queue_name: urgent}}}}
"));
    let daemon = host.daemon();
    daemon.reconciled();
    let hold = daemon.run("hold");
    daemon.logged(&hold, "begun");
    let runs = [daemon.run("bulk"), daemon.run("bulk"), daemon.run("urgent")];
    daemon.counts(1, 3);
    host.write("release", "");
    for run in &runs {
        assert_eq!(daemon.end_of(run)["state_type"], "COMPLETED");
    }
    assert_eq!(host.read("order"), "urgent\nbulk\nbulk\n");
    let by_queue: Vec<Value> = runs.iter().map(|run| daemon.look(run)["work_queue_name"].clone()).collect();
    assert_eq!(by_queue, ["bulk", "bulk", "urgent"]);
}

#[test]
fn paused_pools_and_queues_hold_their_runs_until_they_are_resumed() {
    let host = Host::new("
work_pools:
  - {name: pool, type: process, work_queues: [{name: side}]}
deployments:
  - {name: main, command: 'true', work_pool: {name: pool}}
  - {name: side, command: 'true', work_pool: {name: pool, work_queue_name: side}}
");
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["work-queue", "pause", "--pool", "pool", "side"]).exits(0);
    let side = daemon.run("side");
    daemon.counts(0, 1);
    assert_eq!(daemon.outcome("main")["state_type"], "COMPLETED", "the other queue goes on");
    host.cli(&["work-pool", "pause", "pool"]).exits(0);
    host.cli(&["work-queue", "resume", "--pool", "pool", "side"]).exits(0);
    let main = daemon.run("main");
    daemon.counts(0, 2);
    host.cli(&["work-pool", "resume", "pool"]).exits(0);
    assert_eq!(daemon.end_of(&side)["state_type"], "COMPLETED");
    assert_eq!(daemon.end_of(&main)["state_type"], "COMPLETED");
}

#[test]
fn a_run_waits_for_a_pool_that_is_missing_and_starts_once_it_is_there() {
    let host = Host::new("deployments: [{name: homeless, command: 'true', work_pool: {name: tomorrow}}]");
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("homeless");
    daemon.counts(0, 1);
    host.cli(&["work-pool", "create", "--type", "process", "tomorrow"]).exits(0);
    assert_eq!(daemon.end_of(&run)["state_type"], "COMPLETED");
}

#[test]
fn a_pool_of_another_type_leaves_its_runs_to_a_worker() {
    let host = Host::new("
work_pools: [{name: cluster, type: kubernetes}]
deployments: [{name: far, command: 'true', work_pool: {name: cluster}}]
");
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("far");
    daemon.counts(0, 1);
    assert_eq!(daemon.look(&run)["state_type"], "SCHEDULED");
}

#[test]
fn a_queue_with_a_filter_serves_the_runs_that_carry_its_tags() {
    let host = Host::new("
work_queues: [{name: tutorial_queue, filter: {tags: [tutorial]}}]
deployments:
  - {name: leo, command: 'echo \"Hello Leo!\"', tags: [tutorial]}
  - {name: other, command: 'echo other'}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let leo = daemon.outcome("leo");
    assert_eq!((state(&leo).0, &leo["work_queue_name"]), ("COMPLETED", &json!("tutorial_queue")), "{leo:#}");
    host.cli(&["work-queue", "pause", "tutorial_queue"]).exits(0);
    let held = daemon.run("leo");
    daemon.counts(0, 1);
    let other = daemon.outcome("other");
    assert_eq!((state(&other).0, &other["work_queue_name"]), ("COMPLETED", &Value::Null));
    host.cli(&["work-queue", "resume", "tutorial_queue"]).exits(0);
    assert_eq!(daemon.end_of(&held)["state_type"], "COMPLETED");
}
