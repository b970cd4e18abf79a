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
    let server = Server::seeded().await;
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
