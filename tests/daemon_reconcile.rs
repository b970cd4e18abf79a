//! `reeve reconcile` beside a daemon and without one: the plan is the apply, nothing is pruned unasked, overrides stand.
mod common;

use common::{Answer, Daemon, Host, daemon::id, until};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// A project of so many deployments, each with a yearly schedule, in one pool.
fn many(count: usize) -> String {
    let deployments: String = (0..count)
        .map(|number| format!("  - {{name: job-{number}, command: 'true', work_pool: {{name: pool}}, schedules: [{{cron: 0 0 1 1 *, slug: yearly}}]}}\n"))
        .collect();
    format!("name: many\nwork_pools: [{{name: pool, type: process}}]\ndeployments:{}\n{deployments}", if count == 0 { " []" } else { "" })
}

/// The same steps once without a daemon, and once beside one that serves another project.
fn both_ways(manifest: &str, test: impl Fn(&Host, &str)) {
    for way in ["without a daemon", "beside a daemon"] {
        let host = Host::new(manifest);
        let other = host.path().join("elsewhere");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("deployment.yaml"), "name: elsewhere\ndeployments: [{name: stays, command: 'true'}]\n").unwrap();
        let daemon = (way == "beside a daemon").then(|| host.daemon_with(&["--project", other.to_str().unwrap()], &[]));
        if let Some(daemon) = &daemon {
            daemon.reconciled();
        }
        test(&host, way);
        if let Some(daemon) = &daemon {
            assert_eq!(daemon.deployment("stays")["name"], "stays", "another project's deployment is gone");
        }
    }
}

fn dry_run(host: &Host) -> Answer {
    host.cli(&["reconcile", "--dry-run", "-o", "json"])
}

fn revision(host: &Host) -> Value {
    dry_run(host).json()["plan"]["base_revision"].clone()
}

/// What identifies each object that a plan concerns: (action, kind, name) -> id, and so what is made along with it.
fn ids(report: &Value) -> BTreeMap<String, Value> {
    let mut ids = BTreeMap::new();
    for step in report["plan"]["steps"].as_array().unwrap() {
        let name = format!("{} {} {}", step["action"], step["kind"], step["name"]);
        ids.insert(name, step["id"].clone());
        for made in step["makes"].as_array().into_iter().flatten() {
            ids.insert(format!("made {} {}", made["kind"], made["name"]), made["id"].clone());
        }
    }
    ids
}

#[test]
fn the_exit_codes_are_those_of_the_table() {
    both_ways(&many(3), |host, way| {
        dry_run(host).exits(2);
        host.cli(&["reconcile"]).exits(0).says(&["4 created"]);
        dry_run(host).exits(0);
        host.cli(&["reconcile"]).exits(0).says(&["In sync: nothing to change, 4 objects"]);
        host.write("deployment.yaml", &many(2));
        host.cli(&["reconcile", "--dry-run"]).exits(4).says(&["- job-2/job-2", "1 to prune"]);
        host.write("deployment.yaml", "name: many\ndeployments: []\n");
        host.cli(&["reconcile", "--dry-run"]).exits(3);
        host.cli(&["reconcile"]).exits(3);
        host.write("deployment.yaml", "deployments: [{name: x, comand: 'true'}]");
        host.cli(&["reconcile", "--dry-run"]).exits(1).says(&["deployment.yaml:1:"]);
        host.cli(&["reconcile"]).exits(1).says(&["nothing was changed"]);
        host.cli(&["reconcile", "--no-such-flag"]).exits(1);
        host.cli(&["reconcile", "--project", "nowhere"]).exits(1).says(&["nowhere"]);
        host.write("deployment.yaml", &many(3));
        assert_eq!(dry_run(host).exits(0).json()["plan"]["counts"]["unchanged"], 4, "{way}: all that was refused changed something");
    });
}

#[test]
fn g9_a_dry_run_makes_no_home_and_writes_nothing_into_one() {
    let host = Host::new(&many(3));
    dry_run(&host).exits(2);
    host.cli(&["reconcile", "-n"]).exits(2).says(&["4 to create"]);
    for looking in [&["status"][..], &["deployment", "ls"], &["flow-run", "ls"], &["work-pool", "ls"], &["work-queue", "ls"], &["validate"]] {
        host.cli(looking);
    }
    assert!(!host.home().exists(), "looking made a home");
    host.cli(&["reconcile"]).exits(0);
    let before = host.home_as_it_is();
    host.write("deployment.yaml", &many(4));
    dry_run(&host).exits(2);
    host.cli(&["deployment", "ls"]).exits(0);
    assert!(host.home_as_it_is() == before, "a dry run wrote into the home");
}

