//! reeve's own lists `work_pools:` and `work_queues:`.
use super::node::Node;
use super::report::{At, Place, Problem, shown};
use super::words;
use crate::model::deployment::FullName;
use crate::model::desired::{Declared, Desired};
use crate::model::name::LONGEST_NAME;
use crate::model::work_pool::{DEFAULT_AGENT_POOL, QueueFilter, WorkPoolSpec, WorkQueueSpec};
use std::collections::BTreeMap;

/// Every key of a work pool. Its queues stand under `queues`, or under the name that they have elsewhere.
pub const POOL_KEYS: [&str; 9] =
    ["name", "type", "description", "concurrency_limit", "paused", "base_job_template", "queues", "work_queues", "protect"];
/// Every key of a work queue inside a pool.
pub const INNER_QUEUE_KEYS: [&str; 8] = ["name", "description", "priority", "concurrency_limit", "paused", "tags", "filter", "protect"];
/// Every key of a work queue in the top-level list.
pub const QUEUE_KEYS: [&str; 9] = ["name", "pool", "description", "priority", "concurrency_limit", "paused", "tags", "filter", "protect"];
const FILTER_KEYS: [&str; 3] = ["tags", "deployments", "pool_types"];

/// The kind of a pool that names none.
const DEFAULT_KIND: &str = "process";
/// What names of Prefect's objects must not hold.
const BANNED: [char; 5] = ['/', '%', '&', '<', '>'];

/// Where each name was declared first, for messages about the second.
#[derive(Default)]
pub struct Seen {
    pools: BTreeMap<String, Place>,
    queues: BTreeMap<(String, String), Place>,
}

/// Reads both lists of a file into `desired`. `file` is its path.
pub fn read(root: &Node<'_>, file: &str, desired: &mut Desired, seen: &mut Seen) {
    if let Some(pools) = root.field("work_pools") {
        if pools.value.is_object() {
            // Some files keep anchors under this name; Prefect reads nothing there.
            let problem = pools.warning("odd-work-pools", "`work_pools` is a mapping, and is not read; expected a list of work pools");
            root.report.push_strict(problem.help("to declare pools, write `- name: ...` for each").unless_anchored());
        } else {
            for (index, pool) in pools.list("a list of work pools").into_iter().flatten().enumerate() {
                read_pool(&pools.item(index, pool), file, desired, seen);
            }
        }
    }
    if let Some(queues) = root.field("work_queues") {
        for (index, queue) in queues.list("a list of work queues").into_iter().flatten().enumerate() {
            let queue = queues.item(index, queue);
            if queue.mapping("a work queue (a mapping with `name`)").is_none() {
                continue;
            }
            queue.unknown_keys_or("a work queue", &[&QUEUE_KEYS], &[], &["protect"]);
            let pool = queue.field("pool").and_then(|pool| name(&pool)).unwrap_or_else(|| DEFAULT_AGENT_POOL.to_owned());
            read_queue(&queue, pool, file, desired, seen);
        }
    }
}

fn read_pool(node: &Node<'_>, file: &str, desired: &mut Desired, seen: &mut Seen) {
    if node.mapping("a work pool (a mapping with `name` and `type`)").is_none() {
        return;
    }
    node.keep_small("this work pool");
    node.unknown_keys_or("a work pool", &[&POOL_KEYS], &[], &["protect"]);
    let spec = WorkPoolSpec {
        kind: node.field("type").and_then(|kind| kind.text()).unwrap_or_else(|| DEFAULT_KIND.to_owned()),
        description: node.field("description").and_then(|description| description.text()),
        concurrency_limit: node.field("concurrency_limit").and_then(|limit| limit.integer(0, u32::MAX)),
        paused: node.field("paused").and_then(|paused| paused.boolean()).unwrap_or(false),
        base_job_template: node.field("base_job_template").and_then(|template| template.mapping("a mapping").cloned()),
        protect: node.field("protect").and_then(|protect| protect.boolean()).unwrap_or(false),
    };
    let Some(name) = required_name(node, "work pool") else { return };
    for queues in ["queues", "work_queues"].into_iter().filter_map(|key| node.field(key)) {
        for (index, queue) in queues.list("a list of work queues").into_iter().flatten().enumerate() {
            let queue = queues.item(index, queue);
            if queue.mapping("a work queue (a mapping with `name`)").is_some() {
                queue.unknown_keys_or("a work queue of a pool", &[&INNER_QUEUE_KEYS], &[], &["protect"]);
                read_queue(&queue, name.clone(), file, desired, seen);
            }
        }
    }
    let place = node.path.key("name").place(At::Value);
    if let Some(first) = seen.pools.get(&name) {
        node.report.push(
            Problem::error("duplicate-work-pool", format!("the work pool {} is declared twice", shown(&name)), place)
                .related("first declared at", first.clone()),
        );
        return;
    }
    seen.pools.insert(name.clone(), place);
    desired.work_pools.insert(name, Declared { spec, file: file.to_owned(), pointer: node.path.pointer() });
}

