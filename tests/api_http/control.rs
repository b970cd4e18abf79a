//! A control over the ledger, as small as the routes need: the daemon's rules are tested with the daemon.
use reeve::control::*;
use reeve::model::JsonMap;
use reeve::model::deployment::{Deployment, Flow, FullName};
use reeve::model::id::*;
use reeve::model::overrides::Override;
use reeve::model::run::FlowRun;
use reeve::model::state::{Proposed, State, StateType};
use reeve::model::stored::{ObjectName, Project, Pruned, Suspension};
use reeve::model::status::{NextFire, RunCounts, Status};
use reeve::model::transition::{Context, Decision};
use reeve::model::tag_limit::{TagLimit, TagLimitSpec};
use reeve::model::work_pool::*;
use reeve::model::write::Write;
use reeve::reconcile::origin::Origin;
use reeve::store::ledger::Ledger;
use std::sync::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

pub struct FakeControl {
    pub ledger: Ledger,
    status: watch::Sender<Status>,
    /// The last author and the last requester that were handed over.
    pub asked_by: Mutex<Option<Author>>,
}

impl FakeControl {
    pub fn new(ledger: Ledger) -> Self {
        let status = Status {
            version: "0".to_owned(),
            started: super::support::at("2026-11-21T08:00:00Z"),
            ready: true,
            address: "http://127.0.0.1:4200".to_owned(),
            home: "/home".to_owned(),
            projects: Vec::new(),
            runs: RunCounts::default(),
            next: ["2026-11-21T12:00:00Z", "2026-11-21T11:00:00Z"]
                .map(|at| NextFire { at: super::support::at(at), deployment: "etl/daily".to_owned(), schedule: "main".to_owned() })
                .to_vec(),
        };
        FakeControl { ledger, status: watch::Sender::new(status), asked_by: Mutex::default() }
    }

    pub fn set_ready(&self, ready: bool) {
        self.status.send_modify(|status| status.ready = ready);
    }

    async fn edit<T>(&self, mut decide: impl FnMut() -> Result<(Vec<Write>, T), ControlError>) -> Result<T, ControlError> {
        self.ledger.edit(&mut decide).await
    }
}

fn absent(what: &str) -> ControlError {
    ControlError::NotFound(format!("{what} not found"))
}

