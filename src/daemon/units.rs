//! Carrying out a plan unit by unit, and the report that names each.
use super::apply::{self, Applied};
use crate::control::{ReconcileReport, UnitOutcome, UnitReport};
use crate::model::desired::{Desired, FailedUnit};
use crate::model::project::Atomicity;
use crate::reconcile::Unit;
use crate::store::ledger::{Ledger, LedgerError};
use std::collections::{BTreeMap, BTreeSet};

/// What would become of each unit: `pending` those with something to write, `blocked` all of those where the plan is refused.
pub(super) fn reports(desired: &Desired, pending: &[Unit], refusal: Option<&str>) -> Vec<UnitReport> {
    let pending: BTreeSet<&str> = pending.iter().map(|unit| unit.name.as_str()).collect();
    let mut reports: BTreeMap<String, UnitReport> = BTreeMap::new();
    let names = names(desired).into_iter().chain(pending.iter().map(|name| (*name).to_owned()));
    for unit in names {
        let outcome = match refusal {
            Some(_) => UnitOutcome::Blocked,
            None if pending.contains(unit.as_str()) => UnitOutcome::Pending,
            None => UnitOutcome::Unchanged,
        };
        reports.insert(unit.clone(), UnitReport { unit, outcome, reason: refusal.map(str::to_owned) });
    }
    for failed in &desired.failed {
        let unit = name_of(failed);
        let reason = failed.problems.first().map(ToString::to_string);
        reports.insert(unit.clone(), UnitReport { unit, outcome: UnitOutcome::Failed, reason });
    }
    reports.into_values().collect()
}

/// The units that a project's rules make of it.
fn names(desired: &Desired) -> Vec<String> {
    match desired.rules.atomicity {
        Atomicity::Project => vec![desired.project.clone()],
        Atomicity::File => {
            let files = desired.deployments.values().map(|declared| declared.file.as_str());
            files.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
        }
        Atomicity::Deployment => desired.deployments.keys().map(ToString::to_string).collect(),
    }
}

/// The deployment's name where it could be read, else where it stands.
fn name_of(failed: &FailedUnit) -> String {
    match (&failed.name, &failed.pointer) {
        (Some(name), _) => name.clone(),
        (None, Some(pointer)) => format!("{}#{pointer}", failed.file),
        (None, None) => failed.file.clone(),
    }
}

/// The names of those that are applied.
pub(super) fn applied(reports: &[UnitReport]) -> impl Iterator<Item = String> + '_ {
    reports.iter().filter(|report| report.outcome == UnitOutcome::Applied).map(|report| report.unit.clone())
}

/// What was committed by this very pass is not unchanged, although a plan that is made again finds it so.
pub(super) fn remember(reports: &mut [UnitReport], committed: &BTreeSet<String>) {
    for report in reports.iter_mut().filter(|report| report.outcome == UnitOutcome::Unchanged && committed.contains(&report.unit)) {
        report.outcome = UnitOutcome::Applied;
    }
}

/// A plan that was to be carried out exactly, and of which a part is committed: what was stored moved on between two units, so that
/// the rest is not.
pub(super) fn stop(report: &mut ReconcileReport) {
    let why = "what is stored was changed by somebody else while the plan was carried out";
    report.stale = Some(why.to_owned());
    for unit in report.units.iter_mut().filter(|unit| unit.outcome == UnitOutcome::Pending) {
        (unit.outcome, unit.reason) = (UnitOutcome::Blocked, Some(why.to_owned()));
    }
}

/// Commits units in order (`reports` is in the order of names), each at the revision that the one before it has made. Those that are committed stay so whatever follows.
pub(super) async fn carry_out(ledger: &Ledger, base: u64, units: &[Unit], reports: &mut [UnitReport]) -> Result<Applied, LedgerError> {
    for (done, unit) in units.iter().enumerate() {
        match apply::apply(ledger, base + done as u64, &unit.writes).await? {
            Applied::Done => {}
            Applied::Moved => return Ok(Applied::Moved),
        }
        if let Ok(at) = reports.binary_search_by(|report| report.unit.as_str().cmp(&unit.name)) {
            reports[at].outcome = UnitOutcome::Applied;
        }
    }
    Ok(Applied::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_try_committed_stays_applied_in_the_report() {
        let report = |unit: &str, outcome| UnitReport { unit: unit.to_owned(), outcome, reason: None };
        let committed: BTreeSet<String> = applied(&[report("a", UnitOutcome::Applied), report("b", UnitOutcome::Pending)]).collect();
        let mut again = [report("a", UnitOutcome::Unchanged), report("b", UnitOutcome::Pending), report("c", UnitOutcome::Unchanged)];
        remember(&mut again, &committed);
        assert_eq!(again.clone().map(|report| report.outcome), [UnitOutcome::Applied, UnitOutcome::Pending, UnitOutcome::Unchanged]);
        let mut report = ReconcileReport { units: again.to_vec(), ..ReconcileReport::default() };
        remember(&mut report.units, &committed);
        stop(&mut report);
        let outcomes: Vec<_> = report.units.iter().map(|unit| (unit.outcome, unit.reason.is_some())).collect();
        assert_eq!(outcomes, [(UnitOutcome::Applied, false), (UnitOutcome::Blocked, true), (UnitOutcome::Unchanged, false)]);
        assert!(report.stale.is_some());
    }
}
