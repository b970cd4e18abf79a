//! What a run is told that waits, over small snapshots: all that stands in its way, and who goes first.
use super::*;
use crate::dispatch::queue::{Pool, Queue};
use crate::model::deployment::{DeploymentSpec, FullName};
use crate::model::id::FlowId;
use serde_json::json;
use uuid::Uuid;

/// A run: name, state, deployment, queue, tags.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const NOW: &str = "2027-03-26T12:00:00Z";

fn id_of(name: &str) -> Uuid {
    Uuid::from_u128(name.bytes().fold(1, |number, byte| number * 256 + u128::from(byte)))
}

/// Runs of pool `p`, one minute after the other.
fn runs(rows: &[Row]) -> Vec<FlowRun> {
    let made = rows.iter().enumerate().map(|(minute, (name, state, deployment, queue, tags))| {
        let at = format!("2027-03-26T11:{minute:02}:00Z");
        let state = json!({"id": Uuid::nil(), "type": state, "name": state, "timestamp": at, "details": {"scheduled_time": at}});
        let run = json!({"id": id_of(name), "name": name, "flow_id": Uuid::nil(), "expected_start_time": at, "state": state, "state_count": 1,
            "deployment_id": id_of(deployment), "deployment": FullName::new("flow", *deployment), "work_pool": "p", "work_queue": queue, "tags": tags,
            "created": at, "updated": at});
        serde_json::from_value(run).unwrap()
    });
    made.collect()
}

/// What there is: the pool with its limit, and of each queue and tag the limit; a queue whose name begins with `-` is paused.
fn capacity(pool: Option<u32>, queues: &[(&str, Option<u32>)], tags: &[(&str, u32)]) -> Capacity {
    let queue = |(name, limit): &(&str, Option<u32>)| ((*name).to_owned(), Queue { paused: name.starts_with('-'), priority: 1, limit: *limit, filter: None });
    let pool = Pool { kind: "process".to_owned(), paused: false, limit: pool, queues: queues.iter().map(queue).collect() };
    let tags = tags.iter().map(|(tag, limit)| ((*tag).to_owned(), *limit)).collect();
    Capacity { pools: BTreeMap::from([("p".to_owned(), pool)]), tags }
}

fn deployment(name: &str) -> Deployment {
    let created: Timestamp = NOW.parse().unwrap();
    Deployment {
        id: DeploymentId(id_of(name)),
        flow_id: FlowId(Uuid::nil()),
        name: FullName::new("flow", name),
        declared: DeploymentSpec::default(),
        schedules: Vec::new(),
        owner: None,
        root: None,
        overrides: BTreeMap::new(),
        declared_digest: None,
        created,
        updated: created,
    }
}

fn asked_of(capacity: &Capacity, rows: &[Row], name: &str, serving: bool) -> RunAnswer {
    let all = runs(rows);
    let deployments = rows.iter().map(|(_, _, name, _, _)| (DeploymentId(id_of(name)), deployment(name))).collect();
    let run = all.iter().find(|run| run.name == name).unwrap();
    let active: Vec<FlowRun> = all.iter().filter(|other| other.id != run.id).cloned().collect();
    let facts = RunFacts { now: NOW.parse().unwrap(), run, deployments: &deployments, capacity, active: &active, kinds: &["process"], serving };
    why_run(&facts)
}

/// Of each obstacle its kind and who holds it; how many go first.
fn told(answer: &RunAnswer) -> (Vec<String>, usize) {
    let names = |obstacle: &Obstacle| obstacle.holders.iter().map(|held| held.name.as_str()).collect::<Vec<_>>().join(",");
    (answer.obstacles.iter().map(|obstacle| format!("{} {}", obstacle.kind, names(obstacle)).trim_end().to_owned()).collect(), answer.ahead)
}

const DB: &[&str] = &["db"];

