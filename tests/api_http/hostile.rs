//! Whatever is sent: an answer in JSON, never a 500, never a panic.
use super::support::*;
use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

/// Every route with its method; `{id}` and `{name}` are filled in.
const ROUTES: [(&str, &str); 68] = [
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/hello"),
    ("GET", "/version"),
    ("GET", "/admin/version"),
    ("GET", "/csrf-token"),
    ("POST", "/flows/"),
    ("POST", "/flows/filter"),
    ("POST", "/flows/count"),
    ("GET", "/flows/name/{name}"),
    ("GET", "/flows/{id}"),
    ("POST", "/deployments/filter"),
    ("POST", "/deployments/count"),
    ("GET", "/deployments/name/{name}/{name}"),
    ("GET", "/deployments/{id}"),
    ("DELETE", "/deployments/{id}"),
    ("POST", "/deployments/{id}/create_flow_run"),
    ("POST", "/deployments/{id}/pause_deployment"),
    ("POST", "/deployments/{id}/resume_deployment"),
    ("GET", "/deployments/{id}/schedules"),
    ("POST", "/flow_runs/"),
    ("POST", "/flow_runs/filter"),
    ("POST", "/flow_runs/count"),
    ("POST", "/flow_runs/paginate"),
    ("GET", "/flow_runs/{id}"),
    ("PATCH", "/flow_runs/{id}"),
    ("DELETE", "/flow_runs/{id}"),
    ("POST", "/flow_runs/{id}/set_state"),
    ("PATCH", "/flow_runs/{id}/labels"),
    ("GET", "/flow_runs/{id}/logs/download"),
    ("GET", "/flow_run_states/"),
    ("GET", "/flow_run_states/{id}"),
    ("POST", "/logs/filter"),
    ("POST", "/work_pools/"),
    ("POST", "/work_pools/filter"),
    ("POST", "/work_pools/count"),
    ("GET", "/work_pools/{name}"),
    ("PATCH", "/work_pools/{name}"),
    ("DELETE", "/work_pools/{name}"),
    ("POST", "/work_pools/{name}/queues"),
    ("POST", "/work_pools/{name}/queues/filter"),
    ("GET", "/work_pools/{name}/queues/{name}"),
    ("PATCH", "/work_pools/{name}/queues/{name}"),
    ("DELETE", "/work_pools/{name}/queues/{name}"),
    ("POST", "/work_pools/{name}/workers/filter"),
    ("POST", "/work_queues/"),
    ("POST", "/work_queues/filter"),
    ("GET", "/work_queues/name/{name}"),
    ("GET", "/work_queues/{id}"),
    ("PATCH", "/work_queues/{id}"),
    ("DELETE", "/work_queues/{id}"),
    ("POST", "/concurrency_limits/"),
    ("POST", "/concurrency_limits/filter"),
    ("GET", "/concurrency_limits/{id}"),
    ("DELETE", "/concurrency_limits/{id}"),
    ("GET", "/concurrency_limits/tag/{name}"),
    ("DELETE", "/concurrency_limits/tag/{name}"),
    ("POST", "/concurrency_limits/tag/{name}/reset"),
    ("GET", "/collections/views/{name}"),
    ("GET", "/automations/related-to/{name}"),
    ("DELETE", "/automations/owned-by/{name}"),
    ("GET", "/reeve/status"),
    ("GET", "/reeve/version"),
    ("POST", "/reeve/reconcile"),
    ("GET", "/reeve/upcoming"),
    ("POST", "/deployments/get_scheduled_flow_runs"),
    ("GET", "/reeve/deployments/{id}/why"),
    ("GET", "/reeve/flow_runs/{id}/logs/stream"),
];

/// Keys that mean something somewhere, so that values get deep into the types.
const KEYS: [&str; 44] = [
    "flows", "flow_runs", "task_runs", "deployments", "work_pools", "work_pool_queues", "work_queues", "workers", "logs", "sort", "limit", "offset",
    "operator", "id", "name", "tags", "state", "type", "any_", "not_any_", "all_", "like_", "is_null_", "before_", "after_", "start_time",
    "state_details", "scheduled_time", "flow_id", "parameters", "priority", "filter", "concurrency_limit", "deployment_id", "level", "ge_", "text",
    "query", "force", "data", "root", "files", "is_paused", "deployment_ids",
];

