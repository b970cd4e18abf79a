//! Forks and executes a command, born into a cgroup where one is given. The only raw forks in the project.
//!
//! The standard library does all between fork and exec (`CommandExt::exec`); only the fork itself is ours, since it offers none
//! into a cgroup. Sound because a supervisor has one thread, and so have the spawner and the daemon that forks it.
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use rustix::process::{Pid, WaitOptions, waitpid};

/// From linux/sched.h; the constant of the libc crate is too narrow to hold it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The child's exit signal is then that of the caller: SIGCHLD.
const CLONE_PARENT: u32 = libc::CLONE_PARENT as u32;

/// Returns the pid once the program is being executed, or the error that kept it from it.
pub fn spawn(mut command: Command, cgroup: Option<BorrowedFd<'_>>) -> io::Result<u32> {
    // Closed by a successful exec; else it carries the error.
    let (mut outcome, mut tell) = io::pipe()?;
    // SAFETY: this process has one thread, so the child finds every lock free and every structure whole.
    let pid = unsafe { fork(cgroup) }?;
    if pid == 0 {
        let error = catch_unwind(AssertUnwindSafe(|| command.exec().raw_os_error()))
            .ok()
            .flatten()
            .unwrap_or(libc::EINVAL);
        let _parent_is_gone = tell.write_all(&error.to_ne_bytes());
        // SAFETY: ends the child at once, without running anything that belongs to the parent.
        unsafe { libc::_exit(127) }
    }
    drop(tell);
    let mut error = [0; 4];
    match outcome.read_exact(&mut error) {
        Err(_) => Ok(pid.unsigned_abs()),
        Ok(()) => {
            let _collected = waitpid(Pid::from_raw(pid), WaitOptions::empty());
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(error)))
        }
    }
}

/// A fork that is a child of the caller's parent. With clone(2): sandboxes that cannot look into clone3's record refuse that.
///
/// # Safety
/// The calling process must have a single thread.
pub unsafe fn sibling() -> io::Result<i32> {
    let none: libc::c_ulong = 0;
    // SAFETY: a plain fork otherwise: no shared memory, no new stack. (The order of the other arguments differs between
    // processors, but all are zero.)
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::c_ulong::from(CLONE_PARENT), none, none, none, none) };
    match i32::try_from(pid) {
        Ok(pid @ 0..) => Ok(pid),
        _ => Err(io::Error::last_os_error()),
    }
}

/// fork(2), or clone3(2) into the cgroup. A cgroup that the kernel refuses is done without.
///
/// # Safety
/// The calling process must have a single thread.
pub unsafe fn fork(cgroup: Option<BorrowedFd<'_>>) -> io::Result<i32> {
    if let Some(cgroup) = cgroup {
        // SAFETY: all-zero is a valid value of this plain record.
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.exit_signal = libc::SIGCHLD as u64;
        arguments.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
        // SAFETY: a plain fork otherwise: no shared memory, no new stack.
        let pid = unsafe {
            libc::syscall(
                libc::SYS_clone3,
                &raw const arguments,
                size_of_val(&arguments),
            )
        };
        if let Ok(pid @ 0..) = i32::try_from(pid) {
            return Ok(pid);
        }
    }
    // SAFETY: passed on to our caller.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(pid),
    }
}
