//! The figures that the README shows: `cargo bench --bench figures`. Each is a ratio to a named baseline that is measured
//! in the same run, on the same machine; the machine should be idle.
//!
//! * plan and first apply of 10,000 deployments, beside `serde_yaml` alone parsing the same text;
//! * a daemon with 10,000 deployments: time to ready, resident memory, processor time between due instants;
//! * start lateness, beside a bare sleep-and-spawn loop;
//! * throughput of no-op commands, beside a bare serial spawn-and-wait loop of the same command;
//! * 5,000 runs queued through a limit of 50, of a tag and of a pool, beside a bare spawn loop with 50 at once;
//! * a home with 100,000 schedules: time to ready, processor time between due instants;
//! * 1,000 slots due in the same second, beside the same bare loop;
//! * a home with 1,000,000 runs that are over: time to ready, lists and counts, resident memory, beside a home with 1,000;
//! * a run's supervisor: its memory while the run goes on, and the time that it adds, beside a bare spawn-and-wait loop.
#[path = "figures/history.rs"]
mod history;
#[path = "figures/supervisor.rs"]
mod supervisor;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

const DEPLOYMENTS: usize = 10_000;
const LATENESS_RUNS: usize = 200;
const THROUGHPUT_RUNS: usize = 1_000;
const SCHEDULES: usize = 100_000;
const BURST_RUNS: usize = 1_000;
const LIMITED_RUNS: usize = 5_000;
const LIMIT: usize = 50;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, file] = arguments.as_slice()
        && flag == "--stamp"
    {
        return stamp(Path::new(file));
    }
    if let [_, flag, directory, count] = arguments.as_slice()
        && flag == "--make-history"
    {
        let directory = Path::new(directory);
        return history::make(&directory.join("home"), directory, count.parse().expect("how many runs"));
    }
    let wanted = |name: &str| {
        let named: Vec<&String> = arguments[1..].iter().filter(|argument| !argument.starts_with("--")).collect();
        named.is_empty() || named.iter().any(|argument| *argument == name)
    };
    let directory = directory();
    println!("{:<58} {:>12} {:>12} {:>8}", "", "reeve", "baseline", "ratio");
    if wanted("plan") {
        plan(&directory.join("plan"));
    }
    if wanted("daemon") {
        large_daemon(&directory.join("daemon"));
    }
    if wanted("lateness") {
        lateness(&directory.join("lateness"));
    }
    if wanted("throughput") {
        throughput(&directory.join("throughput"));
    }
    if wanted("limit") {
        limit(&directory.join("limit"));
    }
    if wanted("schedules") {
        schedules(&directory.join("schedules"));
    }
    if wanted("burst") {
        burst(&directory.join("burst"));
    }
    if wanted("supervisor") {
        supervisor::supervisor(&directory.join("supervisor"));
    }
    if wanted("history") {
        history::history(&directory.join("history"));
    }
    std::fs::remove_dir_all(&directory).expect("to clean up");
}

/// A new directory for this round. On ext4 begun in a part of the disk of its own (`chattr +T` on its parent): where many files have been
/// removed within minutes, by a build or by the round before, making one costs several times as much.
fn directory() -> PathBuf {
    let parent = Path::new(&std::env::var("REEVE_BENCH_DIR").unwrap_or_else(|_| "target".to_owned())).join("figures");
    std::fs::create_dir_all(&parent).expect("a directory for the benchmarks");
    let open = std::fs::File::open(&parent).expect("the directory of the benchmarks");
    if let Ok(flags) = ioctl_getflags(&open) {
        let _another_file_system = ioctl_setflags(&open, flags | IFlags::TOPDIR);
    }
    let directory = tempfile::tempdir_in(&parent).expect("a directory for this round").keep();
    directory.canonicalize().expect("the directory of this round")
}

fn row(name: &str, reeve: &str, baseline: &str, ratio: f64) {
    println!("{name:<58} {reeve:>12} {baseline:>12} {ratio:>8.2}");
    std::io::stdout().flush().expect("standard output");
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}

