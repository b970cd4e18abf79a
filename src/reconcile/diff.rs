//! The difference of two sorted maps: what only the files have, what both have, what only the store has.
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::{Peekable, from_fn};

/// A name with what stands on either side of it.
pub(super) enum Pair<'a, D, S> {
    Added(&'a D),
    Both(&'a D, &'a S),
    Removed(&'a S),
}

/// Walks both maps once, in the order of their keys.
pub(super) fn pairs<'a, K: Ord, D, S>(
    desired: &'a BTreeMap<K, D>,
    stored: &'a BTreeMap<K, S>,
) -> impl Iterator<Item = (&'a K, Pair<'a, D, S>)> {
    let mut desired = desired.iter().peekable();
    let mut stored = stored.iter().peekable();
    from_fn(move || match order(&mut desired, &mut stored)? {
        Ordering::Less => desired.next().map(|(key, d)| (key, Pair::Added(d))),
        Ordering::Greater => stored.next().map(|(key, s)| (key, Pair::Removed(s))),
        Ordering::Equal => {
            let (key, d) = desired.next()?;
            let (_, s) = stored.next()?;
            Some((key, Pair::Both(d, s)))
        }
    })
}

/// Which side comes next; an exhausted side comes last.
fn order<'a, K: Ord + 'a, D: 'a, S: 'a>(
    desired: &mut Peekable<impl Iterator<Item = (&'a K, &'a D)>>,
    stored: &mut Peekable<impl Iterator<Item = (&'a K, &'a S)>>,
) -> Option<Ordering> {
    match (desired.peek(), stored.peek()) {
        (None, None) => None,
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some((d, _)), Some((s, _))) => Some(d.cmp(s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_name_once_in_order(a: BTreeMap<u8, u8>, b: BTreeMap<u8, u8>) {
            let mut seen = Vec::new();
            for (key, pair) in pairs(&a, &b) {
                let sides = match pair {
                    Pair::Added(_) => (true, false),
                    Pair::Both(..) => (true, true),
                    Pair::Removed(_) => (false, true),
                };
                prop_assert_eq!(sides, (a.contains_key(key), b.contains_key(key)));
                seen.push(*key);
            }
            let mut all: Vec<u8> = a.keys().chain(b.keys()).copied().collect();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(seen, all);
        }
    }
}
