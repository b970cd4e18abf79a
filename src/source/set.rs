//! A project's files: which they are, and reading them as one set.
use super::git::Revision;
use super::include::{self, Included};
use super::repository::Repository;
use super::tree::{Directory, Refusal, Tree, is_missing};
use crate::manifest::{self, FileContent, Files, Include, ManifestFile};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use thiserror::Error;

/// The names that are looked for, in this order.
const NAMES: [&str; 2] = ["deployment.yaml", "deployment.yml"];
/// Prefect's name, used when none of the others is there, or for its steps beside one.
const PREFECT: [&str; 2] = ["prefect.yaml", "prefect.yml"];
/// Why there is no complete set of files. Sentences read after "failed to read the project: ".
#[derive(Debug, Error)]
pub enum SourceError {
    #[error("the directory `{}` cannot be read: {error}", directory.display())]
    NoDirectory { directory: PathBuf, error: io::Error },
    #[error(
        "`{}` holds no project file; expected deployment.yaml, deployment.yml or prefect.yaml (`reeve project init` writes one)",
        directory.display()
    )]
    NoManifest { directory: PathBuf },
    #[error("`{}` holds both deployment.yaml and deployment.yml; name one of them with -f, or remove the other", directory.display())]
    TwoManifests { directory: PathBuf },
    #[error("the file `{}` cannot be read: {error}", file.display())]
    Unreadable { file: PathBuf, error: io::Error },
    #[error("the path `{}` is not a regular file", file.display())]
    NotAFile { file: PathBuf },
    #[error("the file `{}` has {} MiB; a project file may have 32 MiB", file.display(), bytes / (1024 * 1024))]
    TooLarge { file: PathBuf, bytes: u64 },
    #[error("the file `{}` is given twice", file.display())]
    GivenTwice { file: PathBuf },
    #[error("the revision `{revision}` of `{}` cannot be read: {why}", directory.display())]
    NoRevision { directory: PathBuf, revision: String, why: String },
    #[error("`{}`, which `include:` names, is a link that leads out of the project; put the file itself there", file.display())]
    LeadsOut { file: PathBuf },
    #[error("`include: {pattern}` asks for too much: {why}; write a narrower glob")]
    TooMuch { pattern: String, why: String },
    #[error("the file `{}` is not below `{}`, and so is in no revision of it", file.display(), directory.display())]
    Outside { file: PathBuf, directory: PathBuf },
}

/// The manifests of the project in `root`: those that are `named` (relative to the root, or absolute), else
/// `deployment.yaml` or `deployment.yml`, else `prefect.yaml`. Prefect 2.10 has its steps in a `prefect.yaml` without
/// deployments beside `deployment.yaml`: then both. A `deployment.yaml` that is a Kubernetes manifest does not hide a
/// `prefect.yaml`.
///
/// # Errors
/// No such directory, nothing found, or two candidates.
pub fn discover(root: &Path, named: &[PathBuf]) -> Result<Vec<PathBuf>, SourceError> {
    if !named.is_empty() {
        return distinct(named.iter().map(|file| within(root, file)).collect());
    }
    std::fs::read_dir(root).map_err(|error| SourceError::NoDirectory { directory: root.to_owned(), error })?;
    Ok(by_name(&Directory(root.to_owned()), root)?.iter().map(|name| root.join(name)).collect())
}

/// The names of the manifests that lie in a tree's root.
fn by_name(tree: &dyn Tree, root: &Path) -> Result<Vec<&'static str>, SourceError> {
    let unreadable = |name: &str, error| SourceError::Unreadable { file: root.join(name), error };
    let there = |names: [&'static str; 2]| -> Result<Vec<&'static str>, SourceError> {
        let looked = names.into_iter().map(|name| Ok((name, tree.has(name).map_err(|error| unreadable(name, error))?)));
        let looked = looked.collect::<Result<Vec<_>, SourceError>>()?;
        Ok(looked.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect())
    };
    let prefect = there(PREFECT)?.into_iter().next();
    match (there(NAMES)?.as_slice(), prefect) {
        ([], None) => Err(SourceError::NoManifest { directory: root.to_owned() }),
        ([], Some(prefect)) => Ok(vec![prefect]),
        ([_, _, ..], _) => Err(SourceError::TwoManifests { directory: root.to_owned() }),
        ([deployment], None) => Ok(vec![deployment]),
        ([deployment], Some(prefect)) => {
            let text = |name| Ok(String::from_utf8_lossy(&read_manifest(tree, root, name)?).into_owned());
            if manifest::is_kubernetes(&text(deployment)?) {
                return Ok(vec![prefect]);
            }
            Ok(if holds_only_steps(&text(prefect)?) { vec![deployment, prefect] } else { vec![deployment] })
        }
    }
}

