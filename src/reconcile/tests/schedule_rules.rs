//! What becomes of schedules when a file changes.
use super::desired::{Declare, cron, full, named, project};
use super::home::{Home, fields, over};
use crate::model::desired::Desired;
use crate::model::schedule::{Schedule, ScheduleDeclaration};
use crate::reconcile::{NoteLevel, Plan};
use crate::schedule::RuleSpec;
use serde_json::json;

fn with(schedules: Vec<ScheduleDeclaration>) -> Desired {
    project("shop").with("a/b", |d| d.schedules = schedules)
}

/// Applies one list after another; returns the records after the first and after the second, and the second plan.
fn edit(first: Vec<ScheduleDeclaration>, second: Vec<ScheduleDeclaration>) -> (Vec<Schedule>, Vec<Schedule>, Plan) {
    let mut home = Home::new();
    home.apply(&with(first));
    let before = home.deployment("a/b").schedules.clone();
    let plan = home.apply(&with(second.clone()));
    assert!(home.plan(&with(second)).is_empty(), "a second pass is quiet");
    (before, home.deployment("a/b").schedules.clone(), plan)
}

#[test]
fn a_new_schedule_is_effective_from_now_and_its_id_stands_in_the_plan() {
    let (before, after, plan) = edit(vec![], vec![named("nightly", "0 2 * * *"), cron("@hourly")]);
    assert!(before.is_empty());
    assert_eq!(after[0].key, "nightly");
    assert_eq!(after[1].key, cron("0 * * * *").natural_key());
    assert_eq!(after[0].effective_since, plan.made);
    let made: Vec<_> = plan.steps[0].makes.iter().map(|made| (&*made.name, made.id)).collect();
    assert_eq!(made[0], ("a/b#nightly", after[0].id.0));
    assert_eq!(made[1].1, after[1].id.0);
    assert_eq!(plan.steps[0].changes[0].field, "schedules/nightly");
    assert!(plan.steps[0].changes[0].in_words.is_some());
}

#[test]
fn order_and_spelling_mean_nothing() {
    let (first, second) = (cron("0 0 * * *"), cron("30 9 * * 1"));
    for (before, after) in [
        (vec![first.clone(), second.clone()], vec![second.clone(), first.clone()]),
        (vec![first.clone()], vec![cron("@daily")]),
        (vec![second.clone(), first.clone()], vec![cron("0 0 * * *"), cron("30 9 * * MON")]),
        (vec![named("x", "0 0 * * *")], vec![named("x", "@daily")]),
        (vec![cron("@daily"), cron("@daily")], vec![cron("0 0 * * *"), cron("@midnight")]),
    ] {
        let (old, new, plan) = edit(before, after);
        assert!(plan.is_empty(), "{:?}", plan.steps);
        assert_eq!(old, new);
    }
}

#[test]
fn another_rule_under_the_same_slug_goes_on_with_key_and_overrides() {
    let mut home = Home::new();
    home.apply(&with(vec![named("n", "0 2 * * *")]));
    home.deployment("a/b").schedules[0].overrides.insert("active".into(), over(json!(false)));
    let before = home.deployment("a/b").schedules[0].clone();
    let plan = home.apply(&with(vec![named("n", "0 3 * * *")]));
    let after = &home.deployment("a/b").schedules[0];
    assert_eq!((after.id, &after.key, &after.overrides), (before.id, &before.key, &before.overrides));
    assert_eq!(after.effective_since, plan.made);
    assert_eq!(fields(&plan.steps[0]), ["schedules/n/cron: \"0 2 * * *\" -> \"0 3 * * *\""]);
}

#[test]
fn one_gone_and_one_new_without_slugs_are_a_change() {
    let (before, after, plan) =
        edit(vec![cron("0 2 * * *"), cron("@hourly")], vec![cron("@hourly"), cron("0 3 * * *")]);
    assert_eq!((after[1].id, &after[1].key), (before[0].id, &before[0].key));
    assert_eq!(after[1].effective_since, plan.made);
    assert_eq!(after[0], before[1], "its sibling is as it was");
    assert_eq!(plan.steps[0].changes.len(), 1);
    // The key that it began with is not free: the old rule, declared again, is another schedule.
    let (before, after, _) = {
        let mut home = Home::new();
        home.apply(&with(vec![cron("0 2 * * *")]));
        home.apply(&with(vec![cron("0 3 * * *")]));
        let before = home.deployment("a/b").schedules.clone();
        let plan = home.apply(&with(vec![cron("0 2 * * *"), cron("0 3 * * *")]));
        (before, home.deployment("a/b").schedules.clone(), plan)
    };
    assert_eq!(after[1], before[0]);
    assert_eq!(after[0].key, format!("{}-2", before[0].key));
    assert_ne!(after[0].id, before[0].id);
}

#[test]
fn two_gone_and_two_new_are_no_change_of_anything() {
    let (before, after, _) =
        edit(vec![cron("0 2 * * *"), cron("0 4 * * *")], vec![cron("0 3 * * *"), cron("0 5 * * *")]);
    assert!(after.iter().all(|new| before.iter().all(|old| old.id != new.id && old.key != new.key)));
}

