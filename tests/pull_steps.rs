//! Pull steps through the real daemon and the real git: what is fetched, what is shared, what is kept secret, and what a kill leaves.
mod common;

use common::{Daemon, Host, daemon::id, process, until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

fn message(run: &Value) -> &str {
    run["state"]["message"].as_str().unwrap_or_default()
}

#[track_caller]
fn completed(daemon: &Daemon, deployment: &str) -> Value {
    let run = daemon.outcome(deployment);
    assert_eq!(run["state_type"], "COMPLETED", "{deployment}: {}\n{}", message(&run), daemon.log(&run).join("\n"));
    run
}

#[track_caller]
fn failed(daemon: &Daemon, deployment: &str, reasons: &[&str]) {
    let run = daemon.outcome(deployment);
    assert_eq!(run["state_type"], "FAILED", "{deployment}: {run:#}");
    for reason in reasons {
        assert!(message(&run).contains(reason), "{deployment}: {:?} does not say {reason:?}", message(&run));
    }
}

/// A repository beside the project.
struct Repository(PathBuf);

impl Repository {
    fn new(host: &Host, name: &str) -> Repository {
        let repository = Repository(host.path().join(name));
        fs::create_dir(&repository.0).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(&self.0).env("HOME", &self.0).env("GIT_ALLOW_PROTOCOL", "file");
        for (name, value) in [("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@b"), ("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@b")] {
            command.env(name, value);
        }
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes files, and gives the commit that has them.
    fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

fn flow(text: &str) -> String {
    format!("import os\ndef main():\n    print('says {text} in', os.getcwd())\n")
}

fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(all_files(&entry.path())),
            false => files.push(entry.path()),
        }
    }
    files
}

