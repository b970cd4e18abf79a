//! Each link that can end a chain, over one deployment.
use super::*;
use crate::model::deployment::{DeploymentSpec, FullName};
use crate::model::id::{DeploymentId, FlowId, ScheduleId};
use crate::model::overrides::Override;
use crate::model::schedule::ScheduleDeclaration;
use crate::model::state::Proposed;
use crate::model::transition::{Context, transition};
use crate::schedule::{RuleSpec, Spec};
use std::collections::BTreeMap;
use uuid::Uuid;

const NOW: &str = "2027-03-26T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn deployment() -> Deployment {
    let rule = RuleSpec::Cron { expression: "30 2 * * *".to_owned(), day_or: true };
    let created = at("2027-01-01T00:00:00Z");
    let schedule = Schedule {
        id: ScheduleId(Uuid::from_u128(3)),
        key: "main".to_owned(),
        declared: ScheduleDeclaration::new(Spec::new(rule, Some("Europe/Berlin".to_owned()))),
        effective_since: created,
        overrides: BTreeMap::new(),
        created,
        updated: created,
    };
    Deployment {
        id: DeploymentId(Uuid::from_u128(1)),
        flow_id: FlowId(Uuid::from_u128(2)),
        name: FullName::new("etl", "daily"),
        declared: DeploymentSpec::default(),
        schedules: vec![schedule],
        owner: None,
        root: None,
        overrides: BTreeMap::new(),
        declared_digest: None,
        created,
        updated: created,
    }
}

fn asked(deployment: &Deployment, instant: &str, cursor: Option<&str>, record: Option<FlowRun>) -> Answer {
    let schedule = &deployment.schedules[0];
    let schedules = vec![Standing { schedule, cursor: cursor.map(at), record }];
    let facts = Facts {
        now: at(NOW), at: at(instant), deployment, schedules, capacity: &Capacity::default(), active: &[], kinds: &["process"], serving: true,
    };
    why(&facts)
}

/// The verdict, and the last link.
fn end(answer: &Answer) -> (Verdict, &'static str, &str) {
    let last = answer.schedules[0].links.last().unwrap();
    (answer.verdict, last.about, &last.text)
}

/// A night that is to come: 02:30 in Berlin, winter time.
const TONIGHT: &str = "2027-03-27T01:30:00Z";

#[test]
fn what_is_to_come_is_followed_to_the_executor() {
    let answer = asked(&deployment(), TONIGHT, Some("2027-03-26T01:30:00Z"), None);
    assert_eq!(end(&answer).0, Verdict::WillRun);
    assert_eq!(answer.summary, "will run");
    let links: Vec<_> = answer.schedules[0].links.iter().map(|link| link.about).collect();
    assert_eq!(links, ["rule", "zone", "deployment", "active", "paused", "record", "overlap", "queue", "executor"]);
    assert!(answer.schedules[0].links[0].text.contains("Sat 2027-03-27 02:30:00 CET"), "{:#?}", answer.schedules[0].links);
}

#[test]
fn a_clock_change_is_told() {
    let answer = asked(&deployment(), "2027-03-28T01:30:00Z", None, None);
    let note = answer.schedules[0].links.iter().find(|link| link.mark == Mark::Note).unwrap();
    assert!(note.about == "zone" && note.text.contains("2027-03-28") && note.text.contains("03:30"), "{note:?}");
}

