//! Projects of several files: what may stand where, and what an error in one of them keeps from being applied.
use reeve::manifest::{self, FileContent, Files, Input, Loaded, ManifestFile, OnMissing};
use reeve::model::deployment::{FullName, OnDelete};
use reeve::model::desired::Desired;
use reeve::model::problem::Severity;
use reeve::model::project::{Atomicity, DriftRule, ProjectRules, PruneRule};
use std::collections::BTreeMap;

/// Everything but the first file is included.
struct Included<'a>(&'a [(&'a str, &'a str)]);

impl Files for Included<'_> {
    fn read(&self, _path: &str) -> FileContent {
        FileContent::Missing
    }

    fn is_included(&self, path: &str) -> bool {
        self.0[1..].iter().any(|(name, _)| *name == path)
    }

    fn matched(&self, pattern: &str) -> Option<usize> {
        Some(if pattern.starts_with("nothing") { 0 } else { self.0.len() - 1 })
    }
}

fn read(files: &[(&str, &str)], strict: bool) -> Loaded {
    let manifests: Vec<ManifestFile> =
        files.iter().map(|(path, text)| ManifestFile { path: (*path).to_owned(), content: text.as_bytes().to_vec() }).collect();
    manifest::load(&Input {
        root: "/home/ada/base",
        manifests: &manifests,
        files: &Included(files),
        environment: &|_| None,
        strict,
        missing_environment: OnMissing::Warning,
        missing_sources: OnMissing::Error,
    })
}

fn load(files: &[(&str, &str)]) -> Loaded {
    read(files, false)
}

fn errors(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).map(ToString::to_string).collect()
}

fn names(desired: &Desired) -> Vec<String> {
    desired.deployments.keys().map(ToString::to_string).collect()
}

/// `file` or `file/pointer`, each with its deployment's name and the codes of its errors.
fn failed(desired: &Desired) -> Vec<String> {
    let unit = |unit: &reeve::model::desired::FailedUnit| {
        let codes: Vec<&str> = unit.problems.iter().map(|problem| problem.code.as_str()).collect();
        format!("{}{} {} {}", unit.file, unit.pointer.as_deref().unwrap_or(""), unit.name.as_deref().unwrap_or("-"), codes.join(","))
    };
    desired.failed.iter().map(unit).collect()
}

fn one(name: &str) -> String {
    format!("deployments: [{{name: {name}, command: 'true'}}]\n")
}

#[test]
fn rules_have_defaults_and_are_read_from_any_one_file() {
    let rules = |files: &[(&str, &str)]| load(files).desired.unwrap().rules;
    assert_eq!(rules(&[("a.yaml", "deployments: []")]), ProjectRules::default());
    let prune = |enabled, at_most, percent| PruneRule { enabled, at_most, percent };
    for (text, expected) in [
        ("prune: true", prune(true, 5, 20)),
        ("prune: no", prune(false, 5, 20)),
        ("prune: null", prune(true, 5, 20)),
        ("prune: {}", prune(true, 5, 20)),
        ("prune: {at_most: 0}", prune(true, 0, 20)),
        ("prune: {percent: 100, enabled: false}", prune(false, 5, 100)),
    ] {
        assert_eq!(rules(&[("a.yaml", text)]).prune, expected, "{text}");
        assert_eq!(rules(&[("a.yaml", "deployments: []"), ("b.yaml", text)]).prune, expected, "{text}, in the second file");
    }
    let all = "drift: report\nignore_fields: [/tags, /paused, /tags]\natomicity: deployment\n";
    let expected = ProjectRules {
        drift: DriftRule::Report,
        ignore_fields: vec!["/paused".into(), "/tags".into()],
        atomicity: Atomicity::Deployment,
        ..ProjectRules::default()
    };
    assert_eq!(rules(&[("a.yaml", all)]), expected);
    assert_eq!(rules(&[("a.yaml", all), ("b.yaml", "ignore_fields: [/paused, /tags]\ndrift: report\n")]), expected, "said alike");
    // Prefect 2.0's one deployment in a file may say rules, too; its `include` is a limit of its schedule.
    let alone = load(&[("a.yaml", "name: x\ncommand: x\nprune: false\ninclude: mon-fri\nschedule: {cron: 0 0 * * *}\n")]).desired.unwrap();
    assert_eq!(alone.rules.prune, prune(false, 5, 20));
    assert_eq!(alone.deployments.values().next().unwrap().spec.schedules[0].spec.limits.include.len(), 1);
}

