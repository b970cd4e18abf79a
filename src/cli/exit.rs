//! The exit codes: one table, frozen, for every command.
//!
//! A script may rely on these numbers for ever; a new meaning gets a new number, never an old one.
use std::process::ExitCode;

/// How a command ended, for the machine that called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or everything is in sync.
    Done,
    /// An error; a wrong command line is one too.
    Error,
    /// A dry run found changes, and all of them are safe.
    Changes,
    /// A guard refused: what was asked for would take away more than was said, or belongs to a project.
    Refused,
    /// A dry run found changes, and some of them delete or stop something.
    Destructive,
    /// The files say what they said, but what is stored has moved away from them.
    Drift,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Changes => 2,
            Exit::Refused => 3,
            Exit::Destructive => 4,
            Exit::Drift => 5,
        }
    }

    /// The exit that a plan's number stands for: the design's table is the plan's too.
    pub fn of_plan(code: u8) -> Exit {
        let all = [Exit::Done, Exit::Error, Exit::Changes, Exit::Refused, Exit::Destructive, Exit::Drift];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Error)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_frozen() {
        let codes = [Exit::Done, Exit::Error, Exit::Changes, Exit::Refused, Exit::Destructive, Exit::Drift];
        assert_eq!(codes.map(Exit::code), [0, 1, 2, 3, 4, 5]);
    }
}
