//! A seeded server and requests to it.
use super::control::FakeControl;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use reeve::api::{Api, Guard, router};
use reeve::model::JsonMap;
use reeve::model::deployment::{CollisionStrategy, ConcurrencyLimit, Deployment, DeploymentSpec, Entrypoint, Flow, FullName};
use reeve::model::id::*;
use reeve::model::overrides::Owner;
use reeve::model::run::{FlowRun, Slot};
use reeve::model::schedule::{Schedule, ScheduleDeclaration};
use reeve::model::state::{State, StateDetails, StateType};
use reeve::model::tag_limit::{TagLimit, TagLimitSpec};
use reeve::model::work_pool::*;
use reeve::model::write::Write;
use reeve::schedule::{RuleSpec, Spec};
use reeve::settings::Home;
use reeve::store::ledger::Ledger;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tower::ServiceExt;
use uuid::Uuid;

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A derived id for a name, so that a test can name objects.
pub fn of(name: &str) -> Uuid {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    Uuid::from_u128(u128::from(hash))
}

pub fn tag_limit(tag: &str, concurrency_limit: u32) -> TagLimit {
    let (declared, created) = (TagLimitSpec { concurrency_limit }, at("2026-11-01T00:00:00Z"));
    TagLimit { id: TagLimitId(of(tag)), tag: tag.to_owned(), declared, owner: None, overrides: BTreeMap::new(), declared_digest: None, created, updated: created }
}

pub fn pool(name: &str, declared: WorkPoolSpec) -> WorkPool {
    let created = at("2026-11-01T00:00:00Z");
    WorkPool { id: WorkPoolId(of(name)), name: name.to_owned(), declared, owner: None, overrides: BTreeMap::new(), declared_digest: None, created, updated: created }
}

pub fn queue(pool: &str, name: &str, declared: WorkQueueSpec) -> WorkQueue {
    let created = at("2026-11-01T00:00:00Z");
    let id = WorkQueueId(of(&format!("{pool}/{name}")));
    WorkQueue { id, pool: pool.to_owned(), name: name.to_owned(), declared, owner: None, overrides: BTreeMap::new(), declared_digest: None, created, updated: created }
}

/// A scheduled run, made at `now`.
pub fn run(now: Timestamp, flow_id: FlowId) -> FlowRun {
    let mut randomness = [0; 10];
    randomness.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
    let id = of_requested_run(now, randomness);
    FlowRun {
        id,
        name: reeve::model::name::of_run(id),
        flow_id,
        deployment_id: None,
        deployment: None,
        deployment_version: None,
        parameters: JsonMap::new(),
        tags: Vec::new(),
        labels: JsonMap::new(),
        job_variables: JsonMap::new(),
        work_pool: None,
        work_queue: None,
        slot: None,
        missed: None,
        idempotency_key: None,
        requested_by: None,
        retries: 0,
        retry_delay_seconds: Vec::new(),
        retry_jitter_factor: 0.0,
        retry_on: Vec::new(),
        run_count: 0,
        expected_start_time: now,
        next_scheduled_start_time: None,
        start_time: None,
        end_time: None,
        total_run_time: 0.0,
        queue_wait_seconds: 0.0,
        infrastructure: None,
        infrastructure_pid: None,
        usage: None,
        state: State {
            id: of_state(id, 0),
            kind: StateType::Scheduled,
            name: "Scheduled".to_owned(),
            timestamp: now,
            message: None,
            data: None,
            details: StateDetails { scheduled_time: Some(now), ..StateDetails::default() },
        },
        past_states: Vec::new(),
        state_count: 1,
        created: now,
        updated: now,
    }
}

pub fn enter(run: &mut FlowRun, kind: StateType, name: &str, now: Timestamp) {
    let state = State {
        id: of_state(run.id, run.state_count),
        kind,
        name: name.to_owned(),
        timestamp: now,
        message: None,
        data: None,
        details: StateDetails::default(),
    };
    run.state_count += 1;
    run.past_states.push(std::mem::replace(&mut run.state, state));
    if kind == StateType::Running {
        run.start_time.get_or_insert(now);
        run.run_count += 1;
    }
    run.end_time = kind.is_terminal().then_some(now);
    run.updated = now;
}

pub fn schedule(name: &str, rule: RuleSpec, timezone: Option<&str>) -> Schedule {
    let created = at("2026-11-01T00:00:00Z");
    // It is over: what is to come has tests of its own (`future`), and all others must not depend on the clock.
    let mut spec = Spec::new(rule, timezone.map(str::to_owned));
    spec.limits.ends = Some("2026-11-02T12:00".parse().unwrap());
    let declared = ScheduleDeclaration { slug: Some(name.to_owned()), ..ScheduleDeclaration::new(spec) };
    Schedule { id: ScheduleId(of(name)), key: name.to_owned(), declared, effective_since: created, overrides: BTreeMap::new(), created, updated: created }
}

