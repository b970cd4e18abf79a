//! The files of a run's directory: their names, and writing them so that whoever looks for one finds it whole or not at all.
//!
//! In the order in which they appear:
//! 1. `job-NONCE.json` (0600): the [`super::Job`], written by the daemon for one supervisor. Whoever takes it away owns the run: the
//!    supervisor renames it to `claimed.json`; a recovering daemon that removes it first knows that nothing was and nothing
//!    will be started. The nonce keeps a belated supervisor from taking the job of its successor.
//! 2. `log`, later `log.tail.*` (see `log.rs`).
//! 3. `started.json`: the run's process exists. This is `claimed.json` again, with its secrets overwritten: on a busy host, removing
//!    a file for each run makes ext4 search longer for every file that it creates.
//! 4. `result.json`: what the Python runner leaves (value or exception), until the supervisor has put it into the outcome.
//! 5. `exit.json`: the [`super::Outcome`]; once it exists nobody writes to the directory any more.
//!
//! Only the last one is flushed to the disk: after a power cut the boot id tells that the run is lost anyway.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Job;

const JOB_PREFIX: &str = "job-";
const CLAIMED: &str = "claimed.json";
pub const STARTED: &str = "started.json";
pub const RESULT: &str = "result.json";
pub const EXIT: &str = "exit.json";
const EXIT_TEMPORARY: &str = "exit.json.tmp";

/// Room that is reserved for `exit.json` at the start of a run, so that a full disk cannot swallow the outcome.
const EXIT_RESERVE: u64 = 32 * 1024;

/// A file that claims to be larger than this was not written by us.
const READ_LIMIT: u64 = 16 * 1024 * 1024;

/// The content of `started.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    pub version: u32,
    pub at: Timestamp,
    /// The run's process, leader of its own session and group.
    pub pid: u32,
}

/// Makes a run's directory, readable by its owner only.
pub fn create(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Reads a file of the directory. `Ok(None)` where it does not exist.
pub fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<Option<T>> {
    let path = directory.join(name);
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > READ_LIMIT {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} has {length} bytes", path.display()),
        ));
    }
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: {error}", path.display()),
            )
        }),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an attempt has been, is, or may yet be made in this directory.
pub fn is_occupied(directory: &Path) -> io::Result<bool> {
    let begun = [CLAIMED, STARTED, EXIT]
        .iter()
        .any(|name| directory.join(name).exists());
    Ok(begun || !jobs(directory)?.is_empty())
}

/// Writes the job (0600) for the supervisor that will be given the same nonce afterwards. Nobody else reads it, so it need not appear
/// whole: what a killed daemon has begun to write is void as any job is.
pub fn write_job(directory: &Path, nonce: &str, job: &Job) -> io::Result<()> {
    let path = directory.join(job_name(nonce));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let written = file.write_all(&serde_json::to_vec(job)?);
    if written.is_err() {
        let _holds_secrets = fs::remove_file(path);
    }
    written
}

/// Removes a job that was not taken: `true` when there was one, and then nobody will ever run it.
pub fn void_jobs(directory: &Path) -> io::Result<bool> {
    let mut removed = false;
    for path in jobs(directory)? {
        match fs::remove_file(path) {
            Ok(()) => removed = true,
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

fn job_name(nonce: &str) -> String {
    format!("{JOB_PREFIX}{nonce}.json")
}

fn jobs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_job = |name: &str| name.starts_with(JOB_PREFIX) && name.ends_with(".json");
        if entry.file_name().to_str().is_some_and(is_job) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// A job that has been taken, and its file.
pub struct ClaimedJob {
    directory: PathBuf,
    file: File,
}

impl ClaimedJob {
    /// Takes the job. `Ok(None)`: it was void, or somebody else's already.
    pub fn take(directory: &Path, nonce: &str) -> io::Result<Option<(ClaimedJob, Job)>> {
        let claimed = directory.join(CLAIMED);
        match fs::rename(directory.join(job_name(nonce)), &claimed) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let file = OpenOptions::new().read(true).write(true).open(claimed)?;
        let mut bytes = Vec::new();
        (&file).take(READ_LIMIT).read_to_end(&mut bytes)?;
        let job = serde_json::from_slice(&bytes)?;
        Ok(Some((
            ClaimedJob {
                directory: directory.to_path_buf(),
                file,
            },
            job,
        )))
    }

    /// Overwrites the job and makes it `started.json`.
    pub fn started(self, started: &Started) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(&serde_json::to_vec(started)?, 0)?;
        fs::rename(self.directory.join(CLAIMED), self.directory.join(STARTED))
    }

    /// Nothing was started: the secrets go all the same.
    pub fn not_started(self) -> io::Result<()> {
        self.file.set_len(0)
    }
}

/// The file or its directory is not there.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// `exit.json` while the run goes on: opened, and its space reserved, so that the outcome can be written when the
/// disk has filled up meanwhile.
pub struct ExitFile {
    directory: PathBuf,
    /// An error is not final: opening is tried again in the end.
    file: io::Result<File>,
}

impl ExitFile {
    /// Opens and reserves, where the file system can.
    pub fn reserve(directory: &Path) -> ExitFile {
        let file = open_exit(directory);
        if let Ok(file) = &file {
            let _unsupported_or_full =
                rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, EXIT_RESERVE);
        }
        ExitFile {
            directory: directory.to_path_buf(),
            file,
        }
    }

    /// Writes the outcome durably: after this returns, `exit.json` survives a power cut.
    pub fn write(self, outcome: &super::Outcome) -> io::Result<()> {
        let bytes = serde_json::to_vec(outcome)?;
        let file = self.file.or_else(|_| open_exit(&self.directory))?;
        file.write_all_at(&bytes, 0)?;
        file.set_len(bytes.len() as u64)?;
        file.sync_all()?;
        fs::rename(
            self.directory.join(EXIT_TEMPORARY),
            self.directory.join(EXIT),
        )?;
        File::open(&self.directory)?.sync_all()
    }
}

fn open_exit(directory: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(directory.join(EXIT_TEMPORARY))
}
