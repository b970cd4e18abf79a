//! `reeve flow-run why`.
use super::super::client::Client;
use super::super::client::view;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve;
use super::super::screen::{OutputOption, Screen, Style};
use super::super::wire::{HeldBy, Obstacle, RunWhy};
use super::super::words::{local, relative};
use super::Name;

/// Say all that a run waits for, which runs hold that, and about how many go first.
///
/// Each thing named would keep it from starting by itself: first what stays until somebody changes it (a paused queue, a limit of 0), then
/// the limits that are full, from the narrowest.
///
/// Why a schedule fired, or did not, is `reeve why DEPLOYMENT --at TIME`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve flow-run why brisk-otter\n  reeve flow-run why brisk-otter -o json | jq .obstacles")]
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
    let RunWhy { name, summary, obstacles, more_obstacles, in_line } = view(&json)?;
    match obstacles.as_slice() {
        [] => screen.line(screen.paint(Style::Bold, &format!("{name} {summary}"))),
        [one] => {
            screen.line(screen.paint(Style::Bold, &format!("{name} {summary}")));
            tell(one, "  ", screen);
        }
        several => {
            let count = several.len() + more_obstacles;
            screen.line(screen.paint(Style::Bold, &format!("{name} waits for {count} things, and each of them alone would keep it")));
            for (number, obstacle) in (1..).zip(several) {
                screen.line(format!("  {number}. {}", obstacle.text));
                tell(obstacle, "     ", screen);
            }
        }
    }
    if more_obstacles > 0 {
        screen.line(format!("  and {more_obstacles} more"));
    }
    if let Some(words) = in_line {
        screen.line(format!("  {words}"));
    }
    Ok(Exit::Done)
}

/// What lifts it, and who holds it.
fn tell(obstacle: &Obstacle, indent: &str, screen: &mut Screen) {
    if let Some(remedy) = &obstacle.remedy {
        screen.line(format!("{indent}to lift it: {remedy}"));
    }
    for HeldBy { run, name, deployment, since } in &obstacle.holders {
        let deployment = deployment.as_deref().unwrap_or("no deployment");
        screen.line(format!("{indent}held by {name} ({deployment}, {run}) since {} ({})", local(*since, &screen.zone), relative(*since, screen.now)));
    }
    if obstacle.more_holders > 0 {
        screen.line(format!("{indent}and {} more", obstacle.more_holders));
    }
}
