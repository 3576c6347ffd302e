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
            Self::TimeOut => "the time of the run is up",
        }
    }
}

/// A cancellation token that remembers its reason. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Cancellation {
    token: CancellationToken,
    reason: Arc<OnceLock<CancelReason>>,
    /// The reason of the one this is a child of.
    inherited: Option<Arc<OnceLock<CancelReason>>>,
}

impl Cancellation {
    pub fn new() -> Self {
        Self::default()
    }

    /// Is cancelled with this one; cancelling it leaves this one alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
            reason: Arc::default(),
            inherited: Some(Arc::clone(&self.reason)),
        }
    }

    /// Cancels; a second call changes nothing.
    pub fn cancel(&self, reason: CancelReason) {
        // Set before the token fires, so that whoever wakes up finds a reason. An error means that
        // there is an earlier reason, which stands.
        self.reason.set(reason).ok();
        self.token.cancel();
    }

    /// The reason, once cancelled.
    pub fn reason(&self) -> Option<CancelReason> {
        if !self.token.is_cancelled() {
            return None;
        }
        let inherited = || self.inherited.as_ref().and_then(|reason| reason.get());
        self.reason.get().or_else(inherited).copied()
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

    #[test]
    fn a_child_is_cancelled_with_its_parent_and_not_the_other_way_round() {
        let parent = Cancellation::new();
        let (first, second) = (parent.child(), parent.child());
        first.cancel(CancelReason::TimeOut);
        assert_eq!(parent.reason(), None);
        parent.cancel(CancelReason::Interrupted);
        assert_eq!(first.reason(), Some(CancelReason::TimeOut));
        assert_eq!(second.reason(), Some(CancelReason::Interrupted));
    }
}
