//! A schedule's policies: `missed`, `on_resume`, `overlap`, `expire_after`, `jitter`, `spread`, on a deployment or on one of its
//! schedules, whose word wins; and the two words of other schedulers that people write inside a schedule, `catchup` and
//! `max_active_runs`.
use super::node::Node;
use super::report::{At, Place, Problem, described};
use super::schedule::refused;
use crate::model::policy::{MOST_MISSED_RUNS, Missed, MissedRun, OnResume, Overlap, Policy};
use crate::schedule::{Every, Rule, Spec, parse_duration};
use jiff::Timestamp;
use serde_json::Value;

pub const KEYS: [&str; 6] = ["missed", "on_resume", "overlap", "expire_after", "jitter", "spread"];
pub const MISSED_KEYS: [&str; 3] = ["run", "within", "limit"];
/// So many runs wait where `overlap: queue` gives no number.
pub const MOST_QUEUED: u32 = 100;
/// The longest queue that can be asked for.
const LONGEST_QUEUE: u32 = 10_000;
/// Longer delays by design are taken for a slip of the pen.
const LONGEST_DELAY_DAYS: u64 = 31;

const MISSED: [(&str, MissedRun); 3] = [("skip", MissedRun::Skip), ("latest", MissedRun::Latest), ("all", MissedRun::All)];
const ON_RESUME: [(&str, OnResume); 2] = [("skip", OnResume::Skip), ("latest", OnResume::Latest)];
const OVERLAP: [(&str, Overlap); 4] = [
    ("allow", Overlap::Allow),
    ("skip", Overlap::Skip),
    ("queue", Overlap::Queue { most: MOST_QUEUED }),
    ("cancel_running", Overlap::CancelRunning),
];
/// What others call them.
const ALSO: [(&str, &str); 15] = [
    ("none", "skip"),
    ("ignore", "skip"),
    ("last", "latest"),
    ("newest", "latest"),
    ("coalesce", "latest"),
    ("catchup", "all"),
    ("every", "all"),
    ("parallel", "allow"),
    ("forbid", "skip"),
    ("replace", "cancel_running"),
    ("cancel", "cancel_running"),
    ("wait", "queue"),
    ("enqueue", "queue"),
    ("cancel_new", "skip"),
    ("buffer", "queue"),
];

/// What one mapping says of policies; `None`: nothing.
#[derive(Default)]
pub struct Given {
    missed: Option<Missed>,
    on_resume: Option<OnResume>,
    overlap: Option<Overlap>,
    expire_after: Option<Option<Every>>,
    jitter: Option<Delay>,
    spread: Option<Delay>,
}

/// A delay by design, and where it stands.
#[derive(Clone)]
struct Delay {
    key: &'static str,
    every: Option<Every>,
    place: Place,
}

impl Given {
    /// The policies of a deployment, or of a schedule.
    pub fn read(node: &Node<'_>) -> Self {
        Given {
            missed: node.field("missed").and_then(|missed| read_missed(&missed)),
            on_resume: node.field("on_resume").and_then(|field| field.word("`skip` or `latest`", &ON_RESUME, &ALSO)),
            overlap: node.field("overlap").and_then(|overlap| read_overlap(&overlap)),
            expire_after: node.field("expire_after").and_then(|field| match field.value.as_str() {
                Some("never") => Some(None),
                _ => duration(&field).map(Some),
            }),
            jitter: delay(node, "jitter"),
            spread: delay(node, "spread"),
        }
    }

    /// The policies of a schedule, `catchup` and `max_active_runs` included.
    pub fn read_schedule(node: &Node<'_>) -> Self {
        let mut given = Given::read(node);
        if let Some(field) = node.field("catchup")
            && let Some(catchup) = field.boolean()
        {
            let (run, word) = if catchup { (MissedRun::All, "all") } else { (MissedRun::Latest, "latest") };
            let said = given.missed.as_ref().map(|missed| missed.run == run);
            other_word(node, &field, "missed", &format!("catchup: {catchup}"), &format!("missed: {word}"), said, !catchup);
            given.missed = given.missed.or(Some(Missed { run, ..Missed::default() }));
        }
        if let Some(field) = node.field("max_active_runs")
            && let Some(most) = field.integer(1, u32::MAX)
        {
            active_runs(node, &field, most, &mut given);
        }
        given
    }

