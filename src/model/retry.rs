//! When a failed attempt is followed by another: after which ends, and how much later.
use super::id::FlowRunId;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// How an attempt ended, as whoever ran it knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndCause {
    Exited(i32),
    Signaled(i32),
    TimedOut,
    /// Nobody saw its end, or it never began: the host went down, its supervisor was killed, the program is not there.
    Lost,
}

/// One entry of `retry_on`: ends that are worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum RetryCause {
    /// Exit codes from the first to the second, both included.
    ExitCodes(u8, u8),
    Signal(i32),
    Timeout,
    /// It ended by any signal that nobody asked for, or with its host or supervisor.
    Crashed,
}

/// The signals that end a process, by name and number on Linux.
const SIGNALS: [(&str, i32); 20] = [
    ("SIGHUP", 1), ("SIGINT", 2), ("SIGQUIT", 3), ("SIGILL", 4), ("SIGTRAP", 5), ("SIGABRT", 6), ("SIGBUS", 7), ("SIGFPE", 8),
    ("SIGKILL", 9), ("SIGUSR1", 10), ("SIGSEGV", 11), ("SIGUSR2", 12), ("SIGPIPE", 13), ("SIGALRM", 14), ("SIGTERM", 15),
    ("SIGSTKFLT", 16), ("SIGXCPU", 24), ("SIGXFSZ", 25), ("SIGVTALRM", 26), ("SIGSYS", 31),
];

impl RetryCause {
    fn meets(self, cause: EndCause) -> bool {
        match (self, cause) {
            (RetryCause::ExitCodes(from, to), EndCause::Exited(code)) => (i32::from(from)..=i32::from(to)).contains(&code),
            (RetryCause::Signal(wanted), EndCause::Signaled(signal)) => wanted == signal,
            (RetryCause::Timeout, EndCause::TimedOut) => true,
            (RetryCause::Crashed, EndCause::Signaled(_) | EndCause::Lost) => true,
            _ => false,
        }
    }
}

/// Whether an end is worth another attempt. No list, or an end that nobody explains (a client's word), always is.
pub fn is_worth_retrying(on: &[RetryCause], cause: Option<EndCause>) -> bool {
    let Some(cause) = cause else { return true };
    on.is_empty() || on.iter().any(|wanted| wanted.meets(cause))
}

/// How long after attempt `attempt` (from 1 on) the next one begins: the list's entry for it, or its last one, and up to the share
/// `jitter` of it later; where the list grows up to a last entry, no later than that: then it is as much earlier. The same run and attempt always draw the same.
pub fn delay(seconds: &[f64], jitter: f64, run: FlowRunId, attempt: u32) -> SignedDuration {
    let index = (attempt.max(1) as usize - 1).min(seconds.len().saturating_sub(1));
    let entry = seconds.get(index).copied().unwrap_or(0.0).max(0.0);
    let jittered = entry * (1.0 + jitter.clamp(0.0, 1.0) * drawn(run, attempt));
    let jittered = match seconds {
        // Those at the cap still differ from each other.
        [.., before, cap] if before <= cap && jittered > *cap => (2.0 * cap - jittered).max(*before).min(*cap),
        _ => jittered,
    };
    SignedDuration::try_from_secs_f64(jittered).unwrap_or(SignedDuration::ZERO)
}

/// A number from 0 to 1 that belongs to a run's attempt.
fn drawn(run: FlowRunId, attempt: u32) -> f64 {
    let hash = Sha256::new().chain_update(run.0.as_bytes()).chain_update(attempt.to_be_bytes()).finalize();
    let bits = hash[..4].iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    f64::from(bits) / f64::from(u32::MAX)
}

/// Delays that double from `first` seconds until they reach `most`, as a list whose last entry counts for all that follow. It has at
/// least two, so that the last one is known as the cap.
pub fn doubling(first: f64, most: f64) -> Vec<f64> {
    let mut delays = Vec::new();
    let mut delay = first;
    while delay > 0.0 && delay < most {
        delays.push(delay);
        delay *= 2.0;
    }
    if delays.is_empty() {
        delays.push(most);
    }
    delays.push(most);
    delays
}