/// Looks at the left margin only, as keys of a block mapping stand there.
fn holds_only_steps(text: &str) -> bool {
    let has = |key: &str| text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    !has("deployments") && !has("entrypoint") && (has("pull") || has("push") || has("build"))
}

/// The path as a user meant it: relative ones start at the root.
fn within(root: &Path, file: &Path) -> PathBuf {
    if file.is_absolute() { file.to_owned() } else { root.join(file) }
}

fn distinct(files: Vec<PathBuf>) -> Result<Vec<PathBuf>, SourceError> {
    for (index, file) in files.iter().enumerate() {
        if files[..index].iter().any(|earlier| plain(earlier) == plain(file)) {
            return Err(SourceError::GivenTwice { file: file.clone() });
        }
    }
    Ok(files)
}

/// Without `.` and, where that needs no look at the disk, `..`.
fn plain(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(parts.components().next_back(), Some(Component::Normal(_))) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}

/// Reads the manifests of the project in `root`, see [`discover`].
///
/// # Errors
/// Anything that keeps the set from being complete.
pub fn read_directory(root: &Path, named: &[PathBuf]) -> Result<SourceSet, SourceError> {
    let root = normal(root)?;
    let tree = Directory(root.clone());
    let names = discover(&root, named)?.iter().map(|file| relative(&root, file)).collect();
    SourceSet::read(root, names, Box::new(tree))
}

/// The same as a revision of the directory's git repository has them.
///
/// # Errors
/// As above; no repository or no such revision; a named file that is not below the root. Named files that the revision has not got
/// are left out.
pub fn read_revision(root: &Path, named: &[PathBuf], revision: &str) -> Result<SourceSet, SourceError> {
    let root = normal(root)?;
    let no_revision = |why| SourceError::NoRevision { directory: root.clone(), revision: revision.to_owned(), why };
    let tree = Revision::open(&root, revision).map_err(no_revision)?;
    let names = match named {
        [] => by_name(&tree, &root)?.into_iter().map(str::to_owned).collect(),
        named => {
            let named = distinct(named.iter().map(|file| plain(&within(&root, file))).collect())?;
            let names = named.into_iter().map(|file| below(&root, file)).collect::<Result<Vec<_>, _>>()?;
            // A file that is new since was not there yet, as a whole project may not have been.
            let there: Vec<String> = names.into_iter().filter(|name| tree.has(name).unwrap_or(true)).collect();
            if there.is_empty() {
                return Err(SourceError::NoManifest { directory: root });
            }
            there
        }
    };
    SourceSet::read(root, names, Box::new(tree))
}

fn normal(root: &Path) -> Result<PathBuf, SourceError> {
    let no_directory = |error| SourceError::NoDirectory { directory: root.to_owned(), error };
    std::path::absolute(root).map(|root| plain(&root)).map_err(no_directory)
}

fn below(root: &Path, file: PathBuf) -> Result<String, SourceError> {
    match file.strip_prefix(root) {
        Ok(below) => Ok(below.to_string_lossy().into_owned()),
        Err(_) => Err(SourceError::Outside { file, directory: root.to_owned() }),
    }
}

/// The path below the root with `/`; what lies outside keeps its full path.
fn relative(root: &Path, file: &Path) -> String {
    let file = plain(file);
    file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned()
}

fn read_manifest(tree: &dyn Tree, root: &Path, name: &str) -> Result<Vec<u8>, SourceError> {
    let file = || root.join(name);
    tree.read(name).map_err(|refusal| match refusal {
        Refusal::Error(error) => SourceError::Unreadable { file: file(), error },
        Refusal::NotAFile => SourceError::NotAFile { file: file() },
        Refusal::TooLarge(bytes) => SourceError::TooLarge { file: file(), bytes },
    })
}

