//! Policies for slots that cannot simply run, through the real daemon: missed while it was down, still running, too late, resumed.
mod common;

use common::{Daemon, Host, daemon::id, until};
use jiff::{SignedDuration, Timestamp};
use reeve::model::schedule::Cursor;
use reeve::model::write::Write;
use reeve::store::ledger::Ledger;
use serde_json::Value;

/// Waits until a file `release` is made in the project.
const HOLD: &str = "echo begun; while [ ! -e release ]; do sleep 0.02; done";

fn state(run: &Value) -> &str {
    run["state_name"].as_str().unwrap()
}

/// The runs of a deployment in one state, once there are so many.
fn in_state(daemon: &Daemon, deployment: &str, name: &str, count: usize) -> Vec<Value> {
    until(&format!("{count} runs of {deployment} are {name}"), || {
        let runs: Vec<Value> = daemon.runs_of(deployment).into_iter().filter(|run| state(run) == name).collect();
        (runs.len() >= count).then_some(runs)
    })
}

fn message(run: &Value) -> &str {
    run["state"]["message"].as_str().unwrap_or_default()
}

/// Makes all schedules of a home look as if the daemon had been down since `ago`.
fn down_since(host: &Host, ago: SignedDuration) {
    let url = format!("sled:{}", host.home().join("store").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::new(reeve::store::open(&url, uuid::Uuid::nil()).unwrap());
        let down = Timestamp::now() - ago;
        let deployments: Vec<_> = ledger.deployments().map(Result::unwrap).collect();
        for mut deployment in deployments {
            let mut unit = ledger.unit();
            for schedule in &mut deployment.schedules {
                schedule.effective_since = down - SignedDuration::from_hours(24);
                unit.set_cursor(schedule.id, Cursor { slot: down }).unwrap();
            }
            unit.commit().await.unwrap();
            let edited = ledger.edit(|| Ok::<_, reeve::store::ledger::LedgerError>((vec![Write::PutDeployment(Box::new(deployment.clone()))], ())));
            edited.await.unwrap();
        }
    });
}

