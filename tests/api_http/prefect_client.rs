//! The unmodified Prefect client's own models read our answers: needs a Python with prefect, named by `REEVE_TEST_PREFECT_PYTHON`.
use super::support::*;
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

const READ: &str = r#"
import json, sys
from prefect.client.schemas import objects, responses
from prefect.client.schemas.responses import OrchestrationResult, DeploymentResponse
models = {
    "flow": objects.Flow, "flow_run": objects.FlowRun, "deployment": DeploymentResponse, "work_pool": objects.WorkPool,
    "work_queue": objects.WorkQueue, "orchestration": OrchestrationResult[objects.FlowRun], "state": objects.State,
    "log": objects.Log, "worker": objects.Worker, "schedule": objects.DeploymentSchedule,
    "concurrency_limit": objects.ConcurrencyLimit,
}
count = 0
for line in sys.stdin:
    kind, value = json.loads(line)
    models[kind].model_validate(value)
    count += 1
print(count)
"#;

#[tokio::test]
async fn prefects_models_read_our_answers() {
    let Ok(python) = std::env::var("REEVE_TEST_PREFECT_PYTHON") else {
        eprintln!("SKIPPED: REEVE_TEST_PREFECT_PYTHON names no Python with prefect");
        return;
    };
    let server = super::future::server().await;
    let mut answers = Vec::new();
    let mut all = |kind: &str, list: &serde_json::Value| {
        answers.extend(list.as_array().unwrap().iter().map(|value| json!([kind, value]).to_string()));
    };
    all("flow", &server.post("/flows/filter", json!({})).await.expect(200));
    all("flow_run", &server.post("/flow_runs/filter", json!({})).await.expect(200));
    let deployments = server.post("/deployments/filter", json!({})).await.expect(200);
    for deployment in deployments.as_array().unwrap() {
        all("schedule", &deployment["schedules"]);
    }
    all("deployment", &deployments);
    all("work_pool", &server.post("/work_pools/filter", json!({})).await.expect(200));
    all("work_queue", &server.post("/work_queues/filter", json!({})).await.expect(200));
    server.post("/concurrency_limits/", json!({"tag": "a", "concurrency_limit": 2})).await.expect(201);
    all("concurrency_limit", &server.post("/concurrency_limits/filter", json!({})).await.expect(200));
    all("worker", &server.post("/work_pools/local/workers/filter", json!({})).await.expect(200));
    let run = server.run_id("Brisk-Otter");
    all("state", &server.get(&format!("/flow_run_states/?flow_run_id={run}")).await.expect(200));
    let mut proposals = Vec::new();
    for (name, kind) in [("Brisk-Otter", "COMPLETED"), ("zen-yak", "RUNNING"), ("zen-yak", "CANCELLING"), ("odd-crow", "PENDING")] {
        let path = format!("/flow_runs/{}/set_state", server.run_id(name));
        proposals.push(server.post(&path, json!({"state": {"type": kind, "state_details": {}}})).await.json);
    }
    all("orchestration", &json!(proposals));
    let mut child = Command::new(python).args(["-c", READ]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answers.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "prefect's models refuse an answer");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), answers.len().to_string());
}

/// What a user of Prefect's command line types, and something that must stand in the answer.
const COMMANDS: [(&[&str], &str); 13] = [
    (&["version"], "3.8.8"),
    (&["flow", "ls"], "etl"),
    (&["deployment", "ls"], "etl/daily"),
    (&["deployment", "inspect", "etl/daily"], "flow.py:etl"),
    (&["deployment", "schedule", "ls", "etl/daily"], "0 9 * * *"),
    (&["flow-run", "ls"], "calm-otter"),
    (&["flow-run", "ls", "--state-type", "FAILED"], "odd-crow"),
    (&["work-pool", "ls"], "local"),
    (&["work-pool", "inspect", "local"], "type='process'"),
    (&["work-pool", "create", "made", "--type", "process"], "made"),
    (&["work-pool", "pause", "made"], "made"),
    (&["work-queue", "ls", "--pool", "local"], "urgent"),
    (&["deployment", "run", "etl/daily", "-p", "count=4"], "Created flow run"),
];

#[tokio::test(flavor = "multi_thread")]
async fn prefects_command_line_works() {
    let Ok(python) = std::env::var("REEVE_TEST_PREFECT_PYTHON") else {
        eprintln!("SKIPPED: REEVE_TEST_PREFECT_PYTHON names no Python with prefect");
        return;
    };
    let server = super::future::server().await;
    let to_come = server.post("/deployments/get_scheduled_flow_runs", json!({"deployment_ids": [of("etl/often")]})).await.expect(200);
    let (virtual_run, another) = (to_come[0]["id"].as_str().unwrap(), to_come[1]["id"].as_str().unwrap());
    let name = to_come[0]["name"].as_str().unwrap();
    let of_virtual_runs: [(&[&str], &str); 5] = [
        (&["flow-run", "ls", "--limit", "50"], name),
        (&["flow-run", "ls", "--state-type", "SCHEDULED"], name),
        (&["flow-run", "inspect", virtual_run], "auto_scheduled=True"),
        (&["flow-run", "cancel", virtual_run], "was successfully"),
        (&["flow-run", "delete", another], "Successfully deleted"),
    ];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, server.router.clone()).into_future());
    let profile = tempfile::tempdir().unwrap();
    for (arguments, expected) in COMMANDS.into_iter().chain(of_virtual_runs) {
        let mut command = tokio::process::Command::new(&python);
        command.args(["-m", "prefect"]).args(arguments).env("PREFECT_API_URL", format!("http://{address}/api"));
        command.env("PREFECT_HOME", profile.path()).env("COLUMNS", "200").env("NO_COLOR", "1").stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.contains(expected), "prefect {arguments:?} said:\n{said}");
    }
}
