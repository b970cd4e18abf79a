//! A plan as a workflow's annotations: GitHub shows each at its line of the pull request.
//!
//! The form is that of workflow commands: `::error file=F,line=L,col=C,title=T::message`, with `%`, line ends and, in properties,
//! `:` and `,` percent-encoded.
use super::text;
use crate::model::name::visible;
use crate::model::position::Position;
use crate::model::problem::{Problem, Severity};
use crate::reconcile::plan::{Action, NoteLevel, Plan};

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
    for step in &plan.steps {
        if let (Some(was), Action::Rename) = (&step.renamed_from, step.action) {
            let message = format!("{} {} was {was}, and keeps its history", step.kind.words(), step.name);
            lines.push(line("notice", step.position.as_ref(), step.file.as_deref(), "rename", &message, prefix));
        }
        if step.drift.is_some() {
            let message = format!("{} {} has drifted: {}", step.kind.words(), step.name, text::drift(step));
            lines.push(line("warning", step.position.as_ref(), step.file.as_deref(), "drift", &message, prefix));
        }
    }
    for refusal in &plan.refusals {
        lines.push(line("error", refusal.position(), None, "refused", &refusal.to_string(), prefix));
    }
    lines.concat()
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
