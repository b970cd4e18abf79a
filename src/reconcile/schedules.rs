//! The schedules of one deployment, element by element: which record goes on, which is new, which is gone.
//!
//! A record's key names its slots for ever (G2), so that what goes on keeps key and id however its file is edited.
//! Which declaration goes on with which record is decided by what was declared, not by the key: a key says only
//! how the schedule began.
use super::plan::{FieldChange, Made};
use super::{fields, shape};
use crate::dispatch::due::resumed_since;
use crate::model::deployment::FullName;
use crate::model::id::{self, HomeId, Kind, ScheduleId};
use crate::model::schedule::{Schedule, ScheduleDeclaration};
use crate::schedule::{Limits, Spec};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the new records depend on besides the declarations.
pub(super) struct Context<'a> {
    pub home: HomeId,
    pub base_revision: u64,
    pub now: Timestamp,
    pub deployment: &'a FullName,
    /// Whether the deployment held its schedules back before, and whether it does after.
    pub held_before: bool,
    pub held_after: bool,
}

/// A deployment's schedules after the plan, and what changed.
pub(super) struct Outcome {
    pub schedules: Vec<Schedule>,
    pub changes: Vec<FieldChange>,
    pub made: Vec<Made>,
    /// Which of `schedules` are new or have another rule, by index.
    pub fresh: Vec<usize>,
}

/// Whether the declarations mean what the records mean. A rule's spelling and the order of the list mean nothing.
pub(super) fn same(old: &[Schedule], new: &[ScheduleDeclaration]) -> bool {
    if old.len() != new.len() {
        return false;
    }
    if old.iter().zip(new).all(|(old, new)| alike(&old.declared, new)) {
        return true;
    }
    pair_up(old, new).iter().zip(new).all(|(found, new)| found.is_some_and(|index| alike(&old[index].declared, new)))
}

/// Decides the records. `old` is empty for a new deployment.
pub(super) fn reconcile(context: &Context<'_>, old: &[Schedule], new: &[ScheduleDeclaration]) -> Outcome {
    let found = pair_up(old, new);
    let mut keys: BTreeSet<String> = found.iter().flatten().map(|index| old[*index].key.clone()).collect();
    let mut outcome =
        Outcome { schedules: Vec::with_capacity(new.len()), changes: Vec::new(), made: Vec::new(), fresh: Vec::new() };
    for (declared, found) in new.iter().zip(&found) {
        match found {
            Some(index) => outcome.go_on(context, &old[*index], declared),
            None => outcome.begin(context, declared, &mut keys),
        }
    }
    let gone = (0..old.len()).filter(|index| !found.contains(&Some(*index)));
    for schedule in gone.map(|index| &old[index]) {
        let mut change = fields::change(format!("schedules/{}", schedule.key), Some(&shape::of(&schedule.declared)), None);
        change.in_words = Some(schedule.declared.spec.describe());
        outcome.changes.push(change);
    }
    outcome
}

/// The records that go on, each with its declaration and the index of that.
pub(super) fn going_on<'a>(
    old: &'a [Schedule],
    new: &'a [ScheduleDeclaration],
) -> impl Iterator<Item = (usize, &'a Schedule, &'a ScheduleDeclaration)> {
    pair_up(old, new).into_iter().zip(new).enumerate().filter_map(|(index, (found, new))| Some((index, &old[found?], new)))
}

impl Outcome {
    fn begin(&mut self, context: &Context<'_>, declared: &ScheduleDeclaration, keys: &mut BTreeSet<String>) {
        let key = unique(declared.natural_key(), keys);
        let name = format!("{}#{key}", context.deployment);
        let id = id::of_new_object(context.home, Kind::Schedule, &name, context.base_revision);
        let mut change = fields::change(format!("schedules/{key}"), None, Some(&shape::of(declared)));
        change.in_words = Some(declared.spec.describe());
        self.changes.push(change);
        self.made.push(Made { kind: Kind::Schedule, name, id });
        self.fresh.push(self.schedules.len());
        self.schedules.push(Schedule {
            id: ScheduleId(id),
            key,
            declared: declared.clone(),
            effective_since: context.now,
            overrides: Default::default(),
            created: context.now,
            updated: context.now,
        });
    }

    /// A record that goes on. Its slots begin anew when its rule moves them, and when it begins to fire again:
    /// what was due while it was off must not be made up for. Else no slot moves, and none is lost or doubled.
    fn go_on(&mut self, context: &Context<'_>, old: &Schedule, declared: &ScheduleDeclaration) {
        let unchanged = alike(&old.declared, declared);
        let mut new = Schedule { declared: declared.clone(), ..old.clone() };
        let fired = old.active() && !context.held_before;
        let fires = new.active() && !context.held_after;
        let moved = !same_rule(&old.declared.spec, &declared.spec);
        if moved {
            new.effective_since = context.now;
        } else if fires && !fired {
            new.effective_since = resumed_since(&new, context.now);
        }
        if moved {
            self.fresh.push(self.schedules.len());
        }
        if unchanged {
            // Another spelling of the same: the record stays as it is.
            new.declared = old.declared.clone();
        } else {
            self.changes.extend(differences(old, declared, moved));
        }
        if new != *old {
            new.updated = context.now;
        }
        self.schedules.push(new);
    }
}

