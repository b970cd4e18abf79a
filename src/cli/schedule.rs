//! `reeve schedule preview`, and `schedule eval` for test suites. No home, no daemon: pure arithmetic on the clock's instant.
use super::error::CliError;
use super::exit::Exit;
use super::screen::{OutputOption, Screen, Style};
use super::when::every;
use super::words::relative;
use crate::schedule::{Every, Gap, Limits, NOTES_AHEAD, Overlap, Period, Resolution, RuleSpec, Span, Spec, evaluate_case_line, parse_duration, read_calendar};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use std::io::BufRead;
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Preview(Box<PreviewArguments>),
    #[command(hide = true)]
    Eval(EvalArguments),
}

/// Show when a schedule fires, in its own time zone and in yours.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve schedule preview '0 9 * * 1-5' --timezone Europe/Berlin
  reeve schedule preview '15 minutes' --count 8
  reeve schedule preview 'FREQ=MONTHLY;BYDAY=1MO;BYHOUR=6;BYMINUTE=0' --timezone America/New_York
  reeve schedule preview '30 2 * * *' --timezone Europe/Berlin --exclude sat,sun --exclude holidays.ics --gap skip")]
pub struct PreviewArguments {
    /// A cron expression, an interval (`15 minutes`, `PT1H`, `3600`) or an RRULE.
    #[arg(value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub expression: String,
    /// The schedule's time zone, by its IANA name; UTC where none is given.
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// How many instants to show.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub count: u16,
    /// Show what comes after this instant instead of now: `2027-03-28T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// cron only: require both day of month and day of week, where both are given, instead of either.
    #[arg(long)]
    pub day_and: bool,
    #[command(flatten)]
    pub bounds: BoundOptions,
    #[command(flatten)]
    pub output: OutputOption,
}

/// What a schedule of a project's file may say besides its rule, as far as it changes instants or starts.
#[derive(Debug, clap::Args)]
pub struct BoundOptions {
    /// Nothing fires in it: a date, a range (`2026-12-24/2027-01-01`), a window (`sat,sun`, `22:00-06:00`), or a calendar file; may be
    /// given several times.
    #[arg(long, value_name = "SPAN")]
    pub exclude: Vec<String>,
    /// It fires in it only; may be given several times.
    #[arg(long, value_name = "SPAN")]
    pub include: Vec<String>,
    /// Nothing fires before this date or date-time.
    #[arg(long, value_name = "DATE")]
    pub starts: Option<String>,
    /// Nothing fires after this date (which is inside) or date-time.
    #[arg(long, value_name = "DATE")]
    pub ends: Option<String>,
    /// What becomes of a time that a clock change skips: `later`, `earlier`, `skip`.
    #[arg(long, value_name = "HOW")]
    pub gap: Option<String>,
    /// What becomes of a time that happens twice: `first`, `last`, `both`.
    #[arg(long, value_name = "HOW")]
    pub overlap: Option<String>,
    /// Each run starts up to this much later, differently for each slot.
    #[arg(long, value_name = "TIME")]
    pub jitter: Option<String>,
    /// All runs start later by one time up to this, different for each schedule.
    #[arg(long, value_name = "TIME")]
    pub spread: Option<String>,
}

/// Evaluate schedule cases: one JSON object per line in, one per line out.
#[derive(Debug, clap::Args)]
pub struct EvalArguments {}

pub fn run(command: &Command, screen: &mut Screen) -> Result<Exit, CliError> {
    match command {
        Command::Preview(arguments) => preview(arguments, screen),
        Command::Eval(_) => evaluate(screen),
    }
}

