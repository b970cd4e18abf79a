//! The commands: one file each, with its arguments, its help (the doc comment) and its function.
//!
//! A command reads or changes state only through `client` (the API's JSON), writes only to its `Screen`, and ends with a
//! code of the one table in `exit`. Nothing here opens a store or decides what the daemon should do.
pub mod client;
pub mod error;
pub mod exit;
pub mod screen;

mod adopt;
mod apply;
mod calendar;
mod completions;
mod concurrency_limit;
mod daemon;
mod deployment;
mod elsewhere;
mod flow_run;
mod follow;
mod foreground;
mod overrides;
mod parameters;
mod pause;
mod project;
mod reconcile;
mod resolve;
mod restore;
mod schedule;
mod schema;
mod status;
mod suspend;
mod upcoming;
mod validate;
mod when;
mod why;
mod wire;
mod words;
mod work_pool;
mod work_queue;

use clap::{CommandFactory, Parser};
use client::{Client, Connection};
use error::CliError;
use exit::Exit;
use screen::{Colour, Screen};
use std::ffi::OsString;
use std::future::Future;
use std::io::IsTerminal;
use std::pin::Pin;

/// Keeps a host's scheduled work equal to what git says.
///
/// reeve watches the deployment.yaml of your projects, keeps deployments, schedules and work pools equal to what it
/// declares, and runs what is due. It speaks Prefect's words and Prefect 3's HTTP API.
#[derive(Debug, Parser)]
#[command(
    name = "reeve",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "First steps:
  reeve project init          write a deployment.yaml
  reeve reconcile --dry-run   see what would change
  reeve daemon                keep this host doing what it says",
    max_term_width = 110
)]
pub struct Cli {
    #[command(flatten)]
    connection: Connection,
    /// Colour the output: `auto` (on a terminal, unless NO_COLOR is set), `always` or `never`.
    #[arg(
        long = "color",
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        global = true,
        help_heading = "Options of every command"
    )]
    colour: Colour,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start a project, list those of this host, and delete one whose files are gone.
    #[command(subcommand)]
    Project(project::Command),
    Validate(validate::Arguments),
    Reconcile(reconcile::Arguments),
    Apply(apply::Arguments),
    Adopt(adopt::Arguments),
    Suspend(suspend::SuspendArguments),
    Resume(suspend::ResumeArguments),
    Restore(restore::Arguments),
    Daemon(daemon::Arguments),
    Status(status::Arguments),
    Upcoming(upcoming::Arguments),
    Why(why::Arguments),
    /// List, inspect, run, pause and delete deployments.
    #[command(subcommand)]
    Deployment(deployment::Command),
    /// List, inspect, follow, cancel and delete flow runs.
    #[command(subcommand)]
    FlowRun(flow_run::Command),
    /// Create, list, inspect, pause and delete work pools.
    #[command(subcommand)]
    WorkPool(work_pool::Command),
    /// Create, list, inspect, pause and delete work queues.
    #[command(subcommand)]
    WorkQueue(work_queue::Command),
    /// Create, list, inspect, change and delete the concurrency limits of tags.
    #[command(subcommand)]
    ConcurrencyLimit(concurrency_limit::Command),
    /// List and clear what operators laid over the files.
    #[command(subcommand)]
    Override(overrides::Command),
    /// Try schedules out.
    #[command(subcommand)]
    Schedule(schedule::Command),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
}

/// Runs one command line, with the program's name first, and reports what goes wrong.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) if error.kind() == clap::error::ErrorKind::InvalidSubcommand && found_elsewhere(&arguments) => return Exit::Error,
        Err(error) => {
            // Help that was asked for is no error; a reader that went away is none either.
            let _ = error.print();
            return if error.use_stderr() { Exit::Error } else { Exit::Done };
        }
    };
    let colour = cli.colour;
    match dispatch(cli) {
        Ok(exit) => exit,
        Err(error) => {
            error.report(&mut std::io::stderr(), colour.wanted(std::io::stderr().is_terminal()));
            error.exit()
        }
    }
}

/// Whether the command is one of Prefect's, and reeve's own was named for it.
fn found_elsewhere(arguments: &[OsString]) -> bool {
    let words: Vec<&str> = arguments.iter().skip(1).map_while(|word| word.to_str()).collect();
    let Some((typed, advice)) = elsewhere::instead_of(&words) else { return false };
    let stderr = std::io::stderr();
    let colour = Colour::Auto.wanted(stderr.is_terminal());
    CliError::new(format!("reeve has no command `{typed}`")).hint(advice).report(&mut stderr.lock(), colour);
    true
}

