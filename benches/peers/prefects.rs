//! Prefect: a server, and a worker of a process pool, which starts a Python interpreter for each run.
use super::prefect::{Server, succeed, virtual_environment};
use super::work::{Background, Http, Stamps, open_to_runs};
use super::{Peer, SLOTS};
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Prefect {
    venv: PathBuf,
}

pub fn install() -> Result<Box<dyn Peer>, String> {
    Ok(Box::new(Prefect { venv: virtual_environment()? }))
}

/// A flow that runs a command, with the second at which it was due as the last word.
const FLOWS: &str = "import subprocess
from prefect import flow, runtime


@flow
def work(words: list[str]):
    due = runtime.flow_run.scheduled_start_time
    subprocess.run(words + ([str(due.timestamp())] if words[0] != 'sleep' else []), check=True)
";

impl Prefect {
    /// A server, a pool, the deployment `work/work` and a worker; the pool is open.
    fn start(&self, directory: &Path, words: &[String], slots: usize, schedules: &str) -> Result<(Background, Server), String> {
        std::fs::write(directory.join("flows.py"), FLOWS).map_err(|error| error.to_string())?;
        let words = serde_json::json!(words);
        let project = format!("name: peers\npull: null\ndeployments:\n  - name: work\n    entrypoint: flows.py:work\n    parameters: {{words: {words}}}\n    schedules: {schedules}\n    work_pool: {{name: slots}}\n");
        std::fs::write(directory.join("prefect.yaml"), project).map_err(|error| error.to_string())?;
        let (mark, value) = Background::mark(directory);
        let server = Server::start(&self.venv, &directory.join("home"), &[(mark, &value)])?;
        succeed(server.prefect().args(["work-pool", "create", "slots", "--type", "process"]))?;
        succeed(server.prefect().current_dir(directory).args(["--no-prompt", "deploy", "--all"]))?;
        let mut worker = server.prefect();
        worker.current_dir(directory).env("PREFECT_WORKER_QUERY_SECONDS", "1");
        worker.args(["worker", "start", "--pool", "slots", "--limit", &slots.to_string()]);
        Ok((Background::start(&mut worker, directory)?, server))
    }
}

impl Peer for Prefect {
    fn burst(&self, directory: &Path, stamps: &Stamps, count: usize) -> Result<Duration, String> {
        let (_worker, server) = self.start(directory, &stamps.command()?, SLOTS, "[]")?;
        let http = Http::new()?;
        http.patch(&format!("{}/work_pools/slots", server.api()), &serde_json::json!({"is_paused": true}))?;
        let opened = open_to_runs(&http, &server.api(), "work/work", "slots", count)?;
        stamps.wait_for(count)?;
        Ok(opened)
    }

    fn memory(&self, directory: &Path, sleepers: usize) -> Result<f64, String> {
        let (worker, server) = self.start(directory, &["sleep".to_owned(), "300".to_owned()], sleepers, "[]")?;
        open_to_runs(&Http::new()?, &server.api(), "work/work", "slots", sleepers)?;
        worker.memory_beside(sleepers)
    }

    fn lateness(&self, directory: &Path, stamps: &Stamps, seconds: usize) -> Result<Option<Vec<f64>>, String> {
        let (_worker, _server) = self.start(directory, &stamps.command()?, SLOTS, "[{interval: 1}]")?;
        stamps.late(seconds).map(Some)
    }

    fn share(&self) -> usize {
        20
    }
}
