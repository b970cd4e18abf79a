//! Projects are listed and inspected; one whose files are gone keeps all that it owns until somebody says exactly how much goes.
mod common;

use common::{Host, until};
use std::fs;

const THREE: &str = "
name: etl
work_pools: [{name: local, type: process}]
deployments:
  - {name: one, command: 'true', work_pool: {name: local}, schedule: {interval: 3600}}
  - {name: two, command: 'true', work_pool: {name: local}}
";

#[test]
fn projects_are_listed_and_inspected() {
    let host = Host::new(THREE);
    host.cli(&["project", "ls"]).exits(0).says(&["No project was applied here yet"]);
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["project", "ls"]).exits(0).says(&["etl", host.project().to_str().unwrap(), "no daemon serves it"]);
    host.cli(&["project", "inspect", "etl"]).exits(0).says(&["Generation:  1", "1 work pool, 2 deployments"]);
    host.cli(&["project", "inspect", "other"]).exits(1).says(&["no project is called 'other' here", "reeve project ls"]);
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["project", "ls"]).exits(0).says(&["in sync"]);
    host.cli(&["reconcile", "--dry-run"]).exits(0);
    let project = daemon.get("/reeve/projects/etl");
    assert_eq!((&project["objects"]["deployments"], &project["status"]["observed_generation"]), (&2.into(), &1.into()));
    assert_eq!(project["status"]["conditions"][0]["kind"], "Synced");
    // Errors stay visible with their place, and what is not good is said.
    host.write("deployment.yaml", &THREE.replace("command", "comand"));
    daemon.phase("rejected");
    host.cli(&["status"]).exits(1).says(&["Synced: no for", "(FilesWrong)", "Failing: yes for"]);
    host.write("deployment.yaml", THREE);
    daemon.phase("idle");
    host.cli(&["status"]).exits(0).says(&["last error ", "deployment.yaml:5:", "generation 1"]);
}

#[test]
fn a_project_whose_files_are_gone_is_deleted_with_exactly_what_was_said() {
    let host = Host::new(THREE);
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["project", "delete", "etl"]).exits(3).says(&["project 'etl' is served by this daemon from ", "stop serving it first"]);
    host.cli(&["project", "delete", "other"]).exits(1).says(&["no project is called 'other' here: there are 'etl'"]);
    fs::remove_file(host.project().join("deployment.yaml")).unwrap();
    let words = "nothing is pruned: project 'etl' was applied from here, and its 3 objects stay; if it is gone for good, say `reeve project delete etl --allow-prune=3`";
    let refused = daemon.phase("refused");
    assert!(refused["reason"].as_str().unwrap().ends_with(words), "{refused:#}");
    host.cli(&["status"]).exits(3).says(&["held back for", words, "PruneBlocked: yes", "(FilesGone)"]);
    host.cli(&["reconcile"]).exits(3).says(&["holds no project file", words]);
    assert_eq!(daemon.get("/reeve/projects")[0]["objects"]["deployments"], 2);

    host.cli(&["project", "delete", "etl"]).exits(3).says(&["- one/one", "- two/two", "- local", "Refused", "say `reeve project delete etl --allow-prune=3`"]);
    host.cli(&["project", "delete", "etl", "--allow-prune=2"]).exits(3).says(&["--allow-prune=2 was given, but 3 would be pruned"]);
    host.cli(&["project", "delete", "etl", "--allow-prune=3", "--dry-run"]).exits(4).says(&["3 to prune", "runs to come: 24 vanish"]);
    assert_eq!(daemon.get("/reeve/projects").as_array().unwrap().len(), 1);
    host.cli(&["project", "delete", "etl", "--allow-prune=3"]).exits(0).says(&["3 pruned", "Deleted project 'etl'", "reeve restore"]);
    assert!(daemon.get("/reeve/projects").as_array().unwrap().is_empty());
    host.cli(&["deployment", "ls", "-o", "json"]).exits(0).says(&["[]"]);
    host.cli(&["restore"]).exits(0).says(&["one/one", "two/two"]);
    // The files come back, and with them everything.
    host.write("deployment.yaml", THREE);
    until("the daemon has applied it again", || (daemon.get("/reeve/projects").as_array().unwrap().len() == 1).then_some(()));
    daemon.line("3 restored");
}

#[test]
fn what_others_use_stays_and_is_nobodys() {
    let host = Host::new(THREE);
    host.cli(&["reconcile"]).exits(0);
    host.write("other/deployment.yaml", "name: other\ndeployments: [{name: three, command: 'true', work_pool: {name: local}}]\n");
    host.cli(&["reconcile", "--project", "other"]).exits(0);
    let kept = host.project();
    fs::rename(&kept, host.path().join("gone")).unwrap();
    fs::create_dir(&kept).unwrap();
    host.cli(&["reconcile"]).exits(3).says(&["reeve project delete etl --allow-prune=2"]);
    host.cli(&["project", "delete", "etl", "--allow-prune=2"]).exits(0).says(&["work pool `local` is no longer declared, but stays"]);
    host.cli(&["project", "ls"]).exits(0).says(&["other"]);
    host.cli(&["work-pool", "delete", "local"]).exits(3).says(&["work pool 'local' is named by 'three/three'"]);
    fs::remove_dir(&kept).unwrap();
    let mut elsewhere = host.command();
    let gone = kept.join("other");
    elsewhere.current_dir(host.path()).args(["reconcile", "--project", "project/other"]);
    let answer = common::Answer::of(&mut elsewhere, &["reconcile"]);
    answer.exits(3).says(&[gone.to_str().unwrap(), "reeve project delete other --allow-prune=1"]);
}

#[test]
fn a_project_that_is_still_declared_is_deleted_with_a_warning() {
    let host = Host::new(THREE);
    host.cli(&["reconcile"]).exits(0);
    let told = host.cli(&["project", "delete", "etl", "--dry-run"]).exits(3).says(&["still declare 3 objects", "the next reconcile there would bring them back"]);
    assert!(!told.out.contains("no longer in") && !told.out.contains("nothing is declared any more"), "{}", told.out);
}

#[test]
fn what_is_kept_is_told_as_kept_and_not_as_declared() {
    let host = Host::new("name: etl\nprune: false\ndeployments:\n  - {name: one, command: 'true'}\n  - {name: two, command: 'true', protect: true}\n  - {name: three, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0);
    host.write("deployment.yaml", "name: etl\nprune: false\ndeployments:\n  - {name: one, command: 'true'}\n");
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["deployment", "delete", "one"]).exits(3).says(&["is declared in deployment.yaml"]);
    host.cli(&["deployment", "delete", "two"]).exits(3).says(&["is no longer in deployment.yaml", "kept by its `protect: true`"]);
    host.cli(&["deployment", "delete", "three"]).exits(3).says(&["is no longer in deployment.yaml", "`prune: false`, take that away"]);
    let told = host.cli(&["deployment", "inspect", "two", "--explain"]).exits(0).says(&["deployment.yaml (no longer there"]);
    assert!(!told.out.contains("changed since"), "{}", told.out);
}
