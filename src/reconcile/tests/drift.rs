//! Records that differ from their files although those have not changed, fields that are left to others, and taking over.
use super::desired::{Declare, cron, full, named, pool, project};
use super::home::{Home, deeds, fields};
use crate::model::desired::Desired;
use crate::model::overrides::Owner;
use crate::model::project::DriftRule;
use crate::model::work_pool::WorkQueueSpec;
use crate::reconcile::{Action, Drift};
use serde_json::json;

fn shop() -> Desired {
    let queue = WorkQueueSpec { priority: 2, ..Default::default() };
    project("shop").with_pool("p", pool("process")).with_queue("p", "q", queue).with("a/b", |d| {
        d.parameters.insert("days".into(), json!(7));
        d.parameters.insert("region".into(), json!("eu"));
        d.schedules = vec![named("nightly", "0 2 * * *")];
    })
}

/// A home in which every record has drifted.
fn drifted() -> Home {
    let mut home = Home::new();
    home.options.list_unchanged = false;
    home.apply(&shop());
    home.pool("p").declared.concurrency_limit = Some(1);
    home.queue("p", "q").declared.priority = 9;
    home.deployment("a/b").declared.retries = 5;
    home.deployment("a/b").schedules[0].declared.active = false;
    home
}

#[test]
fn each_rule_does_what_it_says() {
    for (rule, written, left, unchanged, exit) in
        [(DriftRule::Correct, 3, 0, 0, 5), (DriftRule::Report, 0, 3, 0, 5), (DriftRule::Ignore, 0, 0, 3, 0)]
    {
        let mut home = drifted();
        let mut desired = shop();
        desired.rules.drift = rule;
        let before = home.stored.clone();
        let plan = home.apply(&desired);
        let counts = plan.counts;
        assert_eq!((counts.changes(), counts.drift_left, counts.unchanged, counts.update), (written, left, unchanged, 0), "{rule:?}");
        assert_eq!((plan.exit_code(true), plan.exit_code(false)), (exit, 0), "{rule:?}");
        assert_eq!(home.stored == before, written == 0, "{rule:?}");
        assert_eq!(plan.is_empty(), written == 0);
        let said = match rule {
            DriftRule::Correct => Some(Drift::Correct),
            DriftRule::Report => Some(Drift::Report),
            DriftRule::Ignore => continue,
        };
        assert!(plan.steps.iter().all(|step| step.drift == said && step.action == Action::Update && step.makes.is_empty()));
        assert_eq!(plan.steps[0].reason, "differs from what deployment.yaml said when it was applied, and no override says so");
        assert_eq!(fields(&plan.steps[2]), ["retries: 5 -> 0", "schedules/nightly/active: false -> absent"]);
        if rule == DriftRule::Correct {
            assert!(home.plan(&desired).is_in_sync());
            assert_eq!(home.deployment("a/b").declared.retries, 0);
        }
    }
}

#[test]
fn a_file_that_has_changed_is_an_update_whatever_has_drifted() {
    let mut home = drifted();
    let mut desired = shop();
    desired.rules.drift = DriftRule::Ignore;
    desired.deployments.get_mut(&full("a/b")).unwrap().spec.timeout_seconds = Some(3.0);
    let plan = home.apply(&desired);
    assert_eq!((deeds(&plan), plan.steps[0].drift, plan.exit_code(true)), (vec!["update deployment a/b".to_owned()], None, 2));
    assert_eq!(home.deployment("a/b").declared.retries, 0, "both are put right");
    // What an older version wrote has no digest: nobody can tell.
    let mut home = drifted();
    home.deployment("a/b").declared_digest = None;
    home.pool("p").declared_digest = None;
    home.queue("p", "q").declared_digest = None;
    let plan = home.plan(&shop());
    assert_eq!((plan.counts.update, plan.counts.drift, plan.exit_code(true)), (3, 0, 2));
}

#[test]
fn the_order_of_keys_in_a_file_is_no_change_of_it() {
    let mut home = drifted();
    let mut desired = shop();
    let parameters = &mut desired.deployments.get_mut(&full("a/b")).unwrap().spec.parameters;
    *parameters = parameters.clone().into_iter().rev().collect();
    assert_eq!(home.plan(&desired).counts.drift, 3);
    home.apply(&desired);
    assert!(home.plan(&shop()).is_in_sync());
}