fn differences(old: &Schedule, new: &ScheduleDeclaration, moved: bool) -> Vec<FieldChange> {
    let prefix = format!("schedules/{}/", old.key);
    let (mut before, after) = (shape::of(&old.declared), shape::of(new));
    if !moved {
        shape::restate_rule(&mut before, &after);
    }
    let mut changes = fields::changes(&before, &after);
    changes.extend(shape::calendar_changes(&old.declared.spec.limits, &new.spec.limits));
    changes.iter_mut().for_each(|change| change.field.insert_str(0, &prefix));
    fields::shade(&mut changes, &prefix, &old.overrides);
    if moved && let Some(first) = changes.first_mut() {
        first.in_words = Some(new.spec.describe());
    }
    changes
}

/// For each declaration the record that it goes on with. Tried in this order, each only among what is left over:
/// the same in all that is declared; the same slug; the same rule and parameters, without a slug and then whatever
/// the slugs (a slug was given, taken away or renamed); the same but for its limits, without a slug; last, where
/// as many without slugs are left on either side, they are changes, in their order.
pub(super) fn pair_up(old: &[Schedule], new: &[ScheduleDeclaration]) -> Vec<Option<usize>> {
    if old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.declared == *new) {
        return (0..new.len()).map(Some).collect();
    }
    let old: Vec<Face<'_>> = old.iter().map(|schedule| Face::of(&schedule.declared)).collect();
    let new: Vec<Face<'_>> = new.iter().map(Face::of).collect();
    let mut pairs = Pairs { of_new: vec![None; new.len()], taken: vec![false; old.len()] };
    pairs.by(&old, &new, |face| Some((face.slug, &face.rule, face.active, face.most, &face.policy)));
    pairs.by(&old, &new, |face| face.slug);
    pairs.by(&old, &new, |face| face.slug.is_none().then_some(&face.rule));
    pairs.by(&old, &new, |face| Some(&face.rule));
    pairs.by(&old, &new, |face| face.slug.is_none().then_some(&face.unlimited));
    let gone: Vec<usize> = (0..old.len()).filter(|index| !pairs.taken[*index] && old[*index].slug.is_none()).collect();
    let added: Vec<usize> = (0..new.len()).filter(|index| pairs.of_new[*index].is_none() && new[*index].slug.is_none()).collect();
    if gone.len() == added.len() {
        added.into_iter().zip(gone).for_each(|(added, gone)| pairs.of_new[added] = Some(gone));
    }
    pairs.of_new
}

/// What of a declaration tells it from its siblings.
struct Face<'a> {
    slug: Option<&'a str>,
    /// Stands for rule and parameters, in normal form.
    rule: String,
    /// The same without its limits.
    unlimited: String,
    active: bool,
    most: Option<u32>,
    policy: String,
}

impl<'a> Face<'a> {
    fn of(declared: &'a ScheduleDeclaration) -> Self {
        let nameless = ScheduleDeclaration { slug: None, ..declared.clone() };
        let rule = nameless.natural_key();
        let spec = &declared.spec;
        let unlimited = match spec.limits.is_none() && spec.dst.is_none() {
            true => rule.clone(),
            false => {
                let spec = Spec { dst: None, limits: Limits::default(), ..spec.clone() };
                ScheduleDeclaration { spec, ..nameless }.natural_key()
            }
        };
        Face {
            slug: declared.slug.as_deref(),
            rule,
            unlimited,
            active: declared.active,
            most: declared.max_scheduled_runs,
            policy: if declared.policy.is_default() { String::new() } else { fields::value(&declared.policy).to_string() },
        }
    }
}

struct Pairs {
    of_new: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Pairs {
    /// Pairs what is left over and has the same `face`, in order.
    fn by<'f, 'a: 'f, K: Ord>(
        &mut self,
        old: &'f [Face<'a>],
        new: &'f [Face<'a>],
        face: impl Fn(&'f Face<'a>) -> Option<K>,
    ) {
        let mut free: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
        for (index, old) in old.iter().enumerate().filter(|(index, _)| !self.taken[*index]) {
            if let Some(key) = face(old) {
                free.entry(key).or_default().push_back(index);
            }
        }
        for (index, new) in new.iter().enumerate() {
            if self.of_new[index].is_none()
                && let Some(found) = face(new).and_then(|key| free.get_mut(&key)?.pop_front())
            {
                self.of_new[index] = Some(found);
                self.taken[found] = true;
            }
        }
    }
}

fn alike(a: &ScheduleDeclaration, b: &ScheduleDeclaration) -> bool {
    let ScheduleDeclaration { spec, active, slug, parameters, max_scheduled_runs, policy } = a;
    *active == b.active
        && *policy == b.policy
        && *slug == b.slug
        && *max_scheduled_runs == b.max_scheduled_runs
        && *parameters == b.parameters
        && same_rule(spec, &b.spec)
        && (spec.limits == b.spec.limits || spec.limits.normal() == b.spec.limits.normal())
}

fn same_rule(a: &Spec, b: &Spec) -> bool {
    a == b || a.normal_form() == b.normal_form()
}

/// The key itself, or the first `key-2`, `key-3`... that is free.
fn unique(key: String, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = key.clone();
    let mut counter = 1;
    while !taken.insert(candidate.clone()) {
        counter += 1;
        candidate = format!("{key}-{counter}");
    }
    candidate
}
