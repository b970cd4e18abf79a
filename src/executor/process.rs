//! The process executor: runs on this host, each under a supervisor of its own that outlives the daemon.
//!
//! The daemon's spawner forks them (`spawner.rs`). Without one, this executes the binary, with a process group and nothing else:
//! anything that had to run between fork and exec would make every spawn of a large daemon twenty times slower, so the supervisor
//! does it. The end of a supervisor is awaited on a pidfd, whether this
//! daemon started it or a former one. The one mechanism for stopping is SIGTERM to the supervisor with the grace as its value
//! (`supervisor/signals.rs`): it needs no memory of the run, no file and no parent-child link, so a restarted daemon stops
//! a run in the same way. Once delivered it holds, whatever becomes of the daemon; a daemon that died
//! before that asks again, because the run's state says that it is being cancelled.
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::cgroup::{self, Cgroup};
use super::directory::{self, Message, Record, Started};
use super::identity::{boot_id, open_process, process_stat};
use super::loss::{Gone, Loss};
use super::outcome::End;
use super::spawner::{self, NoAnswer, Spawner};
use super::supervisor::signals::{self, HeldBack};
use super::supervisor::ARGUMENT;
use super::tree;
use super::variables;
use super::watch::{DirectoryWatcher, readable};
use super::{
    Adoption, BoxFuture, Context, Executor, FORMAT_VERSION, Handle, Job, Outcome, Report,
    StartError, StopError,
};
use crate::clock;

/// The work pool type.
pub const KIND: &str = "process";

/// How supervisors come to be.
#[derive(Clone)]
struct Launcher {
    spawner: Option<&'static Spawner>,
    /// The program that understands [`ARGUMENT`], for where there is no spawner.
    program: PathBuf,
}

/// A supervisor just begun.
enum Begun {
    Watched(Handle, OwnedFd, OwnedFd),
    /// Whoever began it is gone without having said so: it is found as after a restart.
    Found(Handle),
}

/// Executes runs as processes of this host.
pub struct ProcessExecutor {
    launcher: Launcher,
    boot_id: Arc<str>,
    watcher: Arc<DirectoryWatcher>,
    /// In which each run gets a group of its own, where that is allowed.
    cgroup: Option<PathBuf>,
}

impl ProcessExecutor {
    /// Supervisors are this very binary: forked by the spawner where this process has one ([`spawner::prefork`]), else executed; the
    /// kernel's link to the binary holds even when an upgrade has replaced the file.
    pub fn new() -> io::Result<ProcessExecutor> {
        let mut executor = ProcessExecutor::with_supervisor(PathBuf::from("/proc/self/exe"))?;
        executor.launcher.spawner = spawner::of_this_process();
        Ok(executor)
    }

    /// With another program as supervisor, for processes that are not the reeve binary (tests).
    pub fn with_supervisor(program: PathBuf) -> io::Result<ProcessExecutor> {
        Ok(ProcessExecutor {
            launcher: Launcher { spawner: None, program },
            boot_id: boot_id()?.into(),
            watcher: DirectoryWatcher::new()?,
            cgroup: cgroup::own_directory(),
        })
    }

    pub(super) fn make() -> io::Result<Arc<dyn Executor>> {
        Ok(Arc::new(ProcessExecutor::new()?))
    }

    /// Where every run gets a cgroup of its own; `None` where the host does not let us make any.
    pub fn cgroup(&self) -> Option<&Path> {
        self.cgroup.as_deref()
    }

    /// Waits for changes of run directories, for [`super::follow::Follower`]s beside this executor.
    pub fn watcher(&self) -> &Arc<DirectoryWatcher> {
        &self.watcher
    }

