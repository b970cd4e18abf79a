//! `reeve flow-run ls`.
use super::super::client::{Client, view};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::resolve::{self, deployment_names_by_id, flow_names};
use super::super::screen::{Cell, Column, OutputOption, Screen};
use super::super::wire::FlowRun;
use super::super::words::{alternatives, nearest, relative, took};
use crate::model::state::{StateType, names};
use serde_json::{Value, json};

/// List flow runs: the next that are due (at most a third of the list while there are others), then the latest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve flow-run ls
  reeve flow-run ls --deployment etl/daily --limit 50
  reeve flow-run ls --state Failed --state Crashed
  reeve flow-run ls -o json | jq -r '.[] | select(.state_name == \"Failed\").id'")]
pub struct Arguments {
    /// Only runs of this deployment: `flow/name`, id, or bare name where it is unique.
    #[arg(long, value_name = "DEPLOYMENT")]
    pub deployment: Option<String>,
    /// Only runs in this state, by its name in any case or by its type in capitals: `Running`, `late`, `FAILED`; may be given several times.
    #[arg(long = "state", value_name = "STATE")]
    pub states: Vec<String>,
    /// How many runs to list at most.
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    pub limit: u16,
    #[command(flatten)]
    pub output: OutputOption,
}

/// Of a list, at most this share are runs that are still to come, unless nothing else is there: one in three.
const UPCOMING_SHARE: usize = 3;

pub async fn run(arguments: &Arguments, client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let mut filter = json!({});
    if let Some(deployment) = &arguments.deployment {
        let found = resolve::deployment(client, deployment).await?;
        filter["deployment_id"] = json!({"any_": [found.view.id]});
    }
    let limit = usize::from(arguments.limit);
    let runs = match arguments.states.is_empty() {
        true => upcoming_and_latest(client, &filter, limit).await?,
        false => in_states(client, &filter, &arguments.states, limit).await?,
    };
    if arguments.output.is_json() {
        screen.json(&Value::Array(runs));
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        let all = arguments.deployment.is_none() && arguments.states.is_empty();
        screen.line(if all { "There are no flow runs." } else { "There are no such flow runs." });
        return Ok(Exit::Done);
    }
    let runs: Vec<FlowRun> = runs.iter().map(view).collect::<Result<_, _>>()?;
    table(&runs, client, screen).await
}

/// All that is to come would push what happened out of sight, so the two are asked for apart.
async fn upcoming_and_latest(client: &Client, filter: &Value, limit: usize) -> Result<Vec<Value>, CliError> {
    let mut upcoming = filter.clone();
    upcoming["state"] = json!({"type": {"any_": ["SCHEDULED"]}});
    let mut latest = filter.clone();
    latest["state"] = json!({"type": {"not_any_": ["SCHEDULED"]}});
    let upcoming = json!({"flow_runs": upcoming, "sort": "EXPECTED_START_TIME_ASC"});
    let latest = json!({"flow_runs": latest, "sort": "EXPECTED_START_TIME_DESC"});
    let mut latest = client.up_to("/flow_runs/filter", &latest, limit).await?;
    let room = limit.saturating_sub(latest.len()).max(limit.div_ceil(UPCOMING_SHARE));
    let mut runs = client.up_to("/flow_runs/filter", &upcoming, room).await?;
    runs.reverse();
    latest.truncate(limit - runs.len());
    runs.append(&mut latest);
    Ok(runs)
}

async fn in_states(client: &Client, filter: &Value, states: &[String], limit: usize) -> Result<Vec<Value>, CliError> {
    let (types, names): (Vec<_>, Vec<_>) = states.iter().cloned().partition(|state| StateType::ALL.iter().any(|kind| kind.to_string() == *state));
    let names: Vec<String> = names.into_iter().map(|name| known_name(&name).map_or(name, str::to_owned)).collect();
    for name in names.iter().filter(|name| known_name(name).is_none()) {
        refuse_unknown(client, name).await?;
    }
    let mut filter = filter.clone();
    filter["state"] = json!({"operator": "or_"});
    if !types.is_empty() {
        filter["state"]["type"] = json!({"any_": types});
    }
    if !names.is_empty() {
        filter["state"]["name"] = json!({"any_": names});
    }
    let body = json!({"flow_runs": filter, "sort": "EXPECTED_START_TIME_DESC"});
    client.up_to("/flow_runs/filter", &body, limit).await
}

/// The names of states that mean something to reeve.
fn known_names() -> impl Iterator<Item = &'static str> {
    StateType::ALL.into_iter().map(StateType::title).chain(names::ALL)
}

fn known_name(wanted: &str) -> Option<&'static str> {
    known_names().find(|name| name.eq_ignore_ascii_case(wanted))
}

/// Clients may name states as they like: one that no run is in was mistyped.
async fn refuse_unknown(client: &Client, name: &str) -> Result<(), CliError> {
    let filter = json!({"flow_runs": {"state": {"name": {"any_": [name]}}}});
    if !client.up_to("/flow_runs/filter", &filter, 1).await?.is_empty() {
        return Ok(());
    }
    let error = CliError::new(format!("there is no state '{name}', and no flow run is in one of that name"));
    let nearest = nearest(name, known_names());
    let meant = if nearest.is_empty() { String::new() } else { format!("did you mean {}? ", alternatives(&nearest)) };
    let all: Vec<&str> = known_names().collect();
    Err(error.hint(format!("{meant}The states are {}", all.join(", "))))
}

async fn table(runs: &[FlowRun], client: &Client, screen: &mut Screen) -> Result<Exit, CliError> {
    let flows = flow_names(client, runs.iter().map(|run| run.flow_id)).await?;
    let deployments = deployment_names_by_id(client, runs.iter().filter_map(|run| run.deployment_id)).await?;
    let rows = runs
        .iter()
        .map(|run| {
            let deployment = run.deployment_id.and_then(|id| deployments.get(&id)).or(flows.get(&run.flow_id));
            let ran = run.start_time.is_some() && run.is_over();
            vec![
                run.id.to_string().into(),
                deployment.cloned().unwrap_or_else(|| "-".to_owned()).into(),
                run.name.clone().into(),
                match super::style(run) {
                    Some(style) => Cell::styled(run.state_name(), style),
                    None => run.state_name().to_owned().into(),
                },
                run.when().map_or("-".to_owned(), |at| relative(at, screen.now)).into(),
                if ran { took(run.total_run_time) } else { "-".to_owned() }.into(),
            ]
        })
        .collect();
    screen.table("Flow Runs", &[Column::always("ID"), Column::may_go("Deployment"), Column::always("Name"), Column::always("State"), Column::always("When"), Column::may_go("Took")], rows, None);
    Ok(Exit::Done)
}
