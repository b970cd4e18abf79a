//! Why a deployment ran, did not run, or will run at an instant: the whole chain from its rule to whoever executes it.
//!
//! A chain is told link by link, up to the first that stops it. It decides nothing: each link asks what the daemon asks (the rule,
//! the slot's record, `queue`), of the same facts, and puts the answer into words.
use super::due::CLOCK_TOLERANCE;
use super::queue::{self, Holder, Pool, Queue, Reason, Snapshot, Waiting};
use super::scheduled::start_of_slot;
use crate::model::deployment::Deployment;
use crate::model::id::{FlowRunId, of_slot};
use crate::model::overrides::Overrides;
use crate::model::policy::{MissedRun, Overlap};
use crate::model::run::FlowRun;
use crate::model::schedule::Schedule;
use crate::model::state::StateType;
use crate::model::work_pool::{WorkPool, WorkQueue};
use crate::schedule::{Barred, Period, Rule};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that the answer depends on.
pub struct Facts<'a> {
    pub now: Timestamp,
    /// The instant that is asked about.
    pub at: Timestamp,
    pub deployment: &'a Deployment,
    /// Its schedules, with what is stored of them.
    pub schedules: Vec<Standing<'a>>,
    pub pools: &'a [WorkPool],
    pub queues: &'a [WorkQueue],
    /// The runs that hold slots, of whatever deployment.
    pub active: &'a [FlowRun],
    /// The kinds of pool that this host executes itself.
    pub kinds: &'a [&'a str],
    /// Whether a daemon is there.
    pub serving: bool,
}

/// A schedule and what is stored about the instant.
pub struct Standing<'a> {
    pub schedule: &'a Schedule,
    /// The newest slot that was dealt with.
    pub cursor: Option<Timestamp>,
    /// The run of the slot, or the record that counts it among missed ones.
    pub record: Option<FlowRun>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub deployment: String,
    pub at: Timestamp,
    pub verdict: Verdict,
    /// One sentence without a full stop, that begins with the verdict.
    pub summary: String,
    /// Of the schedules that name the instant; where none does, of all.
    pub schedules: Vec<Chain>,
}

/// How it stands with an instant. In the order in which one schedule's verdict counts for its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Runs,
    Ran,
    WillRun,
    /// It is, or will be, due, and something holds it up.
    Waits,
    WillNotRun,
    DidNotRun,
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Verdict::Runs => "is running",
            Verdict::Ran => "ran",
            Verdict::WillRun => "will run",
            Verdict::Waits => "waits",
            Verdict::WillNotRun => "will not run",
            Verdict::DidNotRun => "did not run",
        }
    }
}

/// One schedule's links, up to the first that stops it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// The schedule's key.
    pub schedule: String,
    pub words: String,
    /// The slot's run, stored or not.
    pub run: FlowRunId,
    pub verdict: Verdict,
    pub links: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    pub about: &'static str,
    pub mark: Mark,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Ok,
    /// Good to know: it stops nothing, or not yet.
    Note,
    /// The chain ends here.
    Stops,
}

/// The whole answer.
pub fn why(facts: &Facts<'_>) -> Answer {
    let mut chains: Vec<Chain> = facts.schedules.iter().map(|standing| Telling::of(facts, standing)).collect();
    if chains.iter().any(Chain::names_the_instant) {
        chains.retain(Chain::names_the_instant);
    }
    let best = chains.iter().min_by_key(|chain| chain.verdict);
    let verdict = best.map_or_else(|| not(facts), |chain| chain.verdict);
    let reason = match best {
        None => "it has no schedule".to_owned(),
        Some(_) if chains.len() > 1 && verdict == not(facts) => format!("none of its {} schedules fires then", chains.len()),
        Some(chain) => chain.links.last().map(|link| link.text.clone()).unwrap_or_default(),
    };
    let summary = match verdict {
        Verdict::WillRun => verdict.words().to_owned(),
        _ => format!("{}: {reason}", verdict.words()),
    };
    Answer { deployment: facts.deployment.name.to_string(), at: facts.at, verdict, summary, schedules: chains }
}

