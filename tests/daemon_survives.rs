//! `kill -9` at any moment: what was acknowledged stands, what runs goes on, nothing runs twice, no slot leaks.
mod common;

use common::{Daemon, Host, daemon::{id, message, state}, http, lines_of, process, rounds, until};
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Waits until a file `release` is made in the project, then ends with code 3.
const HOLD: &str = "echo begun; while [ ! -e release ]; do sleep 0.02; done; echo released; exit 3";

fn held(host: &Host) -> (Daemon, Value, i32) {
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("hold");
    daemon.logged(&run, "begun");
    let pid = process_of(&daemon, &run);
    (daemon, run, pid)
}

fn process_of(daemon: &Daemon, run: &Value) -> i32 {
    daemon.running(run)["infrastructure_pid"].as_str().unwrap().parse().unwrap()
}

fn exit_record(host: &Host, run: &Value) -> PathBuf {
    let days = fs::read_dir(host.home().join("runs")).unwrap();
    days.map(|day| day.unwrap().path().join(format!("{}.1", id(run))).join("exit.json")).find(|path| path.parent().unwrap().exists()).unwrap()
}

fn instant(value: &Value) -> Timestamp {
    value.as_str().unwrap_or_else(|| panic!("no instant: {value}")).parse().unwrap()
}

#[test]
fn g4_a_run_outlives_its_killed_daemon_and_the_next_one_learns_how_it_ended() {
    let host = Host::new(&format!("deployments: [{{name: hold, command: '{HOLD}'}}]"));
    let (daemon, run, pid) = held(&host);
    daemon.kill();
    assert!(process::is_alive(pid), "the run went with its daemon");
    let daemon = host.daemon();
    daemon.line(&format!("flow run '{}' - Found again", run["name"].as_str().unwrap()));
    assert_eq!(daemon.look(&run)["state_type"], "RUNNING");
    daemon.counts(1, 0);
    assert_eq!(process_of(&daemon, &run), pid, "the same process");
    host.write("release", "");
    let ended = daemon.end_of(&run);
    assert_eq!((&ended["state_type"], &ended["state"]["message"]), (&json!("FAILED"), &json!("exited with code 3")));
    assert_eq!(ended["run_count"], 1);
    assert_eq!(daemon.log(&run), ["begun", "released"], "the log is whole");
    assert!(ended["reeve"]["usage"]["user_cpu_seconds"].is_number(), "{ended:#}");
    daemon.line("- released");
    assert!(!daemon.said().contains("- begun"), "what the former daemon had shown is not shown again");
}

#[test]
fn g4_a_run_that_ended_while_no_daemon_ran_has_the_end_of_its_process() {
    let host = Host::new(&format!("deployments: [{{name: hold, command: '{HOLD}'}}]"));
    let (daemon, run, _) = held(&host);
    daemon.kill();
    host.write("release", "");
    let record = exit_record(&host, &run);
    until("its supervisor has left its record", || record.exists().then_some(()));
    let record = fs::read_to_string(&record).unwrap();
    let outcome: Value = serde_json::from_str(record.lines().last().unwrap()).unwrap();
    let outcome = &outcome["finished"];
    let restarted = Timestamp::now();
    let daemon = host.daemon();
    let ended = daemon.end_of(&run);
    assert_eq!((&ended["state_type"], &ended["state"]["message"]), (&json!("FAILED"), &json!("exited with code 3")));
    let of_process = instant(&outcome["ended_at"]);
    let difference = instant(&ended["end_time"]).duration_since(of_process).abs();
    assert!(difference < jiff::SignedDuration::from_millis(1), "{} is not {of_process}", ended["end_time"]);
    assert!(instant(&ended["end_time"]) <= restarted, "the end is the process's, not the daemon's");
    assert_eq!(daemon.log(&run), ["begun", "released"]);
}

