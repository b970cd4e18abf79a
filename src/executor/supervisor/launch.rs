//! Starts the run's process below the supervisor: own session, no input, two pipes, and bound to the supervisor's life.
//!
//! Whatever keeps it from starting becomes a sentence for the person who wrote the command.
use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal, setsid};

use super::{fork, signals};
use crate::executor::cgroup::Cgroup;
use crate::executor::confinement::Resolved;
use crate::executor::directory::RESULT;
use crate::executor::outcome::NotStarted;
use crate::executor::{Job, Program, RUN_ID_VARIABLE};

/// Calls the function; see the file.
const RUNNER: &str = include_str!("../runner.py");

/// A run's process, just started.
pub struct Launched {
    pub pid: u32,
    pub output: PipeReader,
    pub error: PipeReader,
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
    confinement: Resolved,
}

/// Decides what is executed. Only looks for the interpreter; starts nothing.
pub fn plan(job: &Job, run_directory: &Path) -> Plan {
    let (program, arguments, remark) = match &job.program {
        Program::Shell(script) => ("sh".into(), vec!["-c".into(), script.into()], None),
        Program::Arguments(words) => {
            let mut words = words.iter().map(OsString::from);
            (words.next().unwrap_or_default(), words.collect(), None)
        }
        Program::Python {
            interpreter,
            file,
            function,
            ..
        } => {
            let (interpreter, remark) =
                choose_interpreter(interpreter.as_deref(), &job.working_directory);
            let file = job.working_directory.join(file);
            (
                interpreter.into(),
                vec![
                    "-u".into(),
                    "-c".into(),
                    RUNNER.into(),
                    file.into(),
                    function.into(),
                ],
                Some(remark),
            )
        }
    };
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .env_clear()
        .envs(&job.environment)
        .env(RUN_ID_VARIABLE, job.run_id.to_string());
    if let Program::Python { parameters, .. } = &job.program {
        command.env(
            "REEVE_PARAMETERS",
            serde_json::Value::Object(parameters.clone()).to_string(),
        );
        command.env("REEVE_RESULT_FILE", run_directory.join(RESULT));
    }
    command.current_dir(&job.working_directory);
    Plan {
        command,
        program: program.to_string_lossy().into_owned(),
        remark,
        confinement: Resolved::default(),
    }
}

fn choose_interpreter(given: Option<&Path>, working_directory: &Path) -> (PathBuf, String) {
    if let Some(given) = given {
        return (
            given.to_path_buf(),
            format!("python interpreter: {} (as configured)", given.display()),
        );
    }
    let project = working_directory.join(".venv/bin/python");
    if project.exists() {
        let remark = format!(
            "python interpreter: {} (the working directory's .venv)",
            project.display()
        );
        return (project, remark);
    }
    (
        "python3".into(),
        "python interpreter: python3 from PATH (the working directory has no .venv)".to_owned(),
    )
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
        check_directory(&job.working_directory)?;
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
        self.command
            .stdin(Stdio::null())
            .stdout(output_end)
            .stderr(error_end);
        let supervisor = getpid();
        // SAFETY: runs between fork and exec in a process that had one thread; only makes system calls.
        let confinement = std::mem::take(&mut self.confinement);
        unsafe { self.command.pre_exec(move || isolate(supervisor, &confinement)) };
        let cgroup = cgroup.and_then(|cgroup| cgroup.open().ok());
        wait_until(job.not_before);
        match fork::spawn(self.command, cgroup.as_ref().map(AsFd::as_fd)) {
            Ok(pid) => Ok(Launched { pid, output, error }),
            Err(error) => Err(explain(&self.program, &error, job)),
        }
    }
}

/// Everything is ready: only the instant is missing. Signals are held back, so a stop takes effect right after it. However
/// wrong a clock is, this takes `LONGEST_WAIT` at most.
fn wait_until(instant: Option<Timestamp>) {
    let wait = instant.map(|instant| instant.duration_since(Timestamp::now()));
    let Some(wait) = wait.filter(|wait| wait.is_positive()) else { return };
    std::thread::sleep(wait.unsigned_abs().min(LONGEST_WAIT));
}

