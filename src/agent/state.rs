//! The state of a run: what was said, used and refused. Pure values.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::protocol::CallCounts;
use crate::protocol::Denial;
use crate::protocol::ExitCode;
use crate::protocol::JsonText;
use crate::protocol::Message;
use crate::protocol::Part;
use crate::protocol::Role;
use crate::protocol::ToolCall;
use crate::protocol::ToolResult;
use crate::protocol::Usage;

use crate::agent::calls::guard::LoopGuard;
use crate::agent::calls::origin;
use crate::agent::context::compact;
use crate::sandbox::git::obeyed::Seen;

/// What the model is told about a call that a dead run left unanswered.
const UNANSWERED: &str = "error: the run ended before this call did; what it did is not known";

/// Something that keeps a run from ending well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: ExitCode,
    /// One line.
    pub error: String,
    /// What to do about it, where we know.
    pub hint: Option<String>,
}

/// What a person allowed for the rest of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Calls, each in its directory: `Bond::key`.
    pub calls: HashSet<[u8; 32]>,
    /// Rules, as allow rules are written.
    pub rules: Vec<String>,
}

impl Grants {
    /// Adds what another run was allowed.
    pub fn join(&mut self, other: Self) {
        self.calls.extend(other.calls);
        for rule in other.rules {
            if !self.rules.contains(&rule) {
                self.rules.push(rule);
            }
        }
    }
}

/// Everything that changes while a run goes on.
#[derive(Debug, Default)]
pub struct RunState {
    /// The conversation as the model sees it (compacted where it had to be).
    pub messages: Vec<Message>,
    pub usage: Usage,
    /// US dollars, of the replies whose model has a price.
    pub cost: Option<f64>,
    /// A reply came from a model without a price: what the run cost is not known.
    pub unpriced: bool,
    /// Model calls that were begun.
    pub turns: u32,
    pub denials: Vec<Denial>,
    /// Everything that went wrong; the outcome picks the exit code.
    pub failures: Vec<Failure>,
    /// The last text the model said.
    pub text: String,
    pub structured: Option<JsonText>,
    pub calls: CallCounts,
    /// The rung that children really got.
    pub sandbox: Option<String>,
    pub guard: LoopGuard,
    /// For what was refused (as its denial names it) what would let it through.
    pub ways_out: HashMap<String, String>,
    /// What went wrong without changing how the run ends.
    pub notes: Vec<String>,
    /// What a person allowed for the rest of the session.
    pub allowed: Grants,
    /// Where text that nobody here vouches for came from, once any is part of the conversation.
    pub origin: Option<String>,
    /// What a later git goes by in the workspace, once something may have been written.
    pub obeyed: Option<Seen>,
    /// Tokens the provider counted for the first so many messages.
    counted: Option<(u64, usize)>,
}

impl RunState {
    /// A run that goes on from an earlier conversation.
    pub fn new(history: Vec<Message>) -> Self {
        let origin = origin::of_conversation(&history);
        Self { messages: mend(history), origin, ..Self::default() }
    }

    /// Notes a failure. The same one is noted once.
    pub fn fail(&mut self, code: ExitCode, error: impl Into<String>, hint: Option<String>) {
        let failure = Failure { code, error: error.into(), hint };
        if !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
    }

    /// Notes what a reply cost, in US dollars where that is known.
    pub fn pay(&mut self, cost: Option<f64>) {
        match cost {
            Some(cost) => *self.cost.get_or_insert_default() += cost,
            None => self.unpriced = true,
        }
    }

    /// Notes a reply's token counts.
    pub fn count(&mut self, usage: &Usage) {
        self.usage.add(usage);
        if usage.total() > 0 {
            // The reply itself has just been added to the messages.
            self.counted = Some((usage.total(), self.messages.len()));
        }
    }

    /// Tokens that the next request is likely to have; `fixed` are those of system prompt and
    /// tools, which a provider's own count includes.
    pub fn tokens(&self, fixed: u64) -> u64 {
        match self.counted {
            Some((tokens, messages)) if messages <= self.messages.len() => {
                tokens + compact::estimate(&self.messages[messages..])
            }
            _ => fixed + compact::estimate(&self.messages),
        }
    }

    /// Replaces the conversation; what the provider counted no longer holds.
    pub fn replace_messages(&mut self, messages: Vec<Message>) {
        self.messages = messages;
        self.counted = None;
    }

    /// Notes that a call was declined.
    pub fn deny(&mut self, tool: &str, target: &str, reason: &str) {
        self.denials.push(Denial {
            tool: tool.to_owned(),
            target: target.to_owned(),
            reason: reason.to_owned(),
            resolved: false,
        });
    }

