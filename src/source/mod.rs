//! Where the text of a project comes from: a complete set of files, or an error.
//!
//! Never gives a part of a set: a file that should be there and cannot be read is an error, so that nothing is
//! pruned because of it. Reads regular files only, and none larger than a manifest may be.
mod fingerprint;
mod git;
mod include;
mod repository;
mod set;
mod snapshot;
mod tree;
mod writer;

pub use fingerprint::Fingerprint;
pub use repository::working_tree;
pub use set::{SourceError, SourceSet, discover, read_directory, read_revision};
pub use snapshot::{Snapshot, read_snapshot};
