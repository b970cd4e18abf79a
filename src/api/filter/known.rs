//! Stored runs as lists see them where those that are over are in memory: a look at a record only where nothing else tells.
use super::FlowRunFilter;
use super::selection::Related;
use super::union::{Seen, Stored};
use crate::model::id::FlowRunId;
use crate::model::run::FlowRun;
use crate::store::ledger::{LedgerError, OverRun, OverRuns, Reader};

/// Every run, where those that are over are in memory.
pub(super) struct Known {
    /// Newest first.
    pub active: Vec<FlowRunId>,
    /// `None` where they are not in memory.
    pub over: Option<OverRuns>,
}

impl Known {
    /// The active ones first: a run that ends meanwhile is then in both, and not in none.
    /// `reads_few`: the records could answer, too, and few of them would do.
    pub fn of(reader: &Reader, reads_few: bool) -> Result<Known, LedgerError> {
        // Waited for before the active ones are looked at, taken after.
        drop(reader.over_runs(!reads_few));
        let mut active = reader.active_run_ids()?;
        active.reverse();
        let over = reader.over_runs(false);
        Ok(Known { active, over })
    }
}

/// The runs that match, newest first: what is over is told from memory where that is enough.
pub(super) fn matching<'a>(
    reader: &'a Reader,
    active: &'a [FlowRunId],
    over: &'a OverRuns,
    filter: Option<&'a FlowRunFilter>,
    related: Related,
) -> Stored<'a> {
    let mut active = active.iter().copied().peekable();
    let mut over = over.newest_first().peekable();
    let next = move || {
        let (next_active, next_over) = (active.peek().copied(), over.peek().map(OverRun::id));
        match next_active {
            Some(id) if next_over.is_none_or(|over| id >= over) => {
                active.next();
                if next_over == Some(id) {
                    over.next();
                }
                Some(Err(id))
            }
            _ => over.next().map(Ok),
        }
    };
    Box::new(std::iter::from_fn(next).filter_map(move |run| {
        let id = match run {
            Ok(run) if !related.allows_over(&run) => return None,
            Ok(run) => match filter.map_or(Some(true), |filter| filter.matches_over(&run)) {
                Some(matches) => return matches.then_some(Ok(Seen::Over(run))),
                None => run.id(),
            },
            Err(id) => id,
        };
        let run = reader.run(id).transpose()?;
        let matches = |run: &FlowRun| filter.is_none_or(|filter| filter.matches(run)) && related.allows_run(run);
        run.map(|run| matches(&run).then(|| Seen::Read(Box::new(run)))).transpose()
    }))
}

#[cfg(test)]
mod tests {
    use super::super::FlowRunSort;
    use super::super::selection::Selection;
    use crate::api::page::Page;
    use crate::model::id::{FlowRunId, of_requested_run};
    use crate::model::name;
    use crate::model::run::FlowRun;
    use crate::model::state::{Proposed, StateType};
    use crate::model::transition::Context;
    use crate::store::ledger::Ledger;
    use crate::store;
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use uuid::Uuid;

    fn at(minutes: u8) -> Timestamp {
        let origin: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        origin.saturating_add(SignedDuration::from_mins(minutes.into())).unwrap()
    }

    fn id(number: u8) -> FlowRunId {
        of_requested_run(at(number / 2), [number; 10])
    }

    /// Each differs from its neighbours in something that a list asks for.
    fn run(number: u8) -> FlowRun {
        let (id, due) = (id(number), at(number / 2));
        let state = json!({"id": Uuid::nil(), "type": "PENDING", "name": "Pending", "timestamp": due, "state_details": {}});
        let name = if number % 5 == 0 { format!("own {number}") } else { name::of_run(id) };
        let value = json!({"id": id, "name": name, "flow_id": Uuid::from_u128(u128::from(number % 3)), "state": state, "state_count": 1,
            "deployment_id": (number % 4 != 0).then(|| Uuid::from_u128(u128::from(number % 4))), "tags": if number % 2 == 0 { vec!["even"] } else { vec![] },
            "work_queue": (number % 7 == 0).then_some("fast"), "work_pool": (number % 7 < 3).then_some("pool"), "idempotency_key": format!("key {number}"),
            "expected_start_time": due, "run_count": 0, "created": due, "updated": due});
        serde_json::from_value(value).unwrap()
    }

