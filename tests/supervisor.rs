//! Drives real runs through the process executor and the real binary as supervisor: how they end, what is left of them,
//! and what a daemon that comes later still learns.
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reeve::executor::confinement::Confinement;
use reeve::executor::directory;
use reeve::executor::follow::Follower;
use reeve::executor::log::{MINIMUM_LOG_BYTES, Stream, read_all};
use reeve::executor::outcome::{NotStarted, StoppedBy};
use reeve::executor::process::ProcessExecutor;
use reeve::executor::{
    Adoption, Context, End, Executor, Handle, Interpreter, Job, Outcome, Program, RUN_ID_VARIABLE, Report,
    StartError,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A hang is a failure; nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(120);

struct House {
    directory: TempDir,
    executor: ProcessExecutor,
    sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
}

impl House {
    fn new() -> House {
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

    fn run_directory(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    fn context(&self) -> Context {
        Context {
            run_directory: self.run_directory(),
            reports: self.sender.clone(),
        }
    }

    fn job(&self, program: Program) -> Job {
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

    fn shell(&self, script: &str) -> Job {
        self.job(Program::Shell(script.to_owned()))
    }

    async fn start(&self, job: Job) -> Handle {
        self.executor.start(job, self.context()).await.unwrap()
    }

    async fn report(&mut self) -> Report {
        tokio::time::timeout(PATIENCE, self.reports.recv())
            .await
            .expect("no report came")
            .unwrap()
    }

    /// The last report, which must be an outcome.
    async fn outcome(&mut self) -> Outcome {
        loop {
            match self.report().await {
                Report::Started { .. } => {}
                Report::Finished { outcome, .. } => return outcome,
                Report::Lost { evidence, .. } => panic!("lost: {evidence}"),
            }
        }
    }

    async fn run(&mut self, job: Job) -> Outcome {
        self.start(job).await;
        self.outcome().await
    }

    /// Waits until the run has logged a line that begins so, and returns it.
    async fn line(&self, beginning: &str) -> String {
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
    async fn left_alone(&self) {
        let mut follower =
            Follower::new(self.executor.watcher(), &self.run_directory(), 0).unwrap();
        let end = async { while follower.next().await.unwrap().is_some() {} };
        tokio::time::timeout(PATIENCE, end)
            .await
            .expect("exit.json did not come");
    }

    fn output(&self, stream: Stream) -> Vec<String> {
        let lines = read_all(&self.run_directory()).unwrap();
        lines
            .into_iter()
            .filter(|line| line.stream == stream)
            .map(|line| line.message)
            .collect()
    }
}

/// Pids that carry the run's id and are no zombies.
fn processes_of(run_id: Uuid) -> Vec<u32> {
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

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn success_is_reported_with_what_it_used() {
    let mut house = House::new();
    let job = house.shell("echo out; echo err >&2");
    let run_id = job.run_id;
    let handle = house.start(job).await;
    let Report::Started {
        run_id: started,
        pid,
        ..
    } = house.report().await
    else {
        panic!("not started first")
    };
    assert_eq!(started, run_id);
    assert_ne!(pid, handle.supervisor_pid);
    let outcome = house.outcome().await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.message, "exited with code 0");
    assert!(outcome.started_at.unwrap() <= outcome.ended_at);
    assert!(outcome.resources.peak_rss_bytes > 100_000 && outcome.notes.is_empty());
    assert_eq!(house.output(Stream::Output), ["out"]);
    assert_eq!(house.output(Stream::Error), ["err"]);
    assert_eq!(
        house.output(Stream::Reeve).last().unwrap(),
        "exited with code 0"
    );
    house.left_alone().await;
    assert_eq!(
        directory::read_record(&house.run_directory()).unwrap().outcome,
        Some(outcome)
    );
}

#[tokio::test]
async fn ends_have_their_reason_in_the_message() {
    let table = [
        (
            Program::Shell("exit 3".into()),
            End::Exited { code: 3 },
            "exited with code 3",
        ),
        (
            Program::Shell("kill -9 $$".into()),
            End::Signaled {
                signal: 9,
                core_dumped: false,
            },
            "killed by SIGKILL (signal 9)",
        ),
        (
            Program::Shell("PATH=/bin; frobnicate".into()),
            End::Exited { code: 127 },
            "exited with code 127: the shell found no such command",
        ),
        (
            Program::Arguments(vec!["frobnicate".into(), "x".into()]),
            End::NotStarted {
                why: NotStarted::NotFound,
            },
            "command not found: frobnicate",
        ),
        (
            Program::Arguments(vec!["./plain".into()]),
            End::NotStarted {
                why: NotStarted::NotExecutable,
            },
            "permission denied: ./plain is not executable",
        ),
        (
            Program::Arguments(vec![]),
            End::NotStarted {
                why: NotStarted::NotFound,
            },
            "the command is empty",
        ),
        (
            Program::Arguments(vec!["./orphan".into()]),
            End::NotStarted {
                why: NotStarted::NotFound,
            },
            "./orphan exists, but the interpreter that it names (in its #! line or program header) does not",
        ),
        (
            Program::Arguments(vec!["./".into()]),
            End::NotStarted {
                why: NotStarted::NotExecutable,
            },
            "./ is a directory, not a program",
        ),
    ];
    for (program, end, message) in table {
        let mut house = House::new();
        fs::write(house.directory.path().join("plain"), "echo hello\n").unwrap();
        let orphan = house.directory.path().join("orphan");
        fs::write(&orphan, "#!/nowhere/python9\n").unwrap();
        fs::set_permissions(&orphan, fs::Permissions::from_mode(0o755)).unwrap();
        let outcome = house.run(house.job(program)).await;
        // A note follows where the tester's own PATH has directories that may not be read.
        let told = outcome
            .message
            .replace(" (not every directory of PATH can be read)", "");
        assert_eq!(told, message);
        assert_eq!(outcome.end, end);
        assert_eq!(
            outcome.started_at.is_none(),
            matches!(end, End::NotStarted { .. })
        );
        assert_eq!(house.output(Stream::Reeve).last(), Some(&outcome.message));
    }
}

#[tokio::test]
async fn a_working_directory_that_is_not_there() {
    let mut house = House::new();
    let job = Job {
        working_directory: "/nowhere/at/all".into(),
        ..house.shell("true")
    };
    let outcome = house.run(job).await;
    assert_eq!(
        outcome.message,
        "working directory /nowhere/at/all does not exist"
    );
    assert_eq!(
        outcome.end,
        End::NotStarted {
            why: NotStarted::WorkingDirectory
        }
    );
}

#[tokio::test]
async fn the_environment_is_what_was_given() {
    let mut house = House::new();
    let mut job = house.job(Program::Arguments(vec!["env".into()]));
    job.environment
        .insert("GREETING".into(), "hello there".into());
    let run_id = job.run_id;
    assert!(house.run(job.clone()).await.is_success());
    let mut lines = house.output(Stream::Output);
    lines.sort();
    assert_eq!(
        lines,
        [
            "GREETING=hello there".to_owned(),
            format!("PATH={}", job.environment["PATH"]),
            format!("{RUN_ID_VARIABLE}={run_id}")
        ]
    );
}

#[tokio::test]
async fn a_timeout_ends_what_heeds_sigterm() {
    let mut house = House::new();
    let job = Job {
        timeout: Some(Duration::from_millis(200)),
        ..house.shell("exec sleep 1000")
    };
    let outcome = house.run(job).await;
    assert_eq!(outcome.message, "timed out after 0.2 s; ended on SIGTERM");
    assert!(
        matches!(&outcome.end, End::TimedOut { how, .. } if how.killed == 0 && how.signal == Some(15))
    );
}

#[tokio::test]
async fn a_timeout_kills_what_ignores_sigterm() {
    // On a busy machine the first timeouts come before the run is ready for them.
    for timeout in (0..10).map(|doubled| Duration::from_millis(100 << doubled)) {
        let mut house = House::new();
        let job = Job {
            timeout: Some(timeout),
            grace: Duration::from_millis(200),
            ..house.shell("trap '' TERM; sleep 1000 & echo ready; while :; do wait; done")
        };
        let run_id = job.run_id;
        let outcome = house.run(job).await;
        assert_eq!(processes_of(run_id), Vec::<u32>::new());
        if house.output(Stream::Output) == ["ready"] {
            let end = "; 2 processes did not end on SIGTERM within 0.2 s and had to be killed";
            assert_eq!(
                outcome.message,
                format!("timed out after {} s{end}", timeout.as_secs_f64())
            );
            return;
        }
    }
    panic!("the run never became ready");
}

#[tokio::test]
async fn a_grandchild_in_a_session_of_its_own_is_stopped_too() {
    let mut house = House::new();
    let job = house.shell("(setsid sh -c 'trap \"\" TERM; echo escaped $$; while :; do sleep 1000; done' &); sleep 1000");
    let run_id = job.run_id;
    let handle = house.start(job).await;
    let escaped: u32 = house
        .line("escaped")
        .await
        .split_once(' ')
        .unwrap()
        .1
        .parse()
        .unwrap();
    assert!(Path::new(&format!("/proc/{escaped}")).exists());
    house
        .executor
        .stop(&handle, Duration::from_millis(100))
        .await
        .unwrap();
    // A second request is harmless.
    house
        .executor
        .stop(&handle, Duration::from_secs(100))
        .await
        .unwrap();
    let outcome = house.outcome().await;
    assert!(
        matches!(&outcome.end, End::Stopped { by: StoppedBy::Request, how } if how.killed >= 1 && how.grace == Duration::from_millis(100)),
        "{outcome:?}"
    );
    assert_eq!(processes_of(run_id), Vec::<u32>::new());
    // And so is one that comes too late.
    house.left_alone().await;
    house.executor.stop(&handle, Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_stopped_child_ends() {
    for (trap, heeds) in [("trap 'exit 7' TERM", true), ("trap '' TERM", false)] {
        let mut house = House::new();
        let handle = house
            .start(house.shell(&format!("{trap}; echo ready; while :; do sleep 0.05; done")))
            .await;
        let Report::Started { pid, .. } = house.report().await else {
            panic!("not started first")
        };
        house.line("ready").await;
        signal(pid, Signal::STOP);
        let grace = Duration::from_millis(if heeds { 60_000 } else { 100 });
        house.executor.stop(&handle, grace).await.unwrap();
        let outcome = house.outcome().await;
        let End::Stopped { how, .. } = &outcome.end else {
            panic!("{outcome:?}")
        };
        assert_eq!(
            (how.code, how.killed == 0),
            if heeds {
                (Some(7), true)
            } else {
                (None, false)
            },
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn sigterm_from_elsewhere_is_a_stop_and_other_signals_are_nothing() {
    let mut house = House::new();
    let handle = house
        .start(house.shell("echo ready; exec sleep 1000"))
        .await;
    house.line("ready").await;
    for nothing in [
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::USR1,
        Signal::PIPE,
    ] {
        signal(handle.supervisor_pid, nothing);
    }
    signal(handle.supervisor_pid, Signal::TERM);
    let outcome = house.outcome().await;
    let by = StoppedBy::Signal {
        pid: std::process::id(),
    };
    assert!(
        matches!(&outcome.end, End::Stopped { by: found, how } if *found == by && how.grace == Duration::from_secs(20)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_the_main_process_leaves_behind_is_ended_and_counted() {
    let mut house = House::new();
    let job = Job { grace: Duration::from_millis(100), ..house.shell("sleep 1000 & (trap '' TERM; echo ready; exec sleep 1000) & while ! [ -e go ]; do sleep 0.01; done; exit 4") };
    let run_id = job.run_id;
    house.start(job).await;
    house.line("ready").await;
    fs::write(house.directory.path().join("go"), "").unwrap();
    let outcome = house.outcome().await;
    assert_eq!(outcome.end, End::Exited { code: 4 });
    assert_eq!(
        outcome.message,
        "exited with code 4; 2 processes that it left behind were ended (1 with SIGKILL)"
    );
    assert_eq!(processes_of(run_id), Vec::<u32>::new());
}

#[tokio::test]
async fn pipes_that_are_closed_early_are_fine() {
    let mut house = House::new();
    let outcome = house
        .run(house.shell("echo last; exec >&- 2>&-; sleep 0.1; exit 5"))
        .await;
    assert_eq!(outcome.end, End::Exited { code: 5 });
    assert_eq!(house.output(Stream::Output), ["last"]);
}

#[tokio::test]
async fn a_flood_without_a_line_end_grows_neither_file_nor_memory() {
    let mut house = House::new();
    let job = Job {
        confinement: Default::default(),
        max_log_bytes: 1 << 20,
        ..house.shell(
            "head -c 200000000 /dev/zero | tr '\\0' x; echo; echo flooded >&2; exec sleep 1000",
        )
    };
    let handle = house.start(job).await;
    house.line("flooded").await;
    let status = fs::read_to_string(format!("/proc/{}/status", handle.supervisor_pid)).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB");
    assert!(
        peak.parse::<u64>().unwrap() < 48 * 1024,
        "supervisor used {peak} kB"
    );
    house
        .executor
        .stop(&handle, Duration::from_secs(20))
        .await
        .unwrap();
    house.outcome().await;
    let files = fs::read_dir(house.run_directory())
        .unwrap()
        .map(|entry| entry.unwrap());
    let size: u64 = files
        .filter(|file| file.file_name().to_str().unwrap().starts_with("log"))
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(size <= 1 << 20, "{size} bytes of log");
    let remarks = house.output(Stream::Reeve);
    assert!(
        remarks.iter().any(|line| line.ends_with("bytes dropped]")),
        "{remarks:?}"
    );
}

#[tokio::test]
async fn a_flood_keeps_head_and_tail_hides_its_secrets_and_costs_no_other_run_a_line() {
    const SECRET: &str = "sk-1234567890";
    let mut flooded = House::new();
    let flood = format!(
        "echo first; echo {SECRET}; head -c 4000000 /dev/urandom; echo; yes 'the key is {SECRET}.' | head -n 1500000; \
         printf 'cut\\n\\377\\n'; printf sk-12345; sleep 0.01; echo 67890; echo last"
    );
    let max_log_bytes = 1 << 20;
    flooded.start(Job { secrets: vec![SECRET.to_owned()], max_log_bytes, ..flooded.shell(&flood) }).await;
    let mut other = House::new();
    let job = other.shell("seq 1 20000");
    assert!(other.run(job).await.is_success());
    assert_eq!(other.output(Stream::Output), (1..=20_000).map(|number| number.to_string()).collect::<Vec<_>>());

    let outcome = flooded.outcome().await;
    assert!(outcome.is_success() && outcome.notes.is_empty(), "{outcome:?}");
    flooded.left_alone().await;
    let mut size = 0;
    for file in fs::read_dir(flooded.run_directory()).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(file.path()).expect("logs are UTF-8, whatever the run writes");
        assert!(!text.contains(SECRET), "{file:?} holds the secret");
        size += text.len() as u64;
    }
    // The record of the end is not the log's.
    let room = max_log_bytes + 32 * 1024;
    assert!((max_log_bytes / 2..room).contains(&size), "{size} bytes");
    let lines = flooded.output(Stream::Output);
    assert_eq!(lines[..2], ["first", "***"]);
    let after_gap = read_all(&flooded.run_directory()).unwrap().into_iter().rev().take_while(|line| !line.message.ends_with("bytes dropped]"));
    let tail: Vec<String> = after_gap.filter(|line| line.stream == Stream::Output).map(|line| line.message).collect();
    assert_eq!(tail[..2], ["last", "***"]);
    assert_eq!(tail[2..4], ["\\xff", "cut"]);
    assert!(tail.len() > 3000 && tail[4..].iter().all(|line| line == "the key is ***."), "{} lines", tail.len());
}

#[tokio::test]
async fn secrets_are_masked_and_the_job_is_overwritten() {
    let mut house = House::new();
    let mut job = house.shell("printf hunter2; printf 'hunter2 seen\\n'; hunter2hunter2; exit 9");
    job.secrets = vec!["hunter2hunter2".into()];
    assert_eq!(house.run(job).await.end, End::Exited { code: 9 });
    assert_eq!(house.output(Stream::Output), ["*** seen"]);
    house.left_alone().await;
    for file in fs::read_dir(house.run_directory()).unwrap() {
        let file = file.unwrap();
        assert!(
            !fs::read_to_string(file.path())
                .unwrap()
                .contains("hunter2hunter2"),
            "{file:?} holds the secret"
        );
        assert_eq!(
            file.metadata().unwrap().mode() & 0o077,
            0,
            "{file:?} can be read by others"
        );
    }
}

#[tokio::test]
async fn a_follower_sees_every_line_once_and_then_the_end() {
    let mut house = House::new();
    house
        .start(house.shell("i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done"))
        .await;
    let mut follower = Follower::new(house.executor.watcher(), &house.run_directory(), 0).unwrap();
    let mut seen = Vec::new();
    let following = async {
        while let Some(page) = follower.next().await.unwrap() {
            seen.extend(
                page.lines
                    .into_iter()
                    .filter(|line| line.stream == Stream::Output)
                    .map(|line| line.message),
            );
            // Another reader that goes on from where this one stands misses nothing and repeats nothing.
            follower = Follower::new(
                house.executor.watcher(),
                &house.directory.path().join("run"),
                follower.position(),
            )
            .unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, following).await.unwrap();
    assert_eq!(
        seen,
        (0..3000)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
    assert!(house.outcome().await.is_success());
}

#[tokio::test]
async fn an_attempt_has_its_directory_for_itself() {
    let mut house = House::new();
    assert!(house.run(house.shell("true")).await.is_success());
    house.left_alone().await;
    let again = house
        .executor
        .start(house.shell("true"), house.context())
        .await;
    assert!(matches!(again, Err(StartError::Occupied { .. })));
}

/// Starts a run in a runtime of its own that then vanishes, as a killed daemon does: nothing of it watches any more.
fn started_by_a_former_daemon(
    house_of: impl FnOnce(&House) -> Job,
    ready: &str,
) -> (TempDir, Handle) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let started = runtime.block_on(async {
        let house = House::new();
        let handle = house.start(house_of(&house)).await;
        house.line(ready).await;
        (house.directory, handle)
    });
    runtime.shutdown_background();
    started
}

fn successor(directory: TempDir) -> House {
    House {
        directory,
        ..House::new()
    }
}

#[test]
fn a_run_is_adopted_and_its_end_learned() {
    let (directory, handle) = started_by_a_former_daemon(
        |house| {
            house.shell("echo ready; while ! [ -e go ]; do sleep 0.01; done; echo after; exit 9")
        },
        "ready",
    );
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut house = successor(directory);
        assert_eq!(
            house
                .executor
                .recover(handle.run_id, 1, &house.run_directory())
                .await
                .unwrap(),
            Some(handle.clone())
        );
        assert_eq!(
            house.executor.adopt(handle.clone(), house.context()).await,
            Adoption::Running
        );
        assert!(matches!(house.report().await, Report::Started { .. }));
        fs::write(house.directory.path().join("go"), "").unwrap();
        let outcome = house.outcome().await;
        assert_eq!(outcome.end, End::Exited { code: 9 });
        assert_eq!(house.output(Stream::Output), ["ready", "after"]);
        // A third daemon finds what is left.
        house.executor.adopt(handle, house.context()).await;
        assert_eq!(house.outcome().await, outcome);
    });
}

#[test]
fn an_adopted_run_is_stopped() {
    let (directory, handle) =
        started_by_a_former_daemon(|house| house.shell("echo ready; exec sleep 1000"), "ready");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut house = successor(directory);
        assert_eq!(
            house.executor.adopt(handle.clone(), house.context()).await,
            Adoption::Running
        );
        house
            .executor
            .stop(&handle, Duration::from_secs(30))
            .await
            .unwrap();
        assert_eq!(
            house.outcome().await.message,
            "stopped on request; ended on SIGTERM"
        );
    });
}

#[tokio::test]
async fn a_killed_supervisor_loses_the_run_and_leaves_no_process() {
    let mut house = House::new();
    let job =
        house.shell("(setsid sh -c 'echo escaped; while :; do sleep 1000; done' &); sleep 1000");
    let run_id = job.run_id;
    let handle = house.start(job).await;
    assert!(matches!(house.report().await, Report::Started { .. }));
    house.line("escaped").await;
    signal(handle.supervisor_pid, Signal::KILL);
    let Report::Lost { evidence, .. } = house.report().await else {
        panic!("not lost")
    };
    assert!(
        evidence.starts_with(&format!(
            "the run's supervisor (process {}) was killed by SIGKILL (signal 9)",
            handle.supervisor_pid
        )),
        "{evidence}"
    );
    assert_eq!(processes_of(run_id), Vec::<u32>::new());
    // Later daemons say the same.
    assert_eq!(
        house.executor.adopt(handle, house.context()).await,
        Adoption::Ended
    );
    assert!(matches!(house.report().await, Report::Started { .. }));
    assert_eq!(house.report().await, Report::Lost { run_id, evidence });
}

#[tokio::test]
async fn a_run_hides_neither_by_session_nor_by_environment() {
    let mut house = House::new();
    let handle = house.start(house.shell("(setsid env -i sh -c 'echo escaped $$; while :; do /bin/sleep 1000; done' &); sleep 1000")).await;
    assert!(matches!(house.report().await, Report::Started { .. }));
    let escaped: u32 = house
        .line("escaped")
        .await
        .split_once(' ')
        .unwrap()
        .1
        .parse()
        .unwrap();
    let Some(cgroup) = &handle.cgroup else {
        eprintln!("skipped: no cgroup can be made on this host");
        house.executor.stop(&handle, Duration::ZERO).await.unwrap();
        house.outcome().await;
        return;
    };
    assert!(cgroup.exists());
    signal(handle.supervisor_pid, Signal::KILL);
    assert!(matches!(house.report().await, Report::Lost { .. }));
    assert!(!cgroup.exists());
    assert!(
        reeve::executor::identity::process_stat(escaped)
            .unwrap()
            .is_none_or(|stat| stat.state == 'Z')
    );
}

#[tokio::test]
async fn a_stop_that_comes_at_once_is_not_lost() {
    for _ in 0..20 {
        let mut house = House::new();
        let handle = house.start(house.shell("exec sleep 1000")).await;
        house
            .executor
            .stop(&handle, Duration::from_secs(30))
            .await
            .unwrap();
        assert_eq!(
            house.outcome().await.message,
            "stopped on request; ended on SIGTERM"
        );
    }
}

#[tokio::test]
async fn a_full_disk_costs_log_lines_and_nothing_else() {
    let mut house = House::new();
    directory::create(&house.run_directory()).unwrap();
    std::os::unix::fs::symlink("/dev/full", house.run_directory().join("log")).unwrap();
    let outcome = house.run(house.shell("seq 100000; exit 8")).await;
    assert_eq!(outcome.end, End::Exited { code: 8 });
    assert!(
        outcome.notes[0].starts_with("the log is incomplete:")
            && outcome.notes[0].contains("No space left on device"),
        "{:?}",
        outcome.notes
    );
}

#[tokio::test]
async fn a_reused_pid_or_another_boot_is_never_mistaken_for_the_run() {
    let mut house = House::new();
    directory::create(&house.run_directory()).unwrap();
    let own = reeve::executor::identity::process_stat(std::process::id())
        .unwrap()
        .unwrap();
    let handle = Handle {
        version: 1,
        run_id: Uuid::new_v4(),
        attempt: 1,
        boot_id: reeve::executor::identity::boot_id().unwrap(),
        supervisor_pid: own.pid,
        supervisor_start: own.start + 1,
        run_directory: house.run_directory(),
        cgroup: None,
    };
    assert_eq!(
        house.executor.adopt(handle.clone(), house.context()).await,
        Adoption::Ended
    );
    assert!(
        matches!(house.report().await, Report::Lost { evidence, .. } if evidence.contains("while no daemon was watching"))
    );
    fs::remove_file(house.run_directory().join(directory::EXIT)).unwrap();
    let handle = Handle {
        supervisor_start: own.start,
        boot_id: "0".repeat(36),
        ..handle
    };
    // Would end this very process if it were mistaken.
    house.executor.stop(&handle, Duration::ZERO).await.unwrap();
    assert_eq!(
        house.executor.adopt(handle, house.context()).await,
        Adoption::Ended
    );
    assert!(
        matches!(house.report().await, Report::Lost { evidence, .. } if evidence.starts_with("the machine was restarted while the run was going on"))
    );
}

#[tokio::test]
async fn a_job_that_nobody_took_is_void_after_recovery() {
    let house = House::new();
    let job = house.shell("touch ran");
    assert_eq!(
        house
            .executor
            .recover(job.run_id, 1, &house.run_directory())
            .await
            .unwrap(),
        None
    );
    directory::create(&house.run_directory()).unwrap();
    directory::write_job(&house.run_directory(), "belated", &job).unwrap();
    assert_eq!(
        house
            .executor
            .recover(job.run_id, 1, &house.run_directory())
            .await
            .unwrap(),
        None
    );
    // The attempt is made again, and the belated supervisor of the first takes nothing from it.
    directory::write_job(&house.run_directory(), "second", &job).unwrap();
    let late = std::process::Command::new(env!("CARGO_BIN_EXE_reeve"))
        .arg("__supervise")
        .arg(house.run_directory())
        .arg("belated")
        .status();
    assert!(late.unwrap().success());
    assert!(!house.directory.path().join("ran").exists());
    assert!(directory::void_jobs(&house.run_directory()).unwrap());
}

#[tokio::test]
async fn a_run_that_ended_before_it_was_recovered_tells_its_end() {
    let mut house = House::new();
    let job = house.shell("exit 2");
    let run_id = job.run_id;
    house.run(job).await;
    house.left_alone().await;
    let handle = house
        .executor
        .recover(run_id, 1, &house.run_directory())
        .await
        .unwrap()
        .expect("a run was made");
    house.executor.adopt(handle, house.context()).await;
    assert_eq!(house.outcome().await.end, End::Exited { code: 2 });
}

#[tokio::test]
async fn a_removed_run_directory_does_not_lose_the_outcome() {
    let mut house = House::new();
    house
        .start(house.shell("echo ready; while ! [ -e go ]; do sleep 0.01; done; echo more; exit 6"))
        .await;
    house.line("ready").await;
    fs::remove_dir_all(house.run_directory()).unwrap();
    fs::write(house.directory.path().join("go"), "").unwrap();
    assert_eq!(house.outcome().await.end, End::Exited { code: 6 });
}

fn python(house: &House, source: &str, function: &str, parameters: serde_json::Value) -> Job {
    fs::write(house.directory.path().join("flow.py"), source).unwrap();
    let serde_json::Value::Object(parameters) = parameters else {
        panic!("parameters are an object")
    };
    house.job(Program::Python {
        interpreter: None,
        file: "flow.py".into(),
        function: function.into(),
        parameters,
    })
}

#[tokio::test]
async fn python_functions_of_every_kind_return_their_value() {
    let source = "
import asyncio, sys
def plain(a, /, b=2, *, c): print('called', a, b, c); return {'sum': a + b + c}
async def later(): await asyncio.sleep(0); return [1]
def steps():
    yield print('one')
    yield print('two')
    return 'done'
async def stream():
    yield print('first')
class Group:
    @staticmethod
    def inside(): return sys.argv[0].endswith('flow.py')
def large(): return 'x' * 100000
def thing(): return object()
";
    let table = [
        (
            "plain",
            serde_json::json!({"a": 1, "c": 3}),
            serde_json::json!({"sum": 6}),
            vec!["called 1 2 3"],
        ),
        (
            "later",
            serde_json::json!({}),
            serde_json::json!([1]),
            vec![],
        ),
        (
            "steps",
            serde_json::json!({}),
            serde_json::json!("done"),
            vec!["one", "two"],
        ),
        (
            "stream",
            serde_json::json!({}),
            serde_json::Value::Null,
            vec!["first"],
        ),
        (
            "Group.inside",
            serde_json::json!({}),
            serde_json::json!(true),
            vec![],
        ),
        (
            "large",
            serde_json::json!({}),
            serde_json::Value::Null,
            vec![],
        ),
        (
            "thing",
            serde_json::json!({}),
            serde_json::Value::Null,
            vec![],
        ),
    ];
    for (function, parameters, value, printed) in table {
        let mut house = House::new();
        let outcome = house
            .run(python(&house, source, function, parameters))
            .await;
        assert!(
            outcome.is_success(),
            "{function}: {outcome:?} {:?}",
            house.output(Stream::Error)
        );
        assert_eq!(outcome.value.unwrap_or_default(), value, "{function}");
        assert_eq!(house.output(Stream::Output), printed, "{function}");
        assert_eq!(
            house.output(Stream::Reeve)[0],
            "python interpreter: python3 from PATH (the working directory has no .venv)"
        );
    }
}

#[tokio::test]
async fn python_failures_say_what_is_wrong() {
    let source = "
import sys
def raises(): raise ValueError('the disk is on fire')
def leaves(): sys.exit(3)
def takes(a, b, c=1): pass
number = 5
";
    let table = [
        (
            "raises",
            serde_json::json!({}),
            "exited with code 1: ValueError: the disk is on fire",
        ),
        ("leaves", serde_json::json!({}), "exited with code 3"),
        (
            "takes",
            serde_json::json!({"a": 1, "z": 2, "y": 3}),
            "exited with code 1: parameters of takes do not fit (missing: b; unexpected: z, y); it takes: a, b, c",
        ),
        (
            "absent",
            serde_json::json!({}),
            "exited with code 1: FILE has no function absent; it has leaves, raises, takes",
        ),
        (
            "number",
            serde_json::json!({}),
            "exited with code 1: number in FILE is not a function but int",
        ),
    ];
    for (function, parameters, message) in table {
        let mut house = House::new();
        let outcome = house
            .run(python(&house, source, function, parameters))
            .await;
        let file = house.directory.path().join("flow.py").display().to_string();
        assert_eq!(outcome.message, message.replace("FILE", &file));
        if function == "raises" {
            let error = house.output(Stream::Error);
            assert_eq!(error[0], "Traceback (most recent call last):");
            assert_eq!(error[1], format!("  File \"{file}\", line 3, in raises"));
            assert_eq!(
                outcome.exception.as_deref(),
                Some("ValueError: the disk is on fire")
            );
        }
    }
}

#[tokio::test]
async fn a_returned_secret_is_masked() {
    let mut house = House::new();
    let job = python(
        &house,
        "def main(key): return {'keys': [key], 'count': 1}",
        "main",
        serde_json::json!({"key": "correct horse"}),
    );
    let outcome = house
        .run(Job {
            secrets: vec!["correct horse".into()],
            ..job
        })
        .await;
    assert_eq!(
        outcome.value,
        Some(serde_json::json!({"keys": ["***"], "count": 1}))
    );
    house.left_alone().await;
    for file in fs::read_dir(house.run_directory()).unwrap() {
        let path = file.unwrap().path();
        assert!(
            !fs::read_to_string(&path).unwrap().contains("correct horse"),
            "{path:?} holds the secret"
        );
    }
}

#[tokio::test]
async fn a_prefect_flow_is_refused() {
    let mut house = House::new();
    let prefect = house.directory.path().join("prefect");
    fs::create_dir(&prefect).unwrap();
    fs::write(prefect.join("__init__.py"), "from .flows import flow\n").unwrap();
    fs::write(prefect.join("flows.py"), "class Flow:\n    def __init__(self, fn): self.fn = fn\n    def __call__(self): raise SystemExit('a server was started')\ndef flow(fn): return Flow(fn)\n").unwrap();
    let outcome = house
        .run(python(
            &house,
            "from prefect import flow\n@flow\ndef main(): pass\n",
            "main",
            serde_json::json!({}),
        ))
        .await;
    assert_eq!(outcome.end, End::Exited { code: 1 });
    assert!(
        outcome
            .message
            .contains("flow.py is a Prefect flow; this version of reeve runs plain functions"),
        "{}",
        outcome.message
    );
}

/// Only root can start runs as others; everybody as themselves.
#[tokio::test]
async fn a_result_arrives_whoever_runs_the_function() {
    let user = rustix::process::geteuid().is_root().then(|| "65534".to_owned());
    let source = "
import os
def value(): return os.getuid()
def raises(): raise ValueError('the disk is on fire')
";
    for function in ["value", "raises"] {
        let mut house = House::new();
        fs::set_permissions(house.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let job = python(&house, source, function, serde_json::json!({}));
        let confinement = Confinement { user: user.clone(), ..Confinement::default() };
        let outcome = house.run(Job { confinement, ..job }).await;
        let expected = user.as_ref().map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.parse().unwrap());
        match function {
            "value" => assert_eq!(outcome.value, Some(expected.into()), "{outcome:?} {:?}", house.output(Stream::Error)),
            _ => assert_eq!(outcome.message, "exited with code 1: ValueError: the disk is on fire"),
        }
    }
}

#[tokio::test]
async fn the_file_of_the_result_is_the_runners_alone() {
    let source = "
import os, stat, subprocess
def memory(number):
    return os.path.exists('/proc/self/fd/%d' % number) and 'memfd:' in os.readlink('/proc/self/fd/%d' % number)
def inherits():
    names = subprocess.run(['sh', '-c', 'ls -l /proc/self/fd; env'], stdout=subprocess.PIPE, close_fds=False).stdout.decode()
    return 'memfd' in names or 'REEVE_RESULT' in names
def closes():
    for number in range(3, 64):
        if memory(number):
            os.dup2(os.open('mine', os.O_CREAT | os.O_RDWR), number)
    return 'lost'
def fills():
    number = next(number for number in range(3, 64) if memory(number))
    try:
        while os.write(number, b'x' * 4096): pass
    except OSError as error:
        print(error.strerror)
";
    let run = async |function: &str| {
        let mut house = House::new();
        let outcome = house.run(python(&house, source, function, serde_json::json!({}))).await;
        assert!(outcome.is_success(), "{function}: {outcome:?} {:?}", house.output(Stream::Error));
        (house, outcome)
    };
    assert_eq!(run("inherits").await.1.value, Some(false.into()));
    let (house, outcome) = run("closes").await;
    assert_eq!((outcome.value, fs::read_to_string(house.directory.path().join("mine")).unwrap().as_str()), (None, ""));
    assert_eq!(house.output(Stream::Error), ["reeve: the result was not kept: its file was closed"]);
    let (house, outcome) = run("fills").await;
    assert_eq!((outcome.value, house.output(Stream::Output)), (None, vec!["Operation not permitted".to_owned()]));
}

#[tokio::test]
async fn the_interpreter_of_the_project_is_preferred() {
    let mut house = House::new();
    let bin = house.directory.path().join(".venv/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("python"), "#!/bin/sh\necho the project\n").unwrap();
    fs::set_permissions(bin.join("python"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        house
            .run(python(&house, "", "f", serde_json::json!({})))
            .await
            .is_success()
    );
    assert_eq!(house.output(Stream::Output), ["the project"]);
    assert!(
        house.output(Stream::Reeve)[0]
            .ends_with(".venv/bin/python (the working directory's .venv)")
    );
    for (interpreter, why) in [
        (Interpreter::OfProject(bin.join("python")), "the project's .venv"),
        (Interpreter::Configured(bin.join("python")), "as configured"),
    ] {
        let mut elsewhere = House::new();
        let Program::Python { file, function, parameters, .. } = python(&elsewhere, "", "f", serde_json::json!({})).program else { panic!() };
        let program = Program::Python { interpreter: Some(interpreter), file, function, parameters };
        let job = elsewhere.job(program);
        assert!(elsewhere.run(job).await.is_success());
        assert!(elsewhere.output(Stream::Reeve)[0].ends_with(&format!(".venv/bin/python ({why})")), "{why}");
    }
}

#[tokio::test]
async fn a_small_bound_is_raised_to_the_minimum() {
    let mut house = House::new();
    let job = Job {
        confinement: Default::default(),
        max_log_bytes: 1,
        ..house.shell("echo kept")
    };
    assert!(house.run(job).await.is_success());
    assert_eq!(house.output(Stream::Output), ["kept"]);
    const { assert!(MINIMUM_LOG_BYTES <= 1 << 20) };
}
