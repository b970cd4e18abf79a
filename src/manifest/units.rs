//! `atomicity`: errors of one unit must not keep the others from being read.
//!
//! A reading finds every error. Where the project's rules let units be applied alone, those with an error are left out and the rest
//! is read again, until nothing new is wrong: what needed something that was left out fails as well, with an error of its own.
//! What an error leaves unknown for all (the project's name, its rules, its calendars) fails the project as a whole.
use super::Input;
use super::include::has_key;
use super::project::{self, LeftOut, Reading, has_deployments, is_one_deployment};
use super::report::{Findings, Report, Spot};
use super::rules;
use crate::model::deployment::FullName;
use crate::model::desired::{Desired, FailedUnit};
use crate::model::problem::Problem;
use crate::model::project::Atomicity;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A file, or an entry of its `deployments`.
type Unit = (usize, Option<usize>);
type Failed = BTreeMap<Unit, Vec<Problem>>;

/// One reading, and what is wrong.
pub fn read(input: &Input<'_>, left_out: &LeftOut) -> (Reading, Findings) {
    let report = Report::new(input.manifests, input.strict);
    let reading = project::read(input, &report, left_out);
    (reading, report.finish())
}

/// What remains without the units that the first reading found errors in; `None` where the project fails as a whole.
pub fn rest(input: &Input<'_>, first: &Reading, errors: BTreeMap<Spot, Vec<Problem>>) -> Option<Desired> {
    if first.desired.rules.atomicity == Atomicity::Project || hides_what_counts_for_all(input, first) {
        return None;
    }
    let mut failed = Failed::new();
    fail(&mut failed, errors, first)?;
    loop {
        let left_out = left_out(input, &failed, first);
        let (reading, found) = read(input, &left_out);
        if !fail(&mut failed, found.errors, first)? {
            let mut desired = reading.desired;
            let names = first.desired.deployments.iter().map(|(name, declared)| ((declared.file.as_str(), declared.pointer.as_str()), name)).collect();
            desired.failed = failed.into_iter().map(|(unit, problems)| failed_unit(input, unit, problems, first, &names)).collect();
            return Some(desired);
        }
    }
}

/// Adds the units of new errors; says whether there are any, and `None` where one concerns the project.
fn fail(failed: &mut Failed, errors: BTreeMap<Spot, Vec<Problem>>, first: &Reading) -> Option<bool> {
    let mut new: Failed = BTreeMap::new();
    for (spot, problems) in errors {
        let unit = unit(&spot, first)?;
        if !failed.contains_key(&unit) && !failed.contains_key(&(unit.0, None)) {
            new.entry(unit).or_default().extend(problems);
        }
    }
    let found = !new.is_empty();
    failed.append(&mut new);
    // A file that fails takes the entries in it along.
    let files: Vec<usize> = failed.keys().filter(|(_, entry)| entry.is_none()).map(|(file, _)| *file).collect();
    for file in files {
        let entries: Vec<Unit> = failed.range((file, Some(0))..=(file, Some(usize::MAX))).map(|(unit, _)| *unit).collect();
        let mut problems: Vec<Problem> = entries.iter().filter_map(|entry| failed.remove(entry)).flatten().collect();
        failed.entry((file, None)).or_default().append(&mut problems);
    }
    Some(found)
}

/// What fails with an error at `spot`; `None`: the project.
fn unit(spot: &Spot, reading: &Reading) -> Option<Unit> {
    let value = |file: usize| reading.documents.iter().find(|document| document.index == file).map(|document| &document.value);
    match spot {
        Spot::Elsewhere => None,
        Spot::File(file) => Some((*file, None)),
        Spot::Entry(file, index) if reading.desired.rules.atomicity == Atomicity::Deployment => Some((*file, Some(*index))),
        Spot::Entry(file, _) => Some((*file, None)),
        Spot::Key(file, key) => {
            let value = value(*file)?;
            let for_all = match key.as_str() {
                "calendars" => true,
                "name" | "include" => !is_one_deployment(value),
                // The steps of a file without deployments are those of files without steps.
                "build" | "push" | "pull" => !has_deployments(value),
                key => rules::KEYS.contains(&key),
            };
            (!for_all).then_some((*file, None))
        }
    }
}

/// Whether a file that is no manifest, or no YAML, may say something for the whole project: its text is all there is to tell.
fn hides_what_counts_for_all(input: &Input<'_>, reading: &Reading) -> bool {
    let hidden = (0..input.manifests.len()).filter(|index| reading.documents.iter().all(|document| document.index != *index));
    hidden.map(|index| String::from_utf8_lossy(&input.manifests[index].content)).any(|text| {
        let has = |key: &str| has_key(&text, key);
        let steps = || ["build", "push", "pull"].into_iter().any(has) && !has("deployments") && !has("entrypoint");
        (has("name") && !reading.is_named) || has("include") || has("calendars") || rules::KEYS.into_iter().any(has) || steps()
    })
}

fn left_out(input: &Input<'_>, failed: &Failed, first: &Reading) -> LeftOut {
    let mut left_out = LeftOut::default();
    for (file, entry) in failed.keys() {
        match entry {
            None => drop(left_out.files.insert(*file)),
            Some(index) => drop(left_out.entries.insert((*file, *index))),
        }
    }
    let index_of: BTreeMap<&str, usize> = input.manifests.iter().enumerate().map(|(index, file)| (file.path.as_str(), index)).collect();
    let is_left_out = |file: &str, pointer: &str| {
        let entry = pointer.strip_prefix("/deployments/").and_then(|index| index.parse().ok());
        let Some(file) = index_of.get(file).copied() else { return false };
        left_out.files.contains(&file) || entry.is_some_and(|entry| left_out.has_entry(file, entry))
    };
    let deployments = first.desired.deployments.iter();
    let names: Vec<FullName> =
        deployments.filter(|(_, declared)| is_left_out(&declared.file, &declared.pointer)).map(|(name, _)| name.clone()).collect();
    let written = first.documents.iter().flat_map(|document| {
        let entries = document.value.get("deployments").and_then(Value::as_array).into_iter().flatten().enumerate();
        let entries = entries.filter(|(index, _)| left_out.has_entry(document.index, *index));
        entries.filter_map(|(_, entry)| entry.get("name").and_then(Value::as_str))
    });
    let known: BTreeSet<&str> = names.iter().map(|name| name.deployment.as_str()).collect();
    let bare_names = written.filter(|name| !known.contains(name)).map(str::to_owned).collect();
    LeftOut { bare_names, names, ..left_out }
}

/// Names of deployments by their file and pointer.
type Names<'a> = BTreeMap<(&'a str, &'a str), &'a FullName>;

fn failed_unit(input: &Input<'_>, (file, entry): Unit, problems: Vec<Problem>, first: &Reading, names: &Names<'_>) -> FailedUnit {
    let path = input.manifests[file].path.clone();
    let pointer = entry.map(|index| format!("/deployments/{index}"));
    let declared = pointer.as_ref().and_then(|pointer| names.get(&(path.as_str(), pointer.as_str())));
    let written = || {
        let document = first.documents.iter().find(|document| document.index == file)?;
        document.value.pointer(&format!("{}/name", pointer.as_deref()?)).and_then(Value::as_str).map(str::to_owned)
    };
    let name = declared.map(ToString::to_string).or_else(written);
    FailedUnit { file: path, pointer, name, problems }
}
