//! Holds the invariants that `src/lib.rs` states: who may import whom, the purity of the core, the single doors, and
//! that every file says what it is for.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The modules in reading order: one imports only from those before it.
const ORDER: [&str; 14] = [
    "schedule", "model", "template", "python", "manifest", "dispatch", "reconcile", "source", "store", "executor", "control",
    "api", "daemon", "cli",
];

const LEAVES: [&str; 3] = ["clock", "settings", "telemetry"];

const PURE: [&str; 7] = ["schedule", "model", "template", "python", "manifest", "dispatch", "reconcile"];

/// What a pure module must not name.
const EFFECTS: [&str; 13] = [
    "tokio::", "std::fs", "std::net", "std::process", "std::env", "std::thread", "std::time::SystemTime", "Timestamp::now", "Zoned::now",
    "Instant::now", "SystemTime::now", "new_v4", "async fn",
];

/// Files longer than this are two rooms in one.
const LONGEST_FILE: usize = 600;

struct Source {
    path: String,
    module: String,
    /// Without comments and without the `#[cfg(test)]` module at the end.
    code: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 50, "the sources were not found");
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let path = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let module = path.split(['/', '.']).next().unwrap().to_owned();
            Source { code: code_of(&path, &text), path, module, text }
        })
        .collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// What is compiled into the product: no comments, no test modules.
fn code_of(path: &str, text: &str) -> String {
    let is_test_file = path.ends_with("tests.rs") || path.contains("/tests/");
    let end = if is_test_file { 0 } else { text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len()) };
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn report(problems: Vec<String>) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The modules that a file imports, from `crate::module` wherever it stands.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (position, _) in code.match_indices("crate::") {
        let rest = &code[position + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let end = group.find("};").unwrap_or(group.len());
            let mut depth = 0;
            for part in group[..end].split(',') {
                if depth == 0 {
                    found.push(part.trim().split("::").next().unwrap_or_default().to_owned());
                }
                depth += part.matches('{').count();
                depth -= part.matches('}').count().min(depth);
            }
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn a_module_imports_only_from_those_above_it() {
    let rank: BTreeMap<&str, usize> = ORDER.iter().enumerate().map(|(rank, module)| (*module, rank)).collect();
    let mut problems = Vec::new();
    let mut checked = 0;
    for source in sources() {
        let Some(own) = rank.get(source.module.as_str()) else { continue };
        for import in imports(&source.code) {
            checked += 1;
            let allowed = match rank.get(import.as_str()) {
                Some(other) => other <= own,
                None => !LEAVES.contains(&import.as_str()) || !PURE.contains(&source.module.as_str()),
            };
            if !allowed {
                problems.push(format!("src/{}: `{}` must not import `{import}`", source.path, source.module));
            }
        }
    }
    assert!(checked > 200, "only {checked} imports were found: is the reader of imports broken?");
    report(problems);
}

#[test]
fn every_module_has_its_place_in_the_order() {
    for source in sources() {
        let known = ORDER.contains(&source.module.as_str()) || LEAVES.contains(&source.module.as_str());
        assert!(known || ["lib", "main"].contains(&source.module.as_str()), "src/{} has no place in the order", source.path);
    }
}

#[test]
fn the_core_is_pure() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.module.as_str())) {
        for effect in EFFECTS.iter().filter(|effect| source.code.contains(**effect)) {
            problems.push(format!("src/{}: `{effect}` in a pure module", source.path));
        }
    }
    report(problems);
}

/// (what is a door, in which files it may stand)
const DOORS: [(&str, &[&str]); 8] = [
    (".commit(", &["store/", "daemon/scheduler.rs", "daemon/commands/runs.rs", "daemon/commands/queue_removal.rs", "daemon/dispatcher/"]),
    ("commit_unit(", &["store/"]),
    (".enter(", &["model/transition.rs"]),
    ("transition(", &["model/", "store/ledger/", "api/"]),
    ("ledger.apply(", &["daemon/apply.rs"]),
    ("Timestamp::now", &["clock.rs"]),
    ("Zoned::now", &["clock.rs"]),
    ("SystemTime::now", &["clock.rs"]),
];

#[test]
fn there_is_one_door_for_each_effect() {
    let mut problems = Vec::new();
    for source in sources() {
        for (door, places) in DOORS {
            if source.code.contains(door) && !places.iter().any(|place| source.path.starts_with(place)) {
                problems.push(format!("src/{}: `{door}` is a second door", source.path));
            }
        }
        let spawns = ["Command::new(", "process::Command"].iter().any(|spawn| source.code.contains(spawn));
        if spawns && !["daemon", "executor", "source"].contains(&source.module.as_str()) && source.code.contains("std::process") {
            problems.push(format!("src/{}: only daemon, executor and source start processes", source.path));
        }
    }
    report(problems);
}

#[test]
fn every_file_says_what_it_is_for_and_is_one_room() {
    let mut problems = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//!") {
            problems.push(format!("src/{}: does not open with //!", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            problems.push(format!("src/{}: {lines} lines, at most {LONGEST_FILE}", source.path));
        }
    }
    report(problems);
}

#[test]
fn nothing_is_left_half_done() {
    let mut problems = Vec::new();
    for source in sources() {
        for mark in ["todo!(", "unimplemented!(", "dbg!(", "use super::*;\n\nuse"] {
            if source.code.contains(mark) {
                problems.push(format!("src/{}: {mark}", source.path));
            }
        }
    }
    report(problems);
}

/// `unwrap` and `expect` on what a user, a disk or a network can influence end the daemon: the product has none at all.
#[test]
fn nothing_is_unwrapped_unseen() {
    let mut found = Vec::new();
    for source in sources() {
        for (number, line) in source.code.lines().enumerate() {
            if line.contains(".unwrap()") || line.contains(".expect(\"") {
                found.push(format!("src/{} (line {} of its code): {}", source.path, number + 1, line.trim()));
            }
        }
    }
    report(found);
}