impl fmt::Display for RetryCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetryCause::ExitCodes(from, to) if from == to => write!(f, "{from}"),
            RetryCause::ExitCodes(from, to) => write!(f, "{from}-{to}"),
            RetryCause::Signal(signal) => match SIGNALS.iter().find(|(_, number)| number == signal) {
                Some((name, _)) => f.write_str(name),
                None => write!(f, "SIG{signal}"),
            },
            RetryCause::Timeout => f.write_str("timeout"),
            RetryCause::Crashed => f.write_str("crashed"),
        }
    }
}

impl FromStr for RetryCause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let signal = || SIGNALS.iter().find(|(name, _)| *name == text).map(|(_, number)| RetryCause::Signal(*number));
        let codes = || {
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            let (from, to) = (from.trim().parse::<u8>().ok()?, to.trim().parse::<u8>().ok()?);
            (0 < from && from <= to).then_some(RetryCause::ExitCodes(from, to))
        };
        let found = match text {
            "timeout" => Some(RetryCause::Timeout),
            "crashed" => Some(RetryCause::Crashed),
            _ => signal().or_else(codes),
        };
        found.ok_or_else(|| format!("{text:?} is none of: an exit code (1 to 255), a range of them (`1-5`), a signal (`SIGKILL`), `timeout`, `crashed`"))
    }
}

impl From<RetryCause> for String {
    fn from(cause: RetryCause) -> String {
        cause.to_string()
    }
}

impl TryFrom<String> for RetryCause {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn each_word_meets_its_ends_and_no_others() {
        use EndCause::*;
        let ends = [Exited(1), Exited(5), Exited(75), Signaled(9), Signaled(11), TimedOut, Lost];
        for (words, met) in [
            (vec!["1"], vec![Exited(1)]),
            (vec!["2-75"], vec![Exited(5), Exited(75)]),
            (vec!["SIGKILL"], vec![Signaled(9)]),
            (vec!["timeout"], vec![TimedOut]),
            (vec!["crashed"], vec![Signaled(9), Signaled(11), Lost]),
            (vec!["75", "timeout", "SIGSEGV"], vec![Exited(75), Signaled(11), TimedOut]),
            (vec![], ends.to_vec()),
        ] {
            let on: Vec<RetryCause> = words.iter().map(|word| word.parse().unwrap()).collect();
            let found: Vec<EndCause> = ends.into_iter().filter(|end| is_worth_retrying(&on, Some(*end))).collect();
            assert_eq!(found, met, "{words:?}");
            assert_eq!(on.iter().map(ToString::to_string).collect::<Vec<_>>(), words);
            assert!(is_worth_retrying(&on, None), "a client that says no more than Failed");
        }
        for wrong in ["0", "256", "5-1", "-1", "SIGNOPE", "sigkill", "fail", ""] {
            assert!(wrong.parse::<RetryCause>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn delays_double_up_to_a_bound_and_jitter_stays_in_its_share() {
        assert_eq!(doubling(10.0, 60.0), [10.0, 20.0, 40.0, 60.0]);
        assert_eq!(doubling(100.0, 60.0), [60.0, 60.0]);
        assert_eq!(doubling(0.0, 60.0), [60.0, 60.0]);
        let run = FlowRunId(Uuid::from_u128(1));
        let seconds = |jitter, attempt| delay(&[10.0, 20.0], jitter, run, attempt).as_secs_f64();
        assert_eq!([1, 2, 3].map(|attempt| seconds(0.0, attempt)), [10.0, 20.0, 20.0]);
        let jittered: Vec<f64> = (2..200).map(|attempt| seconds(0.5, attempt)).collect();
        assert!(jittered.iter().all(|seconds| (10.0..=20.0).contains(seconds)), "the cap holds: {jittered:?}");
        assert!(jittered.iter().any(|seconds| *seconds < 12.0) && jittered.iter().any(|seconds| *seconds > 18.0), "{jittered:?}");
        let single: Vec<f64> = (1..200).map(|attempt| delay(&[20.0], 0.5, run, attempt).as_secs_f64()).collect();
        assert!(single.iter().all(|seconds| (20.0..=30.0).contains(seconds)) && single.iter().any(|seconds| *seconds > 28.0), "{single:?}");
        assert_eq!(delay(&doubling(100.0, 60.0), 1.0, run, 3).as_secs_f64(), 60.0);
        assert_eq!(seconds(0.5, 7), seconds(0.5, 7), "the same attempt draws the same");
        assert_eq!(delay(&[], 0.5, run, 1), SignedDuration::ZERO);
    }
}
