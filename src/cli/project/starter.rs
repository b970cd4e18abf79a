//! The text of a project's first deployment.yaml. Pure: answers in, text out.
use super::super::error::CliError;
use super::super::when::every;
use super::super::words::interval;
use crate::manifest::scalar;
use crate::schedule::{RuleSpec, Spec};
use std::fmt::Write;

/// Where the schema lies, relative to the file that names it.
pub const SCHEMA_PATH: &str = ".reeve/deployment.schema.json";

/// What a person wants to begin with.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// The project's own name, which stays when its directory is renamed.
    pub project: Option<String>,
    pub name: String,
    pub what: What,
    pub pool: String,
    pub rhythm: Option<Rhythm>,
    pub timezone: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Entrypoint(String),
    Command(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Rhythm {
    Cron(String),
    /// In seconds.
    Interval(f64),
    Rrule(String),
}

impl Rhythm {
    /// An interval if `text` is a duration, else a cron expression.
    pub fn read(text: &str) -> Result<Self, CliError> {
        if let Ok(every) = every(text) {
            return Ok(Rhythm::Interval(every.seconds()));
        }
        let rhythm = Rhythm::Cron(text.trim().to_owned());
        rhythm.check(None).map(|()| rhythm)
    }

    pub fn interval(text: &str) -> Result<Self, CliError> {
        Ok(Rhythm::Interval(every(text)?.seconds()))
    }

    fn check(&self, timezone: Option<&str>) -> Result<(), CliError> {
        let rule = match self {
            Rhythm::Cron(expression) => RuleSpec::Cron { expression: expression.clone(), day_or: true },
            Rhythm::Rrule(text) => RuleSpec::Rrule { text: text.clone() },
            Rhythm::Interval(_) => return Ok(()),
        };
        let spec = Spec::new(rule, timezone.map(str::to_owned));
        spec.parse().map(drop).map_err(|error| {
            CliError::new(format!("failed to read the schedule: {error}")).hint("`reeve schedule preview` tries schedules out")
        })
    }
}

impl Answers {
    /// # Errors
    /// A name that Prefect's objects cannot have, or a schedule that means nothing: before anything is written.
    pub fn check(&self) -> Result<(), CliError> {
        for (what, name) in [("deployment", &self.name), ("work pool", &self.pool)] {
            if let Some(problem) = crate::model::name::problem(name) {
                return Err(CliError::new(format!("`{name}` cannot be the name of a {what}: it {problem}")));
            }
        }
        match &self.rhythm {
            Some(rhythm) => rhythm.check(self.timezone.as_deref()),
            None => Ok(()),
        }
    }
}

/// The file.
pub fn manifest(answers: &Answers) -> String {
    let project = answers.project.as_ref().map(|name| format!("name: {}  # the project: what it makes is known by this name\n\n", scalar(name)));
    let mut text = format!(
        "# yaml-language-server: $schema={SCHEMA_PATH}\n\
         # What this host runs, and when. `reeve daemon` keeps the host equal to this file;\n\
         # `reeve reconcile --dry-run` shows what a change of it would do.\n\n\
         {}\
         work_pools:\n\
         {}name: {}\n    type: process  # runs as a process on the daemon's host\n    \
         # concurrency_limit: 4  # at most so many runs at once\n\n\
         deployments:\n\
         {}name: {}\n",
        project.unwrap_or_default(),
        "  - ",
        scalar(&answers.pool),
        "  - ",
        scalar(&answers.name),
    );
    let mut line = |content: &str| {
        let _infallible = writeln!(text, "    {content}");
    };
    match &answers.what {
        What::Entrypoint(entrypoint) => {
            line(&format!("entrypoint: {}  # file.py:function, from this directory", scalar(entrypoint)));
            line("parameters: {}  # passed to the function, checked against its signature");
        }
        What::Command(command) => {
            line(&format!("command: {}  # a string runs under sh -c, a list as it stands", scalar(command)));
            line("# parameters: {day: today}  # reach the command as $REEVE_PARAMETER_DAY and {{ parameters.day }}");
        }
    }
    line("# description: what it is for");
    line("# tags: [example]");
    schedule(answers, &mut line);
    line("work_pool:");
    line(&format!("  name: {}", scalar(&answers.pool)));
    line("# env: {LANG: C.UTF-8}  # laid over the daemon's own environment");
    line("# retries: 2");
    line("# retry_delay_seconds: 30");
    line("# timeout_seconds: 600");
    text
}

fn schedule(answers: &Answers, line: &mut impl FnMut(&str)) {
    let rule = match &answers.rhythm {
        None => {
            line("schedule: null  # none: it runs when it is asked to (`reeve deployment run`)");
            return;
        }
        Some(Rhythm::Cron(cron)) => format!("cron: {}", scalar(cron)),
        Some(Rhythm::Interval(seconds)) => format!("interval: {seconds}  # seconds: every {}", interval(*seconds)),
        Some(Rhythm::Rrule(rrule)) => format!("rrule: {}", scalar(rrule)),
    };
    line("schedules:");
    line(&format!("  - {rule}"));
    match &answers.timezone {
        Some(timezone) => line(&format!("    timezone: {}", scalar(timezone))),
        None if matches!(answers.rhythm, Some(Rhythm::Interval(_))) => {}
        None => line("    # timezone: Europe/Berlin  # UTC where none is given"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        Answers {
            project: Some("etl: all".into()),
            name: "nightly".into(),
            what: What::Entrypoint("etl.py:load".into()),
            pool: "local".into(),
            rhythm: Some(Rhythm::Cron("0 3 * * *".into())),
            timezone: Some("Europe/Berlin".into()),
        }
    }

    #[test]
    fn the_file_reads_back_as_the_answers() {
        for (what, key) in [(What::Entrypoint("etl.py:load".into()), "entrypoint"), (What::Command("echo \"a: #b\" 'ü'".into()), "command")] {
            let answers = Answers { what: what.clone(), ..answers() };
            let text = manifest(&answers);
            let value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
            assert_eq!(value["name"].as_str(), Some("etl: all"));
            let deployment = &value["deployments"][0];
            let expected = match what { What::Entrypoint(text) | What::Command(text) => text };
            assert_eq!(deployment[key].as_str(), Some(expected.as_str()));
            assert_eq!(deployment["schedules"][0]["cron"].as_str(), Some("0 3 * * *"));
            assert_eq!(deployment["schedules"][0]["timezone"].as_str(), Some("Europe/Berlin"));
            assert_eq!(deployment["work_pool"]["name"], value["work_pools"][0]["name"]);
            assert!(text.starts_with("# yaml-language-server: $schema=.reeve/deployment.schema.json\n"));
        }
    }

    #[test]
    fn wrong_answers_are_refused_before_anything_is_written() {
        assert!(answers().check().is_ok());
        assert!(Answers { name: "a/b".into(), ..answers() }.check().is_err());
        assert!(Answers { timezone: Some("Mars/Olympus".into()), ..answers() }.check().is_err());
        assert!(Rhythm::read("every now and then").is_err());
        assert_eq!(Rhythm::read("15 minutes").unwrap(), Rhythm::Interval(900.0));
    }
}
