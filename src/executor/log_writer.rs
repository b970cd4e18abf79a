//! Writes a run's log in the format of `log.rs`: bounded in memory and on disk, whatever the run prints.
//!
//! A log that cannot be written (disk full) never disturbs its run: what is lost is counted, said in the log when
//! there is room again, and noted in the outcome.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jiff::Timestamp;

use super::directory;
use super::line::Line;
use super::log::{CONTINUES, HEAD, MINIMUM_LOG_BYTES, Stream, TAIL_PREFIX, split_level};
use super::mask::{Masker, Secrets};

/// Records are gathered up to this size before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// The log of one attempt, for one writer.
pub struct LogWriter {
    output: LineCutter,
    error: LineCutter,
    file: SegmentedFile,
    /// Whole records that are not written yet.
    batch: Vec<u8>,
    masked: Vec<u8>,
}

impl LogWriter {
    /// Opens the log of a directory that has none yet.
    pub fn create(run_directory: &Path, secrets: &Rc<Secrets>, max_bytes: u64) -> LogWriter {
        LogWriter {
            output: LineCutter::new(secrets),
            error: LineCutter::new(secrets),
            file: SegmentedFile::create(run_directory, max_bytes.max(MINIMUM_LOG_BYTES)),
            batch: Vec::new(),
            masked: Vec::new(),
        }
    }

    /// Takes what was read from one of the run's pipes. Call [`LogWriter::flush`] before waiting for more.
    pub fn append(&mut self, stream: Stream, bytes: &[u8], now: Timestamp) {
        let stamp = stamp(now);
        let cutter = if stream == Stream::Error {
            &mut self.error
        } else {
            &mut self.output
        };
        self.masked.clear();
        cutter.masker.push(bytes, &mut self.masked);
        let (file, batch, level) = (&mut self.file, &mut self.batch, &mut cutter.level);
        cutter.line.push(&self.masked, &mut |text, continues| {
            add_line(file, batch, &stamp, stream, level, text, continues)
        });
    }

    /// The stream has ended: writes its last line, which may lack a line end.
    pub fn finish(&mut self, stream: Stream, now: Timestamp) {
        let stamp = stamp(now);
        let cutter = if stream == Stream::Error {
            &mut self.error
        } else {
            &mut self.output
        };
        self.masked.clear();
        cutter.masker.finish(&mut self.masked);
        let (file, batch, level) = (&mut self.file, &mut self.batch, &mut cutter.level);
        let mut emit = |text: &str, continues: bool| {
            add_line(file, batch, &stamp, stream, level, text, continues)
        };
        cutter.line.push(&self.masked, &mut emit);
        cutter.line.finish(&mut emit);
    }

    /// A remark of the supervisor, on one line.
    pub fn remark(&mut self, text: &str, now: Timestamp) {
        self.remark_at(None, text, now);
    }

    /// The same, with one of Python's levels (10 to 50).
    pub fn remark_at(&mut self, level: Option<u8>, text: &str, now: Timestamp) {
        let mut line = Line::default();
        let stamp = stamp(now);
        let (file, batch) = (&mut self.file, &mut self.batch);
        let mut emit = |text: &str, continues: bool| {
            add_record(file, batch, &stamp, (Stream::Reeve, level), text, continues)
        };
        line.push(text.as_bytes(), &mut emit);
        line.finish(&mut emit);
    }

    /// Hands everything to the file system.
    pub fn flush(&mut self, now: Timestamp) {
        self.file.write(&mut self.batch, now);
    }

    /// A sentence on what is missing from the log, where something is.
    pub fn problem(&self) -> Option<String> {
        self.file.problem()
    }
}

/// Leaves the reason why an attempt could not even be handed to a supervisor as its log: one line, an ERROR.
///
/// # Errors
/// The directory cannot be made, or the log not be written.
pub fn write_failure(run_directory: &Path, reason: &str, now: Timestamp) -> io::Result<()> {
    const ERROR: u8 = 40;
    if !directory::create(run_directory)? && run_directory.join(HEAD).exists() {
        // Somebody else's word on it.
        return Ok(());
    }
    let mut log = LogWriter::create(run_directory, &Secrets::new(&[]), MINIMUM_LOG_BYTES);
    log.remark_at(Some(ERROR), reason, now);
    log.flush(now);
    match log.problem() {
        None => Ok(()),
        Some(problem) => Err(io::Error::other(problem)),
    }
}

fn stamp(now: Timestamp) -> String {
    format!("{now:.6}")
}

/// A piece of a line, with the level that the line has been given so far. What stands before a level, as after a `print` without a line
/// end, is a line of its own.
fn add_line(
    file: &mut SegmentedFile,
    batch: &mut Vec<u8>,
    stamp: &str,
    stream: Stream,
    level: &mut Option<u8>,
    mut text: &str,
    continues: bool,
) {
    while let Some((before, said, after)) = split_level(text) {
        if !before.is_empty() {
            add_record(file, batch, stamp, (stream, *level), before, false);
        }
        (*level, text) = (Some(said), after);
    }
    add_record(file, batch, stamp, (stream, *level), text, continues);
    if !continues {
        *level = None;
    }
}