#[test]
fn g2_what_was_missed_runs_or_is_recorded_as_the_policy_says() {
    let host = Host::new("
name: missed
deployments:
  - {name: latest, command: 'true', schedule: {interval: 600}}
  - {name: skip, command: 'true', schedule: {interval: 600, missed: skip}}
  - {name: all, command: 'true', schedule: {interval: 600, missed: {run: all, within: 1h, limit: 3}}}
  - {name: long, command: 'true', schedule: {interval: 10}}
");
    host.cli(&["reconcile"]).exits(0);
    down_since(&host, SignedDuration::from_hours(3));
    let daemon = host.daemon();
    daemon.reconciled();
    for (deployment, ran, missed) in [("latest", 1, 17), ("skip", 0, 18), ("all", 3, 15)] {
        let recorded = in_state(&daemon, deployment, "Missed", missed);
        assert_eq!(recorded.len(), missed, "{deployment}");
        let completed = in_state(&daemon, deployment, "Completed", ran);
        assert_eq!(completed.len(), ran, "{deployment}");
        let last_missed = recorded.last().unwrap()["expected_start_time"].as_str();
        assert!(completed.iter().all(|run| run["expected_start_time"].as_str() > last_missed), "{deployment}: the newest ran");
        assert!(message(&recorded[0]).contains("passed while nothing ran"), "{}", message(&recorded[0]));
    }
    let recorded = in_state(&daemon, "long", "Missed", 101);
    assert_eq!(recorded.len(), 101, "one by one, and one for the rest");
    let rest = message(&recorded[0]);
    assert!(rest.contains(" slots from ") && rest.contains("passed while nothing ran"), "{rest}");
    // Once: a restart finds nothing more to record.
    let before = daemon.runs_of("skip").len();
    drop(daemon.interrupt());
    let daemon = host.daemon();
    daemon.reconciled();
    assert_eq!(daemon.runs_of("skip").len(), before);
}

#[test]
fn a_slot_that_meets_a_run_still_going_is_skipped_queued_or_takes_its_place() {
    let host = Host::new(&format!("
name: overlap
deployments:
  - {{name: skip, command: '{HOLD}', schedule: {{interval: 1, overlap: skip}}}}
  - {{name: queue, command: '{HOLD}', schedule: {{interval: 1, overlap: {{queue: 1}}}}}}
  - {{name: replace, command: '{HOLD}', schedule: {{interval: 1, overlap: cancel_running}}}}
  - {{name: allow, command: '{HOLD}', schedule: {{interval: 1}}}}
"));
    let daemon = host.daemon();
    daemon.reconciled();
    let skipped = in_state(&daemon, "skip", "Skipped", 2);
    assert!(message(&skipped[0]).contains("still going (overlap: skip)"), "{}", message(&skipped[0]));
    assert_eq!(in_state(&daemon, "skip", "Running", 1).len(), 1);
    let skipped = in_state(&daemon, "queue", "Skipped", 1);
    assert!(message(&skipped[0]).contains("waiting already (overlap: queue)"), "{}", message(&skipped[0]));
    let cancelled = in_state(&daemon, "replace", "Cancelled", 2);
    assert_eq!(cancelled[0]["run_count"], 1, "it ran before it had to make way");
    assert!(in_state(&daemon, "allow", "Running", 2).len() >= 2);
    for deployment in ["skip", "queue", "replace"] {
        let going = daemon.runs_of(deployment).iter().filter(|run| run["state_type"] == "RUNNING").count();
        assert!(going <= 1, "{deployment}: {going} at once");
    }
    host.cli(&["deployment", "pause", "queue"]).exits(0);
    host.write("release", "");
    in_state(&daemon, "queue", "Completed", 1);
}

#[test]
fn what_cannot_start_in_time_expires() {
    let host = Host::new("
name: late
work_pools: [{name: shut, type: process, paused: true}]
deployments:
  - {name: expires, command: 'true', work_pool: shut, schedule: {interval: 1, expire_after: 1}}
  - {name: waits, command: 'true', work_pool: shut, schedule: {interval: 1}}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let expired = in_state(&daemon, "expires", "Expired", 2);
    assert!(message(&expired[0]).contains("expire_after"), "{}", message(&expired[0]));
    let waiting = daemon.runs_of("waits");
    assert!(waiting.iter().all(|run| run["state_type"] == "SCHEDULED"), "without the policy it waits");
}

#[test]
fn what_is_resumed_makes_up_for_a_slot_only_where_it_is_asked_to() {
    let host = Host::new("
name: resume
deployments:
  - {name: plain, command: 'true', schedule: {interval: 600}}
  - {name: latest, command: 'true', schedule: {interval: 600, on_resume: latest, missed: skip}}
");
    host.cli(&["reconcile"]).exits(0);
    for deployment in ["plain", "latest"] {
        host.cli(&["deployment", "pause", deployment]).exits(0);
    }
    down_since(&host, SignedDuration::from_hours(3));
    let daemon = host.daemon();
    daemon.reconciled();
    assert_eq!(stored(&daemon, "latest"), Vec::<String>::new(), "paused");
    for deployment in ["plain", "latest"] {
        host.cli(&["deployment", "resume", deployment]).exits(0);
    }
    in_state(&daemon, "latest", "Completed", 1);
    assert_eq!(stored(&daemon, "latest"), ["Completed"], "one, and nothing recorded of a pause");
    assert_eq!(stored(&daemon, "plain"), Vec::<String>::new());
}

/// The states of a deployment's runs that are not to come.
fn stored(daemon: &Daemon, deployment: &str) -> Vec<String> {
    let runs = daemon.runs_of(deployment).into_iter().filter(|run| run["state_type"] != "SCHEDULED");
    runs.map(|run| state(&run).to_owned()).collect()
}

#[test]
fn spread_and_jitter_move_the_start_and_never_the_slot() {
    let host = Host::new("
name: spread
deployments:
  - {name: spread, command: 'true', schedule: {interval: 2, spread: 1.5, jitter: 0.4}}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let runs = in_state(&daemon, "spread", "Completed", 2);
    for run in &runs {
        let slot = i64::from_str_radix(&id(run).replace('-', "")[..12], 16).unwrap();
        let start: Timestamp = run["expected_start_time"].as_str().unwrap().parse().unwrap();
        let later = start.as_millisecond() - slot;
        assert_eq!(slot % 2_000, 0, "{run:#}");
        assert!((0..1_900).contains(&later), "{later}");
        let began: Timestamp = run["start_time"].as_str().unwrap().parse().unwrap();
        assert!(began >= start, "{began} is before {start}");
    }
}

#[test]
fn g2_a_run_made_a_moment_before_its_slot_by_a_daemon_that_then_died_is_missed_like_its_slot() {
    let host = Host::new("
name: ahead
deployments:
  - {name: skip, command: 'true', schedule: {interval: 600, missed: skip}}
  - {name: latest, command: 'true', schedule: {interval: 600}}
  - {name: all, command: 'true', schedule: {interval: 600, missed: all}}
");
    host.cli(&["reconcile"]).exits(0);
    down_since(&host, SignedDuration::from_hours(1));
    made_ahead(&host);
    let daemon = host.daemon();
    daemon.reconciled();
    for (deployment, ran) in [("skip", 0), ("latest", 1), ("all", 6)] {
        in_state(&daemon, deployment, "Missed", 6 - ran);
        let completed = in_state(&daemon, deployment, "Completed", ran);
        assert_eq!((stored(&daemon, deployment).len(), completed.len()), (6, ran), "{deployment}");
    }
}

/// Makes the run of each schedule's first slot after its cursor, as a daemon does a second before it.
fn made_ahead(host: &Host) {
    let url = format!("sled:{}", host.home().join("store").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::new(reeve::store::open(&url, uuid::Uuid::nil()).unwrap());
        for deployment in ledger.deployments().map(Result::unwrap).collect::<Vec<_>>() {
            let schedule = &deployment.schedules[0];
            let rule = schedule.declared.spec.parse().unwrap();
            let slot = rule.after(ledger.cursor(schedule.id).unwrap().unwrap().slot).unwrap();
            let run = reeve::dispatch::scheduled::run_of_slot(&deployment, schedule, &rule, slot, slot - SignedDuration::from_secs(1));
            let mut unit = ledger.unit();
            unit.create_run(&run).unwrap();
            unit.set_cursor(schedule.id, Cursor { slot }).unwrap();
            unit.commit().await.unwrap();
        }
    });
}

#[test]
fn what_waits_past_its_time_is_late_and_says_why() {
    let host = Host::new("
name: waits
work_pools: [{name: shut, type: process, paused: true}]
deployments: [{name: late, command: 'true', work_pool: {name: shut}}]
");
    let daemon = host.daemon();
    daemon.reconciled();
    let due = (Timestamp::now() - SignedDuration::from_mins(1)).to_string();
    let run = daemon.run_with("late", serde_json::json!({"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}}));
    let late = until("the run is late", || Some(daemon.look(&run)).filter(|run| state(run) == "Late"));
    assert_eq!(late["state_type"], "SCHEDULED");
    host.cli(&["work-pool", "resume", "shut"]).exits(0);
    assert_eq!(state(&daemon.end_of(&run)), "Completed");
}
