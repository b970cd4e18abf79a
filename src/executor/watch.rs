//! Waiting for a change in a directory (inotify), for any number of directories on one inotify instance.
//!
//! One instance for all, because a user may have few of them (128 by default) and every followed run would take one.
//! A notice says "look again" and nothing more; notices that nobody has looked at yet are merged.
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

/// All watched directories of the process. Dropping the last reference ends its task.
pub struct DirectoryWatcher {
    inotify: Arc<AsyncFd<OwnedFd>>,
    watched: Mutex<HashMap<i32, Watched>>,
    task: tokio::task::AbortHandle,
}

struct Watched {
    changes: watch::Sender<()>,
    subscriptions: usize,
}

/// One directory that is being watched, for one waiter.
pub struct Subscription {
    watcher: Arc<DirectoryWatcher>,
    descriptor: i32,
    changes: watch::Receiver<()>,
}

impl DirectoryWatcher {
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Where the kernel gives no inotify instance (`fs.inotify.max_user_instances`).
    pub fn new() -> io::Result<Arc<DirectoryWatcher>> {
        let descriptor = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let inotify = Arc::new(readable(descriptor)?);
        Ok(Arc::new_cyclic(|watcher| DirectoryWatcher {
            inotify: inotify.clone(),
            watched: Mutex::new(HashMap::new()),
            task: tokio::spawn(deliver(inotify, watcher.clone())).abort_handle(),
        }))
    }

    /// Begins to watch a directory: files in it that appear, grow or are renamed, and its own removal. Look at the directory *after*
    /// this returns, so that nothing falls between.
    ///
    /// # Errors
    /// `NotFound` where there is no such directory; `StorageFull` where `fs.inotify.max_user_watches` is reached.
    pub fn watch(self: &Arc<Self>, directory: &Path) -> io::Result<Subscription> {
        let flags = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let mut watched = self.watched();
        let descriptor = inotify::add_watch(&self.inotify, directory, flags)?;
        let entry = watched.entry(descriptor).or_insert_with(|| Watched {
            changes: watch::Sender::new(()),
            subscriptions: 0,
        });
        entry.subscriptions += 1;
        Ok(Subscription {
            watcher: self.clone(),
            descriptor,
            changes: entry.changes.subscribe(),
        })
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<i32, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self, descriptor: i32, events: ReadFlags) {
        let mut watched = self.watched();
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            watched
                .values()
                .for_each(|entry| _ = entry.changes.send(()));
        } else if events.contains(ReadFlags::IGNORED) {
            // The directory is gone; dropping the sender tells the waiters.
            watched.remove(&descriptor);
        } else if let Some(entry) = watched.get(&descriptor) {
            let _nobody_waits = entry.changes.send(());
        }
    }
}

impl Drop for DirectoryWatcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Subscription {
    /// Waits until something has changed since the last call (or since the watch began). `false`: the directory is
    /// gone, and nothing will change any more.
    pub async fn changed(&mut self) -> bool {
        self.changes.changed().await.is_ok()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut watched = self.watcher.watched();
        if let Some(entry) = watched.get_mut(&self.descriptor) {
            entry.subscriptions -= 1;
            if entry.subscriptions == 0 {
                watched.remove(&self.descriptor);
                let _already_gone = inotify::remove_watch(&self.watcher.inotify, self.descriptor);
            }
        }
    }
}

/// Registers a descriptor to be awaited as readable.
pub(crate) fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is open, and stays the same until it is dropped, which the AsyncFd alone does.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}

/// Reads events and hands them to whom they concern, until the watcher is dropped.
async fn deliver(descriptor: Arc<AsyncFd<OwnedFd>>, watcher: Weak<DirectoryWatcher>) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    while let Ok(mut ready) = descriptor.readable().await {
        let Some(watcher) = watcher.upgrade() else {
            return;
        };
        let mut reader = inotify::Reader::new(descriptor.get_ref(), &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => watcher.notify(event.wd(), event.events()),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        ready.clear_ready();
    }
}
