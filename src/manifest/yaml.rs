//! YAML text to one plain value, by serde_yaml's parser straight into JSON's model.
//!
//! Done while the value is built: merge keys (`<<`), duplicate keys (the last one counts, as in Prefect, and a
//! problem says so), keys that are no text, custom tags, and a budget that stops alias bombs early. Positions
//! are not known here; `locate` finds them for what goes wrong.
use super::refuse;
use super::locate::{Found, Locator};
use super::report::{Exact, Place, Problem, Report, shown};
use crate::model::JsonMap;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_json::{Number, Value};
use std::cell::Cell;
use std::fmt;

/// What was seen that a plain value cannot show. The places are found from the text, only when one is set.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Notes {
    /// A key stands twice in one mapping.
    pub duplicate_keys: bool,
    /// A mapping or list is used as a key: nearly always `{{ x }}` without quotes.
    pub compound_keys: bool,
    /// A tag such as `!secret`, which was dropped.
    pub custom_tags: bool,
    /// `.inf` or `.nan`, kept as text.
    pub not_finite: bool,
    /// `<<` with something else than mappings.
    pub bad_merges: bool,
}

/// Bytes that a text may expand to through aliases, beyond what it could hold by itself.
const EXPANSION: usize = 16 * 1024 * 1024;
/// What one value costs in memory, about.
const VALUE_COST: usize = 72;

/// Parses one document.
///
/// # Errors
/// The one problem that the parser stopped at, with its place.
pub fn parse(file: &str, text: &str) -> Result<(Value, Notes), Problem> {
    let state = State { notes: Cell::default(), budget: Cell::new(text.len().saturating_mul(VALUE_COST) + EXPANSION), exhausted: Cell::new(false) };
    let value = Reader { state: &state }.deserialize(serde_yaml::Deserializer::from_str(text));
    value.map(|value| (value, state.notes.get())).map_err(|error| problem(file, text, &error, state.exhausted.get()))
}

struct State {
    notes: Cell<Notes>,
    budget: Cell<usize>,
    exhausted: Cell<bool>,
}

impl State {
    fn note(&self, set: impl FnOnce(&mut Notes)) {
        let mut notes = self.notes.get();
        set(&mut notes);
        self.notes.set(notes);
    }

