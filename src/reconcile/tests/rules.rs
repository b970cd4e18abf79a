//! The rules of a plan, one table or scenario each.
use super::desired::{Declare, cron, full, named, pool, project, python};
use super::home::{Home, deeds, fields, over};
use crate::model::desired::Desired;
use crate::model::id::Kind;
use crate::model::overrides::Owner;
use crate::model::position::Position;
use crate::model::stored::ObjectName;
use crate::model::work_pool::{DEFAULT_AGENT_POOL, WorkQueueSpec};
use crate::model::write::Write;
use crate::reconcile::{Action, NoteLevel, Options, Plan, Refusal};
use serde_json::json;

fn queue(priority: u32) -> WorkQueueSpec {
    WorkQueueSpec { priority, ..Default::default() }
}

fn many(count: usize) -> Desired {
    (0..count).fold(project("shop"), |desired, n| desired.with(&format!("f/{n:03}"), |_| {}))
}

#[test]
fn an_unchanged_project_writes_nothing_at_all() {
    let desired =
        project("shop").with_pool("local", pool("process")).with_queue("local", "high", queue(2)).with("a/b", |d| {
            d.work_pool = Some("local".into());
            d.schedules = vec![cron("0 2 * * *")];
        });
    let mut home = Home::new();
    let first = home.apply(&desired);
    assert_eq!(deeds(&first), ["create work pool local", "create work queue local/high", "create deployment a/b"]);
    assert_eq!(home.stored.project.as_ref().unwrap().generation, 1);
    let mut second = home.plan(&desired);
    assert!(second.is_empty());
    assert_eq!((second.counts.unchanged, second.counts.changes()), (3, 0));
    assert_eq!(second.take_writes(), []);
    assert!(home.plan(&Desired { project: "none".into(), ..Default::default() }).clone().take_writes().is_empty());
}

#[test]
fn what_must_exist_first_comes_first_and_removals_before_all() {
    let mut home = Home::new();
    home.apply(
        &project("shop").with_pool("old", pool("process")).with_queue("old", "q", queue(1)).with("a/old", |_| {}),
    );
    let next = project("shop").with_pool("new", pool("process")).with_queue("new", "q", queue(1)).with("a/new", |_| {});
    let plan = home.apply(&next);
    assert_eq!(
        deeds(&plan),
        [
            "prune deployment a/old",
            "prune work queue old/q",
            "prune work pool old",
            "create work pool new",
            "create work queue new/q",
            "create deployment a/new"
        ]
    );
    assert!(matches!(plan.clone().take_writes()[0], Write::PutProject(_)));
    assert!(!home.stored.work_queues.contains_key(&("old".into(), "default".into())));
    assert!(home.plan(&next).is_empty());
}

#[test]
fn an_update_names_the_fields_that_differ() {
    let mut home = Home::new();
    home.apply(&project("shop").with("a/b", |d| d.tags = vec!["x".into()]));
    let created = home.deployment("a/b").created;
    let plan = home.apply(&project("shop").with("a/b", |d| {
        d.parameters.insert("n".into(), json!(1));
        d.entrypoint = python("flow.py", "other");
        d.retries = 2;
    }));
    assert_eq!(deeds(&plan), ["update deployment a/b"]);
    assert_eq!(
        fields(&plan.steps[0]),
        [
            "entrypoint: \"flow.py:main\" -> \"flow.py:other\"",
            "parameters/n: absent -> 1",
            "retries: 0 -> 2",
            "tags: [\"x\"] -> absent"
        ]
    );
    let now = plan.made;
    let stored = home.deployment("a/b");
    assert_eq!((stored.created, stored.updated), (created, now));
}

