//! `reeve deployment ...`: what there is to run, and starting it.
mod delete;
mod execute;
mod inspect;
mod job_variables;
mod ls;
mod pause;
mod run;

use super::client::{Access, Client, Connection};
use super::error::CliError;
use super::exit::Exit;
use super::screen::Screen;
use super::wire;
use super::words::interval;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Ls(ls::Arguments),
    Inspect(inspect::Arguments),
    Run(run::Arguments),
    Execute(execute::Arguments),
    Pause(pause::PauseArguments),
    Resume(pause::ResumeArguments),
    Delete(delete::Arguments),
}

/// Which deployment is meant.
#[derive(Debug, clap::Args)]
pub struct Name {
    /// `flow/name`, the id, or the bare name where only one deployment bears it.
    #[arg(value_name = "DEPLOYMENT")]
    pub name: String,
}

impl Command {
    pub async fn run(self, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
        let access = match &self {
            Command::Ls(_) | Command::Inspect(_) => Access::Read,
            Command::Execute(arguments) => return execute::run(arguments, connection, screen).await,
            _ => Access::Change,
        };
        let client = Client::connect(connection, access).await?;
        self.call(&client, screen).await
    }

    /// The same over a connection that is there already.
    pub async fn call(self, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
        match self {
            Command::Ls(arguments) => ls::run(&arguments, client, screen).await,
            Command::Inspect(arguments) => inspect::run(&arguments, client, screen).await,
            Command::Run(arguments) => run::run(&arguments, client, screen).await,
            Command::Execute(arguments) => execute::with_client(&arguments, Some(client), None, screen).await,
            Command::Pause(arguments) => pause::pause(&arguments, client, screen).await,
            Command::Resume(arguments) => pause::resume(&arguments, client, screen).await,
            Command::Delete(arguments) => delete::run(&arguments, client, screen).await,
        }
    }
}

/// A schedule on one line: in the API's words where it has them, else `0 9 * * * Europe/Berlin`, `every 5 minutes`, `FREQ=DAILY`.
fn schedule_line(schedule: &wire::Schedule) -> String {
    let rule = &schedule.schedule;
    let words = schedule.reeve.as_ref().and_then(|extra| extra.words.clone());
    let mut line = match (&rule.cron, rule.interval, &rule.rrule) {
        (Some(cron), ..) => cron.clone(),
        (_, Some(seconds), _) => format!("every {}", interval(seconds)),
        (.., Some(rrule)) => rrule.split_whitespace().collect::<Vec<_>>().join(" "),
        _ => "?".to_owned(),
    };
    if let Some(words) = words {
        line = words;
    } else if let Some(zone) = rule.timezone.as_deref().filter(|zone| *zone != "UTC" && rule.interval.is_none()) {
        line += &format!(" {zone}");
    }
    match schedule.active {
        true => line,
        false => format!("{line} (inactive)"),
    }
}