    /// The whole policy: this, over what the deployment says, over the defaults.
    pub fn over(&self, deployment: &Given) -> Policy {
        let delay = |own: &Option<Delay>, below: &Option<Delay>| own.as_ref().or(below.as_ref()).and_then(|delay| delay.every);
        Policy {
            missed: self.missed.clone().or_else(|| deployment.missed.clone()).unwrap_or_default(),
            on_resume: self.on_resume.or(deployment.on_resume).unwrap_or_default(),
            overlap: self.overlap.or(deployment.overlap).unwrap_or_default(),
            expire_after: self.expire_after.or(deployment.expire_after).unwrap_or_default(),
            jitter: delay(&self.jitter, &deployment.jitter),
            spread: delay(&self.spread, &deployment.spread),
        }
    }

    /// Warns where runs are delayed by more than the rule's own step: no run starts past its next slot, so that is not
    /// what its author expects.
    pub fn check_delays(&self, deployment: &Given, spec: &Spec, node: &Node<'_>) {
        let delays = [self.jitter.as_ref().or(deployment.jitter.as_ref()), self.spread.as_ref().or(deployment.spread.as_ref())];
        let given = |delay: &&Delay| delay.every.is_some();
        if !delays.iter().flatten().any(given) {
            return;
        }
        let Some(step) = spec.parse().ok().as_ref().and_then(shortest_step) else { return };
        for delay in delays.into_iter().flatten() {
            if let Some(every) = delay.every.filter(|every| every.microseconds() >= step.microseconds()) {
                let message = format!("`{}` is {every}, and the schedule fires every {step}; expected less than that", delay.key);
                let problem = Problem::warning("long-delay", message, delay.place.clone());
                node.report.push(problem.help("no run starts later than its schedule's next one is due: the rest of it is cut off"));
            }
        }
    }
}

/// The shortest time between neighbours of a rule's first instants.
fn shortest_step(rule: &Rule) -> Option<Every> {
    const SAMPLE: usize = 12;
    let from = Timestamp::from_second(1_767_225_600).ok()?; // 2026-01-01T00:00Z
    let instants: Vec<Timestamp> = rule.unlimited(from).take(SAMPLE).collect();
    let step = instants.windows(2).map(|pair| pair[1].duration_since(pair[0])).min()?;
    u64::try_from(step.as_micros()).ok().and_then(|step| Every::from_microseconds(step).ok())
}

/// One of three words, or a mapping with more.
fn read_missed(node: &Node<'_>) -> Option<Missed> {
    let expected = "`skip`, `latest`, `all`, or a mapping with `run`, `within` and `limit`";
    if !node.value.is_object() {
        let run = node.word(expected, &MISSED, &ALSO)?;
        return Some(Missed { run, ..Missed::default() });
    }
    node.unknown_keys("`missed`", &[&MISSED_KEYS], &[]);
    let given = node.field("run");
    let run = match &given {
        Some(run) => run.word("`skip`, `latest` or `all`", &MISSED, &ALSO)?,
        None => MissedRun::default(),
    };
    let (within, limit) = (node.field("within"), node.field("limit"));
    let misplaced = |field: &Option<Node<'_>>, owner: &str| {
        if let Some(field) = field {
            let message = format!("{} belongs to {owner}, and this is not", field.name());
            field.report.push(Problem::error("misplaced-key", message, field.place(At::Key)));
        }
    };
    if run == MissedRun::Skip {
        misplaced(&within, "`run: latest` or `run: all`");
    }
    if run != MissedRun::All {
        misplaced(&limit, "`run: all`");
    }
    Some(Missed {
        run,
        within: within.and_then(|within| duration(&within)),
        limit: limit.and_then(|limit| limit.integer(1, MOST_MISSED_RUNS)),
    })
}

