//! Which of many alike waiting runs need to be asked: with thousands that wait for one limit, a decision must not cost thousands.
//!
//! Runs of one deployment that name the same pool and queue and bear the same tags are alike: they start in the order in which they are
//! due, and where one of them has to wait for a slot, so have all that come after it.
use super::Waiting;
use crate::model::deployment::CollisionStrategy;
use crate::model::id::{DeploymentId, FlowRunId};
use crate::model::policy::Overlap;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

/// What a run is alike in.
type Kind<'a> = (Option<DeploymentId>, Option<&'a str>, Option<&'a str>, &'a [String]);

/// The runs to ask, and those that follow one of them: each with the last of its kind that is asked.
pub struct Heads<'a> {
    pub asked: Vec<&'a Waiting>,
    pub followers: Vec<(FlowRunId, FlowRunId)>,
}

/// Of each kind the first `most` runs. A run that may be cancelled rather than wait is always asked, and so is whatever its overlap
/// policy looks at.
pub fn heads<'a>(waiting: &[&'a Waiting], most: usize, now: Timestamp) -> Heads<'a> {
    let looked_at: HashSet<Option<DeploymentId>> =
        waiting.iter().filter(|run| run.overlap != Overlap::Allow).map(|run| run.deployment).collect();
    let mut heads = Heads { asked: Vec::new(), followers: Vec::new() };
    let mut kinds: HashMap<Kind<'a>, Vec<&'a Waiting>> = HashMap::new();
    for &run in waiting {
        if may_be_cancelled(run, now) || looked_at.contains(&run.deployment) {
            heads.asked.push(run);
            continue;
        }
        let kind = (run.deployment, run.pool.as_deref(), run.queue.as_deref(), run.tags.as_slice());
        kinds.entry(kind).or_default().push(run);
    }
    for mut runs in kinds.into_values() {
        if runs.len() > most.max(1) {
            runs.sort_unstable_by_key(|run| (run.due, run.run));
            let followers = runs.split_off(most.max(1));
            let last = runs[runs.len() - 1].run;
            heads.followers.extend(followers.into_iter().map(|run| (run.run, last)));
        }
        heads.asked.append(&mut runs);
    }
    heads
}

fn may_be_cancelled(run: &Waiting, now: Timestamp) -> bool {
    let cancels_new = run.limit.as_ref().is_some_and(|limit| limit.collision_strategy == CollisionStrategy::CancelNew);
    cancels_new || run.expires.is_some_and(|expires| expires < now)
}
