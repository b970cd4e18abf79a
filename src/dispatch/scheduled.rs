//! The run that stands for a slot: a function of the deployment, the schedule and the slot, so that whoever
//! computes it, and however often, it is the same run (G2).
use crate::model::deployment::Deployment;
use crate::model::id::{FlowRunId, of_slot, of_state, schedule_part};
use crate::model::name;
use crate::model::run::{FlowRun, Slot};
use crate::model::schedule::Schedule;
use crate::model::state::{State, StateDetails, StateType, names};
use super::due::LATE_AFTER;
use crate::model::policy::Policy;
use crate::schedule::{Every, Rule};
use jiff::{SignedDuration, Timestamp};

/// Prefect's tag for runs that a schedule made; it stands first.
pub const AUTO_SCHEDULED: &str = "auto-scheduled";

/// The run of `schedule`'s `slot`, in state Scheduled; its idempotency key is written as Prefect's scheduler does. `rule` is the
/// schedule's own; `created` is when it was made real.
pub fn run_of_slot(deployment: &Deployment, schedule: &Schedule, rule: &Rule, slot: Timestamp, created: Timestamp) -> FlowRun {
    let id = of_slot(deployment.id, &schedule.key, slot);
    let start = start_of_slot(&schedule.declared.policy, rule, id, slot);
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
        retry_jitter_factor: spec.retry_jitter_factor,
        retry_on: spec.retry_on.clone(),
        run_count: 0,
        expected_start_time: start,
        next_scheduled_start_time: Some(start),
        start_time: None,
        end_time: None,
        total_run_time: 0.0,
        queue_wait_seconds: 0.0,
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
            details: StateDetails { scheduled_time: Some(start), ..StateDetails::default() },
        },
        past_states: Vec::new(),
        state_count: 1,
        created,
        updated: created,
    }
}

/// Whether a waiting run is cancelled when its deployment is paused: a schedule made it, and nobody has touched it since.
pub fn ends_with_pause(run: &FlowRun) -> bool {
    run.slot.is_some() && run.run_count == 0 && !stands_by_itself(run)
}

/// Whether a run stands for a slot that is no more, and has not come to its start: its schedule was paused, switched off, removed
/// or changed since the run was made, a moment before its time. A slot that came before the change stands; where a daemon was down
/// between the change and the slot, the change is still known to have come first while nothing else has been changed since. A run that
/// somebody touched stands.
pub fn is_void(run: &FlowRun, deployment: Option<&Deployment>, now: Timestamp) -> bool {
    let Some(slot) = run.slot.as_ref().filter(|_| ends_with_pause(run)) else { return false };
    let to_come = slot.at > now;
    let has_it = |schedule: &Schedule| match schedule.effective_since <= slot.at {
        // Asked of the rule itself: the run may have been made while the change was on its way to the disk.
        true => schedule.declared.spec.parse().is_ok_and(|rule| rule.next(slot.at) == Some(slot.at)),
        false => !to_come,
    };
    let stands = deployment.is_some_and(|deployment| deployment.firing_schedules().any(|schedule| schedule.id == slot.schedule && has_it(schedule)));
    !stands && (to_come || deployment.is_some_and(|deployment| deployment.updated < slot.at))
}

/// Whether a run that is still Scheduled was touched by somebody since it was made of its slot: such a run stands, whatever becomes
/// of its schedule. What the scheduler makes a moment before its time was updated when it was created.
pub fn stands_by_itself(run: &FlowRun) -> bool {
    run.updated != run.created && run.state.name != names::LATE
}

/// Whether a run stands for a slot that passed while nothing ran, although it had been made a moment before: a daemon that is there
/// marks what it cannot start as Late (`LATE_AFTER`), and this one is past that and is not.
pub fn was_missed(run: &FlowRun, now: Timestamp) -> bool {
    let unseen = run.state.kind == StateType::Scheduled && run.state.name != names::LATE && run.run_count == 0;
    let late = run.expected_start_time.saturating_add(LATE_AFTER + MARKED_WITHIN).is_ok_and(|marked| marked < now);
    run.slot.is_some() && unseen && late && !stands_by_itself(run)
}

/// A daemon has marked a late run by this much later, however busy it is.
const MARKED_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// When a slot's run is to start: the slot itself, or later by the schedule's `spread` and `jitter`, a function of the run's id. The
/// slot stays what it is: spreading moves no slot and doubles none. Always before the next slot.
pub fn start_of_slot(policy: &Policy, rule: &Rule, run: FlowRunId, slot: Timestamp) -> Timestamp {
    if policy.spread.is_none() && policy.jitter.is_none() {
        return slot;
    }
    // A microsecond short of the next slot, so that two runs of a schedule never start in the wrong order.
    let room = rule.after(slot).map_or(u64::MAX, |next| microseconds(next.duration_since(slot)).saturating_sub(1));
    let [stable, varying] = fractions(run, slot);
    let spread = part_of(policy.spread, stable, room);
    let jitter = part_of(policy.jitter, varying, room - spread);
    let later = SignedDuration::from_micros(i64::try_from(spread + jitter).unwrap_or(i64::MAX));
    slot.saturating_add(later).unwrap_or(slot)
}

/// Whole milliseconds where the bound has any: nobody wants to read more of an instant.
fn part_of(bound: Option<Every>, fraction: u32, room: u64) -> u64 {
    let bound = bound.map_or(0, Every::microseconds).min(room);
    let part = (u128::from(bound) * u128::from(fraction)) >> 32;
    let part = u64::try_from(part).unwrap_or(bound);
    if part < 1_000 { part } else { part - part % 1_000 }
}

fn microseconds(duration: SignedDuration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(0)
}

/// Two fractions of 2^32: one that a schedule's slots share, one that is another for each.
fn fractions(run: FlowRunId, slot: Timestamp) -> [u32; 2] {
    let part = schedule_part(run);
    let seed = part[2..].iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let second = slot.as_millisecond().unsigned_abs();
    [mix(seed), mix(seed ^ mix_whole(second))]
}

fn mix(number: u64) -> u32 {
    u32::try_from(mix_whole(number) >> 32).unwrap_or(0)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): spreads numbers that are close together.
fn mix_whole(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
