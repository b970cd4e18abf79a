//! A list request: filters over related objects, a sort and a page; and the ledger's answer to it.
//!
//! A filter on a related object means that such an object exists (a run whose flow matches). The related objects are gathered into
//! sets once; then each candidate is one pure test. Everything here may scan: call it off the async threads.
use super::known::{self, Known};
use super::union::{self, Seen, Union};
use super::{Candidates, DeploymentFilter, FlowFilter, FlowRunFilter, FlowRunSort, TaskRunFilter, WorkPoolFilter, WorkQueueFilter};
use crate::api::page::Page;
use crate::model::deployment::{Deployment, Flow};
use crate::model::id::{self, DeploymentId, FlowId};
use crate::model::run::FlowRun;
use crate::model::work_pool::DEFAULT_QUEUE;
use crate::store::ledger::{LedgerError, OverRun, Reader};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::HashSet;

/// The body of `filter` and `count` of flows, deployments and flow runs. Keys that are not listed are ignored, as FastAPI does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(bound = "S: Deserialize<'de>")]
pub(in crate::api) struct Selection<S> {
    pub flows: Option<FlowFilter>,
    pub flow_runs: Option<FlowRunFilter>,
    pub task_runs: Option<TaskRunFilter>,
    pub deployments: Option<DeploymentFilter>,
    pub work_pools: Option<WorkPoolFilter>,
    pub work_pool_queues: Option<WorkQueueFilter>,
    pub sort: Option<S>,
    pub limit: Option<i64>,
    pub offset: Option<i64>,
    /// Of `paginate`, in place of an offset.
    pub page: Option<i64>,
}

/// Ids and names of the related objects that pass; `None` where nothing is asked of them.
pub(super) struct Related {
    flows: Option<HashSet<FlowId>>,
    deployments: Option<HashSet<DeploymentId>>,
    pools: Option<HashSet<String>>,
    /// (pool, queue)
    queues: Option<HashSet<(String, String)>>,
}

impl Related {
    /// Whether nothing is asked of the related objects.
    fn is_any(&self) -> bool {
        self.flows.is_none() && self.deployments.is_none() && self.pools.is_none() && self.queues.is_none()
    }

    fn allows_place(&self, pool: Option<&str>, queue: Option<&str>) -> bool {
        let (Some(pool), queue) = (pool, queue.unwrap_or(DEFAULT_QUEUE)) else {
            return self.pools.is_none() && self.queues.is_none();
        };
        self.pools.as_ref().is_none_or(|pools| pools.contains(pool))
            && self.queues.as_ref().is_none_or(|queues| queues.contains(&(pool.to_owned(), queue.to_owned())))
    }

    pub(super) fn allows_run(&self, run: &FlowRun) -> bool {
        self.flows.as_ref().is_none_or(|flows| flows.contains(&run.flow_id))
            && self.deployments.as_ref().is_none_or(|set| run.deployment_id.is_some_and(|id| set.contains(&id)))
            && self.allows_place(run.work_pool.as_deref(), run.work_queue.as_deref())
    }

    pub(super) fn allows_over(&self, run: &OverRun<'_>) -> bool {
        self.flows.as_ref().is_none_or(|flows| flows.contains(&run.flow()))
            && self.deployments.as_ref().is_none_or(|set| run.deployment().is_some_and(|id| set.contains(&id)))
            && self.allows_place(run.work_pool(), run.work_queue())
    }

    fn allows_deployment(&self, deployment: &Deployment) -> bool {
        let declared = &deployment.declared;
        self.flows.as_ref().is_none_or(|flows| flows.contains(&deployment.flow_id))
            && self.deployments.as_ref().is_none_or(|set| set.contains(&deployment.id))
            && self.allows_place(declared.work_pool.as_deref(), declared.work_queue.as_deref())
    }
}

