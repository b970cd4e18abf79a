//! `build:`, `push:` and `pull:`: lists of steps, at the top of a file and in each deployment.
//!
//! Prefect's rules: a step is a mapping with one key, the function's name; one mapping stands for a list of one.
//! A deployment's own `build` counts even when it is null; its `push` and `pull` count when they are not null;
//! `pull: []` means no pull steps at all. Nothing here runs a step; the inputs of those that a run will do itself are checked.
use super::node::Node;
use super::report::{At, Place, Problem, described, shown};
use crate::model::JsonMap;
use crate::model::pull_step::{self, Function};
use crate::template::{self, Reference};
use serde_json::Value;
use std::collections::BTreeSet;

/// The steps of one file or one deployment.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    /// Present, even if null or empty.
    pub has_build: bool,
    pub build: Vec<Value>,
    pub push: Vec<Value>,
    /// `None`: not given.
    pub pull: Option<Vec<Value>>,
}

impl Steps {
    /// Reads the three keys of `node`, reporting what is misshapen and what is not acted on.
    pub fn read(node: &Node<'_>) -> Self {
        let build = node.field_or_null("build");
        let steps = Steps {
            has_build: build.is_some(),
            build: build.and_then(|build| list(&build)).unwrap_or_default(),
            push: node.field("push").and_then(|push| list(&push)).unwrap_or_default(),
            pull: node.field("pull").and_then(|pull| list(&pull)),
        };
        for (key, given) in [("build", &steps.build), ("push", &steps.push)] {
            if !given.is_empty() {
                let message = format!("the steps under `{key}` are kept, not acted on yet");
                node.report.push(Problem::warning("not-acted-on", message, node.path.key(key).place(At::Key)));
            }
        }
        if let Some(pull) = node.field("pull") {
            check_pull(&pull);
        }
        steps
    }

    /// The steps of a deployment over those of its file.
    pub fn over(self, defaults: &Steps) -> Steps {
        Steps {
            build: if self.has_build { self.build } else { defaults.build.clone() },
            has_build: self.has_build || defaults.has_build,
            push: if self.push.is_empty() { defaults.push.clone() } else { self.push },
            pull: self.pull.or_else(|| defaults.pull.clone()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.build.is_empty() && self.push.is_empty() && self.pull.is_none()
    }

    /// Whether the code that runs comes from somewhere else than the project's directory.
    pub fn fetch_code(&self) -> bool {
        const STAY: [&str; 2] = ["run_shell_script", "pip_install_requirements"];
        names(self.pull.iter().flatten()).any(|name| !STAY.contains(&name.rsplit('.').next().unwrap_or(name)))
    }

    /// Ids of the steps whose outputs placeholders may name.
    pub fn ids(&self) -> BTreeSet<&str> {
        let all = self.build.iter().chain(&self.push).chain(self.pull.iter().flatten());
        all.filter_map(|step| step.as_object()?.values().next()?.get("id")?.as_str()).collect()
    }

    /// Whether steps run before a deployment is written whose outputs are then known.
    pub fn has_outputs(&self) -> bool {
        !self.build.is_empty() || !self.push.is_empty()
    }
}

fn names<'a>(steps: impl Iterator<Item = &'a Value>) -> impl Iterator<Item = &'a str> {
    steps.filter_map(|step| step.as_object()?.keys().next().map(String::as_str))
}

fn list(node: &Node<'_>) -> Option<Vec<Value>> {
    match node.value {
        Value::Null => None,
        Value::Array(items) => {
            let steps = items.iter().enumerate().filter(|(index, item)| is_step(&node.item(*index, item)));
            Some(steps.map(|(_, item)| item.clone()).collect())
        }
        Value::Object(map) if map.is_empty() => Some(Vec::new()),
        Value::Object(_) => Some(if is_step(node) { vec![node.value.clone()] } else { Vec::new() }),
        _ => {
            node.expected("a list of steps");
            None
        }
    }
}

/// What a run will find wrong with its pull steps, as far as it can be told now.
fn check_pull(node: &Node<'_>) {
    match node.value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| check_pull_step(&node.item(index, item))),
        _ => check_pull_step(node),
    }
}

