//! What the git repository around a directory says, read from its files: whether git is at work there, and what is checked out.
//!
//! Starts no git, takes no lock and fails nothing: what cannot be read is not known. See gitrepository-layout(5).
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Symbolic references that are followed.
const MOST_HOPS: usize = 5;
/// Bytes of a reference, and of the file that tells where the repository is.
const MOST_BYTES: u64 = 8 * 1024;
/// Bytes of `packed-refs` that are looked through: a million references.
const MOST_PACKED: u64 = 128 * 1024 * 1024;

/// The repository that a directory lies in.
#[derive(Debug)]
pub(super) struct Repository {
    /// Of this working tree: `HEAD`, `index`.
    directory: PathBuf,
    /// Of all working trees: `refs`, `packed-refs`.
    common: PathBuf,
}

impl Repository {
    /// The repository whose working tree `root` is, or lies in.
    pub fn of(root: &Path) -> Option<Repository> {
        let root = root.canonicalize().ok()?;
        let directory = root.ancestors().find_map(git_directory)?;
        let common = line(&directory.join("commondir")).map_or_else(|| directory.clone(), |common| directory.join(common));
        Some(Repository { directory, common })
    }

    /// The file that git makes while it changes the working tree.
    pub fn lock_path(&self) -> PathBuf {
        self.directory.join("index.lock")
    }

    /// The same, when it is there.
    pub fn lock(&self) -> Option<PathBuf> {
        Some(self.lock_path()).filter(|lock| lock.symlink_metadata().is_ok())
    }

    /// The hash of the commit that is checked out.
    pub fn head(&self) -> Option<String> {
        let mut found = line(&self.directory.join("HEAD"))?;
        for _ in 0..MOST_HOPS {
            let Some(name) = found.strip_prefix("ref:").map(str::trim) else { return Some(found).filter(|found| is_hash(found)) };
            if !is_reference(name) {
                return None;
            }
            let loose = line(&self.directory.join(name)).or_else(|| line(&self.common.join(name)));
            found = loose.or_else(|| packed(&self.common.join("packed-refs"), name))?;
        }
        None
    }
}

/// The top of the git working tree that a directory is, or lies in.
pub fn working_tree(root: &Path) -> Option<PathBuf> {
    let root = root.canonicalize().ok()?;
    root.ancestors().find(|directory| git_directory(directory).is_some()).map(Path::to_path_buf)
}

/// `.git` in a directory: the repository itself, or a file that names it (of a further working tree, or a submodule).
fn git_directory(directory: &Path) -> Option<PathBuf> {
    let git = directory.join(".git");
    let metadata = git.metadata().ok()?;
    let found = if metadata.is_dir() { git } else { directory.join(line(&git)?.strip_prefix("gitdir:")?.trim()) };
    found.join("HEAD").symlink_metadata().is_ok().then_some(found)
}

/// A name that git gives to references, and that leads to no other file.
fn is_reference(name: &str) -> bool {
    name.starts_with("refs/") && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The first line of a regular file.
fn line(path: &Path) -> Option<String> {
    let mut text = String::new();
    regular(path)?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text.lines().next()?.trim_end().to_owned())
}

/// Opens no pipe, which would wait for its writer.
fn regular(path: &Path) -> Option<File> {
    path.metadata().ok()?.is_file().then(|| File::open(path).ok()).flatten()
}