    /// Notes that a call succeeded: earlier denials of the same no longer count.
    pub fn succeeded(&mut self, tool: &str, target: &str) {
        for denial in &mut self.denials {
            if denial.tool == tool && denial.target == target {
                denial.resolved = true;
            }
        }
    }
}

/// Makes a stored conversation well formed: every call is answered in the message after it. A run
/// that was killed leaves calls without results, which no provider accepts.
pub fn mend(messages: Vec<Message>) -> Vec<Message> {
    let mut mended: Vec<Message> = Vec::with_capacity(messages.len());
    let mut open: Vec<ToolCall> = Vec::new();
    for mut message in messages {
        if message.role == Role::Tool {
            message.parts.retain(|part| match part {
                Part::ToolResult(result) => {
                    let place = open.iter().position(|call| call.id == result.call_id);
                    place.map(|place| open.remove(place)).is_some()
                }
                _ => false,
            });
            message.parts.extend(open.drain(..).map(unanswered));
            if !message.parts.is_empty() {
                mended.push(message);
            }
            continue;
        }
        close(&mut mended, &mut open);
        open.extend(message.tool_calls().cloned());
        if !message.parts.is_empty() {
            mended.push(message);
        }
    }
    close(&mut mended, &mut open);
    mended
}

fn close(messages: &mut Vec<Message>, open: &mut Vec<ToolCall>) {
    if !open.is_empty() {
        let parts = open.drain(..).map(unanswered).collect();
        messages.push(Message { role: Role::Tool, parts });
    }
}

fn unanswered(call: ToolCall) -> Part {
    Part::ToolResult(ToolResult {
        call_id: call.id,
        name: call.name,
        text: UNANSWERED.to_owned(),
        data: None,
        is_error: true,
        origin: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(ids: &[&str]) -> Message {
        let parts = ids
            .iter()
            .map(|id| {
                Part::ToolCall(ToolCall {
                    id: (*id).to_owned(),
                    name: "shell".to_owned(),
                    arguments: "{}".to_owned(),
                })
            })
            .collect();
        Message { role: Role::Assistant, parts }
    }

    fn results(ids: &[&str]) -> Message {
        let parts = ids
            .iter()
            .map(|id| {
                Part::ToolResult(ToolResult {
                    call_id: (*id).to_owned(),
                    name: "shell".to_owned(),
                    text: "ok".to_owned(),
                    data: None,
                    is_error: false,
                    origin: None,
                })
            })
            .collect();
        Message { role: Role::Tool, parts }
    }

    fn answered(message: &Message) -> Vec<(&str, bool)> {
        message
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::ToolResult(result) => Some((result.call_id.as_str(), result.is_error)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_killed_runs_open_calls_are_answered() {
        let person = Message::text(Role::User, "go on");
        let mended = mend(vec![calls(&["1", "2"]), results(&["2"]), calls(&["3"]), person.clone()]);
        assert_eq!(mended.len(), 5);
        assert_eq!(answered(&mended[1]), [("2", false), ("1", true)]);
        assert_eq!(answered(&mended[3]), [("3", true)]);
        assert_eq!(mended[4], person);
        let at_the_end = mend(vec![person, calls(&["1"])]);
        assert_eq!(answered(&at_the_end[2]), [("1", true)]);
    }

    #[test]
    fn results_without_a_call_and_empty_messages_are_dropped() {
        let empty = Message { role: Role::Assistant, parts: Vec::new() };
        assert_eq!(mend(vec![results(&["9"]), empty]), []);
        let whole = vec![calls(&["1"]), results(&["1"])];
        assert_eq!(mend(whole.clone()), whole);
    }

    #[test]
    fn a_providers_count_replaces_the_estimate() {
        let mut state = RunState::new(vec![Message::text(Role::User, "x".repeat(4_000))]);
        assert_eq!(state.tokens(50), 50 + 1_004);
        let usage = Usage { input_tokens: 300, output_tokens: 20, ..Usage::default() };
        state.count(&usage);
        assert_eq!(state.tokens(50), 320);
        state.messages.push(Message::text(Role::User, "x".repeat(40)));
        assert_eq!(state.tokens(50), 320 + 14);
        state.replace_messages(Vec::new());
        assert_eq!(state.tokens(50), 50);
    }

    #[test]
    fn a_denial_is_resolved_by_the_same_tool_on_the_same_target() {
        let mut state = RunState::default();
        state.deny("file_read", "/a", "no");
        state.succeeded("file_read", "/b");
        state.succeeded("shell", "/a");
        assert!(!state.denials[0].resolved);
        state.succeeded("file_read", "/a");
        assert!(state.denials[0].resolved);
    }
}
