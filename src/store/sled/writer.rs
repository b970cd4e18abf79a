//! The one thread that writes. It takes what waits, in order, decides each batch against all before it, and makes the
//! accepted ones durable together. Nobody is told or shown anything before the sync, conflicts included: a conflict with a
//! batch of the same group would otherwise speak of something that may never have happened.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::super::changes::Feed;
use super::super::{Batch, Change, CommitError, Key, MAX_BYTES, MAX_ROWS, StoreError, Value};
use super::engine::Engine;
use super::rows;
use super::view::{Before, View};

/// A queued batch and who waits for it.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) reply: oneshot::Sender<Result<u64, CommitError>>,
    /// Its place in the bounded queue, given back when it is decided.
    pub(super) _place: OwnedSemaphorePermit,
}

/// Starts the thread. It ends when the queue is closed and empty.
pub(super) fn spawn(
    engine: Arc<Engine>,
    view: Arc<View>,
    feed: Arc<Feed>,
    jobs: mpsc::UnboundedReceiver<Job>,
) -> Result<JoinHandle<()>, StoreError> {
    let path = engine.path().to_path_buf();
    std::thread::Builder::new()
        .name("store-commit".into())
        .spawn(move || run(&engine, &view, &feed, jobs))
        .map_err(|error| StoreError::from_io("start the commit thread for", &path, &error))
}

fn run(engine: &Engine, view: &View, feed: &Feed, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut held = None;
    while let Some(first) = held.take().or_else(|| jobs.blocking_recv()) {
        let group = gather(first, &mut jobs, &mut held);
        commit(engine, view, feed, group);
    }
}

/// The batches that are committed together: what waits now, up to the limits of one batch. The first that
/// does not fit is held for the next group.
fn gather(first: Job, jobs: &mut mpsc::UnboundedReceiver<Job>, held: &mut Option<Job>) -> Vec<Job> {
    let (mut rows, mut bytes) = (first.batch.rows(), first.batch.bytes());
    let mut group = vec![first];
    while let Ok(job) = jobs.try_recv() {
        rows += job.batch.rows();
        bytes += job.batch.bytes();
        if rows > MAX_ROWS || bytes > MAX_BYTES {
            *held = Some(job);
            break;
        }
        group.push(job);
    }
    group
}

fn commit(engine: &Engine, view: &View, feed: &Feed, jobs: Vec<Job>) {
    let mut group = Group {
        engine,
        sequence: feed.newest(),
        rows: HashMap::new(),
        changes: Vec::new(),
    };
    let mut waiting = Vec::with_capacity(jobs.len());
    for Job {
        batch,
        reply,
        _place,
    } in jobs
    {
        waiting.push((reply, group.decide(batch), _place));
    }
    let written = group.write(view);
    // After a failure the engine refuses all further reads, and what was hidden stays so.
    if written.is_ok() {
        let changes = std::mem::take(&mut group.changes);
        view.show(|| feed.publish(changes));
    }
    for (reply, decided, _place) in waiting {
        // Who no longer waits need not be told.
        let _ = reply.send(written.clone().map_err(CommitError::Store).and(decided));
    }
}

/// Accepted batches that are not yet written, as one.
struct Group<'a> {
    engine: &'a Engine,
    sequence: u64,
    rows: HashMap<Key, Option<Value>>,
    changes: Vec<Change>,
}

impl Group<'_> {
    /// Accepts or rejects the next batch in order.
    fn decide(&mut self, batch: Batch) -> Result<u64, CommitError> {
        for (key, expect) in &batch.expect {
            let holds = match self.rows.get(key) {
                Some(written) => expect.holds(written.as_deref()),
                None => expect.holds(rows::get(self.engine, key)?.as_deref()),
            };
            if !holds {
                return Err(CommitError::Conflict { key: key.clone() });
            }
        }
        if batch.rows() == 0 {
            return Ok(self.sequence);
        }
        self.sequence += 1;
        self.changes.push(Change {
            sequence: self.sequence,
            keys: batch.keys().cloned().collect(),
        });
        self.rows
            .extend(batch.put.into_iter().map(|(key, value)| (key, Some(value))));
        self.rows
            .extend(batch.delete.into_iter().map(|key| (key, None)));
        Ok(self.sequence)
    }

    /// Makes all accepted batches durable. `sled` recovers a batch of its own whole or not at all, and so each of ours.
    fn write(&self, view: &View) -> Result<(), StoreError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let mut batch = ::sled::Batch::default();
        let mut before = Before::new();
        for (place, (key, value)) in (0..).zip(&self.rows) {
            let old = rows::write(
                self.engine,
                &mut batch,
                key,
                value.as_deref(),
                (self.sequence, place),
            )?;
            before.insert(key.clone(), old);
        }
        batch.insert(rows::SEQUENCE, self.sequence.to_be_bytes().as_slice());
        view.hide(before);
        self.engine.commit(batch)
    }
}
