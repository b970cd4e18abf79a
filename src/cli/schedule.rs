//! `reeve schedule preview`, and `schedule eval` for test suites. No home, no daemon: pure arithmetic on the clock's instant.
use super::error::CliError;
use super::exit::Exit;
use super::screen::{OutputOption, Screen};
use super::when::every;
use super::words::relative;
use crate::schedule::{RuleSpec, Spec, evaluate_case_line};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use std::io::BufRead;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Preview(PreviewArguments),
    #[command(hide = true)]
    Eval(EvalArguments),
}

/// Show when a schedule fires, in its own time zone and in yours.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve schedule preview '0 9 * * 1-5' --timezone Europe/Berlin
  reeve schedule preview '15 minutes' --count 8
  reeve schedule preview 'FREQ=MONTHLY;BYDAY=1MO;BYHOUR=6;BYMINUTE=0' --timezone America/New_York")]
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
    pub output: OutputOption,
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
    let spec = Spec::new(rule_of(&arguments.expression, arguments.day_and), arguments.timezone.clone());
    let rule = spec.parse().map_err(|error| {
        CliError::new(format!("failed to read the schedule: {error}")).hint(
            "write a cron expression (`0 9 * * 1-5`), an interval (`15 minutes`) or an RRULE (`FREQ=DAILY;BYHOUR=9`)",
        )
    })?;
    let from = arguments.from.unwrap_or(screen.now);
    let instants: Vec<Timestamp> = rule.instants(from).take(usize::from(arguments.count)).collect();
    let until = instants.last().copied().unwrap_or(from).saturating_add(1.second()).unwrap_or(from);
    let notes = rule.notes(from, until);
    let zone = rule.time_zone();
    let zone_name = arguments.timezone.as_deref().unwrap_or("UTC");
    if arguments.output.is_json() {
        let local = |at: &Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        screen.json(&json!({
            "expression": arguments.expression,
            "timezone": zone_name,
            "description": spec.describe(),
            "instants": instants.iter().map(|at| json!({"at": at, "local": local(at)})).collect::<Vec<_>>(),
            "notes": notes.iter().map(|note| json!({"on": note.on.map(|date| date.to_string()), "text": note.text})).collect::<Vec<_>>(),
        }));
        return Ok(Exit::Done);
    }
    screen.line(spec.describe());
    if instants.is_empty() {
        screen.line("It never fires again.");
    }
    table(&instants, zone, zone_name, screen);
    for note in notes {
        screen.line(format!("note: {}", note.text));
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

/// Which of the three forms `expression` is: only an RRULE has `=`, and no cron expression is a duration.
fn rule_of(expression: &str, day_and: bool) -> RuleSpec {
    let upper = expression.to_uppercase();
    if ["FREQ=", "RRULE:", "DTSTART", "RDATE"].iter().any(|word| upper.contains(word)) {
        return RuleSpec::Rrule { text: expression.to_owned() };
    }
    let interval = expression.trim().strip_prefix("every ").unwrap_or(expression);
    match every(interval) {
        Ok(every) => RuleSpec::Interval { every, anchor: None },
        Err(_) => RuleSpec::Cron { expression: expression.to_owned(), day_or: !day_and },
    }
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
        ] {
            let found = match rule_of(expression, false) {
                RuleSpec::Cron { .. } => "cron",
                RuleSpec::Interval { .. } => "interval",
                RuleSpec::Rrule { .. } => "rrule",
            };
            assert_eq!(found, form, "{expression}");
        }
    }
}