fn explain(program: &str, error: &io::Error, job: &Job) -> LaunchError {
    let path = program
        .contains('/')
        .then(|| job.working_directory.join(program));
    let (why, message) = match error.raw_os_error() {
        Some(libc::ENOENT) if path.as_deref().is_some_and(Path::exists) => (
            NotStarted::NotFound,
            format!(
                "{program} exists, but the interpreter that it names (in its #! line or program header) does not"
            ),
        ),
        Some(libc::EACCES) if path.is_none() && !is_on_path(program, job) => (
            // What execvp(3) answers where a directory of PATH may not be searched.
            NotStarted::NotFound,
            format!("command not found: {program} (not every directory of PATH can be read)"),
        ),
        Some(libc::ENOENT | libc::ENOTDIR) => (
            NotStarted::NotFound,
            format!("command not found: {program}"),
        ),
        Some(libc::EACCES) if path.as_deref().is_some_and(Path::is_dir) => (
            NotStarted::NotExecutable,
            format!("{program} is a directory, not a program"),
        ),
        Some(libc::EACCES) => (
            NotStarted::NotExecutable,
            format!("permission denied: {program} is not executable"),
        ),
        Some(libc::ENOEXEC) => (
            NotStarted::NotExecutable,
            format!("{program} is not a program that this system can execute"),
        ),
        Some(libc::E2BIG) => (
            NotStarted::Other,
            format!(
                "{program} was not started: its arguments and environment together are larger than the system allows"
            ),
        ),
        Some(libc::EPERM) if !job.confinement.is_none() => (
            NotStarted::Other,
            format!("{program} was not started: this daemon may not do what user, group or nice ask for ({error})"),
        ),
        _ => (
            NotStarted::Other,
            format!("{program} was not started: {error}"),
        ),
    };
    LaunchError { why, message }
}
/// A bare name is there, in a directory of the run's own `PATH` that we can read.
fn is_on_path(program: &str, job: &Job) -> bool {
    job.environment.get("PATH").is_some_and(|path| {
        path.split(':')
            .any(|directory| Path::new(directory).join(program).exists())
    })
}

/// Own session and group; the end of the supervisor, however it comes, is the end of this process too.
fn isolate(supervisor: Pid, confinement: &Resolved) -> io::Result<()> {
    setsid()?;
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

fn check_directory(directory: &Path) -> Result<(), LaunchError> {
    let shown = directory.display();
    let message = match std::fs::metadata(directory) {
        Ok(metadata) if !metadata.is_dir() => {
            format!("working directory {shown} is not a directory")
        }
        Ok(_) => match rustix::fs::access(directory, rustix::fs::Access::EXEC_OK) {
            Ok(()) => return Ok(()),
            Err(error) => format!(
                "working directory {shown} cannot be entered: {}",
                io::Error::from(error)
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("working directory {shown} does not exist")
        }
        Err(error) => format!("working directory {shown} cannot be entered: {error}"),
    };
    Err(LaunchError {
        why: NotStarted::WorkingDirectory,
        message,
    })
}

fn other(error: io::Error) -> LaunchError {
    LaunchError {
        why: NotStarted::Other,
        message: format!("no pipe could be made for its output: {error}"),
    }
}

/// For a shell's exit codes that mean a failed start (POSIX, 2.8.2), what they mean.
pub fn shell_hint(program: &Program, code: i32) -> Option<&'static str> {
    let shell = matches!(program, Program::Shell(_));
    match code {
        127 if shell => Some("the shell found no such command"),
        126 if shell => Some("the shell could not execute the command"),
        _ => None,
    }
}

/// What is executed, for the first remark of the log; without arguments, which may hold anything.
pub fn describe(program: &Program) -> String {
    match program {
        Program::Shell(_) => "sh -c".to_owned(),
        Program::Arguments(words) => words.first().cloned().unwrap_or_default(),
        Program::Python { file, function, .. } => {
            format!(
                "{}:{function}",
                Path::new(file.file_name().unwrap_or(OsStr::new("?"))).display()
            )
        }
    }
}
