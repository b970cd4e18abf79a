//! A host of its own for each test: a temporary home, a project directory, and the real binary in them.
//!
//! Nothing here sleeps to synchronise: tests wait for a line that the daemon prints, for a run's log stream to end, or (where
//! there is nothing to be told) look again and again until a deadline that no healthy machine comes near.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod daemon;
pub mod http;
pub mod process;

pub use daemon::Daemon;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A hang is a failure; nothing takes a tenth of it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often something is looked at that tells nobody when it changes.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A home and a project directory. Whatever still runs in it ends with it.
pub struct Host {
    directory: TempDir,
}

impl Host {
    /// A new home (not made yet) and a project with this `deployment.yaml`.
    pub fn new(manifest: &str) -> Host {
        let host = Host { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(host.project()).unwrap();
        host.write("deployment.yaml", manifest);
        host
    }

    /// The path without symbolic links, as reeve shows it.
    pub fn path(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    pub fn project(&self) -> PathBuf {
        self.path().join("project")
    }

    /// Writes a file of the project in place.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.project().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Removes a file of the project.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.project().join(name)).unwrap();
    }

    /// The text of a file of the project; empty where there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.project().join(name)).unwrap_or_default()
    }

    /// The binary in this host's home and project, with nothing of the caller's settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeve"));
        command.current_dir(self.project()).stdin(Stdio::null());
        for variable in ["REEVE_API_URL", "PREFECT_API_URL", "REEVE_LOG", "XDG_STATE_HOME", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command.env("REEVE_HOME", self.home()).env("HOME", self.path()).env("TZ", "UTC").env("COLUMNS", "200");
        command
    }

    /// Runs a command to its end.
    pub fn cli(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command().args(arguments), arguments)
    }

    /// Starts the daemon on a free port and waits until its API answers.
    pub fn daemon(&self) -> Daemon {
        self.daemon_with(&[], &[])
    }

    /// The same with more arguments and environment variables.
    pub fn daemon_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command();
        command.args(["daemon", "--port", "0"]).args(arguments).envs(environment.iter().copied());
        Daemon::start(command)
    }

    /// The number of the store's last commit. No daemon may run.
    pub fn sequence(&self) -> u64 {
        let url = format!("sled:{}", self.home().join("store").display());
        reeve::store::open_copy(&url).unwrap_or_else(|error| panic!("the home cannot be read: {error}")).sequence()
    }

    /// Every file of the home with its content and time of change: equal before and after means that nothing wrote.
    pub fn home_as_it_is(&self) -> Vec<(PathBuf, std::time::SystemTime, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![self.home()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => directories.push(entry.path()),
                    false => {
                        let changed = entry.metadata().unwrap().modified().unwrap();
                        files.push((entry.path(), changed, fs::read(entry.path()).unwrap()));
                    }
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        process::end_all_of(&self.home());
    }
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
    what: String,
}

impl Answer {
    pub fn of(command: &mut Command, what: &[&str]) -> Answer {
        let output = command.output().unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            what: what.join(" "),
        }
    }

    /// Fails with all that was said unless the exit code is this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Answer {
        assert!(self.code == code, "`reeve {}` ended with {}, expected {code}\n{}\n{}", self.what, self.code, self.out, self.err);
        self
    }

    /// Fails unless each of these stands somewhere in what it printed.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Answer {
        for text in texts {
            let said = self.out.contains(text) || self.err.contains(text);
            assert!(said, "`reeve {}` does not say {text:?}\n{}\n{}", self.what, self.out, self.err);
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("`reeve {}` printed no JSON: {error}\n{}\n{}", self.what, self.out, self.err))
    }
}

/// Looks until there is an answer; fails after `PATIENCE`.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// How many rounds the random tests make: `REEVE_TEST_ROUNDS` times `each`.
pub fn rounds(each: usize) -> usize {
    each * std::env::var("REEVE_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The lines of a file that a run wrote, none where there is no such file yet.
pub fn lines_of(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}
