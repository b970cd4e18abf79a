//! What should have happened: for each schedule the set of slots of its rule while it was in force. Knows nothing of cursors, timers,
//! runs made ahead or orders of work.
use super::world::{Clock, Processes};
use jiff::{SignedDuration, Timestamp};
use reeve::model::deployment::Deployment;
use reeve::model::id::{DeploymentId, ScheduleId};
use reeve::model::policy::OnResume;
use reeve::model::run::FlowRun;
use reeve::model::schedule::Schedule;
use reeve::model::state::{StateType, names};
use reeve::schedule::{Resolution, Rule, RuleSpec};
use reeve::store::ledger::Ledger;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// A slot this young, when the daemon first looks, must run: it is late at most.
const LATE: SignedDuration = SignedDuration::from_secs(14);

/// A run may be made this long before its slot.
const AHEAD: SignedDuration = SignedDuration::from_secs(1);

/// A rule's slots from an instant on, found once each and as far as they are asked for.
struct Slots {
    rule: Rule,
    found: Vec<Timestamp>,
    from: Timestamp,
    ended: bool,
}

impl Slots {
    fn new(rule: Rule, from: Timestamp) -> Self {
        Slots { rule, found: Vec::new(), from, ended: false }
    }

    /// All up to an instant and at least one beyond it, if there is one.
    fn until(&mut self, instant: Timestamp) -> &[Timestamp] {
        while !self.ended && self.found.last().is_none_or(|last| *last <= instant) {
            let from = self.found.last().map_or(self.from, |last| *last + SignedDuration::from_nanos(1));
            let before = self.found.len();
            self.found.extend(self.rule.instants(from).take(32));
            self.ended = self.found.len() < before + 32;
        }
        &self.found
    }

    /// The slots in a closed range.
    fn within(&mut self, from: Timestamp, to: Timestamp) -> &[Timestamp] {
        let slots = self.until(to);
        let (first, end) = (slots.partition_point(|slot| *slot < from), slots.partition_point(|slot| *slot <= to));
        &slots[first..end.max(first)]
    }

    fn after(&mut self, slot: Timestamp) -> Option<Timestamp> {
        let slots = self.until(slot);
        slots.get(slots.partition_point(|other| *other <= slot)).copied()
    }
}

/// A time during which a schedule was in force with one rule.
struct Span {
    slots: RefCell<Slots>,
    meaning: Meaning,
    since: Timestamp,
    /// The first slot that no pass has reached yet.
    next: Option<Timestamp>,
    /// Up to here every slot must be accounted for: the furthest instant of a pass that was finished.
    until: Option<Timestamp>,
    /// Where it ended, by the clock and by time itself.
    closed: Option<(Timestamp, i64)>,
}

/// What a rule means: its own words where these differ only in spelling, how it settles clock changes.
type Meaning = (usize, Resolution);

#[derive(Default)]
struct History {
    spans: Vec<Span>,
    /// As the record had it when it was last seen.
    effective_since: Option<Timestamp>,
}

impl History {
    fn open(&mut self) -> Option<&mut Span> {
        self.spans.last_mut().filter(|span| span.closed.is_none())
    }
}

#[derive(Default)]
pub struct Oracle {
    schedules: BTreeMap<(DeploymentId, ScheduleId), History>,
    /// Slots that came while the daemon looked.
    must_run: BTreeSet<(ScheduleId, Timestamp)>,
    /// Whether the clock was ever set back: then a slot that was counted as missed may still come.
    pub set_back: bool,
}

/// What was found in a history that was right.
#[derive(Default, Debug)]
pub struct Found {
    pub slots: u64,
    pub missed: u64,
    pub counted: u64,
    pub started: u64,
    pub not_run: u64,
}

