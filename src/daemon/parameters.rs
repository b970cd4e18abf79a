//! The parameters of a run against its function's schema: when it is made, and for what was not known or asked then, when it starts.
use super::handover;
use crate::manifest::{Fault, Misfit, Signature, holds_placeholders};
use crate::model::JsonMap;
use crate::model::deployment::DeploymentSpec;
use crate::model::run::FlowRun;
use serde_json::Value;

/// What does not fit. `owned`: a project declares the deployment, so that its schema names every parameter there is; Prefect's may not.
pub fn misfits(spec: &DeploymentSpec, owned: bool, parameters: &JsonMap) -> Vec<Misfit> {
    let Some(schema) = &spec.parameter_schema else { return Vec::new() };
    let mut misfits = Signature::new(schema.clone()).misfits(parameters);
    misfits.retain(|misfit| owned || !matches!(misfit.fault, Fault::Unknown { .. }));
    misfits
}

/// Each as a sentence.
pub fn sentences(spec: &DeploymentSpec, misfits: &[Misfit]) -> Vec<String> {
    let entrypoint = spec.entrypoint.as_ref().map(ToString::to_string).unwrap_or_default();
    let function = entrypoint.rsplit(':').next().unwrap_or_default();
    misfits.iter().map(|misfit| misfit.sentence(function)).collect()
}

/// Those of a run that is asked for. Values with placeholders are looked at when it starts.
///
/// # Errors
/// Prefect's text for the first that does not fit, and the others after it.
pub fn check_when_made(spec: &DeploymentSpec, owned: bool, parameters: &JsonMap, enforce: Option<bool>) -> Result<(), String> {
    handover::check_when_made(spec.entrypoint.as_ref(), parameters).map_err(|why| format!("Error creating flow run: {why}"))?;
    if !enforce.unwrap_or(spec.enforce_parameter_schema) {
        return Ok(());
    }
    let misfits = misfits(spec, owned, parameters);
    let Some(first) = misfits.first() else { return Ok(()) };
    let field = first.path.join(".");
    let reasons = sentences(spec, &misfits).join("; ");
    Err(format!("Error creating flow run: Validation failed for field '{field}'. Failure reason: {reasons}"))
}

/// Those that nobody has looked at: of a scheduled run all, of one that was asked for those that were not known then. `rendered` are the
/// run's parameters with their placeholders filled in. Of one that holds one of the `secrets`, the value is not said.
///
/// # Errors
/// A sentence on each that does not fit.
pub fn check_at_start(run: &FlowRun, spec: &DeploymentSpec, owned: bool, rendered: &JsonMap, secrets: &[String]) -> Result<(), String> {
    let is_late = |value: &Value| run.slot.is_some() || holds_placeholders(value);
    if !spec.enforce_parameter_schema || !(run.slot.is_some() || run.parameters.values().any(is_late)) {
        return Ok(());
    }
    let mut misfits = misfits(spec, owned, rendered);
    misfits.retain_mut(|misfit| {
        let Some(name) = misfit.path.first() else { return true };
        let holds_secret = rendered.get(name).is_some_and(|value| secrets.iter().any(|secret| value.to_string().contains(secret)));
        if let (true, Fault::Wrong { found, .. }) = (holds_secret, &mut misfit.fault) {
            *found = "a secret".to_owned();
        }
        run.parameters.get(name).is_none_or(is_late)
    });
    match misfits.is_empty() {
        true => Ok(()),
        false => Err(format!("parameters do not fit: {}", sentences(spec, &misfits).join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::deployment::Entrypoint;
    use serde_json::json;

    fn spec() -> DeploymentSpec {
        DeploymentSpec {
            entrypoint: Some(Entrypoint::Python { path: "flow.py".into(), function: "load".into() }),
            parameter_schema: Some(json!({
                "type": "object", "required": ["count"],
                "properties": {"count": {"type": "integer"}, "day": {"type": "string", "format": "date"}},
            })),
            ..DeploymentSpec::default()
        }
    }

    fn made(parameters: Value, owned: bool) -> Result<(), String> {
        check_when_made(&spec(), owned, parameters.as_object().unwrap(), None)
    }

    #[test]
    fn every_misfit_names_parameter_value_and_expected_type() {
        let error = made(json!({"count": "many", "day": "soon", "dya": 1}), true).unwrap_err();
        assert_eq!(
            error,
            "Error creating flow run: Validation failed for field 'dya'. Failure reason: `load` has no parameter `dya` (did you mean `day`?); \
             the parameter `count` is the text `many`; expected a whole number; \
             the parameter `day` is the text `soon`; expected a date such as `2026-11-20`"
        );
        assert!(made(json!({}), true).unwrap_err().contains("the parameter `count` of `load` has no default and no value here"));
    }

    #[test]
    fn what_is_not_known_yet_and_what_prefects_schemas_do_not_name_pass() {
        assert_eq!(made(json!({"count": "{{ $COUNT }}"}), true), Ok(()));
        assert_eq!(made(json!({"count": 1, "more": 1}), false), Ok(()));
        let parameters = json!({"count": "many"});
        assert_eq!(check_when_made(&spec(), true, parameters.as_object().unwrap(), Some(false)), Ok(()));
        assert_eq!(check_when_made(&DeploymentSpec { enforce_parameter_schema: false, ..spec() }, true, parameters.as_object().unwrap(), None), Ok(()));
    }
}
