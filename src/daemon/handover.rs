//! What of a run's parameters a program can be handed by its arguments and its environment: Linux takes no NUL there and 128 KiB in one
//! (MAX_ARG_STRLEN, execve(2)). Python functions get theirs in a file and know no such limit.
use crate::executor::Program;
use crate::model::JsonMap;
use crate::model::deployment::Entrypoint;
use crate::template::{self, Reference};
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of one argument or one variable with its name, without the NUL at its end.
const LONGEST: usize = 128 * 1024 - 1;

/// Bytes of a run's parameters as JSON: its record must fit into one value of the store (1 MiB) with all else that it holds.
const MOST_TOGETHER: usize = 1_000_000;

/// What to do about a parameter that is too long.
const ADVICE: &str = "give it the path of a file instead";

/// A value as a command sees it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Of a run that is asked for: more parameters than are kept; of a command's those that it or its environment cannot hold.
///
/// # Errors
/// A sentence on the first.
pub fn check_when_made(entrypoint: Option<&Entrypoint>, parameters: &JsonMap) -> Result<(), String> {
    let bytes = serde_json::to_vec(parameters).map_or(0, |text| text.len());
    if bytes > MOST_TOGETHER {
        return Err(format!("its parameters are {bytes} bytes as JSON, and a run has at most {MOST_TOGETHER}: {ADVICE}"));
    }
    words_of(entrypoint).map_or(Ok(()), |words| check(words, parameters))
}

/// The words of a command as it is declared; `None`: it is a function.
fn words_of(entrypoint: Option<&Entrypoint>) -> Option<&[String]> {
    match entrypoint? {
        Entrypoint::Shell { command } => Some(std::slice::from_ref(command)),
        Entrypoint::Program { arguments } => Some(arguments),
        Entrypoint::Python { .. } | Entrypoint::Module { .. } => None,
    }
}

fn check(words: &[String], parameters: &JsonMap) -> Result<(), String> {
    for (name, value) in parameters {
        let text = text_of(value);
        if text.contains('\0') && words.iter().any(|word| uses(word, name)) {
            return Err(holds_nul(name));
        }
        fits(name, &text)?;
    }
    Ok(())
}

/// The program with its parameters filled in. `declared`: as the deployment writes it.
///
/// # Errors
/// A sentence: which argument cannot be handed over, by which parameter.
pub fn check_program(program: &Program, declared: &Entrypoint, parameters: &JsonMap) -> Result<(), String> {
    let words = match program {
        Program::Shell(script) => std::slice::from_ref(script),
        Program::Arguments(words) => words,
        Program::Python { .. } | Program::Module { .. } => return Ok(()),
    };
    check(words_of(Some(declared)).unwrap_or_default(), parameters)?;
    if words.iter().any(|word| word.contains('\0')) {
        return Err("the command holds a NUL character, which no argument of a program can".to_owned());
    }
    match words.iter().map(String::len).max() {
        Some(bytes) if bytes > LONGEST => Err(format!(
            "the command is {bytes} bytes with its parameters filled in; Linux hands a program at most {LONGEST} in one argument: {ADVICE}"
        )),
        _ => Ok(()),
    }
}

/// All parameters as `REEVE_PARAMETERS` and each as `REEVE_PARAMETER_<NAME>`, as far as an environment can hold them: of a function's
/// none that are many, since it has them; of a command's those that [`check_program`] lets through.
pub fn add_parameters(environment: &mut BTreeMap<String, String>, program: &Program, parameters: &JsonMap) {
    let all = Value::Object(parameters.clone()).to_string();
    let room = LONGEST - "REEVE_PARAMETERS=".len();
    if all.len() > room && program.parameters().is_some() {
        return;
    }
    if all.len() <= room {
        environment.insert("REEVE_PARAMETERS".to_owned(), all);
    }
    for (name, value) in parameters {
        let text = text_of(value);
        // A NUL cannot stand in an environment; REEVE_PARAMETERS holds it escaped.
        if !text.contains('\0') {
            environment.insert(variable_name(name), text);
        }
    }
}

fn fits(name: &str, text: &str) -> Result<(), String> {
    let variable = variable_name(name);
    match variable.len() + 1 + text.len() {
        0..=LONGEST => Ok(()),
        _ => Err(format!(
            "the parameter `{name}` is {} bytes, too long for a command: Linux hands a program at most {LONGEST} in one variable \
             ({variable}) or argument; {ADVICE}",
            text.len()
        )),
    }
}

fn holds_nul(name: &str) -> String {
    format!("the parameter `{name}` holds a NUL character (\\u0000), and the command uses it: no argument of a program can hold one")
}

fn uses(word: &str, name: &str) -> bool {
    template::placeholders(word).iter().any(|placeholder| match placeholder.reference() {
        Reference::Parameter(path) => path.split(['.', '[']).next() == Some(name),
        _ => false,
    })
}

/// Upper case, with every character that a shell's variable name cannot hold as `_`.
fn variable_name(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("REEVE_PARAMETER_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> JsonMap {
        value.as_object().unwrap().clone()
    }

    fn shell(command: &str) -> Entrypoint {
        Entrypoint::Shell { command: command.to_owned() }
    }

    #[test]
    fn what_no_argument_can_hold_is_said_with_the_parameters_name() {
        let used = shell("echo {{ parameters.a }}");
        let long = "x".repeat(LONGEST - "REEVE_PARAMETER_A=".len());
        let function = Entrypoint::Python { path: "f.py".into(), function: "f".into() };
        for (entrypoint, parameters, expected) in [
            (&used, json!({"a": "one\u{0}two"}), Some("the parameter `a` holds a NUL character (\\u0000), and the command uses it")),
            (&used, json!({"b": "one\u{0}two"}), None),
            (&used, json!({"a": long}), None),
            (&used, json!({"a": format!("{long}x")}), Some("the parameter `a` is 131054 bytes, too long for a command: Linux hands a program at most 131071")),
            (&function, json!({"a": "\u{0}".repeat(150_000)}), None),
            (&function, json!({"a": "x".repeat(1_000_000)}), Some("its parameters are 1000008 bytes as JSON")),
        ] {
            let said = check_when_made(Some(entrypoint), &map(parameters)).err();
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().starts_with(expected.unwrap_or_default()));
        }
        let filled = Program::Shell(format!("echo {long} and more than fits in one argument"));
        let said = check_program(&filled, &used, &map(json!({"a": long}))).unwrap_err();
        assert!(said.starts_with("the command is 131093 bytes with its parameters filled in; Linux hands"), "{said}");
    }

    #[test]
    fn an_environment_holds_the_parameters_that_fit() {
        let parameters = map(json!({"a b": "x".repeat(100_000), "c": "y".repeat(100_000), "d": "\u{0}"}));
        let mut environment = BTreeMap::new();
        add_parameters(&mut environment, &Program::Shell("true".to_owned()), &parameters);
        assert_eq!(environment.keys().collect::<Vec<_>>(), ["REEVE_PARAMETER_A_B", "REEVE_PARAMETER_C"]);
        let function = Program::Module { interpreter: None, module: "m".into(), function: "f".into(), parameters: parameters.clone() };
        environment.clear();
        add_parameters(&mut environment, &function, &parameters);
        assert!(environment.is_empty());
        add_parameters(&mut environment, &function, &map(json!({"n": 1})));
        assert_eq!(environment, BTreeMap::from([("REEVE_PARAMETERS".to_owned(), r#"{"n":1}"#.to_owned()), ("REEVE_PARAMETER_N".to_owned(), "1".to_owned())]));
    }
}
