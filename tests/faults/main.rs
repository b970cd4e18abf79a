//! Rounds of faults against the real binary: a daemon with runs of many kinds is worked on, while at random moments it is killed,
//! stopped, upgraded and run out of disk, its supervisors and their runs are killed, stopped and told to end, and directories of
//! runs are removed, and the clock of all of them is set forward and back, by seconds or by days, over slots of schedules. Then it is
//! left in peace, and within a bounded time every run must be over as its own book (`work.sh`) says that it went, and nothing may be left
//! of it: no process, no slot of a limit (G3, G4, G7, G8). No slot of a schedule is lost, doubled or early (G2).
//!
//! A release build has no clock that a test can set: there it stands. `REEVE_TEST_ROUNDS` multiplies the number of rounds. A round that fails prints its seed
//! and its faults; `REEVE_TEST_SEED=<seed>` does the same faults again. Their moments are as near as a machine can repeat them.
#[path = "../common/mod.rs"]
mod common;
#[path = "../simulation/random.rs"]
mod random;

mod clock;
mod fault;
mod host;
mod oracle;
mod round;
mod slots;

use round::{Diary, Round};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const ROUNDS: usize = 48;

/// Where the seeds begin: the same faults each time, others with another number.
const FIRST_SEED: u64 = 20_261_121;

/// Rounds that go on side by side: they mostly wait.
const SIDE_BY_SIDE: usize = 4;

#[test]
fn no_fault_loses_doubles_or_leaves_a_run() {
    if let Some(seed) = std::env::var("REEVE_TEST_SEED").ok().and_then(|text| text.parse().ok()) {
        return drop(play(seed).unwrap_or_else(|diary| panic!("{diary}")));
    }
    let rounds = common::rounds(ROUNDS) as u64;
    let (next, failures, seen) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(BTreeMap::<&str, usize>::new()));
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= rounds || !failures.lock().unwrap().is_empty() {
                        return;
                    }
                    match play(FIRST_SEED + number) {
                        Ok(counts) => counts.into_iter().for_each(|(what, count)| *seen.lock().unwrap().entry(what).or_default() += count),
                        Err(diary) => failures.lock().unwrap().push(diary),
                    }
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    println!("{rounds} rounds: {seen:#?}");
    if let Some(diary) = failures.into_inner().unwrap().first() {
        panic!("{diary}");
    }
    // A suite in which little happens proves little.
    let of_clocks = [fault::CLOCK_FORWARD, fault::CLOCK_BACK, "Missed"];
    let all = fault::FAULTS.iter().map(|(_, name, _)| *name).chain(["COMPLETED", "FAILED", "CRASHED", "CANCELLED", "TimedOut", "Missed"]);
    for what in all.filter(|what| clock::CAN_BE_SET || !of_clocks.contains(what)) {
        assert!(seen.contains_key(what), "{what:?} never happened: {seen:#?}");
    }
}

/// One round, from its seed alone: how often what happened, or the whole story.
fn play(seed: u64) -> Result<BTreeMap<&'static str, usize>, String> {
    let diary = Diary::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| Round::new(seed, diary.clone()).play()));
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("REEVE_TEST_SEED={seed}: {}\nwhat was done:\n{diary}", text.unwrap_or_default())
    })
}