impl<S> Selection<S> {
    fn places(&self, reader: &Reader) -> Result<Related, LedgerError> {
        let mut related = Related { flows: None, deployments: None, pools: None, queues: None };
        if let Some(filter) = &self.work_pools {
            let pools = reader.work_pools()?;
            related.pools = Some(pools.into_iter().filter(|pool| filter.matches(pool)).map(|pool| pool.name).collect());
        }
        if let Some(filter) = &self.work_pool_queues {
            let queues = reader.work_queues()?.into_iter().filter(|queue| filter.matches(queue));
            related.queues = Some(queues.map(|queue| (queue.pool, queue.name)).collect());
        }
        Ok(related)
    }

    fn flow_ids(&self, reader: &Reader) -> Result<Option<HashSet<FlowId>>, LedgerError> {
        let Some(filter) = &self.flows else { return Ok(None) };
        let deployed = deployed_flows(filter, reader)?;
        let flows = reader.flows()?.into_iter().filter(|flow| filter.matches(flow, &deployed));
        Ok(Some(flows.map(|flow| flow.id).collect()))
    }

    /// What the runs that match `flow_runs` point at; `None` where no run is asked for.
    fn of_runs<T: Eq + std::hash::Hash>(
        &self,
        reader: &Reader,
        now: Timestamp,
        of: impl Fn(&FlowRun) -> Option<T>,
    ) -> Result<Option<HashSet<T>>, LedgerError> {
        if self.task_runs.is_some() {
            return Ok(Some(HashSet::new()));
        }
        let Some(filter) = &self.flow_runs else { return Ok(None) };
        let mut found = HashSet::new();
        for run in stored_runs(reader, filter.candidates())? {
            let run = run?;
            if filter.matches(&run) {
                found.extend(of(&run));
            }
        }
        for run in union::virtual_runs(reader, Some(filter), now)? {
            found.extend(reader.run_or_virtual(run.id, now)?.as_ref().and_then(&of));
        }
        Ok(Some(found))
    }

    /// The objects that the runs asked for must belong to.
    fn related_to_runs(&self, reader: &Reader) -> Result<Related, LedgerError> {
        let mut related = self.places(reader)?;
        related.flows = self.flow_ids(reader)?;
        if let Some(filter) = &self.deployments {
            let ids = reader.deployments().filter_map(|deployment| match deployment {
                Ok(deployment) => filter.matches(&deployment).then_some(Ok(deployment.id)),
                Err(error) => Some(Err(error)),
            });
            related.deployments = Some(ids.collect::<Result<_, _>>()?);
        }
        Ok(related)
    }

    /// Whether the runs to look at are told by id, or are those that are not over.
    fn names_candidates(&self) -> bool {
        matches!(self.flow_runs.as_ref().map(FlowRunFilter::candidates), Some(Candidates::Ids(_) | Candidates::Active))
    }

    /// The runs that match, stored and virtual.
    fn runs<'a>(&'a self, reader: &'a Reader, history: &'a Known, now: Timestamp) -> Result<Union<'a>, LedgerError> {
        if self.task_runs.is_some() {
            return Ok(Union::nothing(reader, now));
        }
        let related = self.related_to_runs(reader)?;
        let filter = self.flow_runs.as_ref();
        // The virtual ones first: one that is made real meanwhile is then known here already, and not listed twice.
        let to_come = match related.is_any() {
            true => union::virtual_runs(reader, filter, now)?,
            false => union::virtual_runs_tested(reader, filter, now, |run| related.allows_run(run))?,
        };
        let candidates = filter.map_or(Candidates::All, FlowRunFilter::candidates);
        if let (Candidates::All | Candidates::From(_), Some(over)) = (&candidates, &history.over) {
            return Ok(Union::new(reader, now, known::matching(reader, &history.active, over, filter, related), to_come));
        }
        let stored = stored_runs(reader, candidates)?.filter(move |run| match run {
            Ok(run) => filter.is_none_or(|filter| filter.matches(run)) && related.allows_run(run),
            Err(_) => true,
        });
        let stored = stored.map(|run| run.map(|run| Seen::Read(Box::new(run))));
        Ok(Union::new(reader, now, Box::new(stored), to_come))
    }
}

