//! What was done to a project or one of its objects, by reeve on its own or by somebody: a record in the shape of Prefect's events.
use super::JsonMap;
use super::id::Kind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many events a home keeps; the oldest give way.
pub const MOST_KEPT: u64 = 1_000;

const ID: &str = "prefect.resource.id";
const NAME: &str = "prefect.resource.name";
const ROLE: &str = "prefect.resource.role";

/// What names a resource, as Prefect labels it: its id, its name, its role.
pub type Labels = BTreeMap<String, String>;

/// One event. Events are never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: Uuid,
    pub occurred: Timestamp,
    /// What happened to what: `reeve.deployment.drift-corrected`.
    pub event: String,
    pub resource: Labels,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Labels>,
    /// At least `message`: what happened, for people.
    #[serde(default)]
    pub payload: JsonMap,
}

/// What can be told of a project as a whole. The last of them says how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectState {
    /// A plan was carried out.
    Applied,
    /// Its files were found equal to what is stored, after something stood against that.
    InSync,
    /// Its files are wrong.
    Rejected,
    /// A guard refused the plan.
    Refused,
    /// Something outside the files failed.
    Failing,
    Suspended,
    Resumed,
}

impl ProjectState {
    const ALL: [(ProjectState, &str); 7] = [
        (ProjectState::Applied, "applied"),
        (ProjectState::InSync, "in-sync"),
        (ProjectState::Rejected, "rejected"),
        (ProjectState::Refused, "refused"),
        (ProjectState::Failing, "failing"),
        (ProjectState::Suspended, "suspended"),
        (ProjectState::Resumed, "resumed"),
    ];

    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    /// What is stored is what the files say.
    pub fn is_synced(self) -> bool {
        matches!(self, ProjectState::Applied | ProjectState::InSync)
    }

    /// The files are wrong, or cannot be read, or the store cannot be written.
    pub fn is_failing(self) -> bool {
        matches!(self, ProjectState::Rejected | ProjectState::Failing)
    }
}

impl Event {
    /// Something that happened to an object; `project`: whose it is, or was.
    pub fn of_object(id: Uuid, occurred: Timestamp, what: &str, object: &Object<'_>, message: impl Into<String>) -> Self {
        let word = object.kind.words().replace(' ', "-");
        let labels = [(ID, format!("prefect.{word}.{}", object.id)), (NAME, object.name.clone())];
        let related = object.project.map(|project| {
            let mut labels = of_project(project);
            labels.insert(ROLE.to_owned(), "project".to_owned());
            labels
        });
        Event {
            id,
            occurred,
            event: format!("reeve.{word}.{what}"),
            resource: labels.map(|(label, value)| (label.to_owned(), value)).into(),
            related: related.into_iter().collect(),
            payload: JsonMap::new(),
        }
        .with("message", message.into())
    }

    /// Something that happened to a project.
    pub fn of_project(id: Uuid, occurred: Timestamp, what: &str, project: &str, message: impl Into<String>) -> Self {
        let event = format!("reeve.project.{what}");
        Event { id, occurred, event, resource: of_project(project), related: Vec::new(), payload: JsonMap::new() }.with("message", message.into())
    }

    /// The same with one more entry of its payload; `null` says nothing.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = json!(value);
        if value != Value::Null {
            self.payload.insert(name.to_owned(), value);
        }
        self
    }

    /// The project that it happened to, or to whose object.
    pub fn project(&self) -> Option<&str> {
        let labels = std::iter::once(&self.resource).chain(&self.related);
        labels.filter_map(|labels| labels.get(ID)).find_map(|id| id.strip_prefix("reeve.project."))
    }

    /// How the project stands since, where it says that.
    pub fn project_state(&self) -> Option<ProjectState> {
        let word = self.event.strip_prefix("reeve.project.")?;
        ProjectState::ALL.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }

    /// What it happened to, for people: `deployment 'etl/nightly'`, `project 'etl'`.
    pub fn subject(&self) -> String {
        let kind = self.event.split('.').nth(1).unwrap_or_default().replace('-', " ");
        format!("{kind} '{}'", self.resource.get(NAME).map_or("", String::as_str))
    }

    /// What happened, for people.
    pub fn message(&self) -> &str {
        self.payload.get("message").and_then(Value::as_str).unwrap_or_default()
    }
}

/// An object that something happened to.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    pub kind: Kind,
    pub id: Uuid,
    pub name: String,
    pub project: Option<&'a str>,
}

fn of_project(name: &str) -> Labels {
    [(ID, format!("reeve.project.{name}")), (NAME, name.to_owned())].map(|(label, value)| (label.to_owned(), value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_shape_of_prefects() {
        let object = Object { kind: Kind::WorkPool, id: Uuid::from_u128(7), name: "gpu".to_owned(), project: Some("etl") };
        let event = Event::of_object(Uuid::nil(), Timestamp::UNIX_EPOCH, "paused", &object, "paused by alice").with("why", Some("move")).with("until", None::<String>);
        let expected = json!({
            "id": "00000000-0000-0000-0000-000000000000",
            "occurred": "1970-01-01T00:00:00Z",
            "event": "reeve.work-pool.paused",
            "resource": {"prefect.resource.id": "prefect.work-pool.00000000-0000-0000-0000-000000000007", "prefect.resource.name": "gpu"},
            "related": [{"prefect.resource.id": "reeve.project.etl", "prefect.resource.name": "etl", "prefect.resource.role": "project"}],
            "payload": {"message": "paused by alice", "why": "move"},
        });
        assert_eq!(json!(event), expected);
        assert_eq!((event.project(), event.project_state(), event.subject().as_str()), (Some("etl"), None, "work pool 'gpu'"));
    }

    #[test]
    fn a_projects_last_state_is_told_by_its_events() {
        for (state, word) in ProjectState::ALL {
            let event = Event::of_project(Uuid::nil(), Timestamp::UNIX_EPOCH, word, "etl", "");
            assert_eq!((event.project(), event.project_state(), event.subject().as_str()), (Some("etl"), Some(state), "project 'etl'"));
            assert_eq!(state.word(), word);
        }
        assert_eq!(Event::of_project(Uuid::nil(), Timestamp::UNIX_EPOCH, "deleted", "etl", "").project_state(), None);
    }
}
