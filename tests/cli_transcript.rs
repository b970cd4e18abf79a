//! What commands print, against an API of canned answers: one committed transcript. `REEVE_UPDATE=1` rewrites it.
//!
//! The canned API speaks over a real socket for the commands that behave otherwise beside a daemon.
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reeve::cli::client::Client;
use reeve::cli::screen::Screen;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::Write;
use std::sync::{Arc, Mutex};

const FLOW: &str = "8a24efd8-b343-4b49-a94b-012729e644ce";
const LEO: &str = "279f9124-6745-485c-a8a4-46e1581abb08";
const DAILY: &str = "1f89458d-407d-47fb-91ba-939ee458fb18";
const OTHER_DAILY: &str = "2f89458d-407d-47fb-91ba-939ee458fb18";
const OTHER_FLOW: &str = "9a24efd8-b343-4b49-a94b-012729e644ce";
const RUN: &str = "45ef0da2-ff32-472e-a9b8-8fecdeb95b10";
const QUEUE: &str = "3461754d-e411-4155-9bc7-a0145b6974a0";

fn deployments() -> Vec<Value> {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}, "count": {"type": "integer"}}});
    vec![
        json!({"id": DAILY, "name": "daily", "flow_id": FLOW, "paused": true, "tags": [], "parameters": {}, "work_pool_name": null,
            "schedules": [{"schedule": {"cron": "0 9 * * *", "timezone": "Europe/Berlin"}, "active": true},
                          {"schedule": {"interval": 300.0, "timezone": "UTC"}, "active": false, "slug": "often"}]}),
        json!({"id": OTHER_DAILY, "name": "daily", "flow_id": OTHER_FLOW, "tags": [], "parameters": {}, "schedules": []}),
        json!({"id": LEO, "name": "leonardo-deployment", "flow_id": FLOW, "tags": ["tutorial", "test"], "parameters": {"name": "Leo"},
            "description": "Greets.", "entrypoint": "leo_flow.py:leonardo_dicapriflow", "parameter_openapi_schema": schema,
            "work_pool_name": "tutorial-process-pool", "work_queue_name": "default", "schedules": []}),
    ]
}

fn run(state: &str, name: &str) -> Value {
    json!({"id": RUN, "name": "beautiful-nyala", "flow_id": FLOW, "deployment_id": LEO, "parameters": {"name": "Leo"}, "tags": ["test"],
        "state": {"type": state, "name": name, "message": "exited with code 0", "state_details": {}}, "run_count": 1,
        "expected_start_time": "2026-11-21T08:55:00.000000Z", "start_time": "2026-11-21T08:55:00.100000Z",
        "end_time": "2026-11-21T08:56:05.000000Z", "total_run_time": 65.0, "job_variables": {}})
}

fn queue(name: &str, pool: &str, paused: bool) -> Value {
    json!({"id": QUEUE, "name": name, "work_pool_name": pool, "is_paused": paused, "concurrency_limit": null, "priority": 1,
        "filter": {"tags": ["tutorial"]}})
}

fn wanted<'a>(body: &'a Value, pointer: &str) -> Option<Vec<&'a str>> {
    body.pointer(pointer)?.as_array().map(|list| list.iter().filter_map(Value::as_str).collect())
}

async fn find_deployments(Json(body): Json<Value>) -> Json<Value> {
    let (names, ids) = (wanted(&body, "/deployments/name/any_"), wanted(&body, "/deployments/id/any_"));
    let fits = |deployment: &Value, key: &str, list: &Option<Vec<&str>>| {
        list.as_ref().is_none_or(|list| deployment[key].as_str().is_some_and(|text| list.contains(&text)))
    };
    let mut found = deployments();
    found.retain(|deployment| fits(deployment, "name", &names) && fits(deployment, "id", &ids));
    Json(Value::Array(found))
}

async fn find_runs(Json(body): Json<Value>) -> Json<Value> {
    let scheduled = wanted(&body, "/flow_runs/state/type/any_").is_some_and(|types| types == ["SCHEDULED"]);
    let by_name = wanted(&body, "/flow_runs/name/any_");
    let known = by_name.is_none_or(|names| names.contains(&"beautiful-nyala"));
    Json(if scheduled || !known { json!([]) } else { json!([run("COMPLETED", "Completed"), run("FAILED", "TimedOut")]) })
}

