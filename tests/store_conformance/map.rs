//! Any sequence of batches, scans and restarts on a backend and on a map: the same answers.
use super::{Factory, Ram, Sled, rows};
use proptest::prelude::*;
use reeve::store::{Batch, Expect, Order, Range};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Batch>),
    Scan(Range),
    Reopen,
}

fn a_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(
            prop_oneof![Just(0_u8), Just(b'a'), Just(b'b'), Just(0xff)],
            0..4
        ),
        (0..60_u32).prop_map(|row| format!("row/{row:03}").into_bytes()),
    ]
}

fn a_value() -> impl Strategy<Value = Vec<u8>> {
    (
        prop_oneof![8 => 0..4_usize, 1 => 4000..4200_usize, 1 => 9000..20_000_usize],
        any::<u8>(),
    )
        .prop_map(|(size, byte)| vec![byte; size])
}

fn a_batch() -> impl Strategy<Value = Batch> {
    let expect = prop_oneof![2 => Just(Expect::Absent), 1 => a_value().prop_map(Expect::Equals)];
    let expect = proptest::collection::vec((a_key(), expect), 0..2);
    let writes = proptest::collection::btree_map(a_key(), proptest::option::of(a_value()), 0..12);
    (expect, writes).prop_map(|(expect, writes)| {
        writes.into_iter().fold(
            Batch {
                expect,
                ..Batch::new()
            },
            |batch, (key, value)| match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            },
        )
    })
}

fn a_step() -> impl Strategy<Value = Step> {
    let range = (a_key(), a_key(), 0..3, any::<bool>()).prop_map(|(start, end, kind, reverse)| {
        let range = match kind {
            0 => Range::prefix(start),
            1 => Range::between(start, end),
            _ => Range::all().after(start),
        };
        if reverse { range.reverse() } else { range }
    });
    prop_oneof![
        6 => proptest::collection::vec(a_batch(), 1..6).prop_map(Step::Commit),
        4 => range.prop_map(Step::Scan),
        1 => Just(Step::Reopen),
    ]
}

/// The same steps on a map, and the same answers.
fn agrees_with_a_map(factory: &dyn Factory, steps: &[Step]) {
    let mut store = factory.fresh();
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Commit(batches) => {
                // Queued together, so that they are decided within one group.
                let tickets: Vec<_> = batches
                    .iter()
                    .map(|batch| store.commit(batch.clone()))
                    .collect();
                for (batch, ticket) in batches.iter().zip(tickets) {
                    assert_eq!(ticket.wait().is_ok(), apply(&mut model, batch));
                }
            }
            Step::Scan(range) => {
                let rows_of_map = model.iter().filter(|(key, _)| contains(range, key));
                let mut wanted: Vec<_> = rows_of_map
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if range.order == Order::Reverse {
                    wanted.reverse();
                }
                assert_eq!(rows(&*store, range.clone()), wanted);
            }
            Step::Reopen => store = factory.reopen(store),
        }
    }
    let store = factory.reopen(store);
    assert_eq!(
        rows(&*store, Range::all()),
        model.into_iter().collect::<Vec<_>>()
    );
}

fn apply(model: &mut BTreeMap<Vec<u8>, Vec<u8>>, batch: &Batch) -> bool {
    if !batch
        .expect
        .iter()
        .all(|(key, expect)| expect.holds(model.get(key).map(Vec::as_slice)))
    {
        return false;
    }
    batch.delete.iter().for_each(|key| drop(model.remove(key)));
    model.extend(batch.put.iter().cloned());
    true
}

fn contains(range: &Range, key: &[u8]) -> bool {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let above = match &range.start {
        Unbounded => true,
        Included(start) => key >= start.as_slice(),
        Excluded(start) => key > start.as_slice(),
    };
    above
        && match &range.end {
            Unbounded => true,
            Included(end) => key <= end.as_slice(),
            Excluded(end) => key < end.as_slice(),
        }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_batches_on_ram_agree_with_a_map(steps in proptest::collection::vec(a_step(), 1..30)) {
        agrees_with_a_map(&Ram, &steps);
    }

    #[test]
    fn any_batches_on_sled_agree_with_a_map(steps in proptest::collection::vec(a_step(), 1..30)) {
        agrees_with_a_map(&Sled::new(), &steps);
    }
}