    fn questions() -> Vec<Value> {
        let filters = [
            json!({}),
            json!({"state": {"type": {"any_": ["COMPLETED"]}}}),
            json!({"state": {"type": {"any_": ["RUNNING", "FAILED"]}}}),
            json!({"state": {"name": {"not_any_": ["Completed", "Odd"]}}}),
            json!({"deployment_id": {"any_": [Uuid::from_u128(2)]}, "tags": {"all_": ["even"]}}),
            json!({"deployment_id": {"is_null_": true}}),
            json!({"name": {"like_": "own"}}),
            json!({"operator": "or_", "name": {"like_": "a"}, "idempotency_key": {"any_": ["key 3", "key 8"]}}),
            json!({"idempotency_key": {"any_": ["key 3", "key 8"]}}),
            json!({"work_queue_name": {"any_": ["fast"]}}),
            json!({"expected_start_time": {"after_": at(5), "before_": at(20)}}),
            json!({"start_time": {"is_null_": true}}),
            json!({"end_time": {"after_": at(9)}}),
        ];
        let sorts = ["ID_DESC", "START_TIME_DESC", "EXPECTED_START_TIME_ASC", "EXPECTED_START_TIME_DESC", "NAME_ASC", "END_TIME_DESC", "NEXT_SCHEDULED_START_TIME_ASC"];
        let of = |filter: &Value, sort| json!({"flow_runs": filter, "sort": sort});
        filters.iter().flat_map(|filter| sorts.map(|sort| of(filter, sort))).collect()
    }

    async fn step(ledger: &Ledger, number: u8, what: u8) {
        let context = Context { now: at(number / 2 + what), force: true };
        let (kind, name) = match what % 6 {
            0 => {
                let mut unit = ledger.unit();
                unit.create_run(&run(number)).unwrap();
                drop(unit.commit().await);
                return;
            }
            1 => (StateType::Running, None),
            2 => (StateType::Completed, None),
            3 => (StateType::Failed, Some("Odd")),
            4 => {
                drop(ledger.amend_run(id(number), |run| run.name = "renamed".to_owned()).await);
                return;
            }
            _ => {
                drop(ledger.delete_or_skip(id(number), context).await);
                return;
            }
        };
        let proposed = name.into_iter().fold(Proposed::new(kind), Proposed::named);
        drop(ledger.propose(id(number), proposed, context).await);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn lists_from_memory_are_those_of_the_records(steps in proptest::collection::vec((0u8..60, 0u8..12), 0..250), read_after in 0usize..250, offset in 0usize..9) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let store = store::open("ram:", Uuid::nil()).unwrap();
            let ledger = Ledger::new(store.clone());
            let from_records = Ledger::new(store).reader();
            runtime.block_on(async {
                for (place, (number, what)) in steps.iter().enumerate() {
                    if place == read_after {
                        ledger.complete_history().await.unwrap();
                        ledger.read_history(|| true).unwrap();
                    }
                    step(&ledger, *number, *what).await;
                }
                if read_after >= steps.len() {
                    ledger.complete_history().await.unwrap();
                    ledger.read_history(|| true).unwrap();
                }
            });
            let (now, page) = (at(200), Page { offset, limit: 7 });
            for question in questions() {
                let selection: Selection<FlowRunSort> = serde_json::from_value(question.clone()).unwrap();
                let ids = |runs: Vec<FlowRun>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
                let known = ids(selection.find_runs(&ledger.reader(), page, now).unwrap());
                prop_assert_eq!(known, ids(selection.find_runs(&from_records, page, now).unwrap()), "{}", question);
                prop_assert_eq!(selection.count_runs(&ledger.reader(), now).unwrap(), selection.count_runs(&from_records, now).unwrap());
            }
        }
    }
}
