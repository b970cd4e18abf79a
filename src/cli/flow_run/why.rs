//! `reeve flow-run why`.
use super::super::client::Client;
use super::super::client::view;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::{OutputOption, Screen, Style};
use super::super::wire::{HeldBy, RunWhy};
use super::super::words::{local, relative};
use super::Name;

/// How many holders are named.
const MOST_NAMED: usize = 20;

/// Say what a run waits for, which runs hold that, and about how many go first.
///
/// Why a schedule fired, or did not, is `reeve why DEPLOYMENT --at TIME`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve flow-run why brisk-otter\n  reeve flow-run why brisk-otter -o json | jq .holders")]
pub struct Arguments {
    #[command(flatten)]
    pub run: Name,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let id = resolve::flow_run(client, &arguments.run.name).await?.view.id;
    let json = client.get(&format!("/reeve/flow_runs/{id}/why")).await?;
    if arguments.output.is_json() {
        screen.json(&json);
        return Ok(Exit::Done);
    }
    let RunWhy { name, summary, holders, ahead } = view(&json)?;
    screen.line(screen.paint(Style::Bold, &format!("{name} {summary}")));
    for HeldBy { run, name, deployment, since } in holders.iter().take(MOST_NAMED) {
        let deployment = deployment.as_deref().unwrap_or("no deployment");
        screen.line(format!("  held by {name} ({deployment}, {run}) since {} ({})", local(*since, &screen.zone), relative(*since, screen.now)));
    }
    if holders.len() > MOST_NAMED {
        screen.line(format!("  and {} more", holders.len() - MOST_NAMED));
    }
    match ahead {
        0 => {}
        1 => screen.line("  as things stand, 1 other run that waits for the same goes first"),
        many => screen.line(format!("  as things stand, about {many} other runs that wait for the same go first")),
    }
    Ok(Exit::Done)
}
