//! Text of a project's files in, `Desired` or every problem with its place out.
//!
//! Pure: the text, the Python sources and the environment come in as arguments; nothing of the project is imported
//! or run. Reads Prefect's files of three generations (2.0's one-deployment form, 2.10's pair of files, 3.x) and
//! reeve's own additions.
//!
//! The way of a file: [`refuse`] tells what is no manifest at all from its bytes; [`yaml`] gives a plain value;
//! [`project`] and its parts read that by hand, so that every problem is found and none hides another;
//! [`report`] collects them, and looks positions up only for those that are shown.
//!
//! # Decided
//! - **Placeholders** (`{{ }}`): see [`placeholders`]. What cannot be known is kept as it stands and reported.
//! - **A source that is not here**: when the code comes from elsewhere (a `pull` step that fetches it, a `path`, an
//!   `image`), a missing file or function is a warning, and parameters are not checked. Otherwise it is an error;
//!   [`OnMissing::Warning`] in [`Input::missing_sources`] makes that a warning too, for reading a manifest alone.
//! - **Keys that Prefect ignores** load with a warning. Where such a key is nearly one that decides whether, when or what runs, and that
//!   one is missing, it is an error: what is stored must not stop because of a slip.
//! - **Entries without a name** are skipped, as Prefect does. One that says what to run is an error, and one that says anything keeps
//!   what left the files from being pruned.
//! - **Policies and limits** stand on a deployment or on a schedule, whose word wins, key by key; each has one default. `0` and
//!   `[]` ask for none where a deployment asks for some, `expire_after: never` likewise.
//! - **Plain slips** for which Prefect drops the whole file (`schedule: "0 9 * * *"`, `work_pool: name`,
//!   `parameters: null`, a number as version) are read as they are meant, with a warning where it could matter.
//! - **Units**: with `atomicity: file` or `deployment` an error fails the file or entry that it stands in, and what needs that;
//!   see [`units`]. What is unknown for all of the project (its name, rules, globs, calendars) fails all of it.
//! - **Globs** of `include:` name files of the project's own directory; see [`include`]. Only its first files have them, so that
//!   what belongs to a project is said in one place.
mod calendars;
mod deployment;
mod entrypoint;
mod excerpt;
mod formats;
mod include;
mod job_template;
mod limits;
mod locate;
mod node;
mod parameters;
mod placeholders;
mod policy;
mod presence;
mod process;
mod project;
mod refuse;
mod renames;
mod render;
mod report;
mod retry;
mod rules;
mod schedule;
mod schema;
mod secrets;
mod shapes;
mod source_code;
mod steps;
mod tag_limits;
mod units;
mod words;
mod work_pool;
mod write;
mod yaml;

use crate::model::desired::Desired;
use crate::model::problem::Problem;

pub use include::{Include, Segment, includes};
pub use locate::{Locator, locate};
pub use placeholders::any as holds_placeholders;
pub use parameters::{Fault, Misfit, Signature};
pub use project::UNREADABLE;
pub use report::At;
pub use refuse::{MAXIMUM_BYTES, is_kubernetes};
pub use render::render_problems;
pub use schema::json_schema;
pub use write::{scalar, yaml};

/// What a file of the project holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    Found(Vec<u8>),
    Missing,
    /// It is there and cannot be read: why, in a few words.
    Unreadable(String),
}

/// The project's files beside the manifests: Python sources that entrypoints name, and calendar files; and what is known of
/// where the manifests come from.
pub trait Files {
    /// The content of a file; the path is relative to the root, with `/`.
    fn read(&self, path: &str) -> FileContent;

    /// Paths of files that stand near `path` (which may be missing), for "did you mean".
    fn near(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    /// Whether anything stands at a path, be it a file or a directory; `None` where nobody can tell.
    fn is_there(&self, _path: &str) -> Option<bool> {
        None
    }

    /// Whether a manifest is there because another includes it.
    fn is_included(&self, _path: &str) -> bool {
        false
    }

    /// Why an included manifest has no content, though it is there.
    fn unread(&self, _path: &str) -> Option<&str> {
        None
    }

    /// How many files a glob of `include:` matched; `None` where nobody looked.
    fn matched(&self, _pattern: &str) -> Option<usize> {
        None
    }
}

/// One manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Relative to the root, with `/`.
    pub path: String,
    pub content: Vec<u8>,
}

/// What to do about something that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMissing {
    /// Report it and go on: an unset variable stays a symbol, a flow is known by its entrypoint alone.
    Warning,
    Error,
}

/// What is to be read, and with what.
pub struct Input<'a> {
    /// The root directory, absolute.
    pub root: &'a str,
    pub manifests: &'a [ManifestFile],
    pub files: &'a dyn Files,
    /// The environment that `{{ $X }}` is rendered with.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Unknown keys, duplicate keys and skipped entries are errors.
    pub strict: bool,
    /// Variables that are not set.
    pub missing_environment: OnMissing,
    /// Python and calendar files that are not there although they should be.
    pub missing_sources: OnMissing,
}

/// What a reading gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// `None` when there is any error; but where the project's `atomicity` lets units be applied alone, what is without one, and
    /// [`Desired::failed`] names the rest.
    pub desired: Option<Desired>,
    /// Errors and warnings in the order of their places, at most 200 and a last one that counts the rest. Those of failed units,
    /// too, but for what is wrong only because another unit failed: [`FailedUnit::problems`] has that.
    ///
    /// [`FailedUnit::problems`]: crate::model::desired::FailedUnit::problems
    pub problems: Vec<Problem>,
}

/// Reads a project.
pub fn load(input: &Input<'_>) -> Loaded {
    let (reading, found) = units::read(input, &project::LeftOut::default());
    let desired = if found.errors.is_empty() { Some(reading.desired) } else { units::rest(input, &reading, found.errors) };
    Loaded { desired, problems: found.problems }
}

/// The project's name alone, which costs far less than a whole reading: its `name:`, else the base name of its root; `None` where a
/// file cannot be understood that may say it.
pub fn project_name(input: &Input<'_>) -> Option<String> {
    project::name_alone(input)
}
