//! A directory of its own for each test, with the process executor and the real binary as supervisor.
use std::fs;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use reeve::executor::{Context, Executor, Handle, Job, Outcome, Program, RUN_ID_VARIABLE, Report};
use reeve::executor::follow::Follower;
use reeve::executor::log::{Stream, read_all};
use reeve::executor::process::ProcessExecutor;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A hang is a failure; nothing here takes a tenth of it.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct House {
    pub directory: TempDir,
    pub executor: ProcessExecutor,
    pub sender: mpsc::Sender<Report>,
    pub reports: mpsc::Receiver<Report>,
}

impl House {
    pub fn new() -> House {
        let (sender, reports) = mpsc::channel(8);
        let executor =
            ProcessExecutor::with_supervisor(env!("CARGO_BIN_EXE_reeve").into()).unwrap();
        House {
            directory: tempfile::tempdir().unwrap(),
            executor,
            sender,
            reports,
        }
    }

    pub fn run_directory(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    pub fn context(&self) -> Context {
        Context {
            run_directory: self.run_directory(),
            reports: self.sender.clone(),
        }
    }

    pub fn job(&self, program: Program) -> Job {
        let path = std::env::var("PATH").unwrap();
        Job {
            run_id: Uuid::new_v4(),
            attempt: 1,
            name: "able-badger".to_owned(),
            deployment: None,
            program,
            working_directory: self.directory.path().to_path_buf(),
            preparation: None,
            environment: BTreeMap::from([("PATH".to_owned(), path)]),
            not_before: None,
            timeout: None,
            grace: Duration::from_secs(20),
            secrets: Vec::new(),
            confinement: Default::default(),
            max_log_bytes: 10 << 20,
        }
    }

    pub fn shell(&self, script: &str) -> Job {
        self.job(Program::Shell(script.to_owned()))
    }

    pub async fn start(&self, job: Job) -> Handle {
        self.executor.start(job, self.context()).await.unwrap()
    }

    pub async fn report(&mut self) -> Report {
        tokio::time::timeout(PATIENCE, self.reports.recv())
            .await
            .expect("no report came")
            .unwrap()
    }

    /// The last report, which must be an outcome.
    pub async fn outcome(&mut self) -> Outcome {
        loop {
            match self.report().await {
                Report::Started { .. } => {}
                Report::Finished { outcome, .. } => return outcome,
                Report::Lost { evidence, .. } => panic!("lost: {evidence}"),
            }
        }
    }

    pub async fn run(&mut self, job: Job) -> Outcome {
        self.start(job).await;
        self.outcome().await
    }

    /// Waits until the run has logged a line that begins so, and returns it.
    pub async fn line(&self, beginning: &str) -> String {
        let mut follower =
            Follower::new(self.executor.watcher(), &self.run_directory(), 0).unwrap();
        let found = async {
            while let Some(page) = follower.next().await.unwrap() {
                if let Some(line) = page
                    .lines
                    .into_iter()
                    .find(|line| line.message.starts_with(beginning))
                {
                    return line.message;
                }
            }
            panic!("the log ended without a line {beginning:?}")
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .expect("the line did not come")
    }

    /// Waits until the supervisor has written its last.
    pub async fn left_alone(&self) {
        let mut follower =
            Follower::new(self.executor.watcher(), &self.run_directory(), 0).unwrap();
        let end = async { while follower.next().await.unwrap().is_some() {} };
        tokio::time::timeout(PATIENCE, end)
            .await
            .expect("exit.json did not come");
    }

    pub fn output(&self, stream: Stream) -> Vec<String> {
        let lines = read_all(&self.run_directory()).unwrap();
        lines
            .into_iter()
            .filter(|line| line.stream == stream)
            .map(|line| line.message)
            .collect()
    }
}

/// Pids that carry the run's id and are no zombies.
pub fn processes_of(run_id: Uuid) -> Vec<u32> {
    let marker = format!("{RUN_ID_VARIABLE}={run_id}");
    let pids = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|text| {
            text.split(|byte| *byte == 0)
                .any(|entry| entry == marker.as_bytes())
        })
    })
    .collect()
}

pub fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}
