//! Concurrency limits of tags: create, update, adopt, restore, prune. Nothing refers to one, so that nothing keeps it but the project's rules.
use super::diff::{Pair, pairs};
use super::plan::{Action, Drift};
use super::planner::{Claim, Deed, Difference, Planner, differ, drifted, each, restored, taken};
use super::{digest, fields, ignored, kept};
use crate::model::desired::Declared;
use crate::model::id::{Kind, TagLimitId};
use crate::model::stored::{ObjectName, Pruned};
use crate::model::tag_limit::{TagLimit, TagLimitSpec};
use crate::model::write::Write;
use serde_json::json;

const KIND: Kind = Kind::ConcurrencyLimit;

impl<'a> Planner<'a> {
    pub(super) fn tag_limits(&mut self) {
        let (desired, stored) = (self.desired, self.stored);
        for (tag, pair) in pairs(&desired.tag_limits, &stored.tag_limits) {
            match pair {
                Pair::Added(declared) => match self.pruned(&ObjectName::TagLimit(tag.clone())) {
                    Some(Pruned::TagLimit(old)) => self.write_limit(Action::Restore, declared, old),
                    _ => self.create_limit(tag, declared),
                },
                Pair::Both(declared, old) => self.keep_limit(declared, old),
                Pair::Removed(old) if self.is_ours(old.owner.as_ref()) => self.leave_limit(old),
                Pair::Removed(_) => {}
            }
        }
    }

    fn create_limit(&mut self, tag: &str, declared: &Declared<TagLimitSpec>) {
        let id = self.new_id(KIND, tag);
        let shown = fields::value(&declared.spec);
        let limit = TagLimit {
            id: TagLimitId(id),
            tag: tag.to_owned(),
            declared: declared.spec,
            owner: Some(self.owner(&declared.file)),
            overrides: Default::default(),
            declared_digest: Some(digest::of(&shown, &[])),
            created: self.now,
            updated: self.now,
        };
        let deed = Deed::new(Action::Create, KIND, tag.to_owned(), id, format!("new in {}", declared.file));
        let changes = fields::set(&json!({}), &shown);
        self.step(Deed { changes, writes: vec![Write::PutTagLimit(limit)], ..deed }, Some(&declared.file), Some(&declared.pointer));
    }

    fn keep_limit(&mut self, declared: &Declared<TagLimitSpec>, old: &TagLimit) {
        let action = match self.claim(old.owner.as_ref(), || adopted_as(&old.tag)) {
            Claim::Others(owner) => return self.refuse_owned(KIND, old.tag.clone(), owner, declared),
            Claim::Nobodys | Claim::Taken => Action::Adopt,
            Claim::Ours => Action::Update,
        };
        self.write_limit(action, declared, old);
    }

    /// A limit that is there, or was pruned, is as it is declared.
    fn write_limit(&mut self, action: Action, declared: &Declared<TagLimitSpec>, old: &TagLimit) {
        self.shadows(KIND, &old.tag, "", &old.overrides, (&declared.file, &declared.pointer), || fields::value(&declared.spec));
        let unchanged = |planner: &mut Self| planner.unchanged(KIND, || old.tag.clone(), old.id.0, declared);
        if action == Action::Update && declared.spec == old.declared {
            return unchanged(self);
        }
        let mut spec = ignored::settled(&self.desired.rules.ignore_fields, &old.declared, &declared.spec).unwrap_or(declared.spec);
        let digest = digest::of(&fields::value(&declared.spec), &[]);
        let drift = match self.difference(action, old.owner.as_ref(), old.declared_digest.as_deref(), &digest) {
            _ if action == Action::Update && spec == old.declared => return unchanged(self),
            Difference::Ignored => return unchanged(self),
            Difference::Drifted(drift) => Some(drift),
            Difference::Left => {
                spec = old.declared;
                None
            }
            Difference::Declared => None,
        };
        let mut changes = fields::changes(&fields::value(&old.declared), &fields::value(&spec));
        fields::shade(&mut changes, "", &old.overrides);
        let drift = drift.filter(|_| !changes.is_empty());
        let reason = match action {
            Action::Adopt => taken(old.owner.as_ref(), &declared.file),
            Action::Restore => restored(&declared.file),
            _ if drift.is_some() => drifted(&declared.file),
            _ => differ(&changes, &declared.file),
        };
        let owner = Some(self.owner(&declared.file));
        let new = TagLimit { declared: spec, owner, declared_digest: Some(digest), updated: self.now, ..old.clone() };
        let back = (action == Action::Restore).then(|| Write::DeleteTombstone(ObjectName::TagLimit(old.tag.clone())));
        let writes = if drift == Some(Drift::Report) { Vec::new() } else { back.into_iter().chain([Write::PutTagLimit(new)]).collect() };
        let deed = Deed::new(action, KIND, old.tag.clone(), old.id.0, reason);
        self.step(Deed { drift, changes, writes, ..deed }, Some(&declared.file), Some(&declared.pointer));
    }

    /// A limit of ours that is no longer declared.
    fn leave_limit(&mut self, old: &TagLimit) {
        if let Some(why) = kept::why(self.desired, false) {
            return self.keep(KIND, old.tag.clone(), old.owner.as_ref(), why);
        }
        self.prune(Pruned::TagLimit(Box::new(old.clone())), vec![Write::DeleteTagLimit(old.tag.clone())], each(&old.overrides));
    }
}

/// How a limit is named among what is to be taken over, beside pools and deployments.
fn adopted_as(tag: &str) -> String {
    format!("tag:{tag}")
}
