//! A run's log as it grows: given line by line until the run is over or the server stops, woken by the
//! file system and the ledger's feed, never by a timer.
use super::Api;
use super::error::ApiError;
use super::log_records::attempts;
use super::wire::log::StreamedLine;
use crate::executor::follow::Follower;
use crate::executor::log::{LogPage, read_from};
use crate::model::id::FlowRunId;
use crate::store::ledger::{Changed, Feed};
use axum::body::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use std::io;
use std::path::PathBuf;

/// Lines that are read at a time.
const PAGE_LINES: usize = 500;

/// Where a reader is, and what it waits for.
struct Reading {
    api: Api,
    run: FlowRunId,
    attempt: u32,
    position: u64,
    /// `None`: what is there now is all that is wanted.
    feed: Option<Feed>,
    /// Of the current attempt.
    follower: Option<Follower>,
}

/// Lines of JSON from `position` of `attempt` on; with `follow`, until the run is over. A server that stops ends it: the reader asks the next one
/// for what comes after the last position.
pub(super) fn lines(api: Api, run: FlowRunId, from: (u32, u64), follow: bool) -> impl Stream<Item = Result<Bytes, io::Error>> {
    // Begun before anything is read, so that nothing falls between.
    let feed = follow.then(|| api.reader.feed());
    let stopping = api.stopping();
    let reading = Reading { api, run, attempt: from.0.max(1), position: from.1, feed, follower: None };
    stream::unfold(Some(reading), async |reading| {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(reading))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .take_until(Box::pin(stopping))
}

impl Reading {
    /// The next lines; `None` when there are no more and there will be none.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let over = self.is_over().await?;
            let newest = self.newest_attempt().await?;
            if self.attempt > newest {
                if over || !self.run_changed().await {
                    return Ok(None);
                }
                continue;
            }
            // An attempt that is not the last one, or the last one of a run that is over, does not grow any more.
            let settled = over || self.attempt < newest;
            let page = if settled { Some(self.read().await?) } else { self.follow().await? };
            match page {
                Some(page) if !page.lines.is_empty() => {
                    self.position = page.next;
                    return Ok(Some(self.encode(page)));
                }
                // Something else changed: look again.
                None => {}
                Some(_) if settled => self.next_attempt(),
                Some(_) if !self.run_changed().await => return Ok(None),
                Some(_) => {}
            }
        }
    }

    /// Waits for more of the current attempt. An empty page: its log has ended. `None`: the run changed meanwhile.
    async fn follow(&mut self) -> io::Result<Option<LogPage>> {
        if self.follower.is_none() {
            let watcher = self.api.watcher()?;
            self.follower = Some(Follower::new(&watcher, &self.directory(), self.position)?);
        }
        let (Some(follower), Some(feed)) = (&mut self.follower, &mut self.feed) else { return Ok(None) };
        tokio::select! {
            biased;
            page = follower.next() => Ok(Some(page?.unwrap_or(LogPage { lines: Vec::new(), next: self.position }))),
            _ = changed(feed, self.run) => Ok(None),
        }
    }

    async fn read(&self) -> io::Result<LogPage> {
        let (directory, position) = (self.directory(), self.position);
        tokio::task::spawn_blocking(move || read_from(&directory, position, PAGE_LINES)).await.map_err(io::Error::other)?
    }

    fn next_attempt(&mut self) {
        self.attempt += 1;
        self.position = 0;
        self.follower = None;
    }

    fn directory(&self) -> PathBuf {
        self.api.home.attempt(self.run, self.attempt)
    }

    /// `false`: it will not: nobody follows, or the store is closed.
    async fn run_changed(&mut self) -> bool {
        match &mut self.feed {
            Some(feed) => changed(feed, self.run).await,
            None => false,
        }
    }

    /// Whether nothing more is written: the run has ended, is gone, or only the present was asked for.
    async fn is_over(&self) -> io::Result<bool> {
        if self.feed.is_none() {
            return Ok(true);
        }
        let run = self.run;
        let found = self.api.read(move |api| Ok(api.reader.run(run)?)).await.map_err(|error: ApiError| io::Error::other(error.body.to_string()))?;
        Ok(found.is_none_or(|run| run.is_over()))
    }

    /// The number of the last attempt that has a directory; 0 where there is none.
    async fn newest_attempt(&self) -> io::Result<u32> {
        let (api, run) = (self.api.clone(), self.run);
        let numbers = tokio::task::spawn_blocking(move || attempts(&api, run)).await.map_err(io::Error::other)??;
        Ok(numbers.last().copied().unwrap_or(0))
    }

    fn encode(&self, page: LogPage) -> Bytes {
        let mut text = Vec::new();
        let last = page.lines.len() - 1;
        for (index, line) in page.lines.into_iter().enumerate() {
            let line = StreamedLine::of(line, self.attempt, (index == last).then_some(page.next));
            // A structure of strings and numbers always serialises.
            if serde_json::to_writer(&mut text, &line).is_ok() {
                text.push(b'\n');
            }
        }
        Bytes::from(text)
    }
}

async fn changed(feed: &mut Feed, run: FlowRunId) -> bool {
    while let Some(changes) = feed.next().await {
        if changes.iter().any(|change| matches!(change, Changed::Everything) || *change == Changed::Run(run)) {
            return true;
        }
    }
    false
}
