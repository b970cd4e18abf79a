//! `include:` at the top of a file: globs of further manifests of the project.
//!
//! Here is what a glob means; `source` looks for what it matches. A glob is relative to the project's root and never leads out
//! of it. `*` and `?` stand for no `/`, `[..]` for one character, `**` for any number of directories. What begins with a dot is
//! matched only by a glob that writes the dot: editors and mounts keep their copies there.
use super::node::Node;
use super::report::{At, Problem, shown};
use super::{Files, project, refuse, yaml};
use glob::{MatchOptions, Pattern};
use std::collections::BTreeSet;

/// One step of a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Literal(String),
    Wild(Wildcard),
    /// `**`
    AnyDepth,
}

/// A step with `*`, `?` or `[..]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard(Pattern);

impl Wildcard {
    /// Whether the name of a file or directory matches.
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches_with(name, MatchOptions { require_literal_leading_dot: true, ..MatchOptions::default() })
    }
}

/// A glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// As it is written.
    pub pattern: String,
    /// The last one is never `AnyDepth`.
    pub segments: Vec<Segment>,
}

impl Include {
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn parse(pattern: &str) -> Result<Include, (String, &'static str)> {
        const RELATIVE: &str = "globs start at the project's root: `teams/*/deployment.yaml`";
        let wrong = |what: &str, help| Err((format!("{} {what}", shown(pattern)), help));
        let plain = pattern.strip_prefix("./").unwrap_or(pattern);
        if plain.is_empty() {
            return wrong("is empty; expected a glob of files", RELATIVE);
        }
        if plain.contains("{{") {
            return wrong("holds a placeholder; placeholders are not filled in here", "write the path, or a glob that matches it");
        }
        if plain.contains(['{', '}']) {
            return wrong("holds braces, which globs here do not know", "write a list of globs");
        }
        if plain.starts_with('/') || leads_out(plain) {
            return wrong("leads out of the project", RELATIVE);
        }
        if plain.split('/').any(|part| part == "..") {
            return wrong("holds `..`, and a glob leads only downwards", "write it without: `teams/*.yaml` for `teams/../teams/*.yaml`");
        }
        if plain.split('/').any(|part| part.is_empty() || part == ".") {
            return wrong("has an empty part", "name files: `teams/*.yaml`");
        }
        let mut segments = plain.split('/').map(segment).collect::<Result<Vec<_>, _>>().map_err(|why| {
            (format!("{} is no glob: {why}", shown(pattern)), "`*` and `?` match within a name, `[ab]` one character, `**` directories: `teams/**/*.yaml`")
        })?;
        if let Some(Segment::AnyDepth) = segments.last() {
            segments.push(segment("*").map_err(|why| (why, RELATIVE))?);
        }
        Ok(Include { pattern: pattern.to_owned(), segments })
    }

    /// Whether a file of this path, relative to the root, would be matched if it were there.
    pub fn covers(&self, path: &str) -> bool {
        // How many steps may be done after each part of the path: `**` leaves several possible.
        let mut reached = self.reached([0].into());
        for part in path.split('/') {
            let next = reached.iter().filter_map(|&done| match self.segments.get(done)? {
                Segment::Literal(name) => (name == part).then_some(done + 1),
                Segment::Wild(wildcard) => wildcard.matches(part).then_some(done + 1),
                Segment::AnyDepth => (!part.starts_with('.')).then_some(done),
            });
            reached = self.reached(next.collect());
        }
        reached.contains(&self.segments.len())
    }

    /// With what `**` adds, which may stand for nothing.
    fn reached(&self, mut reached: BTreeSet<usize>) -> BTreeSet<usize> {
        for (step, segment) in self.segments.iter().enumerate() {
            if matches!(segment, Segment::AnyDepth) && reached.contains(&step) {
                reached.insert(step + 1);
            }
        }
        reached
    }
}

/// Whether `..` leads higher than the project's root, as far as can be told from the text.
fn leads_out(path: &str) -> bool {
    let mut depth = 0_usize;
    path.split('/').filter(|part| !matches!(*part, "" | ".")).any(|part| match part {
        ".." if depth == 0 => true,
        ".." => {
            depth -= 1;
            false
        }
        _ => {
            depth += 1;
            false
        }
    })
}

fn segment(text: &str) -> Result<Segment, String> {
    match text {
        "**" => Ok(Segment::AnyDepth),
        wild if wild.contains(['*', '?', '[']) => Pattern::new(wild).map(|pattern| Segment::Wild(Wildcard(pattern))).map_err(|error| error.msg.to_owned()),
        literal => Ok(Segment::Literal(literal.to_owned())),
    }
}

