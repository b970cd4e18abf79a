//! What a supervisor costs: its memory while a run goes on, and the time that it adds to one, beside a bare spawn-and-wait loop.
use super::{Daemon, percentile, project, row};
use reeve::executor::process::ProcessExecutor;
use reeve::executor::{Context, Executor, Job, Program, Report};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const RUNNING: usize = 50;
const SERIAL_RUNS: usize = 200;
/// Both as issue 5 has them: for one run.
const MOST_MEGABYTES: f64 = 3.0;
const MOST_MILLISECONDS: f64 = 3.0;

pub fn supervisor(directory: &Path) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut megabytes = runtime.block_on(memory(directory));
    let median = percentile(&mut megabytes, 0.5);
    row(&format!("PSS of a run's supervisor, {RUNNING} at once (baseline: 3 MB)"), &format!("{median:.2} MB"), "3.00 MB", median / MOST_MEGABYTES);
    let mut with = runtime.block_on(supervised(directory));
    let mut bare: Vec<f64> = (0..SERIAL_RUNS).map(|_| milliseconds_of(|| assert!(Command::new("true").status().expect("true").success()))).collect();
    let (with, bare) = (percentile(&mut with, 0.5), percentile(&mut bare, 0.5));
    row("one run after another under a supervisor, p50 (bare loop)", &format!("{with:.2} ms"), &format!("{bare:.2} ms"), with / bare);
    let added = with - bare;
    row("  what a supervisor adds to a run (baseline: 3 ms)", &format!("{added:.2} ms"), "3.00 ms", added / MOST_MILLISECONDS);
}

/// Megabytes of proportional memory of each supervisor while its run sleeps.
async fn memory(directory: &Path) -> Vec<f64> {
    project(directory, "name: still\ndeployments:\n  - {name: sleep, command: [sleep, \"600\"]}\n");
    let (daemon, _) = Daemon::start(&directory.join("home"), directory, "nothing is scheduled");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let api = &daemon.api;
    let deployment: Value = client.get(format!("{api}/deployments/name/sleep/sleep")).send().await.expect("an answer").json().await.expect("JSON");
    let id = deployment["id"].as_str().expect("an id");
    for _ in 0..RUNNING {
        let made = client.post(format!("{api}/deployments/{id}/create_flow_run")).json(&json!({})).send().await.expect("an answer");
        assert!(made.status().is_success());
    }
    let running = json!({"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}});
    let runs = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let runs: Vec<Value> = client.post(format!("{api}/flow_runs/filter")).json(&running).send().await.expect("an answer").json().await.expect("runs");
        if runs.len() == RUNNING {
            break runs;
        }
    };
    let pids = runs.iter().map(|run| run["infrastructure_pid"].as_str().expect("a process").to_owned());
    let megabytes = pids.map(|pid| proportional_megabytes(&parent(&pid))).collect();
    for run in &runs {
        let url = format!("{api}/flow_runs/{}/set_state", run["id"].as_str().expect("an id"));
        let cancelled = client.post(url).json(&json!({"state": {"type": "CANCELLING"}})).send().await.expect("an answer");
        assert!(cancelled.status().is_success());
    }
    megabytes
}

fn parent(pid: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the run's process");
    status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("its parent").trim().to_owned()
}

fn proportional_megabytes(pid: &str) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the supervisor's memory");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("its share");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// Milliseconds of one run after another, from the order to start it until its end is reported.
async fn supervised(directory: &Path) -> Vec<f64> {
    let executor = ProcessExecutor::with_supervisor(env!("CARGO_BIN_EXE_reeve").into()).expect("an executor");
    let (sender, mut reports) = tokio::sync::mpsc::channel(8);
    let mut took = Vec::new();
    for number in 0..SERIAL_RUNS {
        let context = Context { run_directory: directory.join(format!("run{number}")), reports: sender.clone() };
        let begun = Instant::now();
        executor.start(job(directory), context).await.expect("a start");
        while let Report::Started { .. } = reports.recv().await.expect("a report") {}
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    took
}

fn job(directory: &Path) -> Job {
    Job {
        run_id: uuid::Uuid::new_v4(),
        attempt: 1,
        name: "still-badger".to_owned(),
        deployment: None,
        program: Program::Arguments(vec!["true".to_owned()]),
        working_directory: directory.to_path_buf(),
        preparation: None,
        environment: BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap_or_default())]),
        not_before: None,
        timeout: None,
        grace: Duration::from_secs(10),
        secrets: Vec::new(),
        confinement: Default::default(),
        max_log_bytes: 10 << 20,
    }
}

fn milliseconds_of(work: impl FnOnce()) -> f64 {
    super::time(work).as_secs_f64() * 1_000.0
}
