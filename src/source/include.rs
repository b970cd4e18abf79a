//! Looks for the manifests that `include:` names, in a directory or in a revision.
//!
//! Finds all of them or fails: what is not found would be pruned. Never leaves the root: a link that leads out of it is an error.
//! `**` does not enter links to directories, so that a circle of them ends; a step with a name or a wildcard does.
use super::set::SourceError;
use super::tree::{Kind, Target, Tree};
use crate::manifest::{Include, Segment};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Files that one project may include.
const MOST_FILES: usize = 20_000;
/// Directories that are looked through for them.
const MOST_DIRECTORIES: usize = 20_000;
/// Directories below one another that `**` enters.
const DEEPEST: usize = 64;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Included {
    /// In order, each once.
    pub files: BTreeSet<String>,
    /// What decided it: directories that were listed, and paths that a glob names. Whatever is added shows in one of them.
    pub looked_at: BTreeSet<String>,
    /// By glob, how many files it matched.
    pub matched: BTreeMap<String, usize>,
}

/// Looks for all files that the globs match.
///
/// # Errors
/// A directory that cannot be listed, a link that leads out, too many files or directories.
pub(super) fn look(tree: &dyn Tree, root: &Path, includes: &[Include]) -> Result<Included, SourceError> {
    let mut walk = Walk { tree, root, pattern: "", found: BTreeSet::new(), entered: BTreeSet::new(), included: Included::default(), depth: 0 };
    for include in includes {
        walk.pattern = &include.pattern;
        walk.entered.clear();
        walk.walk("", &include.segments)?;
        walk.included.matched.insert(include.pattern.clone(), walk.found.len());
        let found = std::mem::take(&mut walk.found);
        walk.included.files.extend(found);
    }
    Ok(walk.included)
}

struct Walk<'a> {
    tree: &'a dyn Tree,
    root: &'a Path,
    pattern: &'a str,
    found: BTreeSet<String>,
    /// Directories where `**` was walked, with the number of steps left: with several of them there are many ways to each.
    entered: BTreeSet<(String, usize)>,
    included: Included,
    /// Directories that `**` has entered to be here.
    depth: usize,
}

