//! Waiting for an instant of the wall clock. Linux only.
//!
//! A timer of the async runtime counts on the monotonic clock, which stands still while the machine sleeps and
//! knows nothing of a clock that is set. This one is a `timerfd` on the real-time clock: it rings at the instant
//! itself, at once after a suspend that passed it, and also when the clock is set, so that the caller looks again.
use crate::executor::watch::readable;
use jiff::Timestamp;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// One timer. It holds one instant at a time.
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
    set_to: Option<Timestamp>,
}

impl Alarm {
    /// A timer that is not set. Must be made inside the async runtime.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Realtime, flags)?;
        Ok(Alarm { timer: readable(timer)?, set_to: None })
    }

    /// Waits until `at`, or until the clock is set; for ever when `at` is `None`. Cancel-safe: call it again with the
    /// same instant and nothing is lost.
    pub async fn wait(&mut self, at: Option<Timestamp>) -> io::Result<()> {
        if self.set_to != at {
            self.set(at)?;
        }
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            match rustix::io::read(self.timer.get_ref(), &mut expirations[..]) {
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                // The clock was set: the timer is disarmed, and the caller looks at the clock.
                Ok(_) | Err(rustix::io::Errno::CANCELED) => {
                    self.set_to = None;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn set(&mut self, at: Option<Timestamp>) -> io::Result<()> {
        // All zero disarms; an instant that has passed rings at once, and so must not become zero.
        let value = match at {
            None => Timespec { tv_sec: 0, tv_nsec: 0 },
            Some(at) => Timespec { tv_sec: at.as_second().max(0), tv_nsec: i64::from(at.subsec_nanosecond().max(1)) },
        };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::time::timerfd_settime(self.timer.get_ref(), flags, &Itimerspec { it_interval: never, it_value: value })?;
        self.set_to = at;
        Ok(())
    }
}
