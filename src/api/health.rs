//! Is it there, is it ready, which version is it: what a client asks before anything else.
use super::Api;
use super::error::ApiError;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

/// The version of Prefect whose API this is. Its major must be that of the client, which refuses to go on otherwise; an older one
/// than the client's makes it warn. reeve's own version is at `/api/reeve/version`.
pub const PREFECT_VERSION: &str = "3.8.8";

/// The version of Prefect's HTTP API, as clients name it in `x-prefect-api-version`.
pub const API_VERSION: &str = "0.8.4";

/// The oldest API version that a client may name.
const OLDEST_API_VERSION: [u32; 3] = [0, 8, 0];

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/health", get(async || Json(true)))
        .route("/ready", get(ready))
        .route("/hello", get(async || Json("👋")))
        .route("/version", get(async || Json(API_VERSION)))
        .route("/admin/version", get(async || Json(PREFECT_VERSION)))
        // The text is one that clients look for: they do not ask again.
        .route("/csrf-token", get(async || ApiError::meaningless("CSRF protection is disabled.")))
}

async fn ready(State(api): State<Api>) -> Response {
    if api.control.status().ready {
        return Json(json!({ "message": "OK" })).into_response();
    }
    let text = "the daemon has not finished starting, or is stopping: see /api/reeve/status";
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "message": text }))).into_response()
}

/// Refuses clients that name an API version before `OLDEST_API_VERSION`, or none that can be read.
pub(super) async fn check_client_version(request: Request, next: Next) -> Response {
    let named = request.headers().get("x-prefect-api-version").map(|value| String::from_utf8_lossy(value.as_bytes()));
    match named.as_deref().filter(|named| !named.is_empty()).and_then(complaint) {
        Some(detail) => ApiError::detail(StatusCode::BAD_REQUEST, detail).into_response(),
        None => next.run(request).await,
    }
}

fn complaint(named: &str) -> Option<String> {
    let numbers: Option<Vec<u32>> = named.split('.').map(|part| part.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(version @ [_, _, _]) if *version < OLDEST_API_VERSION[..] => {
            let [major, minor, patch] = OLDEST_API_VERSION;
            Some(format!(
                "The request specified API version {named} but this server requires version {major}.{minor}.{patch} or higher."
            ))
        }
        Some([_, _, _]) => None,
        _ => Some(format!("Invalid X-PREFECT-API-VERSION header format.Expected header in format 'x.y.z' but received {named}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_unreadable_versions_are_refused() {
        for fine in ["0.8.0", "0.8.4", "0.9.0", "1.0.0"] {
            assert_eq!(complaint(fine), None, "{fine}");
        }
        let text = "The request specified API version 0.1.0 but this server requires version 0.8.0 or higher.";
        assert_eq!(complaint("0.1.0").as_deref(), Some(text));
        for wrong in ["x", "0.8", "0.8.4.1", "-1.0.0", "0.8.x", "99999999999.0.0"] {
            assert!(complaint(wrong).is_some_and(|text| text.starts_with("Invalid X-PREFECT-API-VERSION")), "{wrong}");
        }
    }
}
