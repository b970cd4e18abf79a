//! Logs as a person follows them, and what of Python's `logging` stands in them.
mod common;

use common::{Daemon, Host, until};
use serde_json::{Value, json};

/// What stands in a terminal between the time and the end of each line of a run's log.
fn lines_of_the_run(said: &str) -> Vec<String> {
    said.lines().filter(|line| line.contains(" | flow run '")).map(str::to_owned).collect()
}

#[test]
fn a_followed_log_has_no_gap_and_no_repeat_across_kills_and_restarts_of_the_daemon() {
    let host = Host::new(
        r#"
deployments:
  - name: talk
    command: |
      pause() { echo "waits for $1"; while [ ! -e "$1" ]; do sleep 0.02; done; }
      pause first
      seq -f 'line %g' 1 3000
      pause second
      seq -f 'line %g' 3001 6000
      pause third
      echo the end
"#,
    );
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.run("talk");
    let name = run["name"].as_str().unwrap().to_owned();
    daemon.logged(&run, "waits for first");
    let mut command = host.command();
    command.args(["flow-run", "logs", "-f", &name]);
    let follower = Daemon::spawn(command);
    follower.line("waits for first");
    daemon.kill();
    host.write("first", "");
    follower.line("the daemon has gone: waiting for it");
    let daemon = host.daemon();
    follower.line("the daemon is back");
    follower.line("waits for second");
    // Now one that goes on its own accord, while lines are written.
    let mark = follower.mark();
    host.write("second", "");
    daemon.interrupt();
    follower.line_after(mark, "the daemon has gone");
    let daemon = host.daemon();
    follower.line("waits for third");
    host.write("third", "");
    daemon.end_of(&run);
    let (status, said) = follower.ended();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("Flow run '{name}' finished in state Completed")), "{said}");
    let whole = host.cli(&["flow-run", "logs", &name]).exits(0);
    let (followed, whole) = (lines_of_the_run(&said), lines_of_the_run(&whole.out));
    assert!(whole.len() > 6_000, "{} lines", whole.len());
    let differs = followed.iter().zip(&whole).find(|(followed, whole)| followed != whole);
    assert!(followed.len() == whole.len() && differs.is_none(), "{} of {} lines: {differs:?}", followed.len(), whole.len());
}

