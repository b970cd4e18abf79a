//! The life of a daemon as its operator sees it: start, second start, stop, and whatever stands in its way.
mod common;

use common::{Daemon, Host, http, process, until};
use rustix::process::Signal;
use std::net::TcpListener;

const TICKS: &str = "
name: clockwork
deployments:
  - name: tick
    command: echo \"tick $REEVE_FLOW_RUN_NAME\"
    schedule: {interval: 1}
  - name: yearly
    command: 'true'
    schedule: {cron: 0 0 1 1 *, timezone: Europe/Berlin}
";

/// Nothing here is due while a test runs.
const QUIET: &str = "
name: quiet
work_pools: [{name: pool, type: process}]
deployments:
  - name: yearly
    command: 'true'
    work_pool: {name: pool}
    schedules: [{cron: 0 0 1 1 *, slug: new-year}, {interval: 864000, anchor_date: '2020-01-01T00:00:00+00:00'}]
";

#[test]
fn the_first_start_says_what_it_did_and_runs_start_with_their_lines_attributed() {
    let host = Host::new(TICKS);
    let daemon = host.daemon();
    daemon.line("project 'clockwork' - 2 created");
    assert!(daemon.said().contains("+ tick/tick"), "{}", daemon.said());
    let next = daemon.line("next - yearly/yearly at ");
    assert!(next.contains("days"), "{next}");
    daemon.line("next - tick/tick at ");
    let started = daemon.line(" - Starting 'tick/tick'");
    let name = started.split('\'').nth(1).unwrap().to_owned();
    daemon.line(&format!("flow run '{name}' - tick {name}"));
    daemon.line(&format!("flow run '{name}' - Finished in state Completed"));
    assert!(daemon.said().contains(&format!("API at http://{}/api", daemon.address)), "the address is said");
}

#[test]
fn an_interrupt_stops_cleanly_and_says_so() {
    let host = Host::new(TICKS);
    let daemon = host.daemon();
    daemon.line("Finished in state Completed");
    let (status, said) = daemon.interrupt();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("interrupted: stopping"), "{said}");
    assert!(said.lines().last().unwrap().contains("reeve - stopped"), "{said}");
    assert!(!host.home().join("daemon.json").exists(), "the address of a daemon that stopped is no use to anybody");
}

#[test]
fn a_terminal_that_is_closed_stops_a_daemon_cleanly_unless_it_was_told_to_ignore_that() {
    let host = Host::new(QUIET);
    let daemon = host.daemon();
    daemon.signal(Signal::HUP);
    let (status, said) = daemon.ended();
    assert!(status.success() && said.contains("left by its terminal: stopping"), "{status}: {said}");

    let mut command = host.command();
    command.args(["daemon", "--port", "0"]);
    // As `nohup` starts a program.
    // SAFETY: one system call between fork and exec.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, || {
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
            Ok(())
        })
    };
    let daemon = Daemon::start(command);
    daemon.signal(Signal::HUP);
    daemon.reconciled();
    let (status, said) = daemon.interrupt();
    assert!(status.success() && said.contains("interrupted: stopping"), "{status}: {said}");
}

#[test]
fn g1_a_second_start_says_that_nothing_changed_and_writes_nothing() {
    let host = Host::new(QUIET);
    let daemon = host.daemon();
    daemon.line("project 'quiet' - 2 created");
    let deployment = daemon.deployment("yearly");
    let (status, said) = daemon.interrupt();
    assert_eq!(status.code(), Some(0), "{said}");
    let before = host.sequence();

    let daemon = host.daemon();
    daemon.line("project 'quiet' - In sync: nothing to change, 2 objects");
    daemon.line("next - yearly/yearly");
    let mut again = daemon.deployment("yearly");
    // Computed for whoever asks, from the clock.
    again["reeve"]["next"] = deployment["reeve"]["next"].clone();
    assert_eq!(again, deployment, "not even a timestamp changed");
    assert_eq!(host.cli(&["reconcile"]).exits(0).says(&["In sync"]).code, 0);
    assert_eq!(daemon.interrupt().0.code(), Some(0));
    assert_eq!(host.sequence(), before, "no commit was made");
}

#[test]
fn g1_a_reconcile_that_changes_nothing_moves_loses_and_repeats_no_run() {
    let host = Host::new(TICKS);
    let daemon = host.daemon();
    daemon.line("Finished in state Completed");
    for _ in 0..20 {
        host.cli(&["reconcile"]).exits(0).says(&["In sync"]);
    }
    let mark = daemon.mark();
    daemon.line_after(mark, "Finished in state Completed");
    let runs = daemon.runs_of("tick");
    let slots: Vec<i64> = runs.iter().filter_map(|run| seconds(&run["reeve"]["slot"])).collect();
    assert!(slots.len() >= 2, "{slots:?}");
    assert!(slots.windows(2).all(|pair| pair[1] == pair[0] + 1), "every second has its one run: {slots:?}");
}

