//! The runs that are over, in memory, as far as lists and counts ask for them: 56 bytes each, in the order of their ids.
//!
//! A daemon reads them once, behind its readiness, from small rows beside the runs (`key::OVER`, one for each run that is over), and
//! follows what is committed from then on. A list takes a copy of the chunks' references: it holds up no writer, and sees one state
//! of the whole. Until they are read, and without a daemon, lists read the runs themselves.
use super::record::{decode, encode};
use super::{Ledger, LedgerError, Reader, key};
use crate::model::id::{DeploymentId, FlowId, FlowRunId};
use crate::model::name;
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::store::{Batch, Expect, Range};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Entries of a chunk at most; a writer copies one chunk while a list holds it.
const CHUNK: usize = 1_024;

/// For so many commits it is remembered in which order they changed which run.
const COMMITS_IN_ORDER: u64 = 4_096;

/// So many rows are written in one commit for runs that have none.
const ROWS_TOGETHER: usize = 200;

/// What a list asks of a run that is over. The row under `key::OVER`: fields are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub id: FlowRunId,
    #[serde(rename = "x")]
    pub expected_start_time: Timestamp,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    #[serde(rename = "k")]
    pub kind: StateType,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    state_name: Option<String>,
    #[serde(rename = "f")]
    pub flow: FlowId,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub work_pool: Option<String>,
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub work_queue: Option<String>,
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// It has a name that somebody gave it, which only the run itself tells.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    has_own_name: bool,
}

impl Summary {
    /// `None` for a run that is not over.
    pub(super) fn of(run: &FlowRun) -> Option<Summary> {
        run.is_over().then(|| Summary {
            id: run.id,
            expected_start_time: run.expected_start_time,
            start_time: run.start_time,
            end_time: run.end_time,
            kind: run.state.kind,
            state_name: Some(run.state.name.clone()).filter(|name| name != run.state.kind.title()),
            flow: run.flow_id,
            deployment: run.deployment_id,
            work_pool: run.work_pool.clone(),
            work_queue: run.work_queue.clone(),
            tags: run.tags.clone(),
            has_own_name: run.name != name::of_run(run.id),
        })
    }
}

/// What many runs have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Common {
    kind: StateType,
    state_name: Option<String>,
    flow: FlowId,
    deployment: Option<DeploymentId>,
    work_pool: Option<String>,
    work_queue: Option<String>,
    tags: Vec<String>,
    has_own_name: bool,
}

/// A run, as it is kept. Times in nanoseconds; `i64::MIN`: none.
#[derive(Debug, Clone, Copy)]
struct Entry {
    id: FlowRunId,
    expected: i64,
    start: i64,
    end: i64,
    common: u32,
}

/// What is kept in memory.
#[derive(Default)]
struct Known {
    phase: Phase,
    /// In the order of the ids, none empty.
    chunks: Vec<Arc<Vec<Entry>>>,
    /// Grows with what is new in a run: names, tags, deployments. One that no run has any more stays.
    commons: Vec<Arc<Common>>,
    places: HashMap<Arc<Common>, u32>,
    /// The commit that last changed a run: of two that come in the wrong order the later one counts.
    order: HashMap<FlowRunId, u64>,
    newest: u64,
    /// While the rows are being read: what was committed meanwhile.
    meanwhile: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Nobody asked for it.
    #[default]
    Unread,
    Reading,
    Read,
}

/// A run that changed, and how it is listed now; `None`: it is not over, or gone.
pub(super) type Change = (FlowRunId, Option<Summary>);

/// Shared by all handles on a ledger.
#[derive(Clone, Default)]
pub(super) struct History(Arc<(Mutex<Known>, Condvar)>);

/// The runs that are over at one moment.
pub struct OverRuns {
    chunks: Vec<Arc<Vec<Entry>>>,
    commons: Vec<Arc<Common>>,
}

/// A run that is over, without what only its record tells.
#[derive(Clone, Copy)]
pub struct OverRun<'a> {
    entry: &'a Entry,
    common: &'a Common,
}