#[test]
fn a_file_move_alone_is_no_change_and_is_stored_with_the_next() {
    let mut home = Home::new();
    let mut desired =
        project("shop").with("a/b", |_| {}).with_pool("p", pool("process")).with_queue("p", "q", queue(1));
    home.apply(&desired);
    desired.deployments.values_mut().for_each(|declared| declared.file = "other.yaml".into());
    desired.work_pools.values_mut().for_each(|declared| declared.file = "other.yaml".into());
    desired.work_queues.values_mut().for_each(|declared| declared.file = "other.yaml".into());
    assert!(home.plan(&desired).is_empty());
    desired.deployments.values_mut().for_each(|declared| declared.spec.retries = 1);
    home.apply(&desired);
    assert_eq!(home.deployment("a/b").owner, Some(Owner { project: "shop".into(), file: "other.yaml".into() }));
    assert_eq!(home.pool("p").owner.as_ref().unwrap().file, "deployment.yaml");
}

#[test]
fn a_moved_root_is_seen_and_stored() {
    let mut home = Home::new();
    let mut desired = project("shop").with("a/b", |_| {}).with_pool("p", pool("process"));
    home.apply(&desired);
    desired.root = "/elsewhere".into();
    let plan = home.apply(&desired);
    assert_eq!(plan.moved.as_ref().map(|moved| (&*moved.from, &*moved.to)), Some(("/srv/shop", "/elsewhere")));
    let step = plan.steps.iter().find(|step| step.name == "a/b").unwrap();
    assert_eq!(fields(step), ["root: \"/srv/shop\" -> \"/elsewhere\""]);
    assert_eq!(plan.exit_code(true), 2);
    assert_eq!(home.deployment("a/b").root.as_deref(), Some("/elsewhere"));
    assert_eq!(home.stored.project.as_ref().unwrap().root, "/elsewhere");
    assert!(home.plan(&desired).is_empty());
    // A project of pools only is moved too.
    let mut pools = project("pools").with_pool("x", pool("process"));
    home.apply(&pools);
    pools.root = "/there".into();
    let plan = home.apply(&pools);
    assert!(!plan.is_empty() && plan.counts.changes() == 0);
    assert_eq!(home.stored.project.as_ref().unwrap().root, "/there");
}

#[test]
fn what_nobody_owns_is_adopted_and_what_another_owns_is_refused() {
    let desired =
        project("shop").with_pool("p", pool("process")).with_queue("p", "q", queue(2)).with("a/b", |d| d.retries = 1);
    let mut home = Home::new();
    home.apply(&desired);
    let id = home.deployment("a/b").id;
    home.deployment("a/b").owner = None;
    home.deployment("a/b").declared.retries = 0;
    home.pool("p").owner = None;
    home.queue("p", "q").owner = None;
    let plan = home.apply(&desired);
    assert_eq!(deeds(&plan), ["adopt work pool p", "adopt work queue p/q", "adopt deployment a/b"]);
    assert_eq!(fields(&plan.steps[2]), ["retries: 0 -> 1"]);
    assert_eq!(home.deployment("a/b").id, id);
    assert!(home.plan(&desired).is_empty());

    let mut other = desired.clone();
    other.project = "other".into();
    let mut plan = home.plan(&other);
    assert_eq!(plan.exit_code(true), 3);
    assert_eq!(plan.exit_code(false), 3);
    assert_eq!(plan.refusals.len(), 3, "all at once");
    let text = plan.refusals[2].to_string();
    assert!(text.contains("`a/b` belongs to the project `shop`, which declares it in deployment.yaml"), "{text}");
    let texts: Vec<String> = plan.refusals.iter().map(ToString::to_string).collect();
    let adopts = ["say `reeve adopt --work-pool p`", "say `reeve adopt --work-pool p`", "say `reeve adopt a/b`"];
    assert!(texts.iter().zip(adopts).all(|(text, adopt)| text.contains(adopt)), "{texts:#?}");
    let digest = plan.digest();
    plan.refusals[2].locate_owner(|owner, kind, name| {
        assert_eq!((owner, kind, name), ("shop", Kind::Deployment, "a/b"));
        Some(("/srv/shop".to_owned(), Some(Position { file: "parts/b.yaml".to_owned(), line: 7, column: 5 })))
    });
    let text = plan.refusals[2].to_string();
    assert!(text.contains("belongs to the project `shop`, which declares it in /srv/shop/parts/b.yaml:7:5: "), "{text}");
    assert_eq!(plan.digest(), digest, "where it stands is told, and no part of what the plan does");
    assert!(plan.take_writes().is_empty());
}