/// What `packed-refs` has of a reference: lines of a hash, a blank and the name.
fn packed(path: &Path, name: &str) -> Option<String> {
    let lines = BufReader::new(regular(path)?.take(MOST_PACKED)).split(b'\n');
    lines.map_while(Result::ok).find_map(|line| {
        let line = String::from_utf8(line).ok()?;
        let (hash, of) = line.split_once(' ')?;
        (of.trim_end() == name).then(|| hash.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn git(directory: &Path, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=reeve", "-c", "user.email=reeve@example.org", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"];
        let output = Command::new("git").arg("-C").arg(directory).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A repository with one commit, in `work` of the directory.
    fn repository() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let work = directory.path().join("work");
        fs::create_dir_all(work.join("etl")).unwrap();
        fs::write(work.join("etl/deployment.yaml"), "name: x\n").unwrap();
        git(&work, &["init", "-q"]);
        git(&work, &["add", "."]);
        git(&work, &["commit", "-q", "-m", "one"]);
        (directory, work)
    }

    #[test]
    fn the_commit_is_read_from_whatever_files_hold_it() {
        for (files, expected) in [
            (&[("HEAD", HASH)][..], Some(HASH)),
            (&[("HEAD", "ref: refs/heads/main"), ("refs/heads/main", HASH)], Some(HASH)),
            (&[("HEAD", "ref: refs/heads/a/b"), ("refs/heads/a/b", "ref: refs/heads/main"), ("refs/heads/main", HASH)], Some(HASH)),
            (&[("HEAD", "ref: refs/heads/main"), ("packed-refs", &format!("# pack-refs with: peeled\n{OTHER} refs/heads/maintenance\n{HASH} refs/heads/main\n^{OTHER}\n"))], Some(HASH)),
            (&[("HEAD", "ref: refs/heads/main"), ("refs/heads/main", HASH), ("packed-refs", &format!("{OTHER} refs/heads/main\n"))], Some(HASH)),
            (&[("HEAD", "ref: refs/heads/main")], None),
            (&[("HEAD", "ref: refs/heads/main"), ("refs/heads/main", "ref: refs/heads/main")], None),
            (&[("HEAD", "ref: refs/../../secret"), ("../secret", HASH)], None),
            (&[("HEAD", "ref: refs/heads/.invalid")], None),
            (&[("HEAD", "not a hash")], None),
            (&[("HEAD", "")], None),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let git = directory.path().join(".git");
            for (name, content) in files {
                fs::create_dir_all(git.join(name).parent().unwrap()).unwrap();
                fs::write(git.join(name), format!("{content}\n")).unwrap();
            }
            let repository = Repository::of(directory.path()).unwrap();
            assert_eq!(repository.head().as_deref(), expected, "{files:?}");
        }
    }

    #[test]
    fn it_agrees_with_git_in_clones_worktrees_and_submodules() {
        let (directory, work) = repository();
        let commit = |root: &Path| Repository::of(root).and_then(|repository| repository.head());
        let head = git(&work, &["rev-parse", "HEAD"]);
        assert_eq!(commit(&work.join("etl")).as_deref(), Some(head.as_str()));
        git(&work, &["pack-refs", "--all"]);
        assert_eq!(commit(&work).as_deref(), Some(head.as_str()), "packed");
        let tree = directory.path().join("tree");
        git(&work, &["worktree", "add", "-q", "-b", "side", tree.to_str().unwrap()]);
        git(&tree, &["commit", "-q", "--allow-empty", "-m", "two"]);
        let side = git(&tree, &["rev-parse", "HEAD"]);
        assert_ne!(side, head);
        assert_eq!(commit(&tree).as_deref(), Some(side.as_str()), "a further working tree");
        git(&work, &["submodule", "add", "-q", work.to_str().unwrap(), "inner"]);
        assert_eq!(commit(&work.join("inner")).as_deref(), Some(head.as_str()), "a submodule");
        git(&work, &["checkout", "-q", "--detach"]);
        assert_eq!(commit(&work).as_deref(), Some(head.as_str()), "detached");
        let none = tempfile::tempdir().unwrap();
        assert!(Repository::of(none.path()).is_none());
        assert!(Repository::of(&none.path().join("gone")).is_none());
        git(none.path(), &["init", "-q"]);
        assert_eq!(commit(none.path()), None, "no commit yet");
    }

    #[test]
    fn a_lock_is_seen_in_the_working_tree_that_it_locks() {
        let (directory, work) = repository();
        let tree = directory.path().join("tree");
        git(&work, &["worktree", "add", "-q", "-b", "side", tree.to_str().unwrap()]);
        let lock_of = |root: &Path| super::super::read_directory(&root.join("etl"), &[]).unwrap().checkout_in_progress();
        assert_eq!((lock_of(&work), lock_of(&tree)), (None, None));
        for (locked, free) in [(&work, &tree), (&tree, &work)] {
            let lock = PathBuf::from(git(locked, &["rev-parse", "--path-format=absolute", "--git-path", "index.lock"]));
            fs::write(&lock, "").unwrap();
            let seen = lock_of(locked).expect("it is locked");
            assert_eq!(seen.canonicalize().unwrap(), lock.canonicalize().unwrap());
            assert_eq!(lock_of(free), None);
            fs::remove_file(&lock).unwrap();
        }
        // A lock that is gone once the files are read was there while they were.
        let lock = work.join(".git/index.lock");
        fs::write(&lock, "").unwrap();
        let set = super::super::read_directory(&work.join("etl"), &[]).unwrap();
        fs::remove_file(&lock).unwrap();
        assert!(set.checkout_in_progress().is_some());
        let revision = super::super::read_revision(&work.join("etl"), &[], "HEAD").unwrap();
        assert_eq!((revision.checkout_in_progress(), revision.git_commit()), (None, Some(git(&work, &["rev-parse", "HEAD"]))));
    }

    #[test]
    fn a_strange_git_directory_is_no_repository_and_does_not_block() {
        let directory = tempfile::tempdir().unwrap();
        let git = directory.path().join(".git");
        rustix::fs::mknodat(rustix::fs::CWD, &git, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(Repository::of(directory.path()).is_none());
        fs::remove_file(&git).unwrap();
        for content in ["", "gitdir: ", "gitdir: nowhere\n", "nonsense\n"] {
            fs::write(&git, content).unwrap();
            assert!(Repository::of(directory.path()).is_none(), "{content:?}");
        }
    }
}
