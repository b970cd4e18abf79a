//! Signals: the first one asks the daemon to stop, a second one ends it at once.
use super::error::DaemonError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Waits for SIGINT or SIGTERM and names it in words. From then on a second one ends the process with code 1: whoever
/// presses Ctrl-C twice does not want to wait. Nothing is lost by it: what was acknowledged is on disk.
pub async fn asked_to_stop() -> Result<&'static str, DaemonError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let reason = tokio::select! {
        _ = interrupt.recv() => "interrupted",
        _ = terminate.recv() => "asked to terminate",
    };
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::warn!(source = "reeve", "asked twice: ending at once");
        std::process::exit(1);
    });
    Ok(reason)
}

/// Waits until the daemon's tasks are told to stop. Cancel-safe.
pub async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
