//! The pull steps that reeve runs itself: how they are named, what inputs they take, and what is wrong with those that are given.
//!
//! One table for whoever reads a manifest and for whoever runs the steps. Names and inputs are those of Prefect 2.10
//! (`prefect.projects.steps`) and 3.8 (`prefect.deployments.steps`); a bare `git_clone` is taken too.
use super::JsonMap;
use serde_json::Value;

/// A step that reeve runs itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    SetWorkingDirectory,
    GitClone,
    RunShellScript,
    PipInstallRequirements,
}

/// What a value has to be; null is as if it were absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    Texts,
    Mapping,
}

/// Names that every step may have beside its own inputs.
const RESERVED: [&str; 2] = ["id", "requires"];

/// Where Prefect keeps its own steps; since 3 also under the name of the file that defines them.
const PLACES: [&str; 5] = [
    "prefect.deployments.steps.core.",
    "prefect.deployments.steps.pull.",
    "prefect.deployments.steps.utility.",
    "prefect.deployments.steps.",
    "prefect.projects.steps.",
];

impl Function {
    pub const ALL: [Function; 4] =
        [Function::GitClone, Function::SetWorkingDirectory, Function::RunShellScript, Function::PipInstallRequirements];

    /// The step of this name, where it is one of ours.
    pub fn of(name: &str) -> Option<Function> {
        let short = PLACES.iter().find_map(|place| name.strip_prefix(place)).unwrap_or(name);
        match short {
            // The name of Prefect 2.10.
            "git_clone_project" => Some(Function::GitClone),
            _ => Function::ALL.into_iter().find(|function| function.name() == short),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Function::SetWorkingDirectory => "set_working_directory",
            Function::GitClone => "git_clone",
            Function::RunShellScript => "run_shell_script",
            Function::PipInstallRequirements => "pip_install_requirements",
        }
    }

    fn inputs(self) -> &'static [(&'static str, Kind)] {
        match self {
            Function::SetWorkingDirectory => &[("directory", Kind::Text)],
            Function::GitClone => &[
                ("repository", Kind::Text),
                ("branch", Kind::Text),
                ("commit_sha", Kind::Text),
                ("include_submodules", Kind::Flag),
                ("access_token", Kind::Text),
                ("credentials", Kind::Mapping),
                ("directories", Kind::Texts),
                ("clone_directory_name", Kind::Text),
            ],
            Function::RunShellScript => &[
                ("script", Kind::Text),
                ("directory", Kind::Text),
                ("env", Kind::Mapping),
                ("stream_output", Kind::Flag),
                ("expand_env_vars", Kind::Flag),
                ("shell", Kind::Flag),
            ],
            Function::PipInstallRequirements => {
                &[("directory", Kind::Text), ("requirements_file", Kind::Text), ("stream_output", Kind::Flag)]
            }
        }
    }

    /// What a step of this function cannot do without.
    fn required(self) -> Option<&'static str> {
        match self {
            Function::SetWorkingDirectory => Some("directory"),
            Function::GitClone => Some("repository"),
            Function::RunShellScript => Some("script"),
            Function::PipInstallRequirements => None,
        }
    }

    /// The names of all, for messages.
    pub fn names() -> String {
        Function::ALL.map(Function::name).join(", ")
    }
}

/// Something wrong with the inputs of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// At which input; `None`: at the step.
    pub input: Option<String>,
    /// The step cannot be run; else it runs all the same.
    pub fatal: bool,
    pub message: String,
    pub help: String,
}

impl Finding {
    fn at(input: &str, message: String, help: impl Into<String>) -> Self {
        Finding { input: Some(input.to_owned()), fatal: true, message, help: help.into() }
    }
}

/// The function and the inputs of a step: a mapping with one key.
pub fn parts(step: &Value) -> Option<(&str, JsonMap)> {
    let (name, inputs) = step.as_object()?.iter().next()?;
    Some((name, inputs.as_object().cloned().unwrap_or_default()))
}

