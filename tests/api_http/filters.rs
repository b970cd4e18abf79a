//! Every field of every filter that the appendix of Prefect's API names, over the seeded objects.
use super::support::*;
use serde_json::{Value, json};

async fn check(server: &Server, path: &str, key: &str, table: Vec<(Value, Vec<&str>)>) {
    for (filter, expected) in table {
        let mut body = json!({ "sort": "NAME_ASC" });
        body[key] = filter.clone();
        if key == "work_pools" || key == "work_queues" {
            body.as_object_mut().unwrap().remove("sort");
        }
        let found = server.post(path, body).await.expect(200);
        assert_eq!(names(&found), expected, "{key}: {filter}");
    }
}

const ALL: [&str; 4] = ["Brisk-Otter", "calm-otter", "odd-crow", "zen-yak"];

#[tokio::test]
async fn flow_run_filters() {
    let server = Server::seeded().await;
    let [brisk, calm, odd, zen] = ALL;
    let slot_key = format!("scheduled {} {} 2026-11-20 09:00:00+00:00", of("etl/daily"), of("main"));
    let table = vec![
        (json!({}), ALL.to_vec()),
        (json!({"id": {"any_": [server.run_id(odd), of("none")]}}), vec![odd]),
        (json!({"id": {"any_": []}}), vec![]),
        (json!({"id": {"not_any_": [server.run_id(odd)]}}), vec![brisk, calm, zen]),
        (json!({"id": {"not_any_": []}}), ALL.to_vec()),
        (json!({"name": {"any_": [odd, zen]}}), vec![odd, zen]),
        (json!({"name": {"like_": "OTTER"}}), vec![brisk, calm]),
        (json!({"name": {"like_": ""}}), ALL.to_vec()),
        (json!({"name": {"like_": "c__m"}}), vec![calm]),
        (json!({"tags": {"all_": ["a", "b"]}}), vec![brisk]),
        (json!({"tags": {"any_": ["auto-scheduled", "b"]}}), vec![brisk, calm]),
        (json!({"tags": {"is_null_": true}}), vec![odd, zen]),
        (json!({"tags": {"operator": "or_", "all_": ["b"], "is_null_": true}}), vec![brisk, odd, zen]),
        (json!({"deployment_id": {"any_": [of("etl/daily")]}}), vec![brisk, calm]),
        (json!({"deployment_id": {"is_null_": true}}), vec![zen]),
        (json!({"deployment_id": {"operator": "or_", "any_": [of("web/ping")], "is_null_": true}}), vec![odd, zen]),
        (json!({"work_queue_name": {"any_": ["urgent"]}}), vec![brisk, calm]),
        (json!({"work_queue_name": {"is_null_": true}}), vec![odd, zen]),
        (json!({"state": {"type": {"any_": ["RUNNING", "SCHEDULED"]}}}), vec![brisk, zen]),
        (json!({"state": {"type": {"any_": ["RUNNING", "FAILED"]}}}), vec![brisk, odd]),
        (json!({"state": {"type": {"not_any_": ["RUNNING", "SCHEDULED"]}}}), vec![calm, odd]),
        (json!({"state": {"name": {"any_": ["TimedOut"]}}}), vec![odd]),
        (json!({"state": {"name": {"not_any_": ["TimedOut"]}}}), vec![brisk, calm, zen]),
        (json!({"state": {"operator": "or_", "type": {"any_": ["RUNNING"]}, "name": {"any_": ["TimedOut"]}}}), vec![brisk, odd]),
        (json!({"state": {"type": {"any_": ["RUNNING"]}, "name": {"any_": ["TimedOut"]}}}), vec![]),
        (json!({"flow_version": {"any_": ["1"]}}), vec![]),
        (json!({"start_time": {"before_": "2026-11-20T12:00:00Z"}}), vec![brisk, calm]),
        (json!({"start_time": {"after_": "2026-11-20 12:00:00+00:00"}}), vec![brisk, odd]),
        (json!({"start_time": {"is_null_": true}}), vec![zen]),
        (json!({"end_time": {"after_": "2026-11-20T12:00:00Z"}}), vec![odd]),
        (json!({"end_time": {"is_null_": true}}), vec![brisk, zen]),
        (json!({"end_time": {"is_null_": false, "before_": "2026-11-20T11:00:00Z"}}), vec![calm]),
        (json!({"expected_start_time": {"after_": "2026-11-20T13:00:00Z"}}), vec![odd, zen]),
        (json!({"expected_start_time": {"before_": "2026-11-20T13:00:00+01:00"}}), vec![brisk, calm]),
        (json!({"next_scheduled_start_time": {"after_": "2029-01-01T00:00:00Z"}}), vec![zen]),
        (json!({"parent_flow_run_id": {"any_": [of("none")]}}), vec![]),
        (json!({"parent_task_run_id": {"is_null_": true}}), ALL.to_vec()),
        (json!({"parent_task_run_id": {"any_": [of("none")]}}), vec![]),
        (json!({"idempotency_key": {"any_": ["once", slot_key]}}), vec![brisk, calm]),
        (json!({"idempotency_key": {"not_any_": ["once"]}}), vec![calm]),
        (json!({"created_by": {"id_": [of("main")]}}), vec![calm]),
        (json!({"created_by": {"type_": ["USER"]}}), vec![brisk]),
        (json!({"created_by": {"is_null_": true}}), vec![odd, zen]),
        (json!({"operator": "or_", "name": {"any_": [zen]}, "tags": {"any_": ["b"]}}), vec![brisk, zen]),
        (json!({"operator": "or_", "id": {"any_": [server.run_id(zen)]}, "state": {"type": {"any_": ["RUNNING"]}}}), vec![brisk, zen]),
        (Value::Null, ALL.to_vec()),
    ];
    for (filter, expected) in &table {
        let count = server.post("/flow_runs/count", json!({"flow_runs": filter})).await.expect(200);
        assert_eq!(count, json!(expected.len()), "{filter}");
        let page = server.post("/flow_runs/paginate", json!({"flow_runs": filter, "limit": 2, "page": 2})).await.expect(200);
        let results = page["results"].as_array().map(Vec::len);
        assert_eq!((&page["count"], &page["pages"], results), (&count, &json!(expected.len().div_ceil(2)), Some(expected.len().saturating_sub(2).min(2))), "{filter}");
        assert_eq!((&page["page"], &page["limit"]), (&json!(2), &json!(2)));
    }
    check(&server, "/flow_runs/filter", "flow_runs", table).await;
}

