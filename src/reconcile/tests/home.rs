//! A home in memory: performs a plan's writes as the ledger does, and decides nothing.
use super::desired::full;
use crate::model::deployment::Deployment;
use crate::model::desired::Desired;
use crate::model::id::{HomeId, Kind};
use crate::model::overrides::Override;
use crate::model::stored::Stored;
use crate::model::work_pool::{WorkPool, WorkQueue};
use crate::model::write::Write;
use crate::reconcile::{Options, Plan, Step, plan};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

pub struct Home {
    pub stored: Stored,
    pub now: Timestamp,
    pub options: Options,
}

impl Home {
    pub fn new() -> Self {
        let options = Options { list_unchanged: true, ..Options::default() };
        Home {
            stored: Stored::empty(HomeId(Uuid::from_u128(7))),
            now: "2026-11-21T09:00:00Z".parse().unwrap(),
            options,
        }
    }

    /// What the ledger answers for a project: everything but the record of another project.
    pub fn plan(&self, desired: &Desired) -> Plan {
        let mut stored = self.stored.clone();
        stored.project = stored.project.filter(|project| project.name == desired.project);
        plan(desired, &stored, self.now, &self.options)
    }

    /// Plans and performs; an hour passes. Returns the plan as it was before its writes were taken.
    pub fn apply(&mut self, desired: &Desired) -> Plan {
        let plan = self.plan(desired);
        self.perform(plan.clone().take_writes());
        plan
    }

    /// The same, whatever the guard says.
    pub fn apply_all(&mut self, desired: &Desired) -> Plan {
        let prunes = self.plan(desired).counts.prune;
        self.options.allow_prune = Some(prunes);
        let plan = self.apply(desired);
        self.options.allow_prune = None;
        plan
    }

    pub fn perform(&mut self, writes: Vec<Write>) {
        self.now = self.now.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap();
        self.stored.revision += u64::from(!writes.is_empty());
        for write in writes {
            self.write(write);
        }
    }

    fn write(&mut self, write: Write) {
        let stored = &mut self.stored;
        match write {
            Write::PutProject(project) => stored.project = Some(project),
            Write::DeleteProject(_) => panic!("a plan deletes no project"),
            Write::PutFlow(flow) => assert!(stored.flows.insert(flow.name.clone(), flow).is_none()),
            Write::PutDeployment(deployment) => {
                stored.deployments.insert(deployment.name.clone(), *deployment);
            }
            Write::DeleteDeployment { id, name } => assert_eq!(stored.deployments.remove(&name).unwrap().id, id),
            Write::PutTombstone(tombstone) => {
                stored.tombstones.insert(tombstone.object.name(), *tombstone);
            }
            Write::DeleteTombstone(name) => assert!(stored.tombstones.remove(&name).is_some()),
            Write::PutWorkPool(pool) => {
                stored.work_pools.insert(pool.name.clone(), pool);
            }
            Write::DeleteWorkPool(name) => assert!(stored.work_pools.remove(&name).is_some()),
            Write::PutWorkQueue(queue) => {
                stored.work_queues.insert((queue.pool.clone(), queue.name.clone()), queue);
            }
            Write::DeleteWorkQueue { pool, name } => assert!(stored.work_queues.remove(&(pool, name)).is_some()),
            Write::PutTagLimit(limit) => {
                stored.tag_limits.insert(limit.tag.clone(), limit);
            }
            Write::DeleteTagLimit(tag) => assert!(stored.tag_limits.remove(&tag).is_some()),
            Write::AddEvent(_) => {}
        }
    }

    pub fn deployment(&mut self, name: &str) -> &mut Deployment {
        self.stored.deployments.get_mut(&full(name)).unwrap()
    }

    pub fn pool(&mut self, name: &str) -> &mut WorkPool {
        self.stored.work_pools.get_mut(name).unwrap()
    }

    pub fn queue(&mut self, pool: &str, name: &str) -> &mut WorkQueue {
        self.stored.work_queues.get_mut(&(pool.to_owned(), name.to_owned())).unwrap()
    }

    /// The ids of all that there is, by kind and name.
    pub fn ids(&self) -> BTreeSet<(Kind, String, Uuid)> {
        let stored = &self.stored;
        let mut ids = BTreeSet::new();
        ids.extend(stored.flows.values().map(|flow| (Kind::Flow, flow.name.clone(), flow.id.0)));
        ids.extend(stored.tag_limits.values().map(|limit| (Kind::ConcurrencyLimit, limit.tag.clone(), limit.id.0)));
        ids.extend(stored.work_pools.values().map(|pool| (Kind::WorkPool, pool.name.clone(), pool.id.0)));
        ids.extend(stored.work_queues.values().map(|queue| (Kind::WorkQueue, queue.full_name(), queue.id.0)));
        for deployment in stored.deployments.values() {
            ids.insert((Kind::Deployment, deployment.name.to_string(), deployment.id.0));
            for schedule in &deployment.schedules {
                ids.insert((Kind::Schedule, format!("{}#{}", deployment.name, schedule.key), schedule.id.0));
            }
        }
        ids
    }
}

pub fn over(value: Value) -> Override {
    Override {
        value,
        who: "alice".to_owned(),
        why: Some("load test".to_owned()),
        since: "2026-11-20T10:00:00Z".parse().unwrap(),
        until: None,
    }
}

/// `create deployment etl/daily`, in the plan's order, what is unchanged left out.
pub fn deeds(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().filter(|step| step.action.word() != "unchanged");
    steps.map(|step| format!("{} {} {}", step.action.word(), step.kind.words(), step.name)).collect()
}

/// `field: old -> new` of each change.
pub fn fields(step: &Step) -> Vec<String> {
    let text = |value: &Option<Value>| value.as_ref().map_or("absent".to_owned(), Value::to_string);
    step.changes.iter().map(|c| format!("{}: {} -> {}", c.field, text(&c.old), text(&c.new))).collect()
}
