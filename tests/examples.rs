//! Every example is valid and plans on an empty home, and those that can run anywhere really do what they say.
mod common;

use common::{Answer, Host};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut directories: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    directories.sort();
    directories
}

/// A host whose project is a copy of the example, so that nothing is written into the repository.
fn copy_of(example: &str) -> Host {
    let host = Host::new("");
    copy(&root().join("examples").join(example), &host.project());
    host
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => assert!(fs::copy(entry.path(), to).is_ok()),
        }
    }
}

fn execute(host: &Host, arguments: &[&str]) -> Answer {
    let mut all = vec!["deployment", "execute"];
    all.extend(arguments);
    host.cli(&all)
}

#[test]
fn every_example_is_valid_and_plans_on_an_empty_home() {
    let examples = examples();
    assert!(examples.len() >= 10, "{examples:?}");
    for example in examples.iter().map(PathBuf::as_path).chain([root()]) {
        let host = Host::new("");
        let project = example.to_str().unwrap();
        let valid = host.cli(&["validate", "--project", project, "-o", "json"]).exits(0).json();
        let errors: Vec<_> = valid["problems"].as_array().unwrap().iter().filter(|problem| problem["severity"] == "error").collect();
        assert!(errors.is_empty(), "{project}: {errors:#?}");
        let plan = host.cli(&["reconcile", "--dry-run", "--project", project, "-o", "json"]).exits(2).json();
        assert!(plan["plan"]["counts"]["create"].as_u64().unwrap() > 0, "{project}");
        assert!(!host.home().exists());
    }
}

#[test]
fn every_example_applies_and_is_then_in_sync() {
    for example in examples() {
        let host = Host::new("");
        let project = example.to_str().unwrap();
        host.cli(&["reconcile", "--project", project]).exits(0);
        host.cli(&["reconcile", "--dry-run", "--project", project]).exits(0).says(&["In sync"]);
    }
}

#[test]
fn every_example_says_what_it_is_for() {
    for example in examples() {
        let text = fs::read_to_string(example.join("README.md")).unwrap_or_default();
        assert!(text.starts_with("# ") && text.len() < 4_000, "{}", example.display());
    }
}

#[test]
fn the_root_project_is_valid_without_a_warning() {
    let host = Host::new("");
    host.cli(&["validate", "--strict", "--project", root().to_str().unwrap()]).exits(0).says(&["4 deployments, 2 work pools"]);
}

#[test]
fn hello_says_hello_and_leaves_no_home() {
    let host = copy_of("hello");
    execute(&host, &["hello"]).exits(0).says(&["hello from", "Finished in state Completed"]);
    assert!(!host.home().exists(), "one run here and now needs no home");
}

#[test]
fn backup_writes_an_archive_and_keeps_the_newest() {
    let host = copy_of("backup");
    let (source, destination) = (host.path().join("source"), host.path().join("archives"));
    fs::create_dir_all(&source).unwrap();
    fs::create_dir_all(&destination).unwrap();
    fs::write(source.join("precious.txt"), "precious").unwrap();
    for year in 2001..2005 {
        fs::write(destination.join(format!("source-{year}0101T000000Z.tar.gz")), "old").unwrap();
    }
    let parameters = [format!("source={}", source.display()), format!("destination={}", destination.display())];
    execute(&host, &["backup", "-p", &parameters[0], "-p", &parameters[1], "-p", "keep=2"]).exits(0).says(&["wrote", "removed"]);
    let mut kept: Vec<String> = fs::read_dir(&destination).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(kept[0], "source-20040101T000000Z.tar.gz");
    let listed = Command::new("tar").arg("-tzf").arg(destination.join(&kept[1])).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("source/precious.txt"));
    execute(&host, &["backup", "-p", "source=/no/such/directory"]).exits(1).says(&["there is no directory", "exited with code 2"]);
}

