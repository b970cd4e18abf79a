//! Planning in CI: against a git revision, without a home, a daemon or production; what a workflow sees.
mod common;

use common::{Answer, Host};
use std::fs;
use std::path::Path;
use std::process::Command;

const THEN: &str = "
name: etl
work_pools: [{name: local, type: process, concurrency_limit: 2}]
deployments:
  - {name: nightly, command: 'echo load', work_pool: {name: local}, schedule: {cron: '0 2 * * *'}}
  - {name: old, command: 'echo old'}
";

const NOW: &str = "
name: etl
work_pools: [{name: local, type: process, concurrency_limit: 4}]
deployments:
  - {name: nightly, command: 'echo load', work_pool: {name: local}, schedule: {cron: '0 3 * * *'}}
  - {name: fresh, command: 'echo fresh'}
";

fn git(directory: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=reeve", "-c", "user.email=reeve@example.org", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").arg("-C").arg(directory).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A project whose first commit is `then`; its working tree is `now`.
fn repository(then: &str, now: &str) -> Host {
    let host = Host::new(then);
    git(&host.project(), &["init", "-q"]);
    git(&host.project(), &["add", "."]);
    git(&host.project(), &["commit", "-q", "-m", "then"]);
    host.write("deployment.yaml", now);
    host
}

fn against(host: &Host, revision: &str, more: &[&str]) -> Answer {
    let mut arguments = vec!["reconcile", "--dry-run", "--against", revision];
    arguments.extend(more);
    host.cli(&arguments)
}

#[test]
fn a_working_tree_is_planned_against_a_revision_without_a_home() {
    let host = repository(THEN, NOW);
    let texts = ["+ fresh/fresh", "~ concurrency_limit: 2 -> 4", "every day at 03:00", "- old/old", "1 to create, 2 to update, 1 to prune"];
    against(&host, "HEAD", &[]).exits(4).says(&texts);
    against(&host, "HEAD", &["--fail-on", "refused,drift"]).exits(0);
    against(&host, "HEAD", &["--fail-on", "destructive"]).exits(4);
    let plan = against(&host, "main", &["-o", "json"]).exits(4).json();
    assert_eq!(plan["plan"]["counts"], serde_json::json!({"create": 1, "update": 2, "adopt": 0, "rename": 0, "restore": 0, "prune": 1, "unchanged": 0, "drift": 0, "drift_left": 0, "kept": 0}));
    against(&host, "HEAD", &["-o", "markdown"]).exits(4).says(&["### reeve plan for `etl` against `HEAD`", "```diff", "-  old/old"]);
    assert!(!host.home().exists(), "no home is needed, and none was made");
    host.write("deployment.yaml", THEN);
    against(&host, "HEAD", &[]).exits(0).says(&["In sync"]);
}

#[test]
fn what_cannot_be_compared_says_why() {
    let host = repository("name: etl\ndeployments: [{name: x, command: y, schedule: {cron: never}}]\n", NOW);
    against(&host, "HEAD", &[]).exits(1).says(&["the project's files at HEAD are wrong themselves"]);
    against(&host, "nowhere", &[]).exits(1).says(&["git knows no commit `nowhere` here"]);
    host.cli(&["reconcile", "--against", "HEAD"]).exits(1).says(&["--dry-run"]);
    // A file, or the whole project, is new: what it declares is to create.
    host.write("other.yaml", NOW);
    against(&host, "HEAD", &["-f", "other.yaml"]).exits(2).says(&["3 to create", "+ fresh/fresh"]);
    let fresh = repository("name: etl\n", NOW);
    git(&fresh.project(), &["rm", "-q", "-f", "deployment.yaml"]);
    git(&fresh.project(), &["commit", "-q", "--allow-empty", "-m", "none"]);
    fresh.write("deployment.yaml", NOW);
    against(&fresh, "HEAD", &[]).exits(2).says(&["to create"]);
}

