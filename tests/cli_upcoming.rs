//! What `upcoming` and `why` print of the real API, over objects with fixed ids, at instants far ahead: one committed transcript.
//! `REEVE_UPDATE=1` rewrites it.
#![allow(dead_code, reason = "the seeds are those of the API's tests")]

#[path = "api_http/control.rs"]
mod control;
#[path = "api_http/support.rs"]
mod support;

use jiff::tz::TimeZone;
use reeve::cli::client::Client;
use reeve::cli::screen::Screen;
use reeve::model::deployment::{Deployment, DeploymentSpec};
use reeve::model::overrides::Override;
use reeve::model::run::FlowRun;
use reeve::model::write::Write as Put;
use reeve::schedule::{Every, Period, RuleSpec, Span};
use serde_json::json;
use std::ffi::OsString;
use std::io::Write;
use std::sync::{Arc, Mutex};
use support::{Server, at, deployment, schedule};

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

fn deployed(flow: &str, name: &str, cron: &str, zone: Option<&str>, pool: Option<&str>) -> Deployment {
    let rule = RuleSpec::Cron { expression: cron.to_owned(), day_or: true };
    let mut schedule = schedule(&format!("{name}-main"), rule, zone);
    schedule.declared.spec.limits.ends = None;
    let spec = DeploymentSpec { work_pool: pool.map(str::to_owned), ..DeploymentSpec::default() };
    deployment(flow, name, spec, vec![schedule])
}

/// The seeds, whose schedules have ended, and four that go on: `nightly` (in a gap on 25 March 2040, not at Easter), `spread`,
/// `held` (paused by hand), `stuck` (its pool is one that no worker serves).
async fn server() -> Server {
    let server = Server::seeded().await;
    let mut nightly = deployed("etl", "nightly", "30 2 * * *", Some("Europe/Berlin"), Some("local"));
    let easter = Span::Days { from: "2040-03-30".parse().unwrap(), to: "2040-04-02".parse().unwrap() };
    nightly.schedules[0].declared.spec.limits.exclude = vec![Period { span: easter, name: Some("holidays: Easter".to_owned()) }];
    let mut spread = deployed("etl", "spread", "0 */6 * * *", None, None);
    spread.schedules[0].declared.policy.spread = Every::from_microseconds(600_000_000).ok();
    let mut held = deployed("web", "held", "0 9 * * 1-5", Some("America/New_York"), None);
    let paused = Override { value: json!(true), who: "ada".to_owned(), why: Some("the shop moves".to_owned()), since: at("2026-11-20T09:00:00Z"), until: None };
    held.overrides.insert("paused".to_owned(), paused);
    let stuck = deployed("web", "stuck", "0 0 1 * *", None, Some("k8s"));
    let writes = [nightly, spread, held, stuck].map(|deployment| Put::PutDeployment(Box::new(deployment)));
    server.ledger.apply(server.ledger.revision().unwrap(), &writes).await.unwrap();
    server
}

async fn typed(client: &Client, line: &[&str], paper: &Paper) {
    let now = at("2040-03-24T08:00:00Z");
    let mut screen = Screen::into_writer(Box::new(paper.clone()), now, TimeZone::get("Asia/Dubai").unwrap());
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

const TYPED: &[&[&str]] = &[
    &["upcoming", "--at", "now"],
    &["upcoming", "--at", "2040-03-24 12:00", "--within", "1 day"],
    &["upcoming", "--at", "now", "--deployment", "nightly", "--count", "2", "-o", "json"],
    &["upcoming", "--at", "now", "--deployment", "stuck", "--count", "2", "--ical"],
    &["upcoming", "--at", "now", "--deployment", "held"],
    &["upcoming", "--at", "someday"],
    &["upcoming", "--within", "a while"],
    &["why", "nightly", "--at", "2040-03-24T01:30:00Z"],
    &["why", "nightly", "--at", "2040-03-25T01:30:00Z"],
    &["why", "nightly", "--at", "2040-03-25T01:00:00Z"],
    &["why", "nightly", "--at", "2040-03-31T00:30:00Z"],
    &["why", "spread", "--at", "2040-03-24T12:00:00Z"],
    &["why", "held", "--at", "2040-03-26T13:00:00Z"],
    &["why", "stuck", "--at", "2040-04-01T00:00:00Z"],
    &["why", "ping", "--at", "2040-04-01T00:00:00Z"],
    &["why", "etl/daily", "--at", "2026-11-20T09:00:00Z"],
    &["why", "stuck", "--at", "2040-04-01T00:00:00Z", "-o", "json"],
    &["why", "nobody"],
];

#[tokio::test]
async fn commands_print_what_is_committed() {
    let server = server().await;
    let paper = Paper::default();
    let client = Client::in_process(server.router.clone());
    for line in TYPED {
        typed(&client, line, &paper).await;
    }
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap().replace('\r', "␍");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cli/upcoming.txt");
    if std::env::var_os("REEVE_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    for (number, (found, expected)) in text.lines().zip(committed.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {}; REEVE_UPDATE=1 rewrites it", number + 1, path.display());
    }
    assert_eq!(text.lines().count(), committed.lines().count());
}

/// Under either policy for the record: what was made real and cancelled does not fire, what was made real fires still.
#[tokio::test]
async fn a_cancelled_slot_is_not_upcoming() {
    let server = server().await;
    let of = support::of("etl/spread");
    let path = format!("/reeve/upcoming?deployment={of}&limit=3");
    let fires = server.get(&path).await.expect(200);
    let run = |index: usize| format!("/flow_runs/{}", fires[index]["id"].as_str().unwrap());
    server.delete(&run(0)).await.expect(204);
    server.patch(&run(1), json!({"name": "mine"})).await.expect(204);
    let after = server.get(&path).await.expect(200);
    assert_eq!((&after[0], &after[1]), (&fires[1], &fires[2]));
    assert_ne!(fires[0]["start"], fires[0]["at"]);
    let stored: Vec<FlowRun> = server.ledger.runs_newest_first(None).map(Result::unwrap).take(2).collect();
    assert!(stored.iter().all(|run| run.deployment_id.is_some_and(|id| id.0 == of)));
}
