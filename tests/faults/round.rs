//! One round: what is done to a daemon and its runs, drawn from a seed, and what was acknowledged meanwhile.
use crate::common::{daemon::id, process};
use crate::fault::FAULTS;
use crate::host::{House, KINDS};
use crate::oracle;
use crate::random::Random;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is done in a round, one after the other.
const STEPS: u64 = 25;

/// The story of a round, for whoever must find out why it failed.
#[derive(Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl fmt::Display for Diary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.lock().unwrap().join("\n"))
    }
}

/// What happened to one run that its end may show.
#[derive(Debug, Default, Clone)]
pub struct Fate {
    /// Its creation was acknowledged.
    pub created: bool,
    /// A cancel was asked for, and whether that was acknowledged.
    pub cancel: Option<bool>,
    /// Faults that may crash it.
    pub struck: BTreeSet<&'static str>,
    /// How somebody was told that it ended: state type and id.
    pub ended: Option<(Value, Value)>,
}

pub struct Round {
    pub house: House,
    pub random: Random,
    pub fates: BTreeMap<String, Fate>,
    pub counts: BTreeMap<&'static str, usize>,
    /// What is stopped is continued by these a little later.
    later: Vec<JoinHandle<()>>,
    began: Instant,
    diary: Diary,
}

impl Round {
    pub fn new(seed: u64, diary: Diary) -> Round {
        Round {
            house: House::new(),
            random: Random(seed),
            fates: BTreeMap::new(),
            counts: BTreeMap::new(),
            later: Vec::new(),
            began: Instant::now(),
            diary,
        }
    }

    pub fn play(mut self) -> BTreeMap<&'static str, usize> {
        for _ in 0..STEPS {
            match self.random.below(10) {
                0..4 => self.ask(),
                4 => self.look(),
                _ => self.fault(),
            }
            self.pause(80);
        }
        for waiting in std::mem::take(&mut self.later) {
            waiting.join().unwrap();
        }
        oracle::judge(&mut self);
        self.counts
    }

    fn fault(&mut self) {
        let all: u64 = FAULTS.iter().map(|(weight, ..)| weight).sum();
        let mut drawn = self.random.below(all);
        for (weight, name, fault) in FAULTS {
            match drawn.checked_sub(weight) {
                Some(rest) => drawn = rest,
                None => {
                    if fault(self) {
                        *self.counts.entry(name).or_default() += 1;
                    }
                    return;
                }
            }
        }
    }

    /// Asks for some runs.
    pub fn ask(&mut self) {
        for _ in 0..=self.random.below(3) {
            let kind = self.random.pick(&KINDS.each_ref().map(|kind| kind.name));
            if let Some(run) = self.house.ask_for(kind) {
                self.say(format!("{run} is a {kind}"));
                self.fate(&run).created = true;
            }
        }
    }

    /// Looks at runs, and remembers which are said to be over.
    fn look(&mut self) {
        let runs: Vec<String> = self.fates.keys().cloned().collect();
        for run in runs {
            let Some(seen) = self.house.look(&run) else { continue };
            if is_over(&seen) {
                self.fate(&run).ended.get_or_insert((seen["state_type"].clone(), seen["state_id"].clone()));
            }
        }
    }

    pub fn fate(&mut self, run: &str) -> &mut Fate {
        self.fates.entry(run.to_owned()).or_default()
    }

    /// One of the runs that are known.
    pub fn any_run(&mut self) -> Option<String> {
        let known = self.fates.len() as u64;
        (known > 0).then(|| self.random.below(known)).and_then(|index| self.fates.keys().nth(index as usize).cloned())
    }

    /// One of some, by the seed.
    pub fn any<T>(&mut self, mut items: Vec<T>) -> Option<T> {
        (!items.is_empty()).then(|| self.random.below(items.len() as u64) as usize).map(|index| items.swap_remove(index))
    }

    /// Up to so many milliseconds.
    pub fn some_time(&mut self, milliseconds: u64) -> Duration {
        Duration::from_micros(self.random.below(milliseconds * 1_000))
    }

    pub fn pause(&mut self, milliseconds: u64) {
        std::thread::sleep(self.some_time(milliseconds));
    }

    /// Sends a signal a little later, while other things happen.
    pub fn send_later(&mut self, pid: i32, signal: Signal, milliseconds: u64) {
        let time = self.some_time(milliseconds);
        self.later.push(std::thread::spawn(move || {
            std::thread::sleep(time);
            process::send(pid, signal);
        }));
    }

    pub fn say(&self, what: String) {
        self.diary.0.lock().unwrap().push(format!("{:7.3} s: {what}", self.began.elapsed().as_secs_f64()));
    }
}

pub fn is_over(run: &Value) -> bool {
    ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"].iter().any(|kind| run["state_type"] == *kind)
}

/// The runs of an answer by id.
pub fn by_id(runs: Vec<Value>) -> BTreeMap<String, Value> {
    runs.into_iter().map(|run| (id(&run).to_owned(), run)).collect()
}
