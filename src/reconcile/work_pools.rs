//! Work pools: create, update, adopt, restore, prune.
use super::diff::{Pair, pairs};
use super::{digest, fields, ignored, kept};
use super::implied::{Place, agent_pool_spec};
use super::plan::{Action, Drift, Made};
use super::planner::{Claim, Deed, Difference, Planner, differ, drifted, each, restored, taken};
use crate::model::desired::Declared;
use crate::model::id::{Kind, WorkPoolId};
use crate::model::overrides::Owner;
use crate::model::stored::{ObjectName, Pruned};
use crate::model::work_pool::{DEFAULT_AGENT_POOL, DEFAULT_QUEUE, WorkPool, WorkPoolSpec, WorkQueue};
use crate::model::write::Write;
use std::borrow::Cow;

impl<'a> Planner<'a> {
    pub(super) fn work_pools(&mut self) {
        let (desired, stored) = (self.desired, self.stored);
        for (name, pair) in pairs(&desired.work_pools, &stored.work_pools) {
            match pair {
                Pair::Added(declared) => {
                    if let Some(Pruned::WorkPool(old)) = self.pruned(&ObjectName::WorkPool(name.clone())) {
                        self.write_pool(Action::Restore, declared, old);
                        continue;
                    }
                    let owner = Some(self.owner(&declared.file));
                    let place = Place { file: &declared.file, pointer: &declared.pointer };
                    self.create_pool(name, &declared.spec, owner, place);
                }
                Pair::Both(declared, old) => self.keep_pool(declared, old),
                Pair::Removed(old) if self.is_ours(old.owner.as_ref()) => self.leave_pool(old),
                Pair::Removed(_) => {}
            }
        }
        if let Some(place) = self.implied.agent_pool {
            match stored.work_pools.get(DEFAULT_AGENT_POOL) {
                // Many projects may put things there, so that it belongs to none of them.
                None => self.create_pool(DEFAULT_AGENT_POOL, &agent_pool_spec(), None, place),
                // It is counted as it was when it was made.
                Some(pool) if pool.owner.is_none() => self.agent_pool_stays(pool, place),
                Some(_) => {}
            }
        }
    }

    fn agent_pool_stays(&mut self, pool: &WorkPool, place: Place<'_>) {
        self.stays_as_it_is(Kind::WorkPool, || pool.name.clone(), pool.id.0, place, "work queues and deployments without a pool stand in it");
    }