fn add_record(
    file: &mut SegmentedFile,
    batch: &mut Vec<u8>,
    stamp: &str,
    (stream, level): (Stream, Option<u8>),
    text: &str,
    continues: bool,
) {
    let length = stamp.len() + text.len() + 6;
    if batch.len() + length > BATCH_BYTES || !file.has_room(batch.len() + length) {
        file.write_before(batch, length);
    }
    batch.reserve(length);
    batch.extend_from_slice(stamp.as_bytes());
    batch.extend_from_slice(&[b' ', stream.letter()]);
    if continues {
        batch.push(CONTINUES);
    }
    batch.extend(level.map(|level| b'0' + level / 10));
    batch.push(b' ');
    batch.extend_from_slice(text.as_bytes());
    batch.push(b'\n');
}

struct LineCutter {
    masker: Masker,
    line: Line,
    /// Of the line that is being written.
    level: Option<u8>,
}

impl LineCutter {
    fn new(secrets: &Rc<Secrets>) -> LineCutter {
        LineCutter {
            masker: Masker::new(secrets.clone()),
            line: Line::default(),
            level: None,
        }
    }
}

/// The files of the log: the head, then segments of which the last two are kept.
struct SegmentedFile {
    directory: PathBuf,
    file: io::Result<File>,
    /// Of the current file.
    length: u64,
    capacity: u64,
    segment_capacity: u64,
    /// Of the current file's end, in the log as a whole.
    position: u64,
    /// The segment before the current one.
    previous: Option<PathBuf>,
    current: Option<PathBuf>,
    lost: Lost,
}

#[derive(Default)]
struct Lost {
    total: u64,
    /// Not said in the log yet.
    unsaid: u64,
    reason: String,
}

