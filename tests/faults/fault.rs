//! The faults. Each says what it did, and to which run, since that run may end otherwise then.
use crate::clock::{BEGINS, CAN_BE_SET, FURTHEST};
use crate::common::process;
use crate::host::Supervisor;
use crate::round::Round;
use jiff::SignedDuration;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use std::fs;

/// How often in comparison, its name, and what is done: `false` where there was nothing to do it to.
pub const FAULTS: [(u64, &str, fn(&mut Round) -> bool); 16] = [
    (4, "daemon killed", kill_daemon),
    (2, "daemon told to end", end_daemon),
    (2, "daemon stopped", stop_daemon),
    (1, "daemon's disk full", fill_disk_of_daemon),
    (1, "spawner killed", kill_spawner),
    (3, "supervisor killed", |round| strike_supervisor(round, Signal::KILL, "supervisor killed")),
    (1, "supervisor told to end", |round| strike_supervisor(round, Signal::TERM, "supervisor told to end")),
    (2, "supervisor stopped", stop_supervisor),
    (1, "supervisor's disk full", fill_disk_of_supervisor),
    (3, "child killed", |round| strike_child(round, Signal::KILL, "child killed")),
    (1, "child told to end", |round| strike_child(round, Signal::TERM, "child told to end")),
    (2, "child stopped", stop_child),
    (2, "directory removed", remove_directory),
    (4, "cancelled", cancel),
    (3, CLOCK_FORWARD, |round| set_clock(round, true)),
    (4, CLOCK_BACK, |round| set_clock(round, false)),
];

pub const CLOCK_FORWARD: &str = "clock set forward";
pub const CLOCK_BACK: &str = "clock set back";

/// In the midst of requests.
fn kill_daemon(round: &mut Round) -> bool {
    let pid = round.house.daemon().pid();
    round.send_later(pid, Signal::KILL, 15);
    round.say("the daemon is killed".to_owned());
    round.ask();
    round.house.take_daemon().kill();
    round.pause(150);
    round.house.start();
    true
}

fn end_daemon(round: &mut Round) -> bool {
    round.say("the daemon is told to end".to_owned());
    round.house.daemon().signal(Signal::TERM);
    let (status, said) = round.house.take_daemon().ended();
    assert!(status.success(), "the daemon ended with {status}:\n{said}");
    round.pause(150);
    round.house.start();
    true
}

fn stop_daemon(round: &mut Round) -> bool {
    let pid = round.house.daemon().pid();
    round.say("the daemon is stopped for a while".to_owned());
    process::send(pid, Signal::STOP);
    round.send_later(pid, Signal::CONT, 300);
    true
}

/// The store may grow by a little, and then no more. The daemon ends by itself, or waits for a need to write.
fn fill_disk_of_daemon(round: &mut Round) -> bool {
    let Ok(store) = fs::metadata(round.house.host.home().join("store/sled/db")) else { return false };
    let size = store.len() + round.random.below(30_000);
    round.say(format!("the daemon's disk is full at {size} bytes"));
    limit(round.house.daemon().pid(), size);
    for _ in 0..5 {
        round.ask();
        round.pause(50);
    }
    round.house.take_daemon().kill();
    round.house.start();
    true
}

fn kill_spawner(round: &mut Round) -> bool {
    let spawner = process::children_called(round.house.daemon().pid(), "reeve-spawner").first().copied();
    let Some((spawner, true)) = spawner else { return false };
    round.say("the spawner is killed".to_owned());
    round.send_later(spawner, Signal::KILL, 15);
    round.ask();
    true
}

fn any_supervisor(round: &mut Round) -> Option<Supervisor> {
    let supervisors = round.house.supervisors();
    round.any(supervisors)
}

fn strike_supervisor(round: &mut Round, signal: Signal, name: &'static str) -> bool {
    let Some(Supervisor { pid, run, .. }) = any_supervisor(round) else { return false };
    round.say(format!("the supervisor of {run} ({pid}) gets {signal:?}"));
    round.fate(&run).struck.insert(name);
    process::send(pid, signal);
    true
}

