//! What a Python function leaves for its run: its value or its exception, as JSON in an unnamed file that the supervisor makes and hands
//! to the runner as a descriptor. So it arrives whoever's run it is (another user cannot enter the run's directory), and it is on no disk:
//! it may hold what must be masked.
use rustix::fs::{MemfdFlags, SealFlags};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::{AsRawFd, BorrowedFd};

/// The environment variable that holds the descriptor's number.
pub const DESCRIPTOR_VARIABLE: &str = "REEVE_RESULT_DESCRIPTOR";

/// No more can be written; the runner writes less.
const LIMIT: u64 = 64 * 1024;

/// The file, while its run goes on.
pub struct ResultFile(File);

/// What the runner left.
#[derive(Debug, Default, Deserialize)]
pub struct RunnerResult {
    #[serde(default)]
    pub value: Option<serde_json::Value>,
    #[serde(default)]
    pub exception: Option<String>,
    /// The runner has not even begun.
    #[serde(skip)]
    pub is_untouched: bool,
}

impl ResultFile {
    /// An empty one, which no program inherits yet.
    ///
    /// # Errors
    /// The kernel makes none.
    pub fn create() -> io::Result<ResultFile> {
        let file = File::from(rustix::fs::memfd_create("result", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        file.set_len(LIMIT)?;
        // It is memory: a run must not fill it with more.
        rustix::fs::fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SEAL)?;
        Ok(ResultFile(file))
    }

    /// The descriptor's number, in this process and in the one that inherits it.
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// What was left in it. The run could write anything there; what is not the runner's is nobody's.
    pub fn read(mut self) -> RunnerResult {
        let text = self.0.rewind().and_then(|()| super::log::read_at_most(&self.0, LIMIT)).unwrap_or_default();
        // As it was made, it is full of zeros.
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        let left: RunnerResult = serde_json::from_slice(&text[..end]).unwrap_or_default();
        RunnerResult { is_untouched: end == 0, ..left }
    }
}

/// Whether the next program that this process executes inherits the descriptor of that number.
///
/// # Errors
/// There is no such descriptor.
pub fn set_inherited(number: i32, inherited: bool) -> io::Result<()> {
    let flags = if inherited { rustix::io::FdFlags::empty() } else { rustix::io::FdFlags::CLOEXEC };
    // SAFETY: used for this one call, which fails where no such descriptor is open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_setfd(descriptor, flags)?)
}