impl Selection<FlowRunSort> {
    /// One page of the matching runs. Under `ID_DESC` no more of the stored ones is read than the page needs.
    pub fn find_runs(&self, reader: &Reader, page: Page, now: Timestamp) -> Result<Vec<FlowRun>, LedgerError> {
        let sort = self.sort.unwrap_or_default();
        let latest = matches!(sort, FlowRunSort::IdDesc | FlowRunSort::ExpectedStartTimeDesc);
        let history = Known::of(reader, latest || self.names_candidates())?;
        self.runs(reader, &history, now)?.page(sort, page)
    }

    pub fn count_runs(&self, reader: &Reader, now: Timestamp) -> Result<usize, LedgerError> {
        let history = Known::of(reader, self.names_candidates())?;
        self.runs(reader, &history, now)?.count()
    }
}

impl<S> Selection<S> {
    /// Calls `visit` with each deployment that matches.
    pub fn each_deployment(&self, reader: &Reader, now: Timestamp, mut visit: impl FnMut(&Deployment)) -> Result<(), LedgerError> {
        let mut related = self.places(reader)?;
        related.flows = self.flow_ids(reader)?;
        related.deployments = self.of_runs(reader, now, |run| run.deployment_id)?;
        for deployment in reader.deployments() {
            let deployment = deployment?;
            if self.deployments.as_ref().is_none_or(|filter| filter.matches(&deployment)) && related.allows_deployment(&deployment) {
                visit(&deployment);
            }
        }
        Ok(())
    }

    /// The flows that match, in no order.
    pub fn find_flows(&self, reader: &Reader, now: Timestamp) -> Result<Vec<Flow>, LedgerError> {
        let deployed = match &self.flows {
            Some(filter) => deployed_flows(filter, reader)?,
            None => HashSet::new(),
        };
        let with_runs = self.of_runs(reader, now, |run| Some(run.flow_id))?;
        let with_deployments = self.flows_of_deployments(reader)?;
        let mut flows = reader.flows()?;
        flows.retain(|flow| {
            self.flows.as_ref().is_none_or(|filter| filter.matches(flow, &deployed))
                && with_runs.as_ref().is_none_or(|set| set.contains(&flow.id))
                && with_deployments.as_ref().is_none_or(|set| set.contains(&flow.id))
        });
        Ok(flows)
    }

    fn flows_of_deployments(&self, reader: &Reader) -> Result<Option<HashSet<FlowId>>, LedgerError> {
        if self.deployments.is_none() && self.work_pools.is_none() {
            return Ok(None);
        }
        let related = self.places(reader)?;
        let mut flows = HashSet::new();
        for deployment in reader.deployments() {
            let deployment = deployment?;
            if self.deployments.as_ref().is_none_or(|filter| filter.matches(&deployment)) && related.allows_deployment(&deployment) {
                flows.insert(deployment.flow_id);
            }
        }
        Ok(Some(flows))
    }
}

fn deployed_flows(filter: &FlowFilter, reader: &Reader) -> Result<HashSet<FlowId>, LedgerError> {
    if !filter.asks_for_deployments() {
        return Ok(HashSet::new());
    }
    reader.deployments().map(|deployment| deployment.map(|deployment| deployment.flow_id)).collect()
}

/// The runs to look at, newest first.
fn stored_runs(
    reader: &Reader,
    candidates: Candidates,
) -> Result<Box<dyn Iterator<Item = Result<FlowRun, LedgerError>> + '_>, LedgerError> {
    let ids = match candidates {
        Candidates::All => return Ok(Box::new(reader.runs_newest_first(None))),
        Candidates::From(after) => {
            let can_match = move |run: &FlowRun| id::latest_expected_start(run.id).is_none_or(|latest| latest >= after);
            return Ok(Box::new(reader.runs_newest_first(None).take_while(move |run| run.as_ref().map_or(true, can_match))));
        }
        Candidates::Ids(ids) => ids,
        Candidates::Active => {
            let mut ids = reader.active_run_ids()?;
            ids.reverse();
            ids
        }
    };
    Ok(Box::new(ids.into_iter().filter_map(|id| reader.run(id).transpose())))
}
