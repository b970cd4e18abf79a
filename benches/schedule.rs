//! What a schedule costs: instants per second of each kind of rule, beside the `cron` crate alone and Python's croniter and dateutil;
//! and the timers, against their number: time to set, to take and to move one, and bytes each.
//!
//! `cargo bench --bench schedule [-- rules | timers]`. Python's packages are installed from PyPI into a virtual environment under
//! target/; without a network their columns say SKIPPED. Figures are the best of several rounds.
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reeve::daemon::timers::Timers;
use reeve::model::id::{DeploymentId, HomeId, Kind, ScheduleId, of_new_object};
use reeve::schedule::{RuleSpec, Spec, parse_interval};
use uuid::Uuid;

/// Counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; only a number is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(300);
const START: &str = "2027-01-01T00:00:00Z";

/// Name, kind, rule, zone, and the same in the `cron` crate's words, where it has them.
const RULES: [(&str, &str, &str, &str, Option<&str>); 11] = [
    ("every 5 minutes", "cron", "*/5 * * * *", "UTC", Some("0 */5 * * * * *")),
    ("weekdays at 09:00, Berlin", "cron", "0 9 * * 1-5", "Europe/Berlin", Some("0 0 9 * * 2-6 *")),
    ("02:30 every day, New York", "cron", "30 2 * * *", "America/New_York", Some("0 30 2 * * * *")),
    ("last day of the month", "cron", "0 0 L * *", "UTC", None),
    ("29 February", "cron", "0 0 29 2 *", "UTC", Some("0 0 0 29 2 * *")),
    ("every 15 minutes", "interval", "900", "UTC", None),
    ("every day, Berlin", "interval", "P1D", "Europe/Berlin", None),
    ("daily at 09:00, Berlin", "rrule", "DTSTART:20270101T000000\nRRULE:FREQ=DAILY;BYHOUR=9", "Europe/Berlin", None),
    ("Mondays and Fridays", "rrule", "DTSTART:20270101T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO,FR", "UTC", None),
    ("last working day of the month", "rrule", "DTSTART:20270101T090000\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "UTC", None),
    ("29 February", "rrule", "DTSTART:20270101T000000\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "UTC", None),
];

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|other| other == name);
    if wanted("rules") {
        rules();
    }
    if wanted("timers") {
        timers();
    }
}

fn spec(kind: &str, text: &str, zone: &str) -> Spec {
    let rule = match kind {
        "cron" => RuleSpec::Cron { expression: text.to_owned(), day_or: true },
        "interval" => RuleSpec::Interval { every: parse_interval(text).expect("an interval"), anchor: None },
        _ => RuleSpec::Rrule { text: text.to_owned() },
    };
    Spec::new(rule, Some(zone.to_owned()))
}

fn rules() {
    let python = python();
    println!("instants per second, one after another; at once: the rule is read and asked for its next instant, as when a slot is due");
    println!("{:<9} {:<30} {:>12} {:>12} {:>14} {:>14}", "", "", "reeve", "at once", "cron crate", "Python");
    for (index, (name, kind, text, zone, crate_text)) in RULES.into_iter().enumerate() {
        let spec = spec(kind, text, zone);
        let start: Timestamp = START.parse().expect("an instant");
        let rule = spec.parse().expect("a rule");
        let many = rate(|| rule.instants(start).take(200).map(black_box).count());
        let mut from = start;
        let once = rate(|| {
            let next = spec.parse().expect("a rule").next(from);
            from = next.map_or(start, |next| next + SignedDuration::from_secs(1));
            1
        });
        let alone = crate_text.map(|text| {
            let schedule = cron::Schedule::from_str(text).expect("the crate's own form");
            let start = chrono::DateTime::from_timestamp(start.as_second(), 0).expect("an instant");
            rate(|| schedule.after(&start).take(200).map(black_box).count())
        });
        let shown = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
        let other = match &python {
            Some(rates) => shown(rates.get(&index).copied()),
            None => "SKIPPED".to_owned(),
        };
        println!("{kind:<9} {name:<30} {many:>12.0} {once:>12.0} {:>14} {other:>14}", shown(alone));
    }
}

/// How many things a second `work` does, which says how many it did.
fn rate(mut work: impl FnMut() -> usize) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..ROUNDS {
        let (begun, mut done) = (Instant::now(), 0);
        while begun.elapsed() < ROUND {
            done += work();
        }
        best = best.max(done as f64 / begun.elapsed().as_secs_f64());
    }
    best
}

const SCRIPT: &str = r#"
import itertools, json, sys, time
from datetime import datetime
from zoneinfo import ZoneInfo
from croniter import croniter
from dateutil.rrule import rrulestr