#[test]
fn repo_report_reports_on_a_repository() {
    let host = copy_of("repo-report");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(identity).args(arguments).current_dir(host.project()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "trunk"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "the first commit"]);
    execute(&host, &["repo-report"]).exits(0).says(&["is on trunk", "the first commit", "Completed"]);
    execute(&host, &["repo-report", "-p", "commits=none"]).exits(1).says(&["commits"]);
    fs::rename(host.project().join(".git"), host.path().join("gone")).unwrap();
    execute(&host, &["repo-report"]).exits(1).says(&["RuntimeError", "not a git repository", "Failed"]);
}

#[test]
fn host_health_fails_past_its_threshold() {
    let host = copy_of("host-health");
    let generous = ["-p", "max_disk_percent=100", "-p", "max_memory_percent=100", "-p", "max_load_per_cpu=10000"];
    execute(&host, &[&["root"], &generous[..]].concat()).exits(0).says(&["disk percent"]);
    execute(&host, &["root", "-p", "max_disk_percent=-1"]).exits(1).says(&["disk percent is", "past -1", "Failed"]);
}

#[test]
fn the_schedules_example_shows_what_it_promises() {
    let host = copy_of("schedules");
    host.cli(&["reconcile"]).exits(0);
    let deployment = host.cli(&["deployment", "inspect", "report", "-o", "json"]).exits(0).json();
    assert_eq!(deployment["schedules"].as_array().unwrap().len(), 4);
    execute(&host, &["report"]).exits(0).says(&["the daily report"]);
}

#[test]
fn the_secrets_example_shows_no_secret() {
    let host = copy_of("secrets");
    let mut command = host.command();
    command.args(["deployment", "execute", "call-api"]).env("API_TOKEN", "hunter2-correct-horse").env("DATABASE_URL", "db://x");
    let answer = Answer::of(&mut command, &["deployment execute call-api"]).exits(0).says(&["calling with token ***"]);
    assert!(!answer.out.contains("hunter2") && !answer.err.contains("hunter2"), "{}\n{}", answer.out, answer.err);
}

#[test]
fn the_calendar_example_tells_what_its_limits_and_policies_do() {
    let host = copy_of("calendar");
    let valid = host.cli(&["validate", "--strict"]).exits(0).says(&["note: 02:30 does not exist on 20", "; does not fire", "; fires at the last"]);
    assert!(valid.out.contains("not in stocktaking"), "{}", valid.out);
    let notes = host.cli(&["validate", "-o", "json"]).exits(0).json();
    assert_eq!(notes["notes"][0]["deployment"], "closing/closing", "{notes:#}");
    let plan = host.cli(&["reconcile", "--dry-run"]).exits(2);
    let plan = plan.says(&["not in holidays or in stocktaking, from 2026-12-01", "only mon-fri 08:00-18:00", "missed: skip; overlap: skip; jitter: 30s; spread: 5m"]);
    assert!(plan.out.contains("        note: 02:30 does not exist on 20"), "{}", plan.out);
}

#[test]
fn the_many_files_example_is_one_project() {
    let host = copy_of("many-files");
    host.cli(&["validate", "--strict"]).exits(0).says(&["deployment.yaml, teams/data.yaml, teams/web.yaml: ", "2 deployments, 1 work pool"]);
    host.cli(&["reconcile"]).exits(0).says(&["3 created"]);
    // Moving an entry to another file is no change.
    let (web, data) = (host.read("teams/web.yaml"), host.read("teams/data.yaml"));
    host.write("teams/data.yaml", &format!("{data}{}", web.trim_start_matches("deployments:\n")));
    host.write("teams/web.yaml", "deployments: []\n");
    host.cli(&["reconcile", "--dry-run"]).exits(0).says(&["In sync"]);
    // And a mistake is told with its place.
    host.write("teams/web.yaml", "deployments: [{name: warm}]\n");
    host.cli(&["validate"]).exits(1).says(&["teams/web.yaml:1:22"]);
}