#[test]
fn a_prune_beside_drift_is_destructive_and_a_change_is_a_change() {
    let home = drifted();
    assert_eq!(home.plan(&shop().with("n/n", |_| {})).exit_code(true), 2);
    let mut without = shop();
    without.work_queues.clear();
    assert_eq!(home.plan(&without).exit_code(true), 4);
}

#[test]
fn drift_is_looked_at_alone() {
    let mut home = drifted();
    home.deployment("a/b").owner = None;
    let mut plan = home.plan(&shop().with("n/n", |_| {}));
    assert_eq!((plan.steps.len(), plan.counts.adopt), (4, 1));
    plan.only_drift();
    assert_eq!((plan.steps.len(), plan.counts.drift, plan.counts.unchanged), (3, 3, 1));
    assert_eq!((plan.exit_code(true), plan.take_writes()), (5, Vec::new()), "an adopted object has drifted too");
    let mut home = Home::new();
    home.apply(&shop());
    let mut plan = home.plan(&shop().with("n/n", |_| {}));
    plan.only_drift();
    assert_eq!((plan.exit_code(true), plan.counts.drift), (0, 0));
}

#[test]
fn what_is_adopted_says_whether_it_has_drifted() {
    let mut home = drifted();
    home.deployment("a/b").owner = None;
    home.pool("p").owner = None;
    home.pool("p").declared.concurrency_limit = None;
    let plan = home.plan(&shop());
    let said: Vec<_> = plan.steps.iter().map(|step| (step.action, step.drift)).collect();
    assert_eq!(said, [(Action::Adopt, None), (Action::Update, Some(Drift::Correct)), (Action::Adopt, Some(Drift::Correct))]);
    assert_eq!((plan.counts.adopt, plan.counts.drift, plan.exit_code(true)), (2, 1, 2));
}

#[test]
fn a_project_that_moved_is_followed_and_its_drift_stays_where_it_is_left() {
    for rule in [DriftRule::Report, DriftRule::Ignore] {
        let mut home = drifted();
        let mut desired = shop();
        desired.rules.drift = rule;
        desired.root = "/elsewhere".into();
        let plan = home.apply(&desired);
        let step = plan.steps.iter().find(|step| step.name == "a/b").unwrap();
        assert_eq!((fields(step), step.drift), (vec!["root: \"/srv/shop\" -> \"/elsewhere\"".to_owned()], None));
        assert_eq!((home.deployment("a/b").declared.retries, home.deployment("a/b").schedules[0].declared.active), (5, false));
        assert_eq!(home.plan(&desired).counts.drift_left, if rule == DriftRule::Report { 3 } else { 0 });
    }
}

#[test]
fn ignored_fields_stand_as_they_are_stored() {
    let edit = |desired: &mut Desired| {
        let spec = &mut desired.deployments.get_mut(&full("a/b")).unwrap().spec;
        spec.paused = true;
        spec.parameters.insert("days".into(), json!(30));
        spec.parameters.insert("region".into(), json!("us"));
        spec.work_pool = Some("p".into());
        spec.schedules[0].active = false;
        spec.schedules[0].policy.overlap = crate::model::policy::Overlap::Skip;
        desired.work_pools.get_mut("p").unwrap().spec.concurrency_limit = Some(3);
        desired.work_pools.get_mut("p").unwrap().spec.paused = true;
        desired.work_queues.values_mut().for_each(|queue| queue.spec.priority = 5);
    };
    let all = ["/paused", "/parameters/days", "/parameters/region", "/work_pool", "/concurrency_limit", "/priority", "/schedules/nightly/active", "/schedules/nightly/overlap"];
    let mut home = Home::new();
    home.options.list_unchanged = false;
    home.apply(&shop());
    let before = home.stored.clone();
    let mut changed = shop();
    edit(&mut changed);
    assert_eq!(home.plan(&changed).counts.update, 3);
    changed.rules.ignore_fields = all.map(str::to_owned).to_vec();
    let plan = home.apply(&changed);
    assert!(plan.is_in_sync() && home.stored == before, "{:?}", plan.steps);
    // Each pointer alone leaves the others to the file, and its own field to what is stored.
    for (ignored, field) in all.iter().zip(["paused", "parameters/days", "parameters/region", "work_pool", "concurrency_limit", "priority", "schedules/nightly/active", "schedules/nightly/overlap"]) {
        let shown = |desired: &Desired| home.plan(desired).steps.iter().flat_map(|step| step.changes.iter().map(|change| change.field.clone())).collect::<Vec<_>>();
        changed.rules.ignore_fields.clear();
        let full_list = shown(&changed);
        assert!(full_list.iter().any(|shown| shown == field), "{field} in {full_list:?}");
        changed.rules.ignore_fields = vec![(*ignored).to_owned()];
        let expected: Vec<String> = full_list.into_iter().filter(|shown| shown != field).collect();
        assert_eq!(shown(&changed), expected, "{ignored}");
    }
    // A new object takes what the file says.
    changed.rules.ignore_fields = all.map(str::to_owned).to_vec();
    let mut fresh = Home::new();
    fresh.apply(&changed);
    assert!(fresh.deployment("a/b").declared.paused && !fresh.deployment("a/b").schedules[0].declared.active);
    assert_eq!(fresh.pool("p").declared.concurrency_limit, Some(3));
}