fn read_queue(node: &Node<'_>, pool: String, file: &str, desired: &mut Desired, seen: &mut Seen) {
    let spec = WorkQueueSpec {
        description: node.field("description").and_then(|description| description.text()),
        priority: node.field("priority").and_then(|priority| priority.integer(1, u32::MAX)).unwrap_or(1),
        concurrency_limit: node.field("concurrency_limit").and_then(|limit| limit.integer(0, u32::MAX)),
        paused: node.field("paused").and_then(|paused| paused.boolean()).unwrap_or(false),
        filter: filter(node),
        protect: node.field("protect").and_then(|protect| protect.boolean()).unwrap_or(false),
    };
    let Some(name) = required_name(node, "work queue") else { return };
    let key = (pool, name);
    let place = node.path.key("name").place(At::Value);
    if let Some(first) = seen.queues.get(&key) {
        let message = format!("the work queue {} of the pool {} is declared twice", shown(&key.1), shown(&key.0));
        node.report.push(Problem::error("duplicate-work-queue", message, place).related("first declared at", first.clone()));
        return;
    }
    seen.queues.insert(key.clone(), place);
    desired.work_queues.insert(key, Declared { spec, file: file.to_owned(), pointer: node.path.pointer() });
}

/// `tags:` beside the name, or `filter: {tags, deployments, pool_types}`. Order means nothing in a filter.
fn filter(node: &Node<'_>) -> Option<QueueFilter> {
    let mut filter = QueueFilter { tags: node.field("tags").map(|tags| tags.texts()).unwrap_or_default(), ..QueueFilter::default() };
    if let Some(inner) = node.field("filter") {
        inner.mapping("a mapping with `tags`, `deployments` or `pool_types`")?;
        inner.unknown_keys("a queue's filter", &[&FILTER_KEYS], &[]);
        if let (Some(tags), false) = (inner.field("tags"), filter.tags.is_empty()) {
            node.report.push(
                Problem::error("two-tag-lists", "tags are given both beside `filter` and inside; expected one of them", tags.place(At::Key))
                    .related("the other stands at", node.path.key("tags").place(At::Key)),
            );
        }
        filter.tags.extend(inner.field("tags").map(|tags| tags.texts()).unwrap_or_default());
        filter.deployments = inner.field("deployments").map(|names| names.texts()).unwrap_or_default();
        filter.pool_types = inner.field("pool_types").map(|kinds| kinds.texts()).unwrap_or_default();
    }
    filter.tags.sort();
    filter.deployments.sort();
    filter.pool_types.sort();
    (filter != QueueFilter::default()).then_some(filter)
}

/// After everything is read: filters name deployments by full name, and bare names are completed where one fits. `names` are
/// declared, too, though they were left out.
pub fn complete_filters(desired: &mut Desired, names: &[FullName], report: &super::report::Report<'_>, file_index: impl Fn(&str) -> usize) {
    let Desired { work_queues, deployments, .. } = desired;
    for queue in work_queues.values_mut() {
        let Some(filter) = &mut queue.spec.filter else { continue };
        for wanted in &mut filter.deployments {
            let full: Vec<String> = deployments
                .keys()
                .chain(names)
                .filter(|name| name.to_string() == *wanted || name.deployment == *wanted)
                .map(ToString::to_string)
                .collect();
            match full.as_slice() {
                [one] => *wanted = one.clone(),
                [] if wanted.contains('/') => {}
                found => {
                    let place = Place::Pointer { file: file_index(&queue.file), pointer: format!("{}/filter/deployments", queue.pointer), at: At::Value };
                    let (code, message) = if found.is_empty() {
                        ("unknown-deployment", format!("no deployment of this project is called {}", shown(wanted)))
                    } else {
                        ("ambiguous-deployment", format!("several deployments are called {}", shown(wanted)))
                    };
                    let near = words::closest(wanted, deployments.keys().map(|name| name.deployment.as_str()));
                    let help = near.map_or_else(|| "name it in full: `flow/deployment`".to_owned(), |near| format!("did you mean `{near}`?"));
                    report.push(Problem::error(code, message, place).help(help));
                }
            }
        }
        filter.deployments.sort();
        filter.deployments.dedup();
    }
}

fn required_name(node: &Node<'_>, kind: &str) -> Option<String> {
    match node.field("name") {
        Some(field) => name(&field),
        None => {
            node.report.push(node.error("missing-name", format!("this {kind} has no `name`")));
            None
        }
    }
}

/// A name as Prefect takes it: not empty, without `/ % & < >` and control characters.
pub fn name(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let wrong = text.chars().find(|c| BANNED.contains(c) || c.is_control());
    if text.trim().is_empty() {
        node.report.push(node.error("bad-name", format!("{} is empty; expected a name", node.name())));
        return None;
    }
    if text.len() > LONGEST_NAME {
        let message = format!("{} has {} bytes; a name may have {LONGEST_NAME}", node.name(), text.len());
        node.report.push(node.error("bad-name", message));
        return None;
    }
    if let Some(wrong) = wrong {
        let message = format!("the name {} holds `{}`, which names must not hold", shown(&text), wrong.escape_debug());
        node.report.push(node.error("bad-name", message).help("names must not hold `/`, `%`, `&`, `<`, `>` or control characters"));
        return None;
    }
    Some(text)
}
