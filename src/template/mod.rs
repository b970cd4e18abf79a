//! What `{{ }}` becomes: Prefect's placeholder form, for manifests, job variables and steps.
