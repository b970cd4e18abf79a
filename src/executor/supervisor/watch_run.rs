//! Watches a run until none of its processes is left: output, timeout, stop requests, the death of children.
//!
//! One loop over poll(2) on the held-back signals and the two pipes, with the next deadline as its timeout. Nothing in it
//! waits for anything else. A run is over when its main process has ended; what that leaves behind gets SIGTERM, the
//! grace, and SIGKILL. As the subreaper of all descendants, "no child left" (ECHILD) means that the tree is gone.
use std::collections::HashSet;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, wait, waitid, waitpid,
};

use super::launch::Launched;
use super::signals::{Signals, StopRequest};
use crate::clock;
use crate::executor::Job;
use crate::executor::cgroup::Cgroup;
use crate::executor::log::Stream;
use crate::executor::log_writer::LogWriter;
use crate::executor::memory;
use crate::executor::outcome::{End, Ended, Leftover, NotStarted, Resources, StoppedBy};
use crate::executor::tree::{self, Process};

/// Read from one pipe at a time, so that neither pipe nor signal waits long for the other.
const READ_BYTES: usize = 64 * 1024;

/// After SIGKILL: how long until the tree is searched again for what forked meanwhile; doubles up to the second.
const FIRST_SEARCH: Duration = Duration::from_millis(5);
const LAST_SEARCH: Duration = Duration::from_secs(1);

/// At the end the pipes are emptied; a process outside the tree that holds one may keep writing, and is not waited for.
const DRAIN_BYTES: usize = 1024 * 1024;

/// How the watched run ended.
pub struct RunEnd {
    pub end: End,
    /// Where [`End::sentence`] has none.
    pub message: Option<String>,
    pub at: Timestamp,
    /// How long the main process was there.
    pub took: Option<Duration>,
    pub leftover: Leftover,
    pub notes: Vec<String>,
}

impl RunEnd {
    /// There was no process.
    pub fn not_started(why: NotStarted, message: String) -> RunEnd {
        RunEnd {
            end: End::NotStarted { why },
            message: Some(message),
            at: clock::exact(),
            took: None,
            leftover: Leftover::default(),
            notes: Vec::new(),
        }
    }
}

/// How the main process ended.
#[derive(Debug, Clone, Copy)]
struct MainEnd {
    code: Option<i32>,
    signal: Option<i32>,
    core_dumped: bool,
    at: Timestamp,
    took: Duration,
}

/// Why the run is being ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    TimedOut(Duration),
    Stopped(StoppedBy),
    /// The main process has ended by itself and left others.
    Leftover,
}

/// From the first SIGTERM to the end.
struct Ending {
    cause: Cause,
    grace: Duration,
    kill_at: Instant,
    /// Set with the first SIGKILL: when to search again, and how long after that.
    search: Option<(Instant, Duration)>,
    killed: HashSet<Process>,
    /// Told to go; counted for the message.
    leftover: HashSet<Process>,
    stubborn_said: bool,
}

struct Pipe {
    reader: PipeReader,
    stream: Stream,
}

/// The run under watch.
pub struct Watch<'a> {
    job: &'a Job,
    main: u32,
    main_end: Option<MainEnd>,
    cgroup: Option<Cgroup>,
    signals: Signals,
    pipes: Vec<Pipe>,
    log: &'a mut LogWriter,
    buffer: Vec<u8>,
    timeout_at: Option<Instant>,
    ending: Option<Ending>,
    memory: memory::Before,
    /// By the time since the machine was started.
    began: Duration,
}