/// Three deployments in one pool: `h` in a narrow queue and with a tag, `m` with the tag, `l` with neither.
const THREE: [Row; 9] = [
    ("h1", "RUNNING", "h", "hi", DB), ("m1", "RUNNING", "m", "default", DB), ("l1", "RUNNING", "l", "default", &[]),
    ("h2", "SCHEDULED", "h", "hi", DB), ("h3", "SCHEDULED", "h", "hi", DB), ("m2", "SCHEDULED", "m", "default", DB),
    ("m3", "SCHEDULED", "m", "default", DB), ("l2", "SCHEDULED", "l", "default", &[]), ("l3", "SCHEDULED", "l", "default", &[]),
];

#[test]
fn all_that_stands_in_the_way_is_told_and_who_holds_it() {
    let gap: [Row; 4] = [
        ("gap1", "RUNNING", "g", "default", &[]), ("gap3", "SCHEDULED", "z", "default", &["z"]), ("gap2", "SCHEDULED", "g", "default", &[]),
        ("gap4", "SCHEDULED", "g", "default", &[]),
    ];
    let one = capacity(Some(1), &[("default", None)], &[("z", 0)]);
    let three = capacity(Some(3), &[("default", None), ("hi", Some(1))], &[("db", 2)]);
    let no_db = capacity(Some(3), &[("default", None), ("hi", Some(1))], &[("db", 0)]);
    let everybody = "pool_full h1,m1,l1";
    let table: [(&Capacity, &[Row], &str, &[&str], usize); 9] = [
        (&one, &gap, "gap3", &["tag_full", "pool_full gap1"], 0),
        // gap3 was due first, and cannot go.
        (&one, &gap, "gap2", &["pool_full gap1"], 0),
        (&one, &gap, "gap4", &["pool_full gap1"], 1),
        (&three, &THREE, "h2", &["queue_full h1", "tag_full h1,m1", everybody], 0),
        (&three, &THREE, "h3", &["queue_full h1", "tag_full h1,m1", everybody], 3),
        (&three, &THREE, "m2", &["tag_full h1,m1", everybody], 0),
        (&three, &THREE, "l2", &[everybody], 0),
        (&three, &THREE, "l3", &[everybody], 1),
        (&no_db, &THREE, "h2", &["tag_full h1,m1", "queue_full h1", everybody], 0),
    ];
    for (capacity, rows, name, obstacles, ahead) in table {
        assert_eq!(told(&asked_of(capacity, rows, name, true)), (obstacles.iter().map(ToString::to_string).collect(), ahead), "{name}");
    }
}

#[test]
fn what_only_a_person_lifts_comes_first_with_what_to_do() {
    let mut paused = capacity(Some(1), &[("-hi", Some(3))], &[("db", 0)]);
    paused.pools.get_mut("p").unwrap().paused = true;
    let rows: [Row; 3] = [("h1", "RUNNING", "h", "-hi", DB), ("h2", "SCHEDULED", "h", "-hi", DB), ("h3", "SCHEDULED", "h", "-hi", DB)];
    let answer = asked_of(&paused, &rows, "h3", true);
    assert_eq!(told(&answer), (["pool_paused", "queue_paused", "tag_full h1", "pool_full h1"].map(str::to_owned).to_vec(), 1));
    let remedies: Vec<_> = answer.obstacles.iter().map(|obstacle| obstacle.remedy.as_deref()).collect();
    assert_eq!(remedies, [Some("reeve work-pool resume p"), Some("reeve work-queue resume p/-hi"), Some("reeve concurrency-limit update db N"), None]);
    assert_eq!(answer.summary, "waits: its work pool 'p' is paused; its work queue 'p/-hi' is paused; the concurrency limit of the tag 'db' is 0; and 1 more");
    assert!(answer.in_line.unwrap().contains("until somebody acts"), "a pause is waited for by nobody's end");
    assert_eq!(answer.holders.len(), 1, "each holder once");
    // What is to be typed is quoted where a shell would take it apart.
    let spaced: [Row; 1] = [("h1", "SCHEDULED", "h", "default", &["my db"])];
    let answer = asked_of(&capacity(None, &[("default", None)], &[("my db", 0)]), &spaced, "h1", true);
    assert_eq!(answer.obstacles[0].remedy.as_deref(), Some("reeve concurrency-limit update 'my db' N"));
    // Without a daemon too, and of a pool that another host serves.
    paused.pools.get_mut("p").unwrap().kind = "docker".to_owned();
    let kinds = told(&asked_of(&paused, &rows, "h2", false)).0;
    assert_eq!(kinds[..4], ["no_daemon", "no_worker", "pool_paused", "queue_paused"]);
}