/// The instant to explain where none is given: the deployment's next slot, paused or not; else now.
pub fn next_slot(deployment: &Deployment, now: Timestamp) -> Timestamp {
    let next = |schedule: &Schedule| schedule.declared.spec.parse().ok()?.next(now.max(schedule.effective_since));
    deployment.schedules.iter().filter_map(next).min().unwrap_or(now)
}

fn not(facts: &Facts<'_>) -> Verdict {
    if facts.at < facts.now { Verdict::DidNotRun } else { Verdict::WillNotRun }
}

impl Chain {
    fn names_the_instant(&self) -> bool {
        self.links.first().is_some_and(|link| link.mark != Mark::Stops)
    }
}

/// Why a chain ended, where it did.
struct Stop(Verdict);

/// A chain as it is told.
struct Telling<'a> {
    facts: &'a Facts<'a>,
    schedule: &'a Schedule,
    standing: &'a Standing<'a>,
    run: FlowRunId,
    links: Vec<Link>,
}

impl<'a> Telling<'a> {
    fn of(facts: &'a Facts<'a>, standing: &'a Standing<'a>) -> Chain {
        let schedule = standing.schedule;
        let run = of_slot(facts.deployment.id, &schedule.key, facts.at);
        let mut telling = Telling { facts, schedule, standing, run, links: Vec::new() };
        let verdict = match telling.tell() {
            Ok(()) => Verdict::WillRun,
            Err(Stop(verdict)) => verdict,
        };
        let words = schedule.declared.spec.describe();
        Chain { schedule: schedule.key.clone(), words, run, verdict, links: telling.links }
    }

    fn tell(&mut self) -> Result<(), Stop> {
        let rule = match self.schedule.declared.spec.parse() {
            Ok(rule) => rule,
            Err(error) => return self.stops("rule", not(self.facts), format!("its rule cannot be read: {error}")),
        };
        self.rule(&rule)?;
        self.zone(&rule);
        self.limits(&rule)?;
        match &self.standing.record {
            Some(record) => self.record(&rule, record)?,
            None => {
                self.since(&rule)?;
                self.active(&rule)?;
                self.paused(&rule)?;
                self.unrecorded(&rule)?;
            }
        }
        self.start(&rule);
        self.overlap();
        self.queue()?;
        match self.facts.serving {
            true => {
                self.ok("executor", "the daemon of this home is ready to start it");
                Ok(())
            }
            false => self.stops("executor", Verdict::Waits, "no daemon is ready on this home: nothing that is due starts".to_owned()),
        }
    }

    fn rule(&mut self, rule: &Rule) -> Result<(), Stop> {
        let at = self.facts.at;
        let words = self.schedule.declared.spec.describe();
        if rule.unlimited(at).next() == Some(at) {
            self.ok("rule", format!("{words}: {} is one of its instants", shown(rule, at)));
            return Ok(());
        }
        let before = latest_before(rule, at).map_or("never".to_owned(), |before| shown(rule, before));
        let after = rule.next(at).map_or("never again".to_owned(), |after| shown(rule, after));
        self.stops("rule", not(self.facts), format!("{words} does not fire at {}; before it: {before}; after it: {after}", shown(rule, at)))
    }

    /// What the zone's clock shows then, and what a clock change does to it.
    fn zone(&mut self, rule: &Rule) {
        let at = self.facts.at;
        let zoned = at.to_zoned(rule.time_zone().clone());
        let name = self.schedule.declared.spec.timezone.as_deref().unwrap_or("UTC");
        self.ok("zone", format!("{} {name}, {} UTC", zoned.strftime("%H:%M:%S%:z"), at.strftime("%Y-%m-%d %H:%M:%S")));
        let day = SignedDuration::from_hours(24);
        let (from, until) = (at.saturating_sub(day).unwrap_or(at), at.saturating_add(day).unwrap_or(at));
        for note in rule.notes(from, until).into_iter().filter(|note| note.on == Some(zoned.date())) {
            self.note("zone", note.text);
        }
    }

