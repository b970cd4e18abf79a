//! Collects every problem of a project while it is read, each with the place it belongs to, and at the end
//! turns those that are shown into the model's problems with line and column.
//!
//! Reading must never stop at the first problem, and must never keep more of them than a person can read.
use super::ManifestFile;
use super::excerpt;
use super::locate::{Found, Locator};
use super::secrets::Secrets;
use crate::model::position::Position;
use crate::model::problem::{self, Severity, SourceLine};
use serde_json::Value;
use std::cell::{OnceCell, RefCell};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Problems shown at most; the rest is counted.
pub const MAXIMUM_SHOWN: usize = 200;

/// A place that is known by line and column from the start.
#[derive(Debug, Clone)]
pub struct Exact {
    position: Position,
    line: String,
    length: u32,
}

impl Exact {
    /// Line and column from 1; `length` is in characters.
    pub fn new(file: &str, line: u32, column: u32, text: impl Into<String>, length: u32) -> Self {
        Exact { position: Position { file: file.to_owned(), line, column }, line: text.into(), length: length.max(1) }
    }
}

/// Which part of the object at a JSON pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Its key (for an item of a list, the item).
    Key,
    Value,
    /// From this character of a one-line text on, so many characters.
    Part { start: u32, length: u32 },
}

/// Where a problem stands.
#[derive(Debug, Clone)]
pub enum Place {
    Pointer { file: usize, pointer: String, at: At },
    Exact(Exact),
    /// The file as a whole.
    File(String),
}

/// What an error stands in: where units are applied alone, it keeps no more than that from being applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// Not in a manifest.
    Elsewhere,
    /// In a manifest, beside its deployments, below this top-level key.
    Key(usize, String),
    /// In an entry of its `deployments:`.
    Entry(usize, usize),
    /// In a manifest that could not be understood, or where no key is known.
    File(usize),
}

/// What a reading has found.
pub struct Findings {
    /// In the order of their places, at most [`MAXIMUM_SHOWN`] and a last one that counts the rest.
    pub problems: Vec<problem::Problem>,
    /// Every spot with an error, and those of its errors that were kept.
    pub errors: BTreeMap<Spot, Vec<problem::Problem>>,
}

/// A problem before its place is looked up.
#[derive(Debug, Clone)]
pub struct Problem {
    severity: Severity,
    code: &'static str,
    message: String,
    place: Place,
    help: Option<String>,
    related: Option<(&'static str, Place)>,
    unless_anchored: bool,
}

impl Problem {
    fn new(severity: Severity, code: &'static str, message: impl Into<String>, place: Place) -> Self {
        Problem { severity, code, message: message.into(), place, help: None, related: None, unless_anchored: false }
    }

    pub fn error(code: &'static str, message: impl Into<String>, place: Place) -> Self {
        Problem::new(Severity::Error, code, message, place)
    }

    pub fn warning(code: &'static str, message: impl Into<String>, place: Place) -> Self {
        Problem::new(Severity::Warning, code, message, place)
    }

    /// An error about a file as a whole.
    pub fn of_file(file: &str, code: &'static str, message: String, help: &str) -> Self {
        Problem::error(code, message, Place::File(file.to_owned())).help(help)
    }

    /// An error at a known line and column.
    pub fn exact(place: Exact, code: &'static str, message: impl Into<String>) -> Self {
        Problem::error(code, message, Place::Exact(place))
    }

    /// What to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// A second place, named in the help: `first declared at deployment.yaml:3:5`.
    pub fn related(mut self, label: &'static str, place: Place) -> Self {
        self.related = Some((label, place));
        self
    }

    /// Drops the problem where the value holds a YAML anchor: the key is then only a home for shared parts.
    pub fn unless_anchored(mut self) -> Self {
        self.unless_anchored = true;
        self
    }
}

/// The problems of one reading.
pub struct Report<'a> {
    files: &'a [ManifestFile],
    strict: bool,
    secrets: OnceCell<Secrets>,
    kept: RefCell<Kept>,
}

#[derive(Default)]
struct Kept {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    more_errors: usize,
    more_warnings: usize,
    /// Of the errors that were not kept.
    more_spots: BTreeSet<Spot>,
}

impl<'a> Report<'a> {
    /// `strict` turns warnings about what is unknown or skipped into errors.
    pub fn new(files: &'a [ManifestFile], strict: bool) -> Self {
        Report { files, strict, secrets: OnceCell::new(), kept: RefCell::default() }
    }

