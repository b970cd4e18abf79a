//! Virtual runs over HTTP: listed, counted and inspected without being stored, and made real by the first write.
//!
//! The clock is the real one, so slots are placed around now: the first is half a day ahead, and none passes while a test runs.
use super::support::*;
use jiff::{SignedDuration, Timestamp};
use reeve::model::deployment::{Deployment, DeploymentSpec};
use reeve::model::id::of_slot;
use reeve::model::write::Write;
use reeve::schedule::{Every, RuleSpec};
use serde_json::{Value, json};

const DAY: u64 = 24 * 3_600 * 1_000_000;

/// Every so many days from half a day ahead on.
fn days(days: u64) -> RuleSpec {
    let anchor = reeve::clock::now() + SignedDuration::from_hours(12);
    RuleSpec::Interval { every: Every::from_microseconds(days * DAY).unwrap(), anchor: Timestamp::from_second(anchor.as_second()).ok() }
}

fn deployed(name: &str, every: u64, tags: &[&str]) -> Deployment {
    let mut schedule = schedule(&format!("{name}-slots"), days(every), None);
    schedule.declared.spec.limits.ends = None;
    schedule.declared.parameters = json!({"count": 7}).as_object().unwrap().clone();
    let spec = DeploymentSpec {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        parameters: json!({"count": 1, "who": "me"}).as_object().unwrap().clone(),
        work_pool: Some("local".to_owned()),
        ..DeploymentSpec::default()
    };
    deployment("etl", name, spec, vec![schedule])
}

/// The seeds (four stored runs), `etl/often` (three virtual runs, a day apart) and `etl/rare` (two in 100 days, 60 days apart).
pub async fn server() -> Server {
    let server = Server::seeded().await;
    let writes = [deployed("often", 1, &["a"]), deployed("rare", 60, &[])].map(|deployment| Write::PutDeployment(Box::new(deployment)));
    let revision = server.ledger.revision().unwrap();
    server.ledger.apply(revision, &writes).await.unwrap();
    server
}

async fn find(server: &Server, filter: Value) -> Vec<Value> {
    let body = json!({"flow_runs": filter, "sort": "EXPECTED_START_TIME_ASC"});
    let found = server.post("/flow_runs/filter", body).await.expect(200).as_array().unwrap().clone();
    let count = server.post("/flow_runs/count", json!({"flow_runs": filter})).await.expect(200);
    assert_eq!(count, found.len(), "{filter}");
    found
}

async fn of_often(server: &Server) -> Vec<Value> {
    find(server, json!({"deployment_id": {"any_": [of("etl/often")]}})).await
}