    fn limits(&mut self, rule: &Rule) -> Result<(), Stop> {
        let limits = &self.schedule.declared.spec.limits;
        let (about, text) = match rule.bar(self.facts.at) {
            None => {
                if limits.starts.is_some() || limits.ends.is_some() {
                    self.ok("window", "it lies between the schedule's start and end");
                }
                if !limits.exclude.is_empty() || !limits.include.is_empty() {
                    self.ok("exclusion", "nothing excludes it");
                }
                return Ok(());
            }
            Some(Barred::BeforeStart(starts)) => ("window", format!("the schedule starts at {starts}")),
            Some(Barred::AfterEnd(ends)) => ("window", format!("the schedule ended at {ends}")),
            Some(Barred::Excluded(period)) => ("exclusion", format!("excluded by {}", named(period))),
            Some(Barred::NotIncluded) => ("exclusion", "it lies in none of the periods that the schedule includes".to_owned()),
        };
        self.stops(about, not(self.facts), text)
    }

    fn since(&mut self, rule: &Rule) -> Result<(), Stop> {
        let since = self.schedule.effective_since;
        match since <= self.facts.at {
            true => self.ok("deployment", format!("the schedule counts since {}", shown(rule, since))),
            false => {
                let text = format!("the schedule was added, changed or resumed at {}: no slot before that exists", shown(rule, since));
                return self.stops("deployment", not(self.facts), text);
            }
        }
        Ok(())
    }

    fn active(&mut self, rule: &Rule) -> Result<(), Stop> {
        if self.schedule.active() {
            self.ok("active", "the schedule is active");
            return Ok(());
        }
        let by = by_whom(&self.schedule.overrides, "active", rule).unwrap_or_else(|| "it is declared so".to_owned());
        self.stops_while_held("active", format!("the schedule is not active: {by}"))
    }

    fn paused(&mut self, rule: &Rule) -> Result<(), Stop> {
        let deployment = self.facts.deployment;
        if !deployment.paused() {
            self.ok("paused", "the deployment is not paused");
            return Ok(());
        }
        let by = by_whom(&deployment.overrides, "paused", rule).unwrap_or_else(|| "it is declared so".to_owned());
        self.stops_while_held("paused", format!("the deployment is paused: {by}"))
    }

    /// What holds a schedule now says nothing about an instant that was dealt with before.
    fn stops_while_held(&mut self, about: &'static str, text: String) -> Result<(), Stop> {
        let dealt_with = self.standing.cursor.is_some_and(|cursor| cursor >= self.facts.at) && self.facts.at < self.facts.now;
        match dealt_with {
            true => {
                self.note(about, text);
                Ok(())
            }
            false => self.stops(about, not(self.facts), text),
        }
    }

    /// The slot has no record: it is to come, was dealt with, or nobody has looked yet.
    fn unrecorded(&mut self, rule: &Rule) -> Result<(), Stop> {
        let Facts { at, now, .. } = *self.facts;
        let tolerated = now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
        let dealt_with = self.standing.cursor.filter(|cursor| *cursor >= at && *cursor <= tolerated);
        if let Some(cursor) = dealt_with {
            let text = format!("the slot was dealt with (all up to {} are), but its record is gone: deleted, or older than what is kept", shown(rule, cursor));
            return self.stops("record", not(self.facts), text);
        }
        if at >= now {
            self.ok("record", "the slot is still to come: nothing is stored about it");
            return Ok(());
        }
        self.note("missed", self.missed_policy());
        let nobody = if self.facts.serving { "nothing has dealt with it yet" } else { "no daemon has looked since: it is dealt with when one starts" };
        self.stops("record", not(self.facts), format!("the slot passed, and {nobody}"))
    }