#[test]
fn g8_a_found_run_holds_its_slot_until_it_ends() {
    let host = Host::new(&format!("
work_pools: [{{name: narrow, type: process, concurrency_limit: 1}}]
deployments:
  - {{name: hold, command: '{HOLD}', work_pool: {{name: narrow}}}}
  - {{name: next, command: 'true', work_pool: {{name: narrow}}}}
"));
    let (daemon, run, _) = held(&host);
    let waiting = daemon.run("next");
    daemon.counts(1, 1);
    daemon.kill();
    let daemon = host.daemon();
    daemon.counts(1, 1);
    host.write("release", "");
    let (run, next) = (daemon.end_of(&run), daemon.end_of(&waiting));
    assert_eq!(next["state_type"], "COMPLETED");
    assert!(instant(&next["start_time"]) >= instant(&run["end_time"]), "two at once in a pool of one");
}

#[test]
fn g8_no_end_of_a_run_leaks_a_slot() {
    let host = Host::new("
work_pools: [{name: narrow, type: process, concurrency_limit: 1, work_queues: [{name: side, concurrency_limit: 1}]}]
deployments:
  - {name: long, command: 'echo begun; exec sleep 300', work_pool: {name: narrow, work_queue_name: side}, concurrency_limit: 1}
  - {name: fails, command: 'exit 1', work_pool: {name: narrow, work_queue_name: side}}
  - {name: missing, command: [./missing], work_pool: {name: narrow, work_queue_name: side}}
  - {name: slow, command: 'sleep 300', timeout_seconds: 0.2, work_pool: {name: narrow, work_queue_name: side}}
  - {name: next, command: 'true', work_pool: {name: narrow, work_queue_name: side}}
");
    let mut daemon = host.daemon();
    daemon.reconciled();
    for name in ["fails", "missing", "slow"] {
        daemon.outcome(name);
        assert_eq!(daemon.outcome("next")["state_type"], "COMPLETED", "after {name}");
    }
    for way in ["cancelled", "killed", "supervisor killed", "everything killed", "killed while no daemon ran"] {
        let run = daemon.run("long");
        daemon.logged(&run, "begun");
        let pid = process_of(&daemon, &run);
        let supervisor = process::parent_of(pid).unwrap();
        let waiting = daemon.run("next");
        daemon.counts(1, 1);
        match way {
            "cancelled" => drop(host.cli(&["flow-run", "cancel", id(&run)]).exits(0)),
            "killed" => process::send(pid, Signal::KILL),
            "supervisor killed" => process::send(supervisor, Signal::KILL),
            "everything killed" => {
                daemon.kill();
                process::send(supervisor, Signal::KILL);
                daemon = host.daemon();
            }
            _ => {
                daemon.kill();
                process::send(pid, Signal::KILL);
                daemon = host.daemon();
            }
        }
        let run = daemon.end_of(&run);
        assert_eq!(run["state_type"], if way == "cancelled" { "CANCELLED" } else { "CRASHED" }, "{way}: {run:#}");
        assert!(!process::is_alive(pid), "{way}");
        assert_eq!(daemon.end_of(&waiting)["state_type"], "COMPLETED", "after {way}");
    }
    daemon.counts(0, 0);
}

#[test]
fn a_killed_supervisor_takes_its_run_along_and_the_run_is_crashed_with_the_evidence() {
    let host = Host::new("deployments: [{name: long, command: 'echo begun; sleep 300'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("long");
    daemon.logged(&run, "begun");
    let pid = process_of(&daemon, &run);
    process::send(process::parent_of(pid).unwrap(), Signal::KILL);
    let run = daemon.end_of(&run);
    assert_eq!(run["state_type"], "CRASHED");
    let message = run["state"]["message"].as_str().unwrap();
    assert!(message.contains("supervisor") && message.contains("SIGKILL"), "{message}");
    let left = process::with_variable(&format!("REEVE_FLOW_RUN_ID={}", id(&run)));
    assert_eq!(left, [0; 0], "processes are left behind");
}

#[test]
fn a_crashed_run_says_what_happened_and_by_what_that_is_known() {
    let table = [
        ("the process", "killed by SIGKILL (signal 9)"),
        ("the supervisor", ") was killed by SIGKILL (signal 9)"),
        ("the supervisor, told", "stopped because process"),
        ("the supervisor, alone", "was killed while no daemon was watching: it is gone and left no outcome"),
        ("the machine", "the machine was restarted while the run was going on: its record is of another boot"),
        ("the directory", "was removed while no daemon was watching, and no process of the run is left"),
        ("the directory, spoiled", "cannot be read (Is a directory (os error 21)), and no process of the run is left: nobody can tell how it ended"),
        ("the directory, watched", "ended and left no outcome; the run's directory was removed"),
    ];
    for (what, expected) in table {
        let host = Host::new(&format!("deployments: [{{name: hold, command: '{HOLD}'}}]"));
        let (mut daemon, run, pid) = held(&host);
        host.cli(&["deployment", "pause", "hold"]).exits(0);
        let supervisor = process::parent_of(pid).unwrap();
        let directory = exit_record(&host, &run).parent().unwrap().to_owned();
        match what {
            "the process" => process::send(pid, Signal::KILL),
            "the supervisor" => process::send(supervisor, Signal::KILL),
            "the supervisor, told" => process::send(supervisor, Signal::TERM),
            _ => {
                daemon.kill();
                while_no_daemon_runs(what, supervisor, pid, &directory);
                daemon = host.daemon();
            }
        }
        host.write("release", "");
        let run = daemon.over(&run);
        let message = run["state"]["message"].as_str().unwrap();
        assert_eq!(run["state_type"], "CRASHED", "{what}: {run:#}");
        assert!(message.contains(expected), "{what}: {message}");
    }
}

fn while_no_daemon_runs(what: &str, supervisor: i32, pid: i32, directory: &Path) {
    if what != "the directory, watched" {
        process::send(supervisor, Signal::KILL);
        until("the run is gone", || (!process::is_alive(supervisor) && !process::is_alive(pid)).then_some(()));
    }
    match what {
        "the machine" => forge_boot(&directory.join("started.json")),
        "the supervisor, alone" => {}
        "the directory, spoiled" => fs::create_dir(directory.join("job-spoiled.json")).unwrap(),
        _ => fs::remove_dir_all(directory).unwrap(),
    }
}

/// As if the machine had been started anew since.
fn forge_boot(record: &Path) {
    let text = fs::read_to_string(record).unwrap();
    let own = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(text.contains(own.trim()), "the record tells no boot: {text}");
    fs::write(record, text.replace(own.trim(), &"0".repeat(36))).unwrap();
}

/// The one process that forks the daemon's supervisors.
fn spawner_of(daemon: &Daemon) -> i32 {
    let found = process::children_called(daemon.pid(), "reeve-spawner");
    let [(pid, true)] = found[..] else { panic!("not one living spawner: {found:?}") };
    pid
}

#[test]
fn supervisors_are_forked_by_the_spawner_and_neither_is_taken_for_the_daemon() {
    let host = Host::new(&format!("deployments: [{{name: hold, command: '{HOLD}'}}, {{name: nothing, command: 'true'}}]"));
    let daemon = host.daemon_with(&[], &[("GREETING", "of the daemon")]);
    daemon.reconciled();
    let spawner = spawner_of(&daemon);
    let run = daemon.run("hold");
    daemon.logged(&run, "begun");
    let supervisor = process::parent_of(process_of(&daemon, &run)).unwrap();
    assert_eq!(process::children_called(daemon.pid(), "reeve-supervise"), [(supervisor, true)], "a child of the daemon");
    for pid in [spawner, supervisor] {
        let read = |name: &str| String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{name}")).unwrap()).into_owned();
        assert!(!read("cmdline").contains("daemon"), "{:?}", read("cmdline"));
        assert!(read("cmdline").starts_with("reeve-"), "{:?}", read("cmdline"));
        assert!(!read("environ").contains("daemon"), "its environment is the daemon's");
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        let open: Vec<PathBuf> = open.collect();
        assert!(!open.iter().any(|file| file.starts_with(host.home().join("store"))), "{open:?}");
    }
    let sockets = fs::read_dir(format!("/proc/{supervisor}/fd")).unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    assert_eq!(sockets.filter(|file| file.to_string_lossy().starts_with("socket:")).count(), 0, "a supervisor holds the spawner's socket");
    // A signal to all of a terminal or a service is the daemon's to answer.
    process::send(spawner, Signal::INT);
    process::send(spawner, Signal::TERM);
    assert_eq!(daemon.outcome("nothing")["state_type"], "COMPLETED");
    assert_eq!(spawner_of(&daemon), spawner);
    host.write("release", "");
    assert_eq!(daemon.end_of(&run)["state"]["message"], "exited with code 3");
    until("all supervisors are collected", || process::children_called(daemon.pid(), "reeve-supervise").is_empty().then_some(()));
    assert!(daemon.interrupt().0.success());
    until("the spawner has ended with its daemon", || (!process::is_alive(spawner)).then_some(()));
}

#[test]
fn a_killed_spawner_is_done_without_and_said_once_and_its_supervisors_go_on() {
    let host = Host::new(&format!("deployments: [{{name: hold, command: '{HOLD}'}}, {{name: nothing, command: 'true'}}]"));
    let (daemon, run, pid) = held(&host);
    process::send(spawner_of(&daemon), Signal::KILL);
    for _ in 0..3 {
        assert_eq!(daemon.outcome("nothing")["state_type"], "COMPLETED");
    }
    assert_eq!(daemon.said().matches("spawner").count(), 1, "{}", daemon.said());
    assert_eq!(process::children_called(daemon.pid(), "reeve-spawner"), [], "a zombie is left");
    assert!(process::is_alive(pid), "the run went with the spawner");
    daemon.kill();
    let daemon = host.daemon();
    daemon.counts(1, 0);
    host.cli(&["flow-run", "cancel", id(&run)]).exits(0);
    assert_eq!(daemon.end_of(&run)["state_type"], "CANCELLED");
}

#[test]
fn a_spawner_killed_at_any_moment_loses_no_run_and_starts_none_twice() {
    let host = Host::new("deployments: [{name: asked, command: 'echo $REEVE_FLOW_RUN_ID >> executed'}]");
    let mut random = Random::new();
    let mut asked = BTreeSet::new();
    for _ in 0..rounds(8) {
        let daemon = host.daemon();
        daemon.reconciled();
        let spawner = spawner_of(&daemon);
        let at = Duration::from_micros(random.below(30_000));
        let killing = std::thread::spawn(move || {
            std::thread::sleep(at);
            process::send(spawner, Signal::KILL);
        });
        let runs: Vec<Value> = (0..5).map(|_| daemon.run("asked")).collect();
        for run in &runs {
            assert_eq!(daemon.end_of(run)["state_type"], "COMPLETED", "seed {}: {}", random.seed, daemon.said());
            asked.insert(id(run).to_owned());
        }
        killing.join().unwrap();
        until("no supervisor is left", || process::children_called(daemon.pid(), "reeve-supervise").is_empty().then_some(()));
        daemon.kill();
    }
    let executed = lines_of(&host.project().join("executed"));
    assert_eq!(executed.len(), asked.len(), "seed {}: {executed:?}", random.seed);
    assert_eq!(executed.into_iter().collect::<BTreeSet<_>>(), asked, "seed {}", random.seed);
}

#[test]
fn g4_a_run_whose_directory_was_removed_while_no_daemon_ran_goes_on_and_can_be_stopped() {
    for everything in [false, true] {
        let host = Host::new(&format!("deployments: [{{name: hold, command: '{HOLD}'}}]"));
        let (daemon, run, pid) = held(&host);
        // Commits are durable in order: what was seen before this one is, once this one is acknowledged.
        host.cli(&["deployment", "pause", "hold"]).exits(0);
        daemon.kill();
        let directory = exit_record(&host, &run).parent().unwrap().to_owned();
        fs::remove_dir_all(if everything { host.home().join("runs") } else { directory }).unwrap();
        let daemon = host.daemon();
        daemon.counts(1, 0);
        assert_eq!(process_of(&daemon, &run), pid);
        host.cli(&["flow-run", "cancel", id(&run)]).exits(0);
        let run = daemon.over(&run);
        assert_eq!((&run["state_type"], &run["run_count"]), (&json!("CANCELLED"), &json!(1)), "{run:#}");
        assert!(!process::is_alive(pid));
    }
}

#[test]
fn what_a_killed_supervisor_left_is_ended_although_its_directory_is_gone() {
    let host = Host::new("deployments: [{name: long, command: 'setsid sleep 300 & echo begun; exec sleep 300'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("long");
    daemon.logged(&run, "begun");
    let pid = process_of(&daemon, &run);
    let directory = exit_record(&host, &run).parent().unwrap().to_owned();
    daemon.kill();
    process::send(process::parent_of(pid).unwrap(), Signal::KILL);
    fs::remove_dir_all(directory).unwrap();
    let daemon = host.daemon();
    let run = daemon.over(&run);
    assert_eq!(run["state_type"], "CRASHED", "{run:#}");
    let left = process::with_variable(&format!("REEVE_FLOW_RUN_ID={}", id(&run)));
    assert_eq!(left, [0; 0], "processes are left behind");
}

#[test]
fn a_stopped_supervisor_heeds_a_cancel() {
    let host = Host::new("deployments: [{name: long, command: 'echo begun; exec sleep 300'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("long");
    daemon.logged(&run, "begun");
    process::send(process::parent_of(process_of(&daemon, &run)).unwrap(), Signal::STOP);
    host.cli(&["flow-run", "cancel", id(&run)]).exits(0);
    assert_eq!(daemon.over(&run)["state_type"], "CANCELLED");
}

#[test]
fn g7_what_is_cancelled_before_its_supervisor_is_there_never_starts() {
    let host = Host::new("deployments: [{name: mark, command: 'touch begun'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    let spawner = spawner_of(&daemon);
    process::send(spawner, Signal::STOP);
    let run = daemon.run("mark");
    let directory = until("its job waits for a supervisor", || {
        let days = fs::read_dir(host.home().join("runs")).ok()?.flatten();
        let directory = days.map(|day| day.path().join(format!("{}.1", id(&run)))).find(|directory| directory.is_dir())?;
        let files = fs::read_dir(&directory).ok()?.flatten();
        files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("job-")).then_some(directory)
    });
    host.cli(&["flow-run", "cancel", id(&run)]).exits(0);
    until("the job is taken back", || directory.join("exit.json").exists().then_some(()));
    process::send(spawner, Signal::CONT);
    let run = daemon.over(&run);
    assert_eq!((state(&run), message(&run)), (("CANCELLED", "Cancelled"), "stopped before it was started"), "{run:#}");
    assert!(!host.project().join("begun").exists());
}

#[test]
fn g3_a_cancel_that_was_acknowledged_is_carried_out_by_the_next_daemon() {
    let host = Host::new(&format!("deployments: [{{name: hold, command: '{HOLD}'}}]"));
    let (daemon, run, _) = held(&host);
    daemon.post(&format!("/flow_runs/{}/set_state", id(&run)), json!({"state": {"type": "CANCELLING"}}));
    daemon.kill();
    let daemon = host.daemon();
    let run = daemon.end_of(&run);
    assert_eq!(run["state_type"], "CANCELLED", "{run:#}");
    assert_eq!(process::with_variable(&format!("REEVE_FLOW_RUN_ID={}", id(&run))), [0; 0]);
}

#[test]
fn g3_whatever_was_acknowledged_is_there_after_a_kill() {
    let project = |text: &str| format!("
name: acknowledged
work_pools: [{{name: pool, type: process}}]
deployments: [{{name: one, command: 'true', description: {text}, work_pool: {{name: pool}}}}]
");
    let host = Host::new(&project("first"));
    for round in 0..rounds(5) {
        let daemon = host.daemon();
        daemon.reconciled();
        let pool = format!("pool-{round}");
        let text = format!("round {round}");
        host.write("deployment.yaml", &project(&text));
        match round % 4 {
            0 => drop(host.cli(&["reconcile"]).exits(0)),
            1 => drop(daemon.post("/work_pools/", json!({"name": pool, "type": "process"}))),
            2 => drop(daemon.request("POST", &format!("/deployments/{}/pause_deployment", id(&daemon.deployment("one"))), None)),
            _ => drop(host.cli(&["deployment", "resume", "one"]).exits(0)),
        }
        daemon.kill();
        match round % 4 {
            0 => host.cli(&["deployment", "inspect", "one"]).exits(0).says(&[&text]),
            1 => host.cli(&["work-pool", "inspect", &pool]).exits(0),
            2 => host.cli(&["deployment", "inspect", "one", "-o", "json"]).exits(0).says(&["\"paused\": true"]),
            _ => host.cli(&["deployment", "inspect", "one", "-o", "json"]).exits(0).says(&["\"paused\": false"]),
        };
    }
}

#[test]
fn a_wait_for_a_retry_and_a_wait_for_a_time_go_on_after_a_kill() {
    let host = Host::new("
deployments:
  - {name: again, command: 'echo x >> tries; test $(wc -l < tries) -ge 2', retries: 1, retry_delay_seconds: 2}
  - {name: later, command: 'echo x >> later'}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let again = daemon.run("again");
    let at = Timestamp::now() + Duration::from_secs(2);
    let later = daemon.run_with("later", json!({"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": at}}}));
    until("it waits for its retry", || (daemon.look(&again)["state_name"] == "AwaitingRetry").then_some(()));
    daemon.kill();
    let daemon = host.daemon();
    let (again, later) = (daemon.end_of(&again), daemon.end_of(&later));
    assert_eq!((&again["state_type"], &again["run_count"]), (&json!("COMPLETED"), &json!(2)), "{again:#}");
    assert_eq!((&later["state_type"], &later["run_count"]), (&json!("COMPLETED"), &json!(1)), "{later:#}");
    assert!(instant(&later["start_time"]) >= at, "not before its time");
    assert_eq!((host.read("tries"), host.read("later")), ("x\nx\n".to_owned(), "x\n".to_owned()));
}

/// A schedule of every second; each run writes its id and slot down, so that a second execution would be seen.
const EVERY_SECOND: &str = "
deployments:
  - {name: tick, command: 'echo $REEVE_FLOW_RUN_ID >> executed', schedule: {interval: 1}}
  - {name: asked, command: 'echo $REEVE_FLOW_RUN_ID >> executed'}
";

#[test]
fn g2_kills_at_random_moments_leave_one_run_for_each_slot_and_lose_none_that_was_acknowledged() {
    let host = Host::new(EVERY_SECOND);
    let mut random = Random::new();
    let mut acknowledged = Vec::new();
    for _ in 0..rounds(10) {
        let daemon = host.daemon();
        daemon.reconciled();
        let deployment = id(&daemon.deployment("asked")).to_owned();
        let address = daemon.address.clone();
        let asking = std::thread::spawn(move || ask_until_it_dies(&address, &deployment));
        std::thread::sleep(Duration::from_millis(random.below(1_500)));
        daemon.kill();
        acknowledged.extend(asking.join().unwrap());
    }
    check(&host, &acknowledged, random.seed);
}

#[test]
fn g2_kills_between_the_claim_and_the_start_execute_nothing_twice() {
    let host = Host::new(EVERY_SECOND);
    let mut random = Random::new();
    let mut acknowledged = Vec::new();
    for _ in 0..rounds(20) {
        let daemon = host.daemon();
        daemon.reconciled();
        for _ in 0..3 {
            acknowledged.push(id(&daemon.run("asked")).to_owned());
        }
        std::thread::sleep(Duration::from_micros(random.below(40_000)));
        daemon.kill();
    }
    check(&host, &acknowledged, random.seed);
}

#[test]
fn g2_kills_around_the_instant_at_which_a_slot_is_due_execute_nothing_twice() {
    let host = Host::new(EVERY_SECOND);
    let mut random = Random::new();
    for _ in 0..rounds(8) {
        let daemon = host.daemon();
        daemon.reconciled();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let to_the_second = Duration::from_secs(1) - Duration::from_nanos(u64::from(now.subsec_nanos()));
        std::thread::sleep(to_the_second + Duration::from_micros(random.below(50_000)));
        daemon.kill();
    }
    check(&host, &[], random.seed);
}

/// Asks for runs one after another; the ids of those that were acknowledged.
fn ask_until_it_dies(address: &str, deployment: &str) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let path = format!("/api/deployments/{deployment}/create_flow_run");
    // Far fewer than the machine could start, so that the schedule's own runs are not crowded out.
    while let Some(reply) = http::request(address, "POST", &path, Some(&json!({}))) {
        let Some(run) = (reply.status == 201).then(|| serde_json::from_slice::<Value>(&reply.body).ok()).flatten() else { break };
        acknowledged.push(id(&run).to_owned());
        std::thread::sleep(Duration::from_millis(40));
    }
    acknowledged
}

/// Lets the last daemon finish everything, and looks at what there is.
fn check(host: &Host, acknowledged: &[String], seed: u64) {
    let mark = Timestamp::now();
    let daemon = host.daemon();
    daemon.reconciled();
    // The schedule goes on, whatever happened.
    until("a slot after the last kill has run", || {
        let runs = daemon.runs_of("tick");
        runs.iter().any(|run| run["state_type"] == "COMPLETED" && instant(&run["reeve"]["slot"]) > mark).then_some(())
    });
    host.cli(&["deployment", "pause", "tick"]).exits(0);
    daemon.counts(0, 0);

    let ticks = daemon.runs_of("tick");
    let slots: BTreeSet<Timestamp> = ticks.iter().map(|run| instant(&run["reeve"]["slot"])).collect();
    assert_eq!(slots.len(), ticks.len(), "seed {seed}: a slot has two runs");

    let mut states = BTreeMap::new();
    for run in ticks.iter().chain(&daemon.runs_of("asked")) {
        states.insert(id(run).to_owned(), run.clone());
    }
    let executed = lines_of(&host.project().join("executed"));
    let distinct: HashSet<&String> = executed.iter().collect();
    assert_eq!(distinct.len(), executed.len(), "seed {seed}: something was executed twice: {executed:?}");
    for line in &executed {
        assert!(states.contains_key(line), "seed {seed}: {line} was executed and nobody knows it");
    }
    for (id, run) in &states {
        assert_eq!(run["state_type"], "COMPLETED", "seed {seed}: {run:#}");
        assert_eq!(run["run_count"], 1, "seed {seed}: {run:#}");
        let due = run["reeve"]["slot"].as_str().map_or(Timestamp::MIN, |slot| slot.parse().unwrap());
        assert!(instant(&run["start_time"]) >= due, "seed {seed}: it began before its time: {run:#}");
        assert!(distinct.contains(id), "seed {seed}: {id} is Completed and was never executed");
    }
    for id in acknowledged {
        assert!(states.contains_key(id), "seed {seed}: {id} was acknowledged and is lost");
    }
}

/// Moments to kill at: an xorshift from the clock, since each round should differ.
struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    fn new() -> Random {
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
        Random { seed, state: seed }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % end
    }
}
