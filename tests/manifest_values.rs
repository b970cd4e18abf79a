//! What a good manifest means: the normalised specs, and spellings that mean the same.
use reeve::manifest::{self, FileContent, Files, Input, Loaded, ManifestFile, OnMissing};
use reeve::model::deployment::{DeploymentSpec, FullName};
use reeve::model::desired::Desired;
use reeve::model::problem::Severity;
use serde_json::{Value, json};

/// Python sources by path.
struct Sources(&'static [(&'static str, &'static str)]);

impl Files for Sources {
    fn read(&self, path: &str) -> FileContent {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map_or(FileContent::Missing, |(_, text)| FileContent::Found(text.as_bytes().to_vec()))
    }
}

const FLOWS: Sources = Sources(&[
    (
        "flow.py",
        "from prefect import flow\n\n@flow(name=\"Repo Info\")\ndef get_repo_info(repo: str, deep: bool = False):\n    \"\"\"Reports on a repository.\n\n    At length.\n    \"\"\"\n\nasync def clean_up(days: int = 7):\n    pass\n",
    ),
    (
        "holidays.ics",
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nSUMMARY:Christ\r\n mas\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    ),
    ("pkg/__init__.py", "def main():\n    'The main job.'\n"),
]);

fn load_files(files: &[(&str, &str)]) -> Loaded {
    let manifests: Vec<ManifestFile> =
        files.iter().map(|(path, text)| ManifestFile { path: (*path).to_owned(), content: text.as_bytes().to_vec() }).collect();
    manifest::load(&Input {
        root: "/srv/nightly",
        manifests: &manifests,
        files: &FLOWS,
        environment: &|name| match name {
            "REGION" => Some("eu".to_owned()),
            "LIMIT" => Some("3".to_owned()),
            "API_KEY" => Some("hunter2".to_owned()),
            _ => None,
        },
        strict: false,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Error,
    })
}

fn desired(text: &str) -> Desired {
    let loaded = load_files(&[("deployment.yaml", text)]);
    loaded.desired.unwrap_or_else(|| panic!("{text}\n{}", manifest::render_problems(&loaded.problems, false)))
}

/// The spec of a deployment `a` with these lines under it.
fn spec(lines: &str) -> DeploymentSpec {
    let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    let run = if lines.contains("entrypoint:") || lines.contains("command:") { "" } else { "  command: x\n" };
    let desired = desired(&format!("deployments:\n- name: a\n{run}{indented}"));
    desired.deployments.into_values().next().unwrap().spec
}

fn json_of(lines: &str) -> Value {
    serde_json::to_value(spec(lines)).unwrap()
}

#[test]
fn fields_are_read_as_they_are_meant() {
    let table: &[(&str, &str, Value)] = &[
        ("tags: dev", "/tags", json!(["dev"])),
        ("tags: [a, b, a, 3, [c, d]]", "/tags", json!(["a", "b", "3", "c", "d"])),
        ("version: 3", "/version", json!("3")),
        ("description: ''", "/description", Value::Null),
        ("parameters: null", "/parameters", Value::Null),
        ("command: echo hi", "/entrypoint", json!({"kind": "shell", "command": "echo hi"})),
        ("command: [sleep, 3]", "/entrypoint", json!({"kind": "program", "arguments": ["sleep", "3"]})),
        ("entrypoint: ./flow.py:clean_up", "/entrypoint", json!({"kind": "python", "path": "flow.py", "function": "clean_up"})),
        ("entrypoint: pkg/../flow.py:clean_up", "/entrypoint/path", json!("flow.py")),
        ("entrypoint: pkg:main", "/entrypoint", json!({"kind": "module", "module": "pkg", "function": "main"})),
        ("entrypoint: pkg.main", "/entrypoint", json!({"kind": "module", "module": "pkg", "function": "main"})),
        ("entrypoint: pkg.main", "/description", json!("The main job.")),
        ("entrypoint: flow.py:get_repo_info\nparameters: {repo: x}", "/description", json!("Reports on a repository.\n\nAt length.")),
        ("entrypoint: flow.py:get_repo_info\nparameters: {repo: x, deep: yes}", "/parameters/deep", json!(true)),
        ("entrypoint: flow.py:get_repo_info\nparameters: {repo: yes}", "/parameters/repo", json!("yes")),
        ("paused: yes", "/paused", json!(true)),
        ("paused: Off", "/paused", json!(false)),
        ("enforce_parameter_schema: null", "/enforce_parameter_schema", json!(true)),
        ("concurrency_limit: 3", "/concurrency_limit", json!({"limit": 3, "collision_strategy": "ENQUEUE"})),
        ("concurrency_limit: '{{ $LIMIT }}'", "/concurrency_limit/limit", json!(3)),
        ("concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW, grace_period_seconds: 60}", "/concurrency_limit",
            json!({"limit": 1, "collision_strategy": "CANCEL_NEW", "grace_period_seconds": 60})),
        ("env: {A: 1, B: true, C: null, D: '{{ $REGION }}'}", "/env", json!({"A": "1", "B": "true", "C": null, "D": "eu"})),
        ("env: {T: '{{ $API_KEY }}'}", "/env/T", json!("{{ $API_KEY }}")),
        ("env: {T: '{{ API_KEY }}'}", "/env/T", json!("{{ API_KEY }}")),
        ("env: {T: '{{ $UNSET }}'}", "/env/T", json!("{{ $UNSET }}")),
        ("command: 'echo {{ parameters.x }} {{ REGION }}'", "/entrypoint/command", json!("echo {{ parameters.x }} eu")),
        ("working_dir: ./jobs//x/", "/working_dir", json!("jobs/x")),
        ("working_dir: .", "/working_dir", Value::Null),
        ("retries: 2\nretry_delay_seconds: [1, 5, 5]", "/retry_delay_seconds", json!([1.0, 5.0])),
        ("retry_delay_seconds: {exponential: 10, cap: 60, jitter: 0.2}", "/retry_delay_seconds", json!([10.0, 20.0, 40.0, 60.0])),
        ("retry_delay_seconds: {exponential: 10, cap: 60, jitter: 0.2}", "/retry_jitter_factor", json!(0.2)),
        ("retry_delay_seconds: exponential", "/retry_delay_seconds/8", json!(2560.0)),
        ("retry_on: [75, 1-5, SIGKILL, timeout, crashed]", "/retry_on", json!(["75", "1-5", "SIGKILL", "timeout", "crashed"])),
        ("retry_on: timeout", "/retry_on", json!(["timeout"])),
        ("user: 1000\nnice: 10\numask: \"027\"\nmemory_max: 512M\ncpu_max: 0.5", "/job_variables", json!({"user": 1000, "nice": 10, "umask": "027", "memory_max": "512M", "cpu_max": 0.5})),
        ("job_variables: {nice: 5, working_dir: x}\nnice: 5\ngrace_seconds: \"2.5\"", "/job_variables", json!({"nice": 5, "working_dir": "x", "grace_seconds": 2.5})),
        ("retry_delay_seconds: 0", "/retry_delay_seconds", Value::Null),
        ("timeout_seconds: 90", "/timeout_seconds", json!(90.0)),
        ("work_pool: {name: p, work_queue_name: q}", "/work_queue", json!("q")),
        ("work_pool: null", "/work_pool", Value::Null),
        ("work_pool: {name: p, job_variables: {a: 1, b: 1}}\njob_variables: {b: 2}", "/job_variables", json!({"a": 1, "b": 2})),
        ("infra_overrides: {a: 1}\njob_variables: {a: 2}", "/job_variables", json!({"a": 2})),
        ("work_pool_name: p\nwork_queue_name: q", "/work_pool", json!("p")),
        ("job_variables: {image: '{{ prefect.variables.image }}'}", "/job_variables/image", json!("{{ prefect.variables.image }}")),
        ("pull: []", "/pull_steps", json!([])),
        ("pull: {prefect.deployments.steps.set_working_directory: {directory: '{{ $REGION }}/{{ $API_KEY }}/{{ clone.x }}'}}", "/pull_steps",
            json!([{"prefect.deployments.steps.set_working_directory": {"directory": "eu/{{ $API_KEY }}/{{ clone.x }}"}}])),
        ("triggers: [{enabled: true, parameters: {x: '{{ event.id }}'}}]", "/triggers/0/parameters/x", json!("{{ event.id }}")),
        ("path: .", "/path", Value::Null),
        ("is_schedule_active: false", "/paused", json!(true)),
    ];
    for (lines, pointer, expected) in table {
        let found = json_of(lines);
        assert_eq!(found.pointer(pointer).unwrap_or(&Value::Null), expected, "{lines}\n{found:#}");
    }
}

#[test]
fn spellings_that_mean_the_same_are_equal() {
    let table = [
        ("tags: a", "tags: [a]"),
        ("schedule: {cron: '0 9 * * *'}", "schedules: [{cron: '0  9 * * *', timezone: UTC, active: yes, day_or: true}]"),
        ("schedule: {interval: 900}", "schedules: [{interval: PT15M}]"),
        ("schedule: {interval: '00:15:00'}", "schedules: [{schedule: {interval: 900.0}, active: true}]"),
        ("schedule: {interval: 900, anchor_date: '2025-01-01T00:00:00+00:00'}", "schedule: {interval: 900, anchor_date: 2025-01-01}"),
        ("schedule: {interval: 60, anchor_date: '2025-01-01T01:00:00', timezone: Europe/Berlin}",
            "schedule: {interval: 60, anchor_date: '2025-01-01T00:00:00Z', timezone: Europe/Berlin}"),
        ("schedule: {rrule: 'FREQ=DAILY'}", "schedule: {rrule: '{\"rrule\": \"FREQ=DAILY\", \"timezone\": \"UTC\"}'}"),
        ("schedule: {}", "schedules: null"),
        ("schedule: null", "schedules: []"),
        ("schedule: '0 9 * * *'", "schedule: {cron: '0 9 * * *'}"),
        ("work_pool: p", "work_pool: {name: p}"),
        ("retry_delay_seconds: 5", "retry_delay_seconds: [5.0, 5]"),
        ("timeout_seconds: 60", "timeout_seconds: 60.0"),
        ("concurrency_limit: 2", "concurrency_limit: {limit: '2'}"),
        ("working_dir: ''", "working_dir: ./"),
    ];
    for (left, right) in table {
        assert_eq!(spec(left), spec(right), "{left}\n{right}");
    }
}

#[test]
fn schedules_keep_what_stands_around_their_rule() {
    let found = json_of("schedules:\n- {cron: '0 9 * * 1-5', timezone: Europe/Berlin, slug: morning, active: no, parameters: {x: 1}, max_scheduled_runs: 5, day_or: no}\n- schedule: {interval: 60}\n");
    assert_eq!(
        found["schedules"],
        json!([
            {"kind": "cron", "expression": "0 9 * * 1-5", "day_or": false, "timezone": "Europe/Berlin", "active": false, "slug": "morning",
             "parameters": {"x": 1}, "max_scheduled_runs": 5},
            {"kind": "interval", "every": 60_000_000, "active": true},
        ])
    );
}

/// A part of the first schedule of a deployment with these lines.
fn first_schedule(lines: &str, pointer: &str) -> Value {
    let found = json_of(lines);
    found.pointer(&format!("/schedules/0{pointer}")).cloned().unwrap_or(Value::Null)
}

#[test]
fn policies_are_read_in_every_spelling() {
    let hour = 3_600_000_000u64;
    for (line, pointer, expected) in [
        ("missed: latest", "/policy", Value::Null),
        ("missed: skip", "/policy/missed", json!({"run": "skip"})),
        ("missed: all", "/policy/missed", json!({"run": "all"})),
        ("missed: {run: all, within: 6h, limit: 50}", "/policy/missed", json!({"run": "all", "within": 6 * hour, "limit": 50})),
        ("missed: {within: PT6H}", "/policy/missed", json!({"within": 6 * hour})),
        ("catchup: true", "/policy/missed", json!({"run": "all"})),
        ("catchup: false", "/policy", Value::Null),
        ("on_resume: latest", "/policy/on_resume", json!("latest")),
        ("on_resume: skip", "/policy", Value::Null),
        ("overlap: allow", "/policy", Value::Null),
        ("overlap: skip", "/policy/overlap", json!({"then": "skip"})),
        ("overlap: queue", "/policy/overlap", json!({"then": "queue", "most": 100})),
        ("overlap: {queue: 3}", "/policy/overlap", json!({"then": "queue", "most": 3})),
        ("overlap: cancel_running", "/policy/overlap", json!({"then": "cancel_running"})),
        ("max_active_runs: 1", "/policy/overlap", json!({"then": "queue", "most": 100})),
        ("expire_after: 90m", "/policy/expire_after", json!(hour * 3 / 2)),
        ("expire_after: never", "/policy", Value::Null),
        ("jitter: 300", "/policy/jitter", json!(hour / 12)),
        ("jitter: 0", "/policy", Value::Null),
        ("spread: '01:00:00'", "/policy/spread", json!(hour)),
        ("starts: 2026-12-01", "/limits/starts", json!("2026-12-01T00:00:00")),
        ("ends: 2026-12-01T18:00", "/limits/ends", json!("2026-12-01T18:00:00")),
        ("exclude: sat,sun", "/limits/exclude", json!([{"span": "weekly", "days": 96, "from": "00:00:00", "to": "00:00:00"}])),
        ("exclude: []", "/limits", Value::Null),
        ("include: [2026-12-24, [2026-12-24]]", "/limits/include", json!([{"span": "days", "from": "2026-12-24", "to": "2026-12-24"}])),
        ("dst: {gap: skip}", "/dst", json!({"gap": "skip", "overlap": "first"})),
        ("dst: {gap: later, overlap: first}", "/dst", Value::Null),
    ] {
        let inside = format!("schedules:\n- cron: 0 9 * * *\n  {line}");
        assert_eq!(first_schedule(&inside, pointer), expected, "{line} in a schedule");
        if !line.starts_with("catchup") && !line.starts_with("max_active") {
            let around = format!("{line}\nschedule: {{cron: 0 9 * * *}}");
            assert_eq!(first_schedule(&around, pointer), expected, "{line} on a deployment");
        }
    }
}

#[test]
fn a_schedules_word_wins_key_by_key() {
    for (around, inside, pointer, expected) in [
        ("missed: all", "missed: skip", "/policy/missed/run", json!("skip")),
        ("missed: all", "missed: latest", "/policy", Value::Null),
        ("missed: all", "catchup: false", "/policy", Value::Null),
        ("missed: all", "overlap: skip", "/policy/missed/run", json!("all")),
        ("jitter: 5m", "jitter: 0", "/policy", Value::Null),
        ("expire_after: 5m", "expire_after: never", "/policy", Value::Null),
        ("exclude: sat", "exclude: []", "/limits", Value::Null),
        ("exclude: sat", "exclude: 2026-12-24", "/limits/exclude/0/span", json!("days")),
        ("starts: 2026-12-01", "ends: 2026-12-31", "/limits/starts", json!("2026-12-01T00:00:00")),
        ("dst: {gap: skip}", "dst: {overlap: both}", "/dst", json!({"gap": "skip", "overlap": "both"})),
        ("dst: {gap: skip}", "dst: {gap: later}", "/dst", Value::Null),
    ] {
        let lines = format!("{around}\nschedules:\n- cron: 0 9 * * *\n  {inside}");
        assert_eq!(first_schedule(&lines, pointer), expected, "{lines}");
    }
}

#[test]
fn calendars_are_shared_by_the_files_of_a_project() {
    let calendars = "calendars:\n  holidays: {file: ./holidays.ics}\n  closed: [2027-01-02/2027-01-03, sun]\n";
    let deployments = "deployments:\n- name: a\n  command: x\n  exclude: [closed, holidays, 2026-12-31]\n  schedule: '@daily'\n";
    for files in [&[("deployment.yaml", &*format!("{calendars}{deployments}"))][..], &[("deployment.yaml", deployments), ("more.yaml", calendars)]] {
        let loaded = load_files(files);
        let desired = loaded.desired.unwrap_or_else(|| panic!("{}", manifest::render_problems(&loaded.problems, false)));
        let exclude = &desired.deployments.values().next().unwrap().spec.schedules[0].spec.limits.exclude;
        let shown: Vec<_> = exclude.iter().map(|period| (period.span.to_string(), period.name.as_deref())).collect();
        assert_eq!(
            shown,
            [
                ("2026-12-31".to_owned(), None),
                ("2027-01-02/2027-01-03".to_owned(), Some("closed")),
                ("sun".to_owned(), Some("closed")),
                ("2026-12-24/2026-12-26".to_owned(), Some("holidays: Christmas")),
            ]
        );
        assert!(desired.files.contains_key("holidays.ics"), "it is one of the project's files");
    }
}

#[test]
fn a_flow_is_named_by_its_decorator_then_flow_name_then_its_function() {
    let names = |lines: &str| -> Vec<String> {
        desired(&format!("deployments:\n{lines}")).deployments.keys().map(ToString::to_string).collect()
    };
    assert_eq!(names("- {name: a, entrypoint: 'flow.py:get_repo_info'}"), ["Repo Info/a"]);
    assert_eq!(names("- {name: a, entrypoint: 'flow.py:get_repo_info', flow_name: x}"), ["Repo Info/a"]);
    assert_eq!(names("- {name: a, entrypoint: 'flow.py:clean_up', flow_name: tidy}"), ["tidy/a"]);
    assert_eq!(names("- {name: a, entrypoint: 'flow.py:clean_up', flow_name: ''}"), ["clean-up/a"]);
    assert_eq!(names("- {name: a, entrypoint: 'flow.py:clean_up'}"), ["clean-up/a"]);
    assert_eq!(names("- {name: a, command: x}\n- {name: b, command: x, flow_name: shell}"), ["a/a", "shell/b"]);
}

#[test]
fn signatures_become_parameter_schemas() {
    let spec = spec("entrypoint: flow.py:get_repo_info\nparameters: {repo: x}");
    let schema = spec.parameter_schema.unwrap();
    assert_eq!(schema["required"], json!(["repo"]));
    assert_eq!(schema["properties"]["deep"]["type"], "boolean");
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let desired = desired(
        "definitions:\n  base: &base\n    command: x\n    tags: [a]\n    retries: 1\n  more: &more {retries: 2, version: v}\ndeployments:\n- <<: [*base, *more]\n  name: a\n  tags: [b]\n",
    );
    let spec = &desired.deployments[&FullName::new("a", "a")].spec;
    assert_eq!((spec.retries, spec.version.as_deref(), spec.tags.as_slice()), (1, Some("v"), ["b".to_owned()].as_slice()));
}

#[test]
fn a_project_is_named_by_its_file_else_by_its_directory() {
    assert_eq!(desired("name: reports\ndeployments: []\n").project, "reports");
    assert_eq!(desired("name: null\ndeployments: []\n").project, "nightly");
    assert_eq!(desired("name: 'reports-{{ $REGION }}'\ndeployments: []\n").project, "reports-eu");
    // In a one-deployment file the name is the deployment's.
    let one = desired("name: a\nentrypoint: flow.py:clean_up\n");
    assert_eq!((one.project.as_str(), one.deployments.keys().next().unwrap().to_string().as_str()), ("nightly", "clean-up/a"));
    let place = one.deployments.values().next().unwrap();
    assert_eq!((place.file.as_str(), place.pointer.as_str()), ("deployment.yaml", ""));
}

#[test]
fn prefect_2_10_has_its_steps_in_a_second_file() {
    let deployments = "deployments:\n- {name: a, command: x}\n- {name: b, command: x, pull: []}\n";
    let steps = "name: pair\nbuild: null\npull:\n- prefect.projects.steps.git_clone_project: {repository: r}\n";
    let loaded = load_files(&[("deployment.yaml", deployments), ("prefect.yaml", steps)]);
    let desired = loaded.desired.unwrap();
    let pull = |name: &str| desired.deployments[&FullName::new(name, name)].spec.pull_steps.clone().unwrap();
    assert_eq!(desired.project, "pair");
    assert_eq!(pull("a"), [json!({"prefect.projects.steps.git_clone_project": {"repository": "r"}})]);
    assert!(pull("b").is_empty());
    assert_eq!(desired.files.keys().collect::<Vec<_>>(), ["deployment.yaml", "prefect.yaml"]);
}

#[test]
fn files_of_one_project_must_agree() {
    let first = ("a.yaml", "name: one\ndeployments:\n- {name: a, command: x}\n");
    let loaded = load_files(&[first, ("b.yaml", "name: two\ndeployments:\n- {name: a, command: y}\n")]);
    assert!(loaded.desired.is_none());
    assert_eq!(
        loaded.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "b.yaml:1:7: error: this file names the project `two`, another `one` (the other stands at a.yaml:1:7; all files of one project name it alike, or not at all)",
            "b.yaml:3:10: error: the deployment `a/a` is declared twice (first declared at a.yaml:3:10)",
        ]
    );
    let loaded = load_files(&[first, ("b.yaml", "deployments:\n- {name: b, entrypoint: 'flow.py:clean_up'}\n")]);
    assert_eq!(loaded.problems, []);
    let desired = loaded.desired.unwrap();
    assert_eq!(desired.deployments.len(), 2);
    assert_eq!(desired.files.keys().collect::<Vec<_>>(), ["a.yaml", "b.yaml", "flow.py"]);
    assert_eq!(desired.files["a.yaml"].len(), 64);
}

