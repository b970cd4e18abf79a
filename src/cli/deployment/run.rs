//! `reeve deployment run`: asks for a flow run, now or later, and can wait for its end.
use super::super::client::{Client, segment, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::parameters::{self, ParameterOptions};
use super::super::screen::{OutputOption, Screen, Style, one_line};
use super::super::wire::{FlowRun, RunWhy};
use super::super::words::{local, relative};
use super::super::{follow, resolve, when};
use super::{Name, job_variables};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::Write;

/// Create a flow run of a deployment: now, or when you say.
///
/// The run starts in the daemon, as a scheduled one would. Without a running daemon it waits until there is one.
/// To run it here and now in this terminal, see `reeve deployment execute`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve deployment run hello_world/my-first-deployment
  reeve deployment run etl/daily -p day=2026-11-20 -p full=true --watch
  reeve deployment run etl/daily --params '{\"day\": \"2026-11-20\"}' --start-at 'tomorrow 09:00'
  reeve deployment run etl/daily --start-in '10 minutes'")]
pub struct Arguments {
    #[command(flatten)]
    pub deployment: Name,
    #[command(flatten)]
    pub parameters: ParameterOptions,
    /// A job variable of the run, over the deployment's; may be given several times.
    #[arg(long = "job-variable", value_name = "KEY=VALUE")]
    pub job_variables: Vec<String>,
    /// Start after this long: `10 minutes`, `1h 30m`, `2 days`, `PT45M`.
    #[arg(long, value_name = "DURATION", conflicts_with = "start_at")]
    pub start_in: Option<String>,
    /// Start then: `2026-11-21 09:00`, `2026-11-21T09:00:00+01:00`, `tomorrow 09:00`, `friday 6pm`, `18:30`.
    #[arg(long, value_name = "TIME")]
    pub start_at: Option<String>,
    /// The run's name, in place of a generated one.
    #[arg(long = "name", value_name = "NAME")]
    pub run_name: Option<String>,
    /// A tag of the run besides the deployment's; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Follow the run's logs to its end; the exit code is 0 only when it is Completed.
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub output: OutputOption,
}

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    if arguments.watch && !client.is_daemon() {
        return Err(CliError::new("there is nothing to watch: no daemon runs on this home")
            .hint("start `reeve daemon`, or run it in this terminal with `reeve deployment execute`"));
    }
    let start = start_time(arguments, screen)?;
    let found = resolve::deployment(client, &arguments.deployment.name).await?;
    let parameters = parameters::read(&arguments.parameters, found.view.parameter_openapi_schema.as_ref())?;
    let variables = parameters::pairs(&arguments.job_variables, "--job-variable")?;
    let unread = job_variables::unread(client, found.view.work_pool_name.as_deref(), &variables).await;
    let text = !arguments.output.is_json();
    if text {
        screen.line(format!("Creating flow run for deployment '{}'...", found.full_name));
    }
    let at = start.unwrap_or(screen.now);
    let mut body = json!({
        "parameters": parameters,
        "tags": arguments.tags,
        "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": at}},
    });
    if let Some(name) = &arguments.run_name {
        body["name"] = json!(name);
    }
    if !variables.is_empty() {
        body["job_variables"] = Value::Object(variables);
    }
    let json = client.post(&format!("/deployments/{}/create_flow_run", found.view.id), body).await?;
    let run: FlowRun = view(&json)?;
    for sentence in unread.iter().filter(|_| !text) {
        let _nobody_reads = writeln!(std::io::stderr(), "{sentence}");
    }
    if text {
        describe(&run, at, client, screen);
        for sentence in &unread {
            screen.line(screen.paint(Style::Warning, sentence));
        }
        if let Some(reason) = held_back(client, &json, &run).await {
            screen.line(screen.paint(Style::Warning, &reason));
        }
    }
    if !arguments.watch {
        if !text {
            screen.json(&json);
        }
        return Ok(Exit::Done);
    }
    let end = match text {
        true => follow::to_the_end(client, &run, Some(screen)).await?,
        false => follow::to_the_end(client, &run, None).await?,
    };
    if !text {
        screen.json(&client.get(&format!("/flow_runs/{}", run.id)).await?);
    }
    Ok(end)
}

fn start_time(arguments: &Arguments, screen: &Screen) -> Result<Option<Timestamp>, CliError> {
    let now = screen.now.to_zoned(screen.zone.clone());
    match (&arguments.start_in, &arguments.start_at) {
        (Some(text), _) => when::start_in(text, &now).map(Some),
        (_, Some(text)) => when::start_at(text, &now).map(Some),
        (None, None) => Ok(None),
    }
}

/// Why the run will wait beyond its time: it would otherwise seem to hang.
async fn held_back(client: &Client, json: &Value, run: &FlowRun) -> Option<String> {
    match by_its_pool(client, json).await {
        Some(reason) => Some(reason),
        None => by_the_queue(client, run).await,
    }
}

/// What the dispatcher of a daemon would say of it at this moment: a paused queue, a limit that is full.
async fn by_the_queue(client: &Client, run: &FlowRun) -> Option<String> {
    client.pages()?;
    let RunWhy { name, summary, .. } = view(&client.get(&format!("/reeve/flow_runs/{}/why", run.id)).await.ok()?).ok()?;
    let reason = summary.strip_prefix("waits: ")?;
    Some(format!("The run waits: {reason} (reeve flow-run why {name})."))
}

/// What stands against it in its work pool, whether or not it is due.
async fn by_its_pool(client: &Client, run: &Value) -> Option<String> {
    let pool = run["work_pool_name"].as_str()?;
    match client.get(&format!("/work_pools/{}", segment(pool))).await {
        Ok(found) if found["is_paused"] == true => {
            Some(format!("The run waits: work pool '{pool}' is paused (reeve work-pool resume {pool})."))
        }
        Ok(found) if found["type"] != "process" => {
            let kind = found["type"].as_str().unwrap_or_default();
            Some(format!("The run waits for a worker: work pool '{pool}' is of type '{kind}', which the daemon does not run itself."))
        }
        Err(error) if error.is_not_found() => Some(format!(
            "The run waits: work pool '{pool}' does not exist. Declare it under work_pools:, or: reeve work-pool create --type process {pool}"
        )),
        // What cannot be found out is not guessed at.
        _ => None,
    }
}

/// The lines of Prefect 3, in its order.
fn describe(run: &FlowRun, at: Timestamp, client: &Client, screen: &mut Screen) {
    screen.line(format!("Created flow run '{}'.", run.name));
    screen.line(format!("└── UUID: {}", run.id));
    screen.line(format!("└── Parameters: {}", one_line(&run.parameters)));
    screen.line(format!("└── Job Variables: {}", run.job_variables.as_ref().map_or("{}".to_owned(), one_line)));
    let at = run.when().unwrap_or(at);
    let zone = screen.zone.clone();
    screen.line(format!("└── Scheduled start time: {} ({})", local(at, &zone), relative(at, screen.now)));
    match client.pages() {
        Some(pages) => screen.line(format!("└── URL: {pages}/api/flow_runs/{}", run.id)),
        None => screen.line("No daemon runs on this home: the run waits until `reeve daemon` runs."),
    }
}
