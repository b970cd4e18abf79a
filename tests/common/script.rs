//! Plays of commands kept as text files: a line that begins with `$` is a command, `|` lines after it are its input, `>` lines what it
//! said. Anything else is a remark. `REEVE_UPDATE=1` writes what is said now, so that a change of it shows in review.
use std::fs;
use std::path::Path;

/// One command with its input, or a remark.
enum Part {
    Remark(String),
    Command { line: String, input: String },
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            parts.push(Part::Command { line: command.to_owned(), input: String::new() });
        } else if let Some(more) = line.strip_prefix('|') {
            let Some(Part::Command { input, .. }) = parts.last_mut() else { panic!("input without a command: {line}") };
            input.push_str(more.strip_prefix(' ').unwrap_or(more));
            input.push('\n');
        } else if !line.starts_with('>') {
            parts.push(Part::Remark(line.to_owned()));
        }
    }
    parts
}

/// The text with what is said now; `command` carries out a line with its input.
pub fn played(text: &str, mut command: impl FnMut(&str, &str) -> String) -> String {
    let mut told = String::new();
    for part in parts(text) {
        match part {
            Part::Remark(line) => told.push_str(&format!("{line}\n")),
            Part::Command { line, input } => {
                told.push_str(&format!("$ {line}\n"));
                input.lines().for_each(|line| told.push_str(&format!("{}\n", format!("| {line}").trim_end())));
                let said = command(&line, &input);
                said.lines().for_each(|line| told.push_str(&format!("{}\n", format!("> {line}").trim_end())));
            }
        }
    }
    told
}

/// Plays every `.txt` of a directory of the repository, and fails with the first line of each that is not as it is written.
pub fn check_all(directory: &str, at_least: usize, play: impl Fn(&str) -> String) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(files.len() >= at_least, "{files:?}");
    let wrong: Vec<String> = files.iter().filter_map(|file| difference(file, &play)).collect();
    assert!(wrong.is_empty(), "{}\n(REEVE_UPDATE=1 writes what is said now)", wrong.join("\n"));
}

/// Where the file and what is said now part; nothing where they agree, or the file is rewritten.
fn difference(file: &Path, play: impl Fn(&str) -> String) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    let told = play(&text);
    if told == text {
        return None;
    }
    if std::env::var_os("REEVE_UPDATE").is_some() {
        fs::write(file, told).unwrap();
        return None;
    }
    let same = text.lines().zip(told.lines()).position(|(written, said)| written != said);
    let differs = same.unwrap_or(text.lines().count().min(told.lines().count()));
    let line = |text: &str| text.lines().nth(differs).unwrap_or("(the end)").to_owned();
    Some(format!("{}:{}\n  written: {}\n  said:    {}", file.display(), differs + 1, line(&text), line(&told)))
}
