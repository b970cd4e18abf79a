//! The supervisor's signals: held back from the first instruction on (the daemon spawns it with its signals held back, and
//! a signal mask is inherited) and read from a descriptor, never handled asynchronously. So a request that comes
//! before the supervisor is ready waits for it.
//!
//! SIGTERM is the one request there is: stop the run. The daemon sends it with the grace in its value (`sigqueue(3)`
//! style, through a pidfd); a bare SIGTERM from anybody else means the grace of the job. SIGHUP, SIGINT and all others are
//! read and dropped, so that neither a terminal nor a log-out ends a run.
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Marks the value of SIGTERM as ours: the value is milliseconds of grace, plus one, up to this many.
const MAXIMUM_GRACE: Duration = Duration::from_millis(i32::MAX as u64 - 1);

/// A request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRequest {
    /// `None`: not said; the job's own grace counts.
    pub grace: Option<Duration>,
    /// Sender, as the kernel saw it.
    pub pid: u32,
}

/// What was waiting.
#[derive(Debug, Default)]
pub struct Received {
    pub stop: Option<StopRequest>,
    /// A child changed its state.
    pub child: bool,
}

/// The descriptor from which the held-back signals are read.
pub struct Signals(OwnedFd);

impl Signals {
    /// Holds back every signal that can be, and restores the default disposition of each, so that the run does not
    /// inherit that its daemon was started with `nohup`.
    pub fn hold_back() -> io::Result<Signals> {
        let set = catchable();
        // SAFETY: plain system calls on a set that lives on this stack; the process has one thread.
        unsafe {
            check(libc::sigprocmask(
                libc::SIG_BLOCK,
                &set,
                std::ptr::null_mut(),
            ))?;
            for signal in [
                libc::SIGHUP,
                libc::SIGINT,
                libc::SIGQUIT,
                libc::SIGTERM,
                libc::SIGUSR1,
                libc::SIGUSR2,
                libc::SIGALRM,
                libc::SIGCHLD,
                libc::SIGCONT,
                libc::SIGTSTP,
                libc::SIGTTIN,
                libc::SIGTTOU,
            ] {
                libc::signal(signal, libc::SIG_DFL);
            }
            let descriptor = check(libc::signalfd(
                -1,
                &set,
                libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
            ))?;
            Ok(Signals(OwnedFd::from_raw_fd(descriptor)))
        }
    }

    /// Takes all signals that wait. Of several stop requests the shortest grace counts.
    pub fn receive(&self) -> Received {
        let mut received = Received::default();
        loop {
            // SAFETY: all-zero is a valid value of this plain record, and the kernel writes at most one of them.
            let mut info: libc::signalfd_siginfo = unsafe { mem::zeroed() };
            let size = mem::size_of_val(&info);
            // SAFETY: as above; the descriptor is ours.
            let count = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut info).cast(), size) };
            if usize::try_from(count) != Ok(size) {
                return received;
            }
            match i32::try_from(info.ssi_signo) {
                Ok(libc::SIGCHLD) => received.child = true,
                Ok(libc::SIGTERM) => {
                    let grace = (info.ssi_code == libc::SI_QUEUE)
                        .then(|| {
                            u64::try_from(info.ssi_int - 1)
                                .ok()
                                .map(Duration::from_millis)
                        })
                        .flatten();
                    let shorter = received.stop.is_none_or(|stop| {
                        grace.is_some_and(|grace| stop.grace.is_none_or(|before| grace < before))
                    });
                    if shorter {
                        received.stop = Some(StopRequest {
                            grace,
                            pid: info.ssi_pid,
                        });
                    }
                }
                _ => {}
            }
        }
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }
}

/// Every signal that can be held back, without those that mean a fault of the process itself.
fn catchable() -> libc::sigset_t {
    // SAFETY: plain library calls on a set that lives on this stack.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&mut set);
        for fault in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGABRT,
            libc::SIGTRAP,
            libc::SIGSYS,
        ] {
            libc::sigdelset(&mut set, fault);
        }
        set
    }
}

/// The signals of this thread are held back while this lives, and so from the start are those of what it spawns.
pub struct HeldBack(libc::sigset_t);

impl HeldBack {
    pub fn in_this_thread() -> HeldBack {
        // SAFETY: plain library calls on sets that live on this stack.
        unsafe {
            let mut before: libc::sigset_t = mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, &catchable(), &mut before);
            HeldBack(before)
        }
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        // SAFETY: restores the mask that was saved above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

/// Whether a stop is asked for now or within `wait`, which is waited out otherwise. The request is taken. Signals must be held back.
pub fn stop_within(wait: Duration) -> bool {
    let deadline = Instant::now() + wait;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = libc::timespec {
            tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        // SAFETY: plain library calls on records that live on this stack; who sent the signal is not asked for.
        let (taken, error) = unsafe {
            let mut stop: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&mut stop);
            libc::sigaddset(&mut stop, libc::SIGTERM);
            (libc::sigtimedwait(&stop, std::ptr::null_mut(), &left), io::Error::last_os_error())
        };
        match (taken, error.kind()) {
            (libc::SIGTERM, _) => return true,
            // It was stopped and goes on, or is traced.
            (_, io::ErrorKind::Interrupted) => {}
            _ => return false,
        }
    }
}

/// Lets all signals through again: for the run's process, which inherits the supervisor's mask. Safe between fork and exec.
pub fn let_through() {
    // SAFETY: async-signal-safe calls on a set that lives on this stack.
    unsafe {
        let mut none: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// Asks the supervisor behind a pidfd to stop its run: SIGTERM with the grace as its value.
///
/// # Errors
/// `ESRCH` where it has ended; `EPERM` where it belongs to somebody else.
pub fn request_stop(pidfd: BorrowedFd<'_>, grace: Duration) -> io::Result<()> {
    let value = i32::try_from(grace.min(MAXIMUM_GRACE).as_millis()).unwrap_or(i32::MAX - 1) + 1;
    let info = QueuedSignal {
        signal: libc::SIGTERM,
        errno: 0,
        code: libc::SI_QUEUE,
        padding: 0,
        // SAFETY: getpid and getuid cannot fail.
        pid: unsafe { libc::getpid() },
        user: unsafe { libc::getuid() },
        value: [value, 0],
        rest: [0; 96],
    };
    const _: () = assert!(mem::size_of::<QueuedSignal>() == mem::size_of::<libc::siginfo_t>());
    // SAFETY: the record has the size and layout of siginfo_t for a queued signal and outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::SIGTERM,
            &raw const info,
            0,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `siginfo_t` as the 64-bit Linux kernels lay it out for SI_QUEUE (the `_rt` member); the libc crate hides its fields.
#[repr(C)]
struct QueuedSignal {
    signal: i32,
    errno: i32,
    code: i32,
    padding: i32,
    pid: i32,
    user: u32,
    /// `union sigval`: the integer comes first.
    value: [i32; 2],
    rest: [u8; 96],
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
