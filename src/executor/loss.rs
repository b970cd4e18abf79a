//! Why a run has no outcome, with the evidence: the sentence of a run that is Crashed because nobody saw its end. `process.rs` gathers
//! the facts.
use super::outcome::signal_text;

/// How its supervisor is known to be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gone {
    /// The run's record is of another boot of this machine.
    Restarted,
    /// The kernel said so to the daemon that is its parent.
    Killed { signal: i32 },
    Exited { code: i32 },
    /// Seen by a daemon that is not its parent: how it ended is not to be learned.
    Ended,
    /// A daemon that came later looked for it.
    NotFound,
    /// It could not be looked for.
    Unknown { why: String },
}

/// What is known of a run that left no outcome.
#[derive(Debug)]
pub(super) struct Loss {
    pub gone: Gone,
    /// Its supervisor's pid; 0 where that is not known.
    pub supervisor: u32,
    /// It is on record that the run's process began.
    pub began: bool,
    pub directory_removed: bool,
    /// Why the record cannot be read.
    pub unreadable: Option<String>,
    /// Processes of the run that were still there and were killed now.
    pub killed: usize,
}

impl Loss {
    /// For people: what happened, and by what that is known.
    pub fn sentence(&self) -> String {
        let pid = if self.supervisor == 0 { String::new() } else { format!(" (process {})", self.supervisor) };
        let mut text = match &self.gone {
            Gone::Restarted => "the machine was restarted while the run was going on: its record is of another boot".to_owned(),
            Gone::Killed { signal } => format!("the run's supervisor{pid} was killed by {}", signal_text(*signal)),
            Gone::Exited { code } => format!("the run's supervisor{pid} exited with code {code} and left no outcome"),
            Gone::Ended => format!("the run's supervisor{pid} ended and left no outcome"),
            Gone::NotFound => format!("the run's supervisor{pid} was killed while no daemon was watching: it is gone and left no outcome"),
            Gone::Unknown { why } => format!("the run's supervisor{pid} cannot be examined: {why}"),
        };
        let mut add = |clause: &str| text.extend(["; ", clause]);
        match (&self.unreadable, self.directory_removed) {
            (Some(why), _) => add(&format!("its record cannot be read: {why}")),
            (None, true) => add("the run's directory was removed"),
            (None, false) if !self.began => add("it had not noted yet that the run's process began"),
            (None, false) => {}
        }
        match self.killed {
            0 if self.gone == Gone::Restarted => {}
            0 => add("no process of the run is left"),
            1 => add("1 process of the run was left and has been killed"),
            killed => add(&format!("{killed} processes of the run were left and have been killed")),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_says_what_happened_and_by_what_that_is_known() {
        let loss = |gone| Loss { gone, supervisor: 12, began: true, directory_removed: false, unreadable: None, killed: 0 };
        let table = [
            (loss(Gone::Restarted), "the machine was restarted while the run was going on: its record is of another boot"),
            (
                Loss { killed: 2, ..loss(Gone::Killed { signal: 9 }) },
                "the run's supervisor (process 12) was killed by SIGKILL (signal 9); 2 processes of the run were left and have been killed",
            ),
            (
                Loss { began: false, ..loss(Gone::Killed { signal: 9 }) },
                "the run's supervisor (process 12) was killed by SIGKILL (signal 9); it had not noted yet that the run's process began; \
                 no process of the run is left",
            ),
            (
                Loss { killed: 1, ..loss(Gone::Exited { code: 1 }) },
                "the run's supervisor (process 12) exited with code 1 and left no outcome; 1 process of the run was left and has been killed",
            ),
            (
                Loss { directory_removed: true, began: false, ..loss(Gone::Ended) },
                "the run's supervisor (process 12) ended and left no outcome; the run's directory was removed; no process of the run is left",
            ),
            (
                Loss { supervisor: 0, ..loss(Gone::NotFound) },
                "the run's supervisor was killed while no daemon was watching: it is gone and left no outcome; no process of the run is left",
            ),
            (
                Loss { unreadable: Some("EIO".into()), began: false, ..loss(Gone::Unknown { why: "EPERM".into() }) },
                "the run's supervisor (process 12) cannot be examined: EPERM; its record cannot be read: EIO; no process of the run is left",
            ),
        ];
        for (loss, sentence) in table {
            assert_eq!(loss.sentence(), sentence, "{loss:?}");
        }
    }
}
