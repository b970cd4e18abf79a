//! Where files stand: a directory of this host, or a revision that git keeps.
use crate::manifest;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Entries of a directory that are looked at for "did you mean".
const NEAR_ENTRIES: usize = 1_000;

/// Why a file's content is not to be had.
#[derive(Debug)]
pub(super) enum Refusal {
    Error(io::Error),
    NotAFile,
    TooLarge(u64),
}

/// A tree of files below a root. Paths are relative to it, with `/`.
pub(super) trait Tree: std::fmt::Debug {
    /// Whether there is anything of this name, be it readable or not.
    fn has(&self, path: &str) -> io::Result<bool>;

    /// The content of a file that is not larger than a manifest may be.
    fn read(&self, path: &str) -> Result<Vec<u8>, Refusal>;

    /// Paths of what stands in the same directory.
    fn near(&self, path: &str) -> Vec<String>;
}

/// A directory of this host.
#[derive(Debug)]
pub(super) struct Directory(pub PathBuf);

impl Tree for Directory {
    fn has(&self, path: &str) -> io::Result<bool> {
        Ok(self.0.join(path).symlink_metadata().is_ok())
    }

    /// Does not block on pipes and devices.
    fn read(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        let path = self.0.join(path);
        let limit = manifest::MAXIMUM_BYTES as u64;
        // Looked at before it is opened: opening a pipe without a writer waits for one.
        let metadata = std::fs::metadata(&path).map_err(Refusal::Error)?;
        if !metadata.is_file() {
            return Err(Refusal::NotAFile);
        }
        if metadata.len() > limit {
            return Err(Refusal::TooLarge(metadata.len()));
        }
        let mut content = Vec::with_capacity(metadata.len() as usize);
        let file = File::open(path).map_err(Refusal::Error)?;
        file.take(limit + 1).read_to_end(&mut content).map_err(Refusal::Error)?;
        if content.len() as u64 > limit {
            return Err(Refusal::TooLarge(content.len() as u64));
        }
        Ok(content)
    }

    fn near(&self, path: &str) -> Vec<String> {
        let (directory, _) = path.rsplit_once('/').unwrap_or(("", path));
        let Ok(entries) = std::fs::read_dir(self.0.join(directory)) else { return Vec::new() };
        let names = entries.take(NEAR_ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut near: Vec<String> = names.map(|name| beside(path, &name)).collect();
        near.sort();
        near
    }
}

/// The path of what is called `name` in the directory of `path`.
pub(super) fn beside(path: &str, name: &str) -> String {
    match Path::new(path).parent().map(Path::to_string_lossy) {
        Some(directory) if !directory.is_empty() => format!("{directory}/{name}"),
        _ => name.to_owned(),
    }
}