#[test]
fn a_slug_given_taken_or_renamed_on_the_same_rule_keeps_the_record() {
    let rule = "0 2 * * *";
    for (first, second) in
        [(cron(rule), named("n", rule)), (named("n", rule), cron(rule)), (named("n", rule), named("m", rule))]
    {
        let (before, after, plan) = edit(vec![first], vec![second.clone()]);
        assert_eq!((after[0].id, &after[0].key), (before[0].id, &before[0].key));
        assert_eq!(after[0].effective_since, before[0].effective_since);
        assert_eq!(after[0].declared.slug, second.slug);
        assert_eq!(plan.steps[0].changes.len(), 1);
    }
    // The slug that is free now, on another rule, gets a key of its own.
    let (before, after, _) = edit(vec![named("n", rule)], vec![named("m", rule), named("n", "0 9 * * *")]);
    assert_eq!(after[1].key, "n", "same slug first");
    assert_eq!(after[1].id, before[0].id);
}

#[test]
fn twins_take_counters_and_stay_who_they_are() {
    let twin = || cron("0 2 * * *");
    let off = || ScheduleDeclaration { active: false, ..twin() };
    let (before, after, plan) = edit(vec![twin(), off(), twin()], vec![off(), twin(), twin()]);
    let key = twin().natural_key();
    let keys: Vec<_> = before.iter().map(|schedule| schedule.key.clone()).collect();
    assert_eq!(keys, [key.clone(), format!("{key}-2"), format!("{key}-3")]);
    assert!(plan.is_empty());
    assert_eq!(before, after);
    let (before, after, _) = edit(vec![twin(), twin()], vec![twin()]);
    assert_eq!(after[..], before[..1]);
}

#[test]
fn parameters_and_limits_move_no_slot() {
    let mut edited = named("n", "0 2 * * *");
    edited.parameters.insert("x".into(), json!(1));
    edited.max_scheduled_runs = Some(4);
    let (before, after, plan) = edit(vec![named("n", "0 2 * * *")], vec![edited]);
    assert_eq!(after[0].effective_since, before[0].effective_since);
    assert_eq!((after[0].updated, after[0].created), (plan.made, before[0].created));
    assert_eq!(
        fields(&plan.steps[0]),
        ["schedules/n/parameters/x: absent -> 1", "schedules/n/max_scheduled_runs: absent -> 4"]
    );
}

#[test]
fn a_spelling_beside_a_change_is_not_shown() {
    let mut edited = named("n", "@daily");
    edited.max_scheduled_runs = Some(4);
    let (_, after, plan) = edit(vec![named("n", "0 0 * * *")], vec![edited.clone()]);
    assert_eq!(fields(&plan.steps[0]), ["schedules/n/max_scheduled_runs: absent -> 4"]);
    assert_eq!(after[0].declared, edited);
}

#[test]
fn what_begins_to_fire_again_makes_up_for_nothing() {
    let on = || named("n", "0 2 * * *");
    let off = || ScheduleDeclaration { active: false, ..on() };
    let (before, after, plan) = edit(vec![off()], vec![on()]);
    assert!(after[0].effective_since == plan.made && before[0].effective_since < plan.made);
    let (before, after, _) = edit(vec![on()], vec![off()]);
    assert_eq!(after[0].effective_since, before[0].effective_since);

    let paused = |paused| {
        project("shop").with("a/b", |d| {
            d.paused = paused;
            d.schedules = vec![on(), ScheduleDeclaration { slug: Some("off".into()), ..off() }];
        })
    };
    let mut home = Home::new();
    home.apply(&paused(true));
    let plan = home.apply(&paused(false));
    let stored = home.deployment("a/b");
    assert_eq!(stored.schedules[0].effective_since, plan.made);
    assert!(stored.schedules[1].effective_since < plan.made, "it is still off");
    // An operator who resumed it before was obeyed: nothing begins now.
    let mut home = Home::new();
    home.apply(&paused(true));
    home.deployment("a/b").overrides.insert("paused".into(), over(json!(false)));
    let before = home.stored.deployments[&full("a/b")].schedules.clone();
    home.apply(&paused(false));
    assert_eq!(home.deployment("a/b").schedules, before);
}

#[test]
fn another_kind_of_rule_is_shown_as_such() {
    let mut interval = named("n", "");
    interval.spec.rule =
        RuleSpec::Interval { every: crate::schedule::Every::from_microseconds(900_000_000).unwrap(), anchor: None };
    let (_, _, plan) = edit(vec![named("n", "0 2 * * *")], vec![interval]);
    assert_eq!(
        fields(&plan.steps[0]),
        ["schedules/n/interval: absent -> 900", "schedules/n/cron: \"0 2 * * *\" -> absent"]
    );
}

#[test]
fn a_schedule_that_never_fires_is_noted_when_it_comes_and_not_again() {
    let mut home = Home::new();
    let desired = with(vec![named("n", "0 0 31 2 *")]);
    let plan = home.apply(&desired);
    let notes: Vec<_> = plan.notes.iter().map(|note| (note.level, &*note.code, &*note.name)).collect();
    assert_eq!(notes, [(NoteLevel::Warning, "schedule-never-fires", "a/b#n")]);
    assert!(plan.notes[0].message.ends_with("never fires"), "{}", plan.notes[0].message);
    assert!(home.plan(&desired).notes.is_empty());
    let plan = home.apply(&with(vec![named("n", "0 0 30 2 *")]));
    assert_eq!(plan.notes.len(), 1);
}
