//! Stored and virtual runs as one list: each run once, in one order, cut into pages.
//!
//! Virtual runs are told apart by what a filter asks of them: one that no virtual run can fulfil costs nothing, one that all fulfil
//! costs no look at any of them, and only what is left is computed run by run.
use super::flow_run::Rank;
use super::{FlowRunFilter, FlowRunSort, VirtualReach};
use crate::api::page::Page;
use crate::dispatch::upcoming::virtual_run;
use crate::model::id::FlowRunId;
use crate::model::name;
use crate::model::run::FlowRun;
use crate::model::schedule::Schedule;
use crate::store::ledger::{LedgerError, OverRun, Reader, VirtualRun};
use jiff::Timestamp;
use std::cmp::Reverse;

/// Runs that match a filter.
pub(super) struct Union<'a> {
    reader: &'a Reader,
    now: Timestamp,
    /// Newest first, none of which is among the virtual ones.
    stored: Stored<'a>,
    /// Newest first.
    to_come: Vec<VirtualRun>,
}

/// A run that stands in a list and is not yet read.
enum Listed {
    Stored(Box<FlowRun>),
    /// It is stored, and was let go again.
    Known(FlowRunId),
    Virtual(FlowRunId),
}

/// A stored run that matches.
pub(super) enum Seen<'a> {
    Read(Box<FlowRun>),
    Over(OverRun<'a>),
}

impl Seen<'_> {
    fn id(&self) -> FlowRunId {
        match self {
            Seen::Read(run) => run.id,
            Seen::Over(run) => run.id(),
        }
    }

    /// `None`: it was deleted meanwhile.
    fn rank(&self, sort: FlowRunSort, reader: &Reader) -> Result<Option<Rank>, LedgerError> {
        match self {
            Seen::Read(run) => Ok(Some(sort.rank(run))),
            Seen::Over(run) => match sort.rank_of_over(run) {
                Some(rank) => Ok(Some(rank)),
                None => Ok(reader.run(run.id())?.map(|run| sort.rank(&run))),
            },
        }
    }
}

/// Stored runs, newest first.
pub(super) type Stored<'a> = Box<dyn Iterator<Item = Result<Seen<'a>, LedgerError>> + 'a>;

impl<'a> Union<'a> {
    pub fn nothing(reader: &'a Reader, now: Timestamp) -> Self {
        Union { reader, now, stored: Box::new(std::iter::empty()), to_come: Vec::new() }
    }

    /// `stored` comes newest first, `to_come` in any order.
    pub fn new(
        reader: &'a Reader,
        now: Timestamp,
        stored: Stored<'a>,
        mut to_come: Vec<VirtualRun>,
    ) -> Self {
        to_come.sort_unstable_by_key(|run| Reverse(run.id));
        Union { reader, now, stored, to_come }
    }

    pub fn count(self) -> Result<usize, LedgerError> {
        let mut count = self.to_come.len();
        for run in self.stored {
            count += usize::from(!is_among(run?.id(), &self.to_come));
        }
        Ok(count)
    }

    /// One page under a sort.
    pub fn page(self, sort: FlowRunSort, page: Page) -> Result<Vec<FlowRun>, LedgerError> {
        let (reader, now) = (self.reader, self.now);
        let listed = match sort {
            FlowRunSort::IdDesc => page.cut(self.newest_first())?,
            _ => {
                let Union { stored, to_come, .. } = self;
                let ranks_to_come: Vec<_> = to_come.iter().map(|run| Ok((sort.rank_of_virtual(run), Listed::Virtual(run.id)))).collect();
                let stored = stored.filter(|run| run.as_ref().map_or(true, |run| !is_among(run.id(), &to_come)));
                let ranked = |run: Seen<'_>| Ok(run.rank(sort, reader)?.map(|rank| (rank, Listed::Known(run.id()))));
                let ranked = stored.filter_map(|run| run.and_then(ranked).transpose());
                // Those to come first: they are in no order, and what is stored is then read no further than it can matter.
                page.sorted(ranks_to_come.into_iter().chain(ranked), |last, next| match next {
                    Listed::Known(id) => sort.best_from(*id).is_some_and(|best| *last <= best),
                    _ => false,
                })?
            }
        };
        let read = |listed| match listed {
            Listed::Stored(run) => Ok(Some(*run)),
            Listed::Known(id) | Listed::Virtual(id) => reader.run_or_virtual(id, now),
        };
        listed.into_iter().filter_map(|listed| read(listed).transpose()).collect()
    }