    fn record(&mut self, rule: &Rule, record: &FlowRun) -> Result<(), Stop> {
        let state = &record.state;
        let said = state.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        let text = format!("flow run '{}' is {} since {}{said}", record.name, state.name, shown(rule, state.timestamp));
        let began = record.start_time.is_some() || record.run_count > 0;
        match state.kind {
            StateType::Scheduled if record.run_count == 0 => {
                self.ok("record", format!("{text}; it stands, whatever becomes of the schedule"));
                Ok(())
            }
            StateType::Cancelled if !began => {
                if let Some(missed) = &record.missed {
                    let more = if missed.more { "more than " } else { "" };
                    self.note("record", format!("one record stands for {more}{} slots from {} to {}", missed.count, shown(rule, missed.from), shown(rule, missed.to)));
                }
                if state.name == "Missed" {
                    self.note("missed", self.missed_policy());
                }
                if state.name == "Skipped" {
                    self.note("overlap", self.overlap_policy());
                }
                self.stops("record", not(self.facts), text)
            }
            kind if kind.is_terminal() => self.stops("record", Verdict::Ran, text),
            StateType::Scheduled | StateType::Paused => self.stops("record", Verdict::Waits, text),
            _ => self.stops("record", Verdict::Runs, text),
        }
    }

    /// Spread and jitter.
    fn start(&mut self, rule: &Rule) {
        let at = self.facts.at;
        let start = start_of_slot(&self.schedule.declared.policy, rule, self.run, at);
        if start > at {
            self.note("start", format!("its run starts at {}, by spread and jitter", shown(rule, start)));
        }
        if let Some(every) = self.schedule.declared.policy.expire_after {
            self.note("expiry", format!("a run that cannot start within {} expires", duration(every.seconds())));
        }
    }

    fn overlap(&mut self) {
        let own = |run: &&FlowRun| run.deployment_id == Some(self.facts.deployment.id) && run.id != self.run;
        let going = self.facts.active.iter().filter(own).count();
        let text = self.overlap_policy();
        match (self.schedule.declared.policy.overlap, going) {
            (Overlap::Allow, _) | (_, 0) => self.ok("overlap", text),
            (_, going) => self.note("overlap", format!("{text}; {going} of them go on now")),
        }
    }

    /// Asks the queue as the dispatcher does, of now, as if the run were due.
    fn queue(&mut self) -> Result<(), Stop> {
        let deployment = self.facts.deployment;
        let spec = &deployment.declared;
        let record = self.standing.record.as_ref();
        let waiting = Waiting {
            run: self.run,
            due: self.facts.at,
            deployment: Some(deployment.id),
            deployment_name: Some(deployment.name.to_string()),
            limit: spec.concurrency_limit.clone(),
            pool: record.map_or_else(|| spec.work_pool.clone(), |run| run.work_pool.clone()),
            queue: record.map_or_else(|| spec.work_queue.clone(), |run| run.work_queue.clone()),
            tags: record.map_or_else(|| spec.tags.clone(), |run| run.tags.clone()),
        };
        let holders: Vec<Holder> = self.facts.active.iter().filter(|run| run.id != self.run).map(holder).collect();
        let pools = pools(self.facts.pools, self.facts.queues);
        let snapshot = Snapshot { pools: &pools, holders: &mut holders.iter(), kinds: self.facts.kinds };
        let verdict = queue::decide(snapshot, &[&waiting], self.facts.at).pop().map(|(_, verdict)| verdict);
        let is_to_come = self.facts.at > self.facts.now;
        match verdict {
            Some(queue::Verdict::Wait(reason)) => match reason {
                Reason::PoolFull { .. } | Reason::QueueFull { .. } | Reason::DeploymentFull { .. } if is_to_come => {
                    self.note("queue", format!("now {reason}; it waits while that is so"));
                    Ok(())
                }
                _ => self.stops("queue", Verdict::Waits, reason.to_string()),
            },
            Some(queue::Verdict::Cancel) => {
                let text = "its deployment's limit is reached, which cancels what is new".to_owned();
                match is_to_come {
                    true => {
                        self.note("queue", format!("now {text}"));
                        Ok(())
                    }
                    false => self.stops("queue", Verdict::WillNotRun, text),
                }
            }
            Some(queue::Verdict::Start { pool: Some(pool), queue }) => {
                self.ok("queue", format!("work queue '{pool}/{}' has room for it", queue.unwrap_or_default()));
                Ok(())
            }
            _ => {
                self.ok("queue", "it belongs to no work pool: the daemon runs it itself");
                Ok(())
            }
        }
    }

