//! The one table from what went wrong to an HTTP answer, in the shapes that Prefect's server uses.
//!
//! Bad input is always a 4xx with a sentence for the caller; a 5xx means the store, the disk or a defect, and is logged.
use crate::control::ControlError;
use crate::store::ledger::LedgerError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// An answer that is an error: status and JSON body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub status: StatusCode,
    pub body: Value,
}

/// One thing that is wrong with a request, as pydantic reports it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Defect {
    /// Pydantic's stable word: `missing`, `extra_forbidden`, `uuid_parsing`...
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where: `["body", "flow_runs", "limit"]`.
    pub loc: Vec<Value>,
    pub msg: String,
    /// What stands there.
    pub input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctx: Option<Value>,
}

impl ApiError {
    /// `{"detail": ...}`.
    pub fn detail(status: StatusCode, detail: impl Into<String>) -> Self {
        ApiError { status, body: json!({ "detail": detail.into() }) }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        ApiError::detail(StatusCode::NOT_FOUND, detail)
    }

    /// A request that means nothing, where each field by itself is well-formed.
    pub fn meaningless(detail: impl Into<String>) -> Self {
        ApiError::detail(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub fn no_route() -> Self {
        ApiError::not_found("Not Found")
    }

    pub fn method_not_allowed() -> Self {
        ApiError::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }

    /// The body or the query does not have the expected form.
    pub fn invalid(defects: Vec<Defect>, request_body: Value) -> Self {
        let body = json!({
            "exception_message": "Invalid request received.",
            "exception_detail": defects,
            "request_body": request_body,
        });
        ApiError { status: StatusCode::UNPROCESSABLE_ENTITY, body }
    }

    /// The other 404 shape, which `set_state` answers with.
    pub fn exception_message(status: StatusCode, message: impl Into<String>) -> Self {
        ApiError { status, body: json!({ "exception_message": message.into() }) }
    }

    fn internal(message: &str) -> Self {
        tracing::error!("a request failed: {message}");
        let body = json!({ "exception_message": "Internal Server Error", "detail": message });
        ApiError { status: StatusCode::INTERNAL_SERVER_ERROR, body }
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotFound(text) => ApiError::not_found(text),
            ControlError::Conflict(text) => ApiError::detail(StatusCode::CONFLICT, text),
            ControlError::Invalid(text) => ApiError::meaningless(text),
            ControlError::Refused(text) => ApiError::detail(StatusCode::FORBIDDEN, text),
            ControlError::Unavailable(text) => ApiError::detail(StatusCode::SERVICE_UNAVAILABLE, text),
            ControlError::Internal(text) => ApiError::internal(&text),
        }
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        ControlError::from(error).into()
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        ApiError::internal(&format!("a run's log cannot be read: {error}"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            // Prefect's client waits this many seconds before it tries again.
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::FlowRunId;
    use uuid::Uuid;

    #[test]
    fn every_error_has_its_status_and_shape() {
        let text = || "t".to_owned();
        let table = [
            (ControlError::NotFound(text()), 404, json!({"detail": "t"})),
            (ControlError::Conflict(text()), 409, json!({"detail": "t"})),
            (ControlError::Invalid(text()), 422, json!({"detail": "t"})),
            (ControlError::Refused(text()), 403, json!({"detail": "t"})),
            (ControlError::Unavailable(text()), 503, json!({"detail": "t"})),
            (ControlError::Internal(text()), 500, json!({"exception_message": "Internal Server Error", "detail": "t"})),
        ];
        for (error, status, body) in table {
            let answer = ApiError::from(error);
            assert_eq!((answer.status.as_u16(), answer.body), (status, body));
        }
        let absent = ApiError::from(LedgerError::NoSuchRun(FlowRunId(Uuid::nil())));
        assert_eq!((absent.status.as_u16(), absent.body), (404, json!({"detail": "Flow run not found"})));
    }

    #[test]
    fn who_must_wait_is_told_how_long() {
        let response = ApiError::from(ControlError::Unavailable("stopping".to_owned())).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
