//! The process above a run: the same binary, forked by the spawner, or executed as `reeve __supervise RUN_DIRECTORY NONCE [CGROUP]`, before
//! anything else of it is set up.
//!
//! It outlives the daemon, and it is the only process that knows how the run ended: so it must stay small (single thread, no
//! runtime, no tracing, no network, no lock on anything), never wait for the daemon, and never fail because a disk is full.
//! In its life:
//! 1. hold back all signals (`signals.rs`), take a session of its own, become the subreaper of everything below;
//! 2. go to the run's directory (by which it is found again, see `tree.rs`) and take the job away from it: from here on the run is its own;
//! 3. start the run (`launch.rs`) and make the job `started.json`;
//! 4. copy output to the log, enforce timeout and stop requests, until no descendant is left (`watch_run.rs`);
//! 5. tell the daemon, if one still listens on the report pipe (its standard output), and make that `exit.json`.
//!
//! If it is killed, the kernel kills the run's process (PDEATHSIG), and the daemon cleans up the rest.
pub(super) mod fork;
mod launch;
pub mod signals;
mod watch_run;

use std::ffi::{CStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::process::{getpgid, getpid, getppid, set_child_subreaper, setpgid, setsid};

use self::launch::LaunchError;
use self::signals::Signals;
use self::watch_run::{RunEnd, Watch};
use super::cgroup::Cgroup;
use super::directory::{self, ClaimedRecord, Message, Started};
use super::identity::boot_id;
use super::log_writer::LogWriter;
use super::mask::Secrets;
use super::outcome::{End, Outcome};
use super::result::{ResultFile, RunnerResult};
use super::{prepare, program};
use super::{FORMAT_VERSION, Job};
use crate::clock;

/// The hidden argument that makes the binary a supervisor.
pub const ARGUMENT: &str = "__supervise";

/// What `ps` calls a supervisor: 15 bytes are the most.
pub const NAME: &CStr = c"reeve-supervise";

/// The whole life of a supervisor, given the arguments after [`ARGUMENT`]; the result is the process's exit code.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    let (Some(directory), Some(nonce)) = (arguments.next().map(PathBuf::from), arguments.next())
    else {
        return 1;
    };
    let cgroup = arguments.next().map(PathBuf::from);
    let taken = catch_unwind(|| prepare(&directory, &nonce.to_string_lossy()));
    let Ok(Ok(Some((signals, record, job, report)))) = taken else {
        // Nothing was taken, so there is nothing to leave: whoever comes finds the job, or that it was void.
        return u8::from(!matches!(taken, Ok(Ok(None))));
    };
    let supervision = AssertUnwindSafe(|| {
        supervise(
            &directory,
            cgroup.as_deref(),
            signals,
            record,
            &job,
            report,
        )
    });
    let failure = match catch_unwind(supervision) {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it met a bug in itself (a panic)".to_owned(),
    };
    let message = format!("the run's supervisor failed: {failure}");
    let outcome = Outcome::unknown(job.run_id, job.attempt, End::SupervisorFailed, message, clock::exact());
    let _nothing_more_to_do = directory::write_outcome(&directory, &outcome);
    1
}

type Prepared = (Signals, ClaimedRecord, Job, ReportPipe);

/// Becomes a supervisor and takes the job. `None`: the job is void, or somebody else's.
fn prepare(run_directory: &Path, nonce: &str) -> io::Result<Option<Prepared>> {
    let signals = Signals::hold_back()?;
    let report = ReportPipe::take()?;
    leave_session();
    set_child_subreaper(Some(getpid()))?;
    rustix::thread::set_name(NAME)?;
    rustix::process::chdir(run_directory)?;
    let taken = ClaimedRecord::take(run_directory, nonce)?;
    Ok(taken.map(|(record, job)| (signals, record, job, report)))
}

fn supervise(
    run_directory: &Path,
    cgroup: Option<&Path>,
    signals: Signals,
    mut record: ClaimedRecord,
    job: &Job,
    mut report: ReportPipe,
) -> io::Result<()> {
    let secrets = Secrets::new(&job.secrets);
    let mut log = LogWriter::create(run_directory, &secrets, job.max_log_bytes);
    // Where none can be made, the run does without.
    let cgroup = cgroup.and_then(|path| Cgroup::create(path).ok());
    let (mut order, mut result) = (None, None);
    let (end, started) = match start(job, cgroup.as_ref(), &mut log) {
        Ok(mut launched) => {
            (order, result) = (launched.order.take(), launched.result.take());
            let started = Started {
                version: FORMAT_VERSION,
                at: clock::exact(),
                pid: launched.pid,
                boot_id: boot_id().ok(),
            };
            tell_started(job, &started, &mut record, &mut log, &mut report);
            (
                Watch::new(job, launched, cgroup, signals, &mut log).until_the_end(),
                Some(started),
            )
        }
        Err(LaunchError { why, message }) => {
            cgroup.map(Cgroup::remove);
            let _best_effort = record.not_started();
            (RunEnd::not_started(why, message), None)
        }
    };
    let mut result = result.map_or_else(RunnerResult::default, ResultFile::read);
    if let Some(unprepared) = order.as_ref().and_then(prepare::failure) {
        result.exception = Some(unprepared);
    }
    let outcome = conclude(job, end, started, result, &secrets, &mut log);
    // The daemon first: it need not wait for a disk, since it writes a durable record of its own. What is on the disk
    // counts when there is no daemon.
    report.send(&Message::Finished(Box::new(outcome.clone())));
    record.finish(&outcome)
}

