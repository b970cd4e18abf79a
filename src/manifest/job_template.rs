//! Job variables against the base job template of their pool, where both stand in one project; and the template itself. What a run
//! would find only at its start is said at its line. Values with placeholders are left to the run.
use super::project::Document;
use super::report::{At, Place, Problem, Report, shown};
use super::{ManifestFile, placeholders, process, words};
use crate::model::JsonMap;
use crate::model::deployment::{DeploymentSpec, Entrypoint};
use crate::model::desired::{Declared, Desired};
use crate::template::faults::{self, PARTS};
use crate::template::job::{JobTemplate, Misfit, OF_PROCESSES};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// Keys of a deployment that are no job variables.
const OF_DEPLOYMENT: [&str; 10] = [
    "timeout_seconds", "retries", "retry_delay_seconds", "retry_jitter_factor", "retry_on", "schedule", "schedules", "paused",
    "concurrency_limit", "entrypoint",
];

/// The type of pools whose job variables are known here.
const PROCESS: &str = "process";

/// Where job variables may stand in a deployment; the first wins.
const PLACES: [&str; 3] = ["/job_variables", "/work_pool/job_variables", "/infra_overrides"];

/// After everything is read.
pub fn check(desired: &Desired, documents: &[Document], manifests: &[ManifestFile], report: &Report<'_>) {
    let by_path: BTreeMap<&str, &Document> = documents.iter().map(|document| (manifests[document.index].path.as_str(), document)).collect();
    let checker = |file: &str, pointer: &str| {
        let document = by_path.get(file)?;
        Some(Checker { report, file: document.index, value: document.value.pointer(pointer)?, pointer: pointer.to_owned() })
    };
    let mut templates = BTreeMap::new();
    for (name, pool) in &desired.work_pools {
        let Some(template) = &pool.spec.base_job_template else { continue };
        let written = template;
        let template = JobTemplate::new(name, written);
        if let Some(checker) = checker(&pool.file, &pool.pointer) {
            checker.template(&template, written);
        }
        templates.insert(name.as_str(), template);
    }
    for Declared { spec, file, pointer } in desired.deployments.values() {
        let template = spec.work_pool.as_deref().and_then(|pool| templates.get(pool));
        if template.is_none() && spec.job_variables.is_empty() {
            continue;
        }
        if let Some(checker) = checker(file, pointer) {
            checker.deployment(spec, template);
            let pool = spec.work_pool.as_deref().and_then(|pool| desired.work_pools.get(pool));
            if pool.is_none_or(|pool| pool.spec.kind == PROCESS) {
                checker.values(spec, template);
            }
            if spec.work_pool.is_none() || pool.is_some() {
                checker.unread(spec, template, pool.is_none_or(|pool| pool.spec.kind == PROCESS));
            }
        }
    }
}

/// One deployment or pool of a file.
struct Checker<'a> {
    report: &'a Report<'a>,
    file: usize,
    value: &'a Value,
    pointer: String,
}