#[test]
fn python_logging_keeps_its_levels_and_its_order_among_what_is_printed() {
    let host = Host::new("deployments: [{name: say, entrypoint: 'say.py:say'}]");
    host.write(
        "say.py",
        "import logging\n\ndef say():\n    print('one')\n    logging.info('two')\n    logging.getLogger('lib').warning('three\\nthree and a half')\n    \
         print('four')\n    logging.error('five')\n    logging.debug('unasked')\n    print('six', end='')\n    logging.critical('seven')\n",
    );
    let daemon = host.daemon();
    daemon.reconciled();
    let run = daemon.outcome("say");
    let logs = daemon.post("/logs/filter", json!({"logs": {"flow_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"}));
    let found: Vec<_> = logs.as_array().unwrap().iter().map(|log| (log["level"].as_u64().unwrap(), log["message"].as_str().unwrap())).collect();
    let own: Vec<_> = found.into_iter().filter(|(_, text)| !text.contains("interpreter") && !text.contains("attempt") && !text.contains("exited")).collect();
    let expected = [(20, "one"), (20, "two"), (30, "lib: three"), (30, "three and a half"), (20, "four"), (40, "five"), (20, "six"), (50, "seven")];
    assert_eq!(own, expected);
    // The daemon's own output says them with their levels, too.
    until("the daemon shows it", || daemon.said().contains("| ERROR   | flow run").then_some(()));
    let shown = host.cli(&["flow-run", "logs", run["name"].as_str().unwrap()]).exits(0);
    shown.says(&["| WARNING | flow run", "| CRITICAL | flow run"]);
}

/// What an author gets who writes down dates, members of enumerations and the like.
#[test]
fn parameters_come_as_what_the_signature_says_and_misfits_are_said_when_they_are_known() {
    let host = Host::new(
        r#"
deployments:
  - name: typed
    entrypoint: typed.py:load
    parameters: {day: 2026-11-20, color: red, span: PT1H30M, count: 3}
  - name: late
    entrypoint: typed.py:load
    parameters: {day: 2026-11-20, color: "{{ $COLOR_KEY }}", count: "{{ $COUNT_KEY }}"}
"#,
    );
    host.write(
        "typed.py",
        "import datetime, enum\n\nclass Color(enum.Enum):\n    RED = 'red'\n\n\
         def load(count: int, day: datetime.date, color: Color = Color.RED, span: datetime.timedelta = None):\n    \
         print(count, day.year, color.name, span)\n",
    );
    let daemon = host.daemon_with(&[], &[("COLOR_KEY", "green-and-a-secret"), ("COUNT_KEY", "12345678")]);
    daemon.reconciled();
    let typed = daemon.outcome("load/typed");
    assert!(daemon.log(&typed).contains(&"3 2026 RED 1:30:00".to_owned()), "{:?}", daemon.log(&typed));
    // Known only when the run starts; a secret's value is not said.
    let late = daemon.outcome("load/late");
    assert_eq!(late["state_type"], "FAILED", "as in Prefect: what it was given does not fit, its infrastructure does");
    let message = late["state"]["message"].as_str().unwrap();
    assert_eq!(message, "parameters do not fit: the parameter `color` is a secret; expected `red`; the parameter `count` is a secret; expected a whole number");
    // Asked for through the API, and by a person.
    let path = format!("/deployments/{}/create_flow_run", daemon.deployment("load/typed")["id"].as_str().unwrap());
    let reply = daemon.request("POST", &path, Some(&json!({"parameters": {"count": "many", "day": "soon"}})));
    assert_eq!(reply.status, 409);
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    for part in ["the parameter `count` is the text `many`; expected a whole number", "the parameter `day` is the text `soon`; expected a date such as"] {
        assert!(detail.contains(part), "{detail}");
    }
    let asked = host.cli(&["deployment", "run", "typed", "-p", "count=1.5"]).exits(1);
    assert!(asked.err.contains("the parameter `count` is the number `1.5`; expected a whole number"), "{}", asked.err);
}

/// What a pool's base job template decides reaches a run in the foreground as it does one of the daemon.
#[test]
fn a_run_in_the_foreground_gets_the_job_that_the_daemon_would_give_it() {
    let host = Host::new(
        r#"
work_pools:
  - name: templated
    type: process
    base_job_template:
      variables: {type: object, properties: {place: {type: string, default: below}, python: {type: string}}}
      job_configuration: {env: {FROM_POOL: "{{ place }}"}, working_dir: "{{ place }}", env_inherit: false}
deployments:
  - {name: where, command: 'pwd | grep -o below; echo "$FROM_POOL"; env | grep -c ^REEVE_HOME=', work_pool: {name: templated}}
"#,
    );
    std::fs::create_dir(host.project().join("below")).unwrap();
    let said = |out: &str| out.lines().filter_map(|line| line.split_once("' - ")).map(|(_, text)| text.to_owned()).filter(|text| text.len() < 6).collect::<Vec<_>>();
    let without_home = host.cli(&["deployment", "execute", "where"]).exits(1);
    assert_eq!(said(&without_home.out), ["below", "below", "0"], "{}", without_home.out);
    host.cli(&["reconcile"]).exits(0);
    let with_home = host.cli(&["deployment", "execute", "where"]).exits(1);
    assert_eq!(said(&with_home.out), ["below", "below", "0"], "{}", with_home.out);
    let daemon = host.daemon();
    daemon.reconciled();
    assert_eq!(daemon.log(&daemon.outcome("where")), ["below", "below", "0"]);
}

/// As behind a paused pager, or Ctrl-S.
#[test]
fn a_terminal_that_takes_nothing_holds_up_no_run() {
    const RUNS: usize = 100;
    let host = Host::new("
work_pools: [{name: local, type: process, concurrency_limit: 8}]
deployments:
  - {name: noisy, command: 'yes \"$(seq -s. 60)\" | head -n 200', work_pool: {name: local}}
");
    let mut command = host.command();
    command.args(["daemon", "--port", "0"]);
    let (daemon, terminal) = Daemon::unheard(command, &host.home());
    daemon.reconciled();
    let runs: Vec<Value> = (0..RUNS).map(|_| daemon.run("noisy")).collect();
    for run in &runs {
        assert_eq!(daemon.over(run)["state_type"], "COMPLETED");
    }
    assert_eq!(daemon.log(&runs[0]).len(), 200, "its own log has every line");
    host.cli(&["status"]).exits(0);
    daemon.listen(terminal);
    // 3 MB were said, and no pipe takes so much.
    daemon.line("lines are missing here: this terminal took none for a while");
    let again = daemon.run("noisy");
    daemon.line(&format!("flow run '{}' - Finished in state Completed", again["name"].as_str().unwrap()));
    let (status, said) = daemon.interrupt();
    assert!(status.success() && said.lines().last().unwrap().contains("stopped"), "{status} {said}");
}

#[test]
fn a_watch_of_a_run_whose_log_cannot_be_read_ends_with_the_run() {
    let host = Host::new("deployments: [{name: short, command: 'true'}]");
    let daemon = host.daemon();
    daemon.reconciled();
    let runs = host.home().join("runs");
    let _not_made_yet = std::fs::remove_dir_all(&runs);
    std::fs::write(&runs, "x").unwrap();
    let watched = host.cli(&["deployment", "run", "short", "--watch"]).exits(1);
    watched.says(&["finished in state Crashed"]);
}
