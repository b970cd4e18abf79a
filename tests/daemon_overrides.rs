//! What operators lay over the files stays until it is cleared, and says who did it and why.
mod common;

use common::{Host, daemon::id};
use jiff::{SignedDuration, Timestamp};
use reeve::model::overrides::Override;
use reeve::model::write::Write;
use reeve::store::{self, ledger::Ledger};
use serde_json::{Value, json};
use uuid::Uuid;

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
    host.cli(&["override", "clear", "one"]).exits(0).says(&["Cleared paused of 'one/one', which was true by alice."]);
    assert_eq!(daemon.deployment("one")["paused"], false);
    assert!(!id(&daemon.deployment("one")).is_empty());
    host.cli(&["override", "clear", "local", "paused"]).exits(0);
    assert!(overrides(&host).is_empty());
    assert_eq!(daemon.get("/work_pools/local")["is_paused"], false);
    host.cli(&["override", "clear", "local"]).exits(1).says(&["there is no override on 'local'"]);
}

#[test]
fn an_override_with_an_end_is_taken_away_then() {
    let host = Host::new(PROJECT);
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["work-pool", "create", "mine", "--type", "process"]).exits(0);
    host.cli(&["work-pool", "pause", "mine", "--until", "2099-01-01"]).exits(1).says(&["belongs to nobody", "leave --until out"]);
    host.cli(&["deployment", "pause", "one", "--until", "2001-01-01"]).exits(1).says(&["`--until 2001-01-01` is over"]);
    host.cli(&["work-pool", "pause", "local", "--why", "move", "--until", "2099-01-01"]).exits(0).says(&["Paused work pool 'local' until 2099-01-01"]);
    host.cli(&["override", "ls"]).exits(0).says(&["Until", "2099-01-01 00:00:00 UTC"]);
    host.cli(&["reconcile", "--dry-run", "--verbose"]).exits(0).says(&["until 2099-01-01 00:00:00 UTC: move"]);

    let soon = Timestamp::now() + SignedDuration::from_secs(4);
    host.cli(&["deployment", "pause", "one", "--until", &soon.to_string()]).exits(0);
    assert_eq!(daemon.deployment("one")["paused"], true);
    daemon.line("deployment 'one/one': paused = true, set by ");
    assert!(Timestamp::now() >= soon);
    assert_eq!(daemon.deployment("one")["paused"], false);
    assert_eq!(overrides(&host).len(), 1);
    // A client that says the same value means nothing by it: reason and end stay.
    let same = daemon.request("PATCH", "/work_pools/local", Some(&json!({"is_paused": true})));
    assert_eq!((same.status, &overrides(&host)[0]["until"], &overrides(&host)[0]["why"]), (204, &json!("2099-01-01T00:00:00.000000Z"), &json!("move")));
    // An end may be moved, and taken away.
    host.cli(&["work-pool", "pause", "local", "--until", "2098-01-01"]).exits(0);
    assert_eq!(overrides(&host)[0]["until"], "2098-01-01T00:00:00.000000Z");
    host.cli(&["work-pool", "pause", "local"]).exits(0);
    assert_eq!(overrides(&host)[0]["until"], Value::Null);
    host.cli(&["work-pool", "resume", "local"]).exits(0);
    assert!(overrides(&host).is_empty());
    let plain = daemon.request("POST", &format!("/deployments/{}/pause_deployment", id(&daemon.deployment("one"))), None);
    assert_eq!(plain.status, 200, "a client's edit has no end");
    assert_eq!(overrides(&host)[0]["until"], Value::Null);
}

#[test]
fn an_override_that_ended_while_no_daemon_ran_is_taken_away_at_the_start() {
    let host = Host::new(PROJECT);
    host.cli(&["reconcile"]).exits(0);
    let ledger = Ledger::new(store::open(&format!("sled:{}", host.home().join("store").display()), Uuid::new_v4()).unwrap());
    let mut pool = ledger.work_pool("local").unwrap().unwrap();
    let over = Timestamp::now() - SignedDuration::from_secs(60);
    let by = Override { value: json!(true), who: "alice".to_owned(), why: None, since: over, until: Some(over) };
    pool.overrides.insert("paused".to_owned(), by);
    let writes = [Write::PutWorkPool(pool)];
    let written = ledger.apply(ledger.revision().unwrap(), &writes);
    tokio::runtime::Runtime::new().unwrap().block_on(written).unwrap();
    drop(ledger);
    // From its end on it counts nowhere, daemon or not.
    assert!(overrides(&host).is_empty());
    host.cli(&["override", "clear", "local", "paused"]).exits(1).says(&["there is no override"]);
    assert_eq!(host.cli(&["work-pool", "inspect", "local", "-o", "json"]).exits(0).json()["is_paused"], false);
    assert!(!host.cli(&["reconcile", "--dry-run", "--verbose"]).exits(0).out.contains("overrides in force"));
    let daemon = host.daemon();
    daemon.line("work pool 'local': paused = true, set by alice, has ended at its time");
    assert_eq!(daemon.get("/work_pools/local")["is_paused"], false);
}
