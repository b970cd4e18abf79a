//! The host of a round: its project, its daemon (killed and started again, also as another copy of the binary), and its processes.
use crate::clock::{CAN_BE_SET, Clock};
use crate::common::{Daemon, Host, http, process};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a run does that nothing happens to, and how often it begins.
pub struct Kind {
    pub name: &'static str,
    /// The state's type and name.
    pub ends: (&'static str, &'static str),
    pub begins: usize,
    settings: &'static str,
}

const fn kind(name: &'static str, ends: (&'static str, &'static str), begins: usize, settings: &'static str) -> Kind {
    Kind { name, ends, begins, settings }
}

const COMPLETED: (&str, &str) = ("COMPLETED", "Completed");

/// `long` ends only by a cancel.
pub const KINDS: [Kind; 13] = [
    kind("short", COMPLETED, 1, ""),
    kind("steady", COMPLETED, 1, ""),
    kind("single", COMPLETED, 1, ", concurrency_limit: 1"),
    kind("pooled", COMPLETED, 1, ", work_pool: {name: narrow}"),
    kind("forker", COMPLETED, 1, ", work_pool: {name: narrow, work_queue_name: side}"),
    kind("flood", COMPLETED, 1, ""),
    kind("fails", ("FAILED", "Failed"), 3, ", retries: 2, retry_delay_seconds: [0.1, 0.7]"),
    kind("crashes", ("CRASHED", "Crashed"), 2, ", retries: 1, retry_on: [crashed]"),
    kind("slow", ("FAILED", "TimedOut"), 1, ", timeout_seconds: 0.5"),
    kind("stubborn", ("FAILED", "TimedOut"), 1, ", timeout_seconds: 0.6, work_pool: {name: narrow, work_queue_name: side}"),
    kind("long", ("CANCELLED", "Cancelled"), 1, ", work_pool: {name: narrow}"),
    kind(TICKS, COMPLETED, 1, ", schedules: [{interval: 2, anchor_date: '2026-01-01T00:00:00Z'}]"),
    kind(MINUTES, COMPLETED, 1, ", schedules: [{cron: '* * * * *', missed: skip}]"),
];

/// These have a schedule.
pub const TICKS: &str = "ticks";
pub const MINUTES: &str = "minutes";

pub const LONG: &str = "long";

fn manifest() -> String {
    let deployments: Vec<String> = KINDS
        .iter()
        .map(|kind| {
            let (name, settings) = (kind.name, kind.settings);
            let variables = "job_variables: {grace_seconds: 0.3, max_output: 200000}";
            format!("  - {{name: {name}, command: 'exec sh ./work.sh {name}', {variables}{settings}}}\n")
        })
        .collect();
    let pool = "{name: narrow, type: process, concurrency_limit: 2, work_queues: [{name: side, concurrency_limit: 1}]}";
    format!("name: faults\nwork_pools: [{pool}]\ndeployments:\n{}", deployments.concat())
}

/// A supervisor, and what it supervises.
#[derive(Debug, Clone)]
pub struct Supervisor {
    pub pid: i32,
    pub run: String,
    pub directory: PathBuf,
}

pub struct House {
    pub host: Host,
    pub clock: Clock,
    /// No slot before it exists.
    pub since: Timestamp,
    daemon: Option<Daemon>,
    copies: usize,
    pub began: Instant,
    /// By name.
    deployments: BTreeMap<&'static str, String>,
}

impl House {
    pub fn new() -> House {
        let host = Host::new(&manifest());
        host.write("work.sh", include_str!("work.sh"));
        fs::create_dir(host.path().join("books")).unwrap();
        let clock = Clock::new(&host.path());
        let mut house = House { host, since: clock.now(), clock, daemon: None, copies: 0, began: Instant::now(), deployments: BTreeMap::new() };
        house.start();
        house.daemon().reconciled();
        house.since = house.clock.now();
        if CAN_BE_SET {
            house.clock.set(SignedDuration::ZERO);
        }
        for kind in &KINDS {
            let id = house.daemon().deployment(kind.name)["id"].as_str().unwrap().to_owned();
            house.deployments.insert(kind.name, id);
        }
        house
    }

