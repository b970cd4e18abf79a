//! A project as a revision of its git repository has it, without a checkout. The only spawner of `git`.
//!
//! One `git cat-file --batch` answers for all files of a reading. Nothing is written, no hook and no filter runs, and the revision is
//! settled once, so that a reading sees one commit whatever is pushed meanwhile.
use super::repository::Repository;
use super::tree::{Kind, Refusal, Target, Tree, beside};
use crate::manifest;
use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A directory as a commit has it.
#[derive(Debug)]
pub(super) struct Revision {
    root: std::path::PathBuf,
    commit: String,
    /// The directory's path in the repository: empty, or with a `/` at its end.
    prefix: String,
    batch: RefCell<Batch>,
}

/// The process that is asked.
#[derive(Debug)]
struct Batch {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Revision {
    /// The directory `root` at a revision, which may be anything that git calls one: `origin/main`, `HEAD~3`, a tag, a hash.
    ///
    /// # Errors
    /// A sentence: no git here, no repository, no such revision.
    pub fn open(root: &Path, revision: &str) -> Result<Revision, String> {
        let prefix = ask(root, &["rev-parse", "--show-prefix"])?;
        let commit = ask(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")])
            .map_err(|error| match error.is_empty() {
                true => format!("git knows no commit `{revision}` here (in a shallow clone, fetch it first: git fetch origin {revision})"),
                false => error,
            })?;
        let batch = Batch::start(root).map_err(|error| format!("git could not be run: {error}"))?;
        Ok(Revision { root: root.to_owned(), commit, prefix, batch: RefCell::new(batch) })
    }

    fn object(&self, path: &str) -> Result<Object, io::Error> {
        if path.contains('\n') {
            return Ok(Object::Missing);
        }
        let path = format!("{}{}", self.prefix, path.trim_start_matches("./"));
        self.batch.borrow_mut().ask(&format!("{}:{}", self.commit, path.trim_end_matches('/')))
    }
}

/// What `cat-file` has of a path.
enum Object {
    Blob(Vec<u8>),
    /// A directory, as git writes it.
    Tree(Vec<u8>),
    TooLarge(u64),
    /// A link that leads out of the repository, to nothing or in a circle.
    Other,
    Missing,
}

impl Batch {
    fn start(root: &Path) -> io::Result<Batch> {
        let mut child = git(root)
            .args(["cat-file", "--batch", "--follow-symlinks"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(requests), Some(answers)) => Ok(Batch { child, requests, answers: BufReader::new(answers) }),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Asks for one object; see "BATCH OUTPUT" in git-cat-file(1).
    fn ask(&mut self, name: &str) -> io::Result<Object> {
        writeln!(self.requests, "{name}")?;
        self.requests.flush()?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "git ended early"));
        }
        let line = line.trim_end();
        let words: Vec<&str> = line.rsplitn(3, ' ').collect();
        match words[..] {
            ["missing" | "ambiguous", ..] => Ok(Object::Missing),
            // A link that leads nowhere is answered by one of these words and the size of a text, which follows.
            [size, "dangling" | "loop" | "notdir" | "symlink"] => self.skip(size).map(|()| Object::Other),
            [size, kind, _] => match (size.parse::<u64>(), kind) {
                (Ok(size), "blob") if size > manifest::MAXIMUM_BYTES as u64 => self.discard(size).map(|()| Object::TooLarge(size)),
                (Ok(size), "blob") => self.content(size).map(Object::Blob),
                (Ok(size), "tree") if size <= manifest::MAXIMUM_BYTES as u64 => self.content(size).map(Object::Tree),
                (Ok(size), _) => self.discard(size).map(|()| Object::Other),
                (Err(_), _) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("git answered `{line}`"))),
            },
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("git answered `{line}`"))),
        }
    }

    fn content(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        (&mut self.answers).take(size).read_to_end(&mut content)?;
        self.answers.read_exact(&mut [0])?;
        Ok(content)
    }

    fn skip(&mut self, size: &str) -> io::Result<()> {
        let size = size.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "git answered without a size"))?;
        self.discard(size)
    }

    /// A content and the line end behind it.
    fn discard(&mut self, size: u64) -> io::Result<()> {
        io::copy(&mut (&mut self.answers).take(size + 1), &mut io::sink()).map(drop)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _collected = self.child.wait();
    }
}

impl Tree for Revision {
    fn has(&self, path: &str) -> io::Result<bool> {
        Ok(!matches!(self.object(path)?, Object::Missing))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        match self.object(path).map_err(Refusal::Error)? {
            Object::Blob(content) => Ok(content),
            Object::TooLarge(size) => Err(Refusal::TooLarge(size)),
            Object::Tree(_) | Object::Other => Err(Refusal::NotAFile),
            Object::Missing => Err(Refusal::Error(io::ErrorKind::NotFound.into())),
        }
    }

    fn near(&self, path: &str) -> Vec<String> {
        let (directory, _) = path.rsplit_once('/').unwrap_or(("", path));
        let names = ask(&self.root, &["ls-tree", "--full-tree", "--name-only", "-z", &format!("{}:{}{directory}", self.commit, self.prefix)]);
        names.unwrap_or_default().split('\0').filter(|name| !name.is_empty()).map(|name| beside(path, name)).collect()
    }