fn preview(arguments: &PreviewArguments, screen: &mut Screen) -> Result<Exit, CliError> {
    let spec = arguments.bounds.over(Spec::new(rule_of(&arguments.expression, arguments.day_and)?, arguments.timezone.clone()))?;
    let delay = arguments.bounds.delay()?;
    let rule = spec.parse().map_err(|error| {
        CliError::new(format!("failed to read the schedule: {error}")).hint(
            "write a cron expression (`0 9 * * 1-5`), an interval (`15 minutes`) or an RRULE (`FREQ=DAILY;BYHOUR=9`)",
        )
    })?;
    let from = arguments.from.unwrap_or(screen.now);
    let instants: Vec<Timestamp> = rule.instants(from).take(usize::from(arguments.count)).collect();
    let shown = instants.last().copied().unwrap_or(from).saturating_add(1.second()).unwrap_or(from);
    let notes = rule.notes(from, shown.max(from.saturating_add(NOTES_AHEAD).unwrap_or(shown)));
    let zone = rule.time_zone();
    let zone_name = arguments.timezone.as_deref().unwrap_or("UTC");
    if arguments.output.is_json() {
        let local = |at: &Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        screen.json(&json!({
            "expression": arguments.expression,
            "timezone": zone_name,
            "description": spec.describe(),
            "instants": instants.iter().map(|at| json!({"at": at, "local": local(at)})).collect::<Vec<_>>(),
            "starts_later_by_up_to": delay.map(|delay| delay.to_string()),
            "notes": notes.iter().map(|note| json!({"on": note.on.map(|date| date.to_string()), "text": note.text})).collect::<Vec<_>>(),
        }));
        return Ok(Exit::Done);
    }
    screen.line(spec.describe());
    if instants.is_empty() {
        screen.line("It never fires again.");
    }
    table(&instants, zone, zone_name, screen);
    if let Some(delay) = delay {
        screen.line(format!("Each run starts up to {delay} later, and before the next one is due."));
    }
    for note in notes {
        let word = if note.never { screen.paint(Style::Warning, "warning") } else { "note".to_owned() };
        screen.line(format!("{word}: {}", note.text));
    }
    Ok(Exit::Done)
}