#[test]
fn overrides_are_shown_and_never_touched() {
    let mut home = Home::new();
    let desired = project("shop").with_pool("p", pool("process")).with_queue("p", "q", queue(2)).with("a/b", |d| {
        d.schedules = vec![named("s", "0 2 * * *")];
    });
    home.apply(&desired);
    home.deployment("a/b").overrides.insert("paused".into(), over(json!(true)));
    home.deployment("a/b").schedules[0].overrides.insert("active".into(), over(json!(false)));
    home.pool("p").overrides.insert("concurrency_limit".into(), over(json!(9)));
    home.queue("p", "q").overrides.insert("priority".into(), over(json!(1)));
    let plan = home.plan(&desired);
    assert!(plan.is_empty());
    let shadowed: Vec<_> = plan.shadowed.iter().map(|s| format!("{} {} {:?}", s.name, s.field, s.declared)).collect();
    assert_eq!(
        shadowed,
        [
            "p concurrency_limit None",
            "p/q priority Some(Number(2))",
            "a/b paused Some(Bool(false))",
            "a/b schedules/s/active Some(Bool(true))"
        ]
    );

    let mut changed = desired.clone();
    let spec = &mut changed.deployments.get_mut(&full("a/b")).unwrap().spec;
    spec.paused = true;
    spec.schedules[0].active = false;
    spec.schedules[0].spec.timezone = Some("Europe/Zurich".into());
    changed.work_pools.get_mut("p").unwrap().spec.concurrency_limit = Some(3);
    changed.work_queues.values_mut().for_each(|declared| declared.spec.priority = 4);
    let before = home.stored.clone();
    let plan = home.apply(&changed);
    let shaded: Vec<_> = plan.steps.iter().flat_map(|step| &step.changes).filter(|c| c.shadowed_by.is_some()).collect();
    let shaded: Vec<_> = shaded.iter().map(|change| &*change.field).collect();
    assert_eq!(shaded, ["concurrency_limit", "priority", "paused", "schedules/s/active"]);
    assert_eq!(home.deployment("a/b").overrides, before.deployments[&full("a/b")].overrides);
    assert_eq!(home.deployment("a/b").schedules[0].overrides, before.deployments[&full("a/b")].schedules[0].overrides);
    assert_eq!(home.pool("p").overrides, before.work_pools["p"].overrides);
    assert_eq!(home.pool("p").declared.concurrency_limit, Some(3));
    assert_eq!(home.queue("p", "q").overrides.len(), 1);
}

#[test]
fn an_absent_key_means_its_default() {
    let mut home = Home::new();
    home.apply(&project("shop").with("a/b", |d| {
        d.schedules = vec![cron("0 2 * * *")];
        d.paused = true;
    }));
    let plan = home.apply(&project("shop").with("a/b", |_| {}));
    assert_eq!(plan.steps[0].changes.len(), 2);
    assert!(home.deployment("a/b").schedules.is_empty() && !home.deployment("a/b").declared.paused);
}

#[test]
fn a_pool_has_its_default_queue_from_the_start() {
    let mut home = Home::new();
    let desired = project("shop").with_pool("p", pool("process"));
    let plan = home.apply(&desired);
    assert_eq!(plan.steps[0].makes[0].name, "p/default");
    assert_eq!(home.queue("p", "default").declared, WorkQueueSpec::default());
    // Declared it is a queue like any other; no longer declared it is what every pool has.
    let plan = home.apply(&desired.clone().with_queue("p", "default", queue(7)));
    assert_eq!(deeds(&plan), ["update work queue p/default"]);
    let plan = home.apply(&desired);
    assert_eq!(deeds(&plan), ["update work queue p/default"]);
    assert_eq!(home.queue("p", "default").declared, WorkQueueSpec::default());
    // Lost, it is made again.
    home.stored.work_queues.clear();
    assert_eq!(deeds(&home.apply(&desired)), ["create work queue p/default"]);
    // Declared from the start, it is made once.
    let mut home = Home::new();
    let plan = home.apply(&desired.with_queue("p", "default", queue(7)));
    assert_eq!(deeds(&plan), ["create work pool p", "create work queue p/default"]);
    assert_eq!(home.queue("p", "default").declared.priority, 7);
}

