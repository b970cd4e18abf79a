//! `reeve override clear`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::Screen;
use super::OverrideView;
use serde_json::json;
use uuid::Uuid;

/// Take overrides of an object away: it is again what the file says. What fires again because of it makes up for nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve override clear etl/daily paused
  reeve override clear local")]
pub struct Arguments {
    /// The object as `reeve override ls` names it: `flow/deployment`, a work pool, or `pool/queue`.
    #[arg(value_name = "OBJECT")]
    pub object: String,
    /// The field; without it all overrides of the object.
    #[arg(value_name = "FIELD")]
    pub field: Option<String>,
}

/// The object's name as overrides have it: given as it stands there, else as a deployment's bare name or id.
async fn full_name(overrides: &[OverrideView], wanted: &str, client: &Client) -> Result<String, CliError> {
    if wanted.is_empty() || overrides.iter().any(|by| by.name == wanted) {
        return Ok(wanted.to_owned());
    }
    let fits = |name: &str| name.rsplit('/').next() == Some(wanted);
    let mut named: Vec<&str> = overrides.iter().map(|by| by.name.as_str()).filter(|name| fits(name)).collect();
    named.dedup();
    if named.is_empty() && Uuid::parse_str(wanted).is_err() {
        return Ok(wanted.to_owned());
    }
    match resolve::deployment(client, wanted).await {
        Ok(found) => Ok(found.full_name),
        Err(error) if named.len() > 1 => Err(error),
        Err(error) => named.first().map(|name| (*name).to_owned()).ok_or(error),
    }
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let overrides: Vec<OverrideView> = view(&client.get("/reeve/overrides").await?)?;
    let object = full_name(&overrides, &arguments.object, client).await?;
    let of_object = |by: &OverrideView| by.name == object;
    let meant = |by: &OverrideView| of_object(by) && arguments.field.as_ref().is_none_or(|field| by.field == *field);
    let (found, others): (Vec<OverrideView>, Vec<OverrideView>) = overrides.into_iter().partition(meant);
    if found.is_empty() {
        let what = arguments.field.as_ref().map(|field| format!(" of {field}")).unwrap_or_default();
        let error = CliError::new(format!("there is no override{what} on '{}'", arguments.object));
        let names: Vec<String> = others.iter().map(|by| format!("{} {}", by.name, by.field)).collect();
        return Err(if names.is_empty() { error } else { error.hint(format!("there are: {}", names.join(", "))) });
    }
    for by in found {
        let which = json!({"kind": by.kind, "name": by.name, "field": by.field});
        client.post("/reeve/overrides/clear", which).await?;
        screen.line(format!("Cleared {} of '{}', which was {} by {}.", by.field, by.name, by.value, by.who));
    }
    Ok(Exit::Done)
}
