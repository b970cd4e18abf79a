//! A set of files that travels: what one host read, for a daemon on another to plan with.
use super::repository::Repository;
use super::set::{SourceError, SourceSet};
use super::tree::{Kind, Refusal, Target, Tree, beside};
use crate::manifest::FileContent;
use crate::manifest::Files;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// The files that a project's meaning depends on, by path relative to its root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The manifests that are found by name or were named, in order; those that they include are among `files`.
    pub manifests: Vec<String>,
    /// Text of each file that was read. A file that was asked for and is missing is not there.
    pub files: BTreeMap<String, String>,
    /// The git commit that is checked out where they lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl SourceSet {
    /// Everything that was read so far.
    ///
    /// # Errors
    /// A file that is not UTF-8 or could not be read: no other host can tell what it says.
    pub fn snapshot(&self) -> Result<Snapshot, SourceError> {
        let text = |path: &str, content: &[u8]| match std::str::from_utf8(content) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(self.unreadable(path, io::Error::new(io::ErrorKind::InvalidData, error))),
        };
        let mut snapshot = Snapshot { commit: self.git_commit(), ..Snapshot::default() };
        for manifest in self.manifests() {
            if let Some(why) = self.unread(&manifest.path) {
                return Err(self.unreadable(&manifest.path, io::Error::other(why.to_owned())));
            }
            if !self.is_included(&manifest.path) {
                snapshot.manifests.push(manifest.path.clone());
            }
            snapshot.files.insert(manifest.path.clone(), text(&manifest.path, &manifest.content)?);
        }
        for (path, content) in self.others() {
            match content {
                FileContent::Found(content) => drop(snapshot.files.insert(path.clone(), text(&path, &content)?)),
                FileContent::Missing => {}
                FileContent::Unreadable(why) => return Err(self.unreadable(&path, io::Error::other(why))),
            }
        }
        Ok(snapshot)
    }

    fn unreadable(&self, path: &str, error: io::Error) -> SourceError {
        SourceError::Unreadable { file: self.root().join(path), error }
    }
}

/// The project of a snapshot, as if it lay in `root`.
///
/// # Errors
/// A manifest that the snapshot names and does not hold.
pub fn read_snapshot(root: &Path, snapshot: Snapshot) -> Result<SourceSet, SourceError> {
    let Snapshot { manifests, files, commit } = snapshot;
    SourceSet::read(root.to_owned(), manifests, Box::new(Sent { files, commit }))
}

/// Files that were sent.
#[derive(Debug)]
struct Sent {
    files: BTreeMap<String, String>,
    commit: Option<String>,
}

impl Sent {
    /// What stands below a directory, `""` for the root.
    fn below<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = &'a str> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        self.files.keys().filter_map(move |path| path.strip_prefix(&prefix))
    }
}

impl Tree for Sent {
    fn has(&self, path: &str) -> io::Result<bool> {
        Ok(self.files.contains_key(path))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        let missing = || Refusal::Error(io::Error::new(io::ErrorKind::NotFound, "it was not sent"));
        self.files.get(path).map(|text| text.clone().into_bytes()).ok_or_else(missing)
    }

    fn near(&self, path: &str) -> Vec<String> {
        let (directory, _) = path.rsplit_once('/').unwrap_or(("", path));
        self.below(directory).filter(|name| !name.contains('/')).map(|name| beside(path, name)).collect()
    }

    fn list(&self, directory: &str) -> io::Result<Vec<(String, Kind)>> {
        let entry = |path: &str| match path.split_once('/') {
            Some((name, _)) => (name.to_owned(), true),
            None => (path.to_owned(), false),
        };
        let entries: BTreeSet<(String, bool)> = self.below(directory).map(entry).collect();
        Ok(entries.into_iter().map(|(name, is_directory)| (name, if is_directory { Kind::Directory } else { Kind::Other })).collect())
    }

    fn target(&self, path: &str) -> io::Result<Target> {
        Ok(match (self.files.contains_key(path), self.below(path).next()) {
            (true, _) => Target::File,
            (false, Some(_)) => Target::Directory,
            (false, None) => Target::Missing,
        })
    }

    fn is_whole(&self) -> bool {
        false
    }

    fn git_commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    fn repository(&self) -> Option<Repository> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::read_directory;
    use std::fs;

    #[test]
    fn what_is_sent_is_what_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            fs::create_dir_all(directory.path().join(name).parent().unwrap()).unwrap();
            fs::write(directory.path().join(name), text).unwrap();
        };
        write("deployment.yaml", "include: ['flows/**/*.yaml']\ndeployments: []\n");
        write("flows/a.yaml", "deployments: []\n");
        write("flows/deep/b.yaml", "deployments: []\n");
        write("flows/a.py", "def main(): pass\n");
        let here = read_directory(directory.path(), &[]).unwrap();
        assert!(matches!(Files::read(&here, "flows/a.py"), FileContent::Found(_)));
        assert_eq!(Files::read(&here, "flows/gone.py"), FileContent::Missing);
        let snapshot = here.snapshot().unwrap();
        assert_eq!(snapshot.manifests, ["deployment.yaml"]);
        let there = read_snapshot(Path::new("/elsewhere"), snapshot).unwrap();
        assert_eq!(there.manifests(), here.manifests());
        for path in ["flows/a.py", "flows/gone.py"] {
            assert_eq!(Files::read(&there, path), Files::read(&here, path));
        }
        assert_eq!(there.content_hash(), here.content_hash());
        assert_eq!((here.is_there("flows/a.py"), there.is_there("flows/a.py")), (Some(true), None), "what was not sent may be there all the same");
        assert!(there.checkout_in_progress().is_none());
        fs::write(directory.path().join("flows/a.py"), [0xff]).unwrap();
        let here = read_directory(directory.path(), &[]).unwrap();
        drop(Files::read(&here, "flows/a.py"));
        assert!(here.snapshot().unwrap_err().to_string().contains("a.py"), "nobody else could tell what it says");
    }
}
