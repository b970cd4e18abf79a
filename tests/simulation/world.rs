//! What outlives a daemon: the clock, the disk, and the processes of runs.
use jiff::{SignedDuration, Timestamp};
use reeve::model::id::FlowRunId;
use reeve::store::ram::RamStore;
use reeve::store::{Batch, Changes, Commit, CommitError, Home, Range, ReadStore, Scan, Store, StoreError, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// A disk under a daemon that is killed at a write: from then on it takes nothing.
pub struct Disk {
    content: Arc<RamStore>,
    kill: Mutex<Kill>,
}

#[derive(Default)]
struct Kill {
    /// So many more writes are made; `None`: as many as there are.
    after: Option<u8>,
    /// Whether the write at which the daemon is killed is still made; its maker hears nothing of it.
    made: bool,
    dead: bool,
}

impl Disk {
    pub fn new(content: Arc<RamStore>) -> Arc<Self> {
        Arc::new(Disk { content, kill: Mutex::default() })
    }

    pub fn kill_at(&self, writes: u8, made: bool) {
        *self.kill.lock().unwrap() = Kill { after: Some(writes), made, dead: false };
    }

    pub fn is_dead(&self) -> bool {
        self.kill.lock().unwrap().dead
    }
}

impl ReadStore for Disk {
    fn home(&self) -> Home {
        self.content.home()
    }

    fn sequence(&self) -> u64 {
        self.content.sequence()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.content.get(key)
    }

    fn scan(&self, range: Range) -> Scan<'_> {
        self.content.scan(range)
    }

    fn changes(&self, from_sequence: u64) -> Changes {
        self.content.changes(from_sequence)
    }
}

impl Store for Disk {
    fn commit(&self, batch: Batch) -> Commit {
        let mut kill = self.kill.lock().unwrap();
        if !kill.dead {
            match kill.after {
                None => return self.content.commit(batch),
                Some(0) => {
                    kill.dead = true;
                    if kill.made {
                        drop(self.content.commit(batch));
                    }
                }
                Some(left) => {
                    kill.after = Some(left - 1);
                    return self.content.commit(batch);
                }
            }
        }
        Commit::ready(Err(CommitError::Store(StoreError::Closed)))
    }
}

/// The clock on the wall, which can be set, beside time itself, which cannot.
#[derive(Clone, Copy)]
pub struct Clock {
    pub now: Timestamp,
    /// Microseconds since the history began.
    pub elapsed: i64,
}

impl Clock {
    pub fn pass(&mut self, microseconds: i64) {
        assert!(microseconds >= 0, "time went back by {microseconds}");
        self.elapsed += microseconds;
        self.set(microseconds);
    }

    pub fn set(&mut self, by: i64) {
        self.now += SignedDuration::from_micros(by);
    }
}

/// A process that was started for a run.
pub struct Started {
    /// By the clock.
    pub at: Timestamp,
    /// By time itself.
    pub began: i64,
    pub ends: i64,
    pub over: bool,
    pub noted: bool,
}

/// All processes that were ever started.
#[derive(Default)]
pub struct Processes {
    pub started: BTreeMap<FlowRunId, Started>,
    /// Those that were started again: never.
    pub doubles: BTreeSet<FlowRunId>,
}

impl Processes {
    pub fn start(&mut self, run: FlowRunId, clock: Clock, lasts: i64) {
        let process = Started { at: clock.now, began: clock.elapsed, ends: clock.elapsed + lasts, over: false, noted: false };
        if self.started.insert(run, process).is_some() {
            self.doubles.insert(run);
        }
    }

    /// The instant, by time itself, at which the next one ends.
    pub fn next_end(&self) -> Option<i64> {
        self.started.values().filter(|process| !process.over).map(|process| process.ends).min()
    }

    pub fn end_those_due(&mut self, elapsed: i64) {
        for process in self.started.values_mut().filter(|process| !process.over && process.ends <= elapsed) {
            process.over = true;
        }
    }

    pub fn stop(&mut self, run: FlowRunId) {
        if let Some(process) = self.started.get_mut(&run) {
            process.over = true;
        }
    }
}