#[test]
fn work_pools_and_queues_are_declared() {
    let desired = desired(
        "work_pools:\n- name: local\n- name: k\n  type: kubernetes\n  concurrency_limit: 0\n  paused: on\n  description: d\n  base_job_template: {variables: {}, job_configuration: {image: '{{ image }}'}}\n  queues: [{name: q, priority: 3, tags: [b, a]}]\nwork_queues:\n- {name: agent, filter: {deployments: [a]}}\n- {name: q, pool: local, concurrency_limit: 1}\ndeployments:\n- {name: a, command: x}\n",
    );
    let pools: Vec<Value> = desired.work_pools.values().map(|pool| serde_json::to_value(&pool.spec).unwrap()).collect();
    assert_eq!(
        pools,
        [
            json!({"type": "kubernetes", "description": "d", "concurrency_limit": 0, "paused": true,
                "base_job_template": {"variables": {}, "job_configuration": {"image": "{{ image }}"}}}),
            json!({"type": "process", "paused": false}),
        ]
    );
    let queues: Vec<Value> =
        desired.work_queues.iter().map(|((pool, name), queue)| json!([pool, name, serde_json::to_value(&queue.spec).unwrap()])).collect();
    assert_eq!(
        queues,
        [
            json!(["default-agent-pool", "agent", {"priority": 1, "paused": false, "filter": {"deployments": ["a/a"]}}]),
            json!(["k", "q", {"priority": 3, "paused": false, "filter": {"tags": ["a", "b"]}}]),
            json!(["local", "q", {"priority": 1, "concurrency_limit": 1, "paused": false}]),
        ]
    );
}

