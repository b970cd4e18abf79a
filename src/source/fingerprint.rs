//! Whether a directory's files are still those that were read, by their contents: no time, length or inode is believed.
use super::set::{SourceSet, read_directory};
use crate::manifest::Files;
use std::path::PathBuf;

/// What a set of files was.
#[derive(Debug, Clone)]
pub struct Fingerprint {
    root: PathBuf,
    named: Vec<PathBuf>,
    /// The other files that were asked for, missing ones included.
    others: Vec<String>,
    /// SHA-256 over the names and contents of all of them.
    content: String,
}

impl Fingerprint {
    /// Of everything that was asked for so far of a set, which [`read_directory`] gave for these `named` files, and its content hash.
    pub fn of(set: &SourceSet, named: &[PathBuf], content: &str) -> Self {
        Fingerprint { root: set.root().to_owned(), named: named.to_vec(), others: set.asked_for(), content: content.to_owned() }
    }

    /// Reads everything again, what would be found anew included. What is no complete set any more is another one.
    pub fn is_current(&self) -> bool {
        let Ok(set) = read_directory(&self.root, &self.named) else { return false };
        for path in &self.others {
            set.read(path);
        }
        set.content_hash() == self.content
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// What is done to the files.
    type Change = fn(&Path);

    #[test]
    fn every_change_of_what_a_project_means_is_seen_and_no_other() {
        let changes: [(&str, bool, Change); 9] = [
            ("nothing", true, |_| {}),
            ("the same again", true, |root| fs::write(root.join("flow.py"), "one").unwrap()),
            ("a file of nobody's", true, |root| fs::write(root.join("output.txt"), "x").unwrap()),
            ("as long as before", false, |root| fs::write(root.join("flow.py"), "two").unwrap()),
            ("the manifest", false, |root| fs::write(root.join("deployment.yaml"), "include: jobs/?.yaml\n").unwrap()),
            ("an included file", false, |root| fs::write(root.join("jobs/a.yaml"), "b").unwrap()),
            ("another included file", false, |root| fs::write(root.join("jobs/b.yaml"), "").unwrap()),
            ("what was missing", false, |root| fs::write(root.join("missing.py"), "").unwrap()),
            ("what cannot be read", false, |root| fs::write(root.join("deployment.yml"), "").unwrap()),
        ];
        for (what, is_current, change) in changes {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path();
            fs::create_dir(root.join("jobs")).unwrap();
            for (name, content) in [("deployment.yaml", "include: jobs/*.yaml\n"), ("jobs/a.yaml", "a"), ("flow.py", "one")] {
                fs::write(root.join(name), content).unwrap();
            }
            let set = read_directory(root, &[]).unwrap();
            (set.read("flow.py"), set.read("missing.py"));
            let fingerprint = Fingerprint::of(&set, &[], &set.content_hash());
            change(root);
            assert_eq!(fingerprint.is_current(), is_current, "{what}");
        }
    }
}
