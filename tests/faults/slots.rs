//! What must be true of the slots of a round's schedules, however its clock was set: each at or after its instant, once, and none is
//! lost; missed is what the clock leapt over, and nothing else.
use crate::common::{daemon::message, until};
use crate::host::{Kind, TICKS};
use crate::round::{Round, is_over};
use jiff::{SignedDuration, Timestamp};
use reeve::model::id::{DeploymentId, of_slot};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// A slot so old is missed, not late (`dispatch::due`).
const LATE: SignedDuration = SignedDuration::from_secs(15);

/// A run is claimed this long before its time.
const AHEAD: SignedDuration = SignedDuration::from_millis(100);

/// A clock that is set back by less takes no slot back that was missed (`dispatch::due::CLOCK_TOLERANCE`), and a little.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(63);

/// A slot's run is made this long before it, and stands.
const MADE_AHEAD: SignedDuration = SignedDuration::from_secs(1);

/// So long a busy machine takes at most from one thing to the next, a claim to its process say.
const SLACK: SignedDuration = SignedDuration::from_secs(10);

/// The schedules go on by the clock as it was set last. The last slot that was seen to run.
pub fn go_on(round: &mut Round) -> Timestamp {
    while round.house.clock.has_shown_more(TOLERANCE) {
        let offset = round.house.clock.offset() + TOLERANCE;
        round.say(format!("the clock is set past what stays missed, to {offset:#}"));
        round.house.clock.set(offset);
    }
    // What is to come is shown, too.
    let fresh = |runs: &BTreeMap<Timestamp, Value>| {
        let first = round.house.clock.now() + SignedDuration::from_secs(1);
        let mut slots = (1..).map(|number| slot_after(TICKS, first, number));
        slots.find(|slot| runs.get(slot).is_none_or(|run| !is_over(run) || is_missed(run))).unwrap()
    };
    let runs = by_slot(round.house.daemon().runs_of(TICKS));
    let slot = fresh(&runs);
    let any = runs.values().next().expect("its schedule has slots");
    let deployment = DeploymentId(any["deployment_id"].as_str().unwrap().parse().unwrap());
    let id = of_slot(deployment, any["reeve"]["schedule"].as_str().unwrap(), slot).to_string();
    round.say(format!("slot {slot} is awaited"));
    let mut said = String::new();
    until(&format!("slot {slot} has run by a clock at {}", round.house.clock.now()), || {
        let run = round.house.look(&id);
        let now = format!("it is {:?}", run.as_ref().map(|run| (&run["id"], &run["state_name"], &run["state"]["timestamp"])));
        if said != now {
            round.say(now.clone());
            said = now;
        }
        run.is_some_and(|run| is_over(&run) && !is_missed(&run)).then_some(slot)
    })
}

/// No slot has two runs, each is one of its schedule, and each up to `last` has one or is counted as missed.
pub fn are_whole(round: &Round, kind: &Kind, runs: &[Value], last: Timestamp) {
    let of_slots: Vec<Value> = runs.iter().filter(|run| slot_of(run).is_some()).cloned().collect();
    let found = by_slot(of_slots.clone());
    assert_eq!(found.len(), of_slots.len(), "a slot of {} has two runs: {of_slots:#?}", kind.name);
    let counted: Vec<(Timestamp, Timestamp)> = of_slots.iter().filter_map(|run| counted(&first_message(round, run))).collect();
    let mut slot = slot_after(kind.name, round.house.since, 1);
    while slot <= last {
        let is_counted = || counted.iter().any(|(from, to)| (*from..=*to).contains(&slot));
        assert!(found.contains_key(&slot) || is_counted(), "slot {slot} of {} is lost; counted: {counted:?}", kind.name);
        slot = slot_after(kind.name, slot, 1);
    }
    for (slot, run) in &found {
        assert_eq!(*slot, slot_after(kind.name, *slot - SignedDuration::from_nanos(1), 1), "no slot of {}: {run:#}", kind.name);
        check(round, kind, *slot, run);
    }
}

/// A run of a slot that the clock came to, or a record that it leapt over it.
fn check(round: &Round, kind: &Kind, slot: Timestamp, run: &Value) {
    let clock = &round.house.clock;
    if is_missed(run) {
        assert!(clock.leapt_over(slot, LATE, SLACK), "slot {slot} of {} came, and is missed: {run:#}", kind.name);
        return;
    }
    let book = fs::read_to_string(round.house.books().join(run["id"].as_str().unwrap())).unwrap_or_default();
    let began = book.lines().find_map(|line| Timestamp::from_nanosecond(line.strip_prefix("at ")?.parse().ok()?).ok());
    let Some(began) = began else { return };
    let shown: Vec<Timestamp> = clock.shown(began, Duration::from_secs(10)).collect();
    assert!(shown.iter().any(|now| *now >= slot - AHEAD), "slot {slot} of {} began too early, by {shown:?}: {run:#}", kind.name);
    // Of the other kind the newest slot runs, however old.
    let late = SLACK + LATE;
    assert!(kind.name == TICKS || shown.iter().any(|now| (slot - MADE_AHEAD..=slot + late).contains(now)), "slot {slot} of {} was missed and began by {shown:?}: {run:#}", kind.name);
}

pub fn slot_of(run: &Value) -> Option<Timestamp> {
    run["reeve"]["slot"].as_str().map(|slot| slot.parse().unwrap())
}

pub fn is_missed(run: &Value) -> bool {
    run["state_name"] == "Missed"
}

fn by_slot(runs: Vec<Value>) -> BTreeMap<Timestamp, Value> {
    runs.into_iter().filter_map(|run| Some((slot_of(&run)?, run))).collect()
}

/// What its record said at first: a clock that was set back may have come to a slot that had been missed.
fn first_message(round: &Round, run: &Value) -> String {
    if is_missed(run) {
        return message(run).to_owned();
    }
    let states = round.house.daemon().get(&format!("/flow_run_states/?flow_run_id={}", run["id"].as_str().unwrap()));
    states[0]["message"].as_str().unwrap_or_default().to_owned()
}

/// The slots that a record counts: `12 slots from A to B passed while nothing ran`.
fn counted(message: &str) -> Option<(Timestamp, Timestamp)> {
    let (_, range) = message.split_once(" slots from ")?;
    let (from, rest) = range.split_once(" to ")?;
    Some((from.parse().unwrap(), rest.split_once(' ')?.0.parse().unwrap()))
}

/// The `number`th slot of a kind after an instant.
fn slot_after(kind: &str, instant: Timestamp, number: i64) -> Timestamp {
    let every = if kind == TICKS { 2 } else { 60 };
    let before = instant.as_second().div_euclid(every);
    Timestamp::from_second((before + number) * every).unwrap()
}
