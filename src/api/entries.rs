//! `/reeve/entries`: stored objects as the entries of a project file that declares them.
use super::Api;
use super::error::ApiError;
use super::extract::Body;
use super::work_pools::known;
use crate::model::id::DeploymentId;
use crate::reconcile::entry::{Entries, Writer};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/reeve/entries", post(write))
}

/// Which objects are meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    deployments: Vec<DeploymentId>,
    #[serde(default)]
    work_pools: Vec<String>,
}

async fn write(State(api): State<Api>, Body(wanted): Body<Wanted>) -> Result<Json<Entries>, ApiError> {
    let entries = api.read(move |api| {
        let mut writer = Writer::default();
        let queues = api.reader.work_queues()?;
        for name in &wanted.work_pools {
            writer.work_pool(&known(api, name)?, queues.iter().filter(|queue| queue.pool == *name));
        }
        for id in wanted.deployments {
            writer.deployment(&api.reader.deployment(id)?.ok_or_else(|| ApiError::not_found("Deployment not found"))?);
        }
        Ok(writer.finish())
    });
    Ok(Json(entries.await?))
}
