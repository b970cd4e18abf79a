//! Each route: what it answers, what it changes, and how it says no.
use super::support::*;
use axum::body::Body;
use reeve::control::Until;
use reeve::model::state::StateType;
use serde_json::{Value, json};

#[tokio::test]
async fn flows() {
    let server = Server::seeded().await;
    let made = server.post("/flows/", json!({"name": "new", "tags": ["x"], "labels": {"k": 1}})).await.expect(201);
    assert_eq!((made["name"].as_str(), &made["tags"], &made["labels"]), (Some("new"), &json!(["x"]), &json!({"k": 1})));
    let again = server.post("/flows/", json!({"name": "new"})).await.expect(200);
    assert_eq!(again["id"], made["id"]);
    assert_eq!(server.get(&format!("/flows/{}", made["id"].as_str().unwrap())).await.expect(200), made);
    assert_eq!(server.get("/flows/name/new").await.expect(200), made);
    assert_eq!(server.get("/flows/name/none").await.expect(404), json!({"detail": "Flow not found"}));
    let wrong = server.post("/flows/", json!({"name": "a/b"})).await.expect(422);
    assert_eq!(wrong["exception_detail"][0]["type"], "string_pattern_mismatch");
    let extra = server.post("/flows/", json!({"name": "a", "nome": "b"})).await.expect(422);
    assert_eq!(extra["exception_detail"][0]["loc"], json!(["body", "nome"]));
    assert_eq!(extra["request_body"], json!({"name": "a", "nome": "b"}));
    assert_eq!(names(&server.post("/flows/filter", json!({"sort": "NAME_DESC", "limit": 2})).await.expect(200)), ["web", "new"]);
    assert_eq!(server.post("/flows/count", json!({})).await.expect(200), json!(4));
    let two = server.post("/flows/filter", json!({"deployments": {"tags": {"all_": ["b"]}}})).await.expect(200);
    assert_eq!(names(&two), ["etl", "web"]);
    let one = server.post("/flows/filter", json!({"flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}})).await.expect(200);
    assert_eq!(names(&one), ["web"]);
    let none = server.post("/flows/filter", json!({"flows": {"deployment": {"is_null_": true}}})).await.expect(200);
    assert_eq!(names(&none), ["bare", "new"]);
}

#[tokio::test]
async fn a_deployment_is_shown_whole() {
    let server = Server::seeded().await;
    let shown = server.get("/deployments/name/etl/daily").await.expect(200);
    assert_eq!(server.get(&format!("/deployments/{}", of("etl/daily"))).await.expect(200), shown);
    for (field, expected) in [
        ("name", json!("daily")),
        ("entrypoint", json!("flow.py:etl")),
        ("paused", json!(false)),
        ("status", json!("READY")),
        ("work_pool_name", json!("local")),
        ("work_queue_name", json!("urgent")),
        ("work_queue_id", json!(of("local/urgent"))),
        ("created", json!("2026-11-01T00:00:00.000000Z")),
        ("concurrency_limit", Value::Null),
        ("concurrency_options", json!({"collision_strategy": "CANCEL_NEW", "grace_period_seconds": null})),
        ("last_polled", Value::Null),
        ("parameters", json!({"count": 3})),
        ("job_variables", json!({"working_dir": "/tmp", "env": {"DB_PASSWORD": "***"}})),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    let limit = &shown["global_concurrency_limit"];
    assert_eq!((&limit["limit"], &limit["active_slots"]), (&json!(2), &json!(1)));
    let schedule = &shown["schedules"][0];
    assert_eq!(schedule["schedule"], json!({"cron": "0 9 * * *", "timezone": "Europe/Berlin", "day_or": true}));
    assert_eq!((&schedule["slug"], &schedule["active"]), (&json!("main"), &json!(true)));
    let reeve = &shown["reeve"];
    assert_eq!((&reeve["project"], &reeve["file"], &reeve["env"]), (&json!("shop"), &json!("deployment.yaml"), &json!(["API_TOKEN", "MODE"])));
    assert_eq!(reeve["next"], json!(null), "its schedule has ended");
    assert!(!shown.to_string().contains("hunter2"), "a secret is shown");
    assert_eq!(server.get("/deployments/name/etl/none").await.expect(404), json!({"detail": "Deployment not found"}));
}

#[tokio::test]
async fn deployments_are_listed_paused_run_and_deleted() {
    let server = Server::seeded().await;
    let all = server.post("/deployments/filter", json!({})).await.expect(200);
    assert_eq!(names(&all), ["daily", "hourly", "ping"]);
    assert_eq!(all[1]["schedules"][0]["schedule"]["interval"], json!(90.5));
    assert_eq!(all[2]["schedules"][0]["schedule"], json!({"rrule": "FREQ=DAILY", "timezone": "UTC"}));
    assert_eq!((&all[2]["status"], &all[2]["paused"]), (&json!("NOT_READY"), &json!(true)));
    assert_eq!(server.send(request("POST", "/deployments/count", Body::empty())).await.expect(200), json!(3));

    let daily = format!("/deployments/{}", of("etl/daily"));
    let mut pause = request("POST", &format!("{daily}/pause_deployment"), Body::empty());
    pause.headers_mut().insert("user-agent", "prefect/3.8.8".parse().unwrap());
    server.send(pause).await.expect(200);
    assert_eq!(server.control.asked_by.lock().unwrap().as_ref().unwrap().who, "prefect/3.8.8");
    assert_eq!(server.get(&daily).await.expect(200)["paused"], json!(true));
    assert_eq!(server.control.asked_by.lock().unwrap().as_ref().unwrap().until, Until::Unsaid);
    for (header, until) in [("never", Some(Until::Never)), ("2099-01-01T00:00:00Z", Some(Until::At(at("2099-01-01T00:00:00Z")))), ("soon", None)] {
        let mut pause = request("POST", &format!("{daily}/pause_deployment"), Body::empty());
        pause.headers_mut().insert("reeve-until", header.parse().unwrap());
        server.send(pause).await.expect(if until.is_some() { 200 } else { 422 });
        assert!(until.is_none_or(|until| server.control.asked_by.lock().unwrap().as_ref().unwrap().until == until), "{header}");
    }
    server.post(&format!("{daily}/resume_deployment"), json!({})).await.expect(200);
    assert_eq!(server.get(&daily).await.expect(200)["paused"], json!(false));

    let body = json!({"parameters": {"count": 1}, "idempotency_key": "k", "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "2030-01-01 00:00:00+00:00"}}});
    let made = server.post(&format!("{daily}/create_flow_run"), body.clone()).await.expect(201);
    assert_eq!(made["state"]["state_details"]["scheduled_time"], json!("2030-01-01T00:00:00.000000Z"));
    assert_eq!(made["deployment_id"], json!(of("etl/daily")));
    assert_eq!(server.post(&format!("{daily}/create_flow_run"), body).await.expect(200)["id"], made["id"]);
    server.post(&format!("{daily}/create_flow_run"), json!({"surprise": 1})).await.expect(422);
    server.post(&format!("/deployments/{}/create_flow_run", of("none")), json!({})).await.expect(404);
    assert_eq!(server.get(&format!("{daily}/schedules")).await.expect(200).as_array().unwrap().len(), 1);

    let refused = server.delete(&daily).await.expect(403);
    assert!(refused["detail"].as_str().unwrap().contains("deployment.yaml"));
    server.delete(&format!("/deployments/{}", of("etl/hourly"))).await.expect(204);
    server.delete(&format!("/deployments/{}", of("etl/hourly"))).await.expect(404);
}

#[tokio::test]
async fn a_flow_run_is_shown_whole() {
    let server = Server::seeded().await;
    let shown = server.get(&format!("/flow_runs/{}", server.run_id("calm-otter"))).await.expect(200);
    for (field, expected) in [
        ("state_type", json!("COMPLETED")),
        ("state_name", json!("Completed")),
        ("work_pool_id", json!(of("local"))),
        ("work_queue_id", json!(of("local/urgent"))),
        ("start_time", json!("2026-11-20T10:00:00.000000Z")),
        ("end_time", json!("2026-11-20T11:00:00.000000Z")),
        ("auto_scheduled", json!(true)),
        ("estimated_start_time_delta", json!(3600.0)),
        ("total_run_time", json!(3600.0)),
        ("idempotency_key", json!(format!("scheduled {} {} 2026-11-20 09:00:00+00:00", of("etl/daily"), of("main")))),
        ("created_by", json!({"id": of("main"), "type": "SCHEDULE", "display_value": "main"})),
        ("parent_task_run_id", Value::Null),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert_eq!(shown["labels"]["prefect.flow.id"], json!(of("etl")));
    assert_eq!(shown["empirical_policy"]["retries"], json!(2));
    assert_eq!(shown["state"]["id"], shown["state_id"]);
    assert_eq!(shown["state"]["state_details"]["flow_run_id"], shown["id"]);
    assert_eq!(shown["reeve"]["deployment"], json!("etl/daily"));
    assert_eq!(server.get(&format!("/flow_runs/{}", of("none"))).await.expect(404), json!({"detail": "Flow run not found"}));
}

#[tokio::test]
async fn flow_runs_are_made_changed_and_deleted() {
    let server = Server::seeded().await;
    let made = server.post("/flow_runs/", json!({"flow_id": of("bare"), "name": "mine", "tags": ["t"], "empirical_policy": {"retries": 2}})).await.expect(201);
    assert_eq!((&made["state_type"], &made["name"], &made["auto_scheduled"]), (&json!("PENDING"), &json!("mine"), &json!(false)));
    let path = format!("/flow_runs/{}", made["id"].as_str().unwrap());
    server.patch(&path, json!({"infrastructure_pid": "42", "flow_version": "1"})).await.expect(204);
    server.patch(&format!("{path}/labels"), json!({"prefect.worker.name": "w"})).await.expect(204);
    let shown = server.get(&path).await.expect(200);
    assert_eq!((&shown["infrastructure_pid"], &shown["labels"]["prefect.worker.name"]), (&json!("42"), &json!("w")));
    server.patch(&path, json!({"state": {}})).await.expect(422);
    server.delete(&path).await.expect(204);
    assert_eq!(server.delete(&path).await.expect(404), json!({"detail": "Flow run not found"}));
    server.post("/flow_runs/", json!({"flow_id": of("none")})).await.expect(404);
    let missing = server.post("/flow_runs/", json!({})).await.expect(422);
    assert_eq!(missing["exception_detail"][0]["loc"], json!(["body", "flow_id"]));
}

#[tokio::test]
async fn proposals_are_answered_as_prefect_does() {
    let server = Server::seeded().await;
    let set = async |name: &str, body: Value| {
        let path = format!("/flow_runs/{}/set_state", server.run_id(name));
        server.post(&path, body).await
    };
    let accepted = set("Brisk-Otter", json!({"state": {"type": "COMPLETED", "message": "done", "data": {"a": 1}}, "force": false})).await.expect(201);
    assert_eq!((&accepted["status"], &accepted["details"]), (&json!("ACCEPT"), &json!({"type": "accept_details"})));
    assert_eq!((&accepted["state"]["type"], &accepted["state"]["message"]), (&json!("COMPLETED"), &json!("done")));
    let waits = set("zen-yak", json!({"state": {"type": "RUNNING"}})).await.expect(200);
    assert_eq!((&waits["status"], &waits["details"]["type"]), (&json!("WAIT"), &json!("wait_details")));
    assert!(waits["details"]["delay_seconds"].as_i64().unwrap() > 0);
    let cancelled = set("zen-yak", json!({"state": {"type": "CANCELLING"}})).await.expect(201);
    assert_eq!((&cancelled["status"], &cancelled["state"]["type"]), (&json!("REJECT"), &json!("CANCELLED")));
    assert_eq!(cancelled["details"]["type"], json!("reject_details"));
    let aborted = set("odd-crow", json!({"state": {"type": "PENDING"}})).await.expect(200);
    assert_eq!((&aborted["status"], &aborted["state"]["type"]), (&json!("ABORT"), &json!("FAILED")));
    assert_eq!(aborted["details"]["reason"], json!("This run is in a FAILED state and cannot transition to a PENDING state."));
    set("odd-crow", json!({"state": {"type": "PENDING"}, "force": true})).await.expect(201);

    let none = of("none");
    let reply = server.post(&format!("/flow_runs/{none}/set_state"), json!({"state": {"type": "RUNNING"}})).await;
    assert_eq!(reply.expect(404), json!({"exception_message": format!("Flow run with id {none} not found")}));
    let wrong = set("odd-crow", json!({"state": {"type": "NO"}})).await.expect(422);
    assert_eq!(wrong["exception_detail"][0]["loc"], json!(["body", "state", "type"]));

    let run = server.run_id("zen-yak");
    let states = server.get(&format!("/flow_run_states/?flow_run_id={run}")).await.expect(200);
    assert_eq!(states.as_array().unwrap().len(), 2);
    let first = &states[0];
    assert_eq!(server.get(&format!("/flow_run_states/{}", first["id"].as_str().unwrap())).await.expect(200), *first);
    assert_eq!(server.get(&format!("/flow_run_states/{none}")).await.expect(404), json!({"detail": "Flow run state not found"}));
    let missing = server.get("/flow_run_states/").await.expect(422);
    assert_eq!(missing["exception_detail"][0]["loc"], json!(["query", "flow_run_id"]));
    assert_eq!(server.ledger.run(run).unwrap().unwrap().state.kind, StateType::Cancelled);
}

#[tokio::test]
async fn what_a_state_says_is_kept() {
    let server = Server::seeded().await;
    let details = json!({"cache_key": "c", "task_run_id": of("t"), "run_input_keyset": {"a": "b"}, "untrackable_result": true, "unknown": 1, "transition_id": of("x")});
    let path = format!("/flow_runs/{}/set_state", server.run_id("Brisk-Otter"));
    let state = server.post(&path, json!({"state": {"type": "RUNNING", "state_details": details}})).await.expect(201)["state"].clone();
    let shown = &state["state_details"];
    assert_eq!((&shown["cache_key"], &shown["untrackable_result"], &shown["deferred"]), (&json!("c"), &json!(true), &json!(false)));
    assert_eq!((&shown["task_run_id"], &shown["transition_id"]), (&json!(of("t")), &json!(of("x"))));
    assert_eq!(shown["run_input_keyset"], json!({"a": "b"}));
    assert!(shown.get("unknown").is_none());
    let again = server.post(&path, json!({"state": {"type": "RUNNING", "state_details": {"transition_id": of("x")}}})).await.expect(200);
    assert_eq!(again["details"]["reason"], json!("This run has already made this state transition."));
}

#[tokio::test]
async fn work_pools() {
    let server = Server::seeded().await;
    let made = server.post("/work_pools/", json!({"name": "fresh", "type": "process"})).await.expect(201);
    assert_eq!((&made["status"], &made["active_slots"], &made["concurrency_limit"]), (&json!("READY"), &Value::Null, &Value::Null));
    assert_eq!(made["base_job_template"]["job_configuration"]["env"], json!("{{ env }}"));
    assert_eq!(made["default_queue_id"], json!(of("fresh/default")));
    assert_eq!(server.post("/work_pools/", json!({"name": "fresh"})).await.expect(409)["detail"], "A work pool with this name already exists.");
    let reserved = server.post("/work_pools/", json!({"name": "Prefect-x"})).await.expect(403);
    assert_eq!(reserved["detail"], "Work pools starting with 'Prefect' are reserved for internal use.");
    server.patch("/work_pools/fresh", json!({"is_paused": true, "concurrency_limit": 3})).await.expect(204);
    let shown = server.get("/work_pools/fresh").await.expect(200);
    assert_eq!((&shown["status"], &shown["active_slots"]), (&json!("PAUSED"), &json!(0)));
    server.patch("/work_pools/fresh", json!({"concurrency_limit": null})).await.expect(204);
    let shown = server.get("/work_pools/fresh").await.expect(200);
    assert_eq!((&shown["is_paused"], &shown["concurrency_limit"]), (&json!(true), &Value::Null));
    assert_eq!(server.get("/work_pools/local").await.expect(200)["active_slots"], json!(1));
    assert_eq!(server.get("/work_pools/none").await.expect(404), json!({"detail": "Work pool \"none\" not found."}));
    assert_eq!(names(&server.post("/work_pools/filter", json!({"work_pools": {"type": {"any_": ["process"]}}})).await.expect(200)), ["fresh", "local"]);
    assert_eq!(server.post("/work_pools/count", json!({})).await.expect(200), json!(3));
    server.delete("/work_pools/fresh").await.expect(204);
    server.delete("/work_pools/fresh").await.expect(404);
}

#[tokio::test]
async fn work_queues() {
    let server = Server::seeded().await;
    let urgent = server.get("/work_pools/local/queues/urgent").await.expect(200);
    assert_eq!(urgent["filter"], json!({"tags": ["a"], "deployment_ids": [of("etl/daily")]}));
    assert_eq!((&urgent["priority"], &urgent["active_slots"], &urgent["description"]), (&json!(2), &json!(1), &json!("")));
    assert_eq!((&urgent["work_pool_name"], &urgent["work_pool_id"]), (&json!("local"), &json!(of("local"))));
    assert_eq!(server.get(&format!("/work_queues/{}", of("local/urgent"))).await.expect(200), urgent);
    assert_eq!(server.get("/work_queues/name/urgent").await.expect(200), urgent);
    let none = server.get("/work_pools/local/queues/none").await.expect(404);
    assert_eq!(none, json!({"detail": "Work pool queue 'local/none' not found."}));
    assert_eq!(server.get("/work_queues/name/none").await.expect(404), json!({"detail": "work queue not found"}));

    let body = json!({"name": "bulk", "priority": 9, "filter": {"deployment_ids": [of("etl/hourly")]}});
    let made = server.post("/work_pools/local/queues", body.clone()).await.expect(201);
    assert_eq!(made["filter"]["deployment_ids"], json!([of("etl/hourly")]));
    server.post("/work_pools/local/queues", body).await.expect(409);
    server.post("/work_pools/none/queues", json!({"name": "q"})).await.expect(404);
    server.post("/work_pools/local/queues", json!({"name": "q", "priority": 0})).await.expect(422);
    server.post("/work_pools/local/queues", json!({"name": "q", "filter": {"deployment_ids": [of("none")]}})).await.expect(422);
    let listed = server.post("/work_pools/local/queues/filter", json!({})).await.expect(200);
    assert_eq!(names(&listed), ["default", "urgent", "bulk"]);
    server.patch("/work_pools/local/queues/bulk", json!({"is_paused": true, "filter": null})).await.expect(204);
    let bulk = server.get("/work_pools/local/queues/bulk").await.expect(200);
    assert_eq!((&bulk["status"], &bulk["filter"], &bulk["priority"]), (&json!("PAUSED"), &Value::Null, &json!(9)));
    server.delete("/work_pools/local/queues/bulk").await.expect(204);

    let agent = server.post("/work_queues/", json!({"name": "agent"})).await.expect(201);
    assert_eq!(agent["work_pool_name"], json!("default-agent-pool"));
    let path = format!("/work_queues/{}", agent["id"].as_str().unwrap());
    server.patch(&path, json!({"priority": 3})).await.expect(204);
    assert_eq!(server.get(&path).await.expect(200)["priority"], json!(3));
    let found = server.post("/work_queues/filter", json!({"work_queues": {"name": {"startswith_": ["AG"]}}})).await.expect(200);
    assert_eq!(names(&found), ["agent"]);
    server.delete(&path).await.expect(204);
    server.delete(&path).await.expect(404);
}

#[tokio::test]
async fn workers_are_only_those_that_are_there() {
    let server = Server::seeded().await;
    let online = json!({"workers": {"status": {"any_": ["ONLINE"]}}});
    let workers = server.post("/work_pools/local/workers/filter", online.clone()).await.expect(200);
    assert_eq!((workers.as_array().unwrap().len(), &workers[0]["status"]), (1, &json!("ONLINE")));
    assert_eq!(workers[0]["work_pool_id"], json!(of("local")));
    assert_eq!(server.post("/work_pools/local/workers/filter", json!({"workers": {"status": {"any_": ["OFFLINE"]}}})).await.expect(200), json!([]));
    assert_eq!(server.post("/work_pools/k8s/workers/filter", json!({})).await.expect(200), json!([]));
    server.post("/work_pools/none/workers/filter", json!({})).await.expect(404);
    server.control.set_ready(false);
    assert_eq!(server.post("/work_pools/local/workers/filter", online).await.expect(200), json!([]));

    let view = server.get("/collections/views/aggregate-worker-metadata").await.expect(200);
    let process = &view["reeve"]["process"];
    assert_eq!(process["type"], json!("process"));
    assert!(process["default_base_job_configuration"]["variables"]["properties"]["env"].is_object());
    assert_eq!(server.get("/collections/views/none").await.expect(404), json!({"detail": "View none not found"}));
}

#[tokio::test]
async fn reeves_own_routes() {
    let server = Server::seeded().await;
    assert_eq!(server.get("/reeve/status").await.expect(200)["ready"], json!(true));
    let report = server.post("/reeve/reconcile", json!({"root": "/srv/shop", "dry_run": true})).await.expect(200);
    assert_eq!((&report["applied"], &report["problems"]), (&json!(false), &json!([])));
    server.post("/reeve/reconcile", json!({"root": "shop"})).await.expect(422);
    server.post("/reeve/reconcile", json!({"root": "/srv", "wet": true})).await.expect(422);
    assert_eq!(server.get("/reeve/upcoming?limit=1").await.expect(200), json!([]), "every seeded schedule has ended");
    server.get("/reeve/upcoming?limit=-1").await.expect(422);
    server.get("/reeve/upcoming?limit=10001").await.expect(422);
    assert_eq!(server.get("/reeve/tombstones").await.expect(200), json!([]));
    server.post("/reeve/tombstones/etl/daily/restore", json!(null)).await.expect(404);
    server.post("/reeve/tombstones/restore", json!({"kind": "work-pool", "name": "local"})).await.expect(404);
    server.post("/reeve/tombstones/restore", json!({"kind": "work-queue", "name": "local"})).await.expect(422);
    server.get("/reeve/projects/none").await.expect(404);
    server.post("/reeve/projects/none/delete", json!({})).await.expect(404);
    server.post("/reeve/projects/none/delete", json!({"force": true})).await.expect(422);
    let entries = server.post("/reeve/entries", json!({"deployments": [of("etl/daily")], "work_pools": ["local"]})).await.expect(200);
    assert!(entries["yaml"].as_str().unwrap().contains("  - name: daily\n") && !entries.to_string().contains("hunter2"), "{entries}");
    server.post("/reeve/entries", json!({"deployments": [of("none")]})).await.expect(404);
    let explained = server.get(&format!("/reeve/deployments/{}/explain", of("etl/daily"))).await.expect(200);
    assert!(explained.as_array().unwrap().iter().any(|origin| origin["field"] == "retries") && !explained.to_string().contains("hunter2"), "{explained}");
    server.get(&format!("/reeve/deployments/{}/explain", of("none"))).await.expect(404);
}