def rate(make):
    best = 0
    for _ in range(3):
        begun, done = time.perf_counter(), 0
        while time.perf_counter() - begun < 0.3:
            done += sum(1 for _ in itertools.islice(make(), 200))
        best = max(best, done / (time.perf_counter() - begun))
    return best

def crons(text, zone):
    start = datetime(2027, 1, 1, tzinfo=ZoneInfo(zone))
    return lambda: croniter(text, start).all_next(datetime)

def rrules(text, zone):
    rule = rrulestr(text, cache=False)
    return lambda: iter(rule)

rates = {}
for index, kind, text, zone in json.load(sys.stdin):
    if kind == "cron":
        rates[index] = rate(crons(text, zone))
    elif kind == "rrule":
        rates[index] = rate(rrules(text, zone))
print(json.dumps(rates))
"#;

/// Instants per second of croniter and dateutil, by the rule's number; `None` where they cannot be installed.
fn python() -> Option<HashMap<usize, f64>> {
    let venv = Path::new("target/bench-schedule");
    let interpreter = venv.join("bin/python");
    if !venv.join("ready").exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(venv).status().is_ok_and(|status| status.success());
        let packages = ["croniter==6.0.0", "python-dateutil==2.9.0.post0", "tzdata"];
        let pip = || Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages).status();
        if !made || !pip().is_ok_and(|status| status.success()) {
            eprintln!("croniter and dateutil cannot be installed: SKIPPED");
            return None;
        }
        std::fs::write(venv.join("ready"), "").ok()?;
    }
    let rules: Vec<serde_json::Value> =
        RULES.iter().enumerate().map(|(index, (_, kind, text, zone, _))| serde_json::json!([index, kind, text, zone])).collect();
    let input = write_input(venv, &serde_json::Value::from(rules).to_string())?;
    let output = Command::new(&interpreter).args(["-c", SCRIPT]).stdin(std::fs::File::open(input).ok()?).output().ok()?;
    if !output.status.success() {
        eprintln!("the Python part failed, SKIPPED: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    let rates: HashMap<String, f64> = serde_json::from_slice(&output.stdout).ok()?;
    Some(rates.into_iter().filter_map(|(index, rate)| Some((index.parse().ok()?, rate))).collect())
}

fn write_input(venv: &Path, text: &str) -> Option<PathBuf> {
    let path = venv.join("rules.json");
    std::fs::write(&path, text).ok()?;
    Some(path)
}

fn timers() {
    println!();
    println!("{:<28} {:>10} {:>10} {:>10} {:>10}", "timers", "set", "take", "move", "bytes each");
    for number in [1_000, 10_000, 100_000] {
        for each in [1, 10] {
            let ids = ids(number, each);
            let before = IN_USE.load(Ordering::Relaxed);
            let (set, mut timers) = timed(|| {
                let mut timers = Timers::default();
                for (deployment, schedules) in &ids {
                    timers.set_deployment(*deployment, schedules.iter().map(|(schedule, at)| (*schedule, *at)).collect());
                }
                timers
            });
            let bytes = (IN_USE.load(Ordering::Relaxed) - before) as f64 / number as f64;
            let (take, due) = timed(|| timers.due(Timestamp::MAX, 1_000));
            let (moved, ()) = timed(|| {
                for timer in &due {
                    timers.move_to(*timer, Some(timer.at + SignedDuration::from_hours(1)));
                }
            });
            let nanoseconds = |time: Duration, count: usize| format!("{:.0} ns", time.as_secs_f64() * 1e9 / count as f64);
            let name = format!("{number}, {each} a deployment");
            println!("{name:<28} {:>10} {:>10} {:>10} {bytes:>10.0}", nanoseconds(set, number), nanoseconds(take, due.len()), nanoseconds(moved, due.len()));
        }
    }
}

type Given = Vec<(DeploymentId, Vec<(ScheduleId, Timestamp)>)>;

/// Ids as a home has them, and instants from an hour to a year away.
fn ids(number: usize, each: usize) -> Given {
    let start: Timestamp = START.parse().expect("an instant");
    let home = HomeId(Uuid::from_u128(7));
    let id = |kind, number: usize| of_new_object(home, kind, &number.to_string(), 1);
    let deployments = (0..number / each).map(|deployment| {
        let schedules = (0..each).map(|schedule| {
            let number = deployment * each + schedule;
            let away = (number as i64).wrapping_mul(7_919) % (365 * 86_400);
            (ScheduleId(id(Kind::Schedule, number)), start + SignedDuration::from_secs(away))
        });
        (DeploymentId(id(Kind::Deployment, deployment)), schedules.collect())
    });
    deployments.collect()
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let made = work();
    (begun.elapsed(), made)
}
