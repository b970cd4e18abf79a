//! `reeve work-queue inspect`.
use super::super::client::Client;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve::{self, deployment_names_by_id};
use super::super::screen::{OutputOption, Screen};
use super::Name;

/// Show one work queue: what it serves, and in which order.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve work-queue inspect tutorial_queue\n  reeve work-queue inspect batch/urgent -o json")]
pub struct Arguments {
    #[command(flatten)]
    pub queue: Name,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let found = resolve::work_queue(client, &arguments.queue.name, arguments.queue.pool.as_deref()).await?;
    if arguments.output.is_json() {
        screen.json(&found.json);
        return Ok(Exit::Done);
    }
    let queue = found.view;
    let filter = queue.filter.unwrap_or_default();
    let tags = filter.tags.unwrap_or_default().join(", ");
    let ids = filter.deployment_ids.unwrap_or_default();
    let pool_types = filter.pool_types.unwrap_or_default().join(", ");
    let deployments = deployment_names_by_id(client, ids.into_iter()).await?.into_values().collect::<Vec<_>>();
    let mut fields = vec![("Name", queue.name), ("ID", queue.id.to_string())];
    fields.extend(queue.work_pool_name.map(|pool| ("Work pool", pool)));
    fields.extend(queue.description.filter(|text| !text.is_empty()).map(|text| ("Description", text)));
    fields.push(("Priority", queue.priority.unwrap_or(1).to_string()));
    fields.push(("Concurrency limit", queue.concurrency_limit.map_or("None".to_owned(), |limit| limit.to_string())));
    fields.push(("Paused", if queue.is_paused { "yes".to_owned() } else { "no".to_owned() }));
    fields.extend(queue.status.map(|status| ("Status", status)));
    if !tags.is_empty() {
        fields.push(("Tags", tags));
    }
    if !deployments.is_empty() {
        fields.push(("Deployments", deployments.join("\n")));
    }
    if !pool_types.is_empty() {
        fields.push(("Pool types", pool_types));
    }
    screen.fields(&fields);
    Ok(Exit::Done)
}
