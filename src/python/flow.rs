//! Prefect's `@flow`: what its literal arguments say. Must know no file but the one read.
use super::{Decorator, Function};
use serde_json::Value;

/// Arguments of `@flow` that are literals; `None` where absent or not one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowDecorator {
    /// `name=`.
    pub name: Option<String>,
    /// `description=`.
    pub description: Option<String>,
    /// `version=`.
    pub version: Option<String>,
    /// `retries=`.
    pub retries: Option<u64>,
    /// `retry_delay_seconds=`, in seconds.
    pub retry_delay_seconds: Option<f64>,
    /// `timeout_seconds=`, in seconds.
    pub timeout_seconds: Option<f64>,
    /// `log_prints=`.
    pub log_prints: Option<bool>,
    /// `validate_parameters=`.
    pub validate_parameters: Option<bool>,
}

impl FlowDecorator {
    pub(super) fn read(decorator: &Decorator) -> Self {
        let argument = |name: &str| {
            decorator
                .keyword_arguments
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, v)| v)
        };
        let text = |name| argument(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |name| argument(name).and_then(Value::as_bool);
        let seconds = |name| argument(name).and_then(Value::as_f64);
        Self {
            name: text("name"),
            description: text("description"),
            version: text("version"),
            retries: argument("retries").and_then(Value::as_u64),
            retry_delay_seconds: seconds("retry_delay_seconds"),
            timeout_seconds: seconds("timeout_seconds"),
            log_prints: flag("log_prints"),
            validate_parameters: flag("validate_parameters"),
        }
    }
}

/// The flow's name as Prefect makes it: `name=` where it is a literal, else the function's name with `-` for `_`.
pub fn flow_name(function: &Function) -> String {
    match function.flow.as_ref().and_then(|flow| flow.name.clone()) {
        Some(name) if !name.is_empty() => name,
        _ => function
            .name
            .rsplit('.')
            .next()
            .unwrap_or(&function.name)
            .replace('_', "-"),
    }
}