    async fn start_run(&self, job: Job, context: Context) -> Result<Handle, StartError> {
        let (launcher, boot_id, directory) = (
            self.launcher.clone(),
            self.boot_id.clone(),
            context.run_directory.clone(),
        );
        let cgroup = self.cgroup_of(job.run_id, job.attempt);
        let begun =
            spawn_blocking(move || launcher.begin(&boot_id, &job, &directory, cgroup)).await;
        let begun = begun.map_err(|error| StartError::Spawn(io::Error::other(error)))??;
        let (handle, pidfd, report) = match begun {
            Begun::Watched(handle, pidfd, report) => (handle, pidfd, report),
            Begun::Found(handle) => {
                self.adopt_run(handle.clone(), context).await;
                return Ok(handle);
            }
        };
        let pidfd = readable(pidfd).map_err(StartError::Spawn)?;
        let report = pipe::Receiver::from_owned_fd(report).map_err(StartError::Spawn)?;
        tokio::spawn(watch_started(handle.clone(), pidfd, report, context));
        Ok(handle)
    }

    fn cgroup_of(&self, run_id: Uuid, attempt: u32) -> Option<PathBuf> {
        let parent = self.cgroup.as_deref()?;
        Some(cgroup::path_for(parent, run_id, attempt))
    }

    async fn adopt_run(&self, handle: Handle, context: Context) -> Adoption {
        let found = match find(&handle, &self.boot_id) {
            Ok(Some(pidfd)) => readable(pidfd).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(pidfd)) => {
                tokio::spawn(watch_adopted(handle, pidfd, self.watcher.clone(), context));
                Adoption::Running
            }
            Ok(None) => {
                let gone = if handle.boot_id == *self.boot_id { Gone::NotFound } else { Gone::Restarted };
                tokio::spawn(async move { report_all(handle, gone, &context).await });
                Adoption::Ended
            }
            Err(error) => {
                let gone = Gone::Unknown { why: error.to_string() };
                tokio::spawn(async move { report_all(handle, gone, &context).await });
                Adoption::Ended
            }
        }
    }

    fn stop_run(&self, handle: &Handle, grace: Duration) -> io::Result<()> {
        let Some(pidfd) = find(handle, &self.boot_id)? else {
            return Ok(());
        };
        match signals::request_stop(pidfd.as_fd(), grace) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
            result => result?,
        }
        // One that somebody stopped (SIGSTOP) could not heed it.
        let _gone_meanwhile = pidfd_send_signal(&pidfd, Signal::CONT);
        Ok(())
    }
}

impl Executor for ProcessExecutor {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn schema(&self) -> serde_json::Value {
        variables::schema()
    }

    fn start(&self, job: Job, context: Context) -> BoxFuture<'_, Result<Handle, StartError>> {
        Box::pin(self.start_run(job, context))
    }

    fn adopt(&self, handle: Handle, context: Context) -> BoxFuture<'_, Adoption> {
        Box::pin(self.adopt_run(handle, context))
    }

    fn recover<'a>(
        &'a self,
        run_id: Uuid,
        attempt: u32,
        run_directory: &'a Path,
    ) -> BoxFuture<'a, io::Result<Option<Handle>>> {
        Box::pin(async move {
            let run_directory = run_directory.to_path_buf();
            let boot_id = self.boot_id.clone();
            let cgroup = self.cgroup_of(run_id, attempt);
            let found = spawn_blocking(move || {
                recover_handle(run_id, attempt, &run_directory, &boot_id, cgroup)
            });
            found.await.map_err(io::Error::other)?
        })
    }

    fn withdraw<'a>(&'a self, run_id: Uuid, attempt: u32, run_directory: &'a Path) -> BoxFuture<'a, io::Result<bool>> {
        Box::pin(async move {
            let directory = run_directory.to_path_buf();
            let withdrawn = spawn_blocking(move || directory::withdraw(&directory, run_id, attempt, clock::exact()));
            withdrawn.await.map_err(io::Error::other)?
        })
    }

    fn stop<'a>(
        &'a self,
        handle: &'a Handle,
        grace: Duration,
    ) -> BoxFuture<'a, Result<(), StopError>> {
        Box::pin(async move {
            let stopped = self.stop_run(handle, grace);
            stopped.map_err(|source| StopError {
                run_id: handle.run_id,
                pid: handle.supervisor_pid,
                source,
            })
        })
    }
}

