//! `reeve why`.
use super::client::{Access, Client, Connection, view};
use super::error::CliError;
use super::exit::Exit;
use super::resolve;
use super::screen::{OutputOption, Screen, Style};
use super::when;
use super::wire::Why;
use super::words::fire;

/// Say why a deployment ran, did not run, or will run at an instant.
///
/// The answer follows the whole chain, from the schedule's rule and its time zone over pauses, exclusions and policies to the work
/// queue and whoever executes it, up to the link that stops it. The exit code is 0 whatever the answer is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve why etl/daily
  reeve why etl/daily --at '2027-03-28 02:30'
  reeve why etl/daily --at 2026-11-20T08:00:00Z -o json | jq -r .summary")]
pub struct Arguments {
    /// `flow/name`, the id, or the bare name where only one deployment bears it.
    #[arg(value_name = "DEPLOYMENT")]
    pub deployment: String,
    /// The instant in question; where none is given, the deployment's next slot.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, connection: &Connection, screen: &mut Screen) -> Result<Exit, CliError> {
    let client = Client::connect(connection, Access::Read).await?;
    call(arguments, &client, screen).await
}

/// The same over a connection that is there already.
pub async fn call(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let now = screen.now.to_zoned(screen.zone.clone());
    let at = arguments.at.as_deref().map(|at| when::instant("--at", at, &now)).transpose()?;
    let id = resolve::deployment(client, &arguments.deployment).await?.view.id;
    let query = at.map(|at| format!("?at={at}")).unwrap_or_default();
    let json = client.get(&format!("/reeve/deployments/{id}/why{query}")).await?;
    match arguments.output.is_json() {
        true => screen.json(&json),
        false => told(&view(&json)?, screen),
    }
    Ok(Exit::Done)
}

fn told(answer: &Why, screen: &mut Screen) {
    let at = fire(answer.at, screen.now, &screen.zone);
    screen.line(screen.paint(Style::Bold, &format!("{} at {at}: {}", answer.deployment, answer.summary)));
    for chain in &answer.schedules {
        screen.line(format!("schedule {}: {}", chain.schedule, chain.words));
        for link in &chain.links {
            let (style, mark) = match link.mark.as_str() {
                "ok" => (Style::Good, "ok"),
                "stops" => (Style::Bad, "stops here"),
                _ => (Style::Warning, "note"),
            };
            let mark = screen.paint(style, &format!("{mark:<10}"));
            screen.line(format!("  {mark}  {:<10}  {}", link.about, link.text));
        }
    }
}
