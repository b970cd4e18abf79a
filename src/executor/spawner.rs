//! The spawner: a process that the daemon forks before it has threads, and that forks the daemon's supervisors ever after.
//!
//! Executing the binary anew for every run costs several times what a fork of a small process does (mapping, linking, first
//! touches of its pages). The spawner is that small process: one thread, no runtime, nothing open but its socket. It must never
//! do anything but wait for a request and fork, and it must never be needed: without it supervisors are executed.
//!
//! What it forks becomes a child of the *daemon* (CLONE_PARENT), so that whoever watches a supervisor cannot tell how it was made:
//! the daemon collects it, and its number stays its own until then. It ends when its socket does, that is, with the daemon;
//! supervisors outlive both.
use std::ffi::{CStr, OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::panic::catch_unwind;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    SocketFlags, SocketType, recvmsg, sendmsg,
};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, setsid, waitpid};

use super::identity;
use super::supervisor::{self, fork, signals::HeldBack};

const NAME: &CStr = c"reeve-spawner";

/// A request that is longer (very long paths) is not made.
const REQUEST_LIMIT: usize = 16 * 1024;

/// A fork takes less than a millisecond; what does not answer for so long is stopped or stuck, and given up.
const PATIENCE: Duration = Duration::from_secs(10);

static SPAWNER: OnceLock<Spawner> = OnceLock::new();

/// The daemon's end.
pub(super) struct Spawner(Mutex<Option<Link>>);

struct Link {
    socket: OwnedFd,
    pid: Pid,
}

/// Why there is no pid.
pub(super) enum NoAnswer {
    /// Nothing was forked.
    Refused,
    /// It went away over the request, which it may have fulfilled.
    Lost,
}

/// Forks the spawner. Call it before anything else is set up; does nothing where the process has threads already, or the host does
/// not let it: then supervisors are executed.
pub fn prefork() {
    if SPAWNER.get().is_none() && has_one_thread() && let Ok(link) = start() {
        let _set_once = SPAWNER.set(Spawner(Mutex::new(Some(link))));
    }
}

/// The spawner of this process, if it has one.
pub(super) fn of_this_process() -> Option<&'static Spawner> {
    SPAWNER.get()
}

fn has_one_thread() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

fn start() -> io::Result<Link> {
    let (socket, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    for timeout in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(&socket, timeout, Some(PATIENCE))?;
    }
    // Whatever it forks has its signals held back from the first instruction on.
    let _until_forked = HeldBack::in_this_thread();
    // SAFETY: checked by the caller: this process has one thread.
    match unsafe { fork::fork(None) }? {
        0 => {
            drop(socket);
            let _bug = catch_unwind(|| serve(theirs));
            // SAFETY: ends the child at once; nothing of its parent's may run in it.
            unsafe { libc::_exit(1) }
        }
        pid => Pid::from_raw(pid).map(|pid| Link { socket, pid }).ok_or_else(|| io::ErrorKind::InvalidData.into()),
    }
}

impl Spawner {
    /// Has a supervisor forked, with these arguments after [`supervisor::ARGUMENT`] and the report pipe as its standard output;
    /// returns its pid. Blocks for as long as a fork takes, and for as long as others wait for theirs.
    pub(super) fn spawn(&self, arguments: &[&OsStr], report: BorrowedFd<'_>) -> Result<u32, NoAnswer> {
        let request = arguments.iter().map(|argument| argument.as_bytes()).collect::<Vec<_>>().join(&0);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let link = state.as_ref().filter(|_| request.len() <= REQUEST_LIMIT).ok_or(NoAnswer::Refused)?;
        let asked = ask(&link.socket, &request, report).map_err(|_| NoAnswer::Refused);
        let answer = asked.and_then(|()| answer_of(&link.socket).map_err(|_| NoAnswer::Lost));
        match answer {
            // The kernel's own error shows when the supervisor is executed instead.
            Ok(pid) => u32::try_from(pid).map_err(|_| NoAnswer::Refused),
            Err(error) => {
                state.take().into_iter().for_each(Link::give_up);
                Err(error)
            }
        }
    }
}

impl Link {
    fn give_up(self) {
        tracing::warn!(
            source = "reeve",
            "the daemon's spawner (process {}) is gone: runs now start slower, until the daemon is restarted",
            self.pid.as_raw_nonzero()
        );
        // Not collected yet, so the number is still its own.
        let _already_dead = kill_process(self.pid, Signal::KILL);
        let _collected = waitpid(Some(self.pid), WaitOptions::empty());
    }
}

fn ask(socket: &OwnedFd, request: &[u8], report: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [report];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(request)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn answer_of(socket: &OwnedFd) -> io::Result<i32> {
    let mut bytes = [0; 4];
    match rustix::net::recv(socket, &mut bytes, RecvFlags::empty())?.0 {
        4 => Ok(i32::from_ne_bytes(bytes)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The life of the spawner. Ends, with the process, when nobody can ask any more.
fn serve(socket: OwnedFd) {
    // Of a terminal's signals, too, none reaches what has a session of its own.
    let _session = setsid();
    leave_everything(&socket);
    let _for_people = rustix::thread::set_name(NAME);
    identity::forget_arguments(NAME.to_bytes());
    while let Ok(Some((arguments, report))) = receive(&socket) {
        // SAFETY: this process has one thread.
        let pid = match unsafe { fork::sibling() } {
            Ok(0) => become_supervisor(socket, arguments, report),
            Ok(pid) => pid,
            Err(error) => -error.raw_os_error().unwrap_or(libc::EAGAIN),
        };
        drop(report);
        if rustix::net::send(&socket, &pid.to_ne_bytes(), SendFlags::NOSIGNAL).is_err() {
            break;
        }
    }
}

/// Keeps neither a file of the daemon's nor its environment (which may hold secrets), as if it had been executed without.
fn leave_everything(socket: &OwnedFd) {
    let number = socket.as_raw_fd().unsigned_abs();
    for (first, last) in [(3, number - 1), (number + 1, u32::MAX)] {
        // SAFETY: nothing in this process owns a descriptor above the standard ones but the socket.
        let _old_kernel = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
    if let Ok(null) = std::fs::File::options().read(true).write(true).open("/dev/null") {
        let _input = rustix::stdio::dup2_stdin(null.as_fd());
        let _output = rustix::stdio::dup2_stdout(null.as_fd());
        let _error = rustix::stdio::dup2_stderr(null.as_fd());
    }
    // SAFETY: this process has one thread, which is not looking at its environment.
    unsafe { libc::clearenv() };
}

/// `None`: the daemon is gone.
fn receive(socket: &OwnedFd) -> io::Result<Option<(Vec<OsString>, OwnedFd)>> {
    let mut buffer = [0; REQUEST_LIMIT];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let read = recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let report = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let arguments = buffer[..read.bytes].split(|byte| *byte == 0);
    let arguments = arguments.map(|argument| OsString::from_vec(argument.to_vec())).collect();
    Ok(report.map(|report| (arguments, report)))
}

fn become_supervisor(socket: OwnedFd, arguments: Vec<OsString>, report: OwnedFd) -> ! {
    // Else the daemon would not learn that the spawner is gone.
    drop(socket);
    let _without_reports = rustix::stdio::dup2_stdout(report.as_fd());
    drop(report);
    let code = supervisor::main(arguments.into_iter());
    // SAFETY: ends this process at once: whatever the spawner had set up is not its to end.
    unsafe { libc::_exit(i32::from(code)) }
}
