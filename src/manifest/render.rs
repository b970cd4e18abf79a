//! Problems as text for people: the place, the line, a caret, what was found and expected, what to do.
use crate::model::problem::{Problem, Severity};
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

/// The problems one after another, each with an empty line after it, as rustc shows its own.
pub fn render_problems(problems: &[Problem], use_colour: bool) -> String {
    let renderer = if use_colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for problem in problems {
        text.push_str(&renderer_output(&renderer, problem));
        text.push_str("\n\n");
    }
    text
}

fn renderer_output(renderer: &Renderer, problem: &Problem) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(problem.message.as_str()).id(problem.code.as_str());
    let help = problem.help.as_deref().map(|help| Level::HELP.message(help));
    let Some(position) = &problem.position else {
        return renderer.render(&[title.elements(help)]);
    };
    match &problem.source {
        Some(source) => {
            let start = byte_of(&source.text, position.column.saturating_sub(1));
            let end = byte_of(&source.text, position.column.saturating_sub(1) + source.length).max(start);
            let snippet = Snippet::source(source.text.as_str())
                .path(position.file.as_str())
                .line_start(position.line as usize)
                .annotation(AnnotationKind::Primary.span(start..end));
            renderer.render(&[title.element(snippet).elements(help)])
        }
        None => {
            let origin = Origin::path(position.file.as_str()).line(position.line as usize).char_column(position.column as usize);
            renderer.render(&[title.element(origin).elements(help)])
        }
    }
}

fn byte_of(text: &str, characters: u32) -> usize {
    text.char_indices().nth(characters as usize).map_or(text.len(), |(at, _)| at)
}
