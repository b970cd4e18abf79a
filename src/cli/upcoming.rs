//! `reeve upcoming`.
use super::calendar;
use super::client::{Access, Client, Connection, view};
use super::error::CliError;
use super::exit::Exit;
use super::resolve;
use super::screen::{Column, OutputOption, Screen};
use super::when;
use super::wire::Fire;
use super::words::{local, relative, took};
use jiff::Timestamp;
use serde_json::Value;
use std::io::Write;

/// List what fires next, over all deployments.
///
/// With --within, everything in that time; else the next few. Without a daemon the list is the same, but nothing starts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve upcoming
  reeve upcoming --within '8 hours'
  reeve upcoming --at 'tomorrow 00:00' --within '1 day' --deployment etl/daily
  reeve upcoming --within '30 days' --ical > schedule.ics
  reeve upcoming -o json | jq -r '.[] | \"\\(.at) \\(.deployment)\"'")]
pub struct Arguments {
    /// List what fires from this instant on, instead of from now on: `2027-03-28T00:00:00Z`, `tomorrow 09:00`.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// List what fires within this time: `90 minutes`, `8 hours`, `2 days`.
    #[arg(long, value_name = "DURATION")]
    pub within: Option<String>,
    /// How many fires to list at most: 20 where nothing is said, 10000 with --within.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub count: Option<u16>,
    /// Only fires of this deployment: `flow/name`, id, or bare name where it is unique.
    #[arg(long, value_name = "DEPLOYMENT")]
    pub deployment: Option<String>,
    /// Write a calendar (iCalendar, RFC 5545) to standard output; a fire keeps its UID in every calendar.
    #[arg(long, conflicts_with = "output")]
    pub ical: bool,
    #[command(flatten)]
    pub output: OutputOption,
}

/// So many fires where neither a number nor a time is given.
const USUAL: u16 = 20;

/// So many where a time is given: as many as the API tells at once.
const MOST: u16 = 10_000;

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let client = Client::connect(connection, Access::Read).await?;
    call(arguments, &client, screen).await
}

/// The same over a connection that is there already.
pub async fn call(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let fires = client.get(&path(arguments, client, screen).await?).await?;
    if arguments.output.is_json() {
        screen.json(&fires);
        return Ok(Exit::Done);
    }
    let Value::Array(fires) = fires else { return Err(CliError::new("the API did not answer with a list of fires")) };
    let fires: Vec<Fire> = fires.iter().map(view).collect::<Result<_, _>>()?;
    if arguments.count.is_none() && fires.len() == usize::from(MOST) {
        // Not on standard output, which may be a calendar.
        let cut = format!("note: only the first {MOST} are here; name a --deployment or a shorter --within for the others");
        let _nobody_reads = writeln!(std::io::stderr(), "{cut}");
    }
    match arguments.ical {
        true => screen.raw(&calendar::of(&fires)),
        false => table(&fires, client.is_daemon(), screen),
    }
    Ok(Exit::Done)
}

async fn path(arguments: &Arguments, client: &Client, screen: &Screen) -> Result<String, CliError> {
    let now = screen.now.to_zoned(screen.zone.clone());
    let from = arguments.at.as_deref().map(|at| when::instant("--at", at, &now)).transpose()?;
    let start = from.map_or_else(|| now.clone(), |from| from.to_zoned(screen.zone.clone()));
    let until = arguments.within.as_deref().map(|within| when::after("--within", within, &start)).transpose()?;
    let limit = arguments.count.unwrap_or(if until.is_some() { MOST } else { USUAL });
    let mut path = format!("/reeve/upcoming?limit={limit}");
    let instants = [("from", from), ("until", until)];
    for (name, instant) in instants.into_iter().filter_map(|(name, instant)| Some((name, instant?))) {
        path += &format!("&{name}={instant}");
    }
    if let Some(deployment) = &arguments.deployment {
        path += &format!("&deployment={}", resolve::deployment(client, deployment).await?.view.id);
    }
    Ok(path)
}

fn table(fires: &[Fire], is_daemon: bool, screen: &mut Screen) {
    if fires.is_empty() {
        screen.line("Nothing fires.");
        return;
    }
    let mut columns = vec![Column::always("When"), Column::always("At"), Column::always("Deployment"), Column::may_go("Schedule")];
    let shifted = fires.iter().any(|fire| fire.start != fire.at);
    if shifted {
        columns.push(Column::may_go("Starts"));
    }
    let rows = fires.iter().map(|fire| {
        let mut row = vec![relative(fire.at, screen.now), local(fire.at, &screen.zone), fire.deployment.clone(), fire.words.clone()];
        if shifted {
            row.push(starts(fire.at, fire.start));
        }
        row.into_iter().map(Into::into).collect()
    });
    let rows = rows.collect();
    let caption = (!is_daemon).then_some("no daemon runs on this home: nothing of it will start");
    screen.table("Upcoming", &columns, rows, caption);
}

/// How much later than its slot a run starts, by spread and jitter: `9m 14s later`.
fn starts(at: Timestamp, start: Timestamp) -> String {
    match start.duration_since(at).as_secs_f64() {
        0.0 => "on time".to_owned(),
        seconds => format!("{} later", took(seconds)),
    }
}
