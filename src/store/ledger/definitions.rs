//! Definitions: projects, flows, deployments with their schedules, work pools and queues, limits of tags, tombstones.
use super::record::{decode, encode};
use super::{Ledger, LedgerError, Reader, key};
use crate::clock;
use crate::dispatch::ended::Overridden;
use crate::model::deployment::{Deployment, Flow, FullName};
use crate::model::desired::Desired;
use crate::model::id::{DeploymentId, FlowId, WorkPoolId, WorkQueueId};
use crate::model::stored::{ObjectName, Project, Stored, Tombstone};
use crate::model::tag_limit::TagLimit;
use crate::model::work_pool::{WorkPool, WorkQueue};
use crate::model::write::Write;
use crate::store::{Batch, CommitError, Expect, Key, Range, StoreError, Value, redo};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

impl Reader {
    /// The revision of the definitions: 0 in a new home, one more with every change.
    pub fn revision(&self) -> Result<u64, LedgerError> {
        Ok(self.revision_row()?.1)
    }

    pub fn project(&self, name: &str) -> Result<Option<Project>, LedgerError> {
        self.read(&key::project(name))
    }

    pub fn projects(&self) -> Result<Vec<Project>, LedgerError> {
        self.all(key::PROJECT)
    }

    pub fn flow(&self, id: FlowId) -> Result<Option<Flow>, LedgerError> {
        self.read(&key::flow(id))
    }

    pub fn flow_by_name(&self, name: &str) -> Result<Option<Flow>, LedgerError> {
        match self.read(&key::flow_name(name))? {
            Some(id) => self.flow(id),
            None => Ok(None),
        }
    }

    pub fn flows(&self) -> Result<Vec<Flow>, LedgerError> {
        self.all(key::FLOW)
    }

    pub fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, LedgerError> {
        self.read_in_force(&key::deployment(id))
    }

    pub fn deployment_by_name(&self, name: &FullName) -> Result<Option<Deployment>, LedgerError> {
        match self.read(&key::deployment_name(name))? {
            Some(id) => self.deployment(id),
            None => Ok(None),
        }
    }