/// Text of a project with `count` deployments, each with a schedule that is not due soon.
fn manifest(count: usize) -> String {
    let mut text = String::from("name: many\nwork_pools:\n  - {name: pool, type: process}\ndeployments:\n");
    for number in 0..count {
        text.push_str(&format!(
            "  - name: d{number}\n    command: echo {number}\n    tags: [bench, t{}]\n    parameters: {{n: {number}}}\n    schedule: {{cron: \"{} {} 1 {} *\", timezone: Europe/Berlin}}\n    work_pool: {{name: pool}}\n",
            number % 7, number % 60, number % 24, number % 12 + 1,
        ));
    }
    text
}

fn project(directory: &Path, text: &str) {
    std::fs::create_dir_all(directory).expect("a project directory");
    std::fs::write(directory.join("deployment.yaml"), text).expect("a manifest");
}

fn reeve(home: &Path, project: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeve"));
    command.current_dir(project).env("REEVE_HOME", home).env_remove("REEVE_API_URL").stdin(Stdio::null());
    command
}

fn plan(directory: &Path) {
    let text = manifest(DEPLOYMENTS);
    project(directory, &text);
    let home = directory.join("home");
    let parse = best(5, || {
        let value: serde_yaml::Value = serde_yaml::from_str(&text).expect("valid YAML");
        std::hint::black_box(value);
    });
    let first = time(|| assert!(reeve(&home, directory).arg("reconcile").stdout(Stdio::null()).status().expect("reeve").success()));
    // What a whole process costs before it reads anything is not what is compared.
    let empty = best(5, || drop(reeve(&home, directory).args(["schema"]).stdout(Stdio::null()).status()));
    let apply = first.saturating_sub(empty);
    row("first apply of 10,000, durable (baseline: serde_yaml parse)", &milliseconds(apply), &milliseconds(parse), ratio(apply, parse));
    let unchanged = in_process_plan(&home, directory);
    row("plan of 10,000 unchanged, text to verdict (same)", &milliseconds(unchanged), &milliseconds(parse), ratio(unchanged, parse));
}

/// Read, load, compare with the home, decide: as the daemon does, against an open store.
fn in_process_plan(home: &Path, directory: &Path) -> Duration {
    use reeve::manifest::{Input, OnMissing};
    let store = reeve::store::open(&format!("sled:{}", home.join("store").display()), uuid::Uuid::nil()).expect("the home");
    let ledger = reeve::store::ledger::Ledger::new(store);
    best(5, || {
        let sources = reeve::source::read_directory(directory, &[]).expect("the project");
        let loaded = reeve::manifest::load(&Input {
            root: &directory.to_string_lossy(),
            manifests: sources.manifests(),
            files: &sources,
            environment: &|_| None,
            strict: false,
            missing_environment: OnMissing::Warning,
            missing_sources: OnMissing::Error,
        });
        let desired = loaded.desired.expect("a valid project");
        let stored = ledger.stored(&desired).expect("the stored definitions");
        let plan = reeve::reconcile::plan(&desired, &stored, jiff::Timestamp::now(), &Default::default());
        assert!(plan.is_empty(), "nothing has changed");
    })
}

/// A daemon that is stopped when it is dropped.
struct Daemon {
    child: Child,
    api: String,
}

