//! `reeve override ls`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::{Column, OutputOption, Screen};
use super::super::words::{fire, relative};
use super::OverrideView;

/// List what operators laid over the files: which field, what it is now, who did it, when, until when and why.
///
/// A reconcile shows overrides and never clears them; `reeve override clear` does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve override ls")]
pub struct Arguments {
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let json = client.get("/reeve/overrides").await?;
    if arguments.output.is_json() {
        screen.json(&json);
        return Ok(Exit::Done);
    }
    let overrides: Vec<OverrideView> = view(&json)?;
    if overrides.is_empty() {
        screen.line("There are no overrides: everything is as the files say.");
        return Ok(Exit::Done);
    }
    let row = |by: OverrideView| {
        let since = relative(by.since, screen.now);
        let until = by.until.map_or_else(|| "-".to_owned(), |until| fire(until, screen.now, &screen.zone));
        let cells = [by.name, by.field, by.value.to_string(), by.who, since, until, by.why.unwrap_or_else(|| "-".to_owned()), by.file.unwrap_or_else(|| "-".to_owned())];
        cells.map(Into::into).to_vec()
    };
    let rows = overrides.into_iter().map(row).collect();
    let columns = [Column::always("Object"), Column::always("Field"), Column::always("Is"), Column::may_go("Who"), Column::may_go("Since"), Column::may_go("Until"), Column::may_go("Why"), Column::may_go("Declared In")];
    screen.table("Overrides", &columns, rows, None);
    Ok(Exit::Done)
}
