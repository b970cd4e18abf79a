//! A home with many runs that are over: how soon its daemon is ready, what it takes to list them, and its memory. Each beside the
//! same of a home with 1,000 runs.
use super::{Daemon, best, milliseconds, project, ratio, reeve, row};
use reeve::model::deployment::Deployment;
use reeve::model::id::of_slot;
use reeve::model::run::FlowRun;
use reeve::store::ledger::{Ledger, LedgerError};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const MANY: usize = 1_000_000;
const FEW: usize = 1_000;
const DEPLOYMENTS: usize = 100;
/// Commits that are under way at once.
const COMMITS: usize = 8;

/// What is asked of both homes.
struct Figures {
    ready: Duration,
    indexed: Duration,
    megabytes: f64,
    /// By the words of the row.
    questions: Vec<(&'static str, Duration)>,
}

pub fn history(directory: &Path) {
    let few = figures(&directory.join("few"), FEW);
    let many = figures(&directory.join("many"), MANY);
    let name = |words: &str| format!("{MANY} runs in the home: {words} ({FEW} runs)");
    row(&name("start to ready"), &milliseconds(many.ready), &milliseconds(few.ready), ratio(many.ready, few.ready));
    row(&name("until lists are quick"), &milliseconds(many.indexed), &milliseconds(few.indexed), ratio(many.indexed, few.indexed));
    for ((words, many), (_, few)) in many.questions.iter().zip(&few.questions) {
        row(&name(words), &milliseconds(*many), &milliseconds(*few), ratio(*many, *few));
    }
    row(&name("resident"), &format!("{:.1} MB", many.megabytes), &format!("{:.1} MB", few.megabytes), many.megabytes / few.megabytes);
}

fn figures(directory: &Path, count: usize) -> Figures {
    let home = directory.join("home");
    make(&home, directory, count);
    let (daemon, ready) = Daemon::start(&home, directory, "API at ");
    let begun = Instant::now();
    // A count of one state is answered from memory once every run is known there.
    let failed = json!({"flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}});
    while ask(&daemon.api, "/flow_runs/count", &failed).1 > Duration::from_millis(100) {}
    let indexed = ready + begun.elapsed();
    let list = |arguments: &[&str]| best(5, || assert!(reeve(&home, directory).args(["flow-run", "ls"]).args(arguments).stdout(Stdio::null()).status().expect("reeve").success()));
    let asked = |path: &str, body: Value| best(5, || drop(ask(&daemon.api, path, &body)));
    let questions = vec![
        ("flow-run ls", list(&[])),
        ("flow-run ls of a state", list(&["--state", "Failed"])),
        ("flow-run ls of a deployment", list(&["--deployment", "d7/d7"])),
        ("the latest starts", asked("/flow_runs/filter", json!({"sort": "START_TIME_DESC", "limit": 15}))),
        ("a part of a name", asked("/flow_runs/filter", json!({"flow_runs": {"name": {"like_": "otter"}}, "sort": "START_TIME_DESC", "limit": 15}))),
        ("a count of a state", asked("/flow_runs/count", failed)),
    ];
    Figures { ready, indexed, megabytes: daemon.resident_megabytes(), questions }
}

fn ask(api: &str, path: &str, body: &Value) -> (Value, Duration) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let begun = Instant::now();
        let answer = client.post(format!("{api}{path}")).json(body).send().await.expect("an answer").json().await.expect("JSON");
        (answer, begun.elapsed())
    })
}

/// Makes a home with deployments whose runs are all over: ten minutes apart, the last a while ago, one in fifty failed.
pub fn make(home: &Path, directory: &Path, count: usize) {
    let mut text = String::from("name: many\ndeployments:\n");
    (0..DEPLOYMENTS).for_each(|number| text.push_str(&format!("  - {{name: d{number}, command: [\"true\"], tags: [bench, t{}]}}\n", number % 7)));
    project(directory, &text);
    assert!(reeve(home, directory).arg("reconcile").stdout(Stdio::null()).status().expect("reeve").success());
    let store = reeve::store::open(&format!("sled:{}", home.join("store").display()), uuid::Uuid::nil()).expect("the home");
    let ledger = Ledger::new(store);
    let deployments: Vec<Deployment> = ledger.deployments().collect::<Result<_, _>>().expect("the deployments");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(write(&ledger, &deployments, count));
}

async fn write(ledger: &Ledger, deployments: &[Deployment], count: usize) {
    let newest = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - 3_600).expect("an instant");
    let mut commits: tokio::task::JoinSet<Result<(), LedgerError>> = tokio::task::JoinSet::new();
    let mut unit = ledger.unit();
    for number in 0..count {
        let rounds = (count - 1 - number) / deployments.len();
        let slot = newest - jiff::SignedDuration::from_secs(600 * rounds as i64);
        unit.create_run(&run(&deployments[number % deployments.len()], slot, number)).expect("a run");
        if !unit.has_room() || number + 1 == count {
            if commits.len() >= COMMITS {
                commits.join_next().await.expect("one").expect("a task").expect("a commit");
            }
            commits.spawn(std::mem::replace(&mut unit, ledger.unit()).commit());
        }
    }
    commits.join_all().await.into_iter().for_each(|committed| committed.expect("a commit"));
}

/// A run as it is left once it is over.
fn run(deployment: &Deployment, slot: jiff::Timestamp, number: usize) -> FlowRun {
    let id = of_slot(deployment.id, "main", slot);
    let (kind, name) = if number % 50 == 0 { ("FAILED", "Failed") } else { ("COMPLETED", "Completed") };
    let after = |milliseconds| slot + jiff::SignedDuration::from_millis(milliseconds);
    let state = |kind: &str, name: &str, at: i64| {
        json!({"id": uuid::Uuid::from_u128(number as u128), "type": kind, "name": name, "timestamp": after(at), "state_details": {"scheduled_time": slot}, "details": {}})
    };
    let took = 1_000 + (number % 97) as i64 * 100;
    let value = json!({
        "id": id, "name": reeve::model::name::of_run(id), "flow_id": deployment.flow_id, "deployment_id": deployment.id, "deployment": deployment.name,
        "tags": deployment.declared.tags, "slot": {"schedule": uuid::Uuid::from_u128(1), "key": "main", "at": slot}, "run_count": 1,
        "expected_start_time": slot, "start_time": after(3), "end_time": after(3 + took), "total_run_time": took as f64 / 1_000.0,
        "usage": {"user_cpu_seconds": 0.2, "system_cpu_seconds": 0.1, "peak_memory_bytes": 12_000_000},
        "state": state(kind, name, 3 + took), "past_states": [state("SCHEDULED", "Scheduled", -900), state("PENDING", "Pending", -90), state("RUNNING", "Running", 3)],
        "state_count": 4, "created": after(-900), "updated": after(3 + took),
    });
    serde_json::from_value(value).expect("a run")
}