    /// What must not be said; known once the files are parsed.
    pub fn keep_secret(&self, secrets: Secrets) {
        let _known_already = self.secrets.set(secrets);
    }

    pub fn secrets(&self) -> &Secrets {
        self.secrets.get_or_init(Secrets::default)
    }

    pub fn push(&self, problem: Problem) {
        let mut kept = self.kept.borrow_mut();
        let kept = &mut *kept;
        if problem.severity == Severity::Error && kept.errors.len() >= MAXIMUM_SHOWN {
            kept.more_spots.insert(self.spot(&problem.place));
        }
        let (list, more) = match problem.severity {
            Severity::Error => (&mut kept.errors, &mut kept.more_errors),
            Severity::Warning => (&mut kept.warnings, &mut kept.more_warnings),
        };
        if list.len() < MAXIMUM_SHOWN { list.push(problem) } else { *more += 1 }
    }

    /// A warning that `strict` makes an error.
    pub fn push_strict(&self, mut problem: Problem) {
        if self.strict {
            problem.severity = Severity::Error;
        }
        self.push(problem);
    }

    /// All problems with their positions, in the order of their places.
    pub fn finish(self) -> Findings {
        let kept = self.kept.take();
        let secrets = self.secrets();
        let mut places = Places { files: self.files, secrets, locators: self.files.iter().map(|_| None).collect(), lines: self.files.iter().map(|_| None).collect() };
        let mut errors: BTreeMap<Spot, Vec<problem::Problem>> = kept.more_spots.into_iter().map(|spot| (spot, Vec::new())).collect();
        let mut resolved = Vec::new();
        for found in kept.errors.into_iter().chain(kept.warnings) {
            let spot = (found.severity == Severity::Error).then(|| self.spot(&found.place));
            let Some(problem) = places.resolve(found) else { continue };
            if let Some(spot) = spot {
                errors.entry(spot).or_default().push(problem.clone());
            }
            resolved.push(problem);
        }
        // Errors first when not all can be shown.
        resolved.sort_by_key(|problem| problem.severity);
        let (mut more_errors, mut more_warnings) = (kept.more_errors, kept.more_warnings);
        for cut in resolved.drain(MAXIMUM_SHOWN.min(resolved.len())..) {
            match cut.severity {
                Severity::Error => more_errors += 1,
                Severity::Warning => more_warnings += 1,
            }
        }
        tidy(&mut resolved);
        errors.values_mut().for_each(tidy);
        if more_errors + more_warnings > 0 {
            resolved.push(and_more(more_errors, more_warnings));
        }
        Findings { problems: resolved, errors }
    }

    fn spot(&self, place: &Place) -> Spot {
        let named = |name: &str| self.files.iter().position(|file| file.path == name).map_or(Spot::Elsewhere, Spot::File);
        let (file, pointer) = match place {
            Place::Exact(exact) => return named(&exact.position.file),
            Place::File(name) => return named(name),
            Place::Pointer { file, pointer, .. } => (*file, pointer),
        };
        let mut steps = pointer.split('/').skip(1);
        match (steps.next(), steps.next().and_then(|index| index.parse().ok())) {
            (Some("deployments"), Some(index)) => Spot::Entry(file, index),
            (Some(key), _) => Spot::Key(file, key.to_owned()),
            (None, _) => Spot::File(file),
        }
    }
}

/// In order, each once, and without mere consequences.
fn tidy(problems: &mut Vec<problem::Problem>) {
    problems.sort_by(by_place);
    problems.dedup();
    drop_consequences(problems);
}

fn by_place(left: &problem::Problem, right: &problem::Problem) -> Ordering {
    (&left.position, left.severity, &left.code, &left.message).cmp(&(&right.position, right.severity, &right.code, &right.message))
}

/// `{{ x }}` without quotes is a mapping, which is then of the wrong type as well: one problem is enough.
fn drop_consequences(problems: &mut Vec<problem::Problem>) {
    let causes: Vec<_> = problems.iter().filter(|p| p.code == "unquoted-braces").map(|p| p.position.clone()).collect();
    problems.retain(|problem| problem.code != "wrong-type" || !causes.contains(&problem.position));
}