#[test]
fn a_queue_without_a_pool_stands_in_the_agents_pool_which_is_nobodys() {
    let mut home = Home::new();
    let desired = project("shop").with_queue(DEFAULT_AGENT_POOL, "ml", queue(1));
    let plan = home.apply(&desired);
    assert_eq!(deeds(&plan), ["create work pool default-agent-pool", "create work queue default-agent-pool/ml"]);
    let created = plan.counts.create;
    assert_eq!(home.plan(&desired).counts.unchanged, created, "what was made is counted when it is there");
    assert_eq!(home.pool(DEFAULT_AGENT_POOL).owner, None);
    assert_eq!(home.pool(DEFAULT_AGENT_POOL).declared.kind, "process");
    assert!(home.plan(&desired).is_empty());
    let other = project("other").with_queue(DEFAULT_AGENT_POOL, "etl", queue(1));
    assert_eq!(deeds(&home.apply(&other)), ["create work queue default-agent-pool/etl"]);
    assert_eq!(deeds(&home.apply_all(&project("shop"))), ["prune work queue default-agent-pool/ml"]);
    assert!(home.plan(&other).is_empty());
    // Declared, it is adopted.
    let declared = other.with_pool(DEFAULT_AGENT_POOL, pool("process"));
    assert_eq!(deeds(&home.apply(&declared)), ["adopt work pool default-agent-pool"]);
}

#[test]
fn the_default_queue_of_anothers_pool_is_given_back() {
    let mut home = Home::new();
    home.apply(&project("ops").with_pool("p", pool("process")));
    home.queue("p", "default").owner = None;
    let desired = project("shop").with("a/b", |_| {});
    home.apply(&desired.clone().with_queue("p", "default", queue(7)));
    let plan = home.apply(&desired);
    assert_eq!(deeds(&plan), ["update work queue p/default"]);
    let given = home.queue("p", "default");
    assert_eq!((&given.owner, given.declared.priority), (&None, 1));
    assert!(home.plan(&desired).is_empty());
}

#[test]
fn a_queue_that_a_deployment_names_is_made_where_its_pool_is_there() {
    let uses = |d: &mut crate::model::deployment::DeploymentSpec| {
        d.work_pool = Some("p".into());
        d.work_queue = Some("fast".into());
    };
    let mut home = Home::new();
    let without_pool = project("shop").with("a/b", uses);
    let plan = home.plan(&without_pool);
    assert_eq!(deeds(&plan), ["create deployment a/b"]);
    assert_eq!(plan.notes[0].code, "pool-missing");
    let with_pool = without_pool.clone().with_pool("p", pool("process"));
    let plan = home.apply(&with_pool);
    assert_eq!(deeds(&plan), ["create work pool p", "create work queue p/fast", "create deployment a/b"]);
    assert_eq!(home.queue("p", "fast").owner.as_ref().unwrap().project, "shop");
    assert!(home.plan(&with_pool).is_empty());
    // No longer named, it goes.
    let plan = home.apply(&project("shop").with("a/b", |_| {}).with_pool("p", pool("process")));
    assert_eq!(deeds(&plan), ["prune work queue p/fast", "update deployment a/b"]);
    // In a pool of somebody else it is the project's.
    home.pool("p").owner = None;
    home.queue("p", "default").owner = None;
    assert_eq!(deeds(&home.apply(&without_pool)), ["restore work queue p/fast", "update deployment a/b"]);
    // A second project that names it claims nothing, and keeps it there.
    let second = project("second").with("x/y", uses);
    assert_eq!(deeds(&home.apply(&second)), ["create deployment x/y"]);
    let plan = home.plan(&project("shop").with("a/b", |_| {}));
    assert_eq!(deeds(&plan), ["update deployment a/b"]);
    assert_eq!(plan.notes[0].code, "queue-kept");
}

