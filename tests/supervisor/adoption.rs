//! What a daemon that comes later still learns of a run.
use std::fs;
use std::time::Duration;
use reeve::executor::{Adoption, End, Executor, Handle, Job, Report, directory};
use reeve::executor::log::Stream;
use super::house::{House, processes_of, signal};
use rustix::process::Signal;
use tempfile::TempDir;
use uuid::Uuid;

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
