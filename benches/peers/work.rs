//! What every peer has to do, and what is measured of it: stamps that the work itself writes, and the memory of a tree of processes.
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// No measurement takes longer; a round of all peers ends within ten minutes where they work.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The variable by which the processes of a measurement are known, whoever their parent is.
const MARK: &str = "REEVE_PEERS_ROUND";

pub struct Counts {
    pub runs: usize,
    pub seconds: usize,
    pub sleepers: usize,
}

impl Counts {
    /// From words such as `runs=500`.
    pub fn read(arguments: &[String]) -> Counts {
        let value = |name: &str, usual: usize| {
            let given = arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
            given.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: expected a number")))
        };
        Counts { runs: value("runs", 500), seconds: value("seconds", 20), sleepers: value("sleepers", 20) }
    }
}

/// What was measured of one peer.
#[derive(Default)]
pub struct Figures {
    pub runs: usize,
    pub took: Option<Duration>,
    pub memory: Option<f64>,
    pub late: Vec<f64>,
    notes: Vec<String>,
}

impl Figures {
    pub fn new(runs: usize) -> Figures {
        Figures { runs, ..Figures::default() }
    }

    pub fn note<T>(&mut self, what: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|why| self.notes.push(format!("{what}: {why}"))).ok()
    }

    pub fn print(mut self, name: &str) {
        let number = |value: Option<f64>, unit: &str| value.map_or("-".to_owned(), |value| format!("{value:.1}{unit}"));
        let seconds = self.took.map(|took| took.as_secs_f64());
        let rate = number(seconds.map(|seconds| self.runs as f64 / seconds), "");
        self.late.sort_by(f64::total_cmp);
        let [p50, p99] = [0.5, 0.99].map(|share| {
            let place = (self.late.len().saturating_sub(1) as f64 * share).round() as usize;
            number(self.late.get(place).copied(), " ms")
        });
        let (seconds, memory) = (number(seconds, ""), number(self.memory, " MB"));
        println!("{name:<12} {:>7} {seconds:>10} {rate:>9} {memory:>12} {p50:>10} {p99:>10}", self.runs);
        self.notes.iter().for_each(|note| println!("  {note}"));
    }
}

/// The file into which the work writes its lines.
pub struct Stamps {
    file: PathBuf,
}

impl Stamps {
    pub fn new(directory: &Path) -> Result<Stamps, String> {
        let file = directory.join("stamps");
        fs::write(&file, "").map_err(|error| error.to_string())?;
        Ok(Stamps { file })
    }

    /// The command that writes one line, as words without anything that a shell would change.
    pub fn command(&self) -> Result<Vec<String>, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        Ok(vec![program.display().to_string(), "--stamp".to_owned(), self.file.display().to_string()])
    }

    fn lines(&self) -> Vec<(f64, f64)> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let number = |word: Option<&str>| word.and_then(|word| word.parse::<f64>().ok());
        text.lines().filter_map(|line| Some((number(line.split(' ').next())?, number(line.split(' ').nth(1))?))).collect()
    }

    /// Waits until so many lines are there.
    pub fn wait_for(&self, count: usize) -> Result<(), String> {
        until(&format!("{count} runs have written"), || (self.lines().len() >= count).then_some(()))
            .map_err(|why| format!("{why}; {} have", self.lines().len()))
    }

    /// When the last line was written, since 1970.
    pub fn last(&self) -> Result<Duration, String> {
        let last = self.lines().iter().map(|(at, _)| *at).max_by(f64::total_cmp);
        last.map(Duration::from_secs_f64).ok_or_else(|| "nothing was written".to_owned())
    }

    /// Waits until so many lines are there that were due after the first was written (before that its program still started), or until
    /// the patience ends; how late each of them was, in ms. From one that falls behind so far that none of them came, of all.
    pub fn late(&self, count: usize) -> Result<Vec<f64>, String> {
        let complete = until(&format!("{count} slots have come"), || (self.late_now().len() >= count).then_some(()));
        let late = self.late_now();
        match (complete, self.lines()) {
            (Err(why), lines) if lines.is_empty() => Err(why),
            (Err(_), lines) if late.is_empty() => Ok(lines.iter().map(lateness).collect()),
            _ => Ok(late),
        }
    }

    fn late_now(&self) -> Vec<f64> {
        let lines = self.lines();
        let first = lines.iter().map(|(at, _)| *at).fold(f64::INFINITY, f64::min);
        lines.iter().filter(|(_, due)| *due > first).map(lateness).collect()
    }
}

/// In ms, of when a line was written and when it was due.
fn lateness((at, due): &(f64, f64)) -> f64 {
    (at - due) * 1_000.0
}

