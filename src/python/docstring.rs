//! Docstrings: Python's cleaning, and the parameter section of Google's style, the only one that Prefect reads.

/// Cleans a docstring as `inspect.cleandoc`: tabs become 8 columns, the common indent of all lines but the first goes, and
/// so do blank lines at both ends.
pub(super) fn clean(text: &str) -> String {
    let expanded: Vec<String> = text.split('\n').map(expand_tabs).collect();
    let margin = expanded
        .iter()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(|line| indent(line))
        .min();
    let mut lines: Vec<&str> = Vec::with_capacity(expanded.len());
    for (index, line) in expanded.iter().enumerate() {
        lines.push(match index {
            0 => line.trim_start(),
            _ => line
                .get(margin.unwrap_or(0).min(indent(line))..)
                .unwrap_or_default(),
        });
    }
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let blank = lines.iter().take_while(|line| line.is_empty()).count();
    lines[blank..].join("\n")
}

fn expand_tabs(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut column = 0;
    for c in line.chars() {
        let width = if c == '\t' { 8 - column % 8 } else { 1 };
        column += width;
        if c == '\t' {
            out.extend(std::iter::repeat_n(' ', width))
        } else {
            out.push(c)
        }
    }
    out
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Descriptions by parameter name from a cleaned docstring's `Args:` section.
pub(super) fn parameters(docstring: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut item_indent = None;
    let mut inside = false;
    for line in docstring.lines() {
        if indent(line) == 0 && !line.trim().is_empty() {
            inside = matches!(
                line.trim().to_lowercase().as_str(),
                "args:" | "arguments:" | "params:" | "parameters:"
            );
            item_indent = None;
        } else if inside {
            let first = *item_indent.get_or_insert(indent(line));
            if line.trim().is_empty() || indent(line) > first {
                if let Some((_, text)) = found.last_mut() {
                    text.push('\n');
                    text.push_str(&line[indent(line).min(first * 2)..]);
                } else {
                    item_indent = None;
                }
            } else if let Some((head, text)) = line.split_once(':') {
                let name = head.split(" (").next().unwrap_or(head).trim();
                found.push((name.to_owned(), text.trim_start().to_owned()));
            }
        }
    }
    for (_, text) in &mut found {
        text.truncate(text.trim_end().len());
    }
    found
}
