//! `/automations`: there are none, which is what clients that look for a deployment's are told.
use super::Api;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/automations/related-to/{resource}", get(async || Json(json!([]))))
        .route("/automations/owned-by/{resource}", delete(async || (StatusCode::ACCEPTED, Json(Value::Null))))
}
