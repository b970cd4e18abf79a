//! A run's log: its format on disk, and reading it while it grows.
//!
//! # Format
//! One record per line, appended, never changed:
//! ```text
//! 2031-05-06T07:08:09.012345Z o text
//! └ RFC 3339, UTC, always six digits └ stream and marks
//! ```
//! The tag is `o` (standard output), `e` (standard error) or `r` (reeve's own remarks), then zero or more marks of one
//! character each; a reader ignores marks that it does not know. Mark `+`: the line goes on in the next record of this
//! stream (lines are cut after [`LINE_LIMIT`] bytes of text). Marks `1` to `5`: who wrote the line gave it the level DEBUG, INFO,
//! WARNING, ERROR or CRITICAL, by beginning it with the sequence that [`split_level`] takes off. The text is UTF-8: bytes that are not are written as `\xNN`, as are
//! control characters other than tab and escape; a carriage return before a line feed is dropped. Secrets are masked.
//!
//! # Files and positions
//! A position is a byte offset in the log as if it had never been shortened. `log` holds the head, from 0. Where the log
//! outgrows its bound, it goes on in segments named after the position of their first byte, `log.tail.00000000000000131072`;
//! the oldest segment is removed when a new one is begun. So positions never change their meaning, a reader that holds one
//! can always go on, and what lies between two files was dropped: a reader shows `[N bytes of this log dropped]` there. All files together
//! stay within the bound: half of it for the head, two quarters for segments.
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::directory::is_absent;

/// Bytes of text in one record.
pub const LINE_LIMIT: usize = 16 * 1024;

/// A smaller bound could not hold a record in each file.
pub const MINIMUM_LOG_BYTES: u64 = crate::model::size::SMALLEST_LOG;

pub(super) const HEAD: &str = "log";
pub(super) const TAIL_PREFIX: &str = "log.tail.";
pub(super) const CONTINUES: u8 = b'+';

/// A page holds no more than this much of the files, whatever number of lines was asked for.
const PAGE_BYTES: usize = 1024 * 1024;

/// What is read at a time: room for several records of the longest kind, and not much more than a page of short ones takes.
const BLOCK_BYTES: usize = 128 * 1024;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    Output,
    Error,
    /// A remark of the supervisor.
    Reeve,
}

impl Stream {
    pub(super) fn letter(self) -> u8 {
        match self {
            Stream::Output => b'o',
            Stream::Error => b'e',
            Stream::Reeve => b'r',
        }
    }