    /// Every deployment, in no particular order, one at a time: nothing holds them all.
    pub fn deployments(&self) -> impl Iterator<Item = Result<Deployment, LedgerError>> + '_ {
        self.scan_in_force(key::DEPLOYMENT)
    }

    /// The names of all deployments, sorted, with their ids.
    pub fn deployment_names(&self) -> Result<Vec<(FullName, DeploymentId)>, LedgerError> {
        let mut names = Vec::new();
        for row in self.store.scan(Range::prefix(&[key::DEPLOYMENT_NAME])) {
            let (row_key, value) = row?;
            let name = String::from_utf8_lossy(&row_key[1..]).into_owned();
            if let Some((flow, deployment)) = name.split_once('\0') {
                names.push((FullName::new(flow, deployment), decode(&row_key, &value)?));
            }
        }
        Ok(names)
    }

    pub fn work_pool(&self, name: &str) -> Result<Option<WorkPool>, LedgerError> {
        self.read_in_force(&key::work_pool(name))
    }

    pub fn work_pool_by_id(&self, id: WorkPoolId) -> Result<Option<WorkPool>, LedgerError> {
        Ok(self.work_pools()?.into_iter().find(|pool| pool.id == id))
    }

    pub fn work_pools(&self) -> Result<Vec<WorkPool>, LedgerError> {
        self.scan_in_force(key::WORK_POOL).collect()
    }

    pub fn work_queue(&self, pool: &str, name: &str) -> Result<Option<WorkQueue>, LedgerError> {
        self.read_in_force(&key::work_queue(pool, name))
    }

    pub fn work_queue_by_id(&self, id: WorkQueueId) -> Result<Option<WorkQueue>, LedgerError> {
        Ok(self.work_queues()?.into_iter().find(|queue| queue.id == id))
    }

    pub fn work_queues(&self) -> Result<Vec<WorkQueue>, LedgerError> {
        self.scan_in_force(key::WORK_QUEUE).collect()
    }

    pub fn tag_limit(&self, tag: &str) -> Result<Option<TagLimit>, LedgerError> {
        self.read_in_force(&key::tag_limit(tag))
    }

    pub fn tag_limits(&self) -> Result<Vec<TagLimit>, LedgerError> {
        self.scan_in_force(key::TAG_LIMIT).collect()
    }

    pub fn tombstone(&self, name: &ObjectName) -> Result<Option<Tombstone>, LedgerError> {
        self.read_in_force(&key::tombstone(name))
    }

    pub fn tombstones(&self) -> Result<Vec<Tombstone>, LedgerError> {
        self.scan_in_force(key::TOMBSTONE).chain(self.scan_in_force(key::OTHER_TOMBSTONE)).collect()
    }

    /// What a plan for `desired` is made against: what its project owns, whatever else bears a name that it uses or used, and
    /// others' deployments in its pools.
    pub fn stored(&self, desired: &Desired) -> Result<Stored, LedgerError> {
        let mut stored = Stored::empty(self.home);
        stored.revision = self.revision()?;
        stored.project = self.project(&desired.project)?;
        stored.flows = by(self.flows()?, |flow| flow.name.clone());
        stored.work_pools = by(self.work_pools()?, |pool| pool.name.clone());
        stored.work_queues = by(self.work_queues()?, |queue| (queue.pool.clone(), queue.name.clone()));
        stored.tag_limits = by(self.tag_limits()?, |limit| limit.tag.clone());
        stored.tombstones = by(self.tombstones()?, |tombstone| tombstone.object.name());
        let own_pools: BTreeSet<String> = stored
            .work_pools
            .values()
            .filter(|pool| pool.owner.as_ref().is_some_and(|owner| owner.project == desired.project))
            .map(|pool| pool.name.clone())
            .collect();
        let earlier: BTreeSet<&FullName> = desired.renames.values().flatten().collect();
        for deployment in self.deployments() {
            let deployment = deployment?;
            let owned = deployment.owner.as_ref().is_some_and(|owner| owner.project == desired.project);
            let in_its_pool = || deployment.declared.work_pool.as_ref().is_some_and(|pool| own_pools.contains(pool));
            let named = desired.deployments.contains_key(&deployment.name) || earlier.contains(&deployment.name);
            if owned || named || in_its_pool() {
                stored.deployments.insert(deployment.name.clone(), deployment);
            }
        }
        Ok(stored)
    }

    pub(super) fn read<T: DeserializeOwned>(&self, row_key: &[u8]) -> Result<Option<T>, LedgerError> {
        match self.store.get(row_key)? {
            Some(bytes) => decode(row_key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn scan<T: DeserializeOwned>(&self, prefix: u8) -> impl Iterator<Item = Result<T, LedgerError>> + '_ {
        self.store.scan(Range::prefix(&[prefix])).map(|row| {
            let (row_key, value) = row?;
            decode(&row_key, &value)
        })
    }

    /// A record without what operators laid over it and has ended.
    fn read_in_force<T: DeserializeOwned + Overridden>(&self, row_key: &[u8]) -> Result<Option<T>, LedgerError> {
        Ok(self.read(row_key)?.map(|record| self.in_force(record)))
    }

    fn scan_in_force<T: DeserializeOwned + Overridden>(&self, prefix: u8) -> impl Iterator<Item = Result<T, LedgerError>> + '_ {
        self.scan(prefix).map(|record| record.map(|record| self.in_force(record)))
    }

    fn in_force<T: Overridden>(&self, mut record: T) -> T {
        // Nearly no record has such an override: the clock is asked only then.
        if let Some(end) = record.first_end().filter(|_| !self.with_ended)
            && let now = clock::now()
            && end <= now
        {
            record.end_overrides(now);
        }
        record
    }

    fn all<T: DeserializeOwned>(&self, prefix: u8) -> Result<Vec<T>, LedgerError> {
        self.scan(prefix).collect()
    }

    fn revision_row(&self) -> Result<(Expect, u64), LedgerError> {
        Ok(match self.store.get(key::REVISION)? {
            Some(bytes) => {
                let revision = decode(key::REVISION, &bytes)?;
                (Expect::Equals(bytes), revision)
            }
            None => (Expect::Absent, 0),
        })
    }
}