fn table(instants: &[Timestamp], zone: &TimeZone, zone_name: &str, screen: &mut Screen) {
    let own = screen.zone.clone();
    // A second column that says the same at every instant would only be noise.
    let differs = instants.iter().any(|at| own.to_offset(*at) != zone.to_offset(*at));
    for at in instants {
        let yours = if differs { format!("   {}", at.to_zoned(own.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z")) } else { String::new() };
        screen.line(format!("  {} {zone_name}{yours}   {}", wall(*at, zone), relative(*at, screen.now)));
    }
}

fn wall(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S").to_string()
}

/// Which of the three forms `expression` is: only an RRULE has `=`, and no cron expression is a duration. What is none of the
/// three is refused as what it was most likely meant to be.
fn rule_of(expression: &str, day_and: bool) -> Result<RuleSpec, CliError> {
    let upper = expression.to_uppercase();
    if ["FREQ=", "RRULE:", "DTSTART", "RDATE"].iter().any(|word| upper.contains(word)) {
        return Ok(RuleSpec::Rrule { text: expression.to_owned() });
    }
    let trimmed = expression.trim();
    let (text, is_interval) = match trimmed.strip_prefix("every ") {
        Some(text) => (text, true),
        None => (trimmed, is_like_an_interval(trimmed)),
    };
    match every(text) {
        Ok(every) => Ok(RuleSpec::Interval { every, anchor: None }),
        Err(error) if is_interval => Err(error),
        Err(_) => Ok(RuleSpec::Cron { expression: expression.to_owned(), day_or: !day_and }),
    }
}

/// One number, with or without a unit: `0`, `-5`, `1 month`, `P1M`.
fn is_like_an_interval(text: &str) -> bool {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let number = |part: &str| {
        let digits = part.trim_start_matches(['-', '+', 'P', 'p']);
        digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.contains(['*', '/', ',', '-', '#', '?'])
    };
    match parts[..] {
        [one] => number(one),
        [first, unit, ..] => number(first) && unit.len() > 1 && unit.chars().all(|c| c.is_alphabetic() || c == ','),
        [] => false,
    }
}

impl BoundOptions {
    /// The rule within these bounds.
    fn over(&self, spec: Spec) -> Result<Spec, CliError> {
        let bound = |option: &str, text: &Option<String>, parse: &dyn Fn(&str) -> Result<DateTime, crate::schedule::Error>| {
            text.as_deref().map(|text| parse(text).map_err(|error| wrong(option, &error))).transpose()
        };
        let limits = Limits {
            starts: bound("starts", &self.starts, &Limits::parse_starts)?,
            ends: bound("ends", &self.ends, &Limits::parse_ends)?,
            exclude: periods("exclude", &self.exclude)?,
            include: periods("include", &self.include)?,
        };
        let default = spec.rule.resolution();
        let gaps = [("later", Gap::Later), ("earlier", Gap::Earlier), ("skip", Gap::Skip)];
        let overlaps = [("first", Overlap::First), ("last", Overlap::Last), ("both", Overlap::Both)];
        let dst = Resolution { gap: word("gap", &self.gap, &gaps, default.gap)?, overlap: word("overlap", &self.overlap, &overlaps, default.overlap)? };
        Ok(Spec { dst: (dst != default).then_some(dst), limits, ..spec })
    }

    /// How much later than its slot a run may start.
    fn delay(&self) -> Result<Option<Every>, CliError> {
        let read = |option: &str, text: &Option<String>| {
            text.as_deref().map(|text| parse_duration(text).map_err(|error| wrong(option, &error))).transpose()
        };
        let delays = [read("jitter", &self.jitter)?, read("spread", &self.spread)?];
        let sum = delays.into_iter().flatten().map(Every::microseconds).fold(0, u64::saturating_add);
        Ok(Every::from_microseconds(sum).ok())
    }
}

fn wrong(option: &str, error: &dyn std::fmt::Display) -> CliError {
    CliError::new(format!("failed to read `--{option}`: {error}"))
}

fn word<T: Copy>(option: &str, text: &Option<String>, words: &[(&str, T)], default: T) -> Result<T, CliError> {
    let Some(text) = text else { return Ok(default) };
    let found = words.iter().find(|(word, _)| word == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        wrong(option, &format!("found `{text}`, expected {}", known.join(", ")))
    })
}

/// Spans of time as they are written, and those of calendar files.
fn periods(option: &str, texts: &[String]) -> Result<Vec<Period>, CliError> {
    let mut periods = Vec::new();
    for text in texts {
        match text.parse::<Span>() {
            Ok(span) => periods.push(Period { span, name: None }),
            Err(_) if Path::new(text).is_file() => periods.extend(calendar(option, text)?),
            Err(error) => return Err(wrong(option, &error)),
        }
    }
    Ok(periods)
}

fn calendar(option: &str, path: &str) -> Result<Vec<Period>, CliError> {
    let content = std::fs::read_to_string(path).map_err(|error| wrong(option, &format!("{path}: {error}")))?;
    let calendar = read_calendar(&content);
    if let Some(remark) = calendar.remarks.iter().find(|remark| remark.is_error) {
        return Err(wrong(option, &format!("{path}:{}: {}", remark.line, remark.message)));
    }
    let name = Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy().into_owned());
    Ok(calendar.periods.into_iter().map(|period| Period { name: Some(name.clone()), ..period }).collect())
}

fn evaluate(screen: &mut Screen) -> Result<Exit, CliError> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| CliError::because("failed to read standard input", &error))?;
        if !line.trim().is_empty() {
            screen.line(evaluate_case_line(&line));
        }
        if screen.is_gone() {
            break;
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_an_expression_is_told() {
        for (expression, form) in [
            ("0 9 * * *", "cron"),
            ("@daily", "cron"),
            ("*/5 * * * *", "cron"),
            ("15 minutes", "interval"),
            ("every 2 hours", "interval"),
            ("PT1H", "interval"),
            ("3600", "interval"),
            ("FREQ=DAILY", "rrule"),
            ("DTSTART:20260101T000000\nRRULE:FREQ=DAILY", "rrule"),
            ("1h 30m", "interval"),
            ("0 9 * *", "cron"),
            ("0 9", "cron"),
            ("sometimes", "cron"),
        ] {
            let found = match rule_of(expression, false) {
                Ok(RuleSpec::Cron { .. }) => "cron",
                Ok(RuleSpec::Interval { .. }) => "interval",
                Ok(RuleSpec::Rrule { .. }) => "rrule",
                Err(_) => "refused",
            };
            assert_eq!(found, form, "{expression}");
        }
        for (expression, said) in [
            ("0", "longer than nothing"),
            ("-5", "a duration is positive"),
            ("1 month", "no fixed length"),
            ("P1M", "no fixed length"),
            ("15 minuets", "`15 minuets` is not an interval"),
            ("every so often", "`so often` is not an interval"),
        ] {
            let error = rule_of(expression, false).expect_err(expression).to_string();
            assert!(error.contains(said) && !error.contains("cron expression such"), "{expression}: {error}");
        }
    }
}
