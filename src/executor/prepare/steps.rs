//! The steps of one run, one after the other, with the outputs of each for those that follow.
use super::{Order, cache, git_clone, script};
use crate::model::JsonMap;
use crate::model::pull_step::{self, Function};
use crate::template::{self, Reason, Reference, Resolution};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What the steps left.
pub struct Prepared {
    pub directory: PathBuf,
    /// Locks of what the program uses.
    pub held: Vec<File>,
}

/// What a step is done with.
pub struct Workshop<'a> {
    pub order: &'a Order,
    /// Where commands run and relative paths begin; `set_working_directory` changes it.
    pub directory: PathBuf,
    /// The `directory` that a step gave last: there the program will start.
    pub code: Option<PathBuf>,
    /// `directory` is the run's own, made for it.
    pub fresh: bool,
    pub held: Vec<File>,
}

impl Workshop<'_> {
    /// A path of a step's inputs.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// The `directory` of a step's inputs, which must be there.
    pub fn directory_of(&self, inputs: &Inputs) -> Result<PathBuf, String> {
        let directory = inputs.text("directory").map_or_else(|| self.directory.clone(), |path| self.resolve(path));
        crate::executor::program::check_directory(&directory)?;
        Ok(directory)
    }

    /// Where the program would start now.
    pub fn code_directory(&self) -> &Path {
        self.code.as_deref().unwrap_or(&self.directory)
    }
}

/// Inputs that were found to be right.
pub struct Inputs(JsonMap);

impl Inputs {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub fn flag(&self, name: &str, default: bool) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => pull_step::flag(text).unwrap_or(default),
            _ => default,
        }
    }

    pub fn mapping(&self, name: &str) -> Option<&JsonMap> {
        self.0.get(name).and_then(Value::as_object)
    }

    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// Does all steps.
///
/// # Errors
/// A sentence: which step failed, why, and what to do.
pub fn all(order: &Order) -> Result<Prepared, String> {
    let mut workshop =
        Workshop { order, directory: order.working_directory.clone(), code: None, fresh: order.preparation.fresh, held: Vec::new() };
    if order.preparation.fresh {
        let made = cache::root(order.preparation.cache.as_deref()).and_then(|root| cache::fresh_directory(&root, &order.name));
        let (directory, lock) = made.map_err(|why| format!("no directory can be made for the pull steps: {why}"))?;
        workshop.directory = directory;
        workshop.held.push(lock);
    }
    let mut outputs = JsonMap::new();
    for (index, step) in order.preparation.steps.iter().enumerate() {
        let (name, inputs) = pull_step::parts(step).unwrap_or_default();
        let short = name.rsplit('.').next().unwrap_or(name);
        super::say(&format!(" > Running {short} step..."));
        let output = one(&mut workshop, name, &inputs, &outputs).map_err(|why| format!("pull step {} ({short}) failed: {why}", index + 1))?;
        if let Some(id) = inputs.get("id").and_then(Value::as_str) {
            outputs.insert(id.to_owned(), Value::Object(output.clone()));
        }
        outputs.extend(output);
    }
    Ok(Prepared { directory: workshop.code_directory().to_path_buf(), held: workshop.held })
}

fn one(workshop: &mut Workshop<'_>, name: &str, inputs: &JsonMap, outputs: &JsonMap) -> Result<JsonMap, String> {
    let Some(function) = Function::of(name) else {
        return Err(format!(
            "reeve runs {}, not {name}; write a run_shell_script step that fetches the code, or give the deployment to a worker that can",
            Function::names()
        ));
    };
    let inputs = rendered(inputs, outputs)?;
    if let Some(finding) = pull_step::findings(function, &inputs).into_iter().find(|finding| finding.fatal) {
        return Err(format!("{}: {}", finding.message, finding.help));
    }
    let inputs = Inputs(inputs);
    match function {
        Function::SetWorkingDirectory => set_working_directory(workshop, &inputs),
        Function::GitClone => git_clone::run(workshop, &inputs),
        Function::RunShellScript => script::run(workshop, &inputs),
        Function::PipInstallRequirements => script::pip_install(workshop, &inputs),
    }
}

fn set_working_directory(workshop: &mut Workshop<'_>, inputs: &Inputs) -> Result<JsonMap, String> {
    let directory = workshop.directory_of(inputs)?;
    // The program and the steps see one path, whatever links it was written with.
    let directory = directory.canonicalize().map_err(|error| format!("{}: {error}", directory.display()))?;
    workshop.directory.clone_from(&directory);
    workshop.fresh = false;
    workshop.code = Some(directory.clone());
    Ok(directory_output(&directory))
}

pub fn directory_output(directory: &Path) -> JsonMap {
    JsonMap::from_iter([("directory".to_owned(), Value::String(directory.to_string_lossy().into_owned()))])
}

/// The inputs with the outputs of earlier steps in them. Unlike Prefect, which leaves a gap, what nobody gives is an error.
fn rendered(inputs: &JsonMap, outputs: &JsonMap) -> Result<JsonMap, String> {
    let known = Value::Object(outputs.clone());
    let rendered = template::render(&Value::Object(inputs.clone()), &mut |reference| match reference {
        Reference::Value(name) => template::lookup(&known, name).map_or(Resolution::Missing, |value| Resolution::Value(value.clone())),
        _ => Resolution::Missing,
    });
    if let Some(left) = rendered.unresolved.first() {
        return Err(match (left.reason, Reference::of(&left.name)) {
            (Reason::TooDeep, _) => "its inputs are nested too deep".to_owned(),
            (_, Reference::Block(_) | Reference::Variable(_)) => format!(
                "it uses {{{{ {} }}}}, which a Prefect server keeps; put the value into the environment and write {{{{ $NAME }}}}",
                left.name
            ),
            (_, Reference::Value(_)) => {
                let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
                let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
                format!("it uses {{{{ {} }}}}, which no step before it gives; they give {names}", left.name)
            }
            _ => format!("it uses {{{{ {} }}}}, which is not there", left.name),
        });
    }
    match rendered.value {
        Value::Object(inputs) => Ok(inputs),
        _ => Ok(JsonMap::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn outputs_are_known_by_id_and_by_name_and_gaps_are_errors() {
        let outputs = json!({"clone-step": {"directory": "/a"}, "directory": "/b"});
        let outputs = outputs.as_object().unwrap();
        let render = |text: &str| rendered(json!({"x": text}).as_object().unwrap(), outputs).map(|inputs| inputs["x"].clone());
        assert_eq!(render("{{ clone-step.directory }}/src").unwrap(), "/a/src");
        assert_eq!(render("{{ directory }}").unwrap(), "/b");
        assert_eq!(render("{{ other.directory }}").unwrap_err(), "it uses {{ other.directory }}, which no step before it gives; they give clone-step, directory");
        assert!(render("{{ prefect.blocks.secret.token }}").unwrap_err().contains("{{ $NAME }}"));
    }
}