fn stop_supervisor(round: &mut Round) -> bool {
    let Some(Supervisor { pid, run, .. }) = any_supervisor(round) else { return false };
    round.say(format!("the supervisor of {run} ({pid}) is stopped for a while"));
    process::send(pid, Signal::STOP);
    round.send_later(pid, Signal::CONT, 600);
    true
}

/// Its log can grow no more, which is no reason for the run to end otherwise; there is room for the record.
fn fill_disk_of_supervisor(round: &mut Round) -> bool {
    let Some(Supervisor { pid, run, .. }) = any_supervisor(round) else { return false };
    round.say(format!("the disk of the supervisor of {run} ({pid}) is full"));
    limit(pid, 60_000);
    true
}

fn any_child(round: &mut Round) -> Option<(String, i32)> {
    let supervisor = any_supervisor(round)?;
    let processes = round.house.processes_of(&supervisor.run);
    round.any(processes).map(|pid| (supervisor.run, pid))
}

fn strike_child(round: &mut Round, signal: Signal, name: &'static str) -> bool {
    let Some((run, pid)) = any_child(round) else { return false };
    round.say(format!("process {pid} of {run} gets {signal:?}"));
    round.fate(&run).struck.insert(name);
    process::send(pid, signal);
    true
}

fn stop_child(round: &mut Round) -> bool {
    let Some((run, pid)) = any_child(round) else { return false };
    round.say(format!("process {pid} of {run} is stopped for a while"));
    process::send(pid, Signal::STOP);
    round.send_later(pid, Signal::CONT, 1_500);
    true
}

/// Of a run that is known to be Running: of one that is only claimed, nobody could tell afterwards whether it ever began.
fn remove_directory(round: &mut Round) -> bool {
    let Some(Supervisor { run, directory, .. }) = any_supervisor(round) else { return false };
    let number = directory.extension().and_then(|attempt| attempt.to_str()?.parse::<u64>().ok());
    let known = round.house.look(&run);
    if !known.is_some_and(|known| known["state_type"] == "RUNNING" && known["run_count"].as_u64() == number) {
        return false;
    }
    // What is seen may not be durable yet. Commits are made so in order: once a later one is acknowledged, it is.
    let Some(another) = round.house.ask_for("short") else { return false };
    round.fate(&another).created = true;
    round.say(format!("the directory of {run} is removed"));
    round.fate(&run).struck.insert("directory removed");
    fs::remove_dir_all(directory).is_ok()
}

fn cancel(round: &mut Round) -> bool {
    let Some(run) = round.any_run() else { return false };
    for _ in 0..=round.random.below(2) {
        round.fate(&run).cancel.get_or_insert(false);
        let taken = round.house.cancel(&run);
        round.say(format!("{run} is cancelled: {taken}"));
        if taken {
            round.fate(&run).cancel = Some(true);
        }
    }
    true
}

/// Under the daemon, or while there is none.
fn set_clock(round: &mut Round, forward: bool) -> bool {
    let before = round.house.clock.offset();
    let seconds = match round.random.below(4) {
        0 => 1 + round.random.below(20),
        1 => 60 + round.random.below(1_200),
        2 => 3_600 + round.random.below(4 * 3_600),
        _ => 24 * 3_600 + round.random.below(24 * 3_600),
    };
    let by = SignedDuration::from_secs(if forward { seconds as i64 } else { -(seconds as i64) });
    let offset = (before + by).max(BEGINS + A_WHILE);
    if !CAN_BE_SET || offset > FURTHEST || (offset - before).abs() < SignedDuration::from_secs(1) {
        return false;
    }
    let killed = round.random.one_in(3);
    if killed {
        round.house.take_daemon().kill();
    }
    round.say(format!("the clock is set from {before:#} to {offset:#}, {}", if killed { "without a daemon" } else { "under the daemon" }));
    round.house.clock.set(offset);
    if killed {
        round.house.start();
    }
    true
}

/// Longer than it takes to make a round's deployments.
const A_WHILE: SignedDuration = SignedDuration::from_mins(10);

/// A write beyond the limit fails, as it does on a full disk (see `tests/store_full_disk.rs`).
fn limit(pid: i32, size: u64) {
    let _gone = prlimit(Pid::from_raw(pid), Resource::Fsize, Rlimit { current: Some(size), maximum: Some(size) });
}