fn scalar() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] = &["and_", "or_", "RUNNING", "ID_DESC", "NAME_ASC", "etl", "local", "2026-11-20T12:00:00Z", "", "%", "\0", "🦦", "00000000-0000-0000-0000-000000000000"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-5i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(WORDS).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        let key = prop_oneof![4 => proptest::sample::select(&KEYS[..]).prop_map(str::to_owned), 1 => "\\PC{0,8}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((key, inner), 0..5).prop_map(|entries| Value::Object(Map::from_iter(entries))),
        ]
    })
}

fn segment() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &["etl", "local", "urgent", "default", "filter", "%00", "%2F", "%FF", "..", "%25", "a%0d%0ab", "%F0%9F%A6%A6"];
    prop_oneof![3 => proptest::sample::select(KNOWN).prop_map(str::to_owned), 1 => "[a-z0-9.%~-]{1,400}"]
}

fn target(template: &str, names: [String; 2], id: &str) -> String {
    let mut path = template.replace("{id}", id);
    for name in names {
        path = path.replacen("{name}", &name, 1);
    }
    path
}

fn sent(method: &str, target: &str, query: &str, body: Vec<u8>) -> Option<Request<Body>> {
    let uri = format!("/api{target}{}{query}", if query.is_empty() { "" } else { "?" });
    let builder = Request::builder().method(method).uri(uri).header("host", "localhost").header("content-type", "application/json");
    builder.body(Body::from(body)).ok()
}

fn check(reply: &Reply, what: &str) {
    assert!(reply.status.as_u16() < 500, "{what}: {} {}", reply.status, reply.text);
    if reply.status.is_client_error() {
        assert!(reply.json.is_object(), "{what}: {} {}", reply.status, reply.text);
    }
}

#[test]
fn no_body_breaks_a_route() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    for (method, template) in ROUTES {
        let input = (value(), segment(), segment(), proptest::bool::weighted(0.5), "[a-z_=&0-9%-]{0,30}");
        runner
            .run(&input, |(body, one, other, existing, query)| {
                runtime.block_on(async {
                    let server = Server::seeded().await;
                    let id = if existing { server.run_id("Brisk-Otter").to_string() } else { of("etl/daily").to_string() };
                    let target = target(template, [one, other], &id);
                    let Some(request) = sent(method, &target, &query, body.to_string().into_bytes()) else { return };
                    check(&server.send(request).await, &format!("{method} {target}?{query} {body}"));
                });
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn no_bytes_break_a_route() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::seeded());
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    runner
        .run(&proptest::collection::vec(any::<u8>(), 0..200), |bytes| {
            runtime.block_on(async {
                for (method, template) in ROUTES.iter().filter(|(method, _)| *method != "GET" && *method != "DELETE") {
                    let target = target(template, ["local".to_owned(), "urgent".to_owned()], &of("none").to_string());
                    let request = sent(method, &target, "", bytes.clone()).unwrap();
                    check(&server.send(request).await, &format!("{method} {target} {bytes:?}"));
                }
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn extremes_are_answered() {
    let server = Server::seeded().await;
    let long = "x".repeat(100_000);
    for body in [
        json!({"offset": i64::MAX, "limit": 200}),
        json!({"offset": 1e300}),
        json!({"limit": 18_446_744_073_709_551_615u64}),
        json!({"flow_runs": {"name": {"like_": "%".repeat(100_000)}}}),
        json!({"flow_runs": {"start_time": {"after_": "9999-12-31T23:59:59.999999Z"}}}),
        json!({"flow_runs": {"start_time": {"after_": i64::MAX}}}),
        json!({"flow_runs": {"tags": {"all_": vec!["a"; 10_000]}}}),
    ] {
        check(&server.post("/flow_runs/filter", body.clone()).await, "extreme filter");
    }
    check(&server.get(&format!("/work_pools/{}", &long[..60_000])).await, "a long name");
    check(&server.get(&format!("/deployments/name/{}/{}", &long[..20_000], &long[..20_000])).await, "long names");
    check(&server.post("/logs/filter", json!({"offset": i64::MAX, "sort": "TIMESTAMP_DESC"})).await, "an offset past all logs");
}
