//! `run_shell_script` and `pip_install_requirements`.
//!
//! As in Prefect, each line of a script is a command of its own, and no shell reads it: `pip install a>=1` needs no quotes. A line in
//! which a shell's operator (`&&`, `|`, `>`) stands as a word of its own was meant for a shell, and is given to one; `shell: true` gives
//! every line to it.
use super::command::{self, Ended, Text};
use super::steps::{Inputs, Workshop};
use super::{cache, say};
use crate::executor::program::{self, Surroundings};
use crate::model::JsonMap;
use crate::model::pull_step;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const OPERATORS: [&str; 13] = ["|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>>", "2>&1", "&>", "|&"];

/// What a shell does itself, and no program.
const BUILTINS: [&str; 8] = ["cd", "source", ".", "export", "set", "alias", "ulimit", "eval"];

/// # Errors
/// A sentence: which command failed, and what it said.
pub fn run(workshop: &mut Workshop<'_>, inputs: &Inputs) -> Result<JsonMap, String> {
    let directory = workshop.directory_of(inputs)?;
    let added = environment(inputs.mapping("env"));
    let (shell, expand, stream) = (inputs.flag("shell", false), inputs.flag("expand_env_vars", false), inputs.flag("stream_output", true));
    let (mut output, mut error) = (String::new(), String::new());
    for line in pull_step::commands(inputs.text("script").unwrap_or_default()) {
        let line = if expand { pull_step::expanded(line, &mut |name| added.get(name).cloned().or_else(|| std::env::var(name).ok())) } else { line.to_owned() };
        let mut command = if shell { shell_command(&line) } else { command_of(&line)? };
        command.current_dir(&directory).envs(&added);
        let ended = command::run(&mut command, stream).map_err(|error| not_started(&command, &error, &directory))?;
        if !ended.status.success() {
            return Err(failed(&format!("`{line}`"), &ended));
        }
        append(&mut output, &ended.output);
        append(&mut error, &ended.error);
    }
    Ok(outputs(&output, &error))
}

fn command_of(line: &str) -> Result<Command, String> {
    let words = words(line).map_err(|why| format!("`{line}` is no command: {why}"))?;
    match words.split_first() {
        Some((program, arguments)) if !words.iter().any(Word::is_operator) => {
            let mut command = Command::new(&program.text);
            command.args(arguments.iter().map(|word| &word.text));
            Ok(command)
        }
        _ => Ok(shell_command(line)),
    }
}

fn shell_command(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    command
}

fn not_started(command: &Command, error: &std::io::Error, directory: &Path) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let search_path = std::env::var("PATH").ok();
    let around = Surroundings { directory, search_path: search_path.as_deref(), confined: false };
    let (_, message) = program::explain(&program, error, &around);
    match BUILTINS.contains(&program.as_str()) {
        true => format!("{message}: it is a shell's own word, and each line runs without one; write `shell: true`, or `directory:`"),
        false => message,
    }
}

fn failed(what: &str, ended: &Ended) -> String {
    let said = ended.error.last_line().or_else(|| ended.output.last_line());
    let said = said.map_or_else(String::new, |line| format!(": {line}"));
    format!("{what} ended with {}{said}", command::how(ended.status))
}

fn append(all: &mut String, text: &Text) {
    let room = command::KEPT.saturating_sub(all.len());
    all.extend(text.kept().chars().take(room));
}

fn outputs(output: &str, error: &str) -> JsonMap {
    let text = |text: &str| Value::String(text.trim().to_owned());
    JsonMap::from_iter([("stdout".to_owned(), text(output)), ("stderr".to_owned(), text(error))])
}

