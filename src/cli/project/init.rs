//! `reeve project init`: asks what there is to run, and writes the project's first file. Never overwrites anything.
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::screen::Screen;
use super::starter::{self, Answers, Rhythm, What};
use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, Select};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Write a commented deployment.yaml, with its JSON schema for your editor.
///
/// On a terminal it asks for what no option says; elsewhere it takes an example that works. Nothing is overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve project init
  reeve project init --name nightly --entrypoint etl.py:load --cron '0 3 * * *'
  reeve project init --name backup --command 'tar czf /backup/home.tgz /home' --interval '1 day'")]
pub struct Arguments {
    /// Where to write it.
    #[arg(value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// The first deployment's name.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What it runs: a Python function.
    #[arg(long, value_name = "FILE.PY:FUNCTION", conflicts_with = "command", value_parser = entrypoint)]
    pub entrypoint: Option<String>,
    /// What it runs: a command, under `sh -c`.
    #[arg(long, value_name = "COMMAND")]
    pub command: Option<String>,
    /// The work pool that runs it; it is declared in the same file.
    #[arg(long, value_name = "POOL")]
    pub pool: Option<String>,
    /// When it runs: a cron expression.
    #[arg(long, value_name = "EXPRESSION", group = "when")]
    pub cron: Option<String>,
    /// When it runs: every so often (`15 minutes`, `1 day`).
    #[arg(long, value_name = "DURATION", group = "when")]
    pub interval: Option<String>,
    /// When it runs: an RRULE.
    #[arg(long, value_name = "RULE", group = "when")]
    pub rrule: Option<String>,
    /// The schedule's time zone, by its IANA name.
    #[arg(long, value_name = "ZONE", requires = "when")]
    pub timezone: Option<String>,
}

/// The names under which a project's file is found; any of them means that there is a project already.
const TAKEN: [&str; 4] = ["deployment.yaml", "deployment.yml", "prefect.yaml", "prefect.yml"];

pub fn run(arguments: Arguments, screen: &mut Screen) -> Result<Exit, CliError> {
    let directory = arguments.directory.clone();
    if let Some(taken) = TAKEN.iter().find(|name| directory.join(name).symlink_metadata().is_ok()) {
        return Err(CliError::new(format!("{} is here already, and is never overwritten", directory.join(taken).display()))
            .hint("`reeve validate` checks it; edit it to add deployments"));
    }
    let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let mut answers = given(&arguments)?;
    if interactive {
        ask(&mut answers, &arguments).map_err(|error| CliError::because("failed to ask", &error))?;
    }
    answers.check()?;
    std::fs::create_dir_all(&directory)
        .map_err(|error| CliError::because(format!("failed to make {}", directory.display()), &error))?;
    write_new(&directory.join("deployment.yaml"), &starter::manifest(&answers))?;
    let mut written = vec!["deployment.yaml".to_owned()];
    if write_schema(&directory)? {
        written.push(starter::SCHEMA_PATH.to_owned());
    }
    report(&directory, &written, screen);
    Ok(Exit::Done)
}

fn report(directory: &Path, written: &[String], screen: &mut Screen) {
    screen.line(format!("Created project in {} with the following new files:", shown(directory)));
    for file in written {
        screen.line(file);
    }
    screen.blank();
    screen.line("Commit them. Then:");
    screen.line("  reeve validate              checks the file");
    screen.line("  reeve reconcile --dry-run   shows what would change on this host");
    screen.line("  reeve daemon                keeps this host doing what it says");
}

fn shown(directory: &Path) -> String {
    directory.canonicalize().unwrap_or_else(|_| directory.to_owned()).display().to_string()
}

