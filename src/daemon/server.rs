//! The listening socket, and stopping the runs when that is asked for.
use super::signals::told;
use super::error::DaemonError;
use crate::clock;
use crate::model::state::{Proposed, StateType};
use crate::model::status::RunCounts;
use crate::model::transition::Context;
use crate::store::ledger::{Ledger, LedgerError};
use axum::Router;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Binds the address, before anything else is touched.
pub async fn listen(host: IpAddr, port: u16) -> Result<TcpListener, DaemonError> {
    if !host.is_loopback() {
        return Err(DaemonError::NotLoopback { host: host.to_string() });
    }
    let address = SocketAddr::new(host, port);
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => DaemonError::AddressTaken { address: address.to_string() },
        _ => DaemonError::CannotListen { address: address.to_string(), reason: error.to_string() },
    })
}

/// Answers until told to stop; requests under way are finished.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) -> Result<(), DaemonError> {
    let stopped = async move { told(&mut stop).await };
    axum::serve(listener, router).with_graceful_shutdown(stopped).await?;
    Ok(())
}

/// Cancels every run that is going on, and waits until all of them are gone.
pub async fn stop_runs(ledger: &Ledger, mut counts: watch::Receiver<RunCounts>) -> Result<(), DaemonError> {
    for id in ledger.active_run_ids()? {
        let Some(run) = ledger.run(id)? else { continue };
        if run.infrastructure.is_none() {
            continue;
        }
        let context = Context { now: clock::now(), force: false, has_infrastructure: true };
        let proposed = Proposed::new(StateType::Cancelling).message("the daemon was stopped with --stop-runs");
        match ledger.propose(id, proposed, context).await {
            Ok(_) | Err(LedgerError::NoSuchRun(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    drop(counts.wait_for(|counts| counts.running == 0).await);
    Ok(())
}
