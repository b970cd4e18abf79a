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
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long requests that are under way when the server stops may take. Who does not read an answer must not hold up the daemon.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

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

/// Answers until told to stop; requests under way are finished, within bounds.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) -> Result<(), DaemonError> {
    let mut overdue = stop.clone();
    let stopped = async move { told(&mut stop).await };
    let serving = axum::serve(listener, router).with_graceful_shutdown(stopped);
    tokio::select! {
        served = async { serving.await } => served?,
        () = async {
            told(&mut overdue).await;
            tokio::time::sleep(FINISH_WITHIN).await;
        } => tracing::warn!(source = "reeve", "requests were still under way after {} s: they are dropped", FINISH_WITHIN.as_secs()),
    }
    Ok(())
}

/// Cancels every run that is going on, and waits until all of them are gone.
pub async fn stop_runs(ledger: &Ledger, mut counts: watch::Receiver<RunCounts>) -> Result<(), DaemonError> {
    for id in ledger.active_run_ids()? {
        let Some(run) = ledger.run(id)? else { continue };
        if run.infrastructure.is_none() {
            continue;
        }
        let context = Context { now: clock::now(), force: false };
        let proposed = Proposed::new(StateType::Cancelling).message("the daemon was stopped with --stop-runs");
        match ledger.propose(id, proposed, context).await {
            Ok(_) | Err(LedgerError::NoSuchRun(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    drop(counts.wait_for(|counts| counts.running == 0).await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::sync::Arc;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn a_request_that_never_ends_holds_up_no_stop() {
        let listener = listen(IpAddr::from([127, 0, 0, 1]), 0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Notify::new());
        let heard = asked.clone();
        let router = Router::new().route("/", get(async move || {
            heard.notify_one();
            std::future::pending::<()>().await
        }));
        let (stop_sender, stop) = watch::channel(false);
        let server = tokio::spawn(serve(listener, router, stop));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        asked.notified().await;
        // Nothing else is to happen: time goes to the next timer at once.
        tokio::time::pause();
        stop_sender.send_replace(true);
        server.await.unwrap().unwrap();
    }
}