    fn missed_policy(&self) -> String {
        let missed = &self.schedule.declared.policy.missed;
        let within = missed.within.map(|every| format!(" that are not older than {}", duration(every.seconds()))).unwrap_or_default();
        match missed.run {
            MissedRun::Skip => "missed slots do not run".to_owned(),
            MissedRun::Latest => format!("of missed slots{within} only the latest runs"),
            MissedRun::All => format!("all missed slots{within} run"),
        }
    }

    fn overlap_policy(&self) -> String {
        match self.schedule.declared.policy.overlap {
            Overlap::Allow => "it may run beside earlier runs of the deployment".to_owned(),
            Overlap::Skip => "it is skipped while an earlier run of the deployment goes on".to_owned(),
            Overlap::Queue { most } => format!("it waits while an earlier run of the deployment goes on (at most {most} wait)"),
            Overlap::CancelRunning => "earlier runs of the deployment are cancelled for it".to_owned(),
        }
    }

    fn ok(&mut self, about: &'static str, text: impl Into<String>) {
        self.links.push(Link { about, mark: Mark::Ok, text: text.into() });
    }

    fn note(&mut self, about: &'static str, text: String) {
        self.links.push(Link { about, mark: Mark::Note, text });
    }

    fn stops(&mut self, about: &'static str, verdict: Verdict, text: String) -> Result<(), Stop> {
        self.links.push(Link { about, mark: Mark::Stops, text });
        Err(Stop(verdict))
    }
}

/// The pools and queues as decisions need them.
fn pools(pools: &[WorkPool], queues: &[WorkQueue]) -> BTreeMap<String, Pool> {
    let mut views = BTreeMap::new();
    for pool in pools {
        let spec = pool.effective();
        let view = Pool { kind: spec.kind, paused: spec.paused, limit: spec.concurrency_limit, queues: BTreeMap::new() };
        views.insert(pool.name.clone(), view);
    }
    for queue in queues {
        let spec = queue.effective();
        let view = Queue { paused: spec.paused, priority: spec.priority, limit: spec.concurrency_limit, filter: spec.filter };
        if let Some(pool) = views.get_mut(&queue.pool) {
            pool.queues.insert(queue.name.clone(), view);
        }
    }
    views
}

fn holder(run: &FlowRun) -> Holder {
    Holder { deployment: run.deployment_id, pool: run.work_pool.clone(), queue: run.work_queue.clone() }
}

/// `by ada since Sat 2026-11-21 09:00:00 UTC (why)`; `None` where nobody set it by hand.
fn by_whom(overrides: &Overrides, field: &str, rule: &Rule) -> Option<String> {
    let set = overrides.get(field)?;
    let why = set.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    Some(format!("by {} since {}{why}", set.who, shown(rule, set.since)))
}

fn named(period: &Period) -> String {
    match &period.name {
        Some(name) => format!("'{name}'"),
        None => format!("the period {}", serde_json::json!(period.span)),
    }
}

/// `Sat 2026-11-21 09:00:00 CET`, on the schedule's own clock.
fn shown(rule: &Rule, at: Timestamp) -> String {
    at.to_zoned(rule.time_zone().clone()).strftime("%a %Y-%m-%d %H:%M:%S%.f %Z").to_string()
}

fn duration(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min")];
    let unit = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds % unit == 0.0);
    unit.map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
}

