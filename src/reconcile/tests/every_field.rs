//! No phantom changes: every field of a file, omitted, null, empty and with a value, with an operator's override and without.
use super::desired::full;
use super::home::{Home, over};
use crate::manifest::{self, FileContent, Files, Input, ManifestFile, OnMissing};
use crate::model::deployment::DeploymentSpec;
use crate::model::desired::Desired;
use crate::model::work_pool::{WorkPoolSpec, WorkQueueSpec};
use crate::reconcile::fields;
use serde_json::{Value, json};

struct Sources;

impl Files for Sources {
    fn read(&self, _path: &str) -> FileContent {
        FileContent::Found(b"from prefect import flow\n\n@flow\ndef main(days: int = 3, nested=None):\n    pass\n".to_vec())
    }
}

pub(super) fn load(yaml: &str) -> Desired {
    let manifests = [ManifestFile { path: "deployment.yaml".to_owned(), content: yaml.as_bytes().to_vec() }];
    let loaded = manifest::load(&Input {
        root: "/srv/shop",
        manifests: &manifests,
        files: &Sources,
        environment: &|_| None,
        strict: false,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Warning,
    });
    loaded.desired.unwrap_or_else(|| panic!("{yaml}\n{}", manifest::render_problems(&loaded.problems, false)))
}