/// See [`Executor::recover`]. A supervisor that has ended meanwhile is denoted by no process at all: its adoption then reads what it left.
fn recover_handle(
    run_id: Uuid,
    attempt: u32,
    run_directory: &Path,
    boot_id: &str,
    cgroup: Option<PathBuf>,
) -> io::Result<Option<Handle>> {
    let place = real_path(run_directory);
    let removed = !place.is_dir();
    let begun = match removed {
        true => Ok(true),
        false => directory::void_jobs(&place).and_then(|void| Ok(!void && directory::is_occupied(&place)?)),
    };
    if matches!(begun, Ok(false)) {
        return Ok(None);
    }
    let supervisor = tree::supervisor_of(&place);
    // A run whose directory somebody removed or spoiled goes on all the same, and is not begun a second time beside itself.
    if (removed || begun.is_err()) && supervisor.is_none() && tree::marked(run_id).is_empty() {
        return begun.map(|_| None);
    }
    // A record that cannot be read is the adoption's to tell of.
    let started = directory::read_record(&place).unwrap_or_default().started;
    let boot_of_run = started.and_then(|started| started.boot_id).filter(|_| supervisor.is_none());
    Ok(Some(Handle {
        version: FORMAT_VERSION,
        run_id,
        attempt,
        boot_id: boot_of_run.unwrap_or_else(|| boot_id.to_owned()),
        supervisor_pid: supervisor.map_or(0, |process| process.pid),
        supervisor_start: supervisor.map_or(0, |process| process.start),
        run_directory: place,
        cgroup,
    }))
}

/// Without symbolic links, as the kernel shows it; also of what is not there any more.
fn real_path(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(_), Some(parent), Some(name)) => real_path(parent).join(name),
        (found, ..) => found.unwrap_or_else(|_| path.to_path_buf()),
    }
}

impl Launcher {
    /// Writes the job and starts the supervisor on it. Blocks for about as long as a spawn takes.
    fn begin(
        &self,
        boot_id: &str,
        job: &Job,
        run_directory: &Path,
        cgroup: Option<PathBuf>,
    ) -> Result<Begun, StartError> {
        let failed = |source| StartError::Directory {
            path: run_directory.to_path_buf(),
            source,
        };
        let new = directory::create(run_directory).map_err(failed)?;
        let run_directory = run_directory.canonicalize().map_err(failed)?;
        if !new && directory::is_occupied(&run_directory).map_err(failed)? {
            return Err(StartError::Occupied {
                path: run_directory,
            });
        }
        let nonce = Uuid::new_v4().simple().to_string();
        directory::write_job(&run_directory, &nonce, job).map_err(failed)?;
        let mut arguments = vec![run_directory.as_os_str(), nonce.as_ref()];
        arguments.extend(cgroup.as_deref().map(Path::as_os_str));
        match self.spawn(&arguments) {
            Ok(Some(supervisor)) => Ok(supervisor.begun(boot_id, job, run_directory, cgroup)),
            Ok(None) => self.begin_again(boot_id, job, &run_directory, cgroup),
            Err(error) => {
                // It holds secrets, and nobody will read it.
                let _nothing_to_do = directory::void_jobs(&run_directory);
                Err(StartError::Spawn(error))
            }
        }
    }

    /// After the spawner was lost over a request: what it may have begun is found, or voided and executed.
    fn begin_again(
        &self,
        boot_id: &str,
        job: &Job,
        run_directory: &Path,
        cgroup: Option<PathBuf>,
    ) -> Result<Begun, StartError> {
        let found = recover_handle(job.run_id, job.attempt, run_directory, boot_id, cgroup.clone());
        if let Some(handle) = found.map_err(StartError::Spawn)? {
            return Ok(Begun::Found(handle));
        }
        let without = Launcher {
            spawner: None,
            program: self.program.clone(),
        };
        without.begin(boot_id, job, run_directory, cgroup)
    }

