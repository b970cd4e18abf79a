//! The same work done by reeve and by its peers, one after the other in the same run: `cargo bench --bench peers [NAME...] [runs=500]
//! [seconds=20] [sleepers=20]`, where NAME is `reeve`, `pueue`, `cronstable` or `prefect`.
//!
//! * `runs` runs of a command that writes one line, through 8 slots: runs per second, from the opening of the queue to the last line;
//! * the memory (PSS) of everything but the work itself while `sleepers` runs of `sleep` go on;
//! * a schedule of every second, for `seconds`: how late its command's own clock is, p50 and p99.
//!
//! Peers are installed under target/ where they are not yet, pinned: pueue 4.0.4 by cargo, cronstable 1.2.72 and Prefect 3.8.8 by pip. One
//! that cannot be installed or started is told and left out. cronstable gets a tenth of the runs: 500 that wait for one of its pools keep it
//! busy for minutes before the first starts. Prefect starts a Python interpreter for each run, so it gets a twentieth of
//! the runs, and its worker asks each second instead of each 10; pueue has no schedules. No wait is without an end.
#[path = "../support/prefect.rs"]
#[allow(dead_code, reason = "each benchmark uses its part")]
mod prefect;

mod cronstable;
mod prefects;
mod pueue;
mod reeve;
mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;
use work::{Counts, Figures, Stamps};

/// How many runs go on at once.
const SLOTS: usize = 8;

/// One of the programs, installed; each measurement starts it anew in the directory that it is given.
trait Peer {
    /// Makes `count` runs of the stamping command wait, opens `SLOTS` slots and says when it did.
    fn burst(&self, directory: &Path, stamps: &Stamps, count: usize) -> Result<Duration, String>;

    /// The memory in MB while so many `sleep` run.
    fn memory(&self, directory: &Path, sleepers: usize) -> Result<f64, String>;

    /// Runs the stamping command each second for so long; how late each was, in ms. `None`: it has no schedules.
    fn lateness(&self, directory: &Path, stamps: &Stamps, seconds: usize) -> Result<Option<Vec<f64>>, String>;

    /// How many of the runs it gets, as the divisor of all.
    fn share(&self) -> usize {
        1
    }
}

type Install = fn() -> Result<Box<dyn Peer>, String>;

const PEERS: [(&str, Install); 4] =
    [("reeve", reeve::install), ("pueue", pueue::install), ("cronstable", cronstable::install), ("prefect", prefects::install)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--bench")).collect();
    if let [flag, file, rest @ ..] = arguments.as_slice()
        && flag == "--stamp"
    {
        return work::stamp(Path::new(file), rest.first().map(String::as_str));
    }
    let counts = Counts::read(&arguments);
    let named: Vec<&String> = arguments.iter().filter(|argument| !argument.contains('=') && !argument.starts_with('-')).collect();
    let directory = directory();
    println!("{:<12} {:>7} {:>10} {:>9} {:>12} {:>10} {:>10}", "", "runs", "seconds", "runs/s", "memory", "late p50", "late p99");
    for (name, install) in PEERS {
        if named.is_empty() || named.iter().any(|wanted| *wanted == name) {
            match install().map(|peer| measured(peer.as_ref(), &directory.join(name), &counts)) {
                Ok(figures) => figures.print(name),
                Err(why) => println!("{name:<12} left out: {why}"),
            }
        }
    }
    drop(std::fs::remove_dir_all(&directory));
}

/// Each measurement that goes wrong is told, and the others are made all the same.
fn measured(peer: &dyn Peer, directory: &Path, counts: &Counts) -> Figures {
    let mut figures = Figures::new((counts.runs / peer.share()).max(1));
    let begin = |name: &str| {
        let place = directory.join(name);
        std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        let stamps = Stamps::new(&place)?;
        Ok::<(PathBuf, Stamps), String>((place, stamps))
    };
    let burst = begin("burst").and_then(|(place, stamps)| {
        let opened = peer.burst(&place, &stamps, figures.runs)?;
        Ok(stamps.last()?.saturating_sub(opened))
    });
    figures.took = figures.note("runs", burst);
    let memory = begin("memory").and_then(|(place, _)| peer.memory(&place, counts.sleepers));
    figures.memory = figures.note("memory", memory);
    let late = begin("lateness").and_then(|(place, stamps)| peer.lateness(&place, &stamps, counts.seconds));
    figures.late = figures.note("lateness", late).flatten().unwrap_or_default();
    figures
}

fn directory() -> PathBuf {
    let parent = Path::new(&std::env::var("REEVE_BENCH_DIR").unwrap_or_else(|_| "target".to_owned())).join("peers");
    std::fs::create_dir_all(&parent).expect("a directory for the benchmarks");
    let directory = tempfile::Builder::new().prefix("round-").tempdir_in(&parent).expect("a directory for this round").keep();
    directory.canonicalize().expect("the directory of this round")
}
