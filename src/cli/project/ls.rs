//! `reeve project ls`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::{Column, OutputOption, Screen};
use super::super::status;
use super::super::words::relative;
use super::Project;

/// List the projects that were applied here: where their files are, what they own, and whether they are in sync.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve project ls\n  reeve project ls -o json | jq '.[].root'")]
pub struct Arguments {
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let json = client.get("/reeve/projects").await?;
    if arguments.output.is_json() {
        screen.json(&json);
        return Ok(Exit::Done);
    }
    let projects: Vec<Project> = view(&json)?;
    if projects.is_empty() {
        screen.line("No project was applied here yet: `reeve reconcile` in a project's directory applies it.");
        return Ok(Exit::Done);
    }
    let row = |project: Project| {
        let phase = in_words(&project, screen);
        let cells = [
            project.name,
            project.root,
            project.generation.to_string(),
            relative(project.applied, screen.now),
            project.objects.total().to_string(),
            phase,
        ];
        cells.map(Into::into).to_vec()
    };
    let rows = projects.into_iter().map(row).collect();
    let columns = [
        Column::always("Name"),
        Column::always("Root"),
        Column::always("Generation"),
        Column::may_go("Applied"),
        Column::may_go("Objects"),
        Column::may_go("State"),
    ];
    screen.table("Projects", &columns, rows, None);
    Ok(Exit::Done)
}

/// What the daemon says of it; a suspension holds without one too.
pub(super) fn in_words(project: &Project, screen: &Screen) -> String {
    match (&project.status, &project.suspended) {
        (Some(status), _) => status::phase(status, screen).1,
        (None, Some(suspension)) => format!("suspended {suspension}"),
        (None, None) => "no daemon serves it".to_owned(),
    }
}