/// The globs of a manifest; those that are wrong, or of a file that is, are reported when it is read. Looks first whether the key
/// stands at the left margin, so that no big file is parsed twice for nothing.
pub fn includes(content: &[u8]) -> Vec<Include> {
    if !std::str::from_utf8(content).is_ok_and(|text| has_key(text, "include")) {
        return Vec::new();
    }
    let Ok((value, _)) = refuse::text("", content).and_then(|text| yaml::parse("", text)) else { return Vec::new() };
    if project::is_one_deployment(&value) {
        return Vec::new();
    }
    let patterns = match &value["include"] {
        serde_json::Value::Array(items) => items.iter().filter_map(|item| item.as_str()).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    patterns.into_iter().filter_map(|pattern| Include::parse(pattern).ok()).collect()
}

/// Whether a key of the top-level mapping may be `key`: it stands at the margin of the first key, or all is in braces.
pub fn has_key(text: &str, key: &str) -> bool {
    let content = |line: &&str| !matches!(line.trim_start().as_bytes(), [] | [b'#' | b'%', ..] | [b'-', b'-', b'-', ..]);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(first) = text.lines().find(content) else { return false };
    let margin = first.len() - first.trim_start().len();
    if first.trim_start().starts_with('{') {
        return text.contains(key);
    }
    text.lines().any(|line| {
        let name = line.get(margin..).unwrap_or_default().trim_start_matches(['"', '\'']);
        name.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
    })
}

/// Reports what is wrong with `include:` of a file.
pub fn check(file: &Node<'_>, path: &str, files: &dyn Files) {
    let Some(field) = file.field("include") else { return };
    if files.is_included(path) {
        let problem = Problem::error("nested-include", "this file is included itself, and includes no others", field.place(At::Key));
        file.report.push(problem.help("move its globs to the `include:` of the project's first file"));
        return;
    }
    let items = field.value.as_array().map(Vec::as_slice);
    if items.is_none() {
        check_one(&field, files);
    }
    for (index, item) in items.into_iter().flatten().enumerate() {
        check_one(&field.item(index, item), files);
    }
}

fn check_one(node: &Node<'_>, files: &dyn Files) {
    let Some(pattern) = node.value.as_str() else {
        node.expected("a glob of files, or a list of them");
        return;
    };
    match Include::parse(pattern) {
        Err((message, help)) => node.report.push(node.error("bad-glob", message).help(help)),
        Ok(_) if files.matched(pattern) == Some(0) => {
            let problem = node.warning("nothing-included", format!("no file matches {}", shown(pattern)));
            node.report.push_strict(problem.help("globs start at the project's root; of a directory `jobs`, write `jobs/*.yaml`"));
        }
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_within_the_project_or_says_why_not() {
        for (pattern, wrong) in [
            ("jobs/*.yaml", ""),
            ("./jobs/[ab]?.yaml", ""),
            ("**", ""),
            ("", "is empty"),
            ("/etc/*.yaml", "leads out"),
            ("jobs/../../x.yaml", "leads out"),
            ("t/../t/*.yaml", "holds `..`"),
            ("jobs/", "empty part"),
            ("jobs//x.yaml", "empty part"),
            ("jobs/{a,b}.yaml", "braces"),
            ("{{ $X }}/x.yaml", "placeholder"),
            ("jobs/a**.yaml", "no glob"),
            ("jobs/[a.yaml", "no glob"),
        ] {
            match Include::parse(pattern) {
                Ok(include) => assert!(wrong.is_empty() && !matches!(include.segments.last(), Some(Segment::AnyDepth)), "{pattern}"),
                Err((message, help)) => assert!(!wrong.is_empty() && message.contains(wrong) && !help.is_empty(), "{pattern}: {message}"),
            }
        }
    }

    #[test]
    fn a_wildcard_matches_names_and_leaves_hidden_ones_alone() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("*.yaml", ".a.yaml", false),
            (".*.yaml", ".a.yaml", true),
            ("?.yaml", "ä.yaml", true),
            ("[a-c].yaml", "b.yaml", true),
            ("[!a-c].yaml", "b.yaml", false),
        ] {
            let Ok(Segment::Wild(wildcard)) = segment(pattern) else { panic!("{pattern}") };
            assert_eq!(wildcard.matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_glob_covers_the_paths_that_it_would_match() {
        for (pattern, path, expected) in [
            ("jobs/*.yaml", "jobs/a.yaml", true),
            ("./jobs/*.yaml", "jobs/a.yaml", true),
            ("jobs/*.yaml", "jobs/deep/a.yaml", false),
            ("jobs/*.yaml", "a.yaml", false),
            ("jobs/*.yaml", "jobs", false),
            ("jobs/**", "jobs/deep/er/a.yaml", true),
            ("**/*.yaml", "a.yaml", true),
            ("**/jobs/**/*.yaml", "x/jobs/a.yaml", true),
            ("**/*.yaml", ".hidden/a.yaml", false),
            ("more.yaml", "more.yaml", true),
            ("more.yaml", "more.yaml/a", false),
        ] {
            assert_eq!(Include::parse(pattern).unwrap().covers(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_key_is_seen_at_the_margin_only() {
        let seen = |text: &str| includes(text.as_bytes()).into_iter().map(|include| include.pattern).collect::<Vec<_>>();
        assert_eq!(seen("name: x\ninclude: jobs/*.yaml\n"), ["jobs/*.yaml"]);
        assert_eq!(seen("# what\n---\n  name: x\n  include: [a.yaml, b.yaml]\n"), ["a.yaml", "b.yaml"]);
        assert_eq!(seen("{\"include\": \"a.yaml\"}"), ["a.yaml"]);
        assert_eq!(seen("\u{feff}\"include\": a.yaml\n"), ["a.yaml"]);
        assert!(seen("include: mon-fri\nname: x\nentrypoint: f.py:f\n").is_empty(), "limits of Prefect 2.0's one deployment");
        assert!(seen("deployments:\n- name: x\n  include: mon-fri\n").is_empty());
        assert!(seen("include: [").is_empty());
        assert!(!has_key("deployments:\n- name: x\n  include: mon-fri\n", "include"), "and not parsed for it");
    }
}
