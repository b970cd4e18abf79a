//! What `{{ }}` becomes: Prefect's placeholder form, for manifests, job variables and steps.
//!
//! The form is `{{ name }}` where `name` is of word characters, `.`, `-`, `[`, `]` and `$`. It is not Jinja: a filter, an
//! expression or a call is ordinary text and stays as it stands. Unlike Prefect, nothing is ever dropped: what the caller
//! cannot resolve stays in the value and is reported with its place. Must never read an environment or a store itself.
pub mod faults;
pub mod job;
mod text;

use serde_json::Value;
use std::ops::Range;

/// Levels of nesting that [`render`] follows; YAML and JSON readers stop at 128 as well.
pub const MAX_DEPTH: usize = 128;

/// What the name in a placeholder refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    /// `$NAME`: an environment variable, without its `$`.
    Environment(&'a str),
    /// `prefect.blocks.<type>.<name>[.<key>]`, without the prefix.
    Block(&'a str),
    /// `prefect.variables.<name>`, without the prefix.
    Variable(&'a str),
    /// `ctx.…`, without the prefix: known where the run starts.
    Context(&'a str),
    /// `parameters.…`, without the prefix.
    Parameter(&'a str),
    /// Any other bare or dotted name: a step's output, a job variable.
    Value(&'a str),
}

impl<'a> Reference<'a> {
    /// Classifies the name of a placeholder by its prefix, as Prefect 3 does.
    pub fn of(name: &'a str) -> Self {
        if name.starts_with('$') {
            return Self::Environment(name.trim_start_matches('$'));
        }
        let kinds: [(&str, fn(&'a str) -> Self); 4] = [
            ("prefect.blocks.", Self::Block),
            ("prefect.variables.", Self::Variable),
            ("ctx.", Self::Context),
            ("parameters.", Self::Parameter),
        ];
        kinds
            .iter()
            .find_map(|(prefix, kind)| name.strip_prefix(prefix).map(kind))
            .unwrap_or(Self::Value(name))
    }
}

/// One placeholder in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// Bytes of the text from the first `{` to the last `}`.
    pub range: Range<usize>,
    /// The name between the braces, without white space.
    pub name: String,
}

impl Placeholder {
    /// What the name refers to.
    pub fn reference(&self) -> Reference<'_> {
        Reference::of(&self.name)
    }
}

/// All placeholders of a text, in order; time linear in its length.
pub fn placeholders(text: &str) -> Vec<Placeholder> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("{{").map(|offset| at + offset) {
        match placeholder_at(text, start) {
            Some(placeholder) => {
                at = placeholder.range.end;
                found.push(placeholder);
            }
            None => at = start + 1,
        }
    }
    found
}

/// The environment variables that a text names: `$X`, and bare names that could be one's.
pub fn variables(text: &str) -> Vec<String> {
    let names = placeholders(text).into_iter().filter_map(|placeholder| match placeholder.reference() {
        Reference::Environment(name) | Reference::Value(name) if is_variable(name) => Some(name.to_owned()),
        _ => None,
    });
    names.collect()
}

/// Whether a bare name could be one of the environment.
pub fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn placeholder_at(text: &str, start: usize) -> Option<Placeholder> {
    let inside = text[start + 2..].trim_start();
    let name = &inside[..inside.find(|c| !is_name(c)).unwrap_or(inside.len())];
    let rest = inside[name.len()..].trim_start().strip_prefix("}}")?;
    (!name.is_empty()).then(|| Placeholder {
        range: start..text.len() - rest.len(),
        name: name.to_owned(),
    })
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']' | '$')
}

/// The caller's answer for one reference.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// Its value; it is not rendered again.
    Value(Value),
    /// Stays verbatim, for whoever knows it later.
    Keep,
    /// Nobody knows it: stays verbatim and is reported.
    Missing,
}

/// A placeholder (or a place) that could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// JSON pointer (RFC 6901) of the text in the value given.
    pub path: String,
    /// The placeholder's name; empty for [`Reason::TooDeep`].
    pub name: String,
    /// Whether the placeholder is the whole text.
    pub whole: bool,
    /// Why.
    pub reason: Reason,
}

/// Why a place is unresolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The name is not known.
    Missing,
    /// Nested deeper than [`MAX_DEPTH`]; nothing below was rendered.
    TooDeep,
}

/// What [`render`] made.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The value, of the same shape as the one given.
    pub value: Value,
    /// What is left, in the order of the value.
    pub unresolved: Vec<Unresolved>,
}

/// Replaces the placeholders in all texts of a value (keys are not rendered). A text that is one placeholder becomes the
/// typed value; inside other text a value is written as Python's `str` writes it, which is Prefect's rule.
/// `{{ event.… }}` belongs to automations and stays verbatim, unreported, unless the caller knows it.
pub fn render(value: &Value, resolve: &mut dyn FnMut(&Reference) -> Resolution) -> Rendered {
    let mut renderer = Renderer {
        resolve,
        path: Vec::new(),
        unresolved: Vec::new(),
    };
    let value = renderer.value(value);
    Rendered {
        value,
        unresolved: renderer.unresolved,
    }
}

struct Renderer<'r> {
    resolve: &'r mut dyn FnMut(&Reference) -> Resolution,
    path: Vec<String>,
    unresolved: Vec<Unresolved>,
}

impl Renderer<'_> {
    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(_) | Value::Object(_) if self.path.len() >= MAX_DEPTH => {
                self.report("", false, Reason::TooDeep);
                value.clone()
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                Value::Array(
                    items
                        .map(|(index, item)| self.below(index.to_string(), item))
                        .collect(),
                )
            }
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, field)| (key.clone(), self.below(key.clone(), field)))
                    .collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn below(&mut self, step: String, value: &Value) -> Value {
        self.path.push(step);
        let rendered = self.value(value);
        self.path.pop();
        rendered
    }

    fn text(&mut self, text: &str) -> Value {
        let found = placeholders(text);
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for placeholder in &found {
            let whole = placeholder.range == (0..text.len());
            match (self.resolve)(&placeholder.reference()) {
                Resolution::Value(value) if whole => return value,
                Resolution::Value(value) => {
                    out.push_str(&text[copied..placeholder.range.start]);
                    text::write(&value, &mut out);
                    copied = placeholder.range.end;
                }
                Resolution::Missing if !placeholder.name.starts_with("event.") => {
                    self.report(&placeholder.name, whole, Reason::Missing);
                }
                Resolution::Missing | Resolution::Keep => {}
            }
        }
        out.push_str(&text[copied..]);
        Value::String(out)
    }

    fn report(&mut self, name: &str, whole: bool, reason: Reason) {
        let path = self
            .path
            .iter()
            .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
            .collect();
        self.unresolved.push(Unresolved {
            path,
            name: name.to_owned(),
            whole,
            reason,
        });
    }
}

/// Finds `a.b[0].c` in a nested value. A key that is the whole path wins, since step outputs may have dots in their names.
pub fn lookup<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    path.split('.').try_fold(value, |value, segment| {
        let (key, indices) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
        let value = if key.is_empty() && !indices.is_empty() {
            value
        } else {
            value.get(key)?
        };
        indices
            .split_inclusive(']')
            .try_fold(value, |value, index| {
                value.get(
                    index
                        .strip_prefix('[')?
                        .strip_suffix(']')?
                        .parse::<usize>()
                        .ok()?,
                )
            })
    })
}

#[cfg(test)]
mod tests;
