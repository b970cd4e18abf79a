//! Commands on flow runs.
use super::Commands;
use crate::clock;
use crate::control::{ControlError, Made, RunPatch, RunRequest};
use crate::daemon::parameters;
use crate::model::JsonMap;
use crate::model::deployment::{Deployment, DeploymentSpec};
use crate::model::id::{self, FlowId, FlowRunId, of_state};
use crate::model::name;
use crate::model::run::FlowRun;
use crate::model::state::{Proposed, State, StateType};
use crate::model::transition::{Context, Decision};
use crate::store::ledger::LedgerError;
use crate::template::job::JobTemplate;
use jiff::Timestamp;

impl Commands {
    pub(super) async fn create_run_of(&self, request: RunRequest) -> Result<Made<FlowRun>, ControlError> {
        let deployment = match request.deployment {
            Some(id) => Some(self.reader.deployment(id)?.ok_or_else(|| ControlError::NotFound("Deployment not found".to_owned()))?),
            None => None,
        };
        if let (Some(deployment), Some(key)) = (&deployment, &request.idempotency_key)
            && let Some(run) = self.reader.run_by_idempotency_key(deployment.id, key)?
        {
            return Ok(Made::Existing(run));
        }
        let run = self.new_run(request, deployment.as_ref())?;
        let mut unit = self.writer()?.unit();
        unit.create_run(&run)?;
        match unit.commit().await {
            Ok(()) => Ok(Made::New(run)),
            // The same key came twice at once: the other one made it.
            Err(LedgerError::Conflict(_)) if run.idempotency_key.is_some() => {
                let found = match (run.deployment_id, &run.idempotency_key) {
                    (Some(deployment), Some(key)) => self.reader.run_by_idempotency_key(deployment, key)?,
                    _ => None,
                };
                found.map(Made::Existing).ok_or_else(|| ControlError::Conflict("A flow run with this id already exists.".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn new_run(&self, request: RunRequest, deployment: Option<&Deployment>) -> Result<FlowRun, ControlError> {
        let now = clock::now();
        let mut randomness = [0; 10];
        randomness.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..10]);
        let asked = request.scheduled_time.or(request.state.as_ref().and_then(|state| state.details.scheduled_time));
        let id = id::of_requested_run(asked.map_or(now, |asked| asked.max(now)), randomness);
        let spec = deployment.map(|deployment| &deployment.declared);
        let mut values = spec.map(|spec| spec.parameters.clone()).unwrap_or_default();
        values.extend(request.parameters);
        if let Some(deployment) = deployment {
            let owned = deployment.owner.is_some();
            parameters::check_when_made(&deployment.declared, owned, &values, request.enforce_parameter_schema).map_err(ControlError::Conflict)?;
        }
        if let (Some(spec), false) = (spec, request.job_variables.is_empty()) {
            self.check_job_variables(spec, &request.job_variables)?;
        }
        let mut tags = spec.map(|spec| spec.tags.clone()).unwrap_or_default();
        tags.extend(request.tags.into_iter().filter(|tag| !spec.is_some_and(|spec| spec.tags.contains(tag))));
        if let Some(name) = &request.name {
            check_run_name(name)?;
        }
        let flow_id = deployment.map(|deployment| deployment.flow_id).or(request.flow);
        let state = first_state(id, request.state, deployment.is_some(), request.scheduled_time, now);
        let expected = state.details.scheduled_time.unwrap_or(now);
        Ok(FlowRun {
            id,
            name: request.name.unwrap_or_else(|| name::of_run(id)),
            flow_id: self.existing_flow(flow_id)?,
            deployment_id: deployment.map(|deployment| deployment.id),
            deployment: deployment.map(|deployment| deployment.name.clone()),
            deployment_version: spec.and_then(|spec| spec.version.clone()),
            parameters: values,
            tags,
            labels: request.labels,
            job_variables: request.job_variables,
            work_pool: spec.and_then(|spec| spec.work_pool.clone()),
            work_queue: request.work_queue.or_else(|| spec.and_then(|spec| spec.work_queue.clone())),
            slot: None,
            missed: None,
            idempotency_key: request.idempotency_key,
            requested_by: request.requested_by,
            retries: spec.map_or(0, |spec| spec.retries),
            retry_delay_seconds: spec.map(|spec| spec.retry_delay_seconds.clone()).unwrap_or_default(),
            retry_jitter_factor: spec.map_or(0.0, |spec| spec.retry_jitter_factor),
            retry_on: spec.map(|spec| spec.retry_on.clone()).unwrap_or_default(),
            run_count: 0,
            expected_start_time: expected,
            next_scheduled_start_time: state.details.scheduled_time.filter(|_| state.kind == StateType::Scheduled),
            start_time: None,
            end_time: state.kind.is_terminal().then_some(now),
            total_run_time: 0.0,
            queue_wait_seconds: 0.0,
            infrastructure: None,
            infrastructure_pid: None,
            usage: None,
            state,
            past_states: Vec::new(),
            state_count: 1,
            created: now,
            updated: now,
        })
    }

    /// What was asked for against the pool's template; placeholders are looked at when the run starts.
    fn check_job_variables(&self, spec: &DeploymentSpec, asked: &JsonMap) -> Result<(), ControlError> {
        let Some(pool) = spec.work_pool.as_deref().map(|pool| self.reader.work_pool(pool)).transpose()?.flatten() else { return Ok(()) };
        let Some(template) = &pool.declared.base_job_template else { return Ok(()) };
        let mut variables = spec.job_variables.clone();
        variables.extend(asked.clone());
        let misfits = JobTemplate::new(&pool.name, template).misfits(&variables);
        match misfits.into_iter().next() {
            None => Ok(()),
            Some(misfit) => Err(ControlError::Conflict(format!("Error creating flow run: {}", misfit.message))),
        }
    }

    fn existing_flow(&self, flow: Option<FlowId>) -> Result<FlowId, ControlError> {
        match flow {
            Some(flow) if self.reader.flow(flow)?.is_some() => Ok(flow),
            _ => Err(ControlError::NotFound("Flow not found".to_owned())),
        }
    }

    pub(super) async fn set_state_of(
        &self,
        run: FlowRunId,
        proposed: Proposed,
        force: bool,
    ) -> Result<(FlowRun, Decision), ControlError> {
        let context = Context { now: clock::now(), force };
        self.know_the_future(run).await;
        let outcome = self.writer()?.propose_or_make_real(run, proposed, context).await?;
        Ok((outcome.run, outcome.decision))
    }

    pub(super) async fn update_run_with(&self, run: FlowRunId, patch: RunPatch) -> Result<FlowRun, ControlError> {
        if let Some(name) = &patch.name {
            check_run_name(name)?;
        }
        self.know_the_future(run).await;
        let now = clock::now();
        let changed = self
            .writer()?
            .amend_or_make_real(run, now, |run| {
                let before = run.clone();
                if let Some(name) = &patch.name {
                    run.name.clone_from(name);
                }
                if let Some(tags) = &patch.tags {
                    run.tags.clone_from(tags);
                }
                if let Some(parameters) = &patch.parameters {
                    run.parameters.clone_from(parameters);
                }
                if let Some(job_variables) = &patch.job_variables {
                    run.job_variables.clone_from(job_variables);
                }
                if let Some(pid) = &patch.infrastructure_pid {
                    run.infrastructure_pid = Some(pid.clone());
                }
                if let Some(labels) = &patch.labels {
                    run.labels.extend(labels.clone());
                }
                if *run != before {
                    run.updated = now;
                }
            })
            .await?;
        Ok(changed)
    }

    /// Deletes a run that is over or has not begun. One that is going on must be cancelled first: its processes
    /// would be nobody's. Of a run whose slot is still to come remains that it is skipped.
    pub(super) async fn delete_run_of(&self, run: FlowRunId) -> Result<(), ControlError> {
        if let Some(current) = self.reader.run(run)?
            && current.state.kind.holds_slots()
            && current.infrastructure.is_some()
        {
            return Err(ControlError::Refused(format!(
                "flow run '{}' is {}: cancel it first (reeve flow-run cancel {run})",
                current.name, current.state.name
            )));
        }
        self.know_the_future(run).await;
        let context = Context { now: clock::now(), force: false };
        Ok(self.writer()?.delete_or_skip(run, context).await?)
    }

    /// The first question about a run that is not stored reads every deployment: off the async threads. What it finds is asked again
    /// where it is acted on, and is then known.
    async fn know_the_future(&self, run: FlowRunId) {
        if matches!(self.reader.run(run), Ok(None)) {
            let reader = self.reader.clone();
            drop(tokio::task::spawn_blocking(move || reader.virtual_run(run, clock::now())).await);
        }
    }
}

fn first_state(
    run: FlowRunId,
    proposed: Option<Proposed>,
    has_deployment: bool,
    scheduled_time: Option<Timestamp>,
    now: Timestamp,
) -> State {
    let mut proposed = proposed.unwrap_or_else(|| match has_deployment {
        true => Proposed::new(StateType::Scheduled),
        false => Proposed::new(StateType::Pending),
    });
    if proposed.kind == StateType::Scheduled {
        proposed.details.scheduled_time = scheduled_time.or(proposed.details.scheduled_time).or(Some(now));
    }
    State {
        id: of_state(run, 0),
        kind: proposed.kind,
        name: proposed.effective_name().to_owned(),
        timestamp: now,
        message: proposed.message,
        data: proposed.data,
        details: proposed.details,
    }
}

/// A run's name is text for people: it need not be unique and is in no key.
fn check_run_name(name: &str) -> Result<(), ControlError> {
    if name.trim().is_empty() { Err(ControlError::Invalid("the name of a flow run must not be empty".to_owned())) } else { Ok(()) }
}
