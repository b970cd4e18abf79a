//! A plan as a comment on a pull request: GitHub's Markdown, short enough to be posted.
use super::text::{changes, summary};
use super::{Style, Tense, refusals};
use crate::model::name::visible;
use crate::model::problem::Problem;
use crate::reconcile::plan::{Fate, Note, NoteLevel, Plan};

/// A comment may have 65,536 characters; what surrounds the plan needs some of them.
const MOST_CHARACTERS: usize = 60_000;

/// Problems and notes that are listed one by one.
const MOST_LISTED: usize = 50;

/// The plan, or where there is none the problems that stand against it. `against` is what it was compared with: a git revision, a daemon.
pub fn markdown(plan: Option<&Plan>, problems: &[Problem], against: Option<&str>) -> String {
    let against = against.map(|against| format!(" against {}", code(against))).unwrap_or_default();
    let mut text = match plan {
        Some(plan) => format!("### reeve plan for {}{against}\n\n", code(&plan.project)),
        None => format!("### reeve found errors{against}\n\nNothing can be planned, and what was last good stays in force.\n\n"),
    };
    if let Some(plan) = plan {
        text += &format!("**{}**\n\n", summary(plan, Tense::Planned));
        for (_, refusal) in refusals::told(plan, false) {
            text += &format!("> [!CAUTION]\n> Refused: {}\n\n", one_line(&refusal));
        }
        if plan.is_destructive() {
            let pruned = (plan.counts.prune > 0).then(|| format!("{} stop: what this project no longer declares is pruned.", objects(plan.counts.prune)));
            let told: Vec<String> = pruned.into_iter().chain(cancelled(plan)).collect();
            text += &format!("> [!WARNING]\n> {}\n\n", told.join(" "));
        }
    }
    let mut after = String::new();
    let warnings = problems.iter().map(|problem| format!("- {}\n", literal(&problem.to_string())));
    list(&mut after, ["problem in the files", "problems in the files"], warnings.collect());
    list(&mut after, ["note", "notes"], plan.into_iter().flat_map(notes).collect());
    if let Some(plan) = plan {
        let style = Style { colour: false, width: None, verbose: false, tense: Tense::Planned, in_log: false, says_options: false };
        text += &difference(&changes(plan, style), MOST_CHARACTERS.saturating_sub(text.len() + after.len()));
    }
    text + &after
}

/// That there is no plan, and why.
pub fn markdown_of_error(error: &str, problems: &[Problem], against: Option<&str>) -> String {
    let against = against.map(|against| format!(" against {}", code(against))).unwrap_or_default();
    let mut text = format!("### reeve could not plan{against}\n\n> [!CAUTION]\n> {}\n\n", literal(error));
    let lines = problems.iter().map(|problem| format!("- {}\n", literal(&problem.to_string())));
    list(&mut text, ["problem in the files", "problems in the files"], lines.collect());
    text
}

fn notes(plan: &Plan) -> Vec<String> {
    let line = |note: &Note| {
        let word = if note.level == NoteLevel::Warning { "warning" } else { "note" };
        let place = note.position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default();
        let help = note.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("- {}\n", literal(&format!("{place}{word}: {}{help}", note.sentence())))
    };
    plan.notes.iter().map(line).collect()
}

fn list(text: &mut String, [one, many]: [&str; 2], lines: Vec<String>) {
    let what = if lines.len() == 1 { one } else { many };
    if lines.is_empty() {
        return;
    }
    *text += &format!("<details><summary>{} {what}</summary>\n\n", lines.len());
    lines.iter().take(MOST_LISTED).for_each(|line| *text += line);
    if let more @ 1.. = lines.len().saturating_sub(MOST_LISTED) {
        *text += &format!("- ... and {more} more\n");
    }
    *text += "\n</details>\n\n";
}

/// The plan's lines as a `diff`, whose colours go by the first column: the marks move there.
fn difference(changes: &str, room: usize) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(changes, '`').max(2) + 1);
    let (mut block, mut hidden) = (String::new(), 0);
    for line in changes.lines().map(marked) {
        match hidden == 0 && block.len() + line.len() + 200 < room {
            true => block += &format!("{line}\n"),
            false => hidden += 1,
        }
    }
    let more = if hidden > 0 { format!("... and {hidden} more {}, which `reeve reconcile --dry-run` shows\n\n", if hidden == 1 { "line" } else { "lines" }) } else { String::new() };
    format!("{fence}diff\n{block}{fence}\n\n{more}")
}

/// `  ~ name` as `! name`: orange; `+` and `-` are green and red.
fn marked(line: &str) -> String {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let mark = ["+ ", "- ", "~ ", "± "].into_iter().find(|mark| text.starts_with(mark)).filter(|_| indent > 0);
    match mark {
        Some(mark) => {
            let shown = if mark.starts_with(['~', '±']) { "!" } else { mark.trim_end() };
            format!("{shown}{}{}", " ".repeat(indent), &text[mark.len()..])
        }
        None if text.starts_with(['+', '-', '!', '@']) && indent == 0 => format!(" {line}"),
        None => line.to_owned(),
    }
}

fn longest_run(text: &str, wanted: char) -> usize {
    let runs = text.split(|character| character != wanted).map(|run| run.chars().count());
    runs.max().unwrap_or(0)
}

/// What becomes of runs that are there: the one thing that no later change brings back.
fn cancelled(plan: &Plan) -> Option<String> {
    let told = plan.steps.iter().filter_map(|step| step.in_progress).map(|runs| match runs.fate {
        Fate::Cancel => runs.running,
        Fate::Pause => runs.waiting,
        _ => 0,
    });
    match told.sum::<usize>() {
        0 => None,
        1 => Some("1 run in progress is cancelled.".to_owned()),
        runs => Some(format!("{runs} runs in progress are cancelled.")),
    }
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object will".to_owned() } else { format!("{count} objects will") }
}

/// Text in which nothing is markup but code between backticks, as messages have it. A backslash before ASCII punctuation makes
/// it itself (CommonMark, 2.4); in code it would be seen.
fn literal(text: &str) -> String {
    let line = one_line(text);
    let balanced = line.matches('`').count().is_multiple_of(2) && longest_run(&line, '`') <= 1;
    let mut escaped = String::with_capacity(line.len());
    let mut in_code = false;
    for character in line.chars() {
        in_code ^= balanced && character == '`';
        if !in_code && "\\*_[]<>#@|~&".contains(character) || (!balanced && character == '`') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().map(visible).collect()
}

fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{}{pad}{fence}", one_line(text))
}
