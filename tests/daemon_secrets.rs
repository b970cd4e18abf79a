//! What is secret appears as `***` wherever people look, and no file of the home holds what was read from the environment.
mod common;

use common::daemon::{message, state};
use common::{Daemon, Host};
use serde_json::{Value, json};

const TOKEN: &str = "s3cr3t-hunter2-token";
const DATABASE: &str = "pg-hunter2-database";

fn texts(daemon: &Daemon, run: &Value) -> [String; 3] {
    [daemon.log(run).join("\n"), daemon.look(run).to_string(), daemon.get(&format!("/flow_run_states/?flow_run_id={}", run["id"].as_str().unwrap())).to_string()]
}

#[test]
fn g10_what_the_environment_gives_is_never_shown_or_stored() {
    let host = Host::new(r#"
name: s
work_pools:
  - name: w
    type: process
    base_job_template:
      job_configuration: {env: "{{ env }}"}
      variables:
        type: object
        properties:
          env: {type: object, additionalProperties: {type: string}, default: {D: {secret: "{{ $DATABASE }}"}}}
deployments:
  - {name: variables, command: 'echo "q=$Q."', job_variables: {env: {Q: {secret: "{{ $DATABASE }}"}}}}
  - {name: pool, command: 'echo "d=$D."', work_pool: {name: w}}
  - {name: asked, command: 'echo "q=$Q."; printf "%s" "$Q" | wc -c'}
  - {name: elsewhere, command: 'true', working_dir: 'no/{{ $DATABASE }}'}
  - {name: other, command: 'echo "o=$OTHER."', env: {OTHER: "{{ $DATABASE }}"}}
  - {name: given, command: 'echo "$REEVE_PARAMETER_WHERE."', parameters: {where: "{{ $DATABASE }}"}}
  - {name: script, command: 'true', pull: [{run_shell_script: {script: "printenv Q", env: {Q: {secret: "{{ $DATABASE }}"}}}}]}
  - {name: typed, flow_name: typed, entrypoint: 'f.py:intp', parameters: {n: "{{ $MY_TOKEN }}"}}
  - {name: file, command: 'true', env_file: '{{ $MY_TOKEN }}'}
  - {name: wrong, command: 'true', job_variables: {nice: "{{ $MY_TOKEN }}"}}
  - {name: step, command: 'true', pull: [{set_working_directory: {directory: "/no/{{ $MY_TOKEN }}"}}]}
"#);
    host.write("f.py", "def intp(n: int):\n    print(n)\n");
    let daemon = host.daemon_with(&[], &[("MY_TOKEN", TOKEN), ("DATABASE", DATABASE)]);
    daemon.reconciled();
    let mut shown = Vec::new();
    for (name, log) in [("variables", "q=***."), ("pool", "d=***."), ("other", "o=***."), ("given", "***.")] {
        let run = daemon.outcome(name);
        assert_eq!(state(&run), ("COMPLETED", "Completed"), "{run:#}");
        assert_eq!(daemon.log(&run), [log]);
        shown.extend(texts(&daemon, &run));
    }
    let script = daemon.outcome("script");
    assert!(daemon.log(&script).contains(&"***".to_owned()), "{:?}", daemon.log(&script));
    shown.extend(texts(&daemon, &script));
    for (name, said) in [
        ("elsewhere", "***"),
        ("typed", "the parameter `n` is a secret; expected a whole number"),
        ("file", "***"),
        ("wrong", "***"),
        ("step", "***"),
    ] {
        let run = daemon.outcome(name);
        assert_ne!(state(&run).0, "COMPLETED", "{run:#}");
        assert!(message(&run).contains(said), "{name}: {}", message(&run));
        shown.extend(texts(&daemon, &run));
    }
    let asked = daemon.end_of(&daemon.run_with("asked", json!({"job_variables": {"env": {"Q": {"secret": "asked-for-hunter2"}}}})));
    assert_eq!(daemon.log(&asked), ["q=***.", "17"]);
    shown.extend(texts(&daemon, &asked));
    shown.push(daemon.said());
    shown.push(host.cli(&["deployment", "ls", "-o", "json"]).exits(0).out);
    assert!(shown.iter().all(|text| !text.contains("hunter2")), "{}", shown.join("\n\n"));
    assert_eq!(daemon.interrupt().0.code(), Some(0));
    for (path, _, content) in host.home_as_it_is() {
        for secret in [TOKEN, DATABASE] {
            assert!(!content.windows(secret.len()).any(|window| window == secret.as_bytes()), "{} holds {secret}", path.display());
        }
    }
}

#[test]
fn g10_a_variable_that_is_marked_anywhere_is_refused_in_a_command() {
    let host = Host::new(r#"
deployments:
  - {name: marks, command: 'true', env: {PLAIN: {secret: "{{ $PLAIN }}"}}}
  - {name: uses, command: 'echo {{ $PLAIN }}'}
"#);
    let mut command = host.command();
    command.env("PLAIN", DATABASE).args(["reconcile", "--dry-run"]);
    let answer = common::Answer::of(&mut command, &["reconcile"]).exits(1);
    let said = format!("{}{}", answer.out, answer.err);
    assert!(said.contains("secret-argument") && !said.contains(DATABASE), "{said}");
}

#[test]
fn g10_literals_in_files_and_commands_are_masked_in_texts_for_people() {
    let host = Host::new(r#"
name: literal
deployments:
  - name: a
    command: 'echo "$REEVE_PARAMETER_PASSWORD"'
    parameters: {password: literal-hunter2, mode: fast}
    env: {DB_PASSWORD: literal-hunter2, URL: "pg://me:literal-hunter2@db"}
    pull:
      - git_clone: {repository: "https://me:literal-hunter2@host.invalid/a", access_token: literal-hunter2}
      - run_shell_script: {script: "true", env: {MY_KEY: literal-hunter2}}
"#);
    let plan = host.cli(&["reconcile", "--dry-run", "--verbose"]).out;
    let daemon = host.daemon();
    daemon.reconciled();
    let run = host.cli(&["deployment", "run", "a", "-p", "password=asked-hunter2"]).exits(0).out;
    let uuid = run.lines().find_map(|line| line.split_once("UUID: ")).unwrap().1.trim().to_owned();
    let shown = [
        plan,
        run,
        host.cli(&["validate"]).exits(0).out,
        host.cli(&["validate", "-o", "json"]).exits(0).out,
        host.cli(&["deployment", "inspect", "a"]).exits(0).says(&["\"password\": \"***\""]).out,
        host.cli(&["deployment", "inspect", "a", "--explain"]).exits(0).says(&["***"]).out,
        host.cli(&["flow-run", "inspect", &uuid]).exits(0).says(&["\"password\": \"***\""]).out,
        daemon.said(),
    ];
    assert!(shown.iter().all(|text| !text.contains("hunter2")), "{}", shown.join("\n\n"));
}
