//! What is stored, written as the entries of a project file, declares exactly what is stored: adding them changes nothing.
use reeve::manifest::{self, FileContent, Files, Input, Loaded, ManifestFile, OnMissing};
use reeve::model::desired::Desired;
use reeve::reconcile::entry::{Entries, Writer};
use std::path::{Path, PathBuf};

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> FileContent {
        match path {
            "etl.py" => FileContent::Found(b"from prefect import flow\n\n@flow(name='Named Flow')\ndef named(days: int = 1):\n    'Loads.'\n\ndef plain_job(x: str = 'y'):\n    pass\n".to_vec()),
            _ => FileContent::Missing,
        }
    }
}

fn load(text: &str) -> Loaded {
    let manifests = [ManifestFile { path: "deployment.yaml".to_owned(), content: text.as_bytes().to_vec() }];
    manifest::load(&Input {
        root: "/srv/etl",
        manifests: &manifests,
        files: &NoFiles,
        environment: &|_| None,
        strict: false,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Warning,
    })
}

fn desired(text: &str) -> Desired {
    let loaded = load(text);
    loaded.desired.unwrap_or_else(|| panic!("{text}\n{}", manifest::render_problems(&loaded.problems, false)))
}

/// Every deployment by itself in a file of its own; its entry is given back.
fn comes_back(declared: &Desired) -> Vec<Entries> {
    let mut all = Vec::new();
    for (name, before) in &declared.deployments {
        let mut writer = Writer::default();
        writer.spec(name, &before.spec);
        let entries = writer.finish();
        let again = desired(&entries.yaml);
        let (found, after) = again.deployments.iter().next().unwrap();
        assert_eq!((found, again.deployments.len()), (name, 1), "{}", entries.yaml);
        assert_eq!(after.spec, before.spec, "{}", entries.yaml);
        all.push(entries);
    }
    all
}

const ALL: &str = r#"
calendars: {holidays: ["2026-12-24", "2027-01-01/2027-01-03"]}
deployments:
  - {name: bare, command: 'true'}
  - {name: "no", command: [echo, "a: b", "", "{{ parameters.day }}"], version: 3, tags: [a, "1"], description: "two\nlines: \"x\""}
  - {name: named, entrypoint: "etl.py:named", parameters: {days: 3}, work_pool: {name: local, work_queue_name: fast, job_variables: {image: x}}}
  - {name: plain, entrypoint: "etl.py:plain_job", enforce_parameter_schema: false, parameters: {x: null, n: {a: [1, 2.5, {b: []}]}, t: 'yes'}}
  - {name: module, entrypoint: "pkg.mod:main", flow_name: Other Flow, path: sub/dir, working_dir: there}
  - {name: limits, command: x, concurrency_limit: 2, retries: 3, retry_delay_seconds: [1, 2.5, 60], timeout_seconds: 0.5}
  - {name: strategy, command: x, concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW, grace_period_seconds: 90}, retries: 1, retry_delay_seconds: 30}
  - {name: env, command: x, env: {LANG: C, GONE: null, N: 1, REF: "{{ $API_TOKEN }}"}, paused: true}
  - {name: pull, command: x, pull: [{prefect.deployments.steps.git_clone: {repository: "https://x/y", branch: main}}]}
  - {name: nopull, command: x, pull: []}
  - name: crons
    command: x
    schedules:
      - {cron: "0 9 * * 1-5", timezone: Europe/Berlin, slug: early, parameters: {a: 1}, active: false}
      - {cron: "@daily", day_or: false, missed: {run: all, within: 2h, limit: 5}, on_resume: latest}
      - {cron: "*/5 8 * * *", overlap: {queue: 3}, expire_after: 30m, jitter: 2m, spread: 1m, max_scheduled_runs: 4}
      - {cron: "30 2 * * *", timezone: America/New_York, dst: {gap: skip, overlap: both}, overlap: cancel_running, missed: skip}
  - name: intervals
    command: x
    schedules:
      - {interval: 0.5}
      - {interval: P1D, timezone: Asia/Tokyo, anchor_date: "2025-01-01T09:00:00"}
      - {interval: 900, anchor_date: "2025-01-01T09:00:00+02:00", starts: "2026-01-01", ends: "2026-12-31", overlap: skip}
  - name: rrules
    command: x
    schedules:
      - {rrule: "FREQ=WEEKLY;BYDAY=MO,WE", timezone: Europe/Paris, exclude: [holidays, "sat-sun"], include: ["mon-fri 08:00-18:00"]}
      - {rrule: "DTSTART;TZID=Europe/Paris:20250101T090000\nRRULE:FREQ=DAILY;COUNT=3"}
"#;

#[test]
fn every_field_comes_back() {
    let declared = desired(ALL);
    let entries = comes_back(&declared);
    assert_eq!(entries.len(), declared.deployments.len());
    assert!(entries.iter().all(|entries| entries.remarks.is_empty()), "{entries:#?}");
    let bare = entries.iter().find(|entries| entries.yaml.contains("name: bare")).unwrap();
    assert_eq!(bare.yaml, "deployments:\n  - name: bare\n    command: \"true\"\n", "only what is not at its default is written");
}

#[test]
fn what_may_be_secret_is_masked_and_said() {
    let declared = desired("deployments: [{name: a, command: x, env: {DB_PASSWORD: hunter2, LANG: C}, parameters: {api_key: k, n: 1}}]\n");
    let (name, found) = declared.deployments.iter().next().unwrap();
    let mut writer = Writer::default();
    writer.spec(name, &found.spec);
    let Entries { yaml, remarks } = writer.finish();
    assert!(!yaml.contains("hunter2") && yaml.contains("DB_PASSWORD: \"***\"") && yaml.contains("LANG: C"), "{yaml}");
    assert_eq!(remarks, ["`***` stands for values of a/a that may be secret (parameters/api_key, env/DB_PASSWORD): put them in yourself"]);
}

fn corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("REEVE_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let corpus = shared.join("corpus");
    if corpus.join("VERDICTS.tsv").exists() {
        return Some(corpus);
    }
    eprintln!("skipped: there is no {}", corpus.display());
    None
}

#[test]
fn real_files_come_back() {
    let Some(corpus) = corpus() else { return };
    let table = std::fs::read_to_string(corpus.join("VERDICTS.tsv")).unwrap();
    let mut deployments = 0;
    for file in table.lines().skip(1).filter_map(|line| line.split('\t').next()) {
        let Ok(text) = std::fs::read_to_string(corpus.join(file)) else { continue };
        let Some(mut declared) = load(&text).desired else { continue };
        // The schema of an old file's own key, and what may be secret, are not written.
        declared.deployments.retain(|name, found| {
            let mut writer = Writer::default();
            writer.spec(name, &found.spec);
            found.spec.parameter_schema.is_none() && writer.finish().remarks.is_empty()
        });
        deployments += comes_back(&declared).len();
    }
    assert!(deployments > 100, "only {deployments} deployments were found");
}
