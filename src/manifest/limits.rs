//! A schedule's limits: `starts`, `ends`, `exclude`, `include`, and how its clock changes are settled, `dst`; on a deployment or
//! on one of its schedules, whose word wins (a list of its own replaces the deployment's).
use super::calendars::Calendars;
use super::node::Node;
use super::report::{At, Place, Problem, shown};
use super::schedule::refused;
use super::words;
use crate::schedule::{Error, Gap, Limits, Overlap, Period, Resolution, RuleSpec, Span, Spec};
use jiff::civil::DateTime;
use serde_json::Value;

pub const KEYS: [&str; 5] = ["starts", "ends", "exclude", "include", "dst"];
pub const DST_KEYS: [&str; 2] = ["gap", "overlap"];
/// So many spans one schedule may be given: each is looked at for each instant.
const MOST_PERIODS: usize = 10_000;

const GAPS: [(&str, Gap); 3] = [("later", Gap::Later), ("earlier", Gap::Earlier), ("skip", Gap::Skip)];
const OVERLAPS: [(&str, Overlap); 3] = [("first", Overlap::First), ("last", Overlap::Last), ("both", Overlap::Both)];

/// What one mapping says of limits; `None`: nothing.
#[derive(Default)]
pub struct Given {
    starts: Option<(DateTime, Place)>,
    ends: Option<(DateTime, Place)>,
    exclude: Option<Vec<Period>>,
    include: Option<Vec<Period>>,
    gap: Option<Gap>,
    overlap: Option<Overlap>,
    dst: Option<Place>,
}

impl Given {
    pub fn read(node: &Node<'_>, calendars: &Calendars) -> Self {
        let mut given = Given {
            starts: bound(node, "starts", Limits::parse_starts),
            ends: bound(node, "ends", Limits::parse_ends),
            exclude: node.field("exclude").map(|field| periods(&field, calendars)),
            include: node.field("include").map(|field| periods(&field, calendars)),
            ..Given::default()
        };
        if let Some(field) = node.field("dst")
            && field.mapping("a mapping with `gap` and `overlap`").is_some()
        {
            field.unknown_keys("`dst`", &[&DST_KEYS], &[]);
            given.dst = Some(field.place(At::Key));
            given.gap = field.field("gap").and_then(|gap| gap.word("`later`, `earlier` or `skip`", &GAPS, &[("forward", "later"), ("backward", "earlier")]));
            given.overlap = field.field("overlap").and_then(|overlap| overlap.word("`first`, `last` or `both`", &OVERLAPS, &[("twice", "both"), ("second", "last")]));
        }
        given
    }

    /// Gives a rule its limits: these, over what the deployment says, over none.
    pub fn over(self, deployment: &Given, node: &Node<'_>, spec: Spec) -> Spec {
        let starts = self.starts.as_ref().or(deployment.starts.as_ref());
        let ends = self.ends.as_ref().or(deployment.ends.as_ref());
        if let (Some((starts, first)), Some((ends, second))) = (starts, ends)
            && starts > ends
        {
            let problem = Problem::error("empty-range", "`ends` is before `starts`; expected a later date", second.clone());
            node.report.push(problem.related("the start stands at", first.clone()));
        }
        let default = spec.rule.resolution();
        let dst = Resolution {
            gap: self.gap.or(deployment.gap).unwrap_or(default.gap),
            overlap: self.overlap.or(deployment.overlap).unwrap_or(default.overlap),
        };
        if let Some(place) = self.dst.filter(|_| is_elapsed(&spec.rule)) {
            let problem = Problem::warning("no-effect", "`dst` has no effect on this interval", place);
            node.report.push(problem.help("only intervals of whole days follow the clock; all others count elapsed time"));
        }
        let list = |own: Option<Vec<Period>>, below: &Option<Vec<Period>>| own.or_else(|| below.clone()).unwrap_or_default();
        let (starts, ends) = (starts.map(|(at, _)| *at), ends.map(|(at, _)| *at));
        let limits = Limits { starts, ends, exclude: list(self.exclude, &deployment.exclude), include: list(self.include, &deployment.include) };
        Spec { dst: (dst != default).then_some(dst), limits: limits.normal(), ..spec }
    }
}

fn is_elapsed(rule: &RuleSpec) -> bool {
    matches!(rule, RuleSpec::Interval { every, .. } if every.whole_days().is_none())
}

fn bound(node: &Node<'_>, key: &str, parse: impl Fn(&str) -> Result<DateTime, Error>) -> Option<(DateTime, Place)> {
    let field = node.field(key)?;
    let Some(text) = field.value.as_str() else {
        field.expected("a date such as `2026-12-24`, or a date-time");
        return None;
    };
    match parse(text) {
        Ok(at) => Some((at, field.place(At::Value))),
        Err(error) => {
            field.report.push(refused(&field, "bad-date", &error));
            None
        }
    }
}

/// A span or the name of a calendar, or a list of them; lists in the list (as anchors make them) are laid flat.
fn periods(node: &Node<'_>, calendars: &Calendars) -> Vec<Period> {
    let mut periods = Vec::new();
    collect(node, calendars, &mut periods, 0);
    if periods.len() > MOST_PERIODS {
        let message = format!("{} has {} spans of time; expected at most {MOST_PERIODS}", node.name(), periods.len());
        node.report.push(node.error("out-of-range", message));
        periods.clear();
    }
    periods
}

fn collect(node: &Node<'_>, calendars: &Calendars, periods: &mut Vec<Period>, depth: usize) {
    match node.value {
        Value::Array(items) if depth < 8 => {
            for (index, item) in items.iter().enumerate() {
                collect(&node.item(index, item), calendars, periods, depth + 1);
            }
        }
        Value::String(text) => match calendars.get(text.trim()) {
            Some(calendar) => periods.extend_from_slice(calendar),
            None => periods.extend(span(node, text, Some(calendars)).map(|span| Period { span, name: None })),
        },
        _ => node.expected("a date, a range, a window of the week or the name of a calendar"),
    }
}

/// A span of time; what is none is reported. `calendars`: a name of one may stand there as well.
pub fn span(node: &Node<'_>, text: &str, calendars: Option<&Calendars>) -> Option<Span> {
    let error = match text.parse::<Span>() {
        Ok(span) => return Some(span),
        Err(error) => error,
    };
    match calendars.filter(|_| !text.contains("{{")) {
        Some(calendars) if is_like_a_name(text, calendars) => {
            let problem = node.error("unknown-calendar", format!("there is no calendar {}", shown(text)));
            let help = match words::closest(text, calendars.names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare it under `calendars:` at the top of the file".to_owned(),
            };
            node.report.push(problem.help(help));
        }
        _ => node.report.push(refused(node, "bad-span", &error)),
    }
    None
}

/// Whether a text that is no span was meant as the name of a calendar: it is nearly one, or nothing in it is like a span.
fn is_like_a_name(text: &str, calendars: &Calendars) -> bool {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let lower = text.trim().to_lowercase();
    let day = DAYS.iter().any(|day| lower.starts_with(day)) && !lower.contains('_');
    let name = lower.starts_with(char::is_alphabetic) && !lower.contains([',', ':', '/', ' ']);
    words::closest(text, calendars.names()).is_some() || name && !day
}