    /// `Ok(None)`: nobody can say whether there is a supervisor now.
    fn spawn(&self, arguments: &[&OsStr]) -> io::Result<Option<Supervisor>> {
        let (report, report_end) = io::pipe()?;
        let asked = self.spawner.map_or(Err(NoAnswer::Refused), |spawner| {
            spawner.spawn(arguments, report_end.as_fd())
        });
        let pid = match asked {
            Ok(pid) => pid,
            Err(NoAnswer::Lost) => return Ok(None),
            Err(NoAnswer::Refused) => self.execute(arguments, report_end)?,
        };
        // A child of this process either way, and not collected yet: so the number is still its own, even if it has ended.
        let start = process_stat(pid)?.map_or(0, |stat| stat.start);
        let pidfd = open_process(pid, start)?
            .ok_or_else(|| io::Error::other("the supervisor is not in /proc"))?;
        Ok(Some(Supervisor {
            pid,
            start,
            pidfd,
            report: report.into(),
        }))
    }

    fn execute(&self, arguments: &[&OsStr], report: io::PipeWriter) -> io::Result<u32> {
        let _until_spawned = HeldBack::in_this_thread();
        let mut command = Command::new(&self.program);
        command
            .arg0("reeve")
            .arg(ARGUMENT)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(report)
            .stderr(Stdio::null())
            .process_group(0);
        #[cfg(debug_assertions)]
        command.envs(clock::moved::file().map(|file| (clock::moved::VARIABLE, file)));
        Ok(command.spawn()?.id())
    }
}

/// A supervisor's process, and where it reports.
struct Supervisor {
    pid: u32,
    start: u64,
    pidfd: OwnedFd,
    report: OwnedFd,
}

impl Supervisor {
    fn begun(
        self,
        boot_id: &str,
        job: &Job,
        run_directory: PathBuf,
        cgroup: Option<PathBuf>,
    ) -> Begun {
        let handle = Handle {
            version: FORMAT_VERSION,
            run_id: job.run_id,
            attempt: job.attempt,
            boot_id: boot_id.to_owned(),
            supervisor_pid: self.pid,
            supervisor_start: self.start,
            run_directory,
            cgroup,
        };
        Begun::Watched(handle, self.pidfd, self.report)
    }
}

/// The living supervisor of a handle.
fn find(handle: &Handle, boot_id: &str) -> io::Result<Option<OwnedFd>> {
    if handle.boot_id != boot_id {
        return Ok(None);
    }
    open_process(handle.supervisor_pid, handle.supervisor_start)
}

/// Follows a supervisor that this daemon started: its report pipe, then its end.
async fn watch_started(
    handle: Handle,
    pidfd: AsyncFd<OwnedFd>,
    report: pipe::Receiver,
    context: Context,
) {
    let mut lines = BufReader::new(report).lines();
    let mut finished = false;
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Message::Started(started)) => send_started(handle.run_id, &started, &context).await,
            Ok(Message::Finished(outcome)) => {
                finished = true;
                send_end(handle.run_id, Ok(*outcome), &context).await;
            }
            Err(error) => {
                tracing::warn!(run_id = %handle.run_id, %error, "the supervisor's report is not understood")
            }
        }
    }
    let _ended = pidfd.readable().await;
    let gone = supervisor_end(&pidfd);
    if !finished {
        report_end(handle, gone, &context).await;
    }
}

/// Follows a supervisor that a former daemon started: what it wrote, then its end.
async fn watch_adopted(
    handle: Handle,
    pidfd: AsyncFd<OwnedFd>,
    watcher: Arc<DirectoryWatcher>,
    context: Context,
) {
    tokio::select! {
        biased;
        _ = wait_for_file(&watcher, &handle.run_directory, directory::STARTED) => {}
        _ = pidfd.readable() => {}
    }
    send_start(&handle, &context).await;
    let _ended = pidfd.readable().await;
    let gone = supervisor_end(&pidfd);
    report_end(handle, gone, &context).await;
}