#[test]
fn every_form_of_output_carries_what_failed() {
    let schema = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/plan.schema.json")).unwrap();
    let plan_schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let schema = jsonschema::validator_for(&plan_schema).unwrap();
    let broken = repository("name: etl\ndeployments: [{name: x, command: y, schedule: {cron: never}}]\n", NOW);
    let wrong = Host::new("name: etl\ndeployments: [{name: x, command: y, schedule: {cron: never}}]\n");
    let none = Host::new(NOW);
    fs::remove_file(none.project().join("deployment.yaml")).unwrap();
    for (host, more, error, problems) in [
        (&broken, &["--against", "HEAD"][..], "the project's files at HEAD are wrong themselves", 1),
        (&broken, &["--against", "nowhere"], "git knows no commit `nowhere` here", 0),
        (&wrong, &[], "1 error in the files: nothing was changed", 1),
        (&none, &[], "holds no project file", 0),
    ] {
        let said = |form: &str| host.cli(&[&["reconcile", "--dry-run", "-o", form], more].concat()).exits(1);
        let report = said("json").json();
        let misfits: Vec<String> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(misfits.is_empty(), "{misfits:#?}\n{report:#}");
        assert!(report["error"].as_str().unwrap().contains(error), "{report:#}");
        assert_eq!((&report["format"], &report["exit_code"], &report["plan"]), (&1.into(), &1.into(), &serde_json::Value::Null));
        assert_eq!(report["problems"].as_array().unwrap().len(), problems, "{report:#}");
        let (comment, annotations) = (said("markdown").out, said("github").out);
        assert!(comment.starts_with("### reeve ") && (comment.contains("CAUTION") || comment.contains("problem in the files")), "{comment}");
        assert!(annotations.lines().any(|line| line.starts_with("::error ")), "{annotations}");
    }
    let gone = Host::new(NOW);
    gone.cli(&["reconcile"]).exits(0);
    fs::remove_file(gone.project().join("deployment.yaml")).unwrap();
    let report = gone.cli(&["reconcile", "-o", "json"]).exits(3).json();
    assert!(report["exit_code"] == 3 && report["error"].as_str().unwrap().contains("reeve project delete etl"), "{report:#}");
    let schema_of = |what: &str| gone.cli(&["schema", what]).exits(0).json();
    assert!(schema_of("plan") == plan_schema && schema_of("deployment") != plan_schema);
    let fine = Host::new(NOW);
    for (arguments, code) in [(&["--dry-run"][..], 2), (&["--dry-run", "--fail-on", "refused"], 0), (&[], 0)] {
        let report = fine.cli(&[&["reconcile", "-o", "json"], arguments].concat()).exits(code).json();
        assert_eq!(report["exit_code"], code, "{report:#}");
    }
    let report = gone.cli(&["apply", "none.json", "-o", "json"]).exits(1).json();
    assert!(report["error"].as_str().unwrap().starts_with("failed to read none.json"), "{report:#}");
}

