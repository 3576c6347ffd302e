//! Turns signals into the cancellation of a run, with the reason.

use crate::agent::CancelReason;
use crate::agent::Cancellation;

/// Listens until dropped.
pub struct SignalGuard(tokio::task::JoinHandle<()>);

impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// SIGINT, SIGTERM and SIGHUP (on Windows Ctrl-C) cancel. The run comes to its end within seconds,
/// so that a second signal has nothing to add.
pub fn cancel_on_signals(cancel: &Cancellation) -> SignalGuard {
    let cancel = cancel.clone();
    SignalGuard(tokio::spawn(async move {
        if let Some(reason) = next().await {
            cancel.cancel(reason);
        }
    }))
}

#[cfg(unix)]
async fn next() -> Option<CancelReason> {
    use tokio::signal::unix::SignalKind;
    use tokio::signal::unix::signal;
    let listen = |kind| {
        let listener = signal(kind);
        if let Err(error) = &listener {
            tracing::warn!(%error, "a signal cannot be listened to");
        }
        listener.ok()
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => Some(CancelReason::Interrupted),
        _ = terminate.recv() => Some(CancelReason::Terminated),
        _ = hang_up.recv() => Some(CancelReason::Terminated),
    }
}

#[cfg(not(unix))]
async fn next() -> Option<CancelReason> {
    tokio::signal::ctrl_c().await.ok().map(|()| CancelReason::Interrupted)
}