pub fn deployment(flow: &str, name: &str, declared: DeploymentSpec, schedules: Vec<Schedule>) -> Deployment {
    let created = at("2026-11-01T00:00:00Z");
    let full = FullName::new(flow, name);
    Deployment {
        id: DeploymentId(of(&full.to_string())),
        flow_id: FlowId(of(flow)),
        name: full,
        declared,
        schedules,
        owner: None,
        root: None,
        overrides: BTreeMap::new(),
        declared_digest: None,
        created,
        updated: created,
    }
}

pub fn flow(name: &str, tags: &[&str]) -> Flow {
    let created = at("2026-11-01T00:00:00Z");
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Flow { id: FlowId(of(name)), name: name.to_owned(), tags, labels: JsonMap::new(), created, updated: created }
}

/// etl/daily (owned, process pool, cron), etl/hourly (no pool, interval), web/ping (kubernetes pool, paused, rrule); flow `bare` without.
fn definitions() -> Vec<Write> {
    let process = WorkPoolSpec { kind: "process".to_owned(), description: Some("here".to_owned()), concurrency_limit: Some(4), paused: false, base_job_template: None, protect: false };
    let kubernetes = WorkPoolSpec { kind: "kubernetes".to_owned(), description: None, concurrency_limit: None, paused: true, base_job_template: None, protect: false };
    let filter = QueueFilter { tags: vec!["a".to_owned()], deployments: vec!["etl/daily".to_owned(), "gone/gone".to_owned()], pool_types: Vec::new() };
    let urgent = WorkQueueSpec { priority: 2, concurrency_limit: Some(1), filter: Some(filter), ..WorkQueueSpec::default() };
    let mut daily = deployment("etl", "daily", daily_spec(), vec![schedule("main", RuleSpec::Cron { expression: "0 9 * * *".to_owned(), day_or: true }, Some("Europe/Berlin"))]);
    daily.owner = Some(Owner { project: "shop".to_owned(), file: "deployment.yaml".to_owned() });
    daily.root = Some("/srv/shop".to_owned());
    let every = reeve::schedule::Every::from_microseconds(90_500_000).unwrap();
    let hourly = deployment(
        "etl",
        "hourly",
        DeploymentSpec { entrypoint: Some(Entrypoint::Shell { command: "true".to_owned() }), ..DeploymentSpec::default() },
        vec![schedule("often", RuleSpec::Interval { every, anchor: None }, None)],
    );
    let ping = deployment(
        "web",
        "ping",
        DeploymentSpec { paused: true, work_pool: Some("k8s".to_owned()), tags: vec!["b".to_owned()], ..DeploymentSpec::default() },
        vec![schedule("rule", RuleSpec::Rrule { text: "FREQ=DAILY".to_owned() }, None)],
    );
    vec![
        Write::PutFlow(flow("etl", &["prod"])),
        Write::PutFlow(flow("web", &[])),
        Write::PutFlow(flow("bare", &[])),
        Write::PutDeployment(Box::new(daily)),
        Write::PutDeployment(Box::new(hourly)),
        Write::PutDeployment(Box::new(ping)),
        Write::PutWorkPool(pool("local", process)),
        Write::PutWorkQueue(queue("local", "default", WorkQueueSpec::default())),
        Write::PutWorkQueue(queue("local", "urgent", urgent)),
        Write::PutWorkPool(pool("k8s", kubernetes)),
        Write::PutWorkQueue(queue("k8s", "default", WorkQueueSpec::default())),
    ]
}

fn daily_spec() -> DeploymentSpec {
    DeploymentSpec {
        version: Some("1.2".to_owned()),
        description: Some("Every morning".to_owned()),
        tags: vec!["a".to_owned(), "b".to_owned()],
        entrypoint: Some(Entrypoint::Python { path: "flow.py".to_owned(), function: "etl".to_owned() }),
        parameters: json!({"count": 3}).as_object().unwrap().clone(),
        parameter_schema: Some(json!({"type": "object", "properties": {"count": {"type": "integer"}}})),
        work_pool: Some("local".to_owned()),
        work_queue: Some("urgent".to_owned()),
        job_variables: json!({"working_dir": "/tmp", "env": {"DB_PASSWORD": "hunter2-too"}}).as_object().unwrap().clone(),
        concurrency_limit: Some(ConcurrencyLimit { limit: 2, collision_strategy: CollisionStrategy::CancelNew, grace_period_seconds: None }),
        env: BTreeMap::from([("API_TOKEN".to_owned(), Some("hunter2-hunter2".into())), ("MODE".to_owned(), Some("fast".into()))]),
        retries: 2,
        retry_delay_seconds: vec![5.0, 30.0],
        timeout_seconds: Some(60.0),
        ..DeploymentSpec::default()
    }
}

