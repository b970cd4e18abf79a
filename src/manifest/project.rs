//! All files of a project: top-level keys, the deployments in them, and what must hold between files.
use super::calendars::Calendars;
use super::deployment::{self, Entry, Shared};
use super::node::{Node, Path};
use super::placeholders::Placeholders;
use super::report::{At, Place, Problem, Report, shown};
use super::secrets::{self, Secrets};
use super::source_code::SourceCode;
use super::steps::Steps;
use super::{Input, include, job_template, refuse, renames, rules, schedule, tag_limits, words, work_pool, yaml};
use crate::model::deployment::FullName;
use crate::model::desired::{Declared, Desired};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The keys that are read at the top of a file.
pub const KEYS: &[&str] = &[
    "name", "prefect-version", "description", "required_inputs", "build", "push", "pull", "deployments", "definitions", "work_pools",
    "work_queues", "concurrency_limits", "calendars", "include", "prune", "drift", "ignore_fields", "atomicity",
];

/// Keys of which a slip would have objects pruned, or nothing kept.
const DECISIVE: [&str; 10] = [
    "name", "deployments", "work_pools", "work_queues", "concurrency_limits", "include", "prune", "drift", "atomicity", "ignore_fields",
];

/// The code of a manifest that is there and cannot be read.
pub const UNREADABLE: &str = "unreadable-file";

/// A file that was parsed.
pub struct Document {
    pub index: usize,
    pub value: Value,
}

/// What is left out of a reading, because an earlier one found errors in it. What a file says for all (its name, rules, calendars
/// and steps) counts even so.
#[derive(Default)]
pub struct LeftOut {
    pub files: BTreeSet<usize>,
    /// By file and index in its `deployments`.
    pub entries: BTreeSet<(usize, usize)>,
    /// The deployments in both, as far as they could be read.
    pub names: Vec<FullName>,
    /// Names of those whose flow is not known.
    pub bare_names: Vec<String>,
}

impl LeftOut {
    pub fn has_entry(&self, file: usize, index: usize) -> bool {
        self.files.contains(&file) || self.entries.contains(&(file, index))
    }
}

/// What was declared where first, of what all files declare together.
#[derive(Default)]
struct Seen {
    pools: work_pool::Seen,
    limits: tag_limits::Seen,
}

/// What came of a reading.
pub struct Reading {
    /// Means nothing where there was an error.
    pub desired: Desired,
    pub documents: Vec<Document>,
    /// Whether a file says the project's name.
    pub is_named: bool,
}

/// Reads everything; problems go to `report`.
pub fn read(input: &Input<'_>, report: &Report<'_>, left_out: &LeftOut) -> Reading {
    let documents: Vec<Document> = (0..input.manifests.len()).filter_map(|index| document(input, index, report)).collect();
    report.keep_secret(Secrets::of(&documents));
    let code = SourceCode::new(input, report);
    let placeholders = Placeholders::new(input, report.secrets());
    let known = schedule::Known::default();
    let mut calendars = Calendars::default();
    for document in &documents {
        calendars.add(&Node::new(&document.value, Path::file(document.index), report), input);
    }
    let mut seen = Seen::default();
    let mut claims = Vec::new();
    let mut desired = Desired { root: input.root.to_owned(), ..Desired::default() };
    let name = project_name(&documents, &placeholders, report);
    let is_named = name.is_some();
    desired.project = name.unwrap_or_else(|| base_name(input.root));
    desired.rules = rules::read(documents.iter().map(|document| Node::new(&document.value, Path::file(document.index), report)));
    let steps: Vec<Steps> = documents.iter().map(|document| top_steps(document, report)).collect();
    let common = documents.iter().zip(&steps).find(|(document, _)| !has_deployments(&document.value)).map(|(_, steps)| steps.clone());
    for (document, own) in documents.iter().zip(&steps).filter(|(document, _)| !left_out.files.contains(&document.index)) {
        let steps = if own.is_empty() { common.as_ref().unwrap_or(own) } else { own };
        let one_deployment = is_one_deployment(&document.value);
        let shared = Shared { placeholders: &placeholders, code: &code, files: input.files, schedules: &known, calendars: &calendars, steps, one_deployment };
        let node = Node::new(&document.value, Path::file(document.index), report);
        let file = &input.manifests[document.index].path;
        if one_deployment {
            claims.extend(add(deployment::read(&node, &shared, KEYS), &node, file, input, &mut desired));
            continue;
        }
        include::check(&node, file, input.files);
        read_pools(&node, file, &shared, &mut desired, &mut seen);
        for (index, item) in node.field("deployments").iter().flat_map(|list| list.list("a list of deployments")).flatten().enumerate() {
            if !left_out.has_entry(document.index, index) {
                let list = node.path.key("deployments");
                let item = Node::new(item, list.index(index), report);
                if deployment::is_unfinished(&item) {
                    desired.unnamed.push((file.clone(), item.path.pointer()));
                }
                claims.extend(add(deployment::read(&item, &shared, &[]), &item, file, input, &mut desired));
            }
        }
    }
    let index_of = |path: &str| input.manifests.iter().position(|file| file.path == path).unwrap_or(0);
    renames::settle(&mut desired, claims, left_out, report, index_of);
    work_pool::complete_filters(&mut desired, &left_out.names, report, index_of);
    near_pools(&desired, report, index_of);
    job_template::check(&desired, &documents, input.manifests, report);
    secrets::check(&documents, report);
    desired.files = input.manifests.iter().map(|file| (file.path.clone(), hash(&file.content))).collect();
    desired.files.extend(code.files());
    desired.files.extend(calendars.files());
    Reading { desired, documents, is_named }
}

