//! Where clones and work trees are kept, who uses them, and when they go.
//!
//! ```text
//! ROOT/HASH/             one repository, by its address
//!   lock                 held while it is fetched from, checked out or cleaned
//!   url                  its address; changed whenever it is used
//!   git/                 bare clone
//!   trees/KEY            one commit, checked out; .lock: held (shared) by the runs that use it; .ready: it is whole
//! ROOT/directories/RUN   a run's own directory, and its .lock
//! ROOT/pip/HASH.lock     held while packages are installed for one interpreter
//! ```
//! All locks are flock(2): they end with their processes, however those end. Who holds a lock shared across exec(3) is the run itself,
//! so what is in use is known without asking anybody. A tree without its `.ready` is half made, and made anew.
use crate::clock;
use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A work tree that nobody has used for so long goes.
pub const KEEP_TREES: Duration = DAY.saturating_mul(7);

/// Work trees of one repository; beyond it those that were used longest ago go.
pub const MOST_TREES: usize = 20;

/// A clone without work trees that nobody has used for so long goes.
pub const KEEP_CLONES: Duration = DAY.saturating_mul(30);

/// A run's own directory stays so long after the run.
pub const KEEP_DIRECTORIES: Duration = DAY;

/// Runs sweep at most so often; the daemon's janitor sweeps its own cache besides.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

const DIRECTORIES: &str = "directories";
const PIP: &str = "pip";

/// The cache's directory, made where it is missing: the daemon's, or the user's own.
///
/// # Errors
/// A sentence: where it cannot be made.
pub fn root(given: Option<&Path>) -> Result<PathBuf, String> {
    let root = match given {
        Some(given) => make(given).map(|()| given.to_path_buf())?,
        None => own_root(|name| std::env::var_os(name))?,
    };
    root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))
}