/// What the options say; what they do not say is the example.
fn given(arguments: &Arguments) -> Result<Answers, CliError> {
    let what = match (&arguments.entrypoint, &arguments.command) {
        (Some(entrypoint), _) => What::Entrypoint(entrypoint.clone()),
        (None, Some(command)) => What::Command(command.clone()),
        (None, None) => What::Command("echo \"hello from run $REEVE_FLOW_RUN_NAME\"".to_owned()),
    };
    let rhythm = match (&arguments.cron, &arguments.interval, &arguments.rrule) {
        (Some(cron), ..) => Some(Rhythm::Cron(cron.clone())),
        (_, Some(interval), _) => Some(Rhythm::interval(interval)?),
        (.., Some(rrule)) => Some(Rhythm::Rrule(rrule.clone())),
        // The example runs at once, so that a first daemon has something to show.
        _ if arguments.entrypoint.is_none() && arguments.command.is_none() => Some(Rhythm::Interval(60.0)),
        _ => None,
    };
    Ok(Answers {
        project: base_name(&arguments.directory),
        name: arguments.name.clone().unwrap_or_else(|| "hello".to_owned()),
        what,
        pool: arguments.pool.clone().unwrap_or_else(|| "local".to_owned()),
        rhythm,
        timezone: arguments.timezone.clone(),
    })
}

/// The name of the directory, which may not be there yet, where a project can be called so.
fn base_name(directory: &Path) -> Option<String> {
    let whole = std::path::absolute(directory).ok()?;
    let name = whole.canonicalize().unwrap_or(whole).file_name()?.to_str()?.to_owned();
    crate::model::name::problem(&name).is_none().then_some(name)
}

/// Asks for what no option says, with what stands in `answers` as the proposal.
fn ask(answers: &mut Answers, arguments: &Arguments) -> dialoguer::Result<()> {
    let theme = ColorfulTheme::default();
    if arguments.name.is_none() {
        answers.name = Input::with_theme(&theme).with_prompt("Deployment name").default("my-deployment".to_owned()).interact_text()?;
    }
    if arguments.entrypoint.is_none() && arguments.command.is_none() {
        let kinds = ["a command", "a Python function"];
        answers.what = match Select::with_theme(&theme).with_prompt("What should it run?").items(kinds).default(0).interact()? {
            0 => What::Command(Input::with_theme(&theme).with_prompt("Command").interact_text()?),
            _ => What::Entrypoint(
                Input::with_theme(&theme)
                    .with_prompt("Entrypoint (file.py:function)")
                    .validate_with(|text: &String| entrypoint(text).map(drop))
                    .interact_text()?,
            ),
        };
    }
    if arguments.cron.is_none() && arguments.interval.is_none() && arguments.rrule.is_none() {
        let wanted = Confirm::with_theme(&theme).with_prompt("Should it run on a schedule?").default(true).interact()?;
        answers.rhythm = if wanted { Some(ask_rhythm(&theme)?) } else { None };
        if matches!(answers.rhythm, Some(Rhythm::Cron(_))) && arguments.timezone.is_none() {
            let own = jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").to_owned();
            let known = |name: &String| jiff::tz::TimeZone::get(name).map(drop).map_err(|error| error.to_string());
            let zone = Input::with_theme(&theme).with_prompt("Time zone").default(own).validate_with(known);
            answers.timezone = Some(zone.interact_text()?);
        }
    }
    if arguments.pool.is_none() {
        answers.pool = Input::with_theme(&theme).with_prompt("Work pool (made by this file)").default("local".to_owned()).interact_text()?;
    }
    Ok(())
}

fn ask_rhythm(theme: &ColorfulTheme) -> dialoguer::Result<Rhythm> {
    let text: String = Input::with_theme(theme)
        .with_prompt("When? A cron expression, or an interval such as `15 minutes`")
        .default("0 9 * * *".to_owned())
        .validate_with(|text: &String| Rhythm::read(text).map(drop).map_err(|error| error.to_string()))
        .interact_text()?;
    Ok(Rhythm::read(&text).unwrap_or(Rhythm::Cron(text)))
}

/// The schema beside the file, so that the editor's modeline works without a network; one that is there is kept.
fn write_schema(directory: &Path) -> Result<bool, CliError> {
    let path = directory.join(starter::SCHEMA_PATH);
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|error| CliError::because(format!("failed to make {}", parent.display()), &error))?;
    }
    let text = serde_json::to_string_pretty(&crate::manifest::json_schema()).unwrap_or_default();
    write_new(&path, &(text + "\n"))?;
    Ok(true)
}

/// Writes a file that must not be there: another process that makes it meanwhile wins.
fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| CliError::because(format!("failed to write {}", path.display()), &error))
}

fn entrypoint(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((file, function)) if !file.is_empty() && !function.is_empty() => Ok(text.to_owned()),
        _ => Err("expected a file and a function, such as etl.py:load".to_owned()),
    }
}