/// The project's name, see [`super::project_name`].
pub fn name_alone(input: &Input<'_>) -> Option<String> {
    let report = Report::new(input.manifests, false);
    let documents: Vec<Document> = (0..input.manifests.len()).filter_map(|index| document(input, index, &report)).collect();
    let unread = documents.len() < input.manifests.len();
    project_name(&documents, &Placeholders::new(input, report.secrets()), &report).or_else(|| (!unread).then(|| base_name(input.root)))
}

/// SHA-256 in hex.
pub fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Text to a top-level mapping, or one clear error.
fn document(input: &Input<'_>, index: usize, report: &Report<'_>) -> Option<Document> {
    let file = &input.manifests[index];
    if let Some(why) = input.files.unread(&file.path) {
        let help = "make it readable, or take it out of what `include:` matches";
        report.push(Problem::of_file(&file.path, UNREADABLE, format!("the file cannot be read: {why}"), help));
        return None;
    }
    let parsed = refuse::text(&file.path, &file.content).and_then(|text| yaml::parse(&file.path, text).map(|parsed| (text, parsed)));
    let (text, (value, notes)) = match parsed {
        Ok(parsed) => parsed,
        Err(problem) => {
            report.push(problem);
            return None;
        }
    };
    if let Some(problem) = not_a_project(&file.path, &value) {
        report.push(problem);
        return None;
    }
    if notes != yaml::Notes::default() {
        yaml::report_notes(&file.path, text, notes, report);
    }
    Some(Document { index, value })
}

/// Why a parsed value is no project file, if it is none.
fn not_a_project(file: &str, value: &Value) -> Option<Problem> {
    let start = "`reeve project init` writes one to start from";
    let whole = |code, message: String, help: &str| Some(Problem::of_file(file, code, message, help));
    let map = match value {
        Value::Object(map) => map,
        Value::Null => return whole("empty", "the file holds nothing; expected a project".into(), start),
        Value::Array(_) => {
            return whole("a-list", "the file is a list; expected a mapping with `deployments`".into(), "put the list under a `deployments:` key");
        }
        _ => return whole("one-value", "the file is a single value; expected a mapping with `deployments`".into(), start),
    };
    if map.contains_key("apiVersion") && map.contains_key("kind") && !map.contains_key("deployments") {
        let kind = map["kind"].as_str().unwrap_or("unknown");
        let message = format!("this is a Kubernetes manifest (kind {}), not a project of flows and deployments", shown(kind));
        return whole("kubernetes", message, "name the project's own file with -f, or give one of the two another name");
    }
    let reads = |key: &String| KEYS.contains(&key.as_str());
    if map.is_empty() || map.keys().any(reads) || is_one_deployment(value) {
        return None;
    }
    let found: Vec<String> = map.keys().take(5).map(|key| shown(key)).collect();
    let message = format!("this is no project file: it has {}, and none of the keys of a project", found.join(", "));
    whole("no-project", message, "a project file has `deployments:`")
}

/// Whether a file declares deployments.
pub fn has_deployments(value: &Value) -> bool {
    value.get("deployments").is_some_and(|list| !list.is_null()) || is_one_deployment(value)
}

/// Prefect 2.0's `deployment build` form, and 2.10's file without a list: the whole mapping is one deployment.
pub fn is_one_deployment(value: &Value) -> bool {
    let has = |key: &str| value.get(key).is_some();
    !has("deployments") && (has("entrypoint") || has("command") || (has("flow_name") && (has("name") || has("work_pool"))))
}

fn top_steps(document: &Document, report: &Report<'_>) -> Steps {
    if is_one_deployment(&document.value) {
        return Steps::default();
    }
    Steps::read(&Node::new(&document.value, Path::file(document.index), report))
}

