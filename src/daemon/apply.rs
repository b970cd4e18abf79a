//! The only place where a plan's steps become writes.
use crate::model::write::Write;
use crate::store::ledger::{Ledger, LedgerError};

/// What became of the writes of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Done,
    /// The definitions are no longer those that the plan was made for: plan again.
    Moved,
}

/// Applies a plan's writes to the revision it was made for. It decides nothing: ids, instants and order are the plan's.
pub async fn apply(ledger: &Ledger, base: u64, writes: &[Write]) -> Result<Applied, LedgerError> {
    match ledger.apply(base, writes).await {
        Ok(_) => Ok(Applied::Done),
        Err(LedgerError::Stale { .. }) => Ok(Applied::Moved),
        Err(error) => Err(error),
    }
}
