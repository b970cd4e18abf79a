//! `reeve deployment inspect`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve::{self, Found};
use super::super::screen::{Cell, Column, OutputOption, Screen, one_line};
use super::super::wire::{Deployment, FlowRun};
use super::super::words::fire;
use super::{Name, schedule_line};
use crate::model::secret::without_logins;
use crate::reconcile::origin::{Origin, Source};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Show one deployment: what it runs, with which parameters, when, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve deployment inspect etl/daily\n  reeve deployment inspect daily -o json\n  reeve deployment inspect daily --explain")]
pub struct Arguments {
    #[command(flatten)]
    pub deployment: Name,
    /// Show every field with its value and where that comes from: file and line, override, default, source code, client.
    #[arg(long)]
    pub explain: bool,
    #[command(flatten)]
    pub output: OutputOption,
}

/// So many characters of a value are shown.
const MOST_SHOWN: usize = 60;

/// How many upcoming runs are shown.
const UPCOMING: usize = 3;

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let found = resolve::deployment(client, &arguments.deployment.name).await?;
    if arguments.explain {
        return explain(arguments, &found, client, screen).await;
    }
    if arguments.output.is_json() {
        screen.json(&found.json);
        return Ok(Exit::Done);
    }
    let deployment = found.view;
    let mut fields = vec![("Name", found.full_name), ("ID", deployment.id.to_string())];
    let mut add = |label, value: Option<String>| fields.extend(value.map(|value| (label, value)));
    add("Description", deployment.description.filter(|text| !text.trim().is_empty()));
    add("Version", deployment.version);
    add("Entrypoint", deployment.entrypoint.map(|entrypoint| without_logins(&entrypoint).into_owned()));
    add("Parameters", Some(one_line(&deployment.parameters)));
    add("Tags", Some(deployment.tags.join(", ")).filter(|tags| !tags.is_empty()));
    add("Work pool", deployment.work_pool_name);
    add("Work queue", deployment.work_queue_name);
    let schedules: Vec<String> = deployment
        .schedules
        .iter()
        .map(|schedule| match &schedule.slug {
            Some(slug) => format!("{slug}: {}", schedule_line(schedule)),
            None => schedule_line(schedule),
        })
        .collect();
    let next = deployment.reeve.as_ref().and_then(|extra| extra.next);
    let declared = deployment.reeve.and_then(|extra| Some(format!("{} of project {}", extra.file?, extra.project?)));
    add("Declared in", declared);
    add("Schedules", Some(if schedules.is_empty() { "none".to_owned() } else { schedules.join("\n") }));
    match deployment.paused {
        true => add("Paused", Some("yes: its schedules start nothing".to_owned())),
        false => add("Next runs", upcoming(client, deployment.id, next, screen).await?),
    }
    screen.fields(&fields);
    Ok(Exit::Done)
}

async fn explain(arguments: &Arguments, found: &Found<Deployment>, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let json = client.get(&format!("/reeve/deployments/{}/explain", found.view.id)).await?;
    if arguments.output.is_json() {
        screen.json(&json);
        return Ok(Exit::Done);
    }
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for Origin { field, value, source } in view::<Vec<Origin>>(&json)? {
        let from = source.to_string();
        rows.push([field, clipped(&value), from].map(Into::into).to_vec());
        if let Source::Override { under, .. } = source {
            rows.push(["  without the override".to_owned(), clipped(&under.value), under.source.to_string()].map(Into::into).to_vec());
        }
    }
    let columns = [Column::always("Field"), Column::always("Value"), Column::always("From")];
    screen.table(&found.full_name, &columns, rows, None);
    Ok(Exit::Done)
}

/// A value on one line, as far as a table can show it.
fn clipped(value: &Value) -> String {
    let text = value.to_string();
    match text.chars().count() {
        0..=MOST_SHOWN => text,
        _ => text.chars().take(MOST_SHOWN - 1).chain(['…']).collect(),
    }
}

/// The runs that wait, else the next instant that the daemon knows of.
async fn upcoming(
    client: &Client,
    deployment: Uuid,
    next: Option<Timestamp>,
    screen: &Screen,
) -> Result<Option<String>, CliError> {
    let filter = json!({
        "flow_runs": {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["SCHEDULED"]}}},
        "sort": "EXPECTED_START_TIME_ASC",
    });
    let runs = client.page("/flow_runs/filter", &filter, 0, UPCOMING).await?;
    let runs: Vec<FlowRun> = runs.iter().map(view).collect::<Result<_, _>>()?;
    let mut instants: Vec<Timestamp> = runs.iter().filter_map(FlowRun::when).chain(next).collect();
    instants.sort();
    instants.dedup();
    let lines: Vec<String> = instants.iter().take(UPCOMING).map(|at| fire(*at, screen.now, &screen.zone)).collect();
    Ok(Some(lines.join("\n")).filter(|lines| !lines.is_empty()))
}
