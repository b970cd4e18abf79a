//! Log records.
use super::WireTime;
use crate::executor::log::{LogLine, Stream};
use crate::model::id::FlowRunId;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The logger's name in every record: Prefect's for what a flow run says.
pub(in crate::api) const LOGGER: &str = "flow_runs";

#[derive(Debug, Serialize)]
pub(in crate::api) struct LogResponse {
    id: Uuid,
    created: WireTime,
    updated: WireTime,
    name: &'static str,
    level: u8,
    message: String,
    timestamp: WireTime,
    flow_run_id: FlowRunId,
    task_run_id: Option<Uuid>,
}

impl LogResponse {
    /// `ordinal`: the record's number in its run's log, from 0; it makes the id, so that an id stays the same between requests.
    pub fn of(run: FlowRunId, ordinal: u64, line: LogLine) -> Self {
        let mut hash = Sha256::new();
        hash.update(run.0.as_bytes());
        hash.update(ordinal.to_be_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        LogResponse {
            id: uuid::Builder::from_custom_bytes(bytes).into_uuid(),
            created: line.timestamp.into(),
            updated: line.timestamp.into(),
            name: LOGGER,
            level: line.level(),
            message: line.message,
            timestamp: line.timestamp.into(),
            flow_run_id: run,
            task_run_id: None,
        }
    }
}

/// A line of `/api/reeve/flow_runs/{id}/logs/stream`.
#[derive(Debug, Serialize)]
pub(in crate::api) struct StreamedLine {
    timestamp: WireTime,
    level: u8,
    /// `stdout`, `stderr` or `reeve`.
    stream: &'static str,
    message: String,
    /// The line was cut here: its rest is in the next record of its stream.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continues: bool,
    attempt: u32,
    /// Where a reader who has seen this line goes on, in this attempt. Only in the last line of a burst.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

impl StreamedLine {
    pub fn of(line: LogLine, attempt: u32, position: Option<u64>) -> Self {
        let stream = match line.stream {
            Stream::Output => "stdout",
            Stream::Error => "stderr",
            Stream::Reeve => "reeve",
        };
        StreamedLine {
            timestamp: line.timestamp.into(),
            level: line.level(),
            stream,
            message: line.message,
            continues: line.continues,
            attempt,
            position,
        }
    }
}