impl Daemon {
    fn start(home: &Path, project: &Path, until: &str) -> (Daemon, Duration) {
        let begun = Instant::now();
        let mut child = reeve(home, project)
            .args(["daemon", "--port", "0", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a daemon");
        let mut lines = BufReader::new(child.stderr.take().expect("its terminal")).lines();
        let mut api = String::new();
        for line in lines.by_ref() {
            let line = line.expect("a line");
            if let Some((_, rest)) = line.split_once("API at ") {
                api = rest.split(',').next().unwrap_or_default().to_owned();
            }
            if line.contains(until) {
                break;
            }
        }
        let ready = begun.elapsed();
        // Somebody has to go on reading, or the daemon's terminal fills up.
        std::thread::spawn(move || lines.for_each(drop));
        (Daemon { child, api }, ready)
    }

    fn resident_megabytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the daemon's status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }

    /// Seconds of processor time, of all its threads.
    fn processor_time(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the daemon's statistics");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |index: usize| fields[index].parse::<f64>().expect("ticks");
        (ticks(11) + ticks(12)) / 100.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status());
        drop(self.child.wait());
    }
}

fn large_daemon(directory: &Path) {
    project(directory, &manifest(DEPLOYMENTS));
    let home = directory.join("home");
    assert!(reeve(&home, directory).arg("reconcile").stdout(Stdio::null()).status().expect("reeve").success());
    let (daemon, ready) = Daemon::start(&home, directory, "API at ");
    row("10,000 deployments: start to ready (baseline: 0.5 s)", &milliseconds(ready), "500.0 ms", ready.as_secs_f64() / 0.5);
    std::thread::sleep(Duration::from_secs(60));
    let resident = daemon.resident_megabytes();
    row("  resident a minute later (baseline: 60 MB)", &format!("{resident:.1} MB"), "60 MB", resident / 60.0);
    let before = daemon.processor_time();
    std::thread::sleep(Duration::from_secs(30));
    let share = (daemon.processor_time() - before) / 30.0 * 100.0;
    row("  processor between due instants (baseline: 0.5 % of a core)", &format!("{share:.2} %"), "0.50 %", share / 0.5);
}

/// What a run of the lateness benchmark does: it writes the time at which it runs.
fn stamp(file: &Path) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970").as_micros();
    let run = std::env::var("REEVE_FLOW_RUN_ID").unwrap_or_default();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).expect("the stamps");
    file.write_all(format!("{now} {run}\n").as_bytes()).expect("a stamp");
}

fn lateness(directory: &Path) {
    let stamps = directory.join("stamps");
    let program = std::env::current_exe().expect("this program");
    let text = format!(
        "name: late\ndeployments:\n  - name: stamp\n    command: [\"{}\", --stamp, \"{}\"]\n    schedule: {{interval: 0.25}}\n",
        program.display(),
        stamps.display()
    );
    project(directory, &text);
    let (daemon, _) = Daemon::start(&directory.join("home"), directory, "next - ");
    std::thread::sleep(Duration::from_millis(250) * LATENESS_RUNS as u32 + Duration::from_secs(2));
    drop(daemon);
    let text = std::fs::read_to_string(&stamps).expect("stamps");
    let mut late: Vec<f64> = text.lines().filter_map(slot_lateness).collect();
    // The first run starts while the daemon itself still does.
    late.remove(0);
    late.truncate(LATENESS_RUNS);
    histogram(&late);
    let mut bare = bare_lateness(directory);
    for (name, share) in [("p50", 0.50), ("p99", 0.99)] {
        let (reeve, baseline) = (percentile(&mut late, share), percentile(&mut bare, share));
        let name = format!("start lateness {name}, {} runs (baseline: bare sleep and spawn)", late.len());
        row(&name, &format!("{reeve:.2} ms"), &format!("{baseline:.2} ms"), reeve / baseline);
    }
}

/// How many starts were late by how much: a line for each bucket that has any.
fn histogram(late: &[f64]) {
    let mut lower = 0.0;
    for upper in [1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0, 50.0, f64::INFINITY] {
        let count = late.iter().filter(|late| (lower..upper).contains(*late)).count();
        if count > 0 {
            println!("  late by {lower:>4.1} to {upper:>4.1} ms {count:>5}  {}", "#".repeat((count * 40).div_ceil(late.len())));
        }
        lower = upper;
    }
}

/// Milliseconds from the slot, which stands in the first 48 bits of the run's id, to the process's own stamp.
fn slot_lateness(line: &str) -> Option<f64> {
    let (stamp, run) = line.split_once(' ')?;
    let slot = u64::from_str_radix(&run.replace('-', "")[..12], 16).ok()?;
    Some(stamp.parse::<f64>().ok()? / 1_000.0 - slot as f64)
}

