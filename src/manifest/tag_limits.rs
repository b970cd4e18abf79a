//! `concurrency_limits:` at the top of a file: how many runs that bear a tag may go at once.
use super::node::Node;
use super::report::{At, Place, Problem, shown};
use crate::model::desired::{Declared, Desired};
use crate::model::tag_limit::{TagLimitSpec, problem_of_tag};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every key of an entry, where the limits are given as a list.
pub const KEYS: [&str; 2] = ["tag", "limit"];

/// Where each tag got its limit first, for messages about the second.
pub type Seen = BTreeMap<String, Place>;

/// Reads the limits of a file into `desired`: a mapping of tags to numbers, or a list of `{tag, limit}`. `file` is its path.
pub fn read(root: &Node<'_>, file: &str, desired: &mut Desired, seen: &mut Seen) {
    let Some(limits) = root.field("concurrency_limits") else { return };
    if let Value::Array(items) = limits.value {
        for (index, item) in items.iter().enumerate() {
            read_entry(&limits.item(index, item), file, desired, seen);
        }
        return;
    }
    for (tag, limit) in limits.mapping("a mapping of tags to numbers, or a list of `{tag, limit}`").into_iter().flatten() {
        let node = Node::new(limit, limits.path.key(tag), limits.report);
        if let Some(problem) = problem_of_tag(tag) {
            limits.report.push(bad_tag(tag, &problem, node.place(At::Key)));
        } else if limit.is_null() {
            node.expected("a whole number, 0 or more");
        } else if let Some(limit) = node.integer(0, u32::MAX) {
            declare(tag, limit, &node, node.place(At::Key), file, desired, seen);
        }
    }
}

fn read_entry(node: &Node<'_>, file: &str, desired: &mut Desired, seen: &mut Seen) {
    if node.mapping("a concurrency limit (a mapping with `tag` and `limit`)").is_none() {
        return;
    }
    node.unknown_keys("a concurrency limit", &[&KEYS], &[]);
    let missing = |key: &str| node.report.push(node.error("missing-key", format!("this concurrency limit has no `{key}`")));
    let tag = match node.field("tag") {
        Some(field) => field.text().map(|tag| (tag, field.place(At::Value))),
        None => {
            missing("tag");
            None
        }
    };
    let limit = match node.field("limit") {
        Some(field) => field.integer(0, u32::MAX),
        None => {
            missing("limit");
            None
        }
    };
    let Some((tag, place)) = tag else { return };
    match (problem_of_tag(&tag), limit) {
        (Some(problem), _) => node.report.push(bad_tag(&tag, &problem, place)),
        (None, Some(limit)) => declare(&tag, limit, node, place, file, desired, seen),
        (None, None) => {}
    }
}

fn bad_tag(tag: &str, problem: &str, place: Place) -> Problem {
    Problem::error("bad-name", format!("the tag {} {problem}", shown(tag)), place)
}

fn declare(tag: &str, limit: u32, node: &Node<'_>, place: Place, file: &str, desired: &mut Desired, seen: &mut Seen) {
    if let Some(first) = seen.get(tag) {
        let message = format!("the concurrency limit of the tag {} is declared twice", shown(tag));
        node.report.push(Problem::error("duplicate-concurrency-limit", message, place).related("first declared at", first.clone()));
        return;
    }
    seen.insert(tag.to_owned(), place);
    let spec = TagLimitSpec { concurrency_limit: limit };
    desired.tag_limits.insert(tag.to_owned(), Declared { spec, file: file.to_owned(), pointer: node.path.pointer() });
}
