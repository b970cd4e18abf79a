//! Records what a store really asks of the disk, and builds the disk as it may look after a power cut.
//!
//! The test binary defines the C library's functions that write, sync, rename and remove, so that the linker takes these
//! instead: every call of the standard library and of `sled` in this process passes here, goes on to the kernel,
//! and is recorded if it concerns the recorded directory. Nothing needs to be installed, and the store itself has no hook.
//!
//! After a cut, certain is only what a *completed* `fsync` or `fdatasync` covers that *began* after the write was done; for names,
//! an `fsync` of their directory. Of the rest, each 512-byte sector of a file shows some moment between then and the cut, and each
//! change of a name happened or did not, independently.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Random;

const SECTOR: usize = 512;

/// A file or directory, by the order of its making; the recorded directory is 0.
type Node = usize;

#[derive(Clone, Debug)]
pub enum Event {
    /// A name for a node in a directory, made or (with no node) removed.
    Name {
        directory: Node,
        name: String,
        node: Option<Node>,
    },
    /// A rename within the recorded tree.
    Rename {
        from: (Node, String),
        to: (Node, String),
        node: Node,
    },
    Write {
        file: Node,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: Node,
        length: usize,
    },
    /// A completed sync of a file or directory, and how many events were recorded when it began.
    Sync {
        node: Node,
        began: usize,
    },
    /// The test was told that this commit is durable.
    Acknowledged(u64),
}

#[derive(Default)]
struct Recorder {
    root: PathBuf,
    events: Vec<Event>,
    directories: Vec<bool>,
    names: HashMap<(Node, String), Node>,
    open: HashMap<c_int, Node>,
}

static ACTIVE: AtomicBool = AtomicBool::new(false);
static RECORDER: Mutex<Option<Recorder>> = Mutex::new(None);

/// Starts to record everything below `root`, an empty directory.
pub fn start(root: &Path) {
    let recorder = Recorder {
        root: root.to_path_buf(),
        directories: vec![true],
        ..Recorder::default()
    };
    *lock() = Some(recorder);
    ACTIVE.store(true, Ordering::SeqCst);
}

/// Records that a commit was acknowledged.
pub fn acknowledge(sequence: u64) {
    if let Some(recorder) = lock().as_mut() {
        recorder.events.push(Event::Acknowledged(sequence));
    }
}

/// Ends the recording.
pub fn stop() -> Recording {
    ACTIVE.store(false, Ordering::SeqCst);
    let recorder = lock().take().expect("a recording was started");
    Recording {
        events: recorder.events,
        directories: recorder.directories,
    }
}

fn lock() -> MutexGuard<'static, Option<Recorder>> {
    RECORDER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// The directory and name of a path below the root; the root itself has an empty name.
    fn place(&self, path: &Path) -> Option<(Node, String)> {
        let below = path.strip_prefix(&self.root).ok()?;
        let mut directory = 0;
        let mut parts: Vec<String> = below
            .iter()
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        let name = parts.pop().unwrap_or_default();
        for part in parts {
            directory = *self.names.get(&(directory, part))?;
        }
        Some((directory, name))
    }

    fn node(&self, path: &Path) -> Option<Node> {
        let (directory, name) = self.place(path)?;
        if name.is_empty() {
            Some(0)
        } else {
            self.names.get(&(directory, name)).copied()
        }
    }

    fn make(&mut self, path: &Path, is_directory: bool) -> Option<Node> {
        let (directory, name) = self.place(path)?;
        let node = self.directories.len();
        self.directories.push(is_directory);
        self.names.insert((directory, name.clone()), node);
        self.events.push(Event::Name {
            directory,
            name,
            node: Some(node),
        });
        Some(node)
    }

    fn remove(&mut self, path: &Path) {
        let Some((directory, name)) = self.place(path) else {
            return;
        };
        if self.names.remove(&(directory, name.clone())).is_some() {
            self.events.push(Event::Name {
                directory,
                name,
                node: None,
            });
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let (Some(from), Some(to)) = (self.place(from), self.place(to)) else {
            return;
        };
        let node = self.names.remove(&from).expect("a renamed file is known");
        self.names.insert(to.clone(), node);
        self.events.push(Event::Rename { from, to, node });
    }
}