#[test]
fn a_github_workflow_gets_annotations_and_a_summary() {
    let host = repository(THEN, &NOW.replace("command: 'echo fresh'", "command: 'echo fresh', tagz: [a]"));
    let summary = host.path().join("summary");
    let mut command = host.command();
    command.args(["reconcile", "--dry-run", "--against", "HEAD"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", host.path()).env("GITHUB_STEP_SUMMARY", &summary);
    let below = host.project().strip_prefix(host.path()).unwrap().display().to_string();
    let annotation = format!("::warning file={below}/deployment.yaml,line=6,col=");
    Answer::of(&mut command, &["reconcile"]).exits(4).says(&[&annotation, "title=reeve%3A unknown-key::", "title=reeve%3A prune::deployment old/old will stop"]);
    assert!(fs::read_to_string(summary).unwrap().contains("**1 to create, 2 to update, 1 to prune**"));
}

#[test]
fn the_example_script_runs_as_it_stands() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci");
    let host = repository(&fs::read_to_string(example.join("deployment.yaml")).unwrap(), "");
    let text = fs::read_to_string(example.join("deployment.yaml")).unwrap();
    host.write("deployment.yaml", &text.replace("0 2 * * *", "0 4 * * *"));
    let binaries = Path::new(env!("CARGO_BIN_EXE_reeve")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(example.join("plan.sh"));
    command.arg("main").current_dir(host.project()).env("PATH", path).env("REEVE_HOME", host.home());
    command.env_remove("GITHUB_ACTIONS").env_remove("REEVE_API_URL");
    Answer::of(&mut command, &["plan.sh"]).exits(2).says(&["every day at 04:00, Europe/Berlin"]);
}

#[test]
fn g9_a_saved_plan_is_carried_out_exactly_or_not_at_all() {
    let host = Host::new(THEN);
    host.cli(&["reconcile"]).exits(0);
    host.write("deployment.yaml", NOW);
    host.cli(&["reconcile", "--dry-run", "--out", "plan.json"]).exits(4);
    let before = host.sequence();

    // The files have moved on, then are as they were; what is stored has moved on.
    host.write("deployment.yaml", &NOW.replace("0 3", "0 4"));
    host.cli(&["apply", "plan.json"]).exits(3).says(&["is stale: the files have changed since it was made"]);
    host.write("deployment.yaml", NOW);
    host.cli(&["work-pool", "create", "other", "--type", "process"]).exits(0);
    host.cli(&["reconcile", "--dry-run"]).exits(4);
    let stale = host.cli(&["apply", "plan.json"]).exits(3);
    stale.says(&["is stale: what is stored has changed since it was made (revision"]);
    assert_eq!(host.sequence(), before + 1, "a stale plan writes nothing");

    let planned = host.cli(&["reconcile", "--dry-run", "--out", "plan.json", "-o", "json"]).exits(4).json();
    let applied = host.cli(&["apply", "plan.json", "-o", "json"]).exits(0).json();
    assert_eq!(applied["plan"]["steps"], planned["plan"]["steps"], "ids included");
    assert_eq!(applied["applied"], true);
    host.cli(&["reconcile", "--dry-run"]).exits(0).says(&["In sync"]);
    // It was carried out: it cannot be again.
    host.cli(&["apply", "plan.json"]).exits(3).says(&["stale"]);
    host.write("plan.json", "{}");
    host.cli(&["apply", "plan.json"]).exits(1).says(&["is not a plan that reeve saved"]);
    host.cli(&["apply", "none.json"]).exits(1).says(&["failed to read none.json"]);
}

#[test]
fn a_saved_plan_that_was_edited_is_refused() {
    let host = Host::new(THEN);
    host.cli(&["reconcile"]).exits(0);
    host.write("deployment.yaml", NOW);
    host.cli(&["reconcile", "--dry-run", "--out", "plan.json"]).exits(4);
    let (saved, before) = (host.read("plan.json"), host.sequence());
    for (told, other) in [("fresh/fresh", "frish/frish"), ("\"new\": 4", "\"new\": 3"), ("T03:00:00Z", "T05:00:00Z")] {
        assert!(saved.contains(told), "{told}");
        host.write("plan.json", &saved.replace(told, other));
        host.cli(&["apply", "plan.json"]).exits(3).says(&["was edited since it was saved"]);
    }
    assert_eq!(host.sequence(), before);
    host.write("plan.json", &saved);
    host.cli(&["apply", "plan.json"]).exits(0);
}

#[test]
fn a_plan_for_a_home_to_come_can_be_applied_and_a_refused_one_makes_none() {
    let host = Host::new(THEN);
    host.cli(&["reconcile", "--dry-run", "--out", "plan.json"]).exits(2);
    host.write("deployment.yaml", NOW);
    host.cli(&["apply", "plan.json"]).exits(3).says(&["the files have changed"]);
    assert!(!host.home().exists(), "a refused plan makes no home");
    host.write("deployment.yaml", THEN);
    host.cli(&["apply", "plan.json"]).exits(0);
    host.cli(&["reconcile", "--dry-run"]).exits(0).says(&["In sync"]);
}

#[test]
fn an_override_is_cleared_by_id_bare_and_full_name() {
    let host = Host::new(THEN);
    host.cli(&["reconcile"]).exits(0);
    let id = host.cli(&["deployment", "inspect", "nightly", "-o", "json"]).exits(0).json()["id"].as_str().unwrap().to_owned();
    for name in ["nightly", "nightly/nightly", &id] {
        host.cli(&["deployment", "pause", "nightly"]).exits(0);
        host.cli(&["override", "clear", name]).exits(0).says(&["Cleared paused of 'nightly/nightly'"]);
    }
}

#[test]
fn annotations_name_files_from_the_top_of_the_repository() {
    let host = repository("name: top\n", "name: top\n");
    host.write("svc/etl/deployment.yaml", &THEN.replace("command: 'echo old'", "command: 'echo old', tagz: [a]"));
    let mut command = host.command();
    command.args(["reconcile", "--dry-run", "--project", "svc/etl", "-o", "github"]).env_remove("GITHUB_WORKSPACE").env_remove("GITHUB_STEP_SUMMARY");
    Answer::of(&mut command, &["reconcile"]).exits(2).says(&["::warning file=svc/etl/deployment.yaml,line="]);
}
