//! `/reeve/tombstones`: what was pruned and can still come back.
use super::Api;
use super::error::ApiError;
use super::extract::{Body, Caller, Path};
use super::wire::WireTime;
use super::wire::deployment::DeploymentResponse;
use super::wire::directory::Directory;
use crate::clock;
use crate::control::ControlError;
use crate::model::deployment::FullName;
use crate::model::id::Kind;
use crate::model::stored::{ObjectName, Pruned, Tombstone};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/reeve/tombstones", get(list))
        .route("/reeve/tombstones/{flow}/{deployment}/restore", post(restore_deployment))
        .route("/reeve/tombstones/restore", post(restore))
}

/// What was pruned.
#[derive(Debug, Serialize)]
struct TombstoneView {
    kind: Kind,
    id: Uuid,
    /// `flow/deployment`, `pool`, `pool/queue`, or a tag.
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
        let Tombstone { object, pruned, project } = tombstone;
        let file = object.owner().map(|owner| owner.file.clone());
        let name = object.name();
        TombstoneView { kind: name.kind(), id: object.id(), name: name.to_string(), project, file, pruned: pruned.into(), until }
    }
}

/// Which object is to come back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    kind: Kind,
    /// As in the list.
    name: String,
}

/// What came back.
#[derive(Debug, Serialize)]
struct RestoredView {
    kind: Kind,
    id: Uuid,
    name: String,
    paused: bool,
}

impl RestoredView {
    fn of(object: &Pruned) -> Self {
        let paused = match object {
            Pruned::Deployment(deployment) => deployment.paused(),
            Pruned::WorkPool(pool) => pool.effective().paused,
            Pruned::WorkQueue(queue) => queue.effective().paused,
            Pruned::TagLimit(_) => false,
        };
        let name = object.name();
        RestoredView { kind: name.kind(), id: object.id(), name: name.to_string(), paused }
    }
}

/// By kind and name.
async fn list(State(api): State<Api>) -> Result<Json<Vec<TombstoneView>>, ApiError> {
    let mut tombstones = api.read(|api| Ok(api.reader.tombstones()?)).await?;
    let now = clock::now();
    tombstones.retain(|tombstone| now < tombstone.until());
    tombstones.sort_by_cached_key(|tombstone| tombstone.object.name());
    Ok(Json(tombstones.into_iter().map(TombstoneView::of).collect()))
}

async fn restore_deployment(
    State(api): State<Api>,
    Path((flow, name)): Path<(String, String)>,
    Caller(author): Caller,
) -> Result<Json<DeploymentResponse>, ApiError> {
    let deployment = api.control.restore_deployment(FullName::new(flow, name), author).await?;
    let shown = api.read(move |api| Ok(DeploymentResponse::of(deployment, &Directory::read(&api.reader, &*api.control)?)?));
    Ok(Json(shown.await?))
}

async fn restore(State(api): State<Api>, Caller(author): Caller, Body(wanted): Body<Wanted>) -> Result<Json<Vec<RestoredView>>, ApiError> {
    let Wanted { kind, name } = wanted;
    let wanted = ObjectName::parse(kind, &name)
        .ok_or_else(|| ControlError::Invalid(format!("'{name}' is not the full name of a {} that can be restored", kind.words())))?;
    Ok(Json(api.control.restore(wanted, author).await?.iter().map(RestoredView::of).collect()))
}
