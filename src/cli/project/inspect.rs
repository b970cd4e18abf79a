//! `reeve project inspect`.
use super::super::client::{Client, segment, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::{OutputOption, Screen};
use super::super::status;
use super::super::words::{fire, local};
use super::Project;
use super::ls::in_words;
use crate::model::event::Event;
use clap::builder::NonEmptyStringValueParser;

/// Show one project: where its files are, which state of them is in force, what it owns, what stands against it, and what was done
/// to it last.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve project inspect etl")]
pub struct Arguments {
    /// The project's name, as `reeve project ls` shows it.
    #[arg(value_name = "PROJECT", value_parser = NonEmptyStringValueParser::new())]
    pub project: String,
    #[command(flatten)]
    pub output: OutputOption,
}

/// How many of the last events are shown.
const EVENTS_SHOWN: usize = 10;

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let path = format!("/reeve/projects/{}", segment(&arguments.project));
    let mut json = client.get(&path).await.map_err(|error| match error.is_not_found() {
        true => CliError::new(format!("no project is called '{}' here", arguments.project)).hint("`reeve project ls` lists them"),
        false => error,
    })?;
    let events = client.get(&format!("{path}/events?limit={EVENTS_SHOWN}")).await?;
    if arguments.output.is_json() {
        if let Some(project) = json.as_object_mut() {
            project.insert("events".to_owned(), events);
        }
        screen.json(&json);
        return Ok(Exit::Done);
    }
    let project: Project = view(&json)?;
    let state = in_words(&project, screen);
    let source = project.source.as_ref().map(status::short);
    let mut fields = vec![
        ("Name", project.name),
        ("Root", project.root),
        ("Generation", project.generation.to_string()),
        ("Applied", fire(project.applied, screen.now, &screen.zone)),
    ];
    fields.extend(source.map(|source| ("Source", source)));
    fields.extend([("Objects", project.objects.words()), ("State", state)]);
    screen.fields(&fields);
    if let Some(status) = &project.status {
        status::stands_against(status, screen);
        status::conditions(status, screen);
    }
    let events: Vec<Event> = view(&events)?;
    if !events.is_empty() {
        screen.line("Events:");
    }
    for event in events {
        let at = local(event.occurred, &screen.zone);
        screen.line(format!("  {at}  {}: {}", event.subject(), event.message()));
    }
    Ok(Exit::Done)
}
