//! Scenarios as text files (`tests/data/scenarios`): what people do to a project, and what they see, in virtual time.
//!
//! A line that begins with `$` is a command (see `host`), `|` lines after it are its input, `>` lines what it said. Anything else is a
//! remark. `REEVE_UPDATE=1` writes what is said now, so that a change of it shows in review.
//!
//! Under test: text -> `manifest` -> `reconcile` and its explanation -> the ledger, the scheduler and the dispatcher's decisions. The
//! clock, the disk and the processes are those of the simulation.
#[path = "../simulation/daemon.rs"]
#[allow(dead_code, reason = "the simulation uses all of it")]
mod daemon;
mod host;
#[path = "../simulation/world.rs"]
#[allow(dead_code, reason = "the simulation uses all of it")]
mod world;

use host::Host;
use std::fs;
use std::path::Path;

/// One command of a scenario with its input, or a remark.
enum Part {
    Remark(String),
    Command { line: String, input: String },
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            parts.push(Part::Command { line: command.to_owned(), input: String::new() });
        } else if let Some(more) = line.strip_prefix('|') {
            let Some(Part::Command { input, .. }) = parts.last_mut() else { panic!("input without a command: {line}") };
            input.push_str(more.strip_prefix(' ').unwrap_or(more));
            input.push('\n');
        } else if !line.starts_with('>') {
            parts.push(Part::Remark(line.to_owned()));
        }
    }
    parts
}

/// The scenario with what is said now.
async fn played(text: &str) -> String {
    let mut host = Host::new().await;
    let mut told = String::new();
    for part in parts(text) {
        match part {
            Part::Remark(line) => told.push_str(&format!("{line}\n")),
            Part::Command { line, input } => {
                told.push_str(&format!("$ {line}\n"));
                input.lines().for_each(|line| told.push_str(&format!("{}\n", format!("| {line}").trim_end())));
                let said = host.command(&line, &input).await;
                said.lines().for_each(|line| told.push_str(&format!("{}\n", format!("> {line}").trim_end())));
            }
        }
    }
    told
}

#[test]
fn every_scenario_goes_as_it_is_written() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scenarios");
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let told = runtime.block_on(played(&text));
        if told == text {
            continue;
        }
        if std::env::var_os("REEVE_UPDATE").is_some() {
            fs::write(&file, told).unwrap();
        } else {
            let differs = text.lines().zip(told.lines()).position(|(written, said)| written != said).unwrap_or(text.lines().count().min(told.lines().count()));
            let line = |text: &str| text.lines().nth(differs).unwrap_or("(the end)").to_owned();
            wrong.push(format!("{}:{}\n  written: {}\n  said:    {}", file.display(), differs + 1, line(&text), line(&told)));
        }
    }
    assert!(wrong.is_empty(), "{}\n(REEVE_UPDATE=1 writes what is said now)", wrong.join("\n"));
}