/// What the work does: writes when it runs, and when it was due: as given, else the full second before, where reeve's run says nothing.
pub fn stamp(file: &Path, due: Option<&str>) {
    let now = since_1970().as_secs_f64();
    let slot = || {
        let run = std::env::var("REEVE_FLOW_RUN_ID").ok()?.replace('-', "");
        Some(u64::from_str_radix(run.get(..12)?, 16).ok()? as f64 / 1_000.0)
    };
    let due = due.and_then(|due| due.parse().ok()).or_else(slot).unwrap_or(now.floor());
    let mut file = fs::OpenOptions::new().create(true).append(true).open(file).expect("the stamps");
    file.write_all(format!("{now:.6} {due:.6}\n").as_bytes()).expect("a stamp");
}

pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970")
}

pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(format!("waited {} s in vain until {what}", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A program that goes on in the background with everything it starts, and ends with all of that when it is dropped.
pub struct Background {
    child: Child,
    mark: String,
}

impl Background {
    /// Its output goes into `log` in its directory.
    pub fn start(command: &mut Command, directory: &Path) -> Result<Background, String> {
        let mark = directory.display().to_string();
        let log = fs::File::create(directory.join("log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let spawned = command.env(MARK, &mark).stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Ok(Background { child: spawned.map_err(|error| format!("{command:?}: {error}"))?, mark })
    }

    /// Marks a command that belongs to the measurement too.
    pub fn mark(directory: &Path) -> (&'static str, String) {
        (MARK, directory.display().to_string())
    }

    /// Waits until so many `sleep` run, and gives the PSS in MB of everything else that belongs to it.
    pub fn memory_beside(&self, sleepers: usize) -> Result<f64, String> {
        let sleeping = || marked(&self.mark).into_iter().filter(|pid| is_sleep(*pid)).count();
        until(&format!("{sleepers} sleep"), || (sleeping() >= sleepers).then_some(()))?;
        // What was only needed to start them may go.
        std::thread::sleep(Duration::from_secs(2));
        let kilobytes: f64 = marked(&self.mark).into_iter().filter(|pid| !is_sleep(*pid)).filter_map(pss).sum();
        Ok(kilobytes / 1024.0)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        // Programs that start others as theirs are ended too, and those that were starting then.
        for _ in 0..3 {
            for pid in marked(&self.mark) {
                drop(Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status());
            }
        }
    }
}

/// The processes of a measurement.
fn marked(mark: &str) -> Vec<u32> {
    let variable = format!("{MARK}={mark}");
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|one| one == variable.as_bytes())
        })
        .collect()
}

fn is_sleep(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == "sleep")
}

/// Kilobytes, what is shared counted in proportion.
fn pss(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// JSON over HTTP, from code that is not async.
pub struct Http {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Http {
    pub fn new() -> Result<Http, String> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().map_err(|error| error.to_string())?;
        Ok(Http { runtime, client })
    }

    pub fn get(&self, url: &str) -> Result<serde_json::Value, String> {
        self.ask(self.client.get(url))
    }

    pub fn post(&self, url: &str, body: &serde_json::Value) -> Result<serde_json::Value, String> {
        self.ask(self.client.post(url).json(body))
    }

    pub fn patch(&self, url: &str, body: &serde_json::Value) -> Result<serde_json::Value, String> {
        self.ask(self.client.patch(url).json(body))
    }

    fn ask(&self, request: reqwest::RequestBuilder) -> Result<serde_json::Value, String> {
        self.runtime.block_on(async {
            let answer = request.send().await.map_err(|error| error.to_string())?;
            let (status, text) = (answer.status(), answer.text().await.map_err(|error| error.to_string())?);
            match status.is_success() {
                true => Ok(serde_json::from_str(&text).unwrap_or_default()),
                false => Err(format!("{status}: {text}")),
            }
        })
    }
}

/// Makes runs of a deployment of Prefect's API and opens its pool, which is paused, to them; when that was.
pub fn open_to_runs(http: &Http, api: &str, deployment: &str, pool: &str, count: usize) -> Result<Duration, String> {
    let found = http.get(&format!("{api}/deployments/name/{deployment}"))?;
    let id = found["id"].as_str().ok_or("a deployment without an id")?.to_owned();
    for _ in 0..count {
        http.post(&format!("{api}/deployments/{id}/create_flow_run"), &serde_json::json!({"state": {"type": "SCHEDULED"}}))?;
    }
    let opened = since_1970();
    http.patch(&format!("{api}/work_pools/{pool}"), &serde_json::json!({"is_paused": false}))?;
    Ok(opened)
}