#[test]
fn a_run_whose_time_has_not_come_is_told_what_will_still_stand_then() {
    let mut paused = capacity(Some(1), &[("default", None)], &[]);
    let rows: [Row; 2] = [("l1", "RUNNING", "l", "default", &[]), ("l2", "SCHEDULED", "l", "default", &[])];
    let asked = |capacity: &Capacity| {
        let mut all = runs(&rows);
        let mut run = all.pop().unwrap();
        let deployments = BTreeMap::from([(DeploymentId(id_of("l")), deployment("l"))]);
        let now = "2027-03-26T11:00:30Z".parse().unwrap();
        run.state.timestamp = "2027-03-26T11:00:00Z".parse().unwrap();
        why_run(&RunFacts { now, run: &run, deployments: &deployments, capacity, active: &all, kinds: &["process"], serving: true })
    };
    let open = asked(&paused);
    assert_eq!((open.summary.as_str(), told(&open).0), ("waits for its time, 2027-03-26 11:01:00 UTC", vec!["not_due".to_owned()]));
    paused.pools.get_mut("p").unwrap().paused = true;
    let held = asked(&paused);
    assert_eq!(held.summary, "waits for its time, 2027-03-26 11:01:00 UTC; besides: its work pool 'p' is paused");
    assert_eq!(told(&held).0, ["pool_paused", "not_due"]);
}

#[test]
fn lists_are_bounded() {
    const TAGS: [&str; 30] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z", "0", "1", "2", "3"];
    let limits: Vec<(&str, u32)> = TAGS.iter().map(|tag| (*tag, 1)).collect();
    let mut rows: Vec<Row> = vec![("all", "SCHEDULED", "w", "default", &TAGS)];
    rows.extend(TAGS.iter().map(|name| (*name, "RUNNING", "r", "default", &TAGS[..])));
    let answer = asked_of(&capacity(Some(30), &[("default", None)], &limits), &rows, "all", true);
    assert_eq!((answer.obstacles.len(), answer.more_obstacles), (20, 11));
    assert_eq!((answer.obstacles[0].holders.len(), answer.obstacles[0].more_holders, answer.holders.len()), (20, 10, 20));
}

/// Two decisions over all that wait, and an answer that is no larger for it.
#[test]
fn of_five_thousand_that_wait_the_last_is_told_its_place() {
    let (capacity, mut all) = (capacity(Some(1), &[("default", None)], &[]), runs(&THREE[2..]));
    let last = all.pop().unwrap();
    let going = all.swap_remove(0);
    let waiting = (0..4_999_u128).map(|number| FlowRun { id: FlowRunId(Uuid::from_u128(number)), ..last.clone() });
    let active: Vec<FlowRun> = waiting.chain([going]).collect();
    let deployments = BTreeMap::from([(DeploymentId(id_of("l")), deployment("l"))]);
    let now = NOW.parse().unwrap();
    let answer = why_run(&RunFacts { now, run: &last, deployments: &deployments, capacity: &capacity, active: &active, kinds: &["process"], serving: true });
    assert_eq!((told(&answer).0, answer.ahead), (vec!["pool_full l1".to_owned()], 4_999));
}
