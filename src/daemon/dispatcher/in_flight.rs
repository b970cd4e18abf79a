//! A commit under way, with what waits for it.
//!
//! The dispatcher does not stand still while the disk does: at most one commit of each kind is under way, and what comes
//! up meanwhile goes into the next. So the number of commits follows the disk's pace, not the number of runs.
use crate::store::ledger::{LedgerError, Unit};
use std::future::Future;
use std::pin::Pin;

/// A unit that is being committed, and what is to go on when it is.
pub(super) struct InFlight<T> {
    commit: Pin<Box<dyn Future<Output = Result<(), LedgerError>> + Send>>,
    then: T,
}

impl<T> InFlight<T> {
    pub fn new(unit: Unit, then: T) -> Self {
        InFlight { commit: Box::pin(unit.commit()), then }
    }

    /// Waits for the commit in `slot`, empties the slot, and gives the outcome; for ever where there is none. Cancel-safe.
    pub async fn settled(slot: &mut Option<InFlight<T>>) -> (Result<(), LedgerError>, T) {
        if let Some(flight) = slot.as_mut() {
            let outcome = flight.commit.as_mut().await;
            if let Some(flight) = slot.take() {
                return (outcome, flight.then);
            }
        }
        std::future::pending().await
    }
}