fn path(run: &Value) -> String {
    format!("/flow_runs/{}", run["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_virtual_run_is_shown_as_the_run_that_it_will_be() {
    let server = server().await;
    let runs = of_often(&server).await;
    assert_eq!(runs.len(), 3);
    let first = &runs[0];
    let slot: Timestamp = first["reeve"]["slot"].as_str().unwrap().parse().unwrap();
    assert_eq!(first["id"], json!(of_slot(reeve::model::id::DeploymentId(of("etl/often")), "often-slots", slot)));
    assert_eq!((&first["state_type"], &first["state_name"], &first["auto_scheduled"]), (&json!("SCHEDULED"), &json!("Scheduled"), &json!(true)));
    assert_eq!((&first["parameters"], &first["tags"]), (&json!({"count": 7, "who": "me"}), &json!(["auto-scheduled", "a"])));
    assert_eq!(first["expected_start_time"], first["next_scheduled_start_time"]);
    assert_eq!(first["state"]["state_details"]["scheduled_time"], first["expected_start_time"]);
    assert_eq!(first["created_by"]["type"], "SCHEDULE");
    for run in &runs {
        assert_eq!(server.get(&path(run)).await.expect(200), *run, "inspect is what the list shows");
        let states = server.get(&format!("/flow_run_states?flow_run_id={}", run["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(states, json!([run["state"]]));
    }
    assert_eq!(of_often(&server).await, runs, "two reads give the same");
    let deployment = server.get(&format!("/deployments/{}", of("etl/often"))).await.expect(200);
    assert_eq!(deployment["reeve"]["next"], first["reeve"]["slot"]);
    server.get(&format!("/reeve{}/logs/follow", path(first))).await.expect(200);
    server.get(&format!("{}/logs/download", path(first))).await.expect(200);
    assert_eq!(server.ledger.runs_newest_first(None).count(), 4, "nothing was stored");
    // Further ahead than what is listed, a run can still be inspected.
    let far = slot + SignedDuration::from_hours(24 * 400);
    let id = of_slot(reeve::model::id::DeploymentId(of("etl/often")), "often-slots", far);
    assert_eq!(server.get(&format!("/flow_runs/{id}")).await.expect(200)["id"], json!(id));
    let no_slot = of_slot(reeve::model::id::DeploymentId(of("etl/often")), "often-slots", far + SignedDuration::from_secs(1));
    server.get(&format!("/flow_runs/{no_slot}")).await.expect(404);
}

#[tokio::test]
async fn filters_meet_virtual_runs() {
    let server = server().await;
    let runs = of_often(&server).await;
    let (id, name) = (runs[1]["id"].clone(), runs[1]["name"].clone());
    let second = runs[1]["expected_start_time"].clone();
    let scheduled = json!({"type": {"any_": ["SCHEDULED"]}});
    for (filter, count) in [
        (json!({}), 9),
        // One of the stored ones is Scheduled.
        (json!({"state": scheduled}), 6),
        (json!({"state": {"name": {"any_": ["Scheduled"]}}}), 6),
        (json!({"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}), 1),
        (json!({"state": {"type": {"not_any_": ["SCHEDULED"]}}}), 3),
        (json!({"state": {"name": {"any_": ["Late"]}}}), 0),
        (json!({"start_time": {"after_": "2000-01-01T00:00:00Z"}}), 3),
        (json!({"start_time": {"is_null_": true}}), 6),
        (json!({"end_time": {"is_null_": false}}), 2),
        (json!({"deployment_id": {"any_": [of("etl/rare")]}}), 2),
        (json!({"deployment_id": {"any_": [of("etl/rare"), of("etl/rare"), of("nobody")]}}), 2),
        (json!({"deployment_id": {"is_null_": true}}), 1),
        (json!({"id": {"any_": [id, of("none")]}}), 1),
        (json!({"id": {"not_any_": [id]}}), 8),
        (json!({"name": {"any_": [name]}}), 1),
        (json!({"tags": {"all_": ["auto-scheduled", "a"]}}), 4),
        (json!({"tags": {"all_": ["auto-scheduled"]}, "state": scheduled}), 5),
        (json!({"expected_start_time": {"before_": second}, "deployment_id": {"any_": [of("etl/often")]}}), 2),
        (json!({"next_scheduled_start_time": {"after_": second}, "deployment_id": {"any_": [of("etl/often")]}}), 2),
        (json!({"created_by": {"type_": ["SCHEDULE"]}}), 6),
        (json!({"idempotency_key": {"any_": [runs[2]["idempotency_key"]]}}), 1),
        (json!({"flow_version": {"any_": ["1"]}}), 0),
        (json!({"parent_task_run_id": {"is_null_": true}}), 9),
        (json!({"operator": "or_", "id": {"any_": [id]}, "state": {"type": {"any_": ["FAILED"]}}}), 2),
    ] {
        assert_eq!(find(&server, filter.clone()).await.len(), count, "{filter}");
    }
    for (body, count) in [
        (json!({"flows": {"name": {"any_": ["etl"]}}}), 7),
        (json!({"deployments": {"name": {"any_": ["rare"]}}}), 2),
        (json!({"work_pools": {"name": {"any_": ["local"]}}}), 7),
        (json!({"work_pools": {"name": {"any_": ["k8s"]}}}), 1),
        (json!({"task_runs": {}}), 0),
    ] {
        assert_eq!(server.post("/flow_runs/count", body.clone()).await.expect(200), count, "{body}");
    }
    let with_scheduled = json!({"flow_runs": {"state": scheduled}});
    assert_eq!(names(&server.post("/deployments/filter", with_scheduled.clone()).await.expect(200)), ["often", "rare"]);
    assert_eq!(names(&server.post("/flows/filter", with_scheduled).await.expect(200)), ["bare", "etl"]);
}

#[tokio::test]
async fn pages_are_cut_from_the_union() {
    let server = server().await;
    for sort in [
        "ID_DESC", "START_TIME_ASC", "START_TIME_DESC", "EXPECTED_START_TIME_ASC", "EXPECTED_START_TIME_DESC", "NAME_ASC", "NAME_DESC",
        "NEXT_SCHEDULED_START_TIME_ASC", "END_TIME_DESC",
    ] {
        let all = server.post("/flow_runs/filter", json!({"sort": sort})).await.expect(200);
        let all = all.as_array().unwrap();
        assert_eq!(all.len(), 9, "{sort}");
        for (offset, limit) in [(0, 1), (2, 3), (4, 5), (8, 200), (9, 1), (0, 0)] {
            let page = server.post("/flow_runs/filter", json!({"sort": sort, "offset": offset, "limit": limit})).await.expect(200);
            let expected: Vec<_> = all.iter().skip(offset).take(limit).map(|run| &run["id"]).collect();
            let found: Vec<_> = page.as_array().unwrap().iter().map(|run| &run["id"]).collect();
            assert_eq!(found, expected, "{sort} {offset} {limit}");
        }
        let key = |run: &Value| match sort {
            "ID_DESC" => run["id"].clone(),
            "NAME_ASC" | "NAME_DESC" => run["name"].clone(),
            "END_TIME_DESC" => run["end_time"].clone(),
            "NEXT_SCHEDULED_START_TIME_ASC" => run["next_scheduled_start_time"].clone(),
            "EXPECTED_START_TIME_ASC" | "EXPECTED_START_TIME_DESC" => run["expected_start_time"].clone(),
            _ => if run["start_time"].is_null() { run["expected_start_time"].clone() } else { run["start_time"].clone() },
        };
        let keys: Vec<String> = all.iter().map(|run| key(run).as_str().unwrap_or_default().to_owned()).collect();
        let mut sorted = keys.clone();
        sorted.sort();
        if sort.ends_with("DESC") {
            sorted.reverse();
        }
        assert_eq!(keys, sorted, "{sort}");
    }
}

#[tokio::test]
async fn the_first_write_makes_it_real() {
    let server = server().await;
    let runs = of_often(&server).await;
    // A patch that says nothing new writes nothing.
    server.patch(&path(&runs[0]), json!({})).await.expect(204);
    assert_eq!(server.ledger.runs_newest_first(None).count(), 4);
    server.patch(&path(&runs[0]), json!({"name": "my-own"})).await.expect(204);
    server.patch(&format!("{}/labels", path(&runs[1])), json!({"color": "red"})).await.expect(204);
    let answer = server.post(&format!("{}/set_state", path(&runs[2])), json!({"state": {"type": "CANCELLING"}})).await.expect(201);
    assert_eq!((&answer["status"], &answer["state"]["type"]), (&json!("REJECT"), &json!("CANCELLED")), "what has not begun is cancelled at once");
    let after = of_often(&server).await;
    assert_eq!(after.len(), 3, "each stands once");
    assert_eq!((&after[0]["name"], &after[1]["labels"]["color"], &after[2]["state_type"]), (&json!("my-own"), &json!("red"), &json!("CANCELLED")));
    for (before, after) in runs.iter().zip(&after) {
        for field in ["id", "created", "expected_start_time", "parameters", "idempotency_key", "auto_scheduled"] {
            assert_eq!(before[field], after[field], "{field} is what it was");
        }
        assert_ne!(before["updated"], after["updated"]);
    }
    assert_eq!(server.ledger.runs_newest_first(None).count(), 7);
    // Too early to run, and the refusal writes nothing.
    let rare = find(&server, json!({"deployment_id": {"any_": [of("etl/rare")]}})).await;
    let answer = server.post(&format!("{}/set_state", path(&rare[0])), json!({"state": {"type": "RUNNING"}})).await.expect(200);
    assert_eq!(answer["status"], "WAIT");
    assert_eq!(server.ledger.runs_newest_first(None).count(), 7);
    // A worker's claim.
    let answer = server.post(&format!("{}/set_state", path(&rare[0])), json!({"state": {"type": "PENDING"}})).await.expect(201);
    assert_eq!((&answer["status"], &answer["state"]["state_details"]["scheduled_time"]), (&json!("ACCEPT"), &rare[0]["expected_start_time"]));
    assert_eq!(server.get(&path(&rare[0])).await.expect(200)["state_type"], "PENDING");
}

#[tokio::test]
async fn what_is_deleted_stays_dealt_with() {
    let server = server().await;
    let runs = of_often(&server).await;
    for _ in 0..2 {
        server.delete(&path(&runs[0])).await.expect(204);
        let run = server.get(&path(&runs[0])).await.expect(200);
        assert_eq!((&run["state_type"], &run["state_name"]), (&json!("CANCELLED"), &json!("Skipped")));
    }
    // A real one likewise.
    server.patch(&path(&runs[1]), json!({"name": "mine"})).await.expect(204);
    server.delete(&path(&runs[1])).await.expect(204);
    assert_eq!(server.get(&path(&runs[1])).await.expect(200)["state_name"], "Skipped");
    let waiting = find(&server, json!({"deployment_id": {"any_": [of("etl/often")]}, "state": {"type": {"any_": ["SCHEDULED"]}}})).await;
    assert_eq!(waiting, runs[2..]);
    // What is over and past goes.
    let failed = server.run_id("odd-crow");
    server.delete(&format!("/flow_runs/{failed}")).await.expect(204);
    server.delete(&format!("/flow_runs/{failed}")).await.expect(404);
    server.delete(&format!("/flow_runs/{}", of("nobody"))).await.expect(404);
}

#[tokio::test]
async fn the_future_follows_its_schedules() {
    let server = server().await;
    let runs = of_often(&server).await;
    server.patch(&path(&runs[1]), json!({"name": "mine"})).await.expect(204);
    let often = of("etl/often");
    server.post(&format!("/deployments/{often}/pause_deployment"), json!({})).await.expect(200);
    assert_eq!(names(&json!(of_often(&server).await)), ["mine"], "a real run stands");
    server.get(&path(&runs[0])).await.expect(404);
    server.patch(&path(&runs[0]), json!({"name": "no"})).await.expect(404);
    server.post(&format!("/deployments/{often}/resume_deployment"), json!({})).await.expect(200);
    assert_eq!(of_often(&server).await.len(), 3);
    let revision = server.ledger.revision().unwrap();
    let mut changed = deployed("often", 1, &["a"]);
    changed.schedules[0].declared.max_scheduled_runs = Some(1);
    server.ledger.apply(revision, &[Write::PutDeployment(Box::new(changed))]).await.unwrap();
    assert_eq!(of_often(&server).await.len(), 2, "one to come, and the real one");
    let name = reeve::model::deployment::FullName::new("etl", "often");
    let delete = Write::DeleteDeployment { id: reeve::model::id::DeploymentId(often), name };
    server.ledger.apply(revision + 1, &[delete]).await.unwrap();
    assert_eq!(names(&json!(of_often(&server).await)), ["mine"]);
}

/// The change feed keeps 4,096 commits: a reader that asks after more of them must not believe what it knew.
#[tokio::test]
async fn the_future_is_right_after_more_changes_than_are_kept() {
    let server = server().await;
    assert_eq!(of_often(&server).await.len(), 3);
    let run = server.run_id("zen-yak");
    for changed in [false, true] {
        if changed {
            let mut deployment = deployed("often", 1, &["a"]);
            deployment.schedules[0].declared.max_scheduled_runs = Some(1);
            let revision = server.ledger.revision().unwrap();
            server.ledger.apply(revision, &[Write::PutDeployment(Box::new(deployment))]).await.unwrap();
        }
        for number in 0..4_100 {
            server.ledger.amend_run(run, |run| run.infrastructure_pid = Some(format!("{changed} {number}"))).await.unwrap();
        }
        assert_eq!(of_often(&server).await.len(), if changed { 1 } else { 3 });
    }
}

#[tokio::test]
async fn prefects_runners_are_told_what_waits() {
    let server = server().await;
    let runs = of_often(&server).await;
    let ask = |body: Value| async { server.post("/deployments/get_scheduled_flow_runs", body).await.expect(200).as_array().unwrap().clone() };
    assert_eq!(ask(json!({"deployment_ids": [of("etl/often")]})).await, runs);
    assert_eq!(ask(json!({"deployment_ids": [of("etl/often"), of("etl/rare")], "limit": 2})).await.len(), 2);
    let before = runs[0]["expected_start_time"].as_str().unwrap().replace('T', " ").replace('Z', "+00:00");
    assert_eq!(ask(json!({"deployment_ids": [of("etl/often")], "scheduled_before": before})).await, runs[..1]);
    assert_eq!(ask(json!({"deployment_ids": []})).await, [] as [Value; 0]);
    server.post("/deployments/get_scheduled_flow_runs", json!({})).await.expect(422);
}