impl Walk<'_> {
    fn walk(&mut self, directory: &str, segments: &[Segment]) -> Result<(), SourceError> {
        match segments {
            [] => Ok(()),
            [Segment::Literal(name), rest @ ..] => {
                let path = join(directory, name);
                self.look_at(&path)?;
                match self.target(&path)? {
                    Target::Directory if !rest.is_empty() => self.walk(&path, rest),
                    Target::File if rest.is_empty() => self.take(path),
                    Target::Outside => Err(SourceError::LeadsOut { file: self.root.join(path) }),
                    _ => Ok(()),
                }
            }
            [Segment::Wild(wildcard), rest @ ..] => {
                for (name, kind) in self.list(directory)? {
                    if wildcard.matches(&name) {
                        self.follow(join(directory, &name), kind, rest)?;
                    }
                }
                Ok(())
            }
            [Segment::AnyDepth, ..] if !self.entered.insert((directory.to_owned(), segments.len())) => Ok(()),
            [Segment::AnyDepth, rest @ ..] => {
                self.walk(directory, rest)?;
                let below = self.list(directory)?.into_iter().filter(|(name, kind)| *kind == Kind::Directory && !name.starts_with('.'));
                for (name, _) in below {
                    self.deeper(&join(directory, &name), segments)?;
                }
                Ok(())
            }
        }
    }

    fn deeper(&mut self, directory: &str, segments: &[Segment]) -> Result<(), SourceError> {
        if self.depth == DEEPEST {
            return Err(self.too_much(format!("directories lie more than {DEEPEST} deep in `{directory}`")));
        }
        self.depth += 1;
        let walked = self.walk(directory, segments);
        self.depth -= 1;
        walked
    }

    /// Goes on with an entry that matched.
    fn follow(&mut self, path: String, kind: Kind, rest: &[Segment]) -> Result<(), SourceError> {
        let target = match kind {
            Kind::Directory => Target::Directory,
            Kind::Other => Target::File,
            Kind::Link => {
                self.look_at(&path)?;
                self.target(&path)?
            }
        };
        match target {
            Target::Directory if !rest.is_empty() => self.walk(&path, rest),
            Target::File if rest.is_empty() => self.take(path),
            Target::Outside => Err(SourceError::LeadsOut { file: self.root.join(path) }),
            _ => Ok(()),
        }
    }

    fn take(&mut self, path: String) -> Result<(), SourceError> {
        self.found.insert(path);
        match self.found.len() + self.included.files.len() > MOST_FILES {
            true => Err(self.too_much(format!("more than {MOST_FILES} files match"))),
            false => Ok(()),
        }
    }

    fn look_at(&mut self, path: &str) -> Result<(), SourceError> {
        self.included.looked_at.insert(path.to_owned());
        match self.included.looked_at.len() > MOST_DIRECTORIES {
            true => Err(self.too_much(format!("more than {MOST_DIRECTORIES} directories would have to be looked through"))),
            false => Ok(()),
        }
    }

    fn list(&mut self, directory: &str) -> Result<Vec<(String, Kind)>, SourceError> {
        self.look_at(directory)?;
        self.tree.list(directory).map_err(|error| self.unreadable(directory, error))
    }

    fn target(&self, path: &str) -> Result<Target, SourceError> {
        self.tree.target(path).map_err(|error| self.unreadable(path, error))
    }

    fn unreadable(&self, path: &str, error: io::Error) -> SourceError {
        SourceError::Unreadable { file: self.root.join(path), error }
    }

    fn too_much(&self, why: String) -> SourceError {
        SourceError::TooMuch { pattern: self.pattern.to_owned(), why }
    }
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::super::{SourceSet, read_directory, read_revision};
    use crate::manifest::Files;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::process::Command;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A project that includes `globs`, with files in many places.
    fn project(globs: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        write(root, "deployment.yaml", &format!("name: p\ninclude: {globs}\n"));
        for name in ["jobs/b.yaml", "jobs/a.yaml", "jobs/.b.yaml.swp", "jobs/deep/er/c.yaml", "jobs/notes.txt", "teams/x/jobs.yaml", "teams/y/jobs.yaml", ".hidden/a.yaml"] {
            write(root, name, "deployments: []\n");
        }
        symlink("../jobs/a.yaml", root.join("teams/link.yaml")).unwrap();
        symlink("x", root.join("teams/z")).unwrap();
        symlink("..", root.join("jobs/deep/up")).unwrap();
        directory
    }

    fn names(set: &SourceSet) -> Vec<&str> {
        assert_eq!(set.manifests()[0].path, "deployment.yaml");
        set.manifests()[1..].iter().map(|file| file.path.as_str()).collect()
    }

    fn revision(root: &Path) -> Result<SourceSet, super::SourceError> {
        for arguments in [&["init", "-q"][..], &["add", "-A", "-f"], &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "all"]] {
            let output = Command::new("git").arg("-C").arg(root).args(arguments).output().unwrap();
            assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        read_revision(root, &[], "HEAD")
    }

    #[test]
    fn globs_find_the_same_files_in_a_directory_and_in_a_revision() {
        for (globs, expected) in [
            ("jobs/*.yaml", &["jobs/a.yaml", "jobs/b.yaml"][..]),
            ("[jobs/b.yaml, ./jobs/*.yaml, jobs/b.yaml]", &["jobs/a.yaml", "jobs/b.yaml"]),
            ("'**/*.yaml'", &["jobs/a.yaml", "jobs/b.yaml", "jobs/deep/er/c.yaml", "teams/link.yaml", "teams/x/jobs.yaml", "teams/y/jobs.yaml"]),
            ("'**/**/deep/**/**/*.yaml'", &["jobs/deep/er/c.yaml"]),
            ("jobs/**", &["jobs/a.yaml", "jobs/b.yaml", "jobs/deep/er/c.yaml", "jobs/notes.txt"]),
            ("teams/*/jobs.yaml", &["teams/x/jobs.yaml", "teams/y/jobs.yaml", "teams/z/jobs.yaml"]),
            ("teams/[!x]/jobs.yaml", &["teams/y/jobs.yaml", "teams/z/jobs.yaml"]),
            (".hidden/*.yaml", &[".hidden/a.yaml"]),
            ("'*.yaml'", &[]),
            ("[jobs, jobs/nothing/*.yaml, gone.yaml]", &[]),
        ] {
            let directory = project(globs);
            let set = read_directory(directory.path(), &[]).unwrap();
            assert_eq!(names(&set), expected, "{globs}");
            let then = revision(directory.path()).unwrap();
            assert_eq!(names(&then), expected, "{globs} in a revision");
            assert_eq!(then.content_hash(), set.content_hash(), "{globs}");
            assert!(expected.iter().all(|path| set.is_included(path)) && !set.is_included("deployment.yaml"));
        }
    }

    #[test]
    fn a_project_below_its_repository_is_listed_there() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "etl/deployment.yaml", "include: '**/*.yaml'\n");
        write(directory.path(), "etl/jobs/a.yaml", "");
        write(directory.path(), "other/b.yaml", "");
        revision(directory.path()).unwrap_err();
        let set = read_revision(&directory.path().join("etl"), &[], "HEAD").unwrap();
        assert_eq!(names(&set), ["jobs/a.yaml"]);
    }

    #[test]
    fn what_a_glob_looked_at_is_what_a_new_file_shows_in() {
        for (globs, expected) in [
            ("jobs/*.yaml", &["jobs"][..]),
            ("'*.yaml'", &[""]),
            ("gone/*.yaml", &["gone"]),
            ("later.yaml", &["later.yaml"]),
            ("teams/*/jobs.yaml", &["teams", "teams/x/jobs.yaml", "teams/y/jobs.yaml", "teams/z", "teams/z/jobs.yaml"]),
            ("jobs/**/*.yaml", &["jobs", "jobs/deep", "jobs/deep/er"]),
        ] {
            let directory = project(globs);
            let mut looked_at = read_directory(directory.path(), &[]).unwrap().consulted();
            looked_at.retain(|path| !path.ends_with("link.yaml"));
            assert_eq!(looked_at, expected, "{globs}");
        }
    }

    #[test]
    fn what_cannot_be_included_whole_is_an_error() {
        let outside = tempfile::tempdir().unwrap();
        write(outside.path(), "x.yaml", "");
        let error = |globs: &str, prepare: &dyn Fn(&Path)| {
            let directory = project(globs);
            prepare(directory.path());
            read_directory(directory.path(), &[]).unwrap_err().to_string().replace(&directory.path().display().to_string(), "DIR")
        };
        let out = |root: &Path| symlink(outside.path().join("x.yaml"), root.join("jobs/out.yaml")).unwrap();
        let expected = "`DIR/jobs/out.yaml`, which `include:` names, is a link that leads out of the project; put the file itself there";
        assert_eq!(error("jobs/*.yaml", &out), expected);
        assert_eq!(error("jobs/out.yaml", &out), expected);
        let directory_out = |root: &Path| symlink(outside.path(), root.join("away")).unwrap();
        assert!(error("'*/x.yaml'", &directory_out).contains("leads out"));
        let deep = |root: &Path| fs::create_dir_all(root.join("d/".repeat(super::DEEPEST + 1))).unwrap();
        assert!(error("'**/*.yaml'", &deep).starts_with("`include: **/*.yaml` asks for too much: directories lie more than 64 deep"));
    }

    #[test]
    fn an_included_file_that_cannot_be_read_is_one_of_many() {
        let directory = project("jobs/*.yaml");
        let path = |name: &str| directory.path().join(name);
        let before = read_directory(directory.path(), &[]).unwrap();
        symlink("nowhere", path("jobs/dangling.yaml")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("jobs/pipe.yaml"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let set = read_directory(directory.path(), &[]).unwrap();
        assert_eq!(names(&set), ["jobs/a.yaml", "jobs/b.yaml", "jobs/dangling.yaml", "jobs/pipe.yaml"]);
        assert!(set.unread("jobs/dangling.yaml").unwrap().contains("No such file"));
        assert_eq!((set.unread("jobs/pipe.yaml"), set.unread("jobs/a.yaml")), (Some("it is not a regular file"), None));
        assert!(set.snapshot().unwrap_err().to_string().contains("jobs/dangling.yaml` cannot be read"), "nobody else could tell what it says");
        assert_ne!(set.content_hash(), before.content_hash());
    }

    #[test]
    fn a_hidden_directory_is_left_alone_by_wildcards() {
        let directory = project("'*/a.yaml'");
        assert_eq!(names(&read_directory(directory.path(), &[]).unwrap()), ["jobs/a.yaml"]);
    }
}