/// The key, its empty form (where there is one that may be written), a value.
type Field = (&'static str, Option<&'static str>, &'static str);

/// Empty text is a text, an empty template asks for nothing, and no pull steps are none although the project has some.
const EMPTY_SAYS_SOMETHING: [&str; 4] = ["version", "description", "base_job_template", "pull"];

const DEPLOYMENT: &[Field] = &[
    ("version", Some("''"), "'1.2'"),
    ("description", Some("''"), "Loads yesterday"),
    ("tags", Some("[]"), "[a, b]"),
    ("parameters", Some("{}"), "{days: 7, nested: {b: 1, a: [1, {}]}}"),
    ("enforce_parameter_schema", None, "false"),
    ("work_pool", Some("{}"), "{name: p, work_queue_name: q, job_variables: {image: 'x'}}"),
    ("job_variables", Some("{}"), "{image: 'x'}"),
    ("pull", Some("[]"), "[{prefect.deployments.steps.set_working_directory: {directory: /x}}]"),
    ("schedules", Some("[]"), "[{cron: '@daily', slug: s}, {interval: 900}, {rrule: 'FREQ=DAILY'}]"),
    ("schedule", Some("{}"), "{cron: '0 2 * * *', timezone: Europe/Zurich}"),
    ("paused", None, "true"),
    ("concurrency_limit", None, "{limit: 2, collision_strategy: CANCEL_NEW}"),
    ("env", Some("{}"), "{A: '1', GONE: null}"),
    ("working_dir", None, "sub"),
    ("retries", None, "3"),
    ("retry_delay_seconds", Some("[]"), "[1, 2.5]"),
    ("timeout_seconds", None, "3600"),
    ("triggers", Some("[]"), "[{type: event}]"),
    ("missed", None, "all"),
    ("overlap", None, "{queue: 3}"),
    ("expire_after", None, "1h"),
    ("jitter", None, "5m"),
    ("spread", None, "5m"),
    ("on_resume", None, "latest"),
    ("starts", None, "'2026-12-01'"),
    ("ends", None, "'2027-12-01'"),
    ("exclude", Some("[]"), "[sat, '2026-12-24']"),
    ("include", Some("[]"), "[mon-fri]"),
    ("dst", None, "{gap: skip}"),
];

const POOL: &[Field] = &[
    ("type", None, "docker"),
    ("description", Some("''"), "Where it runs"),
    ("concurrency_limit", None, "4"),
    ("paused", None, "true"),
    ("base_job_template", Some("{}"), "{job_configuration: {b: 1, a: 2}, variables: {}}"),
];

const QUEUE: &[Field] = &[
    ("description", Some("''"), "Urgent"),
    ("priority", None, "3"),
    ("concurrency_limit", None, "4"),
    ("paused", None, "true"),
    ("filter", Some("{}"), "{tags: [x], pool_types: [process]}"),
];

/// A project in which a field stands in the deployment, the pool or the queue.
fn yaml(kind: &str, line: &str) -> String {
    let at = |this: &str, indent: &str| if kind == this && !line.is_empty() { format!("{indent}{line}\n") } else { String::new() };
    // Policies and limits say something of schedules only, so that there is one unless the field is the schedules.
    let schedule = if line.starts_with("schedule") { "" } else { "    schedules: [{cron: '30 2 * * *', slug: base}]\n" };
    format!(
        "name: shop\nwork_pools:\n  - name: p\n{}    queues:\n      - name: q\n{}deployments:\n  - name: b\n    flow_name: a\n    entrypoint: flow.py:main\n{schedule}{}",
        at("pool", "    "),
        at("queue", "        "),
        at("deployment", "    "),
    )
}

/// What is declared, as JSON: the deployment, the pool, the queue.
fn declared(desired: &Desired) -> [Value; 3] {
    let deployment: &DeploymentSpec = &desired.deployments[&full("a/b")].spec;
    let pool: &WorkPoolSpec = &desired.work_pools["p"].spec;
    let queue: &WorkQueueSpec = &desired.work_queues[&("p".to_owned(), "q".to_owned())].spec;
    [fields::value(deployment), fields::value(pool), fields::value(queue)]
}

/// Lays overrides over all that can be overridden.
fn override_all(home: &mut Home) {
    let deployment = home.deployment("a/b");
    deployment.overrides.insert("paused".into(), over(json!(true)));
    deployment.overrides.insert("parameters".into(), over(json!({"days": 1})));
    deployment.schedules.iter_mut().for_each(|schedule| drop(schedule.overrides.insert("active".into(), over(json!(false)))));
    for field in ["paused", "concurrency_limit"] {
        home.pool("p").overrides.insert(field.into(), over(json!(1)));
        home.queue("p", "q").overrides.insert(field.into(), over(json!(1)));
    }
}

#[test]
fn what_was_applied_is_in_sync_however_it_is_written() {
    let mut seen = 0;
    for (kind, table) in [("deployment", DEPLOYMENT), ("pool", POOL), ("queue", QUEUE)] {
        for (key, empty, value) in table {
            let omitted = if key.starts_with("schedule") { "schedules: []" } else { "" };
            let null = format!("{key}: null");
            let empty = empty.map(|empty| format!("{key}: {empty}"));
            let value = format!("{key}: {value}");
            let plain = declared(&load(&yaml(kind, omitted)));
            assert_eq!(declared(&load(&yaml(kind, &null))), plain, "null means that nothing is said: {kind} {key}");
            if let Some(empty) = empty.as_ref().filter(|_| !EMPTY_SAYS_SOMETHING.contains(key)) {
                assert_eq!(declared(&load(&yaml(kind, empty))), plain, "empty means that nothing is said: {kind} {key}");
            }
            assert_ne!(declared(&load(&yaml(kind, &value))), plain, "a value says something: {kind} {key}");
            for line in [omitted.to_owned(), null, value].iter().chain(&empty) {
                for overridden in [false, true] {
                    let desired = load(&yaml(kind, line));
                    let mut home = Home::new();
                    home.apply(&desired);
                    if overridden {
                        override_all(&mut home);
                    }
                    let before = home.stored.clone();
                    let plan = home.apply(&desired);
                    assert!(plan.is_in_sync(), "{kind} {line} (overridden: {overridden}): {:#?}", plan.steps);
                    assert_eq!(home.stored, before, "{kind} {line}");
                    assert_eq!(plan.shadowed.is_empty(), !overridden);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 240, "{seen} cases");
}

#[test]
fn what_is_taken_away_again_is_as_if_it_had_never_been_there() {
    for (kind, table) in [("deployment", DEPLOYMENT), ("pool", POOL), ("queue", QUEUE)] {
        for (key, _, value) in table {
            let omitted = if key.starts_with("schedule") { "schedules: []" } else { "" };
            let (without, with) = (load(&yaml(kind, omitted)), load(&yaml(kind, &format!("{key}: {value}"))));
            let mut home = Home::new();
            home.apply(&without);
            let before = home.ids();
            let plan = home.apply(&with);
            assert_eq!(plan.counts.update, 1, "{kind} {key}: {:?}", plan.counts);
            let plan = home.apply(&without);
            assert_eq!((plan.counts.update, plan.counts.drift), (1, 0), "{kind} {key}: {:?}", plan.counts);
            assert_eq!(home.ids(), before, "{kind} {key}");
            assert!(home.plan(&without).is_in_sync() && !home.plan(&with).is_empty(), "{kind} {key}");
        }
    }
}

#[test]
fn the_documented_defaults_are_what_an_empty_entry_means() {
    let desired = load(&yaml("deployment", "schedules: []"));
    let [deployment, pool, queue] = declared(&desired);
    let read_from_the_source = json!(desired.deployments[&full("a/b")].spec.parameter_schema);
    assert_eq!(
        deployment,
        json!({"entrypoint": {"kind": "python", "path": "flow.py", "function": "main"}, "parameter_schema": read_from_the_source,
               "enforce_parameter_schema": true, "paused": false, "retries": 0})
    );
    assert_eq!(pool, json!({"type": "process", "paused": false}));
    assert_eq!(queue, json!({"priority": 1, "paused": false}));
}
