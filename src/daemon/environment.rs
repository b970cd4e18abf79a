//! What a run gets of the daemon's environment, and that none of its secrets stands in an argument list.
use crate::executor::{Interpreter, Program};
use crate::model::JsonMap;
use crate::model::pull_step::{self, Function};
use crate::model::secret::looks_secret;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What programs need to find others, their files and their language; inherited whatever `env_inherit` says.
const BASICS: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"];

/// The variables of the daemon that a run inherits, as the job variable `env_inherit` says: all (`true`, the default), the basics
/// (`false`), or the basics and a list of names, of which those that end in `*` stand for all that begin so.
///
/// # Errors
/// A sentence: the variable is something else.
pub fn inherited(daemon: &BTreeMap<String, String>, job_variables: &JsonMap) -> Result<BTreeMap<String, String>, String> {
    let wrong = |found: &Value| format!("the job variable env_inherit is {found}; expected true, false, or a list of names");
    let names: Vec<&str> = match job_variables.get("env_inherit") {
        None | Some(Value::Null | Value::Bool(true)) => return Ok(daemon.clone()),
        Some(Value::Bool(false)) => Vec::new(),
        Some(found @ Value::Array(names)) => {
            names.iter().map(|name| name.as_str().ok_or_else(|| wrong(found))).collect::<Result<_, _>>()?
        }
        Some(found) => return Err(wrong(found)),
    };
    let wanted = |name: &str| {
        BASICS.contains(&name)
            || names.iter().any(|wanted| wanted.strip_suffix('*').map_or(*wanted == name, |prefix| name.starts_with(prefix)))
    };
    Ok(daemon.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The Python interpreter: as the job variable `python` says (from the project's directory, where it is a path), else the project's
/// `.venv` where the run starts elsewhere in the project and finds none there; `None`: the supervisor looks for one.
pub fn interpreter(job_variables: &JsonMap, root: Option<&Path>, working_directory: &Path) -> Option<Interpreter> {
    const OF_PROJECT: &str = ".venv/bin/python";
    match job_variables.get("python").and_then(Value::as_str) {
        // A bare name is looked up in PATH.
        Some(python) if !python.contains('/') => Some(Interpreter::Configured(python.into())),
        Some(python) => Some(Interpreter::Configured(root.map_or_else(|| PathBuf::from(python), |root| root.join(python)))),
        None if working_directory.join(OF_PROJECT).exists() => None,
        None => root.filter(|root| *root != working_directory).map(|root| root.join(OF_PROJECT)).filter(|python| python.exists()).map(Interpreter::OfProject),
    }
}

/// Everybody on a host can read the argument lists of its processes.
///
/// # Errors
/// A sentence: the program would be given one of these secrets as a part of an argument.
pub fn refuse_secret_arguments(program: &Program, secrets: &[String]) -> Result<(), String> {
    let shows = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
    let shown = match program {
        Program::Shell(script) => shows(script),
        Program::Arguments(words) => words.iter().any(|word| shows(word)),
        // Its parameters travel in a file and the environment.
        Program::Python { .. } | Program::Module { .. } => false,
    };
    match shown {
        false => Ok(()),
        true => Err(shows_secret("the command")),
    }
}

/// The same of the commands of pull steps, in this environment.
///
/// # Errors
/// A sentence: which step's input would show a secret.
pub fn refuse_secret_steps(steps: &[Value], environment: &BTreeMap<String, String>, secrets: &[String]) -> Result<(), String> {
    for (index, step) in steps.iter().enumerate() {
        let Some((name, inputs)) = pull_step::parts(step) else { continue };
        let Some(function) = Function::of(name) else { continue };
        let own = inputs.get("env").and_then(Value::as_object);
        for (input, text) in pull_step::arguments(function, &inputs) {
            let mut shows = secrets.iter().any(|secret| text.contains(secret.as_str()));
            if function == Function::RunShellScript && pull_step::expands(&inputs) {
                pull_step::commands(text).for_each(|line| drop(pull_step::expanded(line, &mut |name| {
                    let value = own.and_then(|own| own.get(name)?.as_str()).or_else(|| environment.get(name).map(String::as_str))?;
                    shows |= looks_secret(name) || secrets.iter().any(|secret| value.contains(secret.as_str()));
                    None
                })));
            }
            if shows {
                return Err(shows_secret(&format!("`{input}` of pull step {} ({})", index + 1, function.name())));
            }
        }
    }
    Ok(())
}

fn shows_secret(what: &str) -> String {
    format!(
        "{what} holds a secret, which everybody on this host could read in the list of processes: \
         give it in `env:` and let the program read that variable ($NAME in a shell)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(env_inherit: Value) -> Result<String, String> {
        let daemon = ["AWS_KEY", "AWS_REGION", "HOME", "OTHER", "PATH"].map(|name| (name.to_owned(), "x".to_owned()));
        let job_variables = JsonMap::from_iter([("env_inherit".to_owned(), env_inherit)]);
        Ok(inherited(&daemon.into(), &job_variables)?.into_keys().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_is_inherited_is_all_the_basics_or_what_is_named() {
        for (env_inherit, expected) in [
            (json!(true), "AWS_KEY AWS_REGION HOME OTHER PATH"),
            (json!(null), "AWS_KEY AWS_REGION HOME OTHER PATH"),
            (json!(false), "HOME PATH"),
            (json!([]), "HOME PATH"),
            (json!(["OTHER", "ABSENT"]), "HOME OTHER PATH"),
            (json!(["AWS_*"]), "AWS_KEY AWS_REGION HOME PATH"),
        ] {
            assert_eq!(names(env_inherit.clone()).as_deref(), Ok(expected), "{env_inherit}");
        }
        for wrong in [json!("PATH"), json!([1]), json!({})] {
            assert!(names(wrong.clone()).unwrap_err().contains("env_inherit"), "{wrong}");
        }
    }

    #[test]
    fn the_interpreter_is_the_one_that_is_named_else_the_projects() {
        let project = tempfile::tempdir().unwrap();
        let (root, below) = (project.path(), project.path().join("below"));
        let named = |python: &str| JsonMap::from_iter([("python".to_owned(), json!(python))]);
        assert_eq!(interpreter(&named("python3.12"), Some(root), root), Some(Interpreter::Configured("python3.12".into())));
        assert_eq!(interpreter(&named("env/bin/python"), Some(root), &below), Some(Interpreter::Configured(root.join("env/bin/python"))));
        assert_eq!(interpreter(&named("/usr/bin/python3"), Some(root), root), Some(Interpreter::Configured("/usr/bin/python3".into())));
        assert_eq!(interpreter(&JsonMap::new(), Some(root), &below), None);
        for directory in [root, &below] {
            std::fs::create_dir_all(directory.join(".venv/bin")).unwrap();
            std::fs::write(directory.join(".venv/bin/python"), "").unwrap();
            let expected = (directory == root).then(|| Interpreter::OfProject(root.join(".venv/bin/python")));
            assert_eq!(interpreter(&JsonMap::new(), Some(root), &below), expected, "the nearer one is the supervisor's to find");
        }
        assert_eq!(interpreter(&JsonMap::new(), Some(root), root), None);
    }

    #[test]
    fn a_secret_in_an_argument_is_refused() {
        let secrets = ["hunter2-hunter2".to_owned()];
        let refused = |program: Program| refuse_secret_arguments(&program, &secrets).is_err();
        assert!(refused(Program::Shell("curl -u me:hunter2-hunter2".into())));
        assert!(refused(Program::Arguments(vec!["curl".into(), "me:hunter2-hunter2".into()])));
        assert!(!refused(Program::Shell("curl -u me:$TOKEN".into())));
        assert!(refuse_secret_arguments(&Program::Shell("x".into()), &[]).is_ok());
    }

    #[test]
    fn a_secret_in_an_argument_of_a_step_is_refused() {
        let secrets = ["hunter2-hunter2".to_owned()];
        let environment = [("MY_TOKEN", "short"), ("PLAIN", "hunter2-hunter2"), ("HOME", "/root")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (step, refused) in [
            (json!({"run_shell_script": {"script": "echo a\ncurl -u me:hunter2-hunter2"}}), true),
            (json!({"run_shell_script": {"script": "curl -u $MY_TOKEN", "shell": true}}), false),
            (json!({"run_shell_script": {"script": "curl -u $MY_TOKEN", "expand_env_vars": true}}), true),
            (json!({"run_shell_script": {"script": "curl -u ${PLAIN}", "expand_env_vars": "yes"}}), true),
            (json!({"run_shell_script": {"script": "curl -u $OWN", "expand_env_vars": true, "env": {"OWN": "x hunter2-hunter2"}}}), true),
            (json!({"run_shell_script": {"script": "# $MY_TOKEN\nls $HOME $$MY_TOKEN $OTHER_TOKEN", "expand_env_vars": true}}), false),
            (json!({"git_clone": {"repository": "https://me:hunter2-hunter2@host/x"}}), false),
            (json!({"git_clone": {"repository": "x", "directories": ["hunter2-hunter2"]}}), true),
            (json!({"pip_install_requirements": {"requirements_file": "hunter2-hunter2"}}), true),
            (json!({"mine.step": {"script": "hunter2-hunter2"}}), false),
        ] {
            let found = refuse_secret_steps(&[json!({"git_clone": {"repository": "x"}}), step.clone()], &environment, &secrets);
            assert_eq!(found.is_err(), refused, "{step}");
            assert!(found.err().is_none_or(|why| why.contains("of pull step 2 (")), "{step}");
        }
    }
}