impl<'a> OverRun<'a> {
    pub fn id(&self) -> FlowRunId {
        self.entry.id
    }

    pub fn expected_start_time(&self) -> Timestamp {
        instant(self.entry.expected).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    pub fn start_time(&self) -> Option<Timestamp> {
        instant(self.entry.start)
    }

    pub fn end_time(&self) -> Option<Timestamp> {
        instant(self.entry.end)
    }

    pub fn kind(&self) -> StateType {
        self.common.kind
    }

    pub fn state_name(&self) -> &'a str {
        self.common.state_name.as_deref().unwrap_or(self.common.kind.title())
    }

    pub fn flow(&self) -> FlowId {
        self.common.flow
    }

    pub fn deployment(&self) -> Option<DeploymentId> {
        self.common.deployment
    }

    pub fn work_pool(&self) -> Option<&'a str> {
        self.common.work_pool.as_deref()
    }

    pub fn work_queue(&self) -> Option<&'a str> {
        self.common.work_queue.as_deref()
    }

    pub fn tags(&self) -> &'a [String] {
        &self.common.tags
    }

    /// `None` where only the record tells it.
    pub fn name(&self) -> Option<String> {
        (!self.common.has_own_name).then(|| name::of_run(self.entry.id))
    }
}

impl OverRuns {
    pub fn newest_first(&self) -> impl Iterator<Item = OverRun<'_>> {
        let entries = self.chunks.iter().rev().flat_map(|chunk| chunk.iter().rev());
        entries.filter_map(|entry| Some(OverRun { entry, common: self.commons.get(entry.common as usize)? }))
    }
}

impl Known {
    fn set(&mut self, id: FlowRunId, summary: Option<Summary>) {
        let place = self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| last.id < id));
        let entry = summary.map(|summary| self.entry(summary));
        let Some(chunk) = self.chunks.get_mut(place) else {
            self.push(entry);
            return;
        };
        match (chunk.binary_search_by_key(&id, |entry| entry.id), entry) {
            (Ok(at), Some(entry)) => Arc::make_mut(chunk)[at] = entry,
            (Ok(at), None) => {
                Arc::make_mut(chunk).remove(at);
                if chunk.is_empty() {
                    self.chunks.remove(place);
                }
            }
            (Err(at), Some(entry)) => {
                let entries = Arc::make_mut(chunk);
                entries.insert(at, entry);
                if entries.len() > CHUNK {
                    let rest = entries.split_off(CHUNK / 2);
                    self.chunks.insert(place + 1, Arc::new(rest));
                }
            }
            (Err(_), None) => {}
        }
    }

    /// Adds a run behind all others.
    fn push(&mut self, entry: Option<Entry>) {
        let Some(entry) = entry else { return };
        match self.chunks.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => Arc::make_mut(last).push(entry),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(entry);
                self.chunks.push(Arc::new(chunk));
            }
        }
    }

    fn entry(&mut self, summary: Summary) -> Entry {
        let Summary { id, expected_start_time, start_time, end_time, kind, state_name, flow, deployment, work_pool, work_queue, tags, has_own_name } = summary;
        let common = Common { kind, state_name, flow, deployment, work_pool, work_queue, tags, has_own_name };
        let common = match self.places.get(&common) {
            Some(place) => *place,
            None => {
                let (place, common) = (u32::try_from(self.commons.len()).unwrap_or(u32::MAX), Arc::new(common));
                self.commons.push(common.clone());
                self.places.insert(common, place);
                place
            }
        };
        let start = start_time.map_or(i64::MIN, nanoseconds);
        Entry { id, expected: nanoseconds(expected_start_time), start, end: end_time.map_or(i64::MIN, nanoseconds), common }
    }
}