#[test]
fn a_field_that_others_set_survives_a_write_and_is_no_drift() {
    let mut home = Home::new();
    home.apply(&shop());
    home.deployment("a/b").declared.paused = true;
    home.deployment("a/b").schedules[0].declared.spec.timezone = Some("Europe/Zurich".into());
    let mut desired = shop();
    desired.rules.ignore_fields = vec!["/paused".into(), "/schedules/nightly/timezone".into()];
    assert!(home.plan(&desired).is_in_sync());
    desired.deployments.get_mut(&full("a/b")).unwrap().spec.retries = 2;
    let plan = home.apply(&desired);
    assert_eq!(fields(&plan.steps[2]), ["retries: 0 -> 2"]);
    let stored = home.deployment("a/b");
    assert!(stored.declared.paused && stored.schedules[0].declared.spec.timezone.is_some());
    assert!(home.plan(&desired).is_in_sync());
}

#[test]
fn whole_schedules_can_be_left_to_others() {
    for (pointer, list, in_sync) in [
        ("/schedules", vec![], true),
        ("/schedules", vec![cron("@hourly")], true),
        ("/schedules/nightly", vec![named("nightly", "0 5 * * *")], true),
        ("/schedules/nightly", vec![], true),
        ("/schedules/other", vec![named("nightly", "0 2 * * *"), named("other", "0 5 * * *")], true),
        ("/schedules/nightly", vec![named("nightly", "0 2 * * *"), cron("@hourly")], false),
        ("/schedules/nightly/cron", vec![named("nightly", "0 5 * * *")], true),
        ("/schedules/nightly/cron", vec![], false),
    ] {
        let mut home = Home::new();
        home.apply(&shop());
        let mut desired = shop();
        desired.deployments.get_mut(&full("a/b")).unwrap().spec.schedules = list;
        desired.rules.ignore_fields = vec![pointer.to_owned()];
        assert_eq!(home.plan(&desired).is_in_sync(), in_sync, "{pointer}");
        home.apply(&desired);
        assert!(home.plan(&desired).is_in_sync());
    }
}

#[test]
fn another_projects_objects_are_taken_over_when_asked_for_by_name() {
    let mut home = Home::new();
    home.apply(&shop());
    let before = home.stored.clone();
    let mut other = shop();
    other.project = "other".into();
    other.root = "/srv/shop".into();
    home.options.adopt = ["p", "a/b"].map(str::to_owned).into();
    let plan = home.apply(&other);
    assert_eq!(plan.refusals, [], "a pool's queues go with it");
    assert_eq!(deeds(&plan), ["adopt work pool p", "adopt work queue p/q", "adopt deployment a/b"]);
    assert!(plan.steps.iter().all(|step| step.reason == "taken over from the project `shop`, which declared it in deployment.yaml"));
    assert!(plan.steps.iter().all(|step| step.drift.is_none() && step.changes.is_empty()));
    let owner = Some(Owner { project: "other".into(), file: "deployment.yaml".into() });
    assert_eq!((home.deployment("a/b").owner.clone(), home.deployment("a/b").id), (owner.clone(), before.deployments[&full("a/b")].id));
    assert_eq!(home.queue("p", "default").owner, owner, "a pool's own queue goes with it");
    home.options.adopt.clear();
    assert!(home.plan(&other).is_empty());
    assert_eq!(home.plan(&shop()).refusals.len(), 3);
}
