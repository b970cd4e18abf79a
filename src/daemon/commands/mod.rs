//! The commands of `control`, carried out on the ledger.
//!
//! The same object serves a running daemon and a CLI that opened the store itself: it only reads and commits; the
//! daemon's tasks hear of every commit through the ledger's feed.
mod deployments;
mod explain;
mod overrides;
mod pool_removal;
mod projects;
mod queue_removal;
mod runs;
mod tag_limits;
mod tombstones;
mod work_pools;

pub(super) use deployments::object as deployment_object;
pub(super) use tag_limits::object as tag_limit_object;
pub(super) use work_pools::{pool_object as work_pool_object, queue_object as work_queue_object};


use super::events;
use super::reconciler::Reconciler;
use super::scheduler::Upcoming;
use crate::clock;
use crate::control::*;
use crate::model::JsonMap;
use crate::model::deployment::{Deployment, Flow, FullName};
use crate::model::event::Event;
use crate::model::id::{self, DeploymentId, FlowId, FlowRunId, Kind, WorkQueueId};
use crate::model::overrides::Override;
use crate::model::run::FlowRun;
use crate::model::state::Proposed;
use crate::model::status::{NextFire, RunCounts, Status};
use crate::model::stored::{ObjectName, Project, Pruned, Suspension};
use crate::model::tag_limit::TagLimit;
use crate::model::transition::Decision;
use crate::model::work_pool::{WorkPool, WorkPoolSpec, WorkQueue, WorkQueueSpec};
use crate::model::write::Write;
use crate::reconcile::origin::Origin;
use crate::store::ledger::{Ledger, Reader};
use std::sync::Arc;
use tokio::sync::watch;

/// How many upcoming slots the status names.
const NEXT_SHOWN: usize = 5;

/// What an operator's edit comes to.
struct Edited<T> {
    writes: Vec<Write>,
    answer: T,
    /// What tells of it, where it is a change at all.
    event: Option<Event>,
}

impl<T> Edited<T> {
    /// It is so already.
    fn nothing(answer: T) -> Self {
        Edited { writes: Vec::new(), answer, event: None }
    }
}

/// The daemon's commands.
pub struct Commands {
    /// `None` over a copy of a home: reading only.
    pub(super) ledger: Option<Ledger>,
    pub(super) reader: Reader,
    pub(super) reconciler: Arc<Reconciler>,
    pub(super) upcoming: Upcoming,
    pub(super) counts: watch::Receiver<RunCounts>,
}

impl Commands {
    /// Waits until the scheduler knows the definitions as they are now. Only beside a running scheduler.
    pub(super) async fn scheduler_has_caught_up(&self) {
        if let Ok(revision) = self.reader.revision() {
            self.upcoming.reaches(revision).await;
        }
    }

    /// Where changes go.
    fn writer(&self) -> Result<&Ledger, ControlError> {
        let reading = "this is a copy of the home for reading only: nothing can be changed through it";
        self.ledger.as_ref().ok_or_else(|| ControlError::Unavailable(reading.to_owned()))
    }

    /// Carries out an operator's edit and tells of it, in the daemon's log and among the events of the project that it concerns.
    /// `decide` must read through the ledger each time.
    async fn edit_told<T>(&self, mut decide: impl FnMut() -> Result<Edited<T>, ControlError>) -> Result<T, ControlError> {
        let edited = self.writer()?.edit::<_, ControlError>(|| {
            let Edited { mut writes, answer, event } = decide()?;
            if let Some(event) = &event {
                events::add(&mut writes, event);
            }
            Ok((writes, (answer, event)))
        });
        let (answer, event) = edited.await?;
        event.iter().for_each(events::tell);
        Ok(answer)
    }

    async fn flow_named(&self, name: &str, tags: &[String], labels: &JsonMap) -> Result<Made<Flow>, ControlError> {
        check_name("flow", name)?;
        self.writer()?
            .edit(|| {
                if let Some(flow) = self.reader.flow_by_name(name)? {
                    return Ok((Vec::new(), Made::Existing(flow)));
                }
                let now = clock::now();
                let flow = Flow {
                    id: FlowId(id::of_new_object(self.reader.home(), Kind::Flow, name, self.reader.revision()?)),
                    name: name.to_owned(),
                    tags: tags.to_vec(),
                    labels: labels.clone(),
                    created: now,
                    updated: now,
                };
                Ok((vec![Write::PutFlow(flow.clone())], Made::New(flow)))
            })
            .await
    }
}

impl Control for Commands {
    fn status(&self) -> Status {
        let mut status = self.reconciler.status();
        status.runs = *self.counts.borrow();
        status.next = self
            .upcoming
            .next(NEXT_SHOWN)
            .into_iter()
            .filter_map(|timer| {
                let deployment = self.reader.deployment(timer.deployment).ok()??;
                let schedule = deployment.schedules.iter().find(|schedule| schedule.id == timer.schedule)?;
                let (at, name) = (timer.at, deployment.name.to_string());
                Some(NextFire { at, deployment: name, schedule: schedule.declared.spec.describe() })
            })
            .collect();
        status
    }