#[test]
fn branches_move_commits_stay_and_what_is_there_needs_no_network() {
    let host = Host::new("
name: pulled
deployments:
  - &a
    name: branch
    entrypoint: flow.py:main
    pull: [{prefect.deployments.steps.git_clone: {repository: ../origin, branch: main}}]
  - {<<: *a, name: tag, pull: [{prefect.projects.steps.git_clone_project: {repository: ../origin, branch: v1}}]}
  - {<<: *a, name: default, pull: [{git_clone: {repository: ../origin}}]}
  - {<<: *a, name: commit, pull: [{git_clone: {repository: ../origin, commit_sha: '{{ $FIRST }}'}}]}
  - {<<: *a, name: short, pull: [{git_clone: {repository: ../origin, commit_sha: '{{ $SHORT }}'}}]}
  - {<<: *a, name: sparse, entrypoint: sub.inner:main, pull: [{git_clone: {repository: ../origin, directories: [sub]}}]}
  - name: submodule
    command: 'cat library/file.txt'
    env: {GIT_ALLOW_PROTOCOL: file}
    pull: [{git_clone: {repository: ../origin, branch: with-library, include_submodules: true}}]
  - name: refused-submodule
    command: 'true'
    pull: [{git_clone: {repository: ../origin, branch: with-library, include_submodules: true}}]
");
    let library = Repository::new(&host, "library");
    library.commit(&[("file.txt", "from the library\n")]);
    let origin = Repository::new(&host, "origin");
    let first = origin.commit(&[("flow.py", &flow("one")), ("sub/inner.py", &flow("inner")), ("other/file", "x")]);
    origin.git(&["tag", "--annotate", "--message", "x", "v1"]);
    let daemon = host.daemon_with(&[], &[("FIRST", &first), ("SHORT", &first[..8])]);
    daemon.reconciled();

    let run = completed(&daemon, "main/branch");
    let log = daemon.log(&run).join("\n");
    assert!(log.contains(" > Running git_clone step...") && log.contains(&first[..12]), "{log}");
    let tree = daemon.logged(&run, "says one in ").split(" in ").nth(1).unwrap().to_owned();
    assert!(tree.starts_with(&*host.home().to_string_lossy()), "{tree}");
    for other in ["tag", "default", "commit", "short"] {
        let run = completed(&daemon, &format!("main/{other}"));
        assert!(daemon.logged(&run, "says one in ").ends_with(&tree), "{other} shares the work tree");
    }
    let run = completed(&daemon, "main/sparse");
    let sparse = PathBuf::from(daemon.logged(&run, "says inner in ").split(" in ").nth(1).unwrap());
    assert!(sparse.join("sub/inner.py").exists() && !sparse.join("other").exists(), "{}", sparse.display());
    assert!(sparse.join("flow.py").exists(), "git's sparse checkout has the files at the root, as it has for Prefect");

    origin.commit(&[("flow.py", &flow("two"))]);
    let run = completed(&daemon, "main/branch");
    daemon.logged(&run, "says two in ");

    origin.git(&["checkout", "--quiet", "-b", "with-library"]);
    origin.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../library", "library"]);
    origin.commit(&[]);
    failed(&daemon, "refused-submodule", &["the submodule library lies in a directory of this host", "GIT_ALLOW_PROTOCOL: file:https:ssh"]);
    let run = completed(&daemon, "submodule");
    daemon.logged(&run, "from the library");

    fs::rename(&origin.0, host.path().join("gone")).unwrap();
    completed(&daemon, "main/commit");
    failed(&daemon, "main/branch", &["pull step 1 (git_clone) failed", "origin cannot be read"]);
}

#[test]
fn what_a_run_changed_is_not_given_to_the_next() {
    let host = Host::new("
name: changed
deployments:
  - name: change
    command: 'cat file; echo changed > file'
    pull: [{git_clone: {repository: ../origin}}]
  - name: hold
    command: 'echo held > file; echo begun; while [ ! -e {{ $RELEASE }} ]; do sleep 0.02; done; cat file'
    pull: [{git_clone: {repository: ../origin}}]
");
    let origin = Repository::new(&host, "origin");
    origin.commit(&[("file", "original\n")]);
    let release = host.path().join("release");
    let daemon = host.daemon_with(&[], &[("RELEASE", release.to_str().unwrap())]);
    daemon.reconciled();
    for _ in 0..2 {
        let run = completed(&daemon, "change");
        daemon.logged(&run, "original");
    }
    let hold = daemon.run("hold");
    daemon.logged(&hold, "begun");
    let run = completed(&daemon, "change");
    daemon.logged(&run, "original");
    fs::write(release, "").unwrap();
    let hold = daemon.end_of(&hold);
    assert_eq!(hold["state_type"], "COMPLETED");
    daemon.logged(&hold, "held");
}

/// A filter of git stands in for a checkout that takes long.
#[test]
fn two_runs_at_once_wait_for_one_checkout_and_a_killed_one_is_made_anew() {
    let host = Host::new("
name: held
deployments:
  - name: a
    command: 'cat file; pwd'
    env:
      GIT_CONFIG_COUNT: '1'
      GIT_CONFIG_KEY_0: filter.hold.smudge
      GIT_CONFIG_VALUE_0: 'echo $$ > {{ $AT }}/begun; while [ ! -e {{ $AT }}/release ]; do sleep 0.02; done; cat'
    pull: [{git_clone: {repository: ../origin, branch: main}}]
");
    let origin = Repository::new(&host, "origin");
    origin.commit(&[(".gitattributes", "file filter=hold\n"), ("file", "whole\n")]);
    let daemon = host.daemon_with(&[], &[("AT", host.path().to_str().unwrap())]);
    daemon.reconciled();
    let (begun, release) = (host.path().join("begun"), host.path().join("release"));

    let killed = daemon.run("a");
    until("the checkout begins", || begun.exists().then_some(()));
    for pid in process::with_variable(&format!("REEVE_FLOW_RUN_ID={}", id(&killed))) {
        process::send(pid, Signal::KILL);
    }
    assert_eq!(daemon.end_of(&killed)["state_type"], "CRASHED");
    fs::remove_file(&begun).unwrap();

    let first = daemon.run("a");
    until("the checkout begins anew", || begun.exists().then_some(()));
    let second = daemon.run("a");
    daemon.logged(&second, "waiting for another run that fetches this repository");
    fs::write(&release, "").unwrap();
    let trees = [first, second].map(|run| {
        let run = daemon.end_of(&run);
        assert_eq!(run["state_type"], "COMPLETED", "{}", message(&run));
        daemon.logged(&run, "whole");
        daemon.logged(&run, "/trees/")
    });
    let place = |line: &str| line.split(" in ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(place(&trees[0]), place(&trees[1]));
}

#[test]
fn a_token_goes_to_its_host_and_nowhere_else() {
    const TOKEN: &str = "not-to-be-seen-anywhere";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Host::new(&format!("
name: private
deployments:
  - name: a
    command: 'true'
    pull: [{{git_clone: {{repository: 'http://127.0.0.1:{port}/private.git', access_token: '{{{{ $PAT }}}}'}}}}]
"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the request ended early");
            request.extend_from_slice(&buffer[..count]);
        }
        // While git waits for its answer.
        let mut seen = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains(TOKEN) {
                seen.push(entry.path());
            }
        }
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        (String::from_utf8(request).unwrap(), seen)
    });
    let daemon = host.daemon_with(&[], &[("PAT", TOKEN)]);
    daemon.reconciled();
    failed(&daemon, "a", &["pull step 1 (git_clone) failed", "the host does not take the given token"]);
    let (request, seen) = server.join().unwrap();
    // x-access-token:not-to-be-seen-anywhere
    let expected = "Authorization: Basic eC1hY2Nlc3MtdG9rZW46bm90LXRvLWJlLXNlZW4tYW55d2hlcmU=";
    assert!(request.contains(expected), "{request}");
    assert!(seen.is_empty(), "in the arguments of {seen:?}");
    assert!(!daemon.said().contains(TOKEN));
    daemon.interrupt();
    let files = all_files(&host.home());
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let content = fs::read(&file).unwrap_or_default();
        let holds = content.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
        assert!(!holds, "{} holds the token", file.display());
    }
}