#[tokio::test]
async fn flow_runs_by_what_they_belong_to() {
    let server = Server::seeded().await;
    let [brisk, calm, odd, zen] = ALL;
    for (body, expected) in [
        (json!({"flows": {"name": {"any_": ["etl"]}}}), vec![brisk, calm]),
        (json!({"flows": {"tags": {"is_null_": true}}}), vec![odd, zen]),
        (json!({"flows": {"deployment": {"is_null_": true}}}), vec![zen]),
        (json!({"deployments": {}}), vec![brisk, calm, odd]),
        (json!({"deployments": {"paused": {"eq_": true}}}), vec![odd]),
        (json!({"work_pools": {"type": {"any_": ["process"]}}}), vec![brisk, calm]),
        (json!({"work_pool_queues": {"name": {"any_": ["default"]}}}), vec![odd]),
        (json!({"work_pool_queues": {}}), vec![brisk, calm, odd]),
        (json!({"task_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}), vec![]),
        (json!({"flows": {"name": {"any_": ["etl"]}}, "flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}), vec![brisk]),
        (json!({"flows": null, "flow_runs": null, "limit": null, "sort": null, "unknown": 1}), vec![zen, odd, brisk, calm]),
    ] {
        let mut body = body;
        if body.get("sort").is_none() {
            body["sort"] = json!("NAME_ASC");
        }
        let found = server.post("/flow_runs/filter", body.clone()).await.expect(200);
        assert_eq!(names(&found), expected, "{body}");
    }
}

#[tokio::test]
async fn flow_run_sorts_and_pages() {
    let server = Server::seeded().await;
    let [brisk, calm, odd, zen] = ALL;
    for (sort, expected) in [
        ("ID_DESC", [zen, odd, brisk, calm]),
        ("START_TIME_ASC", [calm, brisk, odd, zen]),
        ("START_TIME_DESC", [zen, odd, brisk, calm]),
        ("EXPECTED_START_TIME_ASC", [calm, brisk, odd, zen]),
        ("EXPECTED_START_TIME_DESC", [zen, odd, brisk, calm]),
        ("NAME_ASC", [brisk, calm, odd, zen]),
        ("NAME_DESC", [zen, odd, calm, brisk]),
        ("NEXT_SCHEDULED_START_TIME_ASC", [odd, brisk, calm, zen]),
        ("END_TIME_DESC", [odd, calm, zen, brisk]),
    ] {
        let all = server.post("/flow_runs/filter", json!({"sort": sort})).await.expect(200);
        assert_eq!(names(&all), expected, "{sort}");
        for (offset, limit) in [(0, 1), (1, 2), (3, 200), (4, 1), (0, 0)] {
            let page = server.post("/flow_runs/filter", json!({"sort": sort, "offset": offset, "limit": limit})).await.expect(200);
            let expected: Vec<_> = expected.into_iter().skip(offset).take(limit).collect();
            assert_eq!(names(&page), expected, "{sort} {offset} {limit}");
        }
    }
    let error = |body: Value| async { server.post("/flow_runs/filter", body).await.expect(422) };
    assert_eq!(error(json!({"limit": 201})).await["detail"], "Invalid limit: must be less than or equal to 200.");
    assert_eq!(error(json!({"limit": -1})).await["detail"], "Invalid limit: must be greater than or equal to 0.");
    assert_eq!(error(json!({"offset": -1})).await["exception_detail"][0]["type"], "greater_than_equal");
    assert_eq!(error(json!({"sort": "SIDEWAYS"})).await["exception_detail"][0]["type"], "enum");
    let unknown = error(json!({"flow_runs": {"stat": {}}})).await;
    assert_eq!(unknown["exception_detail"][0]["loc"], json!(["body", "flow_runs", "stat"]));
    assert_eq!(unknown["exception_detail"][0]["type"], "extra_forbidden");
}

#[tokio::test]
async fn deployment_filters() {
    let server = Server::seeded().await;
    let table = vec![
        (json!({}), vec!["daily", "hourly", "ping"]),
        (json!({"id": {"any_": [of("web/ping")]}}), vec!["ping"]),
        (json!({"id": {"not_any_": [of("web/ping")]}}), vec!["daily", "hourly"]),
        (json!({"name": {"any_": ["daily"]}}), vec!["daily"]),
        (json!({"name": {"like_": "LY"}}), vec!["daily", "hourly"]),
        (json!({"flow_or_deployment_name": {"like_": "web"}}), vec!["ping"]),
        (json!({"flow_or_deployment_name": {"like_": "hour"}}), vec!["hourly"]),
        (json!({"paused": {"eq_": true}}), vec!["ping"]),
        (json!({"paused": {}}), vec!["daily", "hourly", "ping"]),
        (json!({"tags": {"all_": ["a"]}}), vec!["daily"]),
        (json!({"tags": {"any_": ["b"]}}), vec!["daily", "ping"]),
        (json!({"tags": {"is_null_": true}}), vec!["hourly"]),
        (json!({"work_queue_name": {"any_": ["urgent"]}}), vec!["daily"]),
        (json!({"concurrency_limit": {"ge_": 2, "le_": 2}}), vec!["daily"]),
        (json!({"concurrency_limit": {"ge_": 3}}), vec![]),
        (json!({"concurrency_limit": {"is_null_": true}}), vec!["hourly", "ping"]),
        (json!({"operator": "or_", "name": {"any_": ["ping"]}, "tags": {"is_null_": true}}), vec!["hourly", "ping"]),
    ];
    check(&server, "/deployments/filter", "deployments", table).await;
    for (body, expected) in [
        (json!({"flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}}), vec!["ping"]),
        (json!({"flows": {"name": {"any_": ["etl"]}}}), vec!["daily", "hourly"]),
        (json!({"work_pools": {"name": {"any_": ["k8s"]}}}), vec!["ping"]),
        (json!({"work_pool_queues": {}}), vec!["daily", "ping"]),
        (json!({"task_runs": {}}), vec![]),
        (json!({"sort": "NAME_DESC", "limit": 2}), vec!["ping", "hourly"]),
        (json!({"sort": "NAME_ASC", "offset": 1}), vec!["hourly", "ping"]),
    ] {
        assert_eq!(names(&server.post("/deployments/filter", body.clone()).await.expect(200)), expected, "{body}");
    }
}

#[tokio::test]
async fn flow_pool_and_queue_filters() {
    let server = Server::seeded().await;
    let flows = vec![
        (json!({"id": {"any_": [of("etl")]}}), vec!["etl"]),
        (json!({"id": {"not_any_": [of("etl")]}}), vec!["bare", "web"]),
        (json!({"deployment": {"is_null_": false}}), vec!["etl", "web"]),
        (json!({"deployment": {}}), vec!["bare", "etl", "web"]),
        (json!({"name": {"like_": "E"}}), vec!["bare", "etl", "web"]),
        (json!({"tags": {"all_": ["prod"]}}), vec!["etl"]),
        (json!({"operator": "or_", "deployment": {"is_null_": true}, "tags": {"all_": ["prod"]}}), vec!["bare", "etl"]),
    ];
    check(&server, "/flows/filter", "flows", flows).await;
    let pools = vec![
        (json!({}), vec!["k8s", "local"]),
        (json!({"id": {"any_": [of("local")]}}), vec!["local"]),
        (json!({"name": {"any_": ["k8s"]}}), vec!["k8s"]),
        (json!({"type": {"any_": ["process"]}}), vec!["local"]),
        (json!({"operator": "or_", "name": {"any_": ["k8s"]}, "type": {"any_": ["process"]}}), vec!["k8s", "local"]),
    ];
    check(&server, "/work_pools/filter", "work_pools", pools).await;
    let queues = vec![
        (json!({}), vec!["default", "default", "urgent"]),
        (json!({"id": {"any_": [of("local/urgent")]}}), vec!["urgent"]),
        (json!({"name": {"any_": ["default"]}}), vec!["default", "default"]),
        (json!({"name": {"startswith_": ["UR", "x"]}}), vec!["urgent"]),
    ];
    check(&server, "/work_queues/filter", "work_queues", queues).await;
}