#[test]
fn what_left_the_file_is_pruned_with_a_tombstone_and_can_come_back() {
    let desired = project("shop").with("a/b", |d| d.schedules = vec![named("s", "0 2 * * *")]).with("a/c", |_| {});
    let mut home = Home::new();
    home.apply(&desired);
    home.deployment("a/b").overrides.insert("paused".into(), over(json!(true)));
    let before = home.deployment("a/b").clone();
    let plan = home.apply(&desired.clone().without("a/b"));
    assert_eq!(deeds(&plan), ["prune deployment a/b"]);
    assert_eq!((plan.exit_code(true), plan.exit_code(false)), (4, 0));
    assert_eq!(home.stored.tombstones[&ObjectName::Deployment(full("a/b"))].pruned, plan.made);
    let plan = home.apply(&desired);
    assert_eq!(deeds(&plan), ["restore deployment a/b"]);
    assert!(plan.steps[0].changes.is_empty() && home.stored.tombstones.is_empty());
    let after = home.deployment("a/b").clone();
    assert_eq!((after.id, &after.overrides, after.created), (before.id, &before.overrides, before.created));
    assert_eq!((after.schedules[0].id, &after.schedules[0].key), (before.schedules[0].id, &before.schedules[0].key));
    assert!(home.plan(&desired).is_empty());
}

#[test]
fn pools_queues_and_limits_come_back_with_their_overrides_and_a_prune_says_what_goes_along() {
    let bare = project("shop").with("a/b", |_| {});
    let desired = bare.clone().with_pool("p", pool("process")).with_queue("p", "q", WorkQueueSpec::default()).with_limit("db", 3);
    let mut home = Home::new();
    home.apply(&desired);
    home.pool("p").overrides.insert("paused".into(), over(json!(true)));
    home.queue("p", "default").overrides.insert("paused".into(), over(json!(true)));
    home.queue("p", "q").overrides.insert("priority".into(), over(json!(2)));
    let before = home.stored.clone();
    let plan = home.apply_all(&bare);
    assert_eq!(deeds(&plan), ["prune work queue p/q", "prune concurrency limit db", "prune work pool p"]);
    let reason = |kind: Kind| plan.steps.iter().find(|step| step.kind == kind).unwrap().reason.to_string();
    assert_eq!(reason(Kind::WorkQueue), "with its override priority = 2, set by alice; kept 7 days for `reeve restore`");
    assert_eq!(reason(Kind::WorkPool), "with its overrides paused = true, set by alice; default/paused = true, set by alice; kept 7 days for `reeve restore`");
    assert_eq!(reason(Kind::ConcurrencyLimit), "no longer declared; declared again within 7 days it comes back");
    assert_eq!(home.stored.tombstones.len(), 4, "with the pool's own queue");
    let plan = home.apply(&desired);
    assert_eq!(deeds(&plan), ["restore concurrency limit db", "restore work pool p", "restore work queue p/q"]);
    assert!(home.stored.tombstones.is_empty() && home.plan(&desired).is_empty());
    let kept = |stored: &crate::model::stored::Stored| {
        let pools = stored.work_pools.values().map(|pool| (pool.id.0, pool.overrides.clone()));
        let queues = stored.work_queues.values().map(|queue| (queue.id.0, queue.overrides.clone()));
        pools.chain(queues).chain(stored.tag_limits.values().map(|limit| (limit.id.0, limit.overrides.clone()))).collect::<Vec<_>>()
    };
    assert_eq!(kept(&home.stored), kept(&before));
}