/// One of four words, or `{queue: N}`.
fn read_overlap(node: &Node<'_>) -> Option<Overlap> {
    if !node.value.is_object() {
        return node.word("`allow`, `skip`, `queue`, `cancel_running` or `{queue: N}`", &OVERLAP, &ALSO);
    }
    node.unknown_keys("`overlap`", &[&["queue"]], &[]);
    match node.field("queue") {
        Some(queue) => queue.integer(1, LONGEST_QUEUE).map(|most| Overlap::Queue { most }),
        None => {
            node.expected("`allow`, `skip`, `queue`, `cancel_running` or `{queue: N}`");
            None
        }
    }
}

fn delay(node: &Node<'_>, key: &'static str) -> Option<Delay> {
    let field = node.field(key)?;
    let none = field.value.as_f64() == Some(0.0) || matches!(field.value.as_str(), Some("0" | "0s"));
    let every = if none { None } else { Some(duration(&field)?) };
    if let Some(every) = every.filter(|every| every.whole_days().is_some_and(|days| days > LONGEST_DELAY_DAYS) || every.seconds() > LONGEST_DELAY_DAYS as f64 * 86_400.0) {
        let message = format!("`{key}` is {every}; expected at most {LONGEST_DELAY_DAYS}d");
        field.report.push(field.error("out-of-range", message));
        return None;
    }
    Some(Delay { key, every, place: field.place(At::Value) })
}

/// A length of time.
fn duration(node: &Node<'_>) -> Option<Every> {
    let text = match node.value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => {
            node.expected("a duration such as `30m`");
            return None;
        }
    };
    parse_duration(&text).map_err(|error| node.report.push(refused(node, "bad-duration", &error))).ok()
}

/// `max_active_runs: 1` lets one run go at a time; a greater number is a limit of the deployment here.
fn active_runs(node: &Node<'_>, field: &Node<'_>, most: u32, given: &mut Given) {
    let written = format!("max_active_runs: {most}");
    if most == 1 {
        let said = given.overlap.map(|overlap| matches!(overlap, Overlap::Queue { .. }));
        other_word(node, field, "overlap", &written, "overlap: queue", said, false);
        given.overlap = given.overlap.or(Some(Overlap::Queue { most: MOST_QUEUED }));
        return;
    }
    let said = given.overlap.map(|overlap| overlap == Overlap::Allow);
    if said == Some(false) {
        return other_word(node, field, "overlap", &written, "overlap: allow", said, false);
    }
    let message = format!("`{written}`: reeve reads it as `overlap: allow`, which limits nothing");
    let problem = Problem::warning("read-as", message, field.place(At::Key));
    node.report.push(problem.help(format!("`concurrency_limit: {most}` on the deployment lets that many of its runs go at once")));
}

/// Says how a word of others is read, or that it contradicts reeve's own word beside it. `said`: whether that says the
/// same. `quiet`: it asks for the default, as Prefect's own files do, and is not worth a word.
fn other_word(node: &Node<'_>, field: &Node<'_>, own: &str, written: &str, read_as: &str, said: Option<bool>, quiet: bool) {
    match said {
        Some(false) => {
            let other = node.field(own).map_or_else(String::new, |own| described(own.value));
            let message = format!("`{written}` means `{read_as}`, and `{own}` is {other}; expected one of them");
            let problem = Problem::error("two-policies", message, field.place(At::Key));
            node.report.push(problem.related("the other stands at", node.path.key(own).place(At::Key)).help(format!("remove `{}`", field.path_key())));
        }
        Some(true) => {}
        None if quiet => {}
        None => {
            let message = format!("`{written}`: reeve reads it as `{read_as}`");
            node.report.push(Problem::warning("read-as", message, field.place(At::Key)).help(format!("write `{read_as}`")));
        }
    }
}
