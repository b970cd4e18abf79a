//! How a run ended: the record that a supervisor leaves as `exit.json`, and the sentence that people read.
//!
//! Versioned and additive: a newer daemon reads what an older supervisor wrote, since runs outlive upgrades. Facts are in the
//! fields; `message` is for people and is never parsed.
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The end of one attempt of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub version: u32,
    pub run_id: Uuid,
    pub attempt: u32,
    pub end: End,
    /// A sentence with the reason, lower case, without a full stop.
    pub message: String,
    /// When the run's process began; `None` where it never did.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When the run's main process ended (what it left behind may have been ended later).
    pub ended_at: Timestamp,
    /// How long its main process was there, measured: between the two instants a clock may have been set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_seconds: Option<f64>,
    #[serde(default)]
    pub resources: Resources,
    /// Processes that were still there when the main process had ended.
    #[serde(default)]
    pub leftover: Leftover,
    /// The last line of the traceback, for a Python function that raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// What a Python function returned, where it is small JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// What else should be known: sentences (the log is incomplete, ...).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The kinds of end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum End {
    Exited {
        code: i32,
    },
    /// By a signal that reeve did not send.
    Signaled {
        signal: i32,
        core_dumped: bool,
    },
    TimedOut {
        after: Duration,
        how: Ended,
    },
    /// By [`super::Executor::stop`], or by somebody who sent SIGTERM to the supervisor.
    Stopped {
        by: StoppedBy,
        how: Ended,
    },
    NotStarted {
        why: NotStarted,
    },
    /// The supervisor could not do its work.
    SupervisorFailed,
    /// Written by the daemon when the supervisor left nothing.
    Lost,
}

/// How a run ended that was told to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The grace that it had between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Exit code of the main process where it chose one.
    #[serde(default)]
    pub code: Option<i32>,
    /// Signal that ended the main process, where one did.
    #[serde(default)]
    pub signal: Option<i32>,
    /// How many processes had to be killed with SIGKILL: 0 means that SIGTERM was enough.
    pub killed: u32,
}

/// Who asked for the stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    Request,
    /// Another process sent SIGTERM to the supervisor (the system is shutting down, or a person).
    Signal {
        pid: u32,
    },
}

/// Why a run's process could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotStarted {
    NotFound,
    NotExecutable,
    WorkingDirectory,
    /// Its end was asked for before there was anything to end.
    Stopped,
    Other,
}

/// The sentence of [`NotStarted::Stopped`].
pub(super) const STOPPED_BEFORE_START: &str = "stopped before it was started";

/// What the run and all its descendants used together (getrusage(2), RUSAGE_CHILDREN).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Resources {
    pub user_seconds: f64,
    pub system_seconds: f64,
    /// Of the largest single process. Never less than what the supervisor's fork has before its exec (about 2.5 MB in a release build):
    /// the kernel keeps the peak of the memory that an exec gives up (`exec_mmap` of fs/exec.c), a vfork would count all of the
    /// supervisor's, and a process that has ended has no memory left that could be asked.
    pub peak_rss_bytes: u64,
}

/// Processes that the main process left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Leftover {
    pub found: u32,
    /// How many did not end on SIGTERM within the grace.
    pub killed: u32,
}

impl Outcome {
    /// One of which only the end is known, at `at`.
    pub(super) fn unknown(
        run_id: Uuid,
        attempt: u32,
        end: End,
        message: String,
        at: Timestamp,
    ) -> Outcome {
        Outcome {
            version: super::FORMAT_VERSION,
            run_id,
            attempt,
            end,
            message,
            started_at: None,
            ended_at: at,
            took_seconds: None,
            resources: Resources::default(),
            leftover: Leftover::default(),
            exception: None,
            value: None,
            notes: Vec::new(),
        }
    }

    /// The end was an exit with code 0 that nobody asked for.
    pub fn is_success(&self) -> bool {
        self.end == End::Exited { code: 0 }
    }
}