fn own_root(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, String> {
    let path = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = variable("USER").map_or_else(|| "the run's user".to_owned(), |user| format!("the user {}", user.to_string_lossy()));
    let cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
    let root = cache.ok_or_else(|| homeless(&user, "neither is an absolute path"))?.join("reeve/repositories");
    make(&root).map_err(|why| homeless(&user, &why))?;
    Ok(root)
}

/// A user without a home directory, or with one that is not its own.
fn homeless(user: &str, found: &str) -> String {
    format!(
        "clones of {user} are kept in its XDG_CACHE_HOME, or else in .cache of its HOME: {found}; name a directory that it may write to: \
         `env: {{XDG_CACHE_HOME: /var/cache/...}}`"
    )
}

fn make(directory: &Path) -> Result<(), String> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| unwritable(directory, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}

/// `None`: somebody else holds it in a way that excludes us.
fn try_lock(path: &Path, operation: FlockOperation) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match rustix::fs::flock(&file, operation) {
            Ok(()) if is_at(&file, path) => return Ok(Some(file)),
            // Swept away between our opening and our locking it.
            Ok(()) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Waits for it, after having said so.
fn lock(path: &Path, waiting: &str) -> Result<File, String> {
    let failed = |error: io::Error| unwritable(path, &error);
    if let Some(file) = try_lock(path, FlockOperation::NonBlockingLockExclusive).map_err(failed)? {
        return Ok(file);
    }
    super::say(&format!("   waiting for {waiting}"));
    match try_lock(path, FlockOperation::LockExclusive).map_err(failed)? {
        Some(file) => Ok(file),
        None => Err(format!("{} cannot be locked", path.display())),
    }
}

/// A new empty directory for one attempt, and the lock that keeps it.
///
/// # Errors
/// A sentence: what cannot be written.
pub fn fresh_directory(root: &Path, name: &str) -> Result<(PathBuf, File), String> {
    let parent = root.join(DIRECTORIES);
    make(&parent)?;
    let directory = parent.join(name);
    let path = parent.join(format!("{name}.lock"));
    let held = try_lock(&path, FlockOperation::NonBlockingLockShared).map_err(|error| unwritable(&path, &error))?;
    let held = held.ok_or_else(|| format!("{} is in use", directory.display()))?;
    DirBuilder::new().mode(0o700).create(&directory).map_err(|error| unwritable(&directory, &error))?;
    Ok((directory, held))
}

/// Keeps others from installing for the same interpreter.
///
/// # Errors
/// A sentence: what cannot be written.
pub fn pip_lock(root: &Path, interpreter: &Path) -> Result<File, String> {
    let directory = root.join(PIP);
    make(&directory)?;
    lock(&directory.join(format!("{}.lock", hash(&interpreter.to_string_lossy()))), "another run that installs packages there")
}

/// One repository of the cache, locked.
pub struct Repository {
    pub directory: PathBuf,
    _lock: File,
}

impl Repository {
    /// Waits until no other run fetches from it.
    ///
    /// # Errors
    /// A sentence: what cannot be written.
    pub fn open(root: &Path, url: &str) -> Result<Repository, String> {
        let directory = root.join(hash(url));
        make(&directory.join("trees"))?;
        let held = lock(&directory.join("lock"), "another run that fetches this repository")?;
        // Swept away before we had the lock.
        make(&directory.join("trees"))?;
        let path = directory.join("url");
        fs::write(&path, format!("{url}\n")).map_err(|error| unwritable(&path, &error))?;
        Ok(Repository { directory, _lock: held })
    }

    /// The bare clone.
    pub fn git(&self) -> PathBuf {
        self.directory.join("git")
    }

    /// The first tree of this key that may be used, or may be made. `is_clean`: a ready tree is still what was checked out.
    ///
    /// # Errors
    /// A sentence: what cannot be written; or all places are taken by trees that their runs have changed.
    pub fn tree(&self, key: &str, is_clean: &dyn Fn(&Path) -> bool) -> Result<Tree, String> {
        const MOST: usize = 50;
        for number in 1..=MOST {
            let name = if number == 1 { key.to_owned() } else { format!("{key}.{number}") };
            let path = self.directory.join("trees").join(name);
            let lock = beside(&path, "lock");
            let failed = |error: io::Error| unwritable(&lock, &error);
            if beside(&path, "ready").exists()
                && is_clean(&path)
                && let Some(held) = try_lock(&lock, FlockOperation::NonBlockingLockShared).map_err(failed)?
            {
                let tree = Tree { path, lock: held, ready: true };
                tree.touch();
                return Ok(tree);
            }
            if let Some(held) = try_lock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(failed)? {
                remove(&path).map_err(|error| unwritable(&path, &error))?;
                return Ok(Tree { path, lock: held, ready: false });
            }
        }
        Err(format!("{MOST} runs have changed their work trees of {key} and still use them"))
    }
}

/// A work tree that is held for one run.
pub struct Tree {
    pub path: PathBuf,
    lock: File,
    /// It is whole; else there is nothing, and the lock is ours alone.
    pub ready: bool,
}

impl Tree {
    /// It is whole now: others may use it too.
    ///
    /// # Errors
    /// A sentence: what cannot be written.
    pub fn finish(&mut self) -> Result<(), String> {
        let ready = beside(&self.path, "ready");
        File::create(&ready).map_err(|error| unwritable(&ready, &error))?;
        rustix::fs::flock(&self.lock, FlockOperation::LockShared).map_err(|error| unwritable(&ready, &error.into()))?;
        self.ready = true;
        Ok(())
    }

    /// What keeps it from being removed.
    pub fn into_lock(self) -> File {
        self.lock
    }

    /// It was used just now.
    fn touch(&self) {
        let ready = OpenOptions::new().write(true).open(beside(&self.path, "ready"));
        let _only_its_age = ready.and_then(|file| file.set_modified(clock::of_files()));
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// A tree with its mark; the mark first, so that what is half removed is not used.
fn remove(tree: &Path) -> io::Result<()> {
    for removed in [fs::remove_file(beside(tree, "ready")), fs::remove_dir_all(tree)] {
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Sweeps, where nobody has done so lately.
pub fn sweep_at_times(root: &Path) {
    let mark = root.join("swept");
    if age(&mark).is_some_and(|age| age < SWEEP_EVERY) {
        return;
    }
    let marked = File::create(&mark).and_then(|mut file| file.write_all(b"\n"));
    if marked.is_ok() {
        sweep(root);
    }
}

/// Removes what nobody has used for long, and nothing that is in use. What cannot be removed stays for the next time.
pub fn sweep(root: &Path) {
    for entry in entries(root) {
        match entry.file_name().and_then(|name| name.to_str()) {
            Some(DIRECTORIES) => sweep_directories(&entry),
            Some(PIP) | None => {}
            Some(_) if entry.join("url").exists() => sweep_repository(&entry),
            Some(_) => {}
        }
    }
}

fn sweep_directories(parent: &Path) {
    for lock in entries(parent).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "lock")) {
        if age(&lock).is_some_and(|age| age > KEEP_DIRECTORIES)
            && let Ok(Some(_held)) = try_lock(&lock, FlockOperation::NonBlockingLockExclusive)
        {
            let _again_later = fs::remove_dir_all(lock.with_extension("")).is_ok() && fs::remove_file(&lock).is_ok();
        }
    }
}

fn sweep_repository(directory: &Path) {
    let Ok(Some(_held)) = try_lock(&directory.join("lock"), FlockOperation::NonBlockingLockExclusive) else { return };
    let trees = entries(&directory.join("trees"));
    let mut trees: Vec<(Duration, PathBuf)> = trees
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "lock"))
        .map(|lock| lock.with_extension(""))
        // Half made: it goes at once.
        .map(|tree| (age(&beside(&tree, "ready")).unwrap_or(Duration::MAX), tree))
        .collect();
    trees.sort();
    let mut left = 0;
    for (index, (age, tree)) in trees.iter().enumerate() {
        let lock = beside(tree, "lock");
        let goes = index >= MOST_TREES || *age > KEEP_TREES;
        let held = goes.then(|| try_lock(&lock, FlockOperation::NonBlockingLockExclusive).ok().flatten()).flatten();
        let gone = held.is_some() && remove(tree).is_ok() && fs::remove_file(&lock).is_ok();
        left += usize::from(!gone);
    }
    if left == 0 && age(&directory.join("url")).is_some_and(|age| age > KEEP_CLONES) {
        let _again_later = fs::remove_dir_all(directory);
    }
}

/// `None`: it is not there, or from the future.
fn age(path: &Path) -> Option<Duration> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    clock::of_files().duration_since(modified).ok()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The first 16 hexadecimal digits of a text's SHA-256.
pub fn hash(text: &str) -> String {
    let mut digits = format!("{:x}", Sha256::digest(text));
    digits.truncate(16);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(repository: &Repository, key: &str) -> Tree {
        let mut tree = repository.tree(key, &|_| true).unwrap();
        assert!(!tree.ready);
        fs::create_dir(&tree.path).unwrap();
        fs::write(tree.path.join("file"), "x").unwrap();
        tree.finish().unwrap();
        tree
    }

    #[test]
    fn a_user_without_a_home_is_told_what_is_needed() {
        let root = |variables: &[(&str, &str)]| own_root(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()));
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap();
        assert_eq!(root(&[("HOME", home)]).unwrap(), directory.path().join(".cache/reeve/repositories"));
        assert_eq!(root(&[("HOME", "/proc/none"), ("XDG_CACHE_HOME", home)]).unwrap(), directory.path().join("reeve/repositories"));
        for (variables, found) in [
            (&[("USER", "web"), ("HOME", "/proc/none")][..], "clones of the user web are kept in its XDG_CACHE_HOME, or else in .cache of its HOME: /proc/none/.cache/reeve"),
            (&[("XDG_CACHE_HOME", "cache")], "clones of the run's user are kept in its XDG_CACHE_HOME, or else in .cache of its HOME: neither is an absolute path"),
        ] {
            let said = root(variables).unwrap_err();
            assert!(said.starts_with(found) && said.contains("`env: {XDG_CACHE_HOME: "), "{said}");
        }
    }

    fn set_age(path: &Path, age: Duration) {
        File::open(path).unwrap().set_modified(clock::of_files() - age).unwrap();
    }

    #[test]
    fn a_tree_is_shared_while_clean_and_remade_when_not() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open(directory.path(), "u").unwrap();
        let first = made(&repository, "k");
        let second = repository.tree("k", &|_| true).unwrap();
        assert!(second.ready && second.path == first.path);
        let aside = repository.tree("k", &|_| false).unwrap();
        assert!(!aside.ready && aside.path != first.path, "one that is changed and in use is left alone");
        let path = first.path.clone();
        drop((first, second, aside));
        let again = repository.tree("k", &|_| false).unwrap();
        assert!(!again.ready && again.path == path && !path.exists(), "one that is changed and not in use is made anew");
    }

    #[test]
    fn a_half_made_tree_is_never_used() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open(directory.path(), "u").unwrap();
        let half = repository.tree("k", &|_| true).unwrap();
        fs::create_dir(&half.path).unwrap();
        let path = half.path.clone();
        drop(half);
        let tree = repository.tree("k", &|_| true).unwrap();
        assert!(!tree.ready && tree.path == path && !path.exists());
    }

    #[test]
    fn sweeping_takes_what_is_old_or_too_much_and_nothing_that_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let repository = Repository::open(root, "u").unwrap();
        let trees: Vec<Tree> = (0..MOST_TREES + 3).map(|number| made(&repository, &format!("k{number}"))).collect();
        for (number, tree) in trees.iter().enumerate() {
            set_age(&beside(&tree.path, "ready"), Duration::from_secs(60 * number as u64));
        }
        let old = trees[1].path.clone();
        set_age(&beside(&old, "ready"), KEEP_TREES * 2);
        let paths: Vec<PathBuf> = trees.iter().map(|tree| tree.path.clone()).collect();
        let used = trees.into_iter().next_back();
        drop(repository);
        sweep(root);
        let left: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
        assert!(!left[1], "unused for long: {left:?}");
        assert!(!left[MOST_TREES + 1], "one too many: {left:?}");
        assert!(left[MOST_TREES + 2], "in use: {left:?}");
        assert_eq!(left.iter().filter(|exists| **exists).count(), MOST_TREES + 1, "{left:?}");
        drop(used);

        let clone = root.join(hash("u"));
        set_age(&clone.join("url"), KEEP_CLONES * 2);
        sweep(root);
        assert!(clone.exists(), "it still has trees");
        paths.iter().filter(|path| path.exists()).for_each(|path| set_age(&beside(path, "ready"), KEEP_TREES * 2));
        sweep(root);
        assert!(!clone.exists());
    }

    #[test]
    fn a_runs_own_directory_stays_while_it_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let (path, held) = fresh_directory(directory.path(), "run.1").unwrap();
        fs::write(path.join("file"), "x").unwrap();
        set_age(&beside(&path, "lock"), KEEP_DIRECTORIES * 2);
        sweep(directory.path());
        assert!(path.exists());
        drop(held);
        sweep(directory.path());
        assert!(!path.exists());
    }
}
