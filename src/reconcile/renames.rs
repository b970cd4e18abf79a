//! Which deployment goes on under which new name: its id, runs, overrides and schedules stay, whatever it is called.
use super::Options;
use crate::model::deployment::{Deployment, FullName};
use crate::model::desired::Desired;
use crate::model::stored::{ObjectName, Pruned, Stored, TOMBSTONE_DAYS};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The declared deployments that are not there, and were under an earlier name.
pub(super) struct Renames<'a> {
    origins: BTreeMap<&'a FullName, Origin<'a>>,
    /// The earlier names, and whether what bears one goes on under the new one.
    earlier: BTreeMap<&'a FullName, bool>,
}

/// What stands behind a new name.
#[derive(Clone)]
pub(super) enum Origin<'a> {
    /// It goes on under the new name.
    Stored(&'a Deployment),
    /// It was pruned, and comes back under the new name.
    Pruned(&'a Deployment),
    /// It is another project's.
    Others(&'a Deployment),
    /// Several could go on.
    Several(Vec<&'a FullName>),
    /// Something could not be read, and may still declare the earlier name: neither of the two is touched.
    Blocked(&'a FullName),
}

impl<'a> Renames<'a> {
    pub fn of(desired: &'a Desired, stored: &'a Stored, now: Timestamp, options: &Options) -> Self {
        let mut renames = Renames { origins: BTreeMap::new(), earlier: BTreeMap::new() };
        for (name, earlier) in &desired.renames {
            // Once both are there the rename is done, or it never was one: each has its own history.
            if stored.deployments.contains_key(name) || !desired.deployments.contains_key(name) {
                continue;
            }
            if let Some(origin) = renames.origin(name, earlier, (desired, stored, now, options)) {
                renames.origins.insert(name, origin);
            }
        }
        renames
    }

    fn origin(
        &mut self,
        name: &FullName,
        earlier: &'a [FullName],
        (desired, stored, now, options): (&'a Desired, &'a Stored, Timestamp, &Options),
    ) -> Option<Origin<'a>> {
        let there = earlier.iter().filter(|earlier| !desired.deployments.contains_key(*earlier));
        let there = there.filter_map(|earlier| stored.deployments.get_key_value(earlier)).filter(|(name, _)| !self.earlier.contains_key(name));
        let (free, others): (Vec<_>, Vec<_>) = there.partition(|(name, deployment)| {
            let owner = deployment.owner.as_ref();
            owner.is_none_or(|owner| owner.project == desired.project) || options.adopt.contains(&name.to_string())
        });
        let goes_on = free.len() == 1 && desired.failed.is_empty();
        self.earlier.extend(free.iter().map(|(name, _)| (*name, goes_on)));
        match free[..] {
            [(name, _), ..] if !desired.failed.is_empty() => Some(Origin::Blocked(name)),
            [(_, deployment)] => Some(Origin::Stored(deployment)),
            [_, ..] => Some(Origin::Several(free.iter().map(|(name, _)| *name).collect())),
            [] if !others.is_empty() => others.first().map(|(_, deployment)| Origin::Others(deployment)),
            [] if pruned_deployment(desired, stored, now, name).is_some() => None,
            [] => earlier.iter().find_map(|earlier| pruned_deployment(desired, stored, now, earlier)).map(Origin::Pruned),
        }
    }

    /// What a declared deployment that is not there was.
    pub fn origin_of(&self, name: &FullName) -> Option<Origin<'a>> {
        self.origins.get(name).cloned()
    }

    /// Whether a stored deployment that is no longer declared is spoken of under its new name.
    pub fn is_earlier(&self, name: &FullName) -> bool {
        self.earlier.contains_key(name)
    }

    /// Whether the deployment goes on under a new name.
    pub fn goes_on(&self, name: &FullName) -> bool {
        self.earlier.get(name) == Some(&true)
    }
}

/// What the project pruned under the name, as long as it can be restored.
pub(super) fn pruned<'a>(desired: &Desired, stored: &'a Stored, now: Timestamp, name: &ObjectName) -> Option<&'a Pruned> {
    let tombstone = stored.tombstones.get(name)?;
    let kept = now.duration_since(tombstone.pruned) < SignedDuration::from_hours(24 * TOMBSTONE_DAYS);
    (kept && tombstone.project == desired.project).then_some(&tombstone.object)
}

/// The same for a deployment.
pub(super) fn pruned_deployment<'a>(desired: &Desired, stored: &'a Stored, now: Timestamp, name: &FullName) -> Option<&'a Deployment> {
    match pruned(desired, stored, now, &ObjectName::Deployment(name.clone()))? {
        Pruned::Deployment(deployment) => Some(deployment),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::HomeId;

    #[test]
    fn what_is_not_declared_itself_is_no_rename() {
        let mut desired = Desired::default();
        desired.renames.insert(FullName::new("f", "new"), vec![FullName::new("f", "old")]);
        let stored = Stored::empty(HomeId(uuid::Uuid::nil()));
        let renames = Renames::of(&desired, &stored, Timestamp::UNIX_EPOCH, &Options::default());
        assert!(renames.origin_of(&FullName::new("f", "new")).is_none());
    }
}
