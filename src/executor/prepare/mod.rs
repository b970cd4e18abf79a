//! The run's process before it becomes the run's program: this binary, executed by the supervisor as `reeve __prepare`, does the pull
//! steps one by one, says in the run's log what it does, and then executes the program in its own place.
//!
//! So the steps are part of the attempt: in the run's session, control group, user and environment, below its supervisor, within
//! its timeout, and a cancel ends them as it ends the run. It knows neither store nor daemon. What it is to do (which holds secrets)
//! comes as an unnamed file on its standard input: no other process reads it, and it is on no disk and in no argument list.
pub mod cache;
mod command;
mod credentials;
mod git;
mod git_clone;
mod script;
mod steps;

use super::program::{self, Choice, Surroundings};
use super::{handed, result};
use super::{Interpreter, Job, Program};
use crate::model::secret::looks_secret;
use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// The hidden argument that makes the binary prepare a run.
pub const ARGUMENT: &str = "__prepare";

/// A failed step ends the run's process with this code.
const FAILED: u8 = 1;

/// What is said of a failure in the run's state.
const LONGEST_MESSAGE: usize = 2_000;

/// No order is longer.
const MOST_BYTES: u64 = 64 << 20;

/// How a run's code comes to be there.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Preparation {
    /// In order; each a mapping with one key. Only outputs of earlier steps are still placeholders.
    pub steps: Vec<Value>,
    /// Begin in a new empty directory, not in the job's working directory.
    pub fresh: bool,
    /// Where a `repository` that is a relative path begins.
    pub base: Option<PathBuf>,
    /// Where clones and work trees are kept; `None`: in the cache of the user whose run it is.
    pub cache: Option<PathBuf>,
    /// The interpreter that `pip_install_requirements` installs for, where one is configured.
    pub interpreter: Option<Interpreter>,
}

/// All that the preparing process is told.
#[derive(Serialize, Deserialize)]
struct Order {
    preparation: Preparation,
    program: Program,
    working_directory: PathBuf,
    /// Unique among attempts.
    name: String,
    confined: bool,
}

/// The values among the inputs of rendered steps that must not be shown.
pub fn secrets(steps: &[Value]) -> Vec<String> {
    let inputs = steps.iter().filter_map(|step| step.as_object()?.values().next()?.as_object());
    let variables = inputs.clone().filter_map(|inputs| inputs.get("env")?.as_object()).flatten();
    let variables = variables.filter(|(name, _)| looks_secret(name)).filter_map(|(_, value)| value.as_str().map(str::to_owned));
    let remotes = inputs.filter_map(|inputs| {
        let text = |name: &str| inputs.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let credentials = inputs.get("credentials").and_then(Value::as_object);
        credentials::Remote::new(text("repository")?, text("access_token"), credentials).ok()
    });
    remotes.flat_map(|remote| remote.secrets()).chain(variables).collect()
}

/// What is left in the order's place where the program was not started. The file is open already, so whoever's run it is can write it.
#[derive(Serialize, Deserialize)]
struct Failure {
    failure: String,
}

/// What the supervisor executes in the program's place.
pub(super) fn choice() -> Choice {
    Choice { program: "/proc/self/exe".into(), arguments: vec![ARGUMENT.into()], remark: None }
}

/// The order as an unnamed file, at its beginning.
pub(super) fn order(job: &Job, preparation: &Preparation) -> io::Result<File> {
    let order = Order {
        preparation: preparation.clone(),
        program: job.program.clone(),
        working_directory: job.working_directory.clone(),
        name: format!("{}.{}", job.run_id, job.attempt),
        confined: !job.confinement.is_none(),
    };
    let mut file = File::from(rustix::fs::memfd_create("order", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(&order)?)?;
    file.rewind()?;
    Ok(file)
}

/// Why the program was not started, from the file that was the order; `None`: it was.
pub(super) fn failure(mut order: &File) -> Option<String> {
    let mut text = String::new();
    order.rewind().ok()?;
    order.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok().map(|Failure { failure }| failure)
}

/// The whole life of the preparing process: returns only where the program was not started, with the exit code.
pub fn main() -> u8 {
    let (order, file) = match take_order() {
        Ok(taken) => taken,
        Err(error) => {
            let _nobody_reads = writeln!(io::stderr(), "reeve {ARGUMENT} is for reeve's own use: {error}");
            return FAILED;
        }
    };
    // For the program, not for the steps.
    let inherited = [result::DESCRIPTOR_VARIABLE, handed::DESCRIPTOR_VARIABLE].map(|variable| {
        let number = std::env::var(variable).ok()?.parse().ok()?;
        result::set_inherited(number, false).is_ok().then_some(number)
    });
    let failure = match steps::all(&order) {
        Ok(prepared) => become_program(&order, prepared, &inherited),
        Err(failure) => failure,
    };
    fail(file, &failure);
    FAILED
}

/// Takes the order out of its file, which is empty then.
fn take_order() -> io::Result<(Order, File)> {
    let mut file = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
    let mut text = String::new();
    (&file).take(MOST_BYTES).read_to_string(&mut text)?;
    let order = serde_json::from_str(&text)?;
    file.set_len(0)?;
    file.rewind()?;
    // Neither the steps nor the program can read or write it.
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(null.as_fd())?;
    Ok((order, file))
}

/// Executes the program where the steps led. Returns only the reason why that failed.
fn become_program(order: &Order, prepared: steps::Prepared, inherited: &[Option<i32>]) -> String {
    let directory = prepared.directory;
    if let Err(message) = program::check_directory(&directory) {
        return format!("after the pull steps, the {message}");
    }
    let Choice { program, arguments, remark } = program::choose(&order.program, &directory);
    if let Some(remark) = remark {
        say(&format!(" {remark}"));
    }
    for lock in &prepared.held {
        // The program holds on to its work tree as long as any of its processes lives.
        let _closed_with_the_exec_otherwise = rustix::io::fcntl_setfd(lock, rustix::io::FdFlags::empty());
    }
    for number in inherited.iter().flatten() {
        let _closed_otherwise = result::set_inherited(*number, true);
    }
    let error = Command::new(&program).args(arguments).current_dir(&directory).env("PWD", &directory).exec();
    let search_path = std::env::var("PATH").ok();
    let around = Surroundings { directory: &directory, search_path: search_path.as_deref(), confined: order.confined };
    program::explain(&program.to_string_lossy(), &error, &around).1
}

/// A line of the run's log.
fn say(text: &str) {
    // The supervisor reads it; where that is gone, so is this process.
    let mut output = io::stdout().lock();
    let _nobody_reads = writeln!(output, "{text}").and_then(|()| output.flush());
}

/// The reason in the log, and for the run's state.
fn fail(mut file: File, message: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{message}");
    let failure = message.chars().take(LONGEST_MESSAGE).collect();
    // Where it cannot be written, the log alone says it.
    let _best_effort = serde_json::to_vec(&Failure { failure }).map(|text| file.write_all(&text));
}
