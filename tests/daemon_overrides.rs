//! What operators lay over the files stays until it is cleared, and says who did it and why.
mod common;

use common::{Host, daemon::id};
use serde_json::{Value, json};

const PROJECT: &str = "
name: etl
work_pools: [{name: local, type: process, concurrency_limit: 2}]
deployments:
  - {name: one, command: 'true', work_pool: {name: local}, schedule: {interval: 600}}
";

fn overrides(host: &Host) -> Vec<Value> {
    host.cli(&["override", "ls", "-o", "json"]).exits(0).json().as_array().unwrap().clone()
}

#[test]
fn overrides_are_listed_with_their_author_and_reason_and_cleared_by_name() {
    let host = Host::new(PROJECT);
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["override", "ls"]).exits(0).says(&["There are no overrides: everything is as the files say."]);
    let mut pause = host.command();
    pause.env("USER", "alice").args(["deployment", "pause", "one", "--why", "Quelle gestört"]);
    common::Answer::of(&mut pause, &["deployment", "pause"]).exits(0);
    host.cli(&["work-pool", "pause", "local"]).exits(0);
    let found = overrides(&host);
    let names: Vec<_> = found.iter().map(|by| (by["kind"].as_str().unwrap(), by["name"].as_str().unwrap(), by["field"].as_str().unwrap())).collect();
    assert_eq!(names, [("work-pool", "local", "paused"), ("deployment", "one/one", "paused")]);
    assert_eq!((&found[1]["who"], &found[1]["why"], &found[1]["file"]), (&json!("alice"), &json!("Quelle gestört"), &json!("deployment.yaml")));
    host.cli(&["override", "ls"]).exits(0).says(&["one/one", "alice", "Quelle gestört"]);

    // A deploy shows them and clears none.
    host.write("deployment.yaml", &PROJECT.replace("interval: 600", "interval: 1200"));
    daemon.line("1 updated");
    host.cli(&["reconcile", "--verbose"]).exits(0).says(&["overrides in force", "by alice since"]);
    assert_eq!(overrides(&host).len(), 2);

    host.cli(&["override", "clear", "one/one", "active"]).exits(1).says(&["there is no override of active on 'one/one'", "one/one paused"]);
    host.cli(&["override", "clear", "one/one"]).exits(0).says(&["Cleared paused of 'one/one', which was true by alice."]);
    assert_eq!(daemon.deployment("one")["paused"], false);
    assert!(!id(&daemon.deployment("one")).is_empty());
    host.cli(&["override", "clear", "local", "paused"]).exits(0);
    assert!(overrides(&host).is_empty());
    assert_eq!(daemon.get("/work_pools/local")["is_paused"], false);
    host.cli(&["override", "clear", "local"]).exits(1).says(&["there is no override on 'local'"]);
}
