//! What was done to projects and their objects: the last [`MOST_KEPT`] events of the home, in order.
//!
//! An event is a row with a number one above the last; the row that many below it goes in the same commit, so that there is nothing to
//! count and nothing to clean up. Events that tell of a change of definitions are part of that change's commit.
use super::definitions::Rows;
use super::record::{decode, encode};
use super::{Ledger, LedgerError, Reader, key};
use crate::model::event::{Event, MOST_KEPT};
use crate::store::{Batch, Expect, Range};

impl Reader {
    /// The events of the home, newest first. Lazy: stop when you have enough.
    pub fn events(&self) -> impl Iterator<Item = Result<Event, LedgerError>> + '_ {
        self.store.scan(Range::prefix(&[key::EVENT]).reverse()).map(|row| {
            let (row_key, value) = row?;
            decode(&row_key, &value)
        })
    }

    /// Those of one project and its objects, newest first.
    pub fn events_of<'a>(&'a self, project: &'a str) -> impl Iterator<Item = Result<Event, LedgerError>> + 'a {
        self.events().filter(move |event| event.as_ref().map_or(true, |event| event.project() == Some(project)))
    }

    /// Rows that add `events` after those that are there. Only under the ledger's lock on definitions.
    pub(super) fn rows_of_events<'a>(&self, events: impl Iterator<Item = &'a Event>, rows: &mut Rows) -> Result<(), LedgerError> {
        let mut events = events.peekable();
        if events.peek().is_none() {
            return Ok(());
        }
        let last = self.store.scan(Range::prefix(&[key::EVENT]).reverse()).next().transpose()?;
        let mut number = last.and_then(|(row_key, _)| key::number_in(&row_key)).unwrap_or(0);
        for event in events {
            number += 1;
            rows.insert(key::event(number), Some(encode(event)?));
            if let Some(oldest) = number.checked_sub(MOST_KEPT) {
                rows.insert(key::event(oldest), None);
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// Records events that change no definition, and so not their revision.
    pub async fn record(&self, events: &[Event]) -> Result<(), LedgerError> {
        let _alone = self.definitions.lock().await;
        let mut rows = Rows::new();
        self.rows_of_events(events.iter(), &mut rows)?;
        let mut batch = Batch::new();
        for (row_key, value) in rows {
            match value {
                Some(value) => {
                    batch.expect.push((row_key.clone(), Expect::Absent));
                    batch.put.push((row_key, value));
                }
                None => batch.delete.push(row_key),
            }
        }
        self.store.commit(batch).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::write::Write;
    use crate::store::open;
    use jiff::Timestamp;
    use uuid::Uuid;

    fn event(project: &str, number: u128) -> Event {
        Event::of_project(Uuid::from_u128(number), Timestamp::UNIX_EPOCH, "applied", project, number.to_string())
    }

    fn told(events: impl Iterator<Item = Result<Event, LedgerError>>) -> Vec<u128> {
        events.map(|event| event.unwrap().id.as_u128()).collect()
    }

    #[tokio::test]
    async fn the_last_events_are_kept_and_no_more_however_they_come() {
        let ledger = Ledger::new(open("ram:", Uuid::from_u128(7)).unwrap());
        let most = u128::from(MOST_KEPT);
        ledger.record(&[event("one", 1)]).await.unwrap();
        assert_eq!(ledger.revision().unwrap(), 0, "an event changes no definition");
        let many: Vec<Write> = (2..=most + 3).map(|number| Write::AddEvent(Box::new(event("one", number)))).collect();
        ledger.apply(0, &many).await.unwrap();
        ledger.record(&[event("other", most + 4)]).await.unwrap();
        let expected: Vec<u128> = (5..=most + 4).rev().collect();
        assert_eq!(told(ledger.events()), expected, "newest first");
        assert_eq!(told(ledger.events_of("other")), [most + 4]);
        assert_eq!(told(ledger.events_of("one").take(2)), [most + 3, most + 2]);
    }

    #[tokio::test]
    async fn a_change_that_is_not_made_is_not_told() {
        let ledger = Ledger::new(open("ram:", Uuid::from_u128(7)).unwrap());
        let stale = ledger.apply(4, &[Write::AddEvent(Box::new(event("one", 1)))]).await;
        assert!(matches!(stale, Err(LedgerError::Stale { .. })), "{stale:?}");
        assert_eq!(told(ledger.events()), [0; 0]);
    }
}