#[test]
fn a_restored_deployment_makes_up_for_nothing() {
    let desired = project("shop").with("a/b", |d| d.schedules = vec![named("s", "0 2 * * *")]).with("a/c", |_| {});
    let mut home = Home::new();
    home.apply(&desired);
    home.apply(&desired.clone().without("a/b"));
    let now = home.apply(&desired).made;
    assert_eq!(home.deployment("a/b").schedules[0].effective_since, now);
}

#[test]
fn a_tombstone_is_anothers_or_too_old() {
    let desired = project("shop").with("a/b", |_| {}).with("a/c", |_| {});
    let mut home = Home::new();
    home.apply(&desired);
    let id = home.deployment("a/b").id;
    home.apply(&desired.clone().without("a/b"));
    let other = project("other").with("a/b", |_| {});
    assert_eq!(deeds(&home.plan(&other)), ["create deployment a/b"]);
    home.now = home.now.saturating_add(jiff::SignedDuration::from_hours(24 * 7)).unwrap();
    assert_eq!(deeds(&home.apply(&desired)), ["create deployment a/b"]);
    assert_ne!(home.deployment("a/b").id, id, "a name made again is a new object");
}

#[test]
fn a_pool_that_others_use_stays() {
    let mut home = Home::new();
    let shop = project("shop").with_pool("p", pool("process")).with("a/b", |_| {});
    home.apply(&shop);
    home.apply(&project("other").with("x/y", |d| d.work_pool = Some("p".into())));
    let plan = home.plan(&project("shop").with("a/b", |_| {}));
    assert!(plan.is_empty());
    assert_eq!(
        plan.notes[0].message,
        "the work pool `p` is no longer declared, but stays: the deployment `x/y`, which is not this project's, uses it"
    );
    // Neither is it taken from under a queue that somebody else made in it.
    home.stored.deployments.remove(&full("x/y"));
    home.apply(&project("other").with_queue("p", "theirs", queue(1)));
    let plan = home.plan(&project("shop").with("a/b", |_| {}));
    assert_eq!((deeds(&plan).len(), &*plan.notes[0].code), (0, "pool-kept"));
    home.stored.work_queues.remove(&("p".into(), "theirs".into()));
    assert_eq!(deeds(&home.apply(&project("shop").with("a/b", |_| {}))), ["prune work pool p"]);
    assert!(home.stored.work_pools.is_empty() && home.stored.work_queues.is_empty());
}

#[test]
fn nothing_of_others_is_ever_pruned() {
    let mut home = Home::new();
    home.apply(&project("other").with("x/y", |_| {}).with_pool("p", pool("process")));
    let plan = home.plan(&project("shop").with("a/b", |_| {}));
    assert_eq!(deeds(&plan), ["create deployment a/b"]);
    home.deployment("x/y").owner = None;
    assert_eq!(deeds(&home.plan(&project("other"))), ["prune work pool p"]);
}

fn allowed(home: &mut Home, desired: &Desired, allow_prune: Option<usize>) -> Plan {
    home.options = Options { allow_prune, ..Options::default() };
    home.plan(desired)
}

#[test]
fn the_guard_lets_five_or_a_fifth_through() {
    for (owned, pruned, refused) in
        [(6, 5, false), (6, 6, true), (12, 5, false), (12, 6, true), (100, 20, false), (100, 21, true)]
    {
        let mut home = Home::new();
        home.apply(&many(owned));
        // Six of six would be everything: something else is declared, so that it is a matter of numbers.
        let next = many(owned - pruned).with("g/new", |_| {});
        let mut plan = home.plan(&next);
        assert_eq!(plan.counts.prune, pruned);
        assert_eq!(plan.is_refused(), refused, "{pruned} of {owned}");
        assert_eq!(plan.take_writes().is_empty(), refused);
    }
}