impl Oracle {
    /// Takes note of the definitions as they are from now on. `meaning` says which rule a stored one is.
    pub fn definitions(&mut self, ledger: &Ledger, clock: Clock, meaning: &dyn Fn(&RuleSpec, Option<&str>) -> usize) -> Result<(), String> {
        let deployments: Vec<Deployment> = ledger.deployments().collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let mut in_force = BTreeSet::new();
        for deployment in &deployments {
            for schedule in &deployment.schedules {
                let id = (deployment.id, schedule.id);
                if !deployment.paused() && schedule.active() {
                    in_force.insert(id);
                    self.in_force(id, schedule, clock, meaning)?;
                }
            }
        }
        for (id, history) in &mut self.schedules {
            if !in_force.contains(id)
                && let Some(span) = history.open()
            {
                span.closed = Some((clock.now, clock.elapsed));
            }
        }
        for deployment in &deployments {
            for schedule in &deployment.schedules {
                self.schedules.entry((deployment.id, schedule.id)).or_default().effective_since = Some(schedule.effective_since);
            }
        }
        Ok(())
    }

    fn in_force(&mut self, id: (DeploymentId, ScheduleId), schedule: &Schedule, clock: Clock, meaning: &dyn Fn(&RuleSpec, Option<&str>) -> usize) -> Result<(), String> {
        let spec = &schedule.declared.spec;
        let meaning = (meaning(&spec.rule, spec.timezone.as_deref()), spec.dst.unwrap_or_else(|| spec.rule.resolution()));
        let history = self.schedules.entry(id).or_default();
        let before = history.effective_since;
        let moved = history.spans.last().is_some_and(|span| span.meaning != meaning);
        if let Some(span) = history.open() {
            if !moved {
                return match span.since == schedule.effective_since {
                    true => Ok(()),
                    false => Err(format!("{}: nothing happened to its rule, and it is effective since {} instead of {}", schedule.key, schedule.effective_since, span.since)),
                };
            }
            span.closed = Some((clock.now, clock.elapsed));
        }
        let rule = spec.parse().map_err(|error| error.to_string())?;
        let mut since = clock.now;
        if schedule.declared.policy.on_resume == OnResume::Latest
            && let Some(before) = before
            && since != schedule.effective_since
        {
            // It makes up for the newest slot of its pause.
            since = rule.instants(before).take_while(|slot| *slot < clock.now).last().unwrap_or(since);
        }
        if since != schedule.effective_since {
            return Err(format!("{}: it is effective since {}, expected {since} (now {})", schedule.key, schedule.effective_since, clock.now));
        }
        let mut slots = Slots::new(rule, since);
        let next = slots.until(since).first().copied();
        history.spans.push(Span { slots: RefCell::new(slots), meaning, since, next, until: None, closed: None });
        Ok(())
    }

    /// The daemon has looked at everything at this instant and found nothing more to do.
    pub fn passed(&mut self, now: Timestamp) {
        for ((_, schedule), history) in &mut self.schedules {
            let Some(span) = history.open() else { continue };
            while let Some(slot) = span.next.filter(|slot| *slot <= now) {
                if slot >= now - LATE {
                    self.must_run.insert((*schedule, slot));
                }
                span.next = span.slots.get_mut().after(slot);
            }
            span.until = span.until.max(Some(now));
        }
    }

