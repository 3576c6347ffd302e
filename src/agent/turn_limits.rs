//! The limits of a run where its loop meets them: before a turn, and after the answer. Which limits there
//! are and when one is reached is `budget`'s.

use std::time::Duration;

use tokio::time::Instant;

use super::budget;
use super::turn::Turns;

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
}

/// The moment at which a run has to be over; far away without a limit.
pub(super) fn deadline(started: Instant, timeout: Option<Duration>) -> Instant {
    /// Longer than any run; `Instant` cannot hold "never".
    const NEVER: Duration = Duration::from_hours(365 * 24);
    started + timeout.map_or(NEVER, |timeout| timeout.min(NEVER))
}