#[test]
fn files_that_contradict_each_other_are_an_error_that_names_both() {
    for (key, first, second) in
        [("prune", "true", "{at_most: 3}"), ("drift", "report", "ignore"), ("ignore_fields", "/a", "/paused"), ("atomicity", "file", "deployment")]
    {
        let (first, second) = (format!("name: p\n{key}: {first}\n"), format!("{key}: {second}\n"));
        let loaded = load(&[("a.yaml", &first), ("b.yaml", &second)]);
        let expected = format!(
            "b.yaml:1:1: error: `{key}` is said twice for one project, and not alike (the other stands at a.yaml:2:1; all files of one project say it alike, or only one of them says it)"
        );
        assert_eq!(errors(&loaded), [expected]);
        assert_eq!(loaded.desired, None, "{key}: which rules count is unknown");
    }
}

#[test]
fn what_a_deployment_says_of_its_end_is_read() {
    let desired = load(&[("a.yaml", "deployments:\n- {name: a, command: x, protect: true, on_delete: cancel}\n- {name: b, command: x}\n")]).desired.unwrap();
    let said = |name: &str| {
        let spec = &desired.deployments[&FullName::new(name, name)].spec;
        (spec.protect, spec.on_delete)
    };
    assert_eq!((said("a"), said("b")), ((true, OnDelete::Cancel), (false, OnDelete::Finish)));
}

#[test]
fn earlier_names_belong_to_the_name_of_now() {
    let entry = |renamed: &str| format!("deployments: [{{name: new, flow_name: f, command: x, renamed_from: {renamed}}}]");
    for (renamed, expected) in [
        ("old", &["f/old"][..]),
        ("g/old", &["g/old"]),
        ("[old, g/older, f/old]", &["f/old", "g/older"]),
        ("[]", &[]),
        ("null", &[]),
        ("new", &[]),
        ("g/new", &["g/new"]),
    ] {
        let desired = load(&[("a.yaml", &entry(renamed))]).desired.unwrap();
        let expected: Vec<FullName> = expected.iter().map(|name| FullName::parse(name).unwrap()).collect();
        let found = desired.renames.get(&FullName::new("f", "new")).cloned().unwrap_or_default();
        assert_eq!(found, expected, "{renamed}");
    }
    let loaded = load(&[("a.yaml", &entry("old")), ("b.yaml", "deployments:\n- {name: old, flow_name: f, command: x}\n")]);
    assert_eq!(errors(&loaded), ["a.yaml:1:67: error: `f/new` is renamed from `f/old`, which is still declared (it is declared at b.yaml:2:10; remove the old entry, or this `renamed_from`)"]);
    let loaded = load(&[("a.yaml", &entry("old")), ("b.yaml", "deployments: [{name: other, flow_name: f, command: x, renamed_from: [f/old]}]")]);
    assert_eq!(errors(&loaded).len(), 1);
    assert!(errors(&loaded)[0].contains("`f/old` cannot become both `f/new` and `f/other` (the other claim stands at a.yaml:1:67"), "{:?}", errors(&loaded));
}

