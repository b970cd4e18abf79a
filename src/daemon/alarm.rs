//! Waiting for an instant of the wall clock. Linux only.
//!
//! A timer of the async runtime counts on the monotonic clock, which stands still while the machine sleeps and
//! knows nothing of a clock that is set. This one is a `timerfd` on the real-time clock: it rings at the instant
//! itself, at once after a suspend that passed it, and also when the clock is set, so that the caller looks again.
#[cfg(debug_assertions)]
use crate::clock::moved;
use crate::clock;
use crate::executor::watch::readable;
use jiff::Timestamp;
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// One timer. It holds one instant at a time.
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
    set_to: Option<Timestamp>,
    /// Where the clock stood, of which only a test knows that it moved, when the caller was last told to look.
    #[cfg(debug_assertions)]
    told_of: jiff::SignedDuration,
}

impl Alarm {
    /// A timer that is not set. Must be made inside the async runtime.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Realtime, flags)?;
        Ok(Alarm {
            timer: readable(timer)?,
            set_to: None,
            #[cfg(debug_assertions)]
            told_of: moved::offset(),
        })
    }

    /// Waits until `at`, or until the clock is set; for ever, or until that, when `at` is `None`. Cancel-safe: call it again with the
    /// same instant and nothing is lost.
    pub async fn wait(&mut self, at: Option<Timestamp>) -> io::Result<()> {
        #[cfg(debug_assertions)]
        while moved::file().is_some() {
            let offset = moved::offset();
            if std::mem::replace(&mut self.told_of, offset) != offset {
                self.set_to = None;
                return Ok(());
            }
            if let Ok(rung) = tokio::time::timeout(moved::LOOKS, self.rings(at)).await {
                return rung;
            }
        }
        self.rings(at).await
    }

    async fn rings(&mut self, at: Option<Timestamp>) -> io::Result<()> {
        // A clock that was set while nobody waited is told of here: the caller looks, as below.
        if self.set_to != at && !self.set(at)? {
            return Ok(());
        }
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            match rustix::io::read(self.timer.get_ref(), &mut expirations[..]) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                // The clock was set: the timer is disarmed, and the caller looks at the clock.
                Ok(_) | Err(Errno::CANCELED) => {
                    self.set_to = None;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// `false`: the clock was set since it was last asked.
    fn set(&mut self, at: Option<Timestamp>) -> io::Result<bool> {
        // All zero disarms; an instant that has passed rings at once, and so must not become zero.
        let at_kernel = at.map(clock::of_timers);
        let value = match at_kernel {
            None => Timespec { tv_sec: 0, tv_nsec: 0 },
            Some(at) => Timespec { tv_sec: at.as_second().max(0), tv_nsec: i64::from(at.subsec_nanosecond().max(1)) },
        };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let armed = rustix::time::timerfd_settime(self.timer.get_ref(), flags, &Itimerspec { it_interval: never, it_value: value });
        // Where the clock was set the timer is armed nevertheless, but at what may have been read off the clock as it was before.
        self.set_to = at.filter(|_| armed.is_ok());
        match armed {
            Ok(_) => Ok(true),
            Err(Errno::CANCELED) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