fn seconds(instant: &serde_json::Value) -> Option<i64> {
    Some(instant.as_str()?.parse::<jiff::Timestamp>().unwrap().as_second())
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let host = Host::new(QUIET);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    host.cli(&["daemon", "--port", &port])
        .exits(1)
        .says(&[&format!("127.0.0.1:{port} is taken by another program"), "--port"]);
    assert!(!host.home().exists(), "nothing was made for a daemon that could not start");
}

#[test]
fn g10_an_address_beyond_loopback_is_refused() {
    let host = Host::new(QUIET);
    for address in ["0.0.0.0", "::", "192.0.2.1"] {
        host.cli(&["daemon", "--port", "0", "--host", address]).exits(1).says(&["loopback"]);
    }
    assert!(!host.home().exists());
}

#[test]
fn a_second_daemon_on_the_same_home_is_refused_and_told_of_the_first() {
    let host = Host::new(QUIET);
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["daemon", "--port", "0"]).exits(1).says(&[&daemon.pid().to_string()]);
    assert_eq!(daemon.get("/health"), true, "the first one is untouched");
    host.cli(&["status"]).exits(0);
}

#[test]
fn commands_find_the_daemon_through_the_home_and_open_the_home_without_one() {
    let host = Host::new(QUIET);
    host.cli(&["status"]).exits(1).says(&["No daemon runs"]);
    assert!(!host.home().exists(), "looking makes no home");
    host.cli(&["reconcile"]).exits(0).says(&["2 created", "No daemon runs on this home"]);

    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["status"]).exits(0).says(&[&daemon.address, "project quiet", "in sync"]);
    let through_daemon = host.cli(&["deployment", "inspect", "yearly", "-o", "json"]).exits(0).json();
    let elsewhere = Host::new(QUIET);
    let url = format!("http://{}/api", daemon.address);
    let by_url = elsewhere.cli(&["deployment", "inspect", "yearly", "-o", "json", "--api", &url]).exits(0).json();
    assert_eq!(by_url["id"], through_daemon["id"]);
    let by_variable = elsewhere.command().env("REEVE_API_URL", &url).args(["deployment", "ls", "-o", "json"]).output().unwrap();
    assert!(String::from_utf8_lossy(&by_variable.stdout).contains(through_daemon["id"].as_str().unwrap()));
    assert_eq!(daemon.interrupt().0.code(), Some(0));

    let without = host.cli(&["deployment", "inspect", "yearly", "-o", "json"]).exits(0).json();
    assert_eq!(without["id"], through_daemon["id"]);
}

#[test]
fn the_address_of_a_killed_daemon_misleads_nobody() {
    let host = Host::new(QUIET);
    let daemon = host.daemon();
    daemon.reconciled();
    daemon.kill();
    assert!(host.home().join("daemon.json").exists(), "a killed daemon leaves it behind");
    host.cli(&["deployment", "ls"]).exits(0).says(&["yearly/yearly"]);
    host.cli(&["status"]).exits(1).says(&["No daemon runs"]);
    let daemon = host.daemon();
    daemon.line("In sync");
    host.cli(&["status"]).exits(0).says(&[&daemon.address]);
}

#[test]
fn a_termination_stops_as_an_interrupt_does() {
    let host = Host::new(QUIET);
    let daemon = host.daemon();
    daemon.reconciled();
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("asked to terminate: stopping"), "{said}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let host = Host::new("
name: stubborn
deployments: [{name: stubborn, command: \"trap '' TERM; echo begun; while :; do sleep 1; done\"}]
");
    let daemon = host.daemon_with(&["--stop-runs"], &[]);
    daemon.reconciled();
    let run = daemon.run("stubborn");
    daemon.logged(&run, "begun");
    // It waits for the run, which does not listen.
    daemon.signal(Signal::TERM);
    daemon.line("asked to terminate: stopping");
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("asked twice"), "{said}");
}

#[test]
fn stopping_leaves_runs_alone_unless_told_to_stop_them() {
    let manifest = "
name: long
deployments: [{name: long, command: 'echo begun; exec sleep 300'}]
";
    let host = Host::new(manifest);
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("long");
    daemon.logged(&run, "begun");
    let pid: i32 = common::until("the run has a process", || daemon.look(&run)["infrastructure_pid"].as_str()?.parse().ok());
    let (status, said) = daemon.interrupt();
    assert_eq!(status.code(), Some(0));
    assert!(said.contains("1 run goes on"), "{said}");
    assert!(process::is_alive(pid), "the run goes on without the daemon");

    let daemon = host.daemon_with(&["--stop-runs"], &[]);
    daemon.line("Found again");
    let (status, said) = daemon.interrupt();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!process::is_alive(pid), "it was told to stop its runs");
    let run = host.cli(&["flow-run", "inspect", common::daemon::id(&run), "-o", "json"]).exits(0).json();
    assert_eq!(run["state_type"], "CANCELLED", "{run:#}");
}

