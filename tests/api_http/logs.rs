//! Logs of runs: searched, downloaded, followed.
use super::support::*;
use axum::body::Body;
use futures_util::StreamExt;
use jiff::Timestamp;
use reeve::model::id::FlowRunId;
use reeve::model::state::{Proposed, StateType};
use reeve::model::transition::Context;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use tower::ServiceExt;

impl Server {
    /// Appends records to the log of an attempt, as the supervisor writes them: `(seconds, tag, text)`.
    fn log(&self, run: FlowRunId, attempt: u32, records: &[(u32, &str, &str)]) {
        let directory = self.home.attempt(run, attempt);
        std::fs::create_dir_all(&directory).unwrap();
        let mut file = OpenOptions::new().append(true).create(true).open(directory.join("log")).unwrap();
        for (seconds, tag, text) in records {
            let at: Timestamp = at("2026-11-20T12:00:00Z") + jiff::SignedDuration::from_secs((*seconds).into());
            file.write_all(format!("{at:.6} {tag} {text}\n").as_bytes()).unwrap();
        }
    }
}

fn messages(logs: &Value) -> Vec<&str> {
    logs.as_array().unwrap().iter().map(|log| log["message"].as_str().unwrap()).collect()
}

async fn two_runs() -> (Server, FlowRunId, FlowRunId) {
    let server = Server::seeded().await;
    let (one, other) = (server.run_id("Brisk-Otter"), server.run_id("odd-crow"));
    server.log(one, 1, &[(1, "o", "start"), (3, "e", "Error: disk full"), (5, "r", "timed out")]);
    server.log(one, 2, &[(7, "o", "again")]);
    server.log(other, 1, &[(2, "o", "hello"), (4, "o", "bye, \"all\"")]);
    (server, one, other)
}

#[tokio::test]
async fn logs_are_searched_over_attempts_and_runs() {
    let (server, one, other) = two_runs().await;
    let of_one = json!({"any_": [one]});
    for (body, expected) in [
        (json!({"logs": {"flow_run_id": of_one}}), vec!["start", "Error: disk full", "timed out", "again"]),
        (json!({"logs": {"flow_run_id": of_one}, "sort": "TIMESTAMP_DESC", "limit": 2}), vec!["again", "timed out"]),
        (json!({"logs": {"flow_run_id": of_one}, "sort": "TIMESTAMP_DESC", "limit": 2, "offset": 3}), vec!["start"]),
        (json!({"logs": {"flow_run_id": of_one}, "offset": 1, "limit": 2}), vec!["Error: disk full", "timed out"]),
        (json!({"logs": {"flow_run_id": {"any_": [one, other, of("none")]}}, "limit": 4}), vec!["start", "hello", "Error: disk full", "bye, \"all\""]),
        (json!({}), vec!["start", "hello", "Error: disk full", "bye, \"all\"", "timed out", "again"]),
        (json!({"logs": {"level": {"ge_": 30}}}), vec!["Error: disk full"]),
        (json!({"logs": {"level": {"le_": 20}, "flow_run_id": of_one}}), vec!["start", "timed out", "again"]),
        (json!({"logs": {"timestamp": {"after_": "2026-11-20T12:00:04Z", "before_": "2026-11-20T12:00:05Z"}}}), vec!["bye, \"all\"", "timed out"]),
        (json!({"logs": {"text": {"query": "DISK -hello"}}}), vec!["Error: disk full"]),
        (json!({"logs": {"task_run_id": {"is_null_": true}, "flow_run_id": {"any_": [other]}}}), vec!["hello", "bye, \"all\""]),
        (json!({"logs": {"task_run_id": {"any_": [of("t")]}}}), vec![]),
        (json!({"logs": {"operator": "or_", "level": {"ge_": 30}, "flow_run_id": {"any_": [other]}}}), vec!["hello", "Error: disk full", "bye, \"all\""]),
        (json!({"logs": {"flow_run_id": {"any_": []}}}), vec![]),
        (json!({"logs": {"flow_run_id": {"any_": [of("none")]}}}), vec![]),
    ] {
        assert_eq!(messages(&server.post("/logs/filter", body.clone()).await.expect(200)), expected, "{body}");
    }
    let logs = server.post("/logs/filter", json!({"logs": {"flow_run_id": of_one}})).await.expect(200);
    let levels: Vec<_> = logs.as_array().unwrap().iter().map(|log| log["level"].as_u64().unwrap()).collect();
    assert_eq!(levels, [20, 30, 20, 20]);
    assert_eq!((&logs[0]["flow_run_id"], &logs[0]["timestamp"]), (&json!(one), &json!("2026-11-20T12:00:01.000000Z")));
    let page = server.post("/logs/filter", json!({"logs": {"flow_run_id": of_one}, "offset": 3})).await.expect(200);
    assert_eq!(page[0]["id"], logs[3]["id"], "a record keeps its id");
    server.post("/logs/filter", json!({"logs": {"text": {"query": "x".repeat(201)}}})).await.expect(422);
    let many: Vec<_> = (0..101).map(id).collect();
    server.post("/logs/filter", json!({"logs": {"flow_run_id": {"any_": many}}})).await.expect(422);
}

