//! A line of a file as it may be shown: `*` in place of each character of a secret, so that columns stay where they are.
//!
//! Secret is what stands under a secret-looking key (`{secret: ...}` is one), as far down as the indentation says, and the password of
//! an address. Works on text alone, since a file that is no YAML has problems to show, too. Placeholders say where a secret is
//! and not what it is; they stay, as `true`, `null` and the like do.
use crate::model::secret::{logins, looks_secret};
use crate::template;

/// Characters of a line that are shown; no more is looked at, however long a line is.
const LONGEST: usize = 2_000;

/// So many lines above are looked at for the keys that a line stands below: no secret is longer.
const MOST_LINES: usize = 10_000;

/// The beginning of a line, as far as it is shown.
pub fn clipped(line: &str) -> &str {
    line.char_indices().nth(LONGEST).map_or(line, |(end, _)| &line[..end])
}

/// The line `index` of a file, clipped.
pub fn masked(lines: &[&str], index: usize) -> String {
    let Some(line) = lines.get(index).map(|line| clipped(line)) else { return String::new() };
    let around = match within(lines, index) {
        Within::Nothing => false,
        Within::Secret => true,
        Within::Block => return stars(line),
    };
    let mut scan = Scan { rest: line, shown: String::with_capacity(line.len()), around, flow: Vec::new(), secret: around, has_key: false };
    while scan.step() {}
    scan.shown
}

/// What a line stands in.
enum Within {
    Nothing,
    /// Below a secret-looking key.
    Secret,
    /// In the text that `|` or `>` begins below one.
    Block,
}

fn within(lines: &[&str], index: usize) -> Within {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_item = |line: &str| line.trim_start().starts_with('-');
    let (mut column, mut item) = (indent(lines[index]), is_item(lines[index]));
    for line in lines[..index].iter().rev().take(MOST_LINES) {
        let own = indent(line);
        if own > column {
            continue;
        }
        let line = clipped(line);
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') || own == column && (!item || is_item(line)) {
            continue;
        }
        // Of a line that is nothing but indentation as far as it is looked at, nothing is known.
        let Some(rest) = line.get(own..) else { continue };
        let key_at = own + rest.len() - rest.trim_start_matches(['-', ' ']).len();
        if (key_at < column || own == column) && key(&line[key_at..]).is_some_and(looks_secret) {
            return match text.trim_end_matches(|c: char| c.is_ascii_digit() || "+-".contains(c)).ends_with(['|', '>']) {
                true => Within::Block,
                false => Within::Secret,
            };
        }
        (column, item) = (own, is_item(line));
        if column == 0 && !item {
            break;
        }
    }
    Within::Nothing
}

/// The key that a text begins with.
fn key(text: &str) -> Option<&str> {
    let (key, after) = scalar(text, false);
    is_colon(after.trim_start()).then(|| key.trim_matches(['"', '\'']))
}

fn is_colon(after: &str) -> bool {
    after.strip_prefix(':').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '{', '[', '"', '\'']))
}

/// The scalar that a text begins with, and what follows.
fn scalar(text: &str, in_flow: bool) -> (&str, &str) {
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        return text.split_at(quoted(text, quote));
    }
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        // A placeholder holds no end of a scalar.
        if rest.starts_with("{{") && let Some(length) = rest.find("}}") {
            at += length + 2;
            continue;
        }
        if is_colon(rest) || at > 0 && rest.starts_with('#') && text[..at].ends_with([' ', '\t']) || in_flow && rest.starts_with([',', '{', '}', '[', ']']) {
            break;
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    text.split_at(text[..at].trim_end().len())
}

/// The length of a quoted scalar with its quotes; one that does not end here goes on to the end of the line.
fn quoted(text: &str, quote: char) -> usize {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' && quote == '"' || letter == quote && quote == '\'' && letters.peek().is_some_and(|(_, next)| *next == quote) {
            letters.next();
        } else if letter == quote {
            return at + 1;
        }
    }
    text.len()
}

struct Scan<'a> {
    rest: &'a str,
    shown: String,
    /// The whole line stands under a secret-looking key.
    around: bool,
    /// For each mapping or list that is open, whether it stands under a secret-looking key.
    flow: Vec<bool>,
    /// The next scalar is a secret.
    secret: bool,
    /// A key was seen that stands in no `{}`: there is no other in the line.
    has_key: bool,
}

impl Scan<'_> {
    fn is_around(&self) -> bool {
        self.flow.last().copied().unwrap_or(self.around)
    }

    fn copy(&mut self, length: usize) {
        self.shown.push_str(&self.rest[..length]);
        self.rest = &self.rest[length..];
    }

    /// Shows the next piece; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        let opens = first == '[' || first == '{' && !self.rest.starts_with("{{");
        match first {
            ' ' | '\t' | ':' | '?' => self.copy(1),
            '#' if self.shown.is_empty() || self.shown.ends_with([' ', '\t']) => self.copy(self.rest.len()),
            '-' if self.rest[1..].is_empty() || self.rest[1..].starts_with(' ') => self.copy(1),
            _ if opens => {
                self.flow.push(self.secret);
                self.copy(1);
            }
            '}' | ']' if !self.flow.is_empty() => {
                self.secret = self.flow.pop().unwrap_or_default();
                self.copy(1);
            }
            ',' if !self.flow.is_empty() => {
                self.secret = self.is_around();
                self.copy(1);
            }
            '&' | '*' | '!' => self.copy(self.rest.find([' ', ',', '}', ']']).unwrap_or(self.rest.len())),
            _ => self.scalar(first),
        }
        true
    }

    fn scalar(&mut self, first: char) {
        let (text, after) = scalar(self.rest, !self.flow.is_empty());
        // What cannot begin a scalar stands for itself.
        let length = if text.is_empty() { first.len_utf8() } else { text.len() };
        let text = &self.rest[..length];
        let is_key = is_colon(after.trim_start());
        // Of `password: a: b` all is the password.
        let is_first = !self.flow.is_empty() || !self.has_key;
        if is_key && (!self.secret || self.is_around() && is_first) {
            self.has_key |= self.flow.is_empty();
            self.secret |= looks_secret(text.trim_matches(['"', '\'']));
            return self.copy(length);
        }
        match self.secret {
            true => self.shown.push_str(&starred(text)),
            false => {
                let mut shown = text.to_owned();
                logins(text).into_iter().rev().for_each(|range| shown.replace_range(range.clone(), &stars(&text[range])));
                self.shown.push_str(&shown);
            }
        }
        self.rest = &self.rest[length..];
    }
}

