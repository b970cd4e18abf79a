//! `/reeve/tombstones`: deployments that were pruned and can still come back.
use super::Api;
use super::error::ApiError;
use super::extract::{Caller, Path};
use super::wire::WireTime;
use super::wire::deployment::DeploymentResponse;
use super::wire::directory::Directory;
use crate::clock;
use crate::model::deployment::FullName;
use crate::model::id::DeploymentId;
use crate::model::stored::Tombstone;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/reeve/tombstones", get(list))
        .route("/reeve/tombstones/{flow}/{deployment}/restore", post(restore))
}

/// A deployment that was pruned.
#[derive(Debug, Serialize)]
struct TombstoneView {
    id: DeploymentId,
    /// `flow/deployment`.
    name: String,
    /// The project that declared it, and the file in which it did.
    project: String,
    file: Option<String>,
    pruned: WireTime,
    /// Until when it can be restored.
    until: WireTime,
}

impl TombstoneView {
    fn of(tombstone: Tombstone) -> Self {
        let until = tombstone.until().into();
        let Tombstone { deployment, pruned, project } = tombstone;
        let file = deployment.owner.map(|owner| owner.file);
        TombstoneView { id: deployment.id, name: deployment.name.to_string(), project, file, pruned: pruned.into(), until }
    }
}

/// By name.
async fn list(State(api): State<Api>) -> Result<Json<Vec<TombstoneView>>, ApiError> {
    let mut tombstones = api.read(|api| Ok(api.reader.tombstones()?)).await?;
    let now = clock::now();
    tombstones.retain(|tombstone| now < tombstone.until());
    tombstones.sort_by(|one, other| one.deployment.name.cmp(&other.deployment.name));
    Ok(Json(tombstones.into_iter().map(TombstoneView::of).collect()))
}

async fn restore(
    State(api): State<Api>,
    Path((flow, name)): Path<(String, String)>,
    Caller(author): Caller,
) -> Result<Json<DeploymentResponse>, ApiError> {
    let deployment = api.control.restore_deployment(FullName::new(flow, name), author).await?;
    let shown = api.read(move |api| Ok(DeploymentResponse::of(deployment, &Directory::read(&api.reader, &*api.control)?)?));
    Ok(Json(shown.await?))
}
