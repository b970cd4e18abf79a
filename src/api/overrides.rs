//! `/reeve/overrides`: what operators laid over what files declare.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller};
use super::wire::WireTime;
use crate::control::OverrideRef;
use crate::model::id::Kind;
use crate::model::overrides::{Override, Owner};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::Value;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/reeve/overrides", get(list)).route("/reeve/overrides/clear", post(clear))
}

/// One field that somebody set by hand.
#[derive(Debug, Serialize)]
struct OverrideView {
    #[serde(flatten)]
    which: OverrideRef,
    value: Value,
    who: String,
    why: Option<String>,
    since: WireTime,
    until: Option<WireTime>,
    /// Where the object is declared.
    project: Option<String>,
    file: Option<String>,
}

impl OverrideView {
    fn of(kind: Kind, name: &str, field: String, by: &Override, owner: Option<&Owner>) -> Self {
        OverrideView {
            which: OverrideRef { kind, name: name.to_owned(), field },
            value: by.value.clone(),
            who: by.who.clone(),
            why: by.why.clone(),
            since: by.since.into(),
            until: by.until.map(Into::into),
            project: owner.map(|owner| owner.project.clone()),
            file: owner.map(|owner| owner.file.clone()),
        }
    }
}

/// Limits of tags, pools, queues, then deployments, by name.
async fn list(State(api): State<Api>) -> Result<Json<Vec<OverrideView>>, ApiError> {
    let found = api.read(|api| {
        let mut found = Vec::new();
        for limit in api.reader.tag_limits()? {
            let view = |(field, by): (&String, &Override)| {
                OverrideView::of(Kind::ConcurrencyLimit, &limit.tag, field.clone(), by, limit.owner.as_ref())
            };
            found.extend(limit.overrides.iter().map(view));
        }
        for pool in api.reader.work_pools()? {
            let view = |(field, by): (&String, &Override)| OverrideView::of(Kind::WorkPool, &pool.name, field.clone(), by, pool.owner.as_ref());
            found.extend(pool.overrides.iter().map(view));
        }
        for queue in api.reader.work_queues()? {
            let name = format!("{}/{}", queue.pool, queue.name);
            let view = |(field, by): (&String, &Override)| OverrideView::of(Kind::WorkQueue, &name, field.clone(), by, queue.owner.as_ref());
            found.extend(queue.overrides.iter().map(view));
        }
        for deployment in api.reader.deployments() {
            let deployment = deployment?;
            let name = deployment.name.to_string();
            let view = |field: String, by: &Override| OverrideView::of(Kind::Deployment, &name, field, by, deployment.owner.as_ref());
            found.extend(deployment.overrides.iter().map(|(field, by)| view(field.clone(), by)));
            for schedule in &deployment.schedules {
                found.extend(schedule.overrides.iter().map(|(field, by)| view(format!("schedules/{}/{field}", schedule.key), by)));
            }
        }
        Ok(found)
    });
    Ok(Json(found.await?))
}

async fn clear(State(api): State<Api>, Caller(author): Caller, Body(which): Body<OverrideRef>) -> Result<Json<Override>, ApiError> {
    Ok(Json(api.control.clear_override(which, author).await?))
}