impl Control for FakeControl {
    fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    fn watch_status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    fn clear_override(&self, which: OverrideRef, _by: Author) -> Answer<'_, Override> {
        Box::pin(async move { Err(absent(&format!("Override of {}", which.field))) })
    }

    fn suspend_project(&self, name: String, _suspension: Option<Suspension>, _by: Author) -> Answer<'_, Project> {
        Box::pin(async move { Err(absent(&format!("Project {name}"))) })
    }

    fn delete_project(&self, request: ProjectDeletion, _by: Author) -> Answer<'_, ReconcileReport> {
        Box::pin(async move { Err(absent(&format!("Project {}", request.name))) })
    }

    fn reconcile(&self, request: ReconcileRequest, _by: Author) -> Answer<'_, ReconcileReport> {
        Box::pin(async move {
            if !request.root.is_absolute() {
                return Err(ControlError::Invalid("the project's root must be absolute".to_owned()));
            }
            Ok(ReconcileReport::default())
        })
    }

    fn create_flow(&self, name: String, tags: Vec<String>, labels: JsonMap) -> Answer<'_, Made<Flow>> {
        Box::pin(async move {
            self.edit(|| {
                if let Some(flow) = self.ledger.flow_by_name(&name)? {
                    return Ok((Vec::new(), Made::Existing(flow)));
                }
                let now = reeve::clock::now();
                let flow = Flow { id: FlowId(Uuid::new_v4()), name: name.clone(), tags: tags.clone(), labels: labels.clone(), created: now, updated: now };
                Ok((vec![Write::PutFlow(flow.clone())], Made::New(flow)))
            })
            .await
        })
    }

    fn create_run(&self, request: RunRequest) -> Answer<'_, Made<FlowRun>> {
        Box::pin(async move {
            let deployment = match request.deployment {
                Some(id) => Some(self.ledger.deployment(id)?.ok_or_else(|| absent("Deployment"))?),
                None => None,
            };
            if let (Some(id), Some(key)) = (request.deployment, &request.idempotency_key)
                && let Some(run) = self.ledger.run_by_idempotency_key(id, key)?
            {
                return Ok(Made::Existing(run));
            }
            *self.asked_by.lock().unwrap() = request.requested_by.clone().map(|who| Author { who, door: Door::Api, why: None, until: Until::Unsaid });
            let flow = deployment.as_ref().map(|deployment| deployment.flow_id).or(request.flow);
            let flow = flow.and_then(|flow| self.ledger.flow(flow).ok().flatten()).ok_or_else(|| absent("Flow"))?;
            let mut run = super::support::run(reeve::clock::now(), flow.id);
            let proposed = request.state.unwrap_or_else(|| Proposed::new(StateType::Scheduled));
            run.state = State {
                id: run.state.id,
                kind: proposed.kind,
                name: proposed.effective_name().to_owned(),
                timestamp: run.created,
                message: proposed.message,
                data: proposed.data,
                details: proposed.details,
            };
            run.name = request.name.unwrap_or(run.name);
            run.deployment_id = request.deployment;
            run.parameters = request.parameters;
            run.tags = request.tags;
            run.labels = request.labels;
            run.job_variables = request.job_variables;
            run.idempotency_key = request.idempotency_key;
            run.requested_by = request.requested_by;
            run.expected_start_time = request.scheduled_time.unwrap_or(run.created);
            let mut unit = self.ledger.unit();
            unit.create_run(&run)?;
            unit.commit().await?;
            Ok(Made::New(run))
        })
    }

    fn set_state(&self, run: FlowRunId, proposed: Proposed, force: bool) -> Answer<'_, (FlowRun, Decision)> {
        Box::pin(async move {
            let context = Context { now: reeve::clock::now(), force };
            let outcome = self.ledger.propose_or_make_real(run, proposed, context).await?;
            Ok((outcome.run, outcome.decision))
        })
    }

    fn update_run(&self, run: FlowRunId, patch: RunPatch) -> Answer<'_, FlowRun> {
        Box::pin(async move {
            let amended = self.ledger.amend_or_make_real(run, reeve::clock::now(), |run| {
                run.name = patch.name.clone().unwrap_or_else(|| run.name.clone());
                run.tags = patch.tags.clone().unwrap_or_else(|| run.tags.clone());
                run.infrastructure_pid = patch.infrastructure_pid.clone().or_else(|| run.infrastructure_pid.clone());
                run.labels.extend(patch.labels.clone().unwrap_or_default());
            });
            Ok(amended.await?)
        })
    }

    fn delete_run(&self, run: FlowRunId) -> Answer<'_, ()> {
        Box::pin(async move {
            let context = Context { now: reeve::clock::now(), force: false };
            Ok(self.ledger.delete_or_skip(run, context).await?)
        })
    }

    fn pause_deployment(&self, id: DeploymentId, paused: bool, by: Author) -> Answer<'_, Deployment> {
        Box::pin(async move {
            *self.asked_by.lock().unwrap() = Some(by);
            self.edit(|| {
                let mut deployment = self.ledger.deployment(id)?.ok_or_else(|| absent("Deployment"))?;
                deployment.declared.paused = paused;
                Ok((vec![Write::PutDeployment(Box::new(deployment.clone()))], deployment))
            })
            .await
        })
    }

    fn explain_deployment(&self, id: DeploymentId) -> Answer<'_, Vec<Origin>> {
        Box::pin(async move {
            let deployment = self.ledger.deployment(id)?.ok_or_else(|| absent("Deployment"))?;
            Ok(reeve::reconcile::origin::of(&deployment, None))
        })
    }

    fn restore_deployment(&self, name: FullName, _by: Author) -> Answer<'_, Deployment> {
        Box::pin(async move { Err(absent(&format!("Tombstone of {name}"))) })
    }

    fn restore(&self, name: ObjectName, _by: Author) -> Answer<'_, Vec<Pruned>> {
        Box::pin(async move { Err(absent(&format!("Tombstone of {name}"))) })
    }

    fn delete_deployment(&self, id: DeploymentId, _by: Author) -> Answer<'_, ()> {
        Box::pin(async move {
            self.edit(|| {
                let deployment = self.ledger.deployment(id)?.ok_or_else(|| absent("Deployment"))?;
                match &deployment.owner {
                    Some(owner) => Err(ControlError::Refused(format!("it is declared in {}: remove it there", owner.file))),
                    None => Ok((vec![Write::DeleteDeployment { id, name: deployment.name }], ())),
                }
            })
            .await
        })
    }

    fn create_work_pool(&self, name: String, spec: WorkPoolSpec, _by: Author) -> Answer<'_, WorkPool> {
        Box::pin(async move {
            self.edit(|| {
                if self.ledger.work_pool(&name)?.is_some() {
                    return Err(ControlError::Conflict("A work pool with this name already exists.".to_owned()));
                }
                let pool = super::support::pool(&name, spec.clone());
                let queue = super::support::queue(&name, DEFAULT_QUEUE, WorkQueueSpec::default());
                Ok((vec![Write::PutWorkPool(pool.clone()), Write::PutWorkQueue(queue)], pool))
            })
            .await
        })
    }

    fn update_work_pool(&self, name: String, patch: WorkPoolPatch, by: Author) -> Answer<'_, WorkPool> {
        Box::pin(async move {
            *self.asked_by.lock().unwrap() = Some(by);
            self.edit(|| {
                let mut pool = self.ledger.work_pool(&name)?.ok_or_else(|| absent("Work pool"))?;
                pool.declared.paused = patch.paused.unwrap_or(pool.declared.paused);
                pool.declared.concurrency_limit = patch.concurrency_limit.unwrap_or(pool.declared.concurrency_limit);
                pool.declared.description = patch.description.clone().unwrap_or(pool.declared.description);
                pool.declared.base_job_template = patch.base_job_template.clone().or(pool.declared.base_job_template);
                Ok((vec![Write::PutWorkPool(pool.clone())], pool))
            })
            .await
        })
    }

    fn delete_work_pool(&self, name: String, _dry_run: bool, _by: Author) -> Answer<'_, PoolDeletion> {
        Box::pin(async move {
            self.edit(|| {
                self.ledger.work_pool(&name)?.ok_or_else(|| absent("Work pool"))?;
                Ok((vec![Write::DeleteWorkPool(name.clone())], PoolDeletion::default()))
            })
            .await
        })
    }

    fn create_work_queue(&self, pool: Option<String>, name: String, spec: WorkQueueSpec, _by: Author) -> Answer<'_, WorkQueue> {
        Box::pin(async move {
            let pool = pool.unwrap_or_else(|| DEFAULT_AGENT_POOL.to_owned());
            self.edit(|| {
                if self.ledger.work_queue(&pool, &name)?.is_some() {
                    return Err(ControlError::Conflict("A work queue with this name already exists.".to_owned()));
                }
                let queue = super::support::queue(&pool, &name, spec.clone());
                Ok((vec![Write::PutWorkQueue(queue.clone())], queue))
            })
            .await
        })
    }

    fn update_work_queue(&self, id: WorkQueueId, patch: WorkQueuePatch, by: Author) -> Answer<'_, WorkQueue> {
        Box::pin(async move {
            *self.asked_by.lock().unwrap() = Some(by);
            self.edit(|| {
                let mut queue = self.ledger.work_queue_by_id(id)?.ok_or_else(|| absent("work queue"))?;
                queue.declared.paused = patch.paused.unwrap_or(queue.declared.paused);
                queue.declared.priority = patch.priority.unwrap_or(queue.declared.priority);
                queue.declared.concurrency_limit = patch.concurrency_limit.unwrap_or(queue.declared.concurrency_limit);
                queue.declared.filter = patch.filter.clone().unwrap_or(queue.declared.filter);
                Ok((vec![Write::PutWorkQueue(queue.clone())], queue))
            })
            .await
        })
    }

    fn delete_work_queue(&self, id: WorkQueueId, _by: Author) -> Answer<'_, QueueDeletion> {
        Box::pin(async move {
            self.edit(|| {
                let queue = self.ledger.work_queue_by_id(id)?.ok_or_else(|| absent("work queue"))?;
                Ok((vec![Write::DeleteWorkQueue { pool: queue.pool, name: queue.name }], QueueDeletion::default()))
            })
            .await
        })
    }

    fn set_tag_limit(&self, tag: String, limit: u32, by: Author) -> Answer<'_, Made<TagLimit>> {
        Box::pin(async move {
            *self.asked_by.lock().unwrap() = Some(by);
            self.edit(|| {
                let found = self.ledger.tag_limit(&tag)?;
                let declared = TagLimitSpec { concurrency_limit: limit };
                let new = TagLimit { declared, ..found.clone().unwrap_or_else(|| super::support::tag_limit(&tag, limit)) };
                Ok((vec![Write::PutTagLimit(new.clone())], if found.is_some() { Made::Existing(new) } else { Made::New(new) }))
            })
            .await
        })
    }

    fn delete_tag_limit(&self, tag: String, _by: Author) -> Answer<'_, ()> {
        Box::pin(async move {
            self.edit(|| {
                self.ledger.tag_limit(&tag)?.ok_or_else(|| absent("Concurrency limit"))?;
                Ok((vec![Write::DeleteTagLimit(tag.clone())], ()))
            })
            .await
        })
    }
}