/// completed (etl/daily, of a schedule), running (etl/daily, asked for), failed (web/ping), waiting (bare).
fn runs() -> Vec<FlowRun> {
    let hour = |hour: u8| at(&format!("2026-11-20T{hour:02}:00:00Z"));
    let mut completed = run(hour(9), FlowId(of("etl")));
    completed.id = of_slot(DeploymentId(of("etl/daily")), "main", hour(9));
    completed.name = "calm-otter".to_owned();
    completed.deployment_id = Some(DeploymentId(of("etl/daily")));
    completed.deployment = FullName::parse("etl/daily");
    completed.slot = Some(Slot { schedule: ScheduleId(of("main")), key: "main".to_owned(), at: hour(9) });
    completed.tags = vec!["auto-scheduled".to_owned(), "a".to_owned()];
    completed.work_pool = Some("local".to_owned());
    completed.work_queue = Some("urgent".to_owned());
    completed.retries = 2;
    completed.retry_delay_seconds = vec![5.0];
    enter(&mut completed, StateType::Running, "Running", hour(10));
    enter(&mut completed, StateType::Completed, "Completed", hour(11));
    completed.total_run_time = 3600.0;

    let mut running = run(hour(12), FlowId(of("etl")));
    running.name = "Brisk-Otter".to_owned();
    running.deployment_id = Some(DeploymentId(of("etl/daily")));
    running.idempotency_key = Some("once".to_owned());
    running.requested_by = Some("ada".to_owned());
    running.work_pool = Some("local".to_owned());
    running.work_queue = Some("urgent".to_owned());
    running.tags = vec!["a".to_owned(), "b".to_owned()];
    enter(&mut running, StateType::Running, "Running", hour(12));

    let mut failed = run(hour(13), FlowId(of("web")));
    failed.name = "odd-crow".to_owned();
    failed.deployment_id = Some(DeploymentId(of("web/ping")));
    failed.work_pool = Some("k8s".to_owned());
    enter(&mut failed, StateType::Running, "Running", hour(14));
    enter(&mut failed, StateType::Failed, "TimedOut", hour(15));

    let mut waiting = run(hour(16), FlowId(of("bare")));
    waiting.name = "zen-yak".to_owned();
    waiting.next_scheduled_start_time = Some(at("2030-01-01T00:00:00Z"));
    waiting.expected_start_time = at("2030-01-01T00:00:00Z");
    waiting.state.details.scheduled_time = Some(at("2030-01-01T00:00:00Z"));
    vec![completed, running, failed, waiting]
}

pub struct Server {
    pub router: Router,
    pub ledger: Ledger,
    pub control: Arc<FakeControl>,
    pub home: Home,
    /// Set: the server begins to stop.
    pub stop: tokio::sync::watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

impl Server {
    pub async fn seeded() -> Server {
        let server = Server::empty();
        server.ledger.apply(0, &definitions()).await.unwrap();
        let mut unit = server.ledger.unit();
        for run in runs() {
            unit.create_run(&run).unwrap();
        }
        unit.commit().await.unwrap();
        server
    }

    pub fn empty() -> Server {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let ledger = Ledger::new(reeve::store::open("ram:", id(7)).unwrap());
        let control = Arc::new(FakeControl::new(ledger.clone()));
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let api = Api::new(ledger.reader(), control.clone(), home.clone()).until(stopped);
        Server { router: router(api, Guard::loopback()), ledger, control, home, stop, _directory: directory }
    }

    pub fn run_id(&self, name: &str) -> FlowRunId {
        self.ledger.runs_newest_first(None).map(Result::unwrap).find(|run| run.name == name).unwrap().id
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(request("GET", path, Body::empty())).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(json_request("POST", path, &body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(json_request("PATCH", path, &body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(request("DELETE", path, Body::empty())).await
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply { status: parts.status, headers: parts.headers, json, text: String::from_utf8_lossy(&bytes).into_owned() }
    }
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Reply {
    /// The body, where the status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json
    }
}

pub fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(format!("/api{path}")).header("host", "localhost").body(body).unwrap()
}

pub fn json_request(method: &str, path: &str, body: &Value) -> Request<Body> {
    let mut request = request(method, path, Body::from(body.to_string()));
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    request
}

pub fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}