#[test]
fn g9_a_dry_run_beside_a_daemon_changes_nothing() {
    let host = Host::new("name: other\ndeployments: []\n");
    fs::create_dir(host.path().join("more")).unwrap();
    fs::write(host.path().join("more/deployment.yaml"), many(3)).unwrap();
    let daemon = host.daemon();
    daemon.reconciled();
    let dry = || host.cli(&["reconcile", "-n", "-o", "json", "--project", "../more"]).exits(2).json();
    let first = dry();
    assert_eq!(dry()["plan"]["base_revision"], first["plan"]["base_revision"]);
    assert_eq!(daemon.post("/deployments/count", json!({})), 0);
    assert_eq!(first["applied"], false);
}

#[test]
fn g9_the_ids_of_a_plan_are_those_of_the_apply() {
    both_ways(&many(1), |host, way| {
        host.cli(&["reconcile"]).exits(0);
        // Creates, an update, a prune and a restore at once.
        host.write("deployment.yaml", &many(3));
        host.cli(&["reconcile"]).exits(0);
        host.write("deployment.yaml", &many(2));
        host.cli(&["reconcile"]).exits(0);
        let text = many(5).replace("name: job-1,", "name: job-1, description: changed,").replace("  - {name: job-0,", "  - {name: job-9,");
        host.write("deployment.yaml", &text);
        let planned = dry_run(host).exits(4).json();
        let again = dry_run(host).exits(4).json();
        assert_eq!(ids(&planned), ids(&again), "{way}");
        let applied = host.cli(&["reconcile", "-o", "json"]).exits(0).json();
        assert_eq!(applied["applied"], true);
        assert_eq!(ids(&applied), ids(&planned), "{way}: the plan was not the apply");
        let stored = host.cli(&["deployment", "ls", "-o", "json"]).exits(0).json();
        let expected = ids(&planned);
        for deployment in stored.as_array().unwrap() {
            let name = deployment["reeve"]["full_name"].as_str().unwrap();
            for action in ["create", "update", "restore"] {
                if let Some(planned) = expected.get(&format!("\"{action}\" \"deployment\" \"{name}\"")) {
                    assert_eq!(&deployment["id"], planned, "{way}: {name}");
                }
            }
        }
        let actions: Vec<&str> = planned["plan"]["steps"].as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect();
        for action in ["create", "update", "restore"] {
            assert!(actions.contains(&action), "{way}: nothing to {action} in {actions:?}");
        }
    });
}

#[test]
fn the_json_of_a_plan_is_as_its_schema_says() {
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/plan.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let fits = |report: &Value| {
        let errors: Vec<String> = schema.iter_errors(report).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
    };
    both_ways(&many(10), |host, _| {
        fits(&dry_run(host).exits(2).json());
        fits(&host.cli(&["reconcile", "-o", "json"]).exits(0).json());
        fits(&dry_run(host).exits(0).json());
        host.cli(&["deployment", "pause", "job-0"]).exits(0);
        host.write("deployment.yaml", &many(4).replace("name: job-0,", "name: job-0, description: changed, paused: false,"));
        let refused = dry_run(host).exits(3).json();
        fits(&refused);
        let refusal = &refused["plan"]["refusals"][0];
        assert_eq!((&refusal["code"], &refusal["say"]), (&"prunes-many".into(), &"--allow-prune=6".into()));
        assert!(refusal["message"].as_str().unwrap().starts_with("6 of the project's"), "{refusal}");
        assert_eq!(refused["plan"]["shadowed"][0]["field"], "paused");
    });
}

