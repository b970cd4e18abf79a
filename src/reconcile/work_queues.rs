//! Work queues, declared and implied: create, update, adopt, restore, prune.
use super::diff::{Pair, pairs};
use super::{digest, fields, ignored, kept};
use super::implied::Need;
use super::plan::{Action, Drift};
use super::planner::{Claim, Deed, Difference, Planner, differ, drifted, each, restored, taken};
use crate::model::desired::Declared;
use crate::model::id::{Kind, WorkQueueId};
use crate::model::overrides::Owner;
use crate::model::stored::{ObjectName, Pruned};
use crate::model::work_pool::{DEFAULT_QUEUE, WorkQueue, WorkQueueSpec};
use crate::model::write::Write;
use std::borrow::Cow;

impl<'a> Planner<'a> {
    /// The name under which a queue is taken over: its pool's, where it goes along with that.
    fn adopted_as(&self, queue: &WorkQueue) -> String {
        if self.options.adopt.contains(&queue.pool) { queue.pool.clone() } else { queue.full_name() }
    }

    pub(super) fn work_queues(&mut self) {
        let (desired, stored) = (self.desired, self.stored);
        for ((pool, name), pair) in pairs(&desired.work_queues, &stored.work_queues) {
            match pair {
                Pair::Added(declared) => {
                    if let Some(old) = self.pruned_queue(pool, name) {
                        self.write_queue(Action::Restore, declared, old);
                        continue;
                    }
                    let queue = self.new_queue(pool, name, declared.spec.clone(), Some(self.owner(&declared.file)));
                    let reason = format!("new in {}", declared.file);
                    self.create_queue(queue, reason.into(), &declared.file, &declared.pointer);
                }
                Pair::Both(declared, old) => self.keep_queue(declared, old),
                Pair::Removed(old) if self.is_ours(old.owner.as_ref()) => self.leave_queue(old),
                Pair::Removed(_) => {}
            }
        }
        self.implied_queues();
    }

    /// A queue that this plan makes.
    pub(super) fn new_queue(&self, pool: &str, name: &str, spec: WorkQueueSpec, owner: Option<Owner>) -> WorkQueue {
        WorkQueue {
            id: WorkQueueId(self.new_id(Kind::WorkQueue, &format!("{pool}/{name}"))),
            pool: pool.to_owned(),
            name: name.to_owned(),
            declared_digest: Some(digest::of(&fields::value(&spec), &[])),
            declared: spec,
            owner,
            overrides: Default::default(),
            created: self.now,
            updated: self.now,
        }
    }

