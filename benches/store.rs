//! What a durable commit costs: `cargo bench --bench store`. Ratios are to bare 300-byte writes with `fdatasync` on the same disk.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use reeve::store::{Batch, Range, open};
use uuid::Uuid;

const SECONDS: f64 = 3.0;
const COMMITTERS: u64 = 64;
const ROWS: u64 = 100_000;

fn main() {
    let directory =
        tempfile::tempdir_in(std::env::var("REEVE_BENCH_DIR").unwrap_or_else(|_| ".".into()))
            .expect("a directory");
    let bare = bare_syncs(&directory.path().join("bare"));
    println!("bare write + fdatasync        {bare:10.0} /s   1.00");
    for committers in [1, COMMITTERS] {
        let home = directory.path().join(format!("home-{committers}"));
        let rate = commits(&home, committers);
        println!(
            "commits, {committers:2} at a time        {rate:10.0} /s   {:.2}",
            rate / bare
        );
    }
    rows(&directory.path().join("home-rows"));
}

fn bare_syncs(path: &Path) -> f64 {
    let mut file = File::create(path).expect("a file");
    let (began, mut count) = (Instant::now(), 0.0);
    while began.elapsed().as_secs_f64() < SECONDS {
        file.write_all(&[7; 300])
            .and_then(|()| file.sync_data())
            .expect("a write");
        count += 1.0;
    }
    count / began.elapsed().as_secs_f64()
}

/// Durable commits a second, of two rows with a compare-and-set, by so many threads.
fn commits(home: &Path, committers: u64) -> f64 {
    let store = open(&home.display().to_string(), Uuid::nil()).expect("a home");
    let began = Instant::now();
    std::thread::scope(|scope| {
        for committer in 0..committers {
            let store = &store;
            scope.spawn(move || {
                for number in 0_u64.. {
                    if began.elapsed().as_secs_f64() > SECONDS {
                        break;
                    }
                    let key = format!("run/{number:012}/{committer:02}");
                    let batch = Batch::new()
                        .expect_absent(key.as_str())
                        .put(key.as_str(), vec![7; 280])
                        .put(format!("head/{committer:02}"), number.to_be_bytes());
                    store.commit(batch).wait().expect("a commit");
                }
            });
        }
    });
    store.sequence() as f64 / began.elapsed().as_secs_f64()
}

/// Time and memory for many rows with time-ordered keys, in batches of 100.
fn rows(home: &Path) {
    let before = resident();
    let store = open(&home.display().to_string(), Uuid::nil()).expect("a home");
    let began = Instant::now();
    for first in (0..ROWS).step_by(100) {
        let batch = (first..first + 100).fold(Batch::new(), |batch, row| {
            batch.put(format!("run/{row:016}"), vec![row as u8; 300])
        });
        store.commit(batch).wait().expect("a commit");
    }
    println!(
        "{ROWS} rows of 300 bytes       {:10.0} /s",
        ROWS as f64 / began.elapsed().as_secs_f64()
    );
    println!(
        "  resident after writing      {:10.1} MB more",
        (resident() - before) / 1e6
    );
    let began = Instant::now();
    assert_eq!(store.scan(Range::prefix("run/")).count() as u64, ROWS);
    println!(
        "  scan                        {:10.0} /s",
        ROWS as f64 / began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    for row in (0..ROWS).map(|row| row * 7919 % ROWS).take(20_000) {
        assert!(
            store
                .get(format!("run/{row:016}").as_bytes())
                .expect("a read")
                .is_some()
        );
    }
    println!(
        "  get                         {:10.0} /s",
        20_000.0 / began.elapsed().as_secs_f64()
    );
    drop(store);
    let began = Instant::now();
    let store = open(&home.display().to_string(), Uuid::nil()).expect("a home");
    println!(
        "  open again                  {:10.1} ms",
        began.elapsed().as_secs_f64() * 1e3
    );
    drop(store);
    println!(
        "  on disk                     {:10.1} MB",
        std::fs::metadata(home.join("sled/db"))
            .expect("a log")
            .len() as f64
            / 1e6
    );
}

/// Resident bytes of this process.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0.0);
    pages * 4096.0
}