#[test]
fn g6_pruning_many_is_refused_until_the_number_is_said() {
    both_ways(&many(10), |host, way| {
        host.cli(&["reconcile"]).exits(0);
        let before = revision(host);
        host.write("deployment.yaml", &many(3));
        host.cli(&["reconcile", "--dry-run"]).exits(3).says(&["--allow-prune=7"]);
        host.cli(&["reconcile"]).exits(3).says(&["7 of the project's 11 objects", "--allow-prune=7", "nothing is written"]);
        host.cli(&["reconcile", "--allow-prune=6"]).exits(3).says(&["--allow-prune=7"]);
        assert_eq!(revision(host), before, "{way}: something was written");
        host.cli(&["reconcile", "--dry-run", "--allow-prune=7"]).exits(4);
        host.cli(&["reconcile", "--allow-prune=7"]).exits(0).says(&["7 pruned"]);
        host.cli(&["reconcile", "--allow-prune=7"]).exits(0).says(&["In sync"]);
        host.write("deployment.yaml", &many(0).replace("work_pools: [{name: pool, type: process}]\n", ""));
        host.cli(&["reconcile"]).exits(3).says(&["nothing is declared any more", "--allow-prune=4"]);
        host.write("deployment.yaml", "");
        host.cli(&["reconcile"]).exits(1);
        let left = host.cli(&["deployment", "ls", "-o", "json"]).json();
        let ours = left.as_array().unwrap().iter().filter(|deployment| deployment["reeve"]["project"] == "many").count();
        assert_eq!(ours, 3, "{way}: {left:#}");
    });
}

#[test]
fn g6_what_others_made_is_never_pruned() {
    both_ways(&many(1), |host, way| {
        host.cli(&["reconcile"]).exits(0);
        host.cli(&["work-pool", "create", "--type", "process", "by-hand"]).exits(0);
        host.cli(&["work-queue", "create", "--pool", "pool", "queue-by-hand"]).exits(0);
        // Another project in another directory.
        let second = host.path().join("second");
        fs::create_dir(&second).unwrap();
        fs::write(second.join("deployment.yaml"), "name: second\ndeployments: [{name: theirs, command: 'true'}]\n").unwrap();
        let second = second.to_str().unwrap();
        host.cli(&["reconcile", "--project", second]).exits(0);
        host.cli(&["reconcile"]).exits(0).says(&["In sync"]);
        host.write("deployment.yaml", &many(2));
        let report = host.cli(&["reconcile", "-o", "json"]).exits(0).json();
        assert_eq!(report["plan"]["counts"]["prune"], 0, "{way}: {report:#}");
        host.cli(&["work-pool", "inspect", "by-hand"]).exits(0);
        host.cli(&["work-queue", "inspect", "--pool", "pool", "queue-by-hand"]).exits(0);
        host.cli(&["deployment", "inspect", "theirs"]).exits(0);
        // And what another project owns cannot be taken over.
        host.write("deployment.yaml", &format!("{}  - {{name: theirs, command: 'echo ours'}}\n", many(2)));
        host.cli(&["reconcile"]).exits(3).says(&["belongs to the project `second`"]);
        host.cli(&["deployment", "inspect", "theirs", "-o", "json"]).exits(0).says(&["\"project\": \"second\""]);
    });
}

#[test]
fn what_a_project_declares_is_not_deleted_by_hand() {
    both_ways(&many(1), |host, _| {
        host.cli(&["reconcile"]).exits(0);
        host.cli(&["deployment", "delete", "job-0"]).exits(3).says(&["deployment.yaml", "remove it there"]);
        host.cli(&["work-pool", "delete", "pool"]).exits(3).says(&["deployment.yaml"]);
        host.cli(&["reconcile", "-n"]).exits(0);
    });
}

const TICKING: &str = "
name: ticking
deployments:
  - {name: clock, command: 'true', schedule: {interval: 1}}
";

fn with_tick() -> String {
    format!("{TICKING}  - {{name: tick, command: 'true', schedule: {{interval: 1}}}}\n")
}

/// Waits until a slot of `tick` has been run.
fn fires(daemon: &Daemon) {
    daemon.reconciled();
    until("it fires", || daemon.runs_of("tick").iter().any(|run| run["state_type"] == "COMPLETED").then_some(()));
}

/// Waits until the clock has run so many slots that are due after now.
fn slots_pass(daemon: &Daemon, count: usize) {
    slots_pass_of(daemon, "clock", count);
}

fn slots_pass_of(daemon: &Daemon, deployment: &str, count: usize) {
    let now = Timestamp::now();
    let past = |run: &&Value| slot(run) > now && run["state_type"] == "COMPLETED";
    until("slots pass", || (daemon.runs_of(deployment).iter().filter(past).count() >= count).then_some(()));
}