#[test]
fn each_link_can_stop_the_chain() {
    let plain = deployment();
    let miss = asked(&plain, "2027-03-27T02:00:00Z", None, None);
    assert_eq!((end(&miss).0, end(&miss).1), (Verdict::WillNotRun, "rule"));
    assert!(miss.summary.contains("before it: Sat 2027-03-27 02:30:00 CET; after it: Sun 2027-03-28 03:30:00 CEST"), "{}", miss.summary);

    let stopped = |change: &dyn Fn(&mut Deployment), expected: (Verdict, &str), words: &str| {
        let mut changed = deployment();
        change(&mut changed);
        let answer = asked(&changed, TONIGHT, None, None);
        let (verdict, about, text) = end(&answer);
        assert_eq!((verdict, about), expected, "{text}");
        assert!(text.contains(words), "{text:?} does not say {words:?}");
    };
    let by_ada = |value: bool| {
        let since = at("2027-03-20T00:00:00Z");
        Override { value: value.into(), who: "ada".to_owned(), why: Some("migration".to_owned()), since, until: None }
    };
    let no = Verdict::WillNotRun;
    stopped(&|d| d.schedules[0].effective_since = at("2027-04-01T00:00:00Z"), (no, "deployment"), "added, changed or resumed");
    stopped(&|d| drop(d.schedules[0].overrides.insert("active".to_owned(), by_ada(false))), (no, "active"), "by ada since Sat 2027-03-20");
    stopped(&|d| drop(d.overrides.insert("paused".to_owned(), by_ada(true))), (no, "paused"), "(migration)");
    stopped(&|d| d.declared.paused = true, (no, "paused"), "declared so");
    stopped(&|d| d.schedules[0].declared.spec.limits.ends = Some("2027-02-01T00:00".parse().unwrap()), (no, "window"), "ended at 2027-02-01");
    stopped(&|d| d.schedules[0].declared.spec.limits.starts = Some("2028-02-01T00:00".parse().unwrap()), (no, "window"), "starts at 2028");
    let holiday = |d: &mut Deployment| {
        let span = crate::schedule::Span::Days { from: "2027-03-26".parse().unwrap(), to: "2027-03-29".parse().unwrap() };
        d.schedules[0].declared.spec.limits.exclude = vec![Period { span, name: Some("holidays: Easter".to_owned()) }];
    };
    stopped(&holiday, (no, "exclusion"), "'holidays: Easter'");
    stopped(&|d| d.declared.work_pool = Some("gone".to_owned()), (Verdict::Waits, "queue"), "'gone' does not exist");
    stopped(&|d| d.schedules.push(Schedule { key: "other".to_owned(), ..d.schedules[0].clone() }), (Verdict::WillRun, "executor"), "ready");
}

#[test]
fn the_past_is_told_from_its_record() {
    let plain = deployment();
    let (past, now) = ("2027-03-26T01:30:00Z", at(NOW));
    let schedule = &plain.schedules[0];
    let rule = schedule.declared.spec.parse().unwrap();
    let run = crate::dispatch::scheduled::run_of_slot(&plain, schedule, &rule, at(past), at(past));
    let entered = |proposed: Proposed| {
        let context = Context { now, force: true };
        transition(&run, proposed, context).changed().cloned()
    };
    let completed = asked(&plain, past, Some(past), entered(Proposed::new(StateType::Completed).message("exited with code 0")));
    assert_eq!((end(&completed).0, end(&completed).1), (Verdict::Ran, "record"));
    let missed = asked(&plain, past, Some(past), entered(Proposed::new(StateType::Cancelled).named("Missed").message("the daemon was down")));
    assert!(missed.verdict == Verdict::DidNotRun && missed.summary.contains("Missed") && missed.summary.contains("the daemon was down"));
    assert!(missed.schedules[0].links.iter().any(|link| link.about == "missed"));
    assert_eq!(asked(&plain, past, Some(past), entered(Proposed::new(StateType::Running))).verdict, Verdict::Runs);
    // A run that is late waits for what the queue says.
    assert_eq!(asked(&plain, past, Some(past), Some(run.clone())).verdict, Verdict::WillRun);
    // What ran before the rule was changed ran.
    let mut changed = deployment();
    changed.schedules[0].declared.spec.limits.ends = Some("2027-02-01T00:00".parse().unwrap());
    changed.schedules[0].declared.spec.rule = RuleSpec::Cron { expression: "0 9 * * *".to_owned(), day_or: true };
    assert_eq!(asked(&changed, past, Some(past), entered(Proposed::new(StateType::Completed))).verdict, Verdict::Ran);
    let gone = asked(&plain, past, Some(past), None);
    assert!(gone.verdict == Verdict::DidNotRun && gone.summary.contains("its record is gone"), "{}", gone.summary);
    let unseen = asked(&plain, past, None, None);
    assert!(unseen.verdict == Verdict::DidNotRun && unseen.summary.contains("nothing has dealt with it"), "{}", unseen.summary);
}

#[test]
fn the_next_slot_is_asked_about_where_nobody_says() {
    let mut paused = deployment();
    paused.declared.paused = true;
    assert_eq!(next_slot(&paused, at(NOW)), at(TONIGHT));
    paused.schedules.clear();
    assert_eq!(next_slot(&paused, at(NOW)), at(NOW));
}
