//! Signals: the first one asks the daemon to stop, a second one ends it at once.
use crate::telemetry;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// SIGINT, SIGTERM and SIGHUP (its terminal was closed), held from the first moment on: one that comes while the daemon still starts must stop it as cleanly
/// as any other.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// `None`: it is ignored, as under `nohup`, and stays so.
    hang_up: Option<Signal>,
}

impl StopSignals {
    pub fn listen() -> io::Result<Self> {
        let hang_up = (!is_ignored(SignalKind::hangup())).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(StopSignals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hang_up })
    }

    /// Waits for one and names it in words. From then on a second one ends the process with code 1: whoever presses Ctrl-C
    /// twice does not want to wait. Nothing is lost by it: what was acknowledged is on disk.
    pub async fn asked_to_stop(self) -> &'static str {
        let StopSignals { mut interrupt, mut terminate, mut hang_up } = self;
        let reason = tokio::select! {
            _ = interrupt.recv() => "interrupted",
            _ = terminate.recv() => "asked to terminate",
            Some(_) = async { hang_up.as_mut()?.recv().await } => "left by its terminal",
        };
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::warn!(source = "reeve", "asked twice: ending at once");
            telemetry::flush();
            std::process::exit(1);
        });
        reason
    }
}

fn is_ignored(kind: SignalKind) -> bool {
    // SAFETY: all-zero is a valid value of this plain record, which the kernel fills in; nothing is changed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(kind.as_raw_value(), std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Waits until the daemon's tasks are told to stop. Cancel-safe.
pub async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
