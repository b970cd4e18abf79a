//! How runs end, what they are given, and what is reported of them.
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use reeve::executor::{End, Executor, Job, Program, RUN_ID_VARIABLE, Report, StartError, directory};
use reeve::executor::log::Stream;
use reeve::executor::outcome::NotStarted;
use super::house::House;

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
    // The room that was kept for the outcome is given back, in blocks of 512 bytes.
    let record = fs::metadata(house.run_directory().join("exit.json")).unwrap();
    assert!(record.blocks() * 512 <= 8192 && record.len() < 8192, "{} blocks, {} bytes", record.blocks(), record.len());
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
async fn pipes_that_are_closed_early_are_fine() {
    let mut house = House::new();
    let outcome = house
        .run(house.shell("echo last; exec >&- 2>&-; sleep 0.1; exit 5"))
        .await;
    assert_eq!(outcome.end, End::Exited { code: 5 });
    assert_eq!(house.output(Stream::Output), ["last"]);
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