fn bare_lateness(directory: &Path) -> Vec<f64> {
    let stamps = directory.join("bare");
    let program = std::env::current_exe().expect("this program");
    let mut late = Vec::new();
    for _ in 0..LATENESS_RUNS {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
        let due = Duration::from_millis((now.as_millis() as u64 / 100 + 1) * 100);
        std::thread::sleep(due - now);
        Command::new(&program).args(["--stamp".as_ref(), stamps.as_os_str()]).status().expect("a run");
        let text = std::fs::read_to_string(&stamps).expect("stamps");
        let stamp: f64 = text.lines().last().and_then(|line| line.split(' ').next()?.parse().ok()).expect("a stamp");
        late.push(stamp / 1_000.0 - due.as_millis() as f64);
    }
    late
}

fn throughput(directory: &Path) {
    project(directory, "name: fast\ndeployments:\n  - name: nothing\n    command: [\"true\"]\n");
    let home = directory.join("home");
    let (daemon, _) = Daemon::start(&home, directory, "nothing is scheduled");
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rate = runtime.block_on(run_many(&daemon.api));
    drop(daemon);
    let bare = time(|| {
        for _ in 0..THROUGHPUT_RUNS {
            assert!(Command::new("true").status().expect("true").success());
        }
    });
    let bare = THROUGHPUT_RUNS as f64 / bare.as_secs_f64();
    row("no-op runs, due to Completed on disk (baseline: bare loop)", &format!("{rate:.0} /s"), &format!("{bare:.0} /s"), rate / bare);
}

/// Makes runs that are all due at one instant, and returns how many per second were Completed from then on.
async fn run_many(api: &str) -> f64 {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("{api}/deployments/name/nothing/nothing");
    let deployment: serde_json::Value = client.get(url).send().await.expect("an answer").json().await.expect("JSON");
    let id = deployment["id"].as_str().expect("an id").to_owned();
    let due = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(8);
    for _ in 0..THROUGHPUT_RUNS {
        let body = serde_json::json!({"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": due.to_string()}}});
        let made = client.post(format!("{api}/deployments/{id}/create_flow_run")).json(&body).send().await.expect("an answer");
        assert!(made.status().is_success(), "{}", made.text().await.unwrap_or_default());
    }
    assert!(jiff::Timestamp::now() < due, "making the runs took longer than the benchmark allows");
    let filter = serde_json::json!({"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}});
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let count: u64 = client.post(format!("{api}/flow_runs/count")).json(&filter).send().await.expect("an answer").json().await.expect("a count");
        if count >= THROUGHPUT_RUNS as u64 {
            break;
        }
    }
    let newest = serde_json::json!({"sort": "END_TIME_DESC", "limit": 1});
    let last: serde_json::Value = client.post(format!("{api}/flow_runs/filter")).json(&newest).send().await.expect("an answer").json().await.expect("JSON");
    let ended: jiff::Timestamp = last[0]["end_time"].as_str().and_then(|text| text.parse().ok()).expect("an end");
    THROUGHPUT_RUNS as f64 / ended.duration_since(due).as_secs_f64()
}

/// Many runs that wait for few slots: of a tag's limit, and of a pool's. Both limits are 0 until all runs are made.
fn limit(directory: &Path) {
    project(
        directory,
        "name: narrow\nconcurrency_limits: {narrow: 0}\nwork_pools:\n  - {name: pool, concurrency_limit: 0}\ndeployments:\n  \
         - {name: tag, command: [sleep, \"0.05\"], tags: [narrow]}\n  - {name: pool, command: [sleep, \"0.05\"], work_pool: {name: pool}}\n",
    );
    let (daemon, _) = Daemon::start(&directory.join("home"), directory, "nothing is scheduled");
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bare = time(|| {
        std::thread::scope(|scope| {
            for _ in 0..LIMIT {
                scope.spawn(|| (0..LIMITED_RUNS / LIMIT).for_each(|_| assert!(Command::new("sleep").arg("0.05").status().expect("sleep").success())));
            }
        });
    });
    for (name, limited) in [("tag", "a tag's limit"), ("pool", "a pool's limit")] {
        let took = runtime.block_on(run_limited(&daemon.api, name));
        let name = format!("{LIMITED_RUNS} runs of 50 ms through {limited} of {LIMIT} (bare loop)");
        row(&name, &milliseconds(took), &milliseconds(bare), ratio(took, bare));
    }
}

