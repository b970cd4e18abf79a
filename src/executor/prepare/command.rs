//! One command of a step: its output goes to the run's log as it comes, and the beginning of it is kept for later steps.
use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

/// Of each stream, so many bytes can become an output.
pub const KEPT: usize = 64 * 1024;

/// How much of the end is kept to tell why a command failed.
const TAIL: usize = 4 * 1024;

/// What a command wrote to one stream.
#[derive(Default)]
pub struct Text {
    kept: Vec<u8>,
    tail: Vec<u8>,
}

impl Text {
    fn add(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
    }

    /// The beginning.
    pub fn kept(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }

    /// The last line that is not empty.
    pub fn last_line(&self) -> Option<String> {
        let tail = String::from_utf8_lossy(&self.tail);
        tail.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }

    /// The end of it.
    pub fn tail(&self) -> String {
        String::from_utf8_lossy(&self.tail).into_owned()
    }
}

/// How a command ended and what it wrote.
pub struct Ended {
    pub status: ExitStatus,
    pub output: Text,
    pub error: Text,
}

/// Runs it to its end, without input. `stream`: what it writes appears in the log.
///
/// # Errors
/// It was not started, or could not be waited for.
pub fn run(command: &mut Command, stream: bool) -> io::Result<Ended> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let error = child.stderr.take().map(|pipe| thread::spawn(move || copy(pipe, stream.then(io::stderr))));
    let output = child.stdout.take().map(|pipe| copy(pipe, stream.then(io::stdout)));
    let error = error.and_then(|thread| thread.join().ok());
    let status = child.wait()?;
    Ok(Ended { status, output: output.unwrap_or_default(), error: error.unwrap_or_default() })
}

fn copy(mut from: impl Read, mut to: Option<impl Write>) -> Text {
    let mut text = Text::default();
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return text,
            Ok(count) => {
                text.add(&buffer[..count]);
                if let Some(to) = &mut to {
                    let _nobody_reads = to.write_all(&buffer[..count]).and_then(|()| to.flush());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return text,
        }
    }
}

/// `exit code 3`, `signal 9`.
pub fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}
