//! A deployment under a new name is the same deployment.
use super::desired::{Declare, FILE, cron, full, named, project, python};
use super::home::{Home, deeds, fields, over};
use crate::model::desired::{Desired, FailedUnit};
use crate::model::overrides::Owner;
use crate::model::write::Write;
use crate::reconcile::{Action, Fate, InProgress, NoteLevel, Plan, Refusal, RunsOf, Step};
use serde_json::json;

fn old() -> Desired {
    project("shop").with("a/old", |d| d.schedules = vec![named("n", "0 2 * * *"), cron("*/5 * * * *")]).with("a/other", |_| {})
}

fn renamed(edit: impl FnOnce(&mut crate::model::deployment::DeploymentSpec)) -> Desired {
    let spec = old().deployments[&full("a/old")].spec.clone();
    let mut desired = old().without("a/old").with("b/new", |d| {
        *d = spec;
        edit(d);
    });
    desired.renames.insert(full("b/new"), vec![full("a/older"), full("a/old")]);
    desired
}

/// The one step that is a change.
fn changed(plan: &Plan) -> &Step {
    plan.steps.iter().find(|step| step.action != Action::Unchanged).unwrap()
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.notes.iter().map(|note| &*note.code).collect()
}

fn failed() -> FailedUnit {
    FailedUnit { file: "bad.yaml".into(), pointer: None, name: None, problems: Vec::new() }
}

#[test]
fn everything_but_the_name_stays() {
    let mut home = Home::new();
    home.apply(&old());
    home.deployment("a/old").overrides.insert("paused".into(), over(json!(true)));
    home.deployment("a/old").schedules[0].overrides.insert("active".into(), over(json!(false)));
    let before = home.deployment("a/old").clone();
    let mut plan = home.apply(&renamed(|_| {}));
    assert_eq!(deeds(&plan), ["rename deployment b/new"]);
    let step = changed(&plan).clone();
    assert_eq!((step.renamed_from.as_deref(), step.id, step.changes.len()), (Some("a/old"), before.id.0, 0));
    assert_eq!(step.makes[0].name, "b", "the flow of the new name");
    assert_eq!((plan.counts.rename, plan.counts.prune, plan.counts.create), (1, 0, 0));
    assert_eq!((plan.exit_code(true), plan.is_destructive()), (2, false));
    assert!(matches!(&step.writes[0], Write::DeleteDeployment { id, name } if *id == before.id && *name == full("a/old")));
    assert!(matches!(step.writes.last(), Some(Write::PutDeployment(_))), "what is removed first is written last");
    let shadowed: Vec<_> = plan.shadowed.iter().map(|shadow| (&*shadow.name, &*shadow.field)).collect();
    assert_eq!(shadowed, [("b/new", "paused"), ("b/new", "schedules/n/active")]);
    assert!(!home.stored.deployments.contains_key(&full("a/old")) && home.stored.tombstones.is_empty());
    let flow = home.stored.flows["b"].id;
    let after = home.deployment("b/new").clone();
    assert_eq!(after.flow_id, flow);
    assert_eq!((after.id, after.created, &after.schedules, &after.overrides), (before.id, before.created, &before.schedules, &before.overrides));
    assert!(home.plan(&renamed(|_| {})).is_empty(), "the rename is done");
    plan.foresee(&home.stored, home.now);
    assert_eq!(changed(&plan).runs, None, "runs to come keep their ids and instants");
    plan.count_runs(|_| RunsOf { waiting: 1, running: 2, to_pause: 0 });
    assert_eq!(changed(&plan).in_progress, Some(InProgress { waiting: 1, running: 2, fate: Fate::GoOn }));
}

#[test]
fn fields_change_along_with_the_name() {
    let mut home = Home::new();
    home.apply(&old());
    let before = home.deployment("a/old").schedules.clone();
    let plan = home.apply(&renamed(|d| {
        d.retries = 3;
        d.schedules[0] = named("n", "0 3 * * *");
        d.schedules.push(named("m", "@daily"));
    }));
    assert_eq!(fields(&changed(&plan))[..2], ["retries: 0 -> 3", "schedules/n/cron: \"0 2 * * *\" -> \"0 3 * * *\""]);
    assert_eq!(changed(&plan).makes[1].name, "b/new#m");
    let after = &home.deployment("b/new").schedules;
    assert_eq!((after[0].id, &after[0].key, after[0].effective_since), (before[0].id, &before[0].key, plan.made));
    assert_eq!(after[1], before[1]);
}

