//! reeve, as it was built for this benchmark.
use super::work::{Background, Http, Stamps, open_to_runs, until};
use super::{Peer, SLOTS};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

struct Reeve;

pub fn install() -> Result<Box<dyn Peer>, String> {
    Ok(Box::new(Reeve))
}

/// Starts a daemon over a project of one deployment, `work/work`, and waits for its API.
fn daemon(directory: &Path, deployment: &Value, slots: usize) -> Result<(Background, String), String> {
    // JSON is YAML.
    let project = json!({"name": "peers", "work_pools": [{"name": "slots", "type": "process", "concurrency_limit": slots}], "deployments": [deployment]});
    std::fs::write(directory.join("deployment.yaml"), project.to_string()).map_err(|error| error.to_string())?;
    let home = directory.join("home");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeve"));
    command.current_dir(directory).env("REEVE_HOME", &home).env_remove("REEVE_API_URL").args(["daemon", "--port", "0", "--quiet"]);
    let daemon = Background::start(&mut command, directory)?;
    let log = directory.join("log");
    let api = until("reeve says where its API is", || {
        let text = std::fs::read_to_string(&log).ok()?;
        // The deployments are there once it says what is next, or that nothing is.
        let reconciled = text.contains("| next - ") || text.contains("nothing is scheduled");
        let (_, rest) = text.split_once("API at ")?;
        reconciled.then(|| rest.split(',').next().unwrap_or_default().to_owned())
    })?;
    Ok((daemon, api))
}

impl Peer for Reeve {
    fn burst(&self, directory: &Path, stamps: &Stamps, count: usize) -> Result<Duration, String> {
        let deployment = json!({"name": "work", "command": stamps.command()?, "work_pool": {"name": "slots"}});
        let (_daemon, api) = daemon(directory, &deployment, SLOTS)?;
        let http = Http::new()?;
        http.patch(&format!("{api}/work_pools/slots"), &json!({"is_paused": true}))?;
        let opened = open_to_runs(&http, &api, "work/work", "slots", count)?;
        stamps.wait_for(count)?;
        Ok(opened)
    }

    fn memory(&self, directory: &Path, sleepers: usize) -> Result<f64, String> {
        let deployment = json!({"name": "work", "command": ["sleep", "300"], "work_pool": {"name": "slots"}});
        let (daemon, api) = daemon(directory, &deployment, sleepers)?;
        open_to_runs(&Http::new()?, &api, "work/work", "slots", sleepers)?;
        daemon.memory_beside(sleepers)
    }

    fn lateness(&self, directory: &Path, stamps: &Stamps, seconds: usize) -> Result<Option<Vec<f64>>, String> {
        let deployment = json!({"name": "work", "command": stamps.command()?, "schedule": {"interval": 1}});
        let _daemon = daemon(directory, &deployment, SLOTS)?;
        stamps.late(seconds).map(Some)
    }
}
