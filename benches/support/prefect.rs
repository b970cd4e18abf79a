//! Prefect 3.8.8 in a virtual environment under target/, and its server for as long as it is held.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What Prefect 3.8.8 runs with; newer ones of these break its server.
const PINS: [&str; 4] = ["prefect==3.8.8", "fastapi==0.139.*", "starlette<1.1", "sqlalchemy<2.1"];

/// Where it is installed, from the package index where it is not yet; why not, where that cannot be done.
pub fn virtual_environment() -> Result<PathBuf, String> {
    let venv = std::path::absolute("target/prefect-bench").map_err(|error| error.to_string())?;
    if !venv.join("ready").exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        succeed(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check"]).args(PINS))?;
        std::fs::write(venv.join("ready"), "").map_err(|error| error.to_string())?;
    }
    Ok(venv)
}

/// Runs a command to its end; what it said on standard error where it failed.
pub fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim_end())),
    }
}

/// Prefect's server, until it is dropped.
pub struct Server {
    venv: PathBuf,
    home: PathBuf,
    port: u16,
    child: Child,
}

impl Server {
    /// `environment` is given to the server, and to its clients.
    pub fn start(venv: &Path, home: &Path, environment: &[(&str, &str)]) -> Result<Server, String> {
        let port = free_port()?;
        let mut command = Command::new(venv.join("bin/prefect"));
        command.args(["server", "start", "--no-ui", "--host", "127.0.0.1", "--port", &port.to_string()]).envs(environment.iter().copied());
        command.env("PREFECT_HOME", home).env("PREFECT_SERVER_ANALYTICS_ENABLED", "false").env_remove("PREFECT_API_URL");
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = spawned.map_err(|error| format!("{command:?}: {error}"))?;
        let server = Server { venv: venv.to_owned(), home: home.to_owned(), port, child };
        let deadline = Instant::now() + Duration::from_secs(180);
        while !server.is_healthy() {
            if Instant::now() > deadline {
                return Err("Prefect's server does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(server)
    }

    fn is_healthy(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = String::new();
        stream.write_all(b"GET /api/health HTTP/1.0\r\nHost: localhost\r\n\r\n").is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains(" 200 ")
    }

    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}/api", self.port)
    }

    pub fn prefect(&self) -> Command {
        let mut command = Command::new(self.venv.join("bin/prefect"));
        command.env("PREFECT_HOME", &self.home).env("PREFECT_API_URL", self.api());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| error.to_string())
}
