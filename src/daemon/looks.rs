//! What a project's files looked like when a pass read them, and whether they still do. It only looks, off the async threads.
use crate::source::Fingerprint;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// What tells one content of a file from another without reading it; links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Seconds and nanoseconds of the last change of content or metadata, by the file system's clock.
    changed: (i64, i64),
    length: u64,
    inode: u64,
}

/// Each path with its stamp; `None`: nothing is there.
pub(super) type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

/// A file that changed this shortly before it was read may change again within the same tick of the file system's
/// clock, unseen: it is looked at once more.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// What is to be pruned is pruned when the files have stood so long as they are: a file that is half written may be good YAML.
const SETTLED: Duration = Duration::from_secs(1);

/// Of one processor, looking at contents takes at most one part in this many.
const SHARE: u32 = 50;

/// The files as a pass found them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub stamps: Stamps,
    /// What was read; `None` where that was not to be had as a whole.
    pub fingerprint: Option<Fingerprint>,
}

/// What a look has found, and what it cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub differs: bool,
    /// The processor's time that it took.
    pub cost: Duration,
}

impl Look {
    /// How long the next look is put off, where `usual` is usual: files that take long to read are read less often.
    pub fn pause(&self, usual: Duration) -> Duration {
        usual.max(self.cost * SHARE)
    }
}

impl Seen {
    /// Whether the files' metadata say that something has changed.
    pub fn differs(&self) -> bool {
        stamps(self.stamps.keys()) != self.stamps
    }

    /// The same, and their contents: where neither events nor times tell of a change, as on some network file systems, or after a
    /// write whose time was set back.
    pub fn look_closely(&self) -> Look {
        let begun = thread_time();
        let differs = self.differs() || self.fingerprint.as_ref().is_some_and(|fingerprint| !fingerprint.is_current());
        Look { differs, cost: thread_time().saturating_sub(begun) }
    }
}

pub(super) fn stamps<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Stamps {
    use std::os::unix::fs::MetadataExt;
    let stamp = |path: &PathBuf| {
        let stamp_of = |metadata: std::fs::Metadata| Stamp {
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            length: metadata.len(),
            inode: metadata.ino(),
        };
        (path.clone(), std::fs::metadata(path).ok().map(stamp_of))
    };
    paths.into_iter().map(stamp).collect()
}

/// Whether a pass that began at `begun` may have read something else than what is there `now`, after it: a file that changed since,
/// or one that is not what it was `before`, whatever its times say. A file that was removed, or replaced by an older one, has no
/// time that tells; that it is not what it was before the pass does.
pub(super) fn may_have_changed(now: &Stamps, before: &Stamps, begun: SystemTime) -> bool {
    let since_epoch = begun.checked_sub(CLOCK_TICK).and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let settled = since_epoch.map_or((0, 0), |at| (at.as_secs() as i64, i64::from(at.subsec_nanos())));
    now.iter().any(|(path, stamp)| match (stamp, before.get(path)) {
        (Some(stamp), _) if stamp.changed >= settled => true,
        (stamp, Some(earlier)) => stamp != earlier,
        (stamp, None) => stamp.is_none(),
    })
}

/// How long until the newest of these paths will have settled; `None`: all have. `now` is of the files' clock.
pub(super) fn settles_in(paths: impl IntoIterator<Item = PathBuf>, now: SystemTime) -> Option<Duration> {
    let modified = |path: PathBuf| std::fs::metadata(path).ok()?.modified().ok();
    newest_unsettled(paths.into_iter().filter_map(modified), now)
}

/// Times to come tell nothing: they were set by hand, or by a clock that was ahead.
fn newest_unsettled(modified: impl Iterator<Item = SystemTime>, now: SystemTime) -> Option<Duration> {
    let stood = modified.filter_map(|modified| now.duration_since(modified).ok());
    SETTLED.checked_sub(stood.min()?).filter(|left| !left.is_zero())
}

/// The processor's time that this thread has taken so far: a file system that lets one wait costs none.
fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_while_it_is_read_is_looked_at_again() {
        let stamp = |seconds: i64, inode: u64| Some(Stamp { changed: (seconds, 0), length: 1, inode });
        let stamps = |stamp: Option<Stamp>| Stamps::from([(PathBuf::from("file"), stamp)]);
        let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(100) + CLOCK_TICK;
        for (before, now, again, why) in [
            (Some(stamp(50, 1)), stamp(50, 1), false, "nothing happened"),
            (None, stamp(50, 1), false, "read for the first time, and old"),
            (None, stamp(100, 1), true, "read for the first time, and just written"),
            (Some(stamp(50, 1)), stamp(101, 1), true, "written meanwhile"),
            (Some(stamp(50, 1)), None, true, "removed meanwhile"),
            (Some(stamp(50, 1)), stamp(40, 2), true, "replaced by an older file meanwhile"),
            (None, None, true, "read for the first time, and gone"),
            (Some(None), None, false, "gone before and after"),
        ] {
            let before = before.map(stamps).unwrap_or_default();
            assert_eq!(may_have_changed(&stamps(now), &before, begun), again, "{why}");
        }
    }

    #[test]
    fn what_was_modified_less_than_a_second_ago_has_not_settled() {
        let at = |milliseconds: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds);
        for (modified, expected, why) in [
            (&[1_000, 9_000][..], None, "a second ago"),
            (&[9_001], Some(1), "just now"),
            (&[9_001, 9_500, 3], Some(500), "the newest counts"),
            (&[10_000], Some(1_000), "at this instant"),
            (&[10_001, 99_000], None, "in the future"),
            (&[], None, "nothing is there"),
        ] {
            assert_eq!(newest_unsettled(modified.iter().map(|time| at(*time)), at(10_000)), expected.map(Duration::from_millis), "{why}");
        }
    }

    #[test]
    fn looks_that_cost_much_are_far_between() {
        let usual = Duration::from_secs(10);
        for (cost, pause) in [(0, 10_000), (200, 10_000), (201, 10_050), (3_000, 150_000)] {
            let look = Look { differs: false, cost: Duration::from_millis(cost) };
            assert_eq!(look.pause(usual), Duration::from_millis(pause), "{cost} ms");
        }
    }
}
