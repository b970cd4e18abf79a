//! Host, Origin, methods, sizes, versions: what is true of every route.
use super::support::*;
use axum::body::Body;
use serde_json::json;

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused_with_advice() {
    let server = Server::seeded().await;
    for path in ["/health", "/flows/filter", "/nothing"] {
        let mut foreign = request("GET", path, Body::empty());
        foreign.headers_mut().insert("host", "evil.example".parse().unwrap());
        let reply = server.send(foreign).await;
        assert_eq!(reply.status, 403);
        assert!(reply.json["detail"].as_str().unwrap().contains("http://localhost"), "{}", reply.text);
        let mut foreign = request("GET", path, Body::empty());
        foreign.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
        assert_eq!(server.send(foreign).await.status, 403, "{path}");
    }
    let mut own = request("GET", "/health", Body::empty());
    own.headers_mut().insert("origin", "http://localhost".parse().unwrap());
    server.send(own).await.expect(200);
}

#[tokio::test]
async fn unknown_routes_methods_and_ids() {
    let server = Server::seeded().await;
    for path in ["/nothing", "/flows/not-a-uuid", "/flow_runs/1/logs/download", "/"] {
        assert_eq!(server.get(path).await.expect(404), json!({"detail": "Not Found"}), "{path}");
    }
    assert_eq!(server.post("/flow_runs/q/set_state", json!({})).await.expect(404), json!({"detail": "Not Found"}));
    for (method, path) in [("PUT", "/flows/filter"), ("DELETE", "/health"), ("GET", "/flow_runs/filter")] {
        let reply = server.send(request(method, path, Body::empty())).await;
        assert_eq!(reply.expect(405), json!({"detail": "Method Not Allowed"}), "{method} {path}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_does_not_matter() {
    let server = Server::seeded().await;
    server.get("/health/").await.expect(200);
    server.post("/flows/", json!({"name": "new"})).await.expect(201);
    server.post("/flows", json!({"name": "new"})).await.expect(200);
    let run = server.run_id("zen-yak");
    server.get(&format!("/flow_run_states/?flow_run_id={run}")).await.expect(200);
}

#[tokio::test]
async fn bodies_have_a_bound_a_type_and_a_depth() {
    let server = Server::seeded().await;
    let huge = json!({"name": "x".repeat(5 << 20)});
    let reply = server.post("/flows/", huge).await;
    assert_eq!(reply.status, 413);
    assert!(reply.json["detail"].as_str().unwrap().contains("4194304"));

    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut request_ = request("POST", "/flows/filter", Body::from(deep));
    request_.headers_mut().insert("content-type", "application/json".parse().unwrap());
    let body = server.send(request_).await.expect(422);
    assert_eq!(body["exception_detail"][0]["type"], "json_invalid");

    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let mut plain = request("POST", "/flows/", Body::from(r#"{"name":"sneaky"}"#));
        if let Some(content_type) = content_type {
            plain.headers_mut().insert("content-type", content_type.parse().unwrap());
        }
        let body = server.send(plain).await.expect(422);
        assert_eq!(body["exception_detail"][0]["type"], "model_attributes_type");
        assert_eq!(body["exception_detail"][0]["loc"], json!(["body"]));
    }
    assert!(server.ledger.flow_by_name("sneaky").unwrap().is_none());

    let mut broken = request("POST", "/flows/", Body::from("{\"name\": \n oops}"));
    broken.headers_mut().insert("content-type", "application/json; charset=utf-8".parse().unwrap());
    let body = server.send(broken).await.expect(422);
    assert_eq!(body["exception_message"], "Invalid request received.");
    assert_eq!(body["exception_detail"][0]["msg"], "JSON decode error");
    let nothing = server.send(request("POST", "/flows/", Body::empty())).await.expect(422);
    assert_eq!(nothing["exception_detail"][0]["type"], "missing");
}

#[tokio::test]
async fn clients_of_an_older_api_are_told_so() {
    let server = Server::seeded().await;
    let with = |version: &str| {
        let mut request = request("GET", "/health", Body::empty());
        request.headers_mut().insert("x-prefect-api-version", version.parse().unwrap());
        request
    };
    server.send(with("0.8.4")).await.expect(200);
    let body = server.send(with("0.1.0")).await.expect(400);
    assert_eq!(body["detail"], "The request specified API version 0.1.0 but this server requires version 0.8.0 or higher.");
    server.send(with("zero")).await.expect(400);
}

#[tokio::test]
async fn the_handshake_of_a_client() {
    let server = Server::seeded().await;
    assert_eq!(server.get("/health").await.expect(200), json!(true));
    assert_eq!(server.get("/version").await.expect(200), json!("0.8.4"));
    assert_eq!(server.get("/admin/version").await.expect(200), json!("3.8.8"));
    assert_eq!(server.get("/csrf-token?client=1").await.expect(422), json!({"detail": "CSRF protection is disabled."}));
    server.get("/hello").await.expect(200);
    server.get("/ready").await.expect(200);
    server.control.set_ready(false);
    server.get("/ready").await.expect(503);
    assert_eq!(server.get("/reeve/version").await.expect(200), json!(env!("CARGO_PKG_VERSION")));
}