    fn pruned_queue(&self, pool: &str, name: &str) -> Option<&'a WorkQueue> {
        match self.pruned(&ObjectName::queue(pool, name))? {
            Pruned::WorkQueue(queue) => Some(queue),
            _ => None,
        }
    }

    /// A queue that is implied and not there, with what was pruned under its name: that comes back, unless it would be nobody's.
    pub(super) fn meant_queue(&self, pool: &str, name: &str, owner: Option<Owner>) -> (WorkQueue, Option<&'a WorkQueue>) {
        let old = owner.as_ref().and_then(|_| self.pruned_queue(pool, name));
        let new = self.new_queue(pool, name, WorkQueueSpec::default(), owner);
        match old {
            Some(old) => (WorkQueue { id: old.id, overrides: old.overrides.clone(), created: old.created, ..new }, Some(old)),
            None => (new, None),
        }
    }

    fn create_queue(&mut self, queue: WorkQueue, reason: Cow<'static, str>, file: &str, pointer: &str) {
        let default = fields::value(&WorkQueueSpec::default());
        let changes = fields::set(&default, &fields::value(&queue.declared));
        let deed = Deed::new(Action::Create, Kind::WorkQueue, queue.full_name(), queue.id.0, reason);
        self.step(Deed { changes, writes: vec![Write::PutWorkQueue(queue)], ..deed }, Some(file), Some(pointer));
    }

    /// Makes the queues that are implied and neither declared nor there. A new pool brought its own along.
    fn implied_queues(&mut self) {
        let (desired, stored) = (self.desired, self.stored);
        let missing = self.implied.queues.iter().filter(|((pool, name), need)| {
            let key = ((*pool).to_owned(), (*name).to_owned());
            let with_pool = matches!(need, Need::OfPool(_)) && !stored.work_pools.contains_key(*pool);
            !with_pool && !desired.work_queues.contains_key(&key) && !stored.work_queues.contains_key(&key)
        });
        let missing: Vec<_> = missing.map(|(key, need)| (*key, *need)).collect();
        for ((pool, name), need) in missing {
            let reason = match need {
                Need::OfPool(_) => "every work pool has it",
                Need::OfDeployment(_) => "a deployment names it",
            };
            let place = need.place();
            let owner = match self.implied.is_agent_pool(pool) && name == DEFAULT_QUEUE {
                true => None,
                false => Some(self.owner(place.file)),
            };
            match self.meant_queue(pool, name, owner) {
                (queue, Some(old)) => self.rewrite_queue(Action::Restore, old, queue, None, (place.file, Some(place.pointer))),
                (queue, None) => self.create_queue(queue, reason.into(), place.file, place.pointer),
            }
        }
    }

    fn keep_queue(&mut self, declared: &Declared<WorkQueueSpec>, old: &WorkQueue) {
        let action = match self.claim(old.owner.as_ref(), || self.adopted_as(old)) {
            Claim::Others(owner) => return self.refuse_owned(Kind::WorkQueue, old.full_name(), owner, declared),
            Claim::Nobodys | Claim::Taken => Action::Adopt,
            Claim::Ours => Action::Update,
        };
        self.write_queue(action, declared, old);
    }

    /// A queue that is there, or was pruned, is as it is declared.
    fn write_queue(&mut self, action: Action, declared: &Declared<WorkQueueSpec>, old: &WorkQueue) {
        if !old.overrides.is_empty() {
            self.shadows(Kind::WorkQueue, &old.full_name(), "", &old.overrides, (&declared.file, &declared.pointer), || fields::value(&declared.spec));
        }
        if action == Action::Update && declared.spec == old.declared {
            return self.unchanged(Kind::WorkQueue, || old.full_name(), old.id.0, declared);
        }
        let settled = ignored::settled(&self.desired.rules.ignore_fields, &old.declared, &declared.spec);
        let mut spec = settled.as_ref().unwrap_or(&declared.spec);
        let digest = digest::of(&fields::value(&declared.spec), &[]);
        let drift = match self.difference(action, old.owner.as_ref(), old.declared_digest.as_deref(), &digest) {
            _ if action == Action::Update && *spec == old.declared => return self.unchanged(Kind::WorkQueue, || old.full_name(), old.id.0, declared),
            Difference::Ignored => return self.unchanged(Kind::WorkQueue, || old.full_name(), old.id.0, declared),
            Difference::Drifted(drift) => Some(drift),
            Difference::Left => {
                spec = &old.declared;
                None
            }
            Difference::Declared => None,
        };
        let owner = Some(self.owner(&declared.file));
        let new = WorkQueue { declared: spec.clone(), owner, declared_digest: Some(digest), updated: self.now, ..old.clone() };
        self.rewrite_queue(action, old, new, drift, (&declared.file, Some(&declared.pointer)));
    }

    fn rewrite_queue(
        &mut self,
        action: Action,
        old: &WorkQueue,
        new: WorkQueue,
        drift: Option<Drift>,
        (file, pointer): (&str, Option<&str>),
    ) {
        let mut changes = fields::changes(&fields::value(&old.declared), &fields::value(&new.declared));
        fields::shade(&mut changes, "", &old.overrides);
        let drift = drift.filter(|_| !changes.is_empty());
        let reason = match action {
            Action::Adopt => taken(old.owner.as_ref(), file),
            Action::Restore => restored(file),
            _ if drift.is_some() => drifted(file),
            _ => differ(&changes, file),
        };
        let back = (action == Action::Restore).then(|| Write::DeleteTombstone(ObjectName::queue(&old.pool, &old.name)));
        let writes = if drift == Some(Drift::Report) { Vec::new() } else { back.into_iter().chain([Write::PutWorkQueue(new)]).collect() };
        let deed = Deed::new(action, Kind::WorkQueue, old.full_name(), old.id.0, reason);
        self.step(Deed { drift, changes, writes, ..deed }, Some(file), pointer);
    }

    /// A queue of ours that is no longer declared.
    fn leave_queue(&mut self, old: &WorkQueue) {
        let pool = self.stored.work_pools.get(&old.pool);
        let pool_ours = pool.is_none_or(|pool| self.is_ours(pool.owner.as_ref()));
        let pool_stays = self.implied.has_pool(&old.pool);
        let need = self.implied.queues.get(&(old.pool.as_str(), old.name.as_str())).copied().filter(|_| pool_stays);
        let spec = WorkQueueSpec::default();
        let is_released = old.name == DEFAULT_QUEUE && !pool_ours && !self.desired.work_pools.contains_key(&old.pool);
        if need.is_some() && old.declared == spec && !is_released {
            return;
        }
        let protect = old.declared.protect || kept::protects_queues(self.desired, self.stored, &old.pool);
        let is_part_of_pool = old.name == DEFAULT_QUEUE && pool.is_some() && pool_ours && old.declared == spec;
        if let Some(why) = kept::why(self.desired, protect).filter(|_| !is_part_of_pool) {
            return self.keep(Kind::WorkQueue, old.full_name(), old.owner.as_ref(), why);
        }
        if is_released {
            return self.release_default_queue(old);
        }
        if let Some(need) = need {
            // It was declared once, and is now what it is when it is only used.
            let file = need.place().file;
            let declared_digest = Some(digest::of(&fields::value(&spec), &[]));
            let owner = Some(self.owner(file));
            let new = WorkQueue { declared: spec, owner, declared_digest, updated: self.now, ..old.clone() };
            return self.rewrite_queue(Action::Update, old, new, None, (file, None));
        }
        if old.name == DEFAULT_QUEUE && pool.is_some() {
            // It goes with its pool.
            return;
        }
        if pool_stays && let Some(why) = self.others.keep_queue(&old.pool, &old.name) {
            return self.note_kept(Kind::WorkQueue, old.full_name(), old.owner.as_ref(), &why);
        }
        let writes = vec![Write::DeleteWorkQueue { pool: old.pool.clone(), name: old.name.clone() }];
        self.prune(Pruned::WorkQueue(Box::new(old.clone())), writes, each(&old.overrides));
    }

    /// The `default` queue of a pool that is not ours: it stays as every pool has it, and is nobody's again.
    fn release_default_queue(&mut self, old: &WorkQueue) {
        let spec = WorkQueueSpec::default();
        let mut changes = fields::changes(&fields::value(&old.declared), &fields::value(&spec));
        fields::shade(&mut changes, "", &old.overrides);
        let new = WorkQueue { declared: spec, owner: None, declared_digest: None, updated: self.now, ..old.clone() };
        let reason = "no longer declared; it stays as every work pool has it";
        let deed = Deed::new(Action::Update, Kind::WorkQueue, old.full_name(), old.id.0, reason);
        self.step(Deed { changes, writes: vec![Write::PutWorkQueue(new)], ..deed }, old.owner.as_ref().map(|owner| owner.file.as_str()), None);
    }
}
