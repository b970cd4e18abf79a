//! The guard against pruning what nobody meant to prune (G6).
use super::{Action, Options, Step};
use super::refusal::Refusal;
use crate::model::desired::Desired;
use crate::model::overrides::Owner;
use crate::model::stored::Stored;
use crate::model::work_pool::DEFAULT_QUEUE;
use std::collections::BTreeSet;

/// So many files are named in a refusal; the others are counted.
const MOST_FILES: usize = 8;

/// Why a file was not read that declared something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRead {
    /// It is there: other files were asked for, or no `include:` names it any more.
    Left,
    /// This glob of `include:`, by which it was found, matches no file at all any more: its directory may be away for a moment only.
    NoMatch(String),
}

/// Whether so many prunes are refused. An allowance must name the plan's own number: one that was given for another
/// plan allows nothing, and none allows a prune while the files may still be changing. Where nothing is pruned there is
/// nothing to allow, so that a command may be repeated.
pub(super) fn refusals(desired: &Desired, stored: &Stored, (steps, prunes): (&[Step], usize), options: &Options) -> Vec<Refusal> {
    if prunes == 0 {
        return Vec::new();
    }
    let lock = options.checkout.as_ref();
    let checkout = lock.map(|lock| Refusal::CheckoutInProgress { lock: lock.clone(), prunes });
    let written = options.being_written.as_ref().map(|file| Refusal::BeingWritten { file: file.clone(), prunes });
    checkout.into_iter().chain(written).chain(too_many(desired, stored, (steps, prunes), options)).collect()
}

fn too_many(desired: &Desired, stored: &Stored, (steps, prunes): (&[Step], usize), options: &Options) -> Option<Refusal> {
    match options.allow_prune {
        Some(allowed) if allowed == prunes => None,
        Some(allowed) => Some(Refusal::AllowanceDiffers { prunes, allowed }),
        None if options.also_in.is_some() => options.also_in.clone().map(|other| Refusal::TwoCheckouts {
            project: desired.project.clone(),
            root: desired.root.clone(),
            other,
            prunes,
        }),
        None => not_read(steps, prunes, options).or_else(|| too_many_unasked(desired, stored, prunes)),
    }
}

fn too_many_unasked(desired: &Desired, stored: &Stored, prunes: usize) -> Option<Refusal> {
    match desired.is_empty() {
        true => Some(Refusal::PrunesEverything { prunes }),
        false => {
            let owned = owned(desired, stored);
            let limit = desired.rules.prune.at_most.max(owned.saturating_mul(desired.rules.prune.percent) / 100);
            (prunes > limit).then_some(Refusal::PrunesMany { prunes, owned, limit })
        }
    }
}

/// What would be pruned although nobody has read the files that declared it.
fn not_read(steps: &[Step], prunes: usize, options: &Options) -> Option<Refusal> {
    let pruned = steps.iter().filter(|step| step.action == Action::Prune).filter_map(|step| step.file.as_deref());
    let mut files = BTreeSet::new();
    let (mut left, mut unmatched, mut pattern) = (0, 0, None);
    for file in pruned {
        match options.not_read.get(file) {
            Some(NotRead::Left) => {
                left += 1;
                files.insert(file);
            }
            Some(NotRead::NoMatch(glob)) => {
                unmatched += 1;
                pattern = Some(glob);
            }
            None => {}
        }
    }
    let more = files.len().saturating_sub(MOST_FILES);
    let files: Vec<String> = files.into_iter().take(MOST_FILES).map(str::to_owned).collect();
    match pattern {
        _ if !files.is_empty() => Some(Refusal::FilesNotRead { files, more, named: options.named.clone(), from_there: left, prunes }),
        pattern => pattern.map(|pattern| Refusal::IncludesNothing { pattern: pattern.clone(), from_there: unmatched, prunes }),
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
