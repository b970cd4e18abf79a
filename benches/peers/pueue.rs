//! pueue: a queue of shell commands, with slots and without schedules.
use super::prefect::succeed;
use super::work::{Background, Stamps, since_1970, until};
use super::{Peer, SLOTS};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const VERSION: &str = "4.0.4";

struct Pueue {
    programs: PathBuf,
}

pub fn install() -> Result<Box<dyn Peer>, String> {
    let root = std::path::absolute("target/peers/pueue").map_err(|error| error.to_string())?;
    let programs = root.join("bin");
    if !programs.join("pueued").exists() {
        succeed(Command::new("cargo").args(["install", "--quiet", "--locked", "pueue", "--version", VERSION, "--root"]).arg(&root))?;
    }
    Ok(Box::new(Pueue { programs }))
}

impl Pueue {
    /// A daemon with a configuration, a state and a socket of its own, whose queue is paused and has so many slots.
    fn daemon(&self, directory: &Path, slots: usize) -> Result<(Background, TempDir), String> {
        let state = directory.join("state");
        std::fs::create_dir_all(&state).map_err(|error| error.to_string())?;
        // A path of a socket may have no more than 107 bytes.
        let runtime = tempfile::tempdir().map_err(|error| error.to_string())?;
        let configuration = serde_json::json!({"shared": {"pueue_directory": state, "runtime_directory": runtime.path(), "use_unix_socket": true}});
        std::fs::write(directory.join("pueue.yml"), configuration.to_string()).map_err(|error| error.to_string())?;
        let mut command = Command::new(self.programs.join("pueued"));
        let daemon = Background::start(command.arg("--config").arg(directory.join("pueue.yml")), directory)?;
        until("pueue answers", || self.client(directory).arg("status").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?.success().then_some(()))?;
        succeed(self.client(directory).args(["parallel", &slots.to_string()]))?;
        succeed(self.client(directory).arg("pause"))?;
        Ok((daemon, runtime))
    }

    fn client(&self, directory: &Path) -> Command {
        let mut command = Command::new(self.programs.join("pueue"));
        // A task has the environment of the client that adds it.
        let (name, value) = Background::mark(directory);
        command.arg("--config").arg(directory.join("pueue.yml")).env(name, value);
        command
    }

    fn add(&self, directory: &Path, words: &[String], count: usize) -> Result<(), String> {
        for _ in 0..count {
            succeed(self.client(directory).args(["add", "--"]).args(words))?;
        }
        Ok(())
    }
}

impl Peer for Pueue {
    fn burst(&self, directory: &Path, stamps: &Stamps, count: usize) -> Result<Duration, String> {
        let _daemon = self.daemon(directory, SLOTS)?;
        self.add(directory, &stamps.command()?, count)?;
        let opened = since_1970();
        succeed(self.client(directory).arg("start"))?;
        stamps.wait_for(count)?;
        Ok(opened)
    }

    fn memory(&self, directory: &Path, sleepers: usize) -> Result<f64, String> {
        let (daemon, _runtime) = self.daemon(directory, sleepers)?;
        self.add(directory, &["sleep".to_owned(), "300".to_owned()], sleepers)?;
        succeed(self.client(directory).arg("start"))?;
        daemon.memory_beside(sleepers)
    }

    fn lateness(&self, _: &Path, _: &Stamps, _: usize) -> Result<Option<Vec<f64>>, String> {
        Ok(None)
    }
}
