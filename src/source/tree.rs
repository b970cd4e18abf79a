//! Where files stand: a directory of this host, a revision that git keeps, or what another host sent.
use super::repository::Repository;
use super::writer;
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

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    Link,
    Other,
}

/// What a path leads to, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Directory,
    /// Anything else that is there; whether it can be read shows when it is.
    File,
    /// Something beyond the root.
    Outside,
    Missing,
}

/// A tree of files below a root. Paths are relative to it, with `/`.
pub(super) trait Tree: std::fmt::Debug {
    /// Whether there is anything of this name, be it readable or not.
    fn has(&self, path: &str) -> io::Result<bool>;

    /// The content of a file that is not larger than a manifest may be.
    fn read(&self, path: &str) -> Result<Vec<u8>, Refusal>;

    /// Paths of what stands in the same directory.
    fn near(&self, path: &str) -> Vec<String>;

    /// The entries of a directory, `""` for the root.
    fn list(&self, directory: &str) -> io::Result<Vec<(String, Kind)>>;

    fn target(&self, path: &str) -> io::Result<Target>;

    /// Whether somebody is writing the file, as far as that can be told.
    fn is_being_written(&self, _path: &str) -> bool {
        false
    }

    /// Whether it holds all files of the project, and not only those that somebody read.
    fn is_whole(&self) -> bool {
        true
    }

    /// The git commit, if that is what the tree is of, or was read beside.
    fn git_commit(&self) -> Option<&str> {
        None
    }

    /// The repository whose working tree this is, where git may change it while it is read.
    fn repository(&self) -> Option<Repository>;
}

/// A directory of this host.
#[derive(Debug)]
pub(super) struct Directory(pub PathBuf);

impl Tree for Directory {
    fn repository(&self) -> Option<Repository> {
        Repository::of(&self.0)
    }

    fn has(&self, path: &str) -> io::Result<bool> {
        Ok(self.0.join(path).symlink_metadata().is_ok())
    }

    fn is_being_written(&self, path: &str) -> bool {
        let path = self.0.join(path);
        let is_file = std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
        is_file && File::open(path).is_ok_and(|file| writer::is_open_for_writing(&file))
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

    fn list(&self, directory: &str) -> io::Result<Vec<(String, Kind)>> {
        let entries = std::fs::read_dir(self.0.join(directory))?.map(|entry| {
            let entry = entry?;
            let kind = match entry.file_type()? {
                kind if kind.is_dir() => Kind::Directory,
                kind if kind.is_symlink() => Kind::Link,
                _ => Kind::Other,
            };
            Ok((entry.file_name().to_string_lossy().into_owned(), kind))
        });
        entries.collect()
    }

    fn target(&self, path: &str) -> io::Result<Target> {
        let path = self.0.join(path);
        if let Err(error) = path.symlink_metadata() {
            return if is_missing(&error) { Ok(Target::Missing) } else { Err(error) };
        }
        // What cannot be followed is there: reading it says what is wrong.
        let Ok(real) = path.canonicalize() else { return Ok(Target::File) };
        Ok(match real.starts_with(self.0.canonicalize()?) {
            false => Target::Outside,
            true if real.is_dir() => Target::Directory,
            true => Target::File,
        })
    }
}

/// Whether an error says that nothing is there.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The path of what is called `name` in the directory of `path`.
pub(super) fn beside(path: &str, name: &str) -> String {
    match Path::new(path).parent().map(Path::to_string_lossy) {
        Some(directory) if !directory.is_empty() => format!("{directory}/{name}"),
        _ => name.to_owned(),
    }
}
