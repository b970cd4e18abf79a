//! Reconciles over growing projects, and beside `prefect deploy --all`: `cargo bench --bench reconcile [sizes prefect]`.
//!
//! `sizes`: first apply, a pass that changes nothing, and the plan of one edit, for 100 to 100,000 deployments, each as a whole process
//! over a durable home. The cost for each deployment is compared with that at 1,000, so that what is not linear shows.
//! `prefect`: the same 50 entries of one `prefect.yaml`, deployed by Prefect's client to Prefect's server (both 3.8.8, in a virtual
//! environment under target/, from the package index) and by `reeve reconcile`.
#[path = "support/prefect.rs"]
#[allow(dead_code, reason = "each benchmark uses its part")]
mod prefect;

use prefect::Server;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
/// The size whose cost for each deployment is the baseline.
const BASELINE: usize = 1_000;
const ENTRIES: usize = 50;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|want| want == name);
    let parent = PathBuf::from(std::env::var("REEVE_BENCH_DIR").unwrap_or_else(|_| "target".to_owned())).join("reconcile");
    std::fs::create_dir_all(&parent).expect("a directory for the benchmarks");
    let directory = tempfile::tempdir_in(&parent).expect("a directory for this round");
    let root = directory.path().canonicalize().expect("the directory of this round");
    if runs("sizes") {
        sizes(&root);
    }
    if runs("prefect") {
        beside_prefect(&root);
    }
}

fn sizes(directory: &Path) {
    println!("{:>12} {:>14} {:>14} {:>14}   a deployment's share, beside that at {BASELINE}", "deployments", "first apply", "no change", "plan of 1 edit");
    let measured: Vec<(usize, [Duration; 3])> = SIZES.iter().map(|size| (*size, of_size(&directory.join(size.to_string()), *size))).collect();
    let share = |size: usize, took: Duration| took.as_secs_f64() / size as f64;
    let baseline = measured.iter().find(|(size, _)| *size == BASELINE).map(|(_, took)| *took).expect("the baseline's size");
    for (size, took) in &measured {
        let ratios = took.iter().zip(baseline).map(|(took, baseline)| share(*size, *took) / share(BASELINE, baseline));
        let ratios: Vec<String> = ratios.map(|ratio| format!("{ratio:.2}")).collect();
        let [first, same, edit] = took.map(milliseconds);
        println!("{size:>12} {first:>14} {same:>14} {edit:>14}   {}", ratios.join(" "));
    }
}

/// First apply, a pass that changes nothing, a plan of one edit; without what any process costs.
fn of_size(directory: &Path, size: usize) -> [Duration; 3] {
    std::fs::create_dir_all(directory).expect("a project directory");
    let home = directory.join("home");
    let empty = best(5, || run(reeve(&home, directory).arg("schema")));
    write(directory, "deployment.yaml", &manifest(size, 0));
    let first = time(|| run(reeve(&home, directory).arg("reconcile")));
    let same = best(3, || run(reeve(&home, directory).arg("reconcile")));
    write(directory, "deployment.yaml", &manifest(size, 1));
    let edit = best(3, || run(reeve(&home, directory).args(["reconcile", "--dry-run", "--fail-on", "refused"])));
    [first, same, edit].map(|took| took.saturating_sub(empty))
}

/// `edited`: how many of the deployments say something else.
fn manifest(count: usize, edited: usize) -> String {
    let mut text = String::from("name: many\nwork_pools:\n  - {name: pool, type: process}\ndeployments:\n");
    for number in 0..count {
        let word = if number < edited { "other" } else { "bench" };
        text.push_str(&format!(
            "  - name: d{number}\n    command: echo {number}\n    tags: [{word}, t{}]\n    parameters: {{n: {number}}}\n    schedule: {{cron: \"{} {} 1 {} *\", timezone: Europe/Berlin}}\n    work_pool: {{name: pool}}\n",
            number % 7, number % 60, number % 24, number % 12 + 1,
        ));
    }
    text
}

fn beside_prefect(directory: &Path) {
    let venv = prefect::virtual_environment().expect("Prefect in a virtual environment");
    let project = directory.join("prefect");
    std::fs::create_dir_all(&project).expect("a project directory");
    write(&project, "flows.py", "from prefect import flow\n\n\n@flow\ndef load(day: str = 'today', rows: int = 10) -> int:\n    return rows\n");
    write(&project, "prefect.yaml", &prefect_entries());
    let server = Server::start(&venv, &directory.join("prefect-home"), &[]).expect("Prefect's server");
    run(server.prefect().args(["work-pool", "create", "local", "--type", "process"]));
    let theirs = time(|| run(server.prefect().current_dir(&project).args(["--no-prompt", "deploy", "--all"])));
    let again = time(|| run(server.prefect().current_dir(&project).args(["--no-prompt", "deploy", "--all"])));
    let home = directory.join("reeve-home");
    let ours = time(|| run(reeve(&home, &project).arg("reconcile")));
    let ours_again = time(|| run(reeve(&home, &project).arg("reconcile")));
    for (what, ours, theirs) in [("first", ours, theirs), ("unchanged", ours_again, again)] {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("{ENTRIES} entries, {what}: reeve reconcile {}, prefect deploy --all {}, ratio {ratio:.4}", milliseconds(ours), milliseconds(theirs));
    }
}

fn prefect_entries() -> String {
    let mut text = String::from("name: etl\npull: null\ndeployments:\n");
    for number in 0..ENTRIES {
        text.push_str(&format!(
            "  - name: load-{number}\n    entrypoint: flows.py:load\n    parameters: {{rows: {number}}}\n    schedules:\n      - {{cron: \"{} 2 * * *\", timezone: Europe/Berlin}}\n    work_pool: {{name: local}}\n",
            number % 60
        ));
    }
    text
}

fn reeve(home: &Path, project: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeve"));
    command.current_dir(project).env("REEVE_HOME", home).env_remove("REEVE_API_URL").env_remove("PREFECT_API_URL");
    command
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("a process");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).expect("a file");
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn best(rounds: usize, mut work: impl FnMut()) -> Duration {
    (0..rounds).map(|_| time(&mut work)).min().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}