#[test]
fn includes_are_checked_where_they_stand() {
    let loaded = load(&[("a.yaml", "include: [jobs/*.yaml, nothing/*.yaml]\ndeployments: []\n"), ("b.yaml", &one("b"))]);
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    let expected = "a.yaml:1:24: warning: no file matches `nothing/*.yaml` (globs start at the project's root; of a directory `jobs`, write `jobs/*.yaml`)";
    assert_eq!(problems, [expected]);
    assert!(read(&[("a.yaml", "include: nothing.yaml\n")], true).desired.is_none(), "strict");
    let nested = load(&[("a.yaml", "include: b.yaml"), ("b.yaml", "include: c.yaml\ndeployments: []\n")]);
    let expected = "b.yaml:1:1: error: this file is included itself, and includes no others (move its globs to the `include:` of the project's first file)";
    assert_eq!(errors(&nested), [expected]);
}

#[test]
fn an_error_fails_its_unit_and_no_other() {
    let root = "name: p\natomicity: UNIT\nwork_pools: [{name: pool}]\n";
    let bad_entry = "deployments:\n- {name: good, command: x}\n- {name: bad, command: x, retries: many}\n";
    let bad_pool = "work_pools: [{type: process}]\ndeployments:\n- {name: late, command: x, retries: many}\n";
    let no_yaml = "deployments: [{name: x, command: }";
    for (unit, second, expected_names, expected_failed) in [
        ("file", bad_entry, &["b/b"][..], &["a.yaml - wrong-type"][..]),
        ("deployment", bad_entry, &["b/b", "good/good"], &["a.yaml/deployments/1 bad/bad wrong-type"]),
        ("file", bad_pool, &["b/b"], &["a.yaml - missing-name,wrong-type"]),
        ("deployment", bad_pool, &["b/b"], &["a.yaml - missing-name,wrong-type"]),
        ("deployment", no_yaml, &["b/b"], &["a.yaml - not-yaml"]),
        ("file", "", &["b/b"], &["a.yaml - empty"]),
        ("deployment", "deployments: [{name: half}, {command: 3}, 7]", &["b/b"], &["a.yaml/deployments/0 half nothing-to-run", "a.yaml/deployments/1 - unnamed-deployment", "a.yaml/deployments/2 - wrong-type"]),
    ] {
        let files = [("deployment.yaml", root.replace("UNIT", unit)), ("a.yaml", second.to_owned()), ("b.yaml", one("b"))];
        let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
        let loaded = load(&files);
        let desired = loaded.desired.as_ref().unwrap_or_else(|| panic!("{unit}, {second}: {:?}", errors(&loaded)));
        assert_eq!(names(desired), expected_names, "{unit}: {second}");
        assert_eq!(failed(desired), expected_failed, "{unit}: {second}");
        assert_eq!((desired.project.as_str(), desired.work_pools.len(), desired.files.len()), ("p", 1, 3));
        let all: usize = desired.failed.iter().map(|unit| unit.problems.len()).sum();
        assert_eq!(all, errors(&loaded).len(), "every error is shown, and belongs to a unit");
        // Without the word, the same error fails everything.
        let files = files.map(|(path, text)| (path, if path == "deployment.yaml" { "name: p\n" } else { text }));
        assert_eq!(load(&files).desired, None);
    }
}

#[test]
fn a_strict_reading_fails_the_units_that_have_warnings() {
    let files = [("deployment.yaml", "name: p\natomicity: file\n"), ("a.yaml", "deployments: [{name: a, command: x, retires: 3}]"), ("b.yaml", &one("b"))];
    assert_eq!(load(&files).desired.unwrap().failed, []);
    let desired = read(&files, true).desired.unwrap();
    assert_eq!((names(&desired), failed(&desired)), (vec!["b/b".to_owned()], vec!["a.yaml - unknown-key".to_owned()]));
}

