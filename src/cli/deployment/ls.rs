//! `reeve deployment ls`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve::deployment_names;
use super::super::screen::{Cell, Column, OutputOption, Screen};
use super::super::wire::Deployment;
use super::schedule_line;
use serde_json::{Value, json};

/// List the deployments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve deployment ls\n  reeve deployment ls --tag nightly\n  reeve deployment ls -o json | jq -r '.[].name'")]
pub struct Arguments {
    /// Only those that carry this tag; may be given several times, and then all are needed.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let mut filter = json!({"sort": "NAME_ASC"});
    if !arguments.tags.is_empty() {
        filter["deployments"] = json!({"tags": {"all_": arguments.tags}});
    }
    let deployments = client.list("/deployments/filter", filter).await?;
    if arguments.output.is_json() {
        screen.json(&Value::Array(deployments));
        return Ok(Exit::Done);
    }
    if deployments.is_empty() {
        screen.line(match arguments.tags.as_slice() {
            [] => "There are no deployments.".to_owned(),
            [tag] => format!("No deployment carries the tag '{tag}'."),
            tags => format!("No deployment carries all of the tags '{}'.", tags.join("', '")),
        });
        return Ok(Exit::Done);
    }
    let names = deployment_names(client, &deployments).await?;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for deployment in &deployments {
        let deployment: Deployment = view(deployment)?;
        let name = names.get(&deployment.id).cloned().unwrap_or(deployment.name);
        let schedules: Vec<String> = deployment.schedules.iter().map(schedule_line).collect();
        rows.push(vec![
            if deployment.paused { format!("{name} (**)") } else { name }.into(),
            deployment.id.to_string().into(),
            if schedules.is_empty() { "-".to_owned() } else { schedules.join("\n") }.into(),
            deployment.work_pool_name.unwrap_or_else(|| "-".to_owned()).into(),
        ]);
    }
    rows.sort();
    let caption = Some("(**) denotes a paused deployment");
    screen.table("Deployments", &[Column::always("Name"), Column::always("ID"), Column::may_go("Schedules"), Column::may_go("Work Pool")], rows, caption);
    Ok(Exit::Done)
}