#[test]
fn a_template_with_nothing_to_deploy_declares_nothing() {
    let loaded = load_files(&[("prefect.yaml", "name: x\nprefect-version: 3.0.0\nbuild: null\npush: null\npull: null\ndeployments: null\n")]);
    assert_eq!(loaded.problems, []);
    assert!(loaded.desired.unwrap().is_empty());
}

#[test]
fn the_place_of_an_object_is_found_from_its_pointer() {
    let text = "definitions:\n  pool: &pool\n    name: p\ndeployments:\n- name: a\n  work_pool: *pool\n- <<: {retries: 1}\n  name: b\n";
    for (pointer, expected) in [
        ("/deployments", Some((4, 1))),
        ("/deployments/0", Some((5, 3))),
        ("/deployments/0/name", Some((5, 3))),
        ("/deployments/0/work_pool", Some((6, 3))),
        ("/deployments/0/work_pool/name", Some((3, 5))),
        ("/deployments/1/retries", Some((7, 8))),
        ("/deployments/1/name", Some((8, 3))),
        ("", Some((1, 1))),
        ("/deployments/2", None),
        ("/nothing", None),
    ] {
        assert_eq!(manifest::locate(text, pointer), expected, "{pointer}");
    }
}

/// Run with `REEVE_UPDATE=1` to write the schema that editors use.
#[test]
fn the_shipped_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/deployment.schema.json");
    let generated = format!("{}\n", serde_json::to_string_pretty(&manifest::json_schema()).unwrap());
    if std::env::var_os("REEVE_UPDATE").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let shipped = std::fs::read_to_string(path).unwrap_or_default();
    assert!(shipped == generated, "schemas/deployment.schema.json is not what the types say; REEVE_UPDATE=1 rewrites it");
}

