//! Counts of what this process committed: each change of a run is counted once it is durable, whoever made it.
use super::{Ledger, LedgerError, Reader};
use crate::model::measure::{Measured, Totals};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of a process, shared by all handles on its ledger.
#[derive(Clone, Default)]
pub(super) struct Counted(Arc<Mutex<Totals>>);

impl Counted {
    pub fn add(&self, measured: Vec<Measured>) {
        let mut totals = self.lock();
        measured.into_iter().for_each(|measured| totals.add(measured));
    }

    /// Adding leaves the counts whole, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        self.counted.lock().clone()
    }
}

impl Ledger {
    /// Counts the runs that are not over yet: once, before any is changed.
    pub fn count_active(&self) -> Result<(), LedgerError> {
        for id in self.active_run_ids()? {
            if let Some(run) = self.run(id)? {
                self.counted.add(vec![Measured::of(None, Some(&run))]);
            }
        }
        Ok(())
    }
}
