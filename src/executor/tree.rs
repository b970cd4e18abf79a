//! The processes of a run: found in `/proc` as descendants of its supervisor, or by the run id in their environment.
//!
//! A process is only ever signalled through a pidfd that was checked to be the process that was found.
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use uuid::Uuid;

use super::RUN_ID_VARIABLE;
use super::identity::{ProcessStat, open_process, process_stat, signal_process};
use super::supervisor::NAME;

/// The largest environment that is searched; the kernel allows more, nobody uses it.
const ENVIRONMENT_LIMIT: u64 = 4 * 1024 * 1024;

/// How often what forks while being killed is searched for.
const SEARCHES: usize = 20;

/// How long a killed process may take to go.
const DEATH: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// A process that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    pub pid: u32,
    pub start: u64,
}

impl Process {
    /// `false` where it is gone meanwhile.
    pub fn signal(self, signal: Signal) -> bool {
        signal_process(self.pid, self.start, signal)
    }
}

/// All living descendants of a process, in no order. With a subreaper at the root nothing escapes: what loses its parent
/// becomes a child of the root.
pub fn descendants(root: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<ProcessStat>> = HashMap::new();
    for stat in all_processes() {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            parents.push(child.pid);
            if child.state != 'Z' {
                found.push(Process {
                    pid: child.pid,
                    start: child.start,
                });
            }
        }
    }
    found
}

/// All living processes that carry the run's id in their environment, without ourselves. Those of other users cannot be read
/// without privileges and are not found.
pub fn marked(run_id: Uuid) -> Vec<Process> {
    let marker = format!("{RUN_ID_VARIABLE}={run_id}");
    let own = std::process::id();
    all_processes()
        .filter(|stat| stat.pid != own && stat.state != 'Z' && carries(stat.pid, marker.as_bytes()))
        .map(|stat| Process {
            pid: stat.pid,
            start: stat.start,
        })
        .collect()
}

/// Kills all that carries the run's id, and waits until it is gone (but not for ever: some processes do not die).
/// Returns what was killed.
pub fn end_marked(run_id: Uuid) -> HashSet<Process> {
    let mut killed = HashSet::new();
    for _ in 0..SEARCHES {
        let found = marked(run_id);
        if found.is_empty() {
            break;
        }
        for process in found {
            let Ok(Some(pidfd)) = open_process(process.pid, process.start) else {
                continue;
            };
            if pidfd_send_signal(&pidfd, Signal::KILL).is_ok() {
                killed.insert(process);
                let mut watched = [PollFd::new(&pidfd, PollFlags::IN)];
                let _gone_or_stubborn = poll(&mut watched, Some(&DEATH));
            }
        }
    }
    killed
}

/// The living supervisor of a run's directory that has taken its job: told by its name and its working directory, which may have been
/// removed meanwhile (proc(5)).
pub fn supervisor_of(run_directory: &Path) -> Option<Process> {
    let called = |pid| fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_ascii_end() == NAME.to_bytes());
    let removed = PathBuf::from(format!("{} (deleted)", run_directory.display()));
    let there = |pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place == run_directory || place == removed);
    let found: Vec<_> = all_processes().filter(|stat| there(stat.pid) && called(stat.pid)).collect();
    // What it has forked, and what is not executed yet, looks like it.
    let stat = found.iter().find(|stat| found.iter().all(|other| other.pid != stat.parent))?;
    Some(Process {
        pid: stat.pid,
        start: stat.start,
    })
}

fn carries(pid: u32, marker: &[u8]) -> bool {
    super::log::read_bounded(
        Path::new(&format!("/proc/{pid}/environ")),
        ENVIRONMENT_LIMIT,
    )
    .is_ok_and(|environment| {
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == marker)
    })
}

/// Processes that end or begin while this looks may be missed or included: callers look again until nothing is left.
fn all_processes() -> impl Iterator<Item = ProcessStat> {
    let entries = fs::read_dir("/proc").ok().into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        process_stat(pid).ok().flatten()
    })
}