#[test]
fn a_slip_in_a_key_that_decides_what_runs_is_an_error_and_other_unknown_keys_are_none() {
    for (entry, is_error) in [
        ("{nmae: a, command: x}", true),
        ("{name: a, comand: x}", true),
        ("{name: a, command: x, scheduel: {cron: '@daily'}}", true),
        ("{name: a, command: x, schedules: [{cron: '@daily', timezon: Europe/Berlin}]}", true),
        ("{name: a, command: x, pause: true}", true),
        ("{command: x, flow_name: f}", true),
        ("{name: a, command: x, schedules: [], scheduel: {cron: '@daily'}}", true),
        ("{name: a, command: x, schedule: {cron: '@daily'}, scheduel: nightly}", false),
        ("{name: a, command: x, schedule_note: nightly, x-schedul: 1, tag: [b], owner: me, pasued: null}", false),
        ("{name: null, entrypoint: null, work_pool: {name: null}}", false),
        ("{description: to come}", false),
    ] {
        let loaded = load_files(&[("deployment.yaml", &format!("deployments: [{entry}]\n"))]);
        let errors: Vec<&str> = loaded.problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.code.as_str()).collect();
        let said = errors.iter().any(|code| ["misspelt-key", "unnamed-deployment"].contains(code));
        assert_eq!((loaded.desired.is_none(), said), (is_error, is_error), "{entry}: {errors:?}");
    }
}