/// Runs a system call; records it under the same lock, so that the record has the kernel's order.
fn recorded<T: Copy + PartialOrd + Default>(
    call: impl FnOnce() -> T,
    record: impl FnOnce(&mut Recorder, T),
) -> T {
    if !ACTIVE.load(Ordering::SeqCst) {
        return call();
    }
    let mut recorder = lock();
    let result = call();
    if let Some(recorder) = recorder.as_mut()
        && result >= T::default()
    {
        record(recorder, result);
    }
    result
}

unsafe fn path<'a>(text: *const c_char) -> &'a Path {
    Path::new(std::ffi::OsStr::from_bytes(
        unsafe { CStr::from_ptr(text) }.to_bytes(),
    ))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(name: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let name_of = unsafe { path(name) };
    let existed = name_of.exists();
    let call =
        || unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, name, flags, mode) as c_int };
    recorded(call, |recorder, file| {
        let known = recorder.node(name_of);
        let node = if existed {
            known
        } else {
            recorder.make(name_of, false)
        };
        if let Some(node) = node {
            recorder.open.insert(file, node);
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn close(file: c_int) -> c_int {
    // Forgotten before the number can be given out again.
    recorded(
        || 0,
        |recorder, _| {
            recorder.open.remove(&file);
        },
    );
    unsafe { libc::syscall(libc::SYS_close, file) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(
    file: c_int,
    bytes: *const c_void,
    count: usize,
    offset: i64,
) -> isize {
    let call = || unsafe { libc::syscall(libc::SYS_pwrite64, file, bytes, count, offset) as isize };
    recorded(call, |recorder, written| unsafe {
        write_event(recorder, file, bytes, written, offset as usize)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn write(file: c_int, bytes: *const c_void, count: usize) -> isize {
    let call = || unsafe { libc::syscall(libc::SYS_write, file, bytes, count) as isize };
    recorded(call, |recorder, written| {
        if recorder.open.contains_key(&file) {
            // Where this write began: the position is now behind it.
            let end = unsafe { libc::syscall(libc::SYS_lseek, file, 0, libc::SEEK_CUR) } as usize;
            unsafe { write_event(recorder, file, bytes, written, end - written as usize) };
        }
    })
}

unsafe fn write_event(
    recorder: &mut Recorder,
    file: c_int,
    bytes: *const c_void,
    written: isize,
    offset: usize,
) {
    if let Some(&file) = recorder.open.get(&file) {
        let bytes =
            unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), written as usize) }.to_vec();
        recorder.events.push(Event::Write {
            file,
            offset,
            bytes,
        });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(file: c_int, length: i64) -> c_int {
    let call = || unsafe { libc::syscall(libc::SYS_ftruncate, file, length) as c_int };
    recorded(call, |recorder, _| {
        if let Some(&file) = recorder.open.get(&file) {
            recorder.events.push(Event::Truncate {
                file,
                length: length as usize,
            });
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(file: c_int) -> c_int {
    unsafe { sync(libc::SYS_fsync, file) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(file: c_int) -> c_int {
    unsafe { sync(libc::SYS_fdatasync, file) }
}

unsafe fn sync(call: c_long, file: c_int) -> c_int {
    let began = lock().as_ref().map_or(0, |recorder| recorder.events.len());
    // Not under the lock: what is written meanwhile is not covered.
    let result = unsafe { libc::syscall(call, file) as c_int };
    recorded(
        || result,
        |recorder, _| {
            if let Some(&node) = recorder.open.get(&file) {
                recorder.events.push(Event::Sync { node, began });
            }
        },
    )
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let (from_path, to_path) = unsafe { (path(from), path(to)) };
    let call = || unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            from,
            libc::AT_FDCWD,
            to,
            0,
        ) as c_int
    };
    recorded(call, |recorder, _| recorder.rename(from_path, to_path))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(name: *const c_char) -> c_int {
    let call = || unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, name, 0) as c_int };
    recorded(call, |recorder, _| recorder.remove(unsafe { path(name) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(name: *const c_char, mode: c_uint) -> c_int {
    let call = || unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, name, mode) as c_int };
    recorded(call, |recorder, _| {
        recorder.make(unsafe { path(name) }, true);
    })
}

/// What happened, in order.
pub struct Recording {
    pub events: Vec<Event>,
    directories: Vec<bool>,
}

impl Recording {
    /// The last commit acknowledged before event `cut`.
    pub fn acknowledged(&self, cut: usize) -> u64 {
        let told = self.events[..cut].iter().filter_map(|event| match event {
            Event::Acknowledged(sequence) => Some(*sequence),
            _ => None,
        });
        told.max().unwrap_or(0)
    }

    /// Completed syncs before event `cut`.
    pub fn syncs(&self, cut: usize) -> usize {
        self.events[..cut]
            .iter()
            .filter(|event| matches!(event, Event::Sync { .. }))
            .count()
    }

    /// Writes into `target` what a disk may hold if the power fails right before event `cut`.
    pub fn image(&self, cut: usize, random: &mut Random, target: &Path) {
        // How much of the uncertain is there: nothing, all, or any part.
        let kept = [0, 5, 50, 95, 100][random.below(5) as usize];
        let synced = self.synced(cut);
        let mut names: HashMap<(Node, String), Node> = HashMap::new();
        let mut files: HashMap<Node, Vec<u8>> = HashMap::new();
        let mut stopped: HashMap<(Node, usize), bool> = HashMap::new();
        for (index, event) in self.events[..cut].iter().enumerate() {
            let certain = |node: Node| index < synced[node];
            match event {
                Event::Name {
                    directory,
                    name,
                    node,
                } => {
                    if certain(*directory) || random.below(100) < kept {
                        match node {
                            Some(node) => names.insert((*directory, name.clone()), *node),
                            None => names.remove(&(*directory, name.clone())),
                        };
                    }
                }
                Event::Rename { from, to, node } => {
                    if certain(to.0) || random.below(100) < kept {
                        names.retain(|place, found| place != from || found != node);
                        names.insert(to.clone(), *node);
                    }
                }
                Event::Write {
                    file,
                    offset,
                    bytes,
                } => {
                    let content = files.entry(*file).or_default();
                    if certain(*file) {
                        put(content, *offset, bytes);
                        continue;
                    }
                    for (start, part) in sectors(*offset, bytes) {
                        // Once a sector stays behind, later writes to it are lost too.
                        let is_stopped = stopped.entry((*file, start / SECTOR)).or_default();
                        if !*is_stopped && random.below(100) < kept {
                            put(content, start, part);
                        } else {
                            *is_stopped = true;
                        }
                    }
                }
                Event::Truncate { file, length } => {
                    if certain(*file) || random.below(100) < kept {
                        files.entry(*file).or_default().resize(*length, 0);
                    }
                }
                Event::Sync { .. } | Event::Acknowledged(_) => {}
            }
        }
        self.write_directory(0, &names, &files, target);
    }

    /// For each node, how many events a sync that completed before `cut` covers.
    fn synced(&self, cut: usize) -> Vec<usize> {
        let mut synced = vec![0; self.directories.len()];
        for event in &self.events[..cut] {
            if let Event::Sync { node, began } = event {
                synced[*node] = synced[*node].max(*began);
            }
        }
        synced
    }

    fn write_directory(
        &self,
        node: Node,
        names: &HashMap<(Node, String), Node>,
        files: &HashMap<Node, Vec<u8>>,
        target: &Path,
    ) {
        std::fs::create_dir_all(target).unwrap();
        for ((_, name), child) in names
            .iter()
            .filter(|((directory, _), _)| *directory == node)
        {
            let path = target.join(name);
            if self.directories[*child] {
                self.write_directory(*child, names, files, &path);
            } else {
                std::fs::write(&path, files.get(child).map_or(&[][..], Vec::as_slice)).unwrap();
            }
        }
    }
}

fn put(content: &mut Vec<u8>, start: usize, part: &[u8]) {
    if content.len() < start + part.len() {
        content.resize(start + part.len(), 0);
    }
    content[start..start + part.len()].copy_from_slice(part);
}

/// The parts of a write that lie in one sector each.
fn sectors(offset: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let start = offset + done;
        let size = (SECTOR - start % SECTOR).min(bytes.len() - done);
        let part = &bytes[done..done + size];
        done += size;
        (size > 0).then_some((start, part))
    })
}
