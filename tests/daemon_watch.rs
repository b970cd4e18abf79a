//! Whatever way a file is written, the daemon follows it; a bad file changes nothing, and is said with its place.
mod common;

use common::{Daemon, Host, daemon::id, until};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

/// A project with one deployment whose description is `text`.
fn manifest(text: &str) -> String {
    format!("
name: watched
deployments:
  - name: one
    command: 'true'
    description: {text}
")
}

/// Waits until the deployment has this description.
#[track_caller]
fn follows(daemon: &Daemon, text: &str) {
    until(&format!("the description is {text:?}"), || (daemon.deployment("one")["description"] == text).then_some(()));
    daemon.phase("idle");
}

fn watched() -> (Host, Daemon) {
    let host = Host::new(&manifest("first"));
    let daemon = host.daemon();
    daemon.line("1 created");
    daemon.phase("idle");
    (host, daemon)
}

#[test]
fn a_file_that_is_written_in_place_is_followed() {
    let (host, daemon) = watched();
    for number in 0..5 {
        host.write("deployment.yaml", &manifest(&format!("edit {number}")));
        follows(&daemon, &format!("edit {number}"));
    }
    daemon.line("1 updated");
}

#[test]
fn a_file_that_is_renamed_over_is_followed_again_and_again() {
    let (host, daemon) = watched();
    for number in 0..5 {
        host.write(".deployment.yaml.swp", &manifest(&format!("save {number}")));
        fs::rename(host.project().join(".deployment.yaml.swp"), host.project().join("deployment.yaml")).unwrap();
        follows(&daemon, &format!("save {number}"));
    }
}

#[test]
fn a_symlink_that_is_swapped_as_kubernetes_does_is_followed() {
    let host = Host::new(&manifest("first"));
    let project = host.project();
    fs::remove_file(project.join("deployment.yaml")).unwrap();
    host.write("..1/deployment.yaml", &manifest("first"));
    symlink("..1", project.join("..data")).unwrap();
    symlink("..data/deployment.yaml", project.join("deployment.yaml")).unwrap();
    let daemon = host.daemon();
    daemon.line("1 created");
    daemon.phase("idle");
    for number in 2..5 {
        host.write(&format!("..{number}/deployment.yaml"), &manifest(&format!("mounted {number}")));
        symlink(format!("..{number}"), project.join("..data_tmp")).unwrap();
        fs::rename(project.join("..data_tmp"), project.join("..data")).unwrap();
        fs::remove_dir_all(project.join(format!("..{}", number - 1))).unwrap();
        follows(&daemon, &format!("mounted {number}"));
    }
}

#[test]
fn a_file_that_is_deleted_prunes_nothing_and_is_followed_when_it_is_made_again() {
    let (host, daemon) = watched();
    let before = daemon.deployment("one");
    fs::remove_file(host.project().join("deployment.yaml")).unwrap();
    let project = daemon.phase("refused");
    assert!(project["reason"].as_str().unwrap().contains("no project file"), "{project:#}");
    assert_eq!(daemon.deployment("one"), before, "what was last good stays in force");
    host.cli(&["status"]).exits(3).says(&["no project file", "nothing is pruned"]);
    host.write("deployment.yaml", &manifest("again"));
    follows(&daemon, "again");
    assert_eq!(id(&daemon.deployment("one")), id(&before));
    host.cli(&["status"]).exits(0);
}

#[test]
fn a_project_directory_that_is_replaced_is_followed() {
    let (host, daemon) = watched();
    for number in 0..3 {
        let new = host.path().join("new");
        fs::create_dir(&new).unwrap();
        fs::write(new.join("deployment.yaml"), manifest(&format!("checkout {number}"))).unwrap();
        fs::rename(host.project(), host.path().join(format!("old{number}"))).unwrap();
        fs::rename(&new, host.project()).unwrap();
        follows(&daemon, &format!("checkout {number}"));
    }
    // And what is written into the new directory is seen, too.
    host.write("deployment.yaml", &manifest("written after"));
    follows(&daemon, "written after");
}

#[test]
fn g5_a_bad_file_changes_nothing_and_every_problem_is_said_with_its_place() {
    let (host, daemon) = watched();
    let before = daemon.deployment("one");
    let mark = daemon.mark();
    host.write("deployment.yaml", "
name: watched
deployments:
  - name: one
    command: 'true'
    description: never seen
    schedule: {cron: 99 * * * *}
  - name: two
    command: 'true'
    retries: many
");
    let project = daemon.phase("rejected");
    let places: Vec<(Value, Value)> = project["problems"].as_array().unwrap().iter()
        .filter(|problem| problem["severity"] == "error")
        .map(|problem| (problem["position"]["file"].clone(), problem["position"]["line"].clone()))
        .collect();
    assert_eq!(places, [("deployment.yaml".into(), 7.into()), ("deployment.yaml".into(), 10.into())], "{project:#}");
    assert_eq!(daemon.deployment("one"), before, "what was last good stays in force");
    let line = daemon.line_after(mark, "the last good state stays in force");
    assert!(line.contains("ERROR") && line.contains("deployment.yaml:7:") && line.ends_with("(and 1 more: reeve status, or reeve validate)"), "{line}");
    assert_eq!(daemon.said().lines().filter(|line| line.contains("ERROR")).count(), 1, "one line for one content");
    host.cli(&["status"]).exits(1).says(&["deployment.yaml:7:", "deployment.yaml:10:", "its files are wrong"]);
    assert_eq!(daemon.outcome("one")["state_type"], "COMPLETED", "it still runs what was good");

    host.write("deployment.yaml", &manifest("mended"));
    follows(&daemon, "mended");
    host.cli(&["status"]).exits(0).says(&["in sync"]);
}

#[test]
fn g5_a_restart_with_a_bad_file_keeps_what_was_good() {
    let host = Host::new("
name: kept
deployments: [{name: tick, command: 'true', schedule: {interval: 1}}]
");
    let daemon = host.daemon();
    daemon.line("Finished in state Completed");
    daemon.kill();
    host.write("deployment.yaml", "deployments: [{name: tick, command: }");
    let daemon = host.daemon();
    daemon.phase("rejected");
    daemon.line("Finished in state Completed");
    host.write("deployment.yaml", "name: kept\ndeployments: [{name: tick, command: 'echo mended', schedule: {interval: 1}}]\n");
    daemon.line("- mended");
}

#[test]
fn a_half_written_file_stops_and_prunes_nothing() {
    let many: String = (0..30).map(|number| format!("  - {{name: job-{number}, command: 'true', schedule: {{cron: 0 0 1 1 *}}}}\n")).collect();
    let whole = format!("name: half\ndeployments:\n{many}");
    let host = Host::new(&whole);
    let daemon = host.daemon();
    daemon.line("30 created");
    let ids = |daemon: &Daemon| -> Vec<Value> {
        let body = serde_json::json!({"sort": "NAME_ASC", "limit": 200});
        daemon.post("/deployments/filter", body).as_array().unwrap().iter().map(|found| found["id"].clone()).collect()
    };
    let before = ids(&daemon);
    assert_eq!(before.len(), 30);
    // Cut where it is no YAML, where it is a shorter list, and where it is nothing.
    let cut_in_flow = whole.rfind("schedule").unwrap();
    let cut_at_line = whole.find("  - {name: job-12").unwrap();
    for (cut, phase) in [(cut_in_flow, "rejected"), (cut_at_line, "refused"), (0, "")] {
        host.write("deployment.yaml", &whole[..cut]);
        match phase {
            "" => drop(until("it is not taken", || {
                let now = daemon.get("/reeve/status")["projects"][0]["phase"].clone();
                ["rejected", "failing", "refused"].contains(&now.as_str().unwrap()).then_some(now)
            })),
            phase => drop(daemon.phase(phase)),
        }
        assert_eq!(ids(&daemon), before, "cut at {cut}");
        host.write("deployment.yaml", &whole);
        daemon.phase("idle");
    }
}

#[test]
fn many_quick_saves_end_in_what_was_saved_last() {
    let (host, daemon) = watched();
    for number in 0..200 {
        host.write("deployment.yaml", &manifest(&format!("quick {number}")));
    }
    follows(&daemon, "quick 199");
}

#[test]
fn what_a_run_was_started_with_stands_and_the_next_one_follows_the_file() {
    let project = |text: &str| format!("
deployments:
  - name: hold
    command: 'echo {text}; echo begun; while [ ! -e release ]; do sleep 0.02; done; echo end of {text}'
");
    let host = Host::new(&project("old"));
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("hold");
    daemon.logged(&run, "begun");
    let mark = daemon.mark();
    host.write("deployment.yaml", &project("new"));
    daemon.line_after(mark, "1 updated");
    let next = daemon.run("hold");
    daemon.logged(&next, "begun");
    host.write("release", "");
    let (run, next) = (daemon.end_of(&run), daemon.end_of(&next));
    assert_eq!((&run["state_type"], &next["state_type"]), (&"COMPLETED".into(), &"COMPLETED".into()));
    assert_eq!(daemon.log(&run), ["old", "begun", "end of old"]);
    assert_eq!(daemon.log(&next), ["new", "begun", "end of new"]);
}

#[test]
fn a_change_of_a_python_files_docstring_or_signature_is_picked_up() {
    let host = Host::new("deployments: [{name: report, entrypoint: 'flows/report.py:report'}]");
    host.write("flows/report.py", "def report(day: str = 'today'):\n    \"\"\"Says one thing.\"\"\"\n");
    let daemon = host.daemon();
    daemon.line("1 created");
    daemon.phase("idle");
    assert_eq!(daemon.deployment("report")["description"], "Says one thing.");
    host.write("flows/report.py", "def report(day: str = 'today', copies: int = 1):\n    \"\"\"Says another.\"\"\"\n    print(copies)\n");
    let deployment = until("the docstring is followed", || {
        let deployment = daemon.deployment("report");
        (deployment["description"] == "Says another.").then_some(deployment)
    });
    assert_eq!(deployment["parameter_openapi_schema"]["properties"]["copies"]["type"], "integer", "{deployment:#}");
    // A file that is gone is a problem with its place, and what was good stays.
    fs::remove_file(host.project().join("flows/report.py")).unwrap();
    let project = daemon.phase("rejected");
    assert_eq!(project["problems"][0]["position"]["line"], 1, "{project:#}");
    host.write("flows/report.py", "def report():\n    \"\"\"Back.\"\"\"\n");
    until("the file is back", || (daemon.deployment("report")["description"] == "Back.").then_some(()));
}

#[test]
fn files_that_are_none_of_its_own_wake_nobody() {
    let (host, daemon) = watched();
    // Every pass that ends well leaves its instant.
    let instant = || daemon.get("/reeve/status")["projects"][0]["in_sync_since"].as_str().unwrap_or_default().to_owned();
    let mut passes = BTreeSet::from([instant()]);
    for number in 0..300 {
        host.write(&format!("output-{}.txt", number % 10), "written by somebody");
        passes.insert(instant());
    }
    host.write("deployment.yaml", &manifest("after the others"));
    until("the file is followed", || {
        passes.insert(instant());
        (daemon.deployment("one")["description"] == "after the others").then_some(())
    });
    // One before, one after; a file that changed while it was read is read once more.
    assert!(passes.len() <= 3, "{passes:?}");
}

#[test]
fn a_daemon_that_was_stopped_while_the_file_changed_follows_it_at_the_next_start() {
    let (host, daemon) = watched();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended().0.code(), Some(0));
    host.write("deployment.yaml", &manifest("meanwhile"));
    let daemon = host.daemon();
    daemon.line("1 updated");
    follows(&daemon, "meanwhile");
}

#[test]
fn a_calendar_file_is_followed_like_the_manifest() {
    let calendar = |day: &str| format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:{day}\r\nSUMMARY:closed\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
    let host = Host::new("
name: watched
calendars: {holidays: days/holidays.ics}
deployments:
  - name: one
    command: 'true'
    schedule: {cron: 0 9 * * *, exclude: holidays, slug: daily}
");
    host.write("days/holidays.ics", &calendar("20301224"));
    let daemon = host.daemon();
    daemon.line("1 created");
    daemon.phase("idle");
    let mark = daemon.mark();
    host.write("days/holidays.ics", &calendar("20301231"));
    daemon.line_after(mark, "exclude/holidays");
    daemon.line_after(mark, "1 updated");
    daemon.phase("idle");
    let mark = daemon.mark();
    host.write("days/holidays.ics", &calendar("2030-12-31"));
    daemon.phase("rejected");
    daemon.line_after(mark, "days/holidays.ics:3:");
    host.write("days/holidays.ics", &calendar("20301231"));
    daemon.phase("idle");
}

/// Names of all deployments, in order.
fn names(daemon: &Daemon) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let body = serde_json::json!({"sort": "NAME_ASC", "limit": 200, "offset": names.len()});
        let page = daemon.post("/deployments/filter", body);
        let page = page.as_array().unwrap();
        names.extend(page.iter().map(|found| found["name"].as_str().unwrap().to_owned()));
        if page.len() < 200 {
            return names;
        }
    }
}

#[track_caller]
fn has(daemon: &Daemon, expected: &[&str]) {
    until(&format!("the deployments are {expected:?}"), || (names(daemon) == expected).then_some(()));
    daemon.phase("idle");
}

fn job(name: &str) -> String {
    format!("deployments: [{{name: {name}, command: 'true', description: first}}]\n")
}

#[test]
fn what_is_written_without_any_event_is_found_by_looking() {
    let host = Host::new(&manifest("first"));
    // Written through another name of the same file, in a directory that nobody watches.
    fs::create_dir(host.path().join("elsewhere")).unwrap();
    let other = host.path().join("elsewhere/other-name.yaml");
    fs::hard_link(host.project().join("deployment.yaml"), &other).unwrap();
    let daemon = host.daemon();
    daemon.line("1 created");
    daemon.phase("idle");
    fs::write(&other, manifest("unseen")).unwrap();
    follows(&daemon, "unseen");
}

#[test]
fn a_bad_content_is_said_once_however_often_it_is_read() {
    let (host, daemon) = watched();
    let bad = manifest("bad").replace("'true'", "");
    // Every pass that finds it wrong leaves its instant; since when it is wrong stays.
    let met = || daemon.get("/reeve/status")["projects"][0]["last_error"]["at"].as_str().unwrap_or_default().to_owned();
    let since = || daemon.phase("rejected")["since"].clone();
    host.write("deployment.yaml", &bad);
    daemon.phase("rejected");
    daemon.line("the last good state stays in force");
    let (mark, begun) = (daemon.mark(), since());
    for round in 0..4 {
        let before = met();
        match round % 2 {
            0 => host.write("deployment.yaml", &bad),
            _ => {
                host.write("new.yaml", &bad);
                fs::rename(host.project().join("new.yaml"), host.project().join("deployment.yaml")).unwrap();
            }
        }
        until("it is read again", || (met() != before).then_some(()));
    }
    assert_eq!(since(), begun, "nothing has begun anew");
    host.write("deployment.yaml", &manifest("bad").replace("command", "comand"));
    daemon.line_after(mark, "(and 1 more: ");
    let all = daemon.said();
    let about = |text: &str| all.lines().filter(|line| line.contains(text)).count();
    assert_eq!(about("the last good state stays in force"), 2, "once for each of the two contents:\n{all}");
    host.write("deployment.yaml", &manifest("good again"));
    follows(&daemon, "good again");
    host.write("deployment.yaml", &bad);
    daemon.phase("rejected");
    until("it is said again after something good", || {
        (daemon.said().lines().filter(|line| line.contains("the last good state stays in force")).count() == 3).then_some(())
    });
}

#[test]
fn included_files_are_followed_wherever_they_appear() {
    let host = Host::new("name: many\ninclude: ['jobs/*.yaml', 'teams/**/*.yaml']\nprune: {at_most: 100}\n");
    host.write("jobs/a.yaml", &job("a"));
    let daemon = host.daemon();
    daemon.line("1 created");
    daemon.phase("idle");
    host.write("jobs/b.yaml", &job("b"));
    has(&daemon, &["a", "b"]);
    host.write("jobs/b.yaml", &job("b").replace("first", "second"));
    until("the included file is followed", || (daemon.deployment("b")["description"] == "second").then_some(()));
    // A directory that was not there, and one in it.
    host.write("teams/x/deep/c.yaml", &job("c"));
    has(&daemon, &["a", "b", "c"]);
    host.write("teams/x/d.yaml", &job("d"));
    has(&daemon, &["a", "b", "c", "d"]);
    // Moved to another file with all that it has.
    let before = daemon.deployment("a");
    fs::rename(host.project().join("jobs/a.yaml"), host.project().join("teams/x/a.yaml")).unwrap();
    host.write("teams/x/e.yaml", &job("e"));
    has(&daemon, &["a", "b", "c", "d", "e"]);
    assert_eq!(id(&daemon.deployment("a")), id(&before));
    // A directory that is replaced, as a checkout does.
    host.write("new/f.yaml", &job("f"));
    fs::rename(host.project().join("jobs"), host.path().join("old")).unwrap();
    fs::rename(host.project().join("new"), host.project().join("jobs")).unwrap();
    has(&daemon, &["a", "c", "d", "e", "f"]);
    host.write("jobs/g.yaml", &job("g"));
    has(&daemon, &["a", "c", "d", "e", "f", "g"]);
    fs::remove_file(host.project().join("teams/x/d.yaml")).unwrap();
    has(&daemon, &["a", "c", "e", "f", "g"]);
    // An editor's copy is none of the project's files, and one that cannot be read stops everything.
    host.write("jobs/.g.yaml.swp.yaml", "not a manifest");
    symlink("nowhere", host.project().join("jobs/dangling.yaml")).unwrap();
    let project = daemon.phase("rejected");
    assert_eq!(project["problems"][0]["position"]["file"], "jobs/dangling.yaml", "{project:#}");
    assert_eq!(names(&daemon), ["a", "c", "e", "f", "g"]);
    fs::remove_file(host.project().join("jobs/dangling.yaml")).unwrap();
    has(&daemon, &["a", "c", "e", "f", "g"]);
}

#[test]
fn two_thousand_included_files_are_one_project_and_one_more_is_seen() {
    let host = Host::new("name: many\ninclude: jobs/**/*.yaml\n");
    for number in 0..2_000 {
        host.write(&format!("jobs/{}/{number}.yaml", number % 20), &job(&format!("job-{number:04}")));
    }
    let daemon = host.daemon();
    daemon.line("2,000 created");
    daemon.phase("idle");
    assert_eq!(names(&daemon).len(), 2_000);
    let mark = daemon.mark();
    host.write("jobs/7/another.yaml", &job("another"));
    daemon.line_after(mark, "1 created");
    daemon.phase("idle");
    fs::write(host.project().join("jobs/7/another.yaml"), job("another").replace("first", "second")).unwrap();
    until("the file that was added is followed", || (daemon.deployment("another")["description"] == "second").then_some(()));
    assert_eq!(names(&daemon).len(), 2_001);
}

#[test]
fn a_checkout_of_another_branch_is_followed() {
    let host = Host::new("name: branches\ninclude: jobs/*.yaml\n");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        let done = std::process::Command::new("git").args(identity).args(arguments).current_dir(host.project()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    host.write("jobs/a.yaml", &job("a"));
    host.write("jobs/b.yaml", &job("b"));
    git(&["init", "-q", "-b", "trunk"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "one"]);
    git(&["checkout", "-q", "-b", "side"]);
    git(&["rm", "-q", "jobs/b.yaml"]);
    host.write("jobs/c.yaml", &job("c"));
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "two"]);
    git(&["checkout", "-q", "trunk"]);
    let daemon = host.daemon();
    daemon.line("2 created");
    daemon.phase("idle");
    for _ in 0..3 {
        git(&["checkout", "-q", "side"]);
        has(&daemon, &["a", "c"]);
        git(&["checkout", "-q", "trunk"]);
        has(&daemon, &["a", "b"]);
    }
}