    fn newest_first(self) -> impl Iterator<Item = Result<Listed, LedgerError>> + 'a {
        let Union { mut stored, to_come, .. } = self;
        let mut next_stored: Option<Option<Result<Seen<'_>, LedgerError>>> = None;
        let mut place = 0;
        std::iter::from_fn(move || {
            loop {
                let next = next_stored.get_or_insert_with(|| stored.next());
                let soonest = to_come.get(place).map(|run| run.id);
                let stored_id = next.as_ref().and_then(|run| run.as_ref().ok()).map(Seen::id);
                match (soonest, stored_id) {
                    (Some(id), Some(stored)) if id > stored => {
                        place += 1;
                        return Some(Ok(Listed::Virtual(id)));
                    }
                    // It was made real while this list was made.
                    (Some(id), Some(stored)) if id == stored => next_stored = None,
                    (Some(id), None) if next.is_none() => {
                        place += 1;
                        return Some(Ok(Listed::Virtual(id)));
                    }
                    _ => {
                        let listed = |run| match run {
                            Seen::Read(run) => Listed::Stored(run),
                            Seen::Over(run) => Listed::Known(run.id()),
                        };
                        return next_stored.take()?.map(|run| run.map(listed));
                    }
                }
            }
        })
    }
}

/// `newest_first` is sorted so. Most runs are older than all that are to come: one comparison tells.
fn is_among(id: FlowRunId, newest_first: &[VirtualRun]) -> bool {
    newest_first.last().is_some_and(|oldest| id >= oldest.id)
        && newest_first.binary_search_by_key(&Reverse(id), |run| Reverse(run.id)).is_ok()
}

/// The virtual runs that match `filter`, in any order.
pub(super) fn virtual_runs(
    reader: &Reader,
    filter: Option<&FlowRunFilter>,
    now: Timestamp,
) -> Result<Vec<VirtualRun>, LedgerError> {
    let reach = filter.map_or(VirtualReach { exact: true, ..VirtualReach::default() }, FlowRunFilter::virtual_reach);
    if !reach.exact {
        return virtual_runs_tested(reader, filter, now, |_| true);
    }
    if reach.nothing {
        return Ok(Vec::new());
    }
    let mut found = reader.virtual_runs(reach.deployments.as_deref(), now)?;
    found.retain(|run| is_within(run, &reach));
    Ok(found)
}

/// The same, where each run has to be looked at.
pub(super) fn virtual_runs_tested(
    reader: &Reader,
    filter: Option<&FlowRunFilter>,
    now: Timestamp,
    allows: impl Fn(&FlowRun) -> bool,
) -> Result<Vec<VirtualRun>, LedgerError> {
    let reach = filter.map_or_else(VirtualReach::default, FlowRunFilter::virtual_reach);
    if reach.nothing {
        return Ok(Vec::new());
    }
    let holds = |run: &FlowRun| filter.is_none_or(|filter| filter.matches(run)) && allows(run);
    if let Some(ids) = &reach.ids {
        return by_id(reader, ids, now, holds);
    }
    let mut found = reader.virtual_runs(reach.deployments.as_deref(), now)?;
    found.retain(|run| is_within(run, &reach));
    let mut matching = Vec::new();
    // They come schedule by schedule: each is read and parsed once.
    for slots in found.chunk_by(|one, other| one.schedule == other.schedule) {
        let Some(deployment) = slots.first().map_or(Ok(None), |run| reader.deployment(run.deployment))? else { continue };
        let is_it = |schedule: &&Schedule| slots.first().is_some_and(|run| run.schedule == schedule.id);
        let Some(schedule) = deployment.schedules.iter().find(is_it) else { continue };
        let Ok(rule) = schedule.declared.spec.parse() else { continue };
        matching.extend(slots.iter().filter(|run| holds(&virtual_run(&deployment, schedule, &rule, run.slot))));
    }
    Ok(matching)
}

fn by_id(
    reader: &Reader,
    ids: &[FlowRunId],
    now: Timestamp,
    holds: impl Fn(&FlowRun) -> bool,
) -> Result<Vec<VirtualRun>, LedgerError> {
    let mut found = Vec::new();
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        if reader.run(id)?.is_some() {
            continue;
        }
        let Some(run) = reader.virtual_run(id, now)?.filter(&holds) else { continue };
        if let (Some(slot), Some(deployment)) = (&run.slot, run.deployment_id) {
            found.push(VirtualRun { id, slot: slot.at, start: run.expected_start_time, deployment, schedule: slot.schedule });
        }
    }
    Ok(found)
}

fn is_within(run: &VirtualRun, reach: &VirtualReach) -> bool {
    reach.after.is_none_or(|after| run.start >= after)
        && reach.before.is_none_or(|before| run.start <= before)
        && reach.name.as_ref().is_none_or(|wanted| wanted.holds(&name::of_run(run.id)))
}
