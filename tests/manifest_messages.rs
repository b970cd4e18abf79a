//! Every message about a manifest, asserted in full.
//!
//! A case is `tests/data/manifest/messages/NAME.yaml` with the expected text beside it in `NAME.txt`; run with
//! `REEVE_UPDATE=1` to write the expected texts. Comments at the top of a case set it up:
//! `# file PATH: CONTENT` (one line, `\n` for line breaks) gives a Python file, `# env NAME=VALUE` a variable,
//! `# strict` refuses what is unknown, `# missing-environment: error` asks for all variables.
use reeve::manifest::{self, FileContent, Files, Input, Loaded, ManifestFile, OnMissing};
use reeve::model::problem::Severity;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Case {
    sources: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    strict: bool,
    all_variables: bool,
}

impl Files for Case {
    fn read(&self, path: &str) -> FileContent {
        self.sources.get(path).map_or(FileContent::Missing, |text| FileContent::Found(text.clone().into_bytes()))
    }

    fn is_there(&self, path: &str) -> Option<bool> {
        let below = |known: &String| known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        Some(self.sources.keys().any(below))
    }

    fn near(&self, _path: &str) -> Vec<String> {
        self.sources.keys().cloned().collect()
    }
}

fn case(text: &str) -> Case {
    let mut case = Case::default();
    for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
        if let Some((path, content)) = line.strip_prefix("file ").and_then(|line| line.split_once(": ")) {
            case.sources.insert(path.to_owned(), content.replace("\\n", "\n"));
        } else if let Some((name, value)) = line.strip_prefix("env ").and_then(|line| line.split_once('=')) {
            case.environment.insert(name.to_owned(), value.to_owned());
        }
        case.strict |= line == "strict";
        case.all_variables |= line == "missing-environment: error";
    }
    case
}

fn load(content: &[u8]) -> Loaded {
    let case = case(&String::from_utf8_lossy(content));
    manifest::load(&Input {
        root: "/project",
        manifests: &[ManifestFile { path: "deployment.yaml".to_owned(), content: content.to_vec() }],
        files: &case,
        environment: &|name| case.environment.get(name).cloned(),
        strict: case.strict,
        missing_environment: if case.all_variables { OnMissing::Error } else { OnMissing::Warning },
        missing_sources: OnMissing::Error,
    })
}

/// What a person is shown, and what came of the file.
fn shown(loaded: &Loaded) -> String {
    let mut text = manifest::render_problems(&loaded.problems, false);
    match &loaded.desired {
        None => text.push_str("refused\n"),
        Some(desired) => {
            for name in desired.deployments.keys() {
                writeln!(text, "deployment {name}").unwrap();
            }
            for name in desired.work_pools.keys() {
                writeln!(text, "work pool {name}").unwrap();
            }
            for (pool, name) in desired.work_queues.keys() {
                writeln!(text, "work queue {pool}/{name}").unwrap();
            }
            if desired.is_empty() {
                text.push_str("nothing\n");
            }
        }
    }
    text
}

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifest/messages");
    let mut cases: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.sort();
    cases
}

#[test]
fn every_message_is_what_it_should_be() {
    let cases = cases();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for path in cases {
        let loaded = load(&std::fs::read(&path).unwrap());
        let errors = loaded.problems.iter().any(|problem| problem.severity == Severity::Error);
        assert_eq!(errors, loaded.desired.is_none(), "{}: refused if and only if there is an error", path.display());
        let shown = shown(&loaded);
        let expected = path.with_extension("txt");
        if std::env::var_os("REEVE_UPDATE").is_some() {
            std::fs::write(&expected, &shown).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}:\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} differ (REEVE_UPDATE=1 rewrites them):\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_place_is_the_characters_that_are_wrong() {
    for path in cases() {
        for problem in load(&std::fs::read(&path).unwrap()).problems {
            let Some((position, source)) = problem.position.as_ref().zip(problem.source.as_ref()) else { continue };
            let characters = source.text.chars().count() as u32;
            assert!(position.column + source.length <= characters + 2, "{}: {problem} underlines beyond its line", path.display());
        }
    }
}

#[test]
fn one_line_form_has_place_severity_message_and_help() {
    let loaded = load(b"deployments:\n- name: a\n  command: x\n  timout_seconds: 3\n");
    assert_eq!(
        loaded.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["deployment.yaml:4:3: warning: unknown key `timout_seconds` in a deployment (did you mean `timeout_seconds`?)"]
    );
}

#[test]
fn problems_are_bounded() {
    let mut text = "deployments:\n".to_owned();
    for number in 0..1_000 {
        writeln!(text, "- {{name: d{number}, command: x, retries: many, wrong: 1}}").unwrap();
    }
    let problems = load(text.as_bytes()).problems;
    assert_eq!(problems.len(), 201);
    assert!(problems[..200].iter().all(|problem| problem.severity == Severity::Error), "errors come before warnings when not all fit");
    assert_eq!(problems[200].message, "and 800 errors and 1000 warnings more");
}

#[test]
fn colour_is_only_used_when_asked_for() {
    let problems = load(b"deployments: 3\n").problems;
    assert!(manifest::render_problems(&problems, true).contains('\u{1b}'));
    assert!(!manifest::render_problems(&problems, false).contains('\u{1b}'));
}