impl Checker<'_> {
    fn place(&self, below: &str, at: At) -> Place {
        Place::Pointer { file: self.file, pointer: format!("{}{below}", self.pointer), at }
    }

    /// The first of these that is there.
    fn first<'p>(&self, places: &[&'p str]) -> Option<&'p str> {
        places.iter().copied().find(|place| self.value.pointer(place).is_some())
    }

    /// What is wrong with a pool's template itself.
    fn template(&self, template: &JobTemplate<'_>, written: &JsonMap) {
        const TEMPLATE: &str = "/base_job_template";
        for key in written.keys().map(String::as_str).filter(|key| !PARTS.contains(key) && !key.starts_with("x-")) {
            let message = format!("unknown key {} in a base job template", shown(key));
            let place = self.place(&format!("{TEMPLATE}/{}", escaped(key)), At::Key);
            let help = words::closest(key, PARTS).map_or_else(|| "it has `job_configuration` and `variables`".to_owned(), |near| format!("did you mean `{near}`?"));
            self.report.push_strict(Problem::warning("unknown-key", message, place).help(help));
        }
        for fault in faults::of(written) {
            let text = self.value.pointer(&format!("{TEMPLATE}{}", fault.path)).and_then(Value::as_str).unwrap_or_default();
            let count = |range: Range<usize>| text.get(range).map_or(0, |text| text.chars().count() as u32);
            let at = fault.part.map_or(At::Value, |part| At::Part { start: count(0..part.start), length: count(part) });
            let place = self.place(&format!("{TEMPLATE}{}", fault.path), at);
            self.report.push(Problem::error("wrong-template", fault.message, place).help(fault.help));
        }
        for misfit in template.unfit_defaults() {
            let (name, below) = misfit.path.split_first().map_or(("", [].as_slice()), |(name, below)| (name.as_str(), below));
            let below = format!("{TEMPLATE}/variables/properties/{}/default{}", escaped(name), pointer(below));
            let message = format!("the default of the job variable `{name}` does not fit the variable itself: {}", misfit.why);
            self.report.push(Problem::error("wrong-default", message, self.place(&below, At::Value)));
        }
        for unknown in template.undeclared() {
            let place = self.place(&format!("{TEMPLATE}{}", unknown.path), At::Value);
            let message = format!("{} names no variable of this template", shown(&format!("{{{{ {} }}}}", unknown.name)));
            let problem = Problem::warning("unknown-job-variable", message, place);
            self.report.push(problem.help(format!("declare `{}` below `variables.properties`, or nothing stands there where nobody gives it", unknown.name)));
        }
    }

    fn deployment(&self, spec: &DeploymentSpec, template: Option<&JobTemplate<'_>>) {
        for key in OF_DEPLOYMENT.into_iter().filter(|key| spec.job_variables.contains_key(*key)) {
            if let (Some(place), false) = (self.variable(key), template.is_some_and(|template| template.declares(key))) {
                let message = format!("`{key}` is a key of a deployment and no job variable: it is ignored here");
                let problem = Problem::warning("ignored-job-variable", message, self.place(&place, At::Key));
                self.report.push(problem.help("write it beside `job_variables`"));
            }
        }
        let Some(template) = template else { return };
        for misfit in template.misfits(&spec.job_variables) {
            self.misfit(&misfit, spec);
        }
        self.command(spec, template);
    }

    /// Job variables that have no effect, since neither the pool's template nor the executor reads them: a slip goes unseen. What workers of
    /// another type read without a template is theirs to know.
    fn unread(&self, spec: &DeploymentSpec, template: Option<&JobTemplate<'_>>, is_process: bool) {
        let also: &[&str] = if is_process { &OF_PROCESSES } else { &[] };
        let unread = match template {
            Some(template) => template.unread(&spec.job_variables, also),
            None if is_process => spec.job_variables.keys().map(String::as_str).filter(|name| !also.contains(name)).collect(),
            None => return,
        };
        for name in unread.into_iter().filter(|name| !OF_DEPLOYMENT.contains(name) && !name.starts_with("x-")) {
            let Some(place) = self.variable(name) else { continue };
            let message = match &spec.work_pool {
                Some(pool) => format!("the work pool {} knows no job variable {}: it has no effect", shown(pool), shown(name)),
                None => format!("processes know no job variable {}: it has no effect", shown(name)),
            };
            let known = template.into_iter().flat_map(JobTemplate::names).chain(also.iter().copied());
            let help = match (words::closest(name, known), template) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                // Files that were written for another's pool keep its variables (`image`) where they name none.
                (None, _) if spec.work_pool.is_none() => continue,
                (None, Some(_)) => format!("declare `{name}` below `variables.properties` of the pool's `base_job_template`, or take it out"),
                (None, None) => "take it out; what a command should see is written below `env`".to_owned(),
            };
            self.report.push(Problem::warning("unknown-job-variable", message, self.place(&place, At::Key)).help(help));
        }
    }

    /// What a run of this host would refuse, or take for something else, at its start; the same that is said of the keys beside
    /// `job_variables`. What the pool's template has a rule for is the template's to say.
    fn values(&self, spec: &DeploymentSpec, template: Option<&JobTemplate<'_>>) {
        for key in process::KEYS {
            let Some(value) = spec.job_variables.get(key).filter(|value| !value.is_null() && !placeholders::any(value)) else { continue };
            if template.is_some_and(|template| template.declares(key)) {
                continue;
            }
            if let (Some(wrong), Some(place)) = (process::misfit(key, value), self.variable(key)) {
                self.report.push(Problem::error(process::CODE, wrong.message, self.place(&place, At::Value)).maybe_help(wrong.help));
            }
        }
    }

    fn misfit(&self, misfit: &Misfit, spec: &DeploymentSpec) {
        let variable = misfit.path.split_first().and_then(|(name, below)| Some(format!("{}{}", self.variable(name)?, pointer(below))));
        match (variable, &misfit.missing) {
            (Some(place), _) => self.report.push(Problem::error("wrong-job-variable", misfit.message.clone(), self.place(&place, At::Value))),
            (None, missing) => {
                let (place, at) = match self.first(&PLACES) {
                    Some(place) => (place, At::Key),
                    None => (self.first(&["/work_pool/name", "/work_pool", "/work_pool_name"]).unwrap_or("/name"), At::Value),
                };
                let place = self.place(place, at);
                let problem = match (missing, spec.schedules.is_empty()) {
                    // Each run may be given one.
                    (Some(_), true) => Problem::warning("missing-job-variable", misfit.message.clone(), place),
                    _ => Problem::error("missing-job-variable", misfit.message.clone(), place),
                };
                self.report.push(problem.maybe_help(missing.as_ref().map(|name| format!("write `{name}: ...` below `job_variables`"))));
            }
        }
    }

    /// What the pool's template runs in place of what the deployment says.
    fn command(&self, spec: &DeploymentSpec, template: &JobTemplate<'_>) {
        let Some(command) = template.command(&spec.job_variables) else { return };
        if spec.job_variables.get("command").and_then(Value::as_str).is_some_and(|own| command.contains(own)) {
            return;
        }
        let own = if matches!(spec.entrypoint, Some(Entrypoint::Shell { .. } | Entrypoint::Program { .. })) { "command" } else { "entrypoint" };
        let pool = spec.work_pool.as_deref().unwrap_or_default();
        let message = format!("the work pool '{pool}' runs its own command ({}) in place of this `{own}`", shown(&command));
        let problem = Problem::warning("pool-command", message, self.place(&format!("/{own}"), At::Key));
        self.report.push(problem.help("take `command` out of the pool's `job_configuration` to run what the deployment says"));
    }

    /// Where a job variable stands, below the deployment.
    fn variable(&self, name: &str) -> Option<String> {
        let own = process::KEYS.contains(&name).then_some("");
        let places = PLACES.into_iter().chain(own).map(|place| format!("{place}/{}", escaped(name)));
        places.into_iter().find(|place| self.value.pointer(place).is_some())
    }
}

fn pointer(steps: &[String]) -> String {
    steps.iter().map(|step| format!("/{}", escaped(step))).collect()
}

fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}
