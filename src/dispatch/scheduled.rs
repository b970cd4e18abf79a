//! The run that stands for a slot: a function of the deployment, the schedule and the slot, so that whoever
//! computes it, and however often, it is the same run (G2).
use crate::model::deployment::Deployment;
use crate::model::id::{of_slot, of_state};
use crate::model::name;
use crate::model::run::{FlowRun, Slot};
use crate::model::schedule::Schedule;
use crate::model::state::{State, StateDetails, StateType};
use jiff::Timestamp;

/// Prefect's tag for runs that a schedule made; it stands first.
pub const AUTO_SCHEDULED: &str = "auto-scheduled";

/// The run of `schedule`'s `slot`, in state Scheduled; its idempotency key is written as Prefect's scheduler does. `created` is when it was made real.
pub fn run_of_slot(deployment: &Deployment, schedule: &Schedule, slot: Timestamp, created: Timestamp) -> FlowRun {
    let id = of_slot(deployment.id, &schedule.key, slot);
    let spec = &deployment.declared;
    let mut parameters = spec.parameters.clone();
    parameters.extend(schedule.declared.parameters.clone());
    let mut tags = vec![AUTO_SCHEDULED.to_owned()];
    tags.extend(spec.tags.iter().filter(|tag| *tag != AUTO_SCHEDULED).cloned());
    FlowRun {
        id,
        name: name::of_run(id),
        flow_id: deployment.flow_id,
        deployment_id: Some(deployment.id),
        deployment: Some(deployment.name.clone()),
        deployment_version: spec.version.clone(),
        parameters,
        tags,
        labels: Default::default(),
        job_variables: Default::default(),
        work_pool: spec.work_pool.clone(),
        work_queue: spec.work_queue.clone(),
        slot: Some(Slot { schedule: schedule.id, key: schedule.key.clone(), at: slot }),
        missed: None,
        idempotency_key: Some(format!("scheduled {} {} {}", deployment.id, schedule.id, slot.strftime("%Y-%m-%d %H:%M:%S%.f+00:00"))),
        requested_by: None,
        retries: spec.retries,
        retry_delay_seconds: spec.retry_delay_seconds.clone(),
        run_count: 0,
        expected_start_time: slot,
        next_scheduled_start_time: Some(slot),
        start_time: None,
        end_time: None,
        total_run_time: 0.0,
        infrastructure: None,
        infrastructure_pid: None,
        usage: None,
        state: State {
            id: of_state(id, 0),
            kind: StateType::Scheduled,
            name: StateType::Scheduled.title().to_owned(),
            timestamp: created,
            message: Some("Flow run scheduled".to_owned()),
            data: None,
            details: StateDetails { scheduled_time: Some(slot), ..StateDetails::default() },
        },
        past_states: Vec::new(),
        state_count: 1,
        created,
        updated: created,
    }
}
