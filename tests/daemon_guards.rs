//! What keeps a reconcile from doing what nobody meant: units that fail alone, a checkout in progress, protection, runs of what is
//! pruned, other projects' objects, and drift.
mod common;

use common::{Host, until};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::Command;

const GOOD: &str = "deployments:\n  - {name: good, command: 'true'}\n";

fn names(host: &Host) -> Vec<String> {
    let all = host.cli(&["deployment", "ls", "-o", "json"]).exits(0).json();
    let mut names: Vec<String> = all.as_array().unwrap().iter().map(|deployment| deployment["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_is_wrong_stays_as_it_was_and_the_others_go_on() {
    let host = Host::new("name: etl\natomicity: file\ninclude: parts/*.yaml\n");
    host.write("parts/a.yaml", GOOD);
    host.write("parts/b.yaml", "deployments:\n  - {name: other, command: 'true'}\n  - {name: leaves, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0).says(&["3 created", "applied   parts/a.yaml", "applied   parts/b.yaml"]);

    host.write("parts/a.yaml", "deployments:\n  - {name: good, command: 'true', description: changed}\n  - {name: more, command: 'true'}\n");
    host.write("parts/b.yaml", "deployments:\n  - {name: other, comand: 'true'}\n");
    let said = ["applied   parts/a.yaml", "failed    parts/b.yaml: parts/b.yaml:2:", "does not say what to run", "1 created, 1 updated"];
    host.cli(&["reconcile", "--dry-run"]).exits(1).says(&["pending   parts/a.yaml", "failed    parts/b.yaml"]);
    let report = host.cli(&["reconcile"]).exits(1).says(&said);
    assert!(!report.out.contains("- leaves"), "nothing is pruned while a file cannot be read:\n{}", report.out);
    assert_eq!(names(&host), ["good", "leaves", "more", "other"]);

    let daemon = host.daemon();
    daemon.phase("rejected");
    host.cli(&["status"]).says(&["parts/b.yaml:2:"]);
    host.write("parts/b.yaml", "deployments:\n  - {name: other, command: 'true'}\n");
    daemon.phase("idle");
    assert_eq!(names(&host), ["good", "more", "other"]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_unit_like_one_that_is_wrong() {
    let host = Host::new("name: etl\natomicity: file\ninclude: parts/*.yaml\n");
    host.write("parts/a.yaml", GOOD);
    host.write("parts/b.yaml", "deployments:\n  - {name: other, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0).says(&["2 created"]);
    let dangling = host.project().join("parts/b.yaml");
    fs::remove_file(&dangling).unwrap();
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    host.write("parts/a.yaml", "deployments:\n  - {name: more, command: 'true'}\n");
    let said = ["applied   parts/a.yaml", "failed    parts/b.yaml: parts/b.yaml:1:1: ", "the file cannot be read", "1 created"];
    host.cli(&["reconcile"]).exits(1).says(&said);
    assert_eq!(names(&host), ["good", "more", "other"], "nothing is pruned meanwhile");
    host.write("deployment.yaml", "name: etl\ninclude: parts/*.yaml\n");
    host.cli(&["reconcile"]).exits(1).says(&["parts/b.yaml:1:1", "the file cannot be read"]);
    assert_eq!(names(&host), ["good", "more", "other"]);
}

#[test]
fn a_deployment_that_is_wrong_keeps_no_other_from_being_applied() {
    let host = Host::new("name: etl\natomicity: deployment\ndeployments:\n  - {name: a, command: 'true'}\n  - {name: b, command: 'true', retries: many}\n");
    let report = host.cli(&["reconcile", "-o", "json"]).exits(1).json();
    let outcome = |unit: &str| report["units"].as_array().unwrap().iter().find(|found| found["unit"] == unit).map(|unit| unit["outcome"].clone());
    assert_eq!((outcome("a/a"), outcome("b/b")), (Some("applied".into()), Some("failed".into())), "{report:#}");
    assert_eq!(names(&host), ["a"]);
    host.write("deployment.yaml", "name: etl\natomicity: deployment\ndeployments:\n  - {name: b, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0).says(&["1 created", "1 pruned"]);
}

#[test]
fn g6_nothing_is_pruned_while_git_checks_out() {
    let host = Host::new("name: etl\ndeployments:\n  - {name: stays, command: 'true'}\n  - {name: leaves, command: 'true'}\n");
    let git = |arguments: &[&str]| assert!(Command::new("git").arg("-C").arg(host.project()).args(arguments).output().unwrap().status.success());
    git(&["init", "-q"]);
    host.cli(&["reconcile"]).exits(0);
    let lock = host.project().join(".git/index.lock");
    fs::write(&lock, "").unwrap();
    host.write("deployment.yaml", "name: etl\ndeployments:\n  - {name: stays, command: 'true'}\n");
    host.cli(&["reconcile", "--allow-prune=1"]).exits(3).says(&["a checkout is in progress", ".git/index.lock"]);
    let daemon = host.daemon();
    daemon.phase("refused");
    host.cli(&["status"]).says(&["a checkout is in progress"]);
    assert_eq!(names(&host), ["leaves", "stays"]);
    // That the checkout has ended is noticed without an edit.
    fs::remove_file(&lock).unwrap();
    daemon.phase("idle");
    assert_eq!(names(&host), ["stays"]);
}

#[test]
fn runs_in_progress_of_a_pruned_deployment_finish_or_are_cancelled_as_it_says() {
    let host = Host::new("
name: etl
deployments:
  - {name: finishes, command: 'while [ ! -e go ]; do sleep 0.02; done'}
  - {name: cancelled, command: 'sleep 600', on_delete: cancel}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let (finishes, cancelled) = (daemon.run("finishes"), daemon.run("cancelled"));
    drop((daemon.running(&finishes), daemon.running(&cancelled)));
    host.write("deployment.yaml", "name: etl\ndeployments: []\n");
    host.cli(&["reconcile", "--dry-run"]).exits(3).says(&["in progress: 1 run is cancelled", "in progress: 1 run goes on to its end", "--allow-prune=2"]);
    host.cli(&["reconcile", "--allow-prune=2"]).exits(0).says(&["2 pruned"]);
    let end = daemon.end_of(&cancelled);
    assert_eq!(end["state_name"], "Cancelled", "{end:#}");
    fs::write(host.project().join("go"), "").unwrap();
    assert_eq!(daemon.end_of(&finishes)["state_name"], "Completed");
}

#[test]
fn a_daemon_that_was_away_while_a_deployment_was_pruned_cancels_its_runs_when_it_comes_back() {
    let host = Host::new("name: etl\ndeployments:\n  - {name: long, command: 'sleep 600', on_delete: cancel}\n  - {name: stays, command: 'true'}\n");
    let daemon = host.daemon();
    daemon.reconciled();
    let long = daemon.run("long");
    drop(daemon.running(&long));
    daemon.kill();
    host.write("deployment.yaml", "name: etl\ndeployments:\n  - {name: stays, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0).says(&["1 pruned"]);
    let daemon = host.daemon();
    let end = daemon.end_of(&long);
    assert_eq!(end["state_name"], "Cancelled", "{end:#}");
}

#[test]
fn what_is_protected_or_not_to_be_pruned_goes_on() {
    let host = Host::new("name: etl\ndeployments:\n  - {name: a, command: 'true'}\n  - {name: precious, command: 'true', protect: true}\n");
    host.cli(&["reconcile"]).exits(0);
    host.write("deployment.yaml", "name: etl\ndeployments:\n  - {name: a, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0).says(&["1 object is no longer declared and stays: precious/precious"]);
    host.cli(&["reconcile", "--verbose"]).exits(0).says(&["set `protect: false`"]);
    assert_eq!(names(&host), ["a", "precious"]);
    host.write("deployment.yaml", "name: etl\nprune: false\ndeployments:\n  - {name: b, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0).says(&["1 created", "a/a"]);
    assert_eq!(names(&host), ["a", "b", "precious"]);
}

#[test]
fn a_project_takes_over_what_another_declared_and_keeps_its_id() {
    let host = Host::new("name: one\ndeployments:\n  - {name: moves, command: 'true'}\n  - {name: stays, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0);
    let id = |host: &Host| host.cli(&["deployment", "inspect", "moves", "-o", "json"]).exits(0).json()["id"].clone();
    let before = id(&host);
    host.write("deployment.yaml", "name: two\ndeployments:\n  - {name: moves, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(3).says(&["`name:` was `one` and is `two` now", "reeve adopt FLOW/NAME"]);
    host.cli(&["adopt", "moves", "--dry-run"]).exits(2).says(&["moves/moves"]);
    host.cli(&["adopt", "moves"]).exits(0).says(&["taken over from the project `one`"]);
    assert_eq!(id(&host), before);
    host.cli(&["reconcile"]).exits(0).says(&["In sync"]);
    host.write("deployment.yaml", "name: one\ndeployments:\n  - {name: moves, command: 'true'}\n  - {name: stays, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(3).says(&["`name:` was `two` and is `one` now"]);
}

#[test]
fn what_was_edited_while_nobody_owned_it_has_drifted() {
    let entry = "  - {name: nightly, command: 'true', schedule: {cron: 0 2 * * *}}\n";
    let host = Host::new(&format!("name: etl\ndeployments:\n  - {{name: a, command: 'true'}}\n{entry}"));
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["reconcile", "--drift-only"]).exits(0).says(&["In sync"]);
    host.write("deployment.yaml", "name: etl\ndeployments:\n  - {name: a, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0).says(&["1 pruned"]);
    host.cli(&["restore", "nightly/nightly"]).exits(0);
    host.cli(&["deployment", "pause", "nightly"]).exits(0);
    host.write("deployment.yaml", &format!("name: etl\ndeployments:\n  - {{name: a, command: 'true'}}\n{entry}"));
    host.cli(&["reconcile", "--drift-only"]).exits(5).says(&["nightly/nightly", "paused: true -> false"]);
    host.cli(&["reconcile", "--drift-only", "--fail-on", "changes"]).exits(0);
    assert_eq!(host.cli(&["deployment", "inspect", "nightly", "-o", "json"]).json()["paused"], Value::Bool(true), "it only reads");
    // Who is not to correct takes it over as it stands.
    host.write("deployment.yaml", &format!("name: etl\ndrift: report\ndeployments:\n  - {{name: a, command: 'true'}}\n{entry}"));
    let paused = || host.cli(&["deployment", "inspect", "nightly", "-o", "json"]).json()["paused"].clone();
    host.cli(&["reconcile"]).exits(0).says(&["nightly/nightly", "1 adopted"]);
    assert_eq!(paused(), Value::Bool(true));
    host.cli(&["reconcile", "--dry-run"]).exits(5).says(&["paused: true -> false", "1 drifted and left so"]);
    host.write("deployment.yaml", &format!("name: etl\ndrift: ignore\ndeployments:\n  - {{name: a, command: 'true'}}\n{entry}"));
    host.cli(&["reconcile"]).exits(0).says(&["In sync"]);
    assert_eq!(paused(), Value::Bool(true));
    host.write("deployment.yaml", &format!("name: etl\ndeployments:\n  - {{name: a, command: 'true'}}\n{entry}"));
    host.cli(&["reconcile"]).exits(0).says(&["1 corrected (drift)"]);
    assert_eq!(paused(), Value::Bool(false));
    host.cli(&["reconcile", "--drift-only"]).exits(0);
}

#[test]
fn a_pull_request_is_planned_against_a_daemon_elsewhere_with_the_files_that_lie_here() {
    let text = "name: etl\ninclude: parts/*.yaml\ndeployments:\n  - {name: a, entrypoint: 'flow.py:main', parameters: {days: 7}}\n";
    let python = "def main(days: int = 1):\n    pass\n";
    let production = Host::new(text);
    production.write("flow.py", python);
    production.write("parts/b.yaml", GOOD);
    let daemon = production.daemon();
    daemon.reconciled();
    let api = format!("http://{}/api", daemon.address);

    let checkout = Host::new(&text.replace("days: 7", "days: 9"));
    checkout.write("flow.py", python);
    checkout.write("parts/b.yaml", GOOD);
    let plan = ["reconcile", "--dry-run", "--api", &api];
    checkout.cli(&plan).exits(2).says(&["~ main/a  deployment.yaml:4:5", "parameters/days: 7 -> 9", "1 to update, 1 unchanged"]);
    checkout.write("deployment.yaml", &text.replace("days: 7", "days: soon"));
    checkout.cli(&plan).exits(1).says(&["deployment.yaml:4:"]);
    checkout.write("deployment.yaml", text);
    checkout.cli(&plan).exits(0).says(&["In sync"]);
    assert!(!checkout.home().exists(), "no home is needed");
    let elsewhere = ["reconcile", "--dry-run", "--api", "http://reeve.example.org/api"];
    let refused = checkout.command().args(elsewhere).env("REEVE_API_KEY", "secret").output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in the clear"), "{refused:?}");
    assert_eq!(daemon.get("/reeve/projects")[0]["root"], production.project().to_str().unwrap());
    until("the daemon is as it was", || (daemon.phase("idle")["generation"] == 1).then_some(()));
}

#[test]
fn g6_files_that_were_not_named_lose_nothing_unasked() {
    let host = Host::new("name: other\ndeployments: []\n");
    host.write("a.yaml", "name: etl\ndeployments:\n  - {name: one, command: 'true'}\n");
    host.write("b.yaml", "name: etl\ndeployments:\n  - {name: two, command: 'true'}\n");
    host.cli(&["reconcile", "-f", "a.yaml", "-f", "b.yaml"]).exits(0).says(&["2 created"]);
    let subset = ["reconcile", "-f", "a.yaml"];
    let said = ["`b.yaml` is there and was not read, and 1 object from there", "reeve reconcile -f a.yaml -f b.yaml", "--allow-prune=1"];
    host.cli(&subset).exits(3).says(&said).says(&["- two/two  from b.yaml, which was not read"]);
    host.cli(&["reconcile", "-f", "a.yaml", "--dry-run"]).exits(3).says(&said);
    assert_eq!(names(&host), ["one", "two"]);
    host.cli(&["reconcile", "-f", "a.yaml", "-f", "b.yaml"]).exits(0).says(&["In sync"]);
    host.remove("b.yaml");
    host.cli(&subset).exits(0).says(&["1 pruned"]);
    assert_eq!(names(&host), ["one"]);
}

#[test]
fn g6_a_directory_of_included_files_that_is_away_for_a_moment_loses_nothing() {
    let host = Host::new("name: etl\ninclude: jobs/*.yaml\ndeployments:\n  - {name: stays, command: 'true'}\n");
    host.write("jobs/a.yaml", GOOD);
    host.write("jobs/b.yaml", "deployments:\n  - {name: other, command: 'true'}\n");
    let daemon = host.daemon();
    daemon.reconciled();
    let (jobs, away) = (host.project().join("jobs"), host.path().join("away"));
    fs::rename(&jobs, &away).unwrap();
    let status = daemon.phase("refused");
    let said = "`jobs/*.yaml` matches no file any more, and 2 objects came from there";
    assert!(status["reason"].as_str().unwrap().starts_with(said), "{status:#}");
    let line = daemon.line(said);
    assert!(line.contains("WARN") && line.contains("--allow-prune=2"), "{line}");
    assert!(!daemon.said().lines().any(|line| line.contains("other/other") && line.contains(" - ")  && line.contains("ERROR")), "the plan is not said");
    host.cli(&["reconcile"]).exits(3).says(&[said, "--allow-prune=2"]);
    assert_eq!(names(&host), ["good", "other", "stays"]);
    fs::rename(&away, &jobs).unwrap();
    daemon.phase("idle");
    host.remove("jobs/b.yaml");
    until("one file of several that is gone is meant to be", || (names(&host) == ["good", "stays"]).then_some(()));
}

#[test]
fn g6_what_is_missing_from_a_file_that_is_being_written_is_not_pruned_and_its_runs_go_on() {
    let head = "name: etl\ndeployments:\n  - {name: first, command: 'true'}\n";
    let tail = "  - {name: long, command: 'sleep 600', on_delete: cancel}\n";
    let host = Host::new(&format!("{head}{tail}"));
    let daemon = host.daemon();
    daemon.reconciled();
    let long = daemon.run("long");
    drop(daemon.running(&long));
    let mut writer = fs::File::create(host.project().join("deployment.yaml")).unwrap();
    writer.write_all(head.as_bytes()).unwrap();
    let status = daemon.phase("refused");
    assert!(status["reason"].as_str().unwrap().starts_with("`deployment.yaml` is being written: 1 object would be pruned"), "{status:#}");
    daemon.line("`deployment.yaml` is being written");
    host.cli(&["reconcile", "--allow-prune=1"]).exits(3).says(&["`deployment.yaml` is being written"]);
    writer.write_all(tail.as_bytes()).unwrap();
    drop(writer);
    daemon.phase("idle");
    assert_eq!(names(&host), ["first", "long"]);
    assert_eq!(daemon.look(&long)["state_type"], "RUNNING");

    // What is meant is done when the file is closed, although its content changes no more.
    let mut writer = fs::File::create(host.project().join("deployment.yaml")).unwrap();
    writer.write_all(head.as_bytes()).unwrap();
    daemon.phase("refused");
    drop(writer);
    let end = daemon.end_of(&long);
    assert_eq!(end["state_name"], "Cancelled", "{end:#}");
    let message = end["state"]["message"].as_str().unwrap();
    assert!(message.starts_with("its deployment was pruned by the project 'etl' (on_delete: cancel)"), "{message}");
    assert_eq!(names(&host), ["first"]);
}

/// What is done to the project's files.
type Harm = fn(&Host);

#[test]
fn g6_whatever_is_wrong_with_the_files_nothing_is_pruned() {
    let text = "name: etl\ninclude: parts/*.yaml\ndeployments:\n  - {name: one, command: 'true'}\n  - {name: two, command: 'true'}\n";
    let harms: [(&str, Harm); 13] = [
        ("removed", |host| fs::remove_file(host.project().join("deployment.yaml")).unwrap()),
        ("the root removed", |host| fs::rename(host.project(), host.path().join("away")).unwrap()),
        ("the root emptied", |host| fs::rename(host.project(), host.path().join("away")).and_then(|()| fs::create_dir(host.project())).unwrap()),
        ("emptied", |host| host.write("deployment.yaml", "")),
        ("half written", |host| host.write("deployment.yaml", "name: etl\ndeployments:\n  - {name: one, comm")),
        ("of another kind", |host| host.write("deployment.yaml", "apiVersion: v1\nkind: Pod\n")),
        ("no text", |host| fs::write(host.project().join("deployment.yaml"), [0xff, 0xfe, 0x00]).unwrap()),
        ("a directory", |host| {
            fs::remove_file(host.project().join("deployment.yaml")).unwrap();
            fs::create_dir(host.project().join("deployment.yaml")).unwrap();
        }),
        ("a link to nothing", |host| {
            fs::remove_file(host.project().join("deployment.yaml")).unwrap();
            std::os::unix::fs::symlink("nowhere", host.project().join("deployment.yaml")).unwrap();
        }),
        ("too large", |host| fs::File::create(host.project().join("deployment.yaml")).unwrap().set_len(33 << 20).unwrap()),
        ("beside another", |host| host.write("deployment.yml", "deployments: []\n")),
        ("an included link to nothing", |host| {
            fs::remove_file(host.project().join("parts/more.yaml")).unwrap();
            std::os::unix::fs::symlink("nowhere", host.project().join("parts/more.yaml")).unwrap();
        }),
        ("an included link that leads out", |host| {
            fs::remove_file(host.project().join("parts/more.yaml")).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", host.project().join("parts/more.yaml")).unwrap();
        }),
    ];
    for (harm, harmed) in harms {
        let host = Host::new(text);
        host.write("parts/more.yaml", "deployments:\n  - {name: three, command: 'true'}\n");
        host.cli(&["reconcile"]).exits(0).says(&["3 created"]);
        harmed(&host);
        let project = host.project();
        let mut command = host.command();
        command.current_dir(host.path()).args(["reconcile", "--allow-prune=3", "--project"]).arg(&project);
        let said = command.output().unwrap();
        let code = said.status.code().unwrap();
        assert!(code == 1 || code == 3, "{harm}: {code} {}", String::from_utf8_lossy(&said.stderr));
        let listed = host.command().current_dir(host.path()).args(["deployment", "ls", "-o", "json"]).output().unwrap();
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!(listed.as_array().unwrap().len(), 3, "{harm}");
    }
}

#[test]
fn after_a_restart_with_a_wrong_file_the_status_still_says_what_is_in_force() {
    let host = Host::new("name: etl\ndeployments:\n  - {name: one, command: 'true'}\n  - {name: two, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0);
    host.write("deployment.yaml", "name: etl\ndeployments: [}\n");
    let daemon = host.daemon();
    let status = daemon.phase("rejected");
    assert_eq!((&status["name"], &status["generation"], &status["deployments"]), (&"etl".into(), &1.into(), &2.into()), "{status:#}");
    host.cli(&["status"]).says(&["etl", "2 deployments", "generation 1", "deployment.yaml:2:"]);
}
