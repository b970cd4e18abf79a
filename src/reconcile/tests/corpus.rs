//! Real project files plan, and once applied they plan empty.
//!
//! The files are not part of the project: see `tests/manifest_corpus.rs`, which looks for them in the same places.
use super::home::Home;
use crate::manifest::{self, FileContent, Files, Input, ManifestFile, OnMissing};
use crate::reconcile::explain;
use std::path::{Path, PathBuf};

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> FileContent {
        FileContent::Missing
    }
}

fn corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("REEVE_SHARED").map(PathBuf::from);
    let corpus = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")).join("corpus");
    if corpus.join("VERDICTS.tsv").exists() {
        return Some(corpus);
    }
    eprintln!("SKIPPED: there is no {}", corpus.display());
    None
}

#[test]
fn every_real_file_plans_empty_twice() {
    let Some(corpus) = corpus() else { return };
    let mut planned = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml" && extension != "yml") {
            continue;
        }
        let manifests = [ManifestFile { path: "prefect.yaml".to_owned(), content: std::fs::read(&path).unwrap() }];
        let load = || {
            manifest::load(&Input {
                root: "/project",
                manifests: &manifests,
                files: &NoFiles,
                environment: &|_| None,
                strict: false,
                missing_environment: OnMissing::Warning,
                missing_sources: OnMissing::Warning,
            })
        };
        let Some(desired) = load().desired else { continue };
        let mut home = Home::new();
        let first = home.apply(&desired);
        assert_eq!(first.is_empty(), desired.is_empty(), "{}", path.display());
        explain::text(&first, explain::Style::default());
        for _ in 0..2 {
            let before = home.stored.clone();
            // Read again: the two readings are equal in what they mean.
            let again = home.apply(&load().desired.unwrap());
            assert!(again.is_in_sync(), "{}: {:#?}", path.display(), again.steps);
            assert_eq!(home.stored, before, "{}", path.display());
        }
        planned += 1;
    }
    assert!(planned > 100, "{planned} files");
}
