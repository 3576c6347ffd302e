//! Turns signals into the cancellation of a run, with the reason; a second one cuts its wind-up short.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::system::signal;

/// From the second signal to the end by force.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Listens until dropped.
pub struct SignalGuard {
    listener: tokio::task::JoinHandle<()>,
    is_over: Arc<AtomicBool>,
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.listener.abort();
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// SIGINT, SIGTERM and SIGHUP (on Windows Ctrl-C) cancel. A command that ignores the polite signal has two
/// seconds; a second signal takes them from it, and ends this process where even that does not help.
pub fn cancel_on_signals(cancel: &Cancellation) -> SignalGuard {
    let cancel = cancel.clone();
    let is_over = Arc::new(AtomicBool::new(false));
    let is_over_there = Arc::clone(&is_over);
    let listener = tokio::spawn(async move {
        let Some(mut signals) = Signals::listen() else { return };
        let Some(reason) = signals.next().await else { return };
        cancel.cancel(reason);
        if signals.next().await.is_some() {
            signal::hurry();
            end_by_force(reason, is_over_there);
        }
    });
    SignalGuard { listener, is_over }
}

/// Signals that come while no run is under way. Once a run was, their default action is gone.
pub struct Idle(Option<Signals>);

impl Idle {
    /// Listens from now on.
    pub fn listen() -> Self {
        Self(Signals::listen())
    }

    /// The next one, and what it asks for; never where it cannot be listened to.
    pub async fn next(&mut self) -> CancelReason {
        if let Some(signals) = &mut self.0
            && let Some(reason) = signals.next().await
        {
            return reason;
        }
        std::future::pending().await
    }
}

/// From a thread of its own: what does not come to its end may hold the runtime's.
fn end_by_force(reason: CancelReason, is_over: Arc<AtomicBool>) {
    let number = match reason {
        CancelReason::Terminated => 15,
        CancelReason::Interrupted | CancelReason::TimeOut => 2,
    };
    let wait = move || {
        std::thread::sleep(LAST_CHANCE);
        if !is_over.load(Ordering::Relaxed) {
            signal::raise_default(number);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("last chance".to_owned()).spawn(wait) {
        tracing::warn!(%error, "the run is not ended by force");
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Option<Self> {
        use tokio::signal::unix::SignalKind;
        let listen = |kind| {
            let listener = tokio::signal::unix::signal(kind);
            if let Err(error) = &listener {
                tracing::warn!(%error, "a signal cannot be listened to");
            }
            listener.ok()
        };
        Some(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Option<CancelReason> {
        tokio::select! {
            _ = self.interrupt.recv() => Some(CancelReason::Interrupted),
            _ = self.terminate.recv() => Some(CancelReason::Terminated),
            _ = self.hang_up.recv() => Some(CancelReason::Terminated),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix, where listening can fail")]
    fn listen() -> Option<Self> {
        Some(Self)
    }

    async fn next(&mut self) -> Option<CancelReason> {
        tokio::signal::ctrl_c().await.ok().map(|()| CancelReason::Interrupted)
    }
}