/// From when the limit is opened to the end of the last run.
async fn run_limited(api: &str, name: &str) -> Duration {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("{api}/deployments/name/{name}/{name}");
    let deployment: serde_json::Value = client.get(url).send().await.expect("an answer").json().await.expect("JSON");
    let id = deployment["id"].as_str().expect("an id").to_owned();
    let mut making = tokio::task::JoinSet::new();
    for _ in 0..LIMITED_RUNS {
        if making.len() >= 64 {
            making.join_next().await.expect("one").expect("a run");
        }
        let request = client.post(format!("{api}/deployments/{id}/create_flow_run")).json(&serde_json::json!({}));
        making.spawn(async move { assert!(request.send().await.expect("an answer").status().is_success()) });
    }
    making.join_all().await;
    let opened = jiff::Timestamp::now();
    let request = match name {
        "tag" => client.post(format!("{api}/concurrency_limits/")).json(&serde_json::json!({"tag": "narrow", "concurrency_limit": LIMIT})),
        _ => client.patch(format!("{api}/work_pools/pool")).json(&serde_json::json!({"concurrency_limit": LIMIT})),
    };
    assert!(request.send().await.expect("an answer").status().is_success());
    let deployments = serde_json::json!({"id": {"any_": [id]}});
    let filter = serde_json::json!({"deployments": deployments, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}});
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let count: u64 = client.post(format!("{api}/flow_runs/count")).json(&filter).send().await.expect("an answer").json().await.expect("a count");
        if count >= LIMITED_RUNS as u64 {
            break;
        }
    }
    let newest = serde_json::json!({"deployments": deployments, "sort": "END_TIME_DESC", "limit": 1});
    let last: serde_json::Value = client.post(format!("{api}/flow_runs/filter")).json(&newest).send().await.expect("an answer").json().await.expect("JSON");
    let ended: jiff::Timestamp = last[0]["end_time"].as_str().and_then(|text| text.parse().ok()).expect("an end");
    Duration::try_from(ended.duration_since(opened)).unwrap_or_default()
}

/// Schedules that fire hourly to yearly, one a deployment, none of them in the next quarter of an hour.
fn many_schedules() -> String {
    let minute = jiff::Timestamp::now().as_second() / 60 % 60;
    let mut text = String::from("name: many\ndeployments:\n");
    for number in 0..SCHEDULES as i64 {
        let (minute, hour) = ((minute + 20 + number % 25) % 60, number % 24);
        let rest = match number % 5 {
            0 => "* * * *".to_owned(),
            1 => format!("{hour} * * *"),
            2 => format!("{hour} * * {}", number % 7),
            3 => format!("{hour} {} * *", number % 28 + 1),
            _ => format!("{hour} {} {} *", number % 28 + 1, number % 12 + 1),
        };
        text.push_str(&format!("  - {{name: d{number}, command: echo, schedule: {{cron: \"{minute} {rest}\", timezone: Europe/Berlin}}}}\n"));
    }
    text
}

