//! What runs write: masked, bounded, followed without a gap.
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use reeve::executor::{End, Executor, Job, directory};
use reeve::executor::follow::Follower;
use reeve::executor::log::{MINIMUM_LOG_BYTES, Stream, read_all};
use super::house::{House, PATIENCE};

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
        remarks.iter().any(|line| line.ends_with("bytes of this log dropped]")),
        "{remarks:?}"
    );
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
    let after_gap = read_all(&flooded.run_directory()).unwrap().into_iter().rev().take_while(|line| !line.message.ends_with("bytes of this log dropped]"));
    let tail: Vec<String> = after_gap.filter(|line| line.stream == Stream::Output).map(|line| line.message).collect();
    assert_eq!(tail[..2], ["last", "***"]);
    assert_eq!(tail[2..4], ["\\xff", "cut"]);
    assert!(tail.len() > 3000 && tail[4..].iter().all(|line| line == "the key is ***."), "{} lines", tail.len());
}
