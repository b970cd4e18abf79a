//! A value with the way to it: typed reading that reports what it finds instead of failing.
//!
//! Every reader gives `None` when the value is absent, null or wrong, and has then said what is wrong. The way is
//! a chain on the stack: nothing is allocated for a value that is right.
use super::report::{At, Place, Problem, Report, described, shown};
use super::words;
use crate::model::JsonMap;
use crate::model::secret::looks_secret;
use serde_json::Value;
use std::ops::Range;

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    File(usize),
    Key(&'a str),
    Index(usize),
}

/// The way from a file to a value.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

impl<'a> Path<'a> {
    pub fn file(index: usize) -> Self {
        Path { parent: None, step: Step::File(index) }
    }

    pub fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// The JSON pointer in the file (RFC 6901).
    pub fn pointer(&self) -> String {
        let mut pointer = self.parent.map_or_else(String::new, Path::pointer);
        match self.step {
            Step::File(_) => {}
            Step::Key(key) => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => pointer.push_str(&format!("/{index}")),
        }
        pointer
    }

    pub fn file_index(&self) -> usize {
        match (self.parent, self.step) {
            (_, Step::File(index)) => index,
            (Some(parent), _) => parent.file_index(),
            (None, _) => 0,
        }
    }

    pub fn place(&self, at: At) -> Place {
        Place::Pointer { file: self.file_index(), pointer: self.pointer(), at }
    }

    /// The place of the text at `pointer` below this value: the bytes `part` of it, or all of it.
    pub fn part_below(&self, pointer: &str, text: &str, part: Option<Range<usize>>) -> Place {
        let count = |text: &str| text.chars().count() as u32;
        let at = match part.and_then(|part| Some((text.get(..part.start)?, text.get(part)?))) {
            Some((before, part)) => At::Part { start: count(before), length: count(part) },
            None => At::Value,
        };
        Place::Pointer { file: self.file_index(), pointer: format!("{}{pointer}", self.pointer()), at }
    }

    /// The keys on the way, from the file on.
    pub fn keys(&self) -> Vec<&'a str> {
        let mut keys = self.parent.map_or_else(Vec::new, Path::keys);
        if let Step::Key(key) = self.step {
            keys.push(key);
        }
        keys
    }

    /// What to call the value in a sentence: `` `tags` ``, `` `tags[2]` ``.
    fn name(&self) -> String {
        match (self.step, self.parent) {
            (Step::Key(key), _) => key.to_owned(),
            (Step::Index(index), Some(parent)) => format!("{}[{index}]", parent.name()),
            _ => "the file".to_owned(),
        }
    }
}

/// A value, the way to it and where to report.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub value: &'a Value,
    pub path: Path<'a>,
    pub report: &'a Report<'a>,
}

/// Bytes of text in one deployment or work pool: its record must fit into one value of the store (1 MiB) with all else that it holds.
const MOST_BYTES: usize = 900_000;

/// About what a value takes as JSON. The depth of what was read is bounded.
fn bytes_in(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| bytes_in(item) + 1).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + 4 + bytes_in(value)).sum(),
    }
}

impl<'a> Node<'a> {
    pub fn new(value: &'a Value, path: Path<'a>, report: &'a Report<'a>) -> Self {
        Node { value, path, report }
    }

    /// The same place with another value, such as the rendered one.
    pub fn with<'b>(&'b self, value: &'b Value) -> Node<'b> {
        Node { value, path: self.path, report: self.report }
    }

    /// The field `key`, when it is there and not null.
    pub fn field<'b>(&'b self, key: &'b str) -> Option<Node<'b>> {
        self.field_or_null(key).filter(|field| !field.value.is_null())
    }

    /// The field `key`, when it is there.
    pub fn field_or_null<'b>(&'b self, key: &'b str) -> Option<Node<'b>> {
        let value = self.value.as_object()?.get(key)?;
        Some(Node { value, path: self.path.key(key), report: self.report })
    }

    pub fn place(&self, at: At) -> Place {
        self.path.place(at)
    }