/// Everything that is wrong with the inputs; a text with a placeholder may become anything.
pub fn findings(function: Function, inputs: &JsonMap) -> Vec<Finding> {
    let known = function.inputs();
    let mut found = Vec::new();
    for (name, value) in inputs.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str())) {
        match known.iter().find(|(known, _)| known == name) {
            None => {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let message = format!("the step {} has no input `{name}`", function.name());
                let help = format!("it is passed over; known are {}", names.join(", "));
                found.push(Finding { fatal: false, ..Finding::at(name, message, help) });
            }
            Some((_, kind)) if !kind.fits(value) => {
                let message = format!("`{name}` of the step {} must be {}", function.name(), kind.description());
                found.push(Finding::at(name, message, kind.help()));
            }
            Some(_) => {}
        }
    }
    let given = |name: &str| inputs.get(name).is_some_and(|value| !value.is_null() && value != "");
    if let Some(required) = function.required().filter(|required| !given(required)) {
        let message = format!("the step {} needs `{required}`", function.name());
        let help = format!("write `{required}:` below it");
        found.push(Finding { input: inputs.contains_key(required).then(|| required.to_owned()), fatal: true, message, help });
    }
    for [one, other, help] in [
        ["branch", "commit_sha", "a commit is on no matter which branch: keep `commit_sha`, or `branch` to follow it"],
        ["access_token", "credentials", "keep one of both"],
    ] {
        if given(one) && given(other) && function == Function::GitClone {
            found.push(Finding::at(other, format!("`{one}` and `{other}` are both given"), help));
        }
    }
    found
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::String(text) if text.contains("{{") => true,
            Value::String(text) => self == Kind::Text || (self == Kind::Flag && flag(text).is_some()),
            Value::Bool(_) => self == Kind::Flag,
            Value::Array(items) => self == Kind::Texts && items.iter().all(Value::is_string),
            Value::Object(_) => self == Kind::Mapping,
            Value::Number(_) => false,
        }
    }

    fn description(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Flag => "true or false",
            Kind::Texts => "a list of texts",
            Kind::Mapping => "a mapping",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Kind::Text => "put it in quotes",
            Kind::Flag => "write true or false",
            Kind::Texts => "write `[one, two]`",
            Kind::Mapping => "write `NAME: value` lines below it",
        }
    }
}

/// A flag that came out of a placeholder.
pub fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" | "" => Some(false),
        _ => None,
    }
}