impl<'a> Watch<'a> {
    pub fn new(
        job: &'a Job,
        launched: Launched,
        cgroup: Option<Cgroup>,
        signals: Signals,
        log: &'a mut LogWriter,
    ) -> Watch<'a> {
        let pipes = vec![
            Pipe {
                reader: launched.output,
                stream: Stream::Output,
            },
            Pipe {
                reader: launched.error,
                stream: Stream::Error,
            },
        ];
        for pipe in &pipes {
            let nonblocking = rustix::fs::fcntl_getfl(&pipe.reader).and_then(|flags| {
                rustix::fs::fcntl_setfl(&pipe.reader, flags | rustix::fs::OFlags::NONBLOCK)
            });
            debug_assert!(nonblocking.is_ok());
        }
        Watch {
            job,
            main: launched.pid,
            main_end: None,
            cgroup,
            signals,
            pipes,
            log,
            buffer: vec![0; READ_BYTES],
            // A timeout too far away for the clock is none.
            timeout_at: job
                .timeout
                .and_then(|timeout| Instant::now().checked_add(timeout)),
            ending: None,
            memory: memory::Before::now(),
            began: clock::since_boot(),
        }
    }

    /// Returns when the main process has ended and no descendant is left.
    pub fn until_the_end(mut self) -> RunEnd {
        let mut gone = self.reap();
        while !gone {
            self.wait();
            let received = self.signals.receive();
            self.copy_output();
            // Children first: a run that has ended by itself was neither stopped nor timed out.
            if received.child {
                gone = self.reap();
            }
            if !gone {
                self.act(received.stop);
            }
        }
        let main = self.main_end;
        let in_group = self.cgroup.as_ref().and_then(Cgroup::out_of_memory);
        // What was killed because it was told to end needs no other explanation.
        let asked = self.ending.as_ref().is_some_and(|ending| ending.cause != Cause::Leftover);
        let memory = main.filter(|_| !asked).and_then(|main| self.memory.evidence(main.code, main.signal, in_group));
        let escaped = self.end_escaped();
        self.drain();
        RunEnd { notes: memory.into_iter().collect(), ..self.conclude(escaped) }
    }

    fn wait(&self) {
        let mut watched = vec![PollFd::from_borrowed_fd(
            self.signals.descriptor(),
            PollFlags::IN,
        )];
        watched.extend(
            self.pipes
                .iter()
                .map(|pipe| PollFd::from_borrowed_fd(pipe.reader.as_fd(), PollFlags::IN)),
        );
        let timeout = self
            .next_deadline()
            .map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        // EINTR cannot happen, since all signals are held back; any other error shows up again as a failing read.
        let _ready = poll(&mut watched, timeout.as_ref());
    }

    fn next_deadline(&self) -> Option<Instant> {
        match &self.ending {
            None => self.timeout_at,
            Some(Ending {
                search: Some((at, _)),
                ..
            }) => Some(*at),
            Some(ending) => Some(ending.kill_at),
        }
    }

    /// At most one buffer from each pipe.
    fn copy_output(&mut self) {
        let now = clock::exact();
        let (log, buffer) = (&mut *self.log, &mut self.buffer);
        self.pipes
            .retain_mut(|pipe| match pipe.reader.read(buffer) {
                Ok(0) => {
                    log.finish(pipe.stream, now);
                    false
                }
                Ok(count) => {
                    log.append(pipe.stream, &buffer[..count], now);
                    true
                }
                Err(error) => matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ),
            });
        self.log.flush(now);
    }

    /// Collects the dead; `true` when nobody is left.
    fn reap(&mut self) -> bool {
        if self.main_end.is_none() && !self.collect_main() {
            return false;
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(rustix::io::Errno::CHILD) => return true,
                Err(_) => break,
            }
        }
        if self.ending.is_none() {
            self.begin_ending(Cause::Leftover, self.job.grace);
        }
        false
    }

    /// Notes the end of the main process, if it has come, and collects it: from here on its pid says nothing any more.
    fn collect_main(&mut self) -> bool {
        let Some(pid) = self.main_pid() else {
            return true;
        };
        let took = clock::since_boot().saturating_sub(self.began);
        match waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
        ) {
            Ok(Some(status)) => {
                self.main_end = Some(MainEnd {
                    code: status.exit_status(),
                    signal: status.terminating_signal(),
                    core_dumped: status.dumped(),
                    at: clock::exact(),
                    took,
                });
            }
            Ok(None) => return false,
            Err(_) => {
                self.main_end = Some(MainEnd {
                    code: None,
                    signal: None,
                    core_dumped: false,
                    at: clock::exact(),
                    took,
                })
            }
        }
        let _collected = waitpid(Some(pid), WaitOptions::NOHANG);
        true
    }

    /// Stop requests and deadlines.
    fn act(&mut self, stop: Option<StopRequest>) {
        if let Some(stop) = stop {
            let by = if stop.grace.is_some() {
                StoppedBy::Request
            } else {
                StoppedBy::Signal { pid: stop.pid }
            };
            self.begin_ending(Cause::Stopped(by), stop.grace.unwrap_or(self.job.grace));
        }
        let now = Instant::now();
        match &self.ending {
            None => {
                if let (Some(at), Some(timeout)) = (self.timeout_at, self.job.timeout)
                    && now >= at
                {
                    self.begin_ending(Cause::TimedOut(timeout), self.job.grace);
                }
            }
            Some(ending) if now >= ending.search.map_or(ending.kill_at, |(at, _)| at) => {
                self.kill(now)
            }
            Some(_) => {}
        }
    }

    /// SIGTERM to all of the tree, once; SIGCONT so that stopped processes can heed it. A later call only shortens the grace.
    fn begin_ending(&mut self, cause: Cause, grace: Duration) {
        let now = Instant::now();
        let kill_at = now
            .checked_add(grace)
            .unwrap_or(now + Duration::from_secs(u64::from(u32::MAX)));
        if let Some(ending) = &mut self.ending {
            if kill_at < ending.kill_at {
                ending.kill_at = kill_at;
                ending.grace = grace;
            }
            return;
        }
        let found = self.tree();
        for signal in [Signal::TERM, Signal::CONT] {
            found.iter().for_each(|process| _ = process.signal(signal));
        }
        let leftover = if cause == Cause::Leftover {
            found.iter().copied().collect()
        } else {
            HashSet::new()
        };
        self.ending = Some(Ending {
            cause,
            grace,
            kill_at,
            search: None,
            killed: HashSet::new(),
            leftover,
            stubborn_said: false,
        });
    }

    /// SIGKILL to all that is left; again and again, since what forks while dying may slip through one search.
    fn kill(&mut self, now: Instant) {
        let found = self.tree();
        if let (None, Some(pid)) = (&self.main_end, self.main_pid()) {
            // Not collected yet, so the number is still its group's: reaches even what is being forked at this moment.
            let _group_is_empty = kill_process_group(pid, Signal::KILL);
        }
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        let killed: Vec<Process> = found
            .into_iter()
            .filter(|process| process.signal(Signal::KILL))
            .collect();
        let Some(ending) = &mut self.ending else {
            return;
        };
        let pause = ending
            .search
            .map_or(FIRST_SEARCH, |(_, pause)| (pause * 2).min(LAST_SEARCH));
        ending.search = Some((now + pause, pause));
        if pause == LAST_SEARCH && !ending.stubborn_said && !killed.is_empty() {
            ending.stubborn_said = true;
            let pids: Vec<String> = killed
                .iter()
                .take(10)
                .map(|process| process.pid.to_string())
                .collect();
            self.log.remark(
                &format!(
                    "{} processes do not die on SIGKILL (waiting in the kernel?): {}",
                    killed.len(),
                    pids.join(" ")
                ),
                clock::exact(),
            );
        }
        ending.killed.extend(killed);
    }

    fn tree(&self) -> Vec<Process> {
        tree::descendants(std::process::id())
    }

    fn main_pid(&self) -> Option<Pid> {
        i32::try_from(self.main).ok().and_then(Pid::from_raw)
    }

    /// What escaped the subreaper (by joining another pid namespace, say). Returns how many those were.
    fn end_escaped(&mut self) -> u32 {
        let in_group = self.cgroup.take().map_or(0, Cgroup::remove);
        // Looking through all environments takes its time: only where there is reason for it.
        if self.ending.is_none() && in_group == 0 {
            return 0;
        }
        in_group + u32::try_from(tree::end_marked(self.job.run_id).len()).unwrap_or(u32::MAX)
    }

    /// What the pipes still hold.
    fn drain(&mut self) {
        let mut left = DRAIN_BYTES;
        while !self.pipes.is_empty() && left > 0 {
            let before = self.pipes.len();
            let (log, buffer) = (&mut *self.log, &mut self.buffer);
            let now = clock::exact();
            let mut taken = 0;
            self.pipes
                .retain_mut(|pipe| match pipe.reader.read(buffer) {
                    Ok(count) if count > 0 => {
                        log.append(pipe.stream, &buffer[..count], now);
                        taken += count;
                        true
                    }
                    _ => {
                        log.finish(pipe.stream, now);
                        false
                    }
                });
            self.log.flush(now);
            left = left.saturating_sub(taken);
            if taken == 0 && before == self.pipes.len() {
                break;
            }
        }
    }

    fn conclude(self, escaped: u32) -> RunEnd {
        let (killed, left) = self.ending.as_ref().map_or((0, 0), |ending| {
            (
                size(&ending.killed),
                size(&(&ending.leftover | &ending.killed)),
            )
        });
        let killed = killed.saturating_add(escaped);
        let by_itself = self
            .ending
            .as_ref()
            .is_none_or(|ending| ending.cause == Cause::Leftover);
        let end = self.end(killed);
        let unknown = "the supervisor could not learn how the process ended";
        RunEnd {
            message: (end == End::SupervisorFailed).then(|| unknown.to_owned()),
            end,
            at: self.main_end.map_or_else(clock::exact, |main| main.at),
            took: self.main_end.map(|main| main.took),
            leftover: if by_itself {
                Leftover {
                    found: left.saturating_add(escaped),
                    killed,
                }
            } else {
                Leftover::default()
            },
            notes: Vec::new(),
        }
    }

    fn end(&self, killed: u32) -> End {
        let code = self.main_end.and_then(|main| main.code);
        let signal = self.main_end.and_then(|main| main.signal);
        let how = |grace| Ended {
            grace,
            code,
            signal,
            killed,
        };
        match &self.ending {
            Some(Ending {
                cause: Cause::TimedOut(after),
                grace,
                ..
            }) => End::TimedOut {
                after: *after,
                how: how(*grace),
            },
            Some(Ending {
                cause: Cause::Stopped(by),
                grace,
                ..
            }) => End::Stopped {
                by: by.clone(),
                how: how(*grace),
            },
            _ => match (code, signal) {
                (Some(code), _) => End::Exited { code },
                (None, Some(signal)) => End::Signaled {
                    signal,
                    core_dumped: self.main_end.is_some_and(|main| main.core_dumped),
                },
                (None, None) => End::SupervisorFailed,
            },
        }
    }
}

fn size(processes: &HashSet<Process>) -> u32 {
    u32::try_from(processes.len()).unwrap_or(u32::MAX)
}

/// What all descendants together used that have been collected by now.
pub fn resources() -> Resources {
    // SAFETY: all-zero is a valid value of this plain record, which the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Resources {
        user_seconds: seconds(usage.ru_utime),
        system_seconds: seconds(usage.ru_stime),
        // In KiB on Linux.
        peak_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }
}