fn check_pull_step(node: &Node<'_>) {
    // What is no step at all has been reported.
    let step = node.value.as_object().filter(|step| step.len() == 1 && step.values().all(|inputs| inputs.is_object() || inputs.is_null()));
    let Some((name, inputs)) = step.and_then(|_| pull_step::parts(node.value)) else { return };
    let path = node.path.key(name);
    let Some(function) = Function::of(name) else {
        let message = format!("reeve does not run the step {} itself: a run that it starts fails there", shown(name));
        let help = format!("it runs {}; a run_shell_script step can fetch code by any program", Function::names());
        node.report.push(Problem::warning("unknown-step", message, path.place(At::Key)).help(help));
        return;
    };
    for finding in pull_step::findings(function, &inputs) {
        let (place, message) = match &finding.input {
            Some(input) if finding.fatal => (path.key(input).place(At::Value), finding.message),
            Some(input) => (path.key(input).place(At::Key), finding.message),
            None => (path.place(At::Key), finding.message),
        };
        let problem = match finding.fatal {
            true => Problem::error("bad-step", message, place),
            false => Problem::warning("unknown-input", message, place),
        };
        node.report.push(problem.help(finding.help));
    }
    no_secret_arguments(node, name, function, &inputs);
    for (input, value) in &inputs {
        let Some(text) = value.as_str() else { continue };
        let foreign = template::placeholders(text).into_iter();
        for placeholder in foreign.filter(|found| matches!(found.reference(), Reference::Block(_) | Reference::Variable(_))) {
            let message = format!("{} is kept by a Prefect server; reeve has none", shown(&text[placeholder.range]));
            let problem = Problem::warning("no-blocks", message, path.key(input).place(At::Value));
            node.report.push(problem.help("put the value into the environment and write `\"{{ $NAME }}\"`"));
        }
    }
}

/// Everybody on a host can read the argument lists of its processes, those of a step's commands, too.
fn no_secret_arguments(node: &Node<'_>, step: &str, function: Function, inputs: &JsonMap) {
    let shell = inputs.get("shell").is_some_and(|shell| *shell == true);
    let secrets = node.report.secrets();
    let path = node.path.key(step);
    for (input, text) in pull_step::arguments(function, inputs) {
        let field = path.key(input);
        let help = |name: &str| match (function, shell) {
            (Function::RunShellScript, true) => format!("write `${name}`: the shell takes it from the run's environment"),
            (Function::RunShellScript, false) => format!("write `shell: true` beside `script`, and `${name}`, which the shell takes from the run's environment"),
            _ => "write it out: it is not kept secret".to_owned(),
        };
        // The texts of a list have no place of their own here.
        let place = |part| if inputs[input].is_string() { field.part_below("", text, Some(part)) } else { field.place(At::Value) };
        for placeholder in template::placeholders(text) {
            if let Reference::Environment(name) | Reference::Value(name) = placeholder.reference()
                && secrets.has(name)
            {
                let written = &text[placeholder.range.clone()];
                node.report.push(secret_argument(written, place(placeholder.range.clone())).help(help(name)));
            }
        }
        if function == Function::RunShellScript && pull_step::expands(inputs) {
            let mut expanded = BTreeSet::new();
            pull_step::commands(text).for_each(|line| drop(pull_step::expanded(line, &mut |name| {
                expanded.insert(name.to_owned());
                None
            })));
            for name in expanded.iter().filter(|name| secrets.has(name)) {
                let written = [format!("${{{name}}}"), format!("${name}")].into_iter().find(|written| text.contains(written.as_str())).unwrap_or_default();
                let start = text.find(&written).unwrap_or(0);
                let help = format!("write `shell: true` in place of `expand_env_vars`: the shell takes `${name}` from the run's environment");
                node.report.push(secret_argument(&written, place(start..start + written.len())).help(help));
            }
        }
    }
}

/// That what is `written` would be seen.
pub fn secret_argument(written: &str, place: Place) -> Problem {
    let message = format!("{} would stand in the list of processes, where everybody on the host can read it", shown(written));
    Problem::error("secret-argument", message, place)
}

fn is_step(node: &Node<'_>) -> bool {
    let Value::Object(map) = node.value else {
        let problem = node.error("bad-step", format!("this step is {}; expected a mapping with the step's function as its one key", described(node.value)));
        let help = node.value.as_str().map(|name| format!("write `{name}: {{}}` for a step without inputs"));
        node.report.push(problem.maybe_help(help));
        return false;
    };
    let mut keys = map.iter();
    match (keys.next(), keys.next()) {
        (Some((name, inputs)), None) => {
            let good = inputs.is_object() || inputs.is_null();
            if !good {
                let inputs = node.path.key(name);
                let message = format!("the inputs of the step {} are {}; expected a mapping", shown(name), described(&map[name]));
                node.report.push(Problem::error("bad-step", message, inputs.place(At::Value)));
            }
            good
        }
        (Some(_), Some((second, _))) => {
            let message = format!("a step has one key, its function; {} is a second", shown(second));
            let problem = Problem::error("bad-step", message, node.path.key(second).place(At::Key));
            node.report.push(problem.help("begin another step with `- `, or indent its inputs further"));
            false
        }
        (None, _) => {
            node.report.push(node.error("bad-step", "this step is empty; expected its function as the one key"));
            false
        }
    }
}
