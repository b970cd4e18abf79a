//! What can end a daemon, or keep it from starting.
use crate::store::StoreError;
use crate::store::ledger::LedgerError;
use std::io;

/// Each says what to do; the process exits with code 1.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the address {address} is taken by another program: stop it, or choose another with --port")]
    AddressTaken { address: String },
    #[error("cannot listen on {address}: {reason}")]
    CannotListen { address: String, reason: String },
    #[error("{host} is not a loopback address: until there are tokens, reeve serves this host only, because its API can start programs; use --host 127.0.0.1")]
    NotLoopback { host: String },
    #[error("the project directory {directory} cannot be served: {reason}")]
    NoProject { directory: String, reason: String },
    #[error("the operating system refused: {0}")]
    System(#[from] io::Error),
    #[error("the task '{task}' ended: {reason}")]
    TaskEnded { task: &'static str, reason: String },
}