#[tokio::test]
async fn a_log_is_downloaded_as_csv() {
    let (server, _, other) = two_runs().await;
    let reply = server.get(&format!("/flow_runs/{other}/logs/download")).await;
    assert_eq!(reply.status, 200);
    let expected = format!(
        "timestamp,level,flow_run_id,task_run_id,message\r\n2026-11-20T12:00:02.000000Z,20,{other},,\"hello\"\r\n2026-11-20T12:00:04.000000Z,20,{other},,\"bye, \"\"all\"\"\"\r\n"
    );
    assert_eq!(reply.text, expected);
    assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8");
    assert!(reply.headers["content-disposition"].to_str().unwrap().ends_with("filename*=UTF-8''odd-crow-logs.csv"));
    server.get(&format!("/flow_runs/{}/logs/download", of("none"))).await.expect(404);
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_log_is_streamed_from_any_position() {
    let (server, one, _) = two_runs().await;
    let path = format!("/reeve/flow_runs/{one}/logs/stream");
    let all = lines(&server.get(&path).await.text);
    assert_eq!(all.iter().map(|line| line["message"].as_str().unwrap()).collect::<Vec<_>>(), ["start", "Error: disk full", "timed out", "again"]);
    assert_eq!((&all[1]["stream"], &all[1]["level"], &all[2]["stream"]), (&json!("stderr"), &json!(30), &json!("reeve")));
    let position = all[2]["position"].as_u64().unwrap();
    let rest = lines(&server.get(&format!("{path}?attempt=1&position={position}")).await.text);
    assert_eq!(rest.iter().map(|line| line["message"].as_str().unwrap()).collect::<Vec<_>>(), ["again"]);
    assert_eq!(rest[0]["attempt"], json!(2));
    assert_eq!(server.get(&format!("{path}?attempt=3")).await.text, "");
    server.get(&format!("{path}?follow=perhaps")).await.expect(422);
    server.get(&format!("/reeve/flow_runs/{}/logs/stream", of("none"))).await.expect(404);
}

/// The reader waits for what does not exist yet: the run's directory, more lines, a second attempt, the end.
#[tokio::test]
async fn a_log_is_followed_until_the_run_is_over() {
    let server = Server::seeded().await;
    let run = server.run_id("Brisk-Otter");
    let propose = async |kind: StateType| {
        let context = Context { now: reeve::clock::now(), force: true };
        server.ledger.propose(run, Proposed::new(kind), context).await.unwrap();
    };
    let response = server.router.clone().oneshot(request("GET", &format!("/reeve/flow_runs/{run}/logs/follow"), Body::empty())).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let mut stream = response.into_body().into_data_stream();
    let mut seen = String::new();
    let mut until = async |wanted: &str, stream: &mut axum::body::BodyDataStream| {
        while !seen.contains(wanted) {
            seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
        }
        seen.clone()
    };
    server.log(run, 1, &[(1, "o", "one")]);
    propose(StateType::Running).await;
    until("one", &mut stream).await;
    server.log(run, 1, &[(2, "o", "two")]);
    until("two", &mut stream).await;
    std::fs::write(server.home.attempt(run, 1).join("exit.json"), "{}").unwrap();
    propose(StateType::Scheduled).await;
    server.log(run, 2, &[(3, "o", "three")]);
    propose(StateType::Running).await;
    until("three", &mut stream).await;
    // No exit status is ever left: that the run is over suffices.
    server.log(run, 2, &[(4, "o", "four")]);
    propose(StateType::Crashed).await;
    let all = until("four", &mut stream).await;
    assert!(stream.next().await.is_none(), "it goes on after the end");
    let messages: Vec<_> = lines(&all).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(messages, ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn a_followed_log_ends_when_the_server_begins_to_stop() {
    let server = Server::seeded().await;
    let run = server.run_id("Brisk-Otter");
    let context = Context { now: reeve::clock::now(), force: true };
    server.ledger.propose(run, Proposed::new(StateType::Running), context).await.unwrap();
    server.log(run, 1, &[(1, "o", "one")]);
    let response = server.router.clone().oneshot(request("GET", &format!("/reeve/flow_runs/{run}/logs/follow"), Body::empty())).await.unwrap();
    let mut stream = response.into_body().into_data_stream();
    assert!(stream.next().await.unwrap().is_ok());
    server.stop.send_replace(true);
    assert!(stream.next().await.is_none(), "a clean end, after which the reader asks again");
}
