//! `/collections/views`: which types of work pool there are, with their base job templates.
use super::Api;
use super::error::ApiError;
use super::extract::Path;
use crate::executor;
use crate::model::JsonMap;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::OnceLock;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/collections/views/{view}", get(view))
}

async fn view(Path(view): Path<String>) -> Result<Json<Value>, ApiError> {
    if view != "aggregate-worker-metadata" {
        return Err(ApiError::not_found(format!("View {view} not found")));
    }
    let types: Map<String, Value> = executor::KINDS
        .iter()
        .map(|kind| {
            let metadata = json!({
                "type": kind.name,
                "display_name": title(kind.name),
                "description": format!("Built into reeve: {}.", kind.description),
                "documentation_url": "",
                "logo_url": "",
                "install_command": "",
                "is_beta": false,
                "default_base_job_configuration": base_job_template(kind.name),
            });
            (kind.name.to_owned(), metadata)
        })
        .collect();
    Ok(Json(json!({ "reeve": types })))
}

/// What a pool of this type starts from, in Prefect's form: each variable of the type's schema stands in the job configuration under
/// its own name. Of a type that only others serve nothing is known: it is empty.
pub(super) fn base_job_template(kind: &str) -> JsonMap {
    let Some(variables) = schemas().get(kind) else { return JsonMap::new() };
    let names = variables["properties"].as_object().map(|properties| properties.keys().cloned().collect::<Vec<_>>());
    let configuration: JsonMap =
        names.unwrap_or_default().into_iter().map(|name| (name.clone(), json!(format!("{{{{ {name} }}}}")))).collect();
    JsonMap::from_iter([("job_configuration".to_owned(), json!(configuration)), ("variables".to_owned(), variables.clone())])
}

/// Each kind's schema. An executor that cannot be made on this host has none to show.
fn schemas() -> &'static HashMap<&'static str, Value> {
    static SCHEMAS: OnceLock<HashMap<&'static str, Value>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let schema = |kind: &executor::Kind| Some((kind.name, (kind.make)().ok()?.schema()));
        executor::KINDS.iter().filter_map(schema).collect()
    })
}

fn title(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