fn status() -> Value {
    let project = |name: &str, more: Value| {
        let mut project = json!({"name": name, "root": format!("/srv/{name}"), "deployments": 2, "in_sync_since": "2026-11-21T08:58:00Z"});
        project.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        project
    };
    let problem = json!({"severity": "error", "code": "unknown-key", "message": "unknown key `timzone`", "help": "did you mean `timezone`?",
        "position": {"file": "deployment.yaml", "line": 12, "column": 5}});
    json!({"version": "0.1.0", "started": "2026-11-21T07:00:00Z", "ready": true, "address": "http://127.0.0.1:4200", "home": "/var/lib/reeve",
        "projects": [
            project("etl", json!({"phase": "idle"})),
            project("broken", json!({"phase": "rejected", "problems": [problem], "since": "2026-11-21T08:59:00Z"})),
            project("careful", json!({"phase": "refused", "reason": "9 of 10 objects would go", "since": "2026-11-21T08:30:00Z"})),
            project("unlucky", json!({"phase": "failing", "error": "no space left on the disk", "retry_at": "2026-11-21T09:00:10Z"})),
        ],
        "runs": {"waiting": 1, "running": 2},
        "next": [{"at": "2026-11-21T09:00:30Z", "deployment": "etl/daily", "schedule": "main"},
                 {"at": "2026-11-21T10:00:00Z", "deployment": "etl/hourly", "schedule": "main"}]})
}

/// One that a project declares, with a run that holds a slot.
fn tag_limit(tag: &Value, limit: &Value) -> Value {
    let owner = (tag == "database").then(|| json!({"project": "p", "file": "deployment.yaml"}));
    let by = json!({"value": limit, "who": "ada", "since": "2026-11-21T08:00:00Z"});
    let overrides = if *limit == 2 { json!({"concurrency_limit": by}) } else { json!({}) };
    json!({"id": QUEUE, "tag": tag, "concurrency_limit": limit, "active_slots": [RUN], "reeve": {"owner": owner, "overrides": overrides}})
}

fn absent(detail: &str) -> (axum::http::StatusCode, Json<Value>) {
    (axum::http::StatusCode::NOT_FOUND, Json(json!({ "detail": detail })))
}