    pub fn books(&self) -> PathBuf {
        self.host.path().join("books")
    }

    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("a daemon runs")
    }

    pub fn take_daemon(&mut self) -> Daemon {
        self.daemon.take().expect("a daemon runs")
    }

    /// Starts a daemon from a copy of the binary that is gone a moment later, as an upgrade does it to a running one.
    pub fn start(&mut self) {
        self.copies += 1;
        let copy = self.host.path().join(format!("reeve-{}", self.copies));
        let binary = Path::new(env!("CARGO_BIN_EXE_reeve"));
        if fs::hard_link(binary, &copy).is_err() {
            fs::copy(binary, &copy).unwrap();
        }
        self.daemon = Some(Daemon::start(self.command(&copy)));
        fs::remove_file(copy).unwrap();
    }

    fn command(&self, binary: &Path) -> Command {
        let settings = self.host.command();
        let mut command = Command::new(binary);
        command.args(["daemon", "--port", "0"]).current_dir(self.host.project()).stdin(Stdio::null());
        for (name, value) in settings.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("BOOKS", self.books());
        self.clock.give(&mut command);
        // A full disk is simulated by a limit on the size of files: it must not end the daemon by a signal.
        // SAFETY: one system call between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                Ok(())
            })
        };
        command
    }

    /// Asks for a run; its id if that was acknowledged.
    pub fn ask_for(&self, kind: &'static str) -> Option<String> {
        let path = format!("/api/deployments/{}/create_flow_run", self.deployments[kind]);
        let run: Value = self.answer("POST", &path, Some(&json!({})), 201)?;
        Some(run["id"].as_str()?.to_owned())
    }

    /// Asks for the end of a run. `true`: that it is being ended was acknowledged.
    pub fn cancel(&self, run: &str) -> bool {
        let path = format!("/api/flow_runs/{run}/set_state");
        let answer = self.answer("POST", &path, Some(&json!({"state": {"type": "CANCELLING"}})), 201);
        let taken = ["CANCELLING", "CANCELLED"];
        answer.is_some_and(|answer| taken.iter().any(|state| answer["state"]["type"] == *state))
    }

    /// Stops the schedules of a deployment.
    pub fn pause(&self, kind: &'static str) {
        self.daemon().post(&format!("/deployments/{}/pause_deployment", self.deployments[kind]), json!({}));
    }

    pub fn look(&self, run: &str) -> Option<Value> {
        self.answer("GET", &format!("/api/flow_runs/{run}"), None, 200)
    }

    /// Every run of the round.
    pub fn runs(&self) -> Vec<Value> {
        self.deployments.keys().flat_map(|name| self.daemon().runs_of(name)).collect()
    }

    pub fn kind_of(&self, run: &Value) -> &'static Kind {
        let name = self.deployments.iter().find(|(_, id)| run["deployment_id"] == **id).map(|(name, _)| *name);
        KINDS.iter().find(|kind| Some(kind.name) == name).unwrap_or_else(|| panic!("of no deployment: {run:#}"))
    }

    /// `None` where the daemon did not answer, or not so.
    fn answer(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Option<Value> {
        let reply = http::request(&self.daemon.as_ref()?.address, method, path, body)?;
        (reply.status == status).then(|| serde_json::from_slice(&reply.body).ok())?
    }

    /// By their working directories, also where those are removed.
    pub fn supervisors(&self) -> Vec<Supervisor> {
        let runs = self.host.home().join("runs");
        let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(|pid: i32| {
            let directory = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            let run = directory.strip_prefix(&runs).ok()?.file_name()?.to_str()?.split('.').next()?.to_owned();
            (name.trim_end() == "reeve-supervise").then_some(Supervisor { pid, run, directory })
        })
        .collect()
    }

    /// All processes of a run but its supervisor.
    pub fn processes_of(&self, run: &str) -> Vec<i32> {
        process::with_variable(&format!("REEVE_FLOW_RUN_ID={run}"))
    }

    /// Whatever is of this round beside its daemon.
    pub fn everything(&self) -> Vec<i32> {
        let of_home = process::with_variable(&format!("REEVE_HOME={}", self.host.home().display()));
        let daemon = self.daemon.as_ref().map(Daemon::pid);
        let supervisors = self.supervisors().into_iter().map(|supervisor| supervisor.pid);
        supervisors.chain(of_home).filter(|pid| Some(*pid) != daemon && process::is_alive(*pid)).collect()
    }
}