#[test]
fn a_refusal_says_the_words_that_allow_it_and_only_those_do() {
    let mut home = Home::new();
    home.apply(&many(12));
    let next = many(5);
    let plan = allowed(&mut home, &next, None);
    assert_eq!(plan.refusals, [Refusal::PrunesMany { prunes: 7, owned: 12, limit: 5 }]);
    assert!(plan.refusals[0].to_string().ends_with("--allow-prune=7"));
    assert_eq!(allowed(&mut home, &next, Some(8)).refusals, [Refusal::AllowanceDiffers { prunes: 7, allowed: 8 }]);
    assert!(!allowed(&mut home, &next, Some(7)).is_refused());
    // An allowance that no longer fits is refused even where none was needed, unless nothing goes at all.
    assert!(allowed(&mut home, &many(11), Some(7)).is_refused());
    assert!(!allowed(&mut home, &many(12), Some(7)).is_refused());
}

#[test]
fn an_empty_project_is_not_pruned_unasked() {
    let mut home = Home::new();
    home.apply(&project("shop").with("a/b", |_| {}));
    let plan = allowed(&mut home, &project("shop"), None);
    assert_eq!(plan.refusals, [Refusal::PrunesEverything { prunes: 1 }]);
    assert_eq!(plan.exit_code(true), 3);
    assert!(!allowed(&mut home, &project("shop"), Some(1)).is_refused());
    assert!(!allowed(&mut Home::new(), &project("shop"), None).is_refused(), "nothing would go");
}

#[test]
fn flows_are_made_once_with_the_first_deployment_that_needs_them() {
    let mut home = Home::new();
    let plan = home.apply(&project("shop").with("a/b", |_| {}).with("a/c", |_| {}).with("z/b", |_| {}));
    let makes: Vec<_> = plan.steps.iter().map(|step| step.makes.iter().map(|m| &*m.name).collect::<Vec<_>>()).collect();
    assert_eq!(makes, [vec!["a"], vec![], vec!["z"]]);
    let ids: Vec<_> = home.stored.deployments.values().map(|deployment| deployment.flow_id).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2]);
    assert_eq!(home.stored.flows["a"].id, home.stored.deployments[&full("a/b")].flow_id);
}

#[test]
fn runs_that_will_wait_are_noted_once_for_each_pool() {
    let mut home = Home::new();
    let desired = (0..9).fold(project("shop"), |d, n| d.with(&format!("f/{n}"), |d| d.work_pool = Some("gpu".into())));
    let plan = home.apply(&desired.with_pool("k", pool("kubernetes")));
    let notes: Vec<_> = plan.notes.iter().map(|note| (note.level, &*note.code, &*note.name)).collect();
    assert_eq!(notes, [(NoteLevel::Warning, "pool-missing", "gpu"), (NoteLevel::Info, "pool-needs-worker", "k")]);
    assert!(plan.notes[0].message.starts_with("the deployment `f/0` and 8 others use the work pool `gpu`"));
    assert_eq!(
        plan.notes[0].help.as_deref(),
        Some("declare it under `work_pools:`, or `reeve work-pool create --type process gpu`")
    );
}

#[test]
fn unchanged_objects_are_counted_and_listed_only_when_asked() {
    let mut home = Home::new();
    home.apply(&many(3));
    assert!(home.plan(&many(3)).steps.iter().all(|step| step.action == Action::Unchanged));
    home.options.list_unchanged = false;
    let plan = home.plan(&many(3));
    assert_eq!((plan.steps.len(), plan.counts.unchanged), (0, 3));
}

#[test]
fn a_name_made_again_after_its_tombstone_has_gone_has_another_id() {
    let mut home = Home::new();
    home.apply(&project("shop").with_pool("p", pool("process")).with("a/b", |_| {}));
    let first = home.pool("p").id;
    home.apply(&project("shop").with("a/b", |_| {}));
    home.now = home.now.saturating_add(jiff::SignedDuration::from_hours(24 * 7)).unwrap();
    home.apply(&project("shop").with_pool("p", pool("process")).with("a/b", |_| {}));
    assert_ne!(home.pool("p").id, first);
}