fn api() -> Router {
    let flows = json!([{"id": FLOW, "name": "leonardo_dicapriflow"}, {"id": OTHER_FLOW, "name": "report"}]);
    let queues = json!([queue("tutorial_queue", "default-agent-pool", false), queue("default", "default-agent-pool", false), queue("default", "batch", true)]);
    let pools = json!([{"id": LEO, "name": "tutorial-process-pool", "type": "process", "concurrency_limit": null},
        {"id": DAILY, "name": "batch", "type": "process", "concurrency_limit": 4, "is_paused": true}]);
    let log = json!([{"level": 20, "message": "Hello Leo!", "timestamp": "2026-11-21T08:55:00.012Z"},
        {"level": 40, "message": "oh no", "timestamp": "2026-11-21T08:55:01.5Z"}]);
    let refused = json!({"detail": "deployment 'leonardo_dicapriflow/daily' is declared in deployment.yaml of project 'p': remove it there"});
    let routes = Router::new()
        .route("/health", get(async || Json(true)))
        .route("/reeve/status", get(async || Json(status())))
        .route("/deployments/filter", post(find_deployments))
        .route("/deployments/name/{flow}/{name}", get(async |Path((flow, name)): Path<(String, String)>| {
            let found = deployments().into_iter().find(|deployment| deployment["name"] == name && flow == "leonardo_dicapriflow");
            found.map(Json).ok_or(absent("Deployment not found"))
        }))
        .route("/deployments/{id}", get(async |Path(id): Path<String>| {
            deployments().into_iter().find(|deployment| deployment["id"] == id).map(Json).ok_or(absent("Deployment not found"))
        }).delete(async || (axum::http::StatusCode::FORBIDDEN, Json(refused))))
        .route("/deployments/{id}/pause_deployment", post(async || Json(Value::Null)))
        .route("/deployments/{id}/create_flow_run", post(async |Json(body): Json<Value>| {
            let mut run = run("SCHEDULED", "Scheduled");
            run["parameters"].as_object_mut().unwrap().extend(body["parameters"].as_object().unwrap().clone());
            run["start_time"] = Value::Null;
            run["state"]["state_details"] = body["state"]["state_details"].clone();
            Json(run)
        }))
        .route("/flows/filter", post(async || Json(flows)))
        .route("/flow_runs/filter", post(find_runs))
        .route("/flow_runs/{id}", get(async || Json(run("COMPLETED", "Completed"))))
        .route("/flow_runs/{id}/set_state", post(async || Json(json!({
            "state": {"type": "COMPLETED", "name": "Completed"}, "status": "ABORT", "details": {"reason": "Run is already in terminal state COMPLETED."}}))))
        .route("/logs/filter", post(async || Json(log)))
        .route("/reeve/flow_runs/{id}/logs/follow", get(async || {
            "{\"level\":20,\"message\":\"Hello Leo!\",\"timestamp\":\"2026-11-21T08:55:00.012Z\"}\n\n{\"level\":30,\"message\":\"hm\",\"timestamp\":\"2026-11-21T08:55:00.112Z\",\"attempt\":1,\"position\":80}\n"
        }))
        .route("/work_pools", post(async |Json(mut body): Json<Value>| { body["id"] = json!(LEO); Json(body) }))
        .route("/work_pools/", post(async |Json(mut body): Json<Value>| { body["id"] = json!(LEO); Json(body) }))
        .route("/work_pools/filter", post(async || Json(pools)))
        .route("/work_pools/{name}", get(async || absent("Work pool not found.")))
        .route("/work_queues/", post(async || Json(queue("tutorial_queue", "default-agent-pool", false))))
        .route("/work_queues/filter", post(async || Json(queues)))
        .route("/work_queues/{id}", get(async |Path(id): Path<String>| {
            (id == QUEUE).then(|| Json(queue("tutorial_queue", "default-agent-pool", false))).ok_or(absent("work queue not found"))
        }).patch(async || axum::http::StatusCode::NO_CONTENT))
        .route("/reeve/work_queues/{id}/delete", post(async || Json(json!({"moved": 3}))))
        .route("/concurrency_limits", post(async |Json(body): Json<Value>| Json(tag_limit(&body["tag"], &body["concurrency_limit"]))))
        .route("/concurrency_limits/", post(async |Json(body): Json<Value>| Json(tag_limit(&body["tag"], &body["concurrency_limit"]))))
        .route("/concurrency_limits/filter", post(async || Json(json!([tag_limit(&json!("database"), &json!(4))]))))
        .route("/concurrency_limits/tag/{tag}", get(async |Path(tag): Path<String>| {
            (tag == "database").then(|| Json(tag_limit(&json!("database"), &json!(4)))).ok_or(absent("Concurrency limit not found"))
        }).delete(async || Json(Value::Null)));
    Router::new().nest("/api", routes)
}

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn typed(client: &Client, line: &[&str], width: Option<u16>, paper: &Paper) {
    let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    let mut screen = Screen::into_writer(Box::new(paper.clone()), now, TimeZone::get("Asia/Dubai").unwrap());
    screen.width = width;
    writeln!(paper.clone(), "$ reeve {}", line.join(" ")).unwrap();
    let words = std::iter::once("reeve").chain(line.iter().copied()).map(OsString::from);
    let code = match reeve::cli::call(words, client, &mut screen).await {
        Ok(exit) => exit.code(),
        Err(error) => {
            error.report(&mut paper.clone(), false);
            error.exit().code()
        }
    };
    writeln!(paper.clone(), "[{code}]\n").unwrap();
}