#[test]
fn under_the_name_of_a_secret_a_variable_stays_a_reference() {
    let spec = spec(
        "env: {QUOTE_PASSWORD: '{{ $REGION }}', BARE_PASSWORD: 'x {{ REGION }}', WHERE: '{{ $REGION }}'}\n\
         job_variables: {env: {DB_PASSWORD: '{{ $REGION }}', WHERE: '{{ $REGION }}'}}\n\
         parameters: {password: '{{ $REGION }}', where: '{{ $REGION }}'}\n\
         pull: [{run_shell_script: {script: ls, env: {TOKEN: '{{ $REGION }}', WHERE: '{{ $REGION }}'}}}]",
    );
    let env = |name: &str| spec.env[name].as_ref().unwrap().text();
    assert_eq!([env("QUOTE_PASSWORD"), env("BARE_PASSWORD"), env("WHERE")], ["{{ $REGION }}", "x {{ $REGION }}", "eu"]);
    assert_eq!(spec.job_variables["env"], json!({"DB_PASSWORD": "{{ $REGION }}", "WHERE": "eu"}));
    assert_eq!(Value::Object(spec.parameters), json!({"password": "{{ $REGION }}", "where": "eu"}));
    assert_eq!(spec.pull_steps.unwrap()[0]["run_shell_script"]["env"], json!({"TOKEN": "{{ $REGION }}", "WHERE": "eu"}));
}