fn and_more(errors: usize, warnings: usize) -> problem::Problem {
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let message = match (errors, warnings) {
        (0, warnings) => format!("and {} more", count(warnings, "warning")),
        (errors, 0) => format!("and {} more", count(errors, "error")),
        (errors, warnings) => format!("and {} and {} more", count(errors, "error"), count(warnings, "warning")),
    };
    problem::Problem {
        severity: if errors > 0 { Severity::Error } else { Severity::Warning },
        code: "more".to_owned(),
        message,
        position: None,
        help: None,
        source: None,
    }
}

/// Looks places up; each file's syntax tree is built at most once, and only if it has a problem.
struct Places<'a> {
    files: &'a [ManifestFile],
    secrets: &'a Secrets,
    locators: Vec<Option<Locator>>,
    lines: Vec<Option<Vec<&'a str>>>,
}

impl Places<'_> {
    fn resolve(&mut self, problem: Problem) -> Option<problem::Problem> {
        if problem.unless_anchored && self.anchored(&problem.place) {
            return None;
        }
        let (position, source) = self.look_up(&problem.place);
        let related = problem.related.map(|(label, place)| {
            let (position, _) = self.look_up(&place);
            position.map_or_else(|| label.to_owned(), |position| format!("{label} {position}"))
        });
        let help = match (related, problem.help) {
            (Some(related), Some(help)) => Some(format!("{related}; {help}")),
            (related, help) => related.or(help),
        };
        Some(problem::Problem {
            severity: problem.severity,
            code: problem.code.to_owned(),
            message: self.secrets.hide(problem.message),
            position,
            help: help.map(|help| self.secrets.hide(help)),
            source,
        })
    }

    /// A line of a file of the project without the secrets in it.
    fn masked(&mut self, file: usize, line: u32, text: &str) -> String {
        let Some((content, lines)) = self.files.get(file).zip(self.lines.get_mut(file)) else { return excerpt::clipped(text).to_owned() };
        let lines = lines.get_or_insert_with(|| {
            let text = std::str::from_utf8(&content.content).unwrap_or_default();
            text.strip_prefix('\u{feff}').unwrap_or(text).lines().collect()
        });
        let index = line.saturating_sub(1) as usize;
        match lines.get(index) {
            Some(line) if *line == text => excerpt::masked(lines, index),
            _ => excerpt::masked(&[text], 0),
        }
    }

    fn locator(&mut self, file: usize) -> Option<&Locator> {
        let content = &self.files.get(file)?.content;
        let slot = self.locators.get_mut(file)?;
        if slot.is_none() {
            let text = std::str::from_utf8(content).ok()?;
            *slot = Some(Locator::new(text.strip_prefix('\u{feff}').unwrap_or(text)));
        }
        slot.as_ref()
    }

    fn anchored(&mut self, place: &Place) -> bool {
        match place {
            Place::Pointer { file, pointer, .. } => self.locator(*file).is_some_and(|locator| locator.is_anchored(pointer)),
            _ => false,
        }
    }

    fn look_up(&mut self, place: &Place) -> (Option<Position>, Option<SourceLine>) {
        match place {
            Place::File(file) => (Some(Position { file: file.clone(), line: 1, column: 1 }), None),
            Place::Exact(Exact { position, line, length }) => {
                // Lines of calendars and of Python come as they are.
                let file = self.files.iter().position(|file| file.path == position.file);
                let text = file.map_or_else(|| excerpt::clipped(line).to_owned(), |file| self.masked(file, position.line, line));
                (Some(position.clone()), source_line(text, *length))
            }
            Place::Pointer { file, pointer, at } => {
                let name = self.files.get(*file).map_or_else(String::new, |file| file.path.clone());
                let Some(found) = self.locator(*file).and_then(|locator| locator.find(pointer, *at)) else {
                    return (Some(Position { file: name, line: 1, column: 1 }), None);
                };
                let Found { line, column, text, length } = found;
                let text = self.masked(*file, line, &text);
                (Some(Position { file: name, line, column }), source_line(text, length))
            }
        }
    }
}

fn source_line(text: String, length: u32) -> Option<SourceLine> {
    (!text.is_empty()).then_some(SourceLine { text, length: length.max(1) })
}

/// Text from a file as it may stand in a message: in backticks, short, nothing that moves a terminal's cursor.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut clean: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        clean.push('…');
    }
    format!("`{clean}`")
}

/// A value in words: `the text `x``, `a list`.
pub fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        Value::String(text) => format!("the text {}", shown(text)),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(map) if map.is_empty() => "an empty mapping".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}