/// Looks back over spans that double, so that a rule of every second costs no more than a yearly one; at most 20 years.
fn latest_before(rule: &Rule, at: Timestamp) -> Option<Timestamp> {
    let longest = SignedDuration::from_hours(24 * 366 * 20);
    let mut span = SignedDuration::from_secs(60);
    loop {
        let from = at.saturating_sub(span).unwrap_or(Timestamp::MIN);
        let last = rule.instants(from).take_while(|instant| *instant < at).last();
        if last.is_some() || span > longest {
            return last;
        }
        span = span.checked_mul(2).unwrap_or(SignedDuration::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::deployment::{DeploymentSpec, FullName};
    use crate::model::id::{DeploymentId, FlowId, ScheduleId};
    use crate::model::overrides::Override;
    use crate::model::schedule::ScheduleDeclaration;
    use crate::model::state::Proposed;
    use crate::model::transition::{Context, transition};
    use crate::schedule::{RuleSpec, Spec};
    use uuid::Uuid;

    const NOW: &str = "2027-03-26T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn deployment() -> Deployment {
        let rule = RuleSpec::Cron { expression: "30 2 * * *".to_owned(), day_or: true };
        let created = at("2027-01-01T00:00:00Z");
        let schedule = Schedule {
            id: ScheduleId(Uuid::from_u128(3)),
            key: "main".to_owned(),
            declared: ScheduleDeclaration::new(Spec::new(rule, Some("Europe/Berlin".to_owned()))),
            effective_since: created,
            overrides: BTreeMap::new(),
            created,
            updated: created,
        };
        Deployment {
            id: DeploymentId(Uuid::from_u128(1)),
            flow_id: FlowId(Uuid::from_u128(2)),
            name: FullName::new("etl", "daily"),
            declared: DeploymentSpec::default(),
            schedules: vec![schedule],
            owner: None,
            root: None,
            overrides: BTreeMap::new(),
            created,
            updated: created,
        }
    }

    fn asked(deployment: &Deployment, instant: &str, cursor: Option<&str>, record: Option<FlowRun>) -> Answer {
        let schedule = &deployment.schedules[0];
        let schedules = vec![Standing { schedule, cursor: cursor.map(at), record }];
        let facts = Facts {
            now: at(NOW), at: at(instant), deployment, schedules, pools: &[], queues: &[], active: &[], kinds: &["process"], serving: true,
        };
        why(&facts)
    }

    /// The verdict, and the last link.
    fn end(answer: &Answer) -> (Verdict, &'static str, &str) {
        let last = answer.schedules[0].links.last().unwrap();
        (answer.verdict, last.about, &last.text)
    }

    /// A night that is to come: 02:30 in Berlin, winter time.
    const TONIGHT: &str = "2027-03-27T01:30:00Z";

    #[test]
    fn what_is_to_come_is_followed_to_the_executor() {
        let answer = asked(&deployment(), TONIGHT, Some("2027-03-26T01:30:00Z"), None);
        assert_eq!(end(&answer).0, Verdict::WillRun);
        assert_eq!(answer.summary, "will run");
        let links: Vec<_> = answer.schedules[0].links.iter().map(|link| link.about).collect();
        assert_eq!(links, ["rule", "zone", "deployment", "active", "paused", "record", "overlap", "queue", "executor"]);
        assert!(answer.schedules[0].links[0].text.contains("Sat 2027-03-27 02:30:00 CET"), "{:#?}", answer.schedules[0].links);
    }

    #[test]
    fn a_clock_change_is_told() {
        let answer = asked(&deployment(), "2027-03-28T01:30:00Z", None, None);
        let note = answer.schedules[0].links.iter().find(|link| link.mark == Mark::Note).unwrap();
        assert!(note.about == "zone" && note.text.contains("2027-03-28") && note.text.contains("03:30"), "{note:?}");
    }

    #[test]
    fn each_link_can_stop_the_chain() {
        let plain = deployment();
        let miss = asked(&plain, "2027-03-27T02:00:00Z", None, None);
        assert_eq!((end(&miss).0, end(&miss).1), (Verdict::WillNotRun, "rule"));
        assert!(miss.summary.contains("before it: Sat 2027-03-27 02:30:00 CET; after it: Sun 2027-03-28 03:30:00 CEST"), "{}", miss.summary);

        let stopped = |change: &dyn Fn(&mut Deployment), expected: (Verdict, &str), words: &str| {
            let mut changed = deployment();
            change(&mut changed);
            let answer = asked(&changed, TONIGHT, None, None);
            let (verdict, about, text) = end(&answer);
            assert_eq!((verdict, about), expected, "{text}");
            assert!(text.contains(words), "{text:?} does not say {words:?}");
        };
        let by_ada = |value: bool| {
            let since = at("2027-03-20T00:00:00Z");
            Override { value: value.into(), who: "ada".to_owned(), why: Some("migration".to_owned()), since, until: None }
        };
        let no = Verdict::WillNotRun;
        stopped(&|d| d.schedules[0].effective_since = at("2027-04-01T00:00:00Z"), (no, "deployment"), "added, changed or resumed");
        stopped(&|d| drop(d.schedules[0].overrides.insert("active".to_owned(), by_ada(false))), (no, "active"), "by ada since Sat 2027-03-20");
        stopped(&|d| drop(d.overrides.insert("paused".to_owned(), by_ada(true))), (no, "paused"), "(migration)");
        stopped(&|d| d.declared.paused = true, (no, "paused"), "declared so");
        stopped(&|d| d.schedules[0].declared.spec.limits.ends = Some("2027-02-01T00:00".parse().unwrap()), (no, "window"), "ended at 2027-02-01");
        stopped(&|d| d.schedules[0].declared.spec.limits.starts = Some("2028-02-01T00:00".parse().unwrap()), (no, "window"), "starts at 2028");
        let holiday = |d: &mut Deployment| {
            let span = crate::schedule::Span::Days { from: "2027-03-26".parse().unwrap(), to: "2027-03-29".parse().unwrap() };
            d.schedules[0].declared.spec.limits.exclude = vec![Period { span, name: Some("holidays: Easter".to_owned()) }];
        };
        stopped(&holiday, (no, "exclusion"), "'holidays: Easter'");
        stopped(&|d| d.declared.work_pool = Some("gone".to_owned()), (Verdict::Waits, "queue"), "'gone' does not exist");
        stopped(&|d| d.schedules.push(Schedule { key: "other".to_owned(), ..d.schedules[0].clone() }), (Verdict::WillRun, "executor"), "ready");
    }

    #[test]
    fn the_past_is_told_from_its_record() {
        let plain = deployment();
        let (past, now) = ("2027-03-26T01:30:00Z", at(NOW));
        let schedule = &plain.schedules[0];
        let rule = schedule.declared.spec.parse().unwrap();
        let run = crate::dispatch::scheduled::run_of_slot(&plain, schedule, &rule, at(past), at(past));
        let entered = |proposed: Proposed| {
            let context = Context { now, force: true, has_infrastructure: false };
            transition(&run, proposed, context).changed().cloned()
        };
        let completed = asked(&plain, past, Some(past), entered(Proposed::new(StateType::Completed).message("exited with code 0")));
        assert_eq!((end(&completed).0, end(&completed).1), (Verdict::Ran, "record"));
        let missed = asked(&plain, past, Some(past), entered(Proposed::new(StateType::Cancelled).named("Missed").message("the daemon was down")));
        assert!(missed.verdict == Verdict::DidNotRun && missed.summary.contains("Missed") && missed.summary.contains("the daemon was down"));
        assert!(missed.schedules[0].links.iter().any(|link| link.about == "missed"));
        assert_eq!(asked(&plain, past, Some(past), entered(Proposed::new(StateType::Running))).verdict, Verdict::Runs);
        // A run that is late waits for what the queue says.
        assert_eq!(asked(&plain, past, Some(past), Some(run)).verdict, Verdict::WillRun);
        let gone = asked(&plain, past, Some(past), None);
        assert!(gone.verdict == Verdict::DidNotRun && gone.summary.contains("its record is gone"), "{}", gone.summary);
        let unseen = asked(&plain, past, None, None);
        assert!(unseen.verdict == Verdict::DidNotRun && unseen.summary.contains("nothing has dealt with it"), "{}", unseen.summary);
    }

    #[test]
    fn the_next_slot_is_asked_about_where_nobody_says() {
        let mut paused = deployment();
        paused.declared.paused = true;
        assert_eq!(next_slot(&paused, at(NOW)), at(TONIGHT));
        paused.schedules.clear();
        assert_eq!(next_slot(&paused, at(NOW)), at(NOW));
    }
}
