//! `kill -9` at any moment loses nothing that was acknowledged, tears no batch, and leaves a home that opens.
//!
//! The test binary runs itself as the writer, which prints the sequence of every acknowledged commit. It is killed
//! after a random time, sometimes while it is still opening or making the home. Then the home is opened and held against what was printed.
//! `REEVE_TEST_ROUNDS` multiplies the number of kills (1: 200); `REEVE_TEST_SEED` repeats a run.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reeve::store::{Batch, Range, open};
use uuid::Uuid;

const HOME: Uuid = Uuid::from_u128(0x6b11);
const CYCLES: u32 = 200;
/// Cycles on one home before a new one is made, so that making it is killed too.
const CYCLES_PER_HOME: u32 = 25;
const CHILD: &str = "REEVE_TEST_KILL_HOME";

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_torn() {
    let rounds = number("REEVE_TEST_ROUNDS").unwrap_or(1);
    let seed = number("REEVE_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("REEVE_TEST_SEED={seed}");
    let mut random = Random(seed);
    let (mut acknowledged, mut killed_early) = (0, 0);
    let mut directory = tempfile::tempdir().unwrap();
    let mut last = 0;
    for cycle in 0..CYCLES * u32::try_from(rounds).unwrap() {
        if cycle % CYCLES_PER_HOME == 0 {
            directory = tempfile::tempdir().unwrap();
            last = 0;
        }
        let home = directory.path().join("home");
        // A third of the kills comes early: while the writer starts, makes the home or recovers it.
        let moment = match random.below(3) {
            0 => Moment::AfterStart(Duration::from_micros(random.below(60_000))),
            _ => Moment::AfterCommits(
                1 + random.below(60),
                Duration::from_micros(random.below(3000)),
            ),
        };
        let told = kill_writer(&home, moment, random.next());
        killed_early += u32::from(told.is_empty());
        acknowledged += told.len();
        last = check(&home, last.max(told.last().copied().unwrap_or(0)), cycle);
    }
    println!(
        "{acknowledged} commits acknowledged, {killed_early} writers killed before their first"
    );
    assert!(
        acknowledged > 100,
        "the writers were killed before they did anything"
    );
}

/// When a writer is killed.
enum Moment {
    AfterStart(Duration),
    /// So long after it acknowledged so many commits, however fast the machine.
    AfterCommits(u64, Duration),
}

/// Runs the writer on `home`, kills it, and gives the sequences it acknowledged.
fn kill_writer(home: &Path, moment: Moment, seed: u64) -> Vec<u64> {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
        .env(CHILD, home)
        .env("REEVE_TEST_SEED", seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    // A line that the kill cut short has no full stop.
    let mut acknowledgements = lines.map_while(Result::ok).filter_map(|line| {
        let number = line.strip_prefix("acknowledged ")?.strip_suffix('.')?;
        number.parse::<u64>().ok()
    });
    let mut told = Vec::new();
    let then = match moment {
        Moment::AfterStart(then) => then,
        Moment::AfterCommits(commits, then) => {
            told.extend(acknowledgements.by_ref().take(commits as usize));
            then
        }
    };
    std::thread::sleep(then);
    writer.kill().unwrap();
    let status = writer.wait().unwrap();
    assert!(
        status.code().is_none(),
        "the writer ended by itself: {status}"
    );
    told.extend(acknowledgements);
    told
}

/// Opens the home after a kill; gives its sequence, at least `acknowledged`.
fn check(home: &Path, acknowledged: u64, cycle: u32) -> u64 {
    let before = Instant::now();
    let store = open(&home.display().to_string(), HOME)
        .unwrap_or_else(|error| panic!("cycle {cycle}: failed to {error}"));
    assert!(before.elapsed() < Duration::from_secs(30), "opening hangs");
    let sequence = store.sequence();
    assert!(
        sequence >= acknowledged,
        "cycle {cycle}: {acknowledged} was acknowledged, {sequence} is there"
    );
    let head = store
        .get(b"head")
        .unwrap()
        .map_or(0, |head| u64::from_be_bytes(head[..8].try_into().unwrap()));
    assert_eq!(
        head, sequence,
        "cycle {cycle}: the head belongs to the last commit"
    );
    let mut rows = vec![0_u64; usize::try_from(sequence).unwrap() + 1];
    for row in store.scan(Range::prefix("row/")) {
        let (key, value) = row.unwrap();
        let [_, number, _] = parts(&key);
        assert_eq!(
            value[..8],
            checksum(&key, &value[8..]),
            "cycle {cycle}: a damaged row"
        );
        rows[number as usize] += 1;
    }
    for number in 1..=sequence {
        assert_eq!(
            rows[number as usize],
            rows_of(number),
            "cycle {cycle}: commit {number} is torn"
        );
    }
    sequence
}

/// Not a test of its own: the writer that is killed, when the environment says so.
#[test]
fn writer() {
    let Some(home) = std::env::var_os(CHILD) else {
        return;
    };
    let mut random = Random(number("REEVE_TEST_SEED").unwrap());
    let store = open(&home.display().to_string(), HOME).unwrap();
    let mut out = std::io::stdout();
    loop {
        let first = store.sequence() + 1;
        let tickets: Vec<_> = (first..first + 1 + random.below(4))
            .map(|number| (number, store.commit(batch(number, &mut random))))
            .collect();
        for (number, ticket) in tickets {
            assert_eq!(ticket.wait(), Ok(number));
            writeln!(out, "acknowledged {number}.").unwrap();
        }
    }
}

/// A head that must move on from the commit before, and some rows whose number depends on the commit's.
fn batch(number: u64, random: &mut Random) -> Batch {
    let before = (number > 1).then(|| (number - 1).to_be_bytes().to_vec());
    let batch = Batch::new()
        .expect_unchanged("head", before)
        .put("head", number.to_be_bytes());
    (0..rows_of(number)).fold(batch, |batch, row| {
        let key = format!("row/{number:08}/{row:03}");
        let size = if random.below(40) == 0 {
            10_000
        } else {
            random.below(400)
        };
        let content = vec![number as u8; size as usize];
        let value = [&checksum(key.as_bytes(), &content), content.as_slice()].concat();
        batch.put(key, value)
    })
}

fn rows_of(number: u64) -> u64 {
    1 + number * 7 % 12
}

fn parts(key: &[u8]) -> [u64; 3] {
    let text = std::str::from_utf8(key).unwrap();
    let mut numbers = text.split('/').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap())
}

/// FNV-1a, 64 bits.
fn checksum(key: &[u8], content: &[u8]) -> [u8; 8] {
    let hash = key
        .iter()
        .chain(content)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash.to_be_bytes()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
}

/// SplitMix64: enough to choose moments, and repeatable.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
