//! Pages of lists: `limit` and `offset`, and the first few of a sorted whole without holding the whole.
use super::error::ApiError;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// The most rows that one answer holds, and how many it holds where nobody says.
pub(super) const MAX_LIMIT: i64 = 200;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub offset: usize,
    pub limit: usize,
}

impl Page {
    /// # Errors
    /// 422 with Prefect's texts: a limit outside 0 to 200, a negative offset.
    pub fn new(limit: Option<i64>, offset: Option<i64>) -> Result<Self, ApiError> {
        let limit = limit.unwrap_or(MAX_LIMIT);
        if limit < 0 {
            return Err(ApiError::meaningless("Invalid limit: must be greater than or equal to 0."));
        }
        if limit > MAX_LIMIT {
            return Err(ApiError::meaningless(format!("Invalid limit: must be less than or equal to {MAX_LIMIT}.")));
        }
        let offset = at_least("offset", offset.unwrap_or(0), 0)?;
        let count = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Page { offset: count(offset), limit: count(limit) })
    }

    /// The page of this number, from 1 on; with the number.
    ///
    /// # Errors
    /// As `new`, and 422 for a number below 1.
    pub fn numbered(limit: Option<i64>, number: Option<i64>) -> Result<(Self, usize), ApiError> {
        let number = at_least("page", number.unwrap_or(1), 1)?;
        let page = Page::new(limit, None)?;
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        Ok((Page { offset: page.limit.saturating_mul(number - 1), ..page }, number))
    }

    /// How many rows of the sorted whole are needed to cut this page from it.
    fn reach(self) -> usize {
        self.offset.saturating_add(self.limit)
    }

    /// This page of `items`, which come in their order.
    pub fn cut<T, E>(self, items: impl Iterator<Item = Result<T, E>>) -> Result<Vec<T>, E> {
        if self.limit == 0 {
            return Ok(Vec::new());
        }
        // Errors count even where they are skipped: `skip` would swallow them.
        let mut skipped = 0;
        let mut taken = Vec::new();
        for item in items {
            let item = item?;
            if skipped < self.offset {
                skipped += 1;
                continue;
            }
            taken.push(item);
            if taken.len() == self.limit {
                break;
            }
        }
        Ok(taken)
    }

    /// This page of the pairs' second halves, sorted by the first ones. Holds at most offset + limit of them. `is_enough` is asked with
    /// the last of these, once so many are there, and an item that would come next: whether neither it nor what follows can come before.
    pub fn sorted<K: Ord, T, E>(
        self,
        pairs: impl Iterator<Item = Result<(K, T), E>>,
        is_enough: impl Fn(&K, &T) -> bool,
    ) -> Result<Vec<T>, E> {
        let reach = self.reach();
        if self.limit == 0 {
            return Ok(Vec::new());
        }
        let mut heap = BinaryHeap::new();
        for pair in pairs {
            let (key, item) = pair?;
            if heap.len() < reach {
                heap.push(Ranked { key, item });
                continue;
            }
            let Some(worst) = heap.peek().map(|worst: &Ranked<K, T>| &worst.key) else { break };
            if key < *worst {
                heap.pop();
                heap.push(Ranked { key, item });
            } else if is_enough(worst, &item) {
                break;
            }
        }
        Ok(heap.into_sorted_vec().into_iter().skip(self.offset).map(|ranked| ranked.item).collect())
    }
}

/// A field of the body that must not be smaller.
fn at_least(field: &str, value: i64, least: i64) -> Result<i64, ApiError> {
    if value >= least {
        return Ok(value);
    }
    let defect = super::error::Defect {
        kind: "greater_than_equal",
        loc: vec!["body".into(), field.into()],
        msg: format!("Input should be greater than or equal to {least}"),
        input: value.into(),
        ctx: Some(serde_json::json!({ "ge": least })),
    };
    Err(ApiError::invalid(vec![defect], Value::Null))
}

/// An item that compares by its key alone.
struct Ranked<K, T> {
    key: K,
    item: T,
}

impl<K: Ord, T> PartialEq for Ranked<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Ord, T> Eq for Ranked<K, T> {}

impl<K: Ord, T> PartialOrd for Ranked<K, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, T> Ord for Ranked<K, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    #[test]
    fn limits_are_prefects() {
        assert_eq!(Page::new(None, None).unwrap(), Page { offset: 0, limit: 200 });
        assert_eq!(Page::new(Some(200), Some(7)).unwrap(), Page { offset: 7, limit: 200 });
        let text = |limit, offset| Page::new(limit, offset).unwrap_err().body;
        assert_eq!(text(Some(201), None)["detail"], "Invalid limit: must be less than or equal to 200.");
        assert_eq!(text(Some(-1), None)["detail"], "Invalid limit: must be greater than or equal to 0.");
        assert_eq!(Page::numbered(Some(20), Some(3)).unwrap(), (Page { offset: 40, limit: 20 }, 3));
        assert_eq!(Page::numbered(None, Some(0)).unwrap_err().body["exception_detail"][0]["loc"][1], "page");
        assert_eq!(text(None, Some(-1))["exception_detail"][0]["type"], "greater_than_equal");
    }

    proptest! {
        #[test]
        fn a_sorted_page_is_cut_from_the_sorted_whole(items in proptest::collection::vec(0u8..20, 0..60), offset in 0usize..70, limit in 0usize..70) {
            let page = Page { offset, limit };
            let found = page.sorted(items.iter().map(|item| Ok::<_, Infallible>((*item, *item))), |_, _| false).unwrap();
            let mut all = items.clone();
            all.sort_unstable();
            let expected: Vec<u8> = all.into_iter().skip(offset).take(limit).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn what_is_nearly_sorted_is_not_read_to_its_end(items in proptest::collection::vec(0u8..20, 0..60), offset in 0usize..70, limit in 0usize..70) {
            // Each is at most 20 before its place.
            let nearly: Vec<usize> = items.iter().enumerate().map(|(place, item)| place + usize::from(*item)).collect();
            let placed = nearly.iter().enumerate().map(|(place, item)| Ok::<_, Infallible>((*item, place)));
            let found = Page { offset, limit }.sorted(placed, |worst, place| worst <= place).unwrap();
            let mut all: Vec<usize> = nearly.clone();
            all.sort_unstable();
            let expected: Vec<usize> = all.into_iter().skip(offset).take(limit).collect();
            prop_assert_eq!(found.into_iter().map(|place| nearly[place]).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn a_page_in_order_is_cut(items in proptest::collection::vec(0u8..20, 0..60), offset in 0usize..70, limit in 0usize..70) {
            let found = Page { offset, limit }.cut(items.iter().map(|item| Ok::<_, Infallible>(*item))).unwrap();
            let expected: Vec<u8> = items.into_iter().skip(offset).take(limit).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
