//! Commands on concurrency limits of tags.
use super::Commands;
use super::overrides::Edit;
use super::work_pools::refuse_owned;
use crate::clock;
use crate::control::{Author, ControlError, Made};
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
        let edited = self.writer()?.edit(|| {
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
                return Ok((vec![Write::PutTagLimit(new.clone())], Made::New(new)));
            };
            let before = found.clone();
            let mut edit = Edit { owner: found.owner.as_ref(), overrides: &mut found.overrides, by: &by };
            edit.set("concurrency_limit", limit, &mut found.declared.concurrency_limit)?;
            if found == before {
                return Ok((Vec::new(), Made::Existing(found)));
            }
            found.updated = now;
            Ok((vec![Write::PutTagLimit(found.clone())], Made::Existing(found)))
        });
        edited.await
    }

    /// Takes a limit away: what waited for it goes on.
    pub(super) async fn delete_tag_limit_of(&self, tag: String) -> Result<(), ControlError> {
        let edited = self.writer()?.edit(|| {
            let absent = || ControlError::NotFound("Concurrency limit not found".to_owned());
            let limit = self.reader.tag_limit(&tag)?.ok_or_else(absent)?;
            refuse_owned("the concurrency limit of tag", &limit.tag, &limit.owner)?;
            Ok((vec![Write::DeleteTagLimit(limit.tag)], ()))
        });
        edited.await
    }
}