    fn list(&self, directory: &str) -> io::Result<Vec<(String, Kind)>> {
        match self.object(directory)? {
            Object::Tree(content) => Ok(entries(&content, self.commit.len() / 2)),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// A link that leads out of the repository cannot be told from one that leads nowhere: reading it says what is wrong.
    fn target(&self, path: &str) -> io::Result<Target> {
        Ok(match self.object(path)? {
            Object::Tree(_) => Target::Directory,
            Object::Missing => Target::Missing,
            Object::Blob(_) | Object::TooLarge(_) | Object::Other => Target::File,
        })
    }

    fn repository(&self) -> Option<Repository> {
        None
    }

    fn git_commit(&self) -> Option<&str> {
        Some(&self.commit)
    }
}

/// The entries of a tree object: a mode in octal, a blank, the name, a zero byte and the hash. Submodules are left out: their
/// content is none of this revision's.
fn entries(mut tree: &[u8], hash_length: usize) -> Vec<(String, Kind)> {
    let mut entries = Vec::new();
    while let Some(end) = tree.iter().position(|byte| *byte == 0) {
        let (entry, rest) = tree.split_at(end);
        tree = rest.get(1 + hash_length..).unwrap_or_default();
        let entry = String::from_utf8_lossy(entry);
        let Some((mode, name)) = entry.split_once(' ') else { break };
        let kind = match mode {
            "40000" => Kind::Directory,
            "120000" => Kind::Link,
            "160000" => continue,
            _ => Kind::Other,
        };
        entries.push((name.to_owned(), kind));
    }
    entries
}

fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(root).stdin(Stdio::null());
    // What a hook or an editor has set must not lead it to another repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    command
}

/// What git says to a question, without the line end; else what it complains about.
fn ask(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = git(root).args(arguments).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "git is not installed".to_owned(),
        _ => format!("git could not be run: {error}"),
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr).trim_start_matches("fatal: ").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SourceError, SourceSet, read_directory, read_revision};
    use crate::manifest::{FileContent, Files};
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    fn git(directory: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=reeve", "-c", "user.email=reeve@example.org", "-c", "init.defaultBranch=main"];
        let output = Command::new("git").arg("-C").arg(directory).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A repository whose project lies in `etl/`, with one commit; the working tree has gone on since.
    fn repository() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().join("etl");
        fs::create_dir_all(project.join("flows")).unwrap();
        fs::write(project.join("deployment.yaml"), "name: then\n").unwrap();
        fs::write(project.join("flows/a b.py"), "x = 1\n").unwrap();
        std::os::unix::fs::symlink("flows/a b.py", project.join("link.py")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", project.join("out.py")).unwrap();
        std::os::unix::fs::symlink("nowhere", project.join("dangling.py")).unwrap();
        git(directory.path(), &["init", "-q"]);
        git(directory.path(), &["add", "."]);
        git(directory.path(), &["commit", "-q", "-m", "then"]);
        fs::write(project.join("deployment.yaml"), "name: now\n").unwrap();
        fs::write(project.join("flows/a b.py"), "x = 2\n").unwrap();
        directory
    }

    fn revision(directory: &Path, named: &[&str], revision: &str) -> Result<SourceSet, SourceError> {
        read_revision(&directory.join("etl"), &named.iter().map(PathBuf::from).collect::<Vec<_>>(), revision)
    }

    #[test]
    fn a_revision_has_its_own_files_whatever_lies_in_the_directory() {
        let directory = repository();
        let then = revision(directory.path(), &[], "HEAD").unwrap();
        assert_eq!((then.manifests()[0].path.as_str(), &then.manifests()[0].content[..]), ("deployment.yaml", &b"name: then\n"[..]));
        assert_eq!(then.read("flows/a b.py"), FileContent::Found(b"x = 1\n".to_vec()));
        assert_eq!(then.read("./flows/a b.py"), FileContent::Found(b"x = 1\n".to_vec()));
        assert_eq!(then.read("link.py"), FileContent::Found(b"x = 1\n".to_vec()));
        for path in ["flows", "out.py", "dangling.py"] {
            assert!(matches!(then.read(path), FileContent::Unreadable(_)), "{path}: {:?}", then.read(path));
        }
        for path in ["gone.py", "flows/gone\n.py"] {
            assert_eq!(then.read(path), FileContent::Missing, "{path}");
        }
        assert_eq!(then.near("flows/b.py"), ["flows/a b.py"]);
        let now = read_directory(&directory.path().join("etl"), &[]).unwrap();
        assert_eq!(now.manifests()[0].content, b"name: now\n");
        let named = revision(directory.path(), &["./deployment.yaml"], "main").unwrap();
        assert_eq!(named.manifests()[0].content, b"name: then\n");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let directory = repository();
        let error = |named: &[&str], of: &str| revision(directory.path(), named, of).unwrap_err().to_string();
        assert!(error(&[], "no-such").contains("git knows no commit `no-such` here"), "{}", error(&[], "no-such"));
        assert!(error(&[], "--help").contains("git knows no commit `--help` here"), "{}", error(&[], "--help"));
        assert!(error(&["new.yaml"], "HEAD").contains("holds no project file"), "{}", error(&["new.yaml"], "HEAD"));
        assert!(error(&["../x.yaml"], "HEAD").contains("is not below"), "{}", error(&["../x.yaml"], "HEAD"));
        let none = tempfile::tempdir().unwrap();
        fs::create_dir(none.path().join("etl")).unwrap();
        let error = revision(none.path(), &[], "HEAD").unwrap_err().to_string();
        assert!(error.contains("not a git repository"), "{error}");
    }
}
