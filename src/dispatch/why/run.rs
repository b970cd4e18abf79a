//! Why a run has not started: what it waits for, who holds that, and who goes first.
use crate::dispatch::queue::{self, Cancelled, Capacity, Holder, Reason, Snapshot, Waiting};
use crate::dispatch::wait;
use crate::model::deployment::Deployment;
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::run::FlowRun;
use crate::model::state::StateType;
use crate::model::work_pool::DEFAULT_QUEUE;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

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
    /// The runs that hold what it waits for.
    pub holders: Vec<HeldBy>,
    /// How many other runs wait for the same and go first, if they were all asked now. About: which deployment's turn it is depends on
    /// what ends first, and what comes later may have a higher priority.
    pub ahead: usize,
}

/// A run that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldBy {
    pub run: FlowRunId,
    pub name: String,
    pub deployment: Option<String>,
    pub since: Timestamp,
}

/// The whole answer.
pub fn why_run(facts: &RunFacts<'_>) -> RunAnswer {
    let run = facts.run;
    let answer = |summary: String| RunAnswer { run: run.id, name: run.name.clone(), summary, holders: Vec::new(), ahead: 0 };
    let state = &run.state;
    let said = state.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    match state.kind {
        StateType::Scheduled => {}
        kind if kind.is_terminal() => return answer(format!("is over: {} since {}{said}", state.name, shown(state.timestamp))),
        _ => return answer(format!("is {} since {}{said}", state.name, shown(state.timestamp))),
    }
    let deployment = run.deployment_id.and_then(|id| facts.deployments.get(&id));
    let Some(deployment) = deployment else {
        return answer(match run.deployment_id {
            None => "waits for whoever made it: it belongs to no deployment".to_owned(),
            Some(_) => "will be cancelled: its deployment is gone".to_owned(),
        });
    };
    let due = wait::due(run, facts.now);
    if due > facts.now {
        let why = if run.run_count > 0 { "its next attempt" } else { "its time" };
        if let Some(left) = wait::left(run, facts.now) {
            return answer(format!("waits for {why}, at most {:#} from now: the clock was set back since {}", left, shown(run.waits_since())));
        }
        return answer(format!("waits for {why}, {}", shown(due)));
    }
    if !facts.serving {
        return answer("waits: no daemon is ready on this home, and nothing that is due starts".to_owned());
    }
    asked(facts, deployment, answer)
}

/// Asks the queue as the dispatcher does, of all runs that wait.
fn asked(facts: &RunFacts<'_>, deployment: &Deployment, answer: impl Fn(String) -> RunAnswer) -> RunAnswer {
    let run = facts.run;
    let holders: Vec<Holder> = facts.active.iter().filter(|run| run.state.kind.holds_slots()).map(Holder::of).collect();
    let waiting = facts.active.iter().chain([run]).filter(|run| run.state.kind == StateType::Scheduled);
    let waiting: BTreeMap<FlowRunId, Waiting> = waiting.filter_map(|run| Some((run.id, Waiting::of(run, facts.deployments.get(&run.deployment_id?)?, facts.now)))).collect();
    let due: Vec<&Waiting> = waiting.values().filter(|waiting| waiting.due <= facts.now).collect();
    // Who was served last is known to the dispatcher alone: without that the place in line is about right.
    let (capacity, kinds, served, now) = (facts.capacity, facts.kinds, HashMap::new(), facts.now);
    let snapshot = Snapshot { capacity, holders: &mut holders.iter(), served: &served, kinds, now, horizon: now };
    let verdicts = queue::decide(snapshot, &due);
    let place = verdicts.iter().position(|(id, _)| *id == run.id).unwrap_or(verdicts.len());
    match verdicts.get(place).map(|(_, verdict)| verdict) {
        Some(queue::Verdict::Wait(reason) | queue::Verdict::Supersede { reason, .. }) => {
            let before = verdicts[..place].iter().filter(|(_, verdict)| matches!(verdict, queue::Verdict::Wait(same) if same == reason));
            RunAnswer { holders: held_by(facts, deployment, reason), ahead: before.count(), ..answer(format!("waits: {reason}")) }
        }
        Some(queue::Verdict::Cancel(why)) => answer(format!("will not run: {}", never(*why))),
        _ => answer("is about to start".to_owned()),
    }
}

fn never(why: Cancelled) -> String {
    match why {
        Cancelled::DeploymentFull => "its deployment's limit is reached, which cancels what is new".to_owned(),
        Cancelled::Skipped(why) => why.to_string(),
        Cancelled::Expired => "it is too late to start it (expire_after)".to_owned(),
    }
}

/// The runs that hold the slots of what is full.
fn held_by(facts: &RunFacts<'_>, deployment: &Deployment, reason: &Reason) -> Vec<HeldBy> {
    let holds = |run: &&FlowRun| match reason {
        Reason::PoolFull { pool, .. } => run.pool() == Some(pool),
        Reason::QueueFull { pool, queue, .. } => {
            run.pool() == Some(pool) && run.work_queue.as_deref().unwrap_or(DEFAULT_QUEUE) == queue
        }
        Reason::TagFull { tag, .. } => run.tags.contains(tag),
        Reason::DeploymentFull { .. } => run.deployment_id == Some(deployment.id),
        Reason::StillGoing(going) => run.id == *going,
        _ => false,
    };
    let holders = facts.active.iter().filter(|run| run.state.kind.holds_slots() && run.id != facts.run.id).filter(holds);
    let view = |run: &FlowRun| HeldBy {
        run: run.id,
        name: run.name.clone(),
        deployment: run.deployment.as_ref().map(ToString::to_string),
        since: run.start_time.unwrap_or(run.state.timestamp),
    };
    let mut found: Vec<HeldBy> = holders.map(view).collect();
    found.sort_by_key(|held| held.since);
    found
}

/// `2026-11-21 18:06:02 UTC`, as elsewhere in the answer.
fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