fn environment(given: Option<&JsonMap>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    given.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// # Errors
/// A sentence: what is not there, or what pip said.
pub fn pip_install(workshop: &mut Workshop<'_>, inputs: &Inputs) -> Result<JsonMap, String> {
    let file = inputs.text("requirements_file").unwrap_or("requirements.txt");
    let mut directory = workshop.directory_of(inputs)?;
    // After a clone the file is in the clone, which need not be said twice.
    if inputs.text("directory").is_none() && !directory.join(file).exists() && workshop.code_directory().join(file).exists() {
        directory = workshop.code_directory().to_path_buf();
    }
    if !directory.join(file).exists() {
        return Err(format!("there is no {file} in {}", directory.display()));
    }
    let (interpreter, remark) = program::choose_interpreter(workshop.order.preparation.interpreter.as_ref(), workshop.code_directory());
    say(&format!(" {remark}"));
    // Two at once into one environment break it.
    let root = cache::root(workshop.order.preparation.cache.as_deref())?;
    let _held = cache::pip_lock(&root, &interpreter)?;
    let mut command = Command::new(&interpreter);
    command.args(["-m", "pip", "install", "--no-input", "-r", file]).env("PIP_DISABLE_PIP_VERSION_CHECK", "1").current_dir(&directory);
    let ended = command::run(&mut command, inputs.flag("stream_output", true)).map_err(|error| not_started(&command, &error, &directory))?;
    if ended.status.success() {
        return Ok(outputs(&ended.output.kept(), &ended.error.kept()));
    }
    let hint = match ended.error.tail() {
        text if text.contains("No module named pip") => "; an environment made by uv has no pip: write a run_shell_script step with `uv pip install -r`, or make it with `uv venv --seed`",
        text if text.contains("externally-managed-environment") => "; make a virtual environment, and name its interpreter with `python:`",
        _ => "",
    };
    Err(format!("{}{hint}", failed(&format!("pip install -r {file}"), &ended)))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Word {
    text: String,
    /// Any part of it.
    quoted: bool,
}

impl Word {
    fn is_operator(&self) -> bool {
        !self.quoted && (OPERATORS.contains(&self.text.as_str()) || self.text.ends_with(';'))
    }
}

/// The words of a line as a POSIX shell parts them (2.2, 2.3): quotes and backslashes, nothing else.
fn words(line: &str) -> Result<Vec<Word>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let current = word.get_or_insert_default();
        match letter {
            '\'' | '"' => {
                current.quoted = true;
                loop {
                    match letters.next().ok_or("a quote is not closed")? {
                        end if end == letter => break,
                        '\\' if letter == '"' => match letters.next().ok_or("a quote is not closed")? {
                            escaped @ ('"' | '\\') => current.text.push(escaped),
                            other => current.text.extend(['\\', other]),
                        },
                        other => current.text.push(other),
                    }
                }
            }
            '\\' => {
                current.quoted = true;
                current.text.push(letters.next().ok_or("nothing follows the backslash; each line is a command of its own")?);
            }
            other => current.text.push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parted_as_a_shell_does() {
        let texts = |line: &str| words(line).map(|words| words.into_iter().map(|word| word.text).collect::<Vec<_>>());
        for (line, expected) in [
            ("pip install a>=1 'b c'", vec!["pip", "install", "a>=1", "b c"]),
            (r#"/bin/bash -c "cd $X && echo \"y\" \n""#, vec!["/bin/bash", "-c", r#"cd $X && echo "y" \n"#]),
            (r"a\ b ''", vec!["a b", ""]),
            ("   ", vec![]),
        ] {
            assert_eq!(texts(line).unwrap(), expected, "{line}");
        }
        assert!(texts("echo 'open").is_err());
        assert!(texts("echo \\").is_err());
    }

    #[test]
    fn only_a_free_standing_operator_needs_a_shell() {
        for (line, expected) in [
            ("cd x && make", true),
            ("a | b", true),
            ("cd x; make", true),
            ("echo x > y", true),
            ("pip install a>=1", false),
            ("sh -c 'a && b'", false),
            ("echo '&&'", false),
            ("git log --format=%h", false),
        ] {
            assert_eq!(words(line).unwrap().iter().any(Word::is_operator), expected, "{line}");
        }
    }
}
