//! Runs through the real daemon: every end that a run can have, what it is given, what bounds it, and how it is stopped.
mod common;

use common::daemon::{id, message, state};
use common::{Daemon, Host, process, until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Waits until a file `release` is made in the project.
const HOLD: &str = "echo begun; while [ ! -e release ]; do sleep 0.02; done";

#[test]
fn every_end_of_a_command_has_its_state_and_its_reason() {
    let host = Host::new("
name: ends
deployments:
  - {name: good, command: 'echo fine'}
  - {name: three, command: 'echo about to fail >&2; exit 3'}
  - {name: killed, command: 'kill -KILL $$'}
  - {name: missing, command: [./no-such-program, argument]}
  - {name: missing-in-shell, command: no-such-program-anywhere}
  - {name: forbidden, command: [./plain.txt]}
  - {name: interpreter, command: [./strange.sh]}
  - {name: nowhere, command: 'true', working_dir: no/such/directory}
  - {name: endless, command: 'exec sleep 300', timeout_seconds: 0.5}
  - {name: silent, command: 'exec >&- 2>&-; exit 4'}
  - {name: unset, command: 'echo {{ $NO_SUCH_VARIABLE_ANYWHERE }}'}
  - {name: not-given, command: 'echo {{ parameters.day }}'}
");
    host.write("plain.txt", "not a program\n");
    host.write("strange.sh", "#!/no/such/interpreter\n");
    fs::set_permissions(host.project().join("strange.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let daemon = host.daemon();
    daemon.reconciled();
    let table = [
        ("good", ("COMPLETED", "Completed"), "exited with code 0"),
        ("three", ("FAILED", "Failed"), "exited with code 3"),
        ("killed", ("CRASHED", "Crashed"), "SIGKILL"),
        ("missing", ("CRASHED", "Crashed"), "command not found: ./no-such-program"),
        ("missing-in-shell", ("FAILED", "Failed"), "the shell found no such command"),
        ("forbidden", ("CRASHED", "Crashed"), "not executable"),
        ("interpreter", ("CRASHED", "Crashed"), "interpreter"),
        ("nowhere", ("CRASHED", "Crashed"), "does not exist"),
        ("endless", ("FAILED", "TimedOut"), "timed out after"),
        ("silent", ("FAILED", "Failed"), "exited with code 4"),
        ("unset", ("CRASHED", "Crashed"), "NO_SUCH_VARIABLE_ANYWHERE"),
        ("not-given", ("FAILED", "Failed"), "give that parameter a value"),
    ];
    let runs = table.map(|(name, ..)| daemon.run(name));
    for ((name, expected, reason), run) in table.into_iter().zip(runs) {
        let run = daemon.end_of(&run);
        assert_eq!(state(&run), expected, "{name}: {run:#}");
        assert!(message(&run).contains(reason), "{name}: {:?} does not say {reason:?}", message(&run));
        assert_eq!(run["run_count"], 1, "{name}");
        let began = !["missing", "forbidden", "interpreter", "nowhere", "unset", "not-given"].contains(&name);
        assert_eq!(run["start_time"].is_string(), began, "{name}");
    }
    daemon.counts(0, 0);
}

#[test]
fn a_run_that_failed_to_start_frees_its_slot_and_shows_its_reason_on_the_terminal() {
    let host = Host::new("
work_pools: [{name: narrow, type: process, concurrency_limit: 1}]
deployments:
  - {name: missing, command: [./no-such-program], work_pool: {name: narrow}}
  - {name: good, command: 'true', work_pool: {name: narrow}}
");
    let daemon = host.daemon();
    daemon.reconciled();
    assert_eq!(daemon.outcome("missing")["state_type"], "CRASHED");
    daemon.line("Finished in state Crashed: command not found: ./no-such-program");
    assert_eq!(daemon.outcome("good")["state_type"], "COMPLETED");
}

#[test]
fn a_run_that_waits_says_for_what_and_who_holds_it() {
    let host = Host::new("
work_pools: [{name: local, type: process, concurrency_limit: 1}]
deployments:
  - {name: holds, command: 'sleep 600', work_pool: {name: local}}
  - {name: waits, command: 'true', work_pool: {name: local}}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let holds = daemon.run("holds");
    drop(daemon.running(&holds));
    let (first, second) = (daemon.run("waits"), daemon.run("waits"));
    let why = |run: &Value| host.cli(&["flow-run", "why", id(run)]);
    why(&holds).exits(0).says(&["is Running since "]);
    let holder = format!("held by {} (holds/holds, {})", holds["name"].as_str().unwrap(), id(&holds));
    why(&first).exits(0).says(&["waits: the only slot of work pool 'local' is taken", &holder]);
    why(&second).exits(0).says(&[&holder, "1 other run that waits for the same goes first"]);
    let later = daemon.run_with("waits", json!({"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00:00Z"}}}));
    why(&later).exits(0).says(&["waits for its time, 2099-01-01 00:00:00 UTC"]);
    host.cli(&["flow-run", "cancel", id(&holds)]).exits(0);
    drop(daemon.end_of(&second));
    why(&second).exits(0).says(&["is over: Completed since "]);
    host.cli(&["flow-run", "why", "nobody"]).exits(1);
}

#[test]
fn a_run_is_confined_as_its_keys_and_its_pools_template_say() {
    let host = Host::new("
work_pools:
  - name: templated
    type: process
    base_job_template:
      job_configuration: {env: '{{ env }}', working_dir: '{{ working_dir }}', command: '{{ command }}'}
      variables:
        type: object
        properties:
          env: {type: object, default: {FROM: pool}}
          working_dir: {type: string, default: sub}
          command: {type: string}
deployments:
  - {name: confined, command: 'umask; nice; ulimit -d; cat /proc/self/cgroup >/dev/null', umask: '027', nice: 7, memory_max: 512M, cpu_max: 0.5}
  - {name: templated, command: 'pwd; echo $FROM $FILE $OWN', work_pool: {name: templated}, env_file: run.env, env: {OWN: own}}
  - {name: misfit, command: 'true', parameters: {directory: 7}, work_pool: {name: templated, job_variables: {working_dir: '{{ parameters.directory }}'}}}
  - {name: somebody, command: 'id -u; echo $HOME', user: 65534, group: 65534}
  - {name: nobody-knows, command: 'true', user: no-such-user-here}
");
    host.write("sub/here", "");
    host.write("run.env", "# of the host\nexport FILE='a file'\n\nOWN=file\n");
    let daemon = host.daemon();
    daemon.reconciled();
    let log = |name: &str| daemon.log(&daemon.end_of(&daemon.run(name)));
    let confined = log("confined");
    assert_eq!(confined[..2], ["0027", "7"], "{confined:?}");
    // Where no control group holds the memory, each process's data is bounded: in KiB.
    assert!(["524288", "unlimited"].contains(&confined[2].as_str()), "{confined:?}");
    assert_eq!(log("templated"), [host.project().join("sub").to_str().unwrap().to_owned(), "pool a file own".to_owned()]);
    let misfit = daemon.outcome("misfit");
    assert!(misfit["state"]["message"].as_str().unwrap().contains("the job variable working_dir does not fit the base job template"), "{misfit:#}");
    // The log says why nothing ran.
    daemon.logged(&misfit, "the job variable working_dir");
    host.cli(&["deployment", "run", "templated", "--job-variable", "working_dir=[1]"]).exits(1).says(&["the job variable working_dir does not fit"]);
    let root = rustix::process::geteuid().is_root();
    let (somebody, unknown) = (daemon.outcome("somebody"), daemon.outcome("nobody-knows"));
    let message = |run: &Value| run["state"]["message"].as_str().unwrap_or_default().to_owned();
    if root {
        assert_eq!(daemon.log(&somebody)[0], "65534", "{somebody:#}");
        assert!(message(&unknown).contains("the user no-such-user-here is not known on this host"), "{unknown:#}");
    } else {
        assert!(message(&somebody).contains("only a daemon that runs as root"), "{somebody:#}");
    }
}

#[test]
fn only_the_ends_that_retry_on_names_are_tried_again() {
    let host = Host::new("
deployments:
  - {name: temporary, command: 'exit 75', retries: 1, retry_on: [75, timeout]}
  - {name: wrong, command: 'exit 1', retries: 1, retry_on: [75, timeout]}
  - {name: slow, command: 'sleep 60', timeout_seconds: 0.2, retries: 1, retry_on: timeout}
  - {name: killed, command: 'kill -9 $$', retries: 1, retry_on: crashed}
  - {name: segfault, command: 'kill -11 $$', retries: 1, retry_on: SIGKILL}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let names = ["temporary", "wrong", "slow", "killed", "segfault"];
    let runs = names.map(|name| daemon.run(name));
    let ends = runs.map(|run| {
        let end = daemon.end_of(&run);
        (end["state_name"].as_str().unwrap().to_owned(), end["run_count"].as_u64().unwrap())
    });
    let expected = [("Failed", 2), ("Failed", 1), ("TimedOut", 2), ("Crashed", 2), ("Crashed", 1)];
    assert_eq!(ends, expected.map(|(state, attempts)| (state.to_owned(), attempts)));
}

#[test]
fn attempts_that_cannot_begin_count_and_end_with_the_retries() {
    let host = Host::new("
deployments:
  - {name: missing, command: [./no-such-program], retries: 2}
  - {name: burns-its-bridges, command: 'rmdir ../place; exit 1', working_dir: place, retries: 2}
  - {name: not-for-this, command: [./no-such-program], retries: 2, retry_on: [1]}
");
    fs::create_dir(host.project().join("place")).unwrap();
    let daemon = host.daemon();
    daemon.reconciled();
    for (name, attempts) in [("missing", 3), ("burns-its-bridges", 3), ("not-for-this", 1)] {
        let run = daemon.outcome(name);
        assert_eq!((state(&run), &run["run_count"]), (("CRASHED", "Crashed"), &json!(attempts)), "{name}: {run:#}");
    }
    daemon.counts(0, 0);
}

#[test]
fn retries_go_on_until_it_succeeds_or_none_is_left() {
    let host = Host::new("
deployments:
  - name: third-time
    command: 'echo x >> tries; echo attempt $(wc -l < tries); test $(wc -l < tries) -ge 3'
    retries: 5
    retry_delay_seconds: [0.1, 0.3]
  - name: never
    command: 'exit 9'
    retries: 2
    retry_delay_seconds: 0
");
    let daemon = host.daemon();
    daemon.reconciled();
    let (third, never) = (daemon.run("third-time"), daemon.run("never"));
    let third = daemon.end_of(&third);
    assert_eq!((state(&third), &third["run_count"]), (("COMPLETED", "Completed"), &json!(3)), "{third:#}");
    assert_eq!(daemon.log(&third), ["attempt 1", "attempt 2", "attempt 3"], "the log holds all attempts");
    let never = daemon.end_of(&never);
    assert_eq!((state(&never), &never["run_count"]), (("FAILED", "Failed"), &json!(3)), "{never:#}");

    let states = daemon.get(&format!("/flow_run_states/?flow_run_id={}", id(&third)));
    let states: Vec<&Value> = states.as_array().unwrap().iter().collect();
    let names: Vec<&str> = states.iter().map(|state| state["name"].as_str().unwrap()).collect();
    let tries = ["Pending", "Running", "AwaitingRetry", "Pending", "Running", "AwaitingRetry", "Pending", "Running", "Completed"];
    assert_eq!(names[1..], tries, "{names:?}");
    for (index, delay) in [(3, 0.1), (6, 0.3)] {
        let instant = |state: &Value, field: &str| -> jiff::Timestamp { state[field].as_str().unwrap().parse().unwrap() };
        let due = instant(&states[index]["state_details"], "scheduled_time");
        let waited = due.duration_since(instant(states[index], "timestamp")).as_secs_f64();
        assert!((waited - delay).abs() < 0.05, "attempt waits {waited}, declared {delay}");
        assert!(instant(states[index + 2], "timestamp") >= due, "no attempt before its time");
    }
}

const FLOWS: &str = r#"
"""Functions for the tests."""
from prefect import flow

def add(count: int, factor: float = 2.0, names: list[str] = []) -> float:
    """Multiplies."""
    print("count", count, type(count).__name__, "factor", factor, "names", names)
    return count * factor

def broken():
    print("before")
    def inner():
        raise ValueError("no such host")
    inner()

def leave():
    raise SystemExit(7)

@flow
def decorated():
    print("never printed")

async def later():
    print("awaited")
"#;

#[test]
fn python_functions_are_called_with_checked_parameters_and_leave_a_traceback() {
    let host = Host::new("
deployments:
  - {name: add, entrypoint: 'flows.py:add', parameters: {count: 3}}
  - {name: broken, entrypoint: 'flows.py:broken'}
  - {name: leave, entrypoint: 'flows.py:leave'}
  - {name: decorated, entrypoint: 'flows.py:decorated'}
  - {name: later, entrypoint: 'flows.py:later'}
");
    host.write("flows.py", FLOWS);
    // What the Prefect package looks like to a file that uses it.
    host.write("prefect/__init__.py", "from prefect.flows import flow\n");
    host.write("prefect/flows.py", "class Flow:\n    def __init__(self, f): self.f = f\n    def __call__(self): return self.f()\nflow = Flow\n");
    let daemon = host.daemon();
    daemon.reconciled();
    let [add, broken, leave, decorated, later] =
        ["add/add", "broken/broken", "leave/leave", "decorated/decorated", "later/later"].map(|name| daemon.run(name));

    let add = daemon.end_of(&add);
    assert_eq!(state(&add), ("COMPLETED", "Completed"), "{add:#}");
    assert_eq!(daemon.log(&add), ["count 3 int factor 2.0 names []"]);
    assert_eq!(add["state"]["data"], json!(6.0), "{add:#}");

    let broken = daemon.end_of(&broken);
    assert_eq!(state(&broken), ("FAILED", "Failed"));
    assert!(message(&broken).contains("ValueError: no such host"), "{}", message(&broken));
    let log = daemon.log(&broken).join("\n");
    let all = ["before", "Traceback (most recent call last):", "in inner", "ValueError: no such host"];
    assert!(all.iter().all(|text| log.contains(text)) && !log.contains("runner"), "{log}");

    let leave = daemon.end_of(&leave);
    assert_eq!((state(&leave).1, message(&leave).contains("code 7")), ("Failed", true), "{leave:#}");

    let decorated = daemon.end_of(&decorated);
    assert_eq!(state(&decorated), ("FAILED", "Failed"));
    assert!(message(&decorated).contains("is a Prefect flow"), "{}", message(&decorated));
    assert!(!daemon.log(&decorated).join("\n").contains("never printed"));

    assert_eq!(daemon.log(&daemon.end_of(&later)), ["awaited"]);

    for (parameter, why) in [("count=many", "count"), ("kount=3", "kount"), ("names=3", "names")] {
        let answer = host.cli(&["deployment", "run", "add", "-p", parameter]).exits(1);
        assert!(answer.err.contains(why), "{parameter}: {}", answer.err);
    }
    assert_eq!(daemon.runs_of("add").len(), 1, "what does not fit makes no run");
}

#[test]
fn commands_are_given_their_parameters_in_three_ways() {
    let host = Host::new(r#"
deployments:
  - name: given
    command: 'echo "template {{ parameters.day }} variable $REEVE_PARAMETER_DAY $REEVE_PARAMETER_TABLE_NAME json $REEVE_PARAMETERS env $EXTRA"'
    parameters: {day: monday, table-name: orders, deep: {list: [1, 2]}}
    env: {EXTRA: "deep {{ parameters.deep }}"}
  - name: words
    command: [printf, '%s|', '{{ parameters.text }}', '$HOME', '*']
    parameters: {text: "two words; $(touch injected)"}
"#);
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.end_of(&daemon.run_with("given", json!({"parameters": {"day": "friday"}})));
    let log = daemon.log(&run);
    assert_eq!(log.len(), 1, "{run:#} {log:?}");
    assert!(log[0].starts_with("template friday variable friday orders json {"), "{}", log[0]);
    for part in [r#""day":"friday""#, r#""table-name":"orders""#, r#""deep":{"list":[1,2]}"#, "env deep"] {
        assert!(log[0].contains(part), "{part} in {}", log[0]);
    }
    let words = daemon.outcome("words");
    assert_eq!(daemon.log(&words), ["two words; $(touch injected)|$HOME|*|"], "no shell comes near a list");
    assert!(!host.project().join("injected").exists());
    let other = daemon.outcome("given");
    assert!(daemon.log(&other)[0].contains("template monday"), "a run's parameters are its own");
}

#[test]
fn g10_secrets_are_masked_in_logs_and_never_stored() {
    const SECRET: &str = "hunter2-correct-horse";
    let host = Host::new(r#"
deployments:
  - name: call
    command: 'echo "token $TOKEN and $API_TOKEN"; printf "%s" "$TOKEN" >&2; printf "%s" "$TOKEN" | wc -c'
    env: {TOKEN: "{{ $API_TOKEN }}"}
  - name: marked
    command: 'echo "at $WHERE"; env | grep -c OTHER_OF_THE_DAEMON'
    env: {WHERE: {secret: "{{ $DATABASE }}"}}
    env_inherit: [API_*]
  - {name: argument, command: 'echo {{ parameters.token }}', parameters: {token: "{{ $API_TOKEN }}"}}
"#);
    let daemon = host.daemon_with(&[], &[("API_TOKEN", SECRET), ("DATABASE", &format!("pg://{SECRET}@db")), ("OTHER_OF_THE_DAEMON", "1")]);
    daemon.reconciled();
    let marked = daemon.outcome("marked");
    assert_eq!(daemon.log(&marked), ["at ***", "0"]);
    assert!(!daemon.deployment("marked").to_string().contains(SECRET) && !daemon.said().contains(SECRET));
    let argument = daemon.outcome("argument");
    assert!(argument["state"]["message"].as_str().unwrap().starts_with("the command holds a secret"), "{argument:#}");
    let run = daemon.outcome("call");
    assert_eq!(state(&run), ("COMPLETED", "Completed"), "{run:#}");
    let log = daemon.log(&run).join("\n");
    assert!(log.contains("token *** and ***") && log.contains(&SECRET.len().to_string()), "{log}");
    let shown = [log, daemon.said(), daemon.deployment("call").to_string(), run.to_string()];
    assert!(shown.iter().all(|text| !text.contains(SECRET)));
    assert_eq!(daemon.interrupt().0.code(), Some(0));
    for (path, _, content) in host.home_as_it_is() {
        let found = content.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "{} holds the secret", path.display());
    }
}

#[test]
fn a_flood_without_a_newline_is_kept_within_bounds() {
    let host = Host::new("
deployments:
  - {name: flood, command: \"head -c 150000000 /dev/zero | tr '\\\\0' x; echo; echo the last line\"}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.outcome("flood");
    assert_eq!(state(&run), ("COMPLETED", "Completed"), "{run:#}");
    let kept: usize = host.home_as_it_is().iter().filter(|(path, ..)| path.to_string_lossy().contains("/runs/")).map(|file| file.2.len()).sum();
    assert!(kept < 80 << 20, "{kept} bytes of log");
    let tail = host.cli(&["flow-run", "logs", id(&run), "--tail", "3", "-o", "json"]).exits(0).json();
    let tail: Vec<&str> = tail.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert!(tail.contains(&"the last line"), "{tail:?}");
}

/// Heeds SIGTERM late, and has descendants in other sessions, one of which heeds it late as well.
const TREE: &str = r#"
slowly() { trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.05; done; }
sleep 300 &
(slowly) &
setsid sh -c "trap 'sleep 0.7; exit 0' TERM; while :; do sleep 0.05; done" &
nohup sleep 300 >/dev/null 2>&1 &
echo begun
slowly
"#;

#[test]
fn g7_cancelled_means_that_the_whole_process_tree_is_gone() {
    let host = Host::new("deployments: [{name: tree, command: [sh, tree.sh], retries: 3}]");
    host.write("tree.sh", TREE);
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("tree");
    daemon.logged(&run, "begun");
    let tree = || process::with_variable(&format!("REEVE_FLOW_RUN_ID={}", id(&run)));
    until("the tree has grown", || (tree().len() >= 5).then_some(()));
    daemon.running(&run);
    host.cli(&["flow-run", "cancel", id(&run)]).exits(0).says(&["its processes are told to stop"]);
    until("it is Cancelled", || (daemon.look(&run)["state_type"] == "CANCELLED").then_some(()));
    assert_eq!(tree(), [0; 0], "Cancelled was said before all was gone");
    let ended = daemon.end_of(&run);
    assert_eq!(state(&ended), ("CANCELLED", "Cancelled"), "{ended:#}");
    host.cli(&["flow-run", "cancel", id(&run)]).exits(0).says(&["cancelled already"]);
    daemon.counts(0, 0);
}

#[test]
fn a_run_that_waits_is_cancelled_at_once_and_never_starts() {
    let host = Host::new("deployments: [{name: later, command: 'touch started'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    let made = host.cli(&["deployment", "run", "later", "--start-in", "1 hour", "-o", "json"]).exits(0).json();
    assert_eq!(made["state_name"], "Scheduled");
    daemon.counts(0, 1);
    host.cli(&["flow-run", "cancel", id(&made)]).exits(0).says(&["Cancelled flow run"]);
    assert_eq!(daemon.look(&made)["state_type"], "CANCELLED");
    daemon.counts(0, 0);
    assert!(!host.project().join("started").exists());
}

#[test]
fn a_run_that_goes_on_cannot_be_deleted_and_one_that_is_over_can() {
    let host = Host::new(&format!("deployments: [{{name: hold, command: '{HOLD}'}}]"));
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("hold");
    daemon.logged(&run, "begun");
    daemon.running(&run);
    host.cli(&["flow-run", "delete", id(&run)]).exits(3).says(&["cancel it first"]);
    assert_eq!(daemon.look(&run)["state_type"], "RUNNING");
    host.write("release", "");
    daemon.end_of(&run);
    host.cli(&["flow-run", "delete", id(&run)]).exits(0).says(&["Deleted flow run"]);
    host.cli(&["flow-run", "inspect", id(&run)]).exits(1);
}

#[test]
fn an_idempotency_key_makes_one_run_however_often_it_is_sent() {
    let host = Host::new("deployments: [{name: once, command: 'echo x >> times'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let ask = || id(&daemon.run_with("once", json!({"idempotency_key": "the-same"}))).to_owned();
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    daemon.end_of(&json!({"id": ids[0]}));
    assert_eq!(host.read("times"), "x\n");
}

#[test]
fn watching_a_run_prints_its_lines_and_ends_with_its_state() {
    let host = Host::new("
deployments:
  - {name: good, command: 'echo one; echo two'}
  - {name: bad, command: 'echo three; exit 5'}
");
    let daemon = host.daemon();
    daemon.reconciled();
    host.cli(&["deployment", "run", "good", "--watch"]).exits(0).says(&["- one", "- two", "finished in state Completed"]);
    host.cli(&["deployment", "run", "bad", "--watch"]).exits(1).says(&["- three", "finished in state Failed", "code 5"]);
    let run = run_named(&daemon, "good");
    host.cli(&["flow-run", "logs", "-f", run["name"].as_str().unwrap()]).exits(0).says(&["- one", "Completed"]);
    host.cli(&["flow-run", "ls"]).exits(0).says(&["good/good", "bad/bad", "Completed", "Failed"]);
    host.cli(&["flow-run", "ls", "--state", "failed"]).exits(0).says(&["bad/bad", "Failed"]);
    host.cli(&["flow-run", "ls", "--state", "Late"]).exits(0).says(&["There are no such flow runs."]);
    host.cli(&["flow-run", "ls", "--state", "Runing"]).exits(1).says(&["there is no state 'Runing'", "did you mean Running?", "AwaitingRetry"]);
}

#[test]
fn each_run_is_measured() {
    let host = Host::new("
work_pools: [{name: one, concurrency_limit: 1}]
deployments:
  - {name: hold, command: 'echo begun; until [ -e release ]; do sleep 0.02; done', work_pool: {name: one}}
  - {name: twice, command: 'exit 3', retries: 1, work_pool: {name: one}}
  - {name: killed, command: 'kill -9 $$'}
");
    let daemon = host.daemon();
    daemon.reconciled();
    let hold = daemon.run("hold");
    daemon.logged(&hold, "begun");
    let waits = daemon.run("twice");
    host.cli(&["flow-run", "why", id(&waits)]).exits(0).says(&["the only slot of work pool 'one' is taken"]);
    until("its wait shows", || daemon.look(&waits)["reeve"]["queue_wait_seconds"].as_f64().filter(|seconds| *seconds > 0.3));
    host.cli(&["flow-run", "inspect", id(&waits)]).exits(0).says(&["Queue wait:", "so far"]);
    host.write("release", "");
    let twice = daemon.end_of(&waits);
    let (wait, usage) = (&twice["reeve"]["queue_wait_seconds"], &twice["reeve"]["usage"]);
    // It was claimed after the wait that was seen, and it started after it was claimed.
    assert!(wait.as_f64().is_some_and(|seconds| seconds > 0.3 && twice["estimated_start_time_delta"].as_f64().unwrap() > 0.3), "{twice:#}");
    assert_eq!((&usage["exit_code"], &usage["signal"], &twice["run_count"]), (&json!(3), &Value::Null, &json!(2)), "{usage:#}");
    assert!(usage["peak_memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0) && usage["user_cpu_seconds"].is_f64(), "{usage:#}");
    host.cli(&["flow-run", "inspect", id(&twice)]).exits(0).says(&["Late by:", "Queue wait:", "Exit code:", "CPU time:", "Peak memory:"]);
    let killed = daemon.outcome("killed");
    assert_eq!((&killed["reeve"]["usage"]["signal"], &killed["reeve"]["usage"]["exit_code"]), (&json!(9), &Value::Null), "{killed:#}");
    host.cli(&["flow-run", "inspect", id(&killed)]).exits(0).says(&["SIGKILL (signal 9)"]);
}

#[test]
fn a_run_in_the_foreground_is_interrupted_with_all_its_processes() {
    let host = Host::new("deployments: [{name: long, command: 'echo $$ > pid; sleep 300 & echo begun; wait'}]");
    // With a home, so that the run is recorded.
    host.cli(&["reconcile"]).exits(0);
    let mut command = host.command();
    command.args(["deployment", "execute", "long"]);
    let foreground = Daemon::spawn(command);
    foreground.line("- begun");
    let pid: i32 = until("it has written its id", || host.read("pid").trim().parse().ok());
    let (status, said) = foreground.interrupt();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("Cancelled"), "{said}");
    assert!(!process::is_alive(pid));
    let runs = host.cli(&["flow-run", "ls", "-o", "json"]).exits(0).json();
    assert_eq!(runs[0]["state_type"], "CANCELLED", "{runs:#}");
}

fn run_named(daemon: &Daemon, deployment: &str) -> Value {
    daemon.runs_of(deployment).remove(0)
}
