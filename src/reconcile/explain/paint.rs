//! Lines of text: colour where it is asked for, clipped to the width, and never an escape code that a file brought in.
use super::Style;
use crate::model::name::visible;

/// What a piece of text is; decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Strong,
    Faint,
    Good,
    Change,
    Bad,
}

impl Ink {
    fn code(self) -> Option<&'static str> {
        match self {
            Ink::Plain => None,
            Ink::Strong => Some("1"),
            Ink::Faint => Some("2"),
            Ink::Good => Some("32"),
            Ink::Change => Some("33"),
            Ink::Bad => Some("31"),
        }
    }
}

/// A page that grows by lines.
pub(super) struct Page {
    style: Style,
    text: String,
}

impl Page {
    pub fn new(style: Style) -> Self {
        Page { style, text: String::new() }
    }

    /// Adds a line of pieces. Control characters would move the cursor or repaint the terminal, others turn the direction of text: they
    /// are shown, not obeyed. What does not fit the width is cut off and marked with `…`.
    pub fn line(&mut self, pieces: &[(Ink, &str)]) {
        let mut left = self.style.width.unwrap_or(usize::MAX);
        let whole: usize = pieces.iter().map(|(_, text)| text.chars().count()).sum();
        let fits = whole <= left;
        for (ink, text) in pieces {
            let shown: String = match fits {
                true => text.chars().map(visible).collect(),
                false => text.chars().take(left.saturating_sub(1)).map(visible).collect(),
            };
            left -= shown.chars().count().min(left);
            self.piece(*ink, &shown);
        }
        if !fits {
            self.text.push('…');
        }
        let end = self.text.trim_end_matches(' ').len();
        self.text.truncate(end);
        self.text.push('\n');
    }

    /// Adds an empty line, unless one stands there or nothing does.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Adds text that is broken between words at the width, with `indent` spaces before all lines but the first,
    /// which begins with `lead`.
    pub fn paragraph(&mut self, ink: Ink, lead: &str, indent: usize, text: &str) {
        let width = self.style.width.unwrap_or(usize::MAX);
        let mut line = lead.to_owned();
        let mut empty = true;
        for word in text.split_whitespace() {
            if !empty && line.chars().count() + 1 + word.chars().count() > width {
                self.line(&[(ink, &line)]);
                line = " ".repeat(indent);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&[(ink, &line)]);
    }

    pub fn finish(self) -> String {
        self.text
    }

    fn piece(&mut self, ink: Ink, shown: &str) {
        match ink.code().filter(|_| self.style.colour && !shown.is_empty()) {
            Some(code) => {
                self.text.push_str("\x1b[");
                self.text.push_str(code);
                self.text.push('m');
                self.text.push_str(shown);
                self.text.push_str("\x1b[0m");
            }
            None => self.text.push_str(shown),
        }
    }
}