#[test]
fn nobodys_is_adopted_and_anothers_is_refused_unless_asked_for() {
    let mut home = Home::new();
    home.apply(&old());
    let id = home.deployment("a/old").id;
    home.deployment("a/old").owner = None;
    let plan = home.plan(&renamed(|_| {}));
    assert_eq!(deeds(&plan), ["adopt deployment b/new"]);
    assert_eq!((changed(&plan).renamed_from.as_deref(), changed(&plan).id), (Some("a/old"), id.0));
    home.deployment("a/old").owner = Some(Owner { project: "ops".into(), file: "x.yaml".into() });
    let plan = home.plan(&renamed(|_| {}));
    assert!(matches!(&plan.refusals[..], [Refusal::Owned { name, owner, .. }] if name == "a/old" && owner == "ops"), "{:?}", plan.refusals);
    assert!(deeds(&plan).is_empty());
    home.options.adopt.insert("a/old".to_owned());
    let plan = home.apply(&renamed(|_| {}));
    assert_eq!(deeds(&plan), ["adopt deployment b/new"]);
    assert_eq!(changed(&plan).reason, "taken over from the project `ops`, which declared it in x.yaml");
    assert_eq!((home.deployment("b/new").id, home.stored.deployments.len()), (id, 2));
}

#[test]
fn what_was_pruned_comes_back_under_the_new_name() {
    let mut home = Home::new();
    home.apply(&old());
    let before = home.deployment("a/old").clone();
    home.apply(&old().without("a/old"));
    let plan = home.apply(&renamed(|_| {}));
    assert_eq!(deeds(&plan), ["restore deployment b/new"]);
    assert_eq!(changed(&plan).renamed_from.as_deref(), Some("a/old"));
    assert_eq!((home.deployment("b/new").id, home.stored.tombstones.len()), (before.id, 0));
    assert!(home.plan(&renamed(|_| {})).is_empty());
    // A week later it is gone for good.
    let mut home = Home::new();
    home.apply(&old());
    home.apply(&old().without("a/old"));
    home.now = home.now.saturating_add(jiff::SignedDuration::from_hours(24 * 7)).unwrap();
    assert_eq!(deeds(&home.plan(&renamed(|_| {}))), ["create deployment b/new"]);
}

#[test]
fn once_both_are_there_each_goes_its_own_way() {
    let mut home = Home::new();
    home.apply(&old().with("b/new", |_| {}));
    let plan = home.apply(&renamed(|_| {}));
    assert_eq!(deeds(&plan), ["prune deployment a/old", "update deployment b/new"]);
    assert_eq!(codes(&plan), ["rename-done"]);
    assert_eq!(plan.notes[0].message, "`b/new` is renamed from `a/old`, but has been there beside it: each keeps its own history, and `a/old` is pruned");
}

#[test]
fn an_earlier_name_that_nothing_bears_is_said() {
    let mut home = Home::new();
    assert!(!codes(&home.plan(&renamed(|_| {}))).contains(&"renamed-from-nothing"), "the project is new here, and was renamed elsewhere");
    home.apply(&old().without("a/old").with("c/old", |_| {}));
    let mut next = renamed(|_| {});
    let plan = home.plan(&next);
    let note = plan.notes.iter().find(|note| note.code == "renamed-from-nothing").unwrap();
    assert_eq!((note.level, &*note.name, note.file.as_deref()), (NoteLevel::Warning, "b/new", Some(FILE)));
    assert_eq!(note.message, "`b/new` is new: no deployment is called `a/older` or `a/old`, as its `renamed_from` says, and nothing goes on");
    assert_eq!(note.help.as_deref(), Some("there is `c/old`: if that is meant, write `renamed_from: c/old`"));
    next = next.with("c/old", |_| {});
    let plan = home.plan(&next);
    let help = plan.notes[0].help.as_deref().unwrap();
    assert!(help.starts_with("if a deployment was renamed, give its earlier full name"), "{help}");
}

