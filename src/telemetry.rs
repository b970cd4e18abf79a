//! What the daemon says while it runs: one line per event for people, or JSON for machines.
//!
//! A line reads `12:14:30.012 | INFO    | source - message` on the clock of whoever reads it. The source is the event's
//! `source` field where it has one (`flow run 'brisk-otter'`), else the module. REEVE_LOG filters (`debug`,
//! `reeve::daemon=trace,warn`). Other crates are heard from `warn` on. Nothing here may block or end the process:
//! `terminal` writes.
mod terminal;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::time::Duration;
use terminal::{StandardError, Terminal};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The environment variable that filters what is said.
pub const FILTER_VARIABLE: &str = "REEVE_LOG";

/// The end of the process waits so long for a terminal that stands still.
const LAST_WORDS: Duration = Duration::from_secs(1);

static TERMINAL: Terminal = Terminal::new();

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sets up tracing for the whole process, to standard error. `colour`: whether the reader wants colours. Starts a thread.
///
/// # Errors
/// REEVE_LOG is not a filter, or tracing is set up already, or there can be no thread.
pub fn start(format: LogFormat, colour: bool) -> Result<(), String> {
    let text = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let filter = match text.as_str() {
        "" => EnvFilter::new("warn,notify=off,reeve=info"),
        filter => EnvFilter::try_new(filter).map_err(|error| format!("{FILTER_VARIABLE}={filter} is not a log filter: {error}"))?,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(&TERMINAL);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.event_format(Lines { zone: TimeZone::system(), colour }).try_init(),
    };
    let failed = |error: &dyn fmt::Display| format!("failed to set up logging: {error}");
    started.map_err(|error| failed(&error))?;
    let write = || TERMINAL.write_to(StandardError, missed);
    std::thread::Builder::new().name("terminal".to_owned()).spawn(write).map(drop).map_err(|error| failed(&error))
}

/// To be said where lines are missing, when the terminal is back.
fn missed(lines: u64) {
    tracing::warn!(source = "reeve", "{lines} lines are missing here: this terminal took none for a while (`reeve flow-run logs` has those of the runs)");
}

/// Waits until what was said is written; not long, where nobody takes it. Before the end of the process.
pub fn flush() {
    TERMINAL.flush(LAST_WORDS);
}

/// One line without its end: `12:14:30.012 | INFO    | source - message`.
pub fn line(at: Timestamp, zone: &TimeZone, level: &str, source: &str, message: &str) -> String {
    let clock = at.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f").to_string();
    format!("{clock} | {level:<7} | {source} - {}", tame(message))
}

/// What a program printed, for a terminal: its colours are obeyed until the line ends, and nothing else is that would move, clear,
/// hide or name something there (ECMA-48's control functions). The log itself keeps what was written.
fn tame(message: &str) -> Cow<'_, str> {
    let harmless = |letter: char| matches!(letter, '\t' | '\n') || !letter.is_control();
    if message.chars().all(harmless) {
        return Cow::Borrowed(message);
    }
    let (mut tamed, mut rest, mut coloured) = (String::with_capacity(message.len()), message, false);
    while let Some(letter) = rest.chars().next() {
        if let Some(length) = colour_at(rest) {
            tamed.push_str(&rest[..length]);
            (rest, coloured) = (&rest[length..], true);
            continue;
        }
        tamed.push(if harmless(letter) { letter } else { char::REPLACEMENT_CHARACTER });
        rest = &rest[letter.len_utf8()..];
    }
    if coloured {
        tamed.push_str("\u{1b}[0m");
    }
    Cow::Owned(tamed)
}

/// The length of the sequence at the beginning of `text` that selects colours (SGR), and does not conceal.
fn colour_at(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|letter: char| !letter.is_ascii_digit() && letter != ';' && letter != ':')?;
    (parameters[end..].starts_with('m') && !conceals(&parameters[..end])).then_some("\u{1b}[".len() + end + 1)
}