impl End {
    /// The sentence for people; `None` for the ends whose reason only their maker knows.
    pub fn sentence(&self) -> Option<String> {
        match self {
            End::Exited { code } => Some(format!("exited with code {code}")),
            End::Signaled {
                signal,
                core_dumped,
            } => {
                let core = if *core_dumped { " and dumped core" } else { "" };
                Some(format!("killed by {}{core}", signal_text(*signal)))
            }
            End::TimedOut { after, how } => Some(format!(
                "timed out after {}; {}",
                seconds(*after),
                how.sentence()
            )),
            End::Stopped {
                by: StoppedBy::Request,
                how,
            } => Some(format!("stopped on request; {}", how.sentence())),
            End::Stopped {
                by: StoppedBy::Signal { pid },
                how,
            } => Some(format!(
                "stopped because process {pid} sent SIGTERM to the supervisor; {}",
                how.sentence()
            )),
            End::NotStarted { .. } | End::SupervisorFailed | End::Lost => None,
        }
    }
}

impl Ended {
    /// What it took, as a phrase.
    pub fn sentence(&self) -> String {
        let mut text = match self.killed {
            0 => "ended on SIGTERM".to_owned(),
            killed => format!(
                "{killed} {} did not end on SIGTERM within {} and had to be killed",
                if killed == 1 { "process" } else { "processes" },
                seconds(self.grace)
            ),
        };
        if let Some(code) = self.code {
            let _infallible = write!(text, ", exit code {code}");
        }
        text
    }
}

impl Leftover {
    /// A clause that follows the sentence of the end; `None` where nothing was left.
    pub fn sentence(&self) -> Option<String> {
        let processes = match self.found {
            0 => return None,
            1 => "1 process that it left behind was ended".to_owned(),
            found => format!("{found} processes that it left behind were ended"),
        };
        Some(match self.killed {
            0 => processes,
            killed => format!("{processes} ({killed} with SIGKILL)"),
        })
    }
}

/// `2 s`, `1.5 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_millis() as f64 / 1000.0)
}

/// `SIGKILL (signal 9)`.
pub fn signal_text(signal: i32) -> String {
    format!("{} (signal {signal})", signal_name(signal))
}

/// The name of a signal on Linux (signal(7)).
fn signal_name(signal: i32) -> String {
    const NAMES: [&str; 32] = [
        "no signal",
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    match usize::try_from(signal)
        .ok()
        .and_then(|index| NAMES.get(index))
    {
        Some(name) => (*name).to_owned(),
        None => format!("SIGRTMIN+{}", signal - 34),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_a_sentence_with_its_reason() {
        let how = |code, signal, killed| Ended {
            grace: Duration::from_millis(1500),
            code,
            signal,
            killed,
        };
        let table = [
            (End::Exited { code: 3 }, "exited with code 3"),
            (
                End::Signaled {
                    signal: 9,
                    core_dumped: false,
                },
                "killed by SIGKILL (signal 9)",
            ),
            (
                End::Signaled {
                    signal: 11,
                    core_dumped: true,
                },
                "killed by SIGSEGV (signal 11) and dumped core",
            ),
            (
                End::TimedOut {
                    after: Duration::from_secs(2),
                    how: how(None, Some(15), 0),
                },
                "timed out after 2 s; ended on SIGTERM",
            ),
            (
                End::Stopped {
                    by: StoppedBy::Request,
                    how: how(None, Some(9), 2),
                },
                "stopped on request; 2 processes did not end on SIGTERM within 1.5 s and had to be killed",
            ),
            (
                End::Stopped {
                    by: StoppedBy::Signal { pid: 1 },
                    how: how(Some(0), None, 0),
                },
                "stopped because process 1 sent SIGTERM to the supervisor; ended on SIGTERM, exit code 0",
            ),
        ];
        for (end, sentence) in table {
            assert_eq!(end.sentence().as_deref(), Some(sentence));
            let text = serde_json::to_string(&end).unwrap();
            assert_eq!(serde_json::from_str::<End>(&text).unwrap(), end);
        }
        assert_eq!(signal_text(35), "SIGRTMIN+1 (signal 35)");
    }

    #[test]
    fn leftovers_are_counted() {
        assert_eq!(
            Leftover {
                found: 0,
                killed: 0
            }
            .sentence(),
            None
        );
        assert_eq!(
            Leftover {
                found: 1,
                killed: 0
            }
            .sentence()
            .unwrap(),
            "1 process that it left behind was ended"
        );
        assert_eq!(
            Leftover {
                found: 3,
                killed: 2
            }
            .sentence()
            .unwrap(),
            "3 processes that it left behind were ended (2 with SIGKILL)"
        );
    }
}
