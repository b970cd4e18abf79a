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
use std::path::{Component, Path, PathBuf};
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
    telemetry::flush();
    ended.map(|()| Exit::Done).map_err(|error| CliError::because("the daemon ended", &error))
}

/// The directory as an absolute path, as it was named: a link such as `current` that is led to another release later is the same
/// project, and the path that it leads to is another each time.
///
/// # Errors
/// It is not there, or not a directory.
pub fn absolute(root: &Path) -> Result<PathBuf, CliError> {
    let message = || format!("failed to find the project directory {}", root.display());
    let metadata = root.metadata().map_err(|error| CliError::because(message(), &error))?;
    match metadata.is_dir() {
        true => to_come(root),
        false => Err(CliError::new(format!("{}: it is not a directory", message())).hint("name a file with -f")),
    }
}

/// The same for a directory that may appear later.
pub(super) fn to_come(root: &Path) -> Result<PathBuf, CliError> {
    let failed = |error| CliError::because(format!("failed to find {}", root.display()), &error);
    let here = if root.is_absolute() { PathBuf::new() } else { working_directory().map_err(failed)? };
    Ok(without_dots(&here.join(root)))
}

/// Where the shell says that it is, if it is there: unlike the kernel, it knows the link that led there (POSIX `pwd -L`).
fn working_directory() -> std::io::Result<PathBuf> {
    let here = std::env::current_dir()?;
    let said = std::env::var_os("PWD").map(PathBuf::from).filter(|said| said.is_absolute());
    let is_here = |said: &PathBuf| said.canonicalize().is_ok_and(|said| said == here) && without_dots(said) == *said;
    Ok(said.filter(is_here).unwrap_or(here))
}

/// Without `.`; what `..` leads out of must be looked at, as it may be a link.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain = plain.canonicalize().unwrap_or(plain);
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
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
    fn a_directory_is_known_by_the_links_that_it_was_named_by() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("releases/1/sub")).unwrap();
        std::os::unix::fs::symlink("releases/1", base.join("current")).unwrap();
        for (named, known) in [
            ("current", "current"),
            ("current/", "current"),
            ("./current/sub", "current/sub"),
            ("releases/1", "releases/1"),
            ("releases/1/../1/sub", "releases/1/sub"),
            // The parent of what a link leads to is not the directory in which the link lies.
            ("current/..", "releases"),
        ] {
            assert_eq!(absolute(&base.join(named)).unwrap(), base.join(known), "{named}");
        }
        assert_eq!(to_come(&base.join("none/yet")).unwrap(), base.join("none/yet"));
        assert!(absolute(&base.join("none")).is_err());
    }

    #[test]
    fn only_loopback_addresses_are_taken() {
        for (text, taken) in
            [("127.0.0.1", true), ("::1", true), ("localhost", true), ("0.0.0.0", false), ("10.0.0.1", false), ("host", false)]
        {
            assert_eq!(address(text).is_ok(), taken, "{text}");
        }
    }
}
