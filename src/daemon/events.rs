//! What reeve and its operators do to projects and their objects, told twice: in the daemon's log and among the home's events.
//!
//! An event that tells of a change of definitions is written with that change. What nobody's objects are changed to is only told in
//! the log: events are read by project.
use super::reconciler::Pass;
use crate::clock;
use crate::control::Author;
use crate::model::event::{Event, Object, ProjectState};
use crate::model::position::Position;
use crate::model::secret::masked;
use crate::model::status::Began;
use crate::model::write::Write;
use crate::reconcile::explain::{self, Tense};
use crate::reconcile::{Action, Drift, Plan, Step, Unit};
use crate::store::ledger::{Ledger, LedgerError, Reader};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Of one plan at most this many objects have an event of their own, so that what happened before is not lost; all are counted.
const MOST_OF_A_PLAN: usize = 500;

/// A value that is longer than this as JSON stands shortened in an event.
const LONGEST_VALUE: usize = 300;

/// What somebody did to an object: `message` says what, and `author` who and why.
pub(super) fn of_object(what: &str, object: &Object<'_>, message: &str, author: &Author) -> Event {
    by(Event::of_object(Uuid::new_v4(), clock::now(), what, object, format!("{message} {author}")), author)
}

/// What happened to an object without anybody.
pub(super) fn of_its_own(what: &str, object: &Object<'_>, message: &str) -> Event {
    Event::of_object(Uuid::new_v4(), clock::now(), what, object, message)
}

/// What somebody changed of an object: what was effective `before` and is `after`.
pub(super) fn of_change<T: Serialize>(object: &Object<'_>, (before, after): (&T, &T), author: &Author) -> Event {
    let (words, changes) = differences(before, after);
    let words = if words.is_empty() { "changed".to_owned() } else { format!("{words}, changed") };
    of_object("changed", object, &words, author).with("changes", changes)
}

/// What somebody did to a project.
pub(super) fn of_project(what: &str, project: &str, message: &str, author: &Author) -> Event {
    by(Event::of_project(Uuid::new_v4(), clock::now(), what, project, format!("{message} {author}")), author)
}

fn by(event: Event, author: &Author) -> Event {
    event.with("who", &author.who).with("why", &author.why).with("until", author.until.at())
}

/// Says it in the daemon's log.
pub(super) fn tell(event: &Event) {
    let source = event.project().map_or_else(|| "reeve".to_owned(), |project| format!("project '{project}'"));
    match event.event.starts_with("reeve.project.") {
        true => tracing::info!(source, "{}", event.message()),
        false => tracing::info!(source, "{}: {}", event.subject(), event.message()),
    }
}

/// Has it recorded with the writes that it tells of.
pub(super) fn add(writes: &mut Vec<Write>, event: &Event) {
    if event.project().is_some() && !writes.is_empty() {
        writes.push(Write::AddEvent(Box::new(event.clone())));
    }
}

/// The fields in which two forms of an object differ, with their values: `paused: false -> true`, and the same for machines.
fn differences(before: &impl Serialize, after: &impl Serialize) -> (String, Vec<Value>) {
    let (before, after) = (json!(before), json!(after));
    let shown = |value: &Value| masked(false, value);
    let fields = after.as_object().into_iter().flatten().filter(|(field, value)| before.get(field) != Some(value));
    let changes = fields.map(|(field, new)| change(field, before.get(field).map(shown).as_ref(), Some(&shown(new))));
    let (words, changes): (Vec<String>, Vec<Value>) = changes.unzip();
    (words.join(", "), changes)
}

fn change(field: &str, old: Option<&Value>, new: Option<&Value>) -> (String, Value) {
    let (old, new) = (old.map(brief), new.map(brief));
    let word = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    (format!("{field}: {} -> {}", word(&old), word(&new)), json!({"field": field, "old": old, "new": new}))
}

/// Values may be of any size, and events are not.
fn brief(value: &Value) -> Value {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_VALUE) {
        None => value.clone(),
        Some((end, _)) => Value::String(format!("{}...", &text[..end])),
    }
}

/// Adds to a plan's units the events that tell of them: one for each object that had drifted or was taken over, one for all.
pub(super) fn attach(units: &mut [Unit], plan: &Plan, pass: &Pass) {
    let now = clock::now();
    let own = plan.steps.iter().filter(|step| step.drift != Some(Drift::Report)).filter_map(|step| Some((step.id, of_step(step, plan, now)?)));
    let mut events: BTreeMap<Uuid, Event> = own.take(MOST_OF_A_PLAN).collect();
    for unit in units.iter_mut() {
        if events.is_empty() {
            break;
        }
        let told: Vec<Write> = unit.writes.iter().filter_map(|write| events.remove(&written(write)?)).map(|event| Write::AddEvent(Box::new(event))).collect();
        unit.writes.extend(told);
    }
    let generation = units.iter().flat_map(|unit| &unit.writes).find_map(|write| match write {
        Write::PutProject(project) => Some(project.generation),
        _ => None,
    });
    let asked = pass.by.as_ref().map(|author| format!(", asked for {author}")).unwrap_or_default();
    let message = format!("{}{asked}", explain::summary(plan, Tense::Done));
    let event = Event::of_project(Uuid::new_v4(), now, ProjectState::Applied.word(), &plan.project, message);
    let event = event.with("generation", generation).with("counts", plan.counts).with("who", pass.by.as_ref().map(|author| &author.who));
    if let Some(last) = units.last_mut() {
        last.writes.push(Write::AddEvent(Box::new(event)));
    }
}

