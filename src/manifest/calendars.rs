//! `calendars:` at the top of a file: names for spans of time, given as a list or as a calendar file of the repository, for
//! `exclude` and `include` of all schedules of the project.
use super::entrypoint::normal;
use super::limits::span;
use super::node::Node;
use super::project::hash;
use super::report::{At, Exact, Place, Problem, shown};
use super::{FileContent, Input, OnMissing, words};
use crate::schedule::{Calendar, Period, Remark, Span, read_calendar};
use serde_json::Value;
use std::collections::BTreeMap;

const FILE_KEYS: [&str; 1] = ["file"];

/// The calendars of a project.
#[derive(Default)]
pub struct Calendars {
    /// One that could not be read is there and empty: that its name is used is no second problem.
    read: BTreeMap<String, Vec<Period>>,
    places: BTreeMap<String, Place>,
    /// Calendar files that were read, with their SHA-256 in hex.
    files: BTreeMap<String, String>,
}

impl Calendars {
    /// Takes in the calendars that a file declares.
    pub fn add(&mut self, file: &Node<'_>, input: &Input<'_>) {
        let Some(field) = file.field("calendars") else { return };
        for (name, value) in field.mapping("a mapping of names to dates or calendar files").into_iter().flatten() {
            let node = Node::new(value, field.path.key(name), field.report);
            if let Some(problem) = bad_name(name, &node) {
                field.report.push(problem);
                continue;
            }
            if let Some(first) = self.places.get(name) {
                let message = format!("the calendar {} is declared twice", shown(name));
                field.report.push(Problem::error("duplicate-calendar", message, node.place(At::Key)).related("first declared at", first.clone()));
                continue;
            }
            self.places.insert(name.clone(), node.place(At::Key));
            let mut periods = self.calendar(&node, input);
            for period in &mut periods {
                period.name = Some(match &period.name {
                    Some(event) => format!("{name}: {event}"),
                    None => name.clone(),
                });
            }
            self.read.insert(name.clone(), periods);
        }
    }

    /// The spans of a calendar; `None`: there is none of that name.
    pub fn get(&self, name: &str) -> Option<&[Period]> {
        self.read.get(name).map(Vec::as_slice)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.read.keys().map(String::as_str)
    }

    pub fn files(self) -> BTreeMap<String, String> {
        self.files
    }

    /// A list of spans, one span, or a file: its path, or `{file: path}`.
    fn calendar(&mut self, node: &Node<'_>, input: &Input<'_>) -> Vec<Period> {
        let period = |span| Period { span, name: None };
        match node.value {
            Value::Array(items) => {
                let texts = items.iter().enumerate().filter_map(|(index, item)| {
                    let item = node.item(index, item);
                    match item.value.as_str() {
                        Some(text) => span(&item, text, None),
                        None => {
                            item.expected("a date, a range or a window of the week");
                            None
                        }
                    }
                });
                texts.map(period).collect()
            }
            Value::String(text) => match text.parse::<Span>() {
                Ok(span) => vec![period(span)],
                Err(_) if text.contains("{{") || !text.contains(['.', '/']) => {
                    node.expected("a list of dates, or the path of a calendar file (`holidays.ics`)");
                    Vec::new()
                }
                Err(_) => self.file(node, text, input),
            },
            Value::Object(_) => {
                node.unknown_keys("a calendar", &[&FILE_KEYS], &[]);
                match node.field("file").map(|file| (file, file.value.as_str())) {
                    Some((file, Some(path))) => self.file(&file, path, input),
                    Some((file, None)) => {
                        file.expected("the path of a calendar file (`holidays.ics`)");
                        Vec::new()
                    }
                    None => {
                        node.expected("a list of dates, or `{file: holidays.ics}`");
                        Vec::new()
                    }
                }
            }
            _ => {
                node.expected("a list of dates, or the path of a calendar file (`holidays.ics`)");
                Vec::new()
            }
        }
    }

    fn file(&mut self, node: &Node<'_>, path: &str, input: &Input<'_>) -> Vec<Period> {
        let path = normal(path);
        let unreadable = |why: &str| {
            let message = format!("the calendar file {} cannot be read: {why}", shown(&path));
            node.report.push(node.error("unreadable-calendar", message));
        };
        let content = match input.files.read(&path) {
            FileContent::Found(content) => content,
            FileContent::Missing => {
                missing(node, &path, input);
                return Vec::new();
            }
            FileContent::Unreadable(why) => {
                unreadable(&why);
                return Vec::new();
            }
        };
        let Ok(text) = std::str::from_utf8(&content) else {
            unreadable("it is not UTF-8 text");
            return Vec::new();
        };
        let Calendar { periods, remarks } = read_calendar(text);
        if periods.is_empty() && remarks.is_empty() {
            let message = format!("the calendar file {} holds no event", shown(&path));
            node.report.push(node.warning("empty-calendar", message));
        }
        for remark in remarks {
            node.report.push(problem(&path, remark));
        }
        self.files.insert(path, hash(&content));
        periods
    }
}

/// A name must not be taken for a span of time, nor for a calendar's name with an event's.
fn bad_name(name: &str, node: &Node<'_>) -> Option<Problem> {
    let wrong = if name.trim().is_empty() || name != name.trim() {
        "is empty or begins or ends with a blank"
    } else if name.contains([':', '\n', '\r', '\t']) {
        "holds `:` or a control character"
    } else if name.parse::<Span>().is_ok() {
        "is a span of time itself"
    } else {
        return None;
    };
    Some(Problem::error("bad-name", format!("{} is no name of a calendar: it {wrong}", shown(name)), node.place(At::Key)))
}

fn missing(node: &Node<'_>, path: &str, input: &Input<'_>) {
    let message = format!("there is no file {}", shown(path));
    let problem = match input.missing_sources {
        OnMissing::Warning => node.warning("missing-file", message),
        OnMissing::Error => node.error("missing-file", message),
    };
    let near = input.files.near(path);
    let near = words::closest(path, near.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    node.report.push(problem.help(near.unwrap_or_else(|| "paths start at the directory of the project".to_owned())));
}

fn problem(path: &str, remark: Remark) -> Problem {
    let length = remark.text.chars().count() as u32;
    let line = u32::try_from(remark.line).unwrap_or(u32::MAX);
    let place = Exact::new(path, line, 1, remark.text, length);
    match remark.is_error {
        true => Problem::exact(place, "bad-calendar", remark.message),
        false => Problem::warning("calendar-cut", remark.message, Place::Exact(place)),
    }
}
