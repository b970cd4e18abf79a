//! `reeve daemon`: only reads its arguments; the life of the daemon is `crate::daemon`.
use super::error::CliError;
use super::exit::Exit;
use super::screen::Colour;
use crate::daemon::{self, DaemonSettings, ProjectSettings};
use crate::executor::spawner;
use crate::settings::{DEFAULT_PORT, Home};
use crate::telemetry::{self, LogFormat};
use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::pin::Pin;

/// Keep this host doing what its projects say: watch their files, reconcile, run what is due, serve the API.
///
/// State is kept in $REEVE_HOME (else $XDG_STATE_HOME/reeve, else ~/.local/state/reeve). Ctrl-C stops it cleanly; runs go on,
/// and the next daemon picks them up. REEVE_LOG filters what it says (`debug`, `reeve::daemon=trace,warn`).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve daemon
  reeve daemon --project /srv/etl --project /srv/reports
  reeve daemon -f deployments/production.yaml --port 4300")]
pub struct Arguments {
    /// A project's root directory; may be given several times. Without one: the working directory.
    #[arg(long = "project", value_name = "DIR")]
    pub projects: Vec<PathBuf>,
    /// The project's file, where it is not deployment.yaml or prefect.yaml in its root; may be given several times.
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The address to listen on. Only loopback addresses are allowed: the API can start programs.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_parser = address)]
    pub host: IpAddr,
    /// The port to listen on; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    pub port: u16,
    /// Treat unknown keys, duplicate keys and skipped entries as errors: a file that has any changes nothing.
    #[arg(long)]
    pub strict: bool,
    /// When the daemon stops, stop its runs too, instead of leaving them for the next daemon.
    #[arg(long)]
    pub stop_runs: bool,
    /// Leave the lines that runs print to `reeve flow-run logs`.
    #[arg(short, long)]
    pub quiet: bool,
    /// How log lines are written: `text` for people, `json` for machines.
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub log_format: LogFormat,
}

pub fn run(arguments: Arguments, colour: Colour) -> Result<Exit, CliError> {
    if arguments.projects.len() > 1 && !arguments.files.is_empty() {
        return Err(CliError::new("`-f` names files of one project, but several projects were given")
            .hint("leave -f out: each project's deployment.yaml is found in its root"));
    }
    // Before there is a thread.
    spawner::prefork();
    telemetry::start(arguments.log_format, colour.wanted(std::io::stderr().is_terminal())).map_err(CliError::new)?;
    let projects = if arguments.projects.is_empty() { vec![PathBuf::from(".")] } else { arguments.projects };
    let project = |root: &PathBuf| Ok(ProjectSettings { root: to_come(root)?, files: arguments.files.clone(), strict: arguments.strict });
    let settings = DaemonSettings {
        home: Home::from_environment().map_err(CliError::new)?,
        projects: projects.iter().map(project).collect::<Result<_, CliError>>()?,
        host: arguments.host,
        port: arguments.port,
        stop_runs: arguments.stop_runs,
        show_logs: !arguments.quiet,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::because("failed to start", &error))?;
    // Boxed: each kind of runtime would else have a copy of the daemon.
    let work: Pin<Box<dyn Future<Output = _>>> = Box::pin(daemon::run(settings));
    let ended = runtime.block_on(work);
    // What still reads a log or a file must not hold up the end.
    runtime.shutdown_background();
    ended.map(|()| Exit::Done).map_err(|error| CliError::because("the daemon ended", &error))
}

/// The directory as an absolute path without symbolic links, so that one project is always the same directory.
///
/// # Errors
/// It is not there, or not a directory.
pub fn absolute(root: &Path) -> Result<PathBuf, CliError> {
    let message = || format!("failed to find the project directory {}", root.display());
    let path = root.canonicalize().map_err(|error| CliError::because(message(), &error))?;
    match path.is_dir() {
        true => Ok(path),
        false => Err(CliError::new(format!("{}: it is not a directory", message())).hint("name a file with -f")),
    }
}

/// The same for a directory that may appear later: what is there of the path already is resolved.
fn to_come(root: &Path) -> Result<PathBuf, CliError> {
    if root.exists() {
        return absolute(root);
    }
    let path = std::path::absolute(root).map_err(|error| CliError::because(format!("failed to find {}", root.display()), &error))?;
    let there = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    Ok(there.map_or(path.clone(), |(ancestor, real)| real.join(path.strip_prefix(ancestor).unwrap_or(Path::new("")))))
}

fn address(text: &str) -> Result<IpAddr, String> {
    let address = match text {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => text.parse::<IpAddr>().map_err(|_| "expected an IP address such as 127.0.0.1".to_owned())?,
    };
    match address.is_loopback() {
        true => Ok(address),
        false => Err("whoever reaches the API can start programs, and it has no tokens yet: expected a loopback address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_taken() {
        for (text, taken) in
            [("127.0.0.1", true), ("::1", true), ("localhost", true), ("0.0.0.0", false), ("10.0.0.1", false), ("host", false)]
        {
            assert_eq!(address(text).is_ok(), taken, "{text}");
        }
    }
}