    fn spend<E: de::Error>(&self, bytes: usize) -> Result<(), E> {
        match self.budget.get().checked_sub(VALUE_COST + bytes) {
            Some(left) => {
                self.budget.set(left);
                Ok(())
            }
            None => {
                self.exhausted.set(true);
                Err(E::custom("aliases expand too far"))
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'s> {
    state: &'s State,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.state.spend(0).map(|()| Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.state.spend(0).map(|()| value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.state.spend(0).map(|()| value.into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.state.spend(0)?;
        Ok(Number::from_f64(value).map_or_else(
            || {
                self.state.note(|notes| notes.not_finite = true);
                let text = if value.is_nan() { ".nan" } else if value > 0.0 { ".inf" } else { "-.inf" };
                Value::String(text.into())
            },
            Value::Number,
        ))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.state.spend(value.len()).map(|()| Value::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        self.state.spend(value.len()).map(|()| Value::String(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.state.spend(0).map(|()| Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.state.spend(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.state.spend(0)?;
        let mut map = JsonMap::new();
        let mut merged = None;
        while let Some(key) = entries.next_key_seed(self)? {
            let key = self.key(key);
            let value = entries.next_value_seed(self)?;
            if key == "<<" {
                merged = Some(value);
            } else if map.insert(key, value).is_some() {
                self.state.note(|notes| notes.duplicate_keys = true);
            }
        }
        if let Some(merged) = merged {
            self.merge(&mut map, merged);
        }
        Ok(Value::Object(map))
    }

    /// A value with a tag of its own, `!secret x`: the value counts.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (_tag, value) = data.variant::<String>()?;
        self.state.note(|notes| notes.custom_tags = true);
        value.newtype_variant_seed(self)
    }
}

impl Reader<'_> {
    /// Keys are texts; other scalars count as they are written.
    fn key(self, key: Value) -> String {
        match key {
            Value::String(text) => text,
            Value::Null => "null".to_owned(),
            Value::Array(_) | Value::Object(_) => {
                self.state.note(|notes| notes.compound_keys = true);
                key.to_string()
            }
            scalar => scalar.to_string(),
        }
    }

    /// YAML 1.1's merge: what the mapping says itself counts, then the earlier of several merged ones.
    fn merge(self, map: &mut JsonMap, merged: Value) {
        let sources = match merged {
            Value::Array(sources) => sources,
            one => vec![one],
        };
        for source in sources {
            let Value::Object(source) = source else {
                self.state.note(|notes| notes.bad_merges = true);
                continue;
            };
            for (key, value) in source {
                map.entry(key).or_insert(value);
            }
        }
    }
}

/// The parser's error in words for the person who wrote the file.
fn problem(file: &str, text: &str, error: &serde_yaml::Error, exhausted: bool) -> Problem {
    let message = error.to_string();
    let (mut line, mut column) = error.location().map_or((1, 1), |at| (at.line().max(1), at.column().max(1)));
    let line_of = |line: usize| text.split('\n').nth(line - 1).unwrap_or("").trim_end_matches('\r');
    if line_of(line).trim().is_empty()
        && let Some(begun) = begun_at(&message)
    {
        (line, column) = begun;
    }
    // At the end of the text the parser names a line that is not there: show the last one that is.
    let last = text.trim_end().split('\n').count();
    if line > last {
        (line, column) = (last, usize::MAX);
    }
    let found = line_of(line);
    let (line, column) = (line as u32, column.min(found.trim_end().chars().count() + 1) as u32);
    if exhausted || message.contains("repetition limit") {
        let whole = "aliases expand to far more than the file holds";
        return Problem::of_file(file, "alias-bomb", whole.into(), "write repeated parts out, or use fewer levels of aliases");
    }
    if message.contains("recursion limit") {
        return refuse::too_deep(file, line, column, found);
    }
    let (said, help) = in_words(&message, found, column);
    let problem = Problem::exact(Exact::new(file, line, column, found, 1), "not-yaml", said);
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// Where what the parser was reading began: `..., while scanning a quoted scalar at line 2 column 9`.
fn begun_at(message: &str) -> Option<(usize, usize)> {
    let (_, context) = message.split_once(", while ")?;
    let (line, column) = context.split_once(" at line ")?.1.split_once(" column ")?;
    Some((line.parse().ok()?, column.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?))
}

/// What the parser said, without its own position, and what is probably the matter.
fn in_words(message: &str, line: &str, column: u32) -> (String, Option<&'static str>) {
    let said = message.split(" at line ").next().unwrap_or(message).trim_end_matches(',').to_owned();
    let said = match said.split_once(": ") {
        Some((path, rest)) if !path.contains(' ') => rest.to_owned(),
        _ => said,
    };
    let rest: String = line.chars().skip(column.saturating_sub(1) as usize).collect();
    let help = if said.contains("unexpected end of stream") {
        Some("a quote or bracket that is opened here is never closed")
    } else if line.trim_start_matches(' ').starts_with('\t') || rest.starts_with('\t') {
        Some("YAML is indented with spaces, never with tabs")
    } else if line.contains("{{") && !line.contains("\"{{") && !line.contains("'{{") {
        Some("put a value that begins with `{{` in quotes: \"{{ name }}\"")
    } else if said.contains("mapping values are not allowed") {
        Some("a text with `: ` in it must be in quotes; or a line before is indented differently")
    } else if said.contains("unknown anchor") {
        Some("`*name` refers to an `&name` that must stand before it")
    } else if said.contains("did not find expected") || said.contains("could not find expected") {
        Some("look at the indentation, and at quotes or brackets that are not closed, on this line and before it")
    } else if rest.starts_with(['@', '`', '%']) {
        Some("a text that begins with this character must be in quotes")
    } else {
        None
    };
    (format!("this is not YAML: {said}"), help)
}

/// Reports what was noted, with the places found in the text.
pub fn report_notes(file: &str, text: &str, notes: Notes, report: &Report<'_>) {
    let locator = Locator::new(text);
    let exact = |found: Found| Place::Exact(Exact::new(file, found.line, found.column, found.text, found.length));
    if notes.duplicate_keys {
        for (key, found, first) in locator.duplicate_keys() {
            let message = format!("the key {} stands twice in this mapping", shown(&key));
            let help = format!("the last one counts; the first stands in line {first}");
            report.push_strict(Problem::warning("duplicate-key", message, exact(found)).help(help));
        }
    }
    if notes.compound_keys {
        for place in or_file(locator.compound_keys().into_iter().map(exact).collect(), file) {
            let problem = Problem::error("unquoted-braces", "a mapping is used as a key here; expected a text", place);
            report.push(problem.help("put a value that begins with `{{` in quotes: \"{{ name }}\""));
        }
    }
    if notes.custom_tags {
        for (tag, found) in locator.tags() {
            let message = format!("the tag {} is not understood", shown(&tag));
            report.push_strict(Problem::warning("unknown-tag", message, exact(found)).help("the value counts without it"));
        }
    }
    if notes.not_finite {
        for found in locator.not_finite() {
            report.push(Problem::warning("not-finite", "this number is kept as a text: JSON has no infinity and no NaN", exact(found)));
        }
    }
    if notes.bad_merges {
        for place in or_file(locator.bad_merges().into_iter().map(exact).collect(), file) {
            report.push(Problem::error("bad-merge", "a merge key takes a mapping, or a list of mappings", place));
        }
    }
}

/// An error must be reported even where its place cannot be found.
fn or_file(places: Vec<Place>, file: &str) -> Vec<Place> {
    if places.is_empty() { vec![Place::File(file.to_owned())] } else { places }
}
