//! Why a run has not started: what it waits for, who holds that, and who goes first.
use super::obstacle::{self, HeldBy, Obstacle};
use crate::dispatch::queue::{self, Cancelled, Capacity, Holder, Line, Reason, Snapshot, Waiting};
use crate::dispatch::scheduled::ends_with_pause;
use crate::dispatch::wait;
use crate::model::deployment::Deployment;
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// How many obstacles are told, and how many of them in the summary: a run may bear many tags.
const MOST_OBSTACLES: usize = 20;
const MOST_IN_SUMMARY: usize = 3;

/// Everything that the answer depends on.
pub struct RunFacts<'a> {
    pub now: Timestamp,
    pub run: &'a FlowRun,
    pub deployments: &'a BTreeMap<DeploymentId, Deployment>,
    pub capacity: &'a Capacity,
    /// Every run that is not over.
    pub active: &'a [FlowRun],
    /// The kinds of pool that this host executes itself.
    pub kinds: &'a [&'a str],
    /// Whether a daemon is there.
    pub serving: bool,
}

/// How it stands with a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunAnswer {
    pub run: FlowRunId,
    pub name: String,
    /// One sentence without a full stop, that begins with the state.
    pub summary: String,
    /// All that stands in its way at this moment, each by itself: first what nothing but a person can lift, then what runs that end
    /// lift, the fewest slots first; last its time. At most 20.
    pub obstacles: Vec<Obstacle>,
    /// How many more there are.
    pub more_obstacles: usize,
    /// The runs that hold what it waits for: those that the obstacles name, each once, the oldest first.
    pub holders: Vec<HeldBy>,
    /// About how many other runs go first that wait for nothing that this one does not wait for.
    pub ahead: usize,
    /// That in words, with what it depends on; absent where there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_line: Option<String>,
}

/// The whole answer.
pub fn why_run(facts: &RunFacts<'_>) -> RunAnswer {
    let run = facts.run;
    let state = &run.state;
    let said = state.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    match state.kind {
        StateType::Scheduled => {}
        kind if kind.is_terminal() => return plain(run, format!("is over: {} since {}{said}", state.name, shown(state.timestamp))),
        _ => return plain(run, format!("is {} since {}{said}", state.name, shown(state.timestamp))),
    }
    let Some(id) = run.deployment_id else {
        return plain(run, "waits for whoever made it: it belongs to no deployment".to_owned());
    };
    let Some(deployment) = facts.deployments.get(&id) else {
        return plain(run, "will be cancelled: its deployment is gone".to_owned());
    };
    if deployment.paused() && ends_with_pause(run) {
        return plain(run, "will be cancelled: its deployment is paused".to_owned());
    }
    waits(facts, deployment)
}

fn plain(run: &FlowRun, summary: String) -> RunAnswer {
    let (obstacles, holders) = (Vec::new(), Vec::new());
    RunAnswer { run: run.id, name: run.name.clone(), summary, obstacles, more_obstacles: 0, holders, ahead: 0, in_line: None }
}

/// Of a run that is to start.
fn waits(facts: &RunFacts<'_>, deployment: &Deployment) -> RunAnswer {
    let run = facts.run;
    let time = its_time(facts);
    let line = asked(facts, deployment);
    let mut reasons = line.obstacles;
    // What is full now says nothing of a time that is to come.
    reasons.retain(|reason| time.is_none() || reason.needs_a_person());
    reasons.sort_by_key(rank);
    let mut obstacles: Vec<Obstacle> = (!facts.serving).then(obstacle::no_daemon).into_iter().collect();
    let more_obstacles = (obstacles.len() + reasons.len()).saturating_sub(MOST_OBSTACLES);
    reasons.truncate(MOST_OBSTACLES - obstacles.len());
    obstacles.extend(reasons.iter().map(|reason| obstacle::of(facts, deployment, reason)));
    let waits_for_others = !obstacles.is_empty();
    let by_hand = obstacles.iter().any(|obstacle| obstacle.needs_a_person);
    let summary = match (&time, line.verdict) {
        (None, queue::Verdict::Cancel(why)) if facts.serving => return plain(run, format!("will not run: {}", never(why))),
        (None, _) if !waits_for_others => return plain(run, "is about to start".to_owned()),
        (None, _) => format!("waits: {}", several(&obstacles, more_obstacles)),
        (Some(time), _) if waits_for_others => format!("waits for {time}; besides: {}", several(&obstacles, more_obstacles)),
        (Some(time), _) => format!("waits for {time}"),
    };
    let ahead = if time.is_some() { 0 } else { line.ahead };
    let in_line = if time.is_some() || !waits_for_others { None } else { in_line(ahead, by_hand) };
    obstacles.extend(time.map(obstacle::time));
    let mut holders: Vec<HeldBy> = obstacles.iter().flat_map(|obstacle| obstacle.holders.iter().cloned()).collect();
    holders.sort_by_key(|held| (held.since, held.run));
    holders.dedup_by_key(|held| held.run);
    RunAnswer { run: run.id, name: run.name.clone(), summary, obstacles, more_obstacles, holders, ahead, in_line }
}