#[test]
fn the_file_with_the_rules_may_fail_while_they_count() {
    let root = "name: p\natomicity: file\ndrift: report\ndeployments: [{name: bad}]\n";
    let desired = load(&[("deployment.yaml", root), ("b.yaml", &one("b"))]).desired.unwrap();
    assert_eq!((desired.project.as_str(), desired.rules.drift), ("p", DriftRule::Report));
    assert_eq!((names(&desired), failed(&desired)), (vec!["b/b".to_owned()], vec!["deployment.yaml - nothing-to-run".to_owned()]));
    let alone = load(&[("deployment.yaml", root)]).desired.unwrap();
    assert!(alone.deployments.is_empty() && !alone.is_empty(), "what failed may declare anything");
}

#[test]
fn what_concerns_the_project_fails_it_as_a_whole() {
    let rules = "name: p\natomicity: file\n";
    for (why, second) in [
        ("a name that is another", "name: q\ndeployments: []\n"),
        ("a rule that contradicts", "atomicity: deployment\n"),
        ("a rule that is misspelt", "drift: reprot\n"),
        ("a calendar that others may use", "calendars: {days: {file: gone.ics}}\ndeployments: []\n"),
        ("steps of files without steps", "pull: [{a: {}, b: {}}]\n"),
        ("a rule that cannot be read", "ignore_fields: [/paused]\ndeployments: [{name: \n"),
        ("steps that cannot be read", "pull:\n- a: {\n"),
        ("globs that cannot be read", "include: x.yaml\ndeployments: [{\n"),
    ] {
        let loaded = load(&[("deployment.yaml", rules), ("a.yaml", second), ("b.yaml", &one("b"))]);
        assert!(loaded.desired.is_none() && !errors(&loaded).is_empty(), "{why}: {:?}", loaded.desired);
    }
    let unnamed = "atomicity: file\n";
    let broken = load(&[("deployment.yaml", unnamed), ("a.yaml", "name: p\ndeployments: [{"), ("b.yaml", &one("b"))]);
    assert_eq!(broken.desired, None, "the project may have a name that nobody can read");
    let broken = load(&[("deployment.yaml", unnamed), ("a.yaml", "deployments: [{"), ("b.yaml", &one("b"))]);
    assert_eq!(broken.desired.map(|desired| desired.project), Some("base".to_owned()));
    assert_eq!(load(&[("deployment.yaml", "name: p\natomicity: file\ndeployments: [{"), ("b.yaml", &one("b"))]).desired, None, "rules nobody can read");
}

#[test]
fn what_needs_something_that_failed_fails_with_an_error_of_its_own() {
    let root = "name: p\natomicity: deployment\n";
    // Whose name a failed entry still has, nobody else takes over.
    let files = [("deployment.yaml", root), ("a.yaml", "deployments: [{name: old, flow_name: f, command: x, retries: many}]"),
        ("b.yaml", "deployments:\n- {name: new, flow_name: f, command: x, renamed_from: old}\n- {name: c, command: x}\n")];
    let desired = load(&files).desired.unwrap();
    assert_eq!((names(&desired), desired.renames.len()), (vec!["c/c".to_owned()], 0));
    assert_eq!(failed(&desired), ["a.yaml/deployments/0 f/old wrong-type", "b.yaml/deployments/0 f/new renamed-and-declared"]);
    // Nor one of which no more than the name within its flow is known.
    let files = [("deployment.yaml", root), ("a.yaml", "deployments: [{name: old, flow_name: f}]"),
        ("b.yaml", "deployments: [{name: new, flow_name: f, command: x, renamed_from: old}]")];
    assert_eq!(failed(&load(&files).desired.unwrap()), ["a.yaml/deployments/0 old nothing-to-run", "b.yaml/deployments/0 f/new renamed-and-declared"]);
    // A queue may serve a deployment that failed; the schedule of another may not use a calendar that is not there.
    let files = [("deployment.yaml", "name: p\natomicity: deployment\nwork_queues: [{name: q, filter: {deployments: [bad]}}]\n"),
        ("a.yaml", "deployments: [{name: bad, command: x, retries: many}]")];
    let desired = load(&files).desired.unwrap();
    assert_eq!(failed(&desired), ["a.yaml/deployments/0 bad/bad wrong-type"]);
    let queue = desired.work_queues.values().next().unwrap();
    assert_eq!(queue.spec.filter.as_ref().unwrap().deployments, ["bad/bad"]);
}