const OFFLINE: &[&[&str]] = &[
    &["deployment", "ls"],
    &["deployment", "inspect", "leonardo-deployment"],
    &["deployment", "inspect", LEO, "-o", "json"],
    &["deployment", "inspect", "leonardo_dicapriflow/daily"],
    &["deployment", "inspect", "daily"],
    &["deployment", "inspect", "leonardo_dicapriflow/dialy"],
    &["deployment", "inspect", "00000000-0000-0000-0000-000000000000"],
    &["deployment", "pause", "leonardo-deployment"],
    &["deployment", "delete", "leonardo_dicapriflow/daily"],
    &["deployment", "run", "leonardo-deployment", "-p", "count=3"],
    &["deployment", "run", "leonardo-deployment", "-p", "cuont=3"],
    &["deployment", "run", "leonardo-deployment", "--watch"],
    &["flow-run", "ls"],
    &["flow-run", "inspect", RUN],
    &["flow-run", "inspect", "beautiful-nyala"],
    &["flow-run", "inspect", "nobody"],
    &["flow-run", "logs", RUN],
    &["flow-run", "cancel", RUN],
    &["work-pool", "create", "--type", "process", "tutorial-process-pool"],
    &["work-pool", "ls"],
    &["work-pool", "inspect", "bacht"],
    &["work-queue", "create", "--tag", "tutorial", "tutorial_queue"],
    &["work-queue", "ls"],
    &["work-queue", "pause", "tutorial_queue"],
    &["work-queue", "pause", "default"],
    &["work-queue", "inspect", "default", "--pool", "batch"],
    &["work-queue", "inspect", "batch/default", "-o", "json"],
    &["work-queue", "delete", QUEUE],
    &["concurrency-limit", "create", "gpu", "1"],
    &["concurrency-limit", "create", "database", "8"],
    &["concurrency-limit", "ls"],
    &["concurrency-limit", "inspect", "database"],
    &["concurrency-limit", "inspect", "databse"],
    &["concurrency-limit", "update", "database", "2", "--why", "migration"],
    &["concurrency-limit", "delete", "database"],
    &["schedule", "preview", "30 2 * * *", "--timezone", "Europe/Berlin", "--count", "3"],
    &["schedule", "preview", "30 2 * * *", "--timezone", "Europe/Berlin", "--from", "2027-03-27T00:00:00Z", "--gap", "skip", "--overlap", "both", "-n", "2"],
    &["schedule", "preview", "0 9 31 * *", "--exclude", "sat,sun", "--exclude", "2026-12-24/2027-01-01", "--starts", "2026-12-01", "--ends", "2027-12-31"],
    &["schedule", "preview", "every 90 minutes", "--include", "mon-fri 09:00-17:00", "--spread", "10m", "--jitter", "30s", "-n", "4"],
    &["schedule", "preview", "FREQ=WEEKLY;BYDAY=MO;BYHOUR=6;BYMINUTE=0", "--ends", "2026-11-30", "-o", "json"],
    &["schedule", "preview", "0 9 * * *", "--ends", "2026-11-01"],
    &["schedule", "preview", "0"],
    &["schedule", "preview", "-5"],
    &["schedule", "preview", "1 month"],
    &["schedule", "preview", "0 25 * * *"],
    &["schedule", "preview", "0 9 * * *", "--exclude", "saturdays"],
    &["schedule", "preview", "0 9 * * *", "--gap", "forward"],
];

const BESIDE_A_DAEMON: &[&[&str]] = &[
    &["status"],
    &["deployment", "run", "leonardo-deployment"],
    &["deployment", "run", "leonardo-deployment", "--start-in", "10 minutes"],
    &["deployment", "run", "leonardo-deployment", "--start-at", "tomorrow 09:00", "-o", "json"],
    &["deployment", "run", "leonardo-deployment", "--watch"],
    &["flow-run", "logs", "-f", RUN],
];

#[tokio::test]
async fn commands_print_what_is_committed() {
    let paper = Paper::default();
    let client = Client::in_process(api());
    for line in OFFLINE {
        typed(&client, line, None, &paper).await;
    }
    // A narrow terminal: the table fits, and ids stay whole.
    typed(&client, &["deployment", "ls"], Some(100), &paper).await;
    typed(&client, &["deployment", "ls"], Some(60), &paper).await;
    typed(&client, &["flow-run", "ls"], Some(110), &paper).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async { axum::serve(listener, api()).await });
    let client = Client::at(&format!("http://{address}")).unwrap();
    for line in BESIDE_A_DAEMON {
        typed(&client, line, None, &paper).await;
    }
    server.abort();
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap().replace(&address, "127.0.0.1:4200");
    compare(&text);
}

fn compare(text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cli/transcript.txt");
    if std::env::var_os("REEVE_UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    for (number, (found, expected)) in text.lines().zip(committed.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {}; REEVE_UPDATE=1 rewrites it", number + 1, path.display());
    }
    assert_eq!(text.lines().count(), committed.lines().count());
}
