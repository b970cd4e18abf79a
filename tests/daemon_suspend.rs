//! A suspended project is not reconciled, whoever asks, and says so; resumed, it catches up by itself.
mod common;

use common::{Host, until};

const ONE: &str = "name: etl\ndeployments:\n  - {name: one, command: 'true', schedule: {interval: 1}}\n";

#[test]
fn a_suspended_project_keeps_its_last_generation_and_catches_up_when_it_is_resumed() {
    let host = Host::new(ONE);
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["suspend", "--why", "database move", "--until", "2099-01-01"]).exits(0).says(&["Suspended project 'etl' until 2099-01-01"]);
    daemon.phase("suspended");
    host.write("deployment.yaml", &format!("{ONE}  - {{name: two, command: 'true'}}\n"));
    host.cli(&["reconcile", "--dry-run"]).exits(3).says(&["+ two/two", "is suspended by ", "database move: to reconcile it again, say `reeve resume etl`"]);
    host.cli(&["reconcile"]).exits(3).says(&["Refused: nothing is written (1 to create"]);
    host.cli(&["status"]).exits(0).says(&["suspended by ", "until 2099-01-01T00:00:00Z: database move; schedules go on", "generation 1"]);
    assert_eq!(daemon.get("/reeve/projects")[0]["suspended"]["why"], "database move");
    assert_eq!(host.cli(&["deployment", "ls", "-o", "json"]).json().as_array().unwrap().len(), 1);
    // Its schedules are not concerned.
    let before = daemon.runs_of("one").len();
    until("another slot has run", || (daemon.runs_of("one").len() > before).then_some(()));

    host.cli(&["resume", "etl"]).exits(0).says(&["Resumed project 'etl'"]);
    host.cli(&["resume", "etl"]).exits(0).says(&["Project 'etl' was not suspended"]);
    until("the daemon has caught up", || {
        let deployments = host.cli(&["deployment", "ls", "-o", "json"]).json();
        (deployments.as_array().unwrap().len() == 2).then_some(())
    });
    host.cli(&["status"]).exits(0).says(&["in sync", "generation 2"]);
}

#[test]
fn a_suspension_that_ends_by_itself_says_so_and_what_waited_is_applied() {
    let host = Host::new(ONE);
    let daemon = host.daemon();
    daemon.reconciled();
    let end = jiff::Timestamp::now().saturating_add(jiff::SignedDuration::from_secs(3)).unwrap();
    host.cli(&["suspend", "--why", "database move", "--until", &end.to_string()]).exits(0);
    host.write("deployment.yaml", &format!("{ONE}  - {{name: two, command: 'true'}}\n"));
    let line = daemon.line("No longer suspended by ");
    assert!(line.contains("project 'etl'") && line.contains("database move: it is reconciled again"), "{line}");
    daemon.line("1 created");
    daemon.phase("idle");
}

#[test]
fn a_suspension_needs_a_project_and_an_end_to_come() {
    let host = Host::new(ONE);
    host.cli(&["suspend"]).exits(1).says(&["no project was applied here yet"]);
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["suspend", "other"]).exits(1).says(&["no project is called 'other' here: there are 'etl'"]);
    host.cli(&["suspend", "--until", "2001-01-01"]).exits(1).says(&["`--until 2001-01-01` is over"]);
    host.cli(&["suspend", "--until", "soon"]).exits(1).says(&["`--until soon` is not a time"]);
    // Suspended without a daemon, a daemon that starts keeps to it.
    host.cli(&["suspend"]).exits(0);
    host.write("deployment.yaml", &ONE.replace("one", "other"));
    let daemon = host.daemon();
    daemon.phase("suspended");
    drop(daemon.interrupt());
    host.cli(&["resume"]).exits(0);
    host.cli(&["reconcile"]).exits(0).says(&["1 created", "1 pruned"]);
}
