//! One daemon process: what it prints, its API, and ways to end it.
use super::http::{self, Reply};
use super::{PATIENCE, process, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// A running daemon; killed when dropped. Its output is shown where the test fails.
pub struct Daemon {
    child: Child,
    output: Arc<Output>,
    /// `127.0.0.1:PORT`
    pub address: String,
}

#[derive(Default)]
struct Output {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    /// How many of the two pipes have ended.
    ended: usize,
}

impl Daemon {
    /// Starts the command and waits until it says where its API is.
    #[track_caller]
    pub fn start(command: Command) -> Daemon {
        let mut daemon = Daemon::spawn(command);
        let line = daemon.line("API at http://");
        let (_, rest) = line.split_once("http://").unwrap();
        daemon.address = rest.split('/').next().unwrap().to_owned();
        daemon
    }

    /// Starts the command with a terminal that takes nothing, and waits until its API answers. [`Daemon::listen`] takes what it says.
    #[track_caller]
    pub fn unheard(mut command: Command, home: &Path) -> (Daemon, PipeReader) {
        let (terminal, end) = std::io::pipe().unwrap();
        let child = command.stdout(Stdio::null()).stderr(end).spawn().unwrap();
        drop(command);
        let address = super::until("the daemon says where its API is", || {
            let file: Value = serde_json::from_slice(&std::fs::read(home.join("daemon.json")).ok()?).ok()?;
            Some(file["api"].as_str()?.strip_prefix("http://")?.split('/').next()?.to_owned())
        });
        let output = Arc::new(Output::default());
        output.lines.lock().unwrap().ended = 1;
        (Daemon { child, output, address }, terminal)
    }

    /// Takes from now on what it says.
    pub fn listen(&self, terminal: PipeReader) {
        collect(terminal, self.output.clone());
    }

    /// Starts the command and waits for nothing.
    pub fn spawn(mut command: Command) -> Daemon {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Arc::new(Output::default());
        collect(child.stdout.take().unwrap(), output.clone());
        collect(child.stderr.take().unwrap(), output.clone());
        Daemon { child, output, address: String::new() }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// How many lines have been printed: a place from which to look for later ones.
    pub fn mark(&self) -> usize {
        self.output.lines.lock().unwrap().all.len()
    }

    /// Waits for a line that holds `text`, from the first on.
    #[track_caller]
    pub fn line(&self, text: &str) -> String {
        self.line_after(0, text)
    }

    /// The same from a mark on.
    #[track_caller]
    pub fn line_after(&self, mark: usize, text: &str) -> String {
        self.lines_until(mark, &[text]).0.pop().unwrap_or_default()
    }

    /// Waits for a line from the mark on that holds one of `texts`; all lines up to it, and the mark after it.
    #[track_caller]
    pub fn lines_until(&self, mark: usize, texts: &[&str]) -> (Vec<String>, usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.output.lines.lock().unwrap();
        loop {
            let holds = |line: &String| texts.iter().any(|text| line.contains(text));
            if let Some(found) = lines.all[mark..].iter().position(holds) {
                let next = mark + found + 1;
                return (lines.all[mark..next].to_vec(), next);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.ended == 2 {
                let all = lines.all.join("\n");
                drop(lines);
                panic!("the daemon never said {texts:?}:\n{all}");
            }
            lines = self.output.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Everything that was printed until now.
    pub fn said(&self) -> String {
        self.output.lines.lock().unwrap().all.join("\n")
    }

    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        http::request(&self.address, method, &format!("/api{path}"), body)
            .unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let reply = self.request("GET", path, None);
        assert_eq!(reply.status, 200, "GET {path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// The text of a page outside `/api`.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        let reply = http::request(&self.address, "GET", path, None).unwrap_or_else(|| panic!("GET {path}: no answer"));
        assert_eq!(reply.status, 200, "GET {path}: {}", String::from_utf8_lossy(&reply.body));
        String::from_utf8(reply.body).unwrap()
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Value {
        let reply = self.request("POST", path, Some(&body));
        assert!((200..300).contains(&reply.status), "POST {path}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    /// Waits until the first pass over every project is done, and gives the status.
    #[track_caller]
    pub fn reconciled(&self) -> Value {
        until("the first pass is done", || {
            let status = self.get("/reeve/status");
            let busy = |project: &Value| ["starting", "reconciling"].contains(&project["phase"].as_str().unwrap());
            (!status["projects"].as_array().unwrap().iter().any(busy)).then_some(status)
        })
    }

    /// Waits until the only project is in this phase, and gives its status.
    #[track_caller]
    pub fn phase(&self, phase: &str) -> Value {
        until(&format!("the project is {phase}"), || {
            let project = self.get("/reeve/status")["projects"][0].clone();
            (project["phase"] == phase).then_some(project)
        })
    }

    /// `flow/name`, or a bare name that is its own flow's, as the API shows it.
    #[track_caller]
    pub fn deployment(&self, name: &str) -> Value {
        self.get(&format!("/deployments/name/{}", full(name)))
    }

    /// Asks for a run of a deployment now.
    #[track_caller]
    pub fn run(&self, deployment: &str) -> Value {
        self.run_with(deployment, json!({}))
    }

    /// The same with the body of `create_flow_run`.
    #[track_caller]
    pub fn run_with(&self, deployment: &str, body: Value) -> Value {
        let id = self.deployment(deployment)["id"].as_str().unwrap().to_owned();
        self.post(&format!("/deployments/{id}/create_flow_run"), body)
    }

    /// The run as it is now.
    #[track_caller]
    pub fn look(&self, run: &Value) -> Value {
        self.get(&format!("/flow_runs/{}", id(run)))
    }

    /// Waits until the run is Running; what it prints may be seen before that is written down.
    #[track_caller]
    pub fn running(&self, run: &Value) -> Value {
        until("the run is Running", || {
            let run = self.look(run);
            (run["state_type"] == "RUNNING").then_some(run)
        })
    }

    /// Waits until the run is over, and gives it.
    #[track_caller]
    pub fn end_of(&self, run: &Value) -> Value {
        let path = format!("/api/reeve/flow_runs/{}/logs/follow", id(run));
        let lines = http::lines(&self.address, &path).unwrap_or_else(|| panic!("the log of {} cannot be followed", id(run)));
        lines.for_each(drop);
        let run = self.look(run);
        let kind = run["state_type"].as_str().unwrap();
        assert!(["COMPLETED", "FAILED", "CRASHED", "CANCELLED"].contains(&kind), "its log ended, but the run is {kind}: {run:#}");
        run
    }

    /// Waits until the run is over, whatever becomes of its log, and gives it.
    #[track_caller]
    pub fn over(&self, run: &Value) -> Value {
        until("the run is over", || {
            let run = self.look(run);
            ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"].contains(&run["state_type"].as_str().unwrap()).then_some(run)
        })
    }

    /// Runs a deployment to its end.
    #[track_caller]
    pub fn outcome(&self, deployment: &str) -> Value {
        self.end_of(&self.run(deployment))
    }

    /// Follows the run's log until a line holds `text`, and gives that line.
    #[track_caller]
    pub fn logged(&self, run: &Value, text: &str) -> String {
        let path = format!("/api/reeve/flow_runs/{}/logs/follow", id(run));
        let lines = http::lines(&self.address, &path).unwrap();
        let messages = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap()["message"].as_str().unwrap().to_owned());
        let mut seen = Vec::new();
        for message in messages {
            if message.contains(text) {
                return message;
            }
            seen.push(message);
        }
        panic!("the log of '{}' ended without {text:?}: {seen:#?}\n{:#}", run["name"], self.look(run));
    }

    /// What the run printed, without reeve's own remarks, all attempts.
    #[track_caller]
    pub fn log(&self, run: &Value) -> Vec<String> {
        let path = format!("/api/reeve/flow_runs/{}/logs/stream", id(run));
        let lines = http::lines(&self.address, &path).unwrap();
        lines
            .map(|line| serde_json::from_str::<Value>(&line).unwrap())
            .filter(|line| line["stream"] != "reeve")
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Every run of a deployment, oldest first.
    #[track_caller]
    pub fn runs_of(&self, deployment: &str) -> Vec<Value> {
        let id = self.deployment(deployment)["id"].clone();
        let mut runs = Vec::new();
        loop {
            let body = json!({"flow_runs": {"deployment_id": {"any_": [id]}}, "sort": "EXPECTED_START_TIME_ASC",
                "limit": 200, "offset": runs.len()});
            let page = self.post("/flow_runs/filter", body);
            runs.extend(page.as_array().unwrap().iter().cloned());
            if page.as_array().unwrap().len() < 200 {
                return runs;
            }
        }
    }

    /// Waits until so many runs are going on and so many wait.
    #[track_caller]
    pub fn counts(&self, running: u64, waiting: u64) {
        let wanted = json!({"waiting": waiting, "running": running});
        until(&format!("the runs are {wanted}"), || (self.get("/reeve/status")["runs"] == wanted).then_some(()));
    }

    pub fn signal(&self, signal: Signal) {
        process::send(self.pid(), signal);
    }

    /// Waits for the end of the process; with everything it said.
    #[track_caller]
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = until("the daemon has ended", || self.child.try_wait().unwrap());
        let mut lines = self.output.lines.lock().unwrap();
        while lines.ended < 2 {
            lines = self.output.more.wait_timeout(lines, PATIENCE).unwrap().0;
        }
        let said = lines.all.join("\n");
        drop(lines);
        (status, said)
    }

    /// Ctrl-C.
    #[track_caller]
    pub fn interrupt(self) -> (ExitStatus, String) {
        self.signal(Signal::INT);
        self.ended()
    }

    /// `kill -9`: no line of its code runs any more.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon (process {}) said ---\n{}", self.pid(), self.said());
        }
    }
}

/// The id of an object of the API.
pub fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap_or_else(|| panic!("it has no id: {object:#}"))
}

/// Type and name of a run's state.
pub fn state(run: &Value) -> (&str, &str) {
    (run["state_type"].as_str().unwrap(), run["state_name"].as_str().unwrap())
}

/// The message of a run's state.
pub fn message(run: &Value) -> &str {
    run["state"]["message"].as_str().unwrap_or_default()
}

fn full(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("{name}/{name}") }
}

fn collect(pipe: impl Read + Send + 'static, output: Arc<Output>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            output.lines.lock().unwrap().all.push(text);
            output.more.notify_all();
            line.clear();
        }
        output.lines.lock().unwrap().ended += 1;
        output.more.notify_all();
    });
}
