//! Public project files of three generations load with the verdict that Prefect's own loader gave, or a better one.
//!
//! The files are not part of the project. They are looked for in `$REEVE_SHARED/corpus`, else in `../shared/corpus`
//! beside the project; where they are absent the test says so and passes. Their Python sources are absent as well, so
//! missing sources are warnings here (`OnMissing::Warning`) and counted.
use reeve::manifest::{self, FileContent, Files, Input, Loaded, ManifestFile, OnMissing};
use reeve::model::problem::Severity;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> FileContent {
        FileContent::Missing
    }
}

fn corpus() -> Option<PathBuf> {
    let shared = match std::env::var_os("REEVE_SHARED") {
        Some(shared) => PathBuf::from(shared),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
    };
    let corpus = shared.join("corpus");
    if corpus.join("VERDICTS.tsv").exists() {
        return Some(corpus);
    }
    eprintln!("skipped: there is no {}", corpus.display());
    None
}

fn load(name: &str, content: Vec<u8>) -> Loaded {
    let manifests = [ManifestFile { path: name.to_owned(), content }];
    manifest::load(&Input {
        root: "/project",
        manifests: &manifests,
        files: &NoFiles,
        environment: &|_| None,
        strict: false,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Warning,
    })
}

/// What Prefect said of one file.
struct Verdict {
    file: String,
    accepted: bool,
    loaded: usize,
    deployable: usize,
    kind: String,
}

fn verdicts(corpus: &Path) -> Vec<Verdict> {
    let table = std::fs::read_to_string(corpus.join("VERDICTS.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.map(|row| Verdict {
        file: row[0].to_owned(),
        accepted: row[4] == "accepted",
        loaded: row[5].parse().unwrap(),
        deployable: row[6].parse().unwrap(),
        kind: row[7].to_owned(),
    })
    .collect()
}

#[test]
fn every_file_loads_as_prefect_loads_it_or_better() {
    let Some(corpus) = corpus() else { return };
    let mut worse = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    for verdict in verdicts(&corpus) {
        let loaded = load("prefect.yaml", std::fs::read(corpus.join(&verdict.file)).unwrap());
        for problem in &loaded.problems {
            *codes.entry(format!("{:?} {}", problem.severity, problem.code)).or_default() += 1;
        }
        let errors: Vec<String> = loaded.problems.iter().filter(|p| p.severity == Severity::Error).map(ToString::to_string).collect();
        let deployments = loaded.desired.as_ref().map(|desired| desired.deployments.len());
        let fine = match verdict.kind.as_str() {
            "k8s-negative" => deployments.is_none() && errors.len() == 1 && errors[0].contains("Kubernetes"),
            // Not a project file at all, although Prefect takes it for an empty one.
            "other" => deployments.is_none() && errors.len() == 1,
            // Prefect 3 reads nothing of a one-deployment file; reeve reads the deployment.
            "build2.0" => deployments == Some(1),
            _ if !verdict.accepted || verdict.deployable < verdict.loaded => {
                deployments.is_none() || deployments.is_some_and(|count| count >= verdict.deployable)
            }
            _ => deployments.is_some_and(|count| count >= verdict.deployable),
        };
        let better = !verdict.accepted && deployments.is_some();
        *counts.entry(if better { "better" } else if errors.is_empty() { "loaded" } else { "refused" }).or_default() += 1;
        if !fine {
            worse.push(format!("{}: {deployments:?} of {} deployable\n  {}", verdict.file, verdict.deployable, errors.join("\n  ")));
        }
        if std::env::var_os("REEVE_SHOW").is_some() && !errors.is_empty() && verdict.kind != "k8s-negative" {
            eprintln!("{} ({} of {})\n{}", verdict.file, verdict.deployable, verdict.loaded, manifest::render_problems(&loaded.problems, false));
        }
    }
    eprintln!("{counts:?}");
    for (code, count) in codes {
        eprintln!("{count:5} {code}");
    }
    assert!(worse.is_empty(), "{} files:\n{}", worse.len(), worse.join("\n"));
}

#[test]
fn every_problem_has_a_place_in_its_file() {
    let Some(corpus) = corpus() else { return };
    for verdict in verdicts(&corpus) {
        let content = std::fs::read(corpus.join(&verdict.file)).unwrap();
        let text = String::from_utf8_lossy(&content).into_owned();
        for problem in load("prefect.yaml", content).problems {
            let position = problem.position.clone().unwrap_or_else(|| panic!("{}: {problem}", verdict.file));
            let whole_file = matches!(problem.code.as_str(), "no-project" | "empty" | "kubernetes");
            let Some(source) = &problem.source else {
                assert!(whole_file, "{}: {problem} has no line", verdict.file);
                continue;
            };
            let line = text.lines().nth(position.line as usize - 1).unwrap_or_else(|| panic!("{}: {problem}", verdict.file));
            let shown = |(written, shown): (char, char)| written == shown || shown == '*';
            let is_shown = line.trim_end().chars().count() == source.text.trim_end().chars().count() && line.chars().zip(source.text.chars()).all(shown);
            assert!(whole_file || is_shown, "{}: {problem}\n{line}\n{}", verdict.file, source.text);
            let under: String = source.text.chars().skip(position.column as usize - 1).take(source.length as usize).collect();
            assert!(!under.trim().is_empty(), "{}: {problem}", verdict.file);
        }
    }
}

/// What loads without a problem must not be underlined in an editor.
#[test]
fn the_schema_accepts_what_loads() {
    let Some(corpus) = corpus() else { return };
    let schema = jsonschema::validator_for(&manifest::json_schema()).unwrap();
    let mut wrong = Vec::new();
    let mut accepted = 0;
    for verdict in verdicts(&corpus) {
        let content = std::fs::read(corpus.join(&verdict.file)).unwrap();
        let loaded = load("prefect.yaml", content.clone());
        // Slips that are read as they are meant are marked in the editor as well.
        let odd = loaded.problems.iter().any(|problem| problem.code.starts_with("odd-") || problem.code == "duplicate-key");
        if loaded.desired.is_none() || odd || verdict.kind == "build2.0" {
            continue;
        }
        let mut value: serde_yaml::Value = serde_yaml::from_slice(&content).unwrap();
        value.apply_merge().unwrap();
        let value = serde_json::to_value(value).unwrap();
        accepted += 1;
        wrong.extend(schema.iter_errors(&value).map(|error| format!("{} {}: {error}", verdict.file, error.instance_path())));
    }
    assert!(accepted > 100, "{accepted} files");
    assert!(wrong.is_empty(), "{} refused:\n{}", wrong.len(), wrong.join("\n"));
}