    /// Holds everything that is left against what should be.
    pub fn check(&self, ledger: &Ledger, processes: &Processes, clock: Clock) -> Result<Found, String> {
        let mut found = Found::default();
        let mut runs: BTreeMap<(ScheduleId, Timestamp), FlowRun> = BTreeMap::new();
        for run in ledger.runs_newest_first(None) {
            let run = run.map_err(|error| error.to_string())?;
            let slot = run.slot.clone().ok_or_else(|| format!("run {} has no slot", run.id))?;
            self.check_run(&run, processes, clock)?;
            if let Some(double) = runs.insert((slot.schedule, slot.at), run) {
                return Err(format!("doubled: slot {} of {} has a second run {}", slot.at, slot.key, double.id));
            }
        }
        if let Some(run) = processes.doubles.first() {
            return Err(format!("doubled: run {run} was started twice"));
        }
        for ((deployment, schedule), history) in &self.schedules {
            let counted: Vec<_> = runs.values().filter(|run| run.slot.as_ref().is_some_and(|slot| slot.schedule == *schedule)).filter_map(|run| run.missed.clone()).collect();
            for missed in &counted {
                let holds = |span: &Span| {
                    let slots = span.slots.borrow_mut().within(missed.from, missed.to).len() as u64;
                    slots == missed.count || missed.more && slots > missed.count
                };
                if !history.spans.iter().any(holds) {
                    return Err(format!("schedule {schedule} has no such slots: {missed}"));
                }
                found.counted += missed.count - 1;
            }
            for span in &history.spans {
                let Some(until) = span.until else { continue };
                for slot in span.slots.borrow_mut().within(span.since, until).iter().copied() {
                    found.slots += 1;
                    let run = runs.get(&(*schedule, slot));
                    let in_count = counted.iter().any(|missed| (missed.from..=missed.to).contains(&slot));
                    match run {
                        None if !in_count => return Err(format!("lost: slot {slot} of schedule {schedule} of {deployment}, in force since {}, looked at until {until}", span.since)),
                        Some(run) if in_count && run.missed.is_none() && !self.set_back => return Err(format!("doubled: slot {slot} of {schedule} is counted as missed, and has run {} too", run.id)),
                        _ => {}
                    }
                }
            }
        }
        for (schedule, slot) in &self.must_run {
            let run = runs.get(&(*schedule, *slot));
            if run.is_none_or(|run| run.state.name == names::MISSED) {
                return Err(format!("lost: slot {slot} of schedule {schedule} came while the daemon looked, and did not run: {:?}", run.map(|run| &run.state)));
            }
        }
        for run in runs.values() {
            let started = processes.started.contains_key(&run.id);
            found.started += u64::from(started);
            found.missed += u64::from(run.state.name == names::MISSED);
            found.not_run += u64::from(!started && run.state.name != names::MISSED);
        }
        Ok(found)
    }

    /// Whether a run may be there, started when it was, and is where it should be.
    fn check_run(&self, run: &FlowRun, processes: &Processes, clock: Clock) -> Result<(), String> {
        let slot = run.slot.as_ref().ok_or("a run without a slot")?;
        let deployment = run.deployment_id.ok_or("a run without a deployment")?;
        let what = format!("run {} of slot {} of {} ({}, {})", run.id, slot.at, slot.key, run.state.kind, run.state.name);
        let history = self.schedules.get(&(deployment, slot.schedule)).ok_or_else(|| format!("{what}: of a schedule that never was in force"))?;
        let started = processes.started.get(&run.id);
        let may_be = |span: &Span| {
            if span.slots.borrow_mut().within(slot.at, slot.at).is_empty() {
                return false;
            }
            let reached = span.until.into_iter().chain(span.closed.map(|closed| closed.0)).max();
            let ahead = || reached.is_none_or(|reached| slot.at <= reached + AHEAD);
            reached.is_some_and(|reached| slot.at <= reached)
                || match (span.closed, started) {
                    // Made ahead, and still to come.
                    (None, _) => ahead(),
                    // Made ahead, and claimed before the schedule was no more in force: it stands. Or never started.
                    (Some((_, at)), started) => ahead() && started.is_none_or(|process| process.began <= at),
                }
        };
        if !history.spans.iter().any(may_be) {
            let spans: Vec<String> = history.spans.iter().map(|span| format!("{} to {:?}, closed {:?}", span.since, span.until, span.closed)).collect();
            return Err(format!("{what}: there is no such slot; in force: {}; started: {:?}", spans.join("; "), started.map(|process| process.at)));
        }
        let moved = |span: &Span| run.expected_start_time >= slot.at && span.slots.borrow_mut().after(slot.at).is_none_or(|next| run.expected_start_time < next);
        if !history.spans.iter().any(moved) {
            return Err(format!("{what}: moved: it is to start at {}", run.expected_start_time));
        }
        if let Some(process) = started
            && process.at < run.expected_start_time - SignedDuration::from_millis(100)
        {
            return Err(format!("{what}: moved: it started at {}", process.at));
        }
        if started.is_some_and(|process| process.noted) && !run.is_over() {
            return Err(format!("{what}: its process ended, and it did not"));
        }
        let overdue = run.state.kind == StateType::Scheduled && run.expected_start_time < clock.now - SignedDuration::from_secs(1);
        let blocked = || processes.started.values().any(|process| !process.over);
        if overdue && !blocked() {
            return Err(format!("{what}: lost: it is due, and does not start (now {})", clock.now));
        }
        Ok(())
    }
}