    /// The last key on the way; empty for an item of a list.
    pub fn path_key(&self) -> &'a str {
        match self.path.step {
            Step::Key(key) => key,
            _ => "",
        }
    }

    /// Says so where the value, `what`, is larger than the record that is kept of it can be.
    pub fn keep_small(&self, what: &str) {
        let bytes = bytes_in(self.value);
        if bytes > MOST_BYTES {
            let message = format!("{what} holds {bytes} bytes of text; expected at most {MOST_BYTES}");
            self.report.push(self.error("too-large", message).help("put what is long into a file beside it, and name the file"));
        }
    }

    /// An error at the value.
    pub fn error(&self, code: &'static str, message: impl Into<String>) -> Problem {
        Problem::error(code, message, self.place(At::Value))
    }

    /// A warning at the value.
    pub fn warning(&self, code: &'static str, message: impl Into<String>) -> Problem {
        Problem::warning(code, message, self.place(At::Value))
    }

    /// The value's name in a sentence, in backticks.
    pub fn name(&self) -> String {
        shown(&self.path.name())
    }

    /// Says that the value is of the wrong kind.
    pub fn expected(&self, expected: &str) {
        self.report.push(self.unexpected(expected));
    }

    /// The problem that `expected` reports, to add a help to.
    pub fn unexpected(&self, expected: &str) -> Problem {
        if let Value::String(text) = self.value
            && text.contains("{{")
        {
            return self
                .error("unresolved", format!("{} must be {expected} now, and {} is not known yet", self.name(), shown(text)))
                .help("set the variable in the environment that renders this file, or write the value");
        }
        let found = match self.value {
            Value::String(_) if self.path.keys().into_iter().any(looks_secret) => "a text".to_owned(),
            value => described(value),
        };
        self.error("wrong-type", format!("{} is {found}; expected {expected}", self.name()))
    }

    /// A mapping; null is none, since `field` leaves null fields out.
    pub fn mapping(&self, expected: &str) -> Option<&'a JsonMap> {
        let map = self.value.as_object();
        if map.is_none() {
            self.expected(expected);
        }
        map
    }

    /// A list, or nothing.
    pub fn list(&self, expected: &str) -> Option<&'a [Value]> {
        match self.value {
            Value::Array(items) => Some(items),
            Value::Null => None,
            _ => {
                self.expected(expected);
                None
            }
        }
    }

    /// The items of a list with their ways.
    pub fn item<'b>(&'b self, index: usize, value: &'b Value) -> Node<'b> {
        Node { value, path: self.path.index(index), report: self.report }
    }

    /// A text; numbers and booleans count as they are written, with a warning where that can go wrong.
    pub fn text(&self) -> Option<String> {
        match self.value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => {
                let text = number.to_string();
                if !number.is_i64() && !number.is_u64() {
                    let message = format!("{} is a number and reads as `{text}`; expected a text", self.name());
                    self.report.push(self.warning("number-as-text", message).help("put it in quotes, so that it stays as it is written"));
                }
                Some(text)
            }
            _ => {
                self.expected("a text");
                None
            }
        }
    }

    /// True or false; PyYAML's `yes`, `no`, `on` and `off` count too, since the field is a boolean.
    pub fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Null => None,
            Value::Bool(value) => Some(*value),
            Value::String(text) if words::boolean(text).is_some() => words::boolean(text),
            _ => {
                self.expected("`true` or `false`");
                None
            }
        }
    }

    /// One of a few words. `also`: what others call them, for the help.
    pub fn word<T: Copy>(&self, expected: &str, words: &[(&'static str, T)], also: &[(&str, &'static str)]) -> Option<T> {
        let text = self.value.as_str();
        if let Some((_, value)) = words.iter().find(|(word, _)| Some(*word) == text) {
            return Some(*value);
        }
        let known = || words.iter().map(|(word, _)| *word);
        let meant = text.and_then(|text| {
            let plain = text.trim().to_lowercase().replace(['-', ' '], "_");
            let other = also.iter().find(|(other, _)| *other == plain).map(|(_, meant)| *meant);
            let exact = known().find(|word| *word == plain);
            exact.or(other.filter(|meant| known().any(|word| word == *meant))).or_else(|| words::closest(text, known()))
        });
        let mut problem = self.unexpected(expected);
        if let Some(meant) = meant {
            problem = problem.help(format!("did you mean `{meant}`?"));
        }
        self.report.push(problem);
        None
    }

    /// A whole number in a range, also when it is written as a text (as an environment variable gives it).
    pub fn integer(&self, minimum: u32, maximum: u32) -> Option<u32> {
        let (number, whole) = match self.value {
            Value::Null => return None,
            Value::Number(number) => (number.as_f64(), number.as_f64().is_some_and(|value| value.fract() == 0.0)),
            Value::String(text) => (text.trim().parse::<i64>().ok().map(|value| value as f64), true),
            _ => (None, false),
        };
        let expected = match (minimum, maximum) {
            (0, u32::MAX) => "a whole number, 0 or more".to_owned(),
            (minimum, u32::MAX) => format!("a whole number, {minimum} or more"),
            (minimum, maximum) => format!("a whole number from {minimum} to {maximum}"),
        };
        match number {
            Some(number) if whole && (f64::from(minimum)..=f64::from(maximum)).contains(&number) => Some(number as u32),
            Some(_) => {
                self.report.push(self.error("out-of-range", format!("{} is {}; expected {expected}", self.name(), described(self.value))));
                None
            }
            None => {
                self.expected(&expected);
                None
            }
        }
    }

    /// Seconds: a finite number, at least 0.
    pub fn seconds(&self) -> Option<f64> {
        let number = match self.value {
            Value::Null => return None,
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse::<f64>().ok(),
            _ => None,
        };
        match number {
            Some(seconds) if seconds.is_finite() && seconds >= 0.0 => Some(seconds),
            Some(_) => {
                self.report.push(self.error("out-of-range", format!("{} is {}; expected seconds, 0 or more", self.name(), described(self.value))));
                None
            }
            None => {
                self.expected("a number of seconds");
                None
            }
        }
    }

    /// A list of texts; one text stands for a list of one, and lists in the list (as anchors make them) are laid flat.
    /// Repeated ones are dropped.
    pub fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        self.collect_texts(&mut texts, 0);
        texts
    }

    fn collect_texts(&self, texts: &mut Vec<String>, depth: usize) {
        match self.value {
            Value::Null => {}
            Value::Array(items) if depth < 8 => {
                for (index, item) in items.iter().enumerate() {
                    self.item(index, item).collect_texts(texts, depth + 1);
                }
            }
            Value::Object(_) | Value::Array(_) => self.expected(if depth == 0 { "a text or a list of texts" } else { "a text" }),
            Value::Bool(value) => push_new(texts, value.to_string()),
            _ => {
                if let Some(text) = self.text() {
                    push_new(texts, text);
                }
            }
        }
    }

    /// Reports the keys that nobody reads: a warning with what was probably meant, an error when strict.
    /// Keys that begin with `x-` are nobody's business, as in Compose files.
    pub fn unknown_keys(&self, object: &str, known: &[&[&str]], not_yet: &[words::NotYet]) {
        self.unknown_keys_or(object, known, not_yet, &[]);
    }

    /// The same, but always an error: what these keys say decides what is deleted.
    pub fn only_known_keys(&self, object: &str, known: &[&str]) {
        let Some(map) = self.value.as_object() else { return };
        for key in map.keys().filter(|key| !known.contains(&key.as_str()) && !key.starts_with("x-")) {
            let help = match words::closest(key, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it may have {}", known.iter().map(|key| shown(key)).collect::<Vec<_>>().join(", ")),
            };
            let problem = Problem::error("misspelt-key", format!("unknown key {} in {object}", shown(key)), self.path.key(key).place(At::Key));
            self.report.push(problem.help(help));
        }
    }

    /// The same as `unknown_keys`, but an error where one of the `decisive` keys was probably meant and is not there: without it something else would
    /// run than what somebody wrote, or nothing, and what is stored would be pruned.
    pub fn unknown_keys_or(&self, object: &str, known: &[&[&str]], not_yet: &[words::NotYet], decisive: &[&str]) {
        let Some(map) = self.value.as_object() else { return };
        let is_known = |key: &str| known.iter().any(|keys| keys.contains(&key)) || key.starts_with("x-");
        for key in map.keys().filter(|key| !is_known(key)) {
            let place = self.path.key(key).place(At::Key);
            if let Some(later) = not_yet.iter().find(|later| later.key == key) {
                if !map[key].is_null() {
                    self.report.push(later.problem(place));
                }
                continue;
            }
            let message = format!("unknown key {} in {object}", shown(key));
            let meant = words::closest(key, known.iter().copied().flatten().copied());
            let decides = |meant: &&str| decisive.contains(meant) && words::is_slip(key, meant) && !map.contains_key(*meant);
            if let Some(meant) = meant.filter(decides).filter(|_| !map[key].is_null()) {
                let help = format!("did you mean `{meant}`? If it is a note of your own, call it {}", shown(&format!("x-{key}")));
                self.report.push(Problem::error("misspelt-key", message, place).help(help).unless_anchored());
                continue;
            }
            let problem = Problem::warning("unknown-key", message, place);
            let help = meant.map(|meant| format!("did you mean `{meant}`?"));
            self.report.push_strict(problem.maybe_help(help.or_else(|| words::elsewhere(key))).unless_anchored());
        }
    }
}

fn push_new(texts: &mut Vec<String>, text: String) {
    if !texts.contains(&text) {
        texts.push(text);
    }
}