/// The manifests of a project, and its other files on demand: each is read once, so that one reading sees one state.
#[derive(Debug)]
pub struct SourceSet {
    root: PathBuf,
    manifests: Vec<ManifestFile>,
    tree: Box<dyn Tree>,
    includes: Vec<Include>,
    included: Included,
    /// The included manifests that are there and cannot be read, and why. They stand among the manifests, without content.
    unread: BTreeMap<String, String>,
    /// Where a directory of this host lies in one.
    repository: Option<Repository>,
    locked_before: bool,
    read: RefCell<BTreeMap<String, FileContent>>,
    /// Many deployments name the same directory, and git is slow to ask.
    there: RefCell<BTreeMap<String, bool>>,
}

impl SourceSet {
    pub(super) fn read(root: PathBuf, names: Vec<String>, tree: Box<dyn Tree>) -> Result<SourceSet, SourceError> {
        // Looked for before anything is read: what is checked out meanwhile may be read in part.
        let repository = tree.repository();
        let locked_before = repository.as_ref().is_some_and(|repository| repository.lock().is_some());
        let read = |path: String| Ok(ManifestFile { content: read_manifest(&*tree, &root, &path)?, path });
        let mut manifests = names.into_iter().map(read).collect::<Result<Vec<_>, SourceError>>()?;
        let mut unread = BTreeMap::new();
        let includes: Vec<Include> = manifests.iter().flat_map(|file| manifest::includes(&file.content)).collect();
        let mut included = include::look(&*tree, &root, &includes)?;
        // What is the project's first file, or was given with -f, is no included one, whatever matches it.
        included.files.retain(|path| manifests.iter().all(|file| file.path != *path));
        for path in &included.files {
            // One of many files: whether it keeps the others from being applied is the project's own rule.
            let content = tree.read(path).unwrap_or_else(|refusal| {
                unread.insert(path.clone(), why(&refusal));
                Vec::new()
            });
            manifests.push(ManifestFile { path: path.clone(), content });
        }
        Ok(SourceSet { root, manifests, tree, includes, included, unread, repository, locked_before, read: RefCell::default(), there: RefCell::default() })
    }

    /// Absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn manifests(&self) -> &[ManifestFile] {
        &self.manifests
    }

    /// The other files that were asked for so far.
    pub(super) fn others(&self) -> Vec<(String, FileContent)> {
        self.read.borrow().iter().map(|(path, content)| (path.clone(), content.clone())).collect()
    }

    /// The paths of those, missing ones included.
    pub(super) fn asked_for(&self) -> Vec<String> {
        self.read.borrow().keys().cloned().collect()
    }

    /// Paths, relative to the root, of the other files that were asked for so far, missing ones included, and of the directories
    /// in which `include:` was looked for: a change of any of them may change what the project means.
    pub fn consulted(&self) -> Vec<String> {
        self.read.borrow().keys().chain(&self.included.looked_at).cloned().collect()
    }

    /// The lock of git's index, if git is changing the directory's files now or was when they began to be read: the set may be a
    /// mixture of two commits.
    pub fn checkout_in_progress(&self) -> Option<PathBuf> {
        let repository = self.repository.as_ref()?;
        repository.lock().or_else(|| self.locked_before.then(|| repository.lock_path()))
    }

    /// A manifest of this host that somebody has open for writing now: the set may hold a part of it.
    pub fn being_written(&self) -> Option<String> {
        self.manifests.iter().find(|file| self.tree.is_being_written(&file.path)).map(|file| file.path.clone())
    }

    /// The manifests, the directories that hold them or in which `include:` was looked for, and the root: whatever changes which
    /// objects are declared changes one of them.
    pub fn declaring(&self) -> BTreeSet<PathBuf> {
        let manifests = self.manifests.iter().map(|file| self.root.join(&file.path));
        let directories = manifests.clone().filter_map(|file| file.parent().map(Path::to_owned));
        let looked_at = self.included.looked_at.iter().map(|path| self.root.join(path));
        manifests.chain(directories).chain(looked_at).chain([self.root.clone()]).collect()
    }

    /// Whether there is anything at a path, relative to the root, that may be a manifest, read or not.
    pub fn has(&self, path: &str) -> bool {
        self.tree.has(path).unwrap_or(false)
    }

    /// The glob of `include:` that matches no file at all and would match this one, which is not there.
    pub fn matches_nothing(&self, path: &str) -> Option<&str> {
        let mut empty = self.includes.iter().filter(|include| self.included.matched.get(&include.pattern) == Some(&0));
        empty.find(|include| include.covers(path)).map(|include| include.pattern.as_str())
    }

    /// The git commit that was read, or that is checked out where the files lie, in full; `None` outside a repository, and before
    /// its first commit.
    pub fn git_commit(&self) -> Option<String> {
        self.tree.git_commit().map(str::to_owned).or_else(|| self.repository.as_ref()?.head())
    }

    /// SHA-256 in hex over the names and contents of everything that was read so far.
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |name: &str, kind: u8, content: &[u8]| {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
            hash.update([kind]);
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(content);
        };
        for file in &self.manifests {
            part(&file.path, 0, &file.content);
        }
        for (path, why) in &self.unread {
            part(path, 3, why.as_bytes());
        }
        for (path, content) in self.read.borrow().iter() {
            match content {
                FileContent::Found(content) => part(path, 1, content),
                FileContent::Missing => part(path, 2, &[]),
                FileContent::Unreadable(why) => part(path, 3, why.as_bytes()),
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn read_below(&self, path: &str) -> FileContent {
        if Path::new(path).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return FileContent::Unreadable("it lies outside the project's root".to_owned());
        }
        match self.tree.read(path) {
            Ok(content) => FileContent::Found(content),
            Err(Refusal::Error(error)) if is_missing(&error) => FileContent::Missing,
            Err(refusal) => FileContent::Unreadable(why(&refusal)),
        }
    }
}

