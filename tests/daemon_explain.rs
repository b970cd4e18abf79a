//! Every field of a deployment says where it comes from.
mod common;

use common::Host;
use serde_json::{Value, json};

const PROJECT: &str = "name: etl
work_pools: [{name: local, type: process}]
definitions:
  tags: &tags [shared]
deployments:
  - name: one
    entrypoint: etl.py:load
    tags: *tags
    parameters:
      days: 3
    work_pool: {name: local}
    work_queue_name: fast
    env: {DB_PASSWORD: hunter2}
    overlap: skip
    schedules:
      - cron: 0 9 * * *
        timezone: Europe/Berlin
        slug: early
      - {interval: 600, slug: often, active: false, overlap: allow}
  - name: text
    command: 'true'
    schedule: '0 9 * * *'
";
const CODE: &str = "def load(days: int = 1):\n    'Loads a day.'\n";

fn explained(host: &Host, name: &str) -> Vec<Value> {
    host.cli(&["deployment", "inspect", name, "--explain", "-o", "json"]).exits(0).json().as_array().unwrap().clone()
}

#[track_caller]
fn source<'a>(origins: &'a [Value], field: &str) -> (&'a Value, &'a Value) {
    let found = origins.iter().find(|origin| origin["field"] == field).unwrap_or_else(|| panic!("no {field} in {origins:#?}"));
    (&found["value"], &found["source"])
}

#[track_caller]
fn stands_at(origins: &[Value], field: &str, value: Value, line: u32) {
    let (found, source) = source(origins, field);
    let place = (&source["kind"], &source["file"], &source["line"], &source["changed_since"]);
    assert_eq!((found, place), (&value, (&json!("file"), &json!("deployment.yaml"), &json!(line), &json!(false))), "{field}");
}

#[test]
fn every_field_says_where_it_comes_from() {
    let host = Host::new(PROJECT);
    host.write("etl.py", CODE);
    host.cli(&["reconcile"]).exits(0);
    let origins = explained(&host, "one");
    for (field, value, line) in [
        ("entrypoint", json!("etl.py:load"), 7),
        ("tags", json!(["shared"]), 8),
        ("parameters/days", json!(3), 10),
        ("work_pool", json!("local"), 11),
        ("work_queue", json!("fast"), 12),
        ("env/DB_PASSWORD", json!("***"), 13),
        ("schedules/early/cron", json!("0 9 * * *"), 16),
        ("schedules/early/timezone", json!("Europe/Berlin"), 17),
        ("schedules/early/overlap", json!("skip"), 14),
        ("schedules/often/interval", json!(600), 19),
        ("schedules/often/active", json!(false), 19),
    ] {
        stands_at(&origins, field, value, line);
    }
    for field in ["retries", "paused", "version", "concurrency_limit", "schedules/early/active", "schedules/often/timezone"] {
        assert_eq!(source(&origins, field).1, &json!({"kind": "default"}), "{field}");
    }
    for field in ["description", "parameter_schema"] {
        assert_eq!(source(&origins, field).1, &json!({"kind": "code", "entrypoint": "etl.py:load"}), "{field}");
    }
    let text = explained(&host, "text");
    let key = text.iter().find_map(|origin| origin["field"].as_str()?.strip_suffix("/cron").map(str::to_owned)).unwrap();
    stands_at(&text, &format!("{key}/cron"), json!("0 9 * * *"), 22);
    stands_at(&text, "command", json!("true"), 21);
}

#[test]
fn overrides_changed_files_and_nobodys_objects_say_so() {
    let host = Host::new(PROJECT);
    host.write("etl.py", CODE);
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["deployment", "pause", "one", "--why", "move", "--until", "2099-01-01"]).exits(0);
    host.cli(&["deployment", "inspect", "one", "--explain"]).exits(0).says(&[
        "override by ", " until 2099-01-01T00:00:00Z: move", "without the override", "deployment.yaml:11", "source code of etl.py:load", "***",
    ]);
    let origins = explained(&host, "one");
    let (value, by) = source(&origins, "paused");
    assert_eq!((value, &by["kind"], &by["under"]), (&json!(true), &json!("override"), &json!({"value": false, "source": {"kind": "default"}})));

    // The file says something else now than what is applied.
    host.write("deployment.yaml", &PROJECT.replace("days: 3", "days: 4").replace("0 9 * * *\n        time", "0 8 * * *\n        time"));
    let origins = explained(&host, "one");
    for field in ["parameters/days", "schedules/early/cron"] {
        assert_eq!(source(&origins, field).1, &json!({"kind": "file", "file": "deployment.yaml", "changed_since": true}), "{field}");
    }
    stands_at(&origins, "work_pool", json!("local"), 11);
    host.cli(&["deployment", "inspect", "one", "--explain"]).exits(0).says(&["deployment.yaml (changed since)"]);
    host.write("deployment.yaml", "not: [a project");
    let origins = explained(&host, "one");
    assert_eq!(source(&origins, "work_pool").1["changed_since"], true);
    assert_eq!(source(&origins, "retries").1["kind"], "default");

    host.write("deployment.yaml", "name: etl\ndeployments: [{name: text, command: 'true'}]\n");
    host.cli(&["reconcile", "--allow-prune=3"]).exits(0);
    host.cli(&["restore", "one"]).exits(0);
    let origins = explained(&host, "one");
    for (field, kind) in [("work_pool", "client"), ("paused", "client"), ("retries", "default"), ("schedules/early/cron", "client")] {
        assert_eq!(source(&origins, field).1["kind"], kind, "{field}");
    }
}