impl SegmentedFile {
    fn create(directory: &Path, max_bytes: u64) -> SegmentedFile {
        SegmentedFile {
            directory: directory.to_path_buf(),
            file: open(&directory.join(HEAD)),
            length: 0,
            capacity: max_bytes / 2,
            segment_capacity: max_bytes / 4,
            position: 0,
            previous: None,
            current: None,
            lost: Lost::default(),
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.length + bytes as u64 <= self.capacity
    }

    /// Writes the batch, and begins a new file where a record of `next` bytes has no room in this one.
    fn write_before(&mut self, batch: &mut Vec<u8>, next: usize) {
        self.write_records(batch);
        if !self.has_room(next) && self.length > 0 {
            self.rotate();
        }
    }

    fn write(&mut self, batch: &mut Vec<u8>, now: Timestamp) {
        if batch.is_empty() {
            return;
        }
        if self.lost.unsaid > 0 {
            let text = format!(
                "{} r [{} bytes of the log are lost: {}]\n",
                stamp(now),
                self.lost.unsaid,
                self.lost.reason
            );
            batch.splice(0..0, text.into_bytes());
        }
        if self.write_records(batch) {
            self.lost.unsaid = 0;
        }
    }

    /// Empties the batch; `true` where all of it was written.
    fn write_records(&mut self, batch: &mut Vec<u8>) -> bool {
        if self.file.is_err() {
            self.file = open(
                self.current
                    .as_deref()
                    .unwrap_or(&self.directory.join(HEAD)),
            );
        }
        let (written, failure) = match &mut self.file {
            Ok(file) => write_whole_records(file, self.length, batch),
            Err(error) => (0, Some(error.to_string())),
        };
        self.length += written as u64;
        self.position += written as u64;
        let missing = (batch.len() - written) as u64;
        self.lost.total += missing;
        self.lost.unsaid += missing;
        batch.clear();
        match failure {
            Some(reason) => self.lost.reason = reason,
            None => return true,
        }
        false
    }

    fn rotate(&mut self) {
        if let Some(oldest) = self.previous.take() {
            let _already_gone = fs::remove_file(oldest);
        }
        self.previous = self.current.take();
        let path = self
            .directory
            .join(format!("{TAIL_PREFIX}{:020}", self.position));
        self.file = open(&path);
        self.current = Some(path);
        self.length = 0;
        self.capacity = self.segment_capacity;
    }

    fn problem(&self) -> Option<String> {
        (self.lost.total > 0).then(|| {
            format!(
                "the log is incomplete: {} bytes could not be written ({})",
                self.lost.total, self.lost.reason
            )
        })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Writes as many whole records as the disk takes and returns their length: a record that got through only in part is taken back,
/// so that readers never meet a torn one.
fn write_whole_records(file: &mut File, length: u64, batch: &[u8]) -> (usize, Option<String>) {
    let mut written = 0;
    while written < batch.len() {
        match file.write(&batch[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let whole = batch[..written]
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |index| index + 1);
                let _best_effort = file.set_len(length + whole as u64);
                return (whole, Some(error.to_string()));
            }
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use super::super::log::{LINE_LIMIT, LogLine, read_all, read_from};
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2031-05-06T07:08:09.012345Z".parse().unwrap()
    }

    fn written(directory: &Path, pieces: &[&[u8]]) -> Vec<LogLine> {
        let mut log = LogWriter::create(
            directory,
            &Secrets::new(&["s3cr3t-value".to_owned()]),
            1 << 20,
        );
        for piece in pieces {
            log.append(Stream::Output, piece, now());
        }
        log.finish(Stream::Output, now());
        log.flush(now());
        assert_eq!(log.problem(), None);
        read_all(directory).unwrap()
    }

    fn messages(pieces: &[&[u8]]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path(), pieces)
            .into_iter()
            .map(|line| line.message)
            .collect()
    }

    #[test]
    fn text_is_kept_and_the_rest_is_escaped() {
        assert_eq!(messages(&[b"a\nb\r\n\nc"]), ["a", "b", "", "c"]);
        assert_eq!(messages(&[b"\x00\xff\xe2\x82"]), ["\\x00\\xff\\xe2\\x82"]);
        assert_eq!(messages(&[b"\xe2\x82", b"\xac\n"]), ["€"]);
        assert_eq!(messages(&[b"10%\r", b"20%\r", b"\n"]), ["10%\\x0d20%"]);
        assert_eq!(messages(&[b"\x1b[31mred\tx"]), ["\x1b[31mred\tx"]);
        assert_eq!(messages(&[b"token s3cr3t-", b"value.\n"]), ["token ***."]);
        assert!(messages(&[]).is_empty());
    }

    #[test]
    fn format_is_as_documented() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = LogWriter::create(directory.path(), &Secrets::new(&[]), 0);
        log.append(Stream::Error, b"oh\n", now());
        log.remark("said", now());
        log.flush(now());
        let text = fs::read_to_string(directory.path().join("log")).unwrap();
        assert_eq!(
            text,
            "2031-05-06T07:08:09.012345Z e oh\n2031-05-06T07:08:09.012345Z r said\n"
        );
        let page = read_from(directory.path(), 0, 1).unwrap();
        assert_eq!((page.lines[0].stream, page.next), (Stream::Error, 33));
        assert_eq!(
            read_from(directory.path(), page.next, 9).unwrap().lines[0].message,
            "said"
        );
    }

    #[test]
    fn a_line_has_the_level_that_it_is_given() {
        let directory = tempfile::tempdir().unwrap();
        let long = "x".repeat(LINE_LIMIT);
        let text = format!("a\n\x1b_reeve;level=40\x1b\\b {long}\nhalf\x1b_reeve;level=10\x1b\\c\n\x1b_reeve;level=7\x1b\\d\ne\n");
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(5).collect();
        let lines = written(directory.path(), &pieces);
        let levels: Vec<_> = lines.iter().map(|line| (line.own_level, line.level(), &line.message[..1])).collect();
        let expected = [(None, 20, "a"), (Some(40), 40, "b"), (Some(40), 40, "x"), (None, 20, "h"), (Some(10), 10, "c"), (None, 20, "\x1b"), (None, 20, "e")];
        assert_eq!(levels, expected);
        assert_eq!(format!("{}{}", lines[1].message, lines[2].message), format!("b {long}"));
    }

    #[test]
    fn long_lines_are_cut_and_marked() {
        let directory = tempfile::tempdir().unwrap();
        let long = "ä".repeat(LINE_LIMIT);
        let lines = written(directory.path(), &[long.as_bytes(), b"\nshort\n"]);
        assert_eq!(
            lines.iter().map(|line| line.continues).collect::<Vec<_>>(),
            [true, false, false]
        );
        assert_eq!(format!("{}{}", lines[0].message, lines[1].message), long);
    }

    #[test]
    fn head_and_tail_stay_within_the_bound() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = LogWriter::create(directory.path(), &Secrets::new(&[]), MINIMUM_LOG_BYTES);
        for number in 0..40_000 {
            log.append(Stream::Output, format!("line {number}\n").as_bytes(), now());
            log.flush(now());
        }
        let size: u64 = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(
            size <= MINIMUM_LOG_BYTES && size > MINIMUM_LOG_BYTES / 2,
            "{size}"
        );
        let lines = read_all(directory.path()).unwrap();
        assert_eq!(lines[0].message, "line 0");
        assert_eq!(lines.last().unwrap().message, "line 39999");
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.message.ends_with("bytes of this log dropped]"))
                .count(),
            1
        );
    }

    #[test]
    fn a_directory_that_vanished_is_a_note_and_no_failure() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = LogWriter::create(&directory.path().join("absent"), &Secrets::new(&[]), 0);
        log.append(Stream::Output, b"x\n", now());
        log.flush(now());
        assert!(
            log.problem()
                .unwrap()
                .starts_with("the log is incomplete: 32 bytes could not be written (No such file")
        );
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(0xc3u8), Just(0xa4), any::<u8>()], 0..80), cut in 1usize..9) {
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(messages(&pieces), messages(&[&bytes]));
        }
    }
}
