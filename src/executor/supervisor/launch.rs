//! Starts the run's process below the supervisor: own session, no input, two pipes, and bound to the supervisor's life.
//!
//! Where code has to be pulled first, that process begins as this binary and becomes the program (`prepare/`).
//! Whatever keeps it from starting becomes a sentence for the person who wrote the command.
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::time::Duration;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal, setsid};

use super::{fork, signals};
use crate::clock;
use crate::executor::cgroup::Cgroup;
use crate::executor::confinement::Resolved;
use crate::executor::outcome::{NotStarted, STOPPED_BEFORE_START};
use crate::executor::program::{self, Choice, Surroundings};
use crate::executor::result::{self, ResultFile};
use crate::executor::{Job, RUN_ID_VARIABLE, handed, prepare};

/// A run's process, just started.
pub struct Launched {
    pub pid: u32,
    pub output: PipeReader,
    pub error: PipeReader,
    /// What it was handed, where it has pull steps to do: there it says why it could not do them.
    pub order: Option<File>,
    /// Where a Python function leaves its value or its exception.
    pub result: Option<ResultFile>,
}

/// Why there is no process.
pub struct LaunchError {
    pub why: NotStarted,
    pub message: String,
}

/// What will be executed, with the choice that was made for the reader of the log.
pub struct Plan {
    command: Command,
    program: String,
    pub remark: Option<String>,
    /// What the process that prepares the code is to do; its standard input.
    order: Option<io::Result<File>>,
    /// What a Python function is called with.
    handed: Option<io::Result<File>>,
    result: Option<ResultFile>,
    confinement: Resolved,
}

/// Decides what is executed. Only looks for the interpreter; starts nothing.
pub fn plan(job: &Job) -> Plan {
    let (choice, order) = match &job.preparation {
        None => (program::choose(&job.program, &job.working_directory), None),
        Some(preparation) => (prepare::choice(), Some(prepare::order(job, preparation))),
    };
    let Choice { program, arguments, remark } = choice;
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .env_clear()
        .envs(&job.environment)
        .env(RUN_ID_VARIABLE, job.run_id.to_string());
    let handed = job.program.parameters().map(handed::file);
    if let Some(Ok(handed)) = &handed {
        command.env(handed::DESCRIPTOR_VARIABLE, handed.as_raw_fd().to_string());
    }
    // Without one the function runs nevertheless, and its log says that the result was not kept.
    let result = job.program.parameters().and_then(|_| ResultFile::create().ok());
    if let Some(result) = &result {
        command.env(result::DESCRIPTOR_VARIABLE, result.number().to_string());
    }
    command.current_dir(&job.working_directory);
    Plan {
        command,
        program: program.to_string_lossy().into_owned(),
        remark,
        order,
        handed,
        result,
        confinement: Resolved::default(),
    }
}

