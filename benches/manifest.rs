//! Text of 10,000 deployments to `Desired`, beside the time that serde_yaml alone takes to parse the same text.
//!
//! `cargo bench --bench manifest [-- NUMBER]`. Prints the best of several rounds, taken in turns.
use reeve::manifest::{self, FileContent, Files, Input, ManifestFile, OnMissing};
use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;

struct OneFlow;

impl Files for OneFlow {
    fn read(&self, _path: &str) -> FileContent {
        FileContent::Found(b"from prefect import flow\n\n@flow\ndef report(day: int, mode: str = 'fast'):\n    'Reports.'\n".to_vec())
    }
}

fn text(deployments: usize) -> String {
    let mut text = "name: bench\ndeployments:\n".to_owned();
    for number in 0..deployments {
        write!(
            text,
            "- name: deployment-{number}\n  entrypoint: flows/report.py:report\n  tags: [team-{}, nightly]\n  parameters:\n    day: {}\n  schedules:\n  - cron: \"{} {} * * *\"\n    timezone: Europe/Berlin\n  work_pool:\n    name: local\n",
            number % 20,
            number % 31,
            number % 60,
            number % 24,
        )
        .expect("writing to a String");
    }
    text
}

/// Reads it; `warnings` is how many problems it must have.
fn load(manifests: &[ManifestFile], warnings: usize) {
    let loaded = manifest::load(&Input {
        root: "/project",
        manifests,
        files: &OneFlow,
        environment: &|_| None,
        strict: false,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Error,
    });
    assert_eq!(loaded.problems.len(), warnings);
    black_box(loaded.desired.expect("no problems"));
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn file(text: String) -> [ManifestFile; 1] {
    [ManifestFile { path: "deployment.yaml".to_owned(), content: text.into_bytes() }]
}

fn main() {
    let number = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    let text = text(number);
    let manifests = file(text.clone());
    // A place must be looked up as soon as there is one warning; 200 are shown at most.
    let one = file(format!("{text}  colour: green\n"));
    let each = file(text.replace("  tags:", "  tag: x\n  tags:"));
    let (mut parse, mut read) = (Duration::MAX, Duration::MAX);
    let (mut place, mut places) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        parse = parse.min(time(|| {
            black_box(serde_yaml::from_str::<serde_yaml::Value>(&text).expect("the text is good"));
        }));
        read = read.min(time(|| load(&manifests, 0)));
        place = place.min(time(|| load(&one, 1)));
        places = places.min(time(|| load(&each, number.min(200) + usize::from(number > 200))));
    }
    println!("{number} deployments, {:.1} MB", text.len() as f64 / 1e6);
    let line = |what: &str, time: Duration| {
        println!("{what:32} {:8.1} ms  = {:.2} x", time.as_secs_f64() * 1e3, time.as_secs_f64() / parse.as_secs_f64());
    };
    line("serde_yaml alone", parse);
    line("text to Desired", read);
    line("the same with one warning", place);
    line("the same with one warning each", places);
}
