//! Why a deployment ran, did not run, or will run at an instant: the whole chain from its rule to whoever executes it.
//!
//! A chain is told link by link, up to the first that stops it. It decides nothing: each link asks what the daemon asks (the rule,
//! the slot's record, `queue`), of the same facts, and puts the answer into words.
mod obstacle;
mod run;

pub use obstacle::{HeldBy, Obstacle};
pub use run::{RunAnswer, RunFacts, why_run};

use super::due::CLOCK_TOLERANCE;
use super::queue::{self, Cancelled, Capacity, Holder, Reason, Snapshot, Waiting};
use super::scheduled::start_of_slot;
use crate::model::deployment::Deployment;
use crate::model::id::{FlowRunId, of_slot};
use crate::model::overrides::Overrides;
use crate::model::policy::{MissedRun, Overlap};
use crate::model::run::FlowRun;
use crate::model::schedule::Schedule;
use crate::model::state::{StateType, names};
use crate::schedule::{Barred, Period, Rule};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::HashMap;

/// Everything that the answer depends on.
pub struct Facts<'a> {
    pub now: Timestamp,
    /// The instant that is asked about.
    pub at: Timestamp,
    pub deployment: &'a Deployment,
    /// Its schedules, with what is stored of them.
    pub schedules: Vec<Standing<'a>>,
    pub capacity: &'a Capacity,
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
        if self.standing.record.is_some() {
            self.note("rule", format!("{words} does not fire at {} any more: it was changed since", shown(rule, at)));
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
        if self.standing.record.is_some() {
            self.note(about, text);
            return Ok(());
        }
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
        // A clock that was set back came to the record's own slot, and it ran: the others were missed.
        let of_another = record.slot.as_ref().is_some_and(|slot| slot.at != self.facts.at) && state.name != names::MISSED;
        if let Some(missed) = record.missed.as_ref().filter(|_| of_another) {
            return self.stops("record", not(self.facts), missed.to_string());
        }
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
                if state.name == names::MISSED {
                    self.note("missed", self.missed_policy());
                }
                if state.name == names::SKIPPED {
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
            expires: None,
            overlap: self.schedule.declared.policy.overlap,
            late_at: None,
            first_attempt: true,
            deployment: Some(deployment.id),
            deployment_name: Some(deployment.name.to_string()),
            limit: spec.concurrency_limit.clone(),
            pool: record.map_or_else(|| spec.work_pool.clone(), |run| run.work_pool.clone()),
            queue: record.map_or_else(|| spec.work_queue.clone(), |run| run.work_queue.clone()),
            tags: record.map_or_else(|| spec.tags.clone(), |run| run.tags.clone()),
        };
        let holders: Vec<Holder> = self.facts.active.iter().filter(|run| run.id != self.run).map(Holder::of).collect();
        let when = self.facts.at.max(self.facts.now);
        let (capacity, kinds, served) = (self.facts.capacity, self.facts.kinds, HashMap::new());
        let snapshot = Snapshot { capacity, holders: &mut holders.iter(), served: &served, kinds, now: when, horizon: when };
        let verdict = queue::decide(snapshot, &[&waiting]).pop().map(|(_, verdict)| verdict);
        let is_to_come = self.facts.at > self.facts.now;
        match verdict {
            Some(queue::Verdict::Wait(reason) | queue::Verdict::Supersede { reason, .. }) if is_to_come && passes(&reason) => {
                self.note("queue", format!("now {reason}: it waits while that is so"));
                Ok(())
            }
            Some(queue::Verdict::Wait(reason) | queue::Verdict::Supersede { reason, .. }) => {
                self.stops("queue", Verdict::Waits, reason.to_string())
            }
            Some(queue::Verdict::Cancel(why)) => {
                let text = match why {
                    Cancelled::DeploymentFull => "its deployment's limit is reached, which cancels what is new".to_owned(),
                    Cancelled::Skipped(why) => format!("it is skipped: {why}"),
                    Cancelled::Expired => "it is too late to start it (expire_after)".to_owned(),
                };
                match is_to_come {
                    true => {
                        self.note("queue", format!("as things are now, {text}"));
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

    /// Ends the chain. What ran, or is running, was stopped by nothing.
    fn stops(&mut self, about: &'static str, verdict: Verdict, text: String) -> Result<(), Stop> {
        let mark = if matches!(verdict, Verdict::Ran | Verdict::Runs) { Mark::Ok } else { Mark::Stops };
        self.links.push(Link { about, mark, text });
        Err(Stop(verdict))
    }
}

/// Whether what a run waits for is other runs, which end.
fn passes(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::PoolFull { .. } | Reason::QueueFull { .. } | Reason::TagFull { .. } | Reason::DeploymentFull { .. } | Reason::StillGoing(_)
    )
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
        None => format!("the period {}", period.span),
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
mod tests;
