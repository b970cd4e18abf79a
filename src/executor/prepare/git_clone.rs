//! `git_clone`: a commit's files, from one bare clone of each repository and one work tree of each commit.
//!
//! A branch is asked for anew by every run (one small question over the network); what has not moved is there already. A commit that
//! is there needs no network at all.
use super::cache::{self, Repository, Tree};
use super::credentials::Remote;
use super::git::{Git, Refused};
use super::say;
use super::steps::{Inputs, Workshop, directory_output};
use crate::model::JsonMap;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Packs of a clone, one for each fetch, before they are made one.
const MOST_PACKS: usize = 50;

/// What is asked for.
enum Wanted<'a> {
    /// The branch that the repository itself names.
    Default,
    /// A branch or a tag.
    Name(&'a str),
    /// The beginning of a commit's hash, or all of it.
    Commit(&'a str),
}

/// A commit, and how it can be fetched.
struct Found {
    /// Empty where only a fetch can tell.
    commit: String,
    /// As the remote has it; `None`: a commit by its hash.
    reference: Option<String>,
}

/// # Errors
/// A sentence: what was not found, or could not be reached or written.
pub fn run(workshop: &mut Workshop<'_>, inputs: &Inputs) -> Result<JsonMap, String> {
    let begun = Instant::now();
    let preparation = &workshop.order.preparation;
    let repository = located(inputs.text("repository").unwrap_or_default(), preparation.base.as_deref())?;
    let remote = Remote::new(&repository, inputs.text("access_token"), inputs.mapping("credentials"))?;
    let wanted = wanted(inputs)?;
    let root = cache::root(preparation.cache.as_deref())?;
    let clone = Clone { git: Git::new(&remote), url: &remote.url, inputs };
    let found = clone.find(&root, &wanted)?;
    let cached = Repository::open(&root, &remote.url)?;
    let (tree, commit) = clone.tree(&cached, &found)?;
    drop(cached);
    let name = match wanted {
        Wanted::Default => String::new(),
        Wanted::Name(name) | Wanted::Commit(name) => format!(" {name}"),
    };
    let short = commit.get(..12).unwrap_or(&commit);
    say(&format!("   {}{name}: commit {short} in {} ({:.1} s)", remote.url, tree.path.display(), begun.elapsed().as_secs_f64()));
    if workshop.fresh {
        link(&workshop.directory, &directory_name(inputs, &remote.url, &wanted)?, &tree.path)?;
    }
    workshop.code = Some(tree.path.clone());
    let mut output = directory_output(&tree.path);
    output.insert("commit_sha".to_owned(), Value::String(commit));
    workshop.held.push(tree.into_lock());
    cache::sweep_at_times(&root);
    Ok(output)
}

/// A path is made absolute; an address stays as it is.
fn located(repository: &str, base: Option<&Path>) -> Result<String, String> {
    let repository = repository.trim();
    if repository.starts_with('-') {
        return Err(format!("{repository} is no repository"));
    }
    // As git tells them apart: `host:path` has no slash before its colon.
    let is_address = repository.contains("://") || repository.split('/').next().is_some_and(|first| first.contains(':'));
    if is_address || repository.starts_with('/') {
        return Ok(repository.to_owned());
    }
    let base = base.ok_or_else(|| format!("the repository {repository} is a relative path, and no project says where it begins"))?;
    Ok(base.join(repository).to_string_lossy().into_owned())
}

fn wanted<'a>(inputs: &'a Inputs) -> Result<Wanted<'a>, String> {
    match (inputs.text("branch"), inputs.text("commit_sha")) {
        (_, Some(commit)) if commit.len() < 4 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Err(format!("commit_sha: {commit} is no commit's hash; expected at least 4 hexadecimal digits"))
        }
        (_, Some(commit)) => Ok(Wanted::Commit(commit)),
        // git-check-ref-format(1), as far as it could change what git is asked.
        (Some(name), _) if name.starts_with('-') || name.contains("..") || name.contains([' ', ':', '*', '?', '[', '^', '~', '\\', '\n']) => {
            Err(format!("branch: {name} cannot be the name of a branch"))
        }
        (Some(name), _) => Ok(Wanted::Name(name)),
        (None, None) => Ok(Wanted::Default),
    }
}

/// What Prefect calls the directory of a clone.
fn directory_name(inputs: &Inputs, url: &str, wanted: &Wanted<'_>) -> Result<String, String> {
    if let Some(name) = inputs.text("clone_directory_name") {
        return match name.contains('/') || name == "." || name == ".." {
            true => Err(format!("clone_directory_name: {name} is a path; expected a name")),
            false => Ok(name.to_owned()),
        };
    }
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(url);
    let last = last.strip_suffix(".git").unwrap_or(last);
    Ok(match wanted {
        Wanted::Default => last.to_owned(),
        Wanted::Name(name) | Wanted::Commit(name) => format!("{last}-{}", name.replace('/', "-")),
    })
}

