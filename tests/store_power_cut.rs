//! A power cut at any moment loses nothing that was acknowledged, tears no batch, and leaves a home that opens.
//!
//! A store is made, written, closed and opened again while [`recorder`] notes what reaches the disk and what is really
//! synced. Then, for many moments of that time, the disk is rebuilt as the cut may leave it, and opened.
//! `REEVE_TEST_ROUNDS` multiplies the number of cuts; `REEVE_TEST_SEED` repeats a run.

#[path = "store_power_cut/recorder.rs"]
mod recorder;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use recorder::Recording;
use reeve::store::{Batch, Range, open};
use uuid::Uuid;

const HOME: Uuid = Uuid::from_u128(0xc07);

/// One recording at a time: it covers the whole process.
static ONE: Mutex<()> = Mutex::new(());

/// What a run of the store does.
#[derive(Clone, Copy)]
struct Load {
    opens: u64,
    commits_per_open: u64,
    keys: u64,
    /// Rows of a commit, and bytes of a value: at least, and less than.
    rows: (u64, u64),
    bytes: (u64, u64),
}

#[test]
fn a_young_home_survives_any_cut() {
    let load = Load {
        opens: 4,
        commits_per_open: 6,
        keys: 50,
        rows: (1, 20),
        bytes: (0, 300),
    };
    survives_cuts(load, 8, 20);
}

#[test]
fn a_home_whose_log_is_used_again_and_again_survives_any_cut() {
    let load = Load {
        opens: 3,
        commits_per_open: 400,
        keys: 1500,
        rows: (1, 20),
        bytes: (0, 4000),
    };
    survives_cuts(load, 1, 30);
}

/// What such a commit frees must not be written over before it is synced itself.
#[test]
fn commits_of_several_log_segments_survive_any_cut() {
    let load = Load {
        opens: 2,
        commits_per_open: 12,
        keys: 900,
        rows: (450, 480),
        bytes: (3000, 4000),
    };
    survives_cuts(load, 1, 30);
}

/// Runs the load `runs` times, and cuts the power `cuts` times in each.
fn survives_cuts(load: Load, runs: u64, cuts: usize) {
    let _one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let rounds = number("REEVE_TEST_ROUNDS").unwrap_or(1);
    let seed = number("REEVE_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("REEVE_TEST_SEED={seed}");
    let mut failures = Vec::new();
    for run in 0..runs * rounds {
        let seed = seed.wrapping_add(run << 32);
        let directory = tempfile::tempdir().unwrap();
        // One commit more than the load makes, to go on with after a cut.
        let commits: Vec<Batch> = (1..=load.opens * load.commits_per_open + 1)
            .map(|number| batch(number, load, seed))
            .collect();
        recorder::start(directory.path());
        exercise(&directory.path().join("home"), load, seed, &commits);
        let recording = recorder::stop();
        let size = std::fs::metadata(directory.path().join("home/sled/db"))
            .unwrap()
            .len();
        println!(
            "run {run}: {} events, {} syncs, log {size} bytes",
            recording.events.len(),
            recording.syncs(recording.events.len())
        );
        let mut random = Random(seed);
        for cut in 0..cuts {
            let event = random.below(recording.events.len() as u64 + 1) as usize;
            if let Err(problem) = cut_and_open(&recording, event, &commits, &mut random) {
                failures.push(format!(
                    "run {run}, cut {cut} before event {event}: {problem}"
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} cuts are not survived (REEVE_TEST_SEED={seed}):\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Commits, several at a time, and opens again, all recorded.
fn exercise(home: &Path, load: Load, seed: u64, commits: &[Batch]) {
    let mut next = 1;
    for _ in 0..load.opens {
        let store = open(&home.display().to_string(), HOME).unwrap();
        let last = next + load.commits_per_open;
        while next < last {
            let first = next;
            next = (first + 1 + Random(seed ^ first).below(3)).min(last);
            let tickets: Vec<_> = (first..next)
                .map(|number| store.commit(commits[number as usize - 1].clone()))
                .collect();
            for (number, ticket) in (first..).zip(tickets) {
                assert_eq!(ticket.wait(), Ok(number));
                recorder::acknowledge(number);
            }
        }
        assert_eq!(
            std::fs::read_dir(home.join("sled/blobs")).unwrap().count(),
            0,
            "a page left the log"
        );
    }
}

fn cut_and_open(
    recording: &Recording,
    event: usize,
    commits: &[Batch],
    random: &mut Random,
) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    recording.image(event, random, directory.path());
    let acknowledged = recording.acknowledged(event);
    let store = open(&directory.path().join("home").display().to_string(), HOME)
        .map_err(|error| format!("failed to {error}"))?;
    let sequence = store.sequence();
    if sequence < acknowledged {
        return Err(format!(
            "{acknowledged} was acknowledged, {sequence} is there"
        ));
    }
    let found = store
        .scan(Range::all())
        .collect::<Result<BTreeMap<_, _>, _>>()
        .map_err(|error| format!("failed to {error}"))?;
    let wanted = state_after(&commits[..sequence as usize]);
    if !found
        .iter()
        .eq(wanted.iter().map(|(key, value)| (*key, *value)))
    {
        let differing = wanted
            .iter()
            .filter(|(key, value)| found.get(**key) != Some(**value))
            .count();
        return Err(format!(
            "{differing} of {} rows differ from those after commit {sequence}",
            wanted.len()
        ));
    }
    // And it goes on.
    store
        .commit(commits[sequence as usize].clone())
        .wait()
        .map(drop)
        .map_err(|error| format!("failed to {error}"))
}

/// Commit number `number`: the same whenever it is asked for. Some rows written, some removed, each value told by its commit.
fn batch(number: u64, load: Load, seed: u64) -> Batch {
    let mut random = Random(seed ^ number.wrapping_mul(0x1234_5678_9abc_def1));
    let mut writes = BTreeMap::new();
    for _ in 0..random.between(load.rows) {
        let key = format!("row/{:06}", random.below(load.keys));
        let bytes = if random.below(200) == 0 {
            (4000, 20_000)
        } else {
            load.bytes
        };
        let size = random.between(bytes) as usize;
        writes.insert(key, (random.below(6) > 0).then(|| random.bytes(size)));
    }
    writes.into_iter().fold(
        Batch::new().put("number", number.to_be_bytes()),
        |batch, (key, value)| match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        },
    )
}

fn state_after(commits: &[Batch]) -> BTreeMap<&Vec<u8>, &Vec<u8>> {
    let mut state = BTreeMap::new();
    for Batch { put, delete, .. } in commits {
        state.extend(put.iter().map(|(key, value)| (key, value)));
        for key in delete {
            state.remove(key);
        }
    }
    state
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
}

/// SplitMix64: repeatable, and enough to choose with.
pub struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn between(&mut self, (least, limit): (u64, u64)) -> u64 {
        least + self.below(limit - least)
    }

    fn bytes(&mut self, size: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.take(size.div_ceil(8)).flatten().take(size).collect()
    }
}