#[test]
fn a_variable_that_is_marked_once_is_secret_in_the_whole_project() {
    let marks = "deployments: [{name: m, command: x, job_variables: {env: {Z: {secret: 'at {{ REGION }}'}}}}]\n";
    let uses = "deployments: [{name: u, command: x, working_dir: '{{ $REGION }}', env: {WHERE: '{{ REGION }}', MODE: a}, parameters: {where: ['{{ $REGION }}']}}]\n";
    let loaded = load_files(&[("a.yaml", marks), ("b.yaml", uses)]);
    let specs = loaded.desired.unwrap_or_else(|| panic!("{:?}", loaded.problems)).deployments;
    let spec = |name: &str| &specs[&FullName::new(name, name)].spec;
    assert_eq!(spec("m").job_variables["env"], json!({"Z": {"secret": "at {{ $REGION }}"}}));
    assert!(spec("m").env.is_empty());
    assert_eq!(spec("u").working_dir.as_deref(), Some("{{ $REGION }}"));
    assert_eq!(Value::Object(spec("u").parameters.clone()), json!({"where": ["{{ $REGION }}"]}));
    let env = json!({"MODE": "a", "REGION": {"secret": "{{ $REGION }}"}, "WHERE": {"secret": "{{ REGION }}"}});
    assert_eq!(serde_json::to_value(&spec("u").env).unwrap(), env, "what it uses, its runs know to be secret");
    let refused = load_files(&[("a.yaml", marks), ("b.yaml", "deployments: [{name: u, command: 'echo {{ $REGION }}'}]\n")]);
    assert_eq!(refused.problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), ["secret-argument"]);
}
