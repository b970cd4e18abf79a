//! A full disk is said so, loses nothing that was acknowledged, and is never written past.
//!
//! The test binary runs itself under a limit on the size of files, which fails a write just as a full disk does, and needs
//! neither a privilege nor a mount.

use std::path::Path;
use std::process::Command;

use reeve::store::{Batch, CommitError, Range, StoreError, open};
use rustix::process::{Resource, Rlimit, setrlimit};
use uuid::Uuid;

const CHILD: &str = "REEVE_TEST_FULL_HOME";

#[test]
fn a_full_disk_refuses_commits_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    for spare in [0, 1, 100_000, 524_288, 1_000_000] {
        let acknowledged = run_writer(&home, spare);
        let store = open(&home.display().to_string(), Uuid::nil()).unwrap();
        assert!(
            store.sequence() >= acknowledged,
            "{acknowledged} was acknowledged, {} is there",
            store.sequence()
        );
        let rows = store
            .scan(Range::prefix("row/"))
            .inspect(|row| assert!(row.is_ok()))
            .count() as u64;
        assert_eq!(rows, store.sequence());
        store
            .commit(Batch::new().put(key(store.sequence() + 1), "there is space again"))
            .wait()
            .unwrap();
    }
}

#[test]
fn a_home_that_cannot_be_made_for_lack_of_space_is_made_later() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    run_limited(&home, "maker");
    assert_eq!(
        open(&home.display().to_string(), Uuid::nil())
            .unwrap()
            .sequence(),
        0
    );
}

fn key(number: u64) -> String {
    format!("row/{number:08}")
}

/// Lets the writer fill what is there and `spare` bytes more; gives the last sequence it acknowledged.
fn run_writer(home: &Path, spare: u64) -> u64 {
    let size = std::fs::metadata(home.join("sled/db")).map_or(0, |log| log.len());
    let limit = if size == 0 { 2 << 20 } else { size + spare };
    let out = run_limited(home, &format!("writer {limit}"));
    out.lines()
        .filter_map(|line| line.strip_prefix("acknowledged "))
        .filter_map(|number| number.parse().ok())
        .max()
        .unwrap_or(0)
}

fn run_limited(home: &Path, role: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "limited", "--nocapture", "--test-threads=1"])
        .env(CHILD, home)
        .env("REEVE_TEST_FULL_ROLE", role)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{out}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(out.contains("refused as it should"), "{out}");
    out
}

/// Not a test of its own: the process with too little space, when the environment says so.
#[test]
fn limited() {
    let Some(home) = std::env::var_os(CHILD) else {
        return;
    };
    let home = Path::new(&home).display().to_string();
    // A write beyond the limit fails instead of killing the process.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let role = std::env::var("REEVE_TEST_FULL_ROLE").unwrap();
    match role.strip_prefix("writer ") {
        None => {
            limit(10);
            let error = open(&home, Uuid::nil()).err().expect("no home can be made");
            assert!(matches!(error, StoreError::Full { .. }), "{error}");
        }
        Some(size) => fill(&home, size.parse().unwrap()),
    }
    println!("\nrefused as it should");
}

fn limit(size: u64) {
    setrlimit(
        Resource::Fsize,
        Rlimit {
            current: Some(size),
            maximum: Some(size),
        },
    )
    .unwrap();
}

/// Commits until nothing more fits, and checks what is said then.
fn fill(home: &str, size: u64) {
    let store = match open(home, Uuid::nil()) {
        Ok(store) => store,
        Err(error) => panic!("opened without a limit: {error}"),
    };
    limit(size);
    let error = loop {
        let number = store.sequence() + 1;
        match store
            .commit(Batch::new().put(key(number), vec![number as u8; 30_000]))
            .wait()
        {
            Ok(sequence) => println!("\nacknowledged {sequence}"),
            Err(error) => break error,
        }
    };
    let CommitError::Store(error) = error else {
        panic!("{error}")
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("nothing that was acknowledged is lost; free space there"),
        "{error}"
    );
    let sequence = store.sequence();
    for _ in 0..2 {
        let refused = store.commit(Batch::new().put("small", "row")).wait();
        assert!(
            matches!(
                refused,
                Err(CommitError::Store(StoreError::Poisoned { .. }))
            ),
            "{refused:?}"
        );
    }
    assert!(
        matches!(store.get(b"small"), Err(StoreError::Poisoned { .. })),
        "what was not made durable is not shown"
    );
    assert!(matches!(
        store.scan(Range::all()).next(),
        Some(Err(StoreError::Poisoned { .. }))
    ));
    assert_eq!(store.sequence(), sequence);
}
