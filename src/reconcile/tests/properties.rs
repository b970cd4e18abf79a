//! What holds for every pair of projects: plans on generated ones.
use super::desired::{Declare, cron, named, pool, project};
use super::home::{Home, over};
use crate::model::project::PruneRule;
use crate::model::deployment::{DeploymentSpec, FullName};
use crate::model::desired::Desired;
use crate::model::id::Kind;
use crate::model::schedule::ScheduleDeclaration;
use crate::model::work_pool::{DEFAULT_QUEUE, WorkPoolSpec, WorkQueueSpec};
use crate::reconcile::{Action, Options};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn a_schedule() -> impl Strategy<Value = ScheduleDeclaration> {
    let rule = select(vec!["0 2 * * *", "@daily", "0 0 * * *", "*/5 * * * *", "30 9 * * 1"]);
    (rule, any::<bool>(), option::of(0..2u8)).prop_map(|(rule, active, parameter)| {
        let mut schedule = ScheduleDeclaration { active, ..cron(rule) };
        if let Some(value) = parameter {
            schedule.parameters.insert("x".into(), json!(value));
        }
        schedule
    })
}

/// Slugs are unique in a deployment; the manifest sees to that.
fn schedules() -> impl Strategy<Value = Vec<ScheduleDeclaration>> {
    (vec(a_schedule(), 0..4), btree_map(select(vec!["n", "m"]), a_schedule(), 0..2)).prop_map(|(mut list, slugs)| {
        list.extend(
            slugs.into_iter().map(|(slug, declared)| ScheduleDeclaration { spec: declared.spec, ..named(slug, "") }),
        );
        list
    })
}

fn a_deployment() -> impl Strategy<Value = DeploymentSpec> {
    let pools = option::of(select(vec!["p", "q", "default-agent-pool"]));
    let queues = option::of(select(vec!["fast", "slow", "default"]));
    (schedules(), any::<bool>(), 0..2u32, pools, queues).prop_map(|(schedules, paused, retries, pool, queue)| {
        DeploymentSpec {
            schedules,
            paused,
            retries,
            work_pool: pool.map(str::to_owned),
            work_queue: queue.filter(|_| pool.is_some()).map(str::to_owned),
            ..Default::default()
        }
    })
}

fn a_pool() -> impl Strategy<Value = WorkPoolSpec> {
    (select(vec!["process", "docker"]), option::of(0..3u32))
        .prop_map(|(kind, concurrency_limit)| WorkPoolSpec { concurrency_limit, ..pool(kind) })
}

pub(super) fn a_project() -> impl Strategy<Value = Desired> {
    let pools = btree_map(select(vec!["p", "q"]), a_pool(), 0..3);
    let queue = (select(vec!["p", "q", "default-agent-pool"]), select(vec!["fast", "slow", "default"]));
    let queues = btree_map(queue, 1..3u32, 0..3);
    let names = select(vec!["a/b", "a/c", "f/g", "f/h", "z/z"]);
    let deployments = btree_map(names, a_deployment(), 0..5);
    let limits = btree_map(select(vec!["db", "gpu"]), 0..3u32, 0..3);
    (pools, queues, deployments, limits, select(vec!["/one", "/two"])).prop_map(|(pools, queues, deployments, limits, root)| {
        let mut desired = project("shop");
        desired.root = root.to_owned();
        for (name, spec) in pools {
            desired = desired.with_pool(name, spec);
        }
        for ((pool, name), priority) in queues {
            desired = desired.with_queue(pool, name, WorkQueueSpec { priority, ..Default::default() });
        }
        for (name, spec) in deployments {
            desired = desired.with(name, |d| *d = spec);
        }
        limits.into_iter().fold(desired, |desired, (tag, limit)| desired.with_limit(tag, limit))
    })
}

/// What the project owns, as it would be declared: schedules in a frozen order, by what they mean.
pub(super) fn declared(
    home: &Home,
) -> (BTreeMap<String, WorkPoolSpec>, BTreeMap<String, WorkQueueSpec>, BTreeMap<FullName, DeploymentSpec>) {
    let ours = |owner: &Option<crate::model::overrides::Owner>| owner.as_ref().is_some_and(|o| o.project == "shop");
    let stored = &home.stored;
    let pools = stored.work_pools.values().filter(|p| ours(&p.owner)).map(|p| (p.name.clone(), p.declared.clone()));
    let queues = stored.work_queues.values().filter(|q| ours(&q.owner)).map(|q| (q.full_name(), q.declared.clone()));
    let deployments = stored.deployments.values().filter(|d| ours(&d.owner)).map(|deployment| {
        let mut spec = deployment.declared.clone();
        spec.schedules = deployment.schedules.iter().map(|schedule| schedule.declared.clone()).collect();
        for schedule in &mut spec.schedules {
            // A spelling that meant the same was left as it was.
            if *schedule == (ScheduleDeclaration { spec: cron("@daily").spec, ..schedule.clone() }) {
                schedule.spec = cron("0 0 * * *").spec;
            }
        }
        spec.schedules.sort_by_key(|schedule| format!("{schedule:?}"));
        (deployment.name.clone(), spec)
    });
    (pools.collect(), queues.collect(), deployments.collect())
}

