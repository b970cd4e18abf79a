//! What a deployment's runs need to be there when they start: `working_dir` and `env_file` below the project's directory.
//!
//! Only warnings: either may be made on the host, and left out of git. What is no path below the project (an absolute one) stands on the
//! host that runs, which is asked by its daemon and not here.
use super::Files;
use super::node::Node;
use super::report::{Problem, shown};
use super::{entrypoint, words};

/// Where the two may stand in a deployment, outermost last.
const HOMES: [&[&str]; 4] = [&[], &["job_variables"], &["work_pool", "job_variables"], &["infra_overrides"]];

/// Warns about what is not there. `elsewhere`: the runs start from an image, which has its own files.
pub fn check(deployment: &Node<'_>, files: &dyn Files, elsewhere: bool) {
    if elsewhere {
        return;
    }
    for home in HOMES {
        within(deployment, home, &mut |variables| {
            if let Some(field) = variables.field("working_dir") {
                let help = "a run starts only where it is there: make it, or correct the path, which begins at the project's directory";
                look(&field, files, ("missing-directory", "directory"), help);
            }
            if let Some(field) = variables.field("env_file") {
                let help = "a run reads it when it starts: put it on the host that runs it, or correct the path, which begins at the project's directory";
                look(&field, files, ("missing-env-file", "file"), help);
            }
        });
    }
}

fn within(node: &Node<'_>, keys: &[&str], then: &mut dyn FnMut(&Node<'_>)) {
    match keys.split_first() {
        None => then(node),
        Some((key, rest)) => {
            if let Some(field) = node.field(key) {
                within(&field, rest, then);
            }
        }
    }
}

fn look(field: &Node<'_>, files: &dyn Files, (code, kind): (&'static str, &str), help: &str) {
    let Some(text) = field.value.as_str().filter(|text| !text.contains("{{")) else { return };
    let path = entrypoint::normal(text.trim());
    if path.is_empty() || path.starts_with(['/', '~']) || path.split('/').next() == Some("..") || files.is_there(&path) != Some(false) {
        return;
    }
    let near = files.near(&path);
    let near = words::closest(&path, near.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    let problem: Problem = field.warning(code, format!("there is no {kind} {} in this project", shown(&path)));
    field.report.push(problem.help(near.unwrap_or_else(|| help.to_owned())));
}
