//! What a command says when it cannot do what was asked: one message, its causes, and what to do about it.
//!
//! Messages are lower-case sentences; they go to standard error, never to standard output.
use super::exit::Exit;
use crate::model::name::visible;
use std::fmt;
use std::io::Write;

/// Why a command ended otherwise than asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    message: String,
    /// What led to it, outermost first.
    causes: Vec<String>,
    hints: Vec<String>,
    exit: Exit,
    /// The HTTP status, where the API said no.
    status: Option<u16>,
    /// The other side is not there, or not any more: it may come back.
    unreachable: bool,
}

impl CliError {
    pub fn new(message: impl Into<String>) -> Self {
        CliError { message: message.into(), causes: Vec::new(), hints: Vec::new(), exit: Exit::Error, status: None, unreachable: false }
    }

    /// `message`, with `error` and all that led to it as causes.
    pub fn because(message: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many libraries repeat the inner text in the outer one; saying it twice helps nobody.
            if !causes.last().is_some_and(|outer: &String| outer.contains(&text)) {
                causes.push(text);
            }
            next = cause.source();
        }
        CliError { causes, ..CliError::new(message) }
    }

    /// `message` with nothing but the innermost cause: for libraries that wrap one fact in several layers.
    pub fn at_root(message: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut root = error;
        while let Some(inner) = root.source() {
            root = inner;
        }
        CliError { causes: vec![root.to_string()], ..CliError::new(message) }
    }

    /// Adds what the reader can do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub fn unreachable(mut self) -> Self {
        self.unreachable = true;
        self
    }

    /// Whether the API was not there, went away while it answered, or said that it is about to.
    pub fn is_unreachable(&self) -> bool {
        self.unreachable || self.status == Some(503)
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether the API said that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.status == Some(404)
    }

    /// All of it on one line, where there is room for one only: with its causes and hints.
    pub fn sentence(&self) -> String {
        let hints = self.hints.iter().map(|hint| format!(" ({hint})"));
        std::iter::once(&self.message).chain(&self.causes).cloned().collect::<Vec<_>>().join(": ") + &hints.collect::<String>()
    }

    /// Writes it for people; a closed standard error is nobody's loss.
    pub fn report(&self, to: &mut dyn Write, colour: bool) {
        let (red, cyan, reset) = if colour { ("\u{1b}[1;31m", "\u{1b}[1;36m", "\u{1b}[0m") } else { ("", "", "") };
        // Names from files and answers of servers stand in it.
        let shown = |text: &str| text.chars().map(|letter| if letter == '\n' { letter } else { visible(letter) }).collect::<String>();
        let mut text = format!("{red}error{reset}: {}\n", shown(&self.message));
        for cause in &self.causes {
            text += &format!("  caused by: {}\n", shown(cause));
        }
        for hint in &self.hints {
            text += &format!("{cyan}hint{reset}: {}\n", shown(hint));
        }
        let _ = to.write_all(text.as_bytes());
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_reported_with_causes_and_hints() {
        let inner = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "not yours");
        let error = CliError::because("failed to read the home", &inner).hint("set REEVE_HOME");
        assert_eq!(error.sentence(), "failed to read the home: not yours (set REEVE_HOME)");
        let mut text = Vec::new();
        error.report(&mut text, false);
        assert_eq!(
            String::from_utf8_lossy(&text),
            "error: failed to read the home\n  caused by: not yours\nhint: set REEVE_HOME\n"
        );
    }
}