/// Where scripts expect the clone: below the directory where they run.
fn link(directory: &Path, name: &str, tree: &Path) -> Result<(), String> {
    let path = directory.join(name);
    // By an earlier step of the same name.
    let _none_there = std::fs::remove_file(&path);
    std::os::unix::fs::symlink(tree, &path).map_err(|error| format!("{}: {error}", path.display()))
}

struct Clone<'a> {
    git: Git<'a>,
    url: &'a str,
    inputs: &'a Inputs,
}

impl Clone<'_> {
    fn reach(&self, refused: &Refused) -> String {
        format!("{} cannot be read: {}", self.url, self.git.explain(refused))
    }

    /// Which commit it is, as the remote has it now.
    fn find(&self, root: &Path, wanted: &Wanted<'_>) -> Result<Found, String> {
        let candidates = match wanted {
            Wanted::Commit(hash) => {
                let commit = if is_whole(hash) { hash.to_ascii_lowercase() } else { String::new() };
                return Ok(Found { commit, reference: None });
            }
            Wanted::Default => vec!["HEAD".to_owned()],
            // A tag's object is not its commit; the line with ^{} is.
            Wanted::Name(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}^{{}}"), format!("refs/tags/{name}")],
        };
        let mut arguments = vec!["ls-remote", "--quiet", "--", self.url];
        arguments.extend(candidates.iter().map(String::as_str));
        let answer = self.git.ask(root, &arguments).map_err(|refused| self.reach(&refused))?;
        let lines: Vec<(&str, &str)> = answer.lines().filter_map(|line| line.split_once('\t')).collect();
        for candidate in &candidates {
            if let Some((commit, _)) = lines.iter().find(|(_, name)| name == candidate) {
                return Ok(Found { commit: (*commit).to_owned(), reference: Some(candidate.trim_end_matches("^{}").to_owned()) });
            }
        }
        Err(match wanted {
            Wanted::Name(name) => format!("{} has no branch or tag {name}; {}", self.url, self.branches(root)),
            _ => format!("{} is empty: it has no commit yet", self.url),
        })
    }

    fn branches(&self, root: &Path) -> String {
        const SHOWN: usize = 10;
        let answer = self.git.ask(root, &["ls-remote", "--quiet", "--heads", "--", self.url]).unwrap_or_default();
        let names: Vec<&str> = answer.lines().filter_map(|line| line.split_once("\trefs/heads/")).map(|(_, name)| name).collect();
        match names.len() {
            0 => "it has no branches".to_owned(),
            count if count <= SHOWN => format!("its branches are {}", names.join(", ")),
            count => format!("its {count} branches begin with {}", names[..SHOWN].join(", ")),
        }
    }

    /// A work tree of the commit, made where there is none.
    fn tree(&self, cached: &Repository, found: &Found) -> Result<(Tree, String), String> {
        if !found.commit.is_empty() {
            let tree = self.place(cached, &found.commit)?;
            if tree.ready {
                return Ok((tree, found.commit.clone()));
            }
        }
        let there = cached.git().exists();
        match self.make(cached, found) {
            // By a full disk or a power cut: once more from nothing.
            Err(why) if there && self.is_damaged(&cached.git()) => {
                say(&format!("   cloning anew, since the clone that is kept is damaged: {why}"));
                std::fs::remove_dir_all(cached.git()).map_err(|error| format!("{why}; and it cannot be removed: {error}"))?;
                self.make(cached, found)
            }
            made => made,
        }
    }

    fn is_damaged(&self, git: &Path) -> bool {
        self.git.ask(git, &["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]).is_err()
    }

    fn make(&self, cached: &Repository, found: &Found) -> Result<(Tree, String), String> {
        let git = cached.git();
        self.initialise(&git)?;
        let commit = self.fetch(&git, found)?;
        let mut tree = self.place(cached, &commit)?;
        if !tree.ready {
            self.check_out(&git, &tree.path, &commit).map_err(|refused| {
                format!("commit {commit} of {} cannot be checked out: {}", self.url, self.git.explain(&refused))
            })?;
            tree.finish()?;
        }
        self.tidy(&git);
        Ok((tree, commit))
    }

    fn place(&self, cached: &Repository, commit: &str) -> Result<Tree, String> {
        let clean = ["status", "--porcelain", "--untracked-files=no"];
        cached.tree(&self.key(commit), &|path| self.git.ask(path, &clean).is_ok_and(|changes| changes.is_empty()))
    }

    /// A commit with other submodules or directories is another tree.
    fn key(&self, commit: &str) -> String {
        let (submodules, directories) = (self.inputs.flag("include_submodules", false), self.inputs.texts("directories"));
        match (submodules, directories.is_empty()) {
            (false, true) => commit.to_owned(),
            _ => format!("{commit}-{}", cache::hash(&format!("{submodules} {directories:?}"))),
        }
    }

    fn initialise(&self, git: &Path) -> Result<(), String> {
        let failed = |refused: Refused| format!("no clone can be made in {}: {}", git.display(), refused.line);
        std::fs::create_dir_all(git).map_err(|error| format!("{} cannot be written: {error}", git.display()))?;
        // We hold the repository's lock: whose these were is gone.
        remove_locks(git, 0);
        // Not a second time: that would undo how git lets sparse work trees differ from the clone.
        let whole = self.git.ask(git, &["--git-dir=.", "rev-parse", "--is-bare-repository"]).is_ok_and(|answer| answer.trim() == "true");
        if !whole {
            self.git.ask(git, &["init", "--quiet", "--bare", "--template=", "."]).map_err(failed)?;
        }
        // Relative addresses of submodules begin here.
        self.git.ask(git, &["config", "remote.origin.url", self.url]).map_err(failed)?;
        self.git.ask(git, &["worktree", "prune"]).map_err(failed)?;
        Ok(())
    }

    /// Fetches what is missing, no more than the commit's own files; gives the commit.
    fn fetch(&self, git: &Path, found: &Found) -> Result<String, String> {
        let Some(reference) = &found.reference else { return self.fetch_commit(git, found) };
        // Not by its name: `a` and `a/b`, one after the other, cannot both be names here.
        let own = format!("refs/reeve/{}", cache::hash(reference));
        let update = format!("+{reference}:{own}");
        self.git
            .ask(git, &["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", self.url, &update])
            .map_err(|refused| self.reach(&refused))?;
        self.commit_of(git, &own).ok_or_else(|| format!("{reference} of {} is no commit", self.url))
    }

    fn fetch_commit(&self, git: &Path, found: &Found) -> Result<String, String> {
        let hash = match self.inputs.text("commit_sha") {
            Some(hash) => hash,
            None => &found.commit,
        };
        if let Some(commit) = self.commit_of(git, hash) {
            return Ok(commit);
        }
        let one = ["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", self.url, hash];
        if is_whole(hash)
            && self.git.ask(git, &one).is_ok()
            && let Some(commit) = self.commit_of(git, hash)
        {
            return Ok(commit);
        }
        // A host that gives no commit by its hash, or a hash that is not whole: with all of its history.
        let mut all = vec!["fetch", "--quiet", "--no-recurse-submodules"];
        if git.join("shallow").exists() {
            all.push("--unshallow");
        }
        all.extend(["--", self.url, "+refs/heads/*:refs/reeve/all/heads/*", "+refs/tags/*:refs/reeve/all/tags/*"]);
        self.git.ask(git, &all).map_err(|refused| self.reach(&refused))?;
        self.commit_of(git, hash).ok_or_else(|| format!("{} has no commit {hash}", self.url))
    }

    fn commit_of(&self, git: &Path, name: &str) -> Option<String> {
        let commit = self.git.ask(git, &["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")]).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| !commit.is_empty())
    }

    fn check_out(&self, git: &Path, tree: &Path, commit: &str) -> Result<(), Refused> {
        let path = tree.to_string_lossy();
        self.git.ask(git, &["worktree", "add", "--quiet", "--force", "--detach", "--no-checkout", &path, commit])?;
        let directories = self.inputs.texts("directories");
        if !directories.is_empty() {
            let arguments: Vec<&str> = ["sparse-checkout", "set", "--end-of-options"].into_iter().chain(directories).collect();
            self.git.ask(tree, &arguments)?;
        }
        self.git.ask(tree, &["reset", "--quiet", "--hard", commit])?;
        if self.inputs.flag("include_submodules", false) {
            self.git.ask(tree, &["submodule", "--quiet", "update", "--init", "--recursive", "--force"])?;
        }
        Ok(())
    }

    /// Many small packs become one, without what no tree needs.
    fn tidy(&self, git: &Path) {
        let packs = std::fs::read_dir(git.join("objects/pack")).into_iter().flatten().flatten();
        let packs = packs.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "pack")).count();
        if packs > MOST_PACKS {
            let _again_next_time = self.git.ask(git, &["gc", "--quiet", "--prune=now"]);
        }
    }
}

fn is_whole(hash: &str) -> bool {
    [40, 64].contains(&hash.len())
}

/// What a git that was killed left locked. (Not in the work trees, which belong to runs.)
fn remove_locks(directory: &Path, depth: usize) {
    const DEEPEST: usize = 12;
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path: PathBuf = entry.path();
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && depth < DEEPEST && entry.file_name() != "objects" && entry.file_name() != "worktrees" {
            remove_locks(&path, depth + 1);
        } else if !is_directory && path.extension().is_some_and(|ending| ending == "lock") {
            let _git_says_so_otherwise = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_and_paths_begin_at_the_project() {
        let base = Some(Path::new("/project"));
        for (repository, expected) in [
            ("https://host/a.git", "https://host/a.git"),
            ("git@github.com:a/b.git", "git@github.com:a/b.git"),
            ("file:///srv/a", "file:///srv/a"),
            ("/srv/a", "/srv/a"),
            ("../a", "/project/../a"),
            ("a:b/c", "a:b/c"),
            ("./a:b", "/project/./a:b"),
        ] {
            assert_eq!(located(repository, base).unwrap(), expected);
        }
        assert!(located(".", None).is_err());
        assert!(located("--upload-pack=x", base).is_err());
    }
}