fn conceals(parameters: &str) -> bool {
    let mut numbers = parameters.split(';').map(|number| number.trim_start_matches('0'));
    while let Some(number) = numbers.next() {
        match number {
            "8" => return true,
            // A colour by its number, or by red, green and blue: what follows is part of it.
            "38" | "48" | "58" => drop(numbers.by_ref().next().map(|how| numbers.by_ref().take(if how == "5" { 1 } else { 3 }).count())),
            _ => {}
        }
    }
    false
}

/// The source under which a run's lines stand, wherever they are shown.
pub fn source_of_run(name: &str) -> String {
    format!("flow run '{name}'")
}

/// The word for a level of Python's logging, which Prefect's API uses.
pub fn level_word(level: i64) -> &'static str {
    match level {
        50.. => "CRITICAL",
        40.. => "ERROR",
        30.. => "WARNING",
        20.. => "INFO",
        _ => "DEBUG",
    }
}

struct Lines {
    zone: TimeZone,
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let source = fields.source.unwrap_or_else(|| event.metadata().target().replace("::", "."));
        let message = format!("{}{}", fields.message, fields.rest);
        let text = line(crate::clock::now(), &self.zone, word(level), &source, &message);
        match colour_of(level).filter(|_| self.colour) {
            Some(code) => writeln!(writer, "\u{1b}[{code}m{text}\u{1b}[0m"),
            None => writeln!(writer, "{text}"),
        }
    }
}

/// An event's message, its source, and whatever else it carries as ` key=value`.
#[derive(Default)]
struct Fields {
    message: String,
    source: Option<String>,
    rest: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "source" => self.source = Some(value.to_owned()),
            name => {
                let _ = write!(self.rest, " {name}={value:?}");
            }
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "source" => write!(self.source.get_or_insert_default(), "{value:?}"),
            name => write!(self.rest, " {name}={value:?}"),
        };
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

fn colour_of(level: Level) -> Option<&'static str> {
    match level {
        Level::ERROR => Some("31"),
        Level::WARN => Some("33"),
        Level::INFO => None,
        _ => Some("2"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_line_reads_as_in_the_tutorials() {
        let at: Timestamp = "2022-04-27T12:14:30.012Z".parse().unwrap();
        assert_eq!(
            line(at, &TimeZone::UTC, "INFO", &source_of_run("brisk-otter"), "Hello Leo!"),
            "12:14:30.012 | INFO    | flow run 'brisk-otter' - Hello Leo!"
        );
        assert_eq!([10, 20, 30, 40, 50].map(level_word), ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]);
    }

    #[test]
    fn what_a_program_prints_is_coloured_and_not_obeyed() {
        for (message, expected) in [
            ("plain äöü\t1", "plain äöü\t1"),
            ("\u{1b}[1;31mred\u{1b}[0m, plain", "\u{1b}[1;31mred\u{1b}[0m, plain\u{1b}[0m"),
            ("\u{1b}[38;5;8mgrey", "\u{1b}[38;5;8mgrey\u{1b}[0m"),
            ("\u{1b}[0;8mhidden", "\u{fffd}[0;8mhidden"),
            ("\u{1b}[08mhidden", "\u{fffd}[08mhidden"),
            ("\u{1b}[48;2;8;8;8;8mhidden", "\u{fffd}[48;2;8;8;8;8mhidden"),
            ("\u{1b}[2Jcleared \u{1b}]0;title\u{7}", "\u{fffd}[2Jcleared \u{fffd}]0;title\u{fffd}"),
            ("\u{9b}2Jcleared\r", "\u{fffd}2Jcleared\u{fffd}"),
            ("\u{1b}[31", "\u{fffd}[31"),
            ("\u{1b}", "\u{fffd}"),
        ] {
            assert_eq!(tame(message), expected, "{message:?}");
        }
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn events_become_lines_with_their_source() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Lines { zone: TimeZone::UTC, colour: false })
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(source = "flow run 'tan-lion'", "Hello {}!", "Leo");
            tracing::warn!(target: "reeve::daemon", deployments = 3, "late");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let tails: Vec<&str> = text.lines().map(|line| &line[12..]).collect();
        assert_eq!(tails, [" | INFO    | flow run 'tan-lion' - Hello Leo!", " | WARNING | reeve.daemon - late deployments=3"]);
    }
}
