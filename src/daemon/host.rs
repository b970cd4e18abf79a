//! What the deployments of a project need of this host when they run, and is not here: an interpreter, a user, a group, a directory.
//!
//! Only a pass that may apply asks, since only its host runs anything: who plans in CI sees nothing of it. Everything is looked for once,
//! however many deployments name it, and is a warning: it may come before the next run does.
use super::places::Places;
use crate::executor::{confinement, process};
use crate::manifest::At;
use crate::model::deployment::{DeploymentSpec, Entrypoint, FullName};
use crate::model::desired::{Declared, Desired};
use crate::model::problem::{Problem, Severity};
use crate::source::SourceSet;
use crate::store::ledger::{LedgerError, Reader};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The keys that say what is needed, and where they may stand in a deployment.
const KEYS: [&str; 4] = ["python", "user", "group", "working_dir"];
const HOMES: [&str; 4] = ["", "/job_variables", "/work_pool/job_variables", "/infra_overrides"];

/// Who names something first, and how many do.
struct Named<'a> {
    first: &'a FullName,
    declared: &'a Declared<DeploymentSpec>,
    others: usize,
}

/// A warning for each thing that is not here, at the place that names it first.
pub(super) fn missing(reader: &Reader, desired: &Desired, sources: &SourceSet) -> Result<Vec<Problem>, LedgerError> {
    let mut kinds: BTreeMap<&str, bool> = BTreeMap::new();
    let mut needs: BTreeMap<(&str, String), Named<'_>> = BTreeMap::new();
    for (name, declared) in &desired.deployments {
        let spec = &declared.spec;
        let asked: Vec<(&str, String)> = KEYS.into_iter().filter_map(|key| Some((key, needed(spec, key)?))).collect();
        if asked.is_empty() || !runs_here(reader, desired, spec, &mut kinds)? {
            continue;
        }
        for need in asked {
            needs.entry(need).and_modify(|named| named.others += 1).or_insert(Named { first: name, declared, others: 0 });
        }
    }
    let mut places = Places::of(sources);
    let root = Path::new(&desired.root);
    let problems = needs.into_iter().filter_map(|((key, value), named)| {
        let message = not_here(key, &value, root)?;
        let Declared { file, pointer, .. } = named.declared;
        let mut find = |pointer: &str, at| places.find_line(file, pointer, at);
        let place = HOMES.iter().find_map(|home| find(&format!("{pointer}{home}/{key}"), At::Value));
        let (position, source) = place.or_else(|| find(pointer, At::Key)).unzip();
        let also = if named.others > 0 { format!(" and {} more", named.others) } else { String::new() };
        Some(Problem {
            severity: Severity::Warning,
            code: "not-on-this-host".to_owned(),
            message,
            position,
            help: Some(format!("runs of {}{also} will not start until it is there, or `{key}` says something else", named.first)),
            source,
        })
    });
    Ok(problems.collect())
}

/// What a deployment's word for `key` needs of the host; `None`: nothing, or nothing that is known before a run.
fn needed(spec: &DeploymentSpec, key: &str) -> Option<String> {
    let own = if key == "working_dir" { spec.working_dir.as_deref() } else { None };
    let text = match own {
        Some(own) => own.to_owned(),
        None => match spec.job_variables.get(key)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        },
    };
    let looked_for = match key {
        // What is below the project is looked for with its files.
        "working_dir" => text.starts_with('/'),
        // A bare name is looked up in the run's own PATH. Commands have no interpreter, but pull steps install for one.
        "python" => {
            let is_command = matches!(spec.entrypoint, Some(Entrypoint::Shell { .. } | Entrypoint::Program { .. }));
            text.contains('/') && (!is_command || spec.pull_steps.is_some())
        }
        _ => true,
    };
    (looked_for && !text.contains("{{") && !spec.job_variables.contains_key("image")).then_some(text)
}

/// Whether this host's own executor runs what the deployment's pool, declared or stored, is given.
fn runs_here<'a>(
    reader: &Reader,
    desired: &'a Desired,
    spec: &'a DeploymentSpec,
    known: &mut BTreeMap<&'a str, bool>,
) -> Result<bool, LedgerError> {
    let Some(pool) = spec.work_pool.as_deref() else { return Ok(true) };
    if let Some(here) = known.get(pool) {
        return Ok(*here);
    }
    let kind = match desired.work_pools.get(pool) {
        Some(declared) => Some(declared.spec.kind.clone()),
        None => reader.work_pool(pool)?.map(|pool| pool.declared.kind),
    };
    let here = kind.is_none_or(|kind| kind == process::KIND);
    known.insert(pool, here);
    Ok(here)
}

fn not_here(key: &str, value: &str, root: &Path) -> Option<String> {
    match key {
        "user" => confinement::account_of(Some(value), None).err(),
        "group" => confinement::account_of(None, Some(value)).err(),
        "python" => (!root.join(value).exists()).then(|| format!("on this host, there is no interpreter `{value}`")),
        _ => (!Path::new(value).is_dir()).then(|| format!("on this host, there is no directory `{value}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::reconciler::load;
    use crate::source::read_directory;
    use crate::store;
    use std::sync::Arc;

    #[test]
    fn what_is_not_here_is_said_once_at_its_first_place() {
        let directory = tempfile::tempdir().unwrap();
        let manifest = "name: p
work_pools: [{name: cloud, type: docker}]
deployments:
- {name: a, entrypoint: 'm:f', python: /no/such/python}
- name: b
  entrypoint: m:f
  job_variables: {python: /no/such/python, user: no-such-user-here}
- {name: c, command: 'true', working_dir: /no/such/place}
- {name: good, entrypoint: 'm:f', working_dir: /, python: there/python}
- {name: later, command: 'true', work_pool: {name: cloud}, working_dir: /app}
- {name: bare, entrypoint: 'm:f', python: python3.99}
- {name: no-interpreter, command: 'true', python: /no/such/python}
";
        std::fs::write(directory.path().join("deployment.yaml"), manifest).unwrap();
        std::fs::create_dir(directory.path().join("there")).unwrap();
        std::fs::write(directory.path().join("there/python"), "").unwrap();
        let sources = read_directory(directory.path(), &[]).unwrap();
        let desired = load(&sources, false).0.unwrap();
        let reader = Reader::new(Arc::clone(&store::open("ram:", uuid::Uuid::nil()).unwrap()) as _);
        let said: Vec<String> = missing(&reader, &desired, &sources).unwrap().iter().map(ToString::to_string).collect();
        let until = |name: &str, key: &str| format!("(runs of {name} will not start until it is there, or `{key}` says something else)");
        let who = if rustix::process::geteuid().is_root() { "the user no-such-user-here is not known on this host" } else { "only a daemon that runs as root can start a run as user no-such-user-here" };
        assert_eq!(said, [
            format!("deployment.yaml:4:40: warning: on this host, there is no interpreter `/no/such/python` {}", until("f/a and 1 more", "python")),
            format!("deployment.yaml:7:50: warning: {who} {}", until("f/b", "user")),
            format!("deployment.yaml:8:43: warning: on this host, there is no directory `/no/such/place` {}", until("c/c", "working_dir")),
        ]);
    }
}
