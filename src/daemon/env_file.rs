//! The text of an `env_file`, as dotenv files are written: `NAME=VALUE` lines, quotes, remarks. Nothing in it is expanded.
//!
//! Its values are secrets: no message may hold one, only where it stands.
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// What a text cannot be read for, and where: line and column count from 1, in characters.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    pub line: usize,
    pub column: usize,
    pub message: &'static str,
}

/// The variables of a text; of two with one name the last counts.
///
/// # Errors
/// The first line that is no variable.
pub fn read(text: &str) -> Result<BTreeMap<String, String>, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { rest: text.chars().peekable(), line: 1, column: 1 };
    let mut variables = BTreeMap::new();
    loop {
        reader.skip(char::is_whitespace);
        match reader.rest.peek() {
            None => return Ok(variables),
            Some('#') => reader.skip(|c| c != '\n'),
            Some(_) => {
                let (name, value) = reader.variable()?;
                variables.insert(name, value);
            }
        }
    }
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        (self.line, self.column) = if next == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        Some(next)
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        while self.rest.peek().is_some_and(|next| skipped(*next)) {
            self.next();
        }
    }

    fn wrong(&self, message: &'static str) -> Wrong {
        Wrong { line: self.line, column: self.column, message }
    }

    fn variable(&mut self) -> Result<(String, String), Wrong> {
        let start = self.wrong("expected NAME=VALUE");
        let mut name = String::new();
        while let Some(next) = self.rest.peek().copied().filter(|next| !matches!(next, '=' | '\n')) {
            name.push(next);
            self.next();
        }
        let bare = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(&name).trim();
        if self.rest.peek() != Some(&'=') || bare.is_empty() || bare.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'')) {
            return Err(start);
        }
        self.next();
        self.skip(is_blank);
        let value = match self.rest.peek().copied() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.bare(),
        };
        Ok((bare.to_owned(), value))
    }

    /// To the end of the line, or to a `#` after a blank.
    fn bare(&mut self) -> String {
        let mut value = String::new();
        while let Some(next) = self.rest.peek().copied().filter(|next| *next != '\n') {
            if next == '#' && value.chars().next_back().is_none_or(is_blank) {
                self.skip(|c| c != '\n');
                break;
            }
            value.push(next);
            self.next();
        }
        value.truncate(value.trim_end().len());
        value
    }

    /// To the closing quote, also over lines; then a remark may follow. Only double quotes know escapes.
    fn quoted(&mut self, quote: char) -> Result<String, Wrong> {
        let unclosed = self.wrong("this quote is never closed; expected the same quote at the value's end");
        self.next();
        let mut value = String::new();
        loop {
            match self.next() {
                None => return Err(unclosed),
                Some(next) if next == quote => break,
                Some('\r') if self.rest.peek() == Some(&'\n') => {}
                Some('\\') if quote == '"' => self.escape(&mut value),
                Some(next) => value.push(next),
            }
        }
        self.skip(is_blank);
        match self.rest.peek() {
            None | Some('\n') => Ok(value),
            Some('#') => {
                self.skip(|c| c != '\n');
                Ok(value)
            }
            Some(_) => Err(self.wrong("expected the line's end or a remark (#) after the closing quote; a quote inside is written \\\"")),
        }
    }

    /// What a backslash and the character after it mean between double quotes; both stay where they mean nothing.
    fn escape(&mut self, value: &mut String) {
        let meant = match self.rest.peek() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(same @ ('"' | '\\' | '$' | '`')) => *same,
            _ => return value.push('\\'),
        };
        self.next();
        value.push(meant);
    }
}

/// A carriage return stands before a line's end.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_dotenv_files_are_written() {
        for (text, found) in [
            ("", vec![]),
            ("\u{feff}A=1\r\nB=2\r\n", vec![("A", "1"), ("B", "2")]),
            ("# remark\n\n  export A = x y \nA=2", vec![("A", "2")]),
            ("A=\nB= # nothing\nC=a#b\nD=a # b", vec![("A", ""), ("B", ""), ("C", "a#b"), ("D", "a")]),
            ("M=\"x\" # c\nN=\"x\\\"y\"", vec![("M", "x"), ("N", "x\"y")]),
            ("K=\"multi\nline\"\nL='a\r\nb'#c", vec![("K", "multi\nline"), ("L", "a\nb")]),
            ("A=\"\\n\\t\\\\\\$\\d\" \nB='\\n\"'", vec![("A", "\n\t\\$\\d"), ("B", "\\n\"")]),
            ("A=it's\nB=a\"b\"\nC=$A\\n", vec![("A", "it's"), ("B", "a\"b\""), ("C", "$A\\n")]),
            ("exported=1\nexport=2", vec![("export", "2"), ("exported", "1")]),
        ] {
            let read = read(text).unwrap();
            assert_eq!(read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), found, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_variable_is_named_with_its_place() {
        for (text, line, column, said) in [
            ("A=1\n  hunter2\n", 2, 3, "NAME=VALUE"),
            ("=1", 1, 1, "NAME=VALUE"),
            ("A B=1", 1, 1, "NAME=VALUE"),
            ("A=1\nB= \"x\nC=2", 2, 4, "never closed"),
            ("A=\"x\"y\"", 1, 6, "closing quote"),
            ("A='it''s'", 1, 7, "closing quote"),
        ] {
            let wrong = read(text).unwrap_err();
            assert!((wrong.line, wrong.column) == (line, column) && wrong.message.contains(said), "{text:?}: {wrong:?}");
        }
    }
}