fn schedules(directory: &Path) {
    project(directory, &many_schedules());
    let home = directory.join("home");
    let apply = time(|| assert!(reeve(&home, directory).arg("reconcile").stdout(Stdio::null()).status().expect("reeve").success()));
    row("100,000 schedules, hourly to yearly: first apply", &milliseconds(apply), "-", f64::NAN);
    // A daemon without a project: what it takes to look after what is stored, without reading 10 MB of YAML.
    let empty = directory.join("empty");
    std::fs::create_dir_all(&empty).expect("a directory");
    let mut ready = Duration::MAX;
    for _ in 0..3 {
        let (daemon, took) = Daemon::start(&home, &empty, "API at ");
        ready = ready.min(took);
        drop(daemon);
    }
    row("  start to ready (baseline: 1.5 s)", &milliseconds(ready), "1500.0 ms", ready.as_secs_f64() / 1.5);
    let (daemon, _) = Daemon::start(&home, &empty, "API at ");
    std::thread::sleep(Duration::from_secs(20));
    row("  resident", &format!("{:.1} MB", daemon.resident_megabytes()), "-", f64::NAN);
    let before = daemon.processor_time();
    std::thread::sleep(Duration::from_secs(60));
    let share = (daemon.processor_time() - before) / 60.0 * 100.0;
    row("  processor between due instants (baseline: 0.5 % of a core)", &format!("{share:.2} %"), "0.50 %", share / 0.5);
}

/// So many deployments, each with a slot at one and the same second.
fn burst(directory: &Path) {
    let due = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(25);
    let at = due.as_second() % 86_400;
    let due = jiff::Timestamp::from_second(due.as_second()).expect("an instant");
    let mut text = String::from("name: burst\ndeployments:\n");
    for number in 0..BURST_RUNS {
        text.push_str(&format!("  - {{name: d{number}, command: [\"true\"], schedule: {{cron: \"{} {} * * * {}\"}}}}\n", at / 60 % 60, at / 3_600, at % 60));
    }
    project(directory, &text);
    let (daemon, _) = Daemon::start(&directory.join("home"), directory, "next - ");
    assert!(jiff::Timestamp::now() < due, "starting took longer than the benchmark allows");
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut late = runtime.block_on(starts(&daemon.api, due));
    drop(daemon);
    let bare = time(|| {
        for _ in 0..BURST_RUNS {
            assert!(Command::new("true").status().expect("true").success());
        }
    });
    let bare = bare.as_secs_f64() * 1_000.0;
    for (name, share) in [("median", 0.5), ("last", 1.0)] {
        let reeve = percentile(&mut late, share);
        let name = format!("{} slots due in one second: {name} lateness (bare loop)", late.len());
        row(&name, &format!("{reeve:.0} ms"), &format!("{:.0} ms", bare * share), reeve / (bare * share));
    }
}

/// How many milliseconds after `due` each run of the burst started; waits until all of them are Completed.
async fn starts(api: &str, due: jiff::Timestamp) -> Vec<f64> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let completed = serde_json::json!({"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}});
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let count: u64 = client.post(format!("{api}/flow_runs/count")).json(&completed).send().await.expect("an answer").json().await.expect("a count");
        if count >= BURST_RUNS as u64 {
            break;
        }
        assert!(Instant::now() < deadline, "only {count} of the {BURST_RUNS} slots ran");
    }
    let mut late = Vec::new();
    while late.len() < BURST_RUNS {
        let page = serde_json::json!({"flow_runs": completed["flow_runs"], "sort": "ID_DESC", "limit": 200, "offset": late.len()});
        let runs: Vec<serde_json::Value> = client.post(format!("{api}/flow_runs/filter")).json(&page).send().await.expect("an answer").json().await.expect("runs");
        assert!(!runs.is_empty(), "the runs are there");
        let started = runs.iter().filter_map(|run| run["start_time"].as_str()?.parse::<jiff::Timestamp>().ok());
        late.extend(started.map(|at| at.duration_since(due).as_secs_f64() * 1_000.0));
    }
    late
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn best(rounds: usize, mut work: impl FnMut()) -> Duration {
    (0..rounds).map(|_| time(&mut work)).min().unwrap_or_default()
}

fn ratio(reeve: Duration, baseline: Duration) -> f64 {
    reeve.as_secs_f64() / baseline.as_secs_f64()
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
