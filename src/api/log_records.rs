//! The records of runs' logs in the order of their times, read as they are asked for.
//!
//! A run's log is that of its attempts, one after the other; several runs are merged. However long the logs are, only a page of each
//! is in memory.
use super::Api;
use crate::executor::log::{self, LogLine};
use crate::model::id::FlowRunId;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::path::PathBuf;

/// Lines that are read at a time, of each run.
const PAGE_LINES: usize = 256;

/// A line with where it stands.
pub(super) struct Record {
    pub run: FlowRunId,
    /// Its number in its run's log, from 0.
    pub ordinal: u64,
    pub line: LogLine,
}

/// The numbers of a run's attempts that have a directory, oldest first; old ones may have been cleaned up.
pub(super) fn attempts(api: &Api, run: FlowRunId) -> io::Result<Vec<u32>> {
    let begun = api.reader.run(run).map_err(io::Error::other)?.map_or(0, |run| run.run_count);
    let mut numbers = Vec::new();
    // One more than have begun: the next one's directory is made a moment before.
    for number in 1..=begun.saturating_add(1) {
        if api.home.attempt(run, number).try_exists()? {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// One run's records.
struct Source {
    run: FlowRunId,
    attempts: VecDeque<PathBuf>,
    position: u64,
    ordinal: u64,
    page: VecDeque<LogLine>,
}

impl Source {
    fn new(api: &Api, run: FlowRunId) -> io::Result<Self> {
        let attempts = attempts(api, run)?.into_iter().map(|number| api.home.attempt(run, number)).collect();
        Ok(Source { run, attempts, position: 0, ordinal: 0, page: VecDeque::new() })
    }

    /// The instant of the next record; `None` at the end.
    fn peek(&mut self) -> io::Result<Option<Timestamp>> {
        while self.page.is_empty() {
            let Some(attempt) = self.attempts.front() else { return Ok(None) };
            let page = log::read_from(attempt, self.position, PAGE_LINES)?;
            if page.lines.is_empty() {
                self.attempts.pop_front();
                self.position = 0;
            } else {
                self.position = page.next;
                self.page = page.lines.into();
            }
        }
        Ok(self.page.front().map(|line| line.timestamp))
    }

    fn take(&mut self) -> Option<Record> {
        let line = self.page.pop_front()?;
        let ordinal = self.ordinal;
        self.ordinal += 1;
        Some(Record { run: self.run, ordinal, line })
    }
}

/// The records of several runs, by time; those of one instant by run.
pub(super) struct Records {
    sources: Vec<Source>,
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

impl Records {
    pub fn of(api: &Api, runs: impl IntoIterator<Item = FlowRunId>) -> io::Result<Self> {
        let mut sources = runs.into_iter().map(|run| Source::new(api, run)).collect::<io::Result<Vec<_>>>()?;
        let mut next = BinaryHeap::new();
        for (index, source) in sources.iter_mut().enumerate() {
            next.extend(source.peek()?.map(|at| Reverse((at, index))));
        }
        Ok(Records { sources, next })
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        let Some(Reverse((_, index))) = self.next.pop() else { return Ok(None) };
        let Some(source) = self.sources.get_mut(index) else { return Ok(None) };
        let record = source.take();
        self.next.extend(source.peek()?.map(|at| Reverse((at, index))));
        Ok(record)
    }
}

impl Iterator for Records {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        self.read().transpose()
    }
}