#[test]
fn an_interrupt_that_comes_while_it_starts_stops_it_cleanly_too() {
    let host = Host::new(QUIET);
    for _ in 0..5 {
        // Its first word is said before its tasks wait for anything.
        let (status, said) = host.daemon().interrupt();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(!host.home().join("daemon.json").exists());
    }
}

#[test]
fn health_and_readiness_are_told_apart() {
    let host = Host::new(QUIET);
    let daemon = host.daemon();
    assert_eq!(daemon.get("/health"), true);
    assert_eq!(daemon.get("/ready")["message"], "OK");
    assert!(daemon.get("/admin/version").as_str().unwrap().starts_with("3."));
    assert!(http::request(&daemon.address, "GET", "/nowhere", None).is_some_and(|reply| reply.status == 404));
}

#[test]
fn a_project_that_is_not_there_is_a_clear_error() {
    let host = Host::new(QUIET);
    host.cli(&["daemon", "--port", "0", "--project", "nowhere"]).exits(1).says(&["nowhere"]);
}

#[test]
fn a_daemon_serves_several_projects() {
    let host = Host::new(QUIET);
    host.write("one/deployment.yaml", "name: one\ndeployments: [{name: a, command: 'true'}]\n");
    host.write("two/deployment.yaml", "name: two\ndeployments: [{name: b, command: 'true'}]\n");
    let daemon = host.daemon_with(&["--project", "one", "--project", "two"], &[]);
    daemon.line("project 'one' - 1 created");
    daemon.line("project 'two' - 1 created");
    host.cli(&["status"]).exits(0).says(&["project one", "project two"]);
}

#[test]
fn the_daemons_own_words_can_be_read_by_machines() {
    let host = Host::new(QUIET);
    let mut command = host.command();
    command.args(["daemon", "--port", "0", "--log-format", "json"]);
    let daemon = Daemon::start(command);
    daemon.line("2 created");
    for line in daemon.said().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn metrics_count_what_ran_waits_and_runs() {
    let host = Host::new("
name: etl
work_pools: [{name: local, type: process, concurrency_limit: 1}]
deployments:
  - {name: works, command: 'true', work_pool: {name: local}}
  - {name: fails, command: 'exit 3', work_pool: {name: local}}
  - {name: holds, command: 'sleep 600', work_pool: {name: local}}
");
    let daemon = host.daemon();
    daemon.reconciled();
    for name in ["works", "fails"] {
        drop(daemon.end_of(&daemon.run(name)));
    }
    let holds = daemon.run("holds");
    drop(daemon.running(&holds));
    let waits = daemon.run("works");
    let expected = [
        "reeve_flow_runs_running{work_pool=\"local\",work_queue=\"default\"} 1", "reeve_flow_runs_waiting{work_pool=\"local\",work_queue=\"\"} 1",
        "reeve_flow_runs_ended_total{state=\"Completed\"} 1", "reeve_flow_runs_ended_total{state=\"Failed\"} 1", "reeve_flow_run_lateness_seconds_count 3",
        "reeve_flow_run_duration_seconds_count 2", "reeve_flow_run_queue_wait_seconds_count 3", "reeve_flow_runs{state=\"Scheduled\"} 1",
        "reeve_work_pool_slots_taken{work_pool=\"local\"} 1", "reeve_project_reconciles_total{project=\"etl\",outcome=\"applied\"} 1",
        "reeve_project_reconciles_total{project=\"etl\",outcome=\"rejected\"} 0", "reeve_work_pool_slots{work_pool=\"local\"} 1", "reeve_project_in_sync{project=\"etl\"} 1", "reeve_ready 1",
    ];
    until("one run holds the slot, and one waits for it", || {
        let text = daemon.text("/metrics");
        expected.iter().all(|expected| text.lines().any(|line| line == *expected)).then_some(())
    });
    drop((holds, waits));
}