/// What it waits for of its time, where that has not come.
fn its_time(facts: &RunFacts<'_>) -> Option<String> {
    let run = facts.run;
    let due = wait::due(run, facts.now);
    let why = if run.run_count > 0 { "its next attempt" } else { "its time" };
    let since = shown(run.waits_since());
    (due > facts.now).then(|| match wait::left(run, facts.now) {
        Some(left) => format!("{why}, at most {left:#} from now: the clock was set back since {since}"),
        None => format!("{why}, {}", shown(due)),
    })
}

/// Asks the queue as the dispatcher does, of all runs that are due; of this one as if it were.
fn asked(facts: &RunFacts<'_>, deployment: &Deployment) -> Line {
    let (run, now) = (facts.run, facts.now);
    let rests = |run: &FlowRun| run.state.kind == StateType::Scheduled && run.run_count > 0;
    let holding = facts.active.iter().chain([run]).filter(|run| run.state.kind.holds_slots() || rests(run));
    let holders: Vec<Holder> = holding.map(Holder::of).collect();
    let others = facts.active.iter().filter(|other| other.state.kind == StateType::Scheduled && other.id != run.id);
    let others = others.filter_map(|run| Some(Waiting::of(run, facts.deployments.get(&run.deployment_id?)?, now)));
    let mut waiting: Vec<Waiting> = others.filter(|waiting| waiting.due <= now).collect();
    let of_it = Waiting::of(run, deployment, now);
    waiting.push(Waiting { due: of_it.due.min(now), ..of_it });
    let waiting: Vec<&Waiting> = waiting.iter().collect();
    // Who was served last is known to the dispatcher alone: without that the place in line is about right.
    let (capacity, kinds, served) = (facts.capacity, facts.kinds, HashMap::new());
    let snapshot = Snapshot { capacity, holders: &mut holders.iter(), served: &served, kinds, now, horizon: now };
    let starts = || Line { verdict: queue::Verdict::Start { pool: None, queue: None }, obstacles: Vec::new(), ahead: 0 };
    queue::line(snapshot, &waiting, run.id).unwrap_or_else(starts)
}

/// What a person must lift comes first; then what is the narrowest.
fn rank(reason: &Reason) -> (bool, u32, u8) {
    let (slots, kind) = match reason {
        Reason::StillGoing(_) => (1, 0),
        Reason::DeploymentFull { limit } => (*limit, 1),
        Reason::QueueFull { limit, .. } => (*limit, 2),
        Reason::TagFull { limit, .. } => (*limit, 3),
        Reason::PoolFull { limit, .. } => (*limit, 4),
        _ => (0, 0),
    };
    (!reason.needs_a_person(), slots, kind)
}

fn several(obstacles: &[Obstacle], more: usize) -> String {
    let mut told: Vec<String> = obstacles.iter().take(MOST_IN_SUMMARY).map(|obstacle| obstacle.text.clone()).collect();
    match obstacles.len().saturating_sub(MOST_IN_SUMMARY) + more {
        0 => {}
        more => told.push(format!("and {more} more")),
    }
    told.join("; ")
}

fn in_line(ahead: usize, by_hand: bool) -> Option<String> {
    let others = match ahead {
        0 => None,
        1 => Some("1 other run that waits for the same goes first".to_owned()),
        many => Some(format!("about {many} other runs that wait for the same go first")),
    };
    match (by_hand, others) {
        (false, others) => others.map(|others| format!("as things stand, {others}")),
        (true, None) => Some("it waits until somebody acts; other runs go first meanwhile".to_owned()),
        (true, Some(others)) => Some(format!("it waits until somebody acts; other runs go first meanwhile; after that, as things stand, {others}")),
    }
}

fn never(why: Cancelled) -> String {
    match why {
        Cancelled::DeploymentFull => "its deployment's limit is reached, which cancels what is new".to_owned(),
        Cancelled::Skipped(why) => why.to_string(),
        Cancelled::Expired => "it is too late to start it (expire_after)".to_owned(),
    }
}

/// `2026-11-21 18:06:02 UTC`, as elsewhere in the answer.
fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests;