/// Why a file that is there has no content, in a few words.
fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Error(error) => error.to_string(),
        Refusal::NotAFile => "it is not a regular file".to_owned(),
        Refusal::TooLarge(_) => "it is larger than 32 MiB".to_owned(),
    }
}

impl Files for SourceSet {
    fn read(&self, path: &str) -> FileContent {
        if let Some(content) = self.read.borrow().get(path) {
            return content.clone();
        }
        let content = self.read_below(path);
        self.read.borrow_mut().insert(path.to_owned(), content.clone());
        content
    }

    fn near(&self, path: &str) -> Vec<String> {
        self.tree.near(path)
    }

    /// Says nothing of what lies outside the root. What is found does not belong to what was read: nothing that is stored follows from it.
    fn is_there(&self, path: &str) -> Option<bool> {
        let is_below = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_below || !self.tree.is_whole() {
            return None;
        }
        if let Some(there) = self.there.borrow().get(path) {
            return Some(*there);
        }
        let there = self.tree.has(path).ok()?;
        self.there.borrow_mut().insert(path.to_owned(), there);
        Some(there)
    }

    fn is_included(&self, path: &str) -> bool {
        self.included.files.contains(path)
    }

    fn unread(&self, path: &str) -> Option<&str> {
        self.unread.get(path).map(String::as_str)
    }

    fn matched(&self, pattern: &str) -> Option<usize> {
        self.included.matched.get(pattern).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    const DEPLOYMENT: &str = "deployments:\n- {name: a, command: 'true'}\n";

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        directory
    }

    fn found(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let directory = project(files);
        match read_directory(directory.path(), &[]) {
            Ok(set) => Ok(set.manifests().iter().map(|file| file.path.clone()).collect()),
            Err(error) => Err(error.to_string().replace(&directory.path().display().to_string(), "DIR")),
        }
    }

    #[test]
    fn manifests_are_found_by_their_names() {
        let both = |files: &[(&str, &str)], expected: &[&str]| assert_eq!(found(files).unwrap(), expected);
        both(&[("deployment.yaml", DEPLOYMENT)], &["deployment.yaml"]);
        both(&[("deployment.yml", DEPLOYMENT)], &["deployment.yml"]);
        both(&[("prefect.yaml", DEPLOYMENT)], &["prefect.yaml"]);
        both(&[("deployment.yaml", DEPLOYMENT), ("prefect.yaml", DEPLOYMENT)], &["deployment.yaml"]);
        both(&[("deployment.yaml", DEPLOYMENT), ("prefect.yaml", "name: x\npull: null\n")], &["deployment.yaml", "prefect.yaml"]);
        both(&[("deployment.yaml", "apiVersion: v1\nkind: Pod\n"), ("prefect.yaml", DEPLOYMENT)], &["prefect.yaml"]);
    }