    fn from_letter(letter: u8) -> Option<Stream> {
        [Stream::Output, Stream::Error, Stream::Reeve]
            .into_iter()
            .find(|stream| stream.letter() == letter)
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub timestamp: Timestamp,
    pub stream: Stream,
    /// Without a line end.
    pub message: String,
    /// The line was too long: it goes on in the next record of this stream.
    pub continues: bool,
    /// One of Python's levels (10 to 50), where who wrote it said one.
    pub own_level: Option<u8>,
}

impl LogLine {
    /// The line's level as Python numbers them. Where it has none, standard output, and reeve's own remarks, are INFO (20), as is what
    /// Prefect's `log_prints` logs; standard error is WARNING (30): programs put both progress and trouble there, so that ERROR would say
    /// too much.
    pub fn level(&self) -> u8 {
        match (self.own_level, self.stream) {
            (Some(level), _) => level,
            (None, Stream::Output | Stream::Reeve) => 20,
            (None, Stream::Error) => 30,
        }
    }
}

/// What a program writes before a line to give it a level: an application's own control sequence (ECMA-48 APC), which terminals do not
/// show: `ESC _ reeve;level=30 ESC \`.
const LEVEL_PREFIX: &str = "\x1b_reeve;level=";
const LEVEL_SUFFIX: &str = "\x1b\\";

/// The text before the first level that is said in it, that level (10 to 50), and the text after it.
pub(super) fn split_level(text: &str) -> Option<(&str, u8, &str)> {
    // Few lines hold an escape at all, and looking for one byte is far quicker.
    if !text.as_bytes().contains(&0x1b) {
        return None;
    }
    let (before, rest) = text.split_once(LEVEL_PREFIX)?;
    let (digits, after) = rest.split_once(LEVEL_SUFFIX)?;
    let level = digits.parse::<u8>().ok().filter(|level| (10..=50).contains(level) && level % 10 == 0)?;
    Some((before, level, after))
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// Where to go on: pass it to the next [`read_from`]. Equal to what was asked where nothing is new.
    pub next: u64,
}

/// Reads up to `max_lines` records from a position on (0 is the beginning). A record that is just being written is left for
/// the next call. A run without a log has an empty one.
///
/// # Errors
/// Those of the file system, other than a missing file.
pub fn read_from(run_directory: &Path, position: u64, max_lines: usize) -> io::Result<LogPage> {
    let mut page = LogPage {
        lines: Vec::new(),
        next: position,
    };
    let (mut dropped, mut read) = (0, 0);
    while page.lines.len() < max_lines && read < PAGE_BYTES {
        let segments = segments(run_directory)?;
        let Some(place) = locate(&segments, page.next) else {
            break;
        };
        dropped += place.skipped;
        page.next += place.skipped;
        let bytes = match read_segment(&segments[place.index], page.next) {
            Ok(bytes) => bytes,
            // Removed since it was listed, since the writer began a newer one: look again.
            Err(error) if is_absent(&error) => continue,
            Err(error) => return Err(error),
        };
        let taken = take_records(&bytes, max_lines, &mut dropped, &mut page.lines);
        page.next += taken as u64;
        read += taken;
        if taken == 0 {
            break;
        }
    }
    Ok(page)
}

/// The position after the last whole record that is written now.
///
/// # Errors
/// Those of the file system, other than a missing file.
pub fn end_of(run_directory: &Path) -> io::Result<u64> {
    loop {
        let Some(last) = segments(run_directory)?.pop() else { return Ok(0) };
        let end = last.start + last.length;
        let from = last.start.max(end.saturating_sub(BLOCK_BYTES as u64));
        match read_segment(&last, from) {
            Ok(bytes) => return Ok(from + bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index as u64 + 1)),
            // Removed since it was listed.
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

struct Segment {
    path: PathBuf,
    start: u64,
    length: u64,
}

struct Place {
    index: usize,
    skipped: u64,
}

/// In order of their positions.
fn segments(run_directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match std::fs::read_dir(run_directory) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let start = match name.to_str() {
            Some(HEAD) => Some(0),
            Some(name) => name
                .strip_prefix(TAIL_PREFIX)
                .and_then(|digits| digits.parse().ok()),
            None => None,
        };
        if let Some(start) = start {
            found.push(Segment {
                path: entry.path(),
                start,
                length: 0,
            });
        }
    }
    found.sort_by_key(|segment| segment.start);
    // The lengths are read after the names: a segment that has a successor does not grow any more.
    found.retain_mut(|segment| match std::fs::metadata(&segment.path) {
        Ok(metadata) => {
            segment.length = metadata.len();
            true
        }
        Err(_) => false,
    });
    Ok(found)
}

/// The segment to read at a position, and how much of the log is missing before it.
fn locate(segments: &[Segment], position: u64) -> Option<Place> {
    let index = segments
        .iter()
        .position(|segment| position < segment.start + segment.length)?;
    Some(Place {
        index,
        skipped: segments[index].start.saturating_sub(position),
    })
}

fn read_segment(segment: &Segment, position: u64) -> io::Result<Vec<u8>> {
    let file = File::open(&segment.path)?;
    let wanted = usize::try_from(segment.start + segment.length - position)
        .unwrap_or(BLOCK_BYTES)
        .min(BLOCK_BYTES);
    let mut bytes = vec![0; wanted];
    let mut filled = 0;
    while filled < wanted {
        match file.read_at(
            &mut bytes[filled..],
            position - segment.start + filled as u64,
        ) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Returns how many bytes were whole records.
fn take_records(
    bytes: &[u8],
    max_lines: usize,
    dropped: &mut u64,
    lines: &mut Vec<LogLine>,
) -> usize {
    let mut taken = 0;
    while let Some(length) = bytes[taken..].iter().position(|byte| *byte == b'\n') {
        let line = parse(
            &bytes[taken..taken + length],
            lines.last().map(|line| line.timestamp),
        );
        if *dropped > 0 {
            let message = format!("[{dropped} bytes of this log dropped]");
            lines.push(LogLine {
                timestamp: line.timestamp,
                stream: Stream::Reeve,
                message,
                continues: false,
                own_level: None,
            });
            *dropped = 0;
        }
        lines.push(line);
        taken += length + 1;
        if lines.len() >= max_lines {
            break;
        }
    }
    taken
}

/// A line that is no record (damaged) is shown as it stands, at the time of the line before it.
fn parse(bytes: &[u8], before: Option<Timestamp>) -> LogLine {
    parse_record(bytes).unwrap_or_else(|| LogLine {
        timestamp: before.unwrap_or(Timestamp::UNIX_EPOCH),
        stream: Stream::Reeve,
        message: String::from_utf8_lossy(bytes).into_owned(),
        continues: false,
        own_level: None,
    })
}

fn parse_record(bytes: &[u8]) -> Option<LogLine> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (timestamp, rest) = text.split_once(' ')?;
    let (tag, message) = rest.split_once(' ')?;
    let (letter, marks) = tag.as_bytes().split_first()?;
    Some(LogLine {
        timestamp: timestamp.parse().ok()?,
        stream: Stream::from_letter(*letter)?,
        message: message.to_owned(),
        continues: marks.contains(&CONTINUES),
        own_level: marks.iter().find(|mark| (b'1'..=b'5').contains(mark)).map(|mark| (mark - b'0') * 10),
    })
}

/// Reads the whole log into one text, for tests and small logs.
pub fn read_all(run_directory: &Path) -> io::Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    let mut position = 0;
    loop {
        let page = read_from(run_directory, position, 10_000)?;
        if page.lines.is_empty() {
            return Ok(lines);
        }
        lines.extend(page.lines);
        position = page.next;
    }
}

/// Reads a small file; used where a bound is part of the contract.
pub(super) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_at_most(&File::open(path)?, limit)
}

/// The same for one that is open.
pub(super) fn read_at_most(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