/// Whether a run of a slot after `instant` was begun after it. One that was claimed before, a moment ahead of its slot, stands.
fn fired_after(daemon: &Daemon, run: &Value, instant: Timestamp) -> bool {
    let states = daemon.get(&format!("/flow_run_states/?flow_run_id={}", id(run)));
    let claim = states.as_array().unwrap().iter().find(|state| state["type"] == "PENDING");
    let claimed = claim.map(|state| state["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap());
    slot(run) > instant && claimed.is_none_or(|claimed| claimed > instant)
}

fn slot(run: &Value) -> Timestamp {
    run["reeve"]["slot"].as_str().unwrap().parse().unwrap()
}

#[test]
fn what_left_the_file_stops_at_once_and_comes_back_with_its_id_and_history() {
    let host = Host::new(&with_tick());
    let daemon = host.daemon();
    fires(&daemon);
    let before = daemon.deployment("tick");
    let mark = daemon.mark();
    host.write("deployment.yaml", TICKING);
    daemon.line_after(mark, "1 pruned");
    let pruned = Timestamp::now();
    let of_tick = || {
        let body = json!({"flow_runs": {"deployment_id": {"any_": [before["id"]]}}, "limit": 200});
        daemon.post("/flow_runs/filter", body).as_array().unwrap().clone()
    };
    slots_pass(&daemon, 2);
    let history = of_tick();
    assert!(!history.is_empty(), "its history stays");
    assert!(!history.iter().any(|run| fired_after(&daemon, run, pruned)), "it fired after it was pruned");
    host.cli(&["deployment", "inspect", "tick"]).exits(1);
    assert_eq!(daemon.request("GET", "/deployments/name/tick/tick", None).status, 404);

    host.write("deployment.yaml", &with_tick());
    daemon.line_after(mark, "1 restored");
    let restored = Timestamp::now();
    let after = daemon.deployment("tick");
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["schedules"][0]["id"], before["schedules"][0]["id"]);
    until("it fires again", || of_tick().iter().any(|run| slot(run) > restored).then_some(()));
    // Between the restore and its line on the terminal a slot may have begun.
    let before_the_line = restored.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
    let of_the_gap = |run: &Value| slot(run) <= before_the_line && fired_after(&daemon, run, pruned);
    assert!(!of_tick().iter().any(of_the_gap), "what passed while it was gone does not fire");
    assert!(history.iter().all(|old| of_tick().iter().any(|run| id(run) == id(old))), "its history is there again");
}

#[test]
fn a_pause_survives_a_deploy_and_a_resume_never_fires_the_past() {
    let host = Host::new(&with_tick());
    let daemon = host.daemon();
    fires(&daemon);
    host.cli(&["deployment", "pause", "tick"]).exits(0).says(&["Paused deployment"]);
    let paused = Timestamp::now();
    let mark = daemon.mark();
    host.write("deployment.yaml", &with_tick().replace("name: tick, command: 'true'", "name: tick, command: 'true', description: deployed"));
    daemon.line_after(mark, "1 updated");
    slots_pass(&daemon, 3);
    let deployment = daemon.deployment("tick");
    assert_eq!((&deployment["paused"], &deployment["description"]), (&json!(true), &json!("deployed")));
    assert_eq!(dry_run(&host).exits(0).json()["plan"]["shadowed"][0]["name"], "tick/tick", "the plan shows the override");
    host.cli(&["deployment", "inspect", "tick"]).exits(0).says(&["Paused:"]);
    assert!(!daemon.runs_of("tick").iter().any(|run| fired_after(&daemon, run, paused)), "it fired while it was paused");

    let resumed = Timestamp::now();
    host.cli(&["deployment", "resume", "tick"]).exits(0).says(&["Resumed deployment"]);
    until("it fires again", || daemon.runs_of("tick").iter().any(|run| slot(run) > resumed).then_some(()));
    let past: Vec<Value> = daemon.runs_of("tick").into_iter()
        .filter(|run| slot(run) <= resumed && fired_after(&daemon, run, paused)).collect();
    assert!(past.is_empty(), "the past fired: {past:#?}");
    assert_eq!(daemon.deployment("tick")["reeve"]["overrides"], json!({}), "nothing stands over the file any more");
}

#[test]
fn a_pause_without_a_daemon_is_an_override_too() {
    let host = Host::new(&many(1));
    host.cli(&["reconcile"]).exits(0);
    host.cli(&["deployment", "pause", "job-0"]).exits(0);
    host.write("deployment.yaml", &many(2));
    host.cli(&["reconcile"]).exits(0).says(&["1 created"]);
    host.cli(&["deployment", "inspect", "job-0", "-o", "json"]).exits(0).says(&["\"paused\": true"]);
    host.cli(&["deployment", "resume", "job-0"]).exits(0);
    host.cli(&["deployment", "inspect", "job-0", "-o", "json"]).exits(0).says(&["\"paused\": false"]);
    host.cli(&["reconcile"]).exits(0).says(&["In sync"]);
}

#[test]
fn an_update_says_what_was_and_what_will_be() {
    both_ways(&many(1), |host, _| {
        host.cli(&["reconcile"]).exits(0);
        host.write("deployment.yaml", &many(1).replace("cron: 0 0 1 1 *", "cron: 0 0 2 1 *").replace("name: job-0,", "name: job-0, tags: dev,"));
        host.cli(&["reconcile", "-n"]).exits(2).says(&["~ job-0/job-0", "0 0 1 1 *", "0 0 2 1 *", "dev", "1 to update"]);
        let report = host.cli(&["reconcile", "-o", "json"]).exits(0).json();
        let changes = report["plan"]["steps"][0]["changes"].as_array().unwrap();
        let tags = changes.iter().find(|change| change["field"].as_str().unwrap().starts_with("tags")).unwrap();
        assert!(tags["new"].to_string().contains("dev"), "{tags:#}");
    });
}

#[test]
fn a_rule_that_changes_keeps_its_schedules_id() {
    let host = Host::new("deployments: [{name: one, command: 'true', schedule: {cron: 0 0 1 1 *}}]");
    host.cli(&["reconcile"]).exits(0);
    let schedule = || host.cli(&["deployment", "inspect", "one", "-o", "json"]).exits(0).json()["schedules"][0].clone();
    let before = schedule();
    host.write("deployment.yaml", "deployments: [{name: one, command: 'true', schedule: {cron: 0 0 2 1 *}}]");
    host.cli(&["reconcile"]).exits(0).says(&["1 updated"]);
    let after = schedule();
    assert_eq!((&after["id"], &after["schedule"]["cron"]), (&before["id"], &json!("0 0 2 1 *")));
}

#[test]
fn several_files_are_one_project_and_a_prefect_pair_too() {
    let host = Host::new("name: pair\ndeployments: [{name: one, command: 'true'}]\n");
    host.write("more.yaml", "deployments: [{name: two, command: 'true'}]\n");
    host.cli(&["reconcile", "-f", "deployment.yaml", "-f", "more.yaml"]).exits(0).says(&["2 created"]);
    let names = host.cli(&["deployment", "ls", "-o", "json"]).exits(0).json();
    assert_eq!(names.as_array().unwrap().len(), 2);
    let project = |index: usize| names[index]["reeve"]["project"].clone();
    assert_eq!((project(0), project(1)), (json!("pair"), json!("pair")));
}

#[test]
fn g2_edits_of_a_rule_lose_and_double_no_slot() {
    // The same slots in two forms: an edit lands anywhere between two of them, also after the next one's run was made.
    let manifest = |rule: &str| format!("name: edited\ndeployments: [{{name: tick, command: 'true', schedule: {{{rule}}}}}]\n");
    let forms = ["interval: 1", "cron: '* * * * * *'"];
    let host = Host::new(&manifest(forms[0]));
    let daemon = host.daemon();
    daemon.line("Starting 'tick/tick'");
    for round in 1..=6 {
        let mark = daemon.mark();
        host.write("deployment.yaml", &manifest(forms[round % 2]));
        daemon.line_after(mark, "1 updated");
    }
    slots_pass_of(&daemon, "tick", 2);
    let mut slots: Vec<Timestamp> = daemon.runs_of("tick").iter().filter(|run| run["state_type"] == "COMPLETED").map(slot).collect();
    slots.sort_unstable();
    let gaps: Vec<_> = slots.windows(2).filter(|pair| pair[1].duration_since(pair[0]).as_secs() != 1).collect();
    assert!(slots.len() >= 3 && gaps.is_empty(), "lost or doubled: {gaps:?} of {slots:?}");
}
