//! The limits of a run where its loop meets them: before a turn, after the answer, and its time. Which
//! limits there are and when one is reached is `budget`'s.

use std::time::Duration;

use tokio::time::Instant;

use super::Turns;
use crate::agent::budget;
use crate::agent::cancel::CancelReason;

/// A call that timed out with so little of the run's time left has used up the run's time: tools end
/// a little before their deadline so as to bring back what they have.
const TIME_LEFT: Duration = Duration::from_millis(250);

impl Turns<'_> {
    /// Notes a limit that leaves no room for another turn; whether there is one.
    pub(super) fn note_limit(&mut self) -> bool {
        let (limits, state) = (&self.parts.limits, &self.state);
        let spent = state.cost.unwrap_or_default();
        let Some(limit) = budget::before_turn(limits, state.turns, &state.usage, spent) else {
            return false;
        };
        let hint = limit.hint().to_owned();
        self.state.fail(limit.exit_code(), limit.to_string(), Some(hint));
        true
    }

    /// The last reply may have been more than what was left: its answer stands, the run does not end
    /// as one within its limits.
    pub(super) fn note_excess(&mut self) {
        let spent = self.state.cost.unwrap_or_default();
        if let Some(limit) = budget::after_answer(&self.parts.limits, &self.state.usage, spent) {
            let error = format!("{limit}; the answer took more than was left");
            self.state.fail(limit.exit_code(), error, Some(limit.hint().to_owned()));
        }
    }

    /// A call that timed out at the end of the run's time has used up the run's time.
    pub(super) fn note_time(&self, timed_out: bool) {
        if timed_out && Instant::now() + TIME_LEFT >= self.context.deadline {
            self.cancel.cancel(CancelReason::TimeOut);
        }
    }

    /// Notes a cancellation once. A tool may have met the end of the run before our timer did.
    pub(super) fn note_cancellation(&mut self) -> bool {
        if Instant::now() >= self.context.deadline {
            self.cancel.cancel(CancelReason::TimeOut);
        }
        let Some(reason) = self.cancel.reason() else { return false };
        self.state.fail(reason.exit_code(), reason.as_str(), None);
        true
    }
}

/// The moment at which a run has to be over; far away without a limit.
pub(in crate::agent) fn deadline(started: Instant, timeout: Option<Duration>) -> Instant {
    /// Longer than any run; `Instant` cannot hold "never".
    const NEVER: Duration = Duration::from_hours(365 * 24);
    started + timeout.map_or(NEVER, |timeout| timeout.min(NEVER))
}
