//! What a deployment starts: `entrypoint:` or `command:`.
use super::node::Node;
use super::steps;
use super::report::{At, Problem, shown};
use crate::model::deployment::Entrypoint;
use crate::template::{self, Reference};
use serde_json::Value;

/// Reads `entrypoint` or `command` of a deployment; exactly one must be there.
pub fn read(deployment: &Node<'_>) -> Option<Entrypoint> {
    match (deployment.field("entrypoint"), deployment.field("command")) {
        (Some(entrypoint), Some(command)) => {
            deployment.report.push(
                Problem::error("entrypoint-and-command", "both `entrypoint` and `command` are given; expected one of them", command.place(At::Key))
                    .related("the other stands at", entrypoint.place(At::Key)),
            );
            None
        }
        (Some(entrypoint), None) => python(&entrypoint),
        (None, Some(command)) => self::command(&command),
        (None, None) => {
            let place = match deployment.field_or_null("name") {
                Some(name) => name.place(At::Value),
                None => deployment.place(At::Value),
            };
            let message = "this deployment does not say what to run; expected an `entrypoint` or a `command`";
            deployment.report.push(
                Problem::error("nothing-to-run", message, place).help("write `entrypoint: path/file.py:function`, or `command:` with any program"),
            );
            None
        }
    }
}

fn command(node: &Node<'_>) -> Option<Entrypoint> {
    match node.value {
        Value::String(text) if text.trim().is_empty() => {
            node.report.push(node.error("empty-command", "`command` is empty; expected a program to run"));
            None
        }
        Value::String(text) => {
            let good = no_nul(node, text) & no_secret(node, text, true);
            good.then(|| Entrypoint::Shell { command: text.clone() })
        }
        Value::Array(items) => {
            let mut arguments = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let item = node.item(index, item);
                match item.value {
                    Value::Null => item.expected("a text"),
                    Value::Bool(value) => arguments.push(value.to_string()),
                    _ => arguments.extend(item.text().filter(|text| no_nul(&item, text) & no_secret(&item, text, false))),
                }
            }
            if items.first().is_none_or(|program| program == "") {
                node.report.push(node.error("empty-command", "`command` names no program; expected its name, then its arguments"));
                return None;
            }
            (arguments.len() == items.len()).then_some(Entrypoint::Program { arguments })
        }
        _ => {
            node.expected("a text for the shell, or a list of a program and its arguments");
            None
        }
    }
}

fn no_nul(node: &Node<'_>, text: &str) -> bool {
    let good = !text.contains('\0');
    if !good {
        node.report.push(node.error("nul", format!("{} holds a NUL character, which no program can be given", node.name())));
    }
    good
}

/// Everybody on a host can read the argument lists of its processes.
fn no_secret(node: &Node<'_>, text: &str, shell: bool) -> bool {
    let mut good = true;
    for placeholder in template::placeholders(text) {
        let (Reference::Environment(name) | Reference::Value(name)) = placeholder.reference() else { continue };
        if !node.report.secrets().has(name) {
            continue;
        }
        good = false;
        let place = node.path.part_below("", text, Some(placeholder.range.clone()));
        let help = match shell {
            true => format!("write `${name}`: the shell takes it from the run's environment (`env:` can set it there)"),
            false => format!("let the program read `{name}` from its environment (`env:` can set it there)"),
        };
        node.report.push(steps::secret_argument(&text[placeholder.range], place).help(help));
    }
    good
}

/// `file.py:function`, `module.path:function` or, as Prefect 3 also takes it, `module.path.function`.
fn python(node: &Node<'_>) -> Option<Entrypoint> {
    const FORMS: &str = "`path/file.py:function` or `package.module:function`";
    let Value::String(text) = node.value else {
        node.expected(FORMS);
        return None;
    };
    let text = text.trim();
    if text.contains("{{") {
        node.expected(FORMS);
        return None;
    }
    let bad = |message: String, help: &str| {
        node.report.push(node.error("bad-entrypoint", message).help(help));
        None
    };
    let (source, function) = match text.rsplit_once(':') {
        Some((source, function)) => (source.trim(), function.trim()),
        None if text.ends_with(".py") => {
            return bad(format!("{} names no function; expected {FORMS}", shown(text)), "add `:` and the function's name");
        }
        None => match text.rsplit_once('.') {
            Some((source, function)) if !text.contains('/') => (source, function),
            _ => return bad(format!("{} is no entrypoint; expected {FORMS}", shown(text)), "to run any other program, use `command:`"),
        },
    };
    if source.is_empty() || !is_dotted_name(function) {
        return bad(format!("{} is no entrypoint; expected {FORMS}", shown(text)), "the function's name is a Python name");
    }
    let function = function.to_owned();
    if source.ends_with(".py") || source.contains('/') {
        return Some(Entrypoint::Python { path: normal(source), function });
    }
    if !is_dotted_name(source) {
        return bad(format!("{} is neither a Python file nor a module; expected {FORMS}", shown(source)), "files end with `.py`");
    }
    Some(Entrypoint::Module { module: source.to_owned(), function })
}

fn is_dotted_name(text: &str) -> bool {
    let name = |part: &str| {
        let mut letters = part.chars();
        letters.next().is_some_and(|first| first.is_alphabetic() || first == '_') && letters.all(|c| c.is_alphanumeric() || c == '_')
    };
    text.split('.').all(name)
}

/// The path without `.`, doubled slashes and `x/..`; one text for one file.
pub fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if path.starts_with('/') { format!("/{joined}") } else { joined }
}
