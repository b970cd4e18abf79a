//! Timeouts and stops: nothing of a run is left, whatever it does against it.
use std::fs;
use std::path::Path;
use std::time::Duration;
use reeve::executor::{End, Executor, Job, Report};
use reeve::executor::log::Stream;
use reeve::executor::outcome::{NotStarted, StoppedBy};
use super::house::{House, processes_of, signal};
use rustix::process::Signal;

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
        let message = house.outcome().await.message;
        assert!(["stopped on request; ended on SIGTERM", "stopped before it was started"].contains(&message.as_str()), "{message}");
    }
}

#[tokio::test]
async fn what_is_stopped_before_its_instant_is_not_started() {
    let mut house = House::new();
    let mut job = house.shell("touch begun");
    let job_directory = job.working_directory.clone();
    job.not_before = Some(jiff::Timestamp::now() + Duration::from_millis(900));
    let handle = house.start(job).await;
    house.executor.stop(&handle, Duration::from_secs(30)).await.unwrap();
    let outcome = house.outcome().await;
    assert_eq!((outcome.end, outcome.message.as_str()), (End::NotStarted { why: NotStarted::Stopped }, "stopped before it was started"));
    assert!(!job_directory.join("begun").exists());
}
