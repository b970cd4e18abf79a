//! The content lines of a calendar file: unfolded, split into name, parameters and value (RFC 5545, 3.1).

use std::borrow::Cow;

/// One content line.
#[derive(Debug)]
pub struct Line<'a> {
    /// Of its first line in the file, from 1.
    pub number: usize,
    /// Its first line in the file.
    pub first: &'a str,
    /// In upper case.
    pub name: String,
    /// Names in upper case, values without their quotes.
    pub parameters: Vec<(String, String)>,
    pub value: String,
}

impl Line<'_> {
    /// Whether it is `name:value`, in any case.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.name == name && self.value.trim().eq_ignore_ascii_case(value)
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All content lines, folded ones put together; empty ones are left out.
pub fn lines(text: &str) -> Vec<Line<'_>> {
    let mut folded: Vec<(usize, &str, Cow<'_, str>)> = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), folded.last_mut()) {
            (Some(rest), Some((_, _, whole))) => whole.to_mut().push_str(rest),
            _ if line.trim().is_empty() => {}
            _ => folded.push((index + 1, line, Cow::Borrowed(line))),
        }
    }
    folded.into_iter().map(|(number, first, whole)| split(number, first, &whole)).collect()
}

/// A line without a `:` has its whole text as its name, which nobody looks for.
fn split<'a>(number: usize, first: &'a str, whole: &str) -> Line<'a> {
    let mut quoted = false;
    let mut parts: Vec<&str> = Vec::new();
    let (mut from, mut value) = (0, "");
    for (at, byte) in whole.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                parts.push(&whole[from..at]);
                from = at + 1;
            }
            b':' if !quoted => {
                value = &whole[at + 1..];
                parts.push(&whole[from..at]);
                from = whole.len();
                break;
            }
            _ => {}
        }
    }
    if from < whole.len() {
        parts.push(&whole[from..]);
    }
    let mut parts = parts.into_iter();
    let name = parts.next().unwrap_or_default().trim().to_ascii_uppercase();
    let parameter = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_uppercase(), value.trim().trim_matches('"').to_owned()))
    };
    Line { number, first, name, parameters: parts.filter_map(parameter).collect(), value: value.to_owned() }
}