impl Ledger {
    /// Makes `writes` true together, if the definitions are still at `base`, and returns the new revision. However
    /// many there are: they survive a crash all or not at all.
    ///
    /// # Errors
    /// `Stale` when the definitions have moved on: plan again.
    pub async fn apply(&self, base: u64, writes: &[Write]) -> Result<u64, LedgerError> {
        let _alone = self.definitions.lock().await;
        let (expect, revision) = self.revision_row()?;
        if revision != base {
            return Err(LedgerError::Stale { expected: base, found: revision });
        }
        if writes.is_empty() {
            return Ok(revision);
        }
        let mut rows = BTreeMap::new();
        for write in writes {
            rows_of(write, &mut rows)?;
        }
        let events = writes.iter().filter_map(|write| match write {
            Write::AddEvent(event) => Some(&**event),
            _ => None,
        });
        self.rows_of_events(events, &mut rows)?;
        rows.insert(key::REVISION.to_vec(), Some(encode(&(revision + 1))?));
        let mut unit = Batch { expect: vec![(key::REVISION.to_vec(), expect)], ..Batch::new() };
        for (row_key, value) in rows {
            match value {
                Some(value) => unit.put.push((row_key, value)),
                None => unit.delete.push(row_key),
            }
        }
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || redo::commit_unit(&*store, unit)).await {
            Ok(Ok(_)) => Ok(revision + 1),
            Ok(Err(CommitError::Conflict { .. })) => Err(LedgerError::Stale { expected: base, found: self.revision()? }),
            Ok(Err(CommitError::Store(error))) => Err(error.into()),
            Err(_ended) => Err(StoreError::Closed.into()),
        }
    }

    /// Applies what `decide` makes of the current definitions, again if they moved on meanwhile. For an operator's
    /// edit of one object; `decide` must read through the ledger each time.
    pub async fn edit<T, E: From<LedgerError>>(
        &self,
        mut decide: impl FnMut() -> Result<(Vec<Write>, T), E>,
    ) -> Result<T, E> {
        for _ in 0..super::runs::MOST_TRIES {
            let base = self.revision()?;
            let (writes, answer) = decide()?;
            match self.apply(base, &writes).await {
                Ok(_) => return Ok(answer),
                Err(LedgerError::Stale { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Conflict("definitions".to_owned()).into())
    }
}

pub(super) type Rows = BTreeMap<Key, Option<Value>>;

fn rows_of(write: &Write, rows: &mut Rows) -> Result<(), LedgerError> {
    match write {
        Write::PutProject(project) => {
            rows.insert(key::project(&project.name), Some(encode(project)?));
        }
        Write::DeleteProject(name) => {
            rows.insert(key::project(name), None);
        }
        Write::PutFlow(flow) => {
            rows.insert(key::flow(flow.id), Some(encode(flow)?));
            rows.insert(key::flow_name(&flow.name), Some(encode(&flow.id)?));
        }
        Write::PutDeployment(deployment) => {
            rows.insert(key::deployment(deployment.id), Some(encode(deployment)?));
            rows.insert(key::deployment_name(&deployment.name), Some(encode(&deployment.id)?));
        }
        Write::DeleteDeployment { id, name } => {
            rows.insert(key::deployment(*id), None);
            rows.insert(key::deployment_name(name), None);
        }
        Write::PutTombstone(tombstone) => {
            rows.insert(key::tombstone(&tombstone.object.name()), Some(encode(tombstone)?));
        }
        Write::DeleteTombstone(name) => {
            rows.insert(key::tombstone(name), None);
        }
        Write::PutWorkPool(pool) => {
            rows.insert(key::work_pool(&pool.name), Some(encode(pool)?));
        }
        Write::DeleteWorkPool(name) => {
            rows.insert(key::work_pool(name), None);
        }
        Write::PutWorkQueue(queue) => {
            rows.insert(key::work_queue(&queue.pool, &queue.name), Some(encode(queue)?));
        }
        Write::DeleteWorkQueue { pool, name } => {
            rows.insert(key::work_queue(pool, name), None);
        }
        Write::PutTagLimit(limit) => {
            rows.insert(key::tag_limit(&limit.tag), Some(encode(limit)?));
        }
        Write::DeleteTagLimit(tag) => {
            rows.insert(key::tag_limit(tag), None);
        }
        // They are numbered together.
        Write::AddEvent(_) => {}
    }
    Ok(())
}

fn by<T, K: Ord>(items: Vec<T>, name: impl Fn(&T) -> K) -> BTreeMap<K, T> {
    items.into_iter().map(|item| (name(&item), item)).collect()
}
