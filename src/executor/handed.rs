//! What the interpreter of a function is handed: the sources of the runner and the parameters, as JSON in an unnamed file that it inherits.
//!
//! Not in its arguments or environment: there Linux takes 128 KiB at most, everybody on the host reads the first, and a program that is no
//! Python would print them.
use crate::model::JsonMap;
use rustix::fs::{MemfdFlags, SealFlags};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};

/// The environment variable that holds the descriptor's number, until the runner begins.
pub const DESCRIPTOR_VARIABLE: &str = "REEVE_HANDED_DESCRIPTOR";

/// What the interpreter is given as its `-c`.
pub const START: &str = "import json, os
with os.fdopen(int(os.environ.pop('REEVE_HANDED_DESCRIPTOR')), 'rb') as file: handed = json.load(file)
exec(handed.pop('runner'))";

/// Calls the function; see the file.
const RUNNER: &str = include_str!("runner.py");

/// Makes its arguments of the parameters; see the file.
const VALUES: &str = include_str!("values.py");

#[derive(Serialize)]
struct Handed<'a> {
    runner: &'a str,
    values: &'a str,
    parameters: &'a JsonMap,
}

/// The file, at its beginning; no program inherits it yet.
///
/// # Errors
/// The kernel makes none, or has no memory for it.
pub fn file(parameters: &JsonMap) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("handed", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    let mut buffer = BufWriter::new(&file);
    serde_json::to_writer(&mut buffer, &Handed { runner: RUNNER, values: VALUES, parameters })?;
    buffer.flush()?;
    drop(buffer);
    file.rewind()?;
    // It is the daemon's memory: a run must not fill it.
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}