    fn watch_status(&self) -> watch::Receiver<Status> {
        self.reconciler.watch_status()
    }

    fn reconcile(&self, request: ReconcileRequest, by: Author) -> Answer<'_, ReconcileReport> {
        Box::pin(self.reconciler.reconcile(request, by))
    }

    fn suspend_project(&self, name: String, suspension: Option<Suspension>, by: Author) -> Answer<'_, Project> {
        Box::pin(self.suspend_project_until(name, suspension, by))
    }

    fn delete_project(&self, request: ProjectDeletion, by: Author) -> Answer<'_, ReconcileReport> {
        Box::pin(self.delete_project_of(request, by))
    }

    fn clear_override(&self, which: OverrideRef, by: Author) -> Answer<'_, Override> {
        Box::pin(self.clear_override_of(which, by))
    }

    fn create_flow(&self, name: String, tags: Vec<String>, labels: JsonMap) -> Answer<'_, Made<Flow>> {
        Box::pin(async move { self.flow_named(&name, &tags, &labels).await })
    }

    fn create_run(&self, request: RunRequest) -> Answer<'_, Made<FlowRun>> {
        Box::pin(self.create_run_of(request))
    }

    fn set_state(&self, run: FlowRunId, proposed: Proposed, force: bool) -> Answer<'_, (FlowRun, Decision)> {
        Box::pin(self.set_state_of(run, proposed, force))
    }

    fn update_run(&self, run: FlowRunId, patch: RunPatch) -> Answer<'_, FlowRun> {
        Box::pin(self.update_run_with(run, patch))
    }

    fn delete_run(&self, run: FlowRunId) -> Answer<'_, ()> {
        Box::pin(self.delete_run_of(run))
    }

    fn pause_deployment(&self, deployment: DeploymentId, paused: bool, by: Author) -> Answer<'_, Deployment> {
        Box::pin(self.pause_deployment_of(deployment, paused, by))
    }

    fn explain_deployment(&self, deployment: DeploymentId) -> Answer<'_, Vec<Origin>> {
        Box::pin(self.explain_deployment_of(deployment))
    }

    fn restore_deployment(&self, name: FullName, by: Author) -> Answer<'_, Deployment> {
        Box::pin(self.restore_deployment_named(name, by))
    }

    fn restore(&self, name: ObjectName, by: Author) -> Answer<'_, Vec<Pruned>> {
        Box::pin(self.restore_named(name, by))
    }

    fn delete_deployment(&self, deployment: DeploymentId, by: Author) -> Answer<'_, ()> {
        Box::pin(self.delete_deployment_of(deployment, by))
    }

    fn create_work_pool(&self, name: String, spec: WorkPoolSpec, by: Author) -> Answer<'_, WorkPool> {
        Box::pin(self.create_work_pool_of(name, spec, by))
    }

    fn update_work_pool(&self, name: String, patch: WorkPoolPatch, by: Author) -> Answer<'_, WorkPool> {
        Box::pin(self.update_work_pool_with(name, patch, by))
    }

    fn delete_work_pool(&self, name: String, dry_run: bool, by: Author) -> Answer<'_, PoolDeletion> {
        Box::pin(self.delete_work_pool_of(name, dry_run, by))
    }

    fn create_work_queue(&self, pool: Option<String>, name: String, spec: WorkQueueSpec, by: Author) -> Answer<'_, WorkQueue> {
        Box::pin(self.create_work_queue_of(pool, name, spec, by))
    }

    fn update_work_queue(&self, queue: WorkQueueId, patch: WorkQueuePatch, by: Author) -> Answer<'_, WorkQueue> {
        Box::pin(self.update_work_queue_with(queue, patch, by))
    }

    fn delete_work_queue(&self, queue: WorkQueueId, by: Author) -> Answer<'_, QueueDeletion> {
        Box::pin(self.delete_work_queue_of(queue, by))
    }

    fn set_tag_limit(&self, tag: String, limit: u32, by: Author) -> Answer<'_, Made<TagLimit>> {
        Box::pin(self.set_tag_limit_of(tag, limit, by))
    }

    fn delete_tag_limit(&self, tag: String, by: Author) -> Answer<'_, ()> {
        Box::pin(self.delete_tag_limit_of(tag, by))
    }
}

/// Prefect's rule for names (`^[^/%&><]+$`), and the store's for keys.
fn check_name(what: &str, name: &str) -> Result<(), ControlError> {
    match crate::model::name::problem(name) {
        None => Ok(()),
        Some(problem) => Err(ControlError::Invalid(format!("the name of a {what} {problem}"))),
    }
}
