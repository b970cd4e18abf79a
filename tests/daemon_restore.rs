//! What was pruned comes back with its id and history, belongs to nobody then, and is taken over when it is declared again.
mod common;

use common::{Host, daemon::id};

const POOL: &str = "name: etl\nwork_pools: [{name: local, type: process}]\n";
const TWO: &str = "
deployments:
  - {name: one, command: 'true', work_pool: {name: local}, schedule: {interval: 3600}}
  - {name: two, command: 'true', work_pool: {name: local}}
";
const ONLY_TWO: &str = "deployments: [{name: two, command: 'true', work_pool: {name: local}}]\n";

#[test]
fn a_pruned_deployment_comes_back_as_nobodys_and_is_adopted_when_it_is_declared_again() {
    let host = Host::new(&format!("{POOL}{TWO}"));
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["restore"]).exits(0).says(&["Nothing was pruned in the last 7 days."]);
    daemon.outcome("one");
    host.cli(&["deployment", "pause", "one"]).exits(0);
    let before = daemon.deployment("one");
    host.write("deployment.yaml", &format!("{POOL}{ONLY_TWO}"));
    daemon.line("1 pruned");
    host.cli(&["restore"]).exits(0).says(&["one/one", "etl", "Can Be Restored Until"]);
    let listed = host.cli(&["restore", "-o", "json"]).exits(0).json();
    assert_eq!((&listed[0]["id"], &listed[0]["file"]), (&before["id"], &"deployment.yaml".into()));

    host.cli(&["restore", "onee"]).exits(1).says(&["nothing called 'onee' was pruned", "did you mean one/one?"]);
    host.cli(&["restore", "two/two"]).exits(1).says(&["'two/two' is there", "declared in deployment.yaml of project 'etl': there is nothing to restore"]);
    host.cli(&["restore", "one"]).exits(0).says(&[
        &format!("Restored deployment 'one/one' with its id {}", id(&before)),
        "It belongs to no project now: declare it again to have it kept equal to git.",
        "It is paused, as it was",
    ]);
    let after = daemon.deployment("one");
    assert_eq!((&after["id"], &after["paused"], &after["schedules"][0]["id"]), (&before["id"], &before["paused"], &before["schedules"][0]["id"]));
    assert!(daemon.runs_of("one").iter().any(|run| run["state_type"] == "COMPLETED"), "its history is gone");
    host.cli(&["override", "ls"]).exits(0).says(&["There are no overrides"]);
    host.cli(&["restore"]).exits(0).says(&["Nothing was pruned"]);

    // Its project neither prunes it again nor changes it, until it is declared again.
    host.cli(&["reconcile"]).exits(0).says(&["In sync"]);
    host.write("deployment.yaml", &format!("{POOL}{TWO}"));
    daemon.line("1 adopted");
    assert_eq!(daemon.deployment("one")["id"], before["id"]);
}

#[test]
fn a_pruned_pool_comes_back_with_its_override_from_the_file_and_by_hand() {
    let host = Host::new(&format!("{POOL}{TWO}"));
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["work-pool", "pause", "local", "--why", "disk"]).exits(0);
    let pool = || host.cli(&["work-pool", "inspect", "local", "-o", "json"]).exits(0).json();
    let before = pool();
    let remove = || {
        host.write("deployment.yaml", "name: etl\ndeployments: []\n");
        host.cli(&["reconcile", "--allow-prune=3"]).exits(0)
    };
    remove().says(&["prune: with its override paused = true, set by", "kept 7 days for `reeve restore`"]);
    host.cli(&["restore"]).exits(0).says(&["work pool", "local", "work queue", "local/default"]);
    host.write("deployment.yaml", &format!("{POOL}{TWO}"));
    host.cli(&["reconcile"]).exits(0).says(&["3 restored", "restore: was pruned, and is declared again"]);
    assert_eq!((&pool()["id"], &pool()["is_paused"]), (&before["id"], &true.into()));
    host.cli(&["override", "ls"]).exits(0).says(&["local", "paused"]);

    remove();
    host.cli(&["restore", "--work-queue", "local/default"]).exits(1).says(&["its work pool 'local' is gone", "reeve restore --work-pool 'local'"]);
    host.cli(&["restore", "--work-pool", "none"]).exits(1).says(&["no work pool called 'none' was pruned"]);
    host.cli(&["restore", "--work-pool", "local"]).exits(0).says(&[
        "Restored work pool 'local' with its id", "it is paused, as it was", "Restored work queue 'local/default'", "It belongs to no project now",
    ]);
    assert_eq!((&pool()["id"], &pool()["is_paused"]), (&before["id"], &true.into()));
    host.cli(&["restore", "--work-pool", "local"]).exits(1).says(&["the work pool 'local' is there: there is nothing to restore"]);
}

#[test]
fn a_name_that_is_taken_and_a_pool_that_is_gone_are_told() {
    let host = Host::new(&format!("{POOL}{TWO}"));
    host.cli(&["reconcile"]).exits(0);
    host.write("deployment.yaml", &POOL.replace("[{name: local, type: process}]", "[]"));
    host.cli(&["reconcile", "--allow-prune=3"]).exits(0);
    host.cli(&["restore", "two/two"]).exits(0).says(&["Its work pool 'local' is gone", "reeve restore --work-pool 'local'"]);
    // Another project has taken the name meanwhile.
    host.write("other/deployment.yaml", "name: other\ndeployments: [{name: one, command: 'true'}]\n");
    host.cli(&["reconcile", "--project", "other"]).exits(0).says(&["1 created"]);
    host.cli(&["restore", "one/one"]).exits(1).says(&["'one/one' is there", "of project 'other'", "remove or rename that one there first"]);
}