/// The longest that a supervisor waits for a job's `not_before`: callers come shortly before it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl Plan {
    /// Looks up as whom it runs and what it may use; what the reader of the log should know of that.
    pub fn confine(&mut self, job: &Job, cgroup: Option<&Cgroup>) -> Result<Vec<String>, LaunchError> {
        let refused = |message| LaunchError { why: NotStarted::Other, message };
        let mut resolved = Resolved::of(&job.confinement, cgroup).map_err(refused)?;
        for (name, value) in resolved.environment() {
            if !job.environment.contains_key(name) {
                self.command.env(name, value);
            }
        }
        let remarks = std::mem::take(&mut resolved.remarks);
        self.confinement = resolved;
        Ok(remarks)
    }

    /// Starts it, not before its instant. On return the program is being executed (exec(3) has succeeded).
    pub fn launch(mut self, job: &Job, cgroup: Option<&Cgroup>) -> Result<Launched, LaunchError> {
        program::check_directory(&job.working_directory).map_err(|message| LaunchError { why: NotStarted::WorkingDirectory, message })?;
        if let Some(message) = holds_nul(&self.command) {
            return Err(LaunchError {
                why: NotStarted::Other,
                message,
            });
        }
        if self.program.is_empty() {
            return Err(LaunchError {
                why: NotStarted::NotFound,
                message: "the command is empty".to_owned(),
            });
        }
        let (output, output_end) = io::pipe().map_err(other)?;
        let (error, error_end) = io::pipe().map_err(other)?;
        let order = self.order.take().transpose().map_err(unprepared)?;
        let input = order.as_ref().map(File::try_clone).transpose().map_err(unprepared)?;
        let handed = self.handed.take().transpose().map_err(unhanded)?;
        self.command
            .stdin(input.map_or_else(Stdio::null, Stdio::from))
            .stdout(output_end)
            .stderr(error_end);
        let supervisor = getpid();
        let confinement = std::mem::take(&mut self.confinement);
        let inherited = [self.result.as_ref().map(ResultFile::number), handed.as_ref().map(AsRawFd::as_raw_fd)];
        // SAFETY: runs between fork and exec in a process that had one thread; only makes system calls.
        unsafe { self.command.pre_exec(move || isolate(supervisor, &confinement, &inherited)) };
        let cgroup = cgroup.and_then(|cgroup| cgroup.open().ok());
        if is_stopped_before(job.not_before) {
            return Err(LaunchError { why: NotStarted::Stopped, message: STOPPED_BEFORE_START.to_owned() });
        }
        match fork::spawn(self.command, cgroup.as_ref().map(AsFd::as_fd)) {
            Ok(pid) => Ok(Launched { pid, output, error, order, result: self.result }),
            Err(error) => Err(explain(&self.program, &error, job)),
        }
    }
}

/// Everything is ready: only the instant is missing. `true`: a stop was asked for until then, so that nothing is to be started.
/// An instant further away than `LONGEST_WAIT` is of a clock that was set back since, and not waited for.
fn is_stopped_before(instant: Option<Timestamp>) -> bool {
    let wait = instant.and_then(|instant| Duration::try_from(instant.duration_since(clock::exact())).ok());
    signals::stop_within(wait.filter(|wait| *wait <= LONGEST_WAIT).unwrap_or_default())
}

fn explain(program: &str, error: &io::Error, job: &Job) -> LaunchError {
    let around = Surroundings {
        directory: &job.working_directory,
        search_path: job.environment.get("PATH").map(String::as_str),
        confined: !job.confinement.is_none(),
    };
    let (why, message) = program::explain(program, error, &around);
    LaunchError { why, message }
}

/// Own session and group; the end of the supervisor, however it comes, is the end of this process too.
fn isolate(supervisor: Pid, confinement: &Resolved, inherited: &[Option<i32>]) -> io::Result<()> {
    setsid()?;
    for number in inherited.iter().flatten() {
        result::set_inherited(*number, true)?;
    }
    confinement.apply()?;
    // After the rights have gone: the kernel forgets this when they change.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(supervisor) {
        // It died before the line above could take effect.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    signals::let_through();
    Ok(())
}

/// What no program can be given: a C string ends at NUL.
fn holds_nul(command: &Command) -> Option<String> {
    let nul = |text: &OsStr| text.as_encoded_bytes().contains(&0);
    if command.get_args().chain([command.get_program()]).any(nul) {
        return Some("the command holds a NUL character, which no argument can".to_owned());
    }
    let variable = command
        .get_envs()
        .find(|(name, value)| nul(name) || value.is_some_and(nul))?;
    Some(format!(
        "the environment variable {:?} holds a NUL character, which no variable can",
        variable.0.to_string_lossy()
    ))
}

fn unprepared(error: io::Error) -> LaunchError {
    LaunchError { why: NotStarted::Other, message: format!("its pull steps could not be handed over: {error}") }
}

fn unhanded(error: io::Error) -> LaunchError {
    LaunchError { why: NotStarted::Other, message: format!("its parameters could not be handed over: {error}") }
}

fn other(error: io::Error) -> LaunchError {
    LaunchError {
        why: NotStarted::Other,
        message: format!("no pipe could be made for its output: {error}"),
    }
}