#[test]
fn of_several_earlier_ones_none_is_chosen() {
    let mut home = Home::new();
    home.apply(&old().with("a/older", |_| {}));
    let plan = home.plan(&renamed(|_| {}));
    assert!(deeds(&plan).is_empty() && plan.is_refused());
    let text = plan.refusals[0].to_string();
    assert_eq!(
        text,
        "deployment.yaml: the deployment `b/new` is renamed from `a/older` and `a/old`, and all of them are there: \
         leave in `renamed_from` only the one whose history goes on"
    );
    // Two new names cannot share one past either: the first has it.
    let mut home = Home::new();
    home.apply(&old());
    let mut twice = renamed(|_| {}).with("c/new", |_| {});
    twice.renames.insert(full("c/new"), vec![full("a/old")]);
    assert_eq!(deeds(&home.plan(&twice)), ["rename deployment b/new", "create deployment c/new"]);
}

#[test]
fn a_rename_waits_while_something_cannot_be_read() {
    let mut home = Home::new();
    home.apply(&old());
    let mut desired = renamed(|_| {});
    desired.failed = vec![failed()];
    let plan = home.plan(&desired);
    assert!(plan.is_empty(), "{:?}", deeds(&plan));
    assert_eq!(codes(&plan), ["rename-blocked", "prune-blocked"]);
    assert_eq!((plan.counts.kept, plan.counts.unchanged), (1, 1));
    desired.failed.clear();
    assert_eq!(deeds(&home.plan(&desired)), ["rename deployment b/new"]);
}

#[test]
fn a_rename_of_its_last_user_takes_its_pool_along() {
    let uses = |d: &mut crate::model::deployment::DeploymentSpec| d.work_pool = Some("p".into());
    let with_pool = |desired: Desired| desired.with_pool("p", super::desired::pool("process"));
    let mut home = Home::new();
    home.apply(&with_pool(project("shop").with("a/old", uses)));
    home.deployment("a/old").owner = None;
    let mut next = project("shop").with("a/new", |_| {});
    next.renames.insert(full("a/new"), vec![full("a/old")]);
    assert_eq!(deeds(&home.apply(&next)), ["prune work pool p", "adopt deployment a/new"]);
}

#[test]
fn one_gone_and_one_new_that_run_the_same_are_suspected() {
    let two = |names: [&str; 2]| names.iter().fold(project("shop"), |desired, name| desired.with(name, |_| {}));
    let mut home = Home::new();
    home.apply(&two(["a/one", "a/stays"]));
    let plan = home.plan(&two(["a/two", "a/stays"]));
    assert_eq!(codes(&plan), ["rename-suspected"]);
    let note = &plan.notes[0];
    assert_eq!((note.level, &*note.name), (NoteLevel::Warning, "a/two"));
    assert_eq!(note.message, "`a/two` is new and runs `flow.py:main`, as `a/one` does, which is pruned: its history would be split");
    assert_eq!(note.help.as_deref(), Some("if it is the same deployment under a new name, add `renamed_from: a/one` to it"));
    // Another function, another pool, a second of either kind: nothing is suspected.
    let others: [Desired; 4] = [
        project("shop").with("a/two", |d| d.entrypoint = python("flow.py", "other")).with("a/stays", |_| {}),
        project("shop").with("a/two", |d| d.work_pool = Some("p".into())).with("a/stays", |_| {}),
        two(["a/two", "a/stays"]).with("a/three", |_| {}),
        two(["a/two", "a/three"]),
    ];
    for other in others {
        let plan = home.plan(&other);
        assert!(!codes(&plan).contains(&"rename-suspected"), "{:?}", deeds(&plan));
    }
}

#[test]
fn there_and_back_is_the_same_deployment() {
    let mut home = Home::new();
    home.apply(&old());
    let before = home.stored.deployments.clone();
    home.apply(&renamed(|_| {}));
    let mut back = old();
    back.renames.insert(full("a/old"), vec![full("b/new")]);
    let plan = home.apply(&back);
    assert_eq!(deeds(&plan), ["rename deployment a/old"]);
    let mut after = home.stored.deployments.clone();
    after.values_mut().for_each(|deployment| deployment.updated = before[&deployment.name].updated);
    assert_eq!(after, before);
    assert_eq!(changed(&plan).file.as_deref(), Some(FILE));
    assert!(plan.steps.iter().all(|step| step.action != Action::Create));
}