#[test]
fn more_errors_than_are_shown_fail_their_units_all_the_same() {
    let mut text = "name: p\natomicity: deployment\ndeployments:\n".to_owned();
    for number in 0..600 {
        let retries = if number % 2 == 0 { "many" } else { "1" };
        text.push_str(&format!("- {{name: d{number}, command: x, retries: {retries}}}\n"));
    }
    let loaded = load(&[("deployment.yaml", &text)]);
    let desired = loaded.desired.unwrap();
    assert_eq!((loaded.problems.len(), desired.deployments.len(), desired.failed.len()), (201, 300, 300));
    assert!(desired.failed.iter().all(|unit| unit.name.is_some()));
}

#[test]
fn ten_thousand_files_with_errors_in_some_are_read() {
    let files: BTreeMap<String, String> = (0..10_000)
        .map(|number| (format!("jobs/{number:05}.yaml"), if number % 1_000 == 0 { "deployments: [{name: x}]\n".to_owned() } else { one(&format!("job-{number}")) }))
        .collect();
    let mut all = vec![("deployment.yaml", "name: p\natomicity: file\ninclude: jobs/*.yaml\n")];
    all.extend(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let desired = load(&all).desired.unwrap();
    assert_eq!((desired.deployments.len(), desired.failed.len(), desired.files.len()), (9_990, 10, 10_001));
}

#[test]
fn what_remains_is_what_the_good_files_say_alone() {
    const FAULTS: [&str; 4] = ["retries: many", "schedule: {cron: 99 * * * *}", "comand: x, command: 3", "parameters: [1], work_pool: {name: a/b}"];
    for unit in ["file", "deployment"] {
        for broken in 0..64_u32 {
            let root = format!("name: p\natomicity: {unit}\ndrift: report\nwork_pools: [{{name: pool}}]\n");
            let is_broken = |number: u32| broken & (1 << number) != 0;
            let text = |number: u32| {
                let fault = FAULTS[number as usize % FAULTS.len()];
                match is_broken(number) {
                    true if number == 5 => "deployments: [{".to_owned(),
                    true => format!("deployments:\n- {{name: good-{number}, command: x}}\n- {{name: d{number}, command: x, {fault}}}\n"),
                    false => format!("deployments:\n- {{name: good-{number}, command: x}}\n- {{name: d{number}, command: x, renamed_from: old-{number}}}\n"),
                }
            };
            let all: Vec<(String, String)> = (0..6).map(|number| (format!("{number}.yaml"), text(number))).collect();
            // The same files, with what is broken cut out by hand.
            let mended = |(path, text): &(String, String), number: u32| match (is_broken(number), unit, number) {
                (false, ..) => (path.clone(), text.clone()),
                (true, "deployment", 0..5) => (path.clone(), format!("deployments:\n- {{name: good-{number}, command: x}}\n")),
                (true, ..) => (path.clone(), "deployments: []\n".to_owned()),
            };
            let good: Vec<(String, String)> = all.iter().zip(0..).map(|(file, number)| mended(file, number)).collect();
            let read = |files: &[(String, String)]| {
                let root = ("deployment.yaml", root.as_str());
                let files: Vec<(&str, &str)> = std::iter::once(root).chain(files.iter().map(|(path, text)| (path.as_str(), text.as_str()))).collect();
                load(&files).desired.unwrap()
            };
            let (mut found, mut expected) = (read(&all), read(&good));
            assert_eq!(found.failed.len(), broken.count_ones() as usize, "{unit} {broken:06b}");
            found.failed.clear();
            (found.files, expected.files) = (BTreeMap::new(), BTreeMap::new());
            assert_eq!(found, expected, "{unit} {broken:06b}");
        }
    }
}
