//! Cancelling a run, with the reason: a token alone cannot say whether a person pressed Ctrl-C, a
//! supervisor sent SIGTERM or the time was up.
//!
//! The first reason wins. Does not install signal handlers: whoever owns the signals calls
//! [`Cancellation::cancel`].

use std::sync::Arc;
use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::protocol::ExitCode;

/// Why a run was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// SIGINT, or a client's `cancel`.
    Interrupted,
    /// SIGTERM or SIGHUP, or the end of a client's input.
    Terminated,
    /// `--timeout`.
    TimeOut,
}

impl CancelReason {
    /// The exit code that this reason asks for.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Interrupted => ExitCode::Interrupted,
            Self::Terminated => ExitCode::Terminated,
            Self::TimeOut => ExitCode::TimeOut,
        }
    }

    /// For error lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
            Self::TimeOut => "the run's time is up",
        }
    }
}

/// A cancellation token that remembers its reason. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Cancellation {
    token: CancellationToken,
    reason: Arc<OnceLock<CancelReason>>,
}

impl Cancellation {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels; a second call changes nothing.
    pub fn cancel(&self, reason: CancelReason) {
        // Set before the token fires, so that whoever wakes up finds a reason.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// The reason, once cancelled.
    pub fn reason(&self) -> Option<CancelReason> {
        self.token.is_cancelled().then(|| self.reason.get().copied()).flatten()
    }

    /// What waiting code listens to.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_wins_and_clones_see_it() {
        let cancellation = Cancellation::new();
        let clone = cancellation.clone();
        assert_eq!(clone.reason(), None);
        cancellation.cancel(CancelReason::Terminated);
        cancellation.cancel(CancelReason::Interrupted);
        assert_eq!(clone.reason(), Some(CancelReason::Terminated));
        assert!(clone.token().is_cancelled());
    }
}
