//! A control group (cgroup v2) per run, where this host lets us make one: the surest way to find and kill all of a run.
//!
//! A process cannot leave its group by forking, by sessions or by clearing its environment, and the group outlives the supervisor.
//! A run's process is *born* into its group (`supervisor/fork.rs`): moving a running process stalls every fork on the
//! machine for milliseconds. Where there is no group to be had, the other means (subreaper, environment) must do.
//! Groups are only made below the one that the daemon runs in; none of its settings are touched.
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, Mode, OFlags, access};
use uuid::Uuid;

use super::memory;

/// The name of a group is this and the run's id and attempt.
const PREFIX: &str = "reeve-run";

/// A run may make groups within its own; deeper nesting than this is not cleaned up.
const DEPTH: u32 = 16;

/// How often, and how long each time, the death of a group's processes is awaited.
const ROUNDS: u32 = 20;
const ROUND: Duration = Duration::from_millis(100);

/// The directory of our own group, if groups can be made in it.
pub fn own_directory() -> Option<PathBuf> {
    let directory = locate(
        &fs::read_to_string("/proc/self/mountinfo").ok()?,
        &fs::read_to_string("/proc/self/cgroup").ok()?,
    )?;
    // Both are needed: to make a group, and to place a process in it.
    let writable = access(&directory, Access::WRITE_OK).is_ok()
        && access(directory.join("cgroup.procs"), Access::WRITE_OK).is_ok();
    writable.then_some(directory)
}

/// The group of a run.
pub fn path_for(parent: &Path, run_id: Uuid, attempt: u32) -> PathBuf {
    parent.join(format!("{PREFIX}-{run_id}-{attempt}"))
}

/// From mountinfo (proc(5): fourth field the root of the mount, fifth its place) and the `0::` line of our groups.
fn locate(mounts: &str, groups: &str) -> Option<PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let below = Path::new(group).strip_prefix(root).ok()?;
        kind.starts_with("cgroup2 ")
            .then(|| Path::new(place).join(below))
    })
}

/// A run's group that exists.
pub struct Cgroup(PathBuf);

impl Cgroup {
    pub fn create(path: &Path) -> io::Result<Cgroup> {
        fs::create_dir(path)?;
        Ok(Cgroup(path.to_path_buf()))
    }

    /// One that a former supervisor made and left.
    pub fn find(path: &Path) -> Option<Cgroup> {
        path.is_dir().then(|| Cgroup(path.to_path_buf()))
    }

    /// For being born into it.
    pub fn open(&self) -> io::Result<OwnedFd> {
        Ok(rustix::fs::open(
            &self.0,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?)
    }

    /// Writes one of its limits. `false`: this kernel or this host has given the group no such limit.
    pub fn limit(&self, file: &str, value: &str) -> bool {
        let path = self.0.join(file);
        // Writing makes no file here: one that is not there is a controller that the group does not have.
        path.exists() && fs::write(path, value).is_ok()
    }

    /// How often the kernel killed in it for want of memory, where memory is counted in it.
    pub fn out_of_memory(&self) -> Option<u64> {
        memory::in_group(&self.0)
    }

    /// Kills everything in it at once, also what is being forked at this moment (`cgroup.kill`, Linux 5.14).
    pub fn kill(&self) {
        let _unsupported_or_gone = fs::write(self.0.join("cgroup.kill"), "1");
    }

    /// Removes it; what is still in it is killed first. Returns how many processes that were.
    pub fn remove(self) -> u32 {
        let mut killed = 0;
        for _ in 0..ROUNDS {
            if remove_tree(&self.0, DEPTH) {
                break;
            }
            killed = killed.max(count(&self.0, DEPTH));
            self.kill();
            self.wait_for_change();
        }
        killed
    }

    fn wait_for_change(&self) {
        let Ok(events) = fs::File::open(self.0.join("cgroup.events")) else {
            return;
        };
        let _content = io::read_to_string(&events);
        let timeout = Timespec::try_from(ROUND).ok();
        let _changed = poll(
            &mut [PollFd::new(&events, PollFlags::PRI)],
            timeout.as_ref(),
        );
    }
}

/// `true` where it is gone.
fn remove_tree(path: &Path, depth: u32) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => return true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
        Err(_) if depth == 0 => return false,
        Err(_) => {}
    }
    children(path).for_each(|child| _ = remove_tree(&child, depth - 1));
    fs::remove_dir(path).is_ok()
}

fn count(path: &Path, depth: u32) -> u32 {
    let own = fs::read_to_string(path.join("cgroup.procs")).map_or(0, |pids| {
        u32::try_from(pids.lines().count()).unwrap_or(u32::MAX)
    });
    let below: u32 = if depth == 0 {
        0
    } else {
        children(path).map(|child| count(&child, depth - 1)).sum()
    };
    own.saturating_add(below)
}

fn children(path: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(path).ok().into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_below_its_mount() {
        let unified = "24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let hybrid = "30 1 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 1 0:26 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n";
        let bound = "24 1 0:22 /box/a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            locate(unified, "0::/system.slice/reeve.service\n"),
            Some("/sys/fs/cgroup/system.slice/reeve.service".into())
        );
        assert_eq!(
            locate(hybrid, "4:memory:/x\n0::/\n"),
            Some("/sys/fs/cgroup/unified/".into())
        );
        assert_eq!(
            locate(bound, "0::/box/a/b\n"),
            Some("/sys/fs/cgroup/b".into())
        );
        assert_eq!(locate(bound, "0::/elsewhere\n"), None);
        assert_eq!(locate("", "0::/\n"), None);
        assert_eq!(locate(unified, "4:memory:/x\n"), None);
    }
}
