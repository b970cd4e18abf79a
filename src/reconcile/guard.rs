//! The guard against pruning what nobody meant to prune (G6).
use super::Options;
use super::refusal::Refusal;
use crate::model::desired::Desired;
use crate::model::overrides::Owner;
use crate::model::stored::Stored;
use crate::model::work_pool::DEFAULT_QUEUE;

/// Whether so many prunes are refused. An allowance must name the plan's own number: one that was given for another
/// plan allows nothing, and none allows a prune while the files may still be changing. Where nothing is pruned there is
/// nothing to allow, so that a command may be repeated.
pub(super) fn refusals(desired: &Desired, stored: &Stored, prunes: usize, options: &Options) -> Vec<Refusal> {
    if prunes == 0 {
        return Vec::new();
    }
    let lock = options.checkout.as_ref();
    let checkout = lock.map(|lock| Refusal::CheckoutInProgress { lock: lock.clone(), prunes });
    checkout.into_iter().chain(too_many(desired, stored, prunes, options)).collect()
}

fn too_many(desired: &Desired, stored: &Stored, prunes: usize, options: &Options) -> Option<Refusal> {
    match options.allow_prune {
        Some(allowed) if allowed == prunes => None,
        Some(allowed) => Some(Refusal::AllowanceDiffers { prunes, allowed }),
        None if options.also_in.is_some() => options.also_in.clone().map(|other| Refusal::TwoCheckouts {
            project: desired.project.clone(),
            root: desired.root.clone(),
            other,
            prunes,
        }),
        None if desired.is_empty() => Some(Refusal::PrunesEverything { prunes }),
        None => {
            let owned = owned(desired, stored);
            let limit = desired.rules.prune.at_most.max(owned.saturating_mul(desired.rules.prune.percent) / 100);
            (prunes > limit).then_some(Refusal::PrunesMany { prunes, owned, limit })
        }
    }
}

/// How many objects the project owns. A pool's `default` queue goes with its pool and does not count.
fn owned(desired: &Desired, stored: &Stored) -> usize {
    let ours = |owner: &Option<Owner>| owner.as_ref().is_some_and(|owner| owner.project == desired.project);
    let pools = stored.work_pools.values().filter(|pool| ours(&pool.owner)).count();
    let queues = stored.work_queues.values().filter(|queue| ours(&queue.owner) && queue.name != DEFAULT_QUEUE).count();
    let limits = stored.tag_limits.values().filter(|limit| ours(&limit.owner)).count();
    pools + queues + limits + stored.deployments.values().filter(|deployment| ours(&deployment.owner)).count()
}
