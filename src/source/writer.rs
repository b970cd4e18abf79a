//! Whether somebody has a file open for writing: what was read of it may be a part of what it will say.
use std::fs::File;

/// Whether a file that we have open for reading is open for writing anywhere on this host. Only Linux tells, by refusing a read
/// lease, and only of files that are ours (or anybody's, with `CAP_LEASE`) on a file system that has leases; else it is not known,
/// and `false`.
#[cfg(target_os = "linux")]
pub(super) fn is_open_for_writing(file: &File) -> bool {
    use std::os::fd::AsRawFd;
    /// Of `fcntl(2)`; `libc` lacks it.
    const F_SETSIG: libc::c_int = 10;
    let descriptor = file.as_raw_fd();
    // Whoever opens the file while the lease is held has us told: by a signal that is ignored unless somebody handles it, not by
    // SIGIO, which would end this process.
    // SAFETY: fcntl(2) on a descriptor that `file` keeps open; its argument is a number, and no memory is touched.
    if unsafe { libc::fcntl(descriptor, F_SETSIG, libc::SIGURG) } != 0 {
        return false;
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_RDLCK) } == 0 {
        // At once, so that no writer waits for it; closing the file would give it up as well.
        // SAFETY: as above.
        unsafe { libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_UNLCK) };
        return false;
    }
    std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_open_for_writing(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn a_set_tells_which_of_its_files_is_open_for_writing() {
        use super::super::read_directory;
        use std::fs::{self, File, OpenOptions};
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("jobs")).unwrap();
        fs::write(path("deployment.yaml"), "include: jobs/*.yaml\n").unwrap();
        fs::write(path("jobs/a.yaml"), "deployments: []\n").unwrap();
        let set = read_directory(directory.path(), &[]).unwrap();
        let _reader = File::open(path("jobs/a.yaml")).unwrap();
        let _other = File::create(path("other")).unwrap();
        assert_eq!(set.being_written(), None);
        for name in ["jobs/a.yaml", "deployment.yaml"] {
            let writer = OpenOptions::new().append(true).open(path(name)).unwrap();
            assert_eq!(set.being_written().as_deref(), Some(name));
            drop(writer);
            assert_eq!(set.being_written(), None);
        }
        fs::remove_file(path("jobs/a.yaml")).unwrap();
        assert_eq!(set.being_written(), None, "a file that is gone");
    }
}
