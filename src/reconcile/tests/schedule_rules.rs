//! What becomes of schedules when a file changes.
use super::desired::{Declare, cron, full, named, project};
use super::home::{Home, fields, over};
use crate::model::desired::Desired;
use crate::model::policy::{Missed, MissedRun, OnResume, Overlap, Policy};
use crate::model::position::Position;
use crate::model::schedule::{Schedule, ScheduleDeclaration};
use crate::reconcile::{NoteLevel, Plan};
use crate::schedule::{Every, Gap, Limits, Overlap as Twice, Period, Resolution, RuleSpec, Spec};
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
fn as_many_new_as_gone_without_slugs_are_changes_in_their_order() {
    let (before, after, plan) =
        edit(vec![cron("0 2 * * *"), cron("@hourly"), cron("0 4 * * *")], vec![cron("0 3 * * *"), cron("0 5 * * *"), cron("@hourly")]);
    assert_eq!([&after[0].id, &after[1].id, &after[2].id], [&before[0].id, &before[2].id, &before[1].id]);
    let rules: Vec<_> = plan.steps[0].changes.iter().map(|change| (change.old.clone().unwrap(), change.new.clone().unwrap())).collect();
    assert_eq!(rules, [("0 2 * * *".into(), "0 3 * * *".into()), ("0 4 * * *".into(), "0 5 * * *".into())]);
}

#[test]
fn more_gone_than_new_are_no_change_of_anything() {
    let (before, after, _) = edit(vec![cron("0 2 * * *"), cron("0 4 * * *"), cron("0 6 * * *")], vec![cron("0 3 * * *"), cron("0 5 * * *")]);
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
    // It stands where the schedule does: in the list, as the one `schedule`, or, where an anchor brought it, with its deployment.
    for there in ["/deployments/0/schedules/0", "/deployments/0/schedule", "/deployments/0"] {
        let mut plan = plan.clone();
        plan.locate(|file, pointer| (pointer == there).then(|| Position { file: file.to_owned(), line: 7, column: 9 }));
        assert_eq!(plan.notes[0].position.as_ref().map(|position| position.line), Some(7), "{there}");
    }
    assert!(home.plan(&desired).notes.is_empty());
    let plan = home.apply(&with(vec![named("n", "0 0 30 2 *")]));
    assert_eq!(plan.notes.len(), 1);
}

/// `n` every night, after an edit.
fn nightly(edit: impl FnOnce(&mut ScheduleDeclaration)) -> ScheduleDeclaration {
    let mut declared = named("n", "0 2 * * *");
    edit(&mut declared);
    declared
}

fn days(calendar: Option<&str>, days: &[&str]) -> Vec<Period> {
    days.iter().map(|day| Period { span: day.parse().unwrap(), name: calendar.map(str::to_owned) }).collect()
}

fn minutes(minutes: u64) -> Option<Every> {
    Every::from_microseconds(minutes * 60_000_000).ok()
}

#[test]
fn policies_are_shown_as_they_are_written_and_move_no_slot() {
    let policies = |policy: &mut Policy| {
        *policy = Policy {
            missed: Missed { run: MissedRun::All, within: minutes(360), limit: Some(50) },
            on_resume: OnResume::Latest,
            overlap: Overlap::Queue { most: 3 },
            expire_after: minutes(1440),
            jitter: minutes(5),
            spread: minutes(90),
        }
    };
    let edited = nightly(|n| policies(&mut n.policy));
    let (before, after, plan) = edit(vec![nightly(|_| {})], vec![edited.clone()]);
    assert_eq!((after[0].id, &after[0].key, after[0].effective_since), (before[0].id, &before[0].key, before[0].effective_since));
    assert_eq!(after[0].declared, edited);
    assert_eq!(
        fields(&plan.steps[0]),
        [
            "schedules/n/missed/run: absent -> \"all\"",
            "schedules/n/missed/within: absent -> \"6h\"",
            "schedules/n/missed/limit: absent -> 50",
            "schedules/n/on_resume: absent -> \"latest\"",
            "schedules/n/overlap/queue: absent -> 3",
            "schedules/n/expire_after: absent -> \"1d\"",
            "schedules/n/jitter: absent -> \"5m\"",
            "schedules/n/spread: absent -> \"90m\"",
        ]
    );
    for (overlap, shown) in [(Overlap::Skip, "\"skip\""), (Overlap::CancelRunning, "\"cancel_running\"")] {
        let (_, _, plan) = edit(vec![nightly(|_| {})], vec![nightly(|n| n.policy.overlap = overlap)]);
        assert_eq!(fields(&plan.steps[0]), [format!("schedules/n/overlap: absent -> {shown}")]);
    }
}

