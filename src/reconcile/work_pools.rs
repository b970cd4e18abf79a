//! Work pools: create, update, adopt, prune.
use super::diff::{Pair, pairs};
use super::fields;
use super::implied::{Place, agent_pool_spec};
use super::plan::{Action, Made};
use super::planner::{Claim, Deed, Planner, differ};
use crate::model::desired::Declared;
use crate::model::id::{Kind, WorkPoolId};
use crate::model::overrides::Owner;
use crate::model::work_pool::{DEFAULT_AGENT_POOL, DEFAULT_QUEUE, WorkPool, WorkPoolSpec, WorkQueueSpec};
use crate::model::write::Write;

impl<'a> Planner<'a> {
    pub(super) fn work_pools(&mut self) {
        let (desired, stored) = (self.desired, self.stored);
        for (name, pair) in pairs(&desired.work_pools, &stored.work_pools) {
            match pair {
                Pair::Added(declared) => {
                    let owner = Some(self.owner(&declared.file));
                    let place = Place { file: &declared.file, pointer: &declared.pointer };
                    self.create_pool(name, &declared.spec, owner, place);
                }
                Pair::Both(declared, old) => self.keep_pool(declared, old),
                Pair::Removed(old) if self.is_ours(old.owner.as_ref()) => self.leave_pool(old),
                Pair::Removed(_) => {}
            }
        }
        if let Some(place) = self.implied.agent_pool
            && !stored.work_pools.contains_key(DEFAULT_AGENT_POOL)
        {
            // Many projects may put things there, so that it belongs to none of them.
            self.create_pool(DEFAULT_AGENT_POOL, &agent_pool_spec(), None, place);
        }
    }

    fn create_pool(&mut self, name: &str, spec: &WorkPoolSpec, owner: Option<Owner>, place: Place<'_>) {
        let id = self.new_id(Kind::WorkPool, name);
        let reason = match owner {
            Some(_) => format!("new in {}", place.file).into(),
            None => "work queues and deployments without a pool stand in it".into(),
        };
        let default = WorkPoolSpec { kind: String::new(), ..agent_pool_spec() };
        let mut writes = Vec::new();
        let mut makes = Vec::new();
        let queue = (name.to_owned(), DEFAULT_QUEUE.to_owned());
        let has_queue = self.desired.work_queues.contains_key(&queue) || self.stored.work_queues.contains_key(&queue);
        if !has_queue {
            let queue = self.new_queue(name, DEFAULT_QUEUE, WorkQueueSpec::default(), owner.clone());
            makes.push(Made { kind: Kind::WorkQueue, name: queue.full_name(), id: queue.id.0 });
            writes.push(Write::PutWorkQueue(queue));
        }
        let pool = WorkPool {
            id: WorkPoolId(id),
            name: name.to_owned(),
            declared: spec.clone(),
            owner,
            overrides: Default::default(),
            declared_digest: None,
            created: self.now,
            updated: self.now,
        };
        writes.insert(0, Write::PutWorkPool(pool));
        let changes = fields::set(&fields::value(&default), &fields::value(spec));
        let name = name.to_owned();
        let deed = Deed { action: Action::Create, kind: Kind::WorkPool, name, id, reason, changes, makes, writes };
        self.step(deed, Some(place.file), Some(place.pointer));
    }

    fn keep_pool(&mut self, declared: &Declared<WorkPoolSpec>, old: &WorkPool) {
        let action = match self.claim(old.owner.as_ref()) {
            Claim::Others(owner) => return self.refuse_owned(Kind::WorkPool, old.name.clone(), owner, declared),
            Claim::Nobodys => Action::Adopt,
            Claim::Ours => Action::Update,
        };
        self.shadows(Kind::WorkPool, &old.name, "", &old.overrides, || fields::value(&declared.spec));
        if action == Action::Update && declared.spec == old.declared {
            return self.unchanged(Kind::WorkPool, || old.name.clone(), old.id.0, declared);
        }
        let owner = Some(self.owner(&declared.file));
        self.rewrite_pool(action, old, &declared.spec, owner, (&declared.file, Some(&declared.pointer)));
    }

    fn rewrite_pool(
        &mut self,
        action: Action,
        old: &WorkPool,
        spec: &WorkPoolSpec,
        owner: Option<Owner>,
        (file, pointer): (&str, Option<&str>),
    ) {
        let mut changes = fields::changes(&fields::value(&old.declared), &fields::value(spec));
        fields::shade(&mut changes, "", &old.overrides);
        let reason = match action {
            Action::Adopt => format!("belongs to nobody; {file} declares it").into(),
            _ => differ(&changes, file),
        };
        let new = WorkPool { declared: spec.clone(), owner, updated: self.now, ..old.clone() };
        let deed = Deed {
            action,
            kind: Kind::WorkPool,
            name: old.name.clone(),
            id: old.id.0,
            reason,
            changes,
            makes: Vec::new(),
            writes: vec![Write::PutWorkPool(new)],
        };
        self.step(deed, Some(file), pointer);
    }

    /// A pool of ours that is no longer declared.
    fn leave_pool(&mut self, old: &WorkPool) {
        if self.implied.is_agent_pool(&old.name) {
            // It was declared once, and is now what it is when nobody declares it.
            let spec = agent_pool_spec();
            if old.declared != spec
                && let Some(place) = self.implied.agent_pool
            {
                self.rewrite_pool(Action::Update, old, &spec, old.owner.clone(), (place.file, None));
            }
            return;
        }
        if let Some(why) = self.others.keep_pool(&old.name) {
            return self.note_kept(Kind::WorkPool, old.name.clone(), old.owner.as_ref(), &why);
        }
        let mut writes = Vec::new();
        let queue = (old.name.clone(), DEFAULT_QUEUE.to_owned());
        if self.stored.work_queues.contains_key(&queue) && !self.desired.work_queues.contains_key(&queue) {
            writes.push(Write::DeleteWorkQueue { pool: old.name.clone(), name: DEFAULT_QUEUE.to_owned() });
        }
        writes.push(Write::DeleteWorkPool(old.name.clone()));
        let deed = Deed {
            action: Action::Prune,
            kind: Kind::WorkPool,
            name: old.name.clone(),
            id: old.id.0,
            reason: "no longer declared".into(),
            changes: Vec::new(),
            makes: Vec::new(),
            writes,
        };
        self.step(deed, old.owner.as_ref().map(|owner| owner.file.as_str()), None);
    }
}