    #[test]
    fn what_keeps_a_set_from_being_complete_is_an_error() {
        let none = found(&[("other.yaml", "")]).unwrap_err();
        assert_eq!(none, "`DIR` holds no project file; expected deployment.yaml, deployment.yml or prefect.yaml (`reeve project init` writes one)");
        let two = found(&[("deployment.yaml", ""), ("deployment.yml", "")]).unwrap_err();
        assert_eq!(two, "`DIR` holds both deployment.yaml and deployment.yml; name one of them with -f, or remove the other");
        let directory = found(&[("deployment.yaml/x", "")]).unwrap_err();
        assert_eq!(directory, "the path `DIR/deployment.yaml` is not a regular file");
        let root = tempfile::tempdir().unwrap();
        let missing = read_directory(&root.path().join("gone"), &[]).unwrap_err();
        assert!(matches!(missing, SourceError::NoDirectory { .. }), "{missing}");
        let named = read_directory(root.path(), &["gone.yaml".into()]).unwrap_err();
        assert!(matches!(named, SourceError::Unreadable { .. }), "{named}");
        std::os::unix::fs::symlink("nowhere", root.path().join("deployment.yaml")).unwrap();
        let dangling = read_directory(root.path(), &[]).unwrap_err();
        assert!(matches!(dangling, SourceError::Unreadable { .. }), "a dangling link is no missing manifest: {dangling}");
    }

    #[test]
    fn a_pipe_does_not_block_and_a_huge_file_is_not_read() {
        let directory = project(&[("a.yaml", "")]);
        let pipe = directory.path().join("deployment.yaml");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(read_directory(directory.path(), &[]).unwrap_err(), SourceError::NotAFile { .. }));
        let huge = directory.path().join("huge.yaml");
        File::create(&huge).unwrap().set_len(33 * 1024 * 1024).unwrap();
        let error = read_directory(directory.path(), &[huge]).unwrap_err();
        assert!(matches!(error, SourceError::TooLarge { bytes, .. } if bytes == 33 * 1024 * 1024), "{error}");
    }

    #[test]
    fn other_files_are_read_once_and_only_below_the_root() {
        let directory = project(&[("deployment.yaml", DEPLOYMENT), ("flows/a.py", "x = 1\n")]);
        let set = read_directory(directory.path(), &[]).unwrap();
        let before = set.content_hash();
        assert_eq!(set.read("flows/a.py"), FileContent::Found(b"x = 1\n".to_vec()));
        fs::write(directory.path().join("flows/a.py"), "x = 2\n").unwrap();
        assert_eq!(set.read("flows/a.py"), FileContent::Found(b"x = 1\n".to_vec()), "one reading sees one state");
        assert_eq!(set.read("flows/b.py"), FileContent::Missing);
        assert!(matches!(set.read("../a.py"), FileContent::Unreadable(_)));
        assert!(matches!(set.read("/etc/passwd"), FileContent::Unreadable(_)));
        assert_eq!(set.near("flows/b.py"), ["flows/a.py"]);
        assert_eq!(["flows", "flows/a.py", "flows/b.py", "../a.py", "/etc"].map(|path| set.is_there(path)), [Some(true), Some(true), Some(false), None, None]);
        assert_ne!(set.content_hash(), before);
        assert_eq!(set.consulted(), ["../a.py", "/etc/passwd", "flows/a.py", "flows/b.py"]);
    }

    #[test]
    fn the_same_file_given_twice_is_an_error() {
        let directory = project(&[("a.yaml", DEPLOYMENT)]);
        let error = read_directory(directory.path(), &["a.yaml".into(), "./a.yaml".into()]).unwrap_err();
        assert!(matches!(error, SourceError::GivenTwice { .. }), "{error}");
    }
}
