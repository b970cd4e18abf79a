//! What must be true of a round once its daemon is left in peace.
use crate::common::{Daemon, until};
use crate::host::{House, Kind, LONG};
use crate::round::{Fate, Round, by_id, is_over};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// Ends what only a cancel ends, waits until all is over, and looks.
pub fn judge(round: &mut Round) {
    end_long_runs(round);
    round.house.daemon().counts(0, 0);
    let runs = by_id(round.house.runs());
    for (id, fate) in &round.fates {
        let run = runs.get(id).unwrap_or_else(|| panic!("{id} was seen and is not there any more"));
        check_fate(id, run, fate);
    }
    for (id, run) in &runs {
        check_end(&round.house, id, run, round.fates.get(id).unwrap_or(&Fate::default()));
    }
    until("no process is left", || round.house.everything().is_empty().then_some(()));
    slots_are_free(&mut round.house);
    for run in runs.values() {
        count_end(&mut round.counts, run);
    }
    let daemon: Daemon = round.house.take_daemon();
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.ended();
    assert!(status.success(), "the daemon ended with {status}:\n{said}");
    until("nothing of the round is left", || round.house.everything().is_empty().then_some(()));
}

fn end_long_runs(round: &mut Round) {
    for run in round.house.runs() {
        if round.house.kind_of(&run).name == LONG && !is_over(&run) {
            let id = run["id"].as_str().unwrap();
            let taken = round.house.cancel(id);
            round.fate(id).cancel = Some(taken || round.fates[id].cancel == Some(true));
            round.say(format!("{id} is cancelled at the end: {taken}"));
        }
    }
}

/// What somebody was told stays true.
fn check_fate(id: &str, run: &Value, fate: &Fate) {
    if let Some((kind, state)) = &fate.ended {
        assert!(run["state_type"] == *kind && run["state_id"] == *state, "{id} was {kind} and is not any more: {run:#}");
    }
    if fate.cancel == Some(true) && fate.ended.is_none() {
        assert_eq!(run["state_type"], "CANCELLED", "{id} was being cancelled: {run:#}");
    }
}

/// The run's end fits what its processes wrote down, and what was done to it.
fn check_end(house: &House, id: &str, run: &Value, fate: &Fate) {
    let book = fs::read_to_string(house.books().join(id)).unwrap_or_default();
    let kind = house.kind_of(run);
    let told = || format!("{id} ({}) after {fate:?}\n{run:#}\nits book:\n{book}", kind.name);
    assert!(is_over(run), "not over: {}", told());
    assert!(!book.contains("double"), "two attempts at once: {}", told());
    assert!(!book.contains("crowd"), "more at once than the limit allows: {}", told());
    let begun = book.lines().filter(|line| line.starts_with("begin")).count();
    assert!(begun as u64 <= run["run_count"].as_u64().unwrap(), "an attempt was made twice: {}", told());
    let state = (run["state_type"].as_str().unwrap(), run["state_name"].as_str().unwrap());
    let may = state == kind.ends && kind.name != LONG
        || state.0 == "CANCELLED" && fate.cancel.is_some()
        || state.0 == "CRASHED" && !fate.struck.is_empty();
    assert!(may, "no reason to end so: {}", told());
    if state.0 == "COMPLETED" {
        assert_eq!(book.lines().last(), Some("end 0"), "Completed, and its process did not: {}", told());
    }
    if fate.struck.is_empty() && fate.cancel.is_none() {
        check_untouched(house, kind, run, begun, told);
    }
}

/// Nothing happened to the run itself: every attempt was made, and its log is whole.
fn check_untouched(house: &House, kind: &Kind, run: &Value, begun: usize, told: impl Fn() -> String) {
    assert_eq!(run["run_count"].as_u64(), Some(kind.begins as u64), "attempts are missing: {}", told());
    if run["state_name"] == "TimedOut" && begun < kind.begins {
        // On a busy machine half a second is over before the shell has come to its first line.
        return;
    }
    assert_eq!(begun, kind.begins, "attempts are missing: {}", told());
    let log = house.daemon().log(run);
    let begins = log.iter().filter(|line| line.starts_with("begun")).count();
    assert_eq!(begins, kind.begins, "its log is not whole: {log:#?}\n{}", told());
}

fn count_end(counts: &mut BTreeMap<&'static str, usize>, run: &Value) {
    for known in ["COMPLETED", "FAILED", "CRASHED", "CANCELLED", "TimedOut"] {
        if run["state_type"] == known || run["state_name"] == known {
            *counts.entry(known).or_default() += 1;
        }
    }
}

/// As many runs as the limits allow begin at once, in each pool, queue and deployment that has one.
fn slots_are_free(house: &mut House) {
    let ask = |kind| house.ask_for(kind).expect("a daemon in peace takes a run");
    let running = |run: &str| house.look(run).is_some_and(|run| run["state_type"] == "RUNNING");
    let over = |run: &str| house.look(run).filter(is_over).map(|run| run["state_type"].clone());
    let long = [ask(LONG), ask(LONG)];
    until("the pool's slots are all in use", || long.iter().all(|run| running(run)).then_some(()));
    for run in &long {
        assert!(house.cancel(run));
    }
    for kind in ["single", "forker"] {
        let run = ask(kind);
        assert_eq!(until("a slot is free", || over(&run)), "COMPLETED", "{:#}", house.look(&run).unwrap());
    }
    for run in &long {
        assert_eq!(until("it is cancelled", || over(run)), "CANCELLED");
    }
}
