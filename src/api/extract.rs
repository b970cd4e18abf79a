//! Reading requests: bodies, path segments, queries and callers, with Prefect's answers for what cannot be read.
//!
//! As FastAPI does: a body counts as JSON only under a JSON content type (a browser cannot send that to another site unasked), and a path
//! segment of the wrong form is a route that does not exist.
use super::reeve::MAX_SOURCES_BYTES;
use super::MAX_BODY_BYTES;
use super::error::{ApiError, Defect};
use crate::control::{Author, Door, Until};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_path_to_error::{Path as ErrorPath, Segment};

/// A JSON body that must be there.
pub(super) struct Body<T>(pub T);

/// A JSON body that may be left out, or be `null`: then it is `T`'s default.
pub(super) struct OptionalBody<T>(pub T);

/// Path parameters. What does not parse is a route that does not exist.
pub(super) struct Path<T>(pub T);

/// Query parameters.
pub(super) struct Query<T>(pub T);

/// Who asks: for overrides and for the records of runs.
pub(super) struct Caller(pub Author);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match json_body(request, state).await? {
            None => Err(ApiError::invalid(vec![missing(vec![json!("body")], Value::Null)], Value::Null)),
            Some(value) => typed(value).map(Body),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match json_body(request, state).await? {
            None | Some(Value::Null) => Ok(OptionalBody(T::default())),
            Some(value) => typed(value).map(OptionalBody),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(_) => Err(ApiError::no_route()),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => {
                let message = std::error::Error::source(&rejection).map_or_else(|| rejection.body_text(), ToString::to_string);
                let defect = defect(&message, vec![json!("query")], Value::String(text.to_owned()));
                Err(ApiError::invalid(vec![defect], Value::Null))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;
    /// The headers `reeve-author`, `reeve-reason` and `reeve-until` that reeve's own commands send, else the user agent.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = |name: &str| {
            let value = parts.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).trim().chars().take(200).collect::<String>()).filter(|text| !text.is_empty())
        };
        let author = text("reeve-author");
        let door = if author.is_some() { Door::Command } else { Door::Api };
        let who = author.or_else(|| text("user-agent")).unwrap_or_else(|| "an API client".to_owned());
        let until = match text("reeve-until") {
            None => Until::Unsaid,
            Some(never) if never == "never" => Until::Never,
            Some(text) => text.parse().map(Until::At).map_err(|error| wrong_end(&text, &error))?,
        };
        Ok(Caller(Author { who, door, why: text("reeve-reason"), until }))
    }
}

fn wrong_end(text: &str, error: &jiff::Error) -> ApiError {
    ApiError::meaningless(format!("the header reeve-until is `{text}`, expected `never`, or an instant such as 2026-11-21T09:00:00Z: {error}"))
}

async fn json_body<S: Send + Sync>(request: Request, state: &S) -> Result<Option<Value>, ApiError> {
    let is_json = has_json_type(request.headers());
    let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::detail(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request body is larger than {MAX_BODY_BYTES} bytes (with a project's files {MAX_SOURCES_BYTES}): send less at once"),
        ),
        _ => ApiError::detail(StatusCode::BAD_REQUEST, "There was an error parsing the body"),
    })?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    if !is_json {
        let defect = Defect {
            kind: "model_attributes_type",
            loc: vec![json!("body")],
            msg: "Input should be a valid dictionary or object to extract fields from: send it with `Content-Type: application/json`".to_owned(),
            input: text(),
            ctx: None,
        };
        return Err(ApiError::invalid(vec![defect], text()));
    }
    // serde_json refuses what is nested more than 128 levels deep.
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let defect = Defect {
            kind: "json_invalid",
            loc: vec![json!("body"), json!(offset_of(&bytes, &error))],
            msg: "JSON decode error".to_owned(),
            input: json!({}),
            ctx: Some(json!({ "error": error.to_string() })),
        };
        ApiError::invalid(vec![defect], text())
    })
}

fn offset_of(bytes: &[u8], error: &serde_json::Error) -> usize {
    let before: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    before + error.column().saturating_sub(1)
}

