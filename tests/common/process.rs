//! Looking at processes of this host, and ending those that a test has left behind.
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;

/// Whether the process exists and is not only waiting to be reaped.
pub fn is_alive(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name may hold anything; the state follows its last parenthesis.
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

pub fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

pub fn send(pid: i32, signal: Signal) {
    let _gone = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// The children of a process that `ps` calls so, as (pid, whether it is alive).
pub fn children_called(parent: i32, name: &str) -> Vec<(i32, bool)> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| parent_of(*pid) == Some(parent))
        .filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|text| text.trim_end() == name))
        .map(|pid| (pid, is_alive(pid)))
        .collect()
}

/// Processes whose environment holds exactly this `NAME=value`.
pub fn with_variable(assignment: &str) -> Vec<i32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == assignment.as_bytes())
        })
        .collect()
}

/// Kills what still runs with this home: daemons, supervisors, runs.
pub fn end_all_of(home: &Path) {
    for pid in with_variable(&format!("REEVE_HOME={}", home.display())) {
        if pid != std::process::id() as i32 {
            send(pid, Signal::KILL);
        }
    }
}
