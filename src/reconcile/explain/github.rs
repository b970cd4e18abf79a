//! A plan as a workflow's annotations: GitHub shows each at its line of the pull request.
//!
//! The form is that of workflow commands: `::error file=F,line=L,col=C,title=T::message`, with `%`, line ends and, in properties,
//! `:` and `,` percent-encoded.
use super::{refusals, text};
use crate::model::name::visible;
use crate::model::position::Position;
use crate::model::problem::{Problem, Severity};
use crate::reconcile::plan::{Action, NoteLevel, Plan, Step};

/// GitHub shows so many annotations of a level for one step; what is told of plain changes must not crowd out warnings.
const MOST_CHANGES: usize = 10;
/// Of each change so many fields are named.
const MOST_NAMED: usize = 5;

/// One line for each thing that somebody should look at. `prefix` leads from the repository's root to the project's: empty, or with a
/// `/` at its end.
pub fn annotations(plan: Option<&Plan>, problems: &[Problem], prefix: &str) -> String {
    let mut lines = Vec::new();
    for problem in problems {
        let level = if problem.severity == Severity::Error { "error" } else { "warning" };
        let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        lines.push(line(level, problem.position.as_ref(), None, &problem.code, &format!("{}{help}", problem.message), prefix));
    }
    let Some(plan) = plan else { return lines.concat() };
    for note in &plan.notes {
        let level = if note.level == NoteLevel::Warning { "warning" } else { "notice" };
        let help = note.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        lines.push(line(level, note.position.as_ref(), note.file.as_deref(), &note.code, &format!("{}{help}", note.sentence()), prefix));
    }
    for step in plan.steps.iter().filter(|step| step.action == Action::Prune) {
        let runs = step.in_progress.as_ref().map(|runs| format!("; {}", text::in_progress(runs))).unwrap_or_default();
        let message = format!("{} {} will stop: {}{runs}", step.kind.words(), step.name, step.reason);
        lines.push(line("warning", None, step.file.as_deref(), "prune", &message, prefix));
    }
    let mut told = 0;
    for step in &plan.steps {
        if let (Some(was), Action::Rename) = (&step.renamed_from, step.action) {
            let message = format!("{} {} was {was}, and keeps its history", step.kind.words(), step.name);
            lines.push(line("notice", step.position.as_ref(), step.file.as_deref(), "rename", &message, prefix));
        }
        if step.drift.is_none() && told < MOST_CHANGES && is_told(step) {
            told += 1;
            lines.push(line("notice", step.position.as_ref(), step.file.as_deref(), step.action.word(), &change(step), prefix));
        }
        if step.drift.is_some() {
            let message = format!("{} {} has drifted: {}", step.kind.words(), step.name, text::drift(step));
            lines.push(line("warning", step.position.as_ref(), step.file.as_deref(), "drift", &message, prefix));
        }
    }
    for (position, refusal) in refusals::told(plan, false) {
        lines.push(line("error", position, None, "refused", &refusal, prefix));
    }
    lines.concat()
}

/// Whether a step has no annotation yet and changes something at a line of the files.
fn is_told(step: &Step) -> bool {
    let (changes, moved) = (step.action != Action::Unchanged, matches!(&step.changes[..], [only] if only.field == "root"));
    changes && !moved && !matches!(step.action, Action::Prune | Action::Rename)
}

/// `deployment etl/daily will be updated: retries, env/REGION`.
fn change(step: &Step) -> String {
    let done = match step.action {
        Action::Create => "will be created".to_owned(),
        Action::Update => "will be updated".to_owned(),
        Action::Adopt => format!("will be adopted ({})", step.reason),
        _ => format!("will be restored ({})", step.reason),
    };
    let mut fields: Vec<&str> = Vec::new();
    for change in step.changes.iter().filter(|_| step.action != Action::Create) {
        let field = if change.field.starts_with("parameter_schema") { "parameters of the function" } else { &change.field };
        if !fields.contains(&field) && fields.len() <= MOST_NAMED {
            fields.push(field);
        }
    }
    if fields.len() > MOST_NAMED {
        fields[MOST_NAMED] = "...";
    }
    let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
    format!("{} {} {done}{fields}", step.kind.words(), step.name)
}

/// That there is no plan, and why.
pub fn annotation_of_error(error: &str) -> String {
    line("error", None, None, "error", error, "")
}

fn line(level: &str, position: Option<&Position>, file: Option<&str>, code: &str, message: &str, prefix: &str) -> String {
    let mut properties = Vec::new();
    if let Some(file) = position.map(|position| position.file.as_str()).or(file) {
        properties.push(format!("file={}", property(&format!("{prefix}{file}"))));
    }
    if let Some(position) = position {
        properties.push(format!("line={},col={}", position.line, position.column));
    }
    properties.push(format!("title={}", property(&format!("reeve: {code}"))));
    format!("::{level} {}::{}\n", properties.join(","), data(message))
}

fn data(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '%' => encoded.push_str("%25"),
            '\r' => encoded.push_str("%0D"),
            '\n' => encoded.push_str("%0A"),
            other => encoded.push(visible(other)),
        }
    }
    encoded
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_command_and_nothing_in_it_is_obeyed() {
        let said = annotation_of_error("50 % of a:b,\r\nc\u{1b}[2J\u{202e}d\u{7f}");
        assert_eq!(said, "::error title=reeve%3A error::50 %25 of a:b,%0D%0Ac\u{fffd}[2J\u{fffd}d\u{fffd}\n");
    }
}
