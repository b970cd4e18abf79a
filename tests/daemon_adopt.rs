//! What nobody declares is taken over: by an entry that reeve writes, and without any change but whose it is.
mod common;

use common::Host;

const POOL: &str = "name: etl\nwork_pools: [{name: local, type: process}]\n";
const ONE: &str = "
deployments:
  - name: one
    command: [echo, 'a: b']
    tags: [x]
    parameters: {days: 3}
    work_pool: {name: local}
    retries: 2
    schedules:
      - {cron: '0 9 * * 1-5', timezone: Europe/Berlin, slug: early, overlap: skip}
      - {interval: 3600, active: false}
";

#[test]
fn the_printed_entry_is_adopted_without_a_change() {
    let host = Host::new(&format!("{POOL}{ONE}"));
    host.cli(&["reconcile"]).exits(0);
    host.write("deployment.yaml", &format!("{POOL}deployments: [{{name: two, command: x}}]\n"));
    host.cli(&["reconcile"]).exits(0).says(&["1 pruned"]);
    host.cli(&["restore", "one"]).exits(0);
    let printed = host.cli(&["adopt", "one"]).exits(1).says(&["do not declare 'one/one'", "add what is printed"]);
    assert!(printed.out.starts_with("deployments:\n  - name: one\n    tags: [x]\n"), "{}", printed.out);

    let entry = printed.out.strip_prefix("deployments:\n").unwrap();
    host.write("deployment.yaml", &format!("{POOL}deployments:\n  - {{name: two, command: x}}\n{entry}"));
    let planned = host.cli(&["reconcile", "--dry-run", "-o", "json"]).exits(2).json();
    let step = &planned["plan"]["steps"][0];
    assert_eq!((&step["action"], &step["name"]), (&"adopt".into(), &"one/one".into()));
    assert!(step.get("changes").is_none() && planned["plan"]["steps"].as_array().unwrap().len() == 1, "{planned:#}");
    host.cli(&["adopt", "one", "--dry-run"]).exits(2).says(&["one/one", "adopt: belongs to nobody", "1 to adopt"]);
    host.cli(&["adopt", "one"]).exits(0).says(&["1 adopted"]);
    host.cli(&["deployment", "inspect", "one"]).exits(0).says(&["deployment.yaml of project etl"]);
    host.cli(&["adopt", "one"]).exits(0).says(&["In sync"]);
    host.cli(&["adopt", "none"]).exits(1).says(&["there is no deployment 'none'"]);
}

#[test]
fn a_work_pool_is_written_with_its_queues_and_adopted() {
    let host = Host::new("name: etl\ndeployments: [{name: two, command: x}]\n");
    host.cli(&["work-pool", "create", "local", "--type", "process", "--concurrency-limit", "2"]).exits(0);
    host.cli(&["work-queue", "create", "fast", "--pool", "local", "--priority", "2"]).exits(0);
    let printed = host.cli(&["adopt", "--work-pool", "local"]).exits(1);
    assert_eq!(printed.out, "work_pools:\n  - name: local\n    type: process\n    concurrency_limit: 2\n    queues:\n      - name: fast\n        priority: 2\n");
    host.write("deployment.yaml", &format!("name: etl\n{}deployments: [{{name: two, command: x}}]\n", printed.out));
    host.cli(&["adopt", "--work-pool", "local"]).exits(0).says(&["adopted", "1 created"]);
    host.cli(&["reconcile"]).exits(0).says(&["In sync"]);
}

#[test]
fn what_is_taken_from_a_project_is_to_be_removed_there() {
    let host = Host::new("name: etl\ndeployments: [{name: two, command: x}]\n");
    host.cli(&["reconcile"]).exits(0);
    host.write("other/deployment.yaml", "name: other\ndeployments: [{name: two, command: x}]\n");
    let place = "project/deployment.yaml:2:15 too: until then project 'etl' is held back";
    host.cli(&["adopt", "two", "--project", "other", "--dry-run"]).exits(2).says(&["Remove deployment 'two/two' at ", place]);
    host.cli(&["adopt", "two", "--project", "other"]).exits(0).says(&["1 adopted", place]);
}