/// A secret scalar, with its quotes and placeholders.
fn starred(text: &str) -> String {
    const HARMLESS: [&str; 8] = ["true", "false", "null", "~", "|", ">", "|-", ">-"];
    if HARMLESS.contains(&text) {
        return text.to_owned();
    }
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    let inner = quote.map_or(0..text.len(), |quote| 1..text.len() - usize::from(text.len() > 1 && text.ends_with(quote)));
    let mut shown = text[..inner.start].to_owned();
    let mut at = inner.start;
    for placeholder in template::placeholders(text) {
        shown.push_str(&stars(&text[at..placeholder.range.start]));
        shown.push_str(&text[placeholder.range.clone()]);
        at = placeholder.range.end;
    }
    shown.push_str(&stars(&text[at..inner.end]));
    shown.push_str(&text[inner.end..]);
    shown
}

fn stars(text: &str) -> String {
    text.chars().map(|letter| if letter.is_whitespace() { letter } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_under_a_secret_name_is_starred_in_its_line() {
        for (line, shown) in [
            ("env: {B: {secret: literal-77}, DB_PASSWORD: literal-99, MODE: fast}", "env: {B: {secret: **********}, DB_PASSWORD: **********, MODE: fast}"),
            ("  DB_PASSWORD: some words # why", "  DB_PASSWORD: **** ***** # why"),
            ("  - access_token: \"a\\\"b\" # c", "  - access_token: \"****\" # c"),
            ("  'API_KEY' : 'it''s'", "  'API_KEY' : '*****'"),
            ("  password: &p !!str hunter2", "  password: &p !!str *******"),
            ("  password: a: b", "  password: *: *"),
            ("  password: \"open", "  password: \"****"),
            ("  tokens: [a, {b: c}], d", "  tokens: [*, {b: *}]* *"),
            ("  {tokens: [a, {b: c}], d: e}", "  {tokens: [*, {b: *}], d: e}"),
            ("  token: {{ $API_TOKEN }}", "  token: {{ $API_TOKEN }}"),
            ("  token: \"x{{ $A }}y\"", "  token: \"*{{ $A }}*\""),
            ("  token: true", "  token: true"),
            ("  token: a}, b: c", "  token: *** *: *"),
            ("  token:", "  token:"),
            ("  key: größe", "  key: *****"),
            ("  url: https://me:hunter2@host/a", "  url: https://me:*******@host/a"),
            ("command: echo a:b, c", "command: echo a:b, c"),
            ("\tx: @ ` % }", "\tx: @ ` % }"),
            ("", ""),
        ] {
            assert_eq!(masked(&[line], 0), shown, "{line}");
        }
    }

    #[test]
    fn what_stands_below_a_secret_name_is_starred() {
        let text = "\
env:
  CERT_KEY: |
    line: one

    line two
  MODE: fast
pull:
- git_clone:
    repository: x
    credentials:
      # whose
      username: me
      list:
      - one
    branch: main
tokens:
- one
- a: two
  b: three
other: four";
        let lines: Vec<&str> = text.lines().collect();
        let shown: Vec<String> = (0..lines.len()).map(|index| masked(&lines, index)).collect();
        let secret: Vec<(usize, &str)> = shown.iter().enumerate().filter(|(index, line)| line != &lines[*index]).map(|(index, line)| (index, line.as_str())).collect();
        assert_eq!(
            secret,
            [
                (2, "    ***** ***"),
                (4, "    **** ***"),
                (11, "      username: **"),
                (13, "      - ***"),
                (16, "- ***"),
                (17, "- a: ***"),
                (18, "  b: *****"),
            ]
        );
        let deep = |key: &str| format!("{}{key}: hunter2", " ".repeat(LONGEST + 5));
        assert_eq!(masked(&["token:", &deep("a"), &format!("  {}", deep("b"))], 2).trim(), "");
    }

    proptest::proptest! {
        #[test]
        fn columns_stay_and_nothing_panics(text in "[ a#:,{}\\[\\]'\"\\\\&!|$\n-]{0,40}|[ -~é\n]{0,60}") {
            let lines: Vec<&str> = text.lines().collect();
            for (index, line) in lines.iter().enumerate() {
                let shown = masked(&lines, index);
                proptest::prop_assert_eq!(shown.chars().count(), line.chars().count());
            }
        }

        #[test]
        fn no_secret_is_seen(value in "[a-z0-9]{9}", before in "(- )?|env: \\{A: [b-d], |x: \\{", after in "| # c|, d: e") {
            let line = format!("{before}DB_PASSWORD: {value}{after}");
            proptest::prop_assert!(!masked(&[&line], 0).contains(&value), "{}", line);
        }
    }
}
