//! The clock of a round: that of its daemons, spawners and supervisors, which is set while they live and while they do not. The
//! machine's own is left alone (`src/clock/moved.rs`).
use jiff::{SignedDuration, Timestamp};
use reeve::clock;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A release build has no clock that a test can set.
pub const CAN_BE_SET: bool = cfg!(debug_assertions);

/// So far before the machine's clock a round begins, so that it can be set back without coming to a time before its schedules.
pub const BEGINS: SignedDuration = SignedDuration::from_hours(-2);

/// No further ahead of the machine's: directories of runs are kept for 7 days.
pub const FURTHEST: SignedDuration = SignedDuration::from_hours(100);

pub struct Clock {
    file: PathBuf,
    /// When it was set, by the machine's clock, and how far from that; the first is its beginning.
    settings: Vec<(Timestamp, SignedDuration)>,
}

impl Clock {
    pub fn new(directory: &Path) -> Clock {
        let mut clock = Clock { file: directory.join("clock"), settings: Vec::new() };
        clock.set(if CAN_BE_SET { BEGINS } else { SignedDuration::ZERO });
        clock
    }

    /// Gives a process this clock.
    pub fn give(&self, command: &mut Command) {
        #[cfg(debug_assertions)]
        command.env(clock::moved::VARIABLE, &self.file);
    }

    pub fn now(&self) -> Timestamp {
        clock::exact() + self.offset()
    }

    pub fn offset(&self) -> SignedDuration {
        self.settings.last().map_or(SignedDuration::ZERO, |(_, offset)| *offset)
    }

    pub fn set(&mut self, offset: SignedDuration) {
        let aside = self.file.with_extension("new");
        fs::write(&aside, offset.as_nanos().to_string()).unwrap();
        self.settings.push((clock::exact(), offset));
        fs::rename(aside, &self.file).unwrap();
    }

    /// What it showed from `before` the machine's instant `at` up to that, each time that it was set.
    pub fn shown(&self, at: Timestamp, before: Duration) -> impl Iterator<Item = Timestamp> {
        let ends = self.settings.iter().skip(1).map(|(set, _)| *set).chain([Timestamp::MAX]);
        let shown = self.settings.iter().zip(ends).filter(move |((set, _), end)| *set <= at && *end >= at - before);
        shown.map(move |((_, offset), _)| at + *offset)
    }

    /// Whether it ever showed more than now, but less than `than` more.
    pub fn has_shown_more(&self, than: SignedDuration) -> bool {
        let (machine, now) = (clock::exact(), self.now());
        let ends = self.settings.iter().skip(1).map(|(set, _)| *set);
        self.settings.iter().zip(ends).any(|((set, offset), end)| *set + *offset < now + than && end.min(machine) + *offset > now)
    }

    /// Whether it was set forward over an instant, from before it or at most `slack` after it, and to more than `by` less `slack` after it.
    pub fn leapt_over(&self, instant: Timestamp, by: SignedDuration, slack: SignedDuration) -> bool {
        self.settings.windows(2).any(|pair| {
            let ((_, before), (at, after)) = (pair[0], pair[1]);
            before < after && at + before <= instant + slack && at + after >= instant + by - slack
        })
    }
}
