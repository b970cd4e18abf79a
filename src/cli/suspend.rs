//! `reeve suspend` and `resume`: stop reconciling a project for a while.
use super::client::{Access, Client, Connection, segment, view};
use super::error::CliError;
use super::exit::Exit;
use super::pause;
use super::screen::Screen;
use crate::model::stored::Suspension;
use serde::Deserialize;
use serde_json::json;
use clap::builder::NonEmptyStringValueParser;

/// Stop reconciling a project: what its files say from now on waits. Its schedules go on as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve suspend etl --why 'database move' --until 'tomorrow 06:00'
  reeve suspend")]
pub struct SuspendArguments {
    /// The project; may be left out where there is only one.
    #[arg(value_name = "PROJECT", value_parser = NonEmptyStringValueParser::new())]
    pub project: Option<String>,
    /// The reason, for whoever wonders.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// When it ends by itself: `tomorrow 06:00`, `18:30`, `2026-11-21T09:00:00+01:00`.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// Reconcile a suspended project again; what its files say is applied at once where a daemon serves it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve resume etl")]
pub struct ResumeArguments {
    /// The project; may be left out where there is only one.
    #[arg(value_name = "PROJECT", value_parser = NonEmptyStringValueParser::new())]
    pub project: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    name: String,
    suspended: Option<Suspension>,
}

pub async fn suspend(arguments: &SuspendArguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let now = screen.now.to_zoned(screen.zone.clone());
    let until = arguments.until.as_deref().map(|text| pause::end(text, &now)).transpose()?;
    let client = Client::connect(connection, Access::Change).await?;
    let project = named(&client, arguments.project.as_deref()).await?;
    let body = json!({"why": arguments.why, "until": until.map(|until| until.to_string())});
    client.post(&format!("/reeve/projects/{}/suspend", segment(&project)), body).await?;
    let until = until.map(|until| format!(" until {}", super::words::local(until, &screen.zone))).unwrap_or_default();
    screen.line(format!("Suspended project '{project}'{until}: it is not reconciled; its schedules go on."));
    Ok(Exit::Done)
}

pub async fn resume(arguments: &ResumeArguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let client = Client::connect(connection, Access::Change).await?;
    let project = named(&client, arguments.project.as_deref()).await?;
    let before: Vec<Project> = view(&client.get("/reeve/projects").await?)?;
    let was_suspended = before.iter().any(|known| known.name == project && known.suspended.is_some());
    client.post(&format!("/reeve/projects/{}/resume", segment(&project)), json!(null)).await?;
    screen.line(match was_suspended {
        true => format!("Resumed project '{project}'."),
        false => format!("Project '{project}' was not suspended: nothing to resume."),
    });
    Ok(Exit::Done)
}

/// The project that is meant.
async fn named(client: &Client, name: Option<&str>) -> Result<String, CliError> {
    if let Some(name) = name {
        return Ok(name.to_owned());
    }
    let projects: Vec<Project> = view(&client.get("/reeve/projects").await?)?;
    match &projects[..] {
        [only] => Ok(only.name.clone()),
        [] => Err(CliError::new("no project was applied here yet")),
        many => {
            let names: Vec<&str> = many.iter().map(|project| project.name.as_str()).collect();
            Err(CliError::new(format!("there are {} projects: name one of {}", many.len(), names.join(", "))))
        }
    }
}