/// The whole command line, for whoever describes it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs one command line over a connection that is there already; of those that need none, only what prints.
///
/// # Errors
/// What the command's own errors are, and a command line that means nothing.
pub async fn call(
    arguments: impl IntoIterator<Item = OsString>,
    client: &Client,
    screen: &mut Screen,
) -> Result<Exit, CliError> {
    let cli = Cli::try_parse_from(arguments).map_err(|error| CliError::new(error.to_string()))?;
    match cli.command {
        Command::Status(arguments) => status::call(&arguments, client, screen).await,
        Command::Upcoming(arguments) => upcoming::call(&arguments, client, screen).await,
        Command::Why(arguments) => why::call(&arguments, client, screen).await,
        Command::Reconcile(arguments) => reconcile::call(&arguments, &reconcile::request(&arguments)?, client, screen).await,
        Command::Apply(arguments) => apply::call_with(&arguments, client, screen).await,
        Command::Deployment(command) => command.call(client, screen).await,
        Command::FlowRun(command) => command.call(client, screen).await,
        Command::WorkPool(command) => command.call(client, screen).await,
        Command::WorkQueue(command) => command.call(client, screen).await,
        Command::ConcurrencyLimit(command) => command.call(client, screen).await,
        Command::Schedule(command) => schedule::run(&command, screen),
        _ => Err(CliError::new("this command needs no connection")),
    }
}

fn dispatch(cli: Cli) -> Result<Exit, CliError> {
    let mut screen = Screen::of_process(cli.colour);
    let (screen, connection) = (&mut screen, &cli.connection);
    match cli.command {
        // These need no runtime, and so start at once.
        Command::Project(project::Command::Init(arguments)) => project::init::run(arguments, screen),
        Command::Validate(arguments) => validate::run(&arguments, screen),
        Command::Schedule(command) => schedule::run(&command, screen),
        Command::Daemon(arguments) => daemon::run(arguments, cli.colour),
        Command::Schema(arguments) => {
            schema::run(&arguments, screen);
            Ok(Exit::Done)
        }
        Command::Completions(arguments) => {
            completions::run(&arguments, command(), screen);
            Ok(Exit::Done)
        }
        Command::Project(command) => wait_for(command.run(connection, screen)),
        Command::Reconcile(arguments) => wait_for(reconcile::run(&arguments, connection, screen)),
        Command::Adopt(arguments) => wait_for(adopt::run(&arguments, connection, screen)),
        Command::Apply(arguments) => wait_for(apply::run(&arguments, connection, screen)),
        Command::Suspend(arguments) => wait_for(suspend::suspend(&arguments, connection, screen)),
        Command::Resume(arguments) => wait_for(suspend::resume(&arguments, connection, screen)),
        Command::Restore(arguments) => wait_for(restore::run(&arguments, connection, screen)),
        Command::Status(arguments) => wait_for(status::run(&arguments, connection, screen)),
        Command::Upcoming(arguments) => wait_for(upcoming::run(&arguments, connection, screen)),
        Command::Why(arguments) => wait_for(why::run(&arguments, connection, screen)),
        Command::Deployment(command) => wait_for(command.run(connection, screen)),
        Command::FlowRun(command) => wait_for(command.run(connection, screen)),
        Command::WorkPool(command) => wait_for(command.run(connection, screen)),
        Command::WorkQueue(command) => wait_for(command.run(connection, screen)),
        Command::ConcurrencyLimit(command) => wait_for(command.run(connection, screen)),
        Command::Override(command) => wait_for(command.run(connection, screen)),
    }
}

/// Two threads: what the in-process API does off the async threads must not wait for this one. Boxed: each kind of runtime would else
/// have a copy of the work, all of it.
fn wait_for(work: impl Future<Output = Result<Exit, CliError>>) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let work: Pin<Box<dyn Future<Output = _>>> = Box::pin(work);
    runtime.map_err(|error| CliError::because("failed to start", &error))?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn usage_errors_are_errors_and_help_is_not() {
        for (line, exit) in [
            (&["reeve", "frobnicate"][..], Exit::Error),
            (&["reeve", "deployment", "run"], Exit::Error),
            (&["reeve", "reconcile", "--allow-prune=many"], Exit::Error),
            (&["reeve", "daemon", "--host", "0.0.0.0"], Exit::Error),
            (&["reeve"], Exit::Error),
            (&["reeve", "--help"], Exit::Done),
            (&["reeve", "--version"], Exit::Done),
        ] {
            assert_eq!(run(line.iter().map(OsString::from)), exit, "{line:?}");
        }
    }
}
