//! Whether the kernel's out-of-memory killer may have ended a run: the evidence behind a bare SIGKILL that nobody sent.
use std::fs;
use std::path::Path;

/// The exit code with which a shell says that its command died of SIGKILL (128 + 9).
const KILLED: i32 = 137;

/// How often it had killed on this host when the run began; `None` where the kernel does not count (before Linux 4.13).
pub(super) struct Before(Option<u64>);

impl Before {
    pub fn now() -> Before {
        Before(on_host())
    }

    /// What is to be said of an end by SIGKILL, given what happened in the run's own control group (`None`: it has none that counts).
    pub fn evidence(&self, code: Option<i32>, signal: Option<i32>, in_group: Option<u64>) -> Option<String> {
        if signal != Some(libc::SIGKILL) && code != Some(KILLED) {
            return None;
        }
        let since = self.0.zip(on_host()).map_or(0, |(before, after)| after.saturating_sub(before));
        sentence(in_group, since)
    }
}

/// How often it killed in this control group, where memory is counted in it.
pub(super) fn in_group(group: &Path) -> Option<u64> {
    count(&fs::read_to_string(group.join("memory.events")).ok()?)
}

fn on_host() -> Option<u64> {
    count(&fs::read_to_string("/proc/vmstat").ok()?)
}

/// Both files have a line `oom_kill NUMBER`.
fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// The group knows; the host's count is a hint only: it may have been another's process.
fn sentence(in_group: Option<u64>, on_host: u64) -> Option<String> {
    let times = |count: u64| if count == 1 { "1 process".to_owned() } else { format!("{count} processes") };
    match (in_group, on_host) {
        (Some(0), _) | (None, 0) => None,
        (Some(kills), _) => Some(format!("out of memory: the kernel killed {} of the run (oom_kill in its control group's memory.events)", times(kills))),
        (None, kills) => Some(format!(
            "probably out of memory: the kernel killed {} on this host for that reason while the run went on (oom_kill in /proc/vmstat)",
            times(kills)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_kill_with_evidence_is_called_out_of_memory() {
        let table = [
            (None, 0, None),
            (Some(0), 3, None),
            (Some(1), 1, Some("out of memory: the kernel killed 1 process of the run")),
            (Some(2), 0, Some("out of memory: the kernel killed 2 processes of the run")),
            (None, 1, Some("probably out of memory: the kernel killed 1 process on this host")),
        ];
        for (in_group, on_host, expected) in table {
            let said = sentence(in_group, on_host);
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().starts_with(expected.unwrap_or_default()));
        }
    }

    #[test]
    fn both_files_are_read_and_other_ends_are_not_asked() {
        assert_eq!(count("low 0\nhigh 0\nmax 4\noom 1\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(count("pgfault 1\noom_killer 9\noom_kill 7\n"), Some(7));
        assert_eq!(count("low 0\n"), None);
        let before = Before(Some(0));
        for (code, signal, asked) in [(Some(137), None, true), (None, Some(9), true), (Some(1), None, false), (None, Some(15), false)] {
            assert_eq!(before.evidence(code, signal, Some(1)).is_some(), asked, "{code:?} {signal:?}");
        }
    }
}
