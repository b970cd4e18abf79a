//! What must be true of a round once its daemon is left in peace.
use crate::common::{Daemon, daemon::message, until};
use crate::host::{House, KINDS, Kind, LONG, MINUTES, TICKS};
use crate::round::{Fate, Round, by_id, is_over};
use crate::slots;
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// Ends what only a cancel ends, waits until all is over, and looks.
pub fn judge(round: &mut Round) {
    let last = slots::go_on(round);
    [TICKS, MINUTES].into_iter().for_each(|kind| round.house.pause(kind));
    end_long_runs(round);
    until_over(round);
    let runs = by_id(round.house.runs());
    for (id, fate) in &round.fates {
        let run = runs.get(id).unwrap_or_else(|| panic!("{id} was seen and is not there any more"));
        check_fate(id, run, fate);
    }
    for (id, run) in &runs {
        check_end(&round.house, id, run, round.fates.get(id).unwrap_or(&Fate::default()));
    }
    for kind in KINDS.iter().filter(|kind| [TICKS, MINUTES].contains(&kind.name)) {
        slots::are_whole(round, kind, &round.house.daemon().runs_of(kind.name), last);
    }
    check_measures(round);
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

fn until_over(round: &mut Round) {
    let left = round.house.runs().into_iter().filter(|run| !is_over(run));
    let left: Vec<_> = left.map(|run| (run["id"].clone(), run["state_name"].clone(), run["state"]["message"].clone())).collect();
    round.say(format!("not over yet: {left:?}"));
    round.house.daemon().counts(0, 0);
}

fn end_long_runs(round: &mut Round) {
    for run in round.house.runs() {
        // A slot stays at its instant: what a clock that was ahead had made of one, and somebody touched, waits for it.
        let is_to_come = slots::slot_of(&run).is_some_and(|slot| slot > round.house.clock.now());
        if (round.house.kind_of(&run).name == LONG || is_to_come) && !is_over(&run) {
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
        || state.0 == "CRASHED" && !fate.struck.is_empty()
        || slots::slot_of(run).is_some() && (slots::is_missed(run) || state.0 == "CANCELLED" && message(run).contains("was paused"));
    assert!(may, "no reason to end so: {}", told());
    if state.0 == "COMPLETED" {
        assert_eq!(book.lines().last(), Some("end 0"), "Completed, and its process did not: {}", told());
    }
    if !slots::is_missed(run) {
        check_times(house, run, fate, &told);
    }
    if fate.struck.is_empty() && fate.cancel.is_none() && state == kind.ends {
        check_untouched(house, kind, run, begun, told);
    }
}

/// However the clock was set: what came later stands later, and nothing took longer than it did.
fn check_times(house: &House, run: &Value, fate: &Fate, told: &impl Fn() -> String) {
    let at = |key: &str| run[key].as_str().map(|at| at.parse::<Timestamp>().unwrap());
    assert!(at("start_time").is_none() || at("start_time") <= at("end_time"), "it ended before it began: {}", told());
    let took = run["total_run_time"].as_f64().unwrap();
    let waited = run["reeve"]["queue_wait_seconds"].as_f64().unwrap();
    assert!(took >= 0.0 && waited >= 0.0, "less than nothing: {}", told());
    // How long one took of which nobody saw the end is not known.
    assert!(!fate.struck.is_empty() || took <= house.began.elapsed().as_secs_f64(), "it took too long: {}", told());
    let states = house.daemon().get(&format!("/flow_run_states/?flow_run_id={}", run["id"].as_str().unwrap()));
    let entered: Vec<Timestamp> = states.as_array().unwrap().iter().map(|state| state["timestamp"].as_str().unwrap().parse().unwrap()).collect();
    assert!(entered.is_sorted(), "its history is not in order: {entered:?}\n{}", told());
}

/// Nothing that is counted is negative, and no time is longer than the round.
fn check_measures(round: &Round) {
    let page = round.house.daemon().text("/metrics");
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(value >= 0.0, "{line}");
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
    for known in ["COMPLETED", "FAILED", "CRASHED", "CANCELLED", "TimedOut", "Missed"] {
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
