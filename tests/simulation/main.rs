//! Thousands of histories in virtual time: random edits, redeploys, pauses, restarts, kills between any two writes, clocks that are
//! set, and nights on which clocks change, while slots fall due. What is left is held against an oracle that is just the set of slots:
//! none is lost, doubled or moved, and none fires before its schedule is in force (G2).
//!
//! Under test are the parts themselves: text -> `manifest` -> `reconcile::plan` -> the ledger over a store in memory, the scheduler
//! and its timers, the dispatcher's decisions. Stood in for: the clock, the processes, and the disk, which stops at the k-th write.
//!
//! `REEVE_TEST_ROUNDS` multiplies the number of histories. A failure prints the seed of its history and the shortest list of events
//! that still fails; `REEVE_TEST_SEED=<seed>` tells that one history alone, step by step.
mod daemon;
mod event;
mod file;
mod history;
mod oracle;
mod random;
mod world;

use event::Event;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const HISTORIES: u64 = 2_000;

/// Where the seeds begin: the same histories each time, others with another number.
const FIRST_SEED: u64 = 20_261_121;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn no_history_loses_doubles_or_moves_a_slot() {
    if let Some(seed) = number("REEVE_TEST_SEED") {
        let events = event::history(seed);
        println!("{events:#?}");
        return drop(run(seed, &events, true).map_err(|why| panic!("seed {seed}: {why}")));
    }
    let histories = HISTORIES * number("REEVE_TEST_ROUNDS").unwrap_or(1);
    let (next, failures, seen) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(history::Seen::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= histories || failures.lock().unwrap().len() >= 3 {
                        return;
                    }
                    let seed = FIRST_SEED + number;
                    let events = event::history(seed);
                    match run(seed, &events, false) {
                        Ok(found) => seen.lock().unwrap().add(&found),
                        Err(why) => failures.lock().unwrap().push((seed, events, why)),
                    }
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    println!("{histories} histories: {seen:?}");
    let failures = failures.into_inner().unwrap();
    if let Some((seed, events, why)) = failures.first() {
        let others: Vec<u64> = failures.iter().skip(1).map(|failure| failure.0).collect();
        let (events, why) = shortened(*seed, events.clone(), why.clone());
        panic!("REEVE_TEST_SEED={seed} (also failed: {others:?})\n{why}\nthe shortest history that fails so:\n{events:#?}");
    }
    // A simulation in which little happens proves little.
    assert!(seen.slots > 20 * histories && seen.kills_in_writes > histories / 20 && seen.missed > histories / 10, "{seen:?}");
}

/// One history, from its seed alone. A panic of the parts under test is a failure of the history.
fn run(seed: u64, events: &[Event], told: bool) -> Result<history::Seen, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().expect("a runtime");
        runtime.block_on(history::run(seed, events, told))
    }));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("it panicked: {}", text.unwrap_or_default()))
    })
}

/// Leaves out events as long as what is left still fails.
fn shortened(seed: u64, mut events: Vec<Event>, mut why: String) -> (Vec<Event>, String) {
    let mut size = events.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < events.len() {
            let mut fewer = events.clone();
            fewer.drain(start..(start + size).min(events.len()));
            match run(seed, &fewer, false) {
                Err(still) => (events, why) = (fewer, still),
                Ok(_) => start += size,
            }
        }
        size /= 2;
    }
    (events, why)
}

/// Counts by name, for what a test prints.
type Counts = BTreeMap<&'static str, u64>;