/// Waits until a file exists. Returns as well when that can never be known (the directory is gone).
async fn wait_for_file(watcher: &Arc<DirectoryWatcher>, run_directory: &Path, name: &str) {
    let Ok(mut changes) = watcher.watch(run_directory) else {
        return;
    };
    while !run_directory.join(name).exists() && changes.changed().await {}
}

/// Of a run that is over: a daemon that died between its start and its end never said that it began, and without
/// that the run would have no attempt, no start and no retry.
async fn report_all(handle: Handle, gone: Gone, context: &Context) {
    send_start(&handle, context).await;
    report_end(handle, gone, context).await;
}

/// Says that the run began, where it did.
async fn send_start(handle: &Handle, context: &Context) {
    let record = directory::read_record(&handle.run_directory).unwrap_or_default();
    if let Some(started) = record.started {
        send_started(handle.run_id, &started, context).await;
    }
}

async fn send_started(run_id: Uuid, started: &Started, context: &Context) {
    let report = Report::Started {
        run_id,
        at: started.at,
        pid: started.pid,
    };
    let _nobody_listens = context.reports.send(report).await;
}

/// Collects the supervisor if it is our child, and says how it ended.
fn supervisor_end(pidfd: &AsyncFd<OwnedFd>) -> Gone {
    let status = waitid(
        WaitId::PidFd(pidfd.get_ref().as_fd()),
        WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
    )
    .ok()
    .flatten();
    match status.map(|status| (status.exit_status(), status.terminating_signal())) {
        Some((_, Some(signal))) => Gone::Killed { signal },
        Some((Some(code), _)) => Gone::Exited { code },
        _ => Gone::Ended,
    }
}

/// The last report of a run whose supervisor is gone: what its directory tells.
async fn report_end(handle: Handle, gone: Gone, context: &Context) {
    let run_id = handle.run_id;
    let settled = spawn_blocking(move || settle(&handle, gone))
        .await
        .unwrap_or_else(|error| Err(error.to_string()));
    send_end(run_id, settled, context).await;
}

async fn send_end(run_id: Uuid, end: Result<Outcome, String>, context: &Context) {
    let report = match end {
        Ok(outcome) => Report::Finished { run_id, outcome },
        Err(evidence) => Report::Lost { run_id, evidence },
    };
    let _nobody_listens = context.reports.send(report).await;
}

/// Reads the outcome that was left. Where there is none: ends the processes that are left, and leaves the evidence as the
/// outcome, so that followers of the log end and a later adoption says the same.
fn settle(handle: &Handle, gone: Gone) -> Result<Outcome, String> {
    let (record, unreadable) = match directory::read_record(&handle.run_directory) {
        Ok(record) => (record, None),
        Err(error) => (Record::default(), Some(error.to_string())),
    };
    match record.outcome {
        Some(outcome) if outcome.end == End::Lost => return Err(outcome.message),
        Some(outcome) => return Ok(outcome),
        None => {}
    }
    let in_group = handle
        .cgroup
        .as_deref()
        .and_then(Cgroup::find)
        .map_or(0, Cgroup::remove);
    let loss = Loss {
        gone,
        supervisor: handle.supervisor_pid,
        began: record.started.is_some(),
        directory_removed: !handle.run_directory.exists(),
        unreadable,
        killed: tree::end_marked(handle.run_id).len() + in_group as usize,
    };
    let evidence = loss.sentence();
    let lost = Outcome::unknown(
        handle.run_id,
        handle.attempt,
        End::Lost,
        evidence.clone(),
        clock::exact(),
    );
    let outcome = Outcome {
        started_at: record.started.map(|started| started.at),
        ..lost
    };
    if let Err(error) = directory::write_outcome(&handle.run_directory, &outcome) {
        tracing::debug!(run_id = %handle.run_id, %error, "the loss of the run is not noted in its directory");
    }
    Err(evidence)
}