impl History {
    /// Notes what a commit changed. `sequence`: the commit's.
    pub fn note(&self, sequence: u64, changes: Vec<Change>) {
        let mut known = self.lock();
        if known.phase == Phase::Unread {
            return;
        }
        known.newest = known.newest.max(sequence);
        for (id, summary) in changes {
            let last = known.order.entry(id).or_default();
            if *last > sequence {
                continue;
            }
            *last = sequence;
            match known.phase {
                Phase::Read => known.set(id, summary),
                _ => known.meanwhile.push((id, summary)),
            }
        }
        if known.order.len() as u64 > 2 * COMMITS_IN_ORDER {
            let oldest = known.newest.saturating_sub(COMMITS_IN_ORDER);
            known.order.retain(|_, sequence| *sequence > oldest);
        }
    }

    /// Every method of `Known` leaves it whole, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// The runs that are over; `None` where they are not in memory. `waits`: for as long as they are being read, which is less work than
    /// to read all the runs.
    pub fn over_runs(&self, waits: bool) -> Option<OverRuns> {
        let mut known = self.history.lock();
        while waits && known.phase == Phase::Reading {
            known = self.history.0.1.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
        (known.phase == Phase::Read).then(|| OverRuns { chunks: known.chunks.clone(), commons: known.commons.clone() })
    }
}

impl Ledger {
    /// Reads the runs that are over into memory, as long as it is to go on, and keeps them there. Blocks: call it off the async threads.
    pub fn read_history(&self, goes_on: impl Fn() -> bool) -> Result<(), LedgerError> {
        self.history.lock().phase = Phase::Reading;
        let read = self.read_over_rows(goes_on);
        let mut known = self.history.lock();
        let meanwhile = std::mem::take(&mut known.meanwhile);
        *known = match read {
            Ok(Some(read)) => Known { phase: Phase::Read, order: std::mem::take(&mut known.order), newest: known.newest, ..read },
            Ok(None) => Known::default(),
            Err(error) => {
                *known = Known::default();
                self.history.0.1.notify_all();
                return Err(error);
            }
        };
        if known.phase == Phase::Read {
            meanwhile.into_iter().for_each(|(id, summary)| known.set(id, summary));
        }
        self.history.0.1.notify_all();
        Ok(())
    }

    /// `None`: it was not to go on.
    fn read_over_rows(&self, goes_on: impl Fn() -> bool) -> Result<Option<Known>, LedgerError> {
        let mut read = Known::default();
        for row in self.reader.store.scan(Range::prefix(&[key::OVER])) {
            let (row_key, value) = row?;
            let entry = read.entry(decode(&row_key, &value)?);
            read.push(Some(entry));
            if !goes_on() {
                return Ok(None);
            }
        }
        Ok(Some(read))
    }

    /// Writes the small row of every run that is over in a home that an older reeve made. Afterwards, and in a new home, it costs one look.
    pub async fn complete_history(&self) -> Result<(), LedgerError> {
        if self.reader.store.get(key::OVER_COMPLETE)?.is_some() {
            return Ok(());
        }
        let mut before = None;
        loop {
            let ids = self.runs_newest_first(before).take(ROWS_TOGETHER).map(|run| run.map(|run| run.id));
            let some: Vec<FlowRunId> = ids.collect::<Result<_, _>>()?;
            let mut batch = Batch::default();
            for id in &some {
                let Some(bytes) = self.reader.store.get(&key::run(*id))? else { continue };
                if let Some(summary) = Summary::of(&decode(&key::run(*id), &bytes)?) {
                    batch.expect.push((key::run(*id), Expect::Equals(bytes)));
                    batch.put.push((key::over(*id), encode(&summary)?));
                }
            }
            if some.is_empty() {
                batch.put.push((key::OVER_COMPLETE.to_vec(), encode(&())?));
            }
            match self.store.commit(batch).await.map_err(LedgerError::from) {
                Ok(_) if some.is_empty() => return Ok(()),
                Ok(_) => before = some.last().copied(),
                // One of them changed meanwhile: all of them again.
                Err(LedgerError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Saturates where 64 bits do not hold it, in the years 1677 and 2262.
fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH { i64::MIN + 1 } else { i64::MAX })
}

fn instant(nanoseconds: i64) -> Option<Timestamp> {
    (nanoseconds != i64::MIN).then(|| Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or(Timestamp::UNIX_EPOCH))
}
