//! Which process is which: boot id, pid and start time together, so that a reused pid is never mistaken for a run.
//!
//! The only reader of `/proc/PID/stat`. A pid is trusted only after a pidfd was opened *and then* the start time
//! compared: from there on the pidfd denotes that process, whatever becomes of the number.
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// What `/proc/PID/stat` says (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    pub pid: u32,
    /// `Z` for a zombie.
    pub state: char,
    pub parent: u32,
    pub session: u32,
    /// Clock ticks since boot.
    pub start: u64,
}

/// The id that the kernel draws at every boot.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// Reads the facts of a process; `Ok(None)` where there is none of that number.
pub fn process_stat(pid: u32) -> io::Result<Option<ProcessStat>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => Ok(parse_stat(pid, &String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // ESRCH: the process ended between open and read.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Overwrites this process's own arguments and environment, as others see them, with a title: a fork of the daemon is not the daemon
/// (to `pkill -f`, say), and does not show what the daemon was given. Does nothing where `/proc` does not tell where they are.
///
/// Call it in a process that has one thread and has cleared its environment: nothing may refer to the old texts.
pub fn forget_arguments(title: &[u8]) {
    let Some([begin, end, environment, environment_end]) = argument_addresses() else { return };
    for (begin, end, text) in [(begin, end, title), (environment, environment_end, &[][..])] {
        if begin == 0 || end <= begin {
            continue;
        }
        let length = end - begin;
        let text = &text[..text.len().min(length - 1)];
        let area: *mut u8 = std::ptr::with_exposed_provenance_mut(begin);
        // SAFETY: the kernel put the texts there for this process, in its writable stack; the last byte stays NUL, so that what
        // still points to an argument finds a text that ends.
        unsafe {
            area.write_bytes(0, length);
            area.copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
    }
}

/// `arg_start`, `arg_end`, `env_start`, `env_end`: fields 48 to 51 (proc(5)).
fn argument_addresses() -> Option<[usize; 4]> {
    let text = fs::read("/proc/self/stat").ok()?;
    let text = String::from_utf8_lossy(&text);
    let fields = text.rsplit_once(')')?.1.split_ascii_whitespace().skip(45);
    let addresses: Vec<usize> = fields.take(4).filter_map(|field| field.parse().ok()).collect();
    addresses.try_into().ok()
}

/// The name in parentheses may hold blanks and parentheses itself: fields are counted from its last one.
fn parse_stat(pid: u32, text: &str) -> Option<ProcessStat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some(ProcessStat {
        pid,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// A pidfd of exactly this process, or `Ok(None)` where it is gone.
pub fn open_process(pid: u32, start: u64) -> io::Result<Option<OwnedFd>> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        // Kernels before 6.15 answer EINVAL for a thread that leads no process: not our process either.
        Err(rustix::io::Errno::INVAL) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(process_stat(pid)?
        .is_some_and(|stat| stat.start == start)
        .then_some(pidfd))
}

/// Sends a signal to exactly this process; `false` where it is gone or may not be signalled.
pub fn signal_process(pid: u32, start: u64, signal: Signal) -> bool {
    match open_process(pid, start) {
        Ok(Some(pidfd)) => pidfd_send_signal(&pidfd, signal).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_found_and_a_wrong_start_is_not() {
        let pid = std::process::id();
        let stat = process_stat(pid).unwrap().unwrap();
        assert!(open_process(pid, stat.start).unwrap().is_some());
        assert!(open_process(pid, stat.start + 1).unwrap().is_none());
        assert_eq!(boot_id().unwrap().len(), 36);
    }

    #[test]
    fn a_name_may_hold_anything() {
        let text = "42 (a) R (b c)) S 7 42 43 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 98765 1 1";
        let stat = parse_stat(42, text).unwrap();
        assert_eq!(
            (stat.state, stat.parent, stat.session, stat.start),
            ('S', 7, 43, 98765)
        );
        assert_eq!(parse_stat(1, "broken"), None);
    }
}
