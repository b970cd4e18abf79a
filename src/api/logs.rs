//! `/logs`: what flow runs wrote, as Prefect's log records and as a file.
use super::Api;
use super::error::ApiError;
use super::extract::{OptionalBody, Path};
use super::filter::{LogFilter, LogSort};
use super::flow_runs::absent;
use super::log_records::{Record, Records};
use super::page::Page;
use super::wire::WireTime;
use super::wire::log::LogResponse;
use crate::clock;
use crate::model::id::FlowRunId;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use std::io;

/// The most runs whose logs one request may search.
const MOST_RUNS: usize = 100;

/// Records per chunk of a download.
const CHUNK: usize = 500;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/logs/filter", post(filter))
}

#[derive(Debug, Default, Deserialize)]
struct Logs {
    logs: Option<LogFilter>,
    sort: Option<LogSort>,
    limit: Option<i64>,
    offset: Option<i64>,
}

/// Searches the logs of the runs that the filter names, else those of the `MOST_RUNS` newest runs.
async fn filter(State(api): State<Api>, OptionalBody(body): OptionalBody<Logs>) -> Result<Json<Vec<LogResponse>>, ApiError> {
    let page = Page::new(body.limit, body.offset)?;
    let filter = body.logs.unwrap_or_default();
    let sort = body.sort.unwrap_or_default();
    let found = api.read(move |api| {
        let runs = runs(api, &filter)?;
        let records = || -> io::Result<_> {
            let passes = |record: &Record| filter.matches(record.run, &record.line);
            Ok(Records::of(api, runs.iter().copied())?.filter(move |record| record.as_ref().map_or(true, passes)))
        };
        let found = match sort {
            LogSort::TimestampAsc => page.cut(records()?)?,
            LogSort::TimestampDesc => newest_first(page, records)?,
        };
        Ok(found.into_iter().map(|record| LogResponse::of(record.run, record.ordinal, record.line)).collect())
    });
    Ok(Json(found.await?))
}

/// The page of the records in the opposite order. Two passes, so that only a page is in memory.
fn newest_first<I: Iterator<Item = io::Result<Record>>>(page: Page, records: impl Fn() -> io::Result<I>) -> io::Result<Vec<Record>> {
    let mut count = 0usize;
    for record in records()? {
        record?;
        count += 1;
    }
    let end = count.saturating_sub(page.offset);
    let start = end.saturating_sub(page.limit);
    let mut found = Page { offset: start, limit: end - start }.cut(records()?)?;
    found.reverse();
    Ok(found)
}

fn runs(api: &Api, filter: &LogFilter) -> Result<Vec<FlowRunId>, ApiError> {
    let Some(named) = filter.runs() else {
        let newest = api.reader.runs_newest_first(None).take(MOST_RUNS);
        return Ok(newest.map(|run| run.map(|run| run.id)).collect::<Result<_, _>>()?);
    };
    let mut runs = named.to_vec();
    runs.sort_unstable();
    runs.dedup();
    if runs.len() > MOST_RUNS {
        return Err(ApiError::meaningless(format!("the logs of at most {MOST_RUNS} flow runs can be searched at once: name fewer")));
    }
    // Others have no log, and may have no directory.
    let mut known = Vec::new();
    for id in runs {
        known.extend(api.reader.run(id)?.map(|run| run.id));
    }
    Ok(known)
}

/// `/flow_runs/{id}/logs/download`: the whole log as CSV (RFC 4180), streamed.
pub(super) async fn download(State(api): State<Api>, Path(id): Path<FlowRunId>) -> Result<Response, ApiError> {
    let run = api.read(move |api| Ok(api.reader.run_or_virtual(id, clock::now())?)).await?.ok_or_else(absent)?;
    let records = api.read(move |api| Ok(Records::of(api, [id])?)).await?;
    let header = Bytes::from_static(b"timestamp,level,flow_run_id,task_run_id,message\r\n");
    let chunks = stream::unfold((Some(header), records), async |(header, records)| match header {
        Some(header) => Some((Ok(header), (None, records))),
        None => next_chunk(records).await.map(|(chunk, records)| (chunk, (None, records))),
    });
    let file = format!("attachment; filename=\"flow-run-logs.csv\"; filename*=UTF-8''{}-logs.csv", percent_encoded(&run.name));
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, file)];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

async fn next_chunk(mut records: Records) -> Option<(io::Result<Bytes>, Records)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        for record in records.by_ref().take(CHUNK) {
            match record {
                Ok(record) => write_row(&mut text, record),
                Err(error) => return (Err(error), records),
            }
        }
        (Ok(text), records)
    });
    match read.await.ok()? {
        (Ok(text), _) if text.is_empty() => None,
        (Ok(text), records) => Some((Ok(Bytes::from(text)), records)),
        (Err(error), records) => Some((Err(error), records)),
    }
}

fn write_row(text: &mut Vec<u8>, record: Record) {
    let at = serde_json::to_value(WireTime(record.line.timestamp)).unwrap_or_default();
    let message = record.line.message.replace('"', "\"\"");
    let row = format!("{},{},{},,\"{message}\"\r\n", at.as_str().unwrap_or_default(), record.line.level(), record.run);
    text.extend_from_slice(row.as_bytes());
}

/// For `filename*` (RFC 8187): every byte but the unreserved ones as `%XX`.
fn percent_encoded(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
