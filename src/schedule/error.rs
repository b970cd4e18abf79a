//! Why a schedule was refused: one sentence for the person who must repair it, with its parts kept apart so that a
//! diagnostic can point at the place. Never says only "invalid".

use std::fmt;

/// A refused schedule. `Display` gives a lower-case sentence that reads after "failed to read the schedule:".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub problem: String,
    /// The offending text, as the user wrote it.
    pub found: Option<String>,
    /// What would have been accepted in its place.
    pub expected: Option<String>,
    /// What to write instead, where that can be guessed.
    pub suggestion: Option<String>,
    /// Byte offset of `found` in the expression, where known.
    pub offset: Option<usize>,
}

impl Error {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), found: None, expected: None, suggestion: None, offset: None }
    }

    pub(crate) fn found(mut self, text: impl Into<String>) -> Self {
        self.found = Some(text.into());
        self
    }

    pub(crate) fn expected(mut self, text: impl Into<String>) -> Self {
        self.expected = Some(text.into());
        self
    }

    pub(crate) fn suggestion(mut self, text: impl Into<String>) -> Self {
        self.suggestion = Some(text.into());
        self
    }

    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match (&self.found, &self.expected) {
            (Some(found), Some(expected)) => write!(f, ": found `{found}`, expected {expected}")?,
            (Some(found), None) => write!(f, ": found `{found}`")?,
            (None, Some(expected)) => write!(f, ": expected {expected}")?,
            (None, None) => {}
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
