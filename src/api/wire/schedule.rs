//! A deployment's schedules.
use super::WireTime;
use crate::model::JsonMap;
use crate::model::deployment::Deployment;
use crate::model::id::{DeploymentId, ScheduleId};
use crate::model::schedule::Schedule;
use crate::schedule::{RuleSpec, Spec};
use jiff::Timestamp;
use serde::Serialize;
use std::cmp::Reverse;

#[derive(Debug, Serialize)]
pub(in crate::api) struct ScheduleResponse {
    id: ScheduleId,
    created: WireTime,
    updated: WireTime,
    deployment_id: DeploymentId,
    schedule: Rule,
    active: bool,
    max_scheduled_runs: Option<u32>,
    parameters: JsonMap,
    slug: Option<String>,
    reeve: Beyond,
}

/// Prefect tells the three forms apart by their first key.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Rule {
    Cron { cron: String, timezone: String, day_or: bool },
    /// Seconds.
    Interval { interval: f64, anchor_date: WireTime, timezone: String },
    Rrule { rrule: String, timezone: String },
}

#[derive(Debug, Serialize)]
struct Beyond {
    key: String,
    effective_since: WireTime,
    /// `weekdays at 09:00, Europe/Berlin`
    words: String,
}

impl ScheduleResponse {
    fn of(deployment: DeploymentId, schedule: Schedule) -> Self {
        let active = schedule.active();
        let declared = schedule.declared;
        ScheduleResponse {
            id: schedule.id,
            created: schedule.created.into(),
            updated: schedule.updated.into(),
            deployment_id: deployment,
            reeve: Beyond {
                key: schedule.key,
                effective_since: schedule.effective_since.into(),
                words: declared.spec.describe(),
            },
            schedule: rule(declared.spec, schedule.created),
            active,
            max_scheduled_runs: declared.max_scheduled_runs,
            parameters: declared.parameters,
            slug: declared.slug,
        }
    }

    /// All of a deployment, in Prefect's order: the last changed first.
    pub fn all_of(deployment: &mut Deployment) -> Vec<Self> {
        let mut schedules = std::mem::take(&mut deployment.schedules);
        schedules.sort_by_key(|schedule| Reverse(schedule.updated));
        schedules.into_iter().map(|schedule| ScheduleResponse::of(deployment.id, schedule)).collect()
    }
}

/// Prefect's clients need an anchor. Where none was declared, any instant of the schedule is one: the first after `created`.
fn rule(spec: Spec, created: Timestamp) -> Rule {
    let anchor = || spec.parse().ok().and_then(|rule| rule.next(created)).unwrap_or(created);
    let timezone = spec.timezone.clone().unwrap_or_else(|| "UTC".to_owned());
    match &spec.rule {
        RuleSpec::Cron { expression, day_or } => Rule::Cron { cron: expression.clone(), timezone, day_or: *day_or },
        RuleSpec::Interval { every, anchor: declared } => Rule::Interval {
            interval: every.seconds(),
            anchor_date: declared.unwrap_or_else(anchor).into(),
            timezone,
        },
        RuleSpec::Rrule { text } => Rule::Rrule { rrule: text.clone(), timezone },
    }
}