/// Lays an override over everything that there is.
fn override_all(home: &mut Home) {
    for deployment in home.stored.deployments.values_mut() {
        deployment.overrides.insert("paused".into(), over(json!(true)));
        for schedule in &mut deployment.schedules {
            schedule.overrides.insert("active".into(), over(json!(false)));
        }
    }
    home.stored.work_pools.values_mut().for_each(|pool| {
        pool.overrides.insert("concurrency_limit".into(), over(json!(2)));
    });
    home.stored.work_queues.values_mut().for_each(|queue| {
        queue.overrides.insert("paused".into(), over(json!(true)));
    });
    home.stored.tag_limits.values_mut().for_each(|limit| {
        limit.overrides.insert("concurrency_limit".into(), over(json!(1)));
    });
}

/// Fewer cases than the default, since each is several plans in an unoptimised build; `PROPTEST_CASES` asks for more.
pub(super) fn config() -> ProptestConfig {
    let asked = ProptestConfig { failure_persistence: None, ..Default::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { 64 };
    ProptestConfig { cases, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn apply_then_plan_is_empty(a in a_project(), b in a_project()) {
        let mut home = Home::new();
        for desired in [&a, &b, &a] {
            home.apply_all(desired);
            let before = home.stored.clone();
            let again = home.apply(desired);
            prop_assert!(again.is_empty(), "{:#?}", again.steps);
            prop_assert_eq!(&home.stored, &before, "an empty plan writes nothing");
        }
    }

    #[test]
    fn there_and_back_declares_the_same(a in a_project(), b in a_project()) {
        let mut home = Home::new();
        home.apply_all(&a);
        let before = declared(&home);
        home.apply_all(&b);
        home.apply_all(&a);
        prop_assert_eq!(declared(&home), before);
    }

    #[test]
    fn what_is_declared_is_what_is_stored(a in a_project(), b in a_project()) {
        let mut home = Home::new();
        home.apply_all(&a);
        home.apply_all(&b);
        for (name, declared) in &b.deployments {
            let stored = &home.stored.deployments[name];
            prop_assert!(crate::reconcile::fields::same_deployment(&stored.declared, &declared.spec));
            prop_assert!(crate::reconcile::schedules::same(&stored.schedules, &declared.spec.schedules));
            let keys: BTreeSet<&str> = stored.schedules.iter().map(|schedule| &*schedule.key).collect();
            prop_assert_eq!(keys.len(), stored.schedules.len(), "keys are unique in a deployment");
            prop_assert!(home.stored.flows.values().any(|flow| flow.id == stored.flow_id && flow.name == name.flow));
        }
        for (name, declared) in &b.work_pools {
            prop_assert_eq!(&home.stored.work_pools[name].declared, &declared.spec);
            prop_assert!(home.stored.work_queues.contains_key(&(name.clone(), DEFAULT_QUEUE.into())));
        }
        for (tag, declared) in &b.tag_limits {
            prop_assert_eq!(home.stored.tag_limits[tag].declared, declared.spec);
        }
        prop_assert_eq!(home.stored.tag_limits.len(), b.tag_limits.len(), "what is not declared is gone");
        for (key, declared) in &b.work_queues {
            prop_assert_eq!(&home.stored.work_queues[key].declared, &declared.spec);
        }
        let ours = home.stored.deployments.keys().all(|name| b.deployments.contains_key(name));
        prop_assert!(ours, "what is not declared is gone");
    }

    #[test]
    fn the_plan_names_the_ids_that_apply_uses(a in a_project(), b in a_project()) {
        let mut home = Home::new();
        for desired in [&a, &b] {
            let before = home.ids();
            let plan = home.apply_all(desired);
            let after = home.ids();
            let mut said = BTreeSet::new();
            for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Create | Action::Restore)) {
                said.insert((step.kind, step.name.clone(), step.id));
            }
            for step in &plan.steps {
                said.extend(step.makes.iter().map(|made| (made.kind, made.name.clone(), made.id)));
            }
            let new: BTreeSet<_> = after.difference(&before).cloned().collect();
            let restored: BTreeSet<_> = plan.steps.iter().filter(|s| s.action == Action::Restore).map(|s| s.name.clone()).collect();
            let silent = new.difference(&said).filter(|(kind, name, _)| {
                // The schedules of a restored deployment are its old ones.
                let deployment = name.split('#').next().unwrap_or_default();
                !(*kind == Kind::Schedule && restored.contains(deployment))
            });
            prop_assert_eq!(silent.count(), 0);
            prop_assert!(said.is_subset(&after));
        }
    }

    #[test]
    fn overrides_survive_every_plan(a in a_project(), b in a_project()) {
        let mut home = Home::new();
        home.apply_all(&a);
        override_all(&mut home);
        let before = home.stored.clone();
        home.apply_all(&b);
        for (name, old) in &before.deployments {
            if let Some(new) = home.stored.deployments.get(name) {
                prop_assert_eq!(&new.overrides, &old.overrides);
                for schedule in &new.schedules {
                    let was = old.schedules.iter().find(|was| was.id == schedule.id);
                    prop_assert!(was.is_none_or(|was| was.overrides == schedule.overrides && was.key == schedule.key));
                }
            }
        }
        for (name, old) in &before.work_pools {
            prop_assert!(home.stored.work_pools.get(name).is_none_or(|new| new.overrides == old.overrides));
        }
    }

    #[test]
    fn there_and_back_every_record_is_itself_with_its_overrides(a in a_project(), b in a_project()) {
        let mut home = Home::new();
        home.apply_all(&a);
        override_all(&mut home);
        let before = home.stored.clone();
        home.apply_all(&b);
        home.apply_all(&a);
        prop_assert!(home.plan(&a).is_empty());
        for (name, old) in &before.deployments {
            let new = &home.stored.deployments[name];
            prop_assert_eq!((new.id, &new.overrides, new.created), (old.id, &old.overrides, old.created));
        }
        for (name, old) in &before.work_pools {
            let new = &home.stored.work_pools[name];
            prop_assert_eq!((new.id, &new.overrides, new.created), (old.id, &old.overrides, old.created));
        }
        for (name, old) in &before.work_queues {
            let new = &home.stored.work_queues[name];
            prop_assert_eq!((new.id, &new.overrides, new.created), (old.id, &old.overrides, old.created), "{:?}", name);
        }
        for (tag, old) in &before.tag_limits {
            let new = &home.stored.tag_limits[tag];
            prop_assert_eq!((new.id, &new.overrides, new.created), (old.id, &old.overrides, old.created));
        }
    }

    #[test]
    fn no_guard_lets_more_through_than_it_may(
        a in a_project(),
        mut b in a_project(),
        at_most in 0..4usize,
        percent in 0..101usize,
        allow_prune in option::of(0..6usize),
    ) {
        let mut home = Home::new();
        home.apply_all(&a);
        home.options = Options { allow_prune, ..Options::default() };
        b.rules.prune = PruneRule { enabled: true, at_most, percent };
        let plan = home.plan(&b);
        let removed = |home: &Home| {
            let stored = &home.stored;
            stored.deployments.len() + stored.work_pools.len() + stored.work_queues.len() + stored.tag_limits.len()
        };
        let owned = removed(&home);
        let before = home.stored.clone();
        let prunes = plan.counts.prune;
        home.perform(plan.clone().take_writes());
        if plan.is_refused() {
            prop_assert_eq!(&home.stored, &before);
        } else if prunes > 0 && allow_prune.is_none() {
            prop_assert!(prunes <= at_most || prunes * 100 <= owned * percent);
        } else if prunes > 0 {
            prop_assert_eq!(allow_prune, Some(prunes));
        }
    }

    #[test]
    fn another_projects_objects_are_never_touched(a in a_project(), mut b in a_project()) {
        let mut home = Home::new();
        home.apply_all(&a);
        b.project = "other".into();
        let before = home.stored.clone();
        home.apply_all(&b);
        for (name, old) in &before.deployments {
            prop_assert_eq!(home.stored.deployments.get(name), Some(old));
        }
        for (tag, old) in &before.tag_limits {
            prop_assert_eq!(home.stored.tag_limits.get(tag), Some(old));
        }
        for (name, old) in before.work_pools.iter().filter(|(_, pool)| pool.owner.is_some()) {
            prop_assert_eq!(home.stored.work_pools.get(name), Some(old));
        }
        for (name, old) in before.work_queues.iter().filter(|(_, queue)| queue.owner.is_some()) {
            prop_assert_eq!(home.stored.work_queues.get(name), Some(old));
        }
    }

    #[test]
    fn unchanged_schedules_keep_their_slots(list in schedules(), other in schedules()) {
        let with = |schedules: &Vec<ScheduleDeclaration>| project("shop").with("a/b", |d| d.schedules = schedules.clone());
        let mut home = Home::new();
        home.apply(&with(&list));
        let before = home.deployment("a/b").schedules.clone();
        let mut both = list.clone();
        both.extend(other.into_iter().filter(|declared| declared.slug.is_none()));
        both.reverse();
        home.apply(&with(&both));
        for schedule in &before {
            let after = home.deployment("a/b").schedules.iter().find(|after| after.key == schedule.key).cloned();
            prop_assert_eq!(after.as_ref(), Some(schedule), "what goes on is as it was, whatever stands beside it");
        }
    }

    #[test]
    fn text_never_passes_the_width(a in a_project(), b in a_project(), width in 20..120usize) {
        let mut home = Home::new();
        home.apply_all(&a);
        let plan = home.plan(&b);
        let style = crate::reconcile::explain::Style { width: Some(width), ..Default::default() };
        for line in crate::reconcile::explain::text(&plan, style).lines() {
            prop_assert!(line.chars().count() <= width, "{line}");
        }
    }
}