/// As Python numbers it: a limit that is not held as it was asked for.
const WARNING: u8 = 30;

fn start(
    job: &Job,
    cgroup: Option<&Cgroup>,
    log: &mut LogWriter,
) -> Result<launch::Launched, LaunchError> {
    let mut plan = launch::plan(job);
    if let Some(remark) = &plan.remark {
        log.remark(remark, clock::exact());
    }
    for remark in plan.confine(job, cgroup)? {
        log.remark_at(Some(WARNING), &remark, clock::exact());
    }
    plan.launch(job, cgroup)
}

fn tell_started(
    job: &Job,
    started: &Started,
    record: &mut ClaimedRecord,
    log: &mut LogWriter,
    report: &mut ReportPipe,
) {
    report.send(&Message::Started(started.clone()));
    // A disk that is full must not end the run; a daemon that comes later then learns only of its end.
    let _best_effort = record.started(started);
    let steps = job.preparation.as_ref().map_or_else(String::new, |preparation| match preparation.steps.len() {
        1 => "1 pull step for ".to_owned(),
        many => format!("{many} pull steps for "),
    });
    let program = format!("{steps}{}", program::describe(&job.program));
    log.remark(
        &format!(
            "run {} (attempt {}): started {program} as process {}",
            job.name, job.attempt, started.pid
        ),
        started.at,
    );
    log.flush(started.at);
}

/// Puts the facts into the record, and the sentence at the end of the log.
fn conclude(
    job: &Job,
    end: RunEnd,
    started: Option<Started>,
    result: RunnerResult,
    secrets: &Rc<Secrets>,
    log: &mut LogWriter,
) -> Outcome {
    let no_python = match result.is_untouched && end.end != (End::Exited { code: 0 }) {
        true => program::no_python(&job.program, &job.working_directory),
        false => None,
    };
    let exception = result.exception.map(|text| secrets.mask(&text));
    let value = result.value.map(|value| masked(value, secrets));
    let mut message = end
        .message
        .unwrap_or_else(|| end.end.sentence().unwrap_or_default());
    if let End::Exited { code } = end.end {
        let reason = exception
            .as_deref()
            .or(no_python.as_deref())
            .or_else(|| program::shell_hint(&job.program, code));
        message.extend(reason.map(|reason| format!(": {reason}")));
    }
    message.extend(end.leftover.sentence().map(|left| format!("; {left}")));
    let message = secrets.mask(&message);
    log.remark_at(level_of(&end.end), &message, clock::exact());
    log.flush(clock::exact());
    Outcome {
        version: FORMAT_VERSION,
        run_id: job.run_id,
        attempt: job.attempt,
        end: end.end,
        message,
        started_at: started.map(|started| started.at),
        ended_at: end.at,
        took_seconds: end.took.map(|took| took.as_secs_f64()),
        resources: watch_run::resources(),
        leftover: end.leftover,
        exception,
        value,
        notes: end.notes.into_iter().chain(log.problem()).collect(),
    }
}

/// The level of the log's last line: a run that failed says why as ERROR, one that was told to end as WARNING.
fn level_of(end: &End) -> Option<u8> {
    match end {
        End::Exited { code: 0 } => None,
        End::Stopped { .. } => Some(30),
        _ => Some(40),
    }
}

/// All texts of a value masked. Not deeper than the parser lets it be.
fn masked(value: serde_json::Value, secrets: &Rc<Secrets>) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(secrets.mask(&text)),
        Value::Array(items) => items
            .into_iter()
            .map(|item| masked(item, secrets))
            .collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(key, value)| (secrets.mask(&key), masked(value, secrets)))
            .collect(),
        other => other,
    }
}

/// A session of its own. A daemon that executes us makes us a group leader, and a leader cannot begin a session: step back into
/// its group first. Signals are held back meanwhile, so a Ctrl-C in this moment does no harm.
fn leave_session() {
    if let Some(parent) = getppid()
        && let Ok(group) = getpgid(Some(parent))
    {
        let _parent_is_gone = setpgid(Some(getpid()), Some(group));
    }
    // Where this fails (the daemon died in this very moment), we stay a background group that ignores all signals.
    let _best_effort = setsid();
}

/// The pipe to the daemon that started us; a daemon that does not read, or is gone, is no concern of the run.
struct ReportPipe(File);

impl ReportPipe {
    /// Takes it from standard output, and puts `/dev/null` in its place (and in the others').
    fn take() -> io::Result<ReportPipe> {
        let pipe: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let flags = rustix::fs::fcntl_getfl(&pipe)?;
        rustix::fs::fcntl_setfl(&pipe, flags | rustix::fs::OFlags::NONBLOCK)?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(null.as_fd())?;
        rustix::stdio::dup2_stdout(null.as_fd())?;
        rustix::stdio::dup2_stderr(null.as_fd())?;
        Ok(ReportPipe(File::from(pipe)))
    }

    fn send(&mut self, message: &Message) {
        if let Ok(line) = message.line() {
            let _nobody_listens = self.0.write_all(&line);
        }
    }
}