fn has_json_type(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// `value` as a `T`, or the answer that says where it is none.
pub(super) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(&value).map_err(|error| {
        let mut location = vec![json!("body")];
        let mut input = &value;
        for segment in steps(error.path()) {
            input = input.get_in(&segment).unwrap_or(input);
            location.push(segment);
        }
        let defect = defect(&error.inner().to_string(), location, input.clone());
        ApiError::invalid(vec![defect], value.clone())
    })
}

fn steps(path: &ErrorPath) -> Vec<Value> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(json!(index)),
            Segment::Map { key } => Some(json!(key)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

trait GetIn {
    fn get_in(&self, step: &Value) -> Option<&Value>;
}

impl GetIn for Value {
    fn get_in(&self, step: &Value) -> Option<&Value> {
        match step {
            Value::String(key) => self.get(key),
            step => self.get(usize::try_from(step.as_u64()?).ok()?),
        }
    }
}

fn missing(loc: Vec<Value>, input: Value) -> Defect {
    Defect { kind: "missing", loc, msg: "Field required".to_owned(), input, ctx: None }
}

/// serde's sentence as one of pydantic's.
fn defect(message: &str, mut loc: Vec<Value>, input: Value) -> Defect {
    if let Some(field) = quoted(message, "missing field `") {
        loc.push(json!(field));
        return missing(loc, input);
    }
    if let Some(field) = quoted(message, "unknown field `") {
        if loc.last() != Some(&json!(field)) {
            loc.push(json!(field));
        }
        let msg = format!("Extra inputs are not permitted ({message})");
        return Defect { kind: "extra_forbidden", loc, msg, input, ctx: None };
    }
    let (kind, msg) = match message.split_once(", expected ") {
        Some((_, expected)) if message.starts_with("invalid type") => wrong_type(expected),
        _ if message.starts_with("unknown variant") => ("enum", format!("Input should be one of the known values: {message}")),
        _ if message.starts_with("UUID parsing failed") => ("uuid_parsing", format!("Input should be a valid UUID, {message}")),
        _ if message.starts_with("String should match pattern") => ("string_pattern_mismatch", message.to_owned()),
        _ => ("value_error", format!("Value error, {message}")),
    };
    Defect { kind, loc, msg, input, ctx: None }
}

fn wrong_type(expected: &str) -> (&'static str, String) {
    let (kind, what) = match expected {
        "a string" => ("string_type", "a valid string"),
        "a boolean" => ("bool_type", "a valid boolean"),
        "a sequence" => ("list_type", "a valid list"),
        "f64" => ("float_type", "a valid number"),
        "i64" | "u32" | "u64" | "usize" | "i32" => ("int_type", "a valid integer"),
        "a map" => ("dict_type", "a valid dictionary"),
        _ if expected.starts_with("struct ") => ("model_attributes_type", "a valid dictionary or object to extract fields from"),
        other => ("value_error", other),
    };
    (kind, format!("Input should be {what}"))
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use uuid::Uuid;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        ids: Vec<Uuid>,
        count: Option<i64>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Outer {
        inner: Inner,
    }

    #[test]
    fn a_wrong_body_is_located_as_pydantic_does() {
        for (body, kind, loc) in [
            (json!({}), "missing", json!(["body", "inner"])),
            (json!({"inner": {}}), "missing", json!(["body", "inner", "ids"])),
            (json!({"inner": {"ids": [], "x": 1}}), "extra_forbidden", json!(["body", "inner", "x"])),
            (json!({"inner": {"ids": ["q"]}}), "uuid_parsing", json!(["body", "inner", "ids", 0])),
            (json!({"inner": {"ids": [], "count": "1"}}), "int_type", json!(["body", "inner", "count"])),
            (json!({"inner": {"ids": {}}}), "list_type", json!(["body", "inner", "ids"])),
            (json!({"inner": 3}), "model_attributes_type", json!(["body", "inner"])),
            (json!([]), "missing", json!(["body", "inner"])),
        ] {
            let error = typed::<Outer>(body.clone()).unwrap_err();
            assert_eq!(error.status, 422);
            assert_eq!(error.body["exception_message"], "Invalid request received.");
            assert_eq!(error.body["request_body"], body);
            if body.is_object() {
                assert_eq!(error.body["exception_detail"][0]["type"], kind, "{body}: {}", error.body);
                assert_eq!(error.body["exception_detail"][0]["loc"], loc, "{body}: {}", error.body);
            }
        }
    }
}