#[test]
fn a_step_that_fails_says_which_and_what_to_do() {
    let host = Host::new("
name: failing
deployments:
  - {name: branch, command: 'true', pull: [{git_clone: {repository: ../origin, branch: nowhere}}]}
  - {name: commit, command: 'true', pull: [{git_clone: {repository: ../origin, commit_sha: 0123456789012345678901234567890123456789}}]}
  - {name: nothing, command: 'true', pull: [{git_clone: {repository: ../no-such-repository}}]}
  - {name: foreign, command: 'true', pull: [{prefect_aws.deployments.steps.pull_from_s3: {bucket: a, folder: b}}]}
  - {name: block, command: 'true', pull: [{git_clone: {repository: ../origin, access_token: '{{ prefect.blocks.secret.a }}'}}]}
  - {name: output, command: 'true', pull: [{set_working_directory: {directory: '{{ clone.directory }}'}}]}
  - {name: directory, command: 'true', pull: [{set_working_directory: {directory: no/such}}]}
  - {name: script, command: 'true', pull: [{run_shell_script: {script: 'true'}}, {run_shell_script: {script: \"sh -c 'echo too bad >&2; exit 7'\"}}]}
  - {name: builtin, command: 'true', pull: [{run_shell_script: {script: 'cd /'}}]}
  - {name: pip, command: 'true', pull: [{pip_install_requirements: {}}]}
  - {name: program, command: [./no-such-program], pull: [{run_shell_script: {script: 'true'}}]}
  - {name: file, entrypoint: 'gone.py:main', pull: [{git_clone: {repository: ../origin}}]}
  - {name: module, entrypoint: 'gone.away:main', pull: [{git_clone: {repository: ../origin}}]}
  - {name: gitless, command: 'true', env: {PATH: /nowhere}, pull: [{git_clone: {repository: ../origin}}]}
");
    Repository::new(&host, "origin").commit(&[("flow.py", &flow("x"))]);
    let daemon = host.daemon();
    daemon.reconciled();
    for (name, reasons) in [
        ("branch", &["pull step 1 (git_clone) failed", "has no branch or tag nowhere; its branches are main"][..]),
        ("commit", &["has no commit 0123456789"]),
        ("nothing", &["no-such-repository cannot be read"]),
        ("foreign", &["pull step 1 (pull_from_s3) failed", "run_shell_script step that fetches the code"]),
        ("block", &["a Prefect server keeps", "{{ $NAME }}"]),
        ("output", &["no step before it gives"]),
        ("directory", &["(set_working_directory)", "no/such does not exist"]),
        ("script", &["pull step 2 (run_shell_script)", "exit code 7: too bad"]),
        ("builtin", &["command not found: cd", "shell: true"]),
        ("pip", &["there is no requirements.txt in"]),
        ("program", &["command not found: ./no-such-program"]),
        ("main/file", &["gone.py does not exist"]),
        ("main/module", &["there is no module gone.away"]),
        ("gitless", &["git is not on the run's PATH"]),
    ] {
        failed(&daemon, name, reasons);
    }
}

#[test]
fn scripts_have_outputs_and_packages_are_installed_for_the_interpreter_that_runs() {
    let host = Host::new("
name: scripted
deployments:
  - name: scripts
    command: 'pwd; cat made copied'
    pull:
      - prefect.deployments.steps.run_shell_script:
          id: words
          script: |
            # not a command
            echo one>=two '$NAME' $NAME

            echo three && echo four
          env: {NAME: five}
          expand_env_vars: true
          stream_output: false
      - set_working_directory: {directory: sub}
      - run_shell_script: {script: 'echo \"{{ $GREETING }} {{ parameters.who }}\" > made', shell: true}
      - run_shell_script:
          script: 'echo \"$WORDS\" | tr \"[:space:]\" + > copied'
          env: {WORDS: '{{ words.stdout }}'}
    parameters: {who: world}
    env: {GREETING: hello}
  - name: packages
    command: 'true'
    job_variables: {python: '{{ $PYTHON }}'}
    pull:
      - git_clone: {id: clone, repository: ../origin}
      - run_shell_script: {script: 'cat origin/wanted.txt'}
      - pip_install_requirements: {requirements_file: wanted.txt}
");
    fs::create_dir(host.project().join("sub")).unwrap();
    Repository::new(&host, "origin").commit(&[("wanted.txt", "something\n")]);
    let python = host.path().join("python");
    fs::write(&python, "#!/bin/sh\necho \"called with $* in $PWD\"\n").unwrap();
    fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let daemon = host.daemon_with(&[], &[("PYTHON", python.to_str().unwrap())]);
    daemon.reconciled();
    let run = completed(&daemon, "packages");
    daemon.logged(&run, "something");
    let called = daemon.logged(&run, "called with");
    assert!(called.contains("-m pip install --no-input -r wanted.txt") && called.contains("/trees/"), "{called}");

    let run = completed(&daemon, "scripts");
    assert!(!daemon.log(&run).contains(&"three".to_owned()), "its output is not streamed");
    daemon.logged(&run, "hello world");
    daemon.logged(&run, "one>=two+five+five+three+four+");
    assert!(daemon.logged(&run, "/project/sub").ends_with("/project/sub"));
}

#[test]
fn steps_are_part_of_the_run_cancel_and_timeout_stop_them() {
    let host = Host::new("
name: stopped
deployments:
  - {name: cancelled, command: 'echo never', pull: [{run_shell_script: {script: \"echo begun\\nsleep 600\"}}]}
  - {name: late, command: 'echo never', timeout_seconds: 0.5, pull: [{run_shell_script: {script: sleep 600}}]}
  - {name: again, command: 'true', retries: 1, pull: [{run_shell_script: {script: 'false'}}]}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("cancelled");
    daemon.logged(&run, "begun");
    host.cli(&["flow-run", "cancel", id(&run)]).exits(0);
    assert_eq!(daemon.end_of(&run)["state_type"], "CANCELLED");
    assert!(process::with_variable(&format!("REEVE_FLOW_RUN_ID={}", id(&run))).is_empty());
    assert_eq!(daemon.outcome("late")["state_name"], "TimedOut");
    let run = daemon.outcome("again");
    assert_eq!((&run["state_type"], &run["run_count"]), (&"FAILED".into(), &2.into()));
}
