//! cronstable: a scheduler in Python, with seconds in its cron rules and pools of slots in its stored state.
use super::prefect::succeed;
use super::work::{Background, Stamps, since_1970};
use super::{Peer, SLOTS};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const VERSION: &str = "cronstable==1.2.72";

/// How long after its start all runs of a burst are due: time to read as many jobs.
const AHEAD: Duration = Duration::from_secs(15);

struct Cronstable {
    program: PathBuf,
}

pub fn install() -> Result<Box<dyn Peer>, String> {
    let venv = std::path::absolute("target/peers/cronstable").map_err(|error| error.to_string())?;
    let program = venv.join("bin/cronstable");
    if !program.exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        succeed(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", VERSION]))?;
    }
    Ok(Box::new(Cronstable { program }))
}

impl Cronstable {
    fn start(&self, directory: &Path, configuration: &str) -> Result<Background, String> {
        let file = directory.join("cronstable.yaml");
        std::fs::write(&file, configuration).map_err(|error| error.to_string())?;
        Background::start(Command::new(&self.program).arg("-c").arg(&file), directory)
    }
}

/// Jobs that are all due at one second, in a pool of slots.
fn at_once(directory: &Path, words: &[String], count: usize, slots: usize, at: Duration) -> String {
    let at = jiff::Timestamp::from_second(at.as_secs() as i64).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let schedule = format!("{} {} {} * * * *", at.second(), at.minute(), at.hour());
    let mut text = format!(
        "pools:\n  slots:\n    slots: {slots}\n    maxQueued: {}\nstate:\n  path: {}\n  topology: single-node\n  maxOpsPerSecond: 1000000\njobs:\n",
        count.max(1),
        scalar(directory.join("state").display()),
    );
    (0..count).for_each(|number| text.push_str(&job(&format!("work-{number}"), words, &schedule, Some("slots"))));
    text
}

fn job(name: &str, words: &[String], schedule: &str, pool: Option<&str>) -> String {
    let command: String = words.iter().map(|word| format!("      - {}\n", scalar(word))).collect();
    let pool = pool.map(|pool| format!("    pool: {pool}\n")).unwrap_or_default();
    format!("  - name: {name}\n    command:\n{command}    schedule: {}\n{pool}", scalar(schedule))
}

/// Its YAML knows no flow style, but a quoted scalar.
fn scalar(text: impl std::fmt::Display) -> Value {
    json!(text.to_string())
}

impl Peer for Cronstable {
    fn burst(&self, directory: &Path, stamps: &Stamps, count: usize) -> Result<Duration, String> {
        let due = Duration::from_secs((since_1970() + AHEAD).as_secs());
        let _daemon = self.start(directory, &at_once(directory, &stamps.command()?, count, SLOTS, due))?;
        stamps.wait_for(count)?;
        Ok(due)
    }

    fn memory(&self, directory: &Path, sleepers: usize) -> Result<f64, String> {
        let due = Duration::from_secs((since_1970() + AHEAD).as_secs());
        let words = ["sleep".to_owned(), "300".to_owned()];
        let daemon = self.start(directory, &at_once(directory, &words, sleepers, sleepers, due))?;
        daemon.memory_beside(sleepers)
    }

    fn lateness(&self, directory: &Path, stamps: &Stamps, seconds: usize) -> Result<Option<Vec<f64>>, String> {
        let jobs = format!("jobs:\n{}", job("work", &stamps.command()?, "* * * * * * *", None));
        let _daemon = self.start(directory, &jobs)?;
        stamps.late(seconds).map(Some)
    }

    fn share(&self) -> usize {
        10
    }
}
