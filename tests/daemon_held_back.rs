//! Projects that wait for something else than their own files: another project's claim, a second checkout, a directory that is not
//! there. None of it prunes anything, and each goes on by itself when the reason is gone.
mod common;

use common::{Daemon, Host, until};
use serde_json::Value;
use std::fs;

fn one(project: &str, deployment: &str) -> String {
    format!("name: {project}\ndeployments:\n  - {{name: {deployment}, command: 'true'}}\n")
}

/// A host with the projects `q` and `p` beside its own.
fn host(q: &str, p: &str) -> Host {
    let host = Host::new("name: own\ndeployments: []\n");
    for (directory, text) in [("q", q), ("p", p)] {
        host.write(&format!("../{directory}/deployment.yaml"), text);
    }
    host
}

fn names(daemon: &Daemon) -> Vec<String> {
    let all = daemon.post("/deployments/filter", serde_json::json!({}));
    let mut names: Vec<String> = all.as_array().unwrap().iter().map(|deployment| deployment["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Waits until the project in a directory is in this phase, and gives its status.
#[track_caller]
fn phase(daemon: &Daemon, directory: &str, phase: &str) -> Value {
    until(&format!("the project in {directory} is {phase}"), || {
        let status = daemon.get("/reeve/status");
        let here = |project: &&Value| project["root"].as_str().is_some_and(|root| root.ends_with(directory));
        status["projects"].as_array()?.iter().find(here).filter(|project| project["phase"] == phase).cloned()
    })
}

#[test]
fn what_another_project_gives_up_is_taken_at_once() {
    let q = "name: p2\ndeployments:\n  - {name: a, command: 'true'}\n  - {name: b, command: 'true'}\n";
    let host = host(q, &one("p1", "b"));
    host.cli(&["reconcile", "--project", "../q"]).exits(0);
    let daemon = host.daemon_with(&["--project", "../q", "--project", "../p"], &[]);
    phase(&daemon, "/p", "refused");
    host.write("../q/deployment.yaml", &one("p2", "a"));
    let mark = daemon.mark();
    daemon.line_after(mark, "1 pruned");
    phase(&daemon, "/p", "idle");
    assert_eq!(names(&daemon), ["a", "b"]);
}

#[test]
fn a_second_checkout_prunes_nothing_unasked() {
    let both = "name: prod\ndeployments:\n  - {name: a, command: 'true'}\n  - {name: b, command: 'true'}\n";
    let host = host(both, &one("prod", "c"));
    host.cli(&["reconcile", "--project", "../q"]).exits(0);
    let (q, p) = (host.path().join("q"), host.path().join("p"));
    let said = [q.to_str().unwrap(), p.to_str().unwrap(), "2 objects would be pruned", "--allow-prune=2"];
    host.cli(&["reconcile", "--project", "../p"]).exits(3).says(&said);
    host.cli(&["reconcile", "--project", "../p", "--allow-prune=1"]).exits(3).says(&["2 would be pruned"]);
    // What prunes nothing may move; and a checkout that is gone, or bears another name, is no second one.
    host.write("../q/deployment.yaml", &both.replace("prod", "staging"));
    host.cli(&["reconcile", "--project", "../p", "-n"]).exits(4).says(&["2 to prune"]);
    host.write("../q/deployment.yaml", both);
    host.cli(&["reconcile", "--project", "../p", "--allow-prune=2"]).exits(0).says(&["1 created", "2 pruned"]);
}

#[test]
fn a_link_that_is_led_to_another_release_is_no_second_checkout() {
    let host = Host::new("name: own\ndeployments: []\n");
    let two = "deployments:\n  - {name: a, command: pwd}\n  - {name: b, command: 'true'}\n";
    host.write("../releases/1/deployment.yaml", two);
    host.write("../releases/2/deployment.yaml", "deployments:\n  - {name: a, command: pwd}\n");
    let current = host.path().join("current");
    let lead_to = |release: &str| {
        let _ = fs::remove_file(&current);
        std::os::unix::fs::symlink(format!("releases/{release}"), &current).unwrap();
    };
    lead_to("1");
    host.cli(&["reconcile", "--project", "../current"]).exits(0).says(&["2 created"]);
    // Whoever is in the directory is in the project, by whatever path.
    host.cli(&["reconcile", "--project", "../releases/1"]).exits(0).says(&["In sync"]);
    let mut there = host.command();
    there.args(["reconcile", "-n"]).current_dir(&current).env("PWD", &current);
    common::Answer::of(&mut there, &["reconcile"]).exits(0).says(&["In sync"]);
    lead_to("2");
    host.cli(&["reconcile", "--project", "../current"]).exits(0).says(&["1 pruned"]);
    lead_to("1");
    host.cli(&["reconcile", "--project", "../current"]).exits(0).says(&["1 restored"]);
    let daemon = host.daemon_with(&["--project", "../current"], &[]);
    phase(&daemon, "/current", "idle");
    lead_to("2");
    daemon.line("1 pruned");
    assert_eq!(names(&daemon), ["a"]);
}

#[test]
fn a_claim_that_is_refused_names_both_places_in_full() {
    let q = "name: p2\nwork_pools:\n  - name: local\n    type: process\n    queues:\n      - name: fast\ndeployments:\n  - {name: a, command: 'true'}\n";
    let p = format!("name: p1\ndescription: x\n{}", q.trim_start_matches("name: p2\n"));
    let host = host(q, &p);
    host.cli(&["reconcile", "--project", "../q"]).exits(0);
    let there = host.path().join("q/deployment.yaml");
    let refused = host.cli(&["reconcile", "--project", "../p", "-o", "markdown"]).exits(3);
    for (own, other, adopt) in [(4, 3, "--work-pool local"), (7, 6, "--work-pool local"), (9, 8, "a/a")] {
        let other = format!("{}:{other}:", there.display());
        let line = refused.out.lines().find(|line| line.contains(&format!("Refused: deployment.yaml:{own}:"))).unwrap_or_else(|| panic!("{own}: {}", refused.out));
        assert!(line.contains(&other) && line.contains(&format!("`reeve adopt {adopt} --project ")), "{line}");
    }
    host.cli(&["adopt", "--work-pool", "local", "a/a", "--project", "../p"]).exits(0).says(&["3 adopted"]);
}

#[test]
fn of_two_projects_with_one_name_neither_is_applied_until_they_differ() {
    let host = host(&one("prod", "a"), &one("prod", "b"));
    host.cli(&["reconcile", "--project", "../q"]).exits(0);
    let daemon = host.daemon_with(&["--project", "../p", "--project", "../q"], &[]);
    for directory in ["/p", "/q"] {
        let status = phase(&daemon, directory, "rejected");
        let problem = &status["problems"][0];
        assert_eq!(problem["code"], "project-served-twice");
        assert_eq!(problem["position"]["line"], 1, "{problem:#}");
        for root in ["p", "q"] {
            assert!(problem["message"].as_str().unwrap().contains(host.path().join(root).to_str().unwrap()), "{problem:#}");
        }
    }
    assert_eq!(names(&daemon), ["a"]);
    host.write("../p/deployment.yaml", &one("other", "b"));
    phase(&daemon, "/p", "idle");
    phase(&daemon, "/q", "idle");
    assert_eq!(names(&daemon), ["a", "b"]);
}

#[test]
fn a_directory_that_is_missing_keeps_no_other_project_from_being_served() {
    let host = host(&one("p2", "a"), &one("p1", "b"));
    fs::rename(host.path().join("p"), host.path().join("away")).unwrap();
    let daemon = host.daemon_with(&["--project", "../p", "--project", "../q"], &[]);
    phase(&daemon, "/q", "idle");
    let failing = phase(&daemon, "/p", "failing");
    assert!(failing["error"].as_str().unwrap().contains(host.path().join("p").to_str().unwrap()), "{failing:#}");
    host.cli(&["status"]).says(&["cannot be read"]);
    fs::rename(host.path().join("away"), host.path().join("p")).unwrap();
    phase(&daemon, "/p", "idle");
    assert_eq!(names(&daemon), ["a", "b"]);
    drop(daemon.interrupt());
    // One that the home knows is served, too; one that nobody knows was mistyped.
    fs::rename(host.path().join("p"), host.path().join("away")).unwrap();
    let daemon = host.daemon_with(&["--project", "../p"], &[]);
    phase(&daemon, "/p", "refused");
    drop(daemon.interrupt());
    host.cli(&["daemon", "--port", "0", "--project", "../gone"]).exits(1).says(&["gone", "cannot be served"]);
}

#[test]
fn a_bare_earlier_name_of_a_command_is_its_flows_too() {
    let host = Host::new(&one("etl", "old"));
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["deployment", "pause", "old"]).exits(0);
    host.write("deployment.yaml", "name: etl\ndeployments:\n  - {name: fresh, renamed_from: old, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0).says(&["was old/old", "1 renamed"]);
    host.cli(&["deployment", "ls"]).exits(0).says(&["fresh"]);
    host.write("deployment.yaml", "name: etl\ndeployments:\n  - {name: new, renamed_from: f/fresh, command: 'true'}\n");
    host.cli(&["reconcile", "-n"]).says(&["no deployment is called `f/fresh`", "renamed_from: fresh/fresh"]);
}

#[test]
fn a_misspelt_key_that_decides_what_runs_stops_nothing() {
    let host = Host::new("name: etl\ndeployments:\n  - {name: a, command: 'true', schedule: {cron: '0 2 * * *'}}\n  - {name: b, command: 'true'}\n");
    let daemon = host.daemon();
    daemon.reconciled();
    let good = host.read("deployment.yaml");
    for (right, wrong) in [("name: b", "nmae: b"), ("schedule: {cron", "scheduel: {cron"), ("name: b, ", "")] {
        host.write("deployment.yaml", &good.replace(right, wrong));
        daemon.phase("rejected");
        assert_eq!(names(&daemon), ["a", "b"]);
        host.write("deployment.yaml", &good);
        daemon.phase("idle");
    }
    drop(daemon.interrupt());
    // An entry that says something and nothing to run may be what is missed; an empty form is not.
    host.write("deployment.yaml", &good.replace("name: b, command: 'true'", "description: b"));
    host.cli(&["reconcile"]).exits(0).says(&["nothing is pruned while an entry of `deployment.yaml` has no name"]);
    host.write("deployment.yaml", &good.replace("name: b, command: 'true'", "name: null, work_pool: {name: null}"));
    host.cli(&["reconcile", "-n"]).exits(4).says(&["1 to prune"]);
    host.write("deployment.yaml", &good.replace("name: b", "xyz: 1, name: b"));
    let daemon = host.daemon_with(&["--strict"], &[]);
    daemon.phase("rejected");
}
