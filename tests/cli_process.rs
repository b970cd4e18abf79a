//! The binary as scripts see it: exit codes, where text goes, and that looking changes nothing.
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn reeve(home: &Path, directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeve"));
    command.current_dir(directory).env("REEVE_HOME", home).env_remove("REEVE_API_URL").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn output(home: &Path, directory: &Path, line: &[&str]) -> Output {
    reeve(home, directory).args(line).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn usage_errors_are_1_and_help_is_0() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    for (line, code) in [
        (&["frobnicate"][..], 1),
        (&["deploy", "my_flow.py:get_repo_info"], 1),
        (&["deployment", "run"], 1),
        (&["deployment", "run", "x", "--start-in", "1m", "--start-at", "18:00"], 1),
        (&["flow-run", "ls", "--limit", "0"], 1),
        (&["daemon", "--host", "0.0.0.0"], 1),
        (&["completions", "tcsh"], 1),
        (&["--help"], 0),
        (&["deployment", "run", "--help"], 0),
        (&["--version"], 0),
    ] {
        let found = output(&home, directory.path(), line);
        assert_eq!(found.status.code(), Some(code), "{line:?}");
        // What was asked for is on standard output, what went wrong on standard error.
        assert_eq!(found.stdout.is_empty(), code != 0, "{line:?}");
        assert_eq!(found.stderr.is_empty(), code == 0, "{line:?}");
    }
    assert!(!home.exists());
}

#[test]
fn completions_exist_for_every_shell() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let found = output(directory.path(), directory.path(), &["completions", shell]);
        assert!(found.status.success() && text(&found.stdout).contains("work-queue"), "{shell}");
    }
}

#[test]
fn looking_at_a_home_that_is_not_there_does_not_make_it() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    std::fs::write(directory.path().join("deployment.yaml"), "deployments:\n- name: a\n  command: 'true'\n").unwrap();
    for (line, code, says) in [
        (&["deployment", "ls"][..], 0, "There are no deployments."),
        (&["flow-run", "ls"], 0, "There are no flow runs."),
        (&["deployment", "ls", "-o", "json"], 0, "[]"),
        (&["deployment", "pause", "a"], 1, ""),
        (&["flow-run", "cancel", "a"], 1, ""),
        (&["work-pool", "delete", "a"], 1, ""),
        (&["status"], 1, "No daemon runs on the home"),
        (&["reconcile", "--dry-run"], 2, "1 to create"),
        (&["validate"], 0, "1 deployment"),
    ] {
        let found = output(&home, directory.path(), line);
        assert_eq!(found.status.code(), Some(code), "{line:?}: {}", text(&found.stderr));
        assert!(text(&found.stdout).contains(says), "{line:?}: {}", text(&found.stdout));
        assert!(!home.exists(), "{line:?}");
    }
}

#[test]
fn an_address_that_a_killed_daemon_left_behind_is_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    assert!(output(&home, directory.path(), &["work-pool", "create", "batch"]).status.success());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let left = format!(r#"{{"api": "http://127.0.0.1:{port}/api", "pid": 1, "version": "0.1.0"}}"#);
    for left in [left.as_str(), "{"] {
        std::fs::write(home.join("daemon.json"), left).unwrap();
        let found = output(&home, directory.path(), &["work-pool", "ls"]);
        assert!(text(&found.stdout).contains("batch"), "{}", text(&found.stderr));
    }
}

#[test]
fn a_project_is_started_and_nothing_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let (home, project) = (directory.path().join("home"), directory.path().join("project"));
    let line = ["project", "init", "project", "--name", "n", "--command", "echo hi", "--interval", "1 day"];
    let first = output(&home, directory.path(), &line);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let written = std::fs::read_to_string(project.join("deployment.yaml")).unwrap();
    let valid = output(&home, &project, &["validate", "--strict"]);
    assert!(valid.status.success(), "{}{}", text(&valid.stdout), text(&valid.stderr));
    let second = output(&home, directory.path(), &line);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(project.join("deployment.yaml")).unwrap(), written);
    let schema = std::fs::read(project.join(".reeve/deployment.schema.json")).unwrap();
    assert_eq!(schema, output(&home, &project, &["schema"]).stdout);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = reeve(directory.path(), directory.path()).arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let end = child.wait_with_output().unwrap();
    assert_eq!((end.status.code(), text(&end.stderr).as_str()), (Some(0), ""));
}

#[test]
fn execute_needs_neither_home_nor_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let manifest = "deployments:\n- name: good\n  command: echo fine\n- name: bad\n  command: exit 3\n";
    std::fs::write(directory.path().join("deployment.yaml"), manifest).unwrap();
    let good = output(&home, directory.path(), &["deployment", "execute", "good"]);
    let said = text(&good.stdout);
    assert_eq!(good.status.code(), Some(0), "{said}{}", text(&good.stderr));
    assert!(said.contains("' - fine\n") && said.contains("Finished in state Completed("), "{said}");
    let bad = output(&home, directory.path(), &["deployment", "execute", "bad"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(text(&bad.stdout).contains(r#"Finished in state Failed("exited with code 3")"#), "{}", text(&bad.stdout));
    assert!(!home.exists());
}

#[test]
fn an_address_where_nobody_answers_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let api = format!("http://127.0.0.1:{port}");
    let found = output(directory.path(), directory.path(), &["--api", &api, "deployment", "ls"]);
    assert_eq!(found.status.code(), Some(1));
    assert_eq!(
        text(&found.stderr),
        format!(
            "error: failed to reach the API at {api}/api\n  caused by: Connection refused (os error 111)\n\
             hint: does a daemon run there? `reeve daemon` starts one\n"
        )
    );
}
