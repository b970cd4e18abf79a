//! What a project says of itself: `prune`, `drift`, `ignore_fields`, `atomicity`. Each may stand in any one file of the
//! project; files that say it alike do no harm.
use super::node::Node;
use super::report::{At, Place, Problem, shown};
use super::words;
use crate::model::project::{Atomicity, DriftRule, ProjectRules, PruneRule};
use serde_json::Value;

/// The keys that are read here.
pub const KEYS: [&str; 4] = ["prune", "drift", "ignore_fields", "atomicity"];
/// Keys of `prune:`.
pub const PRUNE_KEYS: [&str; 3] = ["enabled", "at_most", "percent"];

/// The first steps of pointers that name something: fields of deployments, work pools and queues.
const FIELDS: [&str; 28] = [
    "version", "description", "tags", "entrypoint", "command", "path", "parameters", "parameter_schema", "enforce_parameter_schema",
    "work_pool", "work_queue", "job_variables", "pull_steps", "schedules", "paused", "concurrency_limit", "env", "working_dir", "retries",
    "retry_delay_seconds", "timeout_seconds", "protect", "on_delete", "triggers", "type", "base_job_template", "priority", "filter",
];

/// A rule and where it was said first.
type Said<T> = Option<(T, Place)>;

/// The rules of all files.
pub fn read<'a>(files: impl Iterator<Item = Node<'a>>) -> ProjectRules {
    let (mut prune, mut drift, mut ignored, mut atomicity) = (None, None, None, None);
    for file in files {
        say(&mut prune, &file, "prune", prune_rule);
        say(&mut drift, &file, "drift", drift_rule);
        say(&mut ignored, &file, "ignore_fields", |node| Some(ignore_fields(node)));
        say(&mut atomicity, &file, "atomicity", atomicity_rule);
    }
    ProjectRules { prune: value(prune), drift: value(drift), ignore_fields: value(ignored), atomicity: value(atomicity) }
}

fn value<T: Default>(said: Said<T>) -> T {
    said.map(|(value, _)| value).unwrap_or_default()
}

/// Takes what a file says; what another says otherwise is an error that names both.
fn say<T: PartialEq>(said: &mut Said<T>, file: &Node<'_>, key: &str, read: impl Fn(&Node<'_>) -> Option<T>) {
    let Some(field) = file.field(key) else { return };
    let Some(value) = read(&field) else { return };
    match said {
        Some((first, place)) if *first != value => {
            let message = format!("`{key}` is said twice for one project, and not alike");
            let problem = Problem::error("contradicting-rules", message, field.place(At::Key)).related("the other stands at", place.clone());
            field.report.push(problem.help("all files of one project say it alike, or only one of them says it"));
        }
        Some(_) => {}
        None => *said = Some((value, field.place(At::Key))),
    }
}

/// `true`, `false`, or a mapping.
fn prune_rule(node: &Node<'_>) -> Option<PruneRule> {
    const EXPECTED: &str = "`true`, `false`, or a mapping with `enabled`, `at_most` or `percent`";
    let default = PruneRule::default();
    match node.value {
        Value::Bool(enabled) => Some(PruneRule { enabled: *enabled, ..default }),
        Value::Object(_) => {
            node.only_known_keys("`prune`", &PRUNE_KEYS);
            let number = |key: &str, most: u32| node.field(key).and_then(|field| field.integer(0, most)).map(|number| number as usize);
            Some(PruneRule {
                enabled: node.field("enabled").and_then(|enabled| enabled.boolean()).unwrap_or(default.enabled),
                at_most: number("at_most", u32::MAX).unwrap_or(default.at_most),
                percent: number("percent", 100).unwrap_or(default.percent),
            })
        }
        Value::String(text) if words::boolean(text).is_some() => Some(PruneRule { enabled: words::boolean(text)?, ..default }),
        _ => {
            let near = node.value.as_str().and_then(|text| words::closest(text, ["true", "false"]));
            node.report.push(node.unexpected(EXPECTED).maybe_help(near.map(|near| format!("did you mean `{near}`?"))));
            None
        }
    }
}

fn drift_rule(node: &Node<'_>) -> Option<DriftRule> {
    let words = [("correct", DriftRule::Correct), ("report", DriftRule::Report), ("ignore", DriftRule::Ignore)];
    let also = [("fix", "correct"), ("repair", "correct"), ("warn", "report"), ("show", "report"), ("keep", "ignore"), ("off", "ignore")];
    node.word("`correct`, `report` or `ignore`", &words, &also)
}

fn atomicity_rule(node: &Node<'_>) -> Option<Atomicity> {
    let words = [("project", Atomicity::Project), ("file", Atomicity::File), ("deployment", Atomicity::Deployment)];
    node.word("`project`, `file` or `deployment`", &words, &[("all", "project"), ("manifest", "file"), ("object", "deployment")])
}

/// Pointers, without those that make no sense; sorted, as their order means nothing.
fn ignore_fields(node: &Node<'_>) -> Vec<String> {
    let mut pointers = node.texts();
    pointers.retain(|pointer| match pointer.strip_prefix('/').map(|rest| rest.split('/').next().unwrap_or_default()) {
        Some("") | None => {
            let message = format!("{} is no JSON pointer of a field; expected one such as `/paused` or `/parameters/days`", shown(pointer));
            let written = pointer.trim_matches('/').replace('.', "/");
            let help = (!written.is_empty()).then(|| format!("write `/{written}`"));
            node.report.push(Problem::error("bad-pointer", message, place_of(node, pointer)).maybe_help(help));
            false
        }
        Some(field) => {
            if !FIELDS.contains(&field) {
                let message = format!("no object has a field {}, so {} leaves nothing to others", shown(field), shown(pointer));
                let near = words::closest(field, FIELDS).map(|near| format!("did you mean `/{near}`?"));
                let problem = Problem::warning("unknown-field", message, place_of(node, pointer));
                node.report.push_strict(problem.maybe_help(near));
            }
            true
        }
    });
    pointers.sort();
    pointers
}

/// The place of a text in a list, or of the one text.
fn place_of(node: &Node<'_>, text: &str) -> Place {
    let index = node.value.as_array().and_then(|items| items.iter().position(|item| item == text));
    index.map_or_else(|| node.place(At::Value), |index| node.path.index(index).place(At::Value))
}
