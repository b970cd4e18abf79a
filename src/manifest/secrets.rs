//! What of a project is secret: the variables that it marks so, and the values that stand in its files although they should not.
//!
//! A variable that one `{secret: "{{ $X }}"}` names is secret everywhere in the project, as if its name said so.
use super::node::{Node, Path};
use super::project::{Document, is_one_deployment};
use super::report::{Report, shown};
use crate::model::secret::{MASK, logins, looks_secret, marked, without_logins};
use crate::template;
use serde_json::Value;
use std::collections::BTreeSet;

/// Shorter values are taken for no secrets: they would mask ordinary words.
const SHORTEST: usize = 8;

/// Of one project.
#[derive(Default)]
pub struct Secrets {
    marked: BTreeSet<String>,
    /// Those of [`SHORTEST`] characters and more, as messages show them.
    literals: BTreeSet<String>,
}

impl Secrets {
    pub fn of(documents: &[Document]) -> Self {
        let mut secrets = Secrets::default();
        documents.iter().for_each(|document| secrets.add(&document.value, false));
        secrets
    }

    fn add(&mut self, value: &Value, secret: bool) {
        match value {
            Value::String(text) if secret && is_literal(text) => {
                let shown = shown(text);
                self.literals.insert(shown.trim_matches('`').trim_end_matches('…').to_owned());
                self.literals.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item, secret)),
            Value::Object(map) => {
                if let Some(Value::String(text)) = marked(value) {
                    self.marked.extend(template::variables(text));
                }
                map.iter().for_each(|(key, value)| self.add(value, secret || looks_secret(key)));
            }
            _ => {}
        }
    }

    /// Whether a variable of the environment is secret.
    pub fn has(&self, name: &str) -> bool {
        looks_secret(name) || self.marked.contains(name)
    }

    /// Whether the project marks any variable.
    pub fn are_marked(&self) -> bool {
        !self.marked.is_empty()
    }

    /// The variables in a text that are secret though their names do not say so.
    pub fn unlike(&self, text: &str) -> Vec<String> {
        match self.marked.is_empty() {
            true => Vec::new(),
            false => template::variables(text).into_iter().filter(|name| self.marked.contains(name) && !looks_secret(name)).collect(),
        }
    }

    /// Such variables in all texts of a value.
    pub fn unlike_in(&self, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => found.extend(self.unlike(text)),
            Value::Array(items) => items.iter().for_each(|item| self.unlike_in(item, found)),
            Value::Object(map) => map.values().for_each(|value| self.unlike_in(value, found)),
            _ => {}
        }
    }

    /// A message without the secrets of the files.
    pub fn hide(&self, message: String) -> String {
        // The longest first: one may be the beginning of another.
        let mut found: Vec<&String> = self.literals.iter().filter(|literal| message.contains(literal.as_str())).collect();
        found.sort_by_key(|literal| std::cmp::Reverse(literal.len()));
        let message = found.into_iter().fold(message, |message, literal| message.replace(literal.as_str(), MASK));
        without_logins(&message).into_owned()
    }
}

/// Whether a text under the name of a secret is taken for one: a placeholder says where it is, and short texts are seldom any.
fn is_literal(text: &str) -> bool {
    text.chars().count() >= SHORTEST && !text.contains("{{")
}

/// Warns of secrets that stand in the files: in git, in the store, and for everybody who may ask the API.
pub fn check(documents: &[Document], report: &Report<'_>) {
    for document in documents {
        let node = Node::new(&document.value, Path::file(document.index), report);
        if is_one_deployment(&document.value) {
            deployment(&node);
            continue;
        }
        if let Some(pull) = node.field("pull") {
            look(&pull, false);
        }
        each(&node, "deployments", &deployment);
        each(&node, "work_pools", &|pool| {
            if let Some(template) = pool.field("base_job_template") {
                look(&template, false);
            }
        });
    }
}

fn each(node: &Node<'_>, key: &str, check: &dyn Fn(&Node<'_>)) {
    let Some(list) = node.field(key) else { return };
    list.value.as_array().into_iter().flatten().enumerate().for_each(|(index, item)| check(&list.item(index, item)));
}

fn deployment(node: &Node<'_>) {
    for key in ["env", "parameters", "job_variables", "infra_overrides", "pull"] {
        if let Some(field) = node.field(key) {
            look(&field, false);
        }
    }
    if let Some(pool) = node.field("work_pool")
        && let Some(variables) = pool.field("job_variables")
    {
        look(&variables, false);
    }
    each(node, "schedules", &|schedule| {
        if let Some(parameters) = schedule.field("parameters") {
            look(&parameters, false);
        }
    });
}

/// `secret`: it stands under the name of one.
fn look(node: &Node<'_>, secret: bool) {
    match node.value {
        Value::String(text) if secret && is_literal(text) => {
            let name = if node.path_key() == "default" { shown(own_key(node)) } else { node.name() };
            let message = format!("{name} looks like a secret, and its value stands in this file, and in the store");
            node.report.push(node.warning("literal-secret", message).help(instead(node)));
        }
        Value::String(text) if !logins(text).is_empty() => {
            let message = format!("the address in {} holds a password or token, which stands in this file, and in the store", node.name());
            let help = match node.path_key() {
                "repository" => "take it out of the address, set it in the daemon's environment, and write `access_token: \"{{ $GIT_TOKEN }}\"` beside".to_owned(),
                _ => instead(node),
            };
            node.report.push(node.warning("literal-secret", message).help(help));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| look(&node.item(index, item), secret)),
        Value::Object(map) => match marked(node.value) {
            Some(inner) => mark(node, inner),
            None => map.iter().for_each(|(key, value)| field(node, key, value, secret)),
        },
        _ => {}
    }
}

fn field(node: &Node<'_>, key: &str, value: &Value, secret: bool) {
    let field = Node::new(value, node.path.key(key), node.report);
    // A schema says what `password` may be; only its default is one.
    match value.get("default").filter(|_| node.path_key() == "properties") {
        Some(default) => look(&Node::new(default, field.path.key("default"), node.report), secret || looks_secret(key)),
        None if node.path_key() == "properties" => {}
        None => look(&field, secret || looks_secret(key)),
    }
}

fn mark(node: &Node<'_>, inner: &Value) {
    let is_there = match inner {
        Value::String(text) => !text.is_empty() && !text.contains("{{"),
        other => other.is_number(),
    };
    if is_there {
        let message = format!("the value of the secret {} stands in this file, and in the store", shown(node.path_key()));
        node.report.push(node.warning("literal-secret", message).help(instead(node)));
    }
}

/// The last key on the way that a person chose.
fn own_key<'a>(node: &Node<'a>) -> &'a str {
    node.path.keys().into_iter().rev().find(|key| *key != "default").unwrap_or_default()
}

/// What to write in place of a literal.
fn instead(node: &Node<'_>) -> String {
    let keys: Vec<&str> = node.path.keys();
    let below_env = keys.iter().rposition(|key| *key == "env").map(|env| &keys[env + 1..]);
    let of_variable = below_env.and_then(|below| below.iter().find(|key| **key != "default"));
    let name: String = own_key(node).chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let in_step = keys.contains(&"pull");
    match of_variable {
        Some(variable) if !in_step => format!("set it in the daemon's environment, and write `{{secret: \"{{{{ ${variable} }}}}\"}}`"),
        _ => {
            let name = if looks_secret(&name) { name } else { format!("{name}_SECRET") };
            format!("set it in the daemon's environment, and write `\"{{{{ ${name} }}}}\"`")
        }
    }
}