/// The commands of a script: its lines, without those that are empty or a remark.
pub fn commands(script: &str) -> impl Iterator<Item = &str> {
    script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The texts among the inputs of a step that become arguments of programs, which everybody on a host can read; with the input's name.
pub fn arguments(function: Function, inputs: &JsonMap) -> Vec<(&'static str, &str)> {
    let names: &[&'static str] = match function {
        Function::SetWorkingDirectory => &[],
        // What `repository` says of a password is taken out of it, and given to git otherwise.
        Function::GitClone => &["branch", "commit_sha", "directories"],
        Function::RunShellScript => &["script"],
        Function::PipInstallRequirements => &["requirements_file"],
    };
    let mut found = Vec::new();
    for name in names {
        match inputs.get(*name) {
            Some(Value::String(text)) => found.push((*name, text.as_str())),
            Some(Value::Array(texts)) => found.extend(texts.iter().filter_map(Value::as_str).map(|text| (*name, text))),
            _ => {}
        }
    }
    found
}

/// Whether `$NAME` in the step's script is replaced before the command is started, so that its value becomes an argument.
pub fn expands(inputs: &JsonMap) -> bool {
    match inputs.get("expand_env_vars") {
        Some(Value::Bool(expands)) => *expands,
        Some(Value::String(text)) => flag(text).unwrap_or(false),
        _ => false,
    }
}

/// `$NAME` and `${NAME}` that are set; the rest stays as it stands; `$$` is a dollar.
pub fn expanded(line: &str, variable: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let bare = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
        let (name, behind) = braced.unwrap_or_else(|| after.split_at(bare));
        let good = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
        match (after.strip_prefix('$'), Some(name).filter(|_| good).and_then(&mut *variable)) {
            (Some(behind), _) => {
                out.push('$');
                rest = behind;
            }
            (None, Some(value)) => {
                out.push_str(&value);
                rest = behind;
            }
            (None, None) => {
                out.push('$');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn old_and_new_names_are_known_and_others_are_not() {
        for name in [
            "prefect.deployments.steps.git_clone",
            "prefect.deployments.steps.pull.git_clone",
            "prefect.deployments.steps.git_clone_project",
            "prefect.projects.steps.git_clone_project",
            "git_clone",
        ] {
            assert_eq!(Function::of(name), Some(Function::GitClone), "{name}");
        }
        for name in ["prefect_aws.deployments.steps.pull_from_s3", "mine.git_clone", "prefect.deployments.steps.pull_with_block", ""] {
            assert_eq!(Function::of(name), None, "{name}");
        }
        for function in Function::ALL {
            assert_eq!(Function::of(&format!("prefect.projects.steps.{}", function.name())), Some(function));
        }
    }

    /// (function, inputs, where and whether it keeps the step from being run)
    #[test]
    fn inputs_are_checked() {
        let table: &[(&str, Value, &[(Option<&str>, bool)])] = &[
            ("git_clone", json!({"repository": "x", "branch": "main", "id": "a", "requires": "b", "access_token": null}), &[]),
            ("git_clone", json!({"repository": "{{ x }}", "include_submodules": "{{ y }}", "directories": ["a"]}), &[]),
            ("git_clone", json!({}), &[(None, true)]),
            ("git_clone", json!({"repository": null}), &[(Some("repository"), true)]),
            ("git_clone", json!({"repository": "x", "branch": "a", "commit_sha": "b"}), &[(Some("commit_sha"), true)]),
            ("git_clone", json!({"repository": "x", "branch": null, "commit_sha": "b"}), &[]),
            ("git_clone", json!({"repository": "x", "branch": 1.5}), &[(Some("branch"), true)]),
            ("git_clone", json!({"repository": "x", "directory": "y"}), &[(Some("directory"), false)]),
            ("git_clone", json!({"repository": "x", "access_token": "a", "credentials": {}}), &[(Some("credentials"), true)]),
            ("git_clone", json!({"repository": "x", "directories": ["a", 1]}), &[(Some("directories"), true)]),
            ("set_working_directory", json!({"directory": ""}), &[(Some("directory"), true)]),
            ("run_shell_script", json!({"script": "a", "env": {"A": "b"}, "stream_output": "no"}), &[]),
            ("run_shell_script", json!({"script": ["a"], "stream_output": "perhaps"}), &[(Some("script"), true), (Some("stream_output"), true)]),
            ("pip_install_requirements", json!({}), &[]),
        ];
        for (name, inputs, expected) in table {
            let found = findings(Function::of(name).unwrap(), inputs.as_object().unwrap());
            let found: Vec<(Option<&str>, bool)> = found.iter().map(|finding| (finding.input.as_deref(), finding.fatal)).collect();
            assert_eq!(found, *expected, "{name} {inputs}");
        }
    }

    #[test]
    fn variables_that_are_set_are_expanded() {
        let mut variable = |name: &str| (name == "A_1").then(|| "x$B".to_owned());
        for (line, expected) in [("$A_1 ${A_1}y $B ${B} $$A_1 $", "x$B x$By $B ${B} $A_1 $"), ("${A_1", "${A_1"), ("$1", "$1"), ("", "")] {
            assert_eq!(expanded(line, &mut variable), expected, "{line}");
        }
    }
}
