//! What is done to a project, by reeve on its own or by somebody, is told in the daemon's log and kept among the project's events.
mod common;

use common::{Daemon, Host, until};
use serde_json::Value;

const TWO: &str = "name: etl\nwork_pools: [{name: local, type: process}]\ndeployments:\n  - {name: one, command: 'true'}\n  - {name: two, command: 'true'}\n";

/// The project's events, newest first.
fn events(daemon: &Daemon) -> Vec<Value> {
    daemon.get("/reeve/projects/etl/events").as_array().unwrap().clone()
}

fn kinds(daemon: &Daemon) -> Vec<String> {
    events(daemon).iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_drift_that_is_corrected_is_one_event_with_what_it_was_and_is() {
    let host = Host::new(TWO);
    host.cli(&["reconcile"]).exits(0);
    // Taken out, brought back as nobody's, edited, declared again: it differs, and no file says why.
    host.write("deployment.yaml", &TWO.replace("  - {name: two, command: 'true'}\n", ""));
    host.cli(&["reconcile"]).exits(0).says(&["1 pruned"]);
    host.cli(&["restore", "two"]).exits(0);
    host.cli(&["deployment", "pause", "two"]).exits(0);
    host.write("deployment.yaml", &TWO.replace("name: etl\n", "name: etl\ndrift: report\n"));
    host.cli(&["reconcile"]).exits(0).says(&["1 adopted"]);
    host.write("deployment.yaml", TWO);
    let daemon = host.daemon();
    daemon.line("1 corrected (drift)");
    daemon.phase("idle");
    let found = events(&daemon);
    let drift: Vec<&Value> = found.iter().filter(|event| event["event"] == "reeve.deployment.drift-corrected").collect();
    let [drift] = drift[..] else { panic!("not one event: {found:#?}") };
    assert_eq!(drift["payload"]["changes"], serde_json::json!([{"field": "paused", "old": true, "new": false}]), "{drift:#}");
    assert_eq!(drift["resource"]["prefect.resource.name"], "two/two");
    assert_eq!(drift["related"][0]["prefect.resource.id"], "reeve.project.etl");
    assert_eq!(drift["payload"]["message"], "corrected: paused: true -> false");
    let expected = [
        "reeve.project.applied", "reeve.deployment.drift-corrected", "reeve.project.applied", "reeve.deployment.adopted",
        "reeve.deployment.restored", "reeve.project.applied", "reeve.project.applied",
    ];
    assert_eq!(kinds(&daemon), expected, "{found:#?}");
    host.cli(&["project", "inspect", "etl"]).exits(0).says(&["Events:", "deployment 'two/two': corrected: paused: true -> false", "deployment 'two/two': restored by "]);
}

#[test]
fn a_drift_that_is_left_is_one_event_as_long_as_it_stays_the_same() {
    let host = Host::new(TWO);
    host.cli(&["reconcile"]).exits(0);
    host.write("deployment.yaml", &TWO.replace("  - {name: two, command: 'true'}\n", ""));
    host.cli(&["reconcile"]).exits(0).says(&["1 pruned"]);
    host.cli(&["restore", "two"]).exits(0);
    host.cli(&["deployment", "pause", "two"]).exits(0);
    let text = TWO.replace("name: etl\n", "name: etl\ndrift: report\n");
    host.write("deployment.yaml", &text);
    host.cli(&["reconcile"]).exits(0).says(&["1 adopted"]);
    let reports = |daemon: &Daemon| {
        let all = events(daemon);
        let of_drift = all.iter().filter(|event| event["event"] == "reeve.deployment.drift-reported");
        of_drift.map(|event| event["payload"]["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let said = ["differs from what was declared, and is left so: paused: true -> false"];
    let daemon = host.daemon();
    until("it is told", || (reports(&daemon) == said).then_some(()));
    // Another pass that finds the same, and another daemon.
    host.write("deployment.yaml", &text.replace("name: one,", "name: one, description: new,"));
    until("it is read", || (daemon.deployment("one")["description"] == "new").then_some(()));
    daemon.phase("idle");
    drop(daemon.interrupt());
    let daemon = host.daemon();
    daemon.phase("idle");
    drop(daemon.interrupt());
    let daemon = host.daemon();
    daemon.phase("idle");
    assert_eq!(reports(&daemon), said);
}

#[test]
fn what_operators_change_is_told_with_who_and_why() {
    let host = Host::new(TWO);
    let daemon = host.daemon_with(&[], &[]);
    daemon.reconciled();
    let cli = |arguments: &[&str]| {
        let done = host.command().env("USER", "alice").args(arguments).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let told: [(&[&str], &str); 8] = [
        (&["deployment", "pause", "one", "--why", "move"], "deployment 'one/one': paused by alice: move"),
        (&["deployment", "resume", "one"], "deployment 'one/one': resumed by alice"),
        (&["deployment", "pause", "one", "--until", "2099-01-01"], "deployment 'one/one': paused by alice until 2099-01-01T00:00:00Z"),
        (&["override", "clear", "one/one", "paused"], "deployment 'one/one': paused = true, set by alice, was cleared by alice"),
        (&["work-pool", "pause", "local"], "work pool 'local': paused: false -> true, changed by alice"),
        (&["suspend", "etl", "--why", "freeze"], "suspended by alice: freeze"),
        (&["resume", "etl"], "resumed by alice"),
        (&["reconcile", "--strict"], ""),
    ];
    for (arguments, line) in told {
        let mark = daemon.mark();
        cli(arguments);
        if !line.is_empty() {
            let said = daemon.line_after(mark, line);
            assert!(said.contains("project 'etl'"), "{said}");
        }
    }
    // What no project owns is told in the log alone.
    let nobodys: [(&[&str], &str); 6] = [
        (&["work-pool", "create", "--type", "process", "gpu"], "work pool 'gpu': created by alice"),
        (&["work-queue", "create", "--pool", "gpu", "fast"], "work queue 'gpu/fast': created by alice"),
        (&["concurrency-limit", "create", "database", "2"], "concurrency limit 'database': limited to 2 by alice"),
        (&["concurrency-limit", "delete", "database"], "concurrency limit 'database': deleted by alice"),
        (&["work-queue", "delete", "--pool", "gpu", "fast"], "work queue 'gpu/fast': deleted by alice"),
        (&["work-pool", "delete", "gpu"], "work pool 'gpu': deleted by alice"),
    ];
    for (arguments, line) in nobodys {
        let mark = daemon.mark();
        cli(arguments);
        daemon.line_after(mark, line);
    }
    let id = daemon.deployment("one")["id"].clone();
    let mark = daemon.mark();
    drop(daemon.request("POST", &format!("/deployments/{}/pause_deployment", id.as_str().unwrap()), None));
    let said = daemon.line_after(mark, "deployment 'one/one': paused by ");
    assert!(said.contains(" through the API"), "{said}");
    let messages: Vec<String> = events(&daemon).iter().map(|event| event["payload"]["message"].as_str().unwrap().to_owned()).collect();
    for (_, line) in told {
        let message = line.split_once("': ").map_or(line, |(_, message)| message);
        assert!(message.is_empty() || messages.iter().any(|found| found == message), "{message} is not among {messages:#?}");
    }
    assert_eq!(daemon.request("GET", "/reeve/projects/other/events", None).status, 404);
}

#[test]
fn how_a_project_stands_is_told_once_and_is_known_to_the_next_daemon() {
    let host = Host::new(TWO);
    let daemon = host.daemon();
    daemon.reconciled();
    host.write("deployment.yaml", "name: etl\ndeployments: [{name: one, comand: 'true'}]\n");
    daemon.phase("rejected");
    until("it is told", || (kinds(&daemon)[0] == "reeve.project.rejected").then_some(()));
    let first = events(&daemon)[0].clone();
    assert!(first["payload"]["place"].as_str().unwrap().starts_with("deployment.yaml:2:"), "{first:#}");
    let since = |daemon: &Daemon| daemon.get("/reeve/status")["projects"][0]["since"].clone();
    daemon.kill();
    let daemon = host.daemon();
    daemon.phase("rejected");
    assert_eq!(since(&daemon), first["occurred"], "it has been so since before this daemon");
    host.write("deployment.yaml", TWO);
    daemon.phase("idle");
    until("all is well again", || (kinds(&daemon)[0] == "reeve.project.in-sync").then_some(()));
    assert_eq!(kinds(&daemon), ["reeve.project.in-sync", "reeve.project.rejected", "reeve.project.applied"]);
    let status = daemon.get("/reeve/status");
    assert!(status["projects"][0]["last_error"]["over"].is_string(), "{status:#}");
    // A daemon that finds all as it was writes nothing.
    drop(daemon.interrupt());
    let before = host.sequence();
    let daemon = host.daemon();
    daemon.phase("idle");
    drop(daemon.interrupt());
    assert_eq!(host.sequence(), before);
}

#[test]
fn a_suspended_project_is_one_line_whatever_its_files_become() {
    let host = Host::new(TWO);
    let daemon = host.daemon();
    daemon.reconciled();
    let mark = daemon.mark();
    host.cli(&["suspend", "--why", "freeze"]).exits(0);
    daemon.phase("suspended");
    host.write("deployment.yaml", &TWO.replace("name: one", "name: other"));
    let line = daemon.line_after(mark, "1 to create, 1 to prune");
    assert!(line.contains("suspended by ") && line.contains("freeze; nothing is applied"), "{line}");
    host.write("deployment.yaml", &TWO.replace("command", "comand"));
    let line = daemon.line_after(mark, "its files are wrong: deployment.yaml:4:");
    assert!(line.contains("suspended by "), "{line}");
    let said = daemon.said();
    assert!(!said.lines().any(|line| line.contains("ERROR") || line.contains("+ other/other")), "{said}");
    host.cli(&["status"]).exits(0).says(&["suspended by ", "Suspended: yes", "Failing: yes", "deployment.yaml:4:"]);
}
