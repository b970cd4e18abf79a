//! Commands on concurrency limits of tags.
use super::overrides::Edit;
use super::{Commands, Edited};
use super::work_pools::refuse_owned;
use crate::clock;
use crate::control::{Author, ControlError, Made};
use crate::daemon::events;
use crate::model::event::Object;
use crate::model::id::{self, Kind, TagLimitId};
use crate::model::overrides::Overrides;
use crate::model::tag_limit::{TagLimit, TagLimitSpec, problem_of_tag};
use crate::model::write::Write;

impl Commands {
    /// Gives a tag a limit, or changes the one that it has: on what a project owns by an override.
    pub(super) async fn set_tag_limit_of(&self, tag: String, limit: u32, by: Author) -> Result<Made<TagLimit>, ControlError> {
        if let Some(problem) = problem_of_tag(&tag) {
            return Err(ControlError::Invalid(format!("a tag with a concurrency limit {problem}")));
        }
        let edited = self.edit_told(|| {
            let now = clock::now();
            let Some(mut found) = self.reader.tag_limit(&tag)? else {
                let id = id::of_new_object(self.reader.home(), Kind::ConcurrencyLimit, &tag, self.reader.revision()?);
                let new = TagLimit {
                    id: TagLimitId(id),
                    tag: tag.clone(),
                    declared: TagLimitSpec { concurrency_limit: limit },
                    owner: None,
                    overrides: Overrides::new(),
                    declared_digest: None,
                    created: now,
                    updated: now,
                };
                let event = Some(events::of_object("created", &object(&new), &format!("limited to {limit}"), &by));
                return Ok(Edited { writes: vec![Write::PutTagLimit(new.clone())], answer: Made::New(new), event });
            };
            let before = found.clone();
            let mut edit = Edit { owner: found.owner.as_ref(), overrides: &mut found.overrides, by: &by };
            edit.set("concurrency_limit", limit, &mut found.declared.concurrency_limit)?;
            if found == before {
                return Ok(Edited::nothing(Made::Existing(found)));
            }
            found.updated = now;
            let event = Some(events::of_change(&object(&found), (&before.effective(), &found.effective()), &by));
            Ok(Edited { writes: vec![Write::PutTagLimit(found.clone())], answer: Made::Existing(found), event })
        });
        edited.await
    }

    /// Takes a limit away: what waited for it goes on.
    pub(super) async fn delete_tag_limit_of(&self, tag: String, by: Author) -> Result<(), ControlError> {
        let edited = self.edit_told(|| {
            let absent = || ControlError::NotFound("Concurrency limit not found".to_owned());
            let limit = self.reader.tag_limit(&tag)?.ok_or_else(absent)?;
            refuse_owned("the concurrency limit of tag", &limit.tag, &limit.owner)?;
            let event = Some(events::of_object("deleted", &object(&limit), "deleted", &by));
            Ok(Edited { writes: vec![Write::DeleteTagLimit(limit.tag.clone())], answer: (), event })
        });
        edited.await
    }
}

/// A limit, as its events name it.
pub(in crate::daemon) fn object(limit: &TagLimit) -> Object<'_> {
    let project = limit.owner.as_ref().map(|owner| owner.project.as_str());
    Object { kind: Kind::ConcurrencyLimit, id: limit.id.0, name: limit.tag.clone(), project }
}
