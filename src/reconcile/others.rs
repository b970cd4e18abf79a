//! What other projects, and clients, do with a project's pools and queues: what they use is not pruned (G6). The same goes for
//! what the project itself keeps although it is no longer declared.
use super::kept;
use super::renames::Renames;
use crate::model::deployment::FullName;
use crate::model::desired::Desired;
use crate::model::overrides::Owner;
use crate::model::stored::Stored;
use crate::model::work_pool::{DEFAULT_QUEUE, WorkQueue};
use std::collections::BTreeMap;

/// Who else refers to a pool, or to a queue in one: the first such deployment.
pub(super) struct Others<'a> {
    desired: &'a Desired,
    stored: &'a Stored,
    pools: BTreeMap<&'a str, User<'a>>,
    queues: BTreeMap<(&'a str, &'a str), User<'a>>,
}

/// A deployment that stays as it is.
#[derive(Clone, Copy)]
struct User<'a> {
    name: &'a FullName,
    ours: bool,
}

impl User<'_> {
    fn uses_it(self) -> String {
        let what = if self.ours { "which is protected" } else { "which is not this project's" };
        format!("the deployment `{}`, {what}, uses it", self.name)
    }
}

impl<'a> Others<'a> {
    pub fn of(desired: &'a Desired, stored: &'a Stored, renames: &Renames<'a>) -> Self {
        let mut others = Others { desired, stored, pools: BTreeMap::new(), queues: BTreeMap::new() };
        for (name, deployment) in &stored.deployments {
            let ours = others.is_ours(deployment.owner.as_ref());
            if (ours && !deployment.declared.protect) || desired.deployments.contains_key(name) || renames.goes_on(name) {
                continue;
            }
            let user = User { name, ours };
            let Some(pool) = deployment.declared.work_pool.as_deref() else { continue };
            others.pools.entry(pool).or_insert(user);
            if let Some(queue) = deployment.declared.work_queue.as_deref() {
                others.queues.entry((pool, queue)).or_insert(user);
            }
        }
        others
    }

    /// Why a pool that is no longer declared stays; `None` when nothing keeps it.
    pub fn keep_pool(&self, pool: &str) -> Option<String> {
        if let Some(user) = self.pools.get(pool) {
            return Some(user.uses_it());
        }
        let protected = |queue: &&WorkQueue| {
            let declared = self.desired.work_queues.get(&(queue.pool.clone(), queue.name.clone()));
            self.is_ours(queue.owner.as_ref()) && declared.map_or(queue.declared.protect, |declared| declared.spec.protect)
        };
        if let Some(queue) = self.queues_in(pool).find(protected) {
            return Some(format!("the work queue `{}` in it is protected", queue.name));
        }
        // A `default` queue that nobody claims is part of its pool.
        let mut foreign = self.queues_in(pool).filter(|queue| {
            !self.is_ours(queue.owner.as_ref()) && (queue.name != DEFAULT_QUEUE || queue.owner.is_some())
        });
        foreign.next().map(|queue| format!("the work queue `{}` in it is not this project's", queue.name))
    }

    /// Why a queue that is no longer declared stays; `None` when nothing keeps it.
    pub fn keep_queue(&self, pool: &str, queue: &str) -> Option<String> {
        self.queues
            .get(&(pool, queue))
            .map(|user| user.uses_it())
    }

    /// All stored queues of a pool.
    pub fn queues_in(&self, pool: &str) -> impl Iterator<Item = &'a WorkQueue> {
        let first = (pool.to_owned(), String::new());
        let pool = pool.to_owned();
        self.stored.work_queues.range(first..).take_while(move |((of, _), _)| *of == pool).map(|(_, queue)| queue)
    }

    /// The pool is the project's, no longer declared, and nothing keeps it.
    pub fn is_pool_pruned(&self, pool: &str, implied: bool) -> bool {
        let Some(stored) = self.stored.work_pools.get(pool) else { return false };
        let left = self.is_ours(stored.owner.as_ref()) && !self.desired.work_pools.contains_key(pool) && !implied;
        left && kept::why(self.desired, stored.declared.protect).is_none() && self.keep_pool(pool).is_none()
    }

    fn is_ours(&self, owner: Option<&Owner>) -> bool {
        owner.is_some_and(|owner| owner.project == self.desired.project)
    }
}
