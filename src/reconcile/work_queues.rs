//! Work queues, declared and implied: create, update, adopt, prune.
use super::diff::{Pair, pairs};
use super::fields;
use super::implied::Need;
use super::plan::Action;
use super::planner::{Claim, Deed, Planner, differ};
use crate::model::desired::Declared;
use crate::model::id::{Kind, WorkQueueId};
use crate::model::overrides::Owner;
use crate::model::work_pool::{DEFAULT_QUEUE, WorkQueue, WorkQueueSpec};
use crate::model::write::Write;
use std::borrow::Cow;

impl<'a> Planner<'a> {
    pub(super) fn work_queues(&mut self) {
        let (desired, stored) = (self.desired, self.stored);
        for ((pool, name), pair) in pairs(&desired.work_queues, &stored.work_queues) {
            match pair {
                Pair::Added(declared) => {
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
            declared: spec,
            owner,
            overrides: Default::default(),
            declared_digest: None,
            created: self.now,
            updated: self.now,
        }
    }

    fn create_queue(&mut self, queue: WorkQueue, reason: Cow<'static, str>, file: &str, pointer: &str) {
        let default = fields::value(&WorkQueueSpec::default());
        let deed = Deed {
            action: Action::Create,
            kind: Kind::WorkQueue,
            name: queue.full_name(),
            id: queue.id.0,
            reason,
            changes: fields::set(&default, &fields::value(&queue.declared)),
            makes: Vec::new(),
            writes: vec![Write::PutWorkQueue(queue)],
        };
        self.step(deed, Some(file), Some(pointer));
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
            let queue = self.new_queue(pool, name, WorkQueueSpec::default(), owner);
            self.create_queue(queue, reason.into(), place.file, place.pointer);
        }
    }

    fn keep_queue(&mut self, declared: &Declared<WorkQueueSpec>, old: &WorkQueue) {
        let action = match self.claim(old.owner.as_ref()) {
            Claim::Others(owner) => return self.refuse_owned(Kind::WorkQueue, old.full_name(), owner, declared),
            Claim::Nobodys => Action::Adopt,
            Claim::Ours => Action::Update,
        };
        if !old.overrides.is_empty() {
            self.shadows(Kind::WorkQueue, &old.full_name(), "", &old.overrides, || fields::value(&declared.spec));
        }
        if action == Action::Update && declared.spec == old.declared {
            return self.unchanged(Kind::WorkQueue, || old.full_name(), old.id.0, declared);
        }
        self.rewrite_queue(action, old, &declared.spec, &declared.file, Some(&declared.pointer));
    }

    fn rewrite_queue(
        &mut self,
        action: Action,
        old: &WorkQueue,
        spec: &WorkQueueSpec,
        file: &str,
        pointer: Option<&str>,
    ) {
        let mut changes = fields::changes(&fields::value(&old.declared), &fields::value(spec));
        fields::shade(&mut changes, "", &old.overrides);
        let reason = match action {
            Action::Adopt => format!("belongs to nobody; {file} declares it").into(),
            _ => differ(&changes, file),
        };
        let owner = Some(self.owner(file));
        let new = WorkQueue { declared: spec.clone(), owner, updated: self.now, ..old.clone() };
        let deed = Deed {
            action,
            kind: Kind::WorkQueue,
            name: old.full_name(),
            id: old.id.0,
            reason,
            changes,
            makes: Vec::new(),
            writes: vec![Write::PutWorkQueue(new)],
        };
        self.step(deed, Some(file), pointer);
    }

    /// A queue of ours that is no longer declared.
    fn leave_queue(&mut self, old: &WorkQueue) {
        let pool = self.stored.work_pools.get(&old.pool);
        let pool_ours = pool.is_none_or(|pool| self.is_ours(pool.owner.as_ref()));
        if old.name == DEFAULT_QUEUE && !pool_ours && !self.desired.work_pools.contains_key(&old.pool) {
            return self.release_default_queue(old);
        }
        let pool_stays = self.implied.has_pool(&old.pool);
        if pool_stays && let Some(need) = self.implied.queues.get(&(old.pool.as_str(), old.name.as_str())) {
            // It was declared once, and is now what it is when it is only used.
            let (spec, place) = (WorkQueueSpec::default(), need.place());
            if old.declared != spec {
                self.rewrite_queue(Action::Update, old, &spec, place.file, None);
            }
            return;
        }
        if old.name == DEFAULT_QUEUE && pool.is_some() {
            // It goes with its pool.
            return;
        }
        if pool_stays && let Some(why) = self.others.keep_queue(&old.pool, &old.name) {
            return self.note_kept(Kind::WorkQueue, old.full_name(), old.owner.as_ref(), &why);
        }
        let deed = Deed {
            action: Action::Prune,
            kind: Kind::WorkQueue,
            name: old.full_name(),
            id: old.id.0,
            reason: "no longer declared".into(),
            changes: Vec::new(),
            makes: Vec::new(),
            writes: vec![Write::DeleteWorkQueue { pool: old.pool.clone(), name: old.name.clone() }],
        };
        self.step(deed, old.owner.as_ref().map(|owner| owner.file.as_str()), None);
    }

    /// The `default` queue of a pool that is not ours: it stays as every pool has it, and is nobody's again.
    fn release_default_queue(&mut self, old: &WorkQueue) {
        let spec = WorkQueueSpec::default();
        let mut changes = fields::changes(&fields::value(&old.declared), &fields::value(&spec));
        fields::shade(&mut changes, "", &old.overrides);
        let new = WorkQueue { declared: spec, owner: None, updated: self.now, ..old.clone() };
        let deed = Deed {
            action: Action::Update,
            kind: Kind::WorkQueue,
            name: old.full_name(),
            id: old.id.0,
            reason: "no longer declared; it stays as every work pool has it".into(),
            changes,
            makes: Vec::new(),
            writes: vec![Write::PutWorkQueue(new)],
        };
        self.step(deed, old.owner.as_ref().map(|owner| owner.file.as_str()), None);
    }
}
