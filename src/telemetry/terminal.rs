//! Standard error that may stand still (a paused pager, Ctrl-S) and holds up nobody.
//!
//! Who says something only puts it down; one thread writes it. What a terminal does not take in time is dropped and counted, and that is
//! said when it goes on. Warnings and errors have room of their own, so that a flood of lines from runs does not cost them.
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, Write};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// So much waits to be written.
const MOST_BYTES: usize = 1 << 20;

/// The part of it that is for warnings and errors.
const RESERVED: usize = MOST_BYTES / 4;

/// A buffer that was larger is given back once it is written.
const KEPT_BYTES: usize = 64 << 10;

/// Lines on their way to a writer.
#[derive(Debug)]
pub struct Terminal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Whole lines.
    waiting: Vec<u8>,
    /// How many found no room since that was last said.
    dropped: u64,
    /// Lines that were taken from `waiting` are not written yet.
    writing: bool,
}

impl Terminal {
    pub const fn new() -> Self {
        Terminal { state: Mutex::new(State { waiting: Vec::new(), dropped: 0, writing: false }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never waits for the terminal.
    fn put(&self, line: &[u8], urgent: bool) {
        let mut state = self.state();
        let room = if urgent { MOST_BYTES } else { MOST_BYTES - RESERVED };
        if state.waiting.len() + line.len() > room {
            state.dropped += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        self.changed.notify_all();
    }

    /// Writes what is put down, for ever. `dropped` is told how many lines found no room before those that were just written.
    pub fn write_to(&self, mut terminal: impl Write, dropped: impl Fn(u64)) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.state();
            state.writing = false;
            self.changed.notify_all();
            let is_idle = |state: &mut State| state.waiting.is_empty();
            let mut state = self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
            state.writing = true;
            mem::swap(&mut lines, &mut state.waiting);
            let lost = mem::take(&mut state.dropped);
            drop(state);
            let _nobody_reads = terminal.write_all(&lines).and_then(|()| terminal.flush());
            lines.clear();
            lines.shrink_to(KEPT_BYTES);
            if lost > 0 {
                dropped(lost);
            }
        }
    }

    /// Waits until everything is written, or for `limit`; whether it is.
    pub fn flush(&self, limit: Duration) -> bool {
        let is_behind = |state: &mut State| state.writing || !state.waiting.is_empty();
        let (state, _) = self.changed.wait_timeout_while(self.state(), limit, is_behind).unwrap_or_else(PoisonError::into_inner);
        !state.writing && state.waiting.is_empty()
    }
}

impl<'a> MakeWriter<'a> for &'static Terminal {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { terminal: self, urgent: false }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        Line { terminal: self, urgent: *metadata.level() <= Level::WARN }
    }
}

/// One event, which is written at once.
pub struct Line {
    terminal: &'static Terminal,
    urgent: bool,
}

impl Write for Line {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.terminal.put(text, self.urgent);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error, waited for where whoever shares it with us made it non-blocking.
pub struct StandardError;

impl Write for StandardError {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let error = rustix::stdio::stderr();
        loop {
            match rustix::io::write(error, text) {
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&error, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(failed) => return Err(failed.into()),
                },
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Takes nothing before it is told to, and then everything; says that it was asked.
    struct Paused {
        asked: Sender<()>,
        go_on: Receiver<()>,
        shown: Sender<Vec<u8>>,
    }

    impl Write for Paused {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.asked.send(());
            let _open_from_then_on = self.go_on.recv();
            let _ = self.shown.send(text.to_vec());
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_that_stands_still_holds_up_nobody_and_says_what_it_missed() {
        let terminal: &'static Terminal = Box::leak(Box::new(Terminal::new()));
        let ((asked, was_asked), (resume, go_on), (shown, seen), (lost, was_lost)) = (channel(), channel::<()>(), channel(), channel());
        std::thread::spawn(move || terminal.write_to(Paused { asked, go_on, shown }, move |count| lost.send(count).unwrap()));
        terminal.put(b"first\n", false);
        was_asked.recv().unwrap();
        assert!(!terminal.flush(Duration::ZERO), "the first line is on its way");
        let line = [b'x'; 1024];
        for _ in 0..1024 {
            terminal.put(&line, false);
        }
        terminal.put(b"an error\n", true);
        assert_eq!(terminal.state().waiting.len(), MOST_BYTES - RESERVED + b"an error\n".len());
        for _ in 0..1024 {
            terminal.put(&line, true);
        }
        assert!(terminal.state().waiting.len() <= MOST_BYTES, "bounded, whatever comes");
        drop(resume);
        assert!(terminal.flush(Duration::from_secs(60)));
        let shown: Vec<u8> = seen.try_iter().flatten().collect();
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.starts_with("first\n") && shown.contains("an error\n"));
        let written = (shown.len() - b"first\nan error\n".len()) as u64 / 1024;
        assert_eq!(was_lost.recv().unwrap(), 2048 - written, "each line was written or counted");
        terminal.put(b"later\n", false);
        assert!(terminal.flush(Duration::from_secs(60)));
        assert_eq!(seen.try_recv().unwrap(), b"later\n");
        assert!(was_lost.try_recv().is_err(), "said once");
    }
}