fn of_step(step: &Step, plan: &Plan, now: Timestamp) -> Option<Event> {
    let (what, done) = match (step.drift, step.action) {
        (Some(Drift::Correct), _) => ("drift-corrected", "corrected"),
        (Some(Drift::Report), _) => (DRIFT_REPORTED, "differs from what was declared, and is left so"),
        (None, Action::Adopt) => ("adopted", "taken over"),
        _ => return None,
    };
    let changes = step.changes.iter().map(|found| change(&found.field, found.old.as_ref(), found.new.as_ref()));
    let (words, changes): (Vec<String>, Vec<Value>) = changes.unzip();
    let message = match words.as_slice() {
        [] => format!("{done}: {}", step.reason),
        words => format!("{done}: {}", words.join(", ")),
    };
    let object = Object { kind: step.kind, id: step.id, name: step.name.clone(), project: Some(&plan.project) };
    let event = Event::of_object(Uuid::new_v4(), now, what, &object, message).with("reason", &step.reason);
    Some(event.with("file", &step.file).with("changes", changes))
}

const DRIFT_REPORTED: &str = "drift-reported";

/// What of a plan's reported drift is news: an event for each object that did not differ so when it was last looked at. `known`: what
/// each object's last report said; before the first look of a daemon the events tell that.
pub(super) fn new_drift(reader: &Reader, plan: &Plan, known: &mut Option<BTreeMap<Uuid, String>>) -> Vec<Event> {
    let now = clock::now();
    let drifted = plan.steps.iter().filter(|step| step.drift == Some(Drift::Report)).take(MOST_OF_A_PLAN);
    let found: Vec<(Uuid, Event)> = drifted.filter_map(|step| Some((step.id, of_step(step, plan, now)?))).collect();
    let said = found.iter().map(|(id, event)| (*id, event.message().to_owned())).collect();
    let before = known.replace(said);
    let is_known = |id: &Uuid, event: &Event| match &before {
        Some(before) => before.get(id).is_some_and(|said| said == event.message()),
        None => reported(reader, event),
    };
    found.into_iter().filter(|(id, event)| !is_known(id, event)).map(|(_, event)| event).collect()
}

/// Whether the last event of the object's drift says the same.
fn reported(reader: &Reader, event: &Event) -> bool {
    let last = reader.events().map_while(Result::ok).find(|last| last.resource == event.resource && last.event.contains(".drift-"));
    last.is_some_and(|last| last.event == event.event && last.message() == event.message())
}

/// The object that a write makes or changes.
fn written(write: &Write) -> Option<Uuid> {
    match write {
        Write::PutDeployment(deployment) => Some(deployment.id.0),
        Write::PutWorkPool(pool) => Some(pool.id.0),
        Write::PutWorkQueue(queue) => Some(queue.id.0),
        Write::PutTagLimit(limit) => Some(limit.id.0),
        _ => None,
    }
}

/// Records how a project stands, where that is news: not what its last event says already, and not that all is well where nothing
/// was otherwise. So a daemon that starts anew and finds everything as it was writes nothing.
pub(super) async fn record_state(ledger: &Ledger, project: &str, state: ProjectState, message: &str, place: Option<&Position>) -> Result<(), LedgerError> {
    let last = states(ledger, project).next().transpose()?;
    let is_known = match (&last, state.is_synced()) {
        (None, true) => true,
        (Some((last, _, _)), true) => last.is_synced(),
        (Some((last, _, said)), false) => *last == state && said == message,
        (None, false) => false,
    };
    if is_known {
        return Ok(());
    }
    let event = Event::of_project(Uuid::new_v4(), clock::now(), state.word(), project, message).with("place", place.map(ToString::to_string));
    ledger.record(&[event]).await
}

/// Since when a project has been in sync or not, and failing or not, as far as its events tell.
pub(super) fn since(reader: &Reader, project: &str, synced: bool, failing: bool) -> Began {
    let begun = |is: &dyn Fn(ProjectState) -> bool| {
        let alike = states(reader, project).map_while(Result::ok).take_while(|(state, _, _)| is(*state));
        alike.last().map(|(_, occurred, _)| occurred)
    };
    Began { synced: begun(&|state| state.is_synced() == synced), failing: begun(&|state| state.is_failing() == failing) }
}

/// How a project stood, newest first, with when that began and what was said.
fn states<'a>(reader: &'a Reader, project: &'a str) -> impl Iterator<Item = Result<(ProjectState, Timestamp, String), LedgerError>> + 'a {
    reader.events_of(project).filter_map(|event| match event {
        Ok(event) => event.project_state().map(|state| Ok((state, event.occurred, event.message().to_owned()))),
        Err(error) => Some(Err(error)),
    })
}
