//! The loop guard: a model that repeats the same failing call gets told, and is then stopped,
//! before it has burnt its whole turn limit.
//!
//! Pure; looks at name, arguments and whether the call failed, never at what a tool means.

use crate::protocol::ToolCall;

/// After so many equal failures in a row the model is told to try something else.
const TELL_AFTER: u32 = 3;

/// After so many the run ends.
const STOP_AFTER: u32 = 6;

/// What to do about a call that has just ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    Continue,
    /// Add this to the result: how often it has failed.
    Tell(u32),
    /// End the run.
    Stop(u32),
}

/// Counts equal failing calls in a row.
#[derive(Debug, Default)]
pub struct LoopGuard {
    last: Option<(String, String)>,
    failures: u32,
}

impl LoopGuard {
    /// Records an ended call.
    pub fn record(&mut self, call: &ToolCall, failed: bool) -> Advice {
        let same = self
            .last
            .as_ref()
            .is_some_and(|(name, arguments)| *name == call.name && *arguments == call.arguments);
        if !failed {
            // Another call that works in between does not excuse a loop of one that never does,
            // but the same call working does.
            if same {
                self.last = None;
                self.failures = 0;
            }
            return Advice::Continue;
        }
        if same {
            self.failures += 1;
        } else {
            self.last = Some((call.name.clone(), call.arguments.clone()));
            self.failures = 1;
        }
        match self.failures {
            count if count >= STOP_AFTER => Advice::Stop(count),
            count if count >= TELL_AFTER => Advice::Tell(count),
            _ => Advice::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: &str) -> ToolCall {
        ToolCall { id: "1".to_owned(), name: "shell".to_owned(), arguments: arguments.to_owned() }
    }

    #[test]
    fn tells_at_three_and_stops_at_six() {
        let mut guard = LoopGuard::default();
        let advice: Vec<_> = (0..6).map(|_| guard.record(&call("a"), true)).collect();
        assert_eq!(
            advice,
            [
                Advice::Continue,
                Advice::Continue,
                Advice::Tell(3),
                Advice::Tell(4),
                Advice::Tell(5),
                Advice::Stop(6)
            ]
        );
    }

    #[test]
    fn another_failing_call_or_success_of_the_same_starts_over() {
        let mut guard = LoopGuard::default();
        guard.record(&call("a"), true);
        guard.record(&call("a"), true);
        guard.record(&call("b"), true);
        assert_eq!(guard.record(&call("a"), true), Advice::Continue);
        guard.record(&call("a"), true);
        guard.record(&call("a"), false);
        assert_eq!(guard.record(&call("a"), true), Advice::Continue);
    }

    #[test]
    fn successes_of_other_calls_do_not_hide_a_loop() {
        let mut guard = LoopGuard::default();
        for _ in 0..2 {
            guard.record(&call("a"), true);
            guard.record(&call("other"), false);
        }
        assert_eq!(guard.record(&call("a"), true), Advice::Tell(3));
    }
}