#[test]
fn limits_and_clock_changes_move_slots_and_keep_the_record() {
    for (change, shown) in [
        (Box::new(|spec: &mut Spec| spec.limits.starts = Limits::parse_starts("2027-01-01").ok()) as Box<dyn Fn(&mut Spec)>, "starts: absent -> \"2027-01-01\""),
        (Box::new(|spec| spec.limits.ends = Limits::parse_ends("2027-12-31").ok()), "ends: absent -> \"2027-12-31\""),
        (Box::new(|spec| spec.limits.exclude = days(None, &["2026-12-24", "sat,sun"])), "exclude: absent -> [\"2026-12-24\",\"sat,sun\"]"),
        (Box::new(|spec| spec.limits.include = days(Some("office"), &["mon-fri", "2026-12-27"])), "include: absent -> [\"office\"]"),
        (Box::new(|spec| spec.dst = Some(Resolution { gap: Gap::Skip, overlap: Twice::First })), "dst/gap: absent -> \"skip\""),
    ] {
        let (before, after, plan) = edit(vec![nightly(|_| {})], vec![nightly(|n| change(&mut n.spec))]);
        assert_eq!((after[0].id, &after[0].key), (before[0].id, &before[0].key), "{shown}");
        assert_eq!(after[0].effective_since, plan.made, "{shown}");
        assert_eq!(fields(&plan.steps[0]), [format!("schedules/n/{shown}")]);
        assert!(plan.steps[0].changes[0].in_words.is_some());
        // Without slugs, and among siblings that change likewise, each is still itself.
        let pair = |edit: &dyn Fn(&mut Spec)| {
            let mut pair = vec![cron("0 2 * * *"), cron("0 3 * * *")];
            pair.iter_mut().for_each(|declared| edit(&mut declared.spec));
            pair
        };
        let (before, after, _) = edit(pair(&|_| {}), pair(&change));
        let keys = |schedules: &[Schedule]| schedules.iter().map(|schedule| (schedule.id, schedule.key.clone())).collect::<Vec<_>>();
        assert_eq!(keys(&before), keys(&after), "{shown}");
    }
}

#[test]
fn what_changed_in_a_calendar_is_shown() {
    let with_days = |list: &[&str]| nightly(|n| n.spec.limits.exclude = days(Some("holidays: Christmas"), list));
    let (_, after, plan) = edit(vec![with_days(&["2026-12-24", "2026-12-25"])], vec![with_days(&["2026-12-25", "2026-12-26"])]);
    assert_eq!(
        fields(&plan.steps[0]),
        ["schedules/n/exclude/holidays: [\"2026-12-24 (Christmas)\"] -> [\"2026-12-26 (Christmas)\"]"]
    );
    assert_eq!(after[0].effective_since, plan.made);
    // Order says nothing; a name is stored and moves nothing.
    let (_, _, plan) = edit(vec![with_days(&["2026-12-24", "2026-12-25"])], vec![with_days(&["2026-12-25", "2026-12-24"])]);
    assert!(plan.is_empty());
    let renamed = nightly(|n| n.spec.limits.exclude = days(Some("holidays: Xmas"), &["2026-12-24"]));
    let (before, after, plan) = edit(vec![with_days(&["2026-12-24"])], vec![renamed.clone()]);
    assert_eq!((after[0].effective_since, &after[0].declared), (before[0].effective_since, &renamed));
    assert_eq!(plan.steps[0].changes.len(), 1);
}

#[test]
fn notes_look_a_year_ahead_and_keep_to_limits() {
    let zoned = |edit: &dyn Fn(&mut Spec)| {
        nightly(|n| {
            n.spec = Spec::new(RuleSpec::Cron { expression: "30 2 * * *".into(), day_or: true }, Some("Europe/Berlin".into()));
            edit(&mut n.spec);
        })
    };
    let notes = |declared: ScheduleDeclaration| {
        let plan = Home::new().apply(&with(vec![declared]));
        plan.notes.into_iter().map(|note| note.message).collect::<Vec<_>>()
    };
    assert_eq!(notes(zoned(&|_| {})).len(), 2);
    assert!(notes(zoned(&|spec| spec.limits.exclude = days(None, &["sun"]))).is_empty());
    assert_eq!(notes(zoned(&|spec| spec.limits.exclude = days(None, &["mon-sun"]))), ["never fires: all of its times are excluded"]);
}