    fn create_pool(&mut self, name: &str, spec: &WorkPoolSpec, owner: Option<Owner>, place: Place<'_>) {
        let id = self.new_id(Kind::WorkPool, name);
        let reason: Cow<'static, str> = match owner {
            Some(_) => format!("new in {}", place.file).into(),
            None => "work queues and deployments without a pool stand in it".into(),
        };
        let default = WorkPoolSpec { kind: String::new(), ..agent_pool_spec() };
        let (makes, mut writes) = self.default_queue_made(name, owner.clone());
        let shown = fields::value(spec);
        let pool = WorkPool {
            id: WorkPoolId(id),
            name: name.to_owned(),
            declared: spec.clone(),
            owner,
            overrides: Default::default(),
            declared_digest: Some(digest::of(&shown, &[])),
            created: self.now,
            updated: self.now,
        };
        writes.insert(0, Write::PutWorkPool(pool));
        let changes = fields::set(&fields::value(&default), &shown);
        let deed = Deed::new(Action::Create, Kind::WorkPool, name.to_owned(), id, reason);
        self.step(Deed { changes, makes, writes, ..deed }, Some(place.file), Some(place.pointer));
    }

    /// The `default` queue that a pool brings along which is not there yet, as it was pruned with it, or new.
    fn default_queue_made(&self, pool: &str, owner: Option<Owner>) -> (Vec<Made>, Vec<Write>) {
        let key = (pool.to_owned(), DEFAULT_QUEUE.to_owned());
        if self.desired.work_queues.contains_key(&key) || self.stored.work_queues.contains_key(&key) {
            return (Vec::new(), Vec::new());
        }
        let (queue, old) = self.meant_queue(pool, DEFAULT_QUEUE, owner);
        let made = Made { kind: Kind::WorkQueue, name: queue.full_name(), id: queue.id.0 };
        let back = old.map(|_| Write::DeleteTombstone(ObjectName::queue(pool, DEFAULT_QUEUE)));
        (vec![made], std::iter::once(Write::PutWorkQueue(queue)).chain(back).collect())
    }

    fn keep_pool(&mut self, declared: &Declared<WorkPoolSpec>, old: &WorkPool) {
        let action = match self.claim(old.owner.as_ref(), || old.name.clone()) {
            Claim::Others(owner) => return self.refuse_owned(Kind::WorkPool, old.name.clone(), owner, declared),
            Claim::Nobodys | Claim::Taken => Action::Adopt,
            Claim::Ours => Action::Update,
        };
        self.write_pool(action, declared, old);
    }

    /// A pool that is there, or was pruned, is as it is declared.
    fn write_pool(&mut self, action: Action, declared: &Declared<WorkPoolSpec>, old: &WorkPool) {
        self.shadows(Kind::WorkPool, &old.name, "", &old.overrides, (&declared.file, &declared.pointer), || fields::value(&declared.spec));
        if action == Action::Update && declared.spec == old.declared {
            return self.unchanged(Kind::WorkPool, || old.name.clone(), old.id.0, declared);
        }
        let settled = ignored::settled(&self.desired.rules.ignore_fields, &old.declared, &declared.spec);
        let mut spec = settled.as_ref().unwrap_or(&declared.spec);
        let digest = digest::of(&fields::value(&declared.spec), &[]);
        let drift = match self.difference(action, old.owner.as_ref(), old.declared_digest.as_deref(), &digest) {
            _ if action == Action::Update && *spec == old.declared => return self.unchanged(Kind::WorkPool, || old.name.clone(), old.id.0, declared),
            Difference::Ignored => return self.unchanged(Kind::WorkPool, || old.name.clone(), old.id.0, declared),
            Difference::Drifted(drift) => Some(drift),
            Difference::Left => {
                spec = &old.declared;
                None
            }
            Difference::Declared => None,
        };
        let owner = Some(self.owner(&declared.file));
        let new = WorkPool { declared: spec.clone(), owner, declared_digest: Some(digest), updated: self.now, ..old.clone() };
        self.rewrite_pool(action, old, new, drift, (&declared.file, Some(&declared.pointer)));
    }

    fn rewrite_pool(
        &mut self,
        action: Action,
        old: &WorkPool,
        new: WorkPool,
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
        let (makes, queue) = match action {
            Action::Restore => self.default_queue_made(&old.name, new.owner.clone()),
            _ => (Vec::new(), Vec::new()),
        };
        let back = (action == Action::Restore).then(|| Write::DeleteTombstone(ObjectName::WorkPool(old.name.clone())));
        let writes = match drift {
            Some(Drift::Report) => Vec::new(),
            _ if action == Action::Restore => std::iter::once(Write::PutWorkPool(new)).chain(back).chain(queue).collect(),
            _ => std::iter::once(Write::PutWorkPool(new)).chain(self.default_queue_taken(action, old, file)).collect(),
        };
        let deed = Deed::new(action, Kind::WorkPool, old.name.clone(), old.id.0, reason);
        self.step(Deed { drift, changes, makes, writes, ..deed }, Some(file), pointer);
    }

    /// The `default` queue of a pool that is taken over: it goes along, unless it is declared here, or stood in somebody else's pool.
    fn default_queue_taken(&self, action: Action, old: &WorkPool, file: &str) -> Option<Write> {
        let key = (old.name.clone(), DEFAULT_QUEUE.to_owned());
        let queue = self.stored.work_queues.get(&key).filter(|_| !self.desired.work_queues.contains_key(&key))?;
        let goes_along = action == Action::Adopt && old.owner.is_some();
        let of_former = queue.owner.as_ref().map(|owner| &owner.project) == old.owner.as_ref().map(|owner| &owner.project);
        (goes_along && of_former)
            .then(|| Write::PutWorkQueue(WorkQueue { owner: Some(self.owner(file)), updated: self.now, ..queue.clone() }))
    }

    /// A pool of ours that is no longer declared.
    fn leave_pool(&mut self, old: &WorkPool) {
        if self.implied.is_agent_pool(&old.name) {
            // It was declared once, and is now what it is when nobody declares it.
            let spec = agent_pool_spec();
            if let (true, Some(place)) = (old.declared == spec, self.implied.agent_pool) {
                return self.agent_pool_stays(old, place);
            }
            if let Some(place) = self.implied.agent_pool
                && kept::why(self.desired, old.declared.protect).is_none()
            {
                let declared_digest = Some(digest::of(&fields::value(&spec), &[]));
                let new = WorkPool { declared: spec, declared_digest, updated: self.now, ..old.clone() };
                return self.rewrite_pool(Action::Update, old, new, None, (place.file, None));
            }
        }
        if let Some(why) = kept::why(self.desired, old.declared.protect) {
            return self.keep(Kind::WorkPool, old.name.clone(), old.owner.as_ref(), why);
        }
        if let Some(why) = self.others.keep_pool(&old.name) {
            return self.note_kept(Kind::WorkPool, old.name.clone(), old.owner.as_ref(), &why);
        }
        let mut writes = Vec::new();
        let key = (old.name.clone(), DEFAULT_QUEUE.to_owned());
        let mut overrides: Vec<_> = each(&old.overrides).collect();
        if let Some(queue) = self.stored.work_queues.get(&key).filter(|_| !self.desired.work_queues.contains_key(&key)) {
            writes.push(Write::DeleteWorkQueue { pool: old.name.clone(), name: DEFAULT_QUEUE.to_owned() });
            writes.push(self.tombstone(Pruned::WorkQueue(Box::new(queue.clone()))));
            overrides.extend(each(&queue.overrides).map(|(field, by)| (Cow::Owned(format!("{DEFAULT_QUEUE}/{field}")), by)));
        }
        writes.push(Write::DeleteWorkPool(old.name.clone()));
        self.prune(Pruned::WorkPool(Box::new(old.clone())), writes, overrides.into_iter());
    }
}