/// `name:` of the first file that has one.
fn project_name(documents: &[Document], placeholders: &Placeholders<'_>, report: &Report<'_>) -> Option<String> {
    let mut name: Option<(String, Place)> = None;
    for document in documents.iter().filter(|document| !is_one_deployment(&document.value)) {
        let node = Node::new(&document.value, Path::file(document.index), report);
        let Some(field) = node.field("name") else { continue };
        let rendered = placeholders.render(&field, &Steps::default());
        let Some(given) = work_pool::name(&field.with(&rendered)) else { continue };
        match &name {
            Some((first, place)) if *first != given => report.push(
                Problem::error("two-project-names", format!("this file names the project {}, another {}", shown(&given), shown(first)), field.place(At::Value))
                    .related("the other stands at", place.clone())
                    .help("all files of one project name it alike, or not at all"),
            ),
            Some(_) => {}
            None => name = Some((given, field.place(At::Value))),
        }
    }
    name.map(|(name, _)| name)
}

fn base_name(root: &str) -> String {
    match root.trim_end_matches('/').rsplit('/').next() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => "project".to_owned(),
    }
}

fn read_pools(node: &Node<'_>, file: &str, shared: &Shared<'_>, desired: &mut Desired, seen: &mut Seen) {
    node.unknown_keys_or("a project file", &[KEYS], &[], &DECISIVE);
    let rendered = rendered_pools(node, shared);
    let pools = rendered.as_ref().unwrap_or(node.value);
    work_pool::read(&node.with(pools), file, desired, &mut seen.pools);
    tag_limits::read(&node.with(pools), file, desired, &mut seen.limits);
}

/// `work_pools`, `work_queues` and `concurrency_limits` with their placeholders filled in, but for base job templates, which keep theirs.
fn rendered_pools(node: &Node<'_>, shared: &Shared<'_>) -> Option<Value> {
    let lists: Vec<_> = ["work_pools", "work_queues", "concurrency_limits"].into_iter().filter_map(|key| node.field(key)).collect();
    if !lists.iter().any(|list| super::placeholders::any(list.value)) {
        return None;
    }
    let mut rendered = serde_json::Map::new();
    for list in lists {
        let mut value = list.value.clone();
        if list.path_key() == "concurrency_limits" && list.value.is_object() {
            value = shared.placeholders.render(&list, shared.steps);
        }
        for (index, item) in list.value.as_array().into_iter().flatten().enumerate() {
            let item = list.item(index, item);
            for (key, field) in item.value.as_object().into_iter().flatten().filter(|(key, _)| *key != "base_job_template") {
                let field = Node::new(field, item.path.key(key), node.report);
                value[index][key] = shared.placeholders.render(&field, shared.steps);
            }
        }
        rendered.insert(list.path_key().to_owned(), value);
    }
    Some(Value::Object(rendered))
}

/// Takes a deployment in, unless its name is taken; gives the earlier names that it claims.
fn add(read: Option<Entry>, node: &Node<'_>, file: &str, input: &Input<'_>, desired: &mut Desired) -> Vec<(FullName, renames::Claim)> {
    let Some(Entry { name, spec, claims }) = read else { return Vec::new() };
    if let Some(first) = desired.deployments.get(&name) {
        let index = input.manifests.iter().position(|manifest| manifest.path == first.file).unwrap_or(0);
        let first = Place::Pointer { file: index, pointer: format!("{}/name", first.pointer), at: At::Value };
        node.report.push(
            Problem::error("duplicate-deployment", format!("the deployment {} is declared twice", shown(&name.to_string())), node.path.key("name").place(At::Value))
                .related("first declared at", first),
        );
        return Vec::new();
    }
    let claims = claims.into_iter().map(|claim| (name.clone(), claim)).collect();
    desired.deployments.insert(name, Declared { spec, file: file.to_owned(), pointer: node.path.pointer() });
    claims
}

/// A deployment whose pool is nearly one that the project declares.
fn near_pools(desired: &Desired, report: &Report<'_>, index_of: impl Fn(&str) -> usize) {
    if desired.work_pools.is_empty() {
        return;
    }
    for declared in desired.deployments.values() {
        let Some(pool) = declared.spec.work_pool.as_deref().filter(|pool| !desired.work_pools.contains_key(*pool)) else { continue };
        let Some(near) = words::closest(pool, desired.work_pools.keys().map(String::as_str)) else { continue };
        let pointer = format!("{}/work_pool/name", declared.pointer);
        let place = Place::Pointer { file: index_of(&declared.file), pointer, at: At::Value };
        let message = format!("the work pool {} is not declared in this project", shown(pool));
        report.push(Problem::warning("unknown-work-pool", message, place).help(format!("did you mean `{near}`?")));
    }
}
