//! Which placeholders of a deployment are filled in when its file is read, and which are left for run time.
//!
//! - `{{ $X }}`, and a bare `{{ X }}` that is set: the environment's value, as Prefect 3 has it; but never the value of
//!   a secret-looking name (`TOKEN`, `PASSWORD`, ...) or of one that the project marks (`{secret: "{{ $X }}"}`), nor what stands under such a key: that stays a symbol and is resolved when the
//!   run starts.
//! - `{{ prefect.blocks... }}`, `{{ prefect.variables... }}`, `{{ ctx... }}`, `{{ parameters... }}`, `{{ event... }}`:
//!   kept, without a word.
//! - In `pull` steps only `{{ $X }}` that is set is filled in; they run elsewhere, where the rest is known.
//! - Outputs of `build` and `push` steps are known only to who runs them: kept, with a warning.
//! - Anything else is kept and reported. Prefect would drop the key, or leave a gap in the text.
use super::node::Node;
use super::report::{Place, Problem, shown};
use super::secrets::Secrets;
use super::steps::Steps;
use super::words;
use super::{Input, OnMissing};
use crate::model::secret::looks_secret;
use crate::template::{self, Reason, Reference, Resolution, Unresolved, is_variable};
use serde_json::Value;

/// What placeholders are rendered with.
pub struct Placeholders<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    missing: OnMissing,
    secrets: &'a Secrets,
}

/// Whether any text in the value may hold a placeholder.
pub fn any(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{"),
        Value::Array(items) => items.iter().any(any),
        Value::Object(map) => map.values().any(any),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl<'a> Placeholders<'a> {
    pub fn new(input: &Input<'a>, secrets: &'a Secrets) -> Self {
        Placeholders { environment: input.environment, missing: input.missing_environment, secrets }
    }

    /// The value at `node`, rendered; what stays unresolved is reported at its place.
    pub fn render(&self, node: &Node<'_>, steps: &Steps) -> Value {
        let rendered = template::render(node.value, &mut |reference| self.resolve(reference));
        for unresolved in &rendered.unresolved {
            self.report(node, unresolved, steps);
        }
        rendered.value
    }

    /// The same, but what stands under a name of a secret is left for the start of a run, whatever the variable is called that it names.
    pub fn render_but_secrets(&self, node: &Node<'_>, steps: &Steps) -> Value {
        match node.value {
            Value::Object(fields) => {
                let rendered = fields.iter().map(|(key, value)| {
                    let field = Node::new(value, node.path.key(key), node.report);
                    let value = if looks_secret(key) { self.referred(&field, steps) } else { self.render_but_secrets(&field, steps) };
                    (key.clone(), value)
                });
                Value::Object(rendered.collect())
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                Value::Array(items.map(|(index, item)| self.render_but_secrets(&node.item(index, item), steps)).collect())
            }
            _ => self.render(node, steps),
        }
    }

    /// Variables as references that the start of a run resolves: a bare `{{ X }}` that is set becomes `{{ $X }}`.
    fn referred(&self, node: &Node<'_>, steps: &Steps) -> Value {
        let rendered = template::render(node.value, &mut |reference| match reference {
            Reference::Value(name) if is_variable(name) && (self.secrets.has(name) || (self.environment)(name).is_some()) => {
                Resolution::Value(format!("{{{{ ${name} }}}}").into())
            }
            Reference::Value(_) => Resolution::Missing,
            _ => Resolution::Keep,
        });
        for unresolved in &rendered.unresolved {
            self.report(node, unresolved, steps);
        }
        rendered.value
    }

    /// A pull step with the variables that are set filled in; all else is resolved where the run starts. What lets us in at a
    /// repository is secret whatever its name, and never filled in.
    pub fn render_pull_step(&self, step: &Value) -> Value {
        let mut rendered = template::render(step, &mut |reference| match reference {
            Reference::Environment(name) if !self.secrets.has(name) => {
                (self.environment)(name).map_or(Resolution::Keep, |text| Resolution::Value(text.into()))
            }
            _ => Resolution::Keep,
        })
        .value;
        for (function, inputs) in rendered.as_object_mut().into_iter().flatten() {
            for secret in ["access_token", "credentials"] {
                if let (Some(input), Some(written)) = (inputs.get_mut(secret), step[function.as_str()].get(secret)) {
                    input.clone_from(written);
                }
            }
            let written = step[function.as_str()].get("env").and_then(Value::as_object);
            for (name, value) in inputs.get_mut("env").and_then(Value::as_object_mut).into_iter().flatten().filter(|(name, _)| looks_secret(name)) {
                if let Some(written) = written.and_then(|written| written.get(name)) {
                    value.clone_from(written);
                }
            }
        }
        rendered
    }

    fn resolve(&self, reference: &Reference<'_>) -> Resolution {
        match reference {
            Reference::Block(_) | Reference::Variable(_) | Reference::Context(_) | Reference::Parameter(_) => Resolution::Keep,
            Reference::Environment(name) | Reference::Value(name) if self.secrets.has(name) && is_variable(name) => Resolution::Keep,
            Reference::Environment(name) => (self.environment)(name).map_or(Resolution::Missing, |text| Resolution::Value(text.into())),
            Reference::Value(name) if is_variable(name) => {
                (self.environment)(name).map_or(Resolution::Missing, |text| Resolution::Value(text.into()))
            }
            Reference::Value(_) => Resolution::Missing,
        }
    }

    fn report(&self, node: &Node<'_>, unresolved: &Unresolved, steps: &Steps) {
        let place = below(node, unresolved);
        let written = shown(&format!("{{{{ {} }}}}", unresolved.name));
        if unresolved.reason == Reason::TooDeep {
            node.report.push(Problem::error("too-deep", "values are nested too deep here to be rendered", place));
            return;
        }
        if let Reference::Environment(name) = Reference::of(&unresolved.name) {
            let message = format!("the environment has no {}; {written} stays as it is", shown(name));
            match self.missing {
                OnMissing::Warning => node.report.push(Problem::warning("unset-variable", message, place)),
                OnMissing::Error => {
                    let problem = Problem::error("unset-variable", format!("the environment has no {}", shown(name)), place);
                    node.report.push(problem.help("set it for the process that reads this file"));
                }
            }
            return;
        }
        let (first, _) = unresolved.name.split_once('.').unwrap_or((unresolved.name.as_str(), ""));
        if steps.ids().contains(first) || (steps.has_outputs() && !unresolved.name.contains('.')) {
            let message = format!("{written} is the output of a step, which is not run yet; it stays as it is");
            node.report.push(Problem::warning("step-output", message, place));
            return;
        }
        let help = match first {
            "flow_run" | "flow" | "deployment" => Some(format!("did you mean {}?", shown(&format!("{{{{ ctx.{} }}}}", unresolved.name)))),
            _ => words::closest(first, steps.ids()).map(|near| format!("did you mean the step `{near}`?")),
        };
        let message = format!("nothing is known as {written}; it stays as it is");
        let default = "an environment variable is written `{{ $NAME }}`";
        node.report.push_strict(Problem::warning("unresolved", message, place).help(help.unwrap_or_else(|| default.to_owned())));
    }
}

/// The place of the text in the rendered value, at the placeholder itself.
fn below(node: &Node<'_>, unresolved: &Unresolved) -> Place {
    let text = node.value.pointer(&unresolved.path).and_then(Value::as_str).unwrap_or("");
    let found = template::placeholders(text).into_iter().find(|placeholder| placeholder.name == unresolved.name);
    node.path.part_below(&unresolved.path, text, found.map(|placeholder| placeholder.range))
}
